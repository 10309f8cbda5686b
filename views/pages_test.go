package views

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"

	"kefu/internal/texts"
)

var preview = flag.String("preview", "", "write every sample page into this folder, to look at it in a browser")

// samples are all pages and fragments in one language.
func samples(l texts.Lang) map[string]templ.Component {
	login := LoginProps{L: l, Place: "青禾家居 · kefu.qinghe.example", Version: "v1.0.0", RememberDays: 14}
	refused := login
	refused.Username, refused.Error, refused.AskCode, refused.Next = `lin"><script>`, "用户名或密码不对。", true, "/c/8128"
	empty := WorkspaceProps{Page: samplePage(l, "chats", ""), View: "list", List: ListProps{L: l, Name: ListMine, Badges: sampleBadges(l), Longest: sampleWait(l, 292)}}
	kinds := sampleWorkspace(l, "chat")
	kinds.Chat.Messages = sampleKinds(l)
	kinds.Chat.Limits.Until, kinds.Chat.Limits.Left = sampleNow+58*60_000, 1
	claim := sampleWorkspace(l, "chat")
	claim.List, claim.Chat.Slot, claim.Chat.CanClose, claim.Chat.Alert = sampleQueueList(l), SlotClaim, false, "何晓彤 已接入这位客户"
	watch := sampleWorkspace(l, "chat")
	watch.Chat.Slot, watch.Chat.CanClose, watch.Chat.Holder, watch.Chat.Reason, watch.Chat.Detail = SlotWatch, false, &Person{ID: 4, Name: "陈嘉木"}, "陈嘉木正在接待", "你在旁观，只能看。"
	closed := sampleWorkspace(l, "chat")
	closed.Chat.Slot, closed.Chat.CanClose, closed.Chat.Reason, closed.Chat.Wait = SlotClosed, false, "会话已结束", nil
	refusedReply := sampleWorkspace(l, "chat")
	refusedReply.Chat.Composer.Error, refusedReply.Chat.Composer.Text, refusedReply.Chat.Composer.Mode = "需要 6 条，只剩 5 条", "还没发出去的话", "note"
	refusedReply.Chat.Limits = LimitsProps{L: l, Now: sampleNow}
	nobody := sampleQueue(l)
	nobody.Rows, nobody.Longest = nil, nil
	toasts := sampleQueue(l)
	toasts.Page.Toasts = []ToastProps{{ID: "toast-1", Kind: "alert", Text: "另一位客服先接入了", Href: "/c/8128", Link: "去看"}, {ID: "toast-2", Kind: "ok", Text: "已结束会话"}}
	return map[string]templ.Component{
		"login": Login(login), "login-refused": Login(refused),
		"workspace": Workspace(sampleWorkspace(l, "chat")), "list": Workspace(sampleWorkspace(l, "list")), "panel": Workspace(sampleWorkspace(l, "panel")),
		"empty": Workspace(empty), "kinds": Workspace(kinds), "claim": Workspace(claim), "watch": Workspace(watch), "closed": Workspace(closed), "refused": Workspace(refusedReply),
		"queue": Queue(toasts), "queue-empty": Queue(nobody), "me": Me(sampleMe(l)),
		"403": Problem(ProblemProps{L: l, Status: 403}), "404": Problem(ProblemProps{L: l, Status: 404, Login: true}), "413": Problem(ProblemProps{L: l, Status: 413}), "500": Problem(ProblemProps{L: l, Status: 502, Ref: "01JD3K8VQ2"}),
		"fragment-row": ConvoRow(sampleList(l).Rows[0]), "fragment-list": ListFragment(sampleList(l)), "fragment-badges": BadgesFragment(sampleBadges(l)),
		"fragment-thread": ThreadUpdate(sampleChat(l)), "fragment-presence": PresenceFragment(l, samplePage(l, "", "").Me), "fragment-toast": ToastOOB(l, ToastProps{ID: "toast-3", Kind: "alert", Text: hostile}),
		"fragment-queue": QueueLive(sampleQueue(l)), "fragment-composer": Composer(sampleChat(l).composer()), "fragment-message": Message(sampleMessages(l)[1]),
	}
}

func render(t *testing.T, c templ.Component) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), doc
}

func find(doc *html.Node, selector string) []*html.Node {
	return cascadia.QueryAll(doc, cascadia.MustCompile(selector))
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func words(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(words(c))
	}
	return b.String()
}

var keyShown = regexp.MustCompile(`\bpage\.[a-z]+[a-z.]*`)

// TestEverySampleKeepsTheHouseRules walks all pages: what must hold everywhere is checked once.
func TestEverySampleKeepsTheHouseRules(t *testing.T) {
	for _, l := range texts.Langs {
		for name, component := range samples(l) {
			t.Run(string(l)+"/"+name, func(t *testing.T) {
				source, doc := render(t, component)
				if *preview != "" {
					if err := os.WriteFile(filepath.Join(*preview, name+"."+string(l)+".html"), []byte(source), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if found := keyShown.FindString(source); found != "" {
					t.Errorf("a key instead of a sentence: %s", found)
				}
				checkTree(t, doc)
			})
		}
	}
}

// checkTree: ids unique, nothing inline, every control named, every form a real one.
func checkTree(t *testing.T, doc *html.Node) {
	t.Helper()
	ids := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q>: the policy forbids it", n.Data, a.Key, a.Val)
			}
			if (a.Key == "href" || a.Key == "src" || a.Key == "action") && strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("id %q is there twice", id)
			}
			ids[id] = true
		}
		switch n.Data {
		case "script":
			if attr(n, "src") == "" {
				t.Errorf("inline script: %q", words(n))
			}
		case "style":
			t.Error("inline style sheet")
		case "button", "a":
			if strings.TrimSpace(words(n)) == "" && attr(n, "aria-label") == "" {
				t.Errorf("<%s id=%q class=%q> has no name", n.Data, attr(n, "id"), attr(n, "class"))
			}
		case "form":
			if attr(n, "method") != "post" || !strings.HasPrefix(attr(n, "action"), "/") {
				t.Errorf("form %q does not work without a script", attr(n, "id"))
			}
		case "input", "textarea", "select":
			if attr(n, "type") != "hidden" && attr(n, "aria-label") == "" && !labelled(doc, n) {
				t.Errorf("<%s name=%q> has no label", n.Data, attr(n, "name"))
			}
		}
	}
	for _, n := range find(doc, "[aria-labelledby], [aria-describedby], [popovertarget]") {
		for _, key := range []string{"aria-labelledby", "aria-describedby", "popovertarget"} {
			if id := attr(n, key); id != "" && !ids[id] && len(find(doc, "body.none, .app")) > 0 {
				t.Errorf("%s=%q leads nowhere", key, id)
			}
		}
	}
}

func labelled(doc, n *html.Node) bool {
	for up := n.Parent; up != nil; up = up.Parent {
		if up.Data == "label" {
			return true
		}
	}
	return len(find(doc, `label[for="`+attr(n, "id")+`"]`)) == 1
}
