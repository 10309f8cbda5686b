package sim

import (
	"net/http"
	"strings"
)

// wechatEndpoints are the platform paths there are. The two families are not interchangeable: lists under /cgi-bin/customservice, the
// rest under /customservice (wechat.md §0.2).
var wechatEndpoints = map[string]endpoint{
	"/cgi-bin/token":        {open: true, handle: (*Simulator).plainToken},
	"/cgi-bin/stable_token": {method: http.MethodPost, open: true, handle: (*Simulator).stableToken},

	"/cgi-bin/message/custom/send":   {method: http.MethodPost, handle: (*Simulator).customSend},
	"/cgi-bin/message/custom/typing": {method: http.MethodPost, handle: (*Simulator).customTyping},

	"/cgi-bin/customservice/getkflist":       {method: http.MethodGet, handle: (*Simulator).accountList},
	"/cgi-bin/customservice/getonlinekflist": {method: http.MethodGet, handle: (*Simulator).onlineList},
	"/customservice/kfaccount/add":           {method: http.MethodPost, handle: (*Simulator).accountAdd},
	"/customservice/kfaccount/update":        {method: http.MethodPost, handle: (*Simulator).accountUpdate},
	"/customservice/kfaccount/del":           {handle: (*Simulator).accountDelete}, // any method, §2.3
	"/customservice/kfaccount/inviteworker":  {method: http.MethodPost, handle: (*Simulator).accountInvite},
	"/customservice/kfaccount/uploadheadimg": {method: http.MethodPost, handle: (*Simulator).accountAvatar},

	"/cgi-bin/media/upload": {method: http.MethodPost, handle: (*Simulator).mediaUpload},
	"/cgi-bin/media/get":    {method: http.MethodGet, handle: (*Simulator).mediaGet},
}

// notYet reports whether the platform has the path while this simulator does not: such a call answers 501 instead of pretending 40066.
func notYet(path string) bool {
	for _, begin := range []string{
		"/customservice/kfsession/", "/customservice/msgrecord/getmsglist", "/customservice/kfaccount/setadmin", "/customservice/kfaccount/canceladmin",
		"/cgi-bin/user/", "/cgi-bin/openapi/", "/cgi-bin/clear_quota", "/cgi-bin/getcallbackip", "/cgi-bin/get_api_domain_ip", "/cgi-bin/callback/check",
		"/cgi-bin/media/", "/cgi-bin/material/", "/cgi-bin/menu/", "/cgi-bin/qrcode/", "/cgi-bin/tags/",
	} {
		if strings.HasPrefix(path, begin) {
			return true
		}
	}
	return false
}
