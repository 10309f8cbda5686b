package views

import (
	"strings"

	"kefu/internal/texts"
)

// The samples are the talks the design was drawn with; every page is rendered from them, in both languages.

const sampleNow = int64(1763604240000)

func ago(seconds int64) int64 { return sampleNow - seconds*1000 }

func samplePage(l texts.Lang, here, title string) Page {
	return Page{
		L: l, Title: title, Here: here, Login: "7f3c", Cursor: "a1b2.4711", Now: sampleNow, Path: "/c",
		Me:     Self{ID: 9, Name: "林语珊", Presence: "online", Open: 9},
		Badges: sampleBadges(l),
	}
}

func sampleBadges(l texts.Lang) Badges { return Badges{L: l, Unread: 5, Mine: 9, Queue: 6, Team: 36} }

func sampleWait(l texts.Lang, seconds int64) *WaitProps {
	return &WaitProps{L: l, Since: ago(seconds), Target: 180, Now: sampleNow}
}

func sampleRow(l texts.Lang, id, hue uint, name, channel, last string) RowProps {
	return RowProps{
		L: l, ID: id, List: ListMine, Customer: Person{ID: hue - 1, Name: name, Channel: channel}, Last: last,
		Order: OrderQuiet(int64(id)), Time: "09:58", Datetime: "2025-11-20T09:58:00+08:00",
	}
}

func sampleList(l texts.Lang) ListProps {
	waiting := func(id, hue uint, name, channel, last string, seconds int64, unread int) RowProps {
		row := sampleRow(l, id, hue, name, channel, last)
		row.Wait, row.Order, row.Unread = sampleWait(l, seconds), OrderWaiting(ago(seconds)), unread
		return row
	}
	quiet := func(id, hue uint, name, last string) RowProps {
		row := sampleRow(l, id, hue, name, "wechat", last)
		row.Ours = true
		return row
	}
	rows := []RowProps{
		waiting(8129, 3, "山野有雾", "wechat", "师傅说今天上午到，现在还没联系我，到底什么时候来？", 252, 3),
		waiting(8128, 4, "王蔓 · 朝阳", "wechat", "周六上午可以吗？最好十点以后，我要先送孩子上课", 161, 0),
		waiting(8127, 5, "华东经销商服务群", "dingtalk", "@客服台 杭州仓 QH-2231 这批缺 4 个五金包", 86, 2),
		waiting(8126, 8, "微信用户·k7Qs", "wechat", "[语音] 12″ 我想问一下床垫能不能试睡", 65, 1),
		waiting(8125, 1, "徐磊 · 云栖科技采购", "dingtalk", "报价单里的安装费能单列一行吗？财务要求的", 38, 1),
		quiet(8124, 6, "阿May", "您先看一下色卡，有喜欢的我帮您留样"),
		quiet(8123, 2, "桃子汽水", "退款已提交，1–3 个工作日原路退回"),
		quiet(8122, 7, "Leo Zhang", "Yes, the top is solid white oak, 28 mm thick."),
		quiet(8121, 5, "老郭", "好的，我让仓库明早给您补发"),
	}
	rows[1].Current = true
	rows[2].Customer.Group = true
	rows[3].Icon = "mic"
	rows[6].Tag, rows[6].TagText = "failed", "发送失败"
	rows[8].Tag, rows[8].TagText = "closing", "窗口剩 1 小时"
	return ListProps{L: l, Name: ListMine, Rows: rows, Badges: sampleBadges(l)}
}

func sampleQueueList(l texts.Lang) ListProps {
	list := ListProps{L: l, Name: ListQueue, Badges: sampleBadges(l)}
	for i, name := range []string{"孟姐的小院", "苏南经销商群", "栗子不加糖"} {
		row := sampleRow(l, uint(8200+i), uint(i+2), name, "wechat", "退款说好三天到账，今天第五天了")
		seconds := int64(292 - 90*i)
		row.List, row.Order, row.Wait = ListQueue, OrderWaiting(ago(seconds)), sampleWait(l, seconds)
		row.Position, row.Group, row.Claim, row.Next = i+1, "投诉退款组", true, i == 0
		list.Rows = append(list.Rows, row)
	}
	return list
}

// hostile is what a stranger may send.
const hostile = `<script>alert(1)</script> & "quotes" <img src=x onerror=alert(2)>`

func sampleMessages(l texts.Lang) []MessageProps {
	wang := Person{ID: 3, Name: "王蔓 · 朝阳", Channel: "wechat"}
	face := Person{ID: 9, Name: "青禾-小珊"}
	in := func(id uint, at string, c ContentProps) MessageProps {
		return MessageProps{L: l, ID: id, ChatID: 8128, Kind: MessageIn, Who: wang, Time: at, Datetime: "2025-11-20T" + at + ":00+08:00", Content: c}
	}
	out := func(id uint, at, text string, d DeliveryProps) MessageProps {
		d.Channel = "wechat"
		return MessageProps{L: l, ID: id, ChatID: 8128, Kind: MessageOut, Key: "key-" + num(id), Who: face, Time: at, Datetime: "2025-11-20T" + at + ":00+08:00", Content: ContentProps{Kind: "text", Text: text}, Delivery: d}
	}
	first := MessageProps{
		L: l, ID: 5510, ChatID: 8128, Kind: MessageSystem, Time: "09:36", Datetime: "2025-11-20T09:36:00+08:00", Icon: "user-check",
		Day: "今天 · 11 月 20 日 周四", DayID: "2025-11-20", Content: ContentProps{Text: "林语珊 接入会话，客户等了 1 分 12 秒"},
	}
	note := MessageProps{L: l, ID: 5516, ChatID: 8128, Kind: MessageNote, Key: "key-note", Who: Person{ID: 4, Name: "陈嘉木"}, Time: "09:48", Datetime: "2025-11-20T09:48:00+08:00", Content: ContentProps{Text: "订单 QH20251018-0432，10 月 18 日签收，三年质保内。\n朝阳区周六还有两个上门名额。"}}
	picture := in(5513, "09:42", ContentProps{Kind: "image"})
	picture.Cont = true
	return []MessageProps{
		first,
		in(5512, "09:42", ContentProps{Kind: "text", Text: "你好，上个月买的「云团」三人位沙发，左边扶手开线了"}),
		picture,
		out(5514, "09:44", "王女士您好，照片收到了。订单还在三年质保内，可以免费上门缝补。请问开线大概多长？", DeliveryProps{State: "sent"}),
		in(5515, "09:46", ContentProps{Kind: "voice", Seconds: 8, Text: "大概一拃长吧，线头都出来了，我怕小孩去扯，能不能快一点"}),
		note,
		in(5518, "10:01", ContentProps{Kind: "text", Text: "周六上午可以吗？最好十点以后，我要先送孩子上课"}),
		out(5519, "10:02", "可以的，我帮您登记周六（11 月 22 日）10:30，师傅出发前会打电话给您。", DeliveryProps{State: "failed", Reason: "微信接口繁忙（-1）", CanResend: true, CanEdit: true}),
		out(5520, "10:02", "另外请先别让孩子碰线头，用透明胶带贴一下就好", DeliveryProps{State: "sending"}),
	}
}

// sampleKinds is one message of every kind and every state of delivery.
func sampleKinds(l texts.Lang) []MessageProps {
	var all []MessageProps
	add := func(m MessageProps) {
		m.L, m.ID, m.ChatID, m.Time, m.Datetime = l, uint(6000+len(all)), 8128, "10:20", "2025-11-20T10:20:00+08:00"
		all = append(all, m)
	}
	for _, c := range []ContentProps{
		{Kind: "text", Text: hostile},
		{Kind: "text", Text: strings.Repeat("一行\n", 20)},
		{Kind: "image"}, {Kind: "voice", Seconds: 5}, {Kind: "video", Seconds: 14}, {Kind: "shortvideo"},
		{Kind: "location", Title: "朝阳区望京西园三区", Text: "北京市朝阳区广顺南大街"},
		{Kind: "link", Title: "云团沙发 · 商品详情", Desc: "商品", URL: "https://qinghe.example/p/10231"},
		{Kind: "link", Title: hostile, URL: "javascript:alert(3)"},
		{Kind: "file", Title: "入库差异单_1120.xlsx", Bytes: "18 KB"},
		{Kind: "menu", Text: "售后服务"}, {Kind: "unsupported"}, {Kind: "weird<b>"},
	} {
		add(MessageProps{Kind: MessageIn, Who: Person{ID: 3, Name: hostile}, Content: c})
	}
	for _, d := range []DeliveryProps{
		{State: "queued", CanWithdraw: true}, {State: "queued", RetryIn: 12, CanSkip: true, CanWithdraw: true}, {State: "sending"}, {State: "sent", Part: "1/3"},
		{State: "failed", Reason: "超过 48 小时（45015）", Cure: "客户发言后再发。", CanResend: true, CanEdit: true},
		{State: "unknown", CanResend: true}, {State: "parked", CanWithdraw: true}, {State: "withdrawn"},
	} {
		d.Channel = "wechat"
		add(MessageProps{Kind: MessageOut, Key: "k", Who: Person{ID: 9, Name: "青禾-小珊"}, Content: ContentProps{Kind: "text", Text: "还有别的可以帮您吗？"}, Delivery: d})
	}
	return all
}

func sampleChat(l texts.Lang) ChatProps {
	return ChatProps{
		L: l, ID: 8128, Customer: Person{ID: 3, Name: "王蔓 · 朝阳", Channel: "wechat"}, Channel: "青禾家居服务号", Group: "售后维修组", Slot: SlotMine,
		Earlier: "/c/8128?before=5510", Messages: sampleMessages(l), Wait: sampleWait(l, 161), CanClose: true, LastAsks: true, Unread: true,
		Limits:   LimitsProps{L: l, Until: sampleNow + 47*3600_000 + 57*60_000, Now: sampleNow, Left: 3, Of: 5},
		Composer: ComposerProps{Face: Person{ID: 9, Name: "青禾-小珊"}, Key: "00000000-0000-4000-8000-000000000001"},
	}
}

func samplePanel(l texts.Lang) PanelProps {
	return PanelProps{
		L: l, ChatID: 8128, Customer: Person{ID: 3, Name: "王蔓 · 朝阳", Channel: "wechat"}, Subtitle: "青禾家居服务号", State: "active",
		Holder: &Person{ID: 9, Name: "林语珊"}, Load: 9, Capacity: 10, Entered: "09:41，已接待 23 分", Channel: "青禾家居服务号", Group: "售后维修组", Source: "菜单「售后服务」", Face: "yushan@qinghe_home",
		Facts: []Fact{{Label: "地区", Value: "北京 · 朝阳"}, {Label: "OpenID", Value: "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", Mono: true}},
		Total: 6, History: []HistoryRow{
			{ID: 7001, Title: "沙发送货时间改期", Date: "10-15", Datetime: "2025-10-15", Agent: "何晓彤", Result: "客服结束"},
			{ID: 6001, Title: "面料色卡咨询（云团 / 苔绿）", Date: "09-28", Datetime: "2025-09-28", Agent: "周一帆", Result: "客服结束"},
		},
	}
}

func sampleWorkspace(l texts.Lang, view string) WorkspaceProps {
	chat, panel := sampleChat(l), samplePanel(l)
	return WorkspaceProps{Page: samplePage(l, "chats", chat.Customer.Name), View: view, List: sampleList(l), Chat: &chat, Panel: &panel}
}

func sampleQueue(l texts.Lang) QueueProps {
	p := QueueProps{Page: samplePage(l, "queue", ""), WeChat: 4, DingTalk: 2, Longest: sampleWait(l, 292), Online: 7, Members: 12, Load: 45, Capacity: 66}
	for i, row := range []struct {
		name, last, group string
		seconds           int64
	}{
		{"孟姐的小院", "退款说好三天到账，今天第五天了，麻烦帮我查一下到底卡在哪一步", "投诉退款组", 292},
		{"苏南经销商群", "QH-1187 餐椅这周还有货吗？客户要 24 把，急着定", "经销商支持", 151},
		{"栗子不加糖", "[图片] 这个物流三天没动了", "物流配送组", 104},
		{"微信用户·p3Xd", "你们上海有线下门店吗，想去躺一下床垫", "售前咨询组", 72},
		{"Hannah 何", "Hi，上次说的原木餐桌打样好了吗？", "VIP 专席", 35},
		{"秦川 · 云栖科技行政", "上个月的对账单可以发我一份吗", "售前咨询组", 9},
	} {
		channel := []string{"wechat", "dingtalk"}[i%2]
		p.Rows = append(p.Rows, QueueRow{ID: uint(8300 + i), Position: i + 1, Customer: Person{ID: uint(i + 1), Name: row.name, Channel: channel}, Channel: "青禾家居服务号", Last: row.last, Group: row.group, Wait: *sampleWait(l, row.seconds), Claim: i != 4})
	}
	for i, name := range []string{"投诉退款组", "经销商支持", "物流配送组", "售前咨询组"} {
		p.Groups = append(p.Groups, QueueGroup{ID: uint(i + 1), Name: name, Waiting: 1, Longest: sampleWait(l, int64(292-80*i)), Online: 2, Members: 4, Free: i, Capacity: 10})
	}
	p.Groups = append(p.Groups, QueueGroup{ID: 9, Name: "夜间值班组", Members: 2})
	for i, name := range []string{"何晓彤", "周一帆", "林语珊", "赵启明", "吴敏", "刘芷晴"} {
		presence := []string{"online", "online", "online", "busy", "break", "offline"}[i]
		agent := QueueAgent{Person: Person{ID: uint(i + 7), Name: name, Presence: presence}, Groups: "售后维修组、VIP 专席", Load: 4 + 3*i%7, Capacity: 10, Me: i == 2}
		if presence == "offline" {
			agent.Since, agent.Load = "09:12 起", 0
		}
		p.Agents = append(p.Agents, agent)
	}
	return p
}

func sampleMe(l texts.Lang) MeProps {
	return MeProps{
		Page: samplePage(l, "me", ""), Username: "lin", Role: "supervisor", PasswordError: "现在的密码不对",
		Logins: []LoginRow{
			{ID: "1", Agent: "Chrome · Windows", IP: "10.0.3.14", Started: "11-20 08:55", Seen: "刚刚", Datetime: "2025-11-20T10:04:00+08:00", Current: true},
			{ID: "2", Agent: "Safari · iPhone", IP: "223.104.3.7", Started: "11-18 20:10", Seen: "昨天 21:40", Datetime: "2025-11-19T21:40:00+08:00"},
		},
	}
}
