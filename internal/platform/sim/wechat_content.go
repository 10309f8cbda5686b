package sim

import (
	"encoding/json"
	"time"
)

// checkContent checks the object that msgtype names (wechat.md §5.3, §5.5) and answers 0 or the errcode.
func (s *Simulator) checkContent(a *wechatApp, msgType string, raw json.RawMessage) int {
	check, known := contentChecks[msgType]
	if !known {
		return 40008
	}
	if len(raw) == 0 || string(raw) == "null" {
		if msgType == "text" {
			return 44004
		}
		return 40101
	}
	return check(s, a, raw)
}

var contentChecks = map[string]func(*Simulator, *wechatApp, json.RawMessage) int{
	"text":  checkText,
	"image": func(s *Simulator, a *wechatApp, raw json.RawMessage) int { return s.checkMedia(a, raw, "image") },
	"voice": func(s *Simulator, a *wechatApp, raw json.RawMessage) int { return s.checkMedia(a, raw, "voice") },
	"video": checkVideo,
	"music": checkMusic,
	"news":  checkNews,
	"mpnews": func(_ *Simulator, _ *wechatApp, raw json.RawMessage) int {
		return required(raw, "media_id") // permanent material: its ids are not kept here
	},
	"mpnewsarticle":   func(_ *Simulator, _ *wechatApp, raw json.RawMessage) int { return required(raw, "article_id") },
	"msgmenu":         checkMsgmenu,
	"wxcard":          func(_ *Simulator, _ *wechatApp, raw json.RawMessage) int { return required(raw, "card_id") },
	"miniprogrampage": checkMiniProgram,
	"link":            func(*Simulator, *wechatApp, json.RawMessage) int { return 45050 }, // mini-program accounts only
}

// checkText: empty 44004, too long 45002; the limit is common practice, not documented (§5.5).
func checkText(s *Simulator, _ *wechatApp, raw json.RawMessage) int {
	var text struct {
		Content string `json:"content"`
	}
	switch err := json.Unmarshal(raw, &text); {
	case err != nil:
		return 47001
	case text.Content == "":
		return 44004
	case len(text.Content) > s.switches.TextLimit:
		return 45002
	}
	return 0
}

// checkMedia wants a temporary file of the kind that is still alive (3 days, §8.1).
func (s *Simulator) checkMedia(a *wechatApp, raw json.RawMessage, kind string) int {
	id, code := text(raw, "media_id")
	switch {
	case code != 0:
		return code
	case id == "":
		return 41006
	}
	return s.liveMedia(a, id, kind)
}

func (s *Simulator) liveMedia(a *wechatApp, id string, kinds ...string) int {
	now := s.clock.Now()
	for _, kind := range kinds {
		if m := s.wechat.media[id]; m != nil && m.app == a && m.kind == kind && m.alive(now) {
			return 0
		}
	}
	return 40007
}

func checkVideo(s *Simulator, a *wechatApp, raw json.RawMessage) int {
	if code := s.checkMedia(a, raw, "video"); code != 0 {
		return code
	}
	return s.checkThumb(a, raw) // the new page requires it (§5.3)
}

func (s *Simulator) checkThumb(a *wechatApp, raw json.RawMessage) int {
	id, code := text(raw, "thumb_media_id")
	switch {
	case code != 0:
		return code
	case id == "":
		return 41006
	}
	return s.liveMedia(a, id, "thumb", "image")
}

func checkMusic(s *Simulator, a *wechatApp, raw json.RawMessage) int {
	if code := required(raw, "musicurl"); code != 0 {
		return code
	}
	return s.checkThumb(a, raw)
}

// checkNews: exactly one article; an object in place of the list is 45162 (§5.3).
func checkNews(_ *Simulator, _ *wechatApp, raw json.RawMessage) int {
	var news struct {
		Articles json.RawMessage `json:"articles"`
	}
	if json.Unmarshal(raw, &news) != nil {
		return 47001
	}
	var articles []struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		URL         string `json:"url"`
		PicURL      string `json:"picurl"`
	}
	if len(news.Articles) > 0 && json.Unmarshal(news.Articles, &articles) != nil {
		return 45162
	}
	switch len(articles) {
	case 0:
		return 44004
	case 1:
		return 0
	}
	return 45008
}

// checkMsgmenu: the list is required; ids and texts are strings (§5.3); too long 45098 (§14b).
func checkMsgmenu(s *Simulator, _ *wechatApp, raw json.RawMessage) int {
	var menu struct {
		Head string `json:"head_content"`
		List []struct {
			ID      string `json:"id"`
			Content string `json:"content"`
		} `json:"list"`
		Tail string `json:"tail_content"`
	}
	switch err := json.Unmarshal(raw, &menu); {
	case err != nil:
		return 47001
	case len(menu.List) == 0:
		return 40101
	case len(menu.List) > s.switches.MsgmenuMax:
		return 45098
	}
	for _, item := range menu.List {
		if item.ID == "" || item.Content == "" {
			return 40101
		}
	}
	return 0
}

func checkMiniProgram(s *Simulator, a *wechatApp, raw json.RawMessage) int {
	for _, name := range []string{"appid", "pagepath"} {
		if code := required(raw, name); code != 0 {
			return code
		}
	}
	return s.checkThumb(a, raw)
}

// required answers 40101 when the named text is absent or empty.
func required(raw json.RawMessage, name string) int {
	value, code := text(raw, name)
	if code == 0 && value == "" {
		return 40101
	}
	return code
}

// text reads one text of an object; 47001 when the shape is wrong.
func text(raw json.RawMessage, name string) (string, int) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return "", 47001
	}
	value, there := fields[name]
	if !there {
		return "", 0
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return "", 47001
	}
	return s, 0
}

// Typing rules (wechat.md §6).
const (
	typingAfterTalk = 30 * time.Second
	typingLasts     = 15 * time.Second
)

// customTyping is POST /cgi-bin/message/custom/typing. CancelTyping of nothing answers 0 (undocumented, §6).
func (s *Simulator) customTyping(c *apiCall) reply {
	body, code := s.readJSON(c)
	if code != 0 {
		return reply{code: code}
	}
	var form struct {
		ToUser  string `json:"touser"`
		Command string `json:"command"`
	}
	if json.Unmarshal(body, &form) != nil {
		return reply{code: 47001}
	}
	c.openid, c.about = form.ToUser, form.Command
	u := c.app.users[form.ToUser]
	switch {
	case form.Command != "Typing" && form.Command != "CancelTyping":
		return reply{code: 45072}
	case u == nil:
		return reply{code: 40003}
	case form.Command == "CancelTyping":
		u.typingUntil = time.Time{}
		s.version++
		return reply{}
	case u.relation == relationLeft:
		return reply{code: 45015}
	}
	if _, code := u.ledger.spend(c.now); code != 0 {
		return reply{code: code} // the conditions of a send must hold; nothing is spent
	}
	switch {
	case u.lastTalk.IsZero() || c.now.Sub(u.lastTalk) > typingAfterTalk:
		return reply{code: 45080}
	case u.typing(c.now):
		return reply{code: 45081}
	}
	u.typingUntil = c.now.Add(typingLasts)
	s.version++
	return reply{}
}
