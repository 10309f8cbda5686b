package texts

import "strconv"

// Why a message was not delivered and what helps: error.class.* and cure.class.* per class of failure, error.<class>.<code> and
// cure.<class>.<code> where a platform's code says more. The agent's bubble shows both, so they are short.
var _ = add([][3]string{
	{"error.with_code", "{reason}（{code}）", "{reason} ({code})"},

	{"error.class.refresh", "公众号的登录凭证失效", "the account's credential was refused"},
	{"cure.class.refresh", "已提醒管理员，修好后再重试", "The administrator has been told. Try again when it is repaired"},
	{"error.class.busy", "平台繁忙", "the platform is busy"},
	{"error.busy.0", "连不上平台", "the platform cannot be reached"},
	{"error.class.busy_once", "平台接口繁忙，试了 3 次都没成功", "the platform was busy, three tries failed"},
	{"error.busy_once.-1", "微信接口繁忙，试了 3 次都没成功", "WeChat was busy, three tries failed"},
	{"cure.class.busy_once", "过一会儿再重试", "Try again in a while"},
	{"error.class.window", "回复窗口已经关闭", "the reply window is closed"},
	{"cure.class.window", "等客户再发一条消息", "Wait for the customer to write again"},
	{"error.window.45015", "超过 48 小时，或客户已取消关注", "more than 48 hours have passed, or the customer left the account"},
	{"cure.window.45015", "等客户再发一条消息", "Wait for the customer to write again"},
	{"error.window.45047", "回复条数用完", "no replies are left"},
	{"cure.window.45047", "客户再发一条消息后又可以回复", "You can reply again when the customer writes"},
	{"error.window.45011", "微信一直繁忙，直到回复窗口关闭", "WeChat stayed busy until the reply window closed"},
	{"error.class.content", "内容不符合平台要求", "the platform does not take this content"},
	{"cure.class.content", "修改内容再发送", "Change the content and send it again"},
	{"error.content.40007", "素材不存在或已过期", "the file is unknown or has expired"},
	{"cure.content.40007", "重新上传再发送", "Upload it again and send it"},
	{"error.content.40008", "不支持这种消息类型", "this type of message is not supported"},
	{"error.content.44004", "内容是空的", "the content is empty"},
	{"error.content.45002", "内容太长", "the content is too long"},
	{"cure.content.45002", "分成几条发送", "Send it in several messages"},
	{"error.content.45008", "一条消息只能带一篇图文", "a message takes one article only"},
	{"error.content.45098", "选项太多", "there are too many choices"},
	{"cure.content.45098", "减少选项再发送", "Send fewer choices"},
	{"error.content.47001", "内容里有平台无法识别的字符", "the content has characters the platform cannot read"},
	{"error.class.rights", "公众号没有发送权限", "the account may not send"},
	{"cure.class.rights", "已提醒管理员，修好后再重试", "The administrator has been told. Try again when it is repaired"},
	{"error.rights.40001", "公众号的密钥不对", "the account's secret is wrong"},
	{"error.rights.40125", "公众号的密钥不对", "the account's secret is wrong"},
	{"error.rights.40164", "服务器地址不在公众号的白名单里", "the server's address is not in the account's white list"},
	{"error.rights.48004", "公众号的接口被封禁", "the account is banned from the interface"},
	{"error.rights.65400", "公众号没有开启客服功能", "the account's customer service is switched off"},
	{"error.class.face", "客服账号不可用", "the service account cannot be used"},
	{"cure.class.face", "已提醒管理员，重试时会用公众号的名义发送", "The administrator has been told. Trying again sends in the channel's own name"},
	{"error.class.customer", "这位客户无法接收消息", "this customer cannot get messages"},
	{"error.customer.40003", "公众号不认识这位客户", "the account does not know this customer"},
	{"error.customer.43004", "客户没有关注公众号", "the customer does not follow the account"},
	{"cure.customer.43004", "客户重新关注后才能回复", "You can reply when the customer follows again"},
	{"error.customer.43019", "客户在公众号的黑名单里", "the customer is on the account's blacklist"},
	{"cure.customer.43019", "移出黑名单后再重试", "Take them off the blacklist, then try again"},
	{"error.customer.48002", "客户拒收公众号的消息", "the customer refuses messages of the account"},
	{"error.customer.50002", "客户的微信号被限制使用", "the customer's WeChat is restricted"},
	{"error.customer.70000", "微信为保护未成年人拒绝了这条消息", "WeChat refused it to protect minors"},
	{"error.class.quota", "今天的发送额度用完", "today's quota is used up"},
	{"cure.class.quota", "零点后自动发送", "It goes out by itself after midnight (China time)"},
	{"error.class.unknown", "没有收到平台的答复，可能已送达", "the platform did not answer, it may have arrived"},
	{"cure.class.unknown", "先看看客户有没有收到，再决定是否重发", "See whether the customer got it before you send again"},
	{"error.class.failed", "平台拒绝了这条消息：{text}", "the platform refused it: {text}"},
	{"error.class.failed.silent", "平台拒绝了这条消息", "the platform refused it"},
	{"error.class.part", "前一条未送达，这条没有发出", "the part before it was not sent, so this one was held back"},
	{"cure.class.part", "先重试前一条，再重试这条", "Try the part before it first, then this one"},
	{"error.class.config", "渠道的设置不完整，暂时发不出去", "the channel's settings are incomplete, nothing can be sent"},
	{"cure.class.config", "已提醒管理员，修好后自动发送", "The administrator has been told. It goes out by itself when that is repaired"},
})

// What is wrong with a channel and what the administrator does about it.
var _ = add([][3]string{
	{"alarm.token", "微信连续拒绝了新的 access_token，消息发不出去。检查有没有别的系统也在获取这个公众号的 access_token",
		"WeChat refuses even new access tokens, so nothing can be sent. Check whether another system also fetches tokens of this account"},
	{"alarm.busy", "连续 3 条消息因为微信接口繁忙没有送达。查看微信接口状态，检查服务器到微信的网络",
		"Three messages in a row were not sent because WeChat was busy. Look at WeChat's status and at the network between the server and WeChat"},
	{"alarm.rights", "微信拒绝了发送：这个公众号缺少权限或设置不对。按微信给出的错误码检查",
		"WeChat refused to send: this account lacks a right or a setting is wrong. Check what WeChat's error code says"},
	{"alarm.rights.40001", "AppSecret 不对，消息发不出去。在渠道设置里重新填写", "The AppSecret is wrong, so nothing can be sent. Enter it again in the channel's settings"},
	{"alarm.rights.40125", "AppSecret 不对，消息发不出去。在渠道设置里重新填写", "The AppSecret is wrong, so nothing can be sent. Enter it again in the channel's settings"},
	{"alarm.rights.40013", "AppID 不对，消息发不出去。在渠道设置里检查", "The AppID is wrong, so nothing can be sent. Check it in the channel's settings"},
	{"alarm.rights.40164", "服务器的 IP 不在白名单里，消息发不出去。在微信公众平台的基本配置里加入这个 IP",
		"The server's IP address is not in the white list, so nothing can be sent. Add it in the basic settings of the WeChat console"},
	{"alarm.rights.40243", "AppSecret 已被冻结，消息发不出去。在微信公众平台解冻", "The AppSecret is frozen, so nothing can be sent. Unfreeze it in the WeChat console"},
	{"alarm.rights.48001", "公众号没有客服消息接口的权限。检查公众号类型和认证是否过期",
		"The account may not send customer-service messages. Check its type and whether its verification has expired"},
	{"alarm.rights.48004", "公众号的接口被封禁。在微信公众平台查看原因", "The account is banned from the interface. The WeChat console tells why"},
	{"alarm.rights.65400", "公众号没有开启客服功能。在微信公众平台添加功能插件，约 5 分钟后生效",
		"The account's customer service is switched off. Add the plug-in in the WeChat console, it takes effect after about 5 minutes"},
	{"alarm.face", "微信拒绝了一个客服账号，消息改用公众号的名义发送。在客服账号页面检查并修复",
		"WeChat refused a service account, messages go out in the channel's own name. Check and repair it on the accounts page"},
	{"alarm.quota", "今天的接口调用额度用完，零点（北京时间）后自动继续发送", "Today's quota of calls is used up. Sending goes on by itself after midnight, China time"},
	{"alarm.config", "渠道的设置读不出来，消息在等待发送。检查密钥等设置", "The channel's settings cannot be read, messages are waiting. Check the secret and the other settings"},
})

// DeliveryReason says why a message was not delivered, with the platform's code in brackets, and what helps (cure, may be empty). Class,
// code and text are what is stored of the failure; text shows only where we have no words of our own.
func DeliveryReason(lang Lang, class string, code int, text string) (reason, cure string) {
	args := Args{"code": code, "text": text}
	key := known("error", class, code)
	if key == "" {
		key = "error.class.failed"
	}
	if key == "error.class.failed" && text == "" {
		key = "error.class.failed.silent"
	}
	reason = T(lang, key, args)
	if code != 0 {
		reason = T(lang, "error.with_code", Args{"reason": reason, "code": code})
	}
	if key := known("cure", class, code); key != "" {
		cure = T(lang, key, args)
	}
	return reason, cure
}

// AlarmOf is the alarm of a channel after a failure of the kind ("token", "rights" …), the one about the code if there is such a one.
func AlarmOf(kind string, code int) Key {
	if key := Key("alarm." + kind + "." + strconv.Itoa(code)); exists(key) {
		return key
	}
	return Key("alarm." + kind)
}

// known is the key about the class and code, else the one about the class, else empty.
func known(area, class string, code int) Key {
	if key := Key(area + "." + class + "." + strconv.Itoa(code)); exists(key) {
		return key
	}
	if key := Key(area + ".class." + class); exists(key) {
		return key
	}
	return ""
}

func exists(key Key) bool {
	_, ok := catalogue[ZhCN][key]
	return ok
}
