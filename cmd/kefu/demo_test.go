package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"

	"kefu/internal/texts"
)

// simState is what the simulator says of itself.
type simState struct {
	Clock  time.Time `json:"clock"`
	WeChat struct {
		Apps []struct {
			AppID  string `json:"appid"`
			Secret string `json:"secret"`
			Token  string `json:"token"`
			AESKey string `json:"aes_key"`
		} `json:"apps"`
	} `json:"wechat"`
}

func (c *client) state() (s simState) {
	c.t.Helper()
	body, _ := c.get("/_sim/state")
	c.decode(body, &s)
	return s
}

// says has the customer write from the simulated phone, and wants the desk to take it.
func (c *client) says(openID, text string) {
	c.t.Helper()
	c.control("/_sim/wechat/users", map[string]any{"openid": openID}, nil)
	var answer struct {
		Status int `json:"status"`
	}
	c.control("/_sim/wechat/act", map[string]any{"openid": openID, "do": "text", "text": text}, &answer)
	if answer.Status != http.StatusOK {
		c.t.Fatalf("the callback was answered with %d", answer.Status)
	}
}

func (c *client) page(path string) *html.Node {
	c.t.Helper()
	body, _ := c.get(path)
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	return doc
}

// posts sends a form and wants it done.
func (c *client) posts(path string, fields ...string) {
	c.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	answer, err := c.http.PostForm(c.base+path, form)
	if err != nil {
		c.t.Fatal(err)
	}
	c.body(answer, http.StatusSeeOther)
}

var accessToken = regexp.MustCompile(`access_token[^A-Za-z0-9_-]+([A-Za-z0-9_-]{20,})`)

// token is the access token that the simulator gave away.
func (c *client) token() string {
	c.t.Helper()
	calls, _ := c.get("/_sim/calls")
	if found := accessToken.FindStringSubmatch(calls); found != nil {
		return found[1]
	}
	return ""
}

var chatPath = regexp.MustCompile(`^/c/\d+$`)

// chatWith finds the agent's chat in which the customer said the words.
func (c *client) chatWith(list, said string) string {
	c.t.Helper()
	for _, row := range cascadia.QueryAll(c.page("/c?list="+list), cascadia.MustCompile("#convo-list li")) {
		if !strings.Contains(words(row), said) {
			continue
		}
		for _, a := range cascadia.QueryAll(row, cascadia.MustCompile("a[href]")) {
			for _, attribute := range a.Attr {
				if attribute.Key == "href" && chatPath.MatchString(attribute.Val) {
					return attribute.Val
				}
			}
		}
	}
	return ""
}

func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (c *client) one(path, selector string) string {
	c.t.Helper()
	found := cascadia.QueryAll(c.page(path), cascadia.MustCompile(selector))
	if len(found) != 1 {
		c.t.Fatalf("%s has %d %s, want one", path, len(found), selector)
	}
	return words(found[0])
}

func TestDemonstrationStaysAmongItself(t *testing.T) {
	data := ownEnvironment(t)
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "kefu.example.com:0"} {
		refuses(t, []string{addr, "--public-demo"}, "demo", "--addr", addr)
		refuses(t, []string{addr, "--public-demo"}, "demo", "--addr", "127.0.0.1:0", "--sim-addr", addr)
		refuses(t, []string{addr}, "simulator", "--addr", addr)
	}
	refuses(t, []string{"nonsense"}, "demo", "--addr", "nonsense")
	refuses(t, []string{"--sim-addr"}, "demo", "--addr", "127.0.0.1:65535")

	r, _ := server(t) // a real desk
	r.ends()
	refuses(t, []string{"real desk"}, "demo", "--addr", "127.0.0.1:0", "--data", data)
	r, desk := server(t) // which is still one
	if desk.logIn("zhou", demoPassword) || desk.logIn("admin", demoPassword) {
		t.Error("a password that everybody knows opens a real desk")
	}
	r.ends()
}

func TestLoopbackAddresses(t *testing.T) {
	for addr, fine := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:0": true, "[::1]:8080": true, "127.1.2.3:80": true,
		"0.0.0.0:8080": false, ":8080": false, "10.0.0.1:80": false, "example.com:80": false, "127.0.0.1": false, "": false, "localhost.example.com:80": false,
	} {
		if err := loopbackOnly(addr); (err == nil) != fine {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestKeptDemonstrationGoesOnWhereItWas(t *testing.T) {
	ownEnvironment(t)
	data := filepath.Join(t.TempDir(), "demo")
	log := standardError(t)
	r, desk, sim := demonstration(t, "--data", data, "--log", "debug")
	if !strings.Contains(r.out.String(), demoPassword) || !strings.Contains(r.out.String(), data) {
		t.Errorf("announced: %s", r.out)
	}
	before := sim.state()
	people, channels := works(t, "", "agent", "list", "--data", data), works(t, "", "channel", "list", "--data", data)
	zhou := newClient(t, desk.base)
	zhou.logIn("zhou", demoPassword)
	sim.says("o_kept_customer_000000000001", "第一天的问题")
	chat := ""
	r.until("the chat in zhou's hands", func() bool {
		chat = zhou.chatWith("mine", "第一天的问题")
		return chat != ""
	})
	zhou.posts(chat+"/messages", "mode", "reply", "text", "第一天的回答")
	r.until("the answer sent", func() bool {
		return len(cascadia.QueryAll(zhou.page(chat), cascadia.MustCompile(".msg--out[data-state=sent]"))) > 0 && sim.token() != ""
	})
	secrets := []string{before.WeChat.Apps[0].Secret, before.WeChat.Apps[0].Token, before.WeChat.Apps[0].AESKey, sim.token()}
	for _, username := range []string{"admin", "lin", "he"} {
		if !newClient(t, desk.base).logIn(username, demoPassword) {
			t.Errorf("%s cannot log in", username)
		}
	}
	ended := zhou.follow()
	r.ends()
	<-ended

	refuses(t, []string{"demonstration", "another data folder"}, "serve", "--addr", "127.0.0.1:0", "--data", data)

	r, desk, sim = demonstration(t, "--data", data, "--log", "debug", "--agents", "5")
	after := sim.state()
	if len(after.WeChat.Apps) != 1 || after.WeChat.Apps[0].AppID != before.WeChat.Apps[0].AppID || after.WeChat.Apps[0].Secret == secrets[0] {
		t.Errorf("the account is %+v, before %+v; want the same with new secrets", after.WeChat.Apps, before.WeChat.Apps)
	}
	if got := works(t, "", "channel", "list", "--data", data); got != channels {
		t.Errorf("channels\n%s\nbefore\n%s", got, channels)
	}
	if got := works(t, "", "agent", "list", "--data", data); strings.Count(got, "\n") != strings.Count(people, "\n") {
		t.Errorf("people\n%s\nbefore\n%s", got, people)
	}
	admin := newClient(t, desk.base)
	admin.logIn("admin", demoPassword)
	sim.says("o_kept_customer_000000000001", "第二天的问题")
	r.until("the customer on the desk", func() bool {
		return admin.chatWith("queue", "第二天的问题")+admin.chatWith("team", "第二天的问题") != ""
	})
	chat = admin.chatWith("queue", "第二天的问题") + admin.chatWith("team", "第二天的问题")
	if thread := admin.one(chat, "#timeline"); !strings.Contains(thread, "第一天的问题") {
		t.Errorf("the customer's words of before are not there: %s", thread)
	}
	secrets = append(secrets, after.WeChat.Apps[0].Secret, after.WeChat.Apps[0].Token, after.WeChat.Apps[0].AESKey)
	r.ends()
	for _, secret := range append(secrets, demoPassword) {
		if strings.Contains(log(), secret) {
			t.Errorf("a secret (%.4s…) is in the log", secret)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(r.out.String(), secret) {
			t.Errorf("a secret (%.4s…) is said", secret)
		}
	}
}

func TestTemporaryDemonstrationLeavesNothing(t *testing.T) {
	ownEnvironment(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	r, _, _ := demonstration(t)
	r.ends()
	left, err := filepath.Glob(filepath.Join(tmp, "kefu-demo-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v (%v) is left", left, err)
	}
	if _, err := os.Stat(os.Getenv("KEFU_DATA")); !os.IsNotExist(err) {
		t.Errorf("the demonstration touched the real desk's folder: %v", err)
	}
}

func TestLargerTeam(t *testing.T) {
	ownEnvironment(t)
	r, desk, _ := demonstration(t, "--agents", "4", "--groups", "3")
	last := newClient(t, desk.base)
	if !last.logIn("agent4", demoPassword) {
		t.Error("the fourth agent cannot log in")
	}
	admin := newClient(t, desk.base)
	admin.logIn("admin", demoPassword)
	if groups := cascadia.QueryAll(admin.page("/queue"), cascadia.MustCompile("#queue-groups tbody tr")); len(groups) != 3 {
		t.Errorf("%d groups, want 3", len(groups))
	}
	r.ends()
}

// TestTwoDaysPassInSeconds: the clock is one for both, and what falls due on the way happens (architecture.md §9).
func TestTwoDaysPassInSeconds(t *testing.T) {
	ownEnvironment(t)
	r, desk, sim := demonstration(t)
	if !desk.logIn("zhou", demoPassword) {
		t.Fatal("zhou cannot log in")
	}
	desk.follow()
	sim.says("o_clock_customer_00000000001", "两天后还在吗")
	chat := ""
	r.until("the chat in zhou's hands", func() bool {
		chat = desk.chatWith("mine", "两天后还在吗")
		return chat != ""
	})
	if limits := desk.one(chat, "#limits"); !strings.Contains(limits, zh("page.limits.left", "n", 5, "of", 5)) {
		t.Errorf("before: %s", limits)
	}
	deskClock := func() time.Time {
		_, header := desk.get("/healthz")
		ms, err := strconv.ParseInt(header.Get("X-Now"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.UnixMilli(ms)
	}
	simBefore, deskBefore, begun := sim.state().Clock, deskClock(), time.Now()
	sim.control("/_sim/clock", map[string]any{"advance": "49h"}, nil)
	took := time.Since(begun)
	if took > 20*time.Second {
		t.Errorf("two days took %v", took)
	}
	for name, moved := range map[string]time.Duration{"simulator": sim.state().Clock.Sub(simBefore), "desk": deskClock().Sub(deskBefore)} {
		if moved < 49*time.Hour || moved > 49*time.Hour+deadline {
			t.Errorf("the %s's clock moved by %v, want 49 h", name, moved)
		}
	}
	if desk.status(chat) != http.StatusSeeOther {
		t.Error("a log-in for the day is alive after two")
	}
	if !desk.logIn("zhou", demoPassword) {
		t.Fatal("zhou cannot log in again")
	}
	if limits := desk.one(chat, "#limits"); !strings.Contains(limits, zh("page.limits.closed")) {
		t.Errorf("after: %s, want the window closed", limits)
	}
	desk.posts(chat+"/messages", "mode", "reply", "text", "在的", "key", "k") // the agent may always try
	r.until("the platform's refusal on the page", func() bool {
		return len(cascadia.QueryAll(desk.page(chat), cascadia.MustCompile(".msg--out[data-state=failed]"))) == 1
	})
	r.ends()
}

func zh(key texts.Key, pairs ...any) string {
	args := texts.Args{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return texts.T(texts.ZhCN, key, args)
}

func TestSimulatorAlone(t *testing.T) {
	ownEnvironment(t)
	r := start(t, "simulator", "--addr", "127.0.0.1:0")
	r.until("its address", func() bool { return address.MatchString(r.out.String()) })
	sim := newClient(t, address.FindString(r.out.String()))
	before := sim.state().Clock
	sim.control("/_sim/clock", map[string]any{"advance": "1h"}, nil)
	if moved := sim.state().Clock.Sub(before); moved < time.Hour {
		t.Errorf("the clock moved by %v", moved)
	}
	r.ends()
}

func TestDemonstrationThatCannotStartLeavesNothing(t *testing.T) {
	ownEnvironment(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	r, desk, sim := demonstration(t)
	busyDesk, busySim := strings.TrimPrefix(desk.base, "http://"), strings.TrimPrefix(sim.base, "http://")
	for _, args := range [][]string{{"--addr", busyDesk, "--sim-addr", "127.0.0.1:0"}, {"--addr", "127.0.0.1:0", "--sim-addr", busySim}} {
		refuses(t, []string{"listen on"}, append([]string{"demo"}, args...)...)
	}
	r.ends()
	if left, err := filepath.Glob(filepath.Join(tmp, "kefu-demo-*")); err != nil || len(left) != 0 {
		t.Errorf("%v (%v) is left", left, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop() // interrupted before it began
	cmd := root()
	cmd.SetArgs([]string{"demo", "--addr", "127.0.0.1:0", "--sim-addr", "127.0.0.1:0"})
	cmd.SetOut(&output{})
	_ = cmd.ExecuteContext(ctx) //nolint:errcheck // what it says does not matter, it must end
}
