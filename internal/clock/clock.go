// Package clock is the only source of "now" and of timers. Rules and loops ask it instead of package time, so that a test or a
// demonstration can move two days ahead in a moment and every due timer still fires, in order.
package clock

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time and makes timers.
type Clock interface {
	// Now is the present moment, in UTC, cut to milliseconds: what a database gives back equals what was stored.
	Now() time.Time
	// NewTimer fires once, d from now. A d of zero or less fires at once.
	NewTimer(d time.Duration) *Timer
}

// Timer sends the moment it fired on C, once.
type Timer struct {
	C    <-chan time.Time
	stop func() bool
}

// Stop prevents the timer from firing and reports whether it did so.
func (t *Timer) Stop() bool { return t.stop() }

// Wall is the real clock.
func Wall() Clock { return wall{} }

type wall struct{}

func (wall) Now() time.Time { return tidy(time.Now()) }

func (wall) NewTimer(d time.Duration) *Timer {
	t := time.NewTimer(d)
	return &Timer{C: t.C, stop: t.Stop}
}

func tidy(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Sleep waits d by the clock's time, or until ctx ends, and then returns ctx's error.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithTimeout is context.WithTimeout by c's time: moving the clock ends the wait. The cause is context.DeadlineExceeded.
func WithTimeout(parent context.Context, c Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	t := c.NewTimer(d)
	go func() {
		select {
		case <-t.C:
			cancel(context.DeadlineExceeded)
		case <-ctx.Done():
			t.Stop()
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// Movable is a clock that can be moved ahead. It either runs with real time plus an offset, or stands still between moves.
type Movable struct {
	mu     sync.Mutex
	base   func() time.Time // real time, or a fixed start
	offset time.Duration
	timers map[*movableTimer]struct{}
	poke   chan struct{} // a timer was made or the offset changed: the runner looks again
	runs   bool
	settle []func(context.Context)
}

type movableTimer struct {
	due time.Time
	c   chan time.Time
}

// NewStanding is a clock for tests: it shows start until Advance moves it.
func NewStanding(start time.Time) *Movable {
	start = tidy(start)
	return &Movable{base: func() time.Time { return start }, timers: map[*movableTimer]struct{}{}}
}

// NewRunning is the clock of demo and simulator: real time, until somebody moves it ahead. It keeps one goroutine until ctx ends.
func NewRunning(ctx context.Context) *Movable {
	m := &Movable{base: time.Now, timers: map[*movableTimer]struct{}{}, poke: make(chan struct{}, 1), runs: true}
	go m.run(ctx)
	return m
}

// Now is real (or the fixed) time plus all that was advanced.
func (m *Movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now()
}

func (m *Movable) now() time.Time { return tidy(m.base().Add(m.offset)) }

// NewTimer fires when the clock reaches now + d, by itself or because it was moved.
func (m *Movable) NewTimer(d time.Duration) *Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &movableTimer{due: m.base().Add(m.offset + d), c: make(chan time.Time, 1)}
	if d <= 0 {
		t.c <- m.now()
	} else {
		m.timers[t] = struct{}{}
		m.wake()
	}
	return &Timer{C: t.c, stop: func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		_, waiting := m.timers[t]
		delete(m.timers, t)
		return waiting
	}}
}

// OnStep registers a function that Advance calls after each timer it fired, and once at the end: it returns when what the timer set
// in motion has come to rest (or its context ends).
func (m *Movable) OnStep(settled func(context.Context)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settle = append(m.settle, settled)
}

// Advance moves the clock ahead by d, stopping at every timer that falls due on the way, in order, and letting what it started come to
// rest before it goes on. It returns ctx's error if that ends first; the clock then stands where it had come to.
func (m *Movable) Advance(ctx context.Context, d time.Duration) error {
	m.mu.Lock()
	end := m.base().Add(m.offset + d)
	m.mu.Unlock()
	m.rest(ctx)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.mu.Lock()
		t := m.next(end)
		if t == nil {
			if left := end.Sub(m.base().Add(m.offset)); left > 0 {
				m.offset += left
			}
			m.wake()
			m.mu.Unlock()
			m.rest(ctx)
			return ctx.Err()
		}
		if ahead := t.due.Sub(m.base().Add(m.offset)); ahead > 0 {
			m.offset += ahead
		}
		m.fire(t)
		m.mu.Unlock()
		m.rest(ctx)
	}
}

func (m *Movable) rest(ctx context.Context) {
	m.mu.Lock()
	settle := m.settle
	m.mu.Unlock()
	for _, f := range settle {
		f(ctx)
	}
}

// next is the earliest timer due at or before end.
func (m *Movable) next(end time.Time) *movableTimer {
	var first *movableTimer
	for t := range m.timers {
		if !t.due.After(end) && (first == nil || t.due.Before(first.due)) {
			first = t
		}
	}
	return first
}

func (m *Movable) fire(t *movableTimer) {
	delete(m.timers, t)
	t.c <- m.now()
}

func (m *Movable) wake() {
	select {
	case m.poke <- struct{}{}:
	default: // a standing clock has no runner, and one poke is enough for a running one
	}
}

// run fires the timers of a running clock as real time passes.
func (m *Movable) run(ctx context.Context) {
	for {
		m.mu.Lock()
		wait := time.Hour
		now := m.base().Add(m.offset)
		for t := range m.timers {
			if d := t.due.Sub(now); d <= 0 {
				m.fire(t)
			} else if d < wait {
				wait = d
			}
		}
		m.mu.Unlock()
		alarm := time.NewTimer(wait)
		select {
		case <-alarm.C:
		case <-m.poke:
		case <-ctx.Done():
			alarm.Stop()
			return
		}
		alarm.Stop()
	}
}
