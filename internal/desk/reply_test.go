package desk

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kefu/models"
	"kefu/models/modelstest"
)

// outbox is the messages to be sent, in the order of sending.
func (w *world) outbox() []int64 {
	w.t.Helper()
	rows, err := w.raw.Query("SELECT message_id FROM outbox ORDER BY id")
	w.must(err)
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		w.must(rows.Scan(&id))
		ids = append(ids, id)
	}
	w.must(rows.Err())
	return ids
}

// outcome sets how the delivery of a message ended, as the delivery does.
func (w *world) outcome(m models.Message, state models.MessageState) {
	w.t.Helper()
	m.State, m.UpdatedAt = state, w.clock.Now()
	w.must(w.store.InTx(w.ctx, func(tx *models.Store) error {
		if _, err := tx.TakeBackOutbox(w.ctx, m.ID); err != nil {
			return err
		}
		if err := tx.SetMessageState(w.ctx, m); err != nil {
			return err
		}
		return tx.NoteDelivered(w.ctx, m)
	}))
}

func (w *world) message(id int64) models.Message {
	w.t.Helper()
	m, err := w.store.Message(w.ctx, id)
	w.must(err)
	return m
}

func TestReplyIsStoredAndQueuedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		v := w.viewer(mei)
		s := w.served(mei, "anna", "请问怎么退货？")
		w.must(w.store.CreateAccount(w.ctx, &models.Account{ChannelID: w.channel.ID, Account: "mei@kefu", Nick: "小美", AgentID: &mei.ID, CreatedAt: noon}))
		w.advance(time.Minute)
		w.run(t, "P-5.3 · queued, with its outbox row and its event", func(t *testing.T) {
			before := w.cursor()
			stored, err := w.desk.Reply(w.ctx, v, Reply{SessionID: s.ID, Text: "\r\n　您好\r\n请稍等 \x00\n"})
			w.must(err)
			wantEqual(t, "messages", len(stored), 1)
			m := w.message(stored[0].ID)
			wantEqual(t, "text", m.Text, "您好\n请稍等")
			wantEqual(t, "state", m.State, models.Queued)
			wantEqual(t, "direction", m.Direction, models.Out)
			wantEqual(t, "by", *m.AgentID, mei.ID)
			wantEqual(t, "face", m.Face+" "+m.FaceNick, "mei@kefu 小美")
			wantList(t, "outbox", w.outbox(), m.ID)
			wantList(t, "events", w.told(before), models.EventMessage)
			wantEqual(t, "deliveries woken", w.woken.Load(), 1)
			now := w.session("anna")
			wantEqual(t, "last word", string(now.LastDirection)+" "+now.LastText+" "+string(now.LastState), "out 您好 请稍等 queued")
			wantEqual(t, "unread", now.Unread, 0)
			wantEqual(t, "last at", now.LastAt, w.clock.Now())
			if now.UnansweredSince == nil {
				t.Error("the customer's clock stops before anything was sent") // P-2.9
			}
		})
		w.run(t, "P-2.9 · the clock stops when it is sent", func(t *testing.T) {
			w.outcome(w.message(w.outbox()[0]), models.Sent)
			if since := w.session("anna").UnansweredSince; since != nil {
				t.Errorf("still unanswered since %v", since)
			}
		})
		w.run(t, "P-5.2 · too long for one message: parts, in order", func(t *testing.T) {
			stored, err := w.desk.Reply(w.ctx, v, Reply{SessionID: s.ID, Key: "long", Text: strings.Repeat("很", 1500)})
			w.must(err)
			wantEqual(t, "parts", len(stored), 3)
			var ids []int64
			text := ""
			for i, m := range stored {
				ids, text = append(ids, m.ID), text+m.Text
				wantEqual(t, "part", fmt.Sprintf("%d/%d", m.Part, m.Parts), fmt.Sprintf("%d/3", i+1))
				if len(m.Text) > 2048 {
					t.Errorf("part %d has %d bytes", i+1, len(m.Text))
				}
			}
			wantEqual(t, "text", text, strings.Repeat("很", 1500))
			wantList(t, "outbox", w.outbox(), ids...)
		})
		w.run(t, "P-9 · without a usable account there is no face", func(t *testing.T) {
			w.must(w.store.BreakAccount(w.ctx, w.channel.ID, "mei@kefu", w.clock.Now()))
			stored, err := w.desk.Reply(w.ctx, v, Reply{SessionID: s.ID, Text: "您好"})
			w.must(err)
			wantEqual(t, "face", w.message(stored[0].ID).Face, "")
		})
	})
}

func TestReplyWithAKeyIsStoredOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei, lin := w.hire("mei", models.RoleAgent, 5, w.group), w.hire("lin", models.RoleSupervisor, 5, w.group)
		s := w.served(mei, "anna", "你好")
		long := strings.Repeat("很", 1500)
		first, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: s.ID, Key: "k1", Text: long})
		w.must(err)
		before := w.stored()
		w.run(t, "the same form again changes nothing and answers the same", func(t *testing.T) {
			again, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: s.ID, Key: "k1", Text: long})
			w.must(err)
			wantEqual(t, "messages", len(again), 3)
			for i := range again {
				wantEqual(t, "message", again[i].ID, first[i].ID)
			}
		})
		w.run(t, "even when the session was closed meanwhile", func(t *testing.T) {
			w.end("anna", models.ClosedByAgent)
			again, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: s.ID, Key: "k1", Text: long})
			w.must(err)
			wantEqual(t, "messages", len(again), 3)
			wantEqual(t, "stored", w.stored()["messages"], before["messages"])
			wantEqual(t, "queued", w.stored()["outbox"], before["outbox"])
		})
		w.run(t, "a key is an agent's own", func(t *testing.T) {
			s := w.served(mei, "bert", "你好")
			one, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: s.ID, Key: "k2", Text: "您好"})
			w.must(err)
			other, err := w.desk.Reply(w.ctx, w.viewer(lin), Reply{SessionID: s.ID, Key: "k2", Text: "您好"})
			w.must(err)
			if one[0].ID == other[0].ID {
				t.Error("a colleague's reply was swallowed")
			}
		})
		w.run(t, "without a key each is a message of its own", func(t *testing.T) {
			id := w.session("bert").ID
			one, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: id, Text: "您好"})
			w.must(err)
			other, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: id, Text: "您好"})
			w.must(err)
			if one[0].ID == other[0].ID {
				t.Error("the second was swallowed")
			}
		})
		w.run(t, "a note with a key is one note", func(t *testing.T) {
			r := Reply{SessionID: w.session("bert").ID, Key: "n1", Text: "客户很急"}
			one, err := w.desk.Note(w.ctx, w.viewer(mei), r)
			w.must(err)
			again, err := w.desk.Note(w.ctx, w.viewer(mei), r)
			w.must(err)
			wantEqual(t, "note", again.ID, one.ID)
		})
	})
}

// TestReplyPressedTwiceAtOnce has two processes get the same form in the same moment.
func TestReplyPressedTwiceAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		processes := []*Desk{w.desk, w.desk}
		if w.store.Dialect() == models.Postgres {
			processes[1] = w.process(modelstest.Open(t, w.url))
		}
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		v, s := w.viewer(mei), w.served(mei, "anna", "你好")
		for i := range 15 {
			var ids, notes [2]int64
			key := fmt.Sprint("k", i)
			failed, err := w.desk.Reply(w.ctx, v, Reply{SessionID: s.ID, Text: "您好"})
			w.must(err)
			w.outcome(failed[0], models.FailedState)
			var all sync.WaitGroup
			for n := range 2 {
				all.Go(func() {
					stored, err := processes[n].Reply(w.ctx, v, Reply{SessionID: s.ID, Key: key, Text: "您好"})
					if err != nil {
						t.Error("reply:", err)
						return
					}
					ids[n] = stored[0].ID
					note, err := processes[n].Note(w.ctx, v, Reply{SessionID: s.ID, Key: key + "n", Text: "急"})
					if err != nil {
						t.Error("note:", err)
					}
					notes[n] = note.ID
					if err := processes[n].Resend(w.ctx, v, s.ID, failed[0].ID); err != nil {
						t.Error("resend:", err)
					}
				})
			}
			all.Wait()
			wantEqual(t, "reply", ids[0], ids[1])
			wantEqual(t, "note", notes[0], notes[1])
			wantEqual(t, "resent", w.number("SELECT COUNT(*) FROM messages WHERE resend_of = ?", failed[0].ID), 1)
		}
	})
}

func TestReplyRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.addGroup("售后", 200, true)
		mei, zhou := w.hire("mei", models.RoleAgent, 5, w.group), w.hire("zhou", models.RoleAgent, 5, w.group)
		lin, far := w.hire("lin", models.RoleSupervisor, 5, w.group), w.hire("far", models.RoleSupervisor, 5, other)
		active := w.served(mei, "anna", "你好")
		w.says("bert", "你好")
		waiting := w.session("bert")
		closed := w.served(mei, "cleo", "你好")
		w.end("cleo", models.ClosedByAgent)
		before := w.stored()
		tests := []struct {
			name string
			who  models.Agent
			s    models.Session
			text string
			kind Kind
			key  string
		}{
			{"empty", mei, active, "", Invalid, "refusal.empty"},
			{"only spaces", mei, active, " \n\t　\r\n", Invalid, "refusal.empty"},
			{"only a NUL", mei, active, "\x00", Invalid, "refusal.empty"},
			{"far too long", mei, active, strings.Repeat("a", maxReply+1), Invalid, "refusal.too_long"},
			{"P-4.1 · six messages where five are left", mei, active, strings.Repeat("a", 5*2048+1), Invalid, "refusal.not_enough_left"},
			{"not UTF-8", mei, active, "您\xff", Invalid, "refusal.encoding"},
			{"waiting", mei, waiting, "您好", Conflict, "refusal.claim_first"},
			{"closed", mei, closed, "您好", Conflict, "refusal.closed_reply"},
			{"a colleague's", zhou, active, "您好", Forbidden, "refusal.not_yours"},
			{"led by somebody else", far, active, "您好", Forbidden, "refusal.not_yours"},
		}
		for _, tt := range tests {
			w.run(t, "refused · "+tt.name, func(t *testing.T) {
				_, err := w.desk.Reply(w.ctx, w.viewer(tt.who), Reply{SessionID: tt.s.ID, Text: tt.text, Key: "k"})
				r, ok := errors.AsType[*Refusal](err)
				if !ok || r.Kind != tt.kind || string(r.Key) != tt.key {
					t.Errorf("got %v, want %s", err, tt.key)
				}
			})
		}
		w.run(t, "refused · nothing of it was stored", func(t *testing.T) {
			for table, n := range w.stored() {
				wantEqual(t, "rows of "+table, n, before[table])
			}
			wantEqual(t, "deliveries woken", w.woken.Load(), 0)
		})
		w.run(t, "P-4.1 · as many as are left: accepted whole", func(t *testing.T) {
			stored, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: active.ID, Text: strings.Repeat("a", 5*2048)})
			w.must(err)
			wantEqual(t, "parts", len(stored), 5)
		})
		w.run(t, "P-4.1 · one message may be tried with none left", func(*testing.T) {
			_, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: active.ID, Text: "还在吗"})
			w.must(err)
		})
		w.run(t, "who leads the group may", func(t *testing.T) {
			_, err := w.desk.Reply(w.ctx, w.viewer(lin), Reply{SessionID: active.ID, Text: "您好"})
			w.must(err)
			wantEqual(t, "holder", holder(w.session("anna")), mei.ID)
		})
	})
}

func TestNoteIsNeverSent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.addGroup("售后", 200, true)
		mei, zhou := w.hire("mei", models.RoleAgent, 5, w.group), w.hire("zhou", models.RoleAgent, 5, w.group)
		far := w.hire("far", models.RoleAgent, 5, other)
		s := w.served(mei, "anna", "你好")
		was := w.session("anna")
		before := w.cursor()
		w.run(t, "P-5.4 · seen by colleagues, never queued", func(t *testing.T) {
			m, err := w.desk.Note(w.ctx, w.viewer(mei), Reply{SessionID: s.ID, Text: " 客户很急 \n"})
			w.must(err)
			stored := w.message(m.ID)
			wantEqual(t, "line", string(stored.Direction)+" "+stored.Kind+" "+stored.Text+string(stored.State), "note note 客户很急")
			wantEqual(t, "to be sent", len(w.outbox()), 0)
			wantEqual(t, "deliveries woken", w.woken.Load(), 0)
			wantList(t, "events", w.told(before), models.EventMessage)
		})
		w.run(t, "P-2.9 · the customer's clock goes on", func(t *testing.T) {
			now := w.session("anna")
			wantEqual(t, "last word", now.LastText, was.LastText)
			wantEqual(t, "unanswered since", *now.UnansweredSince, *was.UnansweredSince)
			wantEqual(t, "unread", now.Unread, was.Unread)
		})
		w.run(t, "Roles · refused to who only watches", func(t *testing.T) {
			_, err := w.desk.Note(w.ctx, w.viewer(zhou), Reply{SessionID: s.ID, Text: "嗯"})
			wantRefusal(t, err, Forbidden, "refusal.not_yours")
		})
		w.run(t, "refused to who may not see the session", func(t *testing.T) {
			_, err := w.desk.Note(w.ctx, w.viewer(far), Reply{SessionID: s.ID, Text: "嗯"})
			wantRefusal(t, err, Forbidden, "refusal.not_visible")
			_, err = w.desk.Note(w.ctx, w.viewer(mei), Reply{SessionID: s.ID, Text: " "})
			wantRefusal(t, err, Invalid, "refusal.empty")
		})
	})
}

func TestResend(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei, zhou := w.hire("mei", models.RoleAgent, 5, w.group), w.hire("zhou", models.RoleAgent, 5, w.group)
		v, s := w.viewer(mei), w.served(mei, "anna", "你好")
		reply := func(state models.MessageState) models.Message {
			stored, err := w.desk.Reply(w.ctx, v, Reply{SessionID: s.ID, Text: "您好 " + string(state)})
			w.must(err)
			if state != models.Queued {
				w.outcome(stored[0], state)
			}
			return stored[0]
		}
		for _, state := range []models.MessageState{models.Queued, models.Sending, models.Sent, models.Withdrawn} {
			w.run(t, "P-5.4 · refused when it is "+string(state), func(t *testing.T) {
				wantRefusal(t, w.desk.Resend(w.ctx, v, s.ID, reply(state).ID), Conflict, "refusal.not_failed")
			})
		}
		for _, state := range []models.MessageState{models.FailedState, models.UnknownState} {
			w.run(t, "P-5.4 · once more when it is "+string(state), func(t *testing.T) {
				old := reply(state)
				before := len(w.outbox())
				w.must(w.desk.Resend(w.ctx, v, s.ID, old.ID))
				w.must(w.desk.Resend(w.ctx, v, s.ID, old.ID)) // pressed twice
				queued := w.outbox()
				wantEqual(t, "queued more", len(queued)-before, 1)
				m := w.message(queued[len(queued)-1])
				wantEqual(t, "text", m.Text, old.Text)
				wantEqual(t, "resend of", *m.ResendOf, old.ID)
				wantEqual(t, "state of the old one", w.message(old.ID).State, state)
			})
		}
		w.run(t, "P-5.4 · and once more when that failed too", func(t *testing.T) {
			old := reply(models.FailedState)
			w.must(w.desk.Resend(w.ctx, v, s.ID, old.ID))
			queued := w.outbox()
			second := w.message(queued[len(queued)-1])
			w.outcome(second, models.FailedState)
			w.must(w.desk.Resend(w.ctx, v, s.ID, second.ID))
			queued = w.outbox()
			wantEqual(t, "resend of", *w.message(queued[len(queued)-1]).ResendOf, second.ID)
		})
		old := reply(models.FailedState)
		w.run(t, "P-5.4 · not a colleague's, not another session's, not what is no reply", func(t *testing.T) {
			wantRefusal(t, w.desk.Resend(w.ctx, w.viewer(zhou), s.ID, old.ID), Forbidden, "refusal.not_yours")
			bert := w.served(mei, "bert", "你好")
			for _, id := range []int64{old.ID, 1 << 40} {
				if err := w.desk.Resend(w.ctx, v, bert.ID, id); !errors.Is(err, models.ErrNotFound) {
					t.Errorf("message %d: %v", id, err)
				}
			}
			for _, m := range w.messages("bert") {
				if err := w.desk.Resend(w.ctx, v, bert.ID, m.ID); !errors.Is(err, models.ErrNotFound) {
					t.Errorf("%s %s: %v", m.Direction, m.Kind, err)
				}
			}
		})
		w.run(t, "P-5.4 · not after the end", func(t *testing.T) {
			w.end("anna", models.ClosedByAgent)
			wantRefusal(t, w.desk.Resend(w.ctx, v, s.ID, old.ID), Conflict, "refusal.closed_reply")
		})
	})
}

func TestWithdrawAndLetOthersPass(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei, zhou := w.hire("mei", models.RoleAgent, 5, w.group), w.hire("zhou", models.RoleAgent, 5, w.group)
		v, s := w.viewer(mei), w.served(mei, "anna", "你好")
		var ids []int64
		for i := range 4 {
			stored, err := w.desk.Reply(w.ctx, v, Reply{SessionID: s.ID, Text: fmt.Sprint("第 ", i)})
			w.must(err)
			ids = append(ids, stored[0].ID)
		}
		w.run(t, "the first lets the others pass", func(t *testing.T) {
			before := w.cursor()
			w.must(w.desk.LetOthersPass(w.ctx, v, s.ID, ids[0]))
			wantList(t, "order", w.outbox(), ids[1], ids[2], ids[3], ids[0])
			wantList(t, "events", w.told(before), models.EventMessage)
		})
		w.run(t, "one is withdrawn", func(t *testing.T) {
			before := w.cursor()
			w.must(w.desk.Withdraw(w.ctx, v, s.ID, ids[2]))
			wantList(t, "order", w.outbox(), ids[1], ids[3], ids[0])
			wantEqual(t, "state", w.message(ids[2]).State, models.Withdrawn)
			wantList(t, "events", w.told(before), models.EventMessage)
		})
		w.run(t, "what the customer waits for is not answered by it", func(t *testing.T) {
			w.must(w.desk.Withdraw(w.ctx, v, s.ID, ids[3]))
			now := w.session("anna")
			wantEqual(t, "state in the list", now.LastState, models.Withdrawn)
			if now.UnansweredSince == nil {
				t.Error("the customer's clock stopped")
			}
		})
		w.run(t, "a colleague may neither", func(t *testing.T) {
			wantRefusal(t, w.desk.Withdraw(w.ctx, w.viewer(zhou), s.ID, ids[1]), Forbidden, "refusal.not_yours")
			wantRefusal(t, w.desk.LetOthersPass(w.ctx, w.viewer(zhou), s.ID, ids[1]), Forbidden, "refusal.not_yours")
		})
		w.run(t, "what is on its way cannot be taken back", func(t *testing.T) {
			w.exec("UPDATE outbox SET lease_owner = 'a', lease_until = ? WHERE message_id = ?", w.clock.Now().Add(time.Minute), ids[1])
			wantRefusal(t, w.desk.Withdraw(w.ctx, v, s.ID, ids[1]), Conflict, "refusal.on_its_way")
			wantRefusal(t, w.desk.LetOthersPass(w.ctx, v, s.ID, ids[1]), Conflict, "refusal.on_its_way")
			wantEqual(t, "state", w.message(ids[1]).State, models.Queued)
		})
		w.run(t, "nor what has gone", func(t *testing.T) {
			w.outcome(w.message(ids[0]), models.Sent)
			wantRefusal(t, w.desk.Withdraw(w.ctx, v, s.ID, ids[0]), Conflict, "refusal.on_its_way")
			wantEqual(t, "state", w.message(ids[0]).State, models.Sent)
		})
		w.run(t, "part k+1 never goes before part k", func(t *testing.T) {
			w.exec("DELETE FROM outbox")
			long, err := w.desk.Reply(w.ctx, v, Reply{SessionID: s.ID, Text: strings.Repeat("很", 1500)})
			w.must(err)
			short, err := w.desk.Reply(w.ctx, v, Reply{SessionID: s.ID, Text: "短"})
			w.must(err)
			w.must(w.desk.LetOthersPass(w.ctx, v, s.ID, long[0].ID))
			wantList(t, "order", w.outbox(), short[0].ID, long[0].ID, long[1].ID, long[2].ID)
		})
	})
}

func TestFormKey(t *testing.T) {
	for stored, want := range map[string]string{"7:abc:1": "abc", "7:a:b:12": "a:b", "7:resend-9:1": "resend-9", "": ""} {
		wantEqual(t, "key of "+stored, FormKey(stored), want)
	}
}
