package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// kfAccount is a customer-service account: added, invited, accepted, online (wechat.md §2).
type kfAccount struct {
	account, nick, id string
	headImage         string // media id
	boundTo           string // kf_wx
	invited           string // invite_wx
	inviteExpires     time.Time
	rejected          bool
	online            bool
}

// Limits of §0.5 and §2.
const (
	accountsMax       = 100
	accountsMaxLegacy = 10
	nickMax           = 16 // characters
	servesMax         = 5  // official accounts one person may serve, 65410
	avatarMax         = 5 << 20
	firstKfID         = 1001
)

var (
	kfPrefix = regexp.MustCompile(`^[A-Za-z0-9_]{1,10}$`)
	wechatID = regexp.MustCompile(`^[A-Za-z0-9_-]{5,30}$`) // the exact rule of 65409 is not published
)

// inviteStatus is waiting, expired or rejected; empty when nobody was invited (§2.6).
func (k *kfAccount) inviteStatus(now time.Time) string {
	switch {
	case k.invited == "" || k.boundTo != "":
		return ""
	case k.rejected:
		return "rejected"
	case !now.Before(k.inviteExpires):
		return "expired"
	}
	return "waiting"
}

func (a *wechatApp) account(name string) *kfAccount {
	for _, k := range a.accounts {
		if k.account == name {
			return k
		}
	}
	return nil
}

// accountForm is the body of the account calls. A password of the first generation is accepted and ignored (§0.5).
type accountForm struct {
	Account string `json:"kf_account"`
	Nick    string `json:"nickname"`
	Invite  string `json:"invite_wx"`
}

// readAccount reads the form and, for all but add, finds the account: 65400 feature off, 65401 unknown.
func (s *Simulator) readAccount(c *apiCall) (form accountForm, k *kfAccount, code int) {
	if s.switches.CustomerServiceOff {
		return form, nil, 65400
	}
	body, code := s.readJSON(c)
	if code != 0 {
		return form, nil, code
	}
	if json.Unmarshal(body, &form) != nil {
		return form, nil, 47001
	}
	c.about = form.Account
	if k = c.app.account(form.Account); k == nil {
		return form, nil, 65401
	}
	return form, k, 0
}

// accountAdd is §2.1.
func (s *Simulator) accountAdd(c *apiCall) reply {
	form, k, code := s.readAccount(c)
	switch {
	case code == 0 && k != nil:
		return reply{code: c.app.legacyCode(65406, 61453)}
	case code != 65401:
		return reply{code: code}
	}
	limit := accountsMax
	if c.app.Profile == profileLegacy {
		limit = accountsMaxLegacy
	}
	prefix, suffix, _ := strings.Cut(form.Account, "@")
	switch {
	case c.app.WeChatID == "" || !kfPrefix.MatchString(prefix) || (suffix != c.app.WeChatID && suffix != c.app.OriginalID):
		return reply{code: c.app.legacyCode(65404, 61452)}
	case !goodNick(form.Nick):
		return reply{code: c.app.legacyCode(65403, 61451)}
	case len(c.app.accounts) >= limit:
		return reply{code: c.app.legacyCode(65405, 61456)}
	}
	s.addAccount(c.app, form.Account, form.Nick)
	return reply{}
}

func (s *Simulator) addAccount(a *wechatApp, account, nick string) *kfAccount {
	k := &kfAccount{account: account, nick: nick, id: strconv.Itoa(firstKfID + a.nextKfID)}
	a.nextKfID++
	a.accounts = append(a.accounts, k)
	s.version++
	return k
}

func goodNick(nick string) bool {
	return strings.TrimSpace(nick) != "" && utf8.RuneCountInString(nick) <= nickMax
}

// legacyCode picks the error family of the app's generation (§0.5).
func (a *wechatApp) legacyCode(current, legacy int) int {
	if a.Profile == profileLegacy {
		return legacy
	}
	return current
}

// accountUpdate is §2.2. An empty nickname leaves it unchanged, as one SDK relies on.
func (s *Simulator) accountUpdate(c *apiCall) reply {
	form, k, code := s.readAccount(c)
	switch {
	case code != 0:
		return reply{code: code}
	case form.Nick == "":
		return reply{}
	case !goodNick(form.Nick):
		return reply{code: 65403}
	}
	k.nick = form.Nick
	s.version++
	return reply{}
}

// accountDelete is §2.3: any method, the account from the body else from the query, unless strict_del.
func (s *Simulator) accountDelete(c *apiCall) reply {
	if s.switches.CustomerServiceOff {
		return reply{code: 65400}
	}
	if s.switches.StrictDel && c.r.Method != http.MethodPost {
		return reply{code: 43002}
	}
	var form accountForm
	if body, code := s.readJSON(c); code == 0 && json.Unmarshal(body, &form) != nil {
		return reply{code: 47001}
	}
	if form.Account == "" && !s.switches.StrictDel {
		form.Account = rawParam(c.r.URL.RawQuery, "kf_account") // raw and escaped @
	}
	c.about = form.Account
	k := c.app.account(form.Account)
	if k == nil {
		return reply{code: 65401}
	}
	c.app.accounts = slices.DeleteFunc(c.app.accounts, func(one *kfAccount) bool { return one == k })
	s.version++
	return reply{}
}

// accountInvite is §2.5.
func (s *Simulator) accountInvite(c *apiCall) reply {
	form, k, code := s.readAccount(c)
	if code != 0 {
		return reply{code: code}
	}
	status := k.inviteStatus(c.now)
	switch {
	case !wechatID.MatchString(form.Invite):
		code = 65409
	case k.boundTo != "":
		code = 65412
	case status == "waiting" && k.invited == form.Invite:
		code = 65408
	case status == "waiting":
		code = 65411
	case slices.ContainsFunc(c.app.accounts, func(one *kfAccount) bool { return one.boundTo == form.Invite }):
		code = 65407
	case s.serves(form.Invite) >= servesMax:
		code = 65410
	}
	if code != 0 {
		return reply{code: code}
	}
	k.invited, k.inviteExpires, k.rejected = form.Invite, c.now.Add(time.Duration(s.switches.InviteLife)), false
	s.version++
	return reply{}
}

// serves counts the official accounts a person is bound in.
func (s *Simulator) serves(person string) int {
	n := 0
	for _, a := range s.wechat.apps {
		if slices.ContainsFunc(a.accounts, func(k *kfAccount) bool { return k.boundTo == person }) {
			n++
		}
	}
	return n
}

// accountAvatar is §2.4: multipart field media ("file" worked once as well), jpg, 5 MB, kf_account in the query.
func (s *Simulator) accountAvatar(c *apiCall) reply {
	if s.switches.CustomerServiceOff {
		return reply{code: 65400}
	}
	k := c.app.account(rawParam(c.r.URL.RawQuery, "kf_account"))
	if k == nil {
		return reply{code: 65401}
	}
	c.about = k.account
	content, code := formFile(c, "media", "file")
	switch {
	case code != 0 || contentType(content) != "image/jpeg":
		return reply{code: 40005}
	case len(content) > avatarMax:
		return reply{code: 40009}
	}
	delete(s.wechat.media, k.headImage)
	k.headImage = s.keep(c.app, "headimg", content, 0)
	s.version++
	return reply{}
}

// accountList is §2.6: kf_wx only when bound, the invite only when not bound and there is one; no errcode.
func (s *Simulator) accountList(c *apiCall) reply {
	if s.switches.CustomerServiceOff {
		return reply{code: 65400}
	}
	list := []map[string]any{}
	for _, k := range c.app.accounts {
		item := map[string]any{"kf_account": k.account, "kf_nick": k.nick, "kf_id": k.id, "kf_headimgurl": ""}
		if k.headImage != "" {
			item["kf_headimgurl"] = s.mediaURL(k.headImage)
		}
		if k.boundTo != "" {
			item["kf_wx"] = k.boundTo
		} else if status := k.inviteStatus(c.now); status != "" {
			item["invite_wx"], item["invite_expire_time"], item["invite_status"] = k.invited, k.inviteExpires.Unix(), status
		}
		list = append(list, item)
	}
	return reply{data: map[string]any{"kf_list": list}}
}

// onlineList is §2.7. The legacy profile adds auto_accept.
func (s *Simulator) onlineList(c *apiCall) reply {
	if s.switches.CustomerServiceOff {
		return reply{code: 65400}
	}
	list := []map[string]any{}
	for _, k := range c.app.accounts {
		if !k.online {
			continue
		}
		item := map[string]any{"kf_account": k.account, "status": 1, "kf_id": k.id, "accepted_case": 0}
		if c.app.Profile == profileLegacy {
			item["auto_accept"] = 0
		}
		list = append(list, item)
	}
	return reply{data: map[string]any{"kf_online_list": list}}
}

// accountAct is what a person does with an account outside the API: accept, reject, expire, online, offline.
func (k *kfAccount) act(do string, now time.Time) error {
	status := k.inviteStatus(now)
	switch {
	case do == "accept" && status == "waiting":
		k.boundTo = k.invited
	case do == "reject" && status == "waiting":
		k.rejected = true
	case do == "expire" && status == "waiting":
		k.inviteExpires = now
	case do == "online" && k.boundTo != "":
		k.online = true
	case do == "offline":
		k.online = false
	case do == "online":
		return fmt.Errorf("%s is bound to nobody: invite and accept first", k.account)
	case do == "accept" || do == "reject" || do == "expire":
		return fmt.Errorf("%s has no waiting invitation", k.account)
	default:
		return fmt.Errorf("do must be accept, reject, expire, online or offline, not %q", do)
	}
	return nil
}
