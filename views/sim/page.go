// Package simviews holds the simulator's phone page: a developer's tool, in Chinese only. It knows the page's shape and its files, not
// what happens on the platform; static/sim/phone.js fills it in.
package simviews

import "kefu/static"

// Mount is where the simulator serves the files of package static.
const Mount = "/_sim"

// asset is the address of a file of package static under the simulator.
func asset(name string) string { return Mount + static.URL(name) }

// button is one thing that the customer can do, or one fault: what phone.js sends and how it looks.
type button struct{ do, icon, label string }

var acts = []button{
	{"follow", "user-plus", "关注"}, {"unfollow", "user-round", "取消关注"},
	{"scan", "radio", "扫码"}, {"pay", "check", "支付成功"},
	{"image", "image", "发图片"}, {"voice", "mic", "发语音"},
	{"video", "video", "发视频"}, {"location", "map-pin", "发位置"},
	{"link", "link", "发链接"}, {"sticker", "smile", "发表情"},
}

// faults are switched on and off by name; their bodies are in phone.js.
var faults = []button{
	{do: "busy", label: "接口返回 -1 系统繁忙"},
	{do: "window", label: "超过 48 小时（45015）"},
	{do: "used", label: "额度用完（45047）"},
	{do: "late", label: "回调应答延迟 6 秒，触发重试"},
	{do: "token", label: "token 失效（40001）"},
	{do: "cut", label: "发送成功但应答丢失"},
	{do: "double", label: "每个推送来两次"},
}

// menu is the account's custom menu at the foot of the phone. The last item is of type view: it grants nothing.
var menu = []struct{ kind, key, label string }{
	{"click", "pre_sales", "售前咨询"}, {"click", "after_sales", "售后服务"}, {"view", "https://shop.example/", "商城"},
}
