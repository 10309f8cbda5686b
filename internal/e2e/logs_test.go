package e2e

import (
	"strings"
	"testing"
)

// The log tells what happened to whom by number, and never what was said, who the customer is to the platform, or any secret: also at
// its most talkative, and when calls fail in ways whose errors carry addresses with tokens in them.
func TestLogsTellNoSecrets(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "--log", "debug")
	zhou := newStaff(d, "zhou")
	zhou.post("/me/presence", "presence", "break")
	c := d.sim.customer("林小满")
	c.says("我的身份证号可以不留吗")
	chat := zhou.accept("微信用户")
	zhou.post(chat+"/messages", "mode", "note", "text", "客户不愿意留证件号")
	replies := []string{"可以不留，报订单号就行。", "这句会遇到失效的凭证", "这句的连接会断在回答之前", "这句会被平台拒绝", "这句得到的不是 JSON"}
	zhou.answer(chat, replies[0], "sent")
	d.sim.fault(map[string]any{"match": sendPath, "errcode": 40001})
	zhou.answer(chat, replies[1], "sent")
	d.sim.fault(map[string]any{"match": sendPath, "drop": "after"})
	zhou.answer(chat, replies[2], "unknown")
	d.sim.fault(map[string]any{"match": sendPath, "errcode": 45047})
	zhou.answer(chat, replies[3], "failed")
	d.sim.fault(map[string]any{"match": sendPath, "body": "<html>" + replies[4]})
	zhou.answer(chat, replies[4], "unknown")

	account, tokens := d.sim.account(), d.sim.tokens()
	if len(tokens) < 2 {
		t.Fatalf("%d access tokens were given: this test needs the refusal of one", len(tokens))
	}
	d.stop(t)
	logged := d.log.String()
	if !strings.Contains(logged, "message given up") || !strings.Contains(logged, "message sent") {
		t.Fatalf("the log does not tell what happened:\n%s", logged)
	}
	secrets := append([]string{account.Secret, account.Token, account.AESKey, c.openid, "我的身份证号可以不留吗", "客户不愿意留证件号", demoPassword}, append(tokens, replies...)...)
	for _, line := range strings.Split(logged, "\n") {
		for _, secret := range secrets {
			if strings.Contains(line, secret) {
				t.Errorf("%q is in the log: %s", secret, line)
			}
		}
	}
}
