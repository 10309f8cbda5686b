package sim

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Call is one exchange between platform and server, with both bodies.
type Call struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`   // by the simulator's clock
	Kind     string    `json:"kind"` // api: the server called us · callback: we called the server
	Platform string    `json:"platform"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Query    string    `json:"query,omitempty"` // as it was; the phone page masks secrets and tokens
	AppID    string    `json:"appid,omitempty"`
	OpenID   string    `json:"openid,omitempty"`
	About    string    `json:"about,omitempty"` // message type or event
	Attempt  int       `json:"attempt,omitempty"`
	Status   int       `json:"status"`            // 0: there was no answer
	Errcode  *int      `json:"errcode,omitempty"` // of an API answer
	MS       float64   `json:"ms"`                // real time it took
	Request  string    `json:"request"`
	Response string    `json:"response"`
	Plain    string    `json:"plain,omitempty"`  // the push before encryption
	Answer   string    `json:"answer,omitempty"` // the passive reply after decryption
	Note     string    `json:"note,omitempty"`   // what the simulator made of it
	Failed   bool      `json:"failed"`
}

const (
	callAPI      = "api"
	callCallback = "callback"
	callsKept    = 5000
)

// callLog keeps the last calls in order.
type callLog struct {
	seq     int64
	entries []*Call
}

func (l *callLog) add(c *Call) {
	l.seq++
	c.Seq = l.seq
	l.entries = append(l.entries, c)
	if len(l.entries) > callsKept+callsKept/4 { // cut in larger pieces, not at every call
		l.entries = append([]*Call(nil), l.entries[len(l.entries)-callsKept:]...)
	}
}

// since lists what came after seq, at most the last limit.
func (l *callLog) since(seq int64, limit int) []*Call {
	list := l.entries
	if len(list) > callsKept {
		list = list[len(list)-callsKept:]
	}
	for len(list) > 0 && list[0].Seq <= seq {
		skip := min(int(seq-list[0].Seq)+1, len(list)) // numbers are dense
		list = list[skip:]
	}
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	return append([]*Call{}, list...)
}

// record stores a finished call.
func (s *Simulator) record(c *Call, started time.Time) {
	c.MS = float64(time.Since(started).Microseconds()) / 1000
	s.mu.Lock()
	defer s.mu.Unlock()
	c.At = s.clock.Now()
	s.calls.add(c)
	s.version++
}

// readable is a body for the log: text as it is, files by their size.
func readable(body []byte) string {
	if len(body) <= 256<<10 && utf8.Valid(body) {
		return string(body)
	}
	return fmt.Sprintf("(%d bytes, not text)", len(body))
}

// errcodeOf reads the errcode of a JSON answer; nil when the answer is no JSON object. An absent errcode means 0 (wechat.md §0.2).
func errcodeOf(body []byte) *int {
	var answer struct {
		Errcode int `json:"errcode"`
	}
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &answer) != nil {
		return nil
	}
	return &answer.Errcode
}
