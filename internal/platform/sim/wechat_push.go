package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"kefu/internal/clock"
)

// push is one callback: its body's ids stay the same in every attempt, timestamp, nonce and cipher text are new (wechat.md §7.7).
type push struct {
	app     *wechatApp
	user    *user
	fields  []field
	about   string
	message bool // a customer's message: the customer is told when no valid answer comes
	count1  bool // news of the reply are cut to one (§7.7)
	shown   *entry
	id      int64
	created int64
}

// Outcomes of a push.
const (
	outcomeTaken   = "taken"   // success or an empty answer
	outcomePassive = "passive" // a reply reached the customer
	outcomeInvalid = "invalid" // answered, but not as the platform wants it: not repeated
	outcomeFailed  = "failed"  // all attempts failed
	outcomePaused  = "paused"  // MarkFail: not sent
	outcomeHeld    = "held"    // fault reorder: goes out after the next push
	outcomeNowhere = "nowhere" // the app has no callback URL
)

// PushResult tells what became of a push.
type PushResult struct {
	Outcome  string `json:"outcome"`
	Status   int    `json:"status"` // of the last answer; 0 when there was none
	Body     string `json:"body"`
	Attempts int    `json:"attempts"`
	Error    string `json:"error,omitempty"`
}

// send carries a push out, with the faults for pushes; it runs on a goroutine of the simulator.
func (s *Simulator) send(p *push) PushResult {
	fault := s.strike(matchCallback, ofPush)
	if fault.Reorder {
		s.mu.Lock()
		earlier := p.app.held
		p.app.held = p
		s.mu.Unlock()
		if earlier != nil {
			s.attempts(earlier)
		}
		return PushResult{Outcome: outcomeHeld}
	}
	s.mu.Lock()
	held := p.app.held
	p.app.held = nil
	s.mu.Unlock()
	result := s.attemptsAtOnce(p, fault.Duplicate)
	if held != nil {
		s.attempts(held)
	}
	return result
}

// attemptsAtOnce sends a push and so many copies of it beside each other. Each counts as work of its own; waiting for them does not.
func (s *Simulator) attemptsAtOnce(p *push, more int) PushResult {
	var copies sync.WaitGroup
	for range more {
		s.work.begin()
		copies.Go(func() { s.attempts(p) })
	}
	result := s.attempts(p)
	if more > 0 {
		s.work.end()
		copies.Wait()
		s.work.begin()
		for range more {
			s.work.end()
		}
	}
	return result
}

// attempts tries a push up to three times, 5 seconds each (wechat.md §7.7), and counts for MarkFail.
func (s *Simulator) attempts(p *push) PushResult {
	if result, stop := s.paused(p); stop {
		return result
	}
	sw := s.Switches()
	var result PushResult
	for n := 1; n <= sw.Attempts && s.ctx.Err() == nil; n++ {
		a := s.attempt(p, n, sw, s.config(p.app))
		result = PushResult{Outcome: outcomeFailed, Status: a.status, Body: string(a.body), Attempts: n, Error: a.failure}
		if a.failure == "" {
			result.Outcome = a.outcome
			break
		}
		if !a.repeat {
			break
		}
	}
	s.settle(p, result, sw)
	return result
}

// paused holds back a push while MarkFail lasts: the platform does not send it again, or, by the switch, sends it late.
func (s *Simulator) paused(p *push) (PushResult, bool) {
	s.mu.Lock()
	wait, app := p.app.pausedUntil.Sub(s.clock.Now()), p.app.App
	delays := s.switches.MarkFailDelays
	s.mu.Unlock()
	switch {
	case app.CallbackURL == "":
		s.settleState(p, outcomeNowhere)
		return PushResult{Outcome: outcomeNowhere, Error: "the app has no callback_url"}, true
	case wait <= 0:
		return PushResult{}, false
	case delays:
		return PushResult{}, s.work.sleep(s.ctx, wait) != nil
	}
	s.record(&Call{
		Kind: callCallback, Platform: "wechat", Method: http.MethodPost, Path: pathOf(app.CallbackURL), AppID: app.AppID,
		OpenID: p.user.openid, About: p.about, Plain: string(body(app.Format, p.fields)), Note: "MarkFail: pushing is paused, not sent", Failed: true,
	}, time.Now())
	s.settleState(p, outcomePaused)
	return PushResult{Outcome: outcomePaused, Error: "MarkFail: pushing is paused"}, true
}

// settle shows the end of a push: the state of the line, the notice to the customer, the count for MarkFail.
func (s *Simulator) settle(p *push, r PushResult, sw Switches) {
	s.settleState(p, r.Outcome)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Outcome == outcomeTaken || r.Outcome == outcomePassive {
		p.app.failed = 0
		return
	}
	if p.message {
		s.show(p.user, &entry{Note: true, Passive: true, MsgType: "notice", Text: unavailable})
	}
	if p.app.failed++; sw.MarkFail && p.app.failed >= sw.MarkFailAfter {
		p.app.failed, p.app.pausedUntil = 0, s.clock.Now().Add(time.Duration(sw.MarkFailPause))
		s.log.Warn("callbacks paused", "app", p.app.AppID, "until", p.app.pausedUntil)
	}
}

// unavailable is what the customer sees when no valid answer came (wechat.md §7.7).
const unavailable = "该服务号暂时无法提供服务，请稍后再试"

func (s *Simulator) settleState(p *push, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.shown != nil {
		p.shown.State = state
	}
	s.version++
}

// config is the app's settings of this moment.
func (s *Simulator) config(a *wechatApp) App {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.App
}

// attempted is the end of one attempt.
type attempted struct {
	status  int
	body    []byte
	failure string // empty: there was an answer with status 200
	repeat  bool
	outcome string
}

// attempt posts the push once.
func (s *Simulator) attempt(p *push, n int, sw Switches, app App) attempted {
	started := time.Now()
	begun := s.clock.Now()
	timeout := time.Duration(sw.AttemptTimeout)
	ctx, cancel := clock.WithTimeout(s.ctx, s.clock, timeout)
	defer cancel()
	fault := s.strike(matchCallback, ofAttempt)
	entry := &Call{
		Kind: callCallback, Platform: "wechat", Method: http.MethodPost, Path: pathOf(app.CallbackURL), AppID: app.AppID,
		OpenID: p.user.openid, About: p.about, Attempt: n,
	}
	var a attempted
	req, err := s.request(ctx, p, app, entry, sw)
	switch {
	case err != nil:
		a.failure = err.Error()
	case fault.Drop == "before":
		a.failure, a.repeat, entry.Note = "cut before it arrived", true, "fault: cut before it arrived"
	default:
		a = s.post(ctx, req, sw)
	}
	if late := time.Duration(fault.Delay); late > 0 && a.failure == "" {
		entry.Note = "fault: the answer came late"
		left := timeout - s.clock.Now().Sub(begun)
		if s.work.sleep(s.ctx, min(late, max(left, 0))) != nil || late >= left {
			a.failure, a.repeat = timedOut(timeout), true
		}
	}
	if fault.Drop == "after" && a.failure == "" {
		a.failure, a.repeat, entry.Note = "cut before the answer arrived", true, "fault: cut before the answer arrived"
	}
	entry.Status, entry.Response = a.status, readable(a.body)
	if a.failure == "" {
		a.outcome, entry.Answer, entry.Note = s.take(p, a.body, entry.Note)
	} else if entry.Note == "" {
		entry.Note = a.failure
	}
	entry.Failed = a.failure != "" || a.outcome == outcomeInvalid
	s.record(entry, started)
	return a
}

func timedOut(d time.Duration) string { return fmt.Sprintf("no answer within %v", d) }

// answerLimit is more than any passive reply needs.
const answerLimit = 1 << 20

// post sends the request. A time-out or a failed connection is repeated, other failures by the switch (wechat.md §7.7 names only the
// dropped connection).
func (s *Simulator) post(ctx context.Context, req *http.Request, sw Switches) attempted {
	failed := func(err error) attempted {
		if context.Cause(ctx) == context.DeadlineExceeded {
			return attempted{failure: timedOut(time.Duration(sw.AttemptTimeout)), repeat: true}
		}
		return attempted{failure: "connection failed: " + cause(err), repeat: true}
	}
	res, err := s.http.Do(req)
	if err != nil {
		return failed(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return failed(err)
	}
	a := attempted{status: res.StatusCode, body: b}
	if res.StatusCode != http.StatusOK {
		a.failure, a.repeat = fmt.Sprintf("HTTP status %d", res.StatusCode), res.StatusCode >= 500 && sw.RepeatOn5xx
	}
	return a
}

// cause strips the address from a client's error: it carries the signature.
func cause(err error) string {
	if u, ok := err.(*url.Error); ok {
		err = u.Err
	}
	return err.Error()
}

// request builds one attempt: fresh timestamp, nonce and cipher text (wechat.md §7.3).
func (s *Simulator) request(ctx context.Context, p *push, app App, entry *Call, sw Switches) (*http.Request, error) {
	timestamp, nonce := strconv.FormatInt(s.clock.Now().Unix(), 10), s.pick(9, digits)
	plain := body(app.Format, p.fields)
	sent := plain
	query := "signature=" + sign(app.Token, timestamp, nonce) + "&timestamp=" + timestamp + "&nonce=" + nonce + "&openid=" + url.QueryEscape(p.user.openid)
	if app.Mode != modePlain {
		sealed, err := encrypt(app.AESKey, s.random(16), plain, app.AppID)
		if err != nil {
			return nil, err
		}
		query += "&encrypt_type=aes&msg_signature=" + sign(app.Token, timestamp, nonce, sealed)
		outer := []field{textField("ToUserName", app.OriginalID)}
		if app.Mode == modeCompatible {
			outer = p.fields
		}
		sent = body(app.Format, append(append([]field{}, outer...), textField("Encrypt", sealed)))
		entry.Plain = string(plain)
	}
	entry.Query, entry.Request = query, string(sent)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, withQuery(app.CallbackURL, query), bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/xml")
	if app.Format == formatJSON {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "Mozilla/4.0")
	if sw.CallbackIP != "" {
		req.Header.Set("X-Forwarded-For", sw.CallbackIP)
	}
	return req, nil
}

func withQuery(address, query string) string {
	if strings.Contains(address, "?") {
		return address + "&" + query
	}
	return address + "?" + query
}

func pathOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Path != "" {
		return u.Path
	}
	return address
}

// checkURL is the platform's check when an address is saved: GET with echostr, answered verbatim (wechat.md §7.2). Also in safe mode
// echostr is not encrypted.
func (s *Simulator) checkURL(app App) error {
	started := time.Now()
	timeout := time.Duration(s.Switches().AttemptTimeout)
	ctx, cancel := clock.WithTimeout(s.ctx, s.clock, timeout)
	defer cancel()
	timestamp, nonce, echo := strconv.FormatInt(s.clock.Now().Unix(), 10), s.pick(10, digits), s.pick(19, "123456789")
	query := "signature=" + sign(app.Token, timestamp, nonce) + "&timestamp=" + timestamp + "&nonce=" + nonce + "&echostr=" + echo
	entry := &Call{
		Kind: callCallback, Platform: "wechat", Method: http.MethodGet, Path: pathOf(app.CallbackURL), Query: query, AppID: app.AppID,
		About: "echostr", Attempt: 1,
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, withQuery(app.CallbackURL, query), nil)
	if err != nil {
		return fmt.Errorf("callback_url: %s", cause(err))
	}
	a := s.post(ctx, req, s.Switches())
	entry.Status, entry.Response = a.status, readable(a.body)
	switch {
	case a.failure != "":
		err = fmt.Errorf("the callback URL did not pass the check: %s", a.failure)
	case string(a.body) != echo:
		err = fmt.Errorf("the callback URL did not answer the echostr verbatim")
	}
	if err != nil {
		entry.Failed, entry.Note = true, err.Error()
	}
	s.record(entry, started)
	return err
}
