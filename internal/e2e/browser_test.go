package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is one person's browser: its pages share log-in and storage, and nothing with another's.
type browser struct {
	t   testing.TB
	ctx context.Context
}

// newBrowser starts a browser of its own. Without Chromium the test fails: one that is skipped would look like one that passed.
func newBrowser(t testing.TB, lang string) browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Fatal("the browser tests need Chromium, which is missing here: run .ci/needs")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("lang", lang), chromedp.Flag("accept-lang", lang),
	)
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	return browser{t, ctx}
}

// another is a second person's browser in the same process.
func (b browser) another() browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	b.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatal(err)
	}
	return browser{b.t, ctx}
}

// page is one tab. Whatever goes wrong in it (an error on the console, a breach of the content security policy, a request that fails)
// fails the test, unless the test said before that it belongs to the case.
type page struct {
	t    testing.TB
	ctx  context.Context
	name string

	mu       sync.Mutex
	wrong    []string
	expected []string
	asked    map[network.RequestID]string
}

// violations reports each breach of the content security policy to the test.
const violations = `document.addEventListener("securitypolicyviolation", (e) => kefuViolation(JSON.stringify({
  blocked: e.blockedURI, directive: e.effectiveDirective, file: e.sourceFile, line: e.lineNumber, sample: e.sample })))`

// page opens a tab.
func (b browser) page(name string) *page {
	b.t.Helper()
	p := &page{t: b.t, name: name, asked: map[network.RequestID]string{}}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithListener(p.listen))
	p.ctx = ctx
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("%s at the end: %s", p.name, p.state())
		}
		cancel()
		p.verdict()
	})
	call(p, runtime.AddBinding, runtime.AddBindingParams{Name: "kefuViolation"})
	call(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: violations})
	p.screen(1440, 900)
	return p
}

func (p *page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventBindingCalled:
		p.wrong = append(p.wrong, "content security policy: "+e.Payload)
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.wrong = append(p.wrong, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			p.wrong = append(p.wrong, fmt.Sprintf("console error: %v", e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork { // requests are looked at themselves
			p.wrong = append(p.wrong, fmt.Sprintf("log: %s %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		p.asked[e.RequestID] = e.Request.Method + " " + e.Request.URL
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			p.wrong = append(p.wrong, fmt.Sprintf("%d for %s", int(e.Response.Status), p.asked[e.RequestID]))
		}
	case *network.EventLoadingFailed:
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" {
			p.wrong = append(p.wrong, fmt.Sprintf("%s %s for %s", e.ErrorText, e.BlockedReason, p.asked[e.RequestID]))
		}
	}
}

// expects says that the case is about something that goes wrong: each finding with one of these parts is fine.
func (p *page) expects(parts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, parts...)
}

func (p *page) verdict() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.wrong {
		if !slices.ContainsFunc(p.expected, func(part string) bool { return strings.Contains(w, part) }) {
			p.t.Errorf("%s: %s", p.name, w)
		}
	}
}

// requests are the addresses this tab asked for that contain part.
func (p *page) requests(part string) (found []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, url := range p.asked {
		if strings.Contains(url, part) {
			found = append(found, url)
		}
	}
	return found
}

// call is one command of the DevTools protocol.
func call[P, R any](p *page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	r, err := try(p, command, params)
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, command.Method, err)
	}
	return r
}

func try[P, R any](p *page, command cdp.Command[P, R], params P) (R, error) {
	if chromedp.FromContext(p.ctx).Target == nil { // the first call opens the tab and binds its life to the context
		return chromedp.Call(p.ctx, command, params)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

func do(p *page, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v\n%s", p.name, err, p.state())
	}
}

func (p *page) screen(width, height int64) {
	p.t.Helper()
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: false})
}

// theme lets the system be dark or light.
func (p *page) theme(scheme string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

func (p *page) withoutScripts() {
	p.t.Helper()
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// open goes to an address and waits until the page is there.
func (p *page) open(url string) {
	p.t.Helper()
	do(p, chromedp.Navigate(url))
}

// eval asks the page. DevTools may, also where the page's own scripts are off or kept from eval.
func eval[T any](p *page, script string) T {
	p.t.Helper()
	v, err := tryEval[T](p, script)
	if err != nil {
		p.t.Fatalf("%s: %v\nin: %s\n%s", p.name, err, script, p.state())
	}
	return v
}

func tryEval[T any](p *page, script string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// js is a Go value as a script writes it.
func js(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return string(b)
}

// wait waits until the expression is true. While it is something else, that is what was seen.
func (p *page) wait(what, expression string) {
	p.t.Helper()
	until(p.t, p.name+": "+what, func() (bool, string) {
		saw, err := tryEval[any](p, "(() => { "+helpers+" return "+expression+" })()")
		if err != nil && !errors.Is(err, context.DeadlineExceeded) { // the page may be on its way to another
			return false, err.Error()
		}
		return saw == true, fmt.Sprintf("%v\n%s", saw, p.state())
	})
}

// helpers find what a person can see.
const helpers = `
const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: false }) && e.getClientRects().length > 0;
const all = (css) => [...document.querySelectorAll(css)].filter(shown);
const says = (css) => all(css).map((e) => e.innerText.replace(/\s+/g, " ").trim());
`

// sees waits until something visible of the selector says the text.
func (p *page) sees(css, text string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%s says %q", css, text), fmt.Sprintf(`says(%s).some((said) => said.includes(%s)) || says(%s).join(" | ").slice(0, 600)`, js(css), js(text), js(css)))
}

// lacks waits until nothing visible of the selector says the text.
func (p *page) lacks(css, text string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%s no longer says %q", css, text), fmt.Sprintf(`!says(%s).some((said) => said.includes(%s)) || says(%s).join(" | ").slice(0, 600)`, js(css), js(text), js(css)))
}

// count is how many visible elements of the selector say the text.
func (p *page) count(css, text string) int {
	p.t.Helper()
	return eval[int](p, fmt.Sprintf(`(() => { %s return says(%s).filter((said) => said.includes(%s)).length })()`, helpers, js(css), js(text)))
}

// at waits until the tab's address is the path.
func (p *page) at(path string) {
	p.t.Helper()
	p.wait("the address is "+path, fmt.Sprintf(`document.readyState === "complete" && location.pathname === %s || location.href`, js(path)))
}

// click waits until the element can be hit, as a person would, and clicks it with the mouse.
func (p *page) click(css string) {
	p.t.Helper()
	p.clickWhere(css, "")
}

// clickWhere clicks the first visible element of the selector that says the text.
func (p *page) clickWhere(css, text string) {
	p.t.Helper()
	var spot struct{ X, Y float64 }
	until(p.t, fmt.Sprintf("%s: %s %q can be clicked", p.name, css, text), func() (bool, string) {
		saw, err := tryEval[string](p, fmt.Sprintf(`(async () => { %s
if (document.readyState !== "complete") return "the page is loading";
const e = all(%s).find((e) => e.innerText === undefined || e.innerText.includes(%s));
if (!e) return "there is none; " + says(%s).join(" | ").slice(0, 300);
if (e.disabled) return "it is disabled";
e.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
const place = () => { const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] };
const [x, y] = place();
const top = document.elementFromPoint(x, y);
if (!top || !(e.contains(top) || top.contains(e) || e.labels?.[0]?.contains(top))) return "it is covered by " + (top?.outerHTML.slice(0, 120) ?? "nothing");
return JSON.stringify({ x, y }) })()`, helpers, js(css), js(text), js(css)))
		if err != nil {
			return false, err.Error()
		}
		return json.Unmarshal([]byte(saw), &spot) == nil, saw + "\n" + p.state()
	})
	do(p, chromedp.MouseEvent(chromedp.MouseMoved, spot.X, spot.Y), chromedp.MouseClickXY(spot.X, spot.Y))
}

// pointAway moves the mouse to where it holds nothing back.
func (p *page) pointAway() {
	p.t.Helper()
	do(p, chromedp.MouseEvent(chromedp.MouseMoved, 1, 1))
}

// keys presses keys one after the other.
func (p *page) keys(keys ...string) {
	p.t.Helper()
	p.loaded()
	for _, k := range keys {
		p.press(k, 0)
	}
}

func (p *page) alt(key string) {
	p.t.Helper()
	p.loaded()
	p.press(key, int64(chromedp.ModifierAlt))
}

// press is one key down and up; the browser makes a character of it, unless the page takes the key for itself.
func (p *page) press(key string, modifiers int64) {
	p.t.Helper()
	k := kb.Keys[[]rune(key)[0]]
	e := input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeKeyDown, Key: k.Key, Code: k.Code, WindowsVirtualKeyCode: k.Windows, NativeVirtualKeyCode: k.Native,
		Text: k.Text, UnmodifiedText: k.Unmodified, Modifiers: modifiers,
	}
	if k.Shift {
		e.Modifiers |= int64(chromedp.ModifierShift)
	}
	if e.Text == "" || modifiers != 0 {
		e.Type, e.Text = input.DispatchKeyEventTypeRawKeyDown, ""
	}
	call(p, input.DispatchKeyEvent, e)
	e.Type, e.Text = input.DispatchKeyEventTypeKeyUp, ""
	call(p, input.DispatchKeyEvent, e)
}

const (
	enter  = kb.Enter
	escape = kb.Escape
	tab    = kb.Tab
)

// types writes where the focus is, in the way an input method does.
func (p *page) types(text string) {
	p.t.Helper()
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// fills clicks a field and writes into it; what it held is replaced.
func (p *page) fills(css, text string) {
	p.t.Helper()
	p.click(css)
	eval[chromedp.Void](p, fmt.Sprintf(`document.querySelector(%s).select()`, js(css)))
	p.types(text)
}

// state is the page in a few words, for a test that failed.
func (p *page) state() string {
	ctx, cancel := context.WithTimeout(p.ctx, 3*time.Second)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\nfocus: " + document.activeElement?.outerHTML.slice(0, 120) + "\n" + (document.body?.innerText ?? "").replace(/\s+/g, " ").slice(0, 900)`))
	if err != nil {
		return err.Error()
	}
	return s
}

// login logs in through the form and waits for the workspace.
func (p *page) login(d *demo, name string) {
	p.t.Helper()
	p.loginAt(d.desk, name)
}

func (p *page) loginAt(desk, name string) {
	p.t.Helper()
	p.open(desk + "/login")
	p.click("[name=remember]") // moving the clock by days does not end such a log-in
	p.fills("#username", name)
	p.fills("#password", demoPassword)
	p.keys(enter)
	p.at("/c")
}

// onBreak lets the agent take a break, so that nobody is assigned to them.
func (p *page) onBreak() {
	p.t.Helper()
	p.loaded()
	p.keys("p", "3")
	p.wait("the agent is on a break", `document.querySelector("#presence-btn").dataset.presence === "break" || document.querySelector("#presence-btn").outerHTML.slice(0, 200)`)
}

// loaded waits until the page is there with all its scripts.
func (p *page) loaded() {
	p.t.Helper()
	p.wait("the page has loaded", `document.readyState === "complete"`)
}
