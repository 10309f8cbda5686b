package web

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/internal/live"
	"kefu/internal/platform"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/models/modelstest"
)

func TestMain(m *testing.M) { modelstest.Main(m) }

// noon of a Friday in Shanghai is when every office opens. Its clock stands until the test moves it.
var noon = time.Date(2026, 11, 20, 4, 0, 0, 0, time.UTC)

// goodPassword is everybody's. Its hash is made once, because that takes long on purpose.
const goodPassword = "纸船-and-lantern"

var goodHash = sync.OnceValue(func() string { return desk.HashPassword(goodPassword) })

// office is a server on a real database with two groups: 售前, the channel's own, and 售后.
type office struct {
	t       testing.TB
	ctx     context.Context
	options Options
	store   *models.Store
	raw     *sql.DB // for what no use case does yet
	clock   *clock.Movable
	desk    *desk.Desk
	board   *desk.Board
	hub     *live.Hub
	log     *record
	handler http.Handler
	channel models.Channel
	sales   models.Group
	service models.Group
	moved   chan struct{} // the board has caught up with something
	pushes  int
}

func newOffice(t testing.TB, change ...func(*Options)) *office {
	t.Helper()
	return openOffice(t, modelstest.SQLiteURL(t), change...)
}

func openOffice(t testing.TB, url string, change ...func(*Options)) *office {
	t.Helper()
	o := &office{
		t: t, ctx: context.Background(), store: modelstest.Open(t, url), clock: clock.NewStanding(noon), hub: live.NewHub(), log: &record{},
		moved: make(chan struct{}, 1),
	}
	driver := "sqlite3"
	if o.store.Dialect() == models.Postgres {
		driver = "pgx"
	}
	var err error
	o.raw, err = sql.Open(driver, url)
	o.must(err)
	t.Cleanup(func() { o.must(o.raw.Close()) })
	log := slog.New(slog.NewTextHandler(o.log, nil))
	set := desk.Defaults()
	set.Sweep = 10 * time.Millisecond // for who runs it
	o.desk = desk.New(o.store, o.clock, log, set, func() {})
	o.desk.Storage().OnChange(o.hub.Notify)
	follow := Follow(o.hub, o.store, o.clock.Now)
	o.board = desk.NewBoard(o.store, log, func(changes []desk.Change) {
		follow(changes)
		select {
		case o.moved <- struct{}{}:
		default:
		}
	})
	o.store.OnEvents(o.board.Poke)
	o.sales, o.service = o.group("售前", true), o.group("售后", true)
	o.channel = models.Channel{
		UID: "uid", Key: "key", Kind: "wechat", Name: "官方号", AppID: "wx1", Mode: "safe", Secret: []byte{1}, Token: []byte{1}, AESKey: []byte{1},
		DefaultGroupID: o.sales.ID, CreatedAt: noon,
	}
	o.must(o.store.CreateChannel(o.ctx, &o.channel))
	o.must(o.board.Load(o.ctx, "epoch"))
	o.follow()
	o.options = Options{
		Desk: o.desk, Store: o.store, Board: o.board, Hub: o.hub, Clock: o.clock, Log: log, Zone: time.FixedZone("CST", 8*3600),
		Receiver: o.receiver, Name: "青禾家居", Version: "v0",
	}
	for _, c := range change {
		c(&o.options)
	}
	o.handler = New(o.options)
	return o
}

// follow lets the board read the journal until the test ends.
func (o *office) follow() {
	ctx, stop := context.WithCancel(o.ctx)
	var wg sync.WaitGroup
	wg.Go(func() { o.board.Run(ctx) })
	o.t.Cleanup(func() {
		stop()
		wg.Wait()
	})
}

// receiver knows one channel, whose platform is refused whatever it sends.
func (o *office) receiver(_ context.Context, _ platform.Kind, key string) (models.Channel, platform.Receiver, error) {
	if key != o.channel.Key {
		return models.Channel{}, nil, models.ErrNotFound
	}
	return o.channel, stranger{}, nil
}

type stranger struct{}

func (stranger) Verify(*http.Request) (platform.Answer, error) {
	return platform.Echo{Text: "hello"}, nil
}

func (stranger) Parse(*http.Request) (platform.Inbound, platform.AnswerFunc, error) {
	return platform.Inbound{}, nil, &platform.Refused{Status: http.StatusForbidden, Reason: "a stranger"}
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) group(name string, watch bool) models.Group {
	o.t.Helper()
	g := models.Group{Name: name, QueueLimit: 200, Watch: watch, TargetTake: 180, TargetFirst: 60, TargetNext: 180, CreatedAt: noon}
	o.must(o.store.CreateGroup(o.ctx, &g, nil))
	return g
}

// hire adds a person to the groups, who takes sessions by hand only.
func (o *office) hire(username string, role models.Role, groups ...models.Group) models.Agent {
	o.t.Helper()
	a := models.Agent{
		Username: username, Name: strings.ToUpper(username), Role: role, PasswordHash: goodHash(), Capacity: 100, AutoAccept: true,
		Presence: models.Offline, PresenceAt: noon, CreatedAt: noon,
	}
	o.must(o.store.CreateAgent(o.ctx, &a))
	for _, g := range groups {
		o.must(o.store.AddMember(o.ctx, models.Membership{GroupID: g.ID, AgentID: a.ID, Supervisor: role == models.RoleSupervisor}))
	}
	o.exec("UPDATE agents SET auto_accept = ? WHERE id = ?", false, a.ID)
	o.must(o.store.Emit(o.ctx, models.Event{Kind: models.EventAgent, AgentID: a.ID, At: noon}))
	return a
}

// exec runs a statement beside the server; every ? is a parameter.
func (o *office) exec(query string, args ...any) {
	o.t.Helper()
	if o.store.Dialect() == models.Postgres {
		for i := range args {
			query = strings.Replace(query, "?", "$"+strconv.Itoa(i+1), 1)
		}
	}
	_, err := o.raw.Exec(query, args...)
	o.must(err)
}

func (o *office) viewer(a models.Agent) desk.Viewer {
	o.t.Helper()
	a, err := o.store.Agent(o.ctx, a.ID)
	o.must(err)
	v, err := o.desk.Viewer(o.ctx, a)
	o.must(err)
	return v
}

// says has a customer write, and returns their session.
func (o *office) says(openID, text string) models.Session {
	o.t.Helper()
	o.pushes++
	_, err := o.desk.Receive(o.ctx, o.channel, platform.Inbound{
		Dedupe: fmt.Sprintf("push-%d", o.pushes), Conversation: platform.Conversation{Key: openID}, Sender: openID, At: o.clock.Now(),
		MessageID: strconv.Itoa(o.pushes), What: platform.Text{Text: text}, Raw: []byte("<xml/>"),
	})
	o.must(err)
	place, err := o.store.Place(o.ctx, o.channel.ID, openID)
	o.must(err)
	s, err := o.store.LastSession(o.ctx, place.ConversationID)
	o.must(err)
	return s
}

// served is a session that the agent has in hand.
func (o *office) served(a models.Agent, openID, text string) models.Session {
	o.t.Helper()
	s := o.says(openID, text)
	o.must(o.desk.Claim(o.ctx, o.viewer(a), s.ID))
	return o.session(s.ID)
}

func (o *office) session(id int64) models.Session {
	o.t.Helper()
	s, err := o.store.Session(o.ctx, id)
	o.must(err)
	return s
}

// messages is the session's conversation, oldest first.
func (o *office) messages(s models.Session) []models.Message {
	o.t.Helper()
	list, err := o.store.LastMessages(o.ctx, s.ConversationID, 0, 0, 1000)
	o.must(err)
	return list
}

// reply has the agent answer the customer; the message waits to be sent.
func (o *office) reply(a models.Agent, s models.Session, text string) models.Message {
	o.t.Helper()
	list, err := o.desk.Reply(o.ctx, o.viewer(a), desk.Reply{SessionID: s.ID, Text: text})
	o.must(err)
	return list[0]
}

// fail marks a message as not sent, as the delivery would.
func (o *office) fail(m models.Message) {
	o.t.Helper()
	o.exec("DELETE FROM outbox WHERE message_id = ?", m.ID)
	o.exec("UPDATE messages SET state = 'failed', error_class = 'content', error_code = 45002 WHERE id = ?", m.ID)
}

// caughtUp waits until the board knows all that is committed.
func (o *office) caughtUp() {
	o.t.Helper()
	_, newest, err := o.store.EventBounds(o.ctx)
	o.must(err)
	late := time.After(30 * time.Second)
	for o.board.Newest() < newest {
		select {
		case <-o.moved:
		case <-late:
			o.t.Fatalf("the board is at event %d after 30 s, want %d", o.board.Newest(), newest)
		}
	}
}

// browser is somebody's browser: what it sends with each request.
type browser struct {
	o       *office
	token   string // of the log-in; empty: nobody's
	header  http.Header
	address string
}

// stranger is a browser in which nobody is logged in.
func (o *office) stranger() browser {
	return browser{o: o, header: http.Header{"Accept-Language": {"en"}}, address: "192.0.2.1:40000"}
}

// enter is a browser in which the agent is logged in.
func (o *office) enter(a models.Agent) browser {
	o.t.Helper()
	b := o.stranger()
	b.token = newToken()
	now := o.clock.Now()
	o.must(o.store.CreateLogin(o.ctx, &models.Login{
		AgentID: a.ID, TokenHash: hashToken(b.token), IP: "192.0.2.1", UserAgent: "Firefox/140 Linux", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(dayLogin),
	}))
	return b
}

func (b browser) with(name, value string) browser {
	b.header = b.header.Clone()
	b.header.Set(name, value)
	return b
}

// htmx is the browser's script instead of the browser.
func (b browser) htmx() browser { return b.with("HX-Request", "true") }

// from is the browser at another address.
func (b browser) from(address string) browser {
	b.address = address
	return b
}

func (b browser) get(path string) answer { b.o.t.Helper(); return b.do(http.MethodGet, path, "") }

// post sends a form of alternating names and values.
func (b browser) post(path string, fields ...string) answer {
	b.o.t.Helper()
	return b.do(http.MethodPost, path, form(fields...))
}

func form(fields ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	return v.Encode()
}

func (b browser) request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, "http://kefu.example.com"+path, strings.NewReader(body))
	for name, values := range b.header {
		r.Header[name] = values
	}
	if method == http.MethodPost && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.token != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: b.token})
	}
	r.RemoteAddr = b.address
	return r
}

func (b browser) do(method, path, body string) answer {
	b.o.t.Helper()
	b.o.caughtUp()
	w := httptest.NewRecorder()
	b.o.handler.ServeHTTP(w, b.request(method, path, body))
	return answer{t: b.o.t, what: method + " " + path, code: w.Code, header: w.Header(), cookies: w.Result().Cookies(), body: w.Body.String()}
}

// answer is what the server said.
type answer struct {
	t       testing.TB
	what    string
	code    int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

func (a answer) want(code int) answer {
	a.t.Helper()
	if a.code != code {
		a.t.Fatalf("%s: %d, want %d\n%.600s", a.what, a.code, code, a.body)
	}
	return a
}

// goesTo wants a redirection to the path.
func (a answer) goesTo(path string) answer {
	a.t.Helper()
	a.want(http.StatusSeeOther)
	if got := a.header.Get("Location"); got != path {
		a.t.Fatalf("%s leads to %q, want %q", a.what, got, path)
	}
	return a
}

func (a answer) page() *html.Node {
	a.t.Helper()
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		a.t.Fatal(err)
	}
	return doc
}

// all are the elements that the selector finds.
func (a answer) all(selector string) []*html.Node {
	a.t.Helper()
	return cascadia.QueryAll(a.page(), cascadia.MustCompile(selector))
}

// one wants exactly one element.
func (a answer) one(selector string) *html.Node {
	a.t.Helper()
	found := a.all(selector)
	if len(found) != 1 {
		a.t.Fatalf("%s: %d elements %s, want one\n%.400s", a.what, len(found), selector, a.body)
	}
	return found[0]
}

// none wants no such element.
func (a answer) none(selector string) answer {
	a.t.Helper()
	if n := len(a.all(selector)); n != 0 {
		a.t.Errorf("%s: %d elements %s, want none", a.what, n, selector)
	}
	return a
}

// says wants the sentence in one element.
func (a answer) says(selector, sentence string) answer {
	a.t.Helper()
	if got := words(a.one(selector)); !strings.Contains(got, sentence) {
		a.t.Errorf("%s: %s says %q, want %q", a.what, selector, got, sentence)
	}
	return a
}

// words is the text of an element on one line.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// en is the English sentence of a key.
func en(key texts.Key, pairs ...any) string { return sentence(texts.En, key, pairs...) }

// zh is the Chinese sentence of a key.
func zh(key texts.Key, pairs ...any) string { return sentence(texts.ZhCN, key, pairs...) }

func sentence(l texts.Lang, key texts.Key, pairs ...any) string {
	args := texts.Args{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return texts.T(l, key, args)
}

// record is a log that may be read while it is written.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func path(id int64, rest string) string { return fmt.Sprintf("/c/%d%s", id, rest) }
