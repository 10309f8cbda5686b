package wechat

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"kefu/internal/platform"
)

func TestAddressCheckEchoesInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Plain, Compatible, Safe} {
		b := newBench(t, Config{AppID: testAppID, Secret: testSecret, Token: aToken, AESKey: sampleKey, Mode: mode})
		b.standAt(t, aCheckTime)
		got, err := b.Verify(checkRequest(checkQuery()))
		if err != nil || got != (platform.Echo{Text: aEcho}) {
			t.Errorf("%s: answer %v, error %v", mode, got, err)
		}
	}
}

func checkQuery() url.Values {
	return url.Values{"signature": {aCheckSignature}, "timestamp": {aCheckTime}, "nonce": {aCheckNonce}, "echostr": {aEcho}}
}

func checkRequest(q url.Values) *http.Request {
	return httptest.NewRequest(http.MethodGet, "/callbacks/wechat/key?"+q.Encode(), nil)
}

func TestAddressCheckRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(url.Values)
		late   time.Duration
		status int
	}{
		{"no signature", func(q url.Values) { q.Del("signature") }, 0, 403},
		{"wrong signature", func(q url.Values) { q.Set("signature", aPushSignature) }, 0, 403},
		{"signature in capitals", func(q url.Values) { q.Set("signature", strings.ToUpper(aCheckSignature)) }, 0, 403},
		{"another nonce", func(q url.Values) { q.Set("nonce", "1") }, 0, 403},
		{"nothing at all", func(q url.Values) { clear(q) }, 0, 403},
		{"an hour and a second late", func(url.Values) {}, time.Hour + time.Second, 403},
		{"without echostr", func(q url.Values) { q.Del("echostr") }, time.Hour, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{AppID: testAppID, Secret: testSecret, Token: aToken, Mode: Plain})
			b.standAt(t, aCheckTime)
			if err := b.clk.Advance(t.Context(), tt.late); err != nil {
				t.Fatal(err)
			}
			q := checkQuery()
			tt.change(q)
			_, err := b.Verify(checkRequest(q))
			wantRefused(t, err, tt.status)
		})
	}
}

func wantRefused(t *testing.T, err error, status int) {
	t.Helper()
	refused, ok := errors.AsType[*platform.Refused](err)
	if !ok || refused.Status != status {
		t.Fatalf("error %v, want a refusal with %d", err, status)
	}
	if strings.Contains(refused.Reason, testSecret) || refused.Reason == "" {
		t.Errorf("reason %q", refused.Reason)
	}
}

func TestPlainPushOfVectorA(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{AppID: testAppID, Secret: testSecret, Token: aToken, Mode: Plain})
	b.standAt(t, aPushTime)
	q := url.Values{"signature": {aPushSignature}, "timestamp": {aPushTime}, "nonce": {aPushNonce}}
	in, _, err := b.Parse(post(q, vectorOf("G").msg))
	if err != nil {
		t.Fatal(err)
	}
	want := platform.Text{Text: "你好,请问怎么退货?"}
	if in.What != want || in.Dedupe != "m:24000000000000001" || in.MessageID != "24000000000000001" ||
		in.Conversation.Key != "oSimUser0001" || in.Sender != "oSimUser0001" || !in.At.Equal(time.Unix(1700000000, 0)) || in.Raw != nil {
		t.Errorf("got %+v", in)
	}
}

func TestEncryptedPushesOfTheVectors(t *testing.T) {
	t.Parallel()
	envelope := map[string]func(v vector) string{
		"XML": func(v vector) string {
			return "<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName><Encrypt><![CDATA[" + v.encrypted + "]]></Encrypt></xml>"
		},
		"XML in another dress": func(v vector) string {
			return "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<xml>\n<Unknown><a/></Unknown>\n<Encrypt>\n" + v.encrypted + "\n</Encrypt>\n</xml>\n"
		},
		"JSON": func(v vector) string { return `{"ToUserName":"gh_97417a04a28d","Encrypt":"` + v.encrypted + `"}` },
		"compatible": func(v vector) string { // the plain fields lie: they must not be read
			return "<xml><FromUserName><![CDATA[oEvil]]></FromUserName><MsgType>text</MsgType><Content>forged</Content><MsgId>1</MsgId><Encrypt><![CDATA[" +
				v.encrypted + "]]></Encrypt></xml>"
		},
	}
	tests := []struct {
		letter string
		what   platform.What
		sender string
		dedupe string
	}{
		{"B", platform.OtherEvent{Event: "debug_demo"}, "o9AgO5Kd5ggOC-bXrbNODIiE3bGY", "e:o9AgO5Kd5ggOC-bXrbNODIiE3bGY|1714112445|debug_demo|||"},
		{"D", platform.OtherEvent{Event: "debug_demo"}, "o9AgO5Kd5ggOC-bXrbNODIiE3bGY", "e:o9AgO5Kd5ggOC-bXrbNODIiE3bGY|1715943329|debug_demo|||"},
		{"F", platform.Text{Text: "test"}, "messense", "m:4363689963896700987"},
		{"G", platform.Text{Text: "你好,请问怎么退货?"}, "oSimUser0001", "m:24000000000000001"},
	}
	for _, tt := range tests {
		for form, body := range envelope {
			for _, mode := range []Mode{Compatible, Safe, Plain} { // plain: the console was switched before our setting
				t.Run(tt.letter+" "+form+" "+string(mode), func(t *testing.T) {
					t.Parallel()
					v := vectorOf(tt.letter)
					in, _, err := v.at(t, mode).Parse(post(v.query(), body(v)))
					if err != nil {
						t.Fatal(err)
					}
					if in.What != tt.what || in.Sender != tt.sender || in.Dedupe != tt.dedupe {
						t.Errorf("got %+v", in)
					}
				})
			}
		}
	}
}

func TestPushRefusals(t *testing.T) {
	t.Parallel()
	v := vectorOf("G")
	xml := func(encrypted string) string { return "<xml><Encrypt><![CDATA[" + encrypted + "]]></Encrypt></xml>" }
	resigned := func(encrypted string) url.Values {
		q := v.query()
		q.Set("msg_signature", sign(v.token, v.timestamp, v.nonce, encrypted))
		return q
	}
	with := func(key, value string) url.Values {
		q := v.query()
		q.Set(key, value)
		return q
	}
	without := func(keys ...string) url.Values {
		q := v.query()
		for _, k := range keys {
			q.Del(k)
		}
		return q
	}
	key, err := newCipherKey(v.key)
	if err != nil {
		t.Fatal(err)
	}
	badPad := make([]byte, 64)
	cbcEncrypt(key, badPad)
	cut := v.encrypted[:len(v.encrypted)-64]
	foreign, err := key.seal(strings.NewReader(v.random), []byte(v.msg), "wxffffffffffffffff")
	if err != nil {
		t.Fatal(err)
	}
	bomb := `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;">]><xml><Content>&lol1;</Content></xml>`
	sealedBomb, err := key.seal(strings.NewReader(v.random), []byte(bomb), v.appID)
	if err != nil {
		t.Fatal(err)
	}
	external := `<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml><Encrypt>` + v.encrypted + `</Encrypt></xml>`
	plainQuery := without("encrypt_type", "msg_signature")
	tests := []struct {
		name   string
		modes  []Mode
		query  url.Values
		body   string
		status int
	}{
		{"nothing signed", []Mode{Plain, Compatible, Safe}, url.Values{}, v.msg, 403},
		{"plain push without signature", []Mode{Plain}, without("signature", "encrypt_type"), v.msg, 403},
		{"plain push, wrong signature", []Mode{Plain}, url.Values{"signature": {aPushSignature}, "timestamp": {v.timestamp}, "nonce": {v.nonce}}, v.msg, 403},
		{"plaintext where encryption is on", []Mode{Compatible, Safe}, plainQuery, v.msg, 403},
		{"plaintext with encrypt_type=aes", []Mode{Compatible, Safe}, without("msg_signature"), v.msg, 403},
		{"plaintext with encrypt_type=raw", []Mode{Compatible, Safe}, with("encrypt_type", "raw"), v.msg, 403},
		{"cipher text with signature only", []Mode{Compatible, Safe, Plain}, without("msg_signature"), xml(v.encrypted), 403},
		{"msg_signature of another cipher text", []Mode{Compatible, Safe, Plain}, v.query(), xml(vectorOf("H").encrypted), 403},
		{"msg_signature is the signature", []Mode{Compatible, Safe, Plain}, with("msg_signature", v.signature), xml(v.encrypted), 403},
		{"signature before anything else: no base64", []Mode{Safe}, v.query(), xml("!!!"), 403},
		{"signature before anything else: no XML", []Mode{Safe}, v.query(), "<xml><Encrypt>", 403},
		{"signature before anything else: DTD", []Mode{Safe}, with("msg_signature", "0"), external, 403},
		{"empty body", []Mode{Compatible, Safe}, v.query(), "", 403},
		{"empty cipher text, signed", []Mode{Safe}, resigned(""), xml(""), 403},
		{"no base64, signed", []Mode{Compatible, Safe}, resigned("!!!"), xml("!!!"), 400},
		{"half a block, signed", []Mode{Safe}, resigned("AAAA"), xml("AAAA"), 400},
		{"cut, signed", []Mode{Safe}, resigned(cut), xml(cut), 400},
		{"padding of zero, signed", []Mode{Safe}, resigned(b64(badPad)), xml(b64(badPad)), 400},
		{"for another appid", []Mode{Compatible, Safe, Plain}, resigned(foreign), xml(foreign), 403},
		{"DTD around the cipher text, signed", []Mode{Safe}, resigned(v.encrypted), external, 400},
		{"entity bomb inside the cipher text", []Mode{Compatible, Safe}, resigned(sealedBomb), xml(sealedBomb), 400},
		{"entity bomb in the plain", []Mode{Plain}, plainQuery, bomb, 400},
		{"external entity in the plain", []Mode{Plain}, plainQuery, external, 400},
		{"over 1 MB", []Mode{Plain, Compatible, Safe}, v.query(), strings.Repeat(" ", 1<<20+1), 413},
	}
	for _, tt := range tests {
		for _, mode := range tt.modes {
			t.Run(tt.name+", "+string(mode), func(t *testing.T) {
				t.Parallel()
				_, reply, err := v.at(t, mode).Parse(post(tt.query, tt.body))
				wantRefused(t, err, tt.status)
				if reply != nil {
					t.Error("a refused push has an answer")
				}
			})
		}
	}
}

func TestTimestampMayBeOffByMaxSkewToEitherSide(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		off  time.Duration
		skew time.Duration
		ok   bool
	}{
		{"an hour late", time.Hour, 0, true},
		{"an hour early", -time.Hour, 0, true},
		{"a second more", time.Hour + time.Second, 0, false},
		{"a second more, early", -time.Hour - time.Second, 0, false},
		{"within a setting of five minutes", 5 * time.Minute, 5 * time.Minute, true},
		{"beyond a setting of five minutes", 301 * time.Second, 5 * time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig()
			cfg.MaxSkew = tt.skew
			_, _, err := newBench(t, cfg).Parse(plainPush(start.Add(-tt.off), vectorOf("G").msg))
			if tt.ok && err != nil {
				t.Error(err)
			}
			if !tt.ok {
				wantRefused(t, err, 403)
			}
		})
	}
	for _, stamp := range []string{"", "now", "-1", "9223372036854775807", "-9223372036854775808", "99999999999999999999"} {
		q := url.Values{"timestamp": {stamp}, "nonce": {"n"}, "signature": {sign(testToken, stamp, "n")}}
		_, _, err := newBench(t, testConfig()).Parse(post(q, vectorOf("G").msg))
		wantRefused(t, err, 403)
	}
}

func TestPreviousKeyIsAcceptedAndAnswered(t *testing.T) {
	t.Parallel()
	v := vectorOf("G")
	newKey := strings.Repeat("n", 43)
	b := newBench(t, Config{
		AppID: v.appID, Secret: testSecret, Token: v.token, AESKey: newKey, PreviousAESKey: v.key, Mode: Safe,
	}, WithRandom(strings.NewReader(vectorOf("H").random)))
	b.standAt(t, v.timestamp)
	in, reply, err := b.Parse(post(v.query(), "<xml><Encrypt>"+v.encrypted+"</Encrypt></xml>"))
	if err != nil || in.MessageID != "24000000000000001" {
		t.Fatalf("got %+v, error %v", in, err)
	}
	w := httptest.NewRecorder()
	if err := reply(w, platform.Words{Text: "您好"}); err != nil {
		t.Fatal(err)
	}
	envelope, _, err := readFields(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	old, err := newCipherKey(v.key)
	if err != nil {
		t.Fatal(err)
	}
	if msg, tail, err := old.open(envelope.text("Encrypt")); err != nil || tail != v.appID || !strings.Contains(string(msg), "您好") {
		t.Errorf("the answer does not open with the key that worked: %q %q %v", msg, tail, err)
	}
}

func TestPushToAnotherAccountIsRefusedWhenTheOriginalIDIsSet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, original, to string
		status             int
	}{
		{"ours", testGH, testGH, 0},
		{"another's", testGH, "gh_ffffffffffff", 403},
		{"not named", testGH, "", 0},
		{"not set, so any", "", "gh_ffffffffffff", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig()
			cfg.OriginalID = tt.original
			_, _, err := newBench(t, cfg).Parse(plainPush(start, strings.Replace(vectorOf("G").msg, testGH, tt.to, 1)))
			if tt.status == 0 && err != nil {
				t.Error(err)
			}
			if tt.status != 0 {
				wantRefused(t, err, tt.status)
			}
		})
	}
}

func TestEncryptedPushWithoutAnyKeyIsUndecodable(t *testing.T) {
	t.Parallel()
	v := vectorOf("G")
	b := v.at(t, Plain)
	b.keys = nil
	_, _, err := b.Parse(post(v.query(), "<xml><Encrypt>"+v.encrypted+"</Encrypt></xml>"))
	wantRefused(t, err, 400)
}

func TestBodyAtTheLimitIsRead(t *testing.T) {
	t.Parallel()
	body := vectorOf("G").msg
	body += strings.Repeat(" ", maxBodyBytes-len(body))
	if in, _, err := newBench(t, testConfig()).Parse(plainPush(start, body)); err != nil || in.MessageID == "" {
		t.Errorf("got %+v, error %v", in, err)
	}
	chunked := plainPush(start, body+" ")
	chunked.ContentLength = -1
	_, _, err := newBench(t, testConfig()).Parse(chunked)
	wantRefused(t, err, 413)
	broken := plainPush(start, "")
	broken.ContentLength = 10
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("<xml>"), brokenReader{}))
	_, _, err = newBench(t, testConfig()).Parse(broken)
	wantRefused(t, err, 400)
	get := plainPush(start, body)
	get.Method = http.MethodGet
	_, _, err = newBench(t, testConfig()).Parse(get)
	wantRefused(t, err, http.StatusMethodNotAllowed)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestSettingsAreCheckedAndSecretsNotShown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		want   string
		change func(*Config)
	}{
		{"AppID", func(c *Config) { c.AppID = " " }},
		{"Secret", func(c *Config) { c.Secret = "" }},
		{"Token", func(c *Config) { c.Token = "" }},
		{"Token", func(c *Config) { c.Token = "ab" }},
		{"Token", func(c *Config) { c.Token = strings.Repeat("a", 33) }},
		{"Token", func(c *Config) { c.Token = "with space" }},
		{"Mode", func(c *Config) { c.Mode = "" }},
		{"Mode", func(c *Config) { c.Mode = "secure" }},
		{"AESKey", func(c *Config) { c.Mode, c.AESKey = Safe, "" }},
		{"AESKey", func(c *Config) { c.Mode, c.AESKey = Compatible, "" }},
		{"AESKey: must be 43", func(c *Config) { c.AESKey = strings.Repeat("A", 42) }},
		{"AESKey: must be 43", func(c *Config) { c.AESKey = strings.Repeat("A", 42) + "=" }},
		{"PreviousAESKey: must be 43", func(c *Config) { c.PreviousAESKey = strings.Repeat("A", 44) }},
		{"MaxSkew", func(c *Config) { c.MaxSkew = -time.Second }},
		{"BaseURL", func(c *Config) { c.BaseURL = "api.weixin.qq.com" }},
		{"BaseURL", func(c *Config) { c.BaseURL = "ftp://api.weixin.qq.com" }},
		{"BaseURL", func(c *Config) { c.BaseURL = "https://api.weixin.qq.com/?x=1" }},
		{"BaseURL", func(c *Config) { c.BaseURL = "https://user@api.weixin.qq.com" }},
	}
	for i, tt := range tests {
		t.Run(strconv.Itoa(i)+" "+tt.want, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig()
			tt.change(&cfg)
			_, err := New(cfg, http.DefaultClient, &memTokens{}, newBench(t, testConfig()).clk)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one about %s", err, tt.want)
			}
			for _, secret := range []string{testSecret, sampleKey, testToken} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q shows a secret", err)
				}
			}
		})
	}
	if _, err := New(testConfig(), nil, &memTokens{}, newBench(t, testConfig()).clk); err == nil {
		t.Error("an adapter without HTTP client was made")
	}
}
