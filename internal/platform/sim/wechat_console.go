package sim

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9]{3,32}$`) // wechat.md §7.1

// AddApp saves an official account, or changes the one with the same appid; values left out are kept, or made at random. Like the
// console it checks the callback URL first and refuses when the echostr does not come back (wechat.md §7.2), unless SkipCheck.
func (s *Simulator) AddApp(app App) (App, error) {
	s.mu.Lock()
	if old := s.wechat.find(app.AppID); app.AppID != "" && old != nil {
		app = app.over(old.App)
	}
	s.mu.Unlock()
	app = app.over(App{
		AppID: "wx" + s.pick(16, hexDigits), Secret: s.pick(32, hexDigits), OriginalID: "gh_" + s.pick(12, hexDigits), Name: "演示服务号",
		Token: s.pick(24, alnum), AESKey: s.pick(43, alnum), WeChatID: "demo_" + s.pick(6, hexDigits), Mode: modeSafe, Format: formatXML,
		Profile: profileCurrent,
	})
	if err := app.check(); err != nil {
		return app, err
	}
	if app.CallbackURL != "" && !app.SkipCheck {
		if err := s.checkURL(app); err != nil {
			return app, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	if old := s.wechat.find(app.AppID); old != nil {
		old.App = app
		return app, nil
	}
	s.wechat.apps = append(s.wechat.apps, &wechatApp{App: app, users: map[string]*user{}, pushed: map[int64]*push{}})
	return app, nil
}

// over fills what a leaves empty from b.
func (a App) over(b App) App {
	for _, pair := range []struct{ to, from *string }{
		{&a.AppID, &b.AppID}, {&a.Secret, &b.Secret}, {&a.OriginalID, &b.OriginalID}, {&a.Name, &b.Name}, {&a.Token, &b.Token},
		{&a.AESKey, &b.AESKey}, {&a.WeChatID, &b.WeChatID}, {&a.Mode, &b.Mode}, {&a.Format, &b.Format},
		{&a.CallbackURL, &b.CallbackURL}, {&a.Profile, &b.Profile},
	} {
		if *pair.to == "" {
			*pair.to = *pair.from
		}
	}
	return a
}

// check says what the console would not accept.
func (a App) check() error {
	one := func(value string, allowed ...string) bool {
		return strings.Contains("|"+strings.Join(allowed, "|")+"|", "|"+value+"|")
	}
	switch {
	case !one(a.Mode, modePlain, modeCompatible, modeSafe):
		return errors.New("mode must be plain, compatible or safe")
	case !one(a.Format, formatXML, formatJSON):
		return errors.New("format must be xml or json")
	case !one(a.Profile, profileCurrent, profileLegacy):
		return errors.New("profile must be current or legacy")
	case !tokenForm.MatchString(a.Token):
		return errors.New("token must be 3 to 32 letters or digits")
	}
	if _, err := decodeAESKey(a.AESKey); err != nil {
		return fmt.Errorf("aes_key: %w", err)
	}
	if a.CallbackURL == "" {
		return nil
	}
	if u, err := url.Parse(a.CallbackURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("callback_url must be an http or https address")
	}
	return nil
}

// names are given to customers without one.
var names = []string{"王蔓", "李航", "陈可", "周子墨", "吴桐", "郑悦", "孙浩", "何苗", "韩雪", "顾海涛"}

// addUser makes a customer who does not follow yet, or gives back the one with the openid. The caller holds s.mu.
func (s *Simulator) addUser(a *wechatApp, openid, name string) *user {
	u := a.users[openid]
	if openid == "" || u == nil {
		if openid == "" {
			openid = "o" + s.pick(27, urlSafe) // wechat.md §0.3
		}
		u = &user{openid: openid, name: name, relation: relationNew}
		if name == "" {
			u.name = fmt.Sprintf("%s %d", names[len(a.order)%len(names)], len(a.order)+1)
		}
		a.users[openid] = u
		a.order = append(a.order, u)
	} else if name != "" {
		u.name = name
	}
	s.version++
	return u
}

// unknownError is a name that stands for nothing here.
type unknownError string

func (e unknownError) Error() string { return string(e) }

func noApp(appid string) string {
	if appid == "" {
		return "there is no app yet: POST /_sim/wechat/apps"
	}
	return "no app has the appid " + appid
}

func noUser(openid string) string {
	return "no customer has the openid " + openid + ": POST /_sim/wechat/users"
}

// acted names the push of an act.
type acted struct{ msgID, createTime int64 }

// Act does what a customer does and returns where the result of the push will come; a nil channel means that the act pushes nothing.
// Its effects on the platform (following, allowance, phone) are there when it returns.
func (s *Simulator) Act(act Act) (<-chan PushResult, acted, error) { //nolint:revive // two plain numbers
	s.mu.Lock()
	p, err := s.resolve(act)
	s.mu.Unlock()
	if err != nil || p == nil {
		return nil, acted{}, err
	}
	done := make(chan PushResult, 1)
	if !s.spawn(func() { done <- s.send(p) }) {
		return nil, acted{}, errors.New("the simulator is closed")
	}
	return done, acted{p.id, p.created}, nil
}

func (s *Simulator) resolve(act Act) (*push, error) {
	a := s.wechat.find(act.AppID)
	if a == nil {
		return nil, unknownError(noApp(act.AppID))
	}
	if act.AppID == "" && a.users[act.OpenID] == nil { // an openid says which app is meant
		for _, other := range s.wechat.apps {
			if other.users[act.OpenID] != nil {
				a = other
			}
		}
	}
	u := a.users[act.OpenID]
	if u == nil {
		return nil, unknownError(noUser(act.OpenID))
	}
	return s.prepare(a, u, act)
}
