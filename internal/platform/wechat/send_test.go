package wechat

import (
	"net/http"
	"testing"

	"kefu/internal/platform"
)

func TestSendWritesRawUTF8(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, face, want string }{
		{"plain", "Hello World", "", `{"touser":"oSimUser0001","msgtype":"text","text":{"content":"Hello World"}}`},
		{"with a face", "您好", "test1@kftest", `{"touser":"oSimUser0001","msgtype":"text","text":{"content":"您好"},"customservice":{"kf_account":"test1@kftest"}}`},
		{"links keep their markup", `<a href="http://x/?a=1&b=2">去</a>`, "", `{"touser":"oSimUser0001","msgtype":"text","text":{"content":"<a href=\"http://x/?a=1&b=2\">去</a>"}}`},
		{"line ends, tabs, backslashes", "a\n\tb\\u4f60", "", `{"touser":"oSimUser0001","msgtype":"text","text":{"content":"a\n\tb\\u4f60"}}`},
		{"nothing that JSON would write as an escape", "a\x00\x07\u2028b\u2029\xff👍\u007f", "", `{"touser":"oSimUser0001","msgtype":"text","text":{"content":"a` + `\nb\n` + "\ufffd👍\u007f" + `"}}`},
		{"empty is the platform's to refuse", "", "", `{"touser":"oSimUser0001","msgtype":"text","text":{"content":""}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, testConfig())
			if err := b.send(t.Context(), tt.text, tt.face); err != nil {
				t.Fatal(err)
			}
			want := request{http.MethodPost, sendPath, "token-1", tt.want}
			if got := b.fake.calls[1]; got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestContentThatIsNoneIsRefusedWithoutACall(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	_, err := b.Send(t.Context(), platform.Conversation{Key: "o"}, nil, platform.Face{}, "")
	wantClass(t, err, platform.BadContent, 0)
	if len(b.fake.calls) != 0 {
		t.Errorf("calls %+v", b.fake.calls)
	}
}
