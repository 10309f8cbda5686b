package wechat

import (
	"encoding/json"
	"encoding/xml"
	"net/http/httptest"
	"strings"
	"testing"

	"kefu/internal/platform"
)

const (
	xmlType  = "text/xml; charset=utf-8"
	jsonType = "application/json; charset=utf-8"
)

// reply parses the push and answers it.
func reply(t *testing.T, b *bench, q map[string][]string, body string, a platform.Answer) *httptest.ResponseRecorder {
	t.Helper()
	_, answer, err := b.Parse(post(q, body))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := answer(w, a); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestNothingIsSuccessAndNeverEncrypted(t *testing.T) {
	t.Parallel()
	v := vectorOf("G")
	for _, mode := range []Mode{Compatible, Safe} {
		for _, a := range []platform.Answer{platform.Nothing{}, platform.Words{}, platform.Words{Text: "\x00\x01"}} {
			w := reply(t, v.at(t, mode), v.query(), "<xml><Encrypt>"+v.encrypted+"</Encrypt></xml>", a)
			if w.Code != 200 || w.Body.String() != "success" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("%s, %#v: %d %q %v", mode, a, w.Code, w.Body, w.Header())
			}
		}
	}
}

func TestPlainWords(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, push, text, contentType, want string }{
		{
			"XML", vectorOf("G").msg, "您好 ]]> <b>&\x00\x07]]>", xmlType,
			"<xml><ToUserName><![CDATA[oSimUser0001]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName><CreateTime>1795165200</CreateTime>" +
				"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[您好 ]]]]><![CDATA[> <b>&]]]]><![CDATA[>]]></Content></xml>",
		},
		{
			"JSON", vectorOf("B").msg, "您好 \"<a>\" & \u2028\x00", jsonType,
			`{"ToUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","FromUserName":"gh_97417a04a28d","CreateTime":1795165200,"MsgType":"text","Content":"您好 \"<a>\" & \n"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, answer, err := newBench(t, testConfig()).Parse(plainPush(start, tt.push))
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			if err := answer(w, platform.Words{Text: tt.text}); err != nil {
				t.Fatal(err)
			}
			if got := w.Body.String(); got != tt.want || w.Header().Get("Content-Type") != tt.contentType {
				t.Errorf("%s\n got %s\nwant %s", w.Header().Get("Content-Type"), got, tt.want)
			}
		})
	}
}

func TestCDATAEndsInsideATextAreReadBackUnchanged(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"]]>", "]]]]>>", "]]", ">", "<![CDATA[x]]>", "]]>]]>", "a]]&gt;b"} {
		var back struct {
			Content string `xml:"Content"`
		}
		body, err := passiveText(formatXML, "a", "b", 1, text)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(body, &back); err != nil || back.Content != text {
			t.Errorf("%q came back as %q, error %v", text, back.Content, err)
		}
	}
}

func TestEncryptedAnswersFollowTheEnvelope(t *testing.T) {
	t.Parallel()
	g := vectorOf("G")
	for _, mode := range []Mode{Compatible, Safe} {
		b := g.at(t, mode, WithRandom(strings.NewReader("fedcba9876543210")))
		w := reply(t, b, g.query(), "<xml><Encrypt>"+g.encrypted+"</Encrypt></xml>", platform.Words{Text: "您好"})
		var envelope struct {
			Encrypt, MsgSignature, TimeStamp, Nonce string
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &envelope); err != nil {
			t.Fatal(err)
		}
		if envelope.TimeStamp != "1700000001" || envelope.Nonce != "998877" || w.Header().Get("Content-Type") != xmlType {
			t.Errorf("envelope %+v, header %v", envelope, w.Header())
		}
		checkSealed(t, g, envelope.Encrypt, envelope.MsgSignature, envelope.TimeStamp,
			"<xml><ToUserName><![CDATA[oSimUser0001]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName><CreateTime>1700000001</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[您好]]></Content></xml>")
	}
	v := vectorOf("B")
	b := v.at(t, Safe, WithRandom(strings.NewReader("707722b803182950")))
	w := reply(t, b, v.query(), `{"ToUserName":"gh_97417a04a28d","Encrypt":"`+v.encrypted+`"}`, platform.Words{Text: "good luck"})
	var envelope struct {
		Encrypt, MsgSignature, Nonce string
		TimeStamp                    json.Number
	}
	if err := json.Unmarshal(w.Body.Bytes(), &envelope); err != nil {
		t.Fatal(err)
	}
	if envelope.Nonce != "415670741" || !strings.Contains(w.Body.String(), `"TimeStamp":1714112445`) || w.Header().Get("Content-Type") != jsonType {
		t.Errorf("envelope %s, header %v", w.Body, w.Header())
	}
	checkSealed(t, v, envelope.Encrypt, envelope.MsgSignature, envelope.TimeStamp.String(),
		`{"ToUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","FromUserName":"gh_97417a04a28d","CreateTime":1714112445,"MsgType":"text","Content":"good luck"}`)
}

func checkSealed(t *testing.T, v vector, encrypted, signature, stamp, want string) {
	t.Helper()
	if !signed(signature, v.token, stamp, v.nonce, encrypted) {
		t.Error("the answer's signature does not hold")
	}
	key, err := newCipherKey(v.key)
	if err != nil {
		t.Fatal(err)
	}
	msg, tail, err := key.open(encrypted)
	if err != nil || string(msg) != want || tail != v.appID {
		t.Errorf("opened to %s\nfor %q, error %v\nwant %s", msg, tail, err, want)
	}
}

// Vectors C and H are published answers: given their message, nonce, time and random bytes, the envelope must have their bytes.
func TestEnvelopesOfTheVectors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		letter string
		outer  format
		now    int64
		want   func(v vector) string
	}{
		{"C", formatJSON, 1713424427, func(v vector) string {
			return `{"Encrypt":"` + v.encrypted + `","MsgSignature":"` + v.msgSignature + `","TimeStamp":1713424427,"Nonce":"415670741"}`
		}},
		{"H", formatXML, 1700000002, func(v vector) string {
			return "<xml><Encrypt><![CDATA[" + v.encrypted + "]]></Encrypt><MsgSignature><![CDATA[" + v.msgSignature +
				"]]></MsgSignature><TimeStamp>1700000002</TimeStamp><Nonce><![CDATA[998877]]></Nonce></xml>"
		}},
	}
	for _, tt := range tests {
		v := vectorOf(tt.letter)
		b := v.at(t, Safe, WithRandom(strings.NewReader(v.random)))
		p := &push{a: b.Adapter, nonce: v.nonce, outer: tt.outer, key: b.keys[0]}
		got, err := p.envelope([]byte(v.msg), tt.now)
		if err != nil || string(got) != tt.want(v) {
			t.Errorf("%s: error %v\n got %s\nwant %s", v.name, err, got, tt.want(v))
		}
	}
}

func TestAnswersThatCannotBeGiven(t *testing.T) {
	t.Parallel()
	v := vectorOf("G")
	tests := []struct {
		name   string
		push   string
		answer platform.Answer
	}{
		{"words to nobody", "", platform.Words{Text: "您好"}},
		{"words from nobody", "<xml><FromUserName>openid</FromUserName></xml>", platform.Words{Text: "您好"}},
		{"an echo", v.msg, platform.Echo{Text: "1"}},
		{"nil", v.msg, nil},
	}
	for _, tt := range tests {
		_, answer, err := newBench(t, testConfig()).Parse(plainPush(start, tt.push))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := answer(w, tt.answer); err == nil || w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%s: error %v, wrote %q", tt.name, err, w.Body)
		}
	}
	b := v.at(t, Safe, WithRandom(brokenReader{}))
	_, answer, err := b.Parse(post(v.query(), "<xml><Encrypt>"+v.encrypted+"</Encrypt></xml>"))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := answer(w, platform.Words{Text: "您好"}); err == nil || w.Body.Len() > 0 {
		t.Errorf("without randomness: error %v, wrote %q", err, w.Body)
	}
}
