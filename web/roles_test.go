package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kefu/handlers"
	"kefu/models"
)

// team is one person of each kind, as seen from a chat of 售前.
type team struct {
	holder, colleague, outsider, lead, foreignLead, admin models.Agent
}

func (o *office) team() team {
	return team{
		holder: o.hire("zhou", models.RoleAgent, o.sales), colleague: o.hire("he", models.RoleAgent, o.sales),
		outsider: o.hire("wu", models.RoleAgent, o.service), lead: o.hire("lin", models.RoleSupervisor, o.sales),
		foreignLead: o.hire("sun", models.RoleSupervisor, o.service), admin: o.hire("admin", models.RoleAdmin),
	}
}

// statuses of one route: nobody logged in, the chat's holder, a colleague of their group, an agent of another group, the group's
// supervisor, another group's supervisor, the admin.
type statuses [7]int

var (
	everybody = statuses{200, 200, 200, 200, 200, 200, 200}
	loggedIns = statuses{303, 200, 200, 200, 200, 200, 200} // a page: who is not logged in goes to the log-in page
	sees      = statuses{303, 200, 200, 403, 200, 403, 200} // the colleague watches
	writes    = statuses{401, 303, 403, 403, 303, 403, 303}
	claims    = statuses{401, 303, 303, 403, 303, 403, 303}
	ownForm   = statuses{401, 303, 303, 303, 303, 303, 303}
)

// routeRights names every route of the table with an address and a form that are fit for it. {c} is a chat that the holder serves, {w}
// one that waits, {m} the holder's message that is queued, {f} one that failed, {n} a number.
var routeRights = map[string]struct {
	path   string
	fields []string
	want   statuses
}{
	"GET /healthz":                       {"/healthz", nil, everybody},
	"GET /readyz":                        {"/readyz", nil, everybody},
	"GET /static/*":                      {"/static/css/app.css", nil, everybody},
	"GET /callbacks/wechat/:key":         {"/callbacks/wechat/key", nil, everybody},
	"POST /callbacks/wechat/:key":        {"/callbacks/wechat/key", nil, statuses{403, 403, 403, 403, 403, 403, 403}}, // the receiver's refusal
	"GET /login":                         {"/login", nil, statuses{200, 303, 303, 303, 303, 303, 303}},
	"POST /login":                        {"/login", []string{"username", "{n}"}, statuses{422, 422, 422, 422, 422, 422, 422}},
	"POST /logout":                       {"/logout", nil, ownForm},
	"GET /":                              {"/", nil, statuses{303, 303, 303, 303, 303, 303, 303}},
	"GET /c":                             {"/c", nil, loggedIns},
	"GET /c/:id":                         {"/c/{c}", nil, sees},
	"GET /c/:id/customer":                {"/c/{c}/customer", nil, sees},
	"GET /c/:id/messages":                {"/c/{c}/messages?after=0", nil, sees},
	"POST /c/:id/messages":               {"/c/{c}/messages", []string{"text", "您好", "mode", "reply"}, writes},
	"POST /c/:id/messages/:mid/resend":   {"/c/{c}/messages/{f}/resend", nil, writes},
	"POST /c/:id/messages/:mid/skip":     {"/c/{c}/messages/{m}/skip", nil, writes},
	"POST /c/:id/messages/:mid/withdraw": {"/c/{c}/messages/{m}/withdraw", nil, writes},
	"POST /c/:id/claim":                  {"/c/{w}/claim", nil, claims},
	"POST /c/:id/close":                  {"/c/{c}/close", nil, writes},
	"POST /c/:id/read":                   {"/c/{c}/read", nil, statuses{401, 204, 204, 204, 204, 204, 204}}, // only the holder's reading counts
	"GET /queue":                         {"/queue", nil, loggedIns},
	"GET /events":                        {"/events", nil, statuses{401, 200, 200, 200, 200, 200, 200}},
	"GET /me":                            {"/me", nil, loggedIns},
	"POST /me":                           {"/me", []string{"theme", "dark"}, ownForm},
	"POST /me/presence":                  {"/me/presence", []string{"presence", "break"}, ownForm},
	"POST /me/password":                  {"/me/password", []string{"current", "", "password", "long enough", "again", "long enough?"}, statuses{401, 422, 422, 422, 422, 422, 422}},
	"POST /me/logins/:id/revoke":         {"/me/logins/others/revoke", nil, ownForm},
}

func TestEveryRouteForEveryRole(t *testing.T) {
	r := &router{site: &handlers.Site{}, logins: &Logins{}}
	known := map[string]bool{}
	for _, line := range r.table() {
		known[line.method+" "+line.path] = true
	}
	for name := range routeRights {
		if !known[name] {
			t.Errorf("the test speaks of a route that is not in the table: %s", name)
		}
	}
	for name := range known {
		row, ok := routeRights[name]
		if !ok {
			t.Errorf("%s is in the table of routes, but nobody said who may use it: add a row", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			people := o.team()
			server := httptest.NewServer(o.handler)
			defer server.Close()
			defer o.hub.Shutdown()
			roles := []struct {
				name  string
				agent models.Agent
			}{{"nobody", models.Agent{}}, {"holder", people.holder}, {"colleague", people.colleague}, {"outsider", people.outsider},
				{"supervisor", people.lead}, {"other supervisor", people.foreignLead}, {"admin", people.admin}}
			for i, role := range roles {
				b := o.stranger()
				if role.agent.ID != 0 {
					b = o.enter(role.agent)
				}
				method, _, _ := strings.Cut(name, " ")
				fields := slices.Clone(row.fields)
				for j := range fields {
					fields[j] = strings.ReplaceAll(fields[j], "{n}", strconv.Itoa(i))
				}
				if got := b.status(server.URL, method, o.address(people.holder, row.path), fields); got != row.want[i] {
					t.Errorf("%s for %s: %d, want %d", name, role.name, got, row.want[i])
				}
			}
		})
	}
}

// address fills in the path's places with things that are fresh for each request.
func (o *office) address(holder models.Agent, path string) string {
	o.t.Helper()
	o.pushes++
	customer := fmt.Sprintf("customer-%d", o.pushes)
	if strings.Contains(path, "{w}") {
		return strings.ReplaceAll(path, "{w}", strconv.FormatInt(o.says(customer, "在吗").ID, 10))
	}
	if !strings.Contains(path, "{c}") {
		return path
	}
	s := o.served(holder, customer, "在吗")
	failed, queued := o.reply(holder, s, "不在"), o.reply(holder, s, "在")
	o.fail(failed)
	return strings.NewReplacer("{c}", strconv.FormatInt(s.ID, 10), "{f}", strconv.FormatInt(failed.ID, 10), "{m}", strconv.FormatInt(queued.ID, 10)).Replace(path)
}

// status asks over a real connection, for a stream's answer has no end.
func (b browser) status(server, method, path string, fields []string) int {
	b.o.t.Helper()
	r := b.request(method, path, form(fields...))
	var err error
	r.URL, err = url.Parse(server + path)
	b.o.must(err)
	r.RequestURI, r.Host = "", ""
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	b.o.must(err)
	b.o.must(answer.Body.Close())
	return answer.StatusCode
}

func TestWhoIsNotLoggedInComesBackToTheirPage(t *testing.T) {
	o := newOffice(t)
	o.stranger().get("/c/7?list=queue").goesTo("/login?next=" + url.QueryEscape("/c/7?list=queue"))
	o.stranger().get("/queue").goesTo("/login?next=%2Fqueue")
	o.stranger().htmx().get("/c").want(http.StatusUnauthorized) // a script must not show the log-in page inside a page
	o.stranger().with("X-Fragment", "list").get("/c").want(http.StatusUnauthorized)
	if a := o.stranger().post("/logout").want(http.StatusUnauthorized); a.header.Get("Location") != "" {
		t.Errorf("a form leads to %q, want nowhere", a.header.Get("Location"))
	}
	o.stranger().post("/me").want(http.StatusUnauthorized).says("#problem a", en("page.problem.login"))
}

func TestWhoMayDoWhatWithAChat(t *testing.T) {
	reply := []string{"text", "您好", "mode", "reply"}
	note := []string{"text", "老客户", "mode", "note"}
	tests := []struct {
		name   string
		who    func(team) models.Agent
		state  string // waiting, served (by the holder) or closed
		act    string
		fields []string
		code   int
		says   string // in English; empty: not refused
	}{
		{"holder replies", func(p team) models.Agent { return p.holder }, "served", "/messages", reply, 303, ""},
		{"supervisor replies", func(p team) models.Agent { return p.lead }, "served", "/messages", reply, 303, ""},
		{"colleague replies", func(p team) models.Agent { return p.colleague }, "served", "/messages", reply, 403, en("refusal.not_yours")},
		{"outsider replies", func(p team) models.Agent { return p.outsider }, "served", "/messages", reply, 403, en("refusal.not_visible")},
		{"reply before it is claimed", func(p team) models.Agent { return p.holder }, "waiting", "/messages", reply, 409, en("refusal.claim_first")},
		{"reply after the end", func(p team) models.Agent { return p.holder }, "closed", "/messages", reply, 409, en("refusal.closed_reply")},
		{"nothing written", func(p team) models.Agent { return p.holder }, "served", "/messages", []string{"text", " \n"}, 422, en("refusal.empty")},
		{"far too much written", func(p team) models.Agent { return p.holder }, "served", "/messages", []string{"text", strings.Repeat("长", 25_000)}, 422, en("refusal.too_long", "limit", 64)},
		{"not text", func(p team) models.Agent { return p.holder }, "served", "/messages", []string{"text", "\xff\xfe"}, 422, en("refusal.encoding")},
		{"colleague notes", func(p team) models.Agent { return p.colleague }, "served", "/messages", note, 403, en("refusal.not_yours")},
		{"outsider notes", func(p team) models.Agent { return p.outsider }, "served", "/messages", note, 403, en("refusal.not_visible")},
		{"colleague claims", func(p team) models.Agent { return p.colleague }, "waiting", "/claim", nil, 303, ""},
		{"outsider claims", func(p team) models.Agent { return p.outsider }, "waiting", "/claim", nil, 403, en("refusal.not_your_group")},
		{"claimed too late", func(p team) models.Agent { return p.colleague }, "served", "/claim", nil, 409, en("refusal.taken", "name", "ZHOU")},
		{"claimed after the end", func(p team) models.Agent { return p.holder }, "closed", "/claim", nil, 409, en("refusal.closed")},
		{"colleague closes", func(p team) models.Agent { return p.colleague }, "served", "/close", nil, 403, en("refusal.not_yours")},
		{"closed while it waits", func(p team) models.Agent { return p.colleague }, "waiting", "/close", nil, 403, en("refusal.not_yours")},
		{"holder closes", func(p team) models.Agent { return p.holder }, "served", "/close", nil, 303, ""},
		{"closed twice", func(p team) models.Agent { return p.holder }, "closed", "/close", nil, 303, ""},
	}
	o := newOffice(t)
	people := o.team()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o.t = t
			customer := fmt.Sprintf("c%d", i)
			s := o.says(customer, "在吗")
			if tt.state != "waiting" {
				o.must(o.desk.Claim(o.ctx, o.viewer(people.holder), s.ID))
			}
			if tt.state == "closed" {
				o.must(o.desk.Close(o.ctx, o.viewer(people.holder), s.ID))
			}
			before := len(o.messages(s))
			a := o.enter(tt.who(people)).post(path(s.ID, tt.act), tt.fields...).want(tt.code)
			if tt.says == "" {
				a.goesTo(path(s.ID, ""))
				return
			}
			if !strings.Contains(words(a.page()), tt.says) {
				t.Errorf("the page does not say %q", tt.says)
			}
			if n := len(o.messages(s)); n != before {
				t.Errorf("%d messages after the refusal, %d before", n, before)
			}
		})
	}
}

func TestFullAgentMayNotClaim(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	o.exec("UPDATE agents SET capacity = 1 WHERE id = ?", zhou.ID)
	o.served(zhou, "first", "在吗")
	second := o.says("second", "在吗")
	b := o.enter(zhou)
	b.post(path(second.ID, "/claim")).want(http.StatusConflict).says("#composer-slot [role=alert]", en("refusal.full", "capacity", 1))
	if s := o.session(second.ID); s.State != models.Waiting {
		t.Errorf("the session is %s, want still waiting", s.State)
	}
}

func TestReadingCountsForTheHolderOnly(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	s := o.served(people.holder, "customer", "在吗")
	o.says("customer", "喂")
	unread := func() int {
		row, err := o.store.Row(o.ctx, s.ID)
		o.must(err)
		return row.Unread
	}
	before := unread()
	for _, other := range []models.Agent{people.colleague, people.outsider, people.lead, people.admin} {
		o.enter(other).post(path(s.ID, "/read")).want(http.StatusNoContent)
	}
	if unread() != before || before == 0 {
		t.Errorf("%d unread after others looked, want the %d from before", unread(), before)
	}
	o.enter(people.holder).post(path(s.ID, "/read")).want(http.StatusNoContent)
	if unread() != 0 {
		t.Errorf("%d unread after the holder read them", unread())
	}
}

func TestWhoActsIsNeverTakenFromAForm(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	foreign := strconv.FormatInt(people.colleague.ID, 10)
	posing := []string{"agent_id", foreign, "AgentID", foreign, "agent", foreign, "id", "1", "login", foreign}
	s := o.says("customer", "在吗")
	b := o.enter(people.holder)
	b.post(path(s.ID, "/claim")+"?agent_id="+foreign, posing...).goesTo(path(s.ID, ""))
	if got := o.session(s.ID); !got.Held(people.holder.ID) {
		t.Fatalf("the session is held by %v, want who pressed", got.AgentID)
	}
	b.post(path(s.ID, "/messages")+"?agent_id="+foreign, append(posing, "text", "您好", "mode", "reply")...).goesTo(path(s.ID, ""))
	list := o.messages(s)
	if last := list[len(list)-1]; last.AgentID == nil || *last.AgentID != people.holder.ID || *last.SessionID != s.ID {
		t.Errorf("the reply is agent %v's in session %v", *last.AgentID, *last.SessionID)
	}
	b.post("/me/presence?agent_id="+foreign, append(posing, "presence", "busy")...).want(http.StatusSeeOther)
	b.post("/me?id="+foreign, append(posing, "theme", "dark")...).want(http.StatusSeeOther)
	other, err := o.store.Agent(o.ctx, people.colleague.ID)
	o.must(err)
	if other.Presence != models.Offline || other.Theme != "" {
		t.Errorf("the other agent is %s with theme %q, want untouched", other.Presence, other.Theme)
	}
}

func TestMessagesOfAnotherChatAreNotReached(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	mine, theirs := o.served(people.holder, "mine", "在吗"), o.served(people.colleague, "theirs", "在吗")
	m := o.reply(people.colleague, theirs, "等一下")
	b := o.enter(people.holder)
	for _, act := range []string{"resend", "skip", "withdraw"} {
		b.post(path(mine.ID, fmt.Sprintf("/messages/%d/%s", m.ID, act))).want(http.StatusNotFound)
		b.post(path(theirs.ID, fmt.Sprintf("/messages/%d/%s", m.ID, act))).want(http.StatusForbidden)
	}
	if got, err := o.store.Message(o.ctx, m.ID); err != nil || got.State != models.Queued {
		t.Errorf("the message is %s (%v), want queued as it was", got.State, err)
	}
}

func TestChatsThatAreNotThere(t *testing.T) {
	o := newOffice(t)
	b := o.enter(o.hire("admin", models.RoleAdmin))
	for _, address := range []string{"/c/999", "/c/0", "/c/-1", "/c/abc", "/c/9999999999999999999999", "/c/999/customer", "/c/999/messages?after=0"} {
		b.get(address).want(http.StatusNotFound).says("#problem h1", en("page.problem.404"))
	}
	for _, address := range []string{"/c/999/claim", "/c/999/close", "/c/x/claim", "/c/1/messages/x/resend", "/c/1/messages/1/withdraw"} {
		b.post(address).want(http.StatusNotFound)
	}
	b.post("/c/999/messages", "text", "您好").want(http.StatusNotFound)
}
