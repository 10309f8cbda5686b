package sim

import (
	"time"
)

// App is one official account as its console shows it (wechat.md §7.1).
type App struct {
	AppID       string `json:"appid"`
	Secret      string `json:"secret"`
	OriginalID  string `json:"original_id"`
	Name        string `json:"name,omitempty"` // on the phone's title bar
	Token       string `json:"token"`
	AESKey      string `json:"aes_key"`
	WeChatID    string `json:"wechat_id"` // suffix of kf_account
	Mode        string `json:"mode"`      // plain | compatible | safe
	Format      string `json:"format"`    // xml | json
	CallbackURL string `json:"callback_url"`
	Profile     string `json:"profile"` // current | legacy: the outputs of 2014-2016 (wechat.md §0.5)
	SkipCheck   bool   `json:"skip_check,omitempty"`
}

const (
	modePlain, modeCompatible, modeSafe = "plain", "compatible", "safe"
	formatXML, formatJSON               = "xml", "json"
	profileCurrent, profileLegacy       = "current", "legacy"
)

// wechat is the platform's memory; the Simulator's mutex guards it.
type wechat struct {
	apps   []*wechatApp
	tokens map[string]*token
	media  map[string]*mediaFile
	msgID  int64
}

// firstMsgID starts the 64-bit numbers of messages in the range seen in published samples (wechat.md §7.4 vector G).
const firstMsgID = 24_000_000_000_000_000

// newWechat numbers messages on from the time, 1,000 a millisecond: a server that remembers what an earlier simulator sent must not
// take the new messages for repetitions.
func newWechat(now time.Time) wechat {
	return wechat{tokens: map[string]*token{}, media: map[string]*mediaFile{}, msgID: firstMsgID + now.UnixMilli()*1000}
}

func (wx *wechat) reset(apps bool) {
	if apps {
		*wx = wechat{tokens: map[string]*token{}, media: map[string]*mediaFile{}, msgID: wx.msgID} // ids never come twice
		return
	}
	kept := map[string]*mediaFile{}
	for _, a := range wx.apps {
		a.users, a.order, a.pushed, a.pushedOrder, a.held = map[string]*user{}, nil, map[int64]*push{}, nil, nil
		a.failed, a.pausedUntil = 0, time.Time{}
		for _, account := range a.accounts {
			if m := wx.media[account.headImage]; m != nil {
				kept[account.headImage] = m
			}
		}
	}
	wx.media = kept
}

// wechatApp is one official account with all that happens in it.
type wechatApp struct {
	App
	users       map[string]*user
	order       []*user
	book        tokenBook
	accounts    []*kfAccount
	nextKfID    int
	pushed      map[int64]*push // by MsgId, so that an act may repeat one
	pushedOrder []int64
	held        *push     // waits for the next push (fault reorder)
	failed      int       // pushes that failed in a row (MarkFail)
	pausedUntil time.Time // MarkFail
}

// find is the app with the id, or the first one when the id is empty; nil when there is none.
func (wx *wechat) find(appid string) *wechatApp {
	for _, a := range wx.apps {
		if appid == "" || a.AppID == appid {
			return a
		}
	}
	return nil
}

// relation says whether a customer follows. Someone new who writes is taken for a follower of old.
type relation string

const (
	relationNew       relation = "new"
	relationFollowing relation = "following"
	relationLeft      relation = "left"
)

// user is one customer of one app.
type user struct {
	openid, name string
	relation     relation
	ledger       ledger
	lastTalk     time.Time // a message in either direction (typing, wechat.md §6)
	typingUntil  time.Time
	entries      []*entry
}

func (u *user) typing(now time.Time) bool { return now.Before(u.typingUntil) }

// entry is one line on the customer's phone.
type entry struct {
	ID      int64          `json:"id"`
	At      time.Time      `json:"at"`
	Me      bool           `json:"me"`              // by the customer
	Note    bool           `json:"note,omitempty"`  // a grey line: follow, scan, menu, or a notice of the platform
	Passive bool           `json:"passive"`         // came as the answer to a push
	MsgType string         `json:"msgtype"`         // of the message; event for the customer's other acts; notice from the platform
	Account string         `json:"kf_account"`      // the face, empty for the account itself
	Nick    string         `json:"nick,omitempty"`  // the face's name when it came
	Face    string         `json:"face,omitempty"`  // the face's picture
	Text    string         `json:"text,omitempty"`  // of the customer's own lines and of notes
	Media   string         `json:"media,omitempty"` // address of a file
	State   string         `json:"state,omitempty"` // of the customer's own lines: what became of the push
	Body    map[string]any `json:"body,omitempty"`  // as it was sent, or for a passive reply in the same form
	AI      bool           `json:"ai,omitempty"`    // aimsgcontext (wechat.md §5.2)
}

// entriesKept bounds one phone's memory.
const entriesKept = 2000

func (s *Simulator) show(u *user, e *entry) {
	s.version++
	e.ID, e.At = s.version, s.clock.Now()
	u.entries = append(u.entries, e)
	if len(u.entries) > entriesKept {
		u.entries = append([]*entry(nil), u.entries[len(u.entries)-entriesKept/2:]...)
	}
}
