package clock

import (
	"context"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func TestAdvanceFiresDueTimersInOrderAndLetsEachSettle(t *testing.T) {
	m := NewStanding(start)
	late, early, never := m.NewTimer(2*time.Hour), m.NewTimer(time.Minute), m.NewTimer(49*time.Hour)
	var seen []time.Time
	m.OnStep(func(context.Context) {
		for _, timer := range []*Timer{late, early, never} {
			select {
			case at := <-timer.C:
				seen = append(seen, at)
			default:
			}
		}
	})
	if err := m.Advance(t.Context(), 3*time.Hour); err != nil {
		t.Fatal(err)
	}
	want := []time.Time{start.Add(time.Minute), start.Add(2 * time.Hour)}
	if len(seen) != 2 || !seen[0].Equal(want[0]) || !seen[1].Equal(want[1]) {
		t.Errorf("fired at %v, want %v", seen, want)
	}
	if got := m.Now(); !got.Equal(start.Add(3 * time.Hour)) {
		t.Errorf("now = %v, want three hours later", got)
	}
	if !never.Stop() {
		t.Error("a timer that is not due yet was gone")
	}
}

func TestTimerMadeByAFiredTimerIsMetOnTheSameMove(t *testing.T) {
	m := NewStanding(start)
	first := m.NewTimer(time.Hour)
	var second *Timer
	m.OnStep(func(context.Context) {
		select {
		case <-first.C:
			second = m.NewTimer(time.Hour)
		default:
		}
	})
	if err := m.Advance(t.Context(), 3*time.Hour); err != nil {
		t.Fatal(err)
	}
	select {
	case at := <-second.C:
		if !at.Equal(start.Add(2 * time.Hour)) {
			t.Errorf("fired at %v, want two hours after the start", at)
		}
	default:
		t.Error("the timer set on the way did not fire")
	}
}

func TestStoppedTimerStaysSilent(t *testing.T) {
	m := NewStanding(start)
	timer := m.NewTimer(time.Minute)
	if !timer.Stop() || timer.Stop() {
		t.Error("the first Stop must win, the second must not")
	}
	if err := m.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	select {
	case <-timer.C:
		t.Error("a stopped timer fired")
	default:
	}
}

func TestRunningClockGoesOnByItself(t *testing.T) {
	m := NewRunning(t.Context())
	select {
	case <-m.NewTimer(time.Millisecond).C:
	case <-time.After(10 * time.Second):
		t.Fatal("a timer of one millisecond did not fire in ten seconds")
	}
	slow := m.NewTimer(time.Hour)
	if err := m.Advance(t.Context(), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	<-slow.C
	if ahead := time.Until(m.Now()); ahead < 119*time.Minute {
		t.Errorf("the clock is %v ahead, want two hours", ahead)
	}
}

func TestTimeoutFollowsTheClock(t *testing.T) {
	m := NewStanding(start)
	ctx, cancel := WithTimeout(t.Context(), m, 5*time.Second)
	defer cancel()
	if err := m.Advance(t.Context(), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if context.Cause(ctx) != context.DeadlineExceeded {
		t.Errorf("cause = %v, want the deadline", context.Cause(ctx))
	}
}
