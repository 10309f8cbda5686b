package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"kefu/internal/desk"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/views"
)

// Logins keeps the cookie of a log-in; the middleware's store is behind it.
type Logins interface {
	// Begin starts a log-in for the agent in this browser, under a new id.
	Begin(c echo.Context, agent models.Agent, remember bool) error
	// End ends this browser's log-in.
	End(c echo.Context) error
}

// Me serves what an agent sets for themself.
type Me struct {
	*Site
	Logins Logins
}

// Index handles GET /me.
func (h *Me) Index(c echo.Context) error {
	return h.show(c, http.StatusOK, views.MeProps{Saved: savedOf(c)})
}

// savedOf says what the form before this page did.
func savedOf(c echo.Context) string {
	switch c.QueryParam("saved") {
	case "preferences":
		return texts.T(Lang(c), "page.me.saved", nil)
	case "password":
		return texts.T(Lang(c), "page.me.password.saved", nil)
	}
	return ""
}

func (h *Me) show(c echo.Context, status int, p views.MeProps) error {
	l := loginOf(c)
	p.Page, p.Username, p.Role = h.page(c, "me", ""), l.Viewer.Agent.Username, string(l.Viewer.Agent.Role)
	list, err := h.Store.LiveLogins(c.Request().Context(), l.Viewer.Agent.ID, h.Clock.Now())
	if err != nil {
		return err
	}
	for _, login := range list {
		p.Logins = append(p.Logins, views.LoginRow{
			ID: strconv.FormatInt(login.ID, 10), Agent: browser(login.UserAgent), IP: login.IP, Started: login.CreatedAt.In(h.Zone).Format("2006-01-02 15:04"),
			Seen: h.clockText(login.SeenAt), Datetime: machineTime(login.SeenAt), Current: login.ID == l.ID,
		})
	}
	return render(c, status, views.Me(p))
}

// Preferences handles POST /me.
func (h *Me) Preferences(c echo.Context) error {
	var form struct {
		Language string `form:"lang"`
		Theme    string `form:"theme"`
		Density  string `form:"density"`
		Back     string `form:"back"`
	}
	if err := c.Bind(&form); err != nil {
		return err
	}
	a := loginOf(c).Viewer.Agent
	given := func(name, value, present string) string { // a form may carry only one of the three: the theme button does
		if _, has := c.Request().PostForm[name]; has {
			return value
		}
		return present
	}
	err := h.Desk.SetPreferences(c.Request().Context(), a.ID, given("lang", form.Language, a.Language), given("theme", form.Theme, a.Theme),
		given("density", form.Density, a.Density))
	if no, ok := errors.AsType[*desk.Refusal](err); ok {
		return h.show(c, formStatus(c, no), views.MeProps{Error: refusal(c, no)})
	}
	if err != nil {
		return err
	}
	if isHTMX(c) {
		return c.NoContent(http.StatusNoContent)
	}
	if back := ownPath(form.Back); back != "" {
		return c.Redirect(http.StatusSeeOther, back)
	}
	return c.Redirect(http.StatusSeeOther, "/me?saved=preferences")
}

// Presence handles POST /me/presence.
func (h *Me) Presence(c echo.Context) error {
	err := h.Desk.SetPresence(c.Request().Context(), loginOf(c).Viewer.Agent.ID, models.Presence(c.FormValue("presence")))
	if no, ok := errors.AsType[*desk.Refusal](err); ok && isHTMX(c) {
		return h.toast(c, no)
	}
	if err != nil {
		return err
	}
	if isHTMX(c) {
		return c.NoContent(http.StatusNoContent)
	}
	back := ownPath(c.FormValue("back"))
	if back == "" {
		back = "/c"
	}
	return c.Redirect(http.StatusSeeOther, back)
}

// Password handles POST /me/password.
func (h *Me) Password(c echo.Context) error {
	l := loginOf(c)
	present, next, again := c.FormValue("current"), c.FormValue("password"), c.FormValue("again")
	var err error
	if next != again {
		err = &desk.Refusal{Kind: desk.Invalid, Key: "refusal.password_differs"}
	} else {
		err = h.Desk.ChangePassword(c.Request().Context(), l.Viewer.Agent, present, next, l.ID)
	}
	if no, ok := errors.AsType[*desk.Refusal](err); ok {
		return h.show(c, formStatus(c, no), views.MeProps{PasswordError: refusal(c, no)})
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/me?saved=password")
}

// Revoke handles POST /me/logins/:id/revoke: one log-in of the agent, or with "others" all but this one.
func (h *Me) Revoke(c echo.Context) error {
	l := loginOf(c)
	var loginID int64
	if c.Param("id") != "others" {
		var err error
		if loginID, err = id(c, "id"); err != nil {
			return err
		}
	}
	if loginID == l.ID {
		return h.Logout(c)
	}
	if err := h.Desk.EndLogins(c.Request().Context(), l.Viewer.Agent.ID, loginID, l.ID); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/me")
}

// Logout handles POST /logout.
func (h *Me) Logout(c echo.Context) error {
	if err := h.Logins.End(c); err != nil {
		return err
	}
	if err := h.Desk.Left(c.Request().Context(), loginOf(c).Viewer.Agent.ID); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/login")
}

// LoginPage serves the way in.
type LoginPage struct {
	*Site
	Logins Logins
	// Allow asks whether another attempt may be made for the name from the address. It returns how long to wait, or a function that
	// takes the attempt back because it succeeded.
	Allow        func(username, address string) (wait int, undo func())
	RememberDays int
}

// Form handles GET /login.
func (h *LoginPage) Form(c echo.Context) error {
	if _, in := LoginOf(c); in {
		return c.Redirect(http.StatusSeeOther, "/c")
	}
	return render(c, http.StatusOK, views.Login(h.props(c)))
}

func (h *LoginPage) props(c echo.Context) views.LoginProps {
	return views.LoginProps{L: Lang(c), Place: h.Name, Version: h.Version, Next: ownPath(c.FormValue("next")), RememberDays: h.RememberDays}
}

// Login handles POST /login with username and password; 303 on success.
func (h *LoginPage) Login(c echo.Context) error {
	username, remember := strings.TrimSpace(c.FormValue("username")), c.FormValue("remember") != ""
	again := func(no *desk.Refusal) error {
		p := h.props(c)
		p.Username, p.Remember, p.Error = username, remember, refusal(c, no)
		status := http.StatusUnprocessableEntity
		if no.Kind == desk.TooMany {
			status = http.StatusTooManyRequests
		}
		return render(c, status, views.Login(p))
	}
	wait, undo := h.Allow(strings.ToLower(username), c.RealIP())
	if wait > 0 {
		return again(&desk.Refusal{Kind: desk.TooMany, Key: "refusal.login_often", Args: texts.Args{"seconds": wait}})
	}
	ctx := c.Request().Context()
	agent, err := h.Desk.Login(ctx, username, c.FormValue("password"))
	if no, ok := errors.AsType[*desk.Refusal](err); ok {
		h.Log.InfoContext(ctx, "log-in refused", "ip", c.RealIP())
		return again(no)
	}
	if err != nil {
		return err
	}
	undo()
	if err := h.Logins.Begin(c, agent, remember); err != nil {
		return err
	}
	if err := h.Desk.Arrived(ctx, agent); err != nil {
		return err
	}
	next := ownPath(c.FormValue("next"))
	if next == "" {
		next = "/c"
	}
	return c.Redirect(http.StatusSeeOther, next)
}

// ownPath lets only a path of this site through: a form must not send an agent elsewhere.
func ownPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") || strings.HasPrefix(path, "/login") {
		return ""
	}
	return path
}

// browser says in words what a log-in's browser is. It only helps to recognise one's own.
func browser(userAgent string) string {
	find := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if strings.Contains(userAgent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	name := find("DingTalk", "DingTalk", "MicroMessenger", "WeChat", "Edg/", "Edge", "Firefox/", "Firefox", "Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl")
	system := find("Windows", "Windows", "iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Mac OS X", "macOS", "Linux", "Linux")
	switch {
	case name == "" && system == "":
		return userAgent
	case name == "" || system == "":
		return name + system
	}
	return name + " · " + system
}
