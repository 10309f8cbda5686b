package web

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kefu/internal/texts"
	"kefu/models"
)

// logIn posts the log-in form with the right password.
func (b browser) logIn(username string, more ...string) answer {
	b.o.t.Helper()
	return b.post("/login", append([]string{"username", username, "password", goodPassword}, more...)...)
}

// token is the cookie that the answer sets.
func (a answer) token() *http.Cookie {
	a.t.Helper()
	for _, c := range a.cookies {
		if c.Name == cookieName {
			return c
		}
	}
	a.t.Fatalf("%s sets no log-in cookie", a.what)
	return nil
}

// keeps is the browser with the cookie.
func (b browser) keeps(c *http.Cookie) browser {
	b.token = c.Value
	return b
}

// in reports whether the browser is logged in.
func (b browser) in() bool {
	b.o.t.Helper()
	return b.get("/c").code == http.StatusOK
}

func TestLogInSetsACookieThatScriptsDoNotSee(t *testing.T) {
	for _, tt := range []struct {
		name, publicURL string
		remember        []string
		secure          bool
		maxAge          int
	}{
		{"for the day", "", nil, false, 0},
		{"remembered", "", []string{"remember", "1"}, false, 14 * 24 * 3600},
		{"over https", "https://kefu.example.com", nil, true, 0},
		{"remembered over https", "https://kefu.example.com", []string{"remember", "1"}, true, 14 * 24 * 3600},
		{"behind plain http", "http://kefu.example.com", nil, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, func(opt *Options) { opt.PublicURL = tt.publicURL })
			o.hire("zhou", models.RoleAgent, o.sales)
			a := o.stranger().logIn("zhou", tt.remember...).goesTo("/c")
			c := a.token()
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != tt.secure || c.MaxAge != tt.maxAge {
				t.Errorf("cookie %s, want HttpOnly, SameSite=Lax, Path=/, Secure %v, Max-Age %d", a.header.Get("Set-Cookie"), tt.secure, tt.maxAge)
			}
			if len(c.Value) < 40 {
				t.Errorf("a token of %d characters can be guessed", len(c.Value))
			}
			if got := a.header.Get("Strict-Transport-Security"); (got != "") != tt.secure {
				t.Errorf("Strict-Transport-Security is %q", got)
			}
			if !o.stranger().keeps(c).in() {
				t.Error("the cookie does not log in")
			}
		})
	}
}

func TestEachLogInHasATokenOfItsOwn(t *testing.T) {
	o := newOffice(t)
	o.hire("zhou", models.RoleAgent, o.sales)
	first := o.stranger().logIn("zhou").token()
	same := o.stranger().keeps(first).logIn("zhou").token() // the same browser again
	elsewhere := o.stranger().logIn("zhou").token()
	if first.Value == same.Value || same.Value == elsewhere.Value {
		t.Fatal("a token was used again")
	}
	if o.stranger().keeps(first).in() {
		t.Error("the browser's log-in before is still alive")
	}
	if !o.stranger().keeps(same).in() || !o.stranger().keeps(elsewhere).in() {
		t.Error("a log-in ended another browser's")
	}
	planted := &http.Cookie{Name: cookieName, Value: "planted"} // a token that somebody else chose
	if got := o.stranger().keeps(planted).logIn("zhou").token(); got.Value == "planted" {
		t.Error("the log-in took over a token from the browser")
	}
}

func TestWrongLogInTellsNothing(t *testing.T) {
	o := newOffice(t)
	o.hire("zhou", models.RoleAgent, o.sales)
	gone := o.hire("gone", models.RoleAgent, o.sales)
	o.exec("UPDATE agents SET disabled_at = ? WHERE id = ?", noon, gone.ID)
	attempts := []struct{ name, username, password string }{
		{"wrong password", "zhou", "wrong-password"},
		{"unknown name", "nobody", "wrong-password"},
		{"disabled, right password", "gone", goodPassword},
		{"disabled, wrong password", "gone", "wrong-password"},
		{"no password", "zhou", ""},
		{"no name", "", "wrong-password"},
		{"another's password hash", "zhou", goodHash()},
		{"name with other letters", "zhou'--", "wrong-password"},
	}
	for i, tt := range attempts {
		t.Run(tt.name, func(t *testing.T) {
			o.t = t
			b := o.stranger().from(fmt.Sprintf("192.0.2.%d:1", i+1))
			var a answer
			if n := hashes(func() { a = b.post("/login", "username", tt.username, "password", tt.password, "remember", "1") }); n != 1 {
				t.Errorf("%d hashes were computed, want 1 as for everybody", n)
			}
			a.want(http.StatusUnprocessableEntity).says("#login-error[role=alert]", en("refusal.login"))
			if got := attr(a.one("input[name=username]"), "value"); got != tt.username {
				t.Errorf("the name is %q, want %q kept", got, tt.username)
			}
			if attr(a.one("input[name=password]"), "value") != "" || tt.password != "" && strings.Contains(a.body, tt.password) {
				t.Error("the password came back on the page")
			}
			a.one("input[name=remember][checked]")
			if len(a.cookies) != 0 {
				t.Errorf("a refused log-in sets %v", a.cookies)
			}
			if strings.Contains(o.log.String(), "wrong-password") || strings.Contains(o.log.String(), goodPassword) {
				t.Error("the password is in the log")
			}
		})
	}
}

// hashes counts the argon2 hashes that fn computes: each takes 19 MiB, and nothing else here takes nearly as much.
func hashes(fn func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int((after.TotalAlloc - before.TotalAlloc) >> 20 / 19)
}

func TestOverlongPasswordIsNotHashed(t *testing.T) {
	o := newOffice(t)
	o.hire("zhou", models.RoleAgent, o.sales)
	for i, username := range []string{"zhou", "nobody"} {
		b := o.stranger().from(fmt.Sprintf("192.0.2.%d:1", i+1))
		n := hashes(func() {
			b.post("/login", "username", username, "password", strings.Repeat("x", 300)).want(http.StatusUnprocessableEntity).says("#login-error", en("refusal.login"))
		})
		if n != 0 {
			t.Errorf("%d hashes for %s, want none", n, username)
		}
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	o := newOffice(t)
	o.hire("zhou", models.RoleAgent, o.sales)
	o.hire("he", models.RoleAgent, o.sales)
	wrong := func(b browser, username string) answer { return b.post("/login", "username", username, "password", "") }
	b := o.stranger()
	for range 5 {
		wrong(b, "zhou").want(http.StatusUnprocessableEntity)
	}
	a := wrong(b, "zhou").want(http.StatusTooManyRequests).says("#login-error", en("refusal.login_often", "seconds", 10))
	if attr(a.one("input[name=username]"), "value") != "zhou" {
		t.Error("the name is not kept")
	}
	if n := hashes(func() { b.logIn(" ZHOU ").want(http.StatusTooManyRequests) }); n != 0 { // however the name is written
		t.Errorf("%d hashes for a refused attempt, want none", n)
	}
	b.logIn("he").want(http.StatusSeeOther)                                   // another name
	b.from("192.0.2.99:1").logIn("zhou").want(http.StatusSeeOther)            // another address
	wrong(b, "zhou").want(http.StatusTooManyRequests)                         // that another address succeeded changes nothing here
	wrong(b.from("192.0.2.1:50000"), "zhou").want(http.StatusTooManyRequests) // nor does another connection
	o.must(o.clock.Advance(o.ctx, 10*time.Second))
	wrong(b, "zhou").want(http.StatusUnprocessableEntity)
	wrong(b, "zhou").want(http.StatusTooManyRequests).says("#login-error", en("refusal.login_often", "seconds", 10))
}

func TestLogInThatSucceedsCostsNothing(t *testing.T) {
	o := newOffice(t)
	o.hire("zhou", models.RoleAgent, o.sales)
	for range 7 {
		o.stranger().logIn("zhou").want(http.StatusSeeOther)
	}
}

func TestOneAddressMayNotTryAllNames(t *testing.T) {
	o := newOffice(t)
	allowed := newAttempts(o.clock)
	for i := range 30 {
		if wait, _ := allowed.allow(fmt.Sprint("name", i), "192.0.2.1"); wait != 0 {
			t.Fatalf("attempt %d waits %d s", i, wait)
		}
	}
	if wait, _ := allowed.allow("another", "192.0.2.1"); wait != 2 {
		t.Errorf("wait %d s after 30 names, want 2", wait)
	}
	if wait, _ := allowed.allow("another", "192.0.2.2"); wait != 0 {
		t.Errorf("another address waits %d s", wait)
	}
	if wait, _ := allowed.allow("another", "192.0.2.1"); wait != 2 {
		t.Errorf("wait %d s: a refused attempt must not cost one", wait)
	}
}

func TestAttemptsAreForgotten(t *testing.T) {
	o := newOffice(t)
	allowed := newAttempts(o.clock)
	for i := range 50_000 { // looked through at each, this takes minutes
		allowed.allow("zhou", fmt.Sprint("address", i))
	}
	o.must(o.clock.Advance(o.ctx, 6*time.Minute))
	allowed.allow("zhou", "last")
	if n := len(allowed.by); n > 10 {
		t.Errorf("%d attempts are still remembered after six minutes", n)
	}
}

func TestForwardedAddressCountsFromTrustedProxiesOnly(t *testing.T) {
	_, loopback, err := net.ParseCIDR("127.0.0.1/32")
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := net.ParseCIDR("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, connection, forwarded, real string
		trusted                           []*net.IPNet
		want                              string
	}{
		{"nobody is trusted", "127.0.0.1:9", "203.0.113.7", "203.0.113.8", nil, "127.0.0.1"},
		{"the proxy is trusted", "127.0.0.1:9", "203.0.113.7", "", []*net.IPNet{loopback}, "203.0.113.7"},
		{"what the browser invents before it is not", "127.0.0.1:9", "1.1.1.1, 203.0.113.7", "", []*net.IPNet{loopback}, "203.0.113.7"},
		{"two proxies", "127.0.0.1:9", "1.1.1.1, 203.0.113.7, 10.1.1.1", "", []*net.IPNet{loopback, private}, "203.0.113.7"},
		{"another one is not trusted", "198.51.100.1:9", "203.0.113.7", "", []*net.IPNet{loopback}, "198.51.100.1"},
		{"private addresses are not trusted by themselves", "10.1.1.1:9", "203.0.113.7", "", []*net.IPNet{loopback}, "10.1.1.1"},
		{"nonsense", "127.0.0.1:9", "nonsense", "", []*net.IPNet{loopback}, "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := browser{header: http.Header{"X-Forwarded-For": {tt.forwarded}, "X-Real-Ip": {tt.real}, "Forwarded": {"for=203.0.113.9"}}, address: tt.connection}
			if got := extractor(tt.trusted)(b.request(http.MethodGet, "/login", "")); got != tt.want {
				t.Errorf("the browser is at %s, want %s", got, tt.want)
			}
		})
	}
	o := newOffice(t, func(opt *Options) { opt.TrustedProxies = []*net.IPNet{loopback} })
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	o.stranger().from("127.0.0.1:9").with("X-Forwarded-For", "203.0.113.7").logIn("zhou").goesTo("/c")
	list, err := o.store.LiveLogins(o.ctx, zhou.ID, noon)
	o.must(err)
	if len(list) != 1 || list[0].IP != "203.0.113.7" {
		t.Errorf("log-ins %+v, want one from the browser's address", list)
	}
	for i := range 5 {
		o.stranger().with("X-Forwarded-For", fmt.Sprint("203.0.113.", i)).post("/login", "username", "zhou").want(http.StatusUnprocessableEntity)
	}
	o.stranger().with("X-Forwarded-For", "203.0.113.200").post("/login", "username", "zhou").want(http.StatusTooManyRequests)
}

func TestLogInExpires(t *testing.T) {
	for _, tt := range []struct {
		name     string
		remember []string
		life     time.Duration
	}{{"for the day", nil, 12 * time.Hour}, {"remembered", []string{"remember", "1"}, 14 * 24 * time.Hour}} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			o.hire("zhou", models.RoleAgent, o.sales)
			b := o.stranger()
			b = b.keeps(b.logIn("zhou", tt.remember...).token())
			o.must(o.clock.Advance(o.ctx, tt.life-time.Second))
			if !b.in() {
				t.Error("the log-in ended too early")
			}
			o.must(o.clock.Advance(o.ctx, time.Second))
			if b.in() {
				t.Errorf("the log-in is alive after %v", tt.life)
			}
		})
	}
}

func TestLogInIsRevoked(t *testing.T) {
	o := newOffice(t)
	zhou, he := o.hire("zhou", models.RoleAgent, o.sales), o.hire("he", models.RoleAgent, o.sales)
	here, there, third, other := o.enter(zhou), o.enter(zhou), o.enter(zhou), o.enter(he)
	revoke := func(b browser, name string) answer { return b.post("/me/logins/" + name + "/revoke") }
	list, err := o.store.LiveLogins(o.ctx, zhou.ID, noon)
	o.must(err)
	if len(list) != 3 { // newest first
		t.Fatalf("%d log-ins, want 3", len(list))
	}
	foreign, err := o.store.LiveLogins(o.ctx, he.ID, noon)
	o.must(err)
	revoke(here, fmt.Sprint(foreign[0].ID)).want(http.StatusSeeOther)
	if !other.in() {
		t.Fatal("an agent ended another agent's log-in")
	}
	revoke(here, fmt.Sprint(list[1].ID)).goesTo("/me")
	if there.in() || !here.in() || !third.in() {
		t.Error("want exactly the one log-in ended")
	}
	revoke(here, "others").goesTo("/me")
	if third.in() || !here.in() || !other.in() {
		t.Error("want all log-ins of the agent ended but this one")
	}
	revoke(here, "0").want(http.StatusNotFound)
	revoke(here, "x").want(http.StatusNotFound)
	revoke(here, fmt.Sprint(list[2].ID)).goesTo("/login") // the browser's own: that is a log-out
	if here.in() {
		t.Error("the browser's own log-in is still alive")
	}
}

func TestPasswordChangeEndsTheOtherLogIns(t *testing.T) {
	o := newOffice(t)
	zhou, he := o.hire("zhou", models.RoleAgent, o.sales), o.hire("he", models.RoleAgent, o.sales)
	here, there, other := o.enter(zhou), o.enter(zhou), o.enter(he)
	change := func(current, next, again string) answer {
		return here.post("/me/password", "current", current, "password", next, "again", again)
	}
	for _, tt := range []struct {
		current, next, again string
		says                 string
	}{
		{"wrong", "another-password", "another-password", en("refusal.present_password")},
		{goodPassword, "another-password", "another-passw0rd", en("refusal.password_differs")},
		{goodPassword, "short", "short", en("refusal.password_short", "min", 8)},
		{goodPassword, strings.Repeat("x", 257), strings.Repeat("x", 257), en("refusal.password_long")},
	} {
		a := change(tt.current, tt.next, tt.again).want(http.StatusUnprocessableEntity).says("#password-error[role=alert]", tt.says)
		for _, field := range a.all("#password-form input[type=password]") {
			if attr(field, "value") != "" {
				t.Errorf("a password came back in %s", attr(field, "name"))
			}
		}
	}
	if !there.in() {
		t.Fatal("a refused change ended a log-in")
	}
	change(goodPassword, "another-password", "another-password").goesTo("/me?saved=password")
	if !here.in() || there.in() || !other.in() {
		t.Error("want the agent's other log-ins ended, and nobody else's")
	}
	here.get("/me?saved=password").want(http.StatusOK).says(".callout", en("page.me.password.saved"))
	o.stranger().logIn("zhou").want(http.StatusUnprocessableEntity)
	o.stranger().post("/login", "username", "zhou", "password", "another-password").goesTo("/c")
}

func TestTheTableAloneLetsNobodyIn(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	token := o.stranger().logIn("zhou").token()
	list, err := o.store.LiveLogins(o.ctx, zhou.ID, noon)
	o.must(err)
	row := list[0]
	if strings.Contains(fmt.Sprintf("%+v", row), token.Value) {
		t.Error("the token itself is in the table")
	}
	for _, guess := range []string{row.TokenHash, fmt.Sprint(row.ID), "", " ", row.TokenHash[:len(row.TokenHash)-1]} {
		if o.stranger().keeps(&http.Cookie{Value: guess}).in() {
			t.Errorf("%q from the table logs in", guess)
		}
	}
	for _, page := range []string{"/c", "/me", "/queue"} {
		if strings.Contains(o.stranger().keeps(token).get(page).body, token.Value) {
			t.Errorf("the token is on %s, where scripts read it", page)
		}
	}
	if strings.Contains(o.log.String(), token.Value) {
		t.Error("the token is in the log")
	}
}

func TestDisabledAgentIsOut(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	b := o.enter(zhou)
	o.exec("UPDATE agents SET disabled_at = ? WHERE id = ?", noon, zhou.ID)
	if b.in() {
		t.Error("a disabled agent is still in")
	}
}

func TestLogInLeadsToOwnPagesOnly(t *testing.T) {
	o := newOffice(t)
	o.hire("zhou", models.RoleAgent, o.sales)
	for next, want := range map[string]string{
		"/c/7?list=queue":              "/c/7?list=queue",
		"/queue":                       "/queue",
		"":                             "/c",
		"https://evil.example":         "/c",
		"//evil.example/c":             "/c",
		"/\\evil.example":              "/c",
		"\\\\evil.example":             "/c",
		"/c\r\nSet-Cookie: a=b":        "/c",
		"/\t/evil.example":             "/c",
		"javascript:alert(1)":          "/c",
		"evil.example":                 "/c",
		"/login":                       "/c",
		"/login?next=/login":           "/c",
		" /c":                          "/c",
		"/c#//evil.example":            "/c#//evil.example",
		"/c?x=https://evil.example&y=": "/c?x=https://evil.example&y=",
	} {
		if next == "/queue" || strings.Contains(next, "evil") && strings.HasPrefix(next, "/") { // a log-in takes long
			o.stranger().logIn("zhou", "next", next).goesTo(want)
		}
		kept := want
		if want == "/c" && next != "/c" {
			kept = ""
		}
		if got := attr(o.stranger().get("/login?next="+url.QueryEscape(next)).one("input[name=next]"), "value"); got != kept {
			t.Errorf("the form carries next=%q for %q, want %q", got, next, kept)
		}
	}
}

func TestLogInPageSpeaksTheChosenLanguage(t *testing.T) {
	o := newOffice(t)
	b := o.stranger()
	for _, tt := range []struct {
		path, accept string
		want         texts.Lang
	}{
		{"/login", "", texts.ZhCN}, {"/login", "en-GB,en;q=0.9", texts.En}, {"/login", "zh-CN,zh;q=0.9,en;q=0.8", texts.ZhCN},
		{"/login?lang=en", "zh-CN", texts.En}, {"/login?lang=zh-CN", "en", texts.ZhCN}, {"/login?lang=", "en", texts.En},
	} {
		a := b.with("Accept-Language", tt.accept).get(tt.path).want(http.StatusOK).says("h1", sentence(tt.want, "page.login.title"))
		if got := attr(a.one("html"), "lang"); got != string(tt.want) {
			t.Errorf("%s for %q is in %s, want %s", tt.path, tt.accept, got, tt.want)
		}
		if got := attr(a.one("input[name=lang]"), "value"); got != string(tt.want) {
			t.Errorf("the form carries %s, want %s", got, tt.want)
		}
	}
	b.with("Accept-Language", "zh-CN").post("/login", "username", "x", "lang", "en").says("#login-error", en("refusal.login")) // and so does its answer
	b.with("Accept-Language", "en").post("/login", "username", "y", "lang", "zh-CN").says("#login-error", zh("refusal.login"))
}

func TestLogOut(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	first := o.stranger()
	first = first.keeps(first.logIn("zhou").token())
	second := o.enter(zhou)
	presence := func() models.Presence { return o.viewer(zhou).Agent.Presence }
	if presence() != models.Online {
		t.Errorf("after the log-in the agent is %s, want online", presence())
	}
	c := first.post("/logout").goesTo("/login").token()
	if c.Value != "" || c.MaxAge >= 0 {
		t.Errorf("the log-out sets %v, want the cookie taken away", c)
	}
	if first.in() {
		t.Error("the token is still alive after the log-out")
	}
	if !second.in() || presence() != models.Online {
		t.Errorf("another browser's log-in must stay alive, and the agent (%s) online", presence())
	}
	second.post("/logout").goesTo("/login")
	if presence() != models.Offline {
		t.Errorf("after the last log-out the agent is %s, want offline", presence())
	}
	second.post("/logout").want(http.StatusUnauthorized)
}

func TestLogInKeepsWhatTheAgentSaidOfThemself(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	o.must(o.desk.SetPresence(o.ctx, zhou.ID, models.Break))
	o.stranger().logIn("zhou").goesTo("/c")
	if p := o.viewer(zhou).Agent.Presence; p != models.Break {
		t.Errorf("the agent is %s, want still on break", p)
	}
}

func TestBrowserThatCallsItselfStrangeThings(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	o.stranger().with("User-Agent", strings.Repeat("\x00<b>\xff", 100)).logIn("zhou").goesTo("/c")
	list, err := o.store.LiveLogins(o.ctx, zhou.ID, noon)
	o.must(err)
	if ua := list[0].UserAgent; len(ua) > 300 || strings.Contains(ua, "\x00") || !utf8.ValidString(ua) {
		t.Errorf("stored as %q", ua)
	}
	o.enter(zhou).get("/me").want(http.StatusOK).none("#logins b")
}
