// Package delivery sends what the desk has queued. It leases rows of the outbox, hands them to the platform's Sender and records what
// became of each in one transaction. What a failure leads to is decided by its class alone (verdict.go); the package knows no platform
// and no page.
package delivery

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"kefu/internal/clock"
	"kefu/internal/platform"
	"kefu/models"
)

// Times of the worker. A send ends before its lease does, so that its result is recorded under the lease.
const (
	leaseFor   = time.Minute
	sendFor    = 45 * time.Second // a call for a token and the send itself, each perhaps twice
	pollOthers = time.Second      // other processes queue rows, too, and cannot wake this one
	afterFault = time.Second      // the database failed
	stopSends  = 3 * time.Second  // after the end of Run's context: sends on their way are given up
	stopRecord = 2 * time.Second  // after that: results that cannot be recorded are given up
)

// Channels gives the sender of a channel. An error says that the channel cannot be used as it is set up; its messages wait.
type Channels interface {
	Sender(ctx context.Context, channelID int64) (platform.Sender, error)
}

// Options are what a Worker needs. Store, Channels and Clock must be there.
type Options struct {
	Store    *models.Store
	Channels Channels
	Clock    clock.Clock
	Log      *slog.Logger   // nil is silent
	Rate     rate.Limit     // messages per second and channel, of this process; 0 means 20
	Burst    int            // at once on a channel that was quiet; 0 means a second's worth
	Workers  int            // sends at the same time; 0 means 8. No channel gets the last quarter of them, so that a slow one leaves room
	Owner    string         // name of the leases; empty is a random one, and no two workers may share one
	Alone    bool           // no other process works on this database: leases of others are lost when Run starts
	Look     time.Duration  // how often to look for lost leases and forgotten passive answers; 0 means 30 s
	Rand     func() float64 // in [0, 1), spreads repeats; nil is random
}

// Worker sends what is in the outbox.
type Worker struct {
	Options

	memory memory
	limits map[int64]*rate.Limiter // of Run's goroutine alone
	poke   chan struct{}           // look again
	ended  chan struct{}           // Run has returned
	sends  sync.WaitGroup

	mu     sync.Mutex
	flying map[int64]int64 // leased rows in our hands, with their channel
	asked  uint64          // wishes to look again
	landed uint64          // rows that left our hands
	rested uint64          // up to here the wishes were fulfilled and nothing was left to do
	rest   chan struct{}   // closed when rested rises
}

// New makes a worker; Run starts it.
func New(o Options) *Worker {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rate == 0 {
		o.Rate = 20
	}
	if o.Burst == 0 {
		o.Burst = max(1, int(math.Ceil(min(float64(o.Rate), 1000))))
	}
	if o.Workers == 0 {
		o.Workers = 8
	}
	if o.Look == 0 {
		o.Look = 30 * time.Second
	}
	if o.Owner == "" {
		o.Owner = rand.Text()
	}
	if o.Rand == nil {
		o.Rand = mathrand.Float64
	}
	return &Worker{
		Options: o, memory: newMemory(), limits: map[int64]*rate.Limiter{}, poke: make(chan struct{}, 1), ended: make(chan struct{}),
		flying: map[int64]int64{}, rest: make(chan struct{}),
	}
}

// Wake says that something was queued. It never blocks and may be called at any time.
func (w *Worker) Wake() { w.ask() }

func (w *Worker) ask() (ticket uint64) {
	w.mu.Lock()
	w.asked++
	ticket = w.asked
	w.mu.Unlock()
	select {
	case w.poke <- struct{}{}:
	default: // one poke is enough: the loop takes all that was asked
	}
	return ticket
}

// Idle returns when nothing may be sent right now and nothing is on its way or waits to be recorded: what is left waits for its time or
// for the channel's rate. Before Run it waits for that, after Run it returns nil at once. It returns ctx's error if that ends first.
func (w *Worker) Idle(ctx context.Context) error {
	ticket := w.ask()
	for {
		w.mu.Lock()
		rested, rest := w.rested, w.rest
		w.mu.Unlock()
		if rested >= ticket {
			return nil
		}
		select {
		case <-rest:
		case <-w.ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wished is what has been asked for, and what has landed, up to now.
func (w *Worker) wished() (asked, landed uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked, w.landed
}

// resting notes that everything asked for up to then is done, unless something is still on its way or has landed since then, so that the
// next row of its session may be due: its landing has asked again.
func (w *Worker) resting(asked, landed uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.flying) > 0 || w.landed != landed {
		return
	}
	w.rested = asked
	close(w.rest)
	w.rest = make(chan struct{})
}

// take notes that the row is in our hands.
func (w *Worker) take(r models.OutboxRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying[r.ID] = r.ChannelID
}

// land notes that it no longer is.
func (w *Worker) land(r models.OutboxRow) {
	w.mu.Lock()
	delete(w.flying, r.ID)
	w.landed++
	w.mu.Unlock()
	w.ask()
}

func (w *Worker) holds(rowID int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.flying[rowID]
	return ok
}

// room is how many more sends the channel may begin, as far as workers go.
func (w *Worker) room(channelID int64) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	share := w.Workers - w.Workers/4
	for _, c := range w.flying {
		if c == channelID {
			share--
		}
	}
	return min(share, w.Workers-len(w.flying))
}
