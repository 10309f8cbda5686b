package wechat

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
)

const sendPath = "/cgi-bin/message/custom/send"

func wantClass(t *testing.T, err error, class platform.Class, code int) {
	t.Helper()
	e, ok := errors.AsType[*platform.Error](err)
	if !ok {
		t.Fatalf("error %v, want class %s", err, class)
	}
	if e.Class != class || e.Code != code || e.Text == "" {
		t.Errorf("class %s, code %d, text %q; want class %s, code %d", e.Class, e.Code, e.Text, class, code)
	}
	noSecret(t, err)
}

func noSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err)} {
			for _, secret := range []string{testSecret, url.QueryEscape(testSecret), "token-1", "access_token=", "to+ken", "to%2Bken"} {
				if strings.Contains(text, secret) {
					t.Errorf("%q shows %q", text, secret)
				}
			}
		}
	}
}

func TestAnswersOfTheSendingCall(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		class  platform.Class // empty: sent
		code   int
	}{
		{"sent", 200, `{"errcode":0,"errmsg":"ok"}`, "", 0},
		{"sent, string", 200, ` {"errcode":"0","errmsg":"ok"} ` + "\n", "", 0},
		{"sent, no errcode", 200, `{}`, "", 0},
		{"sent, byte order mark", 200, "\ufeff" + `{"errcode":0}`, "", 0},
		{"refused", 200, `{"errcode":45015,"errmsg":"response out of time limit or subscription is canceled rid: 61123150-1bf2ec94-0441cc67"}`, platform.Window, 45015},
		{"refused, string", 200, `{"errcode":"45047","errmsg":"out of response count limit"}`, platform.Window, 45047},
		{"refused, odd text", 200, `{"errcode":40003,"errmsg":{"zh":"x"},"errtext":1}`, platform.Customer, 40003},
		{"errcode is words", 200, `{"errcode":"ok"}`, platform.Unsure, 0},
		{"errcode is null", 200, `{"errcode":null}`, platform.Unsure, 0},
		{"errcode is a list", 200, `{"errcode":[0]}`, platform.Unsure, 0},
		{"empty", 200, ``, platform.Unsure, 0},
		{"not JSON", 200, `<html>busy</html>`, platform.Unsure, 0},
		{"not an object", 200, `null`, platform.Unsure, 0},
		{"cut JSON", 200, `{"errcode":0,"err`, platform.Unsure, 0},
		{"more than JSON", 200, `{"errcode":0}{`, platform.Unsure, 0},
		{"500", 500, `{"errcode":0}`, platform.Unsure, 0},
		{"502", 502, `bad gateway`, platform.Unsure, 0},
		{"504", 504, ``, platform.Unsure, 0},
		{"404", 404, `{"errcode":40066}`, platform.Unsure, 0},
		{"redirect", 307, ``, platform.Unsure, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, testConfig())
			b.fake.answers = func(int, request) (*http.Response, error) {
				res := answer(tt.status, tt.body)
				res.Header.Set("Location", "https://elsewhere.test/")
				return res, nil
			}
			err := b.send(t.Context(), "hi", "")
			if tt.class == "" {
				if err != nil {
					t.Error(err)
				}
			} else if wantClass(t, err, tt.class, tt.code); len(b.fake.calls) != 2 {
				t.Errorf("%d calls, want 2: the token, one send", len(b.fake.calls))
			}
		})
	}
}

// The real transport tells where a call broke; the fake ones below it only look at the body or not.
func TestWhereACallBreaksDecidesWhetherItMayHaveArrived(t *testing.T) {
	t.Parallel()
	quiet := log.New(io.Discard, "", 0)
	start := func(h http.HandlerFunc, secure bool) string {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = quiet
		if secure {
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		return s.URL
	}
	hijack := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	noName := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "api.test", IsNotFound: true}
	}}
	tests := []struct {
		name      string
		base      string
		transport http.RoundTripper
		class     platform.Class
	}{
		{"connection refused", refusing, &http.Transport{}, platform.Busy},
		{"name unknown", "http://api.test", noName, platform.Busy},
		{"TLS handshake: unknown authority", start(hijack(""), true), &http.Transport{}, platform.Busy},
		{"TLS handshake: not TLS at all", strings.Replace(start(hijack(""), false), "http:", "https:", 1), &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}, platform.Busy},
		{"cut after the body was read", start(hijack(""), false), &http.Transport{}, platform.Unsure},
		{"cut in the header", start(hijack("HTTP/1.1 200 OK\r\nConte"), false), &http.Transport{}, platform.Unsure},
		{"cut in the answer", start(hijack("HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{\"errcode\":0,"), false), &http.Transport{}, platform.Unsure},
		{"no HTTP", start(hijack("SSH-2.0-OpenSSH\r\n\r\n"), false), &http.Transport{}, platform.Unsure},
		{"fake that never looks", "http://api.test", roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }), platform.Busy},
		{"fake that looks at the body", "http://api.test", roundTrip(func(r *http.Request) (*http.Response, error) {
			look(r)
			return nil, fmt.Errorf("cut %s: %w", r.URL, io.ErrUnexpectedEOF) // it even prints the address
		}), platform.Unsure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig()
			cfg.BaseURL = tt.base
			clk := clock.NewStanding(clock.Wall().Now())
			tokens := &memTokens{token: platform.Token{Value: "to+ken", Issued: clk.Now(), Expires: clk.Now().Add(time.Hour)}}
			a, err := New(cfg, &http.Client{Transport: tt.transport}, tokens, clk)
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Send(t.Context(), platform.Conversation{Key: "o"}, platform.OutText{Text: "hi"}, platform.Face{}, "")
			e, ok := errors.AsType[*platform.Error](err)
			if !ok || e.Class != tt.class || e.Code != 0 {
				t.Errorf("error %v, want class %s", err, tt.class)
			}
			for _, text := range []string{err.Error(), fmt.Sprint(errors.Unwrap(err))} {
				if strings.Contains(text, "to+ken") || strings.Contains(text, "to%2Bken") {
					t.Errorf("%q shows the token", text)
				}
			}
			// A list may be asked for again, wherever it broke.
			if _, err = a.Accounts(t.Context()); tt.transport != nil {
				if e, ok := errors.AsType[*platform.Error](err); !ok || e.Class != platform.Busy {
					t.Errorf("list: error %v, want class busy", err)
				}
			}
		})
	}
}

func TestSilenceEndsByTheClock(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		looks bool // the platform took the request before it fell silent
		end   func(t *testing.T, b *bench, leave context.CancelFunc)
		class platform.Class
		cause error
	}{
		{"time-out after the request", true, advance(7 * time.Second), platform.Unsure, context.DeadlineExceeded},
		{"time-out before the request", false, advance(7 * time.Second), platform.Busy, context.DeadlineExceeded},
		{"caller leaves after the request", true, func(_ *testing.T, _ *bench, leave context.CancelFunc) { leave() }, platform.Unsure, context.Canceled},
		{"caller leaves before the request", false, func(_ *testing.T, _ *bench, leave context.CancelFunc) { leave() }, platform.Busy, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, testConfig(), WithCallTimeout(7*time.Second))
			b.tokens.token = platform.Token{Value: "token-1", Issued: start, Expires: start.Add(time.Hour)}
			inside := make(chan struct{})
			b.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				if tt.looks {
					look(r)
				}
				close(inside)
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			done := make(chan error, 1)
			go func() { done <- b.send(ctx, "hi", "") }()
			<-inside
			tt.end(t, b, leave)
			err := <-done
			wantClass(t, err, tt.class, 0)
			if !errors.Is(err, tt.cause) {
				t.Errorf("cause of %v is not %v", err, tt.cause)
			}
		})
	}
	b := newBench(t, testConfig())
	ctx, leave := context.WithCancel(t.Context())
	leave()
	b.tokens.token = platform.Token{Value: "token-1", Issued: start, Expires: start.Add(time.Hour)}
	wantClass(t, b.send(ctx, "hi", ""), platform.Busy, 0)
	if len(b.fake.calls) != 0 {
		t.Error("a call was made for a caller who had left")
	}
}

// look reads the request, as a network would.
func look(r *http.Request) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body) // a body of ours is in memory
	}
}

func advance(d time.Duration) func(*testing.T, *bench, context.CancelFunc) {
	return func(t *testing.T, b *bench, _ context.CancelFunc) {
		if err := b.clk.Advance(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
}

func TestPlatformTextsAreScrubbedAndShort(t *testing.T) {
	t.Parallel()
	b := newBench(t, testConfig())
	b.fake.answers = func(_ int, r request) (*http.Response, error) {
		return answer(200, `{"errcode":47001,"errmsg":"bad `+r.token+` and `+testSecret+`\u0000 `+strings.Repeat("长", 500)+`"}`), nil
	}
	err := b.send(t.Context(), "hi", "")
	wantClass(t, err, platform.BadContent, 47001)
	if len(err.Error()) > 400 || !strings.Contains(err.Error(), "bad *** and *** ") {
		t.Errorf("text %q", err)
	}
}
