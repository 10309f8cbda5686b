package texts

// Refusals of the desk, and what customers are told. Agents are 你, customers are 您.
var _ = add([][3]string{
	{"notice.ahead", "您好，前面还有 {ahead} 位，我们会按顺序接待您。", "Hello, {ahead} {ahead|customer is|customers are} ahead of you. We will be with you in turn."},
	{"notice.next", "您好，您是下一位，客服马上为您服务。", "Hello, you are next. We will be with you in a moment."},
	{"notice.nobody_here", "您好，客服暂时离开，回来后会按顺序接待您。", "Hello, nobody is at the desk right now. We will be with you in turn when we are back."},
	{"notice.please_type", "请直接输入您的问题，客服马上为您服务。", "Please type your question and we will be with you."},
	{"notice.queue_full", "现在排队的客户很多，请过一会儿再发一条消息，我们会尽快接待您。", "Very many customers are waiting. Please send another message in a while and we will be with you as soon as we can."},

	{"alarm.unreadable", "收到一条验证通过但无法读取的推送，已原样保存", "A push was verified but could not be read; it is kept as it came"},

	{"refusal.login", "用户名或密码不对", "User name or password is wrong"},
	{"refusal.login_often", "尝试太多次了，请 {seconds} 秒后再试", "Too many attempts. Try again in {seconds} {seconds|second|seconds}"},
	{"refusal.not_visible", "这个会话不在你能查看的范围内", "This chat is not yours to see"},
	{"refusal.not_your_group", "你不在这个会话的分组里，不能接入", "You are not in this chat's group, so you cannot accept it"},
	{"refusal.not_yours", "这个会话由同事接待，你只能旁观", "A colleague holds this chat, you can only watch"},
	{"refusal.taken", "{name} 先接入了这个会话", "{name} accepted this chat first"},
	{"refusal.full", "你已接满 {capacity} 个会话，结束一个再接入", "You already hold {capacity} {capacity|chat|chats}. Close one, then accept the next"},
	{"refusal.closed", "这个会话已经结束", "This chat is closed"},
	{"refusal.closed_reply", "这个会话已经结束，消息没有发出，内容还在输入框里", "This chat is closed. Your message was not sent and is still in the box"},
	{"refusal.claim_first", "先接入这个会话，再回复客户", "Accept this chat first, then reply"},
	{"refusal.empty", "内容是空的，写点什么再发送", "There is nothing to send yet"},
	{"refusal.too_long", "内容超过 {limit} KB，请分几次发送", "The text is longer than {limit} KB. Send it in pieces"},
	{"refusal.not_enough_left", "这段话要分 {need} 条发送，只剩 {have} 条，没有发出。删短一些，或等客户再发消息", "This takes {need} {need|message|messages} and {have} {have|is|are} left, so nothing was sent. Shorten it, or wait until the customer writes again"},
	{"refusal.encoding", "内容里有无法识别的字符，请检查后再发送", "The text has characters that cannot be read. Check it and send again"},
	{"refusal.not_failed", "这条消息没有失败，不用重发", "This message did not fail, there is nothing to resend"},
	{"refusal.on_its_way", "这条消息正在发送，已经不能改了", "This message is on its way and cannot be changed any more"},
	{"refusal.presence", "没有这种接待状态", "There is no such status"},
	{"refusal.preference", "没有这个选项", "There is no such choice"},
	{"refusal.username", "用户名只能用小写字母、数字和 . _ -，最多 32 个字符", "A user name is made of lower-case letters, digits and . _ -, at most 32 characters"},
	{"refusal.username_taken", "用户名 {name} 已经有人用了", "The user name {name} is taken"},
	{"refusal.name", "姓名最多 64 个字", "A name has at most 64 characters"},
	{"refusal.role", "角色只能是 agent、supervisor 或 admin", "A role is agent, supervisor or admin"},
	{"refusal.password_short", "密码至少 {min} 个字符", "A password has at least {min} characters"},
	{"refusal.password_long", "密码太长了，最多 256 个字节", "The password is too long, at most 256 bytes"},
	{"refusal.present_password", "当前密码不对", "The present password is wrong"},
})
