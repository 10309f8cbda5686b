package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"kefu/internal/clock"
	"kefu/internal/platform"
)

const maxAnswerBytes = 4 << 20 // a hundred accounts are about 40 KB

// apiCall is one call of the platform's API.
type apiCall struct {
	method, path string
	body         any // written as JSON; nil for none
	on           purpose
	once         bool // it may not happen twice: when in doubt whether it arrived, the error is platform.Unsure, not platform.Busy
}

// authorised makes the call with the access token. When the platform calls the token dead, a newer one is got and the call repeated, once
// (wechat.md §1.5). An error of class Refresh therefore says that a fresh token was refused, too.
func (a *Adapter) authorised(ctx context.Context, c apiCall, answer any) error {
	token, err := a.tokens.get(ctx, "")
	if err != nil {
		return err
	}
	err = a.call(ctx, c, token, answer)
	if e, ok := errors.AsType[*platform.Error](err); !ok || e.Class != platform.Refresh {
		return err
	}
	if token, err = a.tokens.get(ctx, token); err != nil {
		return err
	}
	return a.call(ctx, c, token, answer)
}

// call makes one call and reads its answer into answer, if that is not nil. Its errors are *platform.Error without any secret.
func (a *Adapter) call(ctx context.Context, c apiCall, token string, answer any) error {
	secrets := []string{token, a.cfg.Secret}
	if ctx.Err() != nil {
		return failure(platform.Busy, 0, "given up before the call", context.Cause(ctx))
	}
	ctx, cancel := clock.WithTimeout(ctx, a.clk, a.timeout)
	defer cancel()
	req, wire, err := a.request(ctx, c, token)
	if err != nil {
		return failure(platform.Failed, 0, "call could not be written", withoutURL(err), secrets...)
	}
	doubt := func() platform.Class {
		if c.once && wire.used.Load() {
			return platform.Unsure
		}
		return platform.Busy
	}
	res, err := a.http.Do(req)
	if err != nil {
		return cut(ctx, doubt(), wire.used.Load(), err, secrets)
	}
	wire.used.Store(true) // somebody answered
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK { // every answer of the platform itself is 200 (wechat.md §0.2)
		return failure(doubt(), 0, fmt.Sprintf("HTTP status %d", res.StatusCode), nil)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
	if err != nil {
		return cut(ctx, doubt(), true, err, secrets)
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	code, text, err := verdict(body)
	switch {
	case err != nil:
		return failure(doubt(), 0, "answer could not be read", nil)
	case code != 0:
		if text == "" {
			text = "the platform gave no text"
		}
		return failure(classOf(code, c.on), code, text, nil, secrets...)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return failure(doubt(), 0, "answer could not be read", nil)
	}
	return nil
}

func (a *Adapter) request(ctx context.Context, c apiCall, token string) (*http.Request, *wire, error) {
	address := a.cfg.BaseURL + c.path
	if token != "" {
		address += "?" + url.Values{"access_token": {token}}.Encode()
	}
	w := &wire{}
	var body io.Reader
	if c.body != nil {
		raw, err := encode(c.body)
		if err != nil {
			return nil, nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, w.trace()), c.method, address, body)
	if err != nil {
		return nil, nil, err
	}
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		req.Body = &watched{ReadCloser: req.Body, wire: w}
		again := req.GetBody
		req.GetBody = func() (io.ReadCloser, error) { // used when an idle connection turns out to be closed and nothing was written
			b, err := again()
			return &watched{ReadCloser: b, wire: w}, err
		}
	}
	return req, w, nil
}

// cut is a call that ended without an answer. The context's own cause says more than what the transport makes of it.
func cut(ctx context.Context, class platform.Class, connected bool, err error, secrets []string) error {
	err = withoutURL(err)
	text := "no connection"
	if connected {
		text = "connection broke"
	}
	if ctx.Err() != nil {
		err, text = context.Cause(ctx), "no answer in time"
		if errors.Is(err, context.Canceled) {
			text = "given up on the way"
		}
	}
	return failure(class, 0, text+": "+err.Error(), err, secrets...)
}

// verdict reads errcode, a number or a string, absent for success (wechat.md §0.2). Anything but a JSON object is no answer at all.
func verdict(body []byte) (code int, text string, err error) {
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return 0, "", errUnreadable
	}
	var v struct {
		Code json.RawMessage `json:"errcode"`
		Text json.RawMessage `json:"errmsg"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return 0, "", err
	}
	if v.Code == nil {
		return 0, "", nil
	}
	var number, words loose
	if err := json.Unmarshal(v.Code, &number); err != nil {
		return 0, "", err
	}
	n, err := number.int64()
	if err == nil && v.Text != nil && json.Unmarshal(v.Text, &words) != nil {
		words = "" // the code alone decides
	}
	return int(n), string(words), err
}

// wire knows whether a request may have reached the platform. It may as soon as there was a connection for it: between that and the first
// byte nothing can be told apart once the call is cancelled. A transport without connections counts from its first look at the body.
type wire struct{ used atomic.Bool }

func (w *wire) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { w.used.Store(false) }, // the transport starts over only when nothing was written
		GotConn: func(httptrace.GotConnInfo) { w.used.Store(true) },
	}
}

type watched struct {
	io.ReadCloser
	wire *wire
}

func (b *watched) Read(p []byte) (int, error) {
	b.wire.used.Store(true)
	return b.ReadCloser.Read(p)
}
