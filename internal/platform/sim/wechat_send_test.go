package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSendChecksWhatIsSent(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{WeChatID: "kftest"})
	k.act(`"do":"pay"`) // no count
	if got := k.api("POST", "/customservice/kfaccount/add", "", `{"kf_account":"test1@kftest","nickname":"客服1"}`); code(got) != 0 {
		t.Fatal(got)
	}
	picture, thumb := k.upload("image", sample("image")), k.upload("thumb", sample("thumb"))
	video := k.upload("video", sample("video"))
	items := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"id":"%d","content":"选项"}`, 101+i))
		}
		return strings.Join(list, ",")
	}
	article := `{"title":"t","description":"d","url":"u","picurl":"p"}`
	tests := []struct {
		name, msgType, part string
		code                int
	}{
		{"text", "text", `{"content":"您好\n\"引号\""}`, 0},
		{"text at the limit", "text", `{"content":"` + strings.Repeat("客", 682) + `ab"}`, 0},
		{"text over the limit", "text", `{"content":"` + strings.Repeat("客", 683) + `"}`, 45002},
		{"empty text", "text", `{"content":""}`, 44004},
		{"no text object", "text", `null`, 44004},
		{"text of a wrong shape", "text", `{"content":7}`, 47001},
		{"image", "image", `{"media_id":"` + picture + `"}`, 0},
		{"unknown image", "image", `{"media_id":"nobody"}`, 40007},
		{"image without id", "image", `{}`, 41006},
		{"a picture is no voice", "voice", `{"media_id":"` + picture + `"}`, 40007},
		{"video", "video", `{"media_id":"` + video + `","thumb_media_id":"` + thumb + `","title":"t"}`, 0},
		{"video wants a thumb", "video", `{"media_id":"` + video + `"}`, 41006},
		{"music", "music", `{"title":"t","musicurl":"u","thumb_media_id":"` + thumb + `"}`, 0},
		{"news", "news", `{"articles":[` + article + `]}`, 0},
		{"two news", "news", `{"articles":[` + article + `,` + article + `]}`, 45008},
		{"news as an object", "news", `{"articles":` + article + `}`, 45162},
		{"mpnews", "mpnews", `{"media_id":"M"}`, 0},
		{"mpnewsarticle", "mpnewsarticle", `{"article_id":"A"}`, 0},
		{"msgmenu", "msgmenu", `{"head_content":"h","list":[` + items(2) + `],"tail_content":"t"}`, 0},
		{"msgmenu without a list", "msgmenu", `{"head_content":"h"}`, 40101},
		{"msgmenu too long", "msgmenu", `{"list":[` + items(11) + `]}`, 45098},
		{"msgmenu with a number for id", "msgmenu", `{"list":[{"id":1,"content":"a"}]}`, 47001},
		{"wxcard", "wxcard", `{"card_id":"C"}`, 0},
		{"miniprogrampage", "miniprogrampage", `{"title":"t","appid":"wx1","pagepath":"p","thumb_media_id":"` + picture + `"}`, 0},
		{"link is for mini-programs", "link", `{"title":"t"}`, 45050},
		{"unknown type", "gif", `{}`, 40008},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := k.send(`{"touser":"` + k.open + `","msgtype":"` + tt.msgType + `","` + tt.msgType + `":` + tt.part + `}`)
			if got != tt.code {
				t.Errorf("errcode %d, want %d", got, tt.code)
			}
		})
	}
	envelopes := []struct {
		name, body string
		code       int
	}{
		{"empty", "", 44002},
		{"no JSON", "{touser:1}", 47001},
		{"trailing comma", `{"touser":"` + k.open + `","msgtype":"text","text":{"content":"a"},}`, 47001},
		{"a list", "[]", 47001},
		{"not UTF-8", "{\"touser\":\"\xff\"}", 40033},
		{"foreign openid", `{"touser":"oElsewhere","msgtype":"text","text":{"content":"a"}}`, 40003},
		{"with a face", `{"touser":"` + k.open + `","msgtype":"text","text":{"content":"a"},"customservice":{"kf_account":"test1@kftest"}}`, 0},
		{"with an unknown face", `{"touser":"` + k.open + `","msgtype":"text","text":{"content":"a"},"customservice":{"kf_account":"x@kftest"}}`, 65401},
	}
	for _, tt := range envelopes {
		t.Run(tt.name, func(t *testing.T) {
			if got := k.send(tt.body); got != tt.code {
				t.Errorf("errcode %d, want %d", got, tt.code)
			}
		})
	}
	messages := k.received()
	last := messages[len(messages)-1]
	if last["kf_account"] != "test1@kftest" || last["nick"] != "客服1" || last["passive"] != false {
		t.Errorf("the face did not arrive: %v", last)
	}
}

func TestEscapesInTheBody(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	k.act(`"do":"pay"`)
	send := func(content string) int {
		return k.send(`{"touser":"` + k.open + `","msgtype":"text","text":{"content":"` + content + `"}}`)
	}
	seen := func() any {
		all := k.received()
		return all[len(all)-1]["body"].(map[string]any)["text"].(map[string]any)["content"]
	}
	if got := send(`\u4f60\u597d`); got != 40033 {
		t.Errorf("escape = %d, want 40033", got)
	}
	if got := send(`\u003ca\u003e`); got != 40033 {
		t.Errorf("HTML-safe escape = %d, want 40033", got)
	}
	if got := send(`a\u0001\nb\\u4f60`); got != 0 || seen() != "a\u0001\nb\\u4f60" {
		t.Errorf("control characters may be escaped, a backslash before u is none: %d %q", got, seen())
	}
	k.control("POST", "/_sim/switches", `{"escapes":"literal"}`)
	if got := send(`\u4f60\u597d`); got != 0 || seen() != `\u4f60\u597d` {
		t.Errorf("literal: %d %q", got, seen())
	}
	k.control("POST", "/_sim/switches", `{"escapes":"accept"}`)
	if got := send(`\u4f60\u597d`); got != 0 || seen() != "你好" {
		t.Errorf("accept: %d %q", got, seen())
	}
}

func TestTypingRules(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	typing := func(command string) int {
		t.Helper()
		return code(k.api("POST", "/cgi-bin/message/custom/typing", "", `{"touser":"`+k.open+`","command":"`+command+`"}`))
	}
	expect := func(step string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %d, want %d", step, got, want)
		}
	}
	expect("without a window", typing("Typing"), 45015)
	k.act(`"do":"text","text":"在吗"`)
	expect("a wrong command", typing("typing"), 45072)
	expect("after a message", typing("Typing"), 0)
	k.advance(14 * time.Second)
	expect("within 15 s", typing("Typing"), 45081)
	k.advance(time.Second)
	expect("after 15 s", typing("Typing"), 0)
	expect("cancel", typing("CancelTyping"), 0)
	expect("cancel of nothing", typing("CancelTyping"), 0)
	expect("after the cancel", typing("Typing"), 0)
	expect("sending", k.sendText("好的"), 0)
	expect("a send ends the state", typing("Typing"), 0)
	k.advance(31 * time.Second)
	expect("30 s after the last exchange", typing("Typing"), 45080)
	expect("our own message counts as an exchange", k.sendText("还在吗"), 0)
	expect("so typing works", typing("Typing"), 0)
	k.advance(48 * time.Hour)
	expect("when the window has ended", typing("Typing"), 45015)
}
