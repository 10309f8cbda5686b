package texts

// What handlers say of sessions: names, lines about what happened, days and spans.
var _ = add([][3]string{
	{"page.customer.unnamed", "微信用户·{id}", "WeChat user·{id}"},
	{"page.system", "系统", "System"},
	{"page.colleague", "同事", "Colleague"},
	{"page.row.failed", "发送失败", "Not sent"},
	{"page.row.unknown", "可能已送达", "May have arrived"},
	{"page.row.closing", "窗口剩 {n} 分", "{n} min left"},
	{"page.row.unsupported", "不支持的消息", "Unsupported message"},
	{"page.row.other", "其他消息", "Other message"},

	{"page.weekday.0", "周日", "Sun"}, {"page.weekday.1", "周一", "Mon"}, {"page.weekday.2", "周二", "Tue"}, {"page.weekday.3", "周三", "Wed"},
	{"page.weekday.4", "周四", "Thu"}, {"page.weekday.5", "周五", "Fri"}, {"page.weekday.6", "周六", "Sat"},
	{"page.span.s", "{s} 秒", "{s} s"},
	{"page.span.ms", "{m} 分 {s} 秒", "{m} min {s} s"},
	{"page.span.hm", "{h} 小时 {m} 分", "{h} h {m} min"},

	{"page.sys.assigned", "排队 {waited}，系统分配给 {name}", "Waited {waited}, assigned to {name}"},
	{"page.sys.claimed", "排队 {waited}，{name} 接入", "Waited {waited}, accepted by {name}"},
	{"page.sys.claimed_over", "排队 {waited}，{name} 超出接待上限接入", "Waited {waited}, accepted by {name} above their limit"},
	{"page.sys.reopened", "客户又发来消息，会话重新打开", "The customer wrote again, the chat is open again"},
	{"page.sys.closed", "{name} 结束了会话", "{name} closed the chat"},
	{"page.sys.closed_by_system", "会话结束：{reason}", "Chat closed: {reason}"},
	{"page.sys.follow", "客户关注了公众号", "The customer followed the account"},
	{"page.sys.unfollow", "客户取消了关注，不能再回复", "The customer left the account, no reply is possible"},
	{"page.sys.menu", "客户点击菜单 {key}", "The customer chose {key} in the menu"},
	{"page.sys.menu_plain", "客户点击了菜单", "The customer used the menu"},
	{"page.sys.view", "客户打开菜单里的页面 {key}", "The customer opened {key} from the menu"},
	{"page.sys.view_plain", "客户打开了菜单里的页面", "The customer opened a page from the menu"},
	{"page.sys.scan", "客户扫描了二维码 {key}", "The customer scanned the code {key}"},
	{"page.sys.scan_plain", "客户扫描了二维码", "The customer scanned a code"},
	{"page.sys.choice", "客户选择了 {text}", "The customer chose {text}"},

	{"page.reason.agent", "客服结束", "closed by an agent"},
	{"page.reason.left", "客户离开排队", "the customer left the queue"},
	{"page.reason.idle", "客户长时间没有回应", "the customer was silent"},
	{"page.reason.window", "回复窗口已过", "the reply window is over"},
	{"page.reason.expired", "窗口已过，未能回复", "the window ended without an answer"},
	{"page.reason.handed", "转到微信客服端", "handed to WeChat's own client"},
	{"page.reason.hosted", "在微信客服端结束", "closed in WeChat's own client"},
	{"page.reason.blocked", "客户被拉黑", "the customer was blocked"},
	{"page.reason.unfollowed", "客户取消关注", "the customer left the account"},
	{"page.reason.merged", "已合并", "merged"},

	{"page.day.today", "今天 · {date} {weekday}", "Today · {weekday} {date}"},
	{"page.day.date", "{date} {weekday}", "{weekday} {date}"},
	{"page.day.year", "{y} 年 {date} {weekday}", "{weekday} {date} {y}"},
})

var _ = add([][3]string{
	{"page.composer.holder", "{name} 正在接待，你写的内容会直接发给客户", "{name} holds this chat. What you write goes straight to the customer"},
	{"page.slot.closed", "会话已结束：{reason}", "The chat is closed: {reason}"},
	{"page.slot.closed.detail", "客户再发消息时会重新排队。", "When the customer writes again, they enter the queue."},
	{"page.slot.claim.detail", "{group} · 第 {n} 位", "{group} · number {n}"},
	{"page.slot.watch", "{name} 正在接待，你在旁观", "{name} holds this chat, you are watching"},
	{"page.slot.watch.detail", "客户看不到旁观。", "The customer does not see that."},
	{"page.fact.openid", "OpenID", "OpenID"},
	{"page.fact.since", "首次来访", "First contact"},
	{"page.fact.follows", "关注", "Follows"},
	{"page.fact.follows.not", "已取消关注", "left the account"},
	{"page.panel.for", "，已接待 {span}", ", for {span}"},
	{"page.panel.moment", "不到 1 分钟", "less than a minute"},
})

var _ = add([][3]string{
	{"page.presence.since", "{time} 起", "since {time}"},
	{"refusal.password_differs", "两次输入的新密码不一样", "The two new passwords differ"},
})

var _ = add([][3]string{
	{"page.storage.full", "服务器磁盘已满，现在写的内容都不会保存。请联系管理员。", "The server's disk is full: nothing written now is kept. Tell an admin."},
	{"problem.disk_full", "服务器磁盘已满，内容没有保存。请联系管理员，处理后再试。", "The server's disk is full and nothing was saved. Tell an admin and try again afterwards."},
	{"problem.short", "没有成功，请再试一次（{ref}）", "That did not work, try again ({ref})"},
})
