package sim

import (
	"strings"
)

// take reads the server's answer to a push: success and empty mean taken, a valid reply goes to the phone, anything else is invalid
// (wechat.md §7.7). It returns the outcome, the reply after decryption, and a note for the log.
func (s *Simulator) take(p *push, b []byte, note string) (outcome, plain, remark string) {
	if t := strings.TrimSpace(string(b)); t == "" || t == "success" {
		return outcomeTaken, "", note
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, opened, bad := s.open(p, b)
	if opened != nil {
		plain = string(opened)
	}
	if bad == "" {
		bad = s.receive(p, answer)
	}
	if bad != "" {
		return outcomeInvalid, plain, join(note, "invalid answer: "+bad)
	}
	if answer.MsgType == "transfer_customer_service" {
		return outcomeTaken, plain, join(note, "transfer_customer_service: hosted sessions are not simulated yet")
	}
	return outcomePassive, plain, note
}

func join(note, more string) string {
	if note == "" {
		return more
	}
	return note + "; " + more
}

// open verifies and decrypts an answer where the mode wants it: safe must be encrypted, compatible may be, plain must not (§7.4).
// opened is the decrypted text, nil for a plain answer.
func (s *Simulator) open(p *push, b []byte) (answer passiveAnswer, opened []byte, bad string) {
	app := p.app
	var sealed sealedAnswer
	if !read(app.Format, b, &sealed) {
		return answer, nil, "neither success nor a reply in the app's format"
	}
	switch {
	case sealed.Encrypt == "" && app.Mode == modeSafe:
		return answer, nil, "safe mode wants an encrypted reply"
	case sealed.Encrypt != "" && app.Mode == modePlain:
		return answer, nil, "plain mode wants a plain reply"
	case sealed.Encrypt != "":
		if sealed.MsgSignature != sign(app.Token, sealed.TimeStamp.String(), sealed.Nonce, sealed.Encrypt) {
			return answer, nil, "wrong MsgSignature"
		}
		msg, tail, err := decrypt(app.AESKey, sealed.Encrypt)
		if err != nil {
			return answer, nil, err.Error()
		}
		if tail != app.AppID {
			return answer, msg, "the appid at the end is another one"
		}
		b, opened = msg, msg
	}
	if !read(app.Format, b, &answer) {
		return answer, opened, "the reply cannot be read"
	}
	return answer, opened, ""
}

// receive checks a reply and puts it on the phone; it says what is wrong, or nothing.
func (s *Simulator) receive(p *push, a passiveAnswer) (bad string) {
	switch {
	case a.ToUserName != p.user.openid || a.FromUserName != p.app.OriginalID:
		return "ToUserName and FromUserName must be swapped"
	case a.CreateTime == "":
		return "CreateTime is missing"
	case a.MsgType == "transfer_customer_service":
		return ""
	}
	body, bad := s.replyBody(p, a)
	if bad != "" {
		return bad
	}
	if p.user.relation == relationLeft {
		return "" // nobody there to read it
	}
	if s.switches.PassiveCounts {
		left, code := p.user.ledger.spend(s.clock.Now())
		p.user.ledger = left
		if code != 0 {
			return ""
		}
	}
	body["touser"], body["msgtype"] = p.user.openid, a.MsgType
	s.deliver(p.user, &entry{MsgType: a.MsgType, Passive: true, Body: body}, s.clock.Now())
	return ""
}

// replyBody turns a reply into the form of custom/send, so that a reader of the phone sees one form (wechat.md §7.7).
func (s *Simulator) replyBody(p *push, a passiveAnswer) (body map[string]any, bad string) {
	media := func(id, kind string) string {
		if s.liveMedia(p.app, id, kind) != 0 {
			return "unknown MediaId"
		}
		return ""
	}
	part := map[string]any{}
	switch a.MsgType {
	case "text":
		switch {
		case a.Content == "":
			bad = "Content is empty"
		case len(a.Content) > s.switches.PassiveTextLimit:
			bad = "Content is too long" // §14b
		}
		part["content"] = a.Content
	case "image":
		bad = media(a.Image.MediaId, "image")
		part["media_id"] = a.Image.MediaId
	case "voice":
		bad = media(a.Voice.MediaId, "voice")
		part["media_id"] = a.Voice.MediaId
	case "video":
		bad = media(a.Video.MediaId, "video")
		part["media_id"], part["title"], part["description"] = a.Video.MediaId, a.Video.Title, a.Video.Description
	case "music":
		if a.Music.ThumbMediaId == "" {
			bad = "ThumbMediaId is required"
		}
		part["title"], part["description"], part["musicurl"] = a.Music.Title, a.Music.Description, a.Music.MusicUrl
		part["hqmusicurl"], part["thumb_media_id"] = a.Music.HQMusicUrl, a.Music.ThumbMediaId
	case "news":
		part["articles"], bad = articles(p, a)
	default:
		bad = "unknown MsgType"
	}
	return map[string]any{a.MsgType: part}, bad
}

// articles: one when answering a message, up to eight otherwise; more are dropped (wechat.md §7.7).
func articles(p *push, a passiveAnswer) (list []any, bad string) {
	limit := 8
	if p.count1 {
		limit = 1
	}
	for i, item := range a.Articles.Items {
		if i == limit {
			break
		}
		list = append(list, map[string]any{"title": item.Title, "description": item.Description, "picurl": item.PicUrl, "url": item.Url})
	}
	if len(list) == 0 {
		return nil, "Articles are empty"
	}
	return list, ""
}
