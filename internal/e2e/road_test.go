package e2e

import (
	"fmt"
	"testing"
	"time"
)

// road is an agent who is on a break, so that nobody is assigned to them, and the phone of a customer.
func road(t *testing.T) (d *demo, agent, phone *page) {
	t.Parallel()
	d = startDemo(t)
	b := newBrowser(t, "zh-CN")
	agent, phone = b.page("agent"), b.another().page("phone")
	agent.login(d, "zhou")
	agent.onBreak()
	phone.open(d.sim.url)
	return d, agent, phone
}

// newcomer lets the phone be another customer's.
func newcomer(phone *page, name string) {
	phone.t.Helper()
	phone.fills("#sim-new-name", name)
	phone.clickWhere("#sim-new button", "新客户")
	phone.wait("the phone is "+name+"'s", fmt.Sprintf(`document.querySelector("#sim-user").selectedOptions[0]?.text.startsWith(%s) || document.querySelector("#sim-user").innerText`, js(name)))
}

// The whole road: a customer writes on the phone, an agent answers in the browser, until the chat is closed.
func TestWholeRoad(t *testing.T) {
	d, agent, phone := road(t)
	agent.open(d.desk + "/c?list=queue")
	agent.loaded()
	agent.pointAway()
	newcomer(phone, "王蔓")

	const question, answer, thanks, remark = "你好，沙发什么时候能到？", "您好，明天上午送到，师傅会提前电话联系。", "好的，谢谢！", "客户在意送货时间，明早跟进。"
	phone.fills("#sim-text", question)
	started := time.Now()
	phone.keys(enter)
	agent.sees("#convo-list li", question)
	t.Logf("on the agent's screen after %v", time.Since(started).Round(time.Millisecond))
	agent.wait("the tab counts the queue", `document.querySelector("#count-queue").dataset.count === "1" || document.querySelector("#count-queue").outerHTML`)

	agent.clickWhere("#convo-list button", "接入")
	agent.sees("#timeline .msg", question)
	agent.sees("#waitbar", "客户在等你")
	watchBubbles(agent)
	agent.click("#composer-text")
	agent.types(answer)
	agent.keys(enter)
	agent.sees("#timeline .msg--out .bubble", answer)
	agent.sees(`#timeline .msg--out[data-state="sent"]`, "已送达微信")
	agent.wait("the bubble stood before the server answered, and only one remains",
		`window.kefuBubbles.some((id) => id.startsWith("m-x")) && says("#timeline .msg--out .bubble").filter((said) => said === `+js(answer)+`).length === 1 || JSON.stringify([window.kefuBubbles, says("#timeline .msg--out")])`)
	agent.wait("nobody waits any more", `document.querySelector("#waitbar").hidden`)
	phone.sees("#sim-phone .pm", answer)
	agent.wait("the field is empty again", `document.querySelector("#composer-text").value === "" || document.querySelector("#composer-text").value`)

	phone.fills("#sim-text", thanks)
	phone.keys(enter)
	agent.sees("#timeline .msg:not(.msg--out) .bubble", thanks)
	agent.wait("the wait begins anew", `Date.now() - document.querySelector("#waitbar .wait")?.dataset.since < 60000 && document.querySelector("#waitbar .ticks").dataset.n <= 1 || document.querySelector("#waitbar").outerHTML`)

	agent.clickWhere("#composer fieldset label", "备注")
	agent.wait("the composer writes a note", `document.querySelector("#composer").dataset.mode === "note"`)
	agent.click("#composer-text")
	agent.types(remark)
	agent.click("#send")
	agent.sees("#timeline .msg--note", remark)
	agent.wait("the note is saved", `all("#timeline .msg--note").every((e) => /^m-\d+$/.test(e.id)) || all("#timeline .msg--note").map((e) => e.id).join()`)
	if got := phone.count("#sim-phone .pm", remark); got != 0 {
		t.Error("the customer sees the note")
	}

	agent.clickWhere(".tabs a", "我的会话")
	agent.clickWhere("#convo-list a", thanks)
	agent.sees("#timeline .msg--note", remark)
	agent.keys("e")
	agent.sees("#dlg-close", "最后一条是客户发的")
	agent.keys(enter)
	agent.sees("#composer-slot", "会话已结束")
	agent.pointAway()
	agent.lacks("#convo-list", thanks)
}

// watchBubbles notes every bubble that comes into the thread.
func watchBubbles(p *page) {
	p.t.Helper()
	eval[bool](p, `(() => {
window.kefuBubbles = [];
new MutationObserver((list) => list.forEach((m) => m.addedNodes.forEach((n) => n.id && window.kefuBubbles.push(n.id)))).observe(document.querySelector("#timeline"), { childList: true });
return true })()`)
}

// The same without a mouse.
func TestWholeRoadByKeyboard(t *testing.T) {
	d, agent, _ := road(t)
	first, second := d.sim.customer("李航"), d.sim.customer("陈可")
	first.says("请问可以开发票吗？")
	second.says("安装要另外收费吗？")

	agent.open(d.desk + "/c")
	agent.loaded()
	agent.keys(tab)
	agent.wait("Tab begins at the skip link, in plain sight", `document.activeElement.matches(".skip") && document.activeElement.getBoundingClientRect().top >= 0 || document.activeElement.outerHTML`)
	agent.keys(enter)
	agent.wait("it leads to the content", `document.activeElement.id === "main" || document.activeElement.outerHTML`)

	agent.keys("n")
	agent.sees("#timeline .msg", "请问可以开发票吗？")
	agent.loaded()
	agent.keys("n")
	agent.sees("#timeline .msg", "安装要另外收费吗？")
	agent.loaded()
	agent.sees("#convo-list", "安装要另外收费吗？")

	agent.keys("k")
	agent.wait("K goes up the list", `document.activeElement.innerText.includes("开发票") || document.activeElement.outerHTML.slice(0, 300)`)
	agent.keys("j")
	agent.wait("J goes down", `document.activeElement.innerText.includes("安装") || document.activeElement.outerHTML.slice(0, 300)`)
	agent.keys("k", enter)
	agent.sees("#timeline .msg", "请问可以开发票吗？")

	agent.keys("r")
	agent.wait("R goes to the composer", `document.activeElement.id === "composer-text"`)
	agent.types("可以，电子发票会发到您的手机。")
	agent.keys(enter)
	agent.sees(`#timeline .msg--out[data-state="sent"] .bubble`, "电子发票会发到您的手机")
	first.gets("可以，电子发票会发到您的手机。")

	agent.alt("n")
	agent.wait("Alt+N turns it into a note", `document.querySelector("#composer").dataset.mode === "note"`)
	agent.types("已备注税号。")
	agent.keys(enter)
	agent.sees("#timeline .msg--note", "已备注税号。")

	agent.keys(escape, "e")
	agent.sees("#dlg-close", "结束和")
	agent.keys(escape)
	agent.wait("Esc keeps the chat", `says("#dlg-close").length === 0`)
	agent.keys("e")
	agent.sees("#dlg-close", "结束和")
	agent.keys(enter)
	agent.sees("#composer-slot", "会话已结束")
	agent.lacks("#convo-list", "请问可以开发票吗？")
	if first.times("已备注税号。") != 0 {
		t.Error("the customer got the note")
	}
	agent.keys("?")
	agent.sees("#dlg-keys", "快捷键")
	agent.keys(escape)
}

// An agent who is online and free gets the customer without lifting a finger.
func TestAutoAssign(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	agent := newBrowser(t, "zh-CN").page("agent")
	agent.login(d, "zhou")
	agent.loaded()
	agent.pointAway()
	customer := d.sim.customer("吴桐")
	customer.says("床垫有异味怎么办？")
	agent.sees(`#convo-list[data-list="mine"] li`, "床垫有异味怎么办？")
	agent.wait("it counts as one of mine", `document.querySelector("#count-mine").innerText === "1"`)
	agent.sees("#convo-list li .wait", "00:")
	agent.clickWhere("#convo-list a", "床垫")
	agent.sees("#timeline .sys", "系统分配给 周一帆")
	agent.sees("#composer", "青禾-一帆")
}
