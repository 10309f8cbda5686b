package wechat

import (
	"math"
	"strconv"
	"strings"
	"time"

	"kefu/internal/platform"
)

// inbound is what the fields of a verified body say happened. sent is the moment of the request, for a body without CreateTime.
func inbound(fs fields, body []byte, sent time.Time) platform.Inbound {
	customer := fs.word("FromUserName")
	in := platform.Inbound{
		Dedupe:       dedupe(fs, body),
		Conversation: platform.Conversation{Key: customer},
		Sender:       customer,
		At:           sent,
	}
	if at, ok := unixTime(fs.word("CreateTime")); ok {
		in.At = at
	}
	kind := fs.word("MsgType")
	switch {
	case customer == "": // nobody to open a conversation with
		in.What = platform.Unknown{MsgType: kind}
	case kind == "event":
		in.What = event(fs)
	default:
		in.What, in.MessageID = message(fs, kind), fs.word("MsgId")
	}
	if _, unknown := in.What.(platform.Unknown); unknown {
		in.Raw = body
	}
	return in
}

// message maps the kinds of wechat.md §7.5.
func message(fs fields, kind string) platform.What {
	switch kind {
	case "text":
		return platform.Text{Text: fs.text("Content"), MenuID: fs.word("bizmsgmenuid")}
	case "image":
		return platform.Image{URL: fs.word("PicUrl"), MediaID: fs.word("MediaId")}
	case "voice":
		return platform.Voice{
			MediaID: fs.word("MediaId"), MediaID16K: fs.word("MediaId16K"), Format: fs.word("Format"), Recognition: fs.text("Recognition"),
		}
	case "video", "shortvideo":
		return platform.Video{MediaID: fs.word("MediaId"), ThumbMediaID: fs.word("ThumbMediaId"), Short: kind == "shortvideo"}
	case "location":
		lat, latOK := number(fs.word("Location_X"))
		lng, lngOK := number(fs.word("Location_Y"))
		if !latOK || !lngOK {
			return platform.Unknown{MsgType: kind} // better unread than a pin in the Gulf of Guinea
		}
		scale, _ := strconv.Atoi(fs.word("Scale")) // 0 when there is none: the page picks one
		return platform.Location{Lat: lat, Lng: lng, Scale: scale, Label: fs.text("Label")}
	case "link":
		return platform.Link{Title: fs.text("Title"), Description: fs.text("Description"), URL: fs.word("Url")}
	}
	return platform.Unknown{MsgType: kind}
}

// event maps the events of wechat.md §7.6 and §3.7. Their names are case-sensitive.
func event(fs fields) platform.What {
	name, key := fs.word("Event"), fs.word("EventKey")
	switch name {
	case "subscribe":
		return platform.Follow{Scene: strings.TrimPrefix(key, "qrscene_"), Ticket: fs.word("Ticket")}
	case "unsubscribe":
		return platform.Unfollow{}
	case "SCAN":
		return platform.Scan{Scene: key, Ticket: fs.word("Ticket")}
	case "CLICK", "scancode_push", "scancode_waitmsg":
		return platform.MenuClick{Event: name, Key: key, Result: fs.text("ScanCodeInfo.ScanResult")}
	case "VIEW", "view_miniprogram", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		return platform.MenuView{Event: name, Key: key}
	case "LOCATION":
		lat, latOK := number(fs.word("Latitude"))
		lng, lngOK := number(fs.word("Longitude"))
		if !latOK || !lngOK {
			return platform.Unknown{MsgType: "event"}
		}
		precision, _ := number(fs.word("Precision"))
		return platform.Position{Lat: lat, Lng: lng, Precision: precision}
	case "kf_create_session", "kf_close_session", "kf_switch_session":
		return platform.HostedChange{
			Event: name, Account: fs.word("KfAccount"), From: fs.word("FromKfAccount"), To: fs.word("ToKfAccount"),
			CloseType: fs.word("CloseType"),
		}
	case "":
		return platform.Unknown{MsgType: "event"}
	}
	return platform.OtherEvent{Event: name, Key: key}
}

func number(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}
