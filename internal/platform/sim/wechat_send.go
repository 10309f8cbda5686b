package sim

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// What to do with \uXXXX in a request body (wechat.md §5.4).
const (
	escapesReject  = "reject"  // 40033
	escapesLiteral = "literal" // the customer sees the escape
	escapesAccept  = "accept"
)

// escapes walks over the backslash pairs of a JSON body and calls f with the place of each \uXXXX that stands for a printable
// character; control characters may be escaped (§5.4).
func escapes(body []byte, f func(at int)) {
	for i := 0; i+1 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		if body[i+1] == 'u' && i+5 < len(body) && (body[i+2] != '0' || body[i+3] != '0' || body[i+4] >= '2') {
			f(i)
		}
		i++ // the escaped character, also a second backslash
	}
}

// hasEscapes reports a \uXXXX that stands for more than a control character.
func hasEscapes(body []byte) bool {
	found := false
	escapes(body, func(int) { found = true })
	return found
}

// asLiteral doubles the backslash of each escape, so that the text shows it.
func asLiteral(body []byte) []byte {
	var out []byte
	from := 0
	escapes(body, func(at int) {
		out = append(append(out, body[from:at]...), '\\')
		from = at
	})
	return append(out, body[from:]...)
}

// charset applies §5.4 to a request body: code 40033, or the body to read.
func (s *Simulator) charset(body []byte) ([]byte, int) {
	if !utf8.Valid(body) {
		return nil, 40033
	}
	if !hasEscapes(body) {
		return body, 0
	}
	switch s.switches.Escapes {
	case escapesReject:
		return nil, 40033
	case escapesLiteral:
		return asLiteral(body), 0
	}
	return body, 0
}

// envelope is what every message of custom/send carries (wechat.md §5.2).
type envelope struct {
	ToUser          string `json:"touser"`
	MsgType         string `json:"msgtype"`
	CustomerService *struct {
		Account string `json:"kf_account"`
	} `json:"customservice"`
	AI *struct {
		IsAI int `json:"is_ai_msg"`
	} `json:"aimsgcontext"`
}

// customSend is POST /cgi-bin/message/custom/send (wechat.md §5). Its order: body, receiver, content, face, allowance. The platform
// documents only that the token comes before the body.
func (s *Simulator) customSend(c *apiCall) reply {
	body, code := s.readJSON(c)
	if code != 0 {
		return reply{code: code}
	}
	var env envelope
	var parts map[string]json.RawMessage
	if json.Unmarshal(body, &env) != nil || json.Unmarshal(body, &parts) != nil {
		return reply{code: 47001}
	}
	c.openid, c.about = env.ToUser, env.MsgType
	u := c.app.users[env.ToUser]
	if u == nil {
		return reply{code: 40003}
	}
	if code := s.checkContent(c.app, env.MsgType, parts[env.MsgType]); code != 0 {
		return reply{code: code}
	}
	var face *kfAccount
	if env.CustomerService != nil && env.CustomerService.Account != "" {
		if face = c.app.account(env.CustomerService.Account); face == nil {
			return reply{code: 65401} // plausible, not documented for this call (§5.6)
		}
		if face.boundTo == "" && s.switches.FaceNeedsBound {
			return reply{code: 65402}
		}
	}
	if u.relation == relationLeft {
		return reply{code: 45015} // "…or subscription is canceled"
	}
	if u.ledger, code = u.ledger.spend(c.now); code != 0 {
		return reply{code: code}
	}
	e := &entry{MsgType: env.MsgType, Body: object(body), AI: env.AI != nil && env.AI.IsAI == 1}
	e.wear(s, face)
	s.deliver(u, e, c.now)
	return reply{}
}

// wear puts the face on a message; nil leaves the account's own.
func (e *entry) wear(s *Simulator, face *kfAccount) {
	if face == nil {
		return
	}
	e.Account, e.Nick = face.account, face.nick
	if face.headImage != "" {
		e.Face = s.mediaURL(face.headImage)
	}
}

// deliver puts a message of the account on the phone. It ends a typing state (wechat.md §6).
func (s *Simulator) deliver(u *user, e *entry, now time.Time) {
	u.lastTalk, u.typingUntil = now, time.Time{}
	s.show(u, e)
}

// readJSON gives the body of a JSON call: 44002 empty, 40033 charset, 47001 no JSON object.
func (s *Simulator) readJSON(c *apiCall) ([]byte, int) {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil, 44002
	}
	body, code := s.charset(c.body)
	if code != 0 {
		return nil, code
	}
	if !json.Valid(body) || bytes.TrimSpace(body)[0] != '{' {
		return nil, 47001
	}
	return body, 0
}

// object decodes a body for showing; numbers keep their digits.
func object(body []byte) map[string]any {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var m map[string]any
	if dec.Decode(&m) != nil {
		return map[string]any{"raw": string(body)}
	}
	return m
}
