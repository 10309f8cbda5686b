package delivery

import (
	"context"
	"errors"
	"math"
	"time"

	"golang.org/x/time/rate"

	"kefu/models"
)

var errStopping = errors.New("the program is stopping")

// Run sends until ctx ends and returns when every send has ended and is recorded. Sends that are on their way at that moment get a few
// seconds; what is cut off then counts as unknown. Call it once.
func (w *Worker) Run(ctx context.Context) {
	defer close(w.ended)
	sending, stopSending := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopSending(nil)
	recording, stopRecording := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopRecording(nil)

	looked := w.Clock.Now()
	w.settle(ctx, true)
	timer := w.Clock.NewTimer(0)
	for ctx.Err() == nil {
		select {
		case <-w.poke: // this round is the answer
		default:
		}
		asked, landed := w.wished()
		now := w.Clock.Now()
		if now.Sub(looked) >= w.Look {
			looked = now
			w.settle(ctx, false)
		}
		wait, again := w.round(ctx, sending, recording)
		if again {
			continue
		}
		if w.Store.Dialect() == models.Postgres {
			wait = min(wait, pollOthers)
		}
		// The clock always knows of our next wait, the old one until the new one is set: whoever moves it when we have come to rest must
		// not move it past what is due.
		next := w.Clock.NewTimer(min(wait, w.Look-now.Sub(looked)))
		timer.Stop()
		timer = next
		w.resting(asked, landed)
		select {
		case <-timer.C:
		case <-w.poke:
		case <-ctx.Done():
		}
	}
	timer.Stop()
	w.finish(func() { stopSending(errStopping) }, func() { stopRecording(errStopping) })
}

// round starts what may go now. It says how long there is nothing to do, unless a poke comes; again when it started something and more
// may be due.
func (w *Worker) round(ctx, sending, recording context.Context) (wait time.Duration, again bool) {
	now := w.Clock.Now()
	due, err := w.Store.OutboxDue(ctx)
	if err != nil {
		w.fault(ctx, "outbox cannot be read", err)
		return afterFault, false
	}
	wait = w.Look
	for _, d := range due {
		if d.At.After(now) {
			wait = min(wait, d.At.Sub(now))
			continue
		}
		n := w.room(d.ChannelID)
		if n <= 0 {
			continue // the end of a send pokes
		}
		tokens, refill := w.tokens(d.ChannelID, now)
		if tokens == 0 {
			wait = min(wait, refill)
			continue
		}
		rows, err := w.Store.LeaseOutbox(ctx, w.Owner, d.ChannelID, now, now.Add(leaseFor), min(n, tokens))
		if err != nil {
			w.fault(ctx, "outbox cannot be leased", err)
			wait = min(wait, afterFault)
			continue
		}
		if len(rows) == 0 {
			wait = min(wait, afterFault) // somebody else was faster
			continue
		}
		again = true
		w.limits[d.ChannelID].AllowN(now, len(rows))
		for _, r := range rows {
			w.take(r)
			w.sends.Go(func() {
				defer w.land(r)
				w.deliver(sending, recording, r)
			})
		}
	}
	return wait, again
}

// tokens is how many messages the channel's rate permits now; when that is none, how long until it is one.
func (w *Worker) tokens(channelID int64, now time.Time) (n int, refill time.Duration) {
	l := w.limits[channelID]
	if l == nil {
		l = rate.NewLimiter(w.Rate, w.Burst)
		w.limits[channelID] = l
	}
	have := l.TokensAt(now)
	if have >= 1 {
		return int(have), 0
	}
	ms := math.Ceil((1 - have) / float64(w.Rate) * 1000)
	return 0, time.Duration(max(ms, 1)) * time.Millisecond
}

// finish waits for the sends on their way, first patiently.
func (w *Worker) finish(stopSending, stopRecording func()) {
	done := make(chan struct{})
	go func() {
		w.sends.Wait()
		close(done)
	}()
	for _, step := range []struct {
		after time.Duration
		stop  func()
	}{{stopSends, stopSending}, {stopRecord, stopRecording}} {
		t := w.Clock.NewTimer(step.after)
		select {
		case <-t.C:
			step.stop()
		case <-done:
			t.Stop()
			return
		}
	}
	<-done
}

// fault logs a failure of the database, unless it is only that we are stopping.
func (w *Worker) fault(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.Log.ErrorContext(ctx, what, "err", err)
	}
}
