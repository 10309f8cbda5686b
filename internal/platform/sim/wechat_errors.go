package sim

import "fmt"

// errmsgs are the short texts of the codes this simulator answers (wechat.md §1.3, §1.4, §2.5, §5.6, §12).
var errmsgs = map[int]string{
	-1:    "system error",
	0:     "ok",
	40001: "invalid credential, access_token is invalid or not latest",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40004: "invalid media type",
	40005: "invalid file type",
	40006: "invalid media size",
	40007: "invalid media_id",
	40008: "invalid message type",
	40009: "invalid image size",
	40010: "invalid voice size",
	40011: "invalid video size",
	40012: "invalid thumb size",
	40013: "invalid appid",
	40014: "invalid access_token",
	40033: "invalid charset",
	40066: "invalid url",
	40101: "missing parameter",
	40125: "invalid appsecret",
	40164: "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
	40200: "invalid account type",
	40243: "appsecret is frozen",
	41001: "access_token missing",
	41002: "appid missing",
	41004: "appsecret missing",
	41005: "media data missing",
	41006: "missing media_id",
	42001: "access_token expired",
	43001: "require GET method",
	43002: "require POST method",
	43003: "require https",
	43004: "require subscribe",
	43019: "require remove blacklist",
	44001: "empty media data",
	44002: "empty post data",
	44004: "empty content",
	45001: "media size out of limit",
	45002: "content size out of limit",
	45007: "playtime out of limit",
	45008: "article size out of limit",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	45015: "response out of time limit or subscription is canceled",
	45047: "out of response count limit",
	45050: "custom msg use invalid type",
	45072: "invalid command",
	45080: "need sending message to user, or recving message from user in the last 30 seconds before typing",
	45081: "you are already typing",
	45098: "msgmenu list size is out of limit",
	45162: "invalid type",
	47001: "data format error",
	48001: "api unauthorized",
	48002: "user refused messages",
	48004: "api forbidden for irregularities, view detail on mp.weixin.qq.com",
	48006: "forbid to clear quota because of reaching the limit",
	50002: "user limited",
	50004: "token interface forbidden",
	50007: "account is frozen",
	61450: "system error",
	61451: "invalid parameter",
	61452: "invalid kf_account",
	61453: "kf_account exsited", //nolint:misspell // as the platform spells it
	61454: "invalid kf_acount length",
	61455: "illegal character in kf_account",
	61456: "kf_account count exceeded",
	61457: "invalid file type",
	65400: "please enable new custom service, or wait for a while if you have enabled",
	65401: "invalid custom service account",
	65402: "the custom service account need to bind a wechat user",
	65403: "illegal nickname",
	65404: "illegal custom service account",
	65405: "custom service account number reach limit",
	65406: "custom service account exists",
	65407: "the wechat user have been one of your workers",
	65408: "you have already invited the wechat user",
	65409: "wechat account invalid",
	65410: "too many custom service accounts bound by the worker",
	65411: "a effective invitation to bind the custom service account exists",
	65412: "the custom service account have been bound by a wechat user",
	65413: "no effective session for the customer",
	65414: "another worker is serving the customer",
	65415: "the worker is not online",
	65416: "param invalid, please check",
	65417: "it is too long from the starttime to endtime",
	70000: "message refused to protect minors",
}

// staleToken is the live text of 40001 on business calls (wechat.md §1.4).
const staleToken = "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, " +
	"more details at https://mmbizurl.cn/s/JtxxFh33r"

// errmsg is the text of a code as the platform sends it, with its tail (wechat.md §0.2). The caller holds s.mu.
func (s *Simulator) errmsg(code int, text string) string {
	if text == "" {
		text = errmsgs[code]
	}
	if text == "" {
		text = "error"
	}
	if code == 0 {
		return text
	}
	if tail := s.switches.ErrorTail; tail == "hint" || tail == "both" {
		text += " hint: [" + s.pick(16, alnum) + "]"
	}
	if tail := s.switches.ErrorTail; tail == "rid" || tail == "both" {
		text += " rid: " + s.rid()
	}
	return text
}

// rid names a request; group 1 is the unix time in hexadecimal (wechat.md §0.2).
func (s *Simulator) rid() string {
	random := s.random(8)
	return fmt.Sprintf("%08x-%x-%x", s.clock.Now().Unix(), random[:4], random[4:])
}
