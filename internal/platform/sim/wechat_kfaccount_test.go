package sim

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"
	"time"
)

func (k *kit) account(call, body string) int {
	k.Helper()
	return code(k.api("POST", "/customservice/kfaccount/"+call, "", body))
}

func (k *kit) listed() []any {
	k.Helper()
	return k.api("GET", "/cgi-bin/customservice/getkflist", "", "")["kf_list"].([]any)
}

func TestAccountLifeCycle(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{WeChatID: "kftest"})
	expect := func(step string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %d, want %d", step, got, want)
		}
	}
	form := `{"kf_account":"test1@kftest","nickname":"客服1"}`
	expect("add", k.account("add", form), 0)
	expect("add again", k.account("add", form), 65406)
	expect("foreign suffix", k.account("add", `{"kf_account":"test2@other","nickname":"a"}`), 65404)
	expect("long prefix", k.account("add", `{"kf_account":"abcdefghijk@kftest","nickname":"a"}`), 65404)
	expect("long nickname", k.account("add", `{"kf_account":"t2@kftest","nickname":"`+strings.Repeat("名", 17)+`"}`), 65403)
	expect("the original id is a suffix, too", k.account("add", `{"kf_account":"t2@`+k.app.OriginalID+`","nickname":"客服2","password":"96e79218965eb72c92a549dd5a330112"}`), 0)
	expect("update", k.account("update", `{"kf_account":"test1@kftest","nickname":"小珊"}`), 0)
	expect("update of nobody", k.account("update", `{"kf_account":"no@kftest","nickname":"a"}`), 65401)

	expect("invite nobody", k.account("inviteworker", `{"kf_account":"test1@kftest","invite_wx":"! "}`), 65409)
	expect("invite", k.account("inviteworker", `{"kf_account":"test1@kftest","invite_wx":"test_kfwx"}`), 0)
	expect("invite the same again", k.account("inviteworker", `{"kf_account":"test1@kftest","invite_wx":"test_kfwx"}`), 65408)
	expect("invite another", k.account("inviteworker", `{"kf_account":"test1@kftest","invite_wx":"other_kfwx"}`), 65411)
	first := k.listed()[0].(map[string]any)
	if first["invite_status"] != "waiting" || first["invite_expire_time"] != float64(start.Add(24*time.Hour).Unix()) || first["kf_wx"] != nil || first["kf_id"] != "1001" || first["kf_nick"] != "小珊" {
		t.Errorf("while waiting: %v", first)
	}
	k.advance(24 * time.Hour)
	if got := k.listed()[0].(map[string]any)["invite_status"]; got != "expired" {
		t.Errorf("after a day: %v", got)
	}
	expect("invite after it expired", k.account("inviteworker", `{"kf_account":"test1@kftest","invite_wx":"test_kfwx"}`), 0)
	staff := func(do string) int {
		rec, _ := k.serve("POST", "/_sim/wechat/accounts", "", `{"kf_account":"test1@kftest","do":"`+do+`"}`)
		return rec.Code
	}
	expect("online before accepting", staff("online"), 400)
	expect("accept", staff("accept"), 200)
	expect("accept twice", staff("accept"), 400)
	expect("invite when bound", k.account("inviteworker", `{"kf_account":"test1@kftest","invite_wx":"other_kfwx"}`), 65412)
	expect("one person, two accounts", k.account("inviteworker", `{"kf_account":"t2@`+k.app.OriginalID+`","invite_wx":"test_kfwx"}`), 65407)
	if got := k.listed()[0].(map[string]any); got["kf_wx"] != "test_kfwx" || got["invite_status"] != nil {
		t.Errorf("bound: %v", got)
	}
	online := func() []any {
		return k.api("GET", "/cgi-bin/customservice/getonlinekflist", "", "")["kf_online_list"].([]any)
	}
	expect("nobody online", len(online()), 0)
	expect("online", staff("online"), 200)
	if got := online(); len(got) != 1 || got[0].(map[string]any)["status"] != 1.0 {
		t.Errorf("online: %v", got)
	}
	expect("offline", staff("offline"), 200)
	expect("offline again", len(online()), 0)
	if got := k.api("GET", "/cgi-bin/customservice/getkflist", "", ""); got["errcode"] != nil {
		t.Errorf("a data answer carries no errcode: %v", got)
	}
}

func TestAccountLimitsAndSwitches(t *testing.T) {
	t.Parallel()
	for profile, limit := range map[string]int{profileCurrent: 100, profileLegacy: 10} {
		k := newKit(t, App{WeChatID: "kftest", Profile: profile})
		for n := range limit {
			if got := k.account("add", fmt.Sprintf(`{"kf_account":"a%d@kftest","nickname":"n"}`, n)); got != 0 {
				t.Fatal(got)
			}
		}
		want := map[string]int{profileCurrent: 65405, profileLegacy: 61456}[profile]
		if got := k.account("add", `{"kf_account":"more@kftest","nickname":"n"}`); got != want {
			t.Errorf("%s: one more = %d, want %d", profile, got, want)
		}
		k.control("POST", "/_sim/switches", `{"customer_service_off":true}`)
		if got := k.account("add", `{"kf_account":"b@kftest","nickname":"n"}`); got != 65400 {
			t.Errorf("switched off = %d", got)
		}
	}
}

func TestDeleteComesInManyForms(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, method, query, body string }{
		{"POST with a body (2025)", "POST", "", `{"kf_account":"a@kftest"}`},
		{"GET with a literal @", "GET", "&kf_account=a@kftest", ""},
		{"GET with an escaped @", "GET", "&kf_account=a%40kftest", ""},
		{"POST, empty object, query", "POST", "&kf_account=a@kftest", `{}`},
	}
	for _, tt := range tests {
		k := newKit(t, App{WeChatID: "kftest"})
		k.account("add", `{"kf_account":"a@kftest","nickname":"n"}`)
		if got := k.api(tt.method, "/customservice/kfaccount/del", tt.query, tt.body); code(got) != 0 || len(k.listed()) != 0 {
			t.Errorf("%s: %v, %d left", tt.name, got, len(k.listed()))
		}
		if got := k.api(tt.method, "/customservice/kfaccount/del", tt.query, tt.body); code(got) != 65401 {
			t.Errorf("%s twice: %v", tt.name, got)
		}
	}
	k := newKit(t, App{WeChatID: "kftest"})
	k.control("POST", "/_sim/switches", `{"strict_del":true}`)
	if got := k.api("GET", "/customservice/kfaccount/del", "&kf_account=a@kftest", ""); code(got) != 43002 {
		t.Errorf("strict: %v", got)
	}
}

func TestOnePersonServesFiveAccounts(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{WeChatID: "kftest"})
	for n := range 6 {
		var err error
		if k.app, err = k.sim.AddApp(App{WeChatID: fmt.Sprintf("kf%d", n), SkipCheck: true}); err != nil {
			t.Fatal(err)
		}
		k.account("add", fmt.Sprintf(`{"kf_account":"a@kf%d","nickname":"n"}`, n))
		want := 0
		if n == 5 {
			want = 65410
		}
		if got := k.account("inviteworker", fmt.Sprintf(`{"kf_account":"a@kf%d","invite_wx":"busy_person"}`, n)); got != want {
			t.Errorf("account %d: %d, want %d", n+1, got, want)
		}
		if want == 0 {
			k.control("POST", "/_sim/wechat/accounts", fmt.Sprintf(`{"appid":"%s","kf_account":"a@kf%d","do":"accept"}`, k.app.AppID, n))
		}
	}
}

// multipartOf is a form with one file.
func multipartOf(t *testing.T, name, file string, content []byte) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile(name, file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

// upload puts a temporary file on the platform and gives its id.
func (k *kit) upload(kind string, content []byte) string {
	k.Helper()
	m := k.uploadRaw("/cgi-bin/media/upload", "&type="+kind, "media", content)
	for _, key := range []string{"media_id", "thumb_media_id"} {
		if id, ok := m[key].(string); ok {
			return id
		}
	}
	k.Fatalf("upload %s: %v", kind, m)
	return ""
}

func (k *kit) uploadRaw(path, query, name string, content []byte) map[string]any {
	k.Helper()
	kind, body := multipartOf(k.T, name, "f.bin", content)
	rec, _ := k.serve("POST", path+"?access_token="+k.token()+query, kind, body)
	return decoded(k.T, rec.Body.Bytes())
}

func TestAvatar(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{WeChatID: "kftest"})
	k.account("add", `{"kf_account":"a@kftest","nickname":"n"}`)
	path := "/customservice/kfaccount/uploadheadimg"
	if got := k.uploadRaw(path, "&kf_account=b@kftest", "media", sample("image")); code(got) != 65401 {
		t.Errorf("unknown account: %v", got)
	}
	if got := k.uploadRaw(path, "&kf_account=a@kftest", "media", []byte("no picture")); code(got) != 40005 {
		t.Errorf("no jpg: %v", got)
	}
	if got := k.uploadRaw(path, "&kf_account=a@kftest", "media", sample("image")); code(got) != 0 {
		t.Errorf("jpg: %v", got)
	}
	address := k.listed()[0].(map[string]any)["kf_headimgurl"].(string)
	rec, _ := k.serve("GET", strings.TrimPrefix(address, "http://platform.test"), "", "")
	if rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), sample("image")) {
		t.Errorf("%s = %d", address, rec.Code)
	}
}

func TestAddAccountIsBoundAtOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{WeChatID: "kftest"})
	for range 2 { // the second time changes nothing
		if err := k.sim.AddAccount(k.app.AppID, "lin@kftest", "小珊"); err != nil {
			t.Fatal(err)
		}
	}
	if got := k.listed(); len(got) != 1 || got[0].(map[string]any)["kf_wx"] == nil {
		t.Errorf("list = %v", got)
	}
	if k.sim.AddAccount("wxnone", "lin@kftest", "小珊") == nil || k.sim.AddAccount(k.app.AppID, "he@kftest", "") == nil {
		t.Error("a foreign app or an empty nickname was accepted")
	}
}
