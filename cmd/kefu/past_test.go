package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/internal/platform/sim"
	"kefu/models"
)

// pastWorld is a demonstration with a team and an account, but without sample chats.
type pastWorld struct {
	app    *app
	file   string // the database
	now    time.Time
	team   []models.Agent
	groups []models.Group
}

func newPastWorld(t *testing.T, now time.Time, groups int) *pastWorld {
	t.Helper()
	ctx, log, clk := t.Context(), slog.New(slog.DiscardHandler), clock.NewStanding(now)
	file := filepath.Join(t.TempDir(), "kefu.db")
	store, err := openStore(ctx, file, clk, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &pastWorld{file: file, app: &app{store: store, clock: clk, log: log, desk: desk.New(store, clk, log, desk.Defaults(), func() {})}, now: now}
	if w.team, err = w.app.team(ctx, furnishing{agents: 2, groups: groups}); err != nil {
		t.Fatal(err)
	}
	if w.groups, err = store.Groups(ctx); err != nil {
		t.Fatal(err)
	}
	ch := models.Channel{
		UID: "u", Key: "k", Kind: "wechat", Name: demoChannel, AppID: "wx0123456789abcdef", Mode: "safe",
		Secret: []byte{1}, Token: []byte{1}, AESKey: []byte{1}, DefaultGroupID: w.groups[0].ID, CreatedAt: now,
	}
	if err := store.CreateChannel(ctx, &ch); err != nil {
		t.Fatal(err)
	}
	return w
}

// start is what a start of the demonstration does for the past: it meets a simulator that knows nobody. It returns whom the simulator
// knows afterwards, by openid.
func (w *pastWorld) start(t *testing.T) map[string]string {
	t.Helper()
	s := sim.New(sim.Options{Clock: clock.NewStanding(w.now)})
	t.Cleanup(s.Close)
	app, err := s.AddApp(sim.App{AppID: "wx0123456789abcdef", WeChatID: "qinghe_home", SkipCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.app.past(t.Context(), s, app, w.team); err != nil {
		t.Fatal(err)
	}
	return usersOf(t, s, app.AppID)
}

func usersOf(t *testing.T, s http.Handler, appid string) map[string]string {
	t.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/_sim/wechat/users?appid="+appid, nil))
	var got struct {
		Users []struct{ OpenID, Name string }
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
	}
	users := map[string]string{}
	for _, u := range got.Users {
		users[u.OpenID] = u.Name
	}
	return users
}

// rows are all closed sessions, the newest first.
func (w *pastWorld) rows(ctx context.Context, t *testing.T) []models.Row {
	t.Helper()
	rows, err := w.app.store.ClosedRows(ctx, 0, nil, time.Time{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// thread are all messages of the conversation in the order of the page.
func (w *pastWorld) thread(ctx context.Context, t *testing.T, conversationID int64) []models.Message {
	t.Helper()
	list, err := w.app.store.LastMessages(ctx, conversationID, 0, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var pastNow = time.Date(2026, 3, 4, 2, 40, 0, 0, time.UTC)

func TestPastFillsAnEmptyDemonstration(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newPastWorld(t, pastNow, 2)
	users := w.start(t)

	if open, err := w.app.store.OpenRows(ctx); err != nil || len(open) > 0 {
		t.Errorf("open sessions: %d, %v; a fresh demonstration has an empty queue", len(open), err)
	}
	rows := w.rows(ctx, t)
	if len(rows) != len(pastChats) || len(rows) < 20 {
		t.Errorf("%d sessions of %d chats", len(rows), len(pastChats))
	}
	agents, groups, reasons := map[string]int{}, map[string]int{}, map[models.CloseReason]int{}
	conversations := map[int64]int{} // messages in sessions
	for _, r := range rows {
		groups[r.GroupName]++
		reasons[r.CloseReason]++
		conversations[r.ConversationID] = 0
		if r.AgentName == nil || r.ClosedAt == nil {
			t.Fatalf("session %d: agent %v, closed at %v", r.ID, r.AgentName, r.ClosedAt)
		}
		agents[*r.AgentName]++
		if r.OpenedAt.Before(w.now.Add(-demoStart)) || r.ClosedAt.After(w.now) {
			t.Errorf("session %d lasts from %v to %v, now is %v", r.ID, r.OpenedAt, r.ClosedAt, w.now)
		}
		if took, err := w.app.store.Served(ctx, r.CustomerID, *r.AgentID, r.OpenedAt); err != nil || !took {
			t.Errorf("session %d: no hop of its agent: %v", r.ID, err)
		}
		history, err := w.app.store.History(ctx, r.ID)
		if err != nil || len(history) < 3 || history[0].Kind != "opened" || history[len(history)-1].Kind != "closed" {
			t.Errorf("session %d: history %v, %v", r.ID, history, err)
		}
	}
	if len(agents) != 3 || len(groups) != 2 || len(reasons) != 2 || reasons[models.ClosedByAgent] == 0 || reasons[models.ClosedUnfollowed] == 0 {
		t.Errorf("agents %v, groups %v, reasons %v", agents, groups, reasons)
	}
	w.endedHops(t, len(rows))

	if len(conversations) != len(pastCustomers) || len(users) != len(pastCustomers) {
		t.Errorf("%d conversations, %d customers known to the simulator, want %d", len(conversations), len(users), len(pastCustomers))
	}
	for _, c := range pastCustomers {
		if len(c.openID) != 28 || c.openID[0] != 'o' {
			t.Errorf("%q is no openid", c.openID)
		}
		if users[c.openID] != c.shown() {
			t.Errorf("the simulator calls %s %q, want %q", c.openID, users[c.openID], c.shown())
		}
	}
}

// endedHops checks that each session has one hop, in its agent's hands, and that it ended with the session.
func (w *pastWorld) endedHops(t *testing.T, sessions int) {
	t.Helper()
	db, err := sql.Open("sqlite3", w.file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read from
	var all, ended int
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*), SUM(h.ended_at = n.closed_at AND h.end_reason = n.close_reason AND h.agent_id = n.agent_id)
		FROM hops h JOIN sessions n ON n.id = h.session_id`).Scan(&all, &ended); err != nil {
		t.Fatal(err)
	}
	if all != sessions || ended != sessions {
		t.Errorf("%d hops, %d ended with their session, want %d", all, ended, sessions)
	}
}

func TestPastMessages(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newPastWorld(t, pastNow, 2)
	w.start(t)

	rows, inSession := w.rows(ctx, t), map[int64][]models.Message{}
	seen, kinds, states := map[int64]bool{}, map[string]int{}, map[models.MessageState]int{}
	for _, r := range rows {
		if seen[r.ConversationID] {
			continue
		}
		seen[r.ConversationID] = true
		var last time.Time
		for i, m := range w.thread(ctx, t, r.ConversationID) {
			if m.ShownAt.Before(last) || m.ShownAt.After(w.now) {
				t.Errorf("message %d, the %d. of conversation %d, is shown at %v after %v", m.ID, i+1, m.ConversationID, m.ShownAt, last)
			}
			last = m.ShownAt
			switch {
			case m.SessionID != nil:
				inSession[*m.SessionID] = append(inSession[*m.SessionID], m)
			case m.Kind != "menu" && m.Kind != "follow" && !m.Passive: // what invites to type comes before the session
				t.Errorf("message %d (%s) belongs to no session", m.ID, m.Kind)
			}
			kinds[string(m.Direction)+" "+m.Kind]++
			states[m.State]++
			sound(t, m)
		}
	}
	for _, kind := range []string{
		"in text", "out text", "in image", "in voice", "in location", "in link", "note note", "system assigned", "system claimed", "system closed",
		"system menu", "system follow", "system unfollow",
	} {
		if kinds[kind] == 0 {
			t.Errorf("no message %q among %v", kind, kinds)
		}
	}
	if states[models.FailedState] != 1 || states[models.UnknownState] != 1 || states[models.Queued]+states[models.Sending] != 0 {
		t.Errorf("delivery states %v", states)
	}
	for _, r := range rows {
		matches(t, r, inSession[r.ID])
	}
}

// sound checks what must be true of one message.
func sound(t *testing.T, m models.Message) {
	t.Helper()
	switch {
	case m.Direction != models.Out:
		if m.State != "" || m.Direction == models.In && m.PlatformID == "" {
			t.Errorf("message %d: state %q, platform id %q", m.ID, m.State, m.PlatformID)
		}
	case (m.State == models.Sent) != (m.SentAt != nil):
		t.Errorf("message %d: %s, sent at %v", m.ID, m.State, m.SentAt)
	case m.State == models.FailedState && (m.ErrorClass != "window" || m.ErrorCode != 45015):
		t.Errorf("message %d failed with %s %d", m.ID, m.ErrorClass, m.ErrorCode)
	case !m.Passive && (m.Face == "" || m.FaceNick == "" || m.AgentID == nil):
		t.Errorf("message %d: face %q %q, agent %v", m.ID, m.Face, m.FaceNick, m.AgentID)
	}
	if m.Data != "" && !json.Valid([]byte(m.Data)) {
		t.Errorf("message %d: data %s", m.ID, m.Data)
	}
}

// matches checks that the session's row tells of its last message.
func matches(t *testing.T, r models.Row, list []models.Message) {
	t.Helper()
	if len(list) < 4 || len(list) > 12 {
		t.Errorf("session %d has %d messages", r.ID, len(list))
	}
	var last models.Message
	for _, m := range list {
		if (m.Direction == models.In || m.Direction == models.Out) && !m.Passive {
			last = m
		}
	}
	if r.LastKind != last.Kind || r.LastText != last.Text || r.LastDirection != last.Direction || r.LastState != last.State || !r.LastAt.Equal(last.CreatedAt) {
		t.Errorf("session %d: last %s %s %s %v %q, want %s %s %s %v %q", r.ID, r.LastDirection, r.LastKind, r.LastState, r.LastAt, r.LastText,
			last.Direction, last.Kind, last.State, last.CreatedAt, last.Text)
	}
	if utf8.RuneCountInString(r.LastText) > 80 {
		t.Errorf("session %d: %q is too long for a list", r.ID, r.LastText)
	}
	if end := list[len(list)-1]; end.Kind != "closed" {
		t.Errorf("session %d ends with %s", r.ID, end.Kind)
	}
	answered := last.Direction == models.Out && last.State != models.FailedState
	if answered != (r.UnansweredSince == nil) || r.Unread != 0 {
		t.Errorf("session %d: unanswered since %v, %d unread, though the last word was %s %s", r.ID, r.UnansweredSince, r.Unread, last.Direction, last.State)
	}
}

func TestPastLeavesAKeptDemonstrationAlone(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newPastWorld(t, pastNow, 2)
	first := w.start(t)
	before := w.rows(ctx, t)
	second := w.start(t)
	if after := w.rows(ctx, t); len(after) != len(before) {
		t.Errorf("%d sessions, before %d", len(after), len(before))
	}
	for openID, name := range first {
		if second[openID] != name {
			t.Errorf("the new simulator calls %s %q, want %q", openID, second[openID], name)
		}
	}
}

func TestPastAtAnyTimeOfDay(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Time{
		"just after midnight in China":  time.Date(2026, 3, 3, 16, 0, 1, 0, time.UTC),
		"just before midnight in China": time.Date(2026, 3, 3, 15, 59, 59, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPastWorld(t, at, 1) // one group: it serves both
			w.start(t)
			for _, r := range w.rows(t.Context(), t) {
				if r.OpenedAt.Before(at.Add(-demoStart)) || r.ClosedAt.After(at) || r.GroupID != w.groups[0].ID {
					t.Errorf("session %d of group %d from %v to %v", r.ID, r.GroupID, r.OpenedAt, r.ClosedAt)
				}
			}
		})
	}
}
