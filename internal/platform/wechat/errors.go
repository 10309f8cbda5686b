package wechat

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"

	"kefu/internal/platform"
)

// purpose is what a call is for; the same errcode means different things to different calls.
type purpose int

const (
	forToken     purpose = 1 << iota // get an access token
	forSend                          // send in the channel's own name
	forFacedSend                     // send with a customer-service account as the face
	forAccounts                      // read or change customer-service accounts

	sends    = forSend | forFacedSend
	business = sends | forAccounts
	anyCall  = forToken | business
)

// classes says what an errcode means: the first row that fits. What is in no row is platform.Failed.
var classes = []struct {
	from, to int
	on       purpose
	class    platform.Class
}{
	{40001, 40001, forToken, platform.Rights},       // a wrong AppSecret, not a dead token: wechat.md §1.3
	{-1, -1, forToken, platform.Busy},               // nothing was sent yet, retry with back-off: §1.3
	{-1, -1, anyCall, platform.BusyOnce},            // §5.6, §11.8
	{40001, 40001, business, platform.Refresh},      // §1.4
	{40014, 40014, business, platform.Refresh},      // §1.4
	{42001, 42001, business, platform.Refresh},      // §1.4
	{45011, 45011, anyCall, platform.Busy},          // a minute's quota: §1.3, §5.6
	{45009, 45009, anyCall, platform.Quota},         // the day's quota: §1.3, §9
	{45015, 45015, sends, platform.Window},          // no window, or not following: §5.6
	{45047, 45047, sends, platform.Window},          // the allowance is used up: §5.6
	{65400, 65402, forFacedSend, platform.FaceGone}, // §5.6, §2.1
	{65404, 65404, forFacedSend, platform.FaceGone}, // §2.1
	{61452, 61452, forFacedSend, platform.FaceGone}, // the old spelling of 65401: §5.6
	{65400, 65417, anyCall, platform.Rights},        // §2.1, §2.5, §12
	{61452, 61452, anyCall, platform.Rights},        // §2.1
	{40003, 40003, sends, platform.Customer},        // invalid openid: §5.6
	{43004, 43004, sends, platform.Customer},        // not a follower: §5.6
	{43019, 43019, sends, platform.Customer},        // on the blacklist: §5.6
	{48002, 48002, sends, platform.Customer},        // refuses messages: §5.6
	{50002, 50002, sends, platform.Customer},        // frozen: §5.6
	{70000, 70000, sends, platform.Customer},        // minors: §5.6
	{40007, 40008, sends, platform.BadContent},      // media_id, message type: §5.6
	{40033, 40033, sends, platform.BadContent},      // \u escapes: §5.4
	{44002, 44004, sends, platform.BadContent},      // empty: §5.5, §5.6
	{45002, 45002, sends, platform.BadContent},      // too long: §5.5
	{45008, 45008, sends, platform.BadContent},      // more than one article: §5.6
	{45050, 45050, sends, platform.BadContent},      // §5.6
	{45098, 45098, sends, platform.BadContent},      // msgmenu too long: §14b
	{45162, 45162, sends, platform.BadContent},      // wrong JSON shape: §5.6
	{47001, 47001, sends, platform.BadContent},      // bad JSON: §5.6
	{40013, 40013, anyCall, platform.Rights},        // invalid appid: §1.3, §5.6
	{40125, 40125, anyCall, platform.Rights},        // invalid appsecret: §1.3
	{40164, 40164, anyCall, platform.Rights},        // address not in the whitelist: §1.3
	{40200, 40200, anyCall, platform.Rights},        // invalid account type: §6, §14b
	{40243, 40243, anyCall, platform.Rights},        // AppSecret frozen: §1.3
	{48001, 48001, anyCall, platform.Rights},        // api unauthorized: §5.6
	{48004, 48004, anyCall, platform.Rights},        // banned: §5.6
	{40002, 40002, forToken, platform.Rights},       // invalid grant_type: §1.3
	{41002, 41004, forToken, platform.Rights},       // appid or secret missing: §1.3
	{43002, 43002, forToken, platform.Rights},       // GET where POST is due, as behind a broken proxy: §1.3
	{50004, 50007, forToken, platform.Rights},       // token interface forbidden, account frozen: §1.3
	{89501, 89507, forToken, platform.Rights},       // address waits for the administrator, or was refused: §1.3
}

func classOf(code int, on purpose) platform.Class {
	for _, row := range classes {
		if row.from <= code && code <= row.to && row.on&on != 0 {
			return row.class
		}
	}
	return platform.Failed
}

const maxErrorBytes = 300

// failure makes the seam's error. Neither its text nor its cause shows one of the secrets.
func failure(class platform.Class, code int, text string, cause error, secrets ...string) *platform.Error {
	e := &platform.Error{Class: class, Code: code, Text: scrub(text, secrets)}
	if cause != nil {
		e.Err = &quiet{text: scrub(cause.Error(), secrets), cause: cause}
	}
	return e
}

// quiet is a cause that can be recognised by errors.Is but not reached, so that no log shows more of it than its scrubbed text.
type quiet struct {
	text  string
	cause error
}

func (q *quiet) Error() string        { return q.text }
func (q *quiet) Is(target error) bool { return errors.Is(q.cause, target) }

// scrub makes a foreign text fit for a log: without secrets, valid, short.
func scrub(text string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.NewReplacer(s, "***", url.QueryEscape(s), "***", url.PathEscape(s), "***").Replace(text)
		}
	}
	text = clean(text)
	if len(text) > maxErrorBytes {
		cut := maxErrorBytes
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return text
}

// withoutURL unpacks *url.Error: it prints the address, and the address carries the access token (wechat.md §11.22).
func withoutURL(err error) error {
	for {
		u, ok := errors.AsType[*url.Error](err)
		if !ok || u.Err == nil {
			return err
		}
		err = u.Err
	}
}
