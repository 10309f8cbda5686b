package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kefu/internal/platform"
	"kefu/models"
)

// secret is in every fault of these tests and must not be on any page.
const secret = "dsn=postgres://kefu:hunter2@db"

// faulty is a receiver for whose keys things go wrong.
func faulty(_ context.Context, _ platform.Kind, key string) (models.Channel, platform.Receiver, error) {
	switch key {
	case "panic":
		panic(secret)
	case "nil":
		var m map[string]int
		m[secret] = 1 //nolint:staticcheck // a fault of the program
	}
	return models.Channel{}, nil, errors.New(secret)
}

func withFaults(o *Options) { o.Receiver = faulty }

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	o := newOffice(t, withFaults)
	people := o.team()
	s := o.served(people.holder, "customer", "在吗")
	in, out := o.enter(people.holder), o.stranger()
	for name, a := range map[string]answer{
		"page":                 in.get("/c").want(200),
		"fragment":             in.with("X-Fragment", "list").get("/c").want(200),
		"log-in page":          out.get("/login").want(200),
		"static file":          out.get("/static/css/app.css").want(200),
		"health":               out.get("/healthz").want(200),
		"redirection":          out.get("/c").want(303),
		"no log-in":            out.post("/logout").want(401),
		"refused log-in":       out.post("/login", "username", "x").want(422),
		"refusal":              in.post(path(s.ID, "/messages"), "text", "").want(422),
		"toast":                in.htmx().post(path(s.ID, "/messages"), "text", "").want(422),
		"not yours":            o.enter(people.outsider).get(path(s.ID, "")).want(403),
		"other site":           in.with("Sec-Fetch-Site", "cross-site").post("/logout").want(403),
		"unknown page":         in.get("/nowhere").want(404),
		"unknown static file":  out.get("/static/nowhere.css").want(404),
		"too large":            in.post("/me", "back", strings.Repeat("x", 300_000)).want(413),
		"fault":                out.get("/callbacks/wechat/error").want(500),
		"panic":                out.get("/callbacks/wechat/panic").want(500),
		"nothing":              in.post(path(s.ID, "/read")).want(204),
		"wrong method":         in.do(http.MethodPut, "/me", ""),
		"address with rubbish": in.get("/c/%00%ff").want(404),
	} {
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'self'; worker-src 'self' blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "same-origin",
			"Permissions-Policy":      "camera=(), geolocation=(), payment=()",
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if a.header.Get("X-Request-Id") == "" || a.header.Get("X-Now") != "1795147200000" {
			t.Errorf("%s: request %q at %q, want a name and the server's clock", name, a.header.Get("X-Request-Id"), a.header.Get("X-Now"))
		}
		if a.header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: plain http promises https", name)
		}
		if a.header.Get("Server") != "" || a.header.Get("X-Powered-By") != "" {
			t.Errorf("%s: the server says what it is made of", name)
		}
		if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") && a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a page may be kept: Cache-Control %q", name, a.header.Get("Cache-Control"))
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	for _, tt := range []struct {
		name            string
		method, path    string
		header, value   string
		header2, value2 string
		want            int
	}{
		{"own page", "POST", "/me/presence", "Sec-Fetch-Site", "same-origin", "", "", 303},
		{"typed address", "POST", "/me/presence", "Sec-Fetch-Site", "none", "", "", 303},
		{"other site", "POST", "/me/presence", "Sec-Fetch-Site", "cross-site", "", "", 403},
		{"sister site", "POST", "/me/presence", "Sec-Fetch-Site", "same-site", "", "", 403},
		{"other site on the log-in", "POST", "/login", "Sec-Fetch-Site", "cross-site", "", "", 403},
		{"old browser, own page", "POST", "/me/presence", "Origin", "http://kefu.example.com", "", "", 303},
		{"old browser, other site", "POST", "/me/presence", "Origin", "http://evil.example", "", "", 403},
		{"hidden origin", "POST", "/me/presence", "Origin", "null", "", "", 403},
		{"no browser", "POST", "/me/presence", "", "", "", "", 303},
		{"link from another site", "GET", "/me", "Sec-Fetch-Site", "cross-site", "", "", 200},
		{"platform", "POST", "/callbacks/wechat/key", "", "", "", "", 403}, // the receiver's own refusal: it came that far
	} {
		t.Run(tt.name, func(t *testing.T) {
			o.t = t
			b := o.enter(zhou)
			if tt.header != "" {
				b = b.with(tt.header, tt.value)
			}
			b.do(tt.method, tt.path, form("presence", "busy")).want(tt.want)
		})
	}
	if !strings.Contains(o.log.String(), "a stranger") {
		t.Error("the platform's call did not reach the receiver")
	}
}

func TestBodiesOverTheLimit(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	s := o.served(people.holder, "customer", "在吗")
	before := len(o.messages(s))
	large := form("username", "zhou", "password", goodPassword, "text", strings.Repeat("x", 256<<10), "mode", "note", "theme", "dark", "presence", "busy")
	for _, address := range []string{"/login", path(s.ID, "/messages"), "/me", "/me/presence", "/me/password", "/logout", path(s.ID, "/close")} {
		b := o.enter(people.holder)
		b.do(http.MethodPost, address, large).want(http.StatusRequestEntityTooLarge).says("#problem h1", en("page.problem.413"))
		r := b.request(http.MethodPost, address, large)
		r.ContentLength = -1 // sent in pieces, without saying how much
		w := httptest.NewRecorder()
		o.handler.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s in pieces: %d, want 413", address, w.Code)
		}
		if !b.in() {
			t.Errorf("%s ended the log-in", address)
		}
	}
	if n := len(o.messages(s)); n != before || o.session(s.ID).State != models.Active {
		t.Errorf("%d messages, %d before; the session is %s: something of a refused body was done", n, before, o.session(s.ID).State)
	}
	o.enter(people.holder).with("Content-Type", "application/x-www-form-urlencoded").do(http.MethodPost, "/me", "theme=%zz").want(http.StatusBadRequest)
}

// TestNobodysBodyIsRead: what a stranger sends to an address that reads nothing must not be read for the error page.
func TestNobodysBodyIsRead(t *testing.T) {
	o := newOffice(t)
	for _, address := range []string{"/nowhere", "/callbacks/wechat/unknown", "/healthz"} {
		for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
			body := &endless{}
			r := httptest.NewRequest(http.MethodPost, "http://kefu.example.com"+address, body)
			r.Header.Set("Content-Type", kind)
			w := httptest.NewRecorder()
			o.handler.ServeHTTP(w, r)
			if w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed || body.read > 0 {
				t.Errorf("%s, %s: %d after %d bytes were read, want a refusal and none read", address, kind, w.Code, body.read)
			}
		}
	}
}

type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	if e.read > 1<<20 {
		return 0, errors.New("enough")
	}
	return copy(p, strings.Repeat("a", len(p))), nil
}

func TestUnknownPagesInBothLanguages(t *testing.T) {
	o := newOffice(t)
	in := o.enter(o.hire("zhou", models.RoleAgent, o.sales))
	for _, b := range []browser{in, o.stranger()} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			a := b.do(method, "/nowhere", "").want(http.StatusNotFound)
			if method == "HEAD" {
				continue
			}
			a.says("#problem h1", en("page.problem.404"))
			zhA := b.with("Accept-Language", "zh-CN").do(method, "/nowhere", "").want(http.StatusNotFound)
			zhA.says("#problem h1", zh("page.problem.404"))
		}
	}
	in.get("/nowhere").one("#problem a[href='/c']")
	o.stranger().get("/nowhere").one("#problem a[href='/login']")
	in.htmx().get("/nowhere").want(http.StatusNotFound).one("[role=alert]") // a script's page goes on
}

func TestFaultShowsAReferenceAndNothingElse(t *testing.T) {
	o := newOffice(t, withFaults)
	for _, key := range []string{"error", "panic", "nil"} {
		a := o.stranger().get("/callbacks/wechat/"+key).want(http.StatusInternalServerError).says("#problem h1", en("page.problem.500"))
		ref := a.header.Get("X-Request-Id")
		a.says("#problem code", ref)
		for _, leak := range []string{secret, "hunter2", "goroutine", ".go:", "panic", "runtime"} {
			if strings.Contains(a.body, leak) {
				t.Errorf("%s: %q is on the page", key, leak)
			}
		}
		if !strings.Contains(o.log.String(), "request="+ref) {
			t.Errorf("%s: the log does not know request %s", key, ref)
		}
		o.stranger().with("Accept-Language", "zh-CN").get("/callbacks/wechat/"+key).says("#problem h1", zh("page.problem.500"))
		toast := o.stranger().htmx().get("/callbacks/wechat/" + key).want(http.StatusInternalServerError)
		toast.says("[role=alert]", en("problem.short", "ref", toast.header.Get("X-Request-Id")))
		if strings.Contains(toast.body, "hunter2") {
			t.Errorf("%s: the error is on the toast", key)
		}
	}
	if !strings.Contains(o.log.String(), "hunter2") {
		t.Error("the log has nothing to look for")
	}
}

func TestReadinessIsHonest(t *testing.T) {
	o := newOffice(t)
	o.stranger().get("/readyz").want(http.StatusOK)
	o.stranger().get("/healthz").want(http.StatusOK)

	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { // nothing can be written while the writer is stuck
		done <- o.store.InTx(o.ctx, func(*models.Store) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	ctx, cancel := context.WithCancel(o.ctx)
	cancel() // the prober gives up: no need to wait three seconds here
	w := httptest.NewRecorder()
	o.handler.ServeHTTP(w, o.stranger().request(http.MethodGet, "/readyz", "").WithContext(ctx))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("ready with a stuck writer: %d, want 503", w.Code)
	}
	o.stranger().get("/healthz").want(http.StatusOK) // it lives; a restart would not help
	close(release)
	o.must(<-done)
	o.stranger().get("/readyz").want(http.StatusOK)
}
