package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"kefu/handlers"
	"kefu/static"
)

type router struct {
	site    *handlers.Site
	logins  *Logins
	options Options
}

// who says who may use a route. Finer rights are the desk's: it looks at the session and the group.
type who int

const (
	anybody who = iota // no log-in is looked for
	guest              // a log-in is looked at if there is one
	agent              // somebody must be logged in
)

// Route is one line of the table.
type route struct {
	method, path string
	who          who
	handle       echo.HandlerFunc
}

// table is every address of the server, with who may use it.
func (r *router) table() []route {
	workspace := &handlers.Workspace{Site: r.site}
	queue := &handlers.Queue{Site: r.site}
	me := &handlers.Me{Site: r.site, Logins: r.logins}
	login := &handlers.LoginPage{Site: r.site, Logins: r.logins, Allow: newAttempts(r.site.Clock).allow, RememberDays: RememberDays}
	events := &handlers.Events{Site: r.site, Hub: r.options.Hub, Refresh: r.logins.Refresh, Beat: r.options.Beat, Settle: 250 * time.Millisecond}
	callbacks := handlers.NewCallbacks(r.site, r.options.Receiver)
	health := &handlers.Health{Site: r.site}
	home := func(c echo.Context) error { return c.Redirect(http.StatusSeeOther, "/c") }
	return []route{
		{http.MethodGet, "/healthz", anybody, health.Live},
		{http.MethodGet, "/readyz", anybody, health.Ready},
		{http.MethodGet, "/static/*", anybody, echo.WrapHandler(static.Handler())},
		{http.MethodGet, "/callbacks/wechat/:key", anybody, callbacks.Verify},
		{http.MethodPost, "/callbacks/wechat/:key", anybody, callbacks.Push},

		{http.MethodGet, "/login", guest, login.Form},
		{http.MethodPost, "/login", guest, login.Login},
		{http.MethodPost, "/logout", agent, me.Logout},

		{http.MethodGet, "/", agent, home},
		{http.MethodGet, "/c", agent, workspace.Index},
		{http.MethodGet, "/c/:id", agent, workspace.Chat},
		{http.MethodGet, "/c/:id/customer", agent, workspace.Customer},
		{http.MethodGet, "/c/:id/messages", agent, workspace.Messages},
		{http.MethodPost, "/c/:id/messages", agent, workspace.Send},
		{http.MethodPost, "/c/:id/messages/:mid/resend", agent, workspace.Resend},
		{http.MethodPost, "/c/:id/messages/:mid/skip", agent, workspace.Skip},
		{http.MethodPost, "/c/:id/messages/:mid/withdraw", agent, workspace.Withdraw},
		{http.MethodPost, "/c/:id/claim", agent, workspace.Claim},
		{http.MethodPost, "/c/:id/close", agent, workspace.Close},
		{http.MethodPost, "/c/:id/read", agent, workspace.Read},
		{http.MethodGet, "/queue", agent, queue.Index},
		{http.MethodGet, "/events", agent, events.Stream},

		{http.MethodGet, "/me", agent, me.Index},
		{http.MethodPost, "/me", agent, me.Preferences},
		{http.MethodPost, "/me/presence", agent, me.Presence},
		{http.MethodPost, "/me/password", agent, me.Password},
		{http.MethodPost, "/me/logins/:id/revoke", agent, me.Revoke},
	}
}

func (r *router) routes(e *echo.Echo) {
	for _, line := range r.table() {
		var uses []echo.MiddlewareFunc
		switch line.who {
		case guest:
			uses = []echo.MiddlewareFunc{formLimit, r.logins.Middleware}
		case agent:
			uses = []echo.MiddlewareFunc{formLimit, r.logins.Middleware, loggedIn}
		}
		e.Add(line.method, line.path, line.handle, uses...)
	}
	e.RouteNotFound("/*", func(echo.Context) error { return echo.ErrNotFound }, r.logins.Middleware)
}

// loggedIn sends everybody else to the log-in page, and scripts a plain 401.
func loggedIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, ok := handlers.LoginOf(c); ok {
			return next(c)
		}
		r := c.Request()
		if r.Method != http.MethodGet || r.Header.Get("HX-Request") != "" || r.Header.Get("X-Fragment") != "" || r.URL.Path == "/events" {
			return echo.ErrUnauthorized
		}
		return c.Redirect(http.StatusSeeOther, "/login?next="+url.QueryEscape(r.URL.RequestURI()))
	}
}
