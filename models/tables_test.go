package models_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"kefu/models"
	"kefu/models/modelstest"
)

var (
	noon = time.Date(2025, 3, 3, 4, 0, 0, 0, time.UTC)
	ctx  = context.Background()
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func list[T comparable](t testing.TB, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// office is a database with a group, two agents who serve it and a channel.
type office struct {
	t       testing.TB
	s       *models.Store
	group   models.Group
	channel models.Channel
	mei, he models.Agent
}

// each runs the test with an office on each database.
func each(t *testing.T, test func(t *testing.T, o *office)) {
	t.Helper()
	modelstest.Each(t, func(t *testing.T, s *models.Store) { test(t, newOffice(t, s)) })
}

func newOffice(t testing.TB, s *models.Store) *office {
	t.Helper()
	o := &office{t: t, s: s}
	o.mei, o.he = o.agent("mei", 2), o.agent("he", 2)
	o.group = models.Group{Name: "售前", QueueLimit: 200, Watch: true, CreatedAt: noon}
	must(t, s.CreateGroup(ctx, &o.group, []models.Membership{{AgentID: o.mei.ID}, {AgentID: o.he.ID}}))
	o.channel = o.anotherChannel("one")
	return o
}

func (o *office) agent(name string, capacity int) models.Agent {
	o.t.Helper()
	a := models.Agent{Username: name, Name: name, Role: models.RoleAgent, PasswordHash: "x", Capacity: capacity, AutoAccept: true, Presence: models.Online,
		PresenceAt: noon, SeenAt: &noon, CreatedAt: noon}
	must(o.t, o.s.CreateAgent(ctx, &a))
	return a
}

func (o *office) anotherChannel(key string) models.Channel {
	o.t.Helper()
	c := models.Channel{UID: key, Key: key, Kind: "wechat", Name: key, AppID: "wx", Mode: "safe", Secret: []byte{1}, Token: []byte{2}, AESKey: []byte{3},
		DefaultGroupID: o.group.ID, CreatedAt: noon}
	must(o.t, o.s.CreateChannel(ctx, &c))
	return c
}

func (o *office) place(openID string) models.Place {
	o.t.Helper()
	p, err := o.s.CreatePlace(ctx, o.channel.ID, openID, openID, noon)
	must(o.t, err)
	return p
}

// waits opens a session of the customer that arrived at the moment.
func (o *office) waits(openID string, at time.Time) models.Session {
	o.t.Helper()
	p := o.place(openID)
	n := models.Session{ChannelID: o.channel.ID, ConversationID: p.ConversationID, CustomerID: p.CustomerID, GroupID: o.group.ID, State: models.Waiting, Hop: 1,
		ArrivalAt: at, OpenedAt: at, UnansweredSince: &at, LastAt: at, LastDirection: models.In, Unread: 1}
	must(o.t, o.s.CreateSession(ctx, &n))
	return n
}

func (o *office) session(id int64) models.Session {
	o.t.Helper()
	n, err := o.s.Session(ctx, id)
	must(o.t, err)
	return n
}

// sends stores an outbound message of mei in the session and queues it.
func (o *office) sends(n models.Session, text string, part, parts int, at time.Time) models.Message {
	o.t.Helper()
	m := models.Message{ConversationID: n.ConversationID, SessionID: &n.ID, Direction: models.Out, Kind: "text", AgentID: &o.mei.ID, Text: text,
		ShownAt: at, CreatedAt: at, Part: part, Parts: parts, State: models.Queued}
	must(o.t, o.s.CreateMessage(ctx, &m))
	must(o.t, o.s.AddOutbox(ctx, models.OutboxRow{SessionID: n.ID, MessageID: m.ID, ChannelID: n.ChannelID, NextAt: at, CreatedAt: at}))
	return m
}

func (o *office) exec(query string, args ...any) error {
	return o.s.Write(ctx, func(db *models.DB) error { return db.Exec(query, args...).Error })
}

// TestTheTablesRefuseNonsense tries what a slip in a query could write.
func TestTheTablesRefuseNonsense(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		waiting, active, closed := o.waits("anna", noon), o.waits("bert", noon), o.waits("cleo", noon)
		_, err := o.s.TakeSession(ctx, active.ID, o.mei.ID, 5, noon)
		must(t, err)
		_, err = o.s.CloseSession(ctx, closed.ID, models.ClosedLeft, noon)
		must(t, err)
		in := models.Message{ConversationID: waiting.ConversationID, Direction: models.In, Kind: "text", ShownAt: noon, CreatedAt: noon}
		must(t, o.s.CreateMessage(ctx, &in))
		out := o.sends(active, "您好", 1, 1, noon)
		must(t, o.s.CreateAccount(ctx, &models.Account{ChannelID: o.channel.ID, Account: "a@x", AgentID: &o.mei.ID, CreatedAt: noon}))
		must(t, o.s.CreateAccount(ctx, &models.Account{ChannelID: o.channel.ID, Account: "b@x", CreatedAt: noon}))
		must(t, o.s.CreateAccount(ctx, &models.Account{ChannelID: o.channel.ID, Account: "c@x", CreatedAt: noon})) // many may be unbound
		must(t, o.s.MarkInbound(ctx, models.InboundKey{ChannelID: o.channel.ID, Key: "k", At: noon}))

		tests := []struct {
			name, query string
			args        []any
		}{
			{"agents · a role nobody knows", "UPDATE agents SET role = 'owner'", nil},
			{"agents · a language nobody speaks here", "UPDATE agents SET language = 'de'", nil},
			{"agents · a theme", "UPDATE agents SET theme = 'pink'", nil},
			{"agents · a density", "UPDATE agents SET density = 'huge'", nil},
			{"agents · a presence", "UPDATE agents SET presence = 'asleep'", nil},
			{"agents · fewer than no slots", "UPDATE agents SET capacity = -1", nil},
			{"agents · more slots than anybody has", "UPDATE agents SET capacity = 101", nil},
			{"agents · two of one user name", "UPDATE agents SET username = 'mei' WHERE id = ?", []any{o.he.ID}},
			{"groups · a queue for nobody", "UPDATE groups SET queue_limit = 0", nil},
			{"channels · a platform", "UPDATE channels SET kind = 'fax'", nil},
			{"channels · a mode", "UPDATE channels SET mode = 'open'", nil},
			{"channels · a default group that is not there", "UPDATE channels SET default_group_id = 999", nil},
			{"sessions · a state", "UPDATE sessions SET state = 'asleep'", nil},
			{"P-1.1 · waiting with a holder", "UPDATE sessions SET agent_id = ? WHERE id = ?", []any{o.mei.ID, waiting.ID}},
			{"P-1.1 · active without a holder", "UPDATE sessions SET agent_id = NULL WHERE id = ?", []any{active.ID}},
			{"P-1.1 · closed at no time", "UPDATE sessions SET closed_at = NULL WHERE id = ?", []any{closed.ID}},
			{"P-1.1 · closed for no reason", "UPDATE sessions SET close_reason = '' WHERE id = ?", []any{closed.ID}},
			{"P-1.4 · closed for a reason nobody knows", "UPDATE sessions SET close_reason = 'tired' WHERE id = ?", []any{closed.ID}},
			{"P-1.1 · open, with a reason to be closed", "UPDATE sessions SET close_reason = 'agent' WHERE id = ?", []any{waiting.ID}},
			{"P-1.1 · open, with an end", "UPDATE sessions SET closed_at = ? WHERE id = ?", []any{noon, waiting.ID}},
			{"P-1.1 · two open in one conversation", "UPDATE sessions SET conversation_id = ? WHERE id = ?", []any{waiting.ConversationID, active.ID}},
			{"sessions · held by somebody who is not there", "UPDATE sessions SET agent_id = 999 WHERE id = ?", []any{active.ID}},
			{"hops · two of one number", "INSERT INTO hops (session_id, number, group_id, queued_at) VALUES (?, 1, ?, ?)", []any{waiting.ID, o.group.ID, noon}},
			{"messages · a direction", "UPDATE messages SET direction = 'up'", nil},
			{"P-5.3 · a delivery state", "UPDATE messages SET state = 'lost' WHERE id = ?", []any{out.ID}},
			{"P-5.3 · outbound without a state", "UPDATE messages SET state = '' WHERE id = ?", []any{out.ID}},
			{"P-5.3 · inbound with a state", "UPDATE messages SET state = 'sent' WHERE id = ?", []any{in.ID}},
			{"outbox · one message twice", "INSERT INTO outbox (session_id, message_id, channel_id, next_at, created_at) VALUES (?, ?, ?, ?, ?)",
				[]any{active.ID, out.ID, o.channel.ID, noon, noon}},
			{"outbox · a message that is not there", "UPDATE outbox SET message_id = 999", nil},
			{"row 34 · one push twice", "INSERT INTO inbound_keys (channel_id, key, at) VALUES (?, 'k', ?)", []any{o.channel.ID, noon}},
			{"P-9 · two faces of one agent on a channel", "UPDATE accounts SET agent_id = ? WHERE account = 'b@x'", []any{o.mei.ID}},
			{"P-9 · one account twice", "UPDATE accounts SET account = 'a@x' WHERE account = 'b@x'", nil},
			{"customers · one person twice on a channel", "UPDATE customers SET external_id = 'anna'", nil},
			{"conversations · one place twice on a channel", "UPDATE conversations SET key = 'anna'", nil},
			{"a channel with customers is not deleted", "DELETE FROM channels", nil},
			{"a group with sessions is not deleted", "DELETE FROM groups", nil},
			{"an agent with sessions is not deleted", "DELETE FROM agents WHERE id = ?", []any{o.mei.ID}},
			{"a session with messages is not deleted", "DELETE FROM sessions WHERE id = ?", []any{active.ID}},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if err := o.exec(tt.query, tt.args...); err == nil {
					t.Errorf("%s was accepted", tt.query)
				}
			})
		}
	})
}

func TestDuplicatesHaveAName(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		n := o.waits("anna", noon)
		key := "1:k:1"
		note := models.Message{ConversationID: n.ConversationID, Direction: models.Note, Kind: "note", ShownAt: noon, CreatedAt: noon, IdemKey: &key}
		must(t, o.s.CreateMessage(ctx, &note))
		must(t, o.s.MarkInbound(ctx, models.InboundKey{ChannelID: o.channel.ID, Key: "k", At: noon}))
		tests := map[string]func() error{
			"a user name": func() error {
				return o.s.CreateAgent(ctx, &models.Agent{Username: "mei", Role: models.RoleAgent, Presence: models.Offline, PresenceAt: noon, CreatedAt: noon})
			},
			"an open session": func() error {
				again := n
				again.ID = 0
				return o.s.CreateSession(ctx, &again)
			},
			"a form's key": func() error { again := note; return o.s.CreateMessage(ctx, &again) },
			"a push": func() error {
				return o.s.MarkInbound(ctx, models.InboundKey{ChannelID: o.channel.ID, Key: "k", At: noon})
			},
		}
		for name, again := range tests {
			t.Run(name, func(t *testing.T) {
				if err := again(); !errors.Is(err, models.ErrDuplicate) {
					t.Errorf("got %v", err)
				}
			})
		}
		t.Run("and is no duplicate on another channel", func(t *testing.T) {
			other := o.anotherChannel("two")
			must(t, o.s.MarkInbound(ctx, models.InboundKey{ChannelID: other.ID, Key: "k", At: noon}))
		})
	})
}

func TestNothingThereIsNotFound(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		tests := map[string]func() error{
			"agent":         func() error { _, err := o.s.Agent(ctx, 999); return err },
			"user name":     func() error { _, err := o.s.AgentByUsername(ctx, "nobody"); return err },
			"log-in":        func() error { _, _, err := o.s.LiveLogin(ctx, "token", noon); return err },
			"password":      func() error { return o.s.SetPassword(ctx, 999, "x") },
			"channel":       func() error { _, err := o.s.Channel(ctx, 999); return err },
			"channel's key": func() error { _, err := o.s.ChannelByKey(ctx, "dingtalk", "one"); return err },
			"token":         func() error { _, err := o.s.AccessToken(ctx, o.channel.ID); return err },
			"group":         func() error { _, err := o.s.Group(ctx, 999); return err },
			"customer":      func() error { _, err := o.s.Customer(ctx, 999); return err },
			"conversation":  func() error { _, err := o.s.Conversation(ctx, 999); return err },
			"place":         func() error { _, err := o.s.Place(ctx, o.channel.ID, "nobody"); return err },
			"session":       func() error { _, err := o.s.Session(ctx, 999); return err },
			"last session":  func() error { _, err := o.s.LastSession(ctx, 999); return err },
			"row":           func() error { _, err := o.s.Row(ctx, 999); return err },
			"message":       func() error { _, err := o.s.Message(ctx, 999); return err },
			"message's key": func() error { _, err := o.s.MessageByKey(ctx, "1:k:1"); return err },
			"push":          func() error { _, err := o.s.InboundKey(ctx, o.channel.ID, "k"); return err },
		}
		for name, find := range tests {
			t.Run(name, func(t *testing.T) {
				if err := find(); !errors.Is(err, models.ErrNotFound) {
					t.Errorf("got %v", err)
				}
			})
		}
	})
}

func TestPlace(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		p := o.place("anna")
		find := func() models.Place {
			found, err := o.s.Place(ctx, o.channel.ID, "anna")
			must(t, err)
			return found
		}
		t.Run("made once", func(t *testing.T) {
			again := o.place("anna")
			equal(t, "conversation", again.ConversationID, p.ConversationID)
			equal(t, "customer", again.CustomerID, p.CustomerID)
			found := find()
			equal(t, "conversation", found.ConversationID, p.ConversationID)
			equal(t, "follows", found.Follows, true)
			if found.SessionID != nil || found.Blocked(noon) {
				t.Errorf("got %+v", found)
			}
		})
		t.Run("with its open session only", func(t *testing.T) {
			n := o.waits("anna", noon)
			equal(t, "session", *find().SessionID, n.ID)
			_, err := o.s.TakeSession(ctx, n.ID, o.mei.ID, 5, noon)
			must(t, err)
			found := find()
			equal(t, "holder", *found.AgentID, o.mei.ID)
			equal(t, "state", *found.SessionState, models.Active)
			_, err = o.s.CloseSession(ctx, n.ID, models.ClosedByAgent, noon.Add(time.Hour))
			must(t, err)
			found = find()
			if found.SessionID != nil || found.AgentID != nil {
				t.Errorf("got %+v", found)
			}
			equal(t, "served in", *found.LastGroupID, o.group.ID)
			equal(t, "served at", *found.LastServedAt, noon.Add(time.Hour))
		})
		t.Run("with its remembered route", func(t *testing.T) {
			must(t, o.s.RememberRoute(ctx, p.ConversationID, o.group.ID, noon.Add(time.Minute)))
			found := find()
			equal(t, "group", *found.RouteGroupID, o.group.ID)
			equal(t, "until", *found.RouteUntil, noon.Add(time.Minute))
		})
		t.Run("the same openid on another channel is somebody else", func(t *testing.T) {
			other := o.anotherChannel("two")
			q, err := o.s.CreatePlace(ctx, other.ID, "anna", "anna", noon)
			must(t, err)
			if q.ConversationID == p.ConversationID || q.CustomerID == p.CustomerID {
				t.Errorf("got %+v beside %+v", q, p)
			}
		})
		t.Run("P-1.1 · one person in two places is one customer", func(t *testing.T) {
			q, err := o.s.CreatePlace(ctx, o.channel.ID, "chat-7", "anna", noon)
			must(t, err)
			equal(t, "customer", q.CustomerID, p.CustomerID)
			if q.ConversationID == p.ConversationID {
				t.Error("the same conversation")
			}
		})
		t.Run("P-12.8 · blocked, for ever or until a moment", func(t *testing.T) {
			must(t, o.exec("UPDATE customers SET blocked_at = ? WHERE id = ?", noon, p.CustomerID))
			equal(t, "blocked", find().Blocked(noon.Add(1000*time.Hour)), true)
			must(t, o.exec("UPDATE customers SET blocked_until = ? WHERE id = ?", noon.Add(time.Hour), p.CustomerID))
			equal(t, "blocked", find().Blocked(noon.Add(time.Hour-1)), true)
			equal(t, "blocked at its end", find().Blocked(noon.Add(time.Hour)), false)
		})
	})
}

func TestGrants(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.place("anna").ConversationID
		grant := func(scene string, count int, at time.Time) {
			must(t, o.s.SaveGrant(ctx, models.Grant{ConversationID: id, Scene: scene, Count: count, GrantedAt: at, ExpiresAt: at.Add(time.Hour)}))
		}
		grants := func() []string {
			found, err := o.s.Grants(ctx, id)
			must(t, err)
			var short []string
			for _, g := range found {
				short = append(short, fmt.Sprintf("%s %d at %s", g.Scene, g.Count, g.GrantedAt.Format("15:04")))
			}
			return short
		}
		grant("message", 5, noon)
		grant("menu", 3, noon)
		list(t, "one of each scene", grants(), "menu 3 at 04:00", "message 5 at 04:00")
		must(t, o.s.EmptyGrants(ctx, id))
		list(t, "P-4.1 · 45047: nothing left", grants(), "menu 0 at 04:00", "message 0 at 04:00")
		grant("message", 5, noon)
		list(t, "P-4.1 · the same again refills nothing", grants(), "menu 0 at 04:00", "message 0 at 04:00")
		grant("message", 5, noon.Add(-time.Hour))
		list(t, "P-1.2c · an older one that comes late changes nothing", grants(), "menu 0 at 04:00", "message 0 at 04:00")
		grant("message", 5, noon.Add(time.Hour))
		list(t, "P-4.1 · a newer one refills", grants(), "menu 0 at 04:00", "message 5 at 05:00")
		must(t, o.s.DropGrants(ctx, id))
		list(t, "row 14 · dropped", grants())
	})
}

func TestTokensAlarmsPausesAndRoutes(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		t.Run("a slow answer does not overwrite a newer token", func(t *testing.T) {
			save := func(value string, issued time.Time) {
				must(t, o.s.SaveAccessToken(ctx, models.AccessToken{ChannelID: o.channel.ID, Value: []byte(value), IssuedAt: issued, ExpiresAt: issued.Add(2 * time.Hour)}))
			}
			save("one", noon)
			save("two", noon.Add(time.Minute))
			save("late", noon.Add(time.Second))
			token, err := o.s.AccessToken(ctx, o.channel.ID)
			must(t, err)
			equal(t, "token", string(token.Value), "two")
			equal(t, "expires", token.ExpiresAt, noon.Add(2*time.Hour+time.Minute))
		})
		t.Run("secrets come back as they went in", func(t *testing.T) {
			c, err := o.s.ChannelByKey(ctx, "wechat", "one")
			must(t, err)
			if string(c.Secret) != "\x01" || string(c.Token) != "\x02" || string(c.AESKey) != "\x03" {
				t.Errorf("got %+v", c)
			}
		})
		t.Run("an alarm and its end", func(t *testing.T) {
			must(t, o.s.SetAlarm(ctx, o.channel.ID, "alarm.token", "40001", noon))
			c, err := o.s.Channel(ctx, o.channel.ID)
			must(t, err)
			equal(t, "alarm", c.Alarm+" "+c.AlarmDetail, "alarm.token 40001")
			must(t, o.s.SetAlarm(ctx, o.channel.ID, "", "", noon))
			c, err = o.s.Channel(ctx, o.channel.ID)
			must(t, err)
			equal(t, "alarm", c.Alarm, "")
		})
		t.Run("a route is where it was set last", func(t *testing.T) {
			other := models.Group{Name: "售后", QueueLimit: 1, CreatedAt: noon}
			must(t, o.s.CreateGroup(ctx, &other, nil))
			must(t, o.s.SetRoute(ctx, o.channel.ID, "key", o.group.ID))
			must(t, o.s.SetRoute(ctx, o.channel.ID, "key", other.ID))
			id, err := o.s.RouteGroup(ctx, o.channel.ID, "key")
			must(t, err)
			equal(t, "group", id, other.ID)
			id, err = o.s.RouteGroup(ctx, o.channel.ID, "elsewhere")
			must(t, err)
			equal(t, "nowhere", id, 0)
			must(t, o.exec("DELETE FROM groups WHERE id = ?", other.ID))
			id, err = o.s.RouteGroup(ctx, o.channel.ID, "key")
			must(t, err)
			equal(t, "after the group has gone", id, 0)
		})
		t.Run("P-9 · a face is the agent's own, unbroken one", func(t *testing.T) {
			must(t, o.s.CreateAccount(ctx, &models.Account{ChannelID: o.channel.ID, Account: "mei@x", Nick: "小美", AgentID: &o.mei.ID, CreatedAt: noon}))
			face := func(a models.Agent) string {
				f, err := o.s.Face(ctx, o.channel.ID, a.ID)
				must(t, err)
				return f.Account
			}
			equal(t, "face", face(o.mei), "mei@x")
			equal(t, "face of a colleague", face(o.he), "")
			must(t, o.s.BreakAccount(ctx, o.channel.ID, "mei@x", noon))
			equal(t, "broken face", face(o.mei), "")
		})
	})
}

func TestGroupsAndMembers(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		other := models.Group{Name: "售后", QueueLimit: 1, Position: -1, CreatedAt: noon}
		must(t, o.s.CreateGroup(ctx, &other, nil))
		must(t, o.s.AddMember(ctx, models.Membership{GroupID: other.ID, AgentID: o.he.ID, Supervisor: true}))
		must(t, o.s.AddMember(ctx, models.Membership{GroupID: other.ID, AgentID: o.mei.ID}))
		t.Run("in the admin's order", func(t *testing.T) {
			groups, err := o.s.Groups(ctx)
			must(t, err)
			equal(t, "first", groups[0].Name, "售后")
			members, err := o.s.Members(ctx, []int64{other.ID}, noon)
			must(t, err)
			equal(t, "first", members[0].AgentID, o.he.ID)
			equal(t, "second", members[1].AgentID, o.mei.ID)
			all, err := o.s.Memberships(ctx, 0)
			must(t, err)
			equal(t, "memberships", len(all), 4)
			own, err := o.s.Memberships(ctx, o.he.ID)
			must(t, err)
			equal(t, "own", len(own), 2)
		})
		t.Run("P-2.4 · load over all groups: 1, quiet for 10 min 0.25, closed and waiting nothing", func(t *testing.T) {
			live, quiet, closed := o.waits("anna", noon), o.waits("bert", noon), o.waits("cleo", noon)
			o.waits("dora", noon)
			for _, n := range []models.Session{live, quiet, closed} {
				_, err := o.s.TakeSession(ctx, n.ID, o.mei.ID, 5, noon)
				must(t, err)
			}
			_, err := o.s.CloseSession(ctx, closed.ID, models.ClosedByAgent, noon)
			must(t, err)
			_, err = o.s.NoteInbound(ctx, live.ID, "text", "在吗", noon.Add(time.Minute))
			must(t, err)
			for _, tt := range []struct {
				at   time.Duration
				want float64
			}{{time.Minute, 2}, {10 * time.Minute, 2}, {10*time.Minute + time.Millisecond, 1.25}, {11*time.Minute + time.Millisecond, 0.5}} {
				load, err := o.s.Load(ctx, o.mei.ID, noon.Add(tt.at))
				must(t, err)
				equal(t, fmt.Sprint("load after ", tt.at), load, tt.want)
				members, err := o.s.Members(ctx, []int64{o.group.ID, other.ID}, noon.Add(tt.at))
				must(t, err)
				for _, m := range members {
					want := 0.0
					if m.AgentID == o.mei.ID {
						want = tt.want
					}
					equal(t, "load of a member", m.Load, want)
				}
			}
		})
		t.Run("who is disabled is no member any more", func(t *testing.T) {
			must(t, o.exec("UPDATE agents SET disabled_at = ? WHERE id = ?", noon, o.he.ID))
			members, err := o.s.Members(ctx, []int64{o.group.ID}, noon)
			must(t, err)
			equal(t, "members", len(members), 1)
		})
		t.Run("of no groups there are none", func(t *testing.T) {
			members, err := o.s.Members(ctx, nil, noon)
			must(t, err)
			equal(t, "members", len(members), 0)
		})
	})
}

func TestSilentAgents(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		away, never := o.agent("away", 1), o.agent("never", 1)
		must(t, o.s.SetPresence(ctx, away.ID, models.Offline, noon.Add(-time.Hour)))
		must(t, o.exec("UPDATE agents SET seen_at = NULL WHERE id = ?", never.ID))
		must(t, o.s.SetPresence(ctx, o.he.ID, models.Break, noon.Add(-time.Hour)))
		must(t, o.s.TouchAgents(ctx, []int64{o.mei.ID, away.ID}, noon))
		gone, err := o.s.OfflineSince(ctx, noon, noon.Add(time.Minute))
		must(t, err)
		slices.Sort(gone)
		list(t, "gone", gone, o.he.ID, never.ID)
		a, err := o.s.Agent(ctx, o.he.ID)
		must(t, err)
		equal(t, "presence", a.Presence, models.Offline)
		equal(t, "since", a.PresenceAt, noon.Add(time.Minute))
		a, err = o.s.Agent(ctx, o.mei.ID)
		must(t, err)
		equal(t, "presence of who was seen", a.Presence, models.Online)
	})
}
