package delivery

import (
	"errors"
	"slices"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
)

// TestWorkerDoesWhatThePlatformSays follows one message of each class to its end.
func TestWorkerDoesWhatThePlatformSays(t *testing.T) {
	busyOnce, busy := refusal(platform.BusyOnce, -1), refusal(platform.Busy, 45011)
	for _, tt := range []struct {
		name    string
		faced   bool
		answers []error
		calls   []time.Duration // when, since noon
		state   models.MessageState
		class   string
		code    int
		alarm   string
		history string
		grants  string // what is left: "open", "none", "spent"
	}{
		{name: "taken", calls: []time.Duration{0}, state: models.Sent, grants: "open"},
		{name: "busy twice", answers: []error{busy, busy}, calls: []time.Duration{0, time.Second, 3 * time.Second}, state: models.Sent, grants: "open"},
		{name: "-1 once", answers: []error{busyOnce}, calls: []time.Duration{0, time.Second}, state: models.Sent, grants: "open"},
		{name: "-1 always", answers: []error{busyOnce, busyOnce, busyOnce, busyOnce}, calls: []time.Duration{0, time.Second, 6 * time.Second},
			state: models.FailedState, class: "busy_once", code: -1, grants: "open"},
		{name: "busy does not use up the repeats of -1", answers: []error{busy, busyOnce, busy, busyOnce, busyOnce},
			calls: []time.Duration{0, 1e9, 2e9, 3e9, 8e9}, state: models.FailedState, class: "busy_once", code: -1, grants: "open"},
		{name: "token", answers: []error{refusal(platform.Refresh, 40001)}, calls: []time.Duration{0}, state: models.FailedState, class: "refresh", code: 40001,
			alarm: "alarm.token", grants: "open"},
		{name: "window over", answers: []error{refusal(platform.Window, 45015)}, calls: []time.Duration{0}, state: models.FailedState, class: "window", code: 45015,
			history: "window", grants: "none"},
		{name: "allowance spent", answers: []error{refusal(platform.Window, 45047)}, calls: []time.Duration{0}, state: models.FailedState, class: "window", code: 45047,
			history: "allowance", grants: "spent"},
		{name: "content", answers: []error{refusal(platform.BadContent, 45002)}, calls: []time.Duration{0}, state: models.FailedState, class: "content", code: 45002, grants: "open"},
		{name: "rights", answers: []error{refusal(platform.Rights, 48001)}, calls: []time.Duration{0}, state: models.FailedState, class: "rights", code: 48001,
			alarm: "alarm.rights.48001", grants: "open"},
		{name: "face", faced: true, answers: []error{refusal(platform.FaceGone, 65401)}, calls: []time.Duration{0, 0}, state: models.Sent, alarm: "alarm.face", grants: "open"},
		{name: "face, then -1 always", faced: true, answers: []error{refusal(platform.FaceGone, 61452), busyOnce, busyOnce, busyOnce}, calls: []time.Duration{0, 0, 1e9, 6e9},
			state: models.FailedState, class: "busy_once", code: -1, alarm: "alarm.face", grants: "open"},
		{name: "face refused twice", faced: true, answers: []error{refusal(platform.FaceGone, 65400), refusal(platform.FaceGone, 65400)}, calls: []time.Duration{0, 0},
			state: models.FailedState, class: "rights", code: 65400, alarm: "alarm.rights.65400", grants: "open"},
		{name: "customer", answers: []error{refusal(platform.Customer, 43004)}, calls: []time.Duration{0}, state: models.FailedState, class: "customer", code: 43004, grants: "open"},
		{name: "no answer", answers: []error{refusal(platform.Unsure, 0)}, calls: []time.Duration{0}, state: models.UnknownState, class: "unknown", grants: "open"},
		{name: "an error of no class", answers: []error{errors.New("odd")}, calls: []time.Duration{0}, state: models.UnknownState, class: "unknown", grants: "open"},
		{name: "any other", answers: []error{refusal(platform.Failed, 12345)}, calls: []time.Duration{0}, state: models.FailedState, class: "failed", code: 12345, grants: "open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *stage) {
				s.phone.says(tt.answers...)
				w := s.work()
				n := s.session("o1")
				id := s.reply(n, tt.faced, "您好")[0]
				w.Wake()
				s.idle(w)
				s.advance(time.Minute)

				var calls []time.Duration
				for i, c := range s.phone.all() {
					calls = append(calls, c.at.Sub(noon))
					if wantFace := tt.faced && i == 0; (c.face == face) != wantFace || c.to != "o1" || c.key != *s.message(id).IdemKey {
						t.Errorf("call %d: %+v", i, c)
					}
				}
				if !slices.Equal(calls, tt.calls) {
					t.Errorf("calls at %v, want %v", calls, tt.calls)
				}
				s.is(id, tt.state, tt.class, tt.code)
				m := s.message(id)
				if (m.SentAt != nil) != (tt.state == models.Sent) || m.RetryAt != nil || s.queued() != 0 {
					t.Errorf("sent at %v, again at %v, %d in the outbox", m.SentAt, m.RetryAt, s.queued())
				}
				if tt.faced && (m.Face != "" || m.FaceNick != "") {
					t.Errorf("the bubble still shows %s %s", m.Face, m.FaceNick)
				}
				if tt.faced {
					if a, err := s.store.Face(t.Context(), s.channel.ID, s.agent.ID); err != nil || a.ID != 0 {
						t.Errorf("the face is still in use: %+v, %v", a, err)
					}
				}
				if got := s.alarm(); got != tt.alarm {
					t.Errorf("alarm %q, want %q", got, tt.alarm)
				}
				if s.events(models.EventMessage) < len(tt.calls) || (s.events(models.EventChannel) > 0) != (tt.alarm != "") {
					t.Errorf("%d message events, %d channel events", s.events(models.EventMessage), s.events(models.EventChannel))
				}
				s.checkGrants(n, tt.grants, tt.history)
				s.checkSession(n, tt.state)
			})
		})
	}
}

func (s *stage) checkGrants(n models.Session, want, history string) {
	s.t.Helper()
	grants, err := s.store.Grants(s.t.Context(), n.ConversationID)
	s.must(err)
	got := "none"
	if len(grants) > 0 && grants[0].Count == 0 {
		got = "spent"
	} else if len(grants) > 0 {
		got = "open"
	}
	if got != want {
		s.t.Errorf("grants %s, want %s", got, want)
	}
	lines, err := s.store.History(s.t.Context(), n.ID)
	s.must(err)
	kind := ""
	if len(lines) > 0 {
		kind = lines[0].Kind
	}
	if kind != history || len(lines) > 1 {
		s.t.Errorf("history %+v, want %q", lines, history)
	}
}

// checkSession: only what was sent, or perhaps sent, stops the customer's clock.
func (s *stage) checkSession(n models.Session, state models.MessageState) {
	s.t.Helper()
	got, err := s.store.Session(s.t.Context(), n.ID)
	s.must(err)
	waits := state != models.Sent && state != models.UnknownState
	if (got.UnansweredSince != nil) != waits || got.LastState != state {
		s.t.Errorf("unanswered since %v, last state %s", got.UnansweredSince, got.LastState)
	}
}

func TestWaitIsShownOnTheMessage(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.says(refusal(platform.Busy, 45011))
		w := s.work()
		id := s.reply(s.session("o1"), false, "您好")[0]
		w.Wake()
		s.idle(w)
		s.is(id, models.Queued, "busy", 45011)
		if m := s.message(id); m.RetryAt == nil || !m.RetryAt.Equal(noon.Add(time.Second)) || m.ErrorText == "" {
			t.Errorf("again at %v: %q", m.RetryAt, m.ErrorText)
		}
	})
}

func TestBusyIsRepeatedUntilTheWindowEnds(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.answer = func(call, int) error { return refusal(platform.Busy, 45011) }
		w := s.work()
		n := s.session("o1")
		s.must(s.store.SaveGrant(t.Context(), models.Grant{ConversationID: n.ConversationID, Scene: models.SceneMessage, Count: 5,
			GrantedAt: noon.Add(time.Second), ExpiresAt: noon.Add(20 * time.Minute)}))
		id := s.reply(n, false, "您好")[0]
		w.Wake()
		s.advance(20*time.Minute - time.Second)
		s.is(id, models.Queued, "busy", 45011)
		s.advance(time.Second)
		s.is(id, models.FailedState, "window", 45011)
		calls := s.phone.all() // 1 s doubled up to 5 min: at 0 1 3 7 15 31 63 127 255 511 s, at 811 s, 1111 s, and at the end
		if last := calls[len(calls)-1].at; len(calls) != 13 || !last.Equal(noon.Add(20*time.Minute)) {
			t.Errorf("%d calls, the last at %s", len(calls), last)
		}
	})
}

func TestQuotaPausesTheChannelUntilMidnight(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.answer = func(c call, _ int) error {
			if c.at.Before(noon.Add(12 * time.Hour)) {
				return refusal(platform.Quota, 45009)
			}
			return nil
		}
		s.advance(12*time.Hour - 20*time.Second)
		w := s.work()
		first := s.reply(s.session("o1"), false, "一")[0]
		s.idle(w)
		second := s.reply(s.session("o2"), false, "二")[0]
		w.Wake()
		s.advance(19 * time.Second)
		if got := s.phone.texts(); !slices.Equal(got, []string{"一"}) {
			t.Errorf("sent %v before midnight", got)
		}
		s.is(first, models.Queued, "quota", 45009)
		s.is(second, models.Queued, "", 0)
		if m := s.message(first); m.RetryAt == nil || !m.RetryAt.Equal(noon.Add(12*time.Hour)) {
			t.Errorf("again at %v", m.RetryAt)
		}
		if s.alarm() != "alarm.quota" {
			t.Errorf("alarm %q", s.alarm())
		}
		s.advance(time.Second)
		s.is(first, models.Sent, "", 0)
		s.is(second, models.Sent, "", 0)
		if s.alarm() != "" {
			t.Errorf("alarm %q the next day", s.alarm())
		}
	})
}

func TestThreeBusyMessagesInARowAreAnAlarm(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		broken := true
		s.phone.answer = func(_ call, _ int) error {
			if broken {
				return refusal(platform.BusyOnce, -1)
			}
			return nil
		}
		w := s.work()
		n := s.session("o1")
		for i, want := range []string{"", "", "alarm.busy"} {
			s.reply(n, false, string(rune('a'+i)))
			w.Wake()
			s.idle(w)
			s.advance(6 * time.Second)
			if got := s.alarm(); got != want {
				t.Errorf("after %d: alarm %q", i+1, got)
			}
		}
		broken = false
		s.reply(n, false, "d")
		s.idle(w)
		if got := s.alarm(); got != "" {
			t.Errorf("after one that went through: alarm %q", got)
		}
	})
}

func TestChannelWithoutSenderWaitsForTheAdministrator(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.phone.broken = errors.New("secret cannot be opened")
		w := s.work()
		id := s.reply(s.session("o1"), false, "您好")[0]
		w.Wake()
		s.advance(2 * time.Minute)
		s.is(id, models.Queued, "config", 0)
		if s.alarm() != "alarm.config" || s.events(models.EventChannel) != 1 {
			t.Errorf("alarm %q, told %d times", s.alarm(), s.events(models.EventChannel))
		}
		s.phone.repair()
		s.advance(30 * time.Second)
		s.is(id, models.Sent, "", 0)
		if s.alarm() != "" {
			t.Errorf("alarm %q after the repair", s.alarm())
		}
	})
}

func TestRefusalDoesNotTakeAGrantThatCameMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		n := s.session("o1")
		s.phone.answer = func(call, int) error {
			err := s.store.SaveGrant(t.Context(), models.Grant{ConversationID: n.ConversationID, Scene: models.SceneMessage, Count: 5,
				GrantedAt: noon.Add(time.Second), ExpiresAt: noon.Add(48 * time.Hour)})
			if err != nil {
				t.Error(err)
			}
			return refusal(platform.Window, 45015)
		}
		w := s.work()
		s.reply(n, false, "您好")
		s.idle(w)
		s.checkGrants(n, "open", "")
	})
}
