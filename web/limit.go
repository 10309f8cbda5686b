package web

import (
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"kefu/internal/clock"
)

// attempts slows down guessing: few tries for a name from one address, more for one address over all names. Nobody is locked out by
// what strangers do elsewhere, and a log-in that succeeds costs nothing.
type attempts struct {
	clock clock.Clock

	mu   sync.Mutex
	by   map[string]*attempt
	tidy time.Time // when those of long ago were last forgotten
}

type attempt struct {
	limit *rate.Limiter
	used  time.Time
}

func newAttempts(c clock.Clock) *attempts {
	return &attempts{clock: c, by: map[string]*attempt{}}
}

// allow takes one attempt. It returns the seconds to wait when there is none, else a function that gives it back.
func (a *attempts) allow(username, address string) (wait int, undo func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	a.forget(now)
	var taken []*rate.Reservation
	for key, per := range map[string]struct {
		every time.Duration
		burst int
	}{
		address + " " + username: {10 * time.Second, 5},
		address:                  {2 * time.Second, 30},
	} {
		one := a.by[key]
		if one == nil {
			one = &attempt{limit: rate.NewLimiter(rate.Every(per.every), per.burst)}
			a.by[key] = one
		}
		one.used = now
		r := one.limit.ReserveN(now, 1)
		taken = append(taken, r)
		if d := r.DelayFrom(now); d > 0 {
			wait = max(wait, int(math.Ceil(d.Seconds())))
		}
	}
	undo = func() {
		for _, r := range taken {
			r.CancelAt(now)
		}
	}
	if wait > 0 {
		undo()
	}
	return wait, undo
}

// forget drops who has not tried for long, so that a flood of addresses does not fill the memory. It looks once a minute, so that
// looking does not take the time of everybody who logs in during the flood.
func (a *attempts) forget(now time.Time) {
	if len(a.by) < 10_000 || now.Sub(a.tidy) < time.Minute {
		return
	}
	a.tidy = now
	for key, one := range a.by {
		if now.Sub(one.used) > 5*time.Minute {
			delete(a.by, key)
		}
	}
}

// clean makes a stranger's header fit for a database and a page.
func clean(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") }
