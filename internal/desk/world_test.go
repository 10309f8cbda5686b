package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/models/modelstest"
)

func TestMain(m *testing.M) { modelstest.Main(m) }

// noon is when every world begins.
var noon = time.Date(2025, 3, 3, 4, 0, 0, 0, time.UTC)

// world is a small company on a real database: one channel, its default group 售前, and whoever a test adds. Its clock stands until the
// test moves it.
type world struct {
	t       testing.TB
	ctx     context.Context
	url     string
	store   *models.Store
	raw     *sql.DB // for what no use case does yet, and to look
	clock   *clock.Movable
	desk    *Desk
	channel models.Channel
	group   models.Group // the default one
	woken   atomic.Int32 // calls of the delivery's wake
	pushes  int
}

// each runs the test in a world on SQLite and in one on PostgreSQL.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, modelstest.SQLiteURL(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, modelstest.PostgresURL(t)))
	})
}

func newWorld(t testing.TB, url string) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background(), url: url, store: modelstest.Open(t, url), clock: clock.NewStanding(noon)}
	driver := "sqlite3"
	if w.store.Dialect() == models.Postgres {
		driver = "pgx"
	}
	var err error
	w.raw, err = sql.Open(driver, url)
	w.must(err)
	t.Cleanup(func() { w.raw.Close() })
	w.desk = w.process(w.store)
	w.group = w.addGroup("售前", 200, true)
	w.channel = models.Channel{UID: "uid", Key: "key", Kind: "wechat", Name: "官方号", AppID: "wx1", Mode: "safe",
		Secret: []byte{1}, Token: []byte{1}, AESKey: []byte{1}, DefaultGroupID: w.group.ID, CreatedAt: noon}
	w.must(w.store.CreateChannel(w.ctx, &w.channel))
	return w
}

// run is t.Run, with the world's helpers failing the subtest and not the test around it.
func (w *world) run(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		outer := w.t
		w.t = t
		defer func() { w.t = outer }()
		f(t)
	})
}

// process is one more desk over the database, as another process would be.
func (w *world) process(store *models.Store) *Desk {
	return New(store, w.clock, slog.New(slog.DiscardHandler), Defaults(), func() { w.woken.Add(1) })
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// exec runs a statement beside the desk.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	_, err := w.raw.Exec(w.dialect(query), args...)
	w.must(err)
}

// number reads one number.
func (w *world) number(query string, args ...any) (n int) {
	w.t.Helper()
	w.must(w.raw.QueryRow(w.dialect(query), args...).Scan(&n))
	return n
}

func (w *world) dialect(query string) string {
	if w.store.Dialect() == models.SQLite {
		return query
	}
	parts := strings.Split(query, "?")
	for i := 1; i < len(parts); i++ {
		parts[i] = "$" + strconv.Itoa(i) + parts[i]
	}
	return strings.Join(parts, "")
}

func (w *world) advance(d time.Duration) {
	w.t.Helper()
	w.must(w.clock.Advance(w.ctx, d))
}

func (w *world) addGroup(name string, queueLimit int, watch bool) models.Group {
	w.t.Helper()
	g := models.Group{Name: name, QueueLimit: queueLimit, Watch: watch, TargetTake: 180, TargetFirst: 60, TargetNext: 180, CreatedAt: noon}
	w.must(w.store.CreateGroup(w.ctx, &g, nil))
	return g
}

// hire adds an agent with the role and capacity to the groups; offline, and with no password that opens anything.
func (w *world) hire(name string, role models.Role, capacity int, groups ...models.Group) models.Agent {
	w.t.Helper()
	a := models.Agent{Username: name, Name: strings.ToUpper(name), Role: role, PasswordHash: "none", Capacity: max(capacity, 1), AutoAccept: true,
		Presence: models.Offline, PresenceAt: noon, CreatedAt: noon}
	w.must(w.store.CreateAgent(w.ctx, &a))
	if capacity < 1 { // the column's default stands in for a zero
		w.exec("UPDATE agents SET capacity = ? WHERE id = ?", capacity, a.ID)
	}
	for _, g := range groups {
		w.must(w.store.AddMember(w.ctx, models.Membership{GroupID: g.ID, AgentID: a.ID}))
	}
	return w.agent(a.ID)
}

// online hires an agent of the default group with so many slots, and lets them begin their day.
func (w *world) online(name string, capacity int) models.Agent {
	w.t.Helper()
	a := w.hire(name, models.RoleAgent, capacity, w.group)
	w.presence(a, models.Online)
	return w.agent(a.ID)
}

func (w *world) agent(id int64) models.Agent {
	w.t.Helper()
	a, err := w.store.Agent(w.ctx, id)
	w.must(err)
	return a
}

// byHand lets the agent take sessions by hand only.
func (w *world) byHand(a models.Agent) {
	w.t.Helper()
	w.exec("UPDATE agents SET auto_accept = ? WHERE id = ?", false, a.ID)
}

func (w *world) presence(a models.Agent, p models.Presence) {
	w.t.Helper()
	w.must(w.desk.SetPresence(w.ctx, a.ID, p))
}

func (w *world) viewer(a models.Agent) Viewer {
	w.t.Helper()
	v, err := w.desk.Viewer(w.ctx, w.agent(a.ID))
	w.must(err)
	return v
}

// push is what the platform would send of the customer now; each is a push of its own.
func (w *world) push(openID string, what platform.What) platform.Inbound {
	w.pushes++
	return platform.Inbound{
		Dedupe: fmt.Sprintf("push-%d", w.pushes), Conversation: platform.Conversation{Key: openID}, Sender: openID,
		At: w.clock.Now(), MessageID: strconv.Itoa(w.pushes), What: what, Raw: []byte("<xml/>"),
	}
}

func (w *world) receive(in platform.Inbound) Received {
	w.t.Helper()
	got, err := w.desk.Receive(w.ctx, w.channel, in)
	w.must(err)
	return got
}

func (w *world) does(openID string, what platform.What) Received {
	w.t.Helper()
	return w.receive(w.push(openID, what))
}

func (w *world) says(openID, text string) Received {
	w.t.Helper()
	return w.does(openID, platform.Text{Text: text})
}

// words are the passive answer's, empty for a bare success.
func words(got Received) string {
	if w, ok := got.Answer.(platform.Words); ok {
		return w.Text
	}
	return ""
}

func notice(key texts.Key, args texts.Args) string { return texts.T(texts.ZhCN, key, args) }

func (w *world) place(openID string) models.Place {
	w.t.Helper()
	p, err := w.store.Place(w.ctx, w.channel.ID, openID)
	w.must(err)
	return p
}

// session is the customer's newest session.
func (w *world) session(openID string) models.Session {
	w.t.Helper()
	s, err := w.store.LastSession(w.ctx, w.place(openID).ConversationID)
	w.must(err)
	return s
}

// sessions is how many sessions the customer ever had.
func (w *world) sessions(openID string) int {
	w.t.Helper()
	return w.number("SELECT COUNT(*) FROM sessions n JOIN conversations v ON v.id = n.conversation_id WHERE v.key = ?", openID)
}

// messages are the customer's whole timeline.
func (w *world) messages(openID string) []models.Message {
	w.t.Helper()
	list, err := w.store.LastMessages(w.ctx, w.place(openID).ConversationID, 0, 0, 1000)
	w.must(err)
	return list
}

// timeline is messages in short: "in text 您好", "system opened", with the state behind what goes out.
func (w *world) timeline(openID string) []string {
	w.t.Helper()
	var lines []string
	for _, m := range w.messages(openID) {
		line := fmt.Sprintf("%s %s", m.Direction, m.Kind)
		if m.Text != "" {
			line += " " + m.Text
		}
		if m.State != "" {
			line += " (" + string(m.State) + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// history is the kinds of the session's history lines.
func (w *world) history(sessionID int64) []string {
	w.t.Helper()
	list, err := w.store.History(w.ctx, sessionID)
	w.must(err)
	var kinds []string
	for _, h := range list {
		kinds = append(kinds, strings.TrimSpace(h.Kind+" "+h.Detail))
	}
	return kinds
}

// hops are the session's stretches in short: "1 agent 3 ended agent".
func (w *world) hops(sessionID int64) []string {
	w.t.Helper()
	rows, err := w.raw.Query(w.dialect("SELECT number, COALESCE(agent_id, 0), end_reason FROM hops WHERE session_id = ? ORDER BY number"), sessionID)
	w.must(err)
	defer rows.Close()
	var hops []string
	for rows.Next() {
		var number, agent int
		var reason string
		w.must(rows.Scan(&number, &agent, &reason))
		hops = append(hops, strings.TrimSpace(fmt.Sprintf("%d agent %d %s", number, agent, reason)))
	}
	w.must(rows.Err())
	return hops
}

// cursor is the newest event's id.
func (w *world) cursor() int64 {
	w.t.Helper()
	_, newest, err := w.store.EventBounds(w.ctx)
	w.must(err)
	return newest
}

// told is the kinds of the events since the cursor.
func (w *world) told(since int64) []models.EventKind {
	w.t.Helper()
	list, err := w.store.EventsAfter(w.ctx, since, 1000)
	w.must(err)
	var kinds []models.EventKind
	for _, e := range list {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// grants are what the customer granted in short: "message 5 47h59m0s", the life counted from now.
func (w *world) grants(openID string) []string {
	w.t.Helper()
	list, err := w.store.Grants(w.ctx, w.place(openID).ConversationID)
	w.must(err)
	var grants []string
	for _, g := range list {
		grants = append(grants, fmt.Sprintf("%s %d %s", g.Scene, g.Count, g.ExpiresAt.Sub(w.clock.Now())))
	}
	return grants
}

// stored is how many rows each table has that a push may write to.
func (w *world) stored() map[string]int {
	w.t.Helper()
	counts := map[string]int{}
	for _, table := range []string{"customers", "conversations", "sessions", "hops", "messages", "inbound_keys", "grants", "outbox", "events", "history"} {
		counts[table] = w.number("SELECT COUNT(*) FROM " + table)
	}
	return counts
}

// block blocks the customer, for ever or until a moment.
func (w *world) block(openID string, until *time.Time) {
	w.t.Helper()
	w.exec("UPDATE customers SET blocked_at = ?, blocked_until = ? WHERE external_id = ?", w.clock.Now(), until, openID)
}

// served lets the agent take the customer's new session by hand.
func (w *world) served(a models.Agent, openID, text string) models.Session {
	w.t.Helper()
	w.says(openID, text)
	s := w.session(openID)
	w.must(w.desk.Claim(w.ctx, w.viewer(a), s.ID))
	return w.session(openID)
}

// end closes the customer's session for the reason.
func (w *world) end(openID string, reason models.CloseReason) {
	w.t.Helper()
	closed, err := w.store.CloseSession(w.ctx, w.session(openID).ID, reason, w.clock.Now())
	w.must(err)
	if !closed {
		w.t.Fatalf("session of %s was closed already", openID)
	}
}

// wantRefusal fails unless err is the refusal.
func wantRefusal(t testing.TB, err error, kind Kind, key texts.Key) *Refusal {
	t.Helper()
	r, ok := errors.AsType[*Refusal](err)
	if !ok || r.Kind != kind || r.Key != key {
		t.Fatalf("got %v, want refusal %q of kind %d", err, key, kind)
	}
	return r
}

func wantEqual[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func wantList[T comparable](t testing.TB, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// holder is the id of who holds the session, 0 for nobody.
func holder(s models.Session) int64 {
	if s.State != models.Active || s.AgentID == nil {
		return 0
	}
	return *s.AgentID
}
