package sim

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func (k *kit) plainToken() string {
	k.Helper()
	q := url.Values{"grant_type": {"client_credential"}, "appid": {k.app.AppID}, "secret": {k.app.Secret}}
	rec, _ := k.serve("GET", "/cgi-bin/token?"+q.Encode(), "", "")
	m := decoded(k.T, rec.Body.Bytes())
	if m["expires_in"].(float64) != 7200 {
		k.Fatalf("token = %v", m)
	}
	return m["access_token"].(string)
}

func (k *kit) stable(force bool) (string, int) {
	k.Helper()
	rec, _ := k.serve("POST", "/cgi-bin/stable_token", "", string(plainJSON(map[string]any{
		"grant_type": "client_credential", "appid": k.app.AppID, "secret": k.app.Secret, "force_refresh": force,
	})))
	m := decoded(k.T, rec.Body.Bytes())
	value, _ := m["access_token"].(string)
	life, _ := m["expires_in"].(float64)
	return value, int(life)
}

func (k *kit) probe(token string) int {
	k.Helper()
	return code(k.apiWith(token, "GET", "/cgi-bin/customservice/getkflist", "", ""))
}

func TestEachPlainTokenKillsThePreviousAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	first := k.plainToken()
	second := k.plainToken()
	if first == second || k.probe(first) != 0 || k.probe(second) != 0 {
		t.Fatal("during the hand-over both tokens work")
	}
	k.advance(5*time.Minute - time.Second)
	if k.probe(first) != 0 {
		t.Error("the old token died within five minutes")
	}
	k.advance(time.Second)
	if got := k.probe(first); got != 40001 {
		t.Errorf("the old token answers %d after five minutes, want 40001", got)
	}
	if k.probe(second) != 0 {
		t.Error("the new token died")
	}
	k.advance(2 * time.Hour)
	if got := k.probe(second); got != 42001 {
		t.Errorf("past its life the token answers %d, want 42001", got)
	}
}

func TestStableTokenIsTheSameUntilFiveMinutesBeforeItsEnd(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	first, life := k.stable(false)
	if life != 7200 {
		t.Errorf("expires_in = %d", life)
	}
	k.advance(time.Hour)
	if same, left := k.stable(false); same != first || left != 3600 {
		t.Errorf("after an hour: same %v, expires_in %d", same == first, left)
	}
	k.advance(55*time.Minute - time.Second)
	if same, left := k.stable(false); same != first || left != 301 {
		t.Errorf("before the last five minutes: same %v, expires_in %d", same == first, left)
	}
	k.advance(time.Second)
	next, left := k.stable(false)
	if next == first || left != 7200 {
		t.Errorf("in the last five minutes: same %v, expires_in %d", next == first, left)
	}
	if k.probe(first) != 0 || k.probe(next) != 0 {
		t.Error("for these five minutes both work")
	}
}

func TestForcedRefreshIsLimited(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	first, _ := k.stable(false)
	second, _ := k.stable(true)
	if second == first || k.probe(first) != 40001 {
		t.Error("a forced refresh gives a new token at once and kills the old one")
	}
	if same, _ := k.stable(true); same != second {
		t.Error("a second force inside 30 s must not refresh")
	}
	for range 19 {
		k.advance(30 * time.Second)
		if value, _ := k.stable(true); value == second || value == "" {
			t.Fatal("30 s later a force refreshes")
		}
	}
	k.advance(30 * time.Second)
	if value, _ := k.stable(true); value != "" {
		t.Error("the 21st forced refresh of a day was accepted")
	}
	k.advance(24 * time.Hour)
	if value, _ := k.stable(true); value == "" {
		t.Error("a new day has no forced refreshes")
	}
}

func TestNamespacesDoNotTouchEachOther(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	stable, _ := k.stable(false)
	k.plainToken()
	plain := k.plainToken()
	k.stable(true)
	k.advance(10 * time.Minute)
	if k.probe(plain) != 0 {
		t.Error("stable_token killed a plain token")
	}
	if k.probe(stable) != 40001 {
		t.Error("the forced refresh left its own old token alive")
	}
}

func TestTokenErrorsComeInThePlatformsOrder(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	q := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return "/cgi-bin/token?" + v.Encode()
	}
	wrong := strings.Repeat("0", len(k.app.Secret))
	tests := []struct {
		name, method, target, body string
		code                       int
	}{
		{"no appid", "GET", q(), "", 41002},
		{"a bad appid comes before the missing grant_type", "GET", q("appid", "wxnone"), "", 40013},
		{"grant_type", "GET", q("appid", k.app.AppID), "", 40002},
		{"no secret", "GET", q("appid", k.app.AppID, "grant_type", "client_credential"), "", 41004},
		{"wrong secret", "GET", q("appid", k.app.AppID, "grant_type", "client_credential", "secret", wrong), "", 40001},
		{"no secret at all", "GET", q("appid", k.app.AppID, "grant_type", "client_credential", "secret", "x"), "", 40125},
		{"stable_token wants POST", "GET", "/cgi-bin/stable_token", "", 43002},
		{"stable_token wants JSON", "POST", "/cgi-bin/stable_token", "appid=1", 47001},
		{"business call without a token", "POST", "/cgi-bin/message/custom/send", "", 41001},
		{"the token comes before the body", "POST", "/cgi-bin/message/custom/send?access_token=garbage", "{nonsense", 40001},
		{"malformed token", "POST", "/cgi-bin/message/custom/send?access_token=a!b", "", 40014},
		{"lists live under /cgi-bin", "GET", "/customservice/getkflist", "", 40066},
		{"the rest does not", "POST", "/cgi-bin/customservice/kfaccount/add", "{}", 40066},
		{"unknown path", "GET", "/cgi-bin/nothing", "", 40066},
		{"send wants POST", "GET", "/cgi-bin/message/custom/send", "", 43002},
		{"the old chat record is gone", "POST", "/customservice/msgrecord/getrecord", "", 40066},
	}
	rid := regexp.MustCompile(` rid: ([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}$`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec, _ := k.serve(tt.method, tt.target, "", tt.body)
			m := decoded(t, rec.Body.Bytes())
			if rec.Code != 200 || code(m) != tt.code {
				t.Errorf("%d %s, want errcode %d", rec.Code, rec.Body, tt.code)
			}
			match := rid.FindStringSubmatch(m["errmsg"].(string))
			if match == nil {
				t.Fatalf("no rid in %q", m["errmsg"])
			}
			if at, _ := strconv.ParseInt(match[1], 16, 64); at != start.Unix() {
				t.Errorf("rid group 1 = %d, want the time of the call", at)
			}
		})
	}
	if got := k.apiWith("garbage", "POST", "/cgi-bin/message/custom/send", "", ""); !strings.Contains(got["errmsg"].(string), "getStableAccessToken") {
		t.Errorf("40001 on a business call says %q", got["errmsg"])
	}
	rec, _ := k.serve("GET", "/customservice/kfsession/getsession", "", "")
	if rec.Code != 501 {
		t.Errorf("a call that is not simulated answers %d, want 501", rec.Code)
	}
}

func TestRevokedTokensDieAtOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	stable, _ := k.stable(false)
	plain := k.plainToken()
	k.control("POST", "/_sim/wechat/tokens", `{"do":"revoke"}`)
	if k.probe(stable) != 40001 || k.probe(plain) != 40001 {
		t.Error("a revoked token still works")
	}
	if fresh, _ := k.stable(false); k.probe(fresh) != 0 {
		t.Error("the next token does not work")
	}
}

func TestErrorTails(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	for tail, want := range map[string]string{"hint": "hint: [", "none": "access_token missing", "both": "] rid: "} {
		k.control("POST", "/_sim/switches", `{"error_tail":"`+tail+`"}`)
		if got := k.apiWith("", "GET", "/cgi-bin/customservice/getkflist", "", ""); !strings.Contains(got["errmsg"].(string), want) {
			t.Errorf("%s: %q", tail, got["errmsg"])
		}
	}
}
