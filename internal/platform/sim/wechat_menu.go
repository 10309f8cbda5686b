package sim

import (
	"fmt"
	"strings"
)

// menuGrants are the menu types that open a window; the other types grant nothing (wechat.md §5.1).
var menuGrants = map[string]bool{"CLICK": true, "scancode_push": true, "scancode_waitmsg": true}

// menuEvents maps the menu item's type to the event's name, which is case-sensitive as written (wechat.md §7.6).
var menuEvents = map[string]string{
	"": "CLICK", "click": "CLICK", "view": "VIEW", "view_miniprogram": "view_miniprogram",
	"scancode_push": "scancode_push", "scancode_waitmsg": "scancode_waitmsg",
	"pic_sysphoto": "pic_sysphoto", "pic_photo_or_album": "pic_photo_or_album", "pic_weixin": "pic_weixin", "location_select": "location_select",
}

// actMenu is a click on the account's custom menu; do view is short for its type view.
func actMenu(s *Simulator, p *push, act Act, line *entry) ([]field, error) {
	if act.Do == "view" {
		act.Type = "view"
	}
	event, known := menuEvents[strings.ToLower(act.Type)]
	if !known {
		return nil, fmt.Errorf("unknown menu type %q", act.Type)
	}
	key := act.Key
	if key == "" {
		key = act.URL
	}
	if key == "" {
		return nil, fmt.Errorf("a menu click needs key, for view url")
	}
	if menuGrants[event] {
		s.grant(p.app, p.user, sceneMenu, s.clock.Now())
	}
	line.Note, line.Text = true, "点了菜单："+key
	fields := append(happened(p, event), textField("EventKey", key))
	switch event {
	case "VIEW", "view_miniprogram":
		fields = append(fields, numberField("MenuId", "426120255"))
	case "scancode_push", "scancode_waitmsg":
		fields = append(fields, field{name: "ScanCodeInfo", parts: []field{textField("ScanType", "qrcode"), textField("ScanResult", act.Result)}})
	case "pic_sysphoto", "pic_photo_or_album", "pic_weixin":
		sum := textField("PicMd5Sum", s.pick(32, hexDigits))
		fields = append(fields, field{name: "SendPicsInfo", parts: []field{
			numberField("Count", "1"), {name: "PicList", parts: []field{{name: "item", parts: []field{sum}}}},
		}})
	case "location_select":
		fields = append(fields, field{name: "SendLocationInfo", parts: []field{
			textField("Location_X", decimal(act.Lat)), textField("Location_Y", decimal(act.Lng)), textField("Scale", "15"),
			textField("Label", act.Label), textField("Poiname", ""),
		}})
	}
	return fields, nil
}
