package wechat

import (
	"context"
	"fmt"
	"net/http"

	"kefu/internal/platform"
)

// Send sends one customer-service message (POST /cgi-bin/message/custom/send, wechat.md §5). to.Key is the customer's openid. A face is
// shown by name and picture; the zero Face is the account itself. The platform has no idempotency key and gives no message id, so key
// is not used and the Receipt is empty. The error is a *platform.Error; class Unsure when the message may have arrived, Busy when no
// connection was made.
func (a *Adapter) Send(ctx context.Context, to platform.Conversation, c platform.Content, as platform.Face, _ string) (platform.Receipt, error) {
	message := struct {
		ToUser  string       `json:"touser"`
		MsgType string       `json:"msgtype"`
		Text    *textObject  `json:"text,omitempty"`
		Service *serviceFace `json:"customservice,omitempty"`
	}{ToUser: speech(to.Key)}
	switch c := c.(type) {
	case platform.OutText:
		message.MsgType, message.Text = "text", &textObject{Content: speech(c.Text)}
	default:
		return platform.Receipt{}, failure(platform.BadContent, 0, fmt.Sprintf("%T cannot be sent on WeChat", c), nil)
	}
	on := forSend
	if as.Account != "" {
		on, message.Service = forFacedSend, &serviceFace{Account: speech(as.Account)}
	}
	call := apiCall{method: http.MethodPost, path: "/cgi-bin/message/custom/send", body: message, on: on, once: true}
	return platform.Receipt{}, a.authorised(ctx, call, nil)
}

type textObject struct {
	Content string `json:"content"`
}

type serviceFace struct {
	Account string `json:"kf_account"`
}
