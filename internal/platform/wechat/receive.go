package wechat

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kefu/internal/platform"
)

const maxBodyBytes = 1 << 20

// Why a request is refused: constants for the log, each with its status.
var (
	refusedSignature = platform.Refused{Status: http.StatusForbidden, Reason: "missing or wrong signature"}
	refusedStale     = platform.Refused{Status: http.StatusForbidden, Reason: "timestamp missing or too far off"}
	refusedPlaintext = platform.Refused{Status: http.StatusForbidden, Reason: "plaintext push although encryption is on"}
	refusedAppID     = platform.Refused{Status: http.StatusForbidden, Reason: "encrypted for another appid"}
	refusedAccount   = platform.Refused{Status: http.StatusForbidden, Reason: "addressed to another account"}
	refusedMethod    = platform.Refused{Status: http.StatusMethodNotAllowed, Reason: "method not used by the platform"}
	refusedCheck     = platform.Refused{Status: http.StatusBadRequest, Reason: "address check without echostr"}
	refusedNoKey     = platform.Refused{Status: http.StatusBadRequest, Reason: "encrypted push but no AES key is set"}
	refusedCipher    = platform.Refused{Status: http.StatusBadRequest, Reason: "cipher text cannot be decoded"}
	refusedDTD       = platform.Refused{Status: http.StatusBadRequest, Reason: "XML with a document type"}
	refusedBody      = platform.Refused{Status: http.StatusBadRequest, Reason: "body could not be read"}
	refusedSize      = platform.Refused{Status: http.StatusRequestEntityTooLarge, Reason: "body over 1 MB"}
)

func refuse(why platform.Refused) error { return &why }

// Verify answers the check that the platform makes when our address is saved in its console: a platform.Echo with echostr, to be
// written as it is. This check is plain in every mode (wechat.md §7.2). The error is a *platform.Refused, 403 for a signature or a
// timestamp that does not hold.
func (a *Adapter) Verify(r *http.Request) (platform.Answer, error) {
	if r.Method != http.MethodGet {
		return nil, refuse(refusedMethod)
	}
	q := r.URL.Query()
	if !a.signedQuery(q) {
		return nil, refuse(refusedSignature)
	}
	if _, ok := a.freshTime(q); !ok {
		return nil, refuse(refusedStale)
	}
	echo := q.Get("echostr")
	if echo == "" {
		return nil, refuse(refusedCheck)
	}
	return platform.Echo{Text: echo}, nil
}

// Parse reads one push (wechat.md §7.3 to §7.6). The signature is checked first, so nothing is learnt from other answers without it:
// 403 for a signature, timestamp, appid or account that is not ours and for plaintext in compatible or safe mode, 400 for cipher text
// that cannot be undone and for a DTD, 413 above 1 MB. A verified body that cannot be read is a platform.Unknown with its raw bytes and,
// if not even the customer is known, without conversation; it has to be acknowledged like any other.
func (a *Adapter) Parse(r *http.Request) (platform.Inbound, platform.AnswerFunc, error) {
	in, p, err := a.parse(r)
	if err != nil {
		return platform.Inbound{}, nil, err
	}
	return in, p.answer, nil
}

func (a *Adapter) parse(r *http.Request) (platform.Inbound, *push, error) {
	if r.Method != http.MethodPost {
		return platform.Inbound{}, nil, refuse(refusedMethod)
	}
	body, err := readBody(r)
	if err != nil {
		return platform.Inbound{}, nil, err
	}
	q := r.URL.Query()
	p := &push{a: a, nonce: q.Get("nonce")}
	// Only plain mode may rely on the signature of the query, which says nothing about the body (wechat.md §7.3).
	encrypted := ""
	if a.cfg.Mode != Plain || q.Get("encrypt_type") == "aes" {
		encrypted, err = a.signedEnvelope(p, q, body)
	} else if !a.signedQuery(q) {
		err = refuse(refusedSignature)
	}
	if err != nil {
		return platform.Inbound{}, nil, err
	}
	stamp, ok := a.freshTime(q)
	if !ok {
		return platform.Inbound{}, nil, refuse(refusedStale)
	}
	if encrypted != "" {
		if body, err = a.decrypt(p, encrypted); err != nil {
			return platform.Inbound{}, nil, err
		}
	}
	var fs fields
	fs, p.inner, err = readFields(body)
	if errors.Is(err, errDTD) {
		return platform.Inbound{}, nil, refuse(refusedDTD)
	}
	if err != nil { // half a message is no message
		fs = nil
	}
	p.customer, p.account = fs.word("FromUserName"), fs.word("ToUserName")
	if want := a.cfg.OriginalID; want != "" {
		if p.account != "" && p.account != want {
			return platform.Inbound{}, nil, refuse(refusedAccount)
		}
		p.account = want
	}
	return inbound(fs, body, stamp), p, nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBodyBytes {
		return nil, refuse(refusedSize)
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	if _, cut := errors.AsType[*http.MaxBytesError](err); cut || len(body) > maxBodyBytes {
		return nil, refuse(refusedSize)
	}
	if err != nil {
		return nil, refuse(refusedBody)
	}
	return body, nil
}

// signedEnvelope is the cipher text of the body, if msg_signature covers it. The plain fields of compatible mode are not read: nothing
// signs them.
func (a *Adapter) signedEnvelope(p *push, q url.Values, body []byte) (string, error) {
	envelope, format, err := readFields(body)
	encrypted := envelope.word("Encrypt")
	p.outer = format
	switch {
	case encrypted == "" && q.Get("msg_signature") == "":
		return "", refuse(refusedPlaintext)
	case encrypted == "" || !signed(q.Get("msg_signature"), a.cfg.Token, q.Get("timestamp"), q.Get("nonce"), encrypted):
		return "", refuse(refusedSignature)
	case errors.Is(err, errDTD):
		return "", refuse(refusedDTD)
	}
	return encrypted, nil
}

// decrypt undoes the encryption with the key that fits, the present one first, and notes it for the answer.
func (a *Adapter) decrypt(p *push, encrypted string) ([]byte, error) {
	if len(a.keys) == 0 {
		return nil, refuse(refusedNoKey)
	}
	why := refusedCipher
	for _, key := range a.keys {
		msg, tail, err := key.open(encrypted)
		if err != nil {
			continue
		}
		if tail != a.cfg.AppID {
			why = refusedAppID
			continue
		}
		p.key = key
		return msg, nil
	}
	return nil, refuse(why)
}

func (a *Adapter) signedQuery(q url.Values) bool {
	return signed(q.Get("signature"), a.cfg.Token, q.Get("timestamp"), q.Get("nonce"))
}

// freshTime is the timestamp of a request, and whether it is near enough to now: an old request may be somebody's recording.
func (a *Adapter) freshTime(q url.Values) (time.Time, bool) {
	t, ok := unixTime(q.Get("timestamp"))
	return t, ok && a.clk.Now().Sub(t).Abs() <= a.cfg.MaxSkew
}

// unixTime reads seconds since 1970. It refuses what lies beyond the year 9999, which no database or page could show.
func unixTime(s string) (time.Time, bool) {
	sec, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || sec <= 0 || sec > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(sec, 0).UTC(), true
}

// push is what an answer needs to know about the push that it answers.
type push struct {
	a                 *Adapter
	customer, account string // FromUserName and ToUserName of the push
	nonce             string
	inner, outer      format
	key               *cipherKey // that worked; nil when the push was plain
}
