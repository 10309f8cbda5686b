package wechat

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"kefu/internal/platform"
)

func TestAccountLists(t *testing.T) {
	t.Parallel()
	bound := platform.Account{Account: "test1@test", Nick: "ntest1", ID: "1001", AvatarURL: "http://mmbiz.qpic.cn/...", BoundWeChat: "kfwx1"}
	invited := platform.Account{
		Account: "test3@test", Nick: "ntest3", ID: "1003", AvatarURL: "http://mmbiz.qpic.cn/...",
		InviteWeChat: "kfwx3", InviteStatus: "waiting", InviteExpires: time.Unix(123456789, 0).UTC(),
	}
	// The sample of wechat.md §2.6.
	items := `[
 {"kf_account":"test1@test","kf_headimgurl":"http://mmbiz.qpic.cn/...","kf_id":"1001","kf_nick":"ntest1","kf_wx":"kfwx1"},
 {"kf_account":"test3@test","kf_headimgurl":"http://mmbiz.qpic.cn/...","kf_id":"1003","kf_nick":"ntest3",
  "invite_wx":"kfwx3","invite_expire_time":123456789,"invite_status":"waiting"}]`
	tests := []struct {
		name, body string
		want       []platform.Account
	}{
		{"published sample", `{"kf_list":` + items + `}`, []platform.Account{bound, invited}},
		{"the page's wrong key", `{"kf_online_list":` + items + `}`, []platform.Account{bound, invited}},
		{"an errcode beside it", `{"errcode":0,"errmsg":"ok","kf_list":` + items + `}`, []platform.Account{bound, invited}},
		{"the right key wins", `{"kf_online_list":[],"kf_list":` + items + `}`, []platform.Account{bound, invited}},
		{"nobody", `{"kf_list":[]}`, []platform.Account{}},
		{"nobody, null", `{"kf_list":null}`, []platform.Account{}},
		{
			"numbers, old picture, empty account", `{"kf_list":[{"kf_account":"","kf_id":1002,"kf_nick":"a\u0000b","kf_headimg":"u","kf_openid":"o","invite_expire_time":"123456789","kf_wx":null}]}`,
			[]platform.Account{{ID: "1002", Nick: "ab", AvatarURL: "u", InviteExpires: time.Unix(123456789, 0).UTC()}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, testConfig())
			b.fake.answers = func(int, request) (*http.Response, error) { return answer(200, tt.body), nil }
			got, err := b.Accounts(t.Context())
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v, error %v\nwant %+v", got, err, tt.want)
			}
			if call := (request{http.MethodGet, "/cgi-bin/customservice/getkflist", "token-1", ""}); b.fake.calls[1] != call {
				t.Errorf("called %+v, want %+v", b.fake.calls[1], call)
			}
		})
	}
}

func TestAccountListsThatAreNone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body  string
		class platform.Class
		code  int
	}{
		{`{}`, platform.Busy, 0},
		{`{"kf_list":{}}`, platform.Busy, 0},
		{`{"kf_list":[{"kf_id":{}}]}`, platform.Busy, 0},
		{`busy`, platform.Busy, 0},
		{`{"errcode":-1,"errmsg":"system error"}`, platform.BusyOnce, -1},
		{`{"errcode":65400,"errmsg":"please enable new custom service, or wait for a while if you have enabled"}`, platform.Rights, 65400},
		{`{"errcode":48001,"errmsg":"api unauthorized"}`, platform.Rights, 48001},
		{`{"errcode":40003,"errmsg":"invalid openid"}`, platform.Failed, 40003},
	}
	for _, tt := range tests {
		b := newBench(t, testConfig())
		b.fake.answers = func(int, request) (*http.Response, error) { return answer(200, tt.body), nil }
		got, err := b.Accounts(t.Context())
		wantClass(t, err, tt.class, tt.code)
		if got != nil {
			t.Errorf("%s: got %v", tt.body, got)
		}
	}
}
