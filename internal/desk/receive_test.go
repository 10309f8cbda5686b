package desk

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
	"kefu/models/modelstest"
)

func TestRow1TypedMessageOpensASession(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		nobody, next := notice("notice.nobody_here", nil), notice("notice.next", nil)

		w.run(t, "row 1 · nobody on duty: it waits and is told so", func(t *testing.T) {
			before := w.cursor()
			wantEqual(t, "answer", words(w.says("anna", "请问怎么退货？")), nobody)
			s := w.session("anna")
			wantEqual(t, "state", s.State, models.Waiting)
			wantEqual(t, "group", s.GroupID, w.group.ID)
			wantEqual(t, "arrival", s.ArrivalAt, noon)
			wantEqual(t, "unanswered since", *s.UnansweredSince, noon)
			wantEqual(t, "unread", s.Unread, 1)
			wantEqual(t, "last word", string(s.LastDirection)+" "+s.LastKind+" "+s.LastText, "in text 请问怎么退货？")
			wantList(t, "hops", w.hops(s.ID), "1 agent 0")
			wantList(t, "history", w.history(s.ID), "opened")
			wantList(t, "timeline", w.timeline("anna"), "in text 请问怎么退货？", "out text "+nobody+" (sending)")
			wantList(t, "grants", w.grants("anna"), "message 5 47h59m0s")
			wantList(t, "events", w.told(before), models.EventMessage, models.EventSession, models.EventMessage)
			if m := w.messages("anna")[1]; !m.Passive || *m.SessionID != s.ID {
				t.Errorf("the answer is stored as %+v", m)
			}
			wantEqual(t, "woken deliveries", w.woken.Load(), 0)
		})
		w.run(t, "P-3.1 · the place never counts oneself", func(t *testing.T) {
			ling := w.hire("ling", models.RoleAgent, 1, w.group)
			w.byHand(ling)
			w.presence(ling, models.Online) // counts, but is given nothing
			wantEqual(t, "answer", words(w.says("bert", "在吗")), notice("notice.ahead", map[string]any{"ahead": 1}))
			wantEqual(t, "answer", words(w.says("cleo", "在吗")), notice("notice.ahead", map[string]any{"ahead": 2}))
			other := w.addGroup("售后", 200, true)
			w.must(w.store.AddMember(w.ctx, models.Membership{GroupID: other.ID, AgentID: ling.ID}))
			w.must(w.store.SetRoute(w.ctx, w.channel.ID, "after", other.ID))
			w.does("dora", platform.MenuClick{Event: "CLICK", Key: "after"})
			wantEqual(t, "answer in another group", words(w.says("dora", "在吗")), next)
		})
		w.run(t, "P-4.2 · served at once: no passive words", func(t *testing.T) {
			w.exec("DELETE FROM group_members")
			w.exec("UPDATE sessions SET state = 'closed', closed_at = opened_at, close_reason = 'left'")
			w.online("mei", 5)
			wantEqual(t, "answer", words(w.says("emil", "在吗")), "")
			wantEqual(t, "state", w.session("emil").State, models.Active)
			wantList(t, "timeline", w.timeline("emil"), "in text 在吗", "system assigned")
		})
	})
}

func TestRow2TypedMessageReopens(t *testing.T) {
	tests := []struct {
		name   string
		reason models.CloseReason
		after  time.Duration
		what   platform.What
		want   string // reopened, opened or filed
	}{
		{"row 2 · typed message within ten minutes reopens", models.ClosedByAgent, 10*time.Minute - time.Millisecond, platform.Text{Text: "还有一个问题"}, "reopened"},
		{"row 2 · a picture is typed too", models.ClosedByAgent, time.Minute, platform.Image{MediaID: "m"}, "reopened"},
		{"row 2 · what was closed for silence reopens", models.ClosedIdle, 5 * time.Minute, platform.Text{Text: "我回来了"}, "reopened"},
		{"row 1 · after ten minutes a new session", models.ClosedByAgent, 10 * time.Minute, platform.Text{Text: "还有一个问题"}, "opened"},
		{"row 1 · one that was left does not reopen", models.ClosedLeft, time.Minute, platform.Text{Text: "还有一个问题"}, "opened"},
		{"row 1 · one that was unfollowed does not reopen", models.ClosedUnfollowed, time.Minute, platform.Text{Text: "还有一个问题"}, "opened"},
		{"row 1 · one whose window ended does not reopen", models.ClosedWindow, time.Minute, platform.Text{Text: "还有一个问题"}, "opened"},
		{"P-1.2 · closing words are filed and wake nobody", models.ClosedByAgent, time.Minute, platform.Text{Text: "好的，谢谢！"}, "filed"},
		{"P-1.2 · so is a face", models.ClosedIdle, time.Minute, platform.Text{Text: "[微笑]👍"}, "filed"},
		{"P-1.2 · closing words much later are somebody who writes", models.ClosedByAgent, time.Hour, platform.Text{Text: "谢谢"}, "opened"},
	}
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 100, w.group)
		for i, tt := range tests {
			w.run(t, tt.name, func(t *testing.T) {
				who := fmt.Sprintf("open-%d", i)
				old := w.served(mei, who, "你好")
				w.end(who, tt.reason)
				w.advance(tt.after)
				got := w.does(who, tt.what)
				s, grants := w.session(who), w.grants(who)
				wantList(t, "grants", grants, "message 5 47h59m0s")
				switch tt.want {
				case "reopened":
					wantEqual(t, "session", s.ID, old.ID)
					wantEqual(t, "state", s.State, models.Waiting)
					wantEqual(t, "arrival", s.ArrivalAt, w.clock.Now())
					wantEqual(t, "close reason", s.CloseReason, "")
					wantEqual(t, "unread", s.Unread, 1)
					wantEqual(t, "unanswered since", *s.UnansweredSince, w.clock.Now())
					wantEqual(t, "preferred", *s.PreferredAgentID, mei.ID)
					wantEqual(t, "preferred until", *s.PreferredUntil, w.clock.Now().Add(2*time.Minute))
					wantList(t, "hops", w.hops(s.ID), fmt.Sprintf("1 agent %d %s", mei.ID, tt.reason), "2 agent 0")
					wantList(t, "history", w.history(s.ID), "opened", "claimed", "reopened")
					if line := w.timeline(who); !slices.Contains(line, "system reopened") {
						t.Errorf("no line tells of it: %q", line)
					}
					if words(got) == "" {
						t.Error("the customer is told nothing")
					}
				case "opened":
					wantEqual(t, "sessions", w.sessions(who), 2)
					wantEqual(t, "state", s.State, models.Waiting)
					wantEqual(t, "hop", s.Hop, 1)
				case "filed":
					wantEqual(t, "sessions", w.sessions(who), 1)
					wantEqual(t, "state", s.State, models.Closed)
					wantEqual(t, "answer", words(got), "")
					list := w.messages(who)
					if last := list[len(list)-1]; last.Direction != models.In || *last.SessionID != s.ID {
						t.Errorf("not filed with its session: %+v", last)
					}
				}
			})
		}
	})
}

func TestRow2ReopenPrefersTheOldHolder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei, zhou := w.online("mei", 5), w.online("zhou", 5)
		w.presence(zhou, models.Break)
		w.says("anna", "你好")
		w.says("bert", "你好")
		w.must(w.desk.Close(w.ctx, w.viewer(mei), w.session("anna").ID))
		w.presence(zhou, models.Online)

		w.run(t, "row 2 · though a colleague is less busy", func(t *testing.T) {
			w.says("anna", "还有一个问题")
			wantEqual(t, "holder", holder(w.session("anna")), mei.ID)
		})
		w.run(t, "row 2 · but never waits for them", func(t *testing.T) {
			w.must(w.desk.Close(w.ctx, w.viewer(mei), w.session("anna").ID))
			w.presence(mei, models.Break)
			w.says("anna", "再问一下")
			wantEqual(t, "holder", holder(w.session("anna")), zhou.ID)
		})
	})
}

func TestRow2ThePreferenceEndsAfterTwoMinutes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei, zhou := w.online("mei", 5), w.online("zhou", 5)
		for i, tt := range []struct {
			name  string
			after time.Duration
			want  models.Agent
		}{
			{"row 2 · preferred for 120 s", 2*time.Minute - time.Millisecond, mei},
			{"row 2 · no longer at 120 s", 2 * time.Minute, zhou},
		} {
			w.run(t, tt.name, func(t *testing.T) {
				who := fmt.Sprintf("open-%d", i)
				w.presence(zhou, models.Break)
				w.presence(mei, models.Online)
				w.says(who, "你好")
				w.must(w.desk.Close(w.ctx, w.viewer(mei), w.session(who).ID))
				w.presence(mei, models.Break)
				w.says(who, "还有一个问题")
				w.advance(tt.after)
				// Both come back in one moment; zhou had nothing new for longer.
				w.exec("UPDATE agents SET presence = 'online', seen_at = ?", w.clock.Now())
				w.must(w.desk.Sweep(w.ctx))
				wantEqual(t, "holder", holder(w.session(who)), tt.want.ID)
				w.must(w.desk.Close(w.ctx, w.viewer(tt.want), w.session(who).ID))
			})
		}
	})
}

func TestRow2TheCustomersClockStartsAnew(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		s := w.served(mei, "anna", "你好")
		w.advance(time.Minute)
		w.must(w.desk.Close(w.ctx, w.viewer(mei), s.ID)) // without an answer
		w.advance(9 * time.Minute)
		w.says("anna", "还在吗")
		wantEqual(t, "unanswered since", *w.session("anna").UnansweredSince, w.clock.Now())
	})
}

func TestRow3EventsOpenNothing(t *testing.T) {
	invite := notice("notice.please_type", nil)
	events := []struct {
		name, line, scene string
		what              platform.What
	}{
		{"row 3 · menu CLICK", "system menu", "menu", platform.MenuClick{Event: "CLICK", Key: "after"}},
		{"row 3 · SCAN", "system scan", "scan", platform.Scan{Scene: "after"}},
		{"row 3 · subscribe by QR", "system follow", "follow", platform.Follow{Scene: "after"}},
	}
	each(t, func(t *testing.T, w *world) {
		after := w.addGroup("售后", 200, true)
		w.must(w.store.SetRoute(w.ctx, w.channel.ID, "after", after.ID))
		for i, e := range events {
			w.run(t, e.name, func(t *testing.T) {
				who := fmt.Sprintf("open-%d", i)
				wantEqual(t, "answer", words(w.does(who, e.what)), invite)
				wantEqual(t, "sessions", w.sessions(who), 0)
				wantList(t, "grants", w.grants(who), e.scene+" 3 1m0s")
				wantList(t, "timeline", w.timeline(who), e.line, "out text "+invite+" (sending)")

				w.advance(30*time.Minute - time.Millisecond)
				w.says(who, "我要退货")
				wantEqual(t, "group of the first typed message", w.session(who).GroupID, after.ID)
			})
		}
		w.run(t, "row 3 · the route is forgotten after 30 min", func(t *testing.T) {
			w.does("late", platform.MenuClick{Event: "CLICK", Key: "after"})
			w.advance(30 * time.Minute)
			w.says("late", "你好")
			wantEqual(t, "group", w.session("late").GroupID, w.group.ID)
		})
		w.run(t, "row 3 · a key that leads nowhere changes no route", func(t *testing.T) {
			w.does("lost", platform.MenuClick{Event: "CLICK", Key: "after"})
			wantEqual(t, "answer", words(w.does("lost", platform.MenuClick{Event: "CLICK", Key: "news"})), invite)
			w.says("lost", "你好")
			wantEqual(t, "group", w.session("lost").GroupID, after.ID)
		})
		w.run(t, "row 3 · an open session stays as it is, and its holder is not interrupted", func(t *testing.T) {
			mei := w.hire("mei", models.RoleAgent, 5, w.group)
			s := w.served(mei, "busy", "你好")
			wantEqual(t, "answer", words(w.does("busy", platform.MenuClick{Event: "CLICK", Key: "after"})), "")
			now := w.session("busy")
			wantEqual(t, "session", now.ID, s.ID)
			wantEqual(t, "unread", now.Unread, s.Unread)
			wantEqual(t, "group", now.GroupID, w.group.ID)
		})
		w.run(t, "row 3 · whoever comes back follows again", func(t *testing.T) {
			w.does("back", platform.Unfollow{})
			wantEqual(t, "follows", w.place("back").Follows, false)
			w.does("back", platform.Follow{})
			wantEqual(t, "follows", w.place("back").Follows, true)
		})
		w.run(t, "P-12.8 · VIEW is a line, a position is not stored", func(t *testing.T) {
			w.does("seen", platform.MenuView{Event: "VIEW", Key: "https://example.com"})
			w.does("seen", platform.Position{Lat: 30, Lng: 120})
			w.does("seen", platform.OtherEvent{Event: "TEMPLATESENDJOBFINISH"})
			wantList(t, "timeline", w.timeline("seen"), "system view")
			wantEqual(t, "grants", len(w.grants("seen")), 0)
		})
	})
}

func TestRow4MenuMessageClickGivesAMinute(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		click := platform.Text{Text: "满意", MenuID: "101"}
		w.run(t, "row 4 · without a session it opens none", func(t *testing.T) {
			wantEqual(t, "answer", words(w.does("anna", click)), "")
			wantEqual(t, "sessions", w.sessions("anna"), 0)
			wantList(t, "grants", w.grants("anna"), "menu 3 1m0s")
			wantList(t, "timeline", w.timeline("anna"), "system choice")
			wantEqual(t, "detail", w.messages("anna")[0].Data, `{"id":"101","text":"满意"}`)
		})
		w.run(t, "row 4 · a closed session does not reopen", func(t *testing.T) {
			w.served(mei, "bert", "你好")
			w.end("bert", models.ClosedByAgent)
			w.does("bert", click)
			wantEqual(t, "state", w.session("bert").State, models.Closed)
			wantEqual(t, "sessions", w.sessions("bert"), 1)
		})
		w.run(t, "row 4 · an open session is not woken and its window not refilled", func(t *testing.T) {
			s := w.served(mei, "cleo", "你好")
			w.advance(time.Hour)
			w.does("cleo", click)
			now := w.session("cleo")
			wantEqual(t, "unread", now.Unread, s.Unread)
			wantEqual(t, "last word at", now.LastAt, s.LastAt)
			wantList(t, "grants", w.grants("cleo"), "menu 3 1m0s", "message 5 46h59m0s")
		})
	})
}

func TestRow5BlockedCustomersOpenNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.desk.set.BlockedKeep = 3
		w.does("anna", platform.Follow{})
		w.block("anna", nil)
		w.advance(time.Minute)
		grants := w.grants("anna")
		kept := func() int {
			n := 0
			for _, m := range w.messages("anna") {
				if m.Direction == models.In {
					n++
				}
			}
			return n
		}
		w.run(t, "row 5 · stored up to the cap, answered success", func(t *testing.T) {
			for i := range 5 {
				wantEqual(t, "answer", words(w.says("anna", fmt.Sprint("骂人的话 ", i))), "")
			}
			wantEqual(t, "kept", kept(), 3)
			wantEqual(t, "sessions", w.sessions("anna"), 0)
		})
		w.run(t, "row 5 · clicks are not answered either, and make no room", func(t *testing.T) {
			for range 6 {
				wantEqual(t, "answer", words(w.does("anna", platform.MenuClick{Event: "CLICK", Key: "x"})), "")
				w.does("anna", platform.Text{Text: "满意", MenuID: "1"})
			}
			w.says("anna", "还有")
			wantEqual(t, "kept", kept(), 3)
			wantList(t, "grants", w.grants("anna"), grants...)
		})
		w.run(t, "row 5 · each push is marked all the same", func(t *testing.T) {
			in := w.push("anna", platform.Text{Text: "又来"})
			w.receive(in)
			wantEqual(t, "repeated", w.receive(in).Repeated, true)
		})
		w.run(t, "row 5 · when the block ends, the next message opens a session", func(t *testing.T) {
			end := w.clock.Now().Add(time.Hour)
			w.exec("UPDATE customers SET blocked_until = ?", end)
			w.says("anna", "一")
			wantEqual(t, "sessions", w.sessions("anna"), 0)
			w.advance(time.Hour)
			w.says("anna", "你好")
			wantEqual(t, "sessions", w.sessions("anna"), 1)
		})
	})
}

func TestRow12TypedMessageJoinsTheOpenSession(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.run(t, "row 12 · waiting: appended, the arrival stays", func(t *testing.T) {
			w.says("anna", "你好")
			first := w.session("anna")
			w.advance(time.Minute)
			before := w.cursor()
			wantEqual(t, "answer", words(w.says("anna", "在吗")), "")
			s := w.session("anna")
			wantEqual(t, "session", s.ID, first.ID)
			wantEqual(t, "arrival", s.ArrivalAt, noon)
			wantEqual(t, "unanswered since", *s.UnansweredSince, noon)
			wantEqual(t, "unread", s.Unread, 2)
			wantEqual(t, "last word", s.LastText, "在吗")
			wantList(t, "grants", w.grants("anna"), "message 5 47h59m0s")
			wantList(t, "events", w.told(before), models.EventMessage)
		})
		w.run(t, "row 12 · active: to the holder, weight 1 again", func(t *testing.T) {
			mei := w.hire("mei", models.RoleAgent, 5, w.group)
			s := w.served(mei, "bert", "你好")
			w.advance(11 * time.Minute)
			load, err := w.store.Load(w.ctx, mei.ID, w.clock.Now())
			w.must(err)
			wantEqual(t, "load of a quiet chat", load, 0.25)
			w.says("bert", "在吗")
			load, err = w.store.Load(w.ctx, mei.ID, w.clock.Now())
			w.must(err)
			wantEqual(t, "load", load, 1.0)
			now := w.session("bert")
			wantEqual(t, "holder", holder(now), mei.ID)
			wantEqual(t, "session", now.ID, s.ID)
			wantEqual(t, "unread", now.Unread, 2)
		})
	})
}

func TestRow14UnfollowCloses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.online("mei", 1)
		w.says("anna", "你好")
		w.says("bert", "你好")
		s := w.session("anna")
		wantEqual(t, "holder", holder(s), mei.ID)
		w.run(t, "row 14 · an active session: closed, grants dropped, the slot is free at once", func(t *testing.T) {
			wantEqual(t, "answer", words(w.does("anna", platform.Unfollow{})), "")
			now := w.session("anna")
			wantEqual(t, "state", now.State, models.Closed)
			wantEqual(t, "reason", now.CloseReason, models.ClosedUnfollowed)
			wantEqual(t, "grants", len(w.grants("anna")), 0)
			wantEqual(t, "follows", w.place("anna").Follows, false)
			wantList(t, "history", w.history(s.ID), "opened", "assigned", "closed unfollowed")
			wantList(t, "hops", w.hops(s.ID), fmt.Sprintf("1 agent %d unfollowed", mei.ID))
			wantEqual(t, "holder of the next", holder(w.session("bert")), mei.ID)
		})
		w.run(t, "row 14 · a waiting one leaves the queue", func(t *testing.T) {
			w.says("cleo", "你好")
			w.does("cleo", platform.Unfollow{})
			wantEqual(t, "state", w.session("cleo").State, models.Closed)
		})
		w.run(t, "row 14 · and without one only the grants go", func(t *testing.T) {
			w.does("dora", platform.Follow{})
			w.does("dora", platform.Unfollow{})
			wantEqual(t, "grants", len(w.grants("dora")), 0)
			wantEqual(t, "sessions", w.sessions("dora"), 0)
		})
	})
}

func TestRow34TheSamePushAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		w.byHand(mei)
		w.presence(mei, models.Online)
		again := func(t *testing.T, in platform.Inbound, wantWords string) {
			t.Helper()
			before := w.stored()
			got := w.receive(in)
			wantEqual(t, "repeated", got.Repeated, true)
			wantEqual(t, "answer", words(got), wantWords)
			for table, n := range w.stored() {
				if n != before[table] {
					t.Errorf("%s has %d rows, had %d", table, n, before[table])
				}
			}
		}
		w.run(t, "row 34 · nothing twice, the same words while they are true", func(t *testing.T) {
			in := w.push("anna", platform.Text{Text: "你好"})
			first := w.receive(in)
			w.advance(5 * time.Second)
			again(t, in, notice("notice.next", nil))
			wantEqual(t, "message with the words", w.receive(in).MessageID, first.MessageID)
			wantEqual(t, "unread", w.session("anna").Unread, 1)
		})
		w.run(t, "row 34 · success once the place has changed", func(t *testing.T) {
			in := w.push("bert", platform.Text{Text: "你好"})
			w.receive(in)
			again(t, in, notice("notice.ahead", map[string]any{"ahead": 1}))
			w.must(w.desk.Claim(w.ctx, w.viewer(mei), w.session("anna").ID))
			again(t, in, "")
		})
		w.run(t, "row 34 · success once somebody serves", func(t *testing.T) {
			in := w.push("cleo", platform.Text{Text: "你好"})
			w.receive(in)
			w.must(w.desk.Claim(w.ctx, w.viewer(mei), w.session("cleo").ID))
			again(t, in, "")
		})
		w.run(t, "row 34 · success once it is over", func(t *testing.T) {
			in := w.push("dora", platform.Text{Text: "你好"})
			w.receive(in)
			w.end("dora", models.ClosedLeft)
			again(t, in, "")
		})
		w.run(t, "row 34 · a message without words stays without", func(t *testing.T) {
			in := w.push("cleo", platform.Text{Text: "在吗"})
			w.receive(in)
			again(t, in, "")
		})
		w.run(t, "row 34 · a click is invited again", func(t *testing.T) {
			in := w.push("emil", platform.MenuClick{Event: "CLICK", Key: "x"})
			w.receive(in)
			again(t, in, notice("notice.please_type", nil))
		})
		w.run(t, "P-4.2 · but not when somebody serves meanwhile", func(t *testing.T) {
			for _, who := range []string{"emil", "fred"} { // emil clicked before he had a session, fred while he waited
				if who == "fred" {
					w.says(who, "你好")
				}
				in := w.push(who, platform.MenuClick{Event: "CLICK", Key: "x"})
				w.receive(in)
				if who == "emil" {
					w.says(who, "你好")
				}
				w.must(w.desk.Claim(w.ctx, w.viewer(mei), w.session(who).ID))
				again(t, in, "")
			}
		})
		w.run(t, "row 34 · an unfollow closes once", func(t *testing.T) {
			in := w.push("cleo", platform.Unfollow{})
			w.receive(in)
			w.does("cleo", platform.Follow{})
			w.says("cleo", "我回来了")
			again(t, in, "")
			wantEqual(t, "state", w.session("cleo").State, models.Waiting)
		})
		w.run(t, "row 34 · keys are unique within a channel only", func(t *testing.T) {
			other := w.channel
			other.ID, other.UID, other.Key = 0, "uid-2", "key-2"
			w.must(w.store.CreateChannel(w.ctx, &other))
			got, err := w.desk.Receive(w.ctx, other, platform.Inbound{Dedupe: "push-1", Conversation: platform.Conversation{Key: "anna"}, Sender: "anna",
				At: w.clock.Now(), What: platform.Text{Text: "你好"}})
			w.must(err)
			wantEqual(t, "repeated", got.Repeated, false)
		})
	})
}

// TestRow34TwoProcessesStoreTheSamePush has two processes on one PostgreSQL database get the same push in the same moment.
func TestRow34TwoProcessesStoreTheSamePush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, modelstest.PostgresURL(t))
	processes := []*Desk{w.desk, w.process(modelstest.Open(t, w.url))}
	for i := range 30 {
		who := fmt.Sprintf("open-%d", i%10) // new customers first, then such with a session
		in := w.push(who, platform.Text{Text: fmt.Sprint("你好 ", i)})
		var all sync.WaitGroup
		results := make([]Received, 4)
		for n := range results {
			all.Go(func() {
				var err error
				if results[n], err = processes[n%2].Receive(w.ctx, w.channel, in); err != nil {
					t.Errorf("push %d: %v", i, err)
				}
			})
		}
		all.Wait()
		first := 0
		for _, r := range results {
			if !r.Repeated {
				first++
			}
		}
		wantEqual(t, "stored by how many", first, 1)
	}
	wantEqual(t, "sessions", w.number("SELECT COUNT(*) FROM sessions"), 10)
	wantEqual(t, "customers", w.number("SELECT COUNT(*) FROM customers"), 10)
	wantEqual(t, "messages", w.number("SELECT COUNT(*) FROM messages WHERE direction = 'in'"), 30)
	wantEqual(t, "unread", w.number("SELECT SUM(unread) FROM sessions"), 30)
	wantEqual(t, "history", w.number("SELECT COUNT(*) FROM history"), 10)
}

// TestNoMessageIsLostBetweenProcesses has different messages of one customer meet on PostgreSQL: while a session opens, reopens, and
// while it is being closed.
func TestNoMessageIsLostBetweenProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, modelstest.PostgresURL(t))
	processes := []*Desk{w.desk, w.process(modelstest.Open(t, w.url))}
	mei := w.hire("mei", models.RoleAgent, 100, w.group)
	sent := 0
	together := func(who string, more ...func()) {
		var all sync.WaitGroup
		for n := range 4 {
			in := w.push(who, platform.Text{Text: fmt.Sprint("问题 ", n)})
			sent++
			all.Go(func() {
				if _, err := processes[n%2].Receive(w.ctx, w.channel, in); err != nil {
					t.Errorf("%s: %v", who, err)
				}
			})
		}
		for _, f := range more {
			all.Go(f)
		}
		all.Wait()
	}
	for i := range 10 {
		who := fmt.Sprintf("open-%d", i)
		together(who)
		s := w.session(who)
		wantEqual(t, "unread of a new session", s.Unread, 4)
		v := w.viewer(mei)
		w.must(w.desk.Claim(w.ctx, v, s.ID))
		w.must(w.desk.Close(w.ctx, v, s.ID))
		together(who)
		s = w.session(who)
		wantEqual(t, "unread of a reopened session", s.Unread, 4)
		wantEqual(t, "hops", s.Hop, 2)
		w.must(w.desk.Claim(w.ctx, v, s.ID))
		together(who, func() { // by the time all is said, it is closed and was reopened, or all was said before
			if err := processes[1].Close(w.ctx, v, s.ID); err != nil {
				t.Error(err)
			}
		})
		if s := w.session(who); s.State == models.Closed {
			last := w.messages(who)
			if last[len(last)-1].Direction == models.In {
				t.Errorf("%s: a message lies in the closed session: %q", who, w.timeline(who))
			}
		}
		wantEqual(t, "sessions", w.sessions(who), 1)
	}
	wantEqual(t, "messages", w.number("SELECT COUNT(*) FROM messages WHERE direction = 'in'"), sent)
}

func TestP27QueueLimit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		small := w.addGroup("小组", 2, true)
		w.exec("UPDATE channels SET default_group_id = ?", small.ID)
		w.channel.DefaultGroupID = small.ID
		w.says("anna", "你好")
		w.says("bert", "你好")
		w.run(t, "P-2.7 · full: said, stored, not queued", func(t *testing.T) {
			full := notice("notice.queue_full", nil)
			wantEqual(t, "answer", words(w.says("cleo", "你好")), full)
			wantEqual(t, "sessions", w.sessions("cleo"), 0)
			wantList(t, "timeline", w.timeline("cleo"), "in text 你好", "out text "+full+" (sending)")
			wantList(t, "grants", w.grants("cleo"), "message 5 47h59m0s")
		})
		w.run(t, "P-2.7 · who is in already may go on", func(t *testing.T) {
			w.says("anna", "在吗")
			wantEqual(t, "unread", w.session("anna").Unread, 2)
		})
		w.run(t, "P-2.7 · and the next is queued when one has left", func(t *testing.T) {
			w.does("bert", platform.Unfollow{})
			w.says("cleo", "你好")
			wantEqual(t, "state", w.session("cleo").State, models.Waiting)
		})
	})
}

func TestP13StickyGroup(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		after := w.addGroup("售后", 200, true)
		mei := w.hire("mei", models.RoleAgent, 50, after)
		w.must(w.store.SetRoute(w.ctx, w.channel.ID, "after", after.ID))
		for i, tt := range []struct {
			name  string
			later time.Duration
			want  int64
		}{
			{"P-1.3 · served less than 7 days ago: the same group", 7*24*time.Hour - time.Millisecond, after.ID},
			{"P-1.3 · after 7 days the default group", 7 * 24 * time.Hour, w.group.ID},
		} {
			w.run(t, tt.name, func(t *testing.T) {
				who := fmt.Sprintf("open-%d", i)
				w.does(who, platform.Scan{Scene: "after"})
				w.served(mei, who, "你好")
				w.end(who, models.ClosedByAgent)
				w.advance(tt.later)
				w.says(who, "你好")
				wantEqual(t, "group", w.session(who).GroupID, tt.want)
			})
		}
		w.run(t, "P-1.3 · who was never served has no group", func(t *testing.T) {
			w.does("left", platform.Scan{Scene: "after"})
			w.says("left", "你好")
			w.end("left", models.ClosedLeft)
			w.advance(time.Hour)
			w.says("left", "你好")
			wantEqual(t, "group", w.session("left").GroupID, w.group.ID)
		})
	})
}

func TestChooseGroup(t *testing.T) {
	at := func(d time.Duration) *time.Time { return ptr(noon.Add(d)) }
	tests := []struct {
		name  string
		place models.Place
		want  int64
	}{
		{"P-1.3 · nothing known", models.Place{}, 1},
		{"P-1.3 · the remembered route", models.Place{RouteGroupID: ptr[int64](2), RouteUntil: at(time.Second)}, 2},
		{"P-1.3 · a route that ended", models.Place{RouteGroupID: ptr[int64](2), RouteUntil: at(0)}, 1},
		{"P-1.3 · the group that served lately", models.Place{LastGroupID: ptr[int64](3), LastServedAt: at(-time.Hour)}, 3},
		{"P-1.3 · the route goes before it", models.Place{RouteGroupID: ptr[int64](2), RouteUntil: at(1), LastGroupID: ptr[int64](3), LastServedAt: at(-time.Hour)}, 2},
		{"P-1.3 · served long ago", models.Place{LastGroupID: ptr[int64](3), LastServedAt: at(-8 * 24 * time.Hour)}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "group", chooseGroup(tt.place, 1, noon, 7*24*time.Hour), tt.want)
		})
	}
}

func TestP12cTimesOfThePlatform(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tests := []struct {
			name    string
			at      time.Time
			shown   time.Time
			granted time.Time
		}{
			{"P-1.2c · shown and granted by CreateTime", noon.Add(-7 * time.Second), noon.Add(-7 * time.Second), noon.Add(-7 * time.Second)},
			{"P-1.2c · a clock a little ahead grants from now", noon.Add(30 * time.Second), noon.Add(30 * time.Second), noon},
			{"P-1.2c · a CreateTime in the future is nonsense", noon.Add(time.Hour), noon, noon},
			{"P-1.2c · so is none at all", time.Time{}, noon, noon},
		}
		for i, tt := range tests {
			w.run(t, tt.name, func(t *testing.T) {
				who := fmt.Sprintf("open-%d", i)
				in := w.push(who, platform.Text{Text: "你好"})
				in.At = tt.at
				w.receive(in)
				wantEqual(t, "shown at", w.messages(who)[0].ShownAt, tt.shown)
				wantEqual(t, "created at", w.messages(who)[0].CreatedAt, noon)
				wantEqual(t, "arrival", w.session(who).ArrivalAt, noon)
				grants, err := w.store.Grants(w.ctx, w.place(who).ConversationID)
				w.must(err)
				wantEqual(t, "granted at", grants[0].GrantedAt, tt.granted)
				wantEqual(t, "ends", grants[0].ExpiresAt, tt.granted.Add(48*time.Hour-time.Minute))
			})
		}
	})
}

func TestContentsOfEveryKind(t *testing.T) {
	tests := []struct {
		name             string
		what             platform.What
		kind, text, data string
	}{
		{"P-5.1 · text", platform.Text{Text: "你好"}, "text", "你好", ""},
		{"P-5.1 · stickers and files come as a text that is not the customer's", platform.Text{Text: UnsupportedText}, "unsupported", UnsupportedText, ""},
		{"P-5.1 · image", platform.Image{URL: "http://p", MediaID: "m"}, "image", "", `{"URL":"http://p","MediaID":"m"}`},
		{"P-5.1 · voice with its words", platform.Voice{MediaID: "m", Format: "amr", Recognition: "我要退货"}, "voice", "我要退货",
			`{"MediaID":"m","MediaID16K":"","Format":"amr","Recognition":"我要退货"}`},
		{"P-5.1 · video", platform.Video{MediaID: "m"}, "video", "", `{"MediaID":"m","ThumbMediaID":"","Short":false}`},
		{"P-5.1 · short video", platform.Video{MediaID: "m", Short: true}, "shortvideo", "", `{"MediaID":"m","ThumbMediaID":"","Short":true}`},
		{"P-5.1 · location", platform.Location{Lat: 30.5, Lng: 120, Scale: 15, Label: "西湖"}, "location", "西湖", `{"Lat":30.5,"Lng":120,"Scale":15,"Label":"西湖"}`},
		{"P-5.1 · a location that is no number", platform.Location{Lat: math.NaN(), Label: "西湖"}, "location", "西湖", ""},
		{"P-5.1 · link", platform.Link{Title: "文章", URL: "http://a"}, "link", "文章", `{"Title":"文章","Description":"","URL":"http://a"}`},
		{"P-5.1 · unknown kinds are kept raw", platform.Unknown{MsgType: "hologram"}, "unknown", "", `{"raw":"\u003cxml/\u003e","type":"hologram"}`},
		{"P-5.1 · an empty text", platform.Text{}, "text", "", ""},
		{"promise 1 · what no database stores as it is", platform.Text{Text: "您好\x00\xff！"}, "text", "您好�！", ""},
	}
	each(t, func(t *testing.T, w *world) {
		for i, tt := range tests {
			w.run(t, tt.name, func(t *testing.T) {
				who := fmt.Sprintf("open-%d", i)
				w.does(who, tt.what)
				m, s := w.messages(who)[0], w.session(who)
				wantEqual(t, "kind", m.Kind, tt.kind)
				wantEqual(t, "text", m.Text, tt.text)
				wantEqual(t, "data", m.Data, tt.data)
				wantEqual(t, "state", s.State, models.Waiting)
				wantEqual(t, "last kind", s.LastKind, tt.kind)
				wantEqual(t, "last text", s.LastText, tt.text)
			})
		}
		w.run(t, "P-5.1 · raw bytes that are no text", func(t *testing.T) {
			in := w.push("raw", platform.Unknown{MsgType: "x"})
			in.Raw = []byte("a\xff\x00b")
			w.receive(in)
			wantEqual(t, "data", w.messages("raw")[0].Data, `{"raw":"a�\u0000b","type":"x"}`)
		})
		w.run(t, "P-5.1 · a long text on one line of the list", func(t *testing.T) {
			w.says("long", strings.Repeat("很长\n", 60))
			wantEqual(t, "last text", w.session("long").LastText, strings.Repeat("很长 ", 26)+"很…")
		})
	})
}

func TestP42AnsweredOrNot(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		state := func(id int64) models.Message {
			m, err := w.store.Message(w.ctx, id)
			w.must(err)
			return m
		}
		w.run(t, "P-4.2 · written in time: sent, and free", func(t *testing.T) {
			got := w.says("anna", "你好")
			w.advance(time.Second)
			before := w.cursor()
			w.must(w.desk.Answered(w.ctx, got.MessageID, true))
			m := state(got.MessageID)
			wantEqual(t, "state", m.State, models.Sent)
			wantEqual(t, "sent at", *m.SentAt, w.clock.Now())
			wantList(t, "events", w.told(before), models.EventMessage)
			a, err := w.desk.Allowance(w.ctx, w.place("anna").ConversationID)
			w.must(err)
			wantEqual(t, "left", a.Left, 5)
			if since := w.session("anna").UnansweredSince; since == nil || *since != noon {
				t.Errorf("a passive text stopped the customer's clock: %v", since) // P-2.9
			}
		})
		w.run(t, "P-4.2 · too late: unknown, until a repetition fetches it", func(t *testing.T) {
			in := w.push("bert", platform.Text{Text: "你好"})
			got := w.receive(in)
			w.must(w.desk.Answered(w.ctx, got.MessageID, false))
			wantEqual(t, "state", state(got.MessageID).State, models.UnknownState)
			again := w.receive(in)
			w.must(w.desk.Answered(w.ctx, again.MessageID, true))
			wantEqual(t, "state", state(got.MessageID).State, models.Sent)
		})
		w.run(t, "P-4.2 · without a session", func(t *testing.T) {
			got := w.does("cleo", platform.MenuClick{Event: "CLICK", Key: "x"})
			w.must(w.desk.Answered(w.ctx, got.MessageID, true))
			wantEqual(t, "state", state(got.MessageID).State, models.Sent)
		})
		w.run(t, "P-4.2 · of nothing", func(t *testing.T) {
			if err := w.desk.Answered(w.ctx, 1<<40, true); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestClosingWords(t *testing.T) {
	tests := map[string]bool{
		"谢谢": true, "谢谢！": true, "好的，谢谢": true, "OK": true, "Thank  you.": true, "👍": true, "👍🏻 👍": true, "[微笑]": true, "好的[OK]": true, "谢谢🙏": true, "嗯嗯。": true,
		"":    false, // an empty text is somebody who writes
		"？？？": false, "谢谢，还有一个问题": false, "好的吗": false, "不好": false, "1": false, "[微笑]在吗": false, "[这不是一个表情代码]": false, UnsupportedText: false,
	}
	for text, want := range tests {
		if got := isClosingWord(platform.Text{Text: text}); got != want {
			t.Errorf("%q is a closing word: %v, want %v", text, got, want)
		}
	}
	if isClosingWord(platform.Image{}) {
		t.Error("a picture is a closing word")
	}
}

func TestRouteToAGroupThatIsGone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		gone := w.addGroup("临时", 200, true)
		w.must(w.store.SetRoute(w.ctx, w.channel.ID, "gone", gone.ID))
		w.does("anna", platform.Scan{Scene: "gone"})
		w.exec("DELETE FROM groups WHERE id = ?", gone.ID)
		w.says("anna", "你好")
		wantEqual(t, "group", w.session("anna").GroupID, w.group.ID)
	})
}
