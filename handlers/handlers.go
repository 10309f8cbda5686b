// Package handlers is HTTP in and HTTP out: bind a form, ask the desk, choose a component. It holds no rules; who acts comes from the
// log-in, never from a form.
package handlers

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/views"
)

// Site is what the page families share.
type Site struct {
	Desk    *desk.Desk
	Store   *models.Store
	Board   *desk.Board
	Clock   clock.Clock
	Zone    *time.Location // times on pages and in names of days
	Log     *slog.Logger
	Name    string // of the installation, on the log-in page
	Version string
	Ready   func() bool // whether all is set up; nil: it is
}

// Login is who makes a request.
type Login struct {
	ID      int64
	Expires time.Time
	Viewer  desk.Viewer
}

const loginKey = "kefu.login"

// SetLogin notes who makes the request; the middleware that checked the cookie calls it.
func SetLogin(c echo.Context, l Login) { c.Set(loginKey, l) }

// loginOf is who makes the request. The route table puts no handler that needs it where nobody is logged in.
func loginOf(c echo.Context) Login { return c.Get(loginKey).(Login) }

// LoginOf is who makes the request, if anybody is logged in.
func LoginOf(c echo.Context) (Login, bool) {
	l, ok := c.Get(loginKey).(Login)
	return l, ok
}

// Lang is the language of the answer: the agent's own choice, on the log-in page what was chosen there, else what the browser asks for.
func Lang(c echo.Context) texts.Lang {
	l, in := LoginOf(c)
	if chosen := chosenLang(c); !in && chosen != "" {
		return texts.Match(chosen)
	}
	return langOf(l, c.Request().Header.Get("Accept-Language"))
}

// langOf is the agent's own choice, else what the browser asks for.
func langOf(l Login, accept string) texts.Lang {
	if chosen := l.Viewer.Agent.Language; chosen != "" {
		return texts.Lang(chosen)
	}
	return texts.Match(accept)
}

// chosenLang is the language that a link or form of the log-in page carries. A body that nobody has read yet is not read for it: it may
// be a stranger's, of any size.
func chosenLang(c echo.Context) string {
	if form := c.Request().Form; form != nil {
		return form.Get("lang")
	}
	return c.QueryParam("lang")
}

// render answers with the component. It goes into a buffer first, so that a fault in it is a clean error page.
func render(c echo.Context, status int, component templ.Component) error {
	var b bytes.Buffer
	if err := component.Render(c.Request().Context(), &b); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	c.Response().Header().Set("Cache-Control", "no-store") // customers' words stay out of every cache
	return c.HTMLBlob(status, b.Bytes())
}

// text renders a component for a live stream.
func text(ctx context.Context, component templ.Component) (string, error) {
	var b bytes.Buffer
	if err := component.Render(ctx, &b); err != nil {
		return "", fmt.Errorf("render: %w", err)
	}
	return b.String(), nil
}

// seeOther answers a form that did its work.
func seeOther(c echo.Context, path string) error {
	if isHTMX(c) && !isBoosted(c) {
		c.Response().Header().Set("HX-Redirect", path)
		return c.NoContent(http.StatusNoContent)
	}
	return c.Redirect(http.StatusSeeOther, path)
}

// isHTMX reports whether a script asks for a part of a page.
func isHTMX(c echo.Context) bool { return c.Request().Header.Get("HX-Request") == "true" }

func isBoosted(c echo.Context) bool { return c.Request().Header.Get("HX-Boosted") == "true" }

// Status is the HTTP status of a refusal.
func Status(r *desk.Refusal) int {
	switch r.Kind {
	case desk.Forbidden:
		return http.StatusForbidden
	case desk.Conflict:
		return http.StatusConflict
	case desk.TooMany:
		return http.StatusTooManyRequests
	}
	return http.StatusUnprocessableEntity
}

// formStatus is the status of a form shown again: htmx swaps 422 only.
func formStatus(c echo.Context, r *desk.Refusal) int {
	if isHTMX(c) {
		return http.StatusUnprocessableEntity
	}
	return Status(r)
}

// refusal is the desk's no in the reader's language.
func refusal(c echo.Context, r *desk.Refusal) string { return texts.T(Lang(c), r.Key, r.Args) }

// id reads a number of the path; anything else is simply not found.
func id(c echo.Context, name string) (int64, error) {
	n, err := strconv.ParseInt(c.Param(name), 10, 64)
	if err != nil || n <= 0 {
		return 0, models.ErrNotFound
	}
	return n, nil
}

// page is the frame around what the agent looks at. It is filled before the page's first query, so that its cursor misses nothing.
func (s *Site) page(c echo.Context, here, title string) views.Page {
	l := loginOf(c)
	a := l.Viewer.Agent
	counts := s.Board.Counts(l.Viewer)
	return views.Page{
		L: Lang(c), Theme: a.Theme, Compact: a.Density == "compact", Title: title, Here: here, Login: strconv.FormatInt(l.ID, 10),
		Cursor: s.cursor(s.Board.Newest()), Now: s.Clock.Now().UnixMilli(), Path: c.Request().URL.Path,
		Me: s.self(a, counts), Badges: badges(Lang(c), counts), Full: s.Desk.Storage().Full(),
	}
}

func (s *Site) cursor(event int64) string { return fmt.Sprintf("%s.%d", s.Board.Epoch(), event) }

func (s *Site) self(a models.Agent, counts desk.Counts) views.Self {
	return views.Self{ID: uint(a.ID), Name: a.Name, Presence: string(a.Presence), Open: counts.Mine}
}

func badges(l texts.Lang, n desk.Counts) views.Badges {
	return views.Badges{L: l, Unread: n.Unread, Mine: n.Mine, Queue: n.Queue, Team: n.Team}
}
