package delivery

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
)

// TestWhateverThePlatformSays answers at random. Every message must end in a state that its last answer explains, and be tried no more
// often than its answers allow.
func TestWhateverThePlatformSays(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		chance, mood := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2)) // ours and the platform's
		kinds := []error{
			nil, nil, nil, refusal(platform.Busy, 45011), refusal(platform.BusyOnce, -1), refusal(platform.BusyOnce, -1), refusal(platform.Refresh, 40001),
			refusal(platform.Window, 45047), refusal(platform.BadContent, 45002), refusal(platform.Rights, 48001), refusal(platform.FaceGone, 65401),
			refusal(platform.Customer, 43004), refusal(platform.Unsure, 0), refusal(platform.Failed, 7),
		}
		answers := map[string][]error{} // by text
		s.phone.answer = func(c call, _ int) error {
			s.phone.mu.Lock()
			defer s.phone.mu.Unlock()
			err := kinds[mood.IntN(len(kinds))]
			if is(err, platform.FaceGone) && c.face == "" {
				err = nil
			}
			answers[c.text] = append(answers[c.text], err)
			return err
		}
		w := s.work()
		var ids []int64
		for i := range 8 {
			n := s.session(fmt.Sprint("o", i))
			for k := range 5 {
				parts := make([]string, 1+chance.IntN(3))
				for p := range parts {
					parts[p] = fmt.Sprintf("o%d-%d-%d", i, k, p)
				}
				ids = append(ids, s.reply(n, chance.IntN(2) == 0, parts...)...)
			}
			w.Wake()
		}
		for range 20 {
			s.advance(30 * time.Second)
			if s.queued() == 0 {
				break
			}
		}
		if s.queued() != 0 {
			t.Fatalf("%d left", s.queued())
		}
		var failed bool // an earlier part of the same reply
		for _, id := range ids {
			m := s.message(id)
			failed = failed && m.Part > 1
			if want := explained(answers[m.Text], failed); m.State != want {
				t.Errorf("%s is %s (%s) after %v, want %s", m.Text, m.State, m.ErrorClass, answers[m.Text], want)
			}
			failed = failed || m.State == models.FailedState
		}
	})
}

// explained is the state that the answers lead to; empty when there were too many.
func explained(answers []error, partBefore bool) models.MessageState {
	if partBefore {
		if len(answers) > 0 {
			return ""
		}
		return models.FailedState
	}
	busyOnce, faces := 0, 0
	for i, err := range answers {
		last := i == len(answers)-1
		var end models.MessageState // empty: to be repeated
		switch {
		case err == nil:
			end = models.Sent
		case is(err, platform.Unsure):
			end = models.UnknownState
		case is(err, platform.Busy):
		case is(err, platform.BusyOnce):
			if busyOnce++; busyOnce == 3 {
				end = models.FailedState
			}
		case is(err, platform.FaceGone):
			if faces++; faces == 2 {
				return ""
			}
		default:
			end = models.FailedState
		}
		if last || end != "" {
			if last {
				return end
			}
			return ""
		}
	}
	return ""
}

func is(err error, class platform.Class) bool {
	e, ok := err.(*platform.Error)
	return ok && e.Class == class
}
