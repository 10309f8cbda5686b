package wechat_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
	"kefu/internal/platform/platformtest"
	"kefu/internal/platform/wechat"
)

// The adapter plays the shared suite against the smallest platform that the sheet allows. That one is written from wechat.md alone, with
// its own cipher and its own reader, so that a slip of the adapter cannot meet its twin here.
func TestAdapterConforms(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, platformtest.Pair{
		Rules: platformtest.WeChat,
		Modes: []string{"plain", "compatible", "safe"},
		Start: func(t *testing.T, mode string, desk func(platformtest.Adapter) http.Handler) platformtest.Platform {
			m := &miniWeChat{mode: mode, clk: clock.NewStanding(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))}
			a, err := wechat.New(wechat.Config{
				AppID: miniAppID, Secret: "secret", OriginalID: miniAccount, Token: miniToken, AESKey: miniKey, Mode: wechat.Mode(mode),
			}, &http.Client{Transport: m}, &storedToken{}, m.clk)
			if err != nil {
				t.Fatal(err)
			}
			m.callback = desk(a)
			return m
		},
	})
}

const (
	miniAppID   = "wx0123456789abcdef"
	miniAccount = "gh_0123456789ab"
	miniUser    = "oSimUser0001"
	miniToken   = "simtoken"
	miniKey     = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

type storedToken struct{ platform.Token }

func (s *storedToken) Load(context.Context) (platform.Token, error) { return s.Token, nil }

func (s *storedToken) Save(_ context.Context, t platform.Token) error {
	s.Token = t
	return nil
}

// miniWeChat is an account with one user. It runs on one goroutine at a time.
type miniWeChat struct {
	mode     string
	callback http.Handler
	clk      *clock.Movable

	pushes   int
	last     string // body of the last push
	got      []platformtest.Got
	calls    []string
	fault    platformtest.Fault
	tokens   int
	allowed  int
	openTill time.Time
}

func (m *miniWeChat) Customer() platform.Conversation { return platform.Conversation{Key: miniUser} }

func (m *miniWeChat) Act(_ context.Context, do string, args map[string]any) (string, error) {
	if do != "text" {
		return "", fmt.Errorf("%s is not played here", do)
	}
	m.allowed, m.openTill = 5, m.clk.Now().Add(48*time.Hour)
	quoted := strings.ReplaceAll(fmt.Sprint(args["text"]), "]]>", "]]]]><![CDATA[>")
	m.last = fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>%d</CreateTime>"+
		"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content><MsgId>%d</MsgId></xml>",
		miniAccount, miniUser, m.clk.Now().Unix(), quoted, 24000000000000001+m.pushes)
	return m.push()
}

func (m *miniWeChat) Repeat(context.Context) error {
	_, err := m.push()
	return err
}

func (m *miniWeChat) Received(context.Context) ([]platformtest.Got, error) { return m.got, nil }

func (m *miniWeChat) Fault(_ context.Context, f platformtest.Fault) error {
	m.fault = f
	return nil
}

func (m *miniWeChat) Calls(_ context.Context, path string) (int, error) {
	n := 0
	for _, c := range m.calls {
		if c == path {
			n++
		}
	}
	return n, nil
}

func (m *miniWeChat) Advance(ctx context.Context, d time.Duration) error {
	return m.clk.Advance(ctx, d)
}

// push delivers the last body in a new envelope (§7.3) and takes the answer in (§7.7).
func (m *miniWeChat) push() (string, error) {
	m.pushes++
	stamp, nonce := fmt.Sprint(m.clk.Now().Unix()), fmt.Sprint(1000+m.pushes)
	q := url.Values{"timestamp": {stamp}, "nonce": {nonce}, "openid": {miniUser}, "signature": {digest(miniToken, stamp, nonce)}}
	body := m.last
	if m.mode != "plain" {
		encrypted := encrypt(fmt.Sprintf("%016d", m.pushes), m.last)
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", digest(miniToken, stamp, nonce, encrypted))
		wrapped := "<Encrypt><![CDATA[" + encrypted + "]]></Encrypt></xml>"
		body = "<xml><ToUserName><![CDATA[" + miniAccount + "]]></ToUserName>" + wrapped
		if m.mode == "compatible" {
			body = strings.TrimSuffix(m.last, "</xml>") + wrapped
		}
	}
	w := httptest.NewRecorder()
	m.callback.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/callback?"+q.Encode(), strings.NewReader(body)))
	answered := w.Body.String()
	if w.Code != http.StatusOK {
		return "", fmt.Errorf("callback answered %d", w.Code)
	}
	if answered == "" || answered == "success" {
		return answered, nil
	}
	return answered, m.passive(answered, nonce)
}

func (m *miniWeChat) passive(answered, nonce string) error {
	var form struct {
		ToUserName, FromUserName, MsgType, Content string
		Encrypt, MsgSignature, TimeStamp, Nonce    string
	}
	if err := xml.Unmarshal([]byte(answered), &form); err != nil {
		return err
	}
	if m.mode != "plain" {
		if form.Nonce != nonce || form.MsgSignature != digest(miniToken, form.TimeStamp, form.Nonce, form.Encrypt) {
			return fmt.Errorf("answer is signed wrongly: %s", answered)
		}
		if err := xml.Unmarshal(decrypt(form.Encrypt), &form); err != nil {
			return err
		}
	}
	if form.ToUserName != miniUser || form.FromUserName != miniAccount {
		return fmt.Errorf("answer from %q to %q", form.FromUserName, form.ToUserName)
	}
	m.got = append(m.got, platformtest.Got{Type: form.MsgType, Text: form.Content})
	return nil
}

// RoundTrip is the API (§1.2, §5).
func (m *miniWeChat) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m.calls = append(m.calls, r.URL.Path)
	fault := m.fault.Times > 0 && m.fault.Path == r.URL.Path
	if fault {
		m.fault.Times--
	}
	if fault && !m.fault.Cut {
		return reply(fmt.Sprintf(`{"errcode":%d,"errmsg":"made"}`, m.fault.Code)), nil
	}
	res := m.api(r, body)
	if fault {
		return nil, io.ErrUnexpectedEOF
	}
	return reply(res), nil
}

func (m *miniWeChat) api(r *http.Request, body []byte) string {
	var form struct {
		Force   bool `json:"force_refresh"`
		ToUser  string
		MsgType string
		Text    struct{ Content string }
		Service struct {
			Account string `json:"kf_account"`
		} `json:"customservice"`
	}
	if json.Unmarshal(body, &form) != nil {
		return `{"errcode":47001,"errmsg":"data format error"}`
	}
	switch {
	case r.URL.Path == "/cgi-bin/stable_token":
		if form.Force || m.tokens == 0 {
			m.tokens++
		}
		return fmt.Sprintf(`{"access_token":"T%d","expires_in":7200}`, m.tokens)
	case r.URL.Path != "/cgi-bin/message/custom/send":
		return `{"errcode":40066,"errmsg":"invalid url"}`
	case r.URL.Query().Get("access_token") != fmt.Sprintf("T%d", m.tokens):
		return `{"errcode":40001,"errmsg":"invalid credential"}`
	case form.ToUser != miniUser:
		return `{"errcode":40003,"errmsg":"invalid openid"}`
	case bytes.Contains(body, []byte(`\u`)):
		return `{"errcode":40033,"errmsg":"invalid charset"}`
	case !m.clk.Now().Before(m.openTill):
		return `{"errcode":45015,"errmsg":"response out of time limit or subscription is canceled"}`
	case m.allowed == 0:
		return `{"errcode":45047,"errmsg":"out of response count limit"}`
	}
	m.allowed--
	m.got = append(m.got, platformtest.Got{Type: form.MsgType, Text: form.Text.Content, Face: form.Service.Account})
	return `{"errcode":0,"errmsg":"ok"}`
}

func reply(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func digest(parts ...string) string {
	sort.Strings(parts)
	return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(parts, ""))))
}

// encrypt and decrypt are §7.4, step by step.
func encrypt(random, msg string) string {
	block, iv := blockCipher()
	plain := binary.BigEndian.AppendUint32([]byte(random), uint32(len(msg)))
	plain = append(plain, msg+miniAppID...)
	pad := 32 - len(plain)%32
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

func decrypt(encrypted string) []byte {
	block, iv := blockCipher()
	b, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(b) < 32 || len(b)%32 != 0 {
		return nil
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(b, b)
	b = b[16 : len(b)-int(b[len(b)-1])]
	msg := b[4 : 4+binary.BigEndian.Uint32(b)]
	if string(b[4+len(msg):]) != miniAppID {
		return nil
	}
	return msg
}

func blockCipher() (cipher.Block, []byte) {
	key, err := base64.StdEncoding.DecodeString(miniKey + "=")
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return block, key[:16]
}
