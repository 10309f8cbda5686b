package wechat

import (
	"context"
	"encoding/json"
	"net/http"

	"kefu/internal/platform"
)

// Accounts lists the customer-service accounts (GET /cgi-bin/customservice/getkflist, wechat.md §2.6), at most 100, in the platform's
// order. Account may be empty: such an entry belongs to an official account without WeChat ID and is no face (§11.5). The error is a
// *platform.Error, never of class Unsure: a list may be asked for again.
func (a *Adapter) Accounts(ctx context.Context) ([]platform.Account, error) {
	var answer struct {
		List json.RawMessage `json:"kf_list"`
		Slip json.RawMessage `json:"kf_online_list"` // the key in the current page's sample
	}
	call := apiCall{method: http.MethodGet, path: "/cgi-bin/customservice/getkflist", on: forAccounts}
	if err := a.authorised(ctx, call, &answer); err != nil {
		return nil, err
	}
	raw := answer.List
	if raw == nil {
		raw = answer.Slip
	}
	var list []listedAccount
	if raw == nil || json.Unmarshal(raw, &list) != nil { // "no list" must not look like "no accounts"
		return nil, failure(platform.Busy, 0, "answer has no kf_list", nil)
	}
	accounts := make([]platform.Account, 0, len(list))
	for _, l := range list {
		accounts = append(accounts, l.account())
	}
	return accounts, nil
}

// listedAccount takes every number as a string, too, and the picture under its old name.
type listedAccount struct {
	Account       loose `json:"kf_account"`
	Nick          loose `json:"kf_nick"`
	ID            loose `json:"kf_id"`
	Picture       loose `json:"kf_headimgurl"`
	OldPicture    loose `json:"kf_headimg"`
	WeChat        loose `json:"kf_wx"`
	InviteWeChat  loose `json:"invite_wx"`
	InviteExpires loose `json:"invite_expire_time"`
	InviteStatus  loose `json:"invite_status"`
}

func (l listedAccount) account() platform.Account {
	picture := l.Picture
	if picture == "" {
		picture = l.OldPicture
	}
	expires, _ := unixTime(string(l.InviteExpires)) // the zero time when there is no invitation
	return platform.Account{
		Account: clean(string(l.Account)), Nick: clean(string(l.Nick)), ID: clean(string(l.ID)), AvatarURL: clean(string(picture)),
		BoundWeChat: clean(string(l.WeChat)), InviteWeChat: clean(string(l.InviteWeChat)), InviteStatus: clean(string(l.InviteStatus)),
		InviteExpires: expires,
	}
}
