package sim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSavingAnAppChecksItsAddress(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	k.sim.http = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		q := r.URL.Query()
		if r.Method != "GET" || q.Get("signature") != sign("tok123", q.Get("timestamp"), q.Get("nonce")) {
			return response(r, 403, ""), nil
		}
		switch r.URL.Path {
		case "/good":
			return response(r, 200, q.Get("echostr")), nil
		case "/quoted":
			return response(r, 200, `"`+q.Get("echostr")+`"`), nil
		}
		return response(r, 404, q.Get("echostr")), nil
	})}
	tests := []struct {
		name, body string
		status     int
	}{
		{"echostr comes back", `{"token":"tok123","callback_url":"http://d.test/good"}`, 200},
		{"also in safe mode it is not encrypted", `{"token":"tok123","mode":"safe","callback_url":"http://d.test/good?a=b"}`, 200},
		{"wrong token", `{"token":"other","callback_url":"http://d.test/good"}`, 422},
		{"with quotes around it", `{"token":"tok123","callback_url":"http://d.test/quoted"}`, 422},
		{"another status", `{"token":"tok123","callback_url":"http://d.test/none"}`, 422},
		{"no check on wish", `{"token":"other","callback_url":"http://d.test/none","skip_check":true}`, 200},
		{"bad mode", `{"mode":"open"}`, 422},
		{"bad key", `{"aes_key":"short"}`, 422},
		{"bad address", `{"callback_url":"ftp://d.test"}`, 422},
		{"all at random", `{}`, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec, _ := k.serve("POST", "/_sim/wechat/apps", "", tt.body)
			if rec.Code != tt.status {
				t.Errorf("%d %s, want %d", rec.Code, rec.Body, tt.status)
			}
			if m := decoded(t, rec.Body.Bytes()); tt.status == 422 && m["error"] == nil {
				t.Errorf("a refusal says why: %v", m)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestStateTellsWhatAServerNeeds(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modeCompatible})
	state := k.control("GET", "/_sim/state", "")
	app := state["wechat"].(map[string]any)["apps"].([]any)[0].(map[string]any)
	for name, want := range map[string]string{
		"appid": k.app.AppID, "secret": k.app.Secret, "original_id": k.app.OriginalID, "token": k.app.Token, "aes_key": k.app.AESKey,
		"wechat_id": k.app.WeChatID, "mode": "compatible", "callback_url": k.app.CallbackURL, "profile": "current",
	} {
		if app[name] != want || want == "" {
			t.Errorf("%s = %v, want %q", name, app[name], want)
		}
	}
	if state["clock"] != "2026-11-20T02:00:00Z" || state["dingtalk"] == nil {
		t.Errorf("state = %v", state)
	}
	k.control("POST", "/_sim/wechat/apps", `{"appid":"`+k.app.AppID+`","mode":"plain"}`)
	app = k.control("GET", "/_sim/state", "")["wechat"].(map[string]any)["apps"].([]any)[0].(map[string]any)
	if app["mode"] != "plain" || app["secret"] != k.app.Secret {
		t.Errorf("a change keeps what it does not name: %v", app)
	}
}

func TestCallsAreKeptWithBothBodies(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modeSafe})
	k.act(`"do":"text","text":"你好"`)
	k.sendText("您好")
	list := k.control("GET", "/_sim/calls", "")["calls"].([]any)
	byPath := map[string]map[string]any{}
	for _, c := range list {
		call := c.(map[string]any)
		byPath[call["method"].(string)+" "+call["path"].(string)] = call
	}
	push := byPath["POST /callbacks/wechat/k1"]
	if push["kind"] != "callback" || push["response"] != "success" || push["status"] != 200.0 || push["about"] != "text" ||
		!strings.Contains(push["plain"].(string), "你好") || !strings.Contains(push["request"].(string), "<Encrypt>") {
		t.Errorf("push = %v", push)
	}
	send := byPath["POST /cgi-bin/message/custom/send"]
	if send["kind"] != "api" || send["errcode"] != 0.0 || !strings.Contains(send["request"].(string), "您好") || send["openid"] != k.open {
		t.Errorf("send = %v", send)
	}
	last := list[len(list)-1].(map[string]any)["seq"]
	if more := k.control("GET", "/_sim/calls?since="+jsonNumber(last), "")["calls"].([]any); len(more) != 0 {
		t.Errorf("after the last: %v", more)
	}
	if one := k.control("GET", "/_sim/calls?since="+jsonNumber(last.(float64)-1), "")["calls"].([]any); len(one) != 1 {
		t.Errorf("after the last but one: %d", len(one))
	}
}

func jsonNumber(v any) string { return string(plainJSON(v)) }

func TestTheLogKeepsTheLastFiveThousand(t *testing.T) {
	t.Parallel()
	var l callLog
	for range 7000 {
		l.add(&Call{})
	}
	if got := l.since(0, 0); len(got) != callsKept || got[0].Seq != 2001 || got[len(got)-1].Seq != 7000 {
		t.Errorf("%d calls from %d", len(got), got[0].Seq)
	}
	if got := l.since(6998, 0); len(got) != 2 {
		t.Errorf("%d calls after 6998", len(got))
	}
	if got := l.since(9000, 0); len(got) != 0 {
		t.Errorf("%d calls after the end", len(got))
	}
}

func TestResetKeepsTheConnection(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{WeChatID: "kftest"})
	token := k.token()
	k.account("add", `{"kf_account":"a@kftest","nickname":"n"}`)
	k.act(`"do":"text","text":"x"`)
	k.control("POST", "/_sim/faults", `{"match":"callback","drop":"before","times":-1}`)
	k.control("POST", "/_sim/switches", `{"text_limit_bytes":10}`)
	k.control("POST", "/_sim/reset", "")
	if k.probe(token) != 0 || len(k.listed()) != 1 {
		t.Error("apps, tokens and accounts stay")
	}
	if len(k.sim.Faults()) != 0 || k.sim.Switches().TextLimit != 2048 {
		t.Error("faults and switches go")
	}
	if rec, _ := k.serve("GET", "/_sim/wechat/received?openid="+k.open, "", ""); rec.Code != 404 {
		t.Errorf("customers go: %d", rec.Code)
	}
	k.control("POST", "/_sim/reset", `{"apps":true}`)
	if rec, _ := k.serve("POST", "/_sim/wechat/users", "", "{}"); rec.Code != 404 {
		t.Errorf("without apps: %d", rec.Code)
	}
}

func TestControlMistakesAreToldInASentence(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	tests := []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/_sim/clock", `{"advance":"soon"}`, 400},
		{"POST", "/_sim/clock", `{"advance":"-1s"}`, 400},
		{"POST", "/_sim/switches", `{"escapes":"maybe"}`, 400},
		{"POST", "/_sim/switches", `{"no_such":1}`, 400},
		{"GET", "/_sim/calls?since=x", "", 400},
		{"POST", "/_sim/wechat/act", `{"openid":"nobody","do":"text","text":"x"}`, 404},
		{"POST", "/_sim/wechat/act", `{"openid":"oSimUser0001","do":"dance"}`, 400},
		{"POST", "/_sim/wechat/act", `{"openid":"oSimUser0001","do":"text"}`, 400},
		{"POST", "/_sim/wechat/act", `{"openid":"oSimUser0001","do":"msgmenu","id":"9"}`, 400},
		{"POST", "/_sim/wechat/act", `{"openid":"oSimUser0001","do":"text","appid":"wxnone","text":"x"}`, 404},
		{"GET", "/_sim/wechat/grants?openid=nobody", "", 404},
		{"POST", "/_sim/wechat/accounts", `{"kf_account":"no@body","do":"accept"}`, 404},
		{"POST", "/_sim/wechat/tokens", `{"do":"bless"}`, 400},
		{"GET", "/_sim/nothing", "", 404},
	}
	for _, tt := range tests {
		rec, _ := k.serve(tt.method, tt.path, "", tt.body)
		if m := decoded(t, rec.Body.Bytes()); rec.Code != tt.status || m["error"] == "" {
			t.Errorf("%s %s %s = %d %v, want %d", tt.method, tt.path, tt.body, rec.Code, m, tt.status)
		}
	}
}

func TestOtherSitesCannotUseTheControls(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	req := httptest.NewRequest("POST", "/_sim/reset", nil)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	rec := httptest.NewRecorder()
	k.sim.ServeHTTP(rec, req)
	if rec.Code != http.StatusForbidden {
		t.Errorf("cross-site = %d, want 403", rec.Code)
	}
}

func TestMenuItemsAreFoundByTheirID(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modePlain})
	k.act(`"do":"text","text":"x"`)
	k.send(`{"touser":"` + k.open + `","msgtype":"msgmenu","msgmenu":{"head_content":"满意吗","list":[{"id":"101","content":"满意"},{"id":"102","content":"不满意"}]}}`)
	k.act(`"do":"msgmenu","id":"102"`)
	all := k.desk.all()
	if got := in(t, all[len(all)-1].body, "Content"); got != "不满意" {
		t.Errorf("Content = %q", got)
	}
	k.act(`"do":"text","text":"x"`)
	k.sendText(`看 <a href=\"weixin://bizmsgmenu?msgmenucontent=进度&msgmenuid=7\">进度</a>`)
	if rec, _ := k.serve("POST", "/_sim/wechat/act", "", `{"openid":"`+k.open+`","do":"msgmenu","id":"7"}`); rec.Code != 400 {
		t.Errorf("inline menu while switched off = %d", rec.Code)
	}
	k.control("POST", "/_sim/switches", `{"inline_menu":true}`)
	k.act(`"do":"msgmenu","id":"7"`)
	all = k.desk.all()
	if got := in(t, all[len(all)-1].body, "Content"); got != "进度" {
		t.Errorf("inline Content = %q", got)
	}
}

func TestClosingEndsEverything(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	k.desk.answer = silent
	k.act(`"do":"text","text":"x","async":true`)
	k.arrived()
	k.sim.Close() // returns although the server is silent
	if _, _, err := k.sim.Act(Act{OpenID: k.open, Do: "text", Text: "y"}); err == nil {
		t.Error("an act after Close was accepted")
	}
}

func TestManyCustomersAtOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	for n := range 50 {
		u := k.control("POST", "/_sim/wechat/users", "{}")
		openid := u["openid"].(string)
		if len(openid) != 28 || openid[0] != 'o' || u["name"] == "" {
			t.Fatalf("user %d = %v", n, u)
		}
		k.control("POST", "/_sim/wechat/act", `{"openid":"`+openid+`","do":"text","text":"在吗","async":true}`)
	}
	k.control("POST", "/_sim/clock", `{"advance":"1s"}`)
	if got := len(k.desk.all()); got != 50 {
		t.Errorf("%d pushes had arrived when the clock answered, want 50", got)
	}
	k.advance(time.Hour)
}
