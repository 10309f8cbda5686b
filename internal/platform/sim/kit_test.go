package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kefu/internal/clock"
)

var start = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

// desk is the server under the simulator's pushes: it keeps them and answers as told, in memory.
type desk struct {
	mu     sync.Mutex
	pushes []received
	answer func(n int, r *http.Request, body string) (int, string) // n counts from 1; nil: 200 success
	came   chan struct{}                                           // one for each push that arrived
}

type received struct {
	query url.Values
	body  string
	kind  string
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return response(r, 200, r.URL.Query().Get("echostr")), nil
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.pushes = append(d.pushes, received{r.URL.Query(), string(b), r.Header.Get("Content-Type")})
	n, answer := len(d.pushes), d.answer
	d.mu.Unlock()
	d.came <- struct{}{}
	status, text := 200, "success"
	if answer != nil {
		status, text = answer(n, r, string(b))
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return response(r, status, text), nil
}

func (d *desk) all() []received {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]received(nil), d.pushes...)
}

// silent holds the answer back until the platform hangs up.
func silent(_ int, r *http.Request, _ string) (int, string) {
	<-r.Context().Done()
	return 0, ""
}

func response(r *http.Request, status int, text string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}
}

// kit is a simulator with one app, one customer and a standing clock.
type kit struct {
	*testing.T
	sim   *Simulator
	clock *clock.Movable
	desk  *desk
	app   App
	open  string // the customer
}

func newKit(t *testing.T, app App) *kit {
	t.Helper()
	return newKitWith(t, app, time.Minute) // no server here is silent: to rest is to be done
}

func newKitWith(t *testing.T, app App, patience time.Duration) *kit {
	t.Helper()
	k := &kit{T: t, clock: clock.NewStanding(start), desk: &desk{came: make(chan struct{}, 1000)}}
	k.sim = New(Options{
		Clock: k.clock, HTTP: &http.Client{Transport: k.desk}, BaseURL: "http://platform.test", Patience: patience,
	})
	t.Cleanup(k.sim.Close)
	if app.CallbackURL == "" {
		app.CallbackURL = "http://desk.test/callbacks/wechat/k1"
	}
	var err error
	if k.app, err = k.sim.AddApp(app); err != nil {
		t.Fatal(err)
	}
	k.open = k.control("POST", "/_sim/wechat/users", `{"openid":"oSimUser0001"}`)["openid"].(string)
	return k
}

// serve answers one request; cut reports that the connection was cut.
func (k *kit) serve(method, target, kind, body string) (rec *httptest.ResponseRecorder, cut bool) {
	k.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	rec = httptest.NewRecorder()
	defer func() {
		switch r := recover(); r {
		case nil:
		case http.ErrAbortHandler:
			cut = true
		default:
			panic(r)
		}
	}()
	k.sim.ServeHTTP(rec, req)
	return rec, false
}

// control calls /_sim/ and wants status 200.
func (k *kit) control(method, target, body string) map[string]any {
	k.Helper()
	rec, _ := k.serve(method, target, "application/json", body)
	if rec.Code != 200 {
		k.Fatalf("%s %s = %d %s", method, target, rec.Code, rec.Body)
	}
	return decoded(k.T, rec.Body.Bytes())
}

// api calls a platform path with a live token; query may add parameters.
func (k *kit) api(method, path, query, body string) map[string]any {
	k.Helper()
	return k.apiWith(k.token(), method, path, query, body)
}

func (k *kit) apiWith(token, method, path, query, body string) map[string]any {
	k.Helper()
	rec, cut := k.serve(method, path+"?access_token="+token+query, "application/json", body)
	if cut || rec.Code != 200 {
		k.Fatalf("%s %s = %d, cut %v: business answers are HTTP 200", method, path, rec.Code, cut)
	}
	return decoded(k.T, rec.Body.Bytes())
}

func (k *kit) token() string {
	k.Helper()
	rec, _ := k.serve("POST", "/cgi-bin/stable_token", "", string(plainJSON(map[string]any{
		"grant_type": "client_credential", "appid": k.app.AppID, "secret": k.app.Secret,
	})))
	return decoded(k.T, rec.Body.Bytes())["access_token"].(string)
}

func (k *kit) send(body string) int {
	k.Helper()
	return code(k.api("POST", "/cgi-bin/message/custom/send", "", body))
}

func (k *kit) sendText(text string) int {
	k.Helper()
	return k.send(`{"touser":"` + k.open + `","msgtype":"text","text":{"content":"` + text + `"}}`)
}

// act does what the customer does and waits for the result.
func (k *kit) act(body string) map[string]any {
	k.Helper()
	return k.control("POST", "/_sim/wechat/act", `{"openid":"`+k.open+`",`+body+`}`)
}

func (k *kit) received() []map[string]any {
	k.Helper()
	var list []map[string]any
	for _, m := range k.control("GET", "/_sim/wechat/received?openid="+k.open, "")["messages"].([]any) {
		list = append(list, m.(map[string]any))
	}
	return list
}

func (k *kit) advance(d time.Duration) {
	k.Helper()
	if err := k.clock.Advance(k.Context(), d); err != nil {
		k.Fatal(err)
	}
}

// arrived waits for one more push, with a deadline.
func (k *kit) arrived() {
	k.Helper()
	select {
	case <-k.desk.came:
	case <-time.After(10 * time.Second):
		k.Fatalf("no push in 10 s; %d came before", len(k.desk.all()))
	}
}

func decoded(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&m); err != nil {
		t.Fatalf("no JSON: %v in %s", err, b)
	}
	return m
}

// code is the errcode of an answer; absent means 0.
func code(m map[string]any) int {
	n, _ := m["errcode"].(float64)
	return int(n)
}

// in is the text of an element of a push.
func in(t *testing.T, body, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, "<"+name+">")
	value, _, closed := strings.Cut(rest, "</"+name+">")
	if !found || !closed {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(value, "<![CDATA["), "]]>")
}
