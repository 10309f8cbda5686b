// Package sim is a stand-in for the messaging platforms: it serves their own paths as docs/protocols/wechat.md describes them, pushes
// callbacks like they do, and lets a test or a person play the customer under /_sim/. It knows nothing of our adapters, so that a
// shared misreading of a platform cannot cancel out; everything it holds is in memory.
package sim

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"kefu/internal/clock"
)

// Options say what a Simulator stands on. Only Clock is needed.
type Options struct {
	Clock *clock.Movable // time of the platform; POST /_sim/clock moves it, and so everybody who shares it
	HTTP  *http.Client   // carries the callbacks; nil for one of our own that follows no redirect
	Log   *slog.Logger   // nil for none
	Rand  io.Reader      // tokens, ids, cipher randomness; nil for crypto/rand
	// BaseURL is where the platform is reached, for picture addresses; empty: taken from the request that came last.
	BaseURL string
	// Patience is how long of real time Idle lets a push hang at a silent server before it counts as waiting for the clock
	// (its 5 seconds are the clock's). Zero means 3 seconds.
	Patience time.Duration
}

// Simulator is the platforms in one http.Handler. It is safe for concurrent use.
type Simulator struct {
	clock    *clock.Movable
	http     *http.Client
	log      *slog.Logger
	work     *work
	handler  http.Handler
	advances sync.Mutex // one move of the clock at a time

	randMu sync.Mutex
	rand   io.Reader

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	loops sync.WaitGroup

	mu       sync.Mutex // guards all below
	closed   bool
	baseURL  string
	fixedURL bool
	version  int64 // grows with every change that the phone page shows
	switches Switches
	faults   []*Fault
	faultSeq int64
	calls    callLog
	wechat   wechat
}

// New makes an empty platform: no app, no customer. Close or Run must be called in the end. It registers Idle with the clock, so a
// move of the clock lets each step come to rest.
func New(o Options) *Simulator {
	ctx, stop := context.WithCancel(context.Background())
	s := &Simulator{
		clock: o.Clock, http: o.HTTP, log: o.Log, rand: o.Rand, ctx: ctx, stop: stop,
		baseURL: o.BaseURL, fixedURL: o.BaseURL != "", switches: DefaultSwitches(), wechat: newWechat(o.Clock.Now()),
	}
	if s.http == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy, transport.MaxIdleConnsPerHost = nil, 256
		s.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if o.Patience == 0 {
		o.Patience = 3 * time.Second
	}
	s.work = newWork(s.clock, o.Patience)
	s.handler = s.routes()
	s.clock.OnStep(s.Idle)
	return s
}

// ServeHTTP serves the platforms' paths, the controls under /_sim/ and the phone page at /.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if !s.fixedURL && r.Host != "" {
		s.baseURL = "http://" + r.Host
	}
	s.mu.Unlock()
	s.handler.ServeHTTP(w, r)
}

// Run keeps the simulator until ctx ends, then waits for what it has in hand.
func (s *Simulator) Run(ctx context.Context) {
	<-ctx.Done()
	s.Close()
}

// Close cuts pushes that are under way and returns when every goroutine of the simulator has ended. Later acts are refused.
func (s *Simulator) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.loops.Wait()
	s.http.CloseIdleConnections()
}

// Idle returns when no push, repeat or delayed delivery is due or in progress right now, or when ctx ends.
func (s *Simulator) Idle(ctx context.Context) { s.work.idle(ctx) }

// spawn runs f on a goroutine that Close waits for, and reports whether it could.
func (s *Simulator) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.begin()
	s.loops.Go(func() {
		defer s.work.end()
		f()
	})
	return true
}

// Reset forgets customers, messages, files, calls, faults and switches. Apps stay, with their tokens and customer-service accounts,
// so a connected server goes on working; with apps true they go as well.
func (s *Simulator) Reset(apps bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches, s.faults = DefaultSwitches(), nil
	s.calls.entries = nil // sequence numbers go on, so that a reader's cursor stays good
	s.wechat.reset(apps)
	s.version++
}

// random gives n random bytes from the injected source.
func (s *Simulator) random(n int) []byte {
	s.randMu.Lock()
	defer s.randMu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		panic("sim: no randomness: " + err.Error()) // crypto/rand never fails; an injected source must be endless
	}
	return b
}

const (
	digits    = "0123456789"
	hexDigits = "0123456789abcdef"
	alnum     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	urlSafe   = alnum + "_-"
)

// pick gives n random characters of the alphabet.
func (s *Simulator) pick(n int, alphabet string) string {
	b := s.random(n)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
