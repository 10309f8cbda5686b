package wechat

import (
	"strings"
	"testing"
)

func TestDedupeKeys(t *testing.T) {
	t.Parallel()
	event := func(rest string) string { return "<xml>" + head("event") + rest + "</xml>" }
	switched := func(from, to string) string {
		return event("<Event>kf_switch_session</Event><FromKfAccount>" + from + "</FromKfAccount><ToKfAccount>" + to + "</ToKfAccount>")
	}
	text := func(id string) string {
		return "<xml>" + head("text") + "<Content>hi</Content><MsgId>" + id + "</MsgId></xml>"
	}
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"two messages", text("1"), text("2"), false},
		{"one message, another order", text("1"), "<xml><MsgId>1</MsgId><Content>hi</Content>" + head("text") + "</xml>", true},
		{"one message, XML and JSON", text("1"), `{"MsgId":"1","MsgType":"text","FromUserName":"openid"}`, true},
		{"messages without MsgId", "<xml>" + head("text") + "<Content>a</Content></xml>", "<xml>" + head("text") + "<Content>b</Content></xml>", false},
		{"two menu items in one second", event("<Event>CLICK</Event><EventKey>a</EventKey>"), event("<Event>CLICK</Event><EventKey>b</EventKey>"), false},
		{"two events in one second", event("<Event>CLICK</Event><EventKey>a</EventKey>"), event("<Event>VIEW</Event><EventKey>a</EventKey>"), false},
		{"two template messages in one second", event("<Event>TEMPLATESENDJOBFINISH</Event><MsgID>1</MsgID>"), event("<Event>TEMPLATESENDJOBFINISH</Event><MsgID>2</MsgID>"), false},
		{"parts that could be cut elsewhere", event("<Event>CLICK</Event><EventKey>a|b</EventKey>"), event("<Event>CLICK|a</Event><EventKey>b</EventKey>"), false},
		{"long keys that begin alike", event("<Event>VIEW</Event><EventKey>" + strings.Repeat("a", 500) + "1</EventKey>"), event("<Event>VIEW</Event><EventKey>" + strings.Repeat("a", 500) + "2</EventKey>"), false},
		{"long message ids that begin alike", text(strings.Repeat("1", 500)), text(strings.Repeat("1", 501)), false},
		{"two switches in one second", switched("a@x", "b@x"), switched("b@x", "a@x"), false},
		{"one switch, another order, another suffix of the account's name", switched("a@x", "b@x"), strings.ReplaceAll("<xml><ToKfAccount>b@x</ToKfAccount><Event>kf_switch_session</Event><FromKfAccount>a@x</FromKfAccount>"+head("event")+"</xml>", "gh_x", "gh_y"), true},
		{"a close with and without type", event("<Event>kf_close_session</Event><KfAccount>a@x</KfAccount>"), event("<Event>kf_close_session</Event><KfAccount>a@x</KfAccount><CloseType>1</CloseType>"), false},
		{"events without a time go by their bytes", "<xml><FromUserName>o</FromUserName><MsgType>event</MsgType><Event>CLICK</Event></xml>", "<xml><FromUserName>o</FromUserName><MsgType>event</MsgType><Event>CLICK</Event> </xml>", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := parsePlain(t, tt.a).Dedupe, parsePlain(t, tt.b).Dedupe
			if (a == b) != tt.same {
				t.Errorf("keys %q and %q", a, b)
			}
			if max(len(a), len(b)) > maxDedupeBytes || a == "" {
				t.Errorf("keys of %d and %d bytes", len(a), len(b))
			}
		})
	}
}
