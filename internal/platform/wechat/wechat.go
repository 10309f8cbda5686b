// Package wechat is the adapter for WeChat Official Accounts (公众号): it verifies, decrypts and reads what the platform pushes, answers
// it, sends customer-service messages and owns the channel's access token. It follows docs/protocols/wechat.md, cited as wechat.md §x.
// It knows no database, no desk rule and no simulator; whether something is sent again is decided by whoever reads the error's class.
package wechat

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
)

// Mode is how the account's pushes are protected, as set in the platform's console (wechat.md §7.3).
type Mode string

const (
	// Plain pushes are signed, but the signature does not cover the body.
	Plain Mode = "plain"
	// Compatible pushes carry the plain fields and the cipher text; only the cipher text is read.
	Compatible Mode = "compatible"
	// Safe pushes carry the cipher text only.
	Safe Mode = "safe"
)

const (
	defaultBaseURL     = "https://api.weixin.qq.com" // wechat.md §0.2
	defaultMaxSkew     = time.Hour
	defaultCallTimeout = 10 * time.Second
)

// Config is what the owner of an account enters for one channel. AppID, Secret, Token and Mode are required.
type Config struct {
	AppID  string // "wx…"; also the tail of every encrypted push
	Secret string // AppSecret
	// OriginalID is the account's original id, "gh_…" (wechat.md §0.3). When it is set, a push to another account is refused with 403;
	// when it is empty, every push that the token signs is taken.
	OriginalID string
	Token      string // signs the pushes: 3 to 32 letters or digits
	// AESKey is the EncodingAESKey, 43 letters or digits; required in compatible and safe mode.
	AESKey string
	// PreviousAESKey is still accepted while the platform changes keys; an answer uses the key that worked (wechat.md §7.4).
	PreviousAESKey string
	Mode           Mode
	BaseURL        string        // of the API; empty means https://api.weixin.qq.com
	MaxSkew        time.Duration // how far a push's timestamp may be off, to either side; zero means 1 h
}

// Adapter is one Official Account. It is safe for concurrent use.
type Adapter struct {
	cfg     Config
	keys    []*cipherKey // the present key, then the previous one; none in plain mode
	http    *http.Client
	clk     clock.Clock
	random  io.Reader
	timeout time.Duration
	tokens  *tokenOwner
}

var (
	_ platform.Receiver      = (*Adapter)(nil)
	_ platform.Sender        = (*Adapter)(nil)
	_ platform.AccountLister = (*Adapter)(nil)
)

// Option changes a default of New.
type Option func(*Adapter)

// WithRandom replaces crypto/rand as the source of the 16 random bytes in front of an encrypted answer (wechat.md §7.4). r is read by
// several requests at once.
func WithRandom(r io.Reader) Option { return func(a *Adapter) { a.random = r } }

// WithCallTimeout bounds one API call, by the adapter's clock. The default is 10 s.
func WithCallTimeout(d time.Duration) Option { return func(a *Adapter) { a.timeout = d } }

// New makes the adapter of one account. tokens is shared by every process that serves the channel. The error names the setting that is
// wrong and never shows a secret.
func New(cfg Config, client *http.Client, tokens platform.TokenStore, clk clock.Clock, opts ...Option) (*Adapter, error) {
	if client == nil || tokens == nil || clk == nil {
		return nil, errors.New("wechat: an HTTP client, a token store and a clock are needed")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = defaultBaseURL
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	if cfg.MaxSkew == 0 {
		cfg.MaxSkew = defaultMaxSkew
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("wechat: %w", err)
	}
	a := &Adapter{cfg: cfg, clk: clk, random: rand.Reader, timeout: defaultCallTimeout}
	for _, k := range []struct{ name, value string }{{"AESKey", cfg.AESKey}, {"PreviousAESKey", cfg.PreviousAESKey}} {
		if k.value == "" {
			continue
		}
		key, err := newCipherKey(k.value)
		if err != nil {
			return nil, fmt.Errorf("wechat: %s: %w", k.name, err)
		}
		a.keys = append(a.keys, key)
	}
	for _, opt := range opts {
		opt(a)
	}
	// A redirect would carry the access token to wherever it points; the platform never answers with one (wechat.md §0.2).
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a.http = &own
	a.tokens = &tokenOwner{store: tokens, clk: clk, fetch: a.fetchToken}
	return a, nil
}

var wellFormedToken = regexp.MustCompile(`^[A-Za-z0-9]{3,32}$`) // wechat.md §7.1

func (c Config) check() error {
	switch {
	case strings.TrimSpace(c.AppID) == "":
		return errors.New("AppID is empty")
	case strings.TrimSpace(c.Secret) == "":
		return errors.New("Secret is empty")
	case !wellFormedToken.MatchString(c.Token):
		return errors.New("Token must be 3 to 32 letters or digits")
	case c.Mode != Plain && c.Mode != Compatible && c.Mode != Safe:
		return fmt.Errorf("Mode must be plain, compatible or safe, not %q", c.Mode)
	case c.Mode != Plain && c.AESKey == "":
		return fmt.Errorf("AESKey is needed in %s mode", c.Mode)
	case c.MaxSkew < 0:
		return errors.New("MaxSkew must not be negative")
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return errors.New("BaseURL must be an http or https address without user, query or fragment")
	}
	return nil
}
