package sim

import (
	"net/http"
	"time"

	"github.com/a-h/templ"

	"kefu/static"
	simviews "kefu/views/sim"
)

// pagePolicy allows the page its own files only: no inline script, no inline style.
const pagePolicy = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// page serves the phone at /, its files, and what its script asks for.
func (s *Simulator) page(mux *http.ServeMux) {
	show := templ.Handler(simviews.Page())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		show.ServeHTTP(w, r)
	})
	mux.Handle("GET "+simviews.Mount+"/static/", http.StripPrefix(simviews.Mount, static.Handler()))
	mux.HandleFunc("GET /_sim/phone", s.servePhone)
}

// What the page gets at once.
const (
	pageEntries = 200
	pageCalls   = 300
	pageUsers   = 200
)

// phoneView is what the page shows.
type phoneView struct {
	Version    int64            `json:"v"`
	Clock      time.Time        `json:"clock"`
	Unchanged  bool             `json:"unchanged,omitempty"` // nothing since ?v=: the rest is left out
	AppID      string           `json:"appid"`
	Apps       []map[string]any `json:"apps"`
	Users      []map[string]any `json:"users"`
	User       *phoneUser       `json:"user"`
	Entries    []*entry         `json:"entries"`
	Calls      []*Call          `json:"calls"` // after ?since=
	First      int64            `json:"first"` // the oldest call still kept
	Last       int64            `json:"last"`
	Faults     []string         `json:"faults"` // names of those that have one
	InlineMenu bool             `json:"inline_menu"`
}

type phoneUser struct {
	OpenID      string    `json:"openid"`
	Name        string    `json:"name"`
	Relation    relation  `json:"relation"`
	Grants      []Grant   `json:"grants"`
	TypingUntil time.Time `json:"typing_until"`
}

// servePhone answers the page's question: what is new for this app and customer.
func (s *Simulator) servePhone(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	since, version := number(r, "since"), number(r, "v")
	s.mu.Lock()
	view := s.phone(q.Get("appid"), q.Get("openid"), since, version)
	out := plainJSON(view) // under the lock: entries and calls are shared
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(out) // a page that has gone asks no more
}

func (s *Simulator) phone(appid, openid string, since, version int64) phoneView {
	view := phoneView{Version: s.version, Clock: s.clock.Now()}
	if version == s.version {
		view.Unchanged = true
		return view
	}
	view.Apps, view.Users, view.Entries, view.Faults = []map[string]any{}, []map[string]any{}, []*entry{}, []string{}
	view.InlineMenu = s.switches.InlineMenu
	view.Calls, view.Last = s.calls.since(max(since, 0), pageCalls), s.calls.seq
	if len(s.calls.entries) > 0 {
		view.First = s.calls.entries[0].Seq
	} else {
		view.First = s.calls.seq + 1
	}
	for _, f := range s.faults {
		if f.Name != "" {
			view.Faults = append(view.Faults, f.Name)
		}
	}
	for _, a := range s.wechat.apps {
		view.Apps = append(view.Apps, map[string]any{"appid": a.AppID, "name": a.Name})
	}
	a := s.wechat.find(appid)
	if a == nil {
		a = s.wechat.find("")
	}
	if a == nil {
		return view
	}
	view.AppID = a.AppID
	u := a.users[openid]
	if u == nil && len(a.order) > 0 {
		u = a.order[0]
	}
	for i, one := range a.order {
		if one == u || i >= len(a.order)-pageUsers { // a load test makes thousands
			view.Users = append(view.Users, userView(a, one))
		}
	}
	if u == nil {
		return view
	}
	view.User = &phoneUser{u.openid, u.name, u.relation, append([]Grant{}, u.ledger...), u.typingUntil}
	view.Entries = u.entries[max(0, len(u.entries)-pageEntries):]
	return view
}
