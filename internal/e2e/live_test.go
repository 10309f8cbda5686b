package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// busyAgent is an agent with the customer's long chat open.
func busyAgent(t *testing.T, d *demo, p *page, desk string) (customer, string) {
	t.Helper()
	p.loginAt(desk, "zhou")
	p.onBreak()
	c := d.sim.customer("孙浩")
	for i := range 30 {
		c.says(fmt.Sprintf("第 %d 个问题：这款餐桌的尺寸、材质和送货时间分别是多少？", i+1))
	}
	p.open(desk + "/c?list=queue")
	p.clickWhere("#convo-list button", "接入")
	p.sees("#timeline .msg", "第 30 个问题")
	return c, eval[string](p, `location.pathname`)
}

// An agent is in the middle of a sentence, reading further up, while everything around changes: nothing of theirs moves.
func TestLiveSurvivesTyping(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := newBrowser(t, "zh-CN")
	p := b.page("agent")
	c, chat := busyAgent(t, d, p, d.desk)

	// A reply that is on its way for a while: its state will change under the agent's hands.
	d.sim.fault(map[string]any{"match": sendPath, "delay": "2s"})
	p.click("#composer-text")
	p.types("请稍等，我查一下库存。")
	p.keys(enter)
	p.sees("#timeline .msg--out", "请稍等，我查一下库存。")
	p.pointAway()

	const draft = "这款餐桌长 1.4 米，实木"
	p.types(draft)
	read := `(() => { const f = document.querySelector("#composer-text"), box = document.querySelector("#timeline-scroll");
const top = box.getBoundingClientRect().top;
const anchor = [...box.querySelectorAll("#timeline > li")].find((li) => li.getBoundingClientRect().bottom > top);
return [f.value, document.activeElement.id, f.selectionStart, f.selectionEnd, anchor.id, Math.round(anchor.getBoundingClientRect().top - top)].join(" / ") })()`
	eval[bool](p, `(() => { document.querySelector("#composer-text").setSelectionRange(2, 5); const box = document.querySelector("#timeline-scroll");
box.scrollTop = -Math.round((box.scrollHeight - box.clientHeight) / 2); return true })()`)
	before := eval[string](p, read)

	for i := range 3 {
		c.says(fmt.Sprintf("补充 %d：要能坐六个人", i+1))
	}
	p.sees("#jump", "3 条新消息")
	p.sees(`#timeline .msg--out[data-state="sent"]`, "请稍等")
	d.sim.customer("何苗").says("退款什么时候到账？")
	p.wait("the new customer is counted", `document.querySelector("#count-queue").dataset.count === "1"`)
	elsewhere := b.page("second tab")
	elsewhere.open(d.desk + chat)
	elsewhere.keys("p", "2")
	p.wait("the other tab's presence is here", `document.querySelector("#presence-btn").dataset.presence === "busy" || document.querySelector("#presence-btn").outerHTML.slice(0, 200)`)
	elsewhere.keys("p", "3")
	p.wait("and again", `document.querySelector("#presence-btn").dataset.presence === "break" || document.querySelector("#presence-btn").outerHTML.slice(0, 200)`)

	if after := eval[string](p, read); after != before {
		t.Errorf("text / focus / selection / message at the top / its place\nbefore %s\nafter  %s", before, after)
	}
	p.click("#jump")
	p.wait("the newest is in view, and nothing is new any more", `Math.abs(document.querySelector("#timeline-scroll").scrollTop) < 2 && document.querySelector("#jump").hidden`)
	if got := eval[string](p, `document.querySelector("#composer-text").value`); got != draft {
		t.Errorf("after the jump the field holds %q", got)
	}
}

// The connection is lost, the server dies and comes back: the page says so, catches up, and what was being written is still there.
func TestLiveSurvivesRestart(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	f := newFront(t, d.desk)
	p := newBrowser(t, "zh-CN").page("agent")
	c, _ := busyAgent(t, d, p, f.URL)
	p.click("#composer-text")
	p.types("我帮您问一下仓库")

	f.lose()
	d.kill()
	p.expects("net::ERR_EMPTY_RESPONSE", "net::ERR_CONNECTION_RESET", "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_CONNECTION_CLOSED")
	p.sees("#net-banner", "连接断开，正在重连")
	d.again()
	d.sim.returning(c.openid).says("掉线的时候我还在吗？")
	d.sim.customer("韩雪").says("新来的客户也要排队")
	if got := p.count("#timeline .msg", "掉线的时候我还在吗？"); got != 0 {
		t.Fatal("the connection is not lost: this test shows nothing")
	}
	f.back()
	p.sees("#timeline .msg", "掉线的时候我还在吗？")
	p.sees("#convo-list", "新来的客户也要排队")
	p.sees("#net-banner", "已恢复")
	p.wait("the banner goes", `document.querySelector("#net-banner").hidden`)
	p.wait("text and focus are as they were", `(document.querySelector("#composer-text").value === "我帮您问一下仓库" && document.activeElement.id === "composer-text") || document.querySelector("#composer-text").value`)

	p.keys(enter)
	p.sees(`#timeline .msg--out[data-state="sent"]`, "我帮您问一下仓库")
	d.sim.returning(c.openid).gets("我帮您问一下仓库")
}

// What is sent while the connection is lost goes out, once, when it is back.
func TestLiveSendsAfterReconnect(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	f := newFront(t, d.desk)
	p := newBrowser(t, "zh-CN").page("agent")
	c, _ := busyAgent(t, d, p, f.URL)
	p.click("#composer-text")
	f.lose()
	p.expects("net::ERR_")
	p.types("断线时写的第一句")
	p.keys(enter)
	p.sees(`#timeline .msg--out[data-state="failed"]`, "没有发出：连不上服务器")
	p.types("断线时写的第二句")
	p.keys(enter)
	p.wait("both stand in the thread", `says("#timeline .msg--out .bubble").filter((said) => said.startsWith("断线时")).length === 2`)
	f.back()
	p.wait("both are sent, each once", `says('#timeline .msg--out[data-state="sent"] .bubble').filter((said) => said.startsWith("断线时")).join() === "断线时写的第一句,断线时写的第二句" || says("#timeline .msg--out").slice(-3).join(" | ")`)
	if c.times("断线时写的第一句") != 1 || c.times("断线时写的第二句") != 1 {
		t.Errorf("the phone has %s", strings.Join(c.received(), " | "))
	}
}

// Six tabs need one connection: HTTP/1.1 gives a browser six, and pages and forms need some of them.
func TestLiveSixTabsOneStream(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	f := newFront(t, d.desk)
	b := newBrowser(t, "zh-CN")
	tabs := []*page{b.page("tab 1")}
	tabs[0].loginAt(f.URL, "zhou")
	for i := range 5 {
		p := b.page(fmt.Sprintf("tab %d", i+2))
		p.open(f.URL + "/c")
		tabs = append(tabs, p)
	}
	d.sim.customer("许静").says("六个标签页都要看到")
	for _, p := range tabs {
		p.pointAway()
		p.sees("#convo-list", "六个标签页都要看到")
		if direct := p.requests("/events"); len(direct) > 0 {
			t.Errorf("%s has a stream of its own: %v", p.name, direct)
		}
	}
	if open := f.streams.Load(); open != 1 {
		t.Errorf("%d streams are open", open)
	}
	all, err := chromedp.CallBrowser(tabs[0].ctx, target.GetTargets, target.GetTargetsParams{})
	if err != nil {
		t.Fatal(err)
	}
	workers := 0
	for _, info := range all.TargetInfos {
		if info.Type == "shared_worker" {
			workers++
		}
	}
	if workers != 1 {
		t.Errorf("%d shared workers", workers)
	}

	// Logging out in one tab ends the others.
	started := time.Now()
	tabs[0].open(f.URL + "/me")
	tabs[0].clickWhere(".page__head button", "退出登录")
	tabs[0].at("/login")
	pressed := time.Now()
	for _, p := range tabs[1:] {
		p.at("/login")
	}
	t.Logf("the last tab is at the log-in page %v after the first (the log-out itself took %v)", time.Since(pressed).Round(time.Millisecond), pressed.Sub(started).Round(time.Millisecond))
	until(t, "the stream has ended", func() (bool, string) { return f.streams.Load() == 0, fmt.Sprint(f.streams.Load()) })
}

// A log-in is ended from another place: its pages go to the log-in page, and keep what was written for the time after.
func TestLiveRevokedLogin(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	here := newBrowser(t, "zh-CN")
	p := here.page("forgotten at the office")
	_, chat := busyAgent(t, d, p, d.desk)
	p.click("#composer-text")
	p.types("写到一半")

	home := here.another().page("at home")
	home.login(d, "zhou")
	home.open(d.desk + "/me")
	home.clickWhere("#logins button", "退出")
	pressed := time.Now()
	p.at("/login")
	t.Logf("at the log-in page %v after the click", time.Since(pressed).Round(time.Millisecond))
	home.wait("one log-in is left", `document.querySelectorAll("#logins tbody tr").length === 1`)

	p.fills("#username", "zhou")
	p.fills("#password", demoPassword)
	p.keys(enter)
	p.at(chat)
	p.wait("what was half written is there", `document.querySelector("#composer-text").value === "写到一半" || document.querySelector("#composer-text").outerHTML`)
}
