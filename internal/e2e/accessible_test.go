package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every page passes axe-core's checks of WCAG 2.2 A and AA, light and dark, on a desk and on a phone.
func TestAccessible(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	axe, err := os.ReadFile(filepath.Join("testdata", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, "zh-CN")
	p, out, phone := b.page("agent"), b.another().page("not logged in"), b.another().page("phone")
	p.login(s.demo, "zhou")
	p.expects("404 for GET")
	out.expects("422 for POST")
	chats := func(chat string) func(*page) { return func(p *page) { p.open(s.path(chat, "")) } }
	views := []struct {
		name string
		p    *page
		show func(*page)
	}{
		{"log-in", out, func(p *page) { p.open(s.desk + "/login") }},
		{"log-in refused", out, func(p *page) {
			p.open(s.desk + "/login")
			p.fills("#username", "nobody")
			p.fills("#password", "wrong")
			p.keys(enter)
			p.sees("#login-error", "不对")
		}},
		{"workspace, no chat open", p, func(p *page) { p.open(s.desk + "/c") }},
		{"queue in the workspace", p, func(p *page) { p.open(s.desk + "/c?list=queue") }},
		{"colleagues' chats", p, func(p *page) { p.open(s.desk + "/c?list=team") }},
		{"closed chats", p, func(p *page) { p.open(s.desk + "/c?list=closed") }},
		{"chat with everything", p, chats(s.chat)},
		{"chat with a failed reply", p, chats(s.failing)},
		{"chat with a reply in doubt", p, chats(s.doubt)},
		{"customer", p, func(p *page) { p.open(s.path(s.chat, "/customer")) }},
		{"writing a note", p, func(p *page) {
			p.open(s.path(s.chat, ""))
			p.alt("n")
			p.wait("it is a note", `document.querySelector("#composer").dataset.mode === "note"`)
		}},
		{"closing a chat", p, func(p *page) {
			p.open(s.path(s.chat, ""))
			p.keys("e")
			p.sees("#dlg-close", "结束")
		}},
		{"shortcuts", p, func(p *page) {
			p.open(s.desk + "/c")
			p.keys("?")
			p.sees("#dlg-keys", "快捷键")
		}},
		{"presence menu", p, func(p *page) {
			p.open(s.desk + "/c")
			p.click("#presence-btn")
			p.sees("#presence", "小休")
		}},
		{"queue board", p, func(p *page) { p.open(s.desk + "/queue") }},
		{"my settings", p, func(p *page) { p.open(s.desk + "/me") }},
		{"a page that does not exist", p, func(p *page) { p.open(s.desk + "/c/999999") }},
		{"the customer's phone", phone, func(p *page) {
			p.open(s.sim.url)
			p.sees("#sim-log", "/callbacks/")
		}},
	}
	out.open("data:text/html,<title>x</title><img src=''><p style='color:%23ccc'>pale</p>")
	if found := strings.Join(axeFindings(out, string(axe), rules["light"]), " "); !strings.Contains(found, "image-alt") || !strings.Contains(found, "color-contrast") {
		t.Fatalf("axe does not see what is wrong with a bad page: %s", found)
	}
	for _, screen := range []struct{ width, height int64 }{{1440, 900}, {390, 844}} {
		for _, theme := range []string{"light", "dark"} {
			for _, v := range views {
				name := fmt.Sprintf("%s, %s, %d px", v.name, theme, screen.width)
				v.p.screen(screen.width, screen.height)
				v.p.theme(theme)
				v.show(v.p)
				for _, wrong := range axeFindings(v.p, string(axe), rules[theme]) {
					t.Errorf("%s: %s", name, wrong)
				}
				if wide := eval[int](v.p, `Math.max(0, document.documentElement.scrollWidth - innerWidth)`); wide > 0 {
					t.Errorf("%s: the page is %d px wider than the screen", name, wide)
				}
			}
		}
	}
}

// rules are what is checked. A theme changes colours only, so structure and names are checked once.
var rules = map[string]map[string]any{
	"light": {"type": "tag", "values": []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"}},
	"dark":  {"type": "rule", "values": []string{"color-contrast", "link-in-text-block"}},
}

// axeFindings are axe-core's violations on the page as it is now, one line each. The script comes in through DevTools, which the page's
// content security policy does not bind.
func axeFindings(p *page, axe string, rules map[string]any) (found []string) {
	p.t.Helper()
	p.loaded()
	if !eval[bool](p, `!!window.axe`) {
		eval[bool](p, axe+"\n;true")
	}
	raw := eval[string](p, `axe.run(document, { resultTypes: ["violations"], runOnly: `+js(rules)+` })
.then((r) => JSON.stringify(r.violations.map((v) => ({ id: v.id, help: v.help, nodes: v.nodes.map((n) => n.target.join(" ") + ": " + (n.failureSummary ?? "").split("\n").slice(1).join(";")) }))))`)
	var list []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range list {
		if len(v.Nodes) > 4 {
			v.Nodes = append(v.Nodes[:4], fmt.Sprintf("and %d more", len(v.Nodes)-4))
		}
		found = append(found, fmt.Sprintf("%s (%s)\n\t%s", v.ID, v.Help, strings.Join(v.Nodes, "\n\t")))
	}
	return found
}
