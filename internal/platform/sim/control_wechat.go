package sim

import (
	"net/http"
)

// wechatControls let a test or a person play the account's console, the customers and the staff.
func (s *Simulator) wechatControls(mux *http.ServeMux) {
	mux.HandleFunc("POST /_sim/wechat/apps", s.controlApp)
	mux.HandleFunc("GET /_sim/wechat/users", s.controlUsers)
	mux.HandleFunc("POST /_sim/wechat/users", s.controlUser)
	mux.HandleFunc("POST /_sim/wechat/act", s.controlAct)
	mux.HandleFunc("GET /_sim/wechat/received", s.controlReceived)
	mux.HandleFunc("GET /_sim/wechat/grants", s.controlGrants)
	mux.HandleFunc("POST /_sim/wechat/accounts", s.controlAccounts)
	mux.HandleFunc("POST /_sim/wechat/tokens", s.controlTokens)
}

func (s *Simulator) controlApp(w http.ResponseWriter, r *http.Request) {
	var form App
	if !readControl(w, r, &form) {
		return
	}
	app, err := s.AddApp(form)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	answerJSON(w, http.StatusOK, app)
}

// controlUser makes a customer, or shows the one there is.
func (s *Simulator) controlUser(w http.ResponseWriter, r *http.Request) {
	var form struct {
		AppID  string `json:"appid"`
		OpenID string `json:"openid"`
		Name   string `json:"name"`
	}
	if !readControl(w, r, &form) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.wechat.find(form.AppID)
	if a == nil {
		refuse(w, http.StatusNotFound, noApp(form.AppID))
		return
	}
	answerJSON(w, http.StatusOK, userView(a, s.addUser(a, form.OpenID, form.Name)))
}

func userView(a *wechatApp, u *user) map[string]any {
	return map[string]any{"openid": u.openid, "name": u.name, "appid": a.AppID, "relation": u.relation}
}

func (s *Simulator) controlUsers(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	appid := r.URL.Query().Get("appid")
	a := s.wechat.find(appid)
	if a == nil {
		refuse(w, http.StatusNotFound, noApp(appid))
		return
	}
	list := []map[string]any{}
	for _, u := range a.order {
		list = append(list, userView(a, u))
	}
	answerJSON(w, http.StatusOK, map[string]any{"users": list})
}

// controlAct does what a customer does and answers what became of the push, after its repeats; with "async" at once.
func (s *Simulator) controlAct(w http.ResponseWriter, r *http.Request) {
	var act Act
	if !readControl(w, r, &act) {
		return
	}
	done, id, err := s.Act(act)
	if err != nil {
		status := http.StatusBadRequest
		if _, missing := err.(unknownError); missing {
			status = http.StatusNotFound
		}
		refuse(w, status, err.Error())
		return
	}
	view := struct {
		MsgID      int64 `json:"msgid,omitempty,string"` // beyond what a JavaScript number holds
		CreateTime int64 `json:"create_time,omitempty"`
		Pushed     bool  `json:"pushed"` // false: the callback URL never hears of this act
		PushResult
	}{MsgID: id.msgID, CreateTime: id.createTime, Pushed: done != nil}
	if done == nil || act.Async {
		answerJSON(w, http.StatusOK, view)
		return
	}
	select {
	case view.PushResult = <-done:
		answerJSON(w, http.StatusOK, view)
	case <-r.Context().Done(): // the push goes on without the caller
	}
}

// received lists what reached a customer, passive replies in the same form as sent messages.
func (s *Simulator) controlReceived(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u := s.userOf(w, r)
	if u == nil {
		return
	}
	list := []map[string]any{}
	for _, e := range u.entries {
		if e.Me {
			continue
		}
		body := e.Body
		if e.MsgType == "notice" {
			body = map[string]any{"msgtype": "notice", "text": map[string]any{"content": e.Text}}
		}
		list = append(list, map[string]any{
			"id": e.ID, "at": e.At, "msgtype": e.MsgType, "kf_account": e.Account, "nick": e.Nick, "passive": e.Passive, "body": body,
		})
	}
	answerJSON(w, http.StatusOK, map[string]any{"messages": list})
}

func (s *Simulator) controlGrants(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u := s.userOf(w, r)
	if u == nil {
		return
	}
	now := s.clock.Now()
	grants := append(ledger{}, u.ledger.live(now)...)
	_, code := u.ledger.spend(now)
	if u.relation == relationLeft {
		code = 45015
	}
	answerJSON(w, http.StatusOK, map[string]any{"grants": grants, "errcode": code, "typing": u.typing(now)})
}

// userOf finds ?openid= (and ?appid=, else the first app that has it); it answers 404 itself. The caller holds s.mu.
func (s *Simulator) userOf(w http.ResponseWriter, r *http.Request) (*wechatApp, *user) {
	q := r.URL.Query()
	for _, a := range s.wechat.apps {
		if u := a.users[q.Get("openid")]; u != nil && (q.Get("appid") == "" || a.AppID == q.Get("appid")) {
			return a, u
		}
	}
	refuse(w, http.StatusNotFound, noUser(q.Get("openid")))
	return nil, nil
}

// controlAccounts is what staff do with a customer-service account outside the API: accept, reject, expire, online, offline.
func (s *Simulator) controlAccounts(w http.ResponseWriter, r *http.Request) {
	var form struct {
		AppID   string `json:"appid"`
		Account string `json:"kf_account"`
		Do      string `json:"do"`
	}
	if !readControl(w, r, &form) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.wechat.find(form.AppID)
	if a == nil {
		refuse(w, http.StatusNotFound, noApp(form.AppID))
		return
	}
	k := a.account(form.Account)
	if k == nil {
		refuse(w, http.StatusNotFound, "no such kf_account: "+form.Account)
		return
	}
	if err := k.act(form.Do, s.clock.Now()); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.version++
	answerJSON(w, http.StatusOK, map[string]any{
		"kf_account": k.account, "kf_wx": k.boundTo, "online": k.online, "invite_status": k.inviteStatus(s.clock.Now()),
	})
}

// controlTokens kills an app's tokens in mid-life, as another owner of the secret would.
func (s *Simulator) controlTokens(w http.ResponseWriter, r *http.Request) {
	var form struct {
		AppID string `json:"appid"`
		Do    string `json:"do"`
	}
	if !readControl(w, r, &form) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.wechat.find(form.AppID)
	switch {
	case a == nil:
		refuse(w, http.StatusNotFound, noApp(form.AppID))
	case form.Do != "revoke":
		refuse(w, http.StatusBadRequest, `do must be "revoke"`)
	default:
		s.revokeTokens(a)
		answerJSON(w, http.StatusOK, map[string]any{"ok": true})
	}
}
