package sim

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// opened is a push as plain XML, checked and decrypted where the mode says so.
func (k *kit) opened(p received) string {
	k.Helper()
	q := p.query
	if got := sign(k.app.Token, q.Get("timestamp"), q.Get("nonce")); got != q.Get("signature") {
		k.Errorf("signature does not fit")
	}
	if q.Get("openid") != k.open {
		k.Errorf("openid = %q", q.Get("openid"))
	}
	if k.app.Mode == modePlain {
		if q.Has("encrypt_type") || q.Has("msg_signature") {
			k.Errorf("plain mode carries %v", q)
		}
		return p.body
	}
	sealed := in(k.T, p.body, "Encrypt")
	if q.Get("encrypt_type") != "aes" || q.Get("msg_signature") != sign(k.app.Token, q.Get("timestamp"), q.Get("nonce"), sealed) {
		k.Errorf("msg_signature does not fit")
	}
	msg, tail, err := decrypt(k.app.AESKey, sealed)
	if err != nil || tail != k.app.AppID {
		k.Fatalf("decrypt: %v, tail %q", err, tail)
	}
	return string(msg)
}

// reply200 answers with a plain passive reply.
func reply200(app App, kind, inner string) func(int, *http.Request, string) (int, string) {
	return func(int, *http.Request, string) (int, string) {
		return 200, "<xml><ToUserName>oSimUser0001</ToUserName><FromUserName>" + app.OriginalID + "</FromUserName><CreateTime>1763604000</CreateTime><MsgType>" +
			kind + "</MsgType>" + inner + "</xml>"
	}
}

func sealedReply(app App, plain string) string {
	sealed, err := encrypt(app.AESKey, []byte("0123456789abcdef"), []byte(plain), app.AppID)
	if err != nil {
		panic(err)
	}
	return "<xml><Encrypt>" + sealed + "</Encrypt><MsgSignature>" + sign(app.Token, "1763604000", "n1", sealed) +
		"</MsgSignature><TimeStamp>1763604000</TimeStamp><Nonce>n1</Nonce></xml>"
}

func TestPushesInThreeModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{modePlain, modeCompatible, modeSafe} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, App{Mode: mode})
			result := k.act(`"do":"text","text":"你好 <b> ]]> &"`)
			push := k.desk.all()[0]
			plain := k.opened(push)
			if in(t, plain, "MsgType") != "text" || in(t, plain, "FromUserName") != k.open || in(t, plain, "ToUserName") != k.app.OriginalID {
				t.Errorf("push = %s", plain)
			}
			if result["msgid"] != in(t, plain, "MsgId") || in(t, plain, "CreateTime") != fmt.Sprint(start.Unix()) {
				t.Errorf("ids: %v in %s", result, plain)
			}
			visible := strings.Contains(push.body, "你好")
			if visible != (mode != modeSafe) {
				t.Errorf("%s: the plain text shows %v", mode, visible)
			}
			if result["status"] != 200.0 || result["body"] != "success" || result["outcome"] != outcomeTaken || result["attempts"] != 1.0 {
				t.Errorf("act = %v", result)
			}
		})
	}
}

func TestPushInJSON(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modePlain, Format: formatJSON})
	k.desk.answer = func(int, *http.Request, string) (int, string) {
		return 200, `{"ToUserName":"oSimUser0001","FromUserName":"` + k.app.OriginalID + `","CreateTime":1763604000,"MsgType":"text","Content":"好"}`
	}
	if got := k.act(`"do":"location","lat":39.9,"lng":116.4,"label":"北京"`)["outcome"]; got != outcomePassive {
		t.Errorf("outcome %v", got)
	}
	m := decoded(t, []byte(k.desk.all()[0].body))
	if m["Location_X"] != 39.9 || m["Label"] != "北京" || m["MsgType"] != "location" || m["CreateTime"] != float64(start.Unix()) {
		t.Errorf("push = %v", m)
	}
}

func TestEveryActCarriesItsElements(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modePlain})
	tests := []struct{ act, want string }{
		{`"do":"follow"`, "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[]]></EventKey>"},
		{`"do":"scan","scene":"shelf7"`, "<Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[shelf7]]></EventKey><Ticket>"},
		{`"do":"image"`, "<MsgType><![CDATA[image]]></MsgType><PicUrl><![CDATA[http://platform.test/_sim/media/"},
		{`"do":"voice","text":"听得到吗"`, "<Format><![CDATA[amr]]></Format>"},
		{`"do":"voice","text":"听得到吗"`, "<Recognition><![CDATA[听得到吗]]></Recognition>"},
		{`"do":"video"`, "<MsgType><![CDATA[video]]></MsgType><MediaId>"},
		{`"do":"shortvideo"`, "<MsgType><![CDATA[shortvideo]]></MsgType><MediaId>"},
		{`"do":"location","lat":23.134521,"lng":113.358803,"scale":20,"label":"仓库"`, "<Location_X>23.134521</Location_X><Location_Y>113.358803</Location_Y><Scale>20</Scale><Label><![CDATA[仓库]]></Label><MsgId>"},
		{`"do":"link","title":"t","url":"https://a.test"`, "<Title><![CDATA[t]]></Title><Description><![CDATA[]]></Description><Url><![CDATA[https://a.test]]></Url><MsgId>"},
		{`"do":"menu","key":"K1"`, "<Event><![CDATA[CLICK]]></Event><EventKey><![CDATA[K1]]></EventKey></xml>"},
		{`"do":"view","url":"https://a.test"`, "<Event><![CDATA[VIEW]]></Event><EventKey><![CDATA[https://a.test]]></EventKey><MenuId>"},
		{`"do":"menu","type":"scancode_waitmsg","key":"6","result":"2"`, "<ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType><ScanResult><![CDATA[2]]></ScanResult></ScanCodeInfo>"},
		{`"do":"menu","type":"location_select","key":"6"`, "<SendLocationInfo><Location_X>"},
		{`"do":"msgmenu","id":"101","text":"满意"`, "<Content><![CDATA[满意]]></Content><MsgId>"},
		{`"do":"msgmenu","id":"101","text":"满意"`, "</MsgId><bizmsgmenuid><![CDATA[101]]></bizmsgmenuid></xml>"},
		{`"do":"sticker"`, "<Content><![CDATA[【收到不支持的消息类型，暂无法显示】]]></Content>"},
		{`"do":"file"`, "<Content><![CDATA[【收到不支持的消息类型，暂无法显示】]]></Content>"},
		{`"do":"position","lat":23.137466,"lng":113.352425`, "<Event><![CDATA[LOCATION]]></Event><Latitude>23.137466</Latitude>"},
		{`"do":"unfollow"`, "<Event><![CDATA[unsubscribe]]></Event></xml>"},
	}
	for _, tt := range tests {
		k.act(tt.act)
		all := k.desk.all()
		if got := all[len(all)-1].body; !strings.Contains(got, tt.want) {
			t.Errorf("%s pushed %s, want %s", tt.act, got, tt.want)
		}
	}
}

func TestMessageNumbersGrow(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	last := ""
	for range 3 {
		id := k.act(`"do":"text","text":"x"`)["msgid"].(string)
		if len(id) != 17 || id <= last {
			t.Errorf("%v after %v", id, last)
		}
		last = id
	}
}

func TestTheSameMessageAgainGrantsNothing(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modePlain})
	id := k.act(`"do":"text","text":"一次"`)["msgid"].(string)
	k.sendText("答")
	k.advance(time.Minute)
	k.act(`"do":"text","msgid":"` + id + `"`)
	all := k.desk.all()
	if len(all) != 2 || all[0].body != all[1].body || all[0].query.Get("nonce") == all[1].query.Get("nonce") {
		t.Errorf("the repeat must have the same body and a new nonce: %v", all)
	}
	grants := k.control("GET", "/_sim/wechat/grants?openid="+k.open, "")["grants"].([]any)
	if grants[0].(map[string]any)["left"] != 4.0 {
		t.Errorf("grants = %v", grants)
	}
}

func TestPassiveReplies(t *testing.T) {
	t.Parallel()
	plain := func(k *kit, kind, inner string) string {
		_, text := reply200(k.app, kind, inner)(0, nil, "")
		return text
	}
	tests := []struct {
		name, mode string
		answer     func(k *kit) string
		outcome    string
		sees       string
	}{
		{"empty", modeSafe, func(*kit) string { return "" }, outcomeTaken, ""},
		{"plain", modePlain, func(k *kit) string { return plain(k, "text", "<Content>您好</Content>") }, outcomePassive, "您好"},
		{"encrypted in safe mode", modeSafe, func(k *kit) string { return sealedReply(k.app, plain(k, "text", "<Content>您好</Content>")) }, outcomePassive, "您好"},
		{"either in compatible mode: plain", modeCompatible, func(k *kit) string { return plain(k, "text", "<Content>您好</Content>") }, outcomePassive, "您好"},
		{"either in compatible mode: encrypted", modeCompatible, func(k *kit) string { return sealedReply(k.app, plain(k, "text", "<Content>您好</Content>")) }, outcomePassive, "您好"},
		{"plain in safe mode", modeSafe, func(k *kit) string { return plain(k, "text", "<Content>您好</Content>") }, outcomeInvalid, unavailable},
		{"encrypted in plain mode", modePlain, func(k *kit) string { return sealedReply(k.app, plain(k, "text", "<Content>您好</Content>")) }, outcomeInvalid, unavailable},
		{"wrong MsgSignature", modeSafe, func(k *kit) string {
			return strings.Replace(sealedReply(k.app, plain(k, "text", "<Content>您好</Content>")), "<Nonce>n1", "<Nonce>n2", 1)
		}, outcomeInvalid, unavailable},
		{"another appid at the end", modeSafe, func(k *kit) string {
			other := k.app
			other.AppID = "wx0000000000000000"
			return sealedReply(other, plain(k, "text", "<Content>您好</Content>"))
		}, outcomeInvalid, unavailable},
		{"To and From not swapped", modePlain, func(k *kit) string {
			return strings.ReplaceAll(strings.ReplaceAll(plain(k, "text", "<Content>a</Content>"), "oSimUser0001", "gh_x"), k.app.OriginalID, "oSimUser0001")
		}, outcomeInvalid, unavailable},
		{"JSON", modePlain, func(*kit) string { return `{"errcode":0}` }, outcomeInvalid, unavailable},
		{"words", modePlain, func(*kit) string { return "ok" }, outcomeInvalid, unavailable},
		{"text at its limit", modePlain, func(k *kit) string { return plain(k, "text", "<Content>"+strings.Repeat("a", 2047)+"</Content>") }, outcomePassive, strings.Repeat("a", 2047)},
		{"text over its limit", modePlain, func(k *kit) string { return plain(k, "text", "<Content>"+strings.Repeat("a", 2048)+"</Content>") }, outcomeInvalid, unavailable},
		{"unknown picture", modePlain, func(k *kit) string { return plain(k, "image", "<Image><MediaId>m</MediaId></Image>") }, outcomeInvalid, unavailable},
		{"transfer", modePlain, func(k *kit) string { return plain(k, "transfer_customer_service", "") }, outcomeTaken, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, App{Mode: tt.mode})
			k.desk.answer = func(int, *http.Request, string) (int, string) { return 200, tt.answer(k) }
			if got := k.act(`"do":"text","text":"在吗"`)["outcome"]; got != tt.outcome {
				t.Errorf("outcome %v, want %s", got, tt.outcome)
			}
			sees := ""
			for _, m := range k.received() {
				if m["passive"] != true {
					t.Errorf("not marked passive: %v", m)
				}
				sees = m["body"].(map[string]any)["text"].(map[string]any)["content"].(string)
			}
			if sees != tt.sees {
				t.Errorf("the customer sees %.40q, want %.40q", sees, tt.sees)
			}
			if len(k.desk.all()) != 1 {
				t.Errorf("an answer is not repeated, even an invalid one: %d pushes", len(k.desk.all()))
			}
		})
	}
}

func TestPassiveNewsAreCutToOneForAMessage(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modePlain})
	item := "<item><Title>t</Title><Description>d</Description><PicUrl>p</PicUrl><Url>u</Url></item>"
	k.desk.answer = reply200(k.app, "news", "<ArticleCount>9</ArticleCount><Articles>"+strings.Repeat(item, 9)+"</Articles>")
	for act, want := range map[string]int{`"do":"text","text":"a"`: 1, `"do":"follow"`: 8} {
		k.act(act)
		all := k.received()
		got := all[len(all)-1]["body"].(map[string]any)["news"].(map[string]any)["articles"].([]any)
		if len(got) != want {
			t.Errorf("%s: %d articles, want %d", act, len(got), want)
		}
	}
}

func TestASilentServerIsAskedThreeTimesFiveSecondsEach(t *testing.T) {
	t.Parallel()
	k := newKitWith(t, App{Mode: modeSafe}, 20*time.Millisecond)
	k.desk.answer = silent
	done := make(chan map[string]any, 1)
	go func() { done <- k.act(`"do":"text","text":"在吗"`) }()
	for range 3 {
		k.arrived()
		k.advance(4999 * time.Millisecond)
		select {
		case <-k.desk.came:
			t.Fatal("repeated before five seconds had passed")
		default:
		}
		k.advance(time.Millisecond)
	}
	result := <-done
	if result["outcome"] != outcomeFailed || result["attempts"] != 3.0 || result["status"] != 0.0 {
		t.Errorf("act = %v", result)
	}
	all := k.desk.all()
	if len(all) != 3 {
		t.Fatalf("%d attempts", len(all))
	}
	first, second := k.opened(all[0]), k.opened(all[1])
	if first != second || all[0].body == all[1].body || all[0].query.Get("timestamp") == all[1].query.Get("timestamp") {
		t.Error("a repeat has the same ids and a new timestamp, nonce and cipher text")
	}
	if got := k.received(); len(got) != 1 || got[0]["msgtype"] != "notice" {
		t.Errorf("the customer sees %v, want the notice", got)
	}
}

func TestWhatIsRepeated(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		switches string
		answers  []int // statuses; 0: the connection fails
		outcome  string
		pushes   int
	}{
		{"success at once", "{}", []int{200}, outcomeTaken, 1},
		{"a failed connection is repeated", "{}", []int{0, 200}, outcomeTaken, 2},
		{"three failed connections", "{}", []int{0, 0, 0}, outcomeFailed, 3},
		{"5xx is not, by default", "{}", []int{503}, outcomeFailed, 1},
		{"5xx is, by switch", `{"repeat_on_5xx":true}`, []int{503, 500, 200}, outcomeTaken, 3},
		{"4xx never", `{"repeat_on_5xx":true}`, []int{403}, outcomeFailed, 1},
		{"the count is a setting", `{"attempts":2}`, []int{0, 0}, outcomeFailed, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, App{})
			k.control("POST", "/_sim/switches", tt.switches)
			k.desk.answer = func(n int, _ *http.Request, _ string) (int, string) { return tt.answers[n-1], "success" }
			if got := k.act(`"do":"text","text":"x"`)["outcome"]; got != tt.outcome || len(k.desk.all()) != tt.pushes {
				t.Errorf("%v after %d pushes, want %s after %d", got, len(k.desk.all()), tt.outcome, tt.pushes)
			}
		})
	}
}

func TestMarkFailPausesPushesForAMinute(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	healthy := false
	k.desk.answer = func(int, *http.Request, string) (int, string) {
		if healthy {
			return 200, "success"
		}
		return 500, ""
	}
	for range 3 {
		k.act(`"do":"text","text":"x"`)
	}
	healthy = true
	if got := k.act(`"do":"text","text":"lost"`)["outcome"]; got != outcomePaused {
		t.Errorf("within the pause: %v", got)
	}
	k.advance(time.Minute)
	if got := len(k.desk.all()); got != 3 {
		t.Errorf("%d pushes: what fell into the pause is not sent again", got)
	}
	if got := k.act(`"do":"text","text":"again"`)["outcome"]; got != outcomeTaken {
		t.Errorf("after the pause: %v", got)
	}
	paused := 0
	for _, c := range k.control("GET", "/_sim/calls", "")["calls"].([]any) {
		if note, _ := c.(map[string]any)["note"].(string); strings.HasPrefix(note, "MarkFail") {
			paused++
		}
	}
	if paused != 1 {
		t.Errorf("%d MarkFail entries in the log, want 1", paused)
	}
}

func TestMarkFailMayDelayInsteadOfLosing(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	k.control("POST", "/_sim/switches", `{"markfail_after":1,"markfail_delays":true}`)
	k.desk.answer = func(n int, _ *http.Request, _ string) (int, string) {
		return map[bool]int{true: 500, false: 200}[n == 1], "success"
	}
	k.act(`"do":"text","text":"x"`)
	k.act(`"do":"text","text":"late","async":true`)
	k.control("POST", "/_sim/clock", `{"advance":"59s"}`)
	if got := len(k.desk.all()); got != 1 {
		t.Fatalf("%d pushes within the pause", got)
	}
	k.control("POST", "/_sim/clock", `{"advance":"1s"}`) // answers when the delivery is done
	if got := len(k.desk.all()); got != 2 {
		t.Errorf("%d pushes after the pause", got)
	}
}
