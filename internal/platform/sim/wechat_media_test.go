package sim

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestUploadChecksKindSizeAndFormat(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	big := func(content []byte, size int) []byte { return append(content, make([]byte, size)...) }
	tests := []struct {
		name, kind, field string
		content           []byte
		code              int
	}{
		{"picture", "image", "media", sample("image"), 0},
		{"voice", "voice", "media", sample("voice"), 0},
		{"video", "video", "media", sample("video"), 0},
		{"thumb", "thumb", "media", sample("thumb"), 0},
		{"unknown kind", "gif", "media", sample("image"), 40004},
		{"no file", "image", "other", sample("image"), 41005},
		{"empty file", "image", "media", nil, 44001},
		{"a text as a picture", "image", "media", []byte("hello"), 40005},
		{"picture as voice", "voice", "media", sample("image"), 40005},
		{"picture too large", "image", "media", big(sample("image"), 10<<20), 40009},
		{"voice too large", "voice", "media", big(sample("voice"), 2<<20), 40010},
		{"thumb too large", "thumb", "media", big(sample("thumb"), 64<<10), 40012},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := k.uploadRaw("/cgi-bin/media/upload", "&type="+tt.kind, tt.field, tt.content); code(got) != tt.code {
				t.Errorf("%v, want %d", got, tt.code)
			}
		})
	}
}

func TestFilesLiveThreeDays(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	id := k.upload("image", sample("image"))
	get := func() (string, string, []byte) {
		rec, _ := k.serve("GET", "/cgi-bin/media/get?access_token="+k.token()+"&media_id="+id, "", "")
		return rec.Header().Get("Content-Type"), rec.Header().Get("Content-disposition"), rec.Body.Bytes()
	}
	kind, name, body := get()
	if kind != "image/jpeg" || name != `attachment; filename="`+id+`.jpg"` || !bytes.Equal(body, sample("image")) {
		t.Errorf("get = %s, %s, %d bytes", kind, name, len(body))
	}
	k.advance(72 * time.Hour)
	kind, _, body = get()
	if kind != "text/plain" || code(decoded(t, body)) != 40007 {
		t.Errorf("after three days: %s %s", kind, body)
	}
}

func TestWhatACustomerSendsCanBeFetched(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modePlain})
	k.act(`"do":"image","file":"data:image/jpeg;base64,` + base64.StdEncoding.EncodeToString(sample("thumb")) + `"`)
	push := k.desk.all()[0].body
	rec, _ := k.serve("GET", strings.TrimPrefix(in(t, push, "PicUrl"), "http://platform.test"), "", "")
	if !bytes.Equal(rec.Body.Bytes(), sample("thumb")) {
		t.Errorf("PicUrl = %d, %d bytes", rec.Code, rec.Body.Len())
	}
	rec, _ = k.serve("GET", "/cgi-bin/media/get?access_token="+k.token()+"&media_id="+in(t, push, "MediaId"), "", "")
	if !bytes.Equal(rec.Body.Bytes(), sample("thumb")) {
		t.Errorf("media/get = %d bytes", rec.Body.Len())
	}
	k.act(`"do":"video"`)
	rec, _ = k.serve("GET", "/cgi-bin/media/get?access_token="+k.token()+"&media_id="+in(t, k.desk.all()[1].body, "MediaId"), "", "")
	if address, _ := decoded(t, rec.Body.Bytes())["video_url"].(string); !strings.HasPrefix(address, "http://platform.test/_sim/media/") {
		t.Errorf("a video answers %s", rec.Body)
	}
	bad, _ := k.serve("POST", "/_sim/wechat/act", "", `{"openid":"`+k.open+`","do":"image","file":"%%"}`)
	if bad.Code != 400 {
		t.Errorf("a file that is no base64 = %d", bad.Code)
	}
}
