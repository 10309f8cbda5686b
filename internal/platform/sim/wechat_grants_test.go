package sim

import (
	"testing"
	"time"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	message := func(at time.Time) Grant { return Grant{sceneMessage, 5, at.Add(48 * time.Hour)} }
	minute := func(scene string, at time.Time) Grant { return Grant{scene, 3, at.Add(time.Minute)} }
	type step struct {
		after time.Duration // since the step before
		grant string        // scene, or empty
		spend int           // how many sends
		want  []int         // their codes
	}
	codes := func(n, code int) []int {
		list := make([]int, n)
		for i := range list {
			list[i] = code
		}
		return list
	}
	tests := []struct {
		name    string
		overlap string
		steps   []step
	}{
		{"nothing granted", overlapSeparate, []step{{spend: 1, want: []int{45015}}}},
		{"five after a message, the sixth is one too many", overlapSeparate, []step{{grant: sceneMessage, spend: 6, want: append(codes(5, 0), 45047)}}},
		{"a message begins the count again", overlapSeparate, []step{
			{grant: sceneMessage, spend: 4, want: codes(4, 0)}, {grant: sceneMessage, spend: 6, want: append(codes(5, 0), 45047)},
		}},
		{"alive to the last moment of 48 hours", overlapSeparate, []step{{grant: sceneMessage}, {after: 48*time.Hour - time.Millisecond, spend: 1, want: []int{0}}}},
		{"dead at 48 hours, used up or not", overlapSeparate, []step{{grant: sceneMessage, spend: 5, want: codes(5, 0)}, {after: 48 * time.Hour, spend: 1, want: []int{45015}}}},
		{"a follow gives three for a minute", overlapSeparate, []step{{grant: sceneFollow, spend: 4, want: append(codes(3, 0), 45047)}, {after: time.Minute, spend: 1, want: []int{45015}}}},
		{"payment has no count", overlapSeparate, []step{{grant: scenePay, spend: 30, want: codes(30, 0)}}},
		{"separate: menu beside message, the menu's go first", overlapSeparate, []step{
			{grant: sceneMessage}, {grant: sceneMenu, spend: 3, want: codes(3, 0)}, {after: time.Minute, spend: 6, want: append(codes(5, 0), 45047)},
		}},
		{"separate: message and menu add up", overlapSeparate, []step{{grant: sceneMessage}, {grant: sceneMenu, spend: 9, want: append(codes(8, 0), 45047)}}},
		{"max: not added up", overlapMax, []step{{grant: sceneMessage}, {grant: sceneMenu, spend: 6, want: append(codes(5, 0), 45047)}}},
		{"max: the larger count and the later end", overlapMax, []step{
			{grant: sceneMessage, spend: 4, want: codes(4, 0)}, {grant: sceneScan}, {after: 47 * time.Hour, spend: 4, want: append(codes(3, 0), 45047)},
		}},
		{"max: unlimited stays so", overlapMax, []step{{grant: scenePay}, {grant: sceneMessage, spend: 9, want: codes(9, 0)}}},
		{"replace: the new one alone", overlapReplace, []step{
			{grant: sceneMessage}, {grant: sceneMenu, spend: 4, want: append(codes(3, 0), 45047)}, {after: time.Minute, spend: 1, want: []int{45015}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := start
			var l ledger
			for i, s := range tt.steps {
				now = now.Add(s.after)
				switch s.grant {
				case "":
				case sceneMessage:
					l = l.add(message(now), tt.overlap, now)
				case scenePay:
					l = l.add(Grant{scenePay, unlimited, now.Add(48 * time.Hour)}, tt.overlap, now)
				default:
					l = l.add(minute(s.grant, now), tt.overlap, now)
				}
				for n := range s.spend {
					var code int
					if l, code = l.spend(now); code != s.want[n] {
						t.Fatalf("step %d, send %d = %d, want %d (%v)", i, n+1, code, s.want[n], l)
					}
				}
			}
		})
	}
}

func TestWhatTheCustomerDoesOpensTheWindow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, act string
		sends     int
		switches  string
	}{
		{"nothing", "", 0, ""},
		{"text", `"do":"text","text":"你好"`, 5, ""},
		{"image", `"do":"image"`, 5, ""},
		{"sticker", `"do":"sticker"`, 5, ""},
		{"follow", `"do":"follow"`, 3, ""},
		{"scan of a newcomer is a follow", `"do":"scan","scene":"7"`, 3, ""},
		{"click", `"do":"menu","key":"k"`, 3, ""},
		{"scancode_waitmsg", `"do":"menu","type":"scancode_waitmsg","key":"k","result":"r"`, 3, ""},
		{"view grants nothing", `"do":"menu","type":"view","url":"https://a.test"`, 0, ""},
		{"pic_weixin grants nothing", `"do":"menu","type":"pic_weixin","key":"k"`, 0, ""},
		{"position grants nothing", `"do":"position","lat":1,"lng":2`, 0, ""},
		{"msgmenu is the menu's scene", `"do":"msgmenu","id":"101","text":"满意"`, 3, ""},
		{"msgmenu as a message, by switch", `"do":"msgmenu","id":"101","text":"满意"`, 5, `{"msgmenu_grant":"message"}`},
		{"msgmenu as nothing, by switch", `"do":"msgmenu","id":"101","text":"满意"`, 0, `{"msgmenu_grant":"none"}`},
		{"complaint: no number is known", `"do":"complaint"`, 0, ""},
		{"the numbers are settings", `"do":"text","text":"x"`, 2, `{"grant_counts":{"message":2}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, App{})
			if tt.switches != "" {
				k.control("POST", "/_sim/switches", tt.switches)
			}
			refused := 45015
			if tt.act != "" {
				k.act(tt.act)
			}
			if tt.sends > 0 {
				refused = 45047
			}
			for n := range tt.sends {
				if got := k.sendText("a"); got != 0 {
					t.Fatalf("send %d = %d", n+1, got)
				}
			}
			if got := k.sendText("a"); got != refused {
				t.Errorf("one more = %d, want %d", got, refused)
			}
		})
	}
}

func TestPassiveRepliesCountOnlyByTheSwitch(t *testing.T) {
	t.Parallel()
	for counts, want := range map[string]int{"false": 5, "true": 4} {
		k := newKit(t, App{Mode: modePlain})
		k.control("POST", "/_sim/switches", `{"passive_counts":`+counts+`}`)
		k.desk.answer = reply200(k.app, "text", "<Content>您好</Content>")
		if got := k.act(`"do":"text","text":"在吗"`)["outcome"]; got != outcomePassive {
			t.Fatalf("outcome %v", got)
		}
		sent := 0
		for k.sendText("a") == 0 {
			sent++
		}
		if sent != want {
			t.Errorf("passive_counts %s: %d sends, want %d", counts, sent, want)
		}
	}
}

func TestUnfollowedCannotBeReachedUntilTheyReturn(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	k.act(`"do":"text","text":"你好"`)
	k.act(`"do":"unfollow"`)
	if got := k.sendText("a"); got != 45015 {
		t.Errorf("send = %d, want 45015", got)
	}
	rec, _ := k.serve("POST", "/_sim/wechat/act", "", `{"openid":"`+k.open+`","do":"text","text":"x"}`)
	if rec.Code != 400 {
		t.Errorf("a message of someone who left = %d, want 400", rec.Code)
	}
	k.act(`"do":"scan","scene":"door"`)
	last := k.desk.all()[len(k.desk.all())-1]
	if got := in(t, k.opened(last), "EventKey"); got != "qrscene_door" {
		t.Errorf("EventKey = %q: who left and scans follows again", got)
	}
	if got := k.sendText("a"); got != 0 {
		t.Errorf("send after the return = %d", got)
	}
}
