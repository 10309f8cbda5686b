package wechat

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"kefu/internal/platform"
)

// head are the common elements of the samples, shown as ".." in wechat.md §7.5 and §7.6.
func head(msgType string) string {
	return "<ToUserName><![CDATA[gh_x]]></ToUserName><FromUserName><![CDATA[openid]]></FromUserName><CreateTime>1348831860</CreateTime>" +
		"<MsgType><![CDATA[" + msgType + "]]></MsgType>"
}

const msgID = "<MsgId>1234567890123456</MsgId>"

func parsePlain(t *testing.T, body string) platform.Inbound {
	t.Helper()
	in, _, err := newBench(t, testConfig()).Parse(plainPush(start, body))
	if err != nil {
		t.Fatalf("%v for %.200s", err, body)
	}
	return in
}

func TestPublishedSamplesOfMessages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, rest string
		want       platform.What
	}{
		{"text", "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[this is a test]]></Content>", platform.Text{Text: "this is a test"}},
		{"text of a menu message", "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[满意]]></Content><bizmsgmenuid>101</bizmsgmenuid>", platform.Text{Text: "满意", MenuID: "101"}},
		{"image", "<MsgType><![CDATA[image]]></MsgType><PicUrl><![CDATA[url]]></PicUrl><MediaId><![CDATA[media_id]]></MediaId>", platform.Image{URL: "url", MediaID: "media_id"}},
		{
			"voice", "<MsgType><![CDATA[voice]]></MsgType><MediaId><![CDATA[media_id]]></MediaId><Format><![CDATA[amr]]></Format><MediaId16K><![CDATA[media_id]]></MediaId16K><Recognition><![CDATA[text]]></Recognition>",
			platform.Voice{MediaID: "media_id", MediaID16K: "media_id", Format: "amr", Recognition: "text"},
		},
		{"video", "<MsgType><![CDATA[video]]></MsgType><MediaId><![CDATA[m]]></MediaId><ThumbMediaId><![CDATA[t]]></ThumbMediaId>", platform.Video{MediaID: "m", ThumbMediaID: "t"}},
		{"short video", "<MsgType><![CDATA[shortvideo]]></MsgType><MediaId><![CDATA[m]]></MediaId><ThumbMediaId><![CDATA[t]]></ThumbMediaId>", platform.Video{MediaID: "m", ThumbMediaID: "t", Short: true}},
		{
			"location", "<MsgType><![CDATA[location]]></MsgType><Location_X>23.134521</Location_X><Location_Y>113.358803</Location_Y><Scale>20</Scale><Label><![CDATA[label]]></Label>",
			platform.Location{Lat: 23.134521, Lng: 113.358803, Scale: 20, Label: "label"},
		},
		{"link", "<MsgType><![CDATA[link]]></MsgType><Title><![CDATA[t]]></Title><Description><![CDATA[d]]></Description><Url><![CDATA[u]]></Url>", platform.Link{Title: "t", Description: "d", URL: "u"}},
		{"unknown kind", "<MsgType><![CDATA[hologram]]></MsgType><Depth>3</Depth>", platform.Unknown{MsgType: "hologram"}},
		{"location without coordinates", "<MsgType>location</MsgType><Location_X>NaN</Location_X><Location_Y>113</Location_Y>", platform.Unknown{MsgType: "location"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body := "<xml><ToUserName><![CDATA[gh_x]]></ToUserName><FromUserName><![CDATA[openid]]></FromUserName><CreateTime>1348831860</CreateTime>\n" +
				tt.rest + msgID + "<MsgDataId>7</MsgDataId><Idx>1</Idx></xml>"
			in := parsePlain(t, body)
			want := platform.Inbound{
				Dedupe: "m:1234567890123456", Conversation: platform.Conversation{Key: "openid"}, Sender: "openid",
				At: time.Unix(1348831860, 0).UTC(), MessageID: "1234567890123456", What: tt.want,
			}
			if _, unknown := tt.want.(platform.Unknown); unknown {
				want.Raw = []byte(body)
			}
			if !reflect.DeepEqual(in, want) {
				t.Errorf("got  %+v\nwant %+v", in, want)
			}
		})
	}
}

func TestPublishedSamplesOfEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rest string
		want platform.What
	}{
		{"<Event><![CDATA[subscribe]]></Event>", platform.Follow{}},
		{"<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[]]></EventKey>", platform.Follow{}},
		{"<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_123123]]></EventKey><Ticket><![CDATA[TICKET]]></Ticket>", platform.Follow{Scene: "123123", Ticket: "TICKET"}},
		{"<Event><![CDATA[unsubscribe]]></Event>", platform.Unfollow{}},
		{"<Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[SCENE_VALUE]]></EventKey><Ticket><![CDATA[TICKET]]></Ticket>", platform.Scan{Scene: "SCENE_VALUE", Ticket: "TICKET"}},
		{"<Event><![CDATA[LOCATION]]></Event><Latitude>23.137466</Latitude><Longitude>113.352425</Longitude><Precision>119.385040</Precision>", platform.Position{Lat: 23.137466, Lng: 113.352425, Precision: 119.38504}},
		{"<Event><![CDATA[LOCATION]]></Event><Latitude>north</Latitude>", platform.Unknown{MsgType: "event"}},
		{"<Event><![CDATA[CLICK]]></Event><EventKey><![CDATA[EVENTKEY]]></EventKey>", platform.MenuClick{Event: "CLICK", Key: "EVENTKEY"}},
		{"<Event><![CDATA[VIEW]]></Event><EventKey><![CDATA[www.qq.com]]></EventKey><MenuId>MENUID</MenuId>", platform.MenuView{Event: "VIEW", Key: "www.qq.com"}},
		{"<Event><![CDATA[view_miniprogram]]></Event><EventKey><![CDATA[pages/index]]></EventKey><MenuId>MENUID</MenuId>", platform.MenuView{Event: "view_miniprogram", Key: "pages/index"}},
		{"<Event><![CDATA[scancode_push]]></Event><EventKey><![CDATA[6]]></EventKey><ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType><ScanResult><![CDATA[1]]></ScanResult></ScanCodeInfo>", platform.MenuClick{Event: "scancode_push", Key: "6", Result: "1"}},
		{"<Event><![CDATA[scancode_waitmsg]]></Event><EventKey><![CDATA[6]]></EventKey><ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType><ScanResult><![CDATA[2]]></ScanResult></ScanCodeInfo>", platform.MenuClick{Event: "scancode_waitmsg", Key: "6", Result: "2"}},
		{"<Event><![CDATA[pic_weixin]]></Event><EventKey><![CDATA[6]]></EventKey><SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum><![CDATA[5a75aaca956d97be686719218f275c6b]]></PicMd5Sum></item></PicList></SendPicsInfo>", platform.MenuView{Event: "pic_weixin", Key: "6"}},
		{"<Event><![CDATA[pic_sysphoto]]></Event><EventKey>6</EventKey>", platform.MenuView{Event: "pic_sysphoto", Key: "6"}},
		{"<Event><![CDATA[pic_photo_or_album]]></Event><EventKey>6</EventKey>", platform.MenuView{Event: "pic_photo_or_album", Key: "6"}},
		{"<Event><![CDATA[location_select]]></Event><EventKey><![CDATA[6]]></EventKey><SendLocationInfo><Location_X><![CDATA[23]]></Location_X><Location_Y><![CDATA[113]]></Location_Y><Scale><![CDATA[15]]></Scale><Label><![CDATA[label]]></Label><Poiname><![CDATA[]]></Poiname></SendLocationInfo>", platform.MenuView{Event: "location_select", Key: "6"}},
		{"<Event><![CDATA[kf_create_session]]></Event><KfAccount><![CDATA[test1@test]]></KfAccount>", platform.HostedChange{Event: "kf_create_session", Account: "test1@test"}},
		{"<Event><![CDATA[kf_close_session]]></Event><KfAccount><![CDATA[test1@test]]></KfAccount>", platform.HostedChange{Event: "kf_close_session", Account: "test1@test"}},
		{"<Event><![CDATA[kf_close_session]]></Event><KfAccount><![CDATA[test1@test]]></KfAccount><CloseType>KF</CloseType>", platform.HostedChange{Event: "kf_close_session", Account: "test1@test", CloseType: "KF"}},
		{"<Event><![CDATA[kf_switch_session]]></Event><FromKfAccount><![CDATA[test1@test]]></FromKfAccount><ToKfAccount><![CDATA[test2@test]]></ToKfAccount>", platform.HostedChange{Event: "kf_switch_session", From: "test1@test", To: "test2@test"}},
		{"<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>200163836</MsgID><Status><![CDATA[success]]></Status>", platform.OtherEvent{Event: "TEMPLATESENDJOBFINISH"}},
		{"<Event><![CDATA[scan]]></Event><EventKey>1</EventKey>", platform.OtherEvent{Event: "scan", Key: "1"}}, // names are case-sensitive
		{"<EventKey>1</EventKey>", platform.Unknown{MsgType: "event"}},
	}
	for _, tt := range tests {
		in := parsePlain(t, "<xml>"+head("event")+tt.rest+"</xml>")
		if in.What != tt.want {
			t.Errorf("%s: got %#v, want %#v", tt.rest, in.What, tt.want)
		}
		if in.Sender != "openid" || !in.At.Equal(time.Unix(1348831860, 0)) || in.MessageID != "" {
			t.Errorf("%s: got %+v", tt.rest, in)
		}
		if in.Dedupe == "" {
			t.Errorf("%s: no key", tt.rest)
		}
	}
}

func TestJSONSaysTheSameAsXML(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body, id string
		want           platform.What
	}{
		{"published sample (§10.1)", `{"ToUserName":"gh_x","FromUserName":"openid","CreateTime":1482048670,"MsgType":"text","Content":"hi","MsgId":1234567890123456}`, "1234567890123456", platform.Text{Text: "hi"}},
		{"numbers as strings", `{"ToUserName":"gh_x","FromUserName":"openid","CreateTime":"1482048670","MsgType":"text","Content":"hi","MsgId":"1234567890123456","bizmsgmenuid":101}`, "1234567890123456", platform.Text{Text: "hi", MenuID: "101"}},
		{"64 bits keep their last digit", `{"FromUserName":"openid","CreateTime":1482048670,"MsgType":"text","Content":"","MsgId":18446744073709551615}`, "18446744073709551615", platform.Text{}},
		{"text MsgId of the cloud (§10.1)", `{"FromUserName":"openid","CreateTime":1482048670,"MsgType":"text","Content":"hi","MsgId":"49d72d67b16d115e7935ac386f2f0fa41535298877_1555684067"}`, "49d72d67b16d115e7935ac386f2f0fa41535298877_1555684067", platform.Text{Text: "hi"}},
		{"location", ` {"FromUserName":"openid","CreateTime":1482048670,"MsgType":"location","Location_X":23.134521,"Location_Y":"113.358803","Scale":"20","Label":"label","MsgId":1}`, "1", platform.Location{Lat: 23.134521, Lng: 113.358803, Scale: 20, Label: "label"}},
		{"nested", "\ufeff" + `{"FromUserName":"openid","CreateTime":1482048670,"MsgType":"event","Event":"scancode_waitmsg","EventKey":6,"ScanCodeInfo":{"ScanType":"qrcode","ScanResult":"2"},"Odd":[1,{"a":null},true]}`, "", platform.MenuClick{Event: "scancode_waitmsg", Key: "6", Result: "2"}},
		{"no NUL, valid UTF-8", `{"FromUserName":"open` + "\x00" + `id","CreateTime":1482048670,"MsgType":"text","Content":"a\u0000b\ud800c` + "\xff" + `","MsgId":1}`, "1", platform.Text{Text: "ab\ufffdc\ufffd"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := parsePlain(t, tt.body)
			if in.What != tt.want || in.MessageID != tt.id || in.Sender != "openid" || !in.At.Equal(time.Unix(1482048670, 0)) {
				t.Errorf("got %+v", in)
			}
		})
	}
}

func TestXMLIsReadTolerantly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       platform.What
	}{
		{"line feeds of Windows, a declaration, no CDATA", "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<xml>\r\n <FromUserName> openid </FromUserName>\r\n <MsgType>text\r\n</MsgType>\r\n<Content>a &lt; b &amp; &#x4f60;</Content></xml>\r\n\r\n", platform.Text{Text: "a < b & 你"}},
		{"CDATA in pieces", "<xml>" + head("text") + "<Content><![CDATA[a]]]]><![CDATA[>b]]></Content>" + msgID + "</xml>", platform.Text{Text: "a]]>b"}},
		{"white space that was typed stays", "<xml>" + head("text") + "<Content><![CDATA[ a\n ]]></Content></xml>", platform.Text{Text: " a\n "}},
		{"control characters and broken UTF-8", "<xml>" + head("text") + "<Content><![CDATA[a\x00\x08b\xff]]></Content></xml>", platform.Text{Text: "ab\ufffd"}},
		{"markup that was typed is text", "<xml>" + head("text") + "<Content><![CDATA[<!DOCTYPE x><MsgType>event</MsgType>]]></Content></xml>", platform.Text{Text: "<!DOCTYPE x><MsgType>event</MsgType>"}},
		{"another root, comments, names in other case", "<!-- x --><push>" + head("text") + "<BizMsgMenuId>7</BizMsgMenuId><content>ok</content></push>", platform.Text{Text: "ok", MenuID: "7"}},
		{"unknown elements with a known name inside", "<xml><Odd><MsgType>event</MsgType><FromUserName>x</FromUserName></Odd>" + head("text") + "<Content>ok</Content></xml>", platform.Text{Text: "ok"}},
		{"no CreateTime", "<xml><FromUserName>openid</FromUserName><MsgType>text</MsgType><Content>ok</Content>" + msgID + "</xml>", platform.Text{Text: "ok"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if in := parsePlain(t, tt.body); in.What != tt.want || in.Sender != "openid" {
				t.Errorf("got %+v", in)
			}
		})
	}
	in := parsePlain(t, tests[7].body)
	if !in.At.Equal(start) {
		t.Errorf("without CreateTime it happened at %v, want the request's time %v", in.At, start)
	}
}

func TestVerifiedButUnreadableBodiesAreKeptRaw(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<a>", 100_000)
	tests := map[string]string{
		"empty":                      "",
		"neither XML nor JSON":       "hello",
		"cut XML":                    vectorOf("G").msg[:100],
		"cut JSON":                   vectorOf("B").msg[:100],
		"an unknown entity":          "<xml>" + head("text") + "<Content>&lol;</Content></xml>",
		"two documents":              "<xml>" + head("text") + "</xml><xml/>",
		"text after the document":    "<xml>" + head("text") + "</xml>x",
		"two JSON values":            `{"FromUserName":"o"}{"FromUserName":"o"}`,
		"JSON list":                  `[{"FromUserName":"o"}]`,
		"another encoding":           `<?xml version="1.0" encoding="GBK"?><xml></xml>`,
		"very deep XML":              deep,
		"very deep JSON":             strings.Repeat(`{"a":`, 100_000),
		"very deep JSON lists":       `{"a":` + strings.Repeat("[", 100_000),
		"very many elements":         "<xml>" + strings.Repeat("<a/>", 100_000) + "</xml>",
		"very many values":           `{"a":[` + strings.Repeat("1,", 100_000) + "1]}",
		"very long name":             "<xml><" + strings.Repeat("a", 1000) + "/></xml>",
		"check of the cloud hosting": `{"action":"CheckContainerPath"}`,
		"no customer":                "<xml><ToUserName>gh_x</ToUserName></xml>",
	}
	seen := map[string]string{}
	for name, body := range tests {
		in := parsePlain(t, body)
		if in.What != (platform.Unknown{}) || string(in.Raw) != body || in.Conversation.Key != "" || !in.At.Equal(start) {
			t.Errorf("%s: got %.300v", name, in)
		}
		if again := parsePlain(t, body); again.Dedupe != in.Dedupe || len(in.Dedupe) > maxDedupeBytes || in.Dedupe == "" {
			t.Errorf("%s: keys %q and %q", name, in.Dedupe, again.Dedupe)
		}
		if other, twice := seen[in.Dedupe]; twice {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[in.Dedupe] = name
	}
}
