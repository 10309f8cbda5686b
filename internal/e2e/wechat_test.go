package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
	"kefu/internal/platform/platformtest"
	"kefu/internal/platform/sim"
	"kefu/internal/platform/wechat"
)

// The WeChat adapter and the simulator were written apart, each from the fact sheet. Here they must understand each other, in both
// formats and all three modes of protection.
func TestPublicClientOfSimulator(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"xml", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			platformtest.Run(t, platformtest.Pair{
				Rules: platformtest.WeChat,
				Modes: []string{"plain", "compatible", "safe"},
				Start: func(t *testing.T, mode string, desk func(platformtest.Adapter) http.Handler) platformtest.Platform {
					return joinWeChat(t, mode, format, desk)
				},
			})
		})
	}
}

const joinedCustomer = "oSimUser0001"

// joinWeChat is a simulator and an adapter that talk to each other without a network, by one clock that stands.
func joinWeChat(t *testing.T, mode, format string, desk func(platformtest.Adapter) http.Handler) platformtest.Platform {
	t.Helper()
	clk := clock.NewStanding(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	var callback, simulated http.Handler
	s := sim.New(sim.Options{Clock: clk, HTTP: &http.Client{Transport: direct{&callback}}, BaseURL: "http://platform.test"})
	simulated = s
	t.Cleanup(s.Close)
	app := sim.App{
		AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef", OriginalID: "gh_0123456789ab", Token: "simtoken",
		AESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", Mode: mode, Format: format, CallbackURL: "http://desk.test/cb", WeChatID: "test",
	}
	adapter, err := wechat.New(wechat.Config{
		AppID: app.AppID, Secret: app.Secret, OriginalID: app.OriginalID, Token: app.Token, AESKey: app.AESKey, Mode: wechat.Mode(mode),
	}, &http.Client{Transport: direct{&simulated}}, &storedToken{}, clk)
	if err != nil {
		t.Fatal(err)
	}
	callback = desk(adapter)
	if _, err := s.AddApp(app); err != nil {
		t.Fatal(err)
	}
	p := &joined{sim: s}
	if _, err := p.control("POST", "/_sim/wechat/users", map[string]any{"openid": joinedCustomer}); err != nil {
		t.Fatal(err)
	}
	return p
}

type storedToken struct{ platform.Token }

func (s *storedToken) Load(context.Context) (platform.Token, error) { return s.Token, nil }

func (s *storedToken) Save(_ context.Context, token platform.Token) error {
	s.Token = token
	return nil
}

// direct hands a request to a handler; one that drops the connection is an answer that was cut off.
type direct struct{ to *http.Handler }

func (d direct) RoundTrip(r *http.Request) (res *http.Response, err error) {
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
	in.Header = r.Header
	w := httptest.NewRecorder()
	defer func() {
		switch dropped := recover(); dropped {
		case nil:
		case http.ErrAbortHandler:
			res, err = nil, io.ErrUnexpectedEOF
		default:
			panic(dropped)
		}
	}()
	(*d.to).ServeHTTP(w, in)
	return w.Result(), nil
}

// joined plays the simulator through its controls, as the suite asks.
type joined struct {
	sim  *sim.Simulator
	last string // number of the last message
}

func (p *joined) control(method, path string, in any) (map[string]any, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	p.sim.ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader(b)))
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var out map[string]any
	return out, json.Unmarshal(w.Body.Bytes(), &out)
}

func (p *joined) Customer() platform.Conversation { return platform.Conversation{Key: joinedCustomer} }

func (p *joined) Act(_ context.Context, do string, args map[string]any) (string, error) {
	act := map[string]any{"openid": joinedCustomer, "do": do}
	for name, value := range args {
		act[name] = value
	}
	out, err := p.control("POST", "/_sim/wechat/act", act)
	if err != nil {
		return "", err
	}
	p.last, _ = out["msgid"].(string)
	if out["outcome"] != "taken" && out["outcome"] != "passive" {
		return "", fmt.Errorf("the push was not taken: %v", out)
	}
	body, _ := out["body"].(string)
	return body, nil
}

func (p *joined) Repeat(ctx context.Context) error {
	if p.last == "" {
		return errors.New("there is no message to repeat")
	}
	_, err := p.Act(ctx, "text", map[string]any{"msgid": p.last})
	return err
}

func (p *joined) Received(context.Context) ([]platformtest.Got, error) {
	w := httptest.NewRecorder()
	p.sim.ServeHTTP(w, httptest.NewRequest("GET", "/_sim/wechat/received?openid="+url.QueryEscape(joinedCustomer), nil))
	var list struct {
		Messages []struct {
			MsgType string `json:"msgtype"`
			Account string `json:"kf_account"`
			Body    struct {
				Text struct {
					Content string `json:"content"`
				} `json:"text"`
			} `json:"body"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		return nil, err
	}
	var got []platformtest.Got
	for _, m := range list.Messages {
		got = append(got, platformtest.Got{Type: m.MsgType, Text: m.Body.Text.Content, Face: m.Account})
	}
	return got, nil
}

func (p *joined) Fault(_ context.Context, f platformtest.Fault) error {
	fault := map[string]any{"match": f.Path, "times": f.Times}
	if f.Cut {
		fault["drop"] = "after"
	} else {
		fault["errcode"] = f.Code
	}
	_, err := p.control("POST", "/_sim/faults", fault)
	return err
}

func (p *joined) Calls(_ context.Context, path string) (n int, err error) {
	out, err := p.control("GET", "/_sim/calls?kind=api", nil)
	if err != nil {
		return 0, err
	}
	list, _ := out["calls"].([]any)
	for _, one := range list {
		if c, ok := one.(map[string]any); ok && c["path"] == path {
			n++
		}
	}
	return n, nil
}

func (p *joined) Advance(_ context.Context, d time.Duration) error {
	_, err := p.control("POST", "/_sim/clock", map[string]any{"advance": d.String()})
	return err
}
