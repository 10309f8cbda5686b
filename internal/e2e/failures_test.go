package e2e

import (
	"fmt"
	"testing"
)

// serving is an agent with a customer's chat open.
func serving(t *testing.T) (*demo, *page, customer) {
	t.Helper()
	t.Parallel()
	d := startDemo(t)
	p := newBrowser(t, "zh-CN").page("agent")
	p.login(d, "zhou")
	p.onBreak()
	c := d.sim.customer("顾海涛")
	c.says("在吗？")
	p.open(d.desk + "/c?list=queue")
	p.clickWhere("#convo-list button", "接入")
	p.sees("#composer", "回复窗口")
	return d, p, c
}

// reply writes and sends what is in the composer's reach.
func (p *page) reply(text string) {
	p.t.Helper()
	p.click("#composer-text")
	p.types(text)
	p.keys(enter)
	p.sees("#timeline .msg--out .bubble", text)
}

// bubble selects our message with the state.
func bubble(state string) string { return fmt.Sprintf(`#timeline .msg--out[data-state=%q]`, state) }

// WeChat says −1 (busy) twice and then takes the message: the bubble tells meanwhile, and the customer gets it once.
func TestFailuresBusyTwice(t *testing.T) {
	d, p, c := serving(t)
	d.sim.fault(map[string]any{"match": sendPath, "errcode": -1, "times": 2})
	p.reply("在的，请讲。")
	p.sees(bubble("queued"), "微信繁忙")
	p.sees(bubble("queued"), "撤回")
	p.reply("这条排在后面。")
	d.sim.advance("20s")
	p.sees(bubble("sent"), "在的，请讲。")
	p.sees(bubble("sent"), "这条排在后面。")
	if got := c.received(); c.times("在的，请讲。") != 1 || c.times("这条排在后面。") != 1 || got[len(got)-1] != "这条排在后面。" {
		t.Errorf("the phone has %q", got)
	}
}

// Three times busy is enough: failed, with reason, code and what helps; trying again by hand works.
func TestFailuresBusyThreeTimes(t *testing.T) {
	d, p, c := serving(t)
	d.sim.fault(map[string]any{"match": sendPath, "errcode": -1, "times": 3})
	p.reply("在的，请讲。")
	p.sees(bubble("queued"), "微信繁忙")
	d.sim.advance("20s")
	p.sees(bubble("failed"), "试了 3 次都没成功（-1）")
	p.sees(bubble("failed"), "过一会儿再重试")
	p.clickWhere(bubble("failed")+" button", "重试")
	p.sees(bubble("sent"), "在的，请讲。")
	if c.times("在的，请讲。") != 1 {
		t.Errorf("the phone has %q", c.received())
	}
}

// More than 48 hours later: the chip says so before anybody tries; who tries is told why, and can take the text back.
func TestFailuresWindowOver(t *testing.T) {
	d, p, c := serving(t)
	d.sim.advance("49h")
	p.open(eval[string](p, "location.href"))
	p.sees("#limits", "回复窗口已关")
	p.reply("您还需要帮助吗？")
	p.sees(bubble("failed"), "超过 48 小时")
	p.sees(bubble("failed"), "45015")
	p.sees(bubble("failed"), "等客户再发一条消息")
	p.clickWhere(bubble("failed")+" .msg__act", "编辑")
	p.wait("the text is in the composer", `document.querySelector("#composer-text").value === "您还需要帮助吗？" && document.activeElement.id === "composer-text"`)
	c.says("还在等")
	p.sees("#limits", "还可发")
	p.keys(enter)
	p.sees(bubble("sent"), "您还需要帮助吗？")
	if c.times("您还需要帮助吗？") != 1 {
		t.Errorf("the phone has %q", c.received())
	}
}

// Five replies to one message are allowed; the sixth fails, with its code.
func TestFailuresAllowanceUsed(t *testing.T) {
	d, p, c := serving(t)
	p.reply("第 1 条回复")
	p.sees(bubble("sent"), "第 1 条回复")
	for i := 2; p.count("#limits", "额度已用完") == 0; i++ {
		if i > 8 {
			t.Fatalf("more than the allowance is sent: %s", p.state())
		}
		text := fmt.Sprintf("第 %d 条回复", i)
		p.reply(text)
		p.sees(bubble("sent"), text)
		p.wait("the chip follows", fmt.Sprintf(`says("#limits").some((said) => said.includes("额度已用完") || said.includes("还可发")) && %d > 0`, i))
	}
	p.reply("多出来的一条")
	p.sees(bubble("failed"), "回复条数用完（45047）")
	p.sees(bubble("failed"), "客户再发一条消息后又可以回复")
	d.sim.advance("5s") // WeChat counts in whole seconds, and so do we
	c.says("好的")
	p.sees("#limits", "还可发 5/5 条")
	p.clickWhere(bubble("failed")+" button", "重试")
	p.sees(bubble("sent"), "多出来的一条")
	if c.times("多出来的一条") != 1 {
		t.Errorf("the phone has %q", c.received())
	}
}

// The connection is cut after WeChat had the message: nobody knows, so nothing is repeated by itself. The agent decides.
func TestFailuresUnknownOutcome(t *testing.T) {
	d, p, c := serving(t)
	d.sim.fault(map[string]any{"match": sendPath, "drop": "after"})
	p.reply("您的退款已经提交。")
	p.sees(bubble("unknown"), "可能已送达")
	p.clickWhere(".tabs a", "我的会话")
	p.sees("#convo-list .tag--late, #convo-list .tag--warn", "可能已送达")
	p.clickWhere("#convo-list a", "您的退款已经提交。")
	p.sees(bubble("unknown"), "可能已送达")
	if got := c.times("您的退款已经提交。"); got != 1 {
		t.Errorf("before anybody decided the phone has it %d times", got)
	}
	p.clickWhere(bubble("unknown")+" button", "仍要重发")
	p.sees(bubble("sent"), "您的退款已经提交。")
	if got := c.times("您的退款已经提交。"); got != 2 {
		t.Errorf("the phone has it %d times", got)
	}
}
