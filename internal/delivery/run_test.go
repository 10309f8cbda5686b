package delivery

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
	"kefu/models/modelstest"
)

func TestEachSessionKeepsItsOrder(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.answer = func(c call, nth int) error { // the platform is busy here and there, so that waiting heads mix with others
			if nth == 1 && (c.text[len(c.text)-1]-'0')%3 == 0 {
				return refusal(platform.Busy, 45011)
			}
			return nil
		}
		w := s.work()
		want := map[string][]string{}
		var sessions []models.Session
		for i := range 6 {
			sessions = append(sessions, s.session(fmt.Sprint("o", i)))
		}
		for round := range 6 {
			for i, n := range sessions {
				text := fmt.Sprintf("o%d-%d", i, round)
				want[fmt.Sprint("o", i)] = append(want[fmt.Sprint("o", i)], text)
				s.reply(n, false, text)
				w.Wake()
			}
		}
		s.idle(w)
		s.advance(30 * time.Second)
		got := map[string][]string{}
		for _, c := range s.phone.all() {
			list := got[c.to]
			if len(list) == 0 || list[len(list)-1] != c.text { // a repeat is of the same head
				got[c.to] = append(list, c.text)
			}
		}
		for to, list := range want {
			if !slices.Equal(got[to], list) {
				t.Errorf("%s got %v", to, got[to])
			}
		}
		if s.queued() != 0 {
			t.Errorf("%d left", s.queued())
		}
	})
}

func TestTwoWorkersNeverSendTheSameRow(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		var workers []*Worker
		for i := range 2 { // two processes
			o := s.options()
			o.Store, o.Alone, o.Owner, o.Workers = modelstest.Open(t, s.url), false, fmt.Sprint("worker", i), 4
			w, _ := s.start(o)
			workers = append(workers, w)
		}
		const sessions, parts = 12, 8
		for i := range sessions {
			var texts []string
			for k := range parts {
				texts = append(texts, fmt.Sprintf("%d-%d", i, k))
			}
			s.reply(s.session(fmt.Sprint("o", i)), false, texts...)
			workers[0].Wake()
			workers[1].Wake()
		}
		for range 100 {
			if s.queued() == 0 {
				break
			}
			s.idle(workers[0])
			s.idle(workers[1])
		}
		next := map[string]int{}
		for _, c := range s.phone.all() {
			if want := fmt.Sprintf("%s-%d", c.to[1:], next[c.to]); c.text != want {
				t.Errorf("sent %s, not %s", c.text, want)
			}
			next[c.to]++
		}
		if n := len(s.phone.all()); n != sessions*parts || s.queued() != 0 {
			t.Errorf("%d sends for %d messages, %d left", n, sessions*parts, s.queued())
		}
	})
}

func TestPartsOfAReply(t *testing.T) {
	for _, tt := range []struct {
		name   string
		second error // what the platform says to the second of three parts
		sent   []string
		states []models.MessageState
	}{
		{"all taken", nil, []string{"1", "2", "3", "4"}, []models.MessageState{models.Sent, models.Sent, models.Sent}},
		{"one refused stops the rest", refusal(platform.BadContent, 45002), []string{"1", "2", "4"}, []models.MessageState{models.Sent, models.FailedState, models.FailedState}},
		{"one that may have arrived does not", refusal(platform.Unsure, 0), []string{"1", "2", "3", "4"}, []models.MessageState{models.Sent, models.UnknownState, models.Sent}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *stage) {
				s.phone.answer = func(c call, _ int) error {
					if c.text == "2" {
						return tt.second
					}
					return nil
				}
				n := s.session("o1")
				ids := s.reply(n, false, "1", "2", "3")
				after := s.reply(n, false, "4")[0] // another reply goes on
				w := s.work()
				s.idle(w)
				if got := s.phone.texts(); !slices.Equal(got, tt.sent) {
					t.Errorf("sent %v, want %v", got, tt.sent)
				}
				for i, id := range ids {
					if m := s.message(id); m.State != tt.states[i] {
						t.Errorf("part %d is %s", i+1, m.State)
					}
				}
				if tt.states[2] == models.FailedState {
					s.is(ids[2], models.FailedState, partBefore, 0)
				}
				s.is(after, models.Sent, "", 0)
			})
		})
	}
}

func TestOthersMayPassAWaitingReplyButNotItsFirstPart(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.answer = func(c call, nth int) error {
			if c.text == "1" && nth == 1 {
				return refusal(platform.Busy, 45011)
			}
			return nil
		}
		n := s.session("o1")
		ids := s.reply(n, false, "1", "2")
		s.reply(n, false, "later")
		w := s.work()
		passed, err := s.store.LetOthersPass(t.Context(), ids[0])
		if err != nil || !passed {
			t.Fatalf("passed: %v, %v", passed, err)
		}
		s.idle(w)
		s.advance(time.Second)
		if got := s.phone.texts(); !slices.Equal(got, []string{"1", "later", "1", "2"}) {
			t.Errorf("sent %v", got)
		}
	})
}

func TestRateOfAChannel(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		o := s.options()
		o.Rate, o.Burst = 10, 2
		w, _ := s.start(o)
		s.clock.OnStep(func(ctx context.Context) { _ = w.Idle(ctx) })
		other := s.addChannel("two")
		for i := range 6 {
			s.reply(s.session(fmt.Sprint("o", i)), false, fmt.Sprint("o", i))
			s.reply(s.sessionOn(other, fmt.Sprint("p", i)), false, fmt.Sprint("p", i))
		}
		s.idle(w)
		s.advance(time.Second)
		at := map[byte][]time.Duration{}
		for _, c := range s.phone.all() {
			at[c.to[0]] = append(at[c.to[0]], c.at.Sub(noon))
		}
		ms := time.Millisecond
		for channel, got := range at {
			if want := []time.Duration{0, 0, 100 * ms, 200 * ms, 300 * ms, 400 * ms}; !slices.Equal(got, want) {
				t.Errorf("channel %c sent at %v, want %v", channel, got, want)
			}
		}
		if len(at) != 2 {
			t.Errorf("%d channels sent", len(at))
		}
	})
}

func TestSlowChannelLeavesRoomForOthers(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.began, s.phone.let = make(chan call, 100), make(chan struct{})
		defer close(s.phone.let)
		o := s.options()
		o.Workers = 4
		for i := range 6 {
			s.reply(s.session(fmt.Sprint("o", i)), false, fmt.Sprint("o", i))
		}
		w, _ := s.start(o)
		for range 3 {
			s.begin()
		}
		s.reply(s.sessionOn(s.addChannel("two"), "p"), false, "p")
		w.Wake()
		if c := s.begin(); c.to != "p" {
			t.Errorf("the fourth worker went to %s", c.to)
		}
	})
}

func TestIdleWaitsForWhatIsOnItsWay(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.began, s.phone.let = make(chan call, 100), make(chan struct{})
		w, stop := s.start(s.options())
		s.idle(w)
		n := s.session("o1")
		ids := append(s.reply(n, false, "1"), s.reply(n, false, "2")...)
		idle := make(chan struct{})
		go func() {
			defer close(idle)
			if err := w.Idle(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		for range 2 {
			s.begin()
			select {
			case <-idle:
				t.Fatal("idle while a message is on its way")
			default:
			}
			s.phone.let <- struct{}{}
		}
		s.wait(idle, "rest")
		s.is(ids[1], models.Sent, "", 0)

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		s.reply(n, false, "3")
		w.Wake()
		s.begin()
		if err := w.Idle(gone); err == nil {
			t.Error("idle with an ended context and a message on its way")
		}
		close(s.phone.let)
		stop()
		if err := w.Idle(t.Context()); err != nil {
			t.Errorf("idle after the end: %v", err)
		}
	})
}

func TestRunEnds(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answered bool // the platform answers in time
		state    models.MessageState
	}{
		{"after what is on its way was answered", true, models.Sent},
		{"soon, when the platform is silent", false, models.UnknownState},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *stage) {
				s.phone.began, s.phone.let = make(chan call, 100), make(chan struct{})
				n := s.session("o1")
				first, second := s.reply(n, false, "1")[0], s.reply(n, false, "2")[0]
				w := New(s.options())
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					w.Run(ctx)
				}()
				s.begin()
				cancel()
				if tt.answered {
					close(s.phone.let)
					s.wait(ended, "the end")
				} else {
					for over := false; !over; { // until the worker's own timer stands and is reached
						s.advance(stopSends)
						select {
						case <-ended:
							over = true
						case <-time.After(time.Millisecond):
						}
					}
				}
				if m := s.message(first); m.State != tt.state {
					t.Errorf("the message on its way is %s", m.State)
				}
				s.is(second, models.Queued, "", 0)
				if n := len(s.phone.all()); n != 1 {
					t.Errorf("%d sends", n)
				}
			})
		})
	}
}
