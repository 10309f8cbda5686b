package delivery

import (
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
	"kefu/models/modelstest"
)

func TestLostLeaseIsNotSentAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alone bool
		after time.Duration // when it is noticed
	}{
		{"at once when nobody else can hold it", true, 0},
		{"when it has run out, when others may be alive", false, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *stage) {
				n := s.session("o1")
				lost, next := s.reply(n, false, "lost")[0], s.reply(n, false, "next")[0]
				if rows, err := s.store.LeaseOutbox(t.Context(), "the dead", s.channel.ID, noon, noon.Add(leaseFor), 8); err != nil || len(rows) != 1 {
					t.Fatalf("leased %v, %v", rows, err)
				}
				o := s.options()
				o.Alone = tt.alone
				w, _ := s.start(o)
				s.idle(w)
				for at := time.Duration(0); at < tt.after; at += 30 * time.Second {
					s.is(lost, models.Sending, "", 0)
					s.is(next, models.Queued, "", 0)
					s.advance(30*time.Second + time.Millisecond)
					s.idle(w)
				}
				s.is(lost, models.UnknownState, "unknown", 0)
				s.is(next, models.Sent, "", 0)
				if got := s.phone.texts(); len(got) != 1 || got[0] != "next" {
					t.Errorf("sent %v", got)
				}
				s.checkSession(n, models.Sent)
			})
		})
	}
}

// TestCrashWhileLeased ends a process between lease and result: its store is gone, its call still on the way.
func TestCrashWhileLeased(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.began, s.phone.let = make(chan call, 100), make(chan struct{})
		id := s.reply(s.session("o1"), false, "您好")[0]
		dead := modelstest.Open(t, s.url)
		o := s.options()
		o.Store = dead
		_, stop := s.start(o)
		s.begin()
		s.must(dead.Close())

		w := s.work() // the next process
		s.is(id, models.UnknownState, "unknown", 0)
		close(s.phone.let)
		stop()
		s.advance(2 * time.Minute)
		s.idle(w)
		s.is(id, models.UnknownState, "unknown", 0)
		if n := len(s.phone.all()); n != 1 || s.queued() != 0 {
			t.Errorf("%d sends, %d in the outbox", n, s.queued())
		}
	})
}

// TestResultAfterTheLeaseWasLost: another process has given the message up meanwhile. Its word stands.
func TestResultAfterTheLeaseWasLost(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		id := s.reply(s.session("o1"), false, "您好")[0]
		s.phone.answer = func(call, int) error {
			rows, err := s.store.LostLeases(t.Context(), noon, "another", true)
			if err == nil {
				err = s.store.InTx(t.Context(), func(tx *models.Store) error {
					_, err := settleLease(t.Context(), tx, rows[0], noon)
					return err
				})
			}
			if err != nil {
				t.Error(err)
			}
			return refusal(platform.Busy, 45011)
		}
		s.idle(s.work())
		s.is(id, models.UnknownState, "unknown", 0)
		if s.queued() != 0 {
			t.Errorf("%d in the outbox", s.queued())
		}
	})
}

// refuse lets the database refuse every message that is to become sent, as a full disk would; allow ends it.
func (s *stage) refuse() (allow func()) {
	if s.store.Dialect() == models.SQLite {
		s.raw("CREATE TRIGGER full BEFORE UPDATE ON messages WHEN NEW.state = 'sent' BEGIN SELECT RAISE(ABORT, 'no room'); END")
		return func() { s.raw("DROP TRIGGER full") }
	}
	s.raw("CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$",
		"CREATE TRIGGER full_disk BEFORE UPDATE ON messages FOR EACH ROW WHEN (NEW.state = 'sent') EXECUTE FUNCTION no_room()")
	return func() { s.raw("DROP TRIGGER full_disk ON messages") }
}

func TestResultIsRecordedWhenTheDatabaseIsBack(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.began, s.phone.let = make(chan call, 100), make(chan struct{})
		close(s.phone.let)
		allow := s.refuse()
		id := s.reply(s.session("o1"), false, "您好")[0]
		w, _ := s.start(s.options())
		s.begin()
		for range 20 { // two minutes: longer than the lease, which stays in good hands
			s.advance(6 * time.Second)
		}
		s.is(id, models.Sending, "", 0)
		allow()
		for w.holds(s.row(id)) {
			s.advance(time.Second)
		}
		s.is(id, models.Sent, "", 0)
		if n := len(s.phone.all()); n != 1 || s.queued() != 0 {
			t.Errorf("%d sends, %d in the outbox", n, s.queued())
		}
	})
}

// row is the outbox row of a message, 0 when it is gone.
func (s *stage) row(messageID int64) int64 {
	s.t.Helper()
	rows, err := s.store.LostLeases(s.t.Context(), noon, "nobody", true)
	s.must(err)
	for _, r := range rows {
		if r.MessageID == messageID {
			return r.ID
		}
	}
	return 0
}

func TestResultThatCannotBeRecordedBecomesUnknown(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.began, s.phone.let = make(chan call, 100), make(chan struct{})
		close(s.phone.let)
		allow := s.refuse()
		id := s.reply(s.session("o1"), false, "您好")[0]
		first, stop := s.start(s.options())
		s.begin()
		go stop()
		for over := false; !over; {
			s.advance(time.Second)
			select {
			case <-first.ended:
				over = true
			case <-time.After(time.Millisecond):
			}
		}
		s.is(id, models.Sending, "", 0)
		allow()
		s.idle(s.work())
		s.is(id, models.UnknownState, "unknown", 0)
		if n := len(s.phone.all()); n != 1 || s.queued() != 0 {
			t.Errorf("%d sends, %d in the outbox", n, s.queued())
		}
	})
}

func TestForgottenPassiveAnswers(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		n := s.session("o1")
		answer := func() int64 {
			m := models.Message{ConversationID: n.ConversationID, SessionID: &n.ID, Direction: models.Out, Kind: "text", Text: "您好", ShownAt: s.clock.Now(), CreatedAt: s.clock.Now(),
				Passive: true, State: models.Sending}
			s.must(s.store.CreateMessage(t.Context(), &m))
			return m.ID
		}
		before := answer()
		s.advance(time.Second)
		s.work()
		s.is(before, models.UnknownState, "unknown", 0) // its process is gone
		fresh := answer()
		s.advance(29 * time.Second)
		s.is(fresh, models.Sending, "", 0)
		s.advance(time.Second)
		s.is(fresh, models.UnknownState, "unknown", 0)
		if got := s.events(models.EventMessage); got != 2 {
			t.Errorf("%d events", got)
		}
	})
}
