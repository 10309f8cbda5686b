package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A reply too long for one message becomes three: all of them stand in the thread, in order, without a reload.
func TestSplitReplyShowsEveryPart(t *testing.T) {
	_, p, c := serving(t)
	var text strings.Builder
	for i := range 3 {
		fmt.Fprintf(&text, "第%d段%s。", i+1, strings.Repeat("长", 635)) // with its end nearly 2,048 bytes
	}
	watchBubbles(p)
	p.click("#composer-text")
	p.types(text.String())
	p.keys(enter)
	p.wait("three parts in order are sent", `(() => {
const parts = all("#timeline > .msg--out").filter((li) => li.innerText.includes("长长"));
const saw = parts.map((li) => [li.id, li.dataset.state, li.querySelector(".bubble").innerText.slice(0, 3), li.querySelector(".msg__foot").innerText].join(" "));
return saw.length === 3 && saw.every((said, i) => /^m-\d+ sent /.test(said) && said.includes("第" + (i + 1) + "段") && said.includes(i + 1 + "/3")) || saw.join(" | ") })()`)
	p.wait("our own bubble stood there first", `window.kefuBubbles.some((id) => id.startsWith("m-x"))`)
	if got := c.received(); len(got) < 3 || !strings.HasPrefix(got[len(got)-1], "第3段") {
		t.Errorf("the phone has %d messages", len(got))
	}
}

// Three customers wait; a colleague accepts the first. The list and the open chat of the third tell the new places.
func TestPlacesFollowTheQueue(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	p := newBrowser(t, "zh-CN").page("agent")
	p.login(d, "zhou")
	p.onBreak()
	he := newStaff(d, "he")
	he.post("/me/presence", "presence", "break")
	p.open(d.desk + "/c?list=queue")
	p.loaded()
	p.pointAway()
	for i, name := range []string{"李航", "陈可", "吴桐"} {
		d.sim.customer(name).says("我是" + name)
		p.sees("#convo-list li", fmt.Sprintf("第 %d 位", i+1))
	}
	first := eval[string](p, `document.querySelector("#convo-list li:first-child a").getAttribute("href")`)
	p.click("#convo-list li:nth-child(3) a")
	p.sees("#claim", "第 3 位")
	p.pointAway()
	he.post(first + "/claim")
	p.lacks("#convo-list li", "李航")
	p.wait("the list tells the new places", `(() => {
const saw = says("#convo-list li");
return saw.length === 2 && saw[0].includes("第 1 位") && saw[0].includes("陈可") && saw[1].includes("第 2 位") && saw[1].includes("吴桐") || saw.join(" | ") })()`)
	p.sees("#claim", "第 2 位")
	p.wait("the first of them is the next", `document.querySelector("#convo-list li:first-child .btn--primary") !== null || document.querySelector("#convo-list").innerHTML.slice(0, 900)`)
}

// The demonstration's clock is moved by ten minutes while the page is open: the wait on screen goes with it.
func TestWaitFollowsTheServersClock(t *testing.T) {
	d, p, c := serving(t)
	p.sees("#waitbar .wait", "00:")
	d.sim.advance("10m")
	c.says("还在吗？")
	p.sees("#timeline .msg", "还在吗？")
	p.wait("more than ten minutes are shown", `/^1\d:\d\d$/.test(document.querySelector("#waitbar .wait").lastElementChild.textContent) || document.querySelector("#waitbar").outerHTML`)
}

// The agent's own reply is the first entry of a new day: the day stands above it.
func TestDayStandsAboveItsFirstReply(t *testing.T) {
	d, p, _ := serving(t)
	d.sim.advance("24h")
	p.reply("早上好，昨天的问题解决了吗？")
	p.wait("the day comes directly before the reply", `(() => {
const line = [...document.querySelector("#timeline").children];
const at = line.findIndex((li) => li.innerText.includes("早上好"));
return line[at].matches('[data-state="sent"]') && line[at - 1].matches(".daysep") && document.querySelectorAll(".daysep").length === 2 || line.map((li) => li.id).join() })()`)
}
