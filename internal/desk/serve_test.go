package desk

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
	"kefu/models/modelstest"
)

func TestRow6TheDispatcherAssigns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.online("mei", 2)
		w.run(t, "row 6 · a new session goes to who is free, in the same transaction", func(t *testing.T) {
			w.advance(30 * time.Second)
			before := w.cursor()
			w.says("anna", "你好")
			s := w.session("anna")
			wantEqual(t, "holder", holder(s), mei.ID)
			wantEqual(t, "assigned at", *s.AssignedAt, w.clock.Now())
			wantEqual(t, "unread", s.Unread, 1)
			wantList(t, "hops", w.hops(s.ID), fmt.Sprintf("1 agent %d", mei.ID))
			wantList(t, "history", w.history(s.ID), "opened", "assigned")
			wantEqual(t, "line", w.messages("anna")[1].Data, `{"waited":0}`)
			wantEqual(t, "last assigned", *w.agent(mei.ID).LastAssignedAt, w.clock.Now())
			events, err := w.store.EventsAfter(w.ctx, before, 10)
			w.must(err)
			last := events[len(events)-1]
			if last.Kind != models.EventSession || last.AgentID != mei.ID || last.SessionID != s.ID || last.GroupID != w.group.ID {
				t.Errorf("told as %+v", last)
			}
		})
		w.run(t, "row 6 · not above capacity", func(t *testing.T) {
			w.says("bert", "你好")
			w.says("cleo", "你好")
			wantEqual(t, "holder", holder(w.session("bert")), mei.ID)
			wantEqual(t, "state", w.session("cleo").State, models.Waiting)
		})
		w.run(t, "P-2.4 · two quiet chats make room at the next look", func(t *testing.T) {
			w.advance(10*time.Minute + time.Millisecond)
			w.must(w.desk.Seen(w.ctx, []int64{mei.ID}))
			w.must(w.desk.Sweep(w.ctx))
			wantEqual(t, "holder", holder(w.session("cleo")), mei.ID)
			list := w.messages("cleo")
			wantEqual(t, "line", list[len(list)-1].Data, `{"waited":600}`)
		})
		for _, p := range []models.Presence{models.Busy, models.Break, models.Offline} {
			w.run(t, "row 6 · nothing for who is "+string(p), func(t *testing.T) {
				who := "to-" + string(p)
				w.presence(mei, p)
				w.exec("UPDATE agents SET capacity = 100")
				w.says(who, "你好")
				wantEqual(t, "state", w.session(who).State, models.Waiting)
				w.presence(mei, models.Online)
				wantEqual(t, "holder once they are back", holder(w.session(who)), mei.ID)
			})
		}
		w.run(t, "row 6 · nothing for who takes sessions by hand", func(t *testing.T) {
			w.byHand(mei)
			w.says("dora", "你好")
			wantEqual(t, "state", w.session("dora").State, models.Waiting)
		})
		w.run(t, "row 6 · nothing for who is disabled", func(t *testing.T) {
			w.exec("UPDATE agents SET auto_accept = ?, disabled_at = ?", true, w.clock.Now())
			w.says("emil", "你好")
			wantEqual(t, "state", w.session("emil").State, models.Waiting)
		})
	})
}

func TestRow11Claim(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.addGroup("售后", 200, true)
		mei := w.hire("mei", models.RoleAgent, 1, w.group)
		lin := w.hire("lin", models.RoleSupervisor, 1, w.group)
		chief := w.hire("chief", models.RoleSupervisor, 1, other)
		root := w.hire("root", models.RoleAdmin, 1)
		stranger := w.hire("zhou", models.RoleAgent, 5, other)
		claim := func(a models.Agent, who string) error { return w.desk.Claim(w.ctx, w.viewer(a), w.session(who).ID) }

		w.says("anna", "你好")
		w.advance(90 * time.Second)
		w.run(t, "row 11 · a member takes it", func(t *testing.T) {
			before := w.cursor()
			w.must(claim(mei, "anna"))
			s := w.session("anna")
			wantEqual(t, "holder", holder(s), mei.ID)
			wantList(t, "history", w.history(s.ID), "opened", "claimed")
			wantList(t, "hops", w.hops(s.ID), fmt.Sprintf("1 agent %d", mei.ID))
			wantList(t, "events", w.told(before), models.EventMessage, models.EventSession)
			list := w.messages("anna")
			wantEqual(t, "line", list[len(list)-1].Kind+" "+list[len(list)-1].Data, `claimed {"waited":90}`)
		})
		w.run(t, "row 11 · pressed twice is once", func(t *testing.T) {
			before := w.stored()
			w.must(claim(mei, "anna"))
			wantEqual(t, "history", w.stored()["history"], before["history"])
		})
		w.says("bert", "你好")
		w.run(t, "row 11 · a full agent is told so", func(t *testing.T) {
			r := wantRefusal(t, claim(mei, "bert"), Conflict, "refusal.full")
			wantEqual(t, "capacity", r.Args["capacity"], any(1))
			wantEqual(t, "state", w.session("bert").State, models.Waiting)
		})
		w.run(t, "row 11 · an agent without a slot takes nothing at all", func(t *testing.T) {
			none := w.hire("none", models.RoleAgent, 0, w.group)
			wantRefusal(t, claim(none, "bert"), Conflict, "refusal.full")
		})
		w.run(t, "row 11 · not from another group", func(t *testing.T) {
			wantRefusal(t, claim(stranger, "bert"), Forbidden, "refusal.not_your_group")
			wantRefusal(t, claim(chief, "bert"), Forbidden, "refusal.not_your_group")
		})
		w.run(t, "row 11 · who leads may pass their capacity, and it is written down", func(t *testing.T) {
			w.must(claim(lin, "bert"))
			w.says("cleo", "你好")
			w.must(claim(lin, "cleo"))
			wantList(t, "history", w.history(w.session("bert").ID), "opened", "claimed")
			wantList(t, "history", w.history(w.session("cleo").ID), "opened", "claimed_over")
		})
		w.run(t, "row 11 · an admin takes it in any group", func(t *testing.T) {
			w.says("dora", "你好")
			w.must(claim(root, "dora"))
			wantEqual(t, "holder", holder(w.session("dora")), root.ID)
		})
		w.run(t, "row 35 · somebody was faster: named", func(t *testing.T) {
			before := w.stored()
			r := wantRefusal(t, claim(lin, "anna"), Conflict, "refusal.taken")
			wantEqual(t, "winner", r.Args["name"], any("MEI"))
			if now := w.stored(); now["history"] != before["history"] || now["messages"] != before["messages"] || now["events"] != before["events"] {
				t.Errorf("something was written: %v, before %v", now, before)
			}
		})
		w.run(t, "row 35 · it is over", func(t *testing.T) {
			w.end("anna", models.ClosedLeft)
			wantRefusal(t, claim(mei, "anna"), Conflict, "refusal.closed")
		})
		w.run(t, "row 35 · there never was one", func(t *testing.T) {
			if err := w.desk.Claim(w.ctx, w.viewer(mei), 1<<40); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestRow20Close(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.online("mei", 1)
		zhou := w.hire("zhou", models.RoleAgent, 5, w.group)
		lin := w.hire("lin", models.RoleSupervisor, 5, w.group)
		w.says("anna", "你好")
		w.says("bert", "你好")
		anna := w.session("anna")
		w.run(t, "row 20 · only who holds it, or leads", func(t *testing.T) {
			wantRefusal(t, w.desk.Close(w.ctx, w.viewer(zhou), anna.ID), Forbidden, "refusal.not_yours")
			wantRefusal(t, w.desk.Close(w.ctx, w.viewer(zhou), w.session("bert").ID), Forbidden, "refusal.not_yours")
		})
		w.run(t, "row 20 · closed, what is queued still goes, the slot is used at once", func(t *testing.T) {
			_, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: anna.ID, Text: "再见"})
			w.must(err)
			w.advance(30 * time.Second)
			before := w.cursor()
			w.must(w.desk.Close(w.ctx, w.viewer(mei), anna.ID))
			s := w.session("anna")
			wantEqual(t, "state", s.State, models.Closed)
			wantEqual(t, "reason", s.CloseReason, models.ClosedByAgent)
			wantEqual(t, "closed at", *s.ClosedAt, w.clock.Now())
			wantEqual(t, "last holder", *s.AgentID, mei.ID)
			wantEqual(t, "unread", s.Unread, 0)
			wantList(t, "history", w.history(s.ID), "opened", "assigned", "closed agent")
			wantList(t, "hops", w.hops(s.ID), fmt.Sprintf("1 agent %d agent", mei.ID))
			wantEqual(t, "to be sent", w.number("SELECT COUNT(*) FROM outbox"), 1)
			wantEqual(t, "holder of the next", holder(w.session("bert")), mei.ID)
			if kinds := w.told(before); !slices.Contains(kinds, models.EventSession) {
				t.Errorf("told %v", kinds)
			}
			c, err := w.store.Conversation(w.ctx, s.ConversationID)
			w.must(err)
			wantEqual(t, "who served last", *c.LastAgentID, mei.ID)
			wantEqual(t, "served in", *c.LastGroupID, w.group.ID)
		})
		w.run(t, "row 20 · closed twice is once", func(t *testing.T) {
			before := w.stored()["history"]
			w.must(w.desk.Close(w.ctx, w.viewer(mei), anna.ID))
			wantEqual(t, "history", w.stored()["history"], before)
		})
		w.run(t, "row 20 · by who leads: their name, not the holder's", func(t *testing.T) {
			s := w.session("bert")
			w.must(w.desk.Close(w.ctx, w.viewer(lin), s.ID))
			list, err := w.store.History(w.ctx, s.ID)
			w.must(err)
			wantEqual(t, "closed by", *list[len(list)-1].AgentID, lin.ID)
			wantEqual(t, "holder", *w.session("bert").AgentID, mei.ID)
		})
		w.run(t, "row 20 · a freed slot serves all of the agent's groups", func(t *testing.T) {
			other := w.addGroup("售后", 200, true)
			w.must(w.store.AddMember(w.ctx, models.Membership{GroupID: other.ID, AgentID: mei.ID}))
			w.says("cleo", "你好")
			w.exec("UPDATE channels SET default_group_id = ?", other.ID)
			w.channel.DefaultGroupID = other.ID
			w.says("dora", "你好")
			wantEqual(t, "group", w.session("dora").GroupID, other.ID)
			w.must(w.desk.Close(w.ctx, w.viewer(mei), w.session("cleo").ID))
			wantEqual(t, "holder", holder(w.session("dora")), mei.ID)
		})
	})
}

func TestReadClearsTheHoldersCountOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		lin := w.hire("lin", models.RoleSupervisor, 5, w.group)
		s := w.served(mei, "anna", "你好")
		before := w.cursor()
		w.must(w.desk.Read(w.ctx, w.viewer(lin), s.ID))
		wantEqual(t, "unread after a colleague looked", w.session("anna").Unread, 1)
		wantList(t, "events", w.told(before))
		w.must(w.desk.Read(w.ctx, w.viewer(mei), s.ID))
		wantEqual(t, "unread", w.session("anna").Unread, 0)
		w.must(w.desk.Read(w.ctx, w.viewer(mei), s.ID))
		wantList(t, "events", w.told(before), models.EventRead)
	})
}

func TestP28Presence(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		w.says("anna", "你好")
		w.advance(time.Minute)
		w.run(t, "P-2.2 · who comes online gets what waits at once", func(t *testing.T) {
			before := w.cursor()
			w.presence(mei, models.Online)
			a := w.agent(mei.ID)
			wantEqual(t, "presence", a.Presence, models.Online)
			wantEqual(t, "since", a.PresenceAt, w.clock.Now())
			wantEqual(t, "seen", *a.SeenAt, w.clock.Now())
			wantEqual(t, "holder", holder(w.session("anna")), mei.ID)
			wantEqual(t, "first event", w.told(before)[0], models.EventPresence)
		})
		w.run(t, "P-2.8 · going keeps what one holds", func(t *testing.T) {
			w.presence(mei, models.Offline)
			wantEqual(t, "holder", holder(w.session("anna")), mei.ID)
		})
		w.run(t, "P-2.8 · there are four states", func(t *testing.T) {
			wantRefusal(t, w.desk.SetPresence(w.ctx, mei.ID, "asleep"), Invalid, "refusal.presence")
			wantRefusal(t, w.desk.SetPresence(w.ctx, mei.ID, ""), Invalid, "refusal.presence")
		})
		w.run(t, "P-2.8 · of nobody", func(t *testing.T) {
			if err := w.desk.SetPresence(w.ctx, 1<<40, models.Online); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestRow35FiftyClaimOneWins has fifty agents press the button for one session in the same moment.
func TestRow35FiftyClaimOneWins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.says("anna", "你好")
		s := w.session("anna")
		viewers := make([]Viewer, 50)
		for i := range viewers {
			viewers[i] = w.viewer(w.hire(fmt.Sprintf("agent-%d", i), models.RoleAgent, 5, w.group))
		}
		errs := make([]error, len(viewers))
		var all sync.WaitGroup
		start := make(chan struct{})
		for i, v := range viewers {
			all.Go(func() {
				<-start
				errs[i] = w.desk.Claim(w.ctx, v, s.ID)
			})
		}
		close(start)
		all.Wait()
		s = w.session("anna")
		winner := w.agent(holder(s))
		won := 0
		for i, err := range errs {
			if err == nil {
				won++
				wantEqual(t, "who was told they won", viewers[i].Agent.ID, winner.ID)
				continue
			}
			r := wantRefusal(t, err, Conflict, "refusal.taken")
			wantEqual(t, "winner named", r.Args["name"], any(winner.Name))
		}
		wantEqual(t, "winners", won, 1)
		wantList(t, "history", w.history(s.ID), "opened", "claimed")
		wantEqual(t, "held by all", w.number("SELECT COUNT(*) FROM hops WHERE agent_id IS NOT NULL"), 1)
	})
}

// TestP25NobodyPassesTheirCapacity has an agent with one free slot, known to two processes, claim two sessions at once, and be given
// sessions of two groups at once.
func TestP25NobodyPassesTheirCapacity(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.addGroup("售后", 200, true)
		w.must(w.store.SetRoute(w.ctx, w.channel.ID, "after", other.ID))
		processes := []*Desk{w.desk, w.desk}
		if w.store.Dialect() == models.Postgres {
			processes[1] = w.process(modelstest.Open(t, w.url))
		}
		mei := w.hire("mei", models.RoleAgent, 1, w.group, other)
		both := func(f func(n int)) {
			var all sync.WaitGroup
			for n := range 2 {
				all.Go(func() { f(n) })
			}
			all.Wait()
		}
		for i := range 15 {
			w.run(t, "P-2.5 · two claims at once", func(t *testing.T) {
				w.says("anna", "你好")
				w.says("bert", "你好")
				ids := []int64{w.session("anna").ID, w.session("bert").ID}
				var won atomic.Int32
				v := w.viewer(mei)
				both(func(n int) {
					err := processes[n].Claim(w.ctx, v, ids[n])
					if err == nil {
						won.Add(1)
						return
					}
					wantRefusal(t, err, Conflict, "refusal.full")
				})
				wantEqual(t, "won", won.Load(), 1)
				w.exec("UPDATE sessions SET state = 'closed', closed_at = opened_at, close_reason = 'left' WHERE state <> 'closed'")
			})
			w.run(t, "row 6 · two groups give at once", func(t *testing.T) {
				w.exec("UPDATE agents SET presence = 'online', seen_at = ?", w.clock.Now())
				first, second := fmt.Sprintf("first-%d", i), fmt.Sprintf("second-%d", i)
				w.does(second, platform.Scan{Scene: "after"})
				pushes := []platform.Inbound{w.push(first, platform.Text{Text: "你好"}), w.push(second, platform.Text{Text: "你好"})}
				both(func(n int) {
					if _, err := processes[n].Receive(w.ctx, w.channel, pushes[n]); err != nil {
						t.Error(err)
					}
				})
				wantEqual(t, "held", w.number("SELECT COUNT(*) FROM sessions WHERE state = 'active'"), 1)
				w.exec("UPDATE sessions SET state = 'closed', closed_at = opened_at, close_reason = 'left' WHERE state <> 'closed'")
				w.exec("UPDATE agents SET presence = 'offline'")
			})
		}
	})
}
