package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxWriters = 64
	// patience is how long after the last message deliveries are waited for before they count as lost.
	patience = 5 * time.Second
	// warmSeconds of messages come before the measured part: the first ones meet cold caches and open the sessions.
	warmSeconds = 2
)

// watch is a run in which customers write and agents watch.
type watch struct {
	plan      Plan
	platform  *platform
	perWriter int // messages of one writer
	warm      int // how many of the first of them are not measured

	sent  [][]atomic.Int64 // by writer and number: when, in nanoseconds since began; 0 is not yet
	last  [][]atomic.Int64 // when the last agent so far had it
	had   atomic.Int64     // measured deliveries
	began time.Time

	mu     sync.Mutex
	took   []time.Duration
	failed tally
}

func runLive(ctx context.Context, p Plan, h Host) (Report, error) {
	pf, err := newPlatform(p.Account, p.Address)
	if err != nil {
		return Report{}, err
	}
	messages := int(p.Length.Seconds() * p.Rate)
	if p.Count > 0 {
		messages = min(messages, p.Count)
	}
	w := &watch{plan: p, platform: pf, warm: int(warmSeconds*p.Rate)/p.Writers + 1, began: time.Now()}
	w.perWriter = w.warm + max(1, messages/p.Writers)
	for range p.Writers {
		w.sent = append(w.sent, make([]atomic.Int64, w.perWriter))
		w.last = append(w.last, make([]atomic.Int64, w.perWriter))
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var streams sync.WaitGroup
	defer func() {
		stop()
		streams.Wait()
	}()
	connecting := time.Now()
	if err := w.openAll(ctx, &streams); err != nil {
		return Report{}, err
	}
	connected := time.Since(connecting).Seconds()
	h.Ready()
	seconds := w.write(ctx, h)
	w.settle(ctx)
	h.End()
	stop()
	streams.Wait()
	r := w.report(seconds)
	r.Connected = connected
	return r, nil
}

// openAll opens the streams, a few at a time, and returns when each has had its first event.
func (w *watch) openAll(ctx context.Context, streams *sync.WaitGroup) error {
	const atOnce = 16
	slots := make(chan struct{}, atOnce)
	failed := make(chan error, 2*w.plan.Clients) // nobody waits to tell, even when nobody listens any more
	for i := range w.plan.Clients {
		slots <- struct{}{}
		streams.Go(func() {
			first := sync.OnceFunc(func() { <-slots })
			defer first()
			failed <- w.stream(ctx, w.plan.Cookies[i], func() { first(); failed <- nil })
		})
	}
	for range w.plan.Clients { // each tells of its first event, or that it failed before
		select {
		case err := <-failed:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	go func() { // later ends are expected when the run ends, and errors before
		for range w.plan.Clients {
			if err := <-failed; err != nil && ctx.Err() == nil {
				w.mu.Lock()
				w.failed.failed(err)
				w.mu.Unlock()
			}
		}
	}()
	return nil
}

// stream follows one agent's live stream until ctx ends; open is called at its first event.
func (w *watch) stream(ctx context.Context, cookie string, open func()) error {
	c := &conn{address: w.plan.Address}
	if err := c.open(ctx); err != nil {
		return err
	}
	defer c.close()
	opened := c.net
	defer context.AfterFunc(ctx, func() { _ = opened.Close() })() // the reading below returns
	res, err := c.send(get(w.plan.Address, "/events", cookie))    //nolint:bodyclose // the stream, closed with its connection
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("stream: status %d", res.StatusCode)
	}
	if err := c.net.SetDeadline(time.Time{}); err != nil {
		return err
	}
	known := make([]int, w.plan.Writers) // newest number seen of each writer
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 0, 32<<10), 4<<20)
	for lines.Scan() {
		if open != nil && bytes.HasPrefix(lines.Bytes(), []byte("event: ")) {
			open()
			open = nil
		}
		if writer, number, ok := readMark(lines.Bytes()); ok && writer < w.plan.Writers && number < w.perWriter && number >= known[writer] {
			w.delivered(writer, known[writer], number)
			known[writer] = number + 1
		}
	}
	return fmt.Errorf("stream ended: %v", lines.Err())
}

// mark is how a message is known again in an agent's list row: writer and number.
func mark(writer, number int) string { return fmt.Sprintf("编号%d-%d号 ", writer, number) }

func readMark(line []byte) (writer, number int, ok bool) {
	_, rest, found := bytes.Cut(line, []byte("编号"))
	if !found {
		return 0, 0, false
	}
	inside, _, found := bytes.Cut(rest, []byte("号"))
	a, b, cut := bytes.Cut(inside, []byte("-"))
	writer, err1 := strconv.Atoi(string(a))
	number, err2 := strconv.Atoi(string(b))
	return writer, number, found && cut && err1 == nil && err2 == nil && writer >= 0 && number >= 0
}

// delivered notes that an agent's stream has the writer's messages from … to: a row shows the newest message, so one that was
// overtaken within a moment came with the next.
func (w *watch) delivered(writer, from, to int) {
	now := int64(time.Since(w.began))
	var took []time.Duration
	for n := max(from, w.warm); n <= to; n++ {
		sent := w.sent[writer][n].Load()
		if sent == 0 {
			continue
		}
		took = append(took, time.Duration(now-sent))
		last := &w.last[writer][n]
		for old := last.Load(); old < now && !last.CompareAndSwap(old, now); old = last.Load() {
		}
	}
	if len(took) == 0 {
		return
	}
	w.had.Add(int64(len(took)))
	w.mu.Lock()
	w.took = append(w.took, took...)
	w.mu.Unlock()
}

// write sends the messages at the fixed rate, whether or not the server keeps up, and returns how many seconds the measured ones took.
func (w *watch) write(ctx context.Context, h Host) float64 {
	due := make([]chan int, w.plan.Writers)
	var writers sync.WaitGroup
	for i := range due {
		due[i] = make(chan int, w.perWriter)
		writers.Go(func() { w.writer(ctx, i, due[i]) })
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.plan.Rate))
	defer tick.Stop()
	var measured time.Time
	for n := range w.perWriter {
		for i := range due {
			if n == w.warm && i == 0 {
				h.Begin()
				measured = time.Now()
			}
			due[i] <- n
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}
	for i := range due {
		close(due[i])
	}
	writers.Wait()
	return time.Since(measured).Seconds()
}

// writer is one customer; the next message waits for the answer to the last.
func (w *watch) writer(ctx context.Context, i int, due <-chan int) {
	c := &conn{address: w.plan.Address}
	defer c.close()
	random := rand.New(rand.NewPCG(w.plan.Seed, uint64(i)))
	for n := range due {
		if ctx.Err() != nil {
			continue
		}
		var salt [16]byte
		binary.BigEndian.PutUint64(salt[:8], random.Uint64())
		binary.BigEndian.PutUint64(salt[8:], random.Uint64())
		request := w.platform.push(salt, i, 24_000_000_000_000_000+int64(i*w.perWriter+n), mark(i, n)+sentences[n%len(sentences)], time.Now())
		w.sent[i][n].Store(int64(time.Since(w.began)))
		status, body, err := c.roundTrip(ctx, request)
		if err == nil {
			_, err = w.platform.answer(status, body, i)
		}
		if err != nil && ctx.Err() == nil {
			w.mu.Lock()
			w.failed.failed(err)
			w.mu.Unlock()
		}
	}
}

// expected is how many measured deliveries there should be.
func (w *watch) expected() int { return w.plan.Writers * (w.perWriter - w.warm) * w.plan.Clients }

// settle waits for the last deliveries.
func (w *watch) settle(ctx context.Context) {
	end := time.Now().Add(patience)
	for ctx.Err() == nil && time.Now().Before(end) && w.had.Load() < int64(w.expected()) {
		time.Sleep(5 * time.Millisecond)
	}
}

func (w *watch) report(seconds float64) Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Report{Ops: len(w.took), Seconds: seconds, Messages: w.plan.Writers * (w.perWriter - w.warm), FirstError: w.failed.firstError}
	lost := w.expected() - len(w.took)
	r.Errors = w.failed.errors + max(0, lost)
	if lost > 0 && r.FirstError == "" {
		r.FirstError = fmt.Sprintf("%d deliveries lost", lost)
	}
	r.times(w.took)
	var last []time.Duration
	for i := range w.sent {
		for n := w.warm; n < w.perWriter; n++ {
			if at := w.last[i][n].Load(); at > 0 {
				last = append(last, time.Duration(at-w.sent[i][n].Load()))
			}
		}
	}
	slices.Sort(last)
	r.LastP50, r.LastP99 = Percentile(last, 50), Percentile(last, 99)
	return r
}
