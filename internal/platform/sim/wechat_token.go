package sim

import (
	"encoding/json"
	"strings"
	"time"
)

const (
	tokenLife      = 7200 * time.Second // §1.1
	tokenOverlap   = 5 * time.Minute    // old and new both work (§1.1); also when stable_token hands out the next one (§1.2)
	forceSpacing   = 30 * time.Second   // §1.2
	forcesPerDay   = 20                 // §1.2
	tokensPerDay   = 2000               // §1.1
	unusedTokenAge = 24 * time.Hour     // dead tokens are forgotten after that: 42001 becomes 40001
)

// shanghai is where the platform's day begins.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// token is one access_token. It dies at expires, or sooner when it was superseded.
type token struct {
	value   string
	app     *wechatApp
	expires time.Time
	dies    time.Time // zero: not superseded
}

// state is 0 for a live token, else the errcode (wechat.md §1.4).
func (t *token) state(now time.Time) int {
	switch {
	case !t.dies.IsZero() && t.dies.Before(t.expires) && !now.Before(t.dies):
		return 40001
	case !now.Before(t.expires):
		return 42001
	}
	return 0
}

// tokenBook holds an app's two namespaces; neither invalidates the other (wechat.md §1.2).
type tokenBook struct {
	plain, stable *token
	forcedAt      time.Time
	day           string // the day the counts belong to
	forced, given int
}

func (b *tokenBook) count(now time.Time) {
	if day := now.In(shanghai).Format(time.DateOnly); day != b.day {
		b.day, b.forced, b.given = day, 0, 0
	}
}

// issue makes a token; the caller stores it in its namespace.
func (s *Simulator) issue(a *wechatApp, now time.Time) *token {
	for value, t := range s.wechat.tokens {
		if now.Sub(t.expires) > unusedTokenAge {
			delete(s.wechat.tokens, value)
		}
	}
	t := &token{value: s.pick(136, urlSafe), app: a, expires: now.Add(tokenLife)}
	s.wechat.tokens[t.value] = t
	return t
}

func supersede(t *token, at time.Time) {
	if t != nil && (t.dies.IsZero() || at.Before(t.dies)) {
		t.dies = at
	}
}

// plainToken is GET /cgi-bin/token: each call makes a new token and kills the previous one after the overlap (wechat.md §1.1).
func (s *Simulator) plainToken(c *apiCall) reply {
	q := c.r.URL.Query()
	a, code := s.tokenApp(q.Get("appid"), q.Get("secret"), q.Get("grant_type"))
	if code != 0 {
		return reply{code: code}
	}
	c.app = a
	a.book.count(c.now)
	if a.book.given++; a.book.given > tokensPerDay {
		return reply{code: 45009}
	}
	supersede(a.book.plain, c.now.Add(tokenOverlap))
	a.book.plain = s.issue(a, c.now)
	return tokenReply(a.book.plain, c.now)
}

// stableToken is POST /cgi-bin/stable_token (wechat.md §1.2).
func (s *Simulator) stableToken(c *apiCall) reply {
	var form struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	if len(c.body) == 0 {
		return reply{code: 44002}
	}
	if json.Unmarshal(c.body, &form) != nil {
		return reply{code: 47001}
	}
	a, code := s.tokenApp(form.AppID, form.Secret, form.GrantType)
	if code != 0 {
		return reply{code: code}
	}
	c.app = a
	b := &a.book
	b.count(c.now)
	live := b.stable != nil && b.stable.state(c.now) == 0
	switch {
	case form.ForceRefresh && live && !b.forcedAt.IsZero() && c.now.Sub(b.forcedAt) < forceSpacing:
		// too soon: the call does not refresh
	case form.ForceRefresh && b.forced >= forcesPerDay:
		return reply{code: 45009}
	case form.ForceRefresh:
		supersede(b.stable, c.now)
		b.stable, b.forcedAt = s.issue(a, c.now), c.now
		b.forced++
	case !live || b.stable.expires.Sub(c.now) <= tokenOverlap:
		b.stable = s.issue(a, c.now) // the old one works until its own end
	}
	return tokenReply(b.stable, c.now)
}

func tokenReply(t *token, now time.Time) reply {
	return reply{data: map[string]any{"access_token": t.value, "expires_in": int(t.expires.Sub(now) / time.Second)}}
}

// tokenApp checks in the platform's order: a bad appid before a missing grant_type (wechat.md §0.2). A secret that cannot be one is
// 40125, a wrong one 40001 (§1.3).
func (s *Simulator) tokenApp(appid, secret, grant string) (*wechatApp, int) {
	if appid == "" {
		return nil, 41002
	}
	a := s.wechat.find(appid)
	switch {
	case a == nil:
		return nil, 40013
	case grant != "client_credential":
		return nil, 40002
	case secret == "":
		return nil, 41004
	case secret != a.Secret && len(secret) != len(a.Secret):
		return nil, 40125
	case secret != a.Secret:
		return nil, 40001
	}
	return a, 0
}

// authorize finds the app of a business call's token (wechat.md §1.4).
func (s *Simulator) authorize(value string, now time.Time) (*wechatApp, int) {
	if value == "" {
		return nil, 41001
	}
	if strings.Trim(value, urlSafe) != "" {
		return nil, 40014 // malformed; the boundary to 40001 is undocumented
	}
	t := s.wechat.tokens[value]
	if t == nil {
		return nil, 40001
	}
	return t.app, t.state(now)
}

// revokeTokens kills an app's live tokens at once, as another owner that asks for tokens or the platform's debug tool would
// (wechat.md §11 no. 10).
func (s *Simulator) revokeTokens(a *wechatApp) {
	now := s.clock.Now()
	supersede(a.book.plain, now)
	supersede(a.book.stable, now)
	a.book.plain, a.book.stable = nil, nil
	s.version++
}
