package sim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// apiCall is one request of the server to a platform path.
type apiCall struct {
	r      *http.Request
	body   []byte
	now    time.Time
	app    *wechatApp // of the access_token
	openid string     // set by the handler for the log
	about  string
}

// reply is what a platform path answers. data is a JSON object without errcode; with a code other than 0, or without data, the answer
// is {"errcode","errmsg"}.
type reply struct {
	code  int
	text  string // instead of the code's own
	data  any
	raw   []byte // a file
	kind  string // content type; empty for the usual
	file  string // name for Content-disposition
	other int    // HTTP status; 0 for 200 (every business answer, wechat.md §0.2)
}

// endpoint is one platform path. Its handler runs under the Simulator's lock.
type endpoint struct {
	method string // GET or POST; empty for any
	open   bool   // needs no access_token
	handle func(*Simulator, *apiCall) reply
}

// apiBodyLimit is above the largest upload (10 MB, wechat.md §8.1).
const apiBodyLimit = 12 << 20

// serveAPI answers a platform path, with the faults planned for it.
func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, apiBodyLimit))
	if err != nil {
		http.Error(w, "body too large or cut", http.StatusRequestEntityTooLarge)
		return
	}
	entry := &Call{Kind: callAPI, Platform: "wechat", Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Request: readable(body)}
	fault := s.strike(r.URL.Path, nil)
	if fault.Delay > 0 {
		entry.Note = "fault: answered late"
		if err := clockSleep(r, s, time.Duration(fault.Delay)); err != nil {
			entry.Note, entry.Failed = "fault: the server went away while it waited", true
			s.record(entry, started)
			panic(http.ErrAbortHandler)
		}
	}
	if fault.Drop == "before" {
		entry.Note, entry.Failed = "fault: cut before acting", true
		s.record(entry, started)
		panic(http.ErrAbortHandler) // net/http cuts the connection without an answer
	}
	answer := s.answer(r, body, fault, entry)
	out := s.encode(answer)
	entry.Status, entry.Response, entry.Errcode = answer.status(), readable(out), errcodeOf(out)
	entry.Failed = answer.status() != http.StatusOK || (entry.Errcode != nil && *entry.Errcode != 0)
	if fault.Drop == "after" {
		entry.Note, entry.Failed = "fault: acted, then cut without an answer", true
		s.record(entry, started)
		panic(http.ErrAbortHandler)
	}
	s.record(entry, started)
	w.Header().Set("Content-Type", answer.kind)
	if answer.file != "" {
		w.Header().Set("Content-disposition", `attachment; filename="`+answer.file+`"`)
	}
	w.WriteHeader(answer.status())
	_, _ = w.Write(out) //nolint:gosec // JSON, sent as such; a client that has gone gets nothing; the call is in the log
}

func clockSleep(r *http.Request, s *Simulator, d time.Duration) error {
	s.work.begin() // so that a move of the clock that ends the delay is not over before the answer is under way
	defer s.work.end()
	return s.work.sleep(r.Context(), d)
}

// answer acts, unless a fault answers in its place.
func (s *Simulator) answer(r *http.Request, body []byte, fault Fault, entry *Call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &apiCall{r: r, body: body, now: s.clock.Now()}
	var answer reply
	switch {
	case fault.Errcode != nil:
		entry.Note = "fault: errcode in place of acting"
		c.app, _ = s.authorize(r.URL.Query().Get("access_token"), c.now)
		answer = reply{code: *fault.Errcode, text: fault.Errmsg}
		if *fault.Errcode == 0 {
			answer.data = map[string]any{"errcode": 0, "errmsg": "ok"}
		}
	case fault.Status != 0 || fault.Body != "":
		entry.Note = "fault: answer in place of acting"
		answer = reply{raw: []byte(fault.Body), kind: "text/plain; charset=utf-8", other: fault.Status}
	default:
		answer = s.dispatch(c)
	}
	if c.app != nil {
		entry.AppID = c.app.AppID
	}
	entry.OpenID, entry.About = c.openid, c.about
	if answer.kind == "" {
		answer.kind = s.jsonType()
	}
	return answer
}

// dispatch finds the endpoint and checks in the platform's order: path, method, token, then the body (wechat.md §0.2).
func (s *Simulator) dispatch(c *apiCall) reply {
	path := c.r.URL.Path
	e, known := wechatEndpoints[path]
	switch {
	case !known && notYet(path):
		return reply{
			raw:  []byte("the simulator does not have this call yet: " + path + " (docs/simulator.md)\n"),
			kind: "text/plain; charset=utf-8", other: http.StatusNotImplemented,
		}
	case !known:
		return reply{code: 40066} // also a known call under the wrong path family (§0.2)
	case e.method == http.MethodPost && c.r.Method != http.MethodPost:
		return reply{code: 43002}
	case e.method == http.MethodGet && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead:
		return reply{code: 43001}
	}
	if !e.open {
		value := rawParam(c.r.URL.RawQuery, "access_token")
		app, code := s.authorize(value, c.now)
		c.app = app
		if code == 40001 {
			return reply{code: code, text: staleToken}
		}
		if code != 0 {
			return reply{code: code}
		}
	}
	return e.handle(s, c)
}

// rawParam reads a query parameter and leaves a plus sign as it is.
func rawParam(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			if plain, err := url.PathUnescape(value); err == nil {
				return plain
			}
			return value
		}
	}
	return ""
}

func (a reply) status() int {
	if a.other != 0 {
		return a.other
	}
	return http.StatusOK
}

// encode makes the answer's bytes: raw UTF-8 without escapes, as the platform sends it.
func (s *Simulator) encode(a reply) []byte {
	if a.raw != nil {
		return a.raw
	}
	data := a.data
	if data == nil || a.code != 0 {
		s.mu.Lock()
		data = struct {
			Errcode int    `json:"errcode"`
			Errmsg  string `json:"errmsg"`
		}{a.code, s.errmsg(a.code, a.text)}
		s.mu.Unlock()
	}
	return plainJSON(data)
}

// plainJSON encodes without HTML escapes and without the closing line feed.
func plainJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("sim: encode answer: " + err.Error()) // our own plain values
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// jsonType is the content type of JSON answers; seen in the wild: three of them (wechat.md §0.2).
func (s *Simulator) jsonType() string {
	if s.switches.ContentTypes == "chaos" {
		kinds := []string{"application/json; encoding=utf-8", "text/plain", "application/json", "text/plain; charset=utf-8"}
		return kinds[int(s.random(1)[0])%len(kinds)]
	}
	return "application/json; encoding=utf-8"
}
