package wechat

import (
	"context"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
)

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

const (
	testAppID  = "wx0123456789abcdef"
	testSecret = "s3cret+/=that+must+never+show"
	testToken  = "simtoken"
	testGH     = "gh_0123456789ab"
)

func testConfig() Config {
	return Config{AppID: testAppID, Secret: testSecret, Token: testToken, AESKey: sampleKey, Mode: Plain, BaseURL: "https://api.test"}
}

// memTokens is a TokenStore as a database would be one.
type memTokens struct {
	mu    sync.Mutex
	token platform.Token
	saved []string
	err   error
}

func (m *memTokens) Load(context.Context) (platform.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.token, m.err
}

func (m *memTokens) Save(_ context.Context, t platform.Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved = append(m.saved, t.Value)
	if !m.token.Issued.After(t.Issued) {
		m.token = t
	}
	return m.err
}

// roundTrip is a transport without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// request is one call that the fake platform saw.
type request struct {
	method, path, token, body string
}

// fakePlatform answers API calls from a script; stable_token hands out token-1, token-2, … unless told otherwise.
type fakePlatform struct {
	mu      sync.Mutex
	calls   []request
	issued  int
	tokens  func(n int, force bool) string                 // body for the nth call of stable_token; nil for the default
	answers func(n int, r request) (*http.Response, error) // for the nth call of anything else
	hook    func(*http.Request)                            // before all, outside the lock
}

func (f *fakePlatform) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	if f.hook != nil {
		f.hook(r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	call := request{r.Method, r.URL.Path, r.URL.Query().Get("access_token"), body}
	f.calls = append(f.calls, call)
	if call.path == "/cgi-bin/stable_token" {
		f.issued++
		if f.tokens != nil {
			var form struct {
				Force bool `json:"force_refresh"`
			}
			if err := json.Unmarshal([]byte(body), &form); err != nil {
				return nil, err
			}
			return answer(http.StatusOK, f.tokens(f.issued, form.Force)), nil
		}
		return answer(http.StatusOK, `{"access_token":"token-`+strconv.Itoa(f.issued)+`","expires_in":7200}`), nil
	}
	if f.answers == nil {
		return answer(http.StatusOK, `{"errcode":0,"errmsg":"ok"}`), nil
	}
	return f.answers(f.count(call.path), call)
}

// count is how often the path was called; the caller holds the lock or has no other goroutine.
func (f *fakePlatform) count(path string) int {
	n := 0
	for _, c := range f.calls {
		if c.path == path {
			n++
		}
	}
	return n
}

// bench is an adapter with all that surrounds it.
type bench struct {
	*Adapter
	clk    *clock.Movable
	tokens *memTokens
	fake   *fakePlatform
}

func newBench(t *testing.T, cfg Config, opts ...Option) *bench {
	t.Helper()
	b := &bench{clk: clock.NewStanding(start), tokens: &memTokens{}, fake: &fakePlatform{}}
	a, err := New(cfg, &http.Client{Transport: b.fake}, b.tokens, b.clk, opts...)
	if err != nil {
		t.Fatal(err)
	}
	b.Adapter = a
	return b
}

func (b *bench) send(ctx context.Context, text string, face string) error {
	_, err := b.Send(ctx, platform.Conversation{Key: "oSimUser0001"}, platform.OutText{Text: text}, platform.Face{Account: face}, "key")
	return err
}

// at makes an adapter for a vector, at the moment the vector was made.
func (v vector) at(t *testing.T, mode Mode, opts ...Option) *bench {
	t.Helper()
	b := newBench(t, Config{AppID: v.appID, Secret: testSecret, Token: v.token, AESKey: v.key, Mode: mode}, opts...)
	b.standAt(t, v.timestamp)
	return b
}

func (b *bench) standAt(t *testing.T, unix string) {
	t.Helper()
	at, ok := unixTime(unix)
	if !ok {
		t.Fatalf("no time: %s", unix)
	}
	b.clk = clock.NewStanding(at)
	b.Adapter.clk = b.clk
}

// query is the query of an encrypted push.
func (v vector) query() url.Values {
	return url.Values{
		"signature": {v.signature}, "timestamp": {v.timestamp}, "nonce": {v.nonce}, "openid": {"oSimUser0001"},
		"encrypt_type": {"aes"}, "msg_signature": {v.msgSignature},
	}
}

func post(q url.Values, body string) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/callbacks/wechat/key?"+q.Encode(), strings.NewReader(body))
}

// plainPush signs a body for plain mode; the signature does not cover it.
func plainPush(at time.Time, body string) *http.Request {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return post(url.Values{"timestamp": {stamp}, "nonce": {"n1"}, "signature": {sign(testToken, stamp, "n1")}}, body)
}

func cbcEncrypt(k *cipherKey, b []byte) { cipher.NewCBCEncrypter(k.block, k.iv).CryptBlocks(b, b) }

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func cbcDecrypt(k *cipherKey, b []byte) { cipher.NewCBCDecrypter(k.block, k.iv).CryptBlocks(b, b) }
