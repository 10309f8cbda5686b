package wechat

import (
	"encoding/base64"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"kefu/internal/platform"
)

// fuzzBody sends a signed plain push through the whole adapter: whatever it holds, the answer is a clean Inbound or a refusal.
func fuzzBody(t *testing.T, body []byte) {
	b := newBench(t, testConfig())
	in, answer, err := b.Parse(plainPush(start, string(body)))
	if err != nil {
		wantRefused(t, err, 400) // signed, fresh and small enough: only a document type is left
		return
	}
	if in.Dedupe == "" || len(in.Dedupe) > maxDedupeBytes || in.What == nil || in.At.IsZero() {
		t.Fatalf("incomplete: %+v", in)
	}
	if _, unknown := in.What.(platform.Unknown); unknown != (in.Raw != nil) && len(body) > 0 {
		t.Fatalf("raw body kept for %T: %v", in.What, in.Raw != nil)
	}
	checkText(t, in.Dedupe)
	checkText(t, in.Sender)
	checkText(t, in.MessageID)
	for what, i := reflect.ValueOf(in.What), 0; i < what.NumField(); i++ {
		if f := what.Field(i); f.Kind() == reflect.String {
			checkText(t, f.String())
		}
	}
	if again, _, err := b.Parse(plainPush(start, string(body))); err != nil || again.Dedupe != in.Dedupe {
		t.Fatalf("the same body has the keys %q and %q, error %v", in.Dedupe, again.Dedupe, err)
	}
	w := httptest.NewRecorder()
	if err := answer(w, platform.Words{Text: in.Sender + string(body)}); err == nil && w.Body.String() != "success" {
		fs, _, err := readFields(w.Body.Bytes())
		if err != nil || fs.word("ToUserName") != in.Sender || fs.word("MsgType") != "text" {
			t.Fatalf("answer cannot be read back: %v\n%s", err, w.Body)
		}
	}
}

func checkText(t *testing.T, s string) {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		t.Fatalf("unclean text %q", s)
	}
}

func FuzzXML(f *testing.F) {
	for _, letter := range []string{"D", "G", "H"} {
		f.Add([]byte(vectorOf(letter).msg))
	}
	f.Add([]byte("<xml>" + head("event") + "<Event>kf_close_session</Event><KfAccount>a@b</KfAccount></xml>"))
	f.Add([]byte("<!DOCTYPE x [<!ENTITY a \"b\">]><xml>&a;</xml>"))
	f.Add([]byte("<xml>" + head("location") + "<Location_X>1e400</Location_X><Location_Y>0x1p-2</Location_Y></xml>"))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzBody(t, body) })
}

func FuzzJSON(f *testing.F) {
	for _, letter := range []string{"B", "C"} {
		f.Add([]byte(vectorOf(letter).msg))
	}
	f.Add([]byte(`{"ToUserName":"gh_x","FromUserName":"openid","CreateTime":1482048670,"MsgType":"text","Content":"hi","MsgId":1234567890123456}`))
	f.Add([]byte(`{"FromUserName":"o","MsgType":"event","Event":"SCAN","a":{"b":[1,{"c":null}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzBody(t, append([]byte("{"), body...)); fuzzBody(t, body) })
}

func FuzzCipher(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.encrypted, v.key)
	}
	f.Add(wecomEcho, vectorOf("F").key)
	f.Fuzz(func(t *testing.T, encrypted, encodedKey string) {
		key, err := newCipherKey(encodedKey)
		if err != nil {
			key, err = newCipherKey(sampleKey)
		}
		if err != nil {
			t.Fatal(err)
		}
		msg, tail, err := key.open(encrypted)
		if err != nil {
			return
		}
		raw, err := base64.StdEncoding.DecodeString(encrypted)
		if err != nil {
			t.Fatalf("opened what is not base64: %q", encrypted)
		}
		first := make([]byte, len(raw))
		copy(first, raw)
		cbcDecrypt(key, first)
		again, err := key.seal(strings.NewReader(string(first[:randomBytes])), msg, tail)
		if err != nil {
			t.Fatal(err)
		}
		back, backTail, err := key.open(again)
		if err != nil || string(back) != string(msg) || backTail != tail {
			t.Fatalf("sealed and opened: %q %q %v, want %q %q", back, backTail, err, msg, tail)
		}
	})
}
