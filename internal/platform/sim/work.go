package sim

import (
	"context"
	"sync"
	"time"

	"kefu/internal/clock"
)

// work counts what the simulator has in hand, so that Idle can tell rest from a pause: a piece that waits for a later moment of the
// clock is at rest until that moment comes.
type work struct {
	clock    clock.Clock
	patience time.Duration

	mu      sync.Mutex
	busy    int
	waits   map[*wait]struct{}
	changed chan struct{} // closed and replaced with every change
}

// wait is a piece that rests until due.
type wait struct {
	due   time.Time
	timer *clock.Timer
	early chan struct{} // closed when it is due but other timers of the same moment went first
}

func newWork(c clock.Clock, patience time.Duration) *work {
	return &work{clock: c, patience: patience, waits: map[*wait]struct{}{}, changed: make(chan struct{})}
}

func (w *work) begin() { w.change(func() { w.busy++ }) }

func (w *work) end() { w.change(func() { w.busy-- }) }

func (w *work) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// sleep lets a piece of work wait d by the clock. The timer exists before the piece counts as resting, so a move of the clock cannot
// pass it by.
func (w *work) sleep(ctx context.Context, d time.Duration) error {
	due := w.clock.Now().Add(d)
	timer := w.clock.NewTimer(d)
	defer timer.Stop()
	rest := &wait{due, timer, make(chan struct{})}
	w.change(func() { w.busy--; w.waits[rest] = struct{}{} })
	defer w.change(func() { w.busy++; delete(w.waits, rest) })
	select {
	case <-timer.C:
		return nil
	case <-rest.early:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// idle waits until nothing is in progress or due. When nothing moves for the patience (real time: the one place where it counts), what
// is in hand hangs at a silent server and waits for the clock, too.
func (w *work) idle(ctx context.Context) {
	for {
		w.mu.Lock()
		quiet, changed := w.quiet(), w.changed
		w.mu.Unlock()
		if quiet {
			return
		}
		patience := time.NewTimer(w.patience)
		select {
		case <-changed:
		case <-ctx.Done():
			patience.Stop()
			return
		case <-patience.C:
			return
		}
		patience.Stop()
	}
}

// quiet reports rest. A move of the clock fires the timers of one moment one by one and asks here in between: a piece whose moment has
// come is woken at once, for its own timer would wait for our answer.
func (w *work) quiet() bool {
	now := w.clock.Now()
	due := false
	for rest := range w.waits {
		if rest.due.After(now) {
			continue
		}
		due = true
		if rest.timer.Stop() { // false: it fired, and the piece is waking up
			close(rest.early)
		}
	}
	return w.busy == 0 && !due
}
