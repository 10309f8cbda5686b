package texts

import "testing"

func TestDeliveryReason(t *testing.T) {
	for _, tt := range []struct {
		name         string
		lang         Lang
		class        string
		code         int
		text         string
		reason, cure string
	}{
		{"window over", ZhCN, "window", 45015, "response out of time limit", "超过 48 小时，或客户已取消关注（45015）", "等客户再发一条消息"},
		{"allowance used up", En, "window", 45047, "", "no replies are left (45047)", "You can reply again when the customer writes"},
		{"a code of a known class that has no words", ZhCN, "content", 45050, "custom msg use invalid type", "内容不符合平台要求（45050）", "修改内容再发送"},
		{"busy at WeChat", ZhCN, "busy_once", -1, "system error", "微信接口繁忙，试了 3 次都没成功（-1）", "过一会儿再重试"},
		{"a secret is not a token", En, "rights", 40001, "", "the account's secret is wrong (40001)", "The administrator has been told. Try again when it is repaired"},
		{"any other refusal shows the platform's words", En, "failed", 99999, "odd {text}", "the platform refused it: odd {text} (99999)", ""},
		{"nothing is known", ZhCN, "failed", 0, "", "平台拒绝了这条消息", ""},
		{"a class of a later release", ZhCN, "strange", 7, "words", "平台拒绝了这条消息：words（7）", ""},
		{"the part before it failed", ZhCN, "part", 0, "", "前一条未送达，这条没有发出", "先重试前一条，再重试这条"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reason, cure := DeliveryReason(tt.lang, tt.class, tt.code, tt.text)
			if reason != tt.reason || cure != tt.cure {
				t.Errorf("got %q, %q", reason, cure)
			}
		})
	}
}

func TestAlarmKnowsTheCode(t *testing.T) {
	for code, want := range map[int]Key{40164: "alarm.rights.40164", 65405: "alarm.rights", 0: "alarm.rights"} {
		if got := AlarmOf("rights", code); got != want {
			t.Errorf("%d: got %s, want %s", code, got, want)
		}
	}
}
