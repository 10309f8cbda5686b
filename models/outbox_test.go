package models_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"kefu/models"
	"kefu/models/modelstest"
)

// lease takes what may go on the office's channel for a minute, and names the texts.
func (o *office) lease(owner string, at time.Time, n int) []models.OutboxRow {
	o.t.Helper()
	rows, err := o.s.LeaseOutbox(ctx, owner, o.channel.ID, at, at.Add(time.Minute), n)
	must(o.t, err)
	slices.SortFunc(rows, func(a, b models.OutboxRow) int { return int(a.ID - b.ID) })
	return rows
}

func (o *office) texts(rows []models.OutboxRow) []string {
	o.t.Helper()
	var texts []string
	for _, r := range rows {
		m, err := o.s.Message(ctx, r.MessageID)
		must(o.t, err)
		texts = append(texts, m.Text)
	}
	return texts
}

// line is what is still to be sent, in order.
func (o *office) line() []string {
	o.t.Helper()
	var rows []models.OutboxRow
	must(o.t, o.s.Handle(ctx).Order("id").Find(&rows).Error)
	return o.texts(rows)
}

func (o *office) state(m models.Message) models.MessageState {
	o.t.Helper()
	m, err := o.s.Message(ctx, m.ID)
	must(o.t, err)
	return m.State
}

func TestOutboxSendsInOrder(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		anna, bert := o.waits("anna", noon), o.waits("bert", noon)
		a1 := o.sends(anna, "a1", 1, 1, noon)
		o.sends(anna, "a2", 1, 1, noon)
		o.sends(bert, "b1", 1, 1, noon)
		o.sends(bert, "b2", 1, 1, noon)
		first := o.lease("w1", noon, 10)
		t.Run("the heads of the sessions only", func(t *testing.T) {
			list(t, "leased", o.texts(first), "a1", "b1")
			equal(t, "state", o.state(a1), models.Sending)
			equal(t, "attempts", first[0].Attempts, 1)
			equal(t, "owner", first[0].LeaseOwner, "w1")
			equal(t, "until", *first[0].LeaseUntil, noon.Add(time.Minute))
		})
		t.Run("nothing behind what is on its way", func(t *testing.T) {
			equal(t, "leased", len(o.lease("w1", noon, 10)), 0)
			equal(t, "leased by another", len(o.lease("w2", noon, 10)), 0)
		})
		t.Run("the next when the head is done", func(t *testing.T) {
			done, err := o.s.FinishOutbox(ctx, first[0])
			must(t, err)
			equal(t, "done", done, true)
			list(t, "leased", o.texts(o.lease("w2", noon, 10)), "a2")
		})
		t.Run("a lease that is not in force finishes nothing", func(t *testing.T) {
			stranger := first[1]
			stranger.LeaseOwner = "w2"
			for _, r := range []models.OutboxRow{stranger, first[0]} {
				done, err := o.s.FinishOutbox(ctx, r)
				must(t, err)
				equal(t, "done", done, false)
				again, err := o.s.RepeatOutbox(ctx, r)
				must(t, err)
				equal(t, "given back", again, false)
			}
		})
		t.Run("a head that waits for its next try holds the others", func(t *testing.T) {
			r := first[1]
			r.NextAt, r.Faceless = noon.Add(5*time.Second), true
			again, err := o.s.RepeatOutbox(ctx, r)
			must(t, err)
			equal(t, "given back", again, true)
			equal(t, "leased too early", len(o.lease("w1", noon.Add(5*time.Second-1), 10)), 0)
			rows := o.lease("w1", noon.Add(5*time.Second), 10)
			list(t, "leased", o.texts(rows), "b1")
			equal(t, "attempts", rows[0].Attempts, 2)
			equal(t, "faceless", rows[0].Faceless, true)
		})
		n, err := o.s.OutboxLength(ctx)
		must(t, err)
		equal(t, "left", n, 3)
	})
}

func TestOutboxOfAChannel(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for i := range 5 {
			n := o.waits(fmt.Sprint("c", i), noon)
			o.sends(n, fmt.Sprint("m", i), 1, 1, noon.Add(-time.Duration(i)*time.Second))
		}
		other := *o
		other.channel = o.anotherChannel("two")
		other.sends(other.waits("anna", noon), "other", 1, 1, noon)
		t.Run("what is due longest goes first, not more than asked for", func(t *testing.T) {
			list(t, "leased", o.texts(o.lease("w1", noon, 2)), "m3", "m4")
		})
		t.Run("nothing on a paused channel", func(t *testing.T) {
			must(t, o.s.PauseChannel(ctx, o.channel.ID, noon.Add(time.Hour)))
			equal(t, "leased", len(o.lease("w1", noon.Add(time.Hour-time.Millisecond), 10)), 0)
			list(t, "on the other channel", o.texts(other.lease("w1", noon, 10)), "other")
			list(t, "at the end of the pause", o.texts(o.lease("w1", noon.Add(time.Hour), 10)), "m0", "m1", "m2")
		})
	})
}

func TestOutboxDue(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		due := func() []models.Due {
			found, err := o.s.OutboxDue(ctx)
			must(t, err)
			return found
		}
		list(t, "nothing to send", due())
		n := o.waits("anna", noon)
		o.sends(n, "a1", 1, 1, noon.Add(time.Minute))
		o.sends(n, "a2", 1, 1, noon)
		list(t, "the head, not what is behind it", due(), models.Due{ChannelID: o.channel.ID, At: noon.Add(time.Minute)})
		must(t, o.s.PauseChannel(ctx, o.channel.ID, noon.Add(time.Hour)))
		list(t, "not before the pause ends", due(), models.Due{ChannelID: o.channel.ID, At: noon.Add(time.Hour)})
		equal(t, "leased", len(o.lease("w1", noon.Add(2*time.Hour), 10)), 1)
		list(t, "all on its way", due())
	})
}

// TestOutboxTwoOwnersNeverShareARow has two processes empty one outbox.
func TestOutboxTwoOwnersNeverShareARow(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		stores := []*models.Store{o.s, o.s}
		if o.s.Dialect() == models.Postgres {
			stores[1] = modelstest.Open(t, o.s.Address())
		}
		const sessions, of = 12, 5
		for i := range sessions {
			n := o.waits(fmt.Sprint("c", i), noon)
			for k := range of {
				o.sends(n, fmt.Sprintf("%d-%d", i, k), 1, 1, noon)
			}
		}
		var mu sync.Mutex
		var sent []int64
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				owner := fmt.Sprint("w", n)
				for {
					rows, err := stores[n%2].LeaseOutbox(ctx, owner, o.channel.ID, noon, noon.Add(time.Minute), 3)
					if err != nil {
						t.Error(err)
						return
					}
					for _, r := range rows {
						mu.Lock()
						sent = append(sent, r.MessageID)
						mu.Unlock()
						done, err := stores[n%2].FinishOutbox(ctx, r)
						if err != nil || !done {
							t.Errorf("finish: %v, %v", done, err)
						}
					}
					left, err := stores[n%2].OutboxLength(ctx)
					if err != nil || left == 0 {
						return
					}
				}
			})
		}
		all.Wait()
		equal(t, "sent", len(sent), sessions*of)
		next := map[int64]int64{}
		for _, id := range sent {
			m, err := o.s.Message(ctx, id)
			must(t, err)
			if id <= next[*m.SessionID] {
				t.Errorf("message %d of session %d went after %d, or twice", id, *m.SessionID, next[*m.SessionID])
			}
			next[*m.SessionID] = id
		}
	})
}

func TestOutboxLostLeases(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for i := range 3 {
			o.sends(o.waits(fmt.Sprint("c", i), noon), fmt.Sprint("m", i), 1, 1, noon)
		}
		lost := func(at time.Time, owner string, others bool) []string {
			rows, err := o.s.LostLeases(ctx, at, owner, others)
			must(t, err)
			return o.texts(rows)
		}
		o.lease("w1", noon, 1)
		o.lease("w2", noon.Add(time.Second), 1)
		list(t, "while they last", lost(noon.Add(time.Minute), "w2", false))
		list(t, "one has ended", lost(noon.Add(time.Minute+time.Millisecond), "w2", false), "m0")
		list(t, "both have ended", lost(noon.Add(time.Hour), "w2", false), "m0", "m1")
		list(t, "the only one alive knows the others' to be lost", lost(noon.Add(2*time.Second), "w2", true), "m0")
		list(t, "what nobody took is not lost", lost(noon.Add(2*time.Second), "w3", true), "m0", "m1")
	})
}

func TestOutboxDropParts(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		n := o.waits("anna", noon)
		parts := func(name string) []models.Message {
			var list []models.Message
			for i := range 3 {
				list = append(list, o.sends(n, fmt.Sprintf("%s%d", name, i+1), i+1, 3, noon))
				if i == 1 { // other transactions take ids in between
					must(t, o.s.CreateMessage(ctx, &models.Message{ConversationID: n.ConversationID, SessionID: &n.ID, Direction: models.In, Kind: "text", ShownAt: noon, CreatedAt: noon}))
					must(t, o.s.CreateMessage(ctx, &models.Message{ConversationID: n.ConversationID, Direction: models.System, Kind: "x", ShownAt: noon, CreatedAt: noon}))
				}
			}
			return list
		}
		a, b := parts("a"), parts("b")
		o.sends(n, "c", 1, 1, noon)
		drop := func(m models.Message) []int64 {
			dropped, err := o.s.DropParts(ctx, m)
			must(t, err)
			return dropped
		}
		list(t, "the later parts of the same reply", drop(a[0]), a[1].ID, a[2].ID)
		list(t, "line", o.line(), "a1", "b1", "b2", "b3", "c")
		list(t, "later than the second", drop(b[1]), b[2].ID)
		list(t, "line", o.line(), "a1", "b1", "b2", "c")
		list(t, "of the last part nothing", drop(b[2]))
		list(t, "line", o.line(), "a1", "b1", "b2", "c")
	})
}

func TestOutboxLetOthersPass(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		n := o.waits("anna", noon)
		long1 := o.sends(n, "long1", 1, 2, noon)
		o.sends(n, "long2", 2, 2, noon)
		short := o.sends(n, "short", 1, 1, noon)
		pass := func(m models.Message) bool {
			passed, err := o.s.LetOthersPass(ctx, m.ID)
			must(t, err)
			return passed
		}
		equal(t, "passed", pass(long1), true)
		list(t, "the parts stay together", o.line(), "short", "long1", "long2")
		list(t, "leased", o.texts(o.lease("w1", noon, 10)), "short")
		equal(t, "what is on its way is passed", pass(short), false)
		list(t, "line", o.line(), "short", "long1", "long2")
		t.Run("taken back: only what nobody is sending", func(t *testing.T) {
			for m, want := range map[int64]bool{short.ID: false, long1.ID: true, 999: false} {
				taken, err := o.s.TakeBackOutbox(ctx, m)
				must(t, err)
				equal(t, fmt.Sprint("message ", m, " taken back"), taken, want)
			}
			list(t, "line", o.line(), "short", "long2")
		})
	})
}
