package views

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"kefu/internal/texts"
)

// one is the only element that the selector finds.
func one(t *testing.T, doc *html.Node, selector string) *html.Node {
	t.Helper()
	found := find(doc, selector)
	if len(found) != 1 {
		t.Fatalf("%s is there %d times", selector, len(found))
	}
	return found[0]
}

func TestCustomersWordsAreOnlyWords(t *testing.T) {
	chat := sampleChat(texts.ZhCN)
	chat.Messages = sampleKinds(texts.ZhCN)
	chat.Customer.Name = hostile
	_, doc := render(t, ChatPane(chat))
	if n := len(find(doc, "script, img")); n != 0 {
		t.Errorf("%d elements came out of a customer's words", n)
	}
	if got := words(one(t, doc, "#m-6000 .bubble")); got != hostile {
		t.Errorf("the words changed: %q", got)
	}
	for _, a := range find(doc, ".rich a") {
		if !strings.HasPrefix(attr(a, "href"), "https://") || !strings.Contains(attr(a, "rel"), "noopener") || !strings.Contains(attr(a, "rel"), "noreferrer") {
			t.Errorf("link %q rel %q", attr(a, "href"), attr(a, "rel"))
		}
	}
	if n := len(find(doc, ".rich a")); n != 1 {
		t.Errorf("%d links, want the one that is a web address", n)
	}
}

func TestLongWordsFold(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		lines      int
	}{
		{"short", "你好", 0},
		{"twelve lines", strings.Repeat("行\n", 11) + "行", 0},
		{"thirteen lines", strings.Repeat("行\n", 12) + "行", 1},
		{"no line breaks", strings.Repeat("长", foldRunes*2), foldRunes/32 + 1},
	} {
		shown, rest, lines := fold(tt.text)
		if lines != tt.lines || (rest == "") != (tt.lines == 0) {
			t.Errorf("%s: %d lines behind the fold, want %d", tt.name, lines, tt.lines)
		}
		if joined := strings.ReplaceAll(shown+rest, "\n", ""); joined != strings.ReplaceAll(tt.text, "\n", "") {
			t.Errorf("%s: words were lost", tt.name)
		}
	}
}

func TestWaitSpeaksItsMark(t *testing.T) {
	for _, tt := range []struct {
		seconds int64
		ticks   int
		sla     string
		text    string
	}{
		{0, 0, "", "00:00"}, {-5, 0, "", "00:00"}, {65, 2, "", "01:05"}, {143, 4, "", "02:23"}, {144, 4, "warn", "02:24"}, {179, 4, "warn", "02:59"},
		{180, 5, "late", "03:00"}, {3599, 5, "late", "59:59"}, {3600 + 240, 5, "late", "1 小时 4 分"},
	} {
		w := sampleWait(texts.ZhCN, tt.seconds)
		if w.ticks() != tt.ticks || w.sla() != tt.sla || w.text() != tt.text {
			t.Errorf("%d s: %d %q %q, want %d %q %q", tt.seconds, w.ticks(), w.sla(), w.text(), tt.ticks, tt.sla, tt.text)
		}
	}
}

func TestMonogram(t *testing.T) {
	for name, want := range map[string]string{"王蔓 · 朝阳": "王", "leo": "L", "微信用户·k7Qs": "k7", "@小林": "小", "": "?", "😀": "?"} {
		if got := monogram(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestRowsSortByOrder(t *testing.T) {
	inOrder := []string{OrderWaiting(ago(600)), OrderWaiting(ago(5)), orderHead, OrderQuiet(ago(5)), OrderQuiet(ago(600)), "9"}
	for i := range len(inOrder) - 1 {
		if inOrder[i] >= inOrder[i+1] {
			t.Errorf("%s does not come before %s", inOrder[i], inOrder[i+1])
		}
	}
}

func TestEveryDeliveryStateSaysWhatCanBeDone(t *testing.T) {
	for _, tt := range []struct {
		state    DeliveryProps
		says     string
		does     []string
		withEdit bool
	}{
		{DeliveryProps{State: "queued", RetryIn: 12, CanSkip: true, CanWithdraw: true}, "微信繁忙，12 秒后再试", []string{"/skip", "/withdraw"}, false},
		{DeliveryProps{State: "sending"}, "发送中", nil, false},
		{DeliveryProps{State: "sent"}, "已送达微信", nil, false},
		{DeliveryProps{State: "failed", Reason: "超过 48 小时（45015）", CanResend: true, CanEdit: true}, "未送达：超过 48 小时（45015）", []string{"/resend"}, true},
		{DeliveryProps{State: "unknown", CanResend: true}, "可能已送达", []string{"/resend"}, false},
		{DeliveryProps{State: "parked", CanWithdraw: true}, "等客户再次发言", []string{"/withdraw"}, false},
	} {
		t.Run(tt.state.State, func(t *testing.T) {
			tt.state.Channel = "wechat"
			m := MessageProps{L: texts.ZhCN, ID: 7, ChatID: 12, Kind: MessageOut, Content: ContentProps{Kind: "text", Text: "好"}, Delivery: tt.state}
			_, doc := render(t, Message(m))
			if got := words(one(t, doc, "#m-7 .msg__foot")); !strings.Contains(got, tt.says) {
				t.Errorf("says %q, want %q", got, tt.says)
			}
			forms := find(doc, "#m-7 form")
			if len(forms) != len(tt.does) {
				t.Fatalf("%d forms, want %v", len(forms), tt.does)
			}
			for i, form := range forms {
				if want := "/c/12/messages/7" + tt.does[i]; attr(form, "action") != want {
					t.Errorf("form goes to %s, want %s", attr(form, "action"), want)
				}
			}
			if got := len(find(doc, "#edit-7")) == 1; got != tt.withEdit {
				t.Errorf("edit offered: %v", got)
			}
		})
	}
}

func TestThePlaceUnderTheTimeline(t *testing.T) {
	for slot, has := range map[string]string{SlotMine: "form#composer textarea", SlotClaim: `form[action="/c/8128/claim"] button`, SlotWatch: "#blocked .avatar--staff", SlotClosed: "#blocked p"} {
		chat := sampleChat(texts.En)
		chat.Slot, chat.CanClose, chat.Reason, chat.Holder = slot, slot == SlotMine, "why", &Person{ID: 4, Name: "陈嘉木"}
		_, doc := render(t, ChatPane(chat))
		one(t, doc, `#composer-slot[data-state="`+slot+`"] `+has)
		if got := len(find(doc, `form[action="/c/8128/close"]`)); (got == 1) != (slot == SlotMine) {
			t.Errorf("%s: %d ways to close", slot, got)
		}
	}
}

func TestRefusedReplyKeepsItsWords(t *testing.T) {
	chat := sampleChat(texts.ZhCN)
	chat.Composer.Text, chat.Composer.Error, chat.Composer.Mode = "还没发出去的话", "需要 6 条，只剩 5 条", "note"
	_, doc := render(t, ChatPane(chat))
	if got := words(one(t, doc, "#composer-text")); got != "还没发出去的话" {
		t.Errorf("the field holds %q", got)
	}
	if got := strings.TrimSpace(words(one(t, doc, "#composer [role=alert]:not([hidden])"))); got != "需要 6 条，只剩 5 条" {
		t.Errorf("the alert says %q", got)
	}
	one(t, doc, `#composer input[value="note"][checked]`)
	if key := attr(one(t, doc, `#composer input[name="key"]`), "value"); key == "" {
		t.Error("no idempotency key")
	}
}

func TestLimitsNeverForbid(t *testing.T) {
	base := sampleNow
	for _, tt := range []struct {
		name  string
		props LimitsProps
		says  string
		sla   string
	}{
		{"open", LimitsProps{Until: base + 41*3600_000, Left: 3, Of: 5}, "还可发 3/5 条", ""},
		{"last hour", LimitsProps{Until: base + 58*60_000, Left: 3, Of: 5}, "58 分", "warn"},
		{"one left", LimitsProps{Until: base + 41*3600_000, Left: 1, Of: 5}, "还可发 1/5 条", "late"},
		{"none left", LimitsProps{Until: base + 41*3600_000, Of: 5}, "仍可尝试", "late"},
		{"closed", LimitsProps{Until: base - 1}, "仍可尝试", "late"},
		{"minute grant", LimitsProps{Extra: 3, ExtraUntil: base + 42_000}, "42 秒", "warn"},
		{"no limit", LimitsProps{Free: true}, "不限条数", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.props.L, tt.props.Now = texts.ZhCN, base
			_, doc := render(t, Limits(tt.props))
			if got := words(one(t, doc, "#limits")); !strings.Contains(got, tt.says) {
				t.Errorf("says %q, want %q", got, tt.says)
			}
			if marked := len(find(doc, `#limits [data-sla="`+tt.sla+`"]`)) > 0; tt.sla != "" && !marked {
				t.Errorf("is not marked %s", tt.sla)
			}
		})
	}
}

func TestRowShowsWaitTagOrTime(t *testing.T) {
	list := sampleList(texts.ZhCN)
	_, doc := render(t, ConvoList(list))
	one(t, doc, `#c-8129 .wait[data-sla="late"][data-since][data-target="180"]`)
	one(t, doc, "#c-8124 time[datetime]")
	one(t, doc, "#c-8123 .tag--late")
	one(t, doc, "#c-8121 .tag--warn")
	one(t, doc, `#c-8128 [aria-current="true"]`)
	one(t, doc, "#list-quiet:not([hidden])")
	_, doc = render(t, ConvoList(sampleQueueList(texts.ZhCN)))
	if n := len(find(doc, `#convo-list form[action$="/claim"] button`)); n != 3 {
		t.Errorf("%d rows can be accepted, want 3", n)
	}
}

func TestNoControlIsOfferedThatWouldBeRefused(t *testing.T) {
	_, doc := render(t, Queue(sampleQueue(texts.ZhCN)))
	one(t, doc, "#q-8303")
	if n := len(find(doc, "#q-8304 button")); n != 0 {
		t.Error("a row that may not be accepted has a button")
	}
	one(t, doc, `form[action="/c/8300/claim"] #claim-next`)
	_, doc = render(t, Me(sampleMe(texts.En)))
	if n := len(find(doc, `form[action^="/me/logins/"]`)); n != 1 {
		t.Errorf("%d log-ins can be ended, want all but this one", n)
	}
}

func TestPageCarriesWhatTheScriptNeeds(t *testing.T) {
	_, doc := render(t, Workspace(sampleWorkspace(texts.En, "chat")))
	one(t, doc, `html[lang="en"]:not([data-theme])`)
	body := one(t, doc, "body")
	for name, want := range map[string]string{"data-login": "7f3c", "data-cursor": "a1b2.4711", "data-agent": "9", "data-now": "1763604240000"} {
		if got := attr(body, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(attr(body, "data-worker"), "/static/js/stream-worker.js?v=") {
		t.Errorf("worker at %q", attr(body, "data-worker"))
	}
	if !strings.Contains(attr(one(t, doc, `meta[name="htmx-config"]`), "content"), `"allowEval":false`) {
		t.Error("htmx may evaluate")
	}
	for _, link := range find(doc, "link[href], script[src]") {
		if at := attr(link, "href") + attr(link, "src"); !strings.Contains(at, "?v=") {
			t.Errorf("%s is not a file of ours", at)
		}
	}
	one(t, doc, `#workspace[data-view="chat"]`)
}
