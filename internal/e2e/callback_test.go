package e2e

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What follows is the platform's side of a callback, written from docs/protocols/wechat.md §7 alone and for this test only: it shares
// nothing with the adapter or the simulator, so that a slip of theirs cannot meet its twin here.

// seal is §7.4: AES-256-CBC, the key's first half as the initial vector, padding by blocks of 32. pad is a mistake to make: it may
// change the padded bytes.
func seal(t testing.TB, aesKey, appid, random, message string, pad func([]byte) []byte) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(aesKey + "=")
	if err != nil || len(key) != 32 || len(random) != 16 {
		t.Fatalf("key of %d bytes, random of %d: %v", len(key), len(random), err)
	}
	plain := append([]byte(random), binary.BigEndian.AppendUint32(nil, uint32(len(message)))...)
	plain = append(append(plain, message...), appid...)
	n := 32 - len(plain)%32
	plain = append(plain, bytes.Repeat([]byte{byte(n)}, n)...)
	if pad != nil {
		plain = pad(plain)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(out, plain)
	return base64.StdEncoding.EncodeToString(out)
}

// sign is §7.3: the SHA-1 of the sorted parts.
func sign(parts ...string) string {
	slices.Sort(parts)
	return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(parts, ""))))
}

// The sheet's own examples show that what this test sends is what the platform sends.
func TestCallbackVectors(t *testing.T) {
	t.Parallel()
	message := `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oSimUser0001]]></FromUserName><CreateTime>1700000000</CreateTime>` +
		`<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好,请问怎么退货?]]></Content><MsgId>24000000000000001</MsgId></xml>`
	tests := []struct {
		name, token, key, appid, random, message, timestamp, nonce, sealed, signature, msgSignature string
	}{
		{
			"B: safe mode, JSON, official", "AAAAA", strings.Repeat("A", 43), "wxba5fad812f8e6fb9", "a8eedb185eb2fecf",
			`{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`,
			"1714112445", "415670741",
			"+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=",
			"6c5c811b55cc85e0e1b54100749188c20beb3f5d", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
		},
		{
			"G: safe mode, XML", "simtoken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wx0123456789abcdef", "0123456789abcdef", message,
			"1700000001", "998877",
			"Q3stYC6hdFzMh9T8HCvyDCZ7WOd3U4cBL73YIObrV8RNKVjRpUZx007nDMe/eoA1KQq1+1V6x7AscnUq3Z+y+nTgYfL8xVjKHq0soTtoRzd1pH6lzneGmwemuR47VYFw0y5EQS0Xyk2RbuKzNptsAftcNb+yU3CTVnDSVA5wg4Z4L3SZB2d6ZG62Ah9wPbaSIobcsEdmikYZSEa+5UNAvkucfDMBPxiCxOaaAGEPMAqyYW5GL+vHlcAPcckuKeifh2IPJblSYp+wgxtnfFXRy4r2OLhxiLM1tTtjpsJD9qHGpZ/zYURM5WmzwRI9a/hMy0xtszIPQebpUzGxUDh5idlwsRrpNx+9G3iP4aUHvIZc8mU0sYFH6p+0ROnoz1Oiyjv4KDlil2uzMtVLeVNlyPBvZX5AQJodIi4TA12bqos=",
			"6e594ba0f6fb40c2dd1a60611c6991abb2df14da", "21a0a54e7c4513be377033705ec5d108e1b55a8a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := seal(t, tt.key, tt.appid, tt.random, tt.message, nil); got != tt.sealed {
				t.Errorf("sealed\n%s\nwant\n%s", got, tt.sealed)
			}
			if got := sign(tt.token, tt.timestamp, tt.nonce); got != tt.signature {
				t.Errorf("signature %s, want %s", got, tt.signature)
			}
			if got := sign(tt.token, tt.timestamp, tt.nonce, tt.sealed); got != tt.msgSignature {
				t.Errorf("msg_signature %s, want %s", got, tt.msgSignature)
			}
		})
	}
}

// The account that `kefu serve` is connected to in the next test.
const (
	ownAppID  = "wxfeedc0ffee123456"
	ownSecret = "5ecre75ecre75ecre75ecre75ecre7aa"
	ownToken  = "TokenOfTheTest2026"
	ownKey    = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
	ownGH     = "gh_c0ffeec0ffee"
	ownUser   = "oCustomerWhoIsNotLogged0001"
	ownText   = "这句话不能出现在日志里"
)

// callback is a push as the platform sends it; a case bends it.
type callback struct {
	path, timestamp, nonce, signature, msgSignature string
	body                                            []byte
}

func ownMessage(content, extra string) string {
	return `<xml>` + extra + `<ToUserName><![CDATA[` + ownGH + `]]></ToUserName><FromUserName><![CDATA[` + ownUser + `]]></FromUserName><CreateTime>` +
		strconv.FormatInt(time.Now().Unix(), 10) + `</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[` + content + `]]></Content><MsgId>` +
		strconv.FormatInt(time.Now().UnixNano(), 10) + `</MsgId></xml>`
}

func newCallback(t testing.TB, path, appid, message string, at time.Time, pad func([]byte) []byte) callback {
	t.Helper()
	c := callback{path: path, timestamp: strconv.FormatInt(at.Unix(), 10), nonce: "415670741"}
	sealed := seal(t, ownKey, appid, "a8eedb185eb2fecf", message, pad)
	c.signature, c.msgSignature = sign(ownToken, c.timestamp, c.nonce), sign(ownToken, c.timestamp, c.nonce, sealed)
	c.body = []byte(`<xml><ToUserName><![CDATA[` + ownGH + `]]></ToUserName><Encrypt><![CDATA[` + sealed + `]]></Encrypt></xml>`)
	return c
}

func (c callback) post(t testing.TB, server string) (int, string) {
	t.Helper()
	q := url.Values{"timestamp": {c.timestamp}, "nonce": {c.nonce}, "signature": {c.signature}, "encrypt_type": {"aes"}, "msg_signature": {c.msgSignature}, "openid": {ownUser}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+c.path+"?"+q.Encode(), bytes.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/xml")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

var printedAddress = regexp.MustCompile(`callback address: (\S+)`)

// A real server takes what an independent implementation of the platform's cipher sends, refuses what is not from the platform with the
// status of docs/architecture.md, logs nothing that must stay secret, and lives on.
func TestCallbacksFromOutside(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	env := []string{"KEFU_DATA=" + data, "KEFU_ADDR=127.0.0.1:0", "KEFU_LOG=debug", "KEFU_APP_SECRET=" + ownSecret, "KEFU_TOKEN=" + ownToken, "KEFU_AES_KEY=" + ownKey}
	p := start(t, env, "serve")
	server := served(t, p)
	first := p.out.String()
	printed := run(t, env, "channel", "add", "测试号", "--app-id", ownAppID, "--original-id", ownGH)
	path := printedAddress.FindStringSubmatch(printed)
	if path == nil {
		t.Fatalf("no callback address in %q", printed)
	}
	own := path[1]
	now := time.Now()
	bomb := `<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	bend := func(c callback, how func(*callback)) callback {
		how(&c)
		return c
	}
	good := newCallback(t, own, ownAppID, ownMessage(ownText, ""), now, nil)
	tests := []struct {
		name   string
		c      callback
		status int
	}{
		{"as the platform sends it", good, http.StatusOK},
		{"the same once more", good, http.StatusOK},
		{"wrong signature", bend(good, func(c *callback) { c.msgSignature = sign("another token", c.timestamp, c.nonce) }), http.StatusForbidden},
		{"no signature", bend(good, func(c *callback) { c.msgSignature, c.signature = "", "" }), http.StatusForbidden},
		{"another body under the same signature", bend(good, func(c *callback) {
			c.body = newCallback(t, own, ownAppID, ownMessage("untergeschoben", ""), now, nil).body
		}), http.StatusForbidden},
		{"sealed for another account", newCallback(t, own, "wx0000000000000000", ownMessage(ownText, ""), now, nil), http.StatusForbidden},
		{"two hours old", newCallback(t, own, ownAppID, ownMessage(ownText, ""), now.Add(-2*time.Hour), nil), http.StatusForbidden},
		{"two hours ahead", newCallback(t, own, ownAppID, ownMessage(ownText, ""), now.Add(2*time.Hour), nil), http.StatusForbidden},
		{"in the clear although the account is in safe mode", bend(good, func(c *callback) { c.body = []byte(ownMessage(ownText, "")) }), http.StatusForbidden},
		{"10 MB", bend(good, func(c *callback) { c.body = bytes.Repeat([]byte("<a>"), 10<<20/3) }), http.StatusRequestEntityTooLarge},
		{"entity bomb around the cipher", bend(good, func(c *callback) { c.body = append([]byte(bomb), c.body...) }), http.StatusBadRequest},
		{"padding of 0", newCallback(t, own, ownAppID, ownMessage(ownText, ""), now, lastByte(0)), http.StatusBadRequest},
		{"padding of 33", newCallback(t, own, ownAppID, ownMessage(ownText, ""), now, lastByte(33)), http.StatusBadRequest},
		{"padding longer than the message", newCallback(t, own, ownAppID, "", now, func([]byte) []byte { return bytes.Repeat([]byte{32}, 32) }), http.StatusBadRequest},
		{"a length beyond the end", newCallback(t, own, ownAppID, ownMessage(ownText, ""), now, func(b []byte) []byte {
			return append(append(slices.Clone(b[:16]), 0x7f, 0xff, 0xff, 0xff), b[20:]...)
		}), http.StatusBadRequest},
		{"unknown key", newCallback(t, "/callbacks/wechat/nobody", ownAppID, ownMessage(ownText, ""), now, nil), http.StatusNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := tt.c.post(t, server)
			if status != tt.status {
				t.Errorf("status %d, want %d; body %q", status, tt.status, tail(body, 200))
			}
			if status != http.StatusOK && (strings.Contains(body, "signature") || strings.Contains(body, ownKey)) {
				t.Errorf("the refusal tells a stranger why: %q", body)
			}
			if !p.alive() {
				t.Fatal("the server ended")
			}
		})
	}

	// A bomb inside the cipher was signed and sealed with the account's secrets: it is never unfolded. Taken as unreadable or refused,
	// both are right; the server lives and answers.
	inside := newCallback(t, own, ownAppID, bomb+ownMessage("&c;", ""), now, nil)
	if status, body := inside.post(t, server); status != http.StatusOK && status != http.StatusBadRequest || strings.Contains(body, "aaaaaaaaaa") {
		t.Errorf("entity bomb inside the cipher: %d %q", status, tail(body, 200))
	}

	// The address check of the platform's console, from the outside too.
	q := url.Values{"timestamp": {good.timestamp}, "nonce": {good.nonce}, "signature": {good.signature}, "echostr": {"4375120948345356249"}}
	if status, body := get(t, server+own+"?"+q.Encode()); status != http.StatusOK || body != "4375120948345356249" {
		t.Errorf("address check: %d %q", status, body)
	}
	if status, _ := get(t, server+"/readyz"); status != http.StatusOK {
		t.Errorf("not ready afterwards: %d", status)
	}

	p.stop(t)
	logged := p.log.String() + strings.TrimPrefix(p.out.String(), first)
	if !strings.Contains(logged, "callback refused") {
		t.Error("the refusals are not in the log")
	}
	for what, secret := range map[string]string{
		"AppSecret": ownSecret, "Token": ownToken, "EncodingAESKey": ownKey, "openid": ownUser, "text": ownText, "signature": good.msgSignature,
		"password": strings.TrimSpace(strings.TrimPrefix(firstPassword.FindString(first), "password")), "secret key": strings.TrimSpace(read(t, filepath.Join(data, "secret.key"))),
	} {
		if len(secret) < 8 {
			t.Fatalf("%s: %q is nothing to look for", what, secret)
		}
		for _, line := range strings.Split(logged, "\n") {
			if strings.Contains(line, secret) {
				t.Errorf("%s is in the log: %s", what, line)
			}
		}
	}
}

func lastByte(v byte) func([]byte) []byte {
	return func(b []byte) []byte {
		b[len(b)-1] = v
		return b
	}
}

var (
	servedAt      = regexp.MustCompile(`msg=ready addr=(\S+)`)
	firstPassword = regexp.MustCompile(`password  \S+`)
)

// served is where a `kefu serve` on a free port can be reached.
func served(t testing.TB, p *process) string {
	t.Helper()
	var found []string
	until(t, "the server says where it listens", func() (bool, string) {
		found = servedAt.FindStringSubmatch(p.log.String())
		return found != nil, p.log.String()
	})
	server := "http://" + found[1]
	ready(t, p, server)
	return server
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
