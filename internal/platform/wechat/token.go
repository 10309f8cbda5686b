package wechat

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"kefu/internal/clock"
	"kefu/internal/platform"
)

const (
	// A token is renewed in its last minutes. In the last five the platform hands out a new one while the old still works; a moment
	// earlier it would repeat the old one (wechat.md §1.2), hence not quite 300 s.
	renewBefore = 290 * time.Second

	forceSpacing = 30 * time.Second // wechat.md §1.2
	forcePerDay  = 20
)

// tokenOwner is the one that refreshes an adapter's token; everything else reads the shared store (wechat.md §1.5).
type tokenOwner struct {
	store platform.TokenStore
	clk   clock.Clock
	fetch func(ctx context.Context, force bool) (platform.Token, error)

	flight singleflight.Group
	mu     sync.Mutex
	forced []time.Time // forced refreshes of the last 24 h, the latest at the end
}

// get is a token that may be used now and is not failed, the one that the platform has just refused ("" if none). Whoever finds the
// shared token dead or near its end refreshes it; the others wait for that one refresh.
func (o *tokenOwner) get(ctx context.Context, failed string) (string, error) {
	t, err := o.store.Load(ctx)
	if err != nil {
		return "", failure(platform.Busy, 0, "token store does not answer", err)
	}
	if o.good(t, failed) {
		return t.Value, nil
	}
	for {
		mine := false
		flight := o.flight.DoChan("token", func() (any, error) {
			mine = true
			return o.renew(context.WithoutCancel(ctx), failed) // the others need it even if this caller leaves
		})
		select {
		case <-ctx.Done():
			return "", failure(platform.Busy, 0, "given up while waiting for a token", context.Cause(ctx))
		case done := <-flight:
			if done.Err != nil {
				return "", done.Err
			}
			// A refresh that began before somebody else's token failed may bring that very token: then this one's own begins.
			if t := done.Val.(platform.Token); t.Value != failed || mine {
				return t.Value, nil
			}
		}
	}
}

// good reports whether t may be used without asking the platform.
func (o *tokenOwner) good(t platform.Token, failed string) bool {
	life := t.Expires.Sub(t.Issued)
	return t.Value != "" && t.Value != failed && t.Expires.Sub(o.clk.Now()) > min(renewBefore, life/2)
}

// renew gets and stores a new token unless another process did so meanwhile. The old one stays in the store until the new is in hand,
// and in use while it lives if the platform has none to give just now.
func (o *tokenOwner) renew(ctx context.Context, failed string) (platform.Token, error) {
	old, err := o.store.Load(ctx)
	if err != nil {
		return platform.Token{}, failure(platform.Busy, 0, "token store does not answer", err)
	}
	if o.good(old, failed) {
		return old, nil
	}
	fresh, err := o.fetch(ctx, false)
	if err == nil && fresh.Value == failed { // the platform thinks it is alive, calls say it is not
		fresh, err = o.force(ctx, failed)
	}
	if err != nil {
		if old.Value != "" && old.Value != failed && o.clk.Now().Before(old.Expires) {
			return old, nil
		}
		return platform.Token{}, err
	}
	if err := o.store.Save(ctx, fresh); err != nil {
		return platform.Token{}, failure(platform.Busy, 0, "token could not be stored", err, fresh.Value)
	}
	// The store may hold one that was issued later, by another process whose answer was faster.
	if kept, err := o.store.Load(ctx); err == nil && kept.Issued.After(fresh.Issued) && o.good(kept, failed) {
		return kept, nil
	}
	return fresh, nil
}

// force gets a new token although the old one has life left, within the platform's bounds on doing so.
func (o *tokenOwner) force(ctx context.Context, failed string) (platform.Token, error) {
	now := o.clk.Now()
	o.mu.Lock()
	o.forced = slices.DeleteFunc(o.forced, func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour })
	n := len(o.forced)
	switch {
	case n > 0 && now.Sub(o.forced[n-1]) < forceSpacing:
		o.mu.Unlock()
		return platform.Token{}, failure(platform.Busy, 0, "token is dead and was forced less than 30 s ago", nil)
	case n >= forcePerDay:
		o.mu.Unlock()
		return platform.Token{}, failure(platform.Refresh, 0, "token is dead and was forced 20 times in a day", nil)
	}
	o.forced = append(o.forced, now)
	o.mu.Unlock()
	t, err := o.fetch(ctx, true)
	if err == nil && t.Value == failed { // another process forced within the last 30 s (wechat.md §1.2)
		err = failure(platform.Busy, 0, "the platform repeats the dead token", nil)
	}
	return t, err
}

// fetchToken calls stable_token (wechat.md §1.2). Issued is when the request left, so that of two answers the slower never counts as
// newer (§1.5); Expires is on the safe side for the same reason.
func (a *Adapter) fetchToken(ctx context.Context, force bool) (platform.Token, error) {
	left := a.clk.Now()
	var answer struct {
		Value loose `json:"access_token"`
		Life  loose `json:"expires_in"`
	}
	call := apiCall{method: http.MethodPost, path: "/cgi-bin/stable_token", on: forToken, body: struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}{"client_credential", a.cfg.AppID, a.cfg.Secret, force}}
	if err := a.call(ctx, call, "", &answer); err != nil {
		return platform.Token{}, err
	}
	life, err := answer.Life.int64()
	if err != nil || life <= 0 || life > 24*60*60 || answer.Value == "" {
		return platform.Token{}, failure(platform.Busy, 0, "answer has no token", nil)
	}
	return platform.Token{Value: string(answer.Value), Issued: left, Expires: left.Add(time.Duration(life) * time.Second)}, nil
}
