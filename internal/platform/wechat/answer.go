package wechat

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"kefu/internal/platform"
)

var errNobody = errors.New("wechat: words for a push without customer")

// answer writes the answer to the push. platform.Nothing, and Words without a word, are "success", which is never encrypted; Words are
// a text message with sender and receiver swapped, in the push's own format and encrypted when it was (wechat.md §7.4, §7.7). An error
// before the first byte leaves w untouched.
func (p *push) answer(w http.ResponseWriter, a platform.Answer) error {
	switch a := a.(type) {
	case platform.Nothing:
		return write(w, "text/plain; charset=utf-8", []byte("success"))
	case platform.Words:
		text := clean(a.Text)
		if text == "" { // an empty Content would show the customer that the account is out of order
			return write(w, "text/plain; charset=utf-8", []byte("success"))
		}
		return p.say(w, text)
	}
	return fmt.Errorf("wechat: %T is no answer to a push", a)
}

func (p *push) say(w http.ResponseWriter, text string) error {
	if p.customer == "" || p.account == "" {
		return errNobody
	}
	now := p.a.clk.Now().Unix()
	body, err := passiveText(p.inner, p.customer, p.account, now, text)
	form := p.inner
	if err == nil && p.key != nil {
		form = p.outer
		body, err = p.envelope(body, now)
	}
	if err != nil {
		return fmt.Errorf("wechat: write passive answer: %w", err)
	}
	if form == formatJSON {
		return write(w, "application/json; charset=utf-8", body)
	}
	return write(w, "text/xml; charset=utf-8", body)
}

// passiveText is the text answer of wechat.md §7.7.
func passiveText(form format, to, from string, now int64, text string) ([]byte, error) {
	if form == formatJSON {
		return encode(struct {
			ToUserName, FromUserName string
			CreateTime               int64
			MsgType, Content         string
		}{to, from, now, "text", speech(text)})
	}
	return []byte("<xml><ToUserName>" + cdata(to) + "</ToUserName><FromUserName>" + cdata(from) + "</FromUserName><CreateTime>" +
		strconv.FormatInt(now, 10) + "</CreateTime><MsgType><![CDATA[text]]></MsgType><Content>" + cdata(text) + "</Content></xml>"), nil
}

// envelope encrypts an answer with the key that the push came under and signs it (wechat.md §7.4).
func (p *push) envelope(msg []byte, now int64) ([]byte, error) {
	encrypted, err := p.key.seal(p.a.random, msg, p.a.cfg.AppID)
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(now, 10)
	signature := sign(p.a.cfg.Token, stamp, p.nonce, encrypted)
	if p.outer == formatJSON {
		return encode(struct {
			Encrypt, MsgSignature string
			TimeStamp             int64
			Nonce                 string
		}{encrypted, signature, now, p.nonce})
	}
	return []byte("<xml><Encrypt>" + cdata(encrypted) + "</Encrypt><MsgSignature>" + cdata(signature) + "</MsgSignature><TimeStamp>" +
		stamp + "</TimeStamp><Nonce>" + cdata(p.nonce) + "</Nonce></xml>"), nil
}

// cdata quotes a text for XML. The one sequence that would end the quotation is cut in two.
func cdata(s string) string {
	return "<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>"
}

func write(w http.ResponseWriter, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, err := w.Write(body)
	return err
}
