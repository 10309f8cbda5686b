package sim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Act is something a customer does.
type Act struct {
	AppID  string `json:"appid"` // empty: the first app
	OpenID string `json:"openid"`
	Do     string `json:"do"`

	MsgID      flexInt `json:"msgid"`       // of an earlier message: the same push again; of a new one: its number
	CreateTime int64   `json:"create_time"` // unix seconds; 0: now. A repeated event keeps its CreateTime
	Async      bool    `json:"async"`       // answer before the push went out

	Text        string  `json:"text"`        // text; voice: what recognition hears; msgmenu: instead of the item's text
	File        string  `json:"file"`        // base64 or data URL; empty: a sample
	Lat         float64 `json:"lat"`         // location
	Lng         float64 `json:"lng"`         // location
	Scale       int     `json:"scale"`       // location
	Label       string  `json:"label"`       // location
	Title       string  `json:"title"`       // link
	Description string  `json:"description"` // link
	URL         string  `json:"url"`         // link; menu of type view
	Key         string  `json:"key"`         // menu
	Type        string  `json:"type"`        // menu: click (default), view, view_miniprogram, scancode_push, scancode_waitmsg, pic_…, location_select
	Result      string  `json:"result"`      // menu scancode_…: what the code said
	Scene       string  `json:"scene"`       // follow, scan
	ID          string  `json:"id"`          // msgmenu
}

// flexInt reads a number or a numeric string, as ids come in both forms.
type flexInt int64

// UnmarshalJSON accepts 7 and "7".
func (n *flexInt) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	if err != nil {
		return errors.New("msgid must be a whole number")
	}
	*n = flexInt(v)
	return nil
}

// unsupported is what reaches the account for kinds the platform does not hand on (wechat.md §14b).
const unsupported = "【收到不支持的消息类型，暂无法显示】"

// prepare turns an act into a push, with what it changes on the platform: following, grants, the phone. A nil push with a nil error
// is an act that the callback URL never hears of.
func (s *Simulator) prepare(a *wechatApp, u *user, act Act) (*push, error) {
	if old := a.pushed[int64(act.MsgID)]; act.MsgID != 0 && old != nil {
		return old, nil // the same message again: nothing is granted twice
	}
	if u.relation == relationLeft && act.Do != "follow" && act.Do != "scan" {
		return nil, fmt.Errorf("%s has unfollowed: follow first", u.openid)
	}
	do, known := customerActs[act.Do]
	if !known {
		return nil, fmt.Errorf("unknown do %q", act.Do)
	}
	p := &push{app: a, user: u, created: act.CreateTime}
	if p.created == 0 {
		p.created = s.clock.Now().Unix()
	}
	line := &entry{Me: true, MsgType: act.Do, Text: act.Text}
	fields, err := do(s, p, act, line)
	if err != nil {
		return nil, err
	}
	if u.relation == relationNew && act.Do != "pay" && act.Do != "complaint" {
		u.relation = relationFollowing // someone who writes without having followed is a follower of old
	}
	s.show(u, line)
	if fields == nil {
		return nil, nil
	}
	p.shown, line.State = line, "sending"
	p.fields = append([]field{
		textField("ToUserName", a.OriginalID), textField("FromUserName", u.openid), numberField("CreateTime", strconv.FormatInt(p.created, 10)),
	}, fields...)
	if p.message {
		s.number(p, int64(act.MsgID))
	}
	return p, nil
}

// pushedKept bounds how many messages an act can repeat.
const pushedKept = 5000

// number gives a message its MsgId, last in the body but for bizmsgmenuid (wechat.md §7.5).
func (s *Simulator) number(p *push, id int64) {
	if id == 0 {
		s.wechat.msgID++
		id = s.wechat.msgID
	}
	p.id = id
	p.user.lastTalk = s.clock.Now()
	at := len(p.fields)
	if p.fields[at-1].name == "bizmsgmenuid" {
		at--
	}
	numbered := append([]field{}, p.fields[:at]...)
	p.fields = append(append(numbered, numberField("MsgId", strconv.FormatInt(id, 10))), p.fields[at:]...)
	a := p.app
	a.pushed[id] = p
	if a.pushedOrder = append(a.pushedOrder, id); len(a.pushedOrder) > pushedKept {
		delete(a.pushed, a.pushedOrder[0])
		a.pushedOrder = a.pushedOrder[1:]
	}
}

// customerActs make the elements of each push (wechat.md §7.5, §7.6).
var customerActs = map[string]func(*Simulator, *push, Act, *entry) ([]field, error){
	"text": actText, "image": actImage, "voice": actVoice, "video": actVideo, "shortvideo": actVideo, "location": actLocation,
	"link": actLink, "sticker": actUnsupported, "file": actUnsupported, "redpacket": actUnsupported, "msgmenu": actMsgmenu,
	"follow": actFollow, "unfollow": actUnfollow, "scan": actScan, "menu": actMenu, "view": actMenu, "position": actPosition,
	"pay": actSilent, "complaint": actSilent,
}

// said marks a push as a message and opens the message window (wechat.md §5.1).
func (s *Simulator) said(p *push, kind string) field {
	p.message, p.count1, p.about = true, true, kind
	s.grant(p.app, p.user, sceneMessage, s.clock.Now())
	return textField("MsgType", kind)
}

// happened marks a push as an event.
func happened(p *push, event string) []field {
	p.about = "event " + event
	return []field{textField("MsgType", "event"), textField("Event", event)}
}

func actText(s *Simulator, p *push, act Act, _ *entry) ([]field, error) {
	if act.Text == "" {
		return nil, errors.New("text is empty")
	}
	return []field{s.said(p, "text"), textField("Content", act.Text)}, nil
}

func actUnsupported(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	line.Text = map[string]string{"sticker": "[表情]", "file": "[文件]", "redpacket": "[红包]"}[act.Do]
	return []field{s.said(p, "text"), textField("Content", unsupported)}, nil
}

// upload stores what the customer sends, or a sample.
func (s *Simulator) upload(a *wechatApp, file, kind string) (string, error) {
	content := sample(kind)
	if file != "" {
		if strings.HasPrefix(file, "data:") {
			_, file, _ = strings.Cut(file, ",")
		}
		var err error
		if content, err = base64.StdEncoding.DecodeString(file); err != nil || len(content) == 0 {
			return "", errors.New("file must be base64 or a data URL")
		}
	}
	return s.keep(a, kind, content, mediaLife), nil
}

func actImage(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	id, err := s.upload(p.app, act.File, "image")
	if err != nil {
		return nil, err
	}
	line.Media = "/_sim/media/" + id
	return []field{s.said(p, "image"), textField("PicUrl", s.mediaURL(id)), textField("MediaId", id)}, nil
}

func actVoice(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	id, err := s.upload(p.app, act.File, "voice")
	if err != nil {
		return nil, err
	}
	line.Media = "/_sim/media/" + id
	fields := []field{s.said(p, "voice"), textField("MediaId", id), textField("Format", "amr"), textField("MediaId16K", id)}
	if s.switches.VoiceRecognition || act.Text != "" {
		fields = append(fields, textField("Recognition", act.Text))
	}
	return fields, nil
}

func actVideo(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	id, err := s.upload(p.app, act.File, "video")
	if err != nil {
		return nil, err
	}
	thumb := s.keep(p.app, "thumb", sample("thumb"), mediaLife)
	line.Media = "/_sim/media/" + thumb
	return []field{s.said(p, act.Do), textField("MediaId", id), textField("ThumbMediaId", thumb)}, nil
}

func actLocation(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	if act.Scale == 0 {
		act.Scale = 16
	}
	line.Text = act.Label
	return []field{
		s.said(p, "location"), numberField("Location_X", decimal(act.Lat)), numberField("Location_Y", decimal(act.Lng)),
		numberField("Scale", strconv.Itoa(act.Scale)), textField("Label", act.Label),
	}, nil
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 6, 64) }

func actLink(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	if act.URL == "" {
		return nil, errors.New("url is missing")
	}
	line.Text, line.Body = act.Title, map[string]any{"url": act.URL, "description": act.Description}
	return []field{s.said(p, "link"), textField("Title", act.Title), textField("Description", act.Description), textField("Url", act.URL)}, nil
}

// actMsgmenu is a click on an item of a menu message: a text message with bizmsgmenuid, but of the menu scene (wechat.md §5.1, §14b).
func actMsgmenu(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	content := act.Text
	if content == "" {
		content = s.menuItem(p.user, act.ID)
	}
	if act.ID == "" || content == "" {
		return nil, fmt.Errorf("no menu message with the item %q has arrived; name its text to click anyway", act.ID)
	}
	p.message, p.count1, p.about = true, true, "text (msgmenu)"
	if scene := s.switches.MsgmenuGrant; scene != "none" {
		s.grant(p.app, p.user, scene, s.clock.Now())
	}
	line.Text = content
	return []field{textField("MsgType", "text"), textField("Content", content), textField("bizmsgmenuid", act.ID)}, nil
}

// inlineItem is a link inside a text that acts like a menu item (wechat.md §14b, switch inline_menu).
var inlineItem = regexp.MustCompile(`weixin://bizmsgmenu\?([^"'\s>]+)`)

// menuItem finds the text of the newest menu item with the id.
func (s *Simulator) menuItem(u *user, id string) string {
	for i := len(u.entries) - 1; i >= 0; i-- {
		e := u.entries[i]
		if menu, ok := e.Body["msgmenu"].(map[string]any); ok {
			list, _ := menu["list"].([]any)
			for _, item := range list {
				if item, ok := item.(map[string]any); ok && item["id"] == id {
					content, _ := item["content"].(string)
					return content
				}
			}
		}
		if t, ok := e.Body["text"].(map[string]any); ok && s.switches.InlineMenu {
			content, _ := t["content"].(string)
			for _, m := range inlineItem.FindAllStringSubmatch(content, -1) {
				if q, err := url.ParseQuery(strings.ReplaceAll(m[1], "&amp;", "&")); err == nil && q.Get("msgmenuid") == id {
					return q.Get("msgmenucontent")
				}
			}
		}
	}
	return ""
}

// actFollow: a scan that leads to following carries the scene with a prefix (wechat.md §7.6). Both grants are the same size (§5.1).
func actFollow(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	p.user.relation = relationFollowing
	s.grant(p.app, p.user, sceneFollow, s.clock.Now())
	line.Note, line.Text = true, "关注了服务号"
	fields := happened(p, "subscribe")
	if act.Scene == "" {
		return append(fields, textField("EventKey", "")), nil
	}
	line.Text = "扫码关注了服务号（" + act.Scene + "）"
	return append(fields, textField("EventKey", "qrscene_"+act.Scene), textField("Ticket", s.pick(96, urlSafe))), nil
}

func actUnfollow(s *Simulator, p *push, _ Act, line *entry) ([]field, error) {
	p.user.relation, p.user.ledger, p.user.typingUntil = relationLeft, nil, time.Time{}
	s.version++
	line.Note, line.Text = true, "取消了关注"
	return happened(p, "unsubscribe"), nil
}

// actScan is SCAN for a follower, else following by the code (wechat.md §7.6).
func actScan(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	if act.Scene == "" {
		return nil, errors.New("scene is missing")
	}
	if p.user.relation != relationFollowing {
		return actFollow(s, p, act, line)
	}
	s.grant(p.app, p.user, sceneScan, s.clock.Now())
	line.Note, line.Text = true, "扫码进入（"+act.Scene+"）"
	return append(happened(p, "SCAN"), textField("EventKey", act.Scene), textField("Ticket", s.pick(96, urlSafe))), nil
}

// actPosition is the LOCATION event: where the phone is, not a message, and no grant.
func actPosition(_ *Simulator, p *push, act Act, line *entry) ([]field, error) {
	line.Note, line.Text = true, "上报了地理位置"
	return append(happened(p, "LOCATION"),
		numberField("Latitude", decimal(act.Lat)), numberField("Longitude", decimal(act.Lng)), numberField("Precision", "119.385040")), nil
}

// actSilent is a payment or a rights complaint: they open windows (§5.1), but nothing of them reaches the callback URL.
func actSilent(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	scene, words := scenePay, "支付成功"
	if act.Do == "complaint" {
		scene, words = sceneComplaint, "提交了用户维权"
	}
	s.grant(p.app, p.user, scene, s.clock.Now())
	line.Note, line.Text = true, words
	return nil, nil
}
