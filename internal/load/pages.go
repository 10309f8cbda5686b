package load

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Page is what is fetched again and again, and how a good answer is told.
type Page struct {
	Path   string
	Cookie string
	Marker string // must be in the page …
	Times  int    // … at least so often
}

// warmUp is how many fetches of each client come before the measured part.
const warmUp = 3

func runPages(ctx context.Context, p Plan, h Host) (Report, error) {
	request := get(p.Address, p.Page.Path, p.Page.Cookie)
	clients := make([]conn, p.Clients)
	for i := range clients {
		clients[i].address = p.Address
		defer clients[i].close()
	}
	h.Ready()
	for range warmUp {
		for i := range clients {
			if _, err := p.Page.fetch(ctx, &clients[i], request); err != nil {
				return Report{}, err
			}
		}
	}
	tallies := make([]tally, p.Clients)
	var started atomic.Int64
	var running sync.WaitGroup
	h.Begin()
	began := time.Now()
	end := began.Add(p.Length)
	for i := range clients {
		running.Go(func() {
			for ctx.Err() == nil && time.Now().Before(end) {
				if n := started.Add(1); p.Count > 0 && n > int64(p.Count) {
					return
				}
				took, err := p.Page.fetch(ctx, &clients[i], request)
				if err != nil {
					tallies[i].failed(err)
					continue
				}
				tallies[i].took = append(tallies[i].took, took)
			}
		})
	}
	running.Wait()
	seconds := time.Since(began).Seconds()
	h.End()
	return sum(tallies, seconds), ctx.Err()
}

// fetch gets the page once and says how long it took to have all of it.
func (p Page) fetch(ctx context.Context, client *conn, request []byte) (time.Duration, error) {
	began := time.Now()
	status, body, err := client.roundTrip(ctx, request)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	if found := bytes.Count(body, []byte(p.Marker)); status != 200 || found < p.Times {
		return 0, fmt.Errorf("page %s: status %d, %d of %d %s", p.Path, status, found, p.Times, p.Marker)
	}
	return took, nil
}
