package sim

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"kefu/internal/clock"
)

func TestAMoveOfTheClockWaitsForAllThatFallsDueAtOneMoment(t *testing.T) {
	t.Parallel()
	c := clock.NewStanding(start)
	w := newWork(c, time.Minute)
	c.OnStep(w.idle)
	var woken atomic.Int32
	for n := range 20 {
		w.begin()
		go func() {
			defer w.end()
			if w.sleep(t.Context(), time.Minute) == nil {
				woken.Add(1)
			}
			if n%2 == 0 && w.sleep(t.Context(), time.Minute) == nil { // a second wait, met on the same move
				woken.Add(1)
			}
		}()
	}
	for _, step := range []struct {
		by   time.Duration
		want int32
	}{{59 * time.Second, 0}, {time.Second, 20}, {time.Minute, 30}, {time.Hour, 30}} {
		if err := c.Advance(t.Context(), step.by); err != nil {
			t.Fatal(err)
		}
		if got := woken.Load(); got != step.want {
			t.Fatalf("at %v: %d woken, want %d", c.Now(), got, step.want)
		}
	}
}

func TestIdleGivesUpOnASilentServerAndAtTheEndOfItsContext(t *testing.T) {
	t.Parallel()
	c := clock.NewStanding(start)
	hanging := newWork(c, time.Millisecond)
	hanging.begin()
	hanging.idle(t.Context()) // returns after its patience
	patient := newWork(c, time.Hour)
	patient.begin()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	patient.idle(ctx)
}
