package delivery

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
	"kefu/models"
	"kefu/models/modelstest"
)

func TestMain(m *testing.M) { modelstest.Main(m) }

// noon is when every stage begins: 12:00 in China.
var noon = time.Date(2025, 3, 3, 4, 0, 0, 0, time.UTC)

// patience bounds every wait of a test.
const patience = 30 * time.Second

// phone is a platform. It notes every call and answers as it is told.
type phone struct {
	mu     sync.Mutex
	answer func(c call, nth int) error // nil takes everything
	calls  []call
	began  chan call     // with room; when not nil, told of each call …
	let    chan struct{} // … which then waits for this, or for its context
	broken error         // there is no sender
}

// call is one Send, by the text of its message.
type call struct {
	to, text, face, key string
	at                  time.Time
}

func (p *phone) repair() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = nil
}

// says makes the phone give the texts' calls these answers, in turn; then it takes everything.
func (p *phone) says(answers ...error) {
	p.answer = func(_ call, nth int) error {
		if nth <= len(answers) {
			return answers[nth-1]
		}
		return nil
	}
}

func (s *stage) send(ctx context.Context, to platform.Conversation, c platform.Content, as platform.Face, key string) error {
	p := s.phone
	one := call{to: to.Key, text: c.(platform.OutText).Text, face: as.Account, key: key, at: s.clock.Now()}
	p.mu.Lock()
	p.calls = append(p.calls, one)
	nth := 0
	for _, c := range p.calls {
		if c.text == one.text {
			nth++
		}
	}
	p.mu.Unlock()
	if p.began != nil {
		p.began <- one
		select {
		case <-p.let:
		case <-ctx.Done():
			return &platform.Error{Class: platform.Unsure, Text: "given up on the way", Err: context.Cause(ctx)}
		}
	}
	if p.answer == nil {
		return nil
	}
	return p.answer(one, nth)
}

// texts are what was sent, in order.
func (p *phone) texts() (list []string) {
	for _, c := range p.all() {
		list = append(list, c.text)
	}
	return list
}

func (p *phone) all() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// stage is one channel with an agent who has a face, on a real database, and a clock that stands.
type stage struct {
	t       testing.TB
	url     string
	store   *models.Store
	clock   *clock.Movable
	phone   *phone
	group   models.Group
	agent   models.Agent
	channel models.Channel
}

const face = "lin@brand"

func each(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newStage(t, modelstest.SQLiteURL(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newStage(t, modelstest.PostgresURL(t)))
	})
}

func newStage(t testing.TB, url string) *stage {
	t.Helper()
	s := &stage{t: t, url: url, store: modelstest.Open(t, url), clock: clock.NewStanding(noon), phone: &phone{}}
	s.group = models.Group{Name: "售前", QueueLimit: 200, TargetTake: 180, TargetFirst: 60, TargetNext: 180, CreatedAt: noon}
	s.must(s.store.CreateGroup(t.Context(), &s.group, nil))
	s.agent = models.Agent{Username: "lin", Name: "林", Role: models.RoleAgent, PasswordHash: "none", Capacity: 5, Presence: models.Online, PresenceAt: noon, CreatedAt: noon}
	s.must(s.store.CreateAgent(t.Context(), &s.agent))
	s.channel = s.addChannel("one")
	s.must(s.store.CreateAccount(t.Context(), &models.Account{ChannelID: s.channel.ID, Account: face, Nick: "小林", AgentID: &s.agent.ID, CreatedAt: noon}))
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) addChannel(key string) models.Channel {
	s.t.Helper()
	c := models.Channel{UID: key, Key: key, Kind: "wechat", Name: key, AppID: "wx" + key, Mode: "safe", Secret: []byte{1}, Token: []byte{1}, AESKey: []byte{1},
		DefaultGroupID: s.group.ID, CreatedAt: noon}
	s.must(s.store.CreateChannel(s.t.Context(), &c))
	return c
}

// session is a served session of a customer who has just written.
func (s *stage) session(openID string) models.Session {
	s.t.Helper()
	return s.sessionOn(s.channel, openID)
}

func (s *stage) sessionOn(c models.Channel, openID string) models.Session {
	s.t.Helper()
	ctx := s.t.Context()
	p, err := s.store.CreatePlace(ctx, c.ID, openID, openID, noon)
	s.must(err)
	n := models.Session{ChannelID: c.ID, ConversationID: p.ConversationID, CustomerID: p.CustomerID, GroupID: s.group.ID, State: models.Active, AgentID: &s.agent.ID,
		Hop: 1, ArrivalAt: noon, OpenedAt: noon, AssignedAt: &noon, LastAt: noon, UnansweredSince: &noon}
	s.must(s.store.CreateSession(ctx, &n))
	in := models.Message{ConversationID: p.ConversationID, SessionID: &n.ID, Direction: models.In, Kind: "text", Text: "在吗", ShownAt: noon, CreatedAt: noon}
	s.must(s.store.CreateMessage(ctx, &in))
	s.must(s.store.SaveGrant(ctx, models.Grant{ConversationID: p.ConversationID, Scene: models.SceneMessage, Count: 5, GrantedAt: noon, ExpiresAt: noon.Add(48 * time.Hour)}))
	return n
}

// reply queues the parts as the desk does; faced ones go out with the agent's face.
func (s *stage) reply(n models.Session, faced bool, parts ...string) (ids []int64) {
	s.t.Helper()
	now := s.clock.Now()
	s.must(s.store.InTx(s.t.Context(), func(tx *models.Store) error {
		ids = nil
		for i, text := range parts {
			key := fmt.Sprintf("%d:%s:%d", s.agent.ID, text, i+1)
			m := models.Message{ConversationID: n.ConversationID, SessionID: &n.ID, Direction: models.Out, Kind: "text", AgentID: &s.agent.ID, Text: text, ShownAt: now, CreatedAt: now,
				IdemKey: &key, Part: i + 1, Parts: len(parts), State: models.Queued}
			if faced {
				m.Face, m.FaceNick = face, "小林"
			}
			if err := tx.CreateMessage(s.t.Context(), &m); err != nil {
				return err
			}
			row := models.OutboxRow{SessionID: n.ID, MessageID: m.ID, ChannelID: n.ChannelID, NextAt: now, CreatedAt: now}
			if err := tx.AddOutbox(s.t.Context(), row); err != nil {
				return err
			}
			ids = append(ids, m.ID)
		}
		return tx.NoteOutbound(s.t.Context(), n.ID, 0, "text", parts[len(parts)-1], models.Queued, now)
	}))
	return ids
}

// options are those of a worker on the stage.
func (s *stage) options() Options {
	return Options{Store: s.store, Channels: senders{s}, Clock: s.clock, Alone: true, Rate: 1000, Rand: func() float64 { return 0 }}
}

type senders struct{ s *stage }

func (x senders) Sender(context.Context, int64) (platform.Sender, error) {
	p := x.s.phone
	p.mu.Lock()
	defer p.mu.Unlock()
	return x, p.broken
}

func (x senders) Send(ctx context.Context, to platform.Conversation, c platform.Content, as platform.Face, key string) (platform.Receipt, error) {
	return platform.Receipt{}, x.s.send(ctx, to, c, as, key)
}

// start runs a worker until the test ends or stop is called, which waits for it.
func (s *stage) start(o Options) (w *Worker, stop func()) {
	s.t.Helper()
	w = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	stop = func() {
		s.t.Helper()
		cancel()
		s.wait(ended, "the worker's end")
	}
	s.t.Cleanup(stop)
	return w, stop
}

// work starts the usual worker and lets it come to rest; moving the clock then waits for it, too.
func (s *stage) work() *Worker {
	s.t.Helper()
	w, _ := s.start(s.options())
	s.idle(w)
	s.clock.OnStep(func(ctx context.Context) { _ = w.Idle(ctx) })
	return w
}

func (s *stage) idle(w *Worker) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := w.Idle(ctx); err != nil {
		s.t.Fatalf("worker does not come to rest after %d calls: %v", len(s.phone.all()), err)
	}
}

func (s *stage) advance(d time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.clock.Advance(ctx, d); err != nil {
		s.t.Fatalf("clock at %s after %d calls: %v", s.clock.Now(), len(s.phone.all()), err)
	}
}

func (s *stage) wait(c <-chan struct{}, what string) {
	s.t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		s.t.Fatalf("waited in vain for %s after %d calls", what, len(s.phone.all()))
	}
}

// begin waits for the phone's next call.
func (s *stage) begin() call {
	s.t.Helper()
	select {
	case c := <-s.phone.began:
		return c
	case <-time.After(patience):
		s.t.Fatal("no call came")
		panic("unreachable")
	}
}

func (s *stage) message(id int64) models.Message {
	s.t.Helper()
	m, err := s.store.Message(s.t.Context(), id)
	s.must(err)
	return m
}

func (s *stage) is(id int64, state models.MessageState, class string, code int) {
	s.t.Helper()
	if m := s.message(id); m.State != state || m.ErrorClass != class || m.ErrorCode != code {
		s.t.Errorf("%s: %s %s %d, want %s %s %d", m.Text, m.State, m.ErrorClass, m.ErrorCode, state, class, code)
	}
}

func (s *stage) alarm() string {
	s.t.Helper()
	c, err := s.store.Channel(s.t.Context(), s.channel.ID)
	s.must(err)
	return c.Alarm
}

func (s *stage) queued() int64 {
	s.t.Helper()
	n, err := s.store.OutboxLength(s.t.Context())
	s.must(err)
	return n
}

func (s *stage) events(kind models.EventKind) (n int) {
	s.t.Helper()
	list, err := s.store.EventsAfter(s.t.Context(), 0, 100_000)
	s.must(err)
	for _, e := range list {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// raw is a second connection, for what only a fault does.
func (s *stage) raw(statements ...string) {
	s.t.Helper()
	driver := "sqlite3"
	if s.store.Dialect() == models.Postgres {
		driver = "pgx"
	}
	db, err := sql.Open(driver, s.url)
	s.must(err)
	defer db.Close()
	for _, q := range statements {
		_, err := db.Exec(q)
		s.must(err)
	}
}

func refusal(class platform.Class, code int) error {
	return &platform.Error{Class: class, Code: code, Text: "as the platform says it"}
}
