package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"kefu/internal/platform"
)

const stablePath = "/cgi-bin/stable_token"

func TestTokenRequestIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	if err := b.send(t.Context(), "hi", ""); err != nil {
		t.Fatal(err)
	}
	got := b.fake.calls[0]
	want := request{http.MethodPost, stablePath, "", `{"grant_type":"client_credential","appid":"wx0123456789abcdef","secret":"` + testSecret + `","force_refresh":false}`}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if kept := (platform.Token{Value: "token-1", Issued: start, Expires: start.Add(2 * time.Hour)}); b.tokens.token != kept {
		t.Errorf("stored %+v, want %+v", b.tokens.token, kept)
	}
}

func TestTokenIsKeptUntilItsLastMinutes(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	for _, step := range []struct {
		ahead time.Duration
		want  int // token calls so far
	}{{0, 1}, {0, 1}, {2*time.Hour - 5*time.Minute, 1}, {9 * time.Second, 1}, {2 * time.Second, 2}, {time.Hour, 2}, {48 * time.Hour, 3}} {
		if err := b.clk.Advance(t.Context(), step.ahead); err != nil {
			t.Fatal(err)
		}
		if err := b.send(t.Context(), "hi", ""); err != nil {
			t.Fatal(err)
		}
		if got := b.fake.count(stablePath); got != step.want {
			t.Fatalf("%v later: %d token calls, want %d", step.ahead, got, step.want)
		}
	}
}

func TestShortRestOfLifeIsUsedAndNumbersMayBeStrings(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	b.fake.tokens = func(n int, _ bool) string { return fmt.Sprintf(`{"access_token":"short-%d","expires_in":"300"}`, n) }
	for range 3 {
		if err := b.send(t.Context(), "hi", ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.fake.count(stablePath); n != 1 {
		t.Errorf("%d token calls for a token of 300 s, want 1", n)
	}
}

func TestManyCallersShareOneRefresh(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	inside, release := make(chan struct{}, 100), make(chan struct{})
	b.fake.hook = func(r *http.Request) {
		if r.URL.Path == stablePath {
			inside <- struct{}{}
			<-release
		}
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := b.send(t.Context(), "hi", ""); err != nil {
				t.Error(err)
			}
		})
	}
	<-inside
	close(release)
	all.Wait()
	if n := b.fake.count(stablePath); n != 1 {
		t.Errorf("%d token calls for 50 callers, want 1", n)
	}
}

func TestCallerWhoLeavesDoesNotSpoilTheRefreshForOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	inside, release := make(chan struct{}, 9), make(chan struct{})
	b.fake.hook = func(r *http.Request) {
		if r.URL.Path == stablePath {
			inside <- struct{}{}
			<-release
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- b.send(ctx, "hi", "") }()
	<-inside
	second := make(chan error, 1)
	go func() { second <- b.send(t.Context(), "hi", "") }()
	leave()
	wantClass(t, <-first, platform.Busy, 0)
	close(release)
	if err := <-second; err != nil {
		t.Error(err)
	}
	if n := b.fake.count(stablePath); n != 1 {
		t.Errorf("%d token calls, want 1", n)
	}
}

// dead answers 40001 to every call made with one of the tokens.
func dead(tokens ...string) func(int, request) (*http.Response, error) {
	return func(_ int, r request) (*http.Response, error) {
		for _, d := range tokens {
			if r.token == d {
				return answer(200, `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r rid: 6aac0082-01bfdbee-79769285"}`), nil
			}
		}
		return answer(200, `{"errcode":0,"errmsg":"ok"}`), nil
	}
}

func TestDeadTokenIsReplacedAndTheCallRepeatedOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40001, 40014, 42001} {
		b := newBench(t, testConfig())
		b.fake.answers = func(n int, _ request) (*http.Response, error) {
			return answer(200, fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, map[int]int{1: code}[n])), nil
		}
		if err := b.send(t.Context(), "hi", ""); err != nil {
			t.Errorf("%d: %v", code, err)
		}
		if sends := b.fake.count(sendPath); sends != 2 || b.fake.calls[3].token != "token-2" {
			t.Errorf("%d: calls %+v", code, b.fake.calls)
		}
	}
	b := newBench(t, testConfig())
	b.fake.answers = dead("token-1", "token-2", "token-3")
	wantClass(t, b.send(t.Context(), "hi", ""), platform.Refresh, 40001)
	if sends := b.fake.count(sendPath); sends != 2 {
		t.Errorf("%d sends with tokens that stay dead, want 2", sends)
	}
}

func TestTokenReplacedByAnotherProcessIsNotRefreshedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	b.tokens.token = platform.Token{Value: "old", Issued: start.Add(-time.Hour), Expires: start.Add(time.Hour)}
	b.fake.answers = func(n int, r request) (*http.Response, error) {
		if n == 1 { // while this call is on its way, somebody else stores a newer one
			newer := platform.Token{Value: "theirs", Issued: start, Expires: start.Add(2 * time.Hour)}
			if err := b.tokens.Save(t.Context(), newer); err != nil {
				return nil, err
			}
		}
		return dead("old")(n, r)
	}
	if err := b.send(t.Context(), "hi", ""); err != nil {
		t.Fatal(err)
	}
	if n := b.fake.count(stablePath); n != 0 || b.fake.calls[1].token != "theirs" {
		t.Errorf("%d token calls, calls %+v", n, b.fake.calls)
	}
}

func TestManyCallersWithADeadTokenCauseOneRefresh(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	b.tokens.token = platform.Token{Value: "old", Issued: start, Expires: start.Add(2 * time.Hour)}
	b.fake.answers = dead("old")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := b.send(t.Context(), "hi", ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := b.fake.count(stablePath); n != 1 {
		t.Errorf("%d token calls, want 1", n)
	}
}

func TestOldTokenStaysStoredUntilTheNewIsInHand(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	old := platform.Token{Value: "old", Issued: start, Expires: start.Add(2 * time.Hour)}
	b.tokens.token = old
	b.fake.answers = dead("old")
	b.fake.tokens = func(int, bool) string { return `{"errcode":-1,"errmsg":"system error"}` }
	wantClass(t, b.send(t.Context(), "hi", ""), platform.Busy, -1)
	if b.tokens.token != old || len(b.tokens.saved) != 0 {
		t.Errorf("the store has %+v after a refresh that failed", b.tokens.token)
	}
	// Near its end, and not called dead, it is used as long as there is no other.
	b.fake.answers = nil
	if err := b.clk.Advance(t.Context(), 2*time.Hour-time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := b.send(t.Context(), "hi", ""); err != nil {
		t.Errorf("a token with a minute left was not used: %v", err)
	}
	if err := b.clk.Advance(t.Context(), 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	wantClass(t, b.send(t.Context(), "hi", ""), platform.Busy, -1)
}

func TestTokenThatThePlatformRepeatsIsForcedWithinBounds(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	b.fake.answers = dead("same")
	forced := 0
	b.fake.tokens = func(_ int, force bool) string {
		if force {
			forced++
			return fmt.Sprintf(`{"access_token":"forced-%d","expires_in":7200}`, forced)
		}
		return `{"access_token":"same","expires_in":6000}`
	}
	if err := b.send(t.Context(), "hi", ""); err != nil || forced != 1 || b.tokens.token.Value != "forced-1" {
		t.Fatalf("forced %d times, stored %q, error %v", forced, b.tokens.token.Value, err)
	}
	die := func() error { // somebody outside kills the stored token and the platform goes on repeating it
		b.tokens.token = platform.Token{Value: "same", Issued: b.clk.Now(), Expires: b.clk.Now().Add(time.Hour)}
		return b.send(t.Context(), "hi", "")
	}
	advance := func(d time.Duration) {
		if err := b.clk.Advance(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	advance(29 * time.Second)
	wantClass(t, die(), platform.Busy, 0)
	advance(time.Second)
	for want := 2; want <= 20; want++ {
		if err := die(); err != nil || forced != want {
			t.Fatalf("forced %d times, want %d, error %v", forced, want, err)
		}
		advance(30 * time.Second)
	}
	wantClass(t, die(), platform.Refresh, 0)
	if forced != 20 {
		t.Errorf("forced %d times in a day, want 20", forced)
	}
	advance(24 * time.Hour)
	if err := die(); err != nil || forced != 21 {
		t.Errorf("a day later: forced %d times, error %v", forced, err)
	}
}

func TestForcedRefreshThatBringsTheDeadTokenAgainIsTriedLater(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	b.fake.answers = dead("same")
	b.fake.tokens = func(int, bool) string { return `{"access_token":"same","expires_in":6000}` }
	wantClass(t, b.send(t.Context(), "hi", ""), platform.Busy, 0)
	if n := b.fake.count(stablePath); n != 3 {
		t.Errorf("%d token calls, want 3: first, normal, forced", n)
	}
}

func TestSlowerOlderAnswerNeverReplacesANewerToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	newer := platform.Token{Value: "newer", Issued: start.Add(time.Second), Expires: start.Add(2 * time.Hour)}
	b.fake.hook = func(r *http.Request) {
		if r.URL.Path != stablePath {
			return
		}
		if err := b.clk.Advance(context.Background(), 3*time.Second); err != nil { // the answer takes its time
			t.Error(err)
		}
		if err := b.tokens.Save(context.Background(), newer); err != nil { // another process asked later and was answered sooner
			t.Error(err)
		}
	}
	if err := b.send(t.Context(), "hi", ""); err != nil {
		t.Fatal(err)
	}
	if b.tokens.token != newer || b.fake.calls[1].token != "newer" {
		t.Errorf("stored %q, sent with %q", b.tokens.token.Value, b.fake.calls[1].token)
	}
}

func TestTokenAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body  string
		class platform.Class
		code  int
	}{
		{`{}`, platform.Busy, 0},
		{`{"access_token":"","expires_in":7200}`, platform.Busy, 0},
		{`{"access_token":"t"}`, platform.Busy, 0},
		{`{"access_token":"t","expires_in":0}`, platform.Busy, 0},
		{`{"access_token":"t","expires_in":"soon"}`, platform.Busy, 0},
		{`{"access_token":"t","expires_in":99999999999999999}`, platform.Busy, 0},
		{`<html>`, platform.Busy, 0},
		{``, platform.Busy, 0},
		{`{"errcode":-1,"errmsg":"system error"}`, platform.Busy, -1},
		{`{"errcode":40001,"errmsg":"invalid credential"}`, platform.Rights, 40001},
		{`{"errcode":"40013","errmsg":"invalid appid rid: 6aac005a-01bfdbee-79769285"}`, platform.Rights, 40013},
		{`{"errcode":40125,"errmsg":"invalid appsecret"}`, platform.Rights, 40125},
		{`{"errcode":40164,"errmsg":"invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist"}`, platform.Rights, 40164},
		{`{"errcode":45009,"errmsg":"reach max api daily quota limit"}`, platform.Quota, 45009},
		{`{"errcode":45011,"errmsg":"api minute-quota reach limit"}`, platform.Busy, 45011},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, testConfig())
			b.fake.tokens = func(int, bool) string { return tt.body }
			wantClass(t, b.send(t.Context(), "hi", ""), tt.class, tt.code)
			if n := b.fake.count(sendPath); n != 0 || len(b.tokens.saved) != 0 {
				t.Errorf("%d sends, saved %v", n, b.tokens.saved)
			}
		})
	}
}

func TestTokenStoreThatFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	gone := errors.New("database is gone")
	b.tokens.err = gone
	err := b.send(t.Context(), "hi", "")
	wantClass(t, err, platform.Busy, 0)
	if !errors.Is(err, gone) || strings.Contains(err.Error(), "token-1") {
		t.Errorf("error %v", err)
	}
}
