// Package load makes load: it plays the platform's callbacks, the agents' live streams and their page views against a server on
// loopback, and measures what comes back. It runs in a process of its own, so that the server's processor time is the server's alone.
// It speaks the platforms' formats by itself and knows neither our adapters nor our database.
package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kinds of load.
const (
	Callbacks = "callbacks" // customers write; closed loop
	Live      = "live"      // customers write at a fixed rate, agents watch their streams
	Pages     = "pages"     // one page is fetched again and again; closed loop
)

// Plan is what is to be done, and against which server.
type Plan struct {
	Kind    string
	Address string        // host:port of the server, loopback only
	Clients int           // connections at a time; for Live the open streams
	Length  time.Duration // the measured part ends after this long …
	Count   int           // … or after this many operations, when it is not 0
	Seed    uint64        // of everything random

	Account   Account // for Callbacks and Live
	Customers int     // for Callbacks: how many there are
	Groups    int     // for Callbacks: customers belong to them in turn
	Open      int     // for Callbacks: sessions kept open, a multiple of Groups
	Unwanted  string  // for Callbacks: a passive answer that counts as an error

	Cookies []string // for Live: one log-in per stream
	Writers int      // for Live: customers who write in turn
	Rate    float64  // for Live: messages per second of all of them together

	Page Page // for Pages
}

// Report is what was measured.
type Report struct {
	Ops, Errors         int
	Seconds             float64
	P50, P95, P99       float64 // milliseconds
	LastP50, LastP99    float64 // for Live: until the last of the agents had it
	Opened, Passive     int     // for Callbacks: sessions opened in the measured part, answers with words
	Messages            int     // for Live: messages sent
	Connected           float64 // for Live: seconds to open all streams
	GeneratorCPUSeconds float64
	FirstError          string
}

// Host is the server's side of a run. Its functions may be called from several goroutines.
type Host struct {
	Ready func()             // all is prepared, before the first message (Live: all streams are open)
	Begin func()             // the measured part begins now
	End   func()             // it ended now
	Close func(customer int) // the customer's session is to be closed by an agent
}

// Limits of a run.
const (
	MaxClients = 96               // of Callbacks and Pages
	MaxStreams = 4000             // of Live
	MaxLength  = 10 * time.Minute // of any
	MaxCount   = 1_000_000        // of any
)

// Run makes the load and returns when it is over or ctx ended.
func Run(ctx context.Context, p Plan, h Host) (Report, error) {
	if err := p.check(); err != nil {
		return Report{}, err
	}
	switch p.Kind {
	case Callbacks:
		return runCallbacks(ctx, p, h)
	case Live:
		return runLive(ctx, p, h)
	default:
		return runPages(ctx, p, h)
	}
}

func (p Plan) check() error {
	most := MaxClients
	if p.Kind == Live {
		most = MaxStreams
	}
	switch {
	case p.Kind != Callbacks && p.Kind != Live && p.Kind != Pages:
		return fmt.Errorf("there is no load of kind %q", p.Kind)
	case !loopback(p.Address):
		return fmt.Errorf("%q is not a loopback address: load is made on this machine only", p.Address)
	case p.Clients < 1 || p.Clients > most:
		return fmt.Errorf("clients: 1 to %d, not %d", most, p.Clients)
	case p.Length <= 0 || p.Length > MaxLength:
		return fmt.Errorf("length: up to %v, not %v", MaxLength, p.Length)
	case p.Count < 0 || p.Count > MaxCount:
		return fmt.Errorf("count: up to %d, not %d", MaxCount, p.Count)
	case p.Kind == Callbacks && (p.Groups < 1 || p.Open%p.Groups != 0 || p.Open < 2*p.guard()+guardMin || p.Customers < 2*p.Open):
		return errors.New("customers and open sessions do not fit together")
	case p.Kind == Live && (len(p.Cookies) < p.Clients || p.Writers < 1 || p.Writers > maxWriters || p.Rate <= 0 || p.Rate > 1000):
		return errors.New("streams, log-ins, writers and rate do not fit together")
	}
	return nil
}
