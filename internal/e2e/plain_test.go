package e2e

import "testing"

// Every page works without scripts: forms are forms, links are links.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	p := newBrowser(t, "zh-CN").page("agent without scripts")
	p.withoutScripts()

	// A wrong password says so, and keeps the name.
	p.expects("422 for POST "+d.desk+"/login", "403 for POST "+d.desk+"/c/", "409 for POST "+d.desk+"/c/", "422 for POST "+d.desk+"/me/password")
	p.open(d.desk + "/login")
	p.fills("#username", "zhou")
	p.fills("#password", "wrong-password")
	p.keys(enter)
	p.sees("#login-error", "用户名或密码不对")
	p.wait("the name is kept, the password is not", `document.querySelector("#username").value === "zhou" && document.querySelector("#password").value === ""`)
	p.fills("#password", demoPassword)
	p.keys(enter)
	p.at("/c")
	p.sees("h1", "会话")
	if eval[bool](p, `!!window.htmx`) {
		t.Fatal("the scripts run: this test shows nothing")
	}

	// Presence, so that nobody is assigned.
	p.click("#presence-btn")
	p.clickWhere("#presence-form button", "小休")
	p.sees("#presence-btn", "小休")

	customer := d.sim.customer("郑悦")
	customer.says("衣柜的门关不严")
	p.open(d.desk + "/queue")
	p.sees("#queue-table", "衣柜的门关不严")
	p.clickWhere(".rail a", "会话")
	p.clickWhere(".tabs a", "排队中")
	p.clickWhere("#convo-list button", "接入")
	p.sees("#timeline .msg", "衣柜的门关不严")

	p.fills("#composer-text", "您好，请拍一张合页的照片，我们看看怎么调。")
	p.click("#send")
	p.sees("#timeline .msg--out .bubble", "请拍一张合页的照片")
	customer.gets("您好，请拍一张合页的照片，我们看看怎么调。")
	p.open(eval[string](p, `location.href`))
	p.sees(`#timeline .msg--out[data-state="sent"] .bubble`, "请拍一张合页的照片")

	p.clickWhere("#composer fieldset label", "备注")
	p.fills("#composer-text", "可能要上门。")
	p.click("#send")
	p.sees("#timeline .msg--note", "可能要上门。")
	if customer.times("可能要上门。") != 0 {
		t.Error("the customer got the note")
	}

	// A colleague's decision meets a half-written reply: it is refused, and what was written is kept.
	other := newBrowser(t, "zh-CN").page("the same agent elsewhere")
	other.login(d, "zhou")
	other.open(eval[string](p, `location.href`))
	other.click("#close-btn")
	other.click("#close-do")
	other.sees("#composer-slot", "会话已结束")
	p.fills("#composer-text", "师傅明天下午到。")
	p.click("#send")
	p.sees("[role=alert]", "会话已经结束")
	p.wait("the text is kept", `document.body.innerText.includes("师傅明天下午到。") || [...document.querySelectorAll("textarea")].some((e) => e.value === "师傅明天下午到。")`)
	if customer.times("师傅明天下午到。") != 0 {
		t.Error("the refused reply was sent")
	}

	// Closing without a script.
	customer.says("还有一个问题")
	p.open(d.desk + "/c?list=queue")
	p.clickWhere("#convo-list button", "接入")
	p.sees("#timeline .msg", "还有一个问题")
	p.click("#close-btn")
	p.sees("#dlg-close", "最后一条是客户发的")
	p.click("#close-do")
	p.sees("#composer-slot", "会话已结束")
	p.clickWhere(".rail a", "会话")
	p.lacks("#convo-list", "还有一个问题")
	p.clickWhere(".tabs a", "已结束")
	p.sees("#convo-list", "还有一个问题")

	mySettings(p, d)
}

// mySettings changes language, looks and password, and logs out.
func mySettings(p *page, d *demo) {
	p.t.Helper()
	p.open(d.desk + "/me")
	p.clickWhere("#prefs label", "深色")
	p.click("#prefs-save")
	p.sees(".callout--ok", "已保存")
	p.wait("it is dark", `document.documentElement.dataset.theme === "dark"`)
	eval[bool](p, `(document.querySelector("#lang").value = "en", true)`) // a list of the system's cannot be clicked here
	p.click("#prefs-save")
	p.sees("h1", "My settings")
	eval[bool](p, `(document.querySelector("#lang").value = "zh-CN", true)`)
	p.click("#prefs-save")
	p.sees("h1", "我的设置")

	p.fills("#password-current", "not the present one")
	p.fills("#password-password", "ein neues Passwort")
	p.fills("#password-again", "ein neues Passwort")
	p.click("#password-save")
	p.sees("#password-error", "当前密码不对")
	p.fills("#password-current", demoPassword)
	p.fills("#password-password", "ein neues Passwort")
	p.fills("#password-again", "ein neues Passwort")
	p.click("#password-save")
	p.sees(".callout--ok", "密码已修改")
	p.clickWhere(".page__head button", "退出登录")
	p.at("/login")
	p.fills("#username", "zhou")
	p.fills("#password", "ein neues Passwort")
	p.keys(enter)
	p.at("/c")
}
