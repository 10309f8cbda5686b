package models_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kefu/models"
	"kefu/models/modelstest"
)

// hops are the session's stretches in short: "1 by 0", "2 by 3 ended agent".
func (o *office) hops(id int64) []string {
	o.t.Helper()
	var rows []struct {
		Number    int
		AgentID   int64
		EndReason string
	}
	must(o.t, o.s.Handle(ctx).Raw("SELECT number, COALESCE(agent_id, 0) AS agent_id, end_reason FROM hops WHERE session_id = ? ORDER BY number", id).Scan(&rows).Error)
	var short []string
	for _, r := range rows {
		short = append(short, strings.TrimSpace(fmt.Sprintf("%d by %d %s", r.Number, r.AgentID, r.EndReason)))
	}
	return short
}

func TestTakeSession(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		first, second, third := o.waits("anna", noon), o.waits("bert", noon), o.waits("cleo", noon)
		take := func(n models.Session, a models.Agent, capacityOf int, at time.Time) bool {
			won, err := o.s.TakeSession(ctx, n.ID, a.ID, capacityOf, at)
			must(t, err)
			return won
		}
		t.Run("P-2.5 · a waiting one is taken once", func(t *testing.T) {
			equal(t, "won", take(first, o.mei, 2, noon.Add(time.Minute)), true)
			equal(t, "won by a colleague", take(first, o.he, 2, noon.Add(time.Minute)), false)
			n := o.session(first.ID)
			equal(t, "held by mei", n.Held(o.mei.ID), true)
			equal(t, "held by he", n.Held(o.he.ID), false)
			equal(t, "assigned at", *n.AssignedAt, noon.Add(time.Minute))
			list(t, "hops", o.hops(n.ID), fmt.Sprintf("1 by %d", o.mei.ID))
			a, err := o.s.Agent(ctx, o.mei.ID)
			must(t, err)
			equal(t, "last assigned", *a.LastAssignedAt, noon.Add(time.Minute))
		})
		t.Run("P-2.5 · not above capacity", func(t *testing.T) {
			equal(t, "one slot", take(second, o.mei, 1, noon.Add(time.Minute)), false)
			equal(t, "two slots", take(second, o.mei, 2, noon.Add(time.Minute)), true)
			equal(t, "full", take(third, o.mei, 2, noon.Add(time.Minute)), false)
			equal(t, "no slots at all", take(third, o.he, 0, noon.Add(time.Minute)), false)
		})
		t.Run("P-2.4 · quiet sessions weigh a quarter", func(t *testing.T) {
			equal(t, "after ten minutes", take(third, o.mei, 2, noon.Add(11*time.Minute)), false)
			equal(t, "a moment later", take(third, o.mei, 2, noon.Add(11*time.Minute+time.Millisecond)), true)
		})
		t.Run("row 11 · whatever the load", func(t *testing.T) {
			equal(t, "won", take(o.waits("dora", noon), o.mei, models.AnyLoad, noon), true)
		})
		t.Run("row 35 · a closed one is nobody's", func(t *testing.T) {
			n := o.waits("emil", noon)
			closed, err := o.s.CloseSession(ctx, n.ID, models.ClosedLeft, noon)
			must(t, err)
			equal(t, "closed", closed, true)
			equal(t, "won", take(n, o.he, 2, noon), false)
		})
	})
}

// TestTakeSessionAtOnce has two processes give one agent the last slot, many times.
func TestTakeSessionAtOnce(t *testing.T) {
	s := modelstest.Postgres(t)
	o := newOffice(t, s)
	stores := []*models.Store{s, modelstest.Open(t, s.Address())}
	for i := range 20 {
		pair := []models.Session{o.waits(fmt.Sprint("a", i), noon), o.waits(fmt.Sprint("b", i), noon)}
		var won atomic.Int32
		var all sync.WaitGroup
		for n := range pair {
			all.Go(func() {
				ok, err := stores[n].TakeSession(ctx, pair[n].ID, o.mei.ID, 1, noon)
				if err != nil {
					t.Error(err)
				}
				if ok {
					won.Add(1)
				}
			})
		}
		all.Wait()
		equal(t, "won", won.Load(), 1)
		for _, n := range pair {
			_, err := s.CloseSession(ctx, n.ID, models.ClosedLeft, noon)
			must(t, err)
		}
	}
}

func TestCloseAndReopenSession(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		n := o.waits("anna", noon)
		_, err := o.s.TakeSession(ctx, n.ID, o.mei.ID, 5, noon)
		must(t, err)
		closeIt := func(at time.Time) bool {
			won, err := o.s.CloseSession(ctx, n.ID, models.ClosedByAgent, at)
			must(t, err)
			return won
		}
		reopen := func(at time.Time) bool {
			won, err := o.s.ReopenSession(ctx, o.session(n.ID), at.Add(2*time.Minute), at)
			must(t, err)
			return won
		}
		t.Run("an open one is not reopened", func(t *testing.T) { equal(t, "won", reopen(noon), false) })
		t.Run("closed once", func(t *testing.T) {
			equal(t, "won", closeIt(noon.Add(time.Minute)), true)
			equal(t, "won again", closeIt(noon.Add(time.Hour)), false)
			got := o.session(n.ID)
			equal(t, "closed at", *got.ClosedAt, noon.Add(time.Minute))
			equal(t, "unread", got.Unread, 0)
			equal(t, "last holder", *got.AgentID, o.mei.ID)
			list(t, "hops", o.hops(n.ID), fmt.Sprintf("1 by %d agent", o.mei.ID))
		})
		t.Run("row 2 · reopened once: another hop, arrival now, the old holder preferred", func(t *testing.T) {
			at := noon.Add(5 * time.Minute)
			equal(t, "won", reopen(at), true)
			equal(t, "won again", reopen(at), false)
			got := o.session(n.ID)
			equal(t, "state", got.State, models.Waiting)
			equal(t, "hop", got.Hop, 2)
			equal(t, "arrival", got.ArrivalAt, at)
			equal(t, "opened", got.OpenedAt, noon)
			equal(t, "preferred", *got.PreferredAgentID, o.mei.ID)
			if got.AgentID != nil || got.AssignedAt != nil || got.ClosedAt != nil || got.UnansweredSince != nil {
				t.Errorf("got %+v", got)
			}
			list(t, "hops", o.hops(n.ID), fmt.Sprintf("1 by %d agent", o.mei.ID), "2 by 0")
		})
		t.Run("taken again: the preference is used up", func(t *testing.T) {
			_, err := o.s.TakeSession(ctx, n.ID, o.he.ID, 5, noon.Add(6*time.Minute))
			must(t, err)
			if got := o.session(n.ID); got.PreferredAgentID != nil || got.PreferredUntil != nil {
				t.Errorf("still preferred: %+v", got)
			}
			list(t, "hops", o.hops(n.ID), fmt.Sprintf("1 by %d agent", o.mei.ID), fmt.Sprintf("2 by %d", o.he.ID))
		})
		t.Run("both took part", func(t *testing.T) {
			for _, a := range []models.Agent{o.mei, o.he} {
				served, err := o.s.Served(ctx, n.CustomerID, a.ID, noon.Add(-time.Hour))
				must(t, err)
				equal(t, a.Username+" took part", served, true)
				long, err := o.s.Served(ctx, n.CustomerID, a.ID, noon.Add(time.Hour))
				must(t, err)
				equal(t, a.Username+" took part since", long, false)
			}
			served, err := o.s.Served(ctx, n.CustomerID, 999, noon.Add(-time.Hour))
			must(t, err)
			equal(t, "a stranger took part", served, false)
		})
	})
}

func TestTheCustomersClock(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		n := o.waits("anna", noon)
		_, err := o.s.TakeSession(ctx, n.ID, o.mei.ID, models.AnyLoad, noon)
		must(t, err)
		at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
		says := func(minutes int) models.Message {
			m := models.Message{ConversationID: n.ConversationID, SessionID: &n.ID, Direction: models.In, Kind: "text", ShownAt: at(minutes), CreatedAt: at(minutes)}
			must(t, o.s.CreateMessage(ctx, &m))
			_, err := o.s.NoteInbound(ctx, n.ID, "text", "在吗", at(minutes))
			must(t, err)
			return m
		}
		answer := func(minutes int) models.Message {
			m := o.sends(n, "您好", 1, 1, at(minutes))
			must(t, o.s.NoteOutbound(ctx, n.ID, o.mei.ID, "text", "您好", models.Queued, at(minutes)))
			return m
		}
		becomes := func(m models.Message, state models.MessageState) {
			m.State = state
			must(t, o.s.SetMessageState(ctx, m))
			must(t, o.s.NoteDelivered(ctx, m))
		}
		since := func(what string, want *time.Time) {
			t.Helper()
			got := o.session(n.ID).UnansweredSince
			if (got == nil) != (want == nil) || got != nil && !got.Equal(*want) {
				t.Errorf("%s: unanswered since %v, want %v", what, got, want)
			}
		}
		ptr := func(t time.Time) *time.Time { return &t }
		must(t, o.s.CreateMessage(ctx, &models.Message{ConversationID: n.ConversationID, SessionID: &n.ID, Direction: models.In, Kind: "text", ShownAt: noon, CreatedAt: noon}))
		says(1)
		since("P-2.9 · from the first message", ptr(noon))
		one := answer(2)
		since("P-2.9 · queued does not stop it", ptr(noon))
		becomes(one, models.FailedState)
		since("P-2.9 · failed neither", ptr(noon))
		equal(t, "last state", o.session(n.ID).LastState, models.FailedState)
		two := answer(3)
		becomes(two, models.UnknownState)
		since("P-2.9 · unknown does", nil)
		equal(t, "last state", o.session(n.ID).LastState, models.UnknownState)
		says(5)
		since("P-2.9 · the next message starts it", ptr(at(5)))
		equal(t, "last state of what the customer said", o.session(n.ID).LastState, "")
		three := answer(6)
		says(7)
		becomes(three, models.Sent)
		since("P-2.9 · a message that came after the answer goes on waiting", ptr(at(7)))
		equal(t, "unread", o.session(n.ID).Unread, 1)
		becomes(one, models.Sent)
		since("P-2.9 · so it does when an older answer arrives late", ptr(at(7)))
		equal(t, "an older message does not change the list's state", o.session(n.ID).LastState, "")
		must(t, o.s.NoteOutbound(ctx, n.ID, o.he.ID, "text", "您好", models.Queued, at(8)))
		equal(t, "unread by the holder after somebody else wrote", o.session(n.ID).Unread, 1)
		t.Run("row 35 · nothing is noted in a closed session", func(t *testing.T) {
			_, err := o.s.CloseSession(ctx, n.ID, models.ClosedLeft, at(9))
			must(t, err)
			open, err := o.s.NoteInbound(ctx, n.ID, "text", "在吗", at(9))
			must(t, err)
			equal(t, "open", open, false)
		})
	})
}

func TestTheOrderOfTheQueue(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		late, early, same1, same2 := o.waits("late", noon.Add(2*time.Second)), o.waits("early", noon), o.waits("same1", noon.Add(time.Second)), o.waits("same2", noon.Add(time.Second))
		other := models.Group{Name: "售后", QueueLimit: 1, CreatedAt: noon}
		must(t, o.s.CreateGroup(ctx, &other, nil))
		elsewhere := o.waits("elsewhere", noon)
		must(t, o.exec("UPDATE sessions SET group_id = ? WHERE id = ?", other.ID, elsewhere.ID))
		order := func(limit int, groups ...int64) []int64 {
			list, err := o.s.WaitingOrder(ctx, groups, limit)
			must(t, err)
			var ids []int64
			for _, w := range list {
				ids = append(ids, w.ID)
			}
			return ids
		}
		list(t, "P-2.1 · by arrival, then id", order(10, o.group.ID), early.ID, same1.ID, same2.ID, late.ID)
		list(t, "P-2.1 · one order over all groups", order(3, o.group.ID, other.ID), early.ID, elsewhere.ID, same1.ID)
		list(t, "of no groups", order(10))
		for i, n := range []models.Session{early, same1, same2, late} {
			ahead, err := o.s.Ahead(ctx, n)
			must(t, err)
			equal(t, "P-3.1 · ahead, never oneself", ahead, i)
		}
		ahead, err := o.s.Ahead(ctx, o.session(elsewhere.ID))
		must(t, err)
		equal(t, "P-3.1 · ahead in another group", ahead, 0)
		for limit, want := range map[int]int{10: 4, 4: 4, 3: 3} {
			length, err := o.s.QueueLength(ctx, o.group.ID, limit)
			must(t, err)
			equal(t, fmt.Sprint("P-2.7 · length up to ", limit), length, want)
		}
	})
}

func TestRows(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		anna, bert, cleo := o.waits("anna", noon), o.waits("bert", noon.Add(time.Second)), o.waits("cleo", noon.Add(2*time.Second))
		must(t, o.exec("UPDATE customers SET remark = 'VIP', name = '安娜' WHERE external_id = 'anna'"))
		must(t, o.s.SaveGrant(ctx, models.Grant{ConversationID: anna.ConversationID, Scene: models.SceneMessage, Count: 5, GrantedAt: noon, ExpiresAt: noon.Add(time.Hour)}))
		must(t, o.s.SaveGrant(ctx, models.Grant{ConversationID: anna.ConversationID, Scene: "menu", Count: 3, GrantedAt: noon, ExpiresAt: noon.Add(time.Minute)}))
		_, err := o.s.TakeSession(ctx, bert.ID, o.mei.ID, 5, noon)
		must(t, err)
		who := func(rows []models.Row, err error) []string {
			t.Helper()
			must(t, err)
			var names []string
			for _, r := range rows {
				names = append(names, r.ExternalID)
			}
			return names
		}
		t.Run("with names instead of ids", func(t *testing.T) {
			r, err := o.s.Row(ctx, anna.ID)
			must(t, err)
			equal(t, "row", fmt.Sprint(r.Remark, r.CustomerName, r.ExternalID, r.GroupName, r.ChannelName, r.ChannelKind, r.Watch), "VIP安娜anna售前onewechattrue")
			equal(t, "window ends", *r.WindowEnds, noon.Add(time.Hour))
			if r.AgentName != nil {
				t.Errorf("held by %s", *r.AgentName)
			}
			r, err = o.s.Row(ctx, bert.ID)
			must(t, err)
			equal(t, "holder", *r.AgentName, "mei")
			if r.WindowEnds != nil {
				t.Errorf("window until %v", r.WindowEnds)
			}
		})
		t.Run("the open ones, by arrival", func(t *testing.T) {
			rows, err := o.s.OpenRows(ctx)
			list(t, "open", who(rows, err), "anna", "bert", "cleo")
		})
		t.Run("the closed ones, newest first", func(t *testing.T) {
			for i, n := range []models.Session{cleo, bert} {
				_, err := o.s.CloseSession(ctx, n.ID, models.ClosedLeft, noon.Add(time.Duration(i+1)*time.Minute))
				must(t, err)
			}
			list(t, "all", who(o.s.ClosedRows(ctx, 0, nil, noon, 10)), "bert", "cleo")
			list(t, "of the group", who(o.s.ClosedRows(ctx, 0, []int64{o.group.ID}, noon, 10)), "bert", "cleo")
			list(t, "of another group", who(o.s.ClosedRows(ctx, 0, []int64{999}, noon, 10)))
			list(t, "of an agent", who(o.s.ClosedRows(ctx, o.mei.ID, nil, noon, 10)), "bert")
			list(t, "since", who(o.s.ClosedRows(ctx, 0, nil, noon.Add(2*time.Minute), 10)), "bert")
			list(t, "a few", who(o.s.ClosedRows(ctx, 0, nil, noon, 1)), "bert")
			again := o.waits("bert", noon.Add(time.Hour))
			list(t, "earlier ones of the customer", who(o.s.EarlierRows(ctx, bert.CustomerID, again.ID, 10)), "bert")
			list(t, "but not itself", who(o.s.EarlierRows(ctx, cleo.CustomerID, cleo.ID, 10)))
		})
	})
}

func TestMarkRead(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		n := o.waits("anna", noon)
		read := func(a models.Agent) bool {
			changed, err := o.s.MarkRead(ctx, n.ID, a.ID)
			must(t, err)
			return changed
		}
		equal(t, "while it waits", read(o.mei), false)
		_, err := o.s.TakeSession(ctx, n.ID, o.mei.ID, 5, noon)
		must(t, err)
		equal(t, "by a colleague", read(o.he), false)
		equal(t, "by the holder", read(o.mei), true)
		equal(t, "again", read(o.mei), false)
	})
}
