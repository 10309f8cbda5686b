package sim

import "fmt"

// AddAccount makes a customer-service account that is bound and usable, as if it had been added, invited and accepted (wechat.md §2).
// One that is there keeps its id and gets the nickname.
func (s *Simulator) AddAccount(appid, account, nick string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.wechat.find(appid)
	if a == nil {
		return fmt.Errorf("there is no app %s", appid)
	}
	if !goodNick(nick) {
		return fmt.Errorf("%q is no nickname", nick)
	}
	k := a.account(account)
	if k == nil {
		k = s.addAccount(a, account, nick)
	}
	k.nick, k.boundTo = nick, "wx_"+account
	return nil
}

// AddUser makes a customer who follows the account; an existing one keeps their history.
func (s *Simulator) AddUser(appid, openid, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.wechat.find(appid)
	if a == nil {
		return fmt.Errorf("there is no app %s", appid)
	}
	u := a.users[openid]
	if u == nil {
		u = s.addUser(a, openid, name)
	}
	u.relation = relationFollowing
	return nil
}
