package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
)

// TestScreenshots writes the pictures of docs/screenshots: `make screenshots`. Without KEFU_SHOTS it writes them to a folder of the test,
// so that `make test` sees whether it still can.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	into := os.Getenv("KEFU_SHOTS")
	if into == "" {
		into = t.TempDir()
	} else if !filepath.IsAbs(into) {
		into = filepath.Join("..", "..", into) // as seen from the Makefile
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newScene(t)
	b := newBrowser(t, "zh-CN")
	p, out, phone := b.page("agent"), b.another().page("not logged in"), b.another().page("phone")
	call(phone, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Shanghai"})
	p.login(s.demo, "zhou")
	p.expects("404 for GET")
	both := []string{"light", "dark"}
	views := []struct {
		name  string
		p     *page
		wide  string // address at 1440 px; empty: no picture
		small string // at 390 px
		after func(*page)
	}{
		{"login", out, s.desk + "/login", s.desk + "/login", nil},
		{"workspace", p, s.path(s.chat, ""), s.desk + "/c", nil},
		{"workspace-empty", p, s.desk + "/c", "", nil},
		{"chat", p, s.path(s.failing, ""), s.path(s.chat, ""), nil},
		{"doubt", p, s.path(s.doubt, ""), "", nil},
		{"customer", p, "", s.path(s.chat, "/customer"), nil},
		{"close", p, s.path(s.chat, ""), s.path(s.chat, ""), func(p *page) {
			p.keys("e")
			p.sees("#dlg-close", "结束")
		}},
		{"shortcuts", p, s.path(s.chat, ""), "", func(p *page) {
			p.keys("?")
			p.sees("#dlg-keys", "快捷键")
		}},
		{"presence", p, s.path(s.chat, ""), "", func(p *page) {
			p.click("#presence-btn")
			p.sees("#presence", "小休")
			p.pointAway()
		}},
		{"note", p, s.path(s.chat, ""), s.path(s.chat, ""), func(p *page) {
			if eval[string](p, `document.querySelector("#composer").dataset.mode`) != "note" { // the draft of the picture before is a note already
				p.alt("n")
			}
			p.click("#composer-text")
			eval[bool](p, `(document.querySelector("#composer-text").value = "", true)`)
			p.types("周五前要开好发票")
		}},
		{"queue", p, s.desk + "/queue", s.desk + "/queue", nil},
		{"me", p, s.desk + "/me", s.desk + "/me", nil},
		{"problem", p, s.desk + "/c/999999", s.desk + "/c/999999", nil},
		{"phone", phone, s.sim.url, s.sim.url, func(p *page) {
			p.sees("#sim-log", "/callbacks/")
			eval[bool](p, fmt.Sprintf(`(() => { const user = document.querySelector("#sim-user"); user.value = %s; user.dispatchEvent(new Event("change", { bubbles: true })); return true })()`, js(s.regular("王蔓").openid)))
			p.sees("#sim-phone .pm", "百子湾路")
		}},
	}
	for _, v := range views {
		for _, theme := range both {
			for _, screen := range []struct {
				width, height int64
				url           string
			}{{1440, 900, v.wide}, {390, 844, v.small}} {
				if screen.url == "" {
					continue
				}
				v.p.theme(theme)
				v.p.screen(screen.width, screen.height)
				v.p.open(screen.url)
				v.p.loaded()
				if v.after != nil {
					v.after(v.p)
				}
				v.p.shoot(filepath.Join(into, fmt.Sprintf("%s-%s-%d.png", v.name, theme, screen.width)))
			}
		}
	}

	english := newBrowser(t, "en").page("in English")
	english.login(s.demo, "zhou")
	english.theme("light")
	for name, url := range map[string]string{"workspace-en": s.path(s.chat, ""), "queue-en": s.desk + "/queue"} {
		english.open(url)
		english.loaded()
		english.shoot(filepath.Join(into, name+"-light-1440.png"))
	}
}

// shoot writes what the tab shows. A picture in the repository stays small.
func (p *page) shoot(path string) {
	p.t.Helper()
	eval[bool](p, `Promise.all([document.fonts.ready, ...[...document.images].map((i) => i.decode().catch(() => {}))]).then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`)
	picture := call(p, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{Format: cdppage.CaptureScreenshotFormatPng}).Data
	if len(picture) > 300<<10 {
		p.t.Errorf("%s has %d KB", filepath.Base(path), len(picture)>>10)
	}
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
