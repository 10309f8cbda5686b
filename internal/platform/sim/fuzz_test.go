package sim

import (
	"testing"
	"time"
)

// FuzzAnswer: whatever a server answers, the simulator says what it makes of it and does not fall over.
func FuzzAnswer(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.msg))
		f.Add([]byte("<xml><Encrypt>" + v.sealed + "</Encrypt></xml>"))
	}
	f.Add([]byte(`{"Encrypt":"AAAA","TimeStamp":1}`))
	f.Add([]byte("<xml><Articles><item/></Articles><MsgType>news</MsgType></xml>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, app := range []App{{Mode: modeSafe, Format: formatXML}, {Mode: modeCompatible, Format: formatJSON}, {Mode: modePlain, Format: formatXML}} {
			app.AESKey, app.Token, app.AppID = keyE, "simtoken", "wx0123456789abcdef"
			s := &Simulator{switches: DefaultSwitches(), wechat: newWechat(time.Unix(1_700_000_000, 0))}
			p := &push{app: &wechatApp{App: app}, user: &user{openid: "oSimUser0001"}}
			if outcome, _, note := s.take(p, b, ""); outcome == outcomeInvalid && note == "" {
				t.Errorf("%q is invalid without a reason", b)
			}
		}
	})
}

// FuzzDecrypt: what opens was sealed with the key, and nothing makes it fall over.
func FuzzDecrypt(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.sealed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		msg, tail, err := decrypt(keyE, text)
		if err == nil && len(msg)+len(tail) > len(text) {
			t.Errorf("%d bytes came out of %d", len(msg)+len(tail), len(text))
		}
	})
}
