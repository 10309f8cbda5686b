package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// prepared is how many requests are signed and encrypted before the measured part, at most; what is needed beyond is made between two
// requests, outside the measured time of either.
const prepared = 60_000

// callbacks is a run in which customers write.
type callbacks struct {
	plan     Plan
	host     Host
	platform *platform

	mu        sync.Mutex // guards what follows
	mix       *mix
	random    *rand.Rand
	messageID int64
	ready     []order
}

// order is one message ready to go.
type order struct {
	step
	request []byte
}

func runCallbacks(ctx context.Context, p Plan, h Host) (Report, error) {
	pf, err := newPlatform(p.Account, p.Address)
	if err != nil {
		return Report{}, err
	}
	c := &callbacks{plan: p, host: h, platform: pf, mix: newMix(p), random: rand.New(rand.NewPCG(p.Seed, 2)), messageID: 24_000_000_000_000_000}
	h.Ready()
	if err := c.fill(ctx); err != nil {
		return Report{}, err
	}
	c.prepare()
	return c.measure(ctx)
}

// next is the next message of the measured part.
func (c *callbacks) next() order {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ready) == 0 {
		return c.order(c.mix.step())
	}
	o := c.ready[0]
	c.ready = c.ready[1:]
	return o
}

func (c *callbacks) order(s step) order {
	c.messageID++
	var random [16]byte
	binary.BigEndian.PutUint64(random[:8], c.random.Uint64())
	binary.BigEndian.PutUint64(random[8:], c.random.Uint64())
	return order{s, c.platform.push(random, s.customer, c.messageID, sentences[c.random.IntN(len(sentences))], time.Now())}
}

func (c *callbacks) prepare() {
	want := prepared
	if c.plan.Count > 0 {
		want = min(want, c.plan.Count+c.plan.Clients)
	}
	for range min(want, int(c.plan.Length.Seconds()*8000)+1) {
		c.ready = append(c.ready, c.order(c.mix.step()))
	}
}

// fill opens the sessions that the measured part finds.
func (c *callbacks) fill(ctx context.Context) error {
	var left atomic.Int64
	left.Store(int64(c.plan.Open))
	tallies := c.each(func(client *conn, t *tally) {
		for left.Add(-1) >= 0 && ctx.Err() == nil {
			c.mu.Lock()
			o := c.order(c.mix.fill())
			c.mu.Unlock()
			c.send(ctx, client, o, t)
		}
	})
	r := sum(tallies, 0)
	if r.Errors > 0 {
		return fmt.Errorf("%d of %d sessions could not be opened: %s", r.Errors, c.plan.Open, r.FirstError)
	}
	return ctx.Err()
}

func (c *callbacks) measure(ctx context.Context) (Report, error) {
	var started atomic.Int64
	c.host.Begin()
	began := time.Now()
	end := began.Add(c.plan.Length)
	tallies := c.each(func(client *conn, t *tally) {
		for ctx.Err() == nil && time.Now().Before(end) {
			if n := started.Add(1); c.plan.Count > 0 && n > int64(c.plan.Count) {
				return
			}
			o := c.next()
			c.send(ctx, client, o, t)
			if o.closes >= 0 {
				c.host.Close(o.closes)
			}
		}
	})
	seconds := time.Since(began).Seconds()
	c.host.End()
	return sum(tallies, seconds), ctx.Err()
}

// each runs one client per goroutine and returns when all have ended.
func (c *callbacks) each(run func(client *conn, t *tally)) []tally {
	tallies := make([]tally, c.plan.Clients)
	var clients sync.WaitGroup
	for i := range tallies {
		clients.Go(func() {
			client := &conn{address: c.plan.Address}
			defer client.close()
			run(client, &tallies[i])
		})
	}
	clients.Wait()
	return tallies
}

// send sends one message and judges the answer.
func (c *callbacks) send(ctx context.Context, client *conn, o order, t *tally) {
	began := time.Now()
	status, body, err := client.roundTrip(ctx, o.request)
	took := time.Since(began)
	words := ""
	if err == nil {
		words, err = c.platform.answer(status, body, o.customer)
	}
	if err == nil && words != "" && words == c.plan.Unwanted {
		err = fmt.Errorf("answer: %s", words)
	}
	if err != nil {
		t.failed(err)
		return
	}
	t.took = append(t.took, took)
	if words != "" {
		t.passive++
	}
	if o.opens {
		t.opened++
	}
}
