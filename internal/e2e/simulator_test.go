package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// simulator is the control side of the simulated platform (docs/simulator.md).
type simulator struct {
	t   testing.TB
	url string
}

type account struct {
	AppID       string `json:"appid"`
	Secret      string `json:"secret"`
	OriginalID  string `json:"original_id"`
	Token       string `json:"token"`
	AESKey      string `json:"aes_key"`
	CallbackURL string `json:"callback_url"`
}

// call asks a control and decodes its answer into into, unless that is nil.
func (s simulator) call(method, path string, body, into any) {
	s.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/_sim/"+path, in)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s /_sim/%s: %d %s", method, path, res.StatusCode, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			s.t.Fatalf("%s /_sim/%s: %v: %s", method, path, err, answer)
		}
	}
}

// account is the demonstration's Official Account.
func (s simulator) account() account {
	s.t.Helper()
	var state struct {
		WeChat struct {
			Apps []account `json:"apps"`
		} `json:"wechat"`
	}
	s.call("GET", "state", nil, &state)
	if len(state.WeChat.Apps) == 0 {
		s.t.Fatal("the simulator has no account")
	}
	return state.WeChat.Apps[0]
}

// advance moves the clock of server and platform.
func (s simulator) advance(span string) {
	s.t.Helper()
	s.call("POST", "clock", map[string]string{"advance": span}, nil)
}

// fault plans a misfortune, for example {"match": "/cgi-bin/message/custom/send", "errcode": -1, "times": 2}.
func (s simulator) fault(f map[string]any) {
	s.t.Helper()
	s.call("POST", "faults", f, nil)
}

const sendPath = "/cgi-bin/message/custom/send"

type simCall struct {
	Seq      int64  `json:"seq"`
	Kind     string `json:"kind"`
	Path     string `json:"path"`
	Query    string `json:"query"`
	Request  string `json:"request"`
	Response string `json:"response"`
	Status   int    `json:"status"`
}

// calls are the API calls and callbacks so far.
func (s simulator) calls(kind string) []simCall {
	s.t.Helper()
	var list struct {
		Calls []simCall `json:"calls"`
	}
	s.call("GET", "calls?kind="+kind, nil, &list)
	return list.Calls
}

// tokens are the access tokens that the server was given.
func (s simulator) tokens() []string {
	s.t.Helper()
	var found []string
	for _, c := range s.calls("api") {
		var answer struct {
			Token string `json:"access_token"`
		}
		if json.Unmarshal([]byte(c.Response), &answer) == nil && answer.Token != "" {
			found = append(found, answer.Token)
		}
	}
	return found
}

// customer is somebody who writes to the account.
type customer struct {
	simulator
	openid string
}

// customer makes a customer; their name is known to the simulator only.
func (s simulator) customer(name string) customer {
	s.t.Helper()
	var made struct {
		OpenID string `json:"openid"`
	}
	s.call("POST", "wechat/users", map[string]string{"name": name}, &made)
	return customer{s, made.OpenID}
}

// returning is a customer of before a restart: the simulator begins anew, the server remembers.
func (s simulator) returning(openid string) customer {
	s.t.Helper()
	s.call("POST", "wechat/users", map[string]string{"openid": openid}, nil)
	return customer{s, openid}
}

// does lets the customer do something and waits until the server has acknowledged it.
func (c customer) does(do string, more map[string]any) {
	c.t.Helper()
	act := map[string]any{"openid": c.openid, "do": do}
	for k, v := range more {
		act[k] = v
	}
	var result struct {
		Outcome string `json:"outcome"`
	}
	c.call("POST", "wechat/act", act, &result)
	if result.Outcome != "taken" && result.Outcome != "passive" {
		c.t.Fatalf("the server did not take %s: %q", do, result.Outcome)
	}
}

func (c customer) says(text string) {
	c.t.Helper()
	c.does("text", map[string]any{"text": text})
}

// received are the texts on the customer's phone, oldest first; answers of callbacks too.
func (c customer) received() []string {
	c.t.Helper()
	var got struct {
		Messages []struct {
			Body struct {
				Text struct {
					Content string `json:"content"`
				} `json:"text"`
			} `json:"body"`
		} `json:"messages"`
	}
	c.call("GET", "wechat/received?openid="+url.QueryEscape(c.openid), nil, &got)
	var texts []string
	for _, m := range got.Messages {
		texts = append(texts, m.Body.Text.Content)
	}
	return texts
}

// times is how often the text is on the customer's phone.
func (c customer) times(text string) (n int) {
	c.t.Helper()
	for _, got := range c.received() {
		if got == text {
			n++
		}
	}
	return n
}

// gets waits until the text is on the customer's phone.
func (c customer) gets(text string) {
	c.t.Helper()
	until(c.t, "the phone shows "+text, func() (bool, string) {
		return c.times(text) > 0, strings.Join(c.received(), " | ")
	})
}
