package web

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/labstack/echo/v4"

	"kefu/handlers"
	"kefu/internal/desk"
	"kefu/internal/texts"
	"kefu/models"
)

// policy lets a page load nothing but ours; the blob is for voices that are decoded in the page (architecture.md §6).
const policy = "default-src 'self'; worker-src 'self' blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

func securityHeaders(https bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Response().Header()
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "same-origin")
			h.Set("Permissions-Policy", "camera=(), geolocation=(), payment=()")
			if https {
				h.Set("Strict-Transport-Security", "max-age=31536000")
			}
			return next(c)
		}
	}
}

// formLimit bounds what a form may carry: the longest reply and its fields. The form is read here, because a handler that asks for one
// field would take one that is too large for an empty one.
func formLimit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(c.Response(), r.Body, 256<<10)
			if err := r.ParseForm(); err != nil {
				return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
			}
		}
		return next(c)
	}
}

const requestIDKey = "kefu.request"

// requestID names the request in the log and on error pages.
func (r *router) requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		raw := make([]byte, 6)
		rand.Read(raw) //nolint:errcheck // never fails (crypto/rand)
		id := hex.EncodeToString(raw)
		c.Set(requestIDKey, id)
		c.Response().Header().Set("X-Request-Id", id)
		c.Response().Header().Set("X-Now", strconv.FormatInt(r.site.Clock.Now().UnixMilli(), 10)) // waits are counted by the server's clock
		return next(c)
	}
}

// recovered turns a panic into a fault. The one panic that is meant, the dropped connection, goes on.
func (r *router) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // compared the way net/http does
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}()
		return next(c)
	}
}

// fault is the one place where errors become answers: refusals in the reader's words, everything else logged once with nothing of it
// shown.
func (r *router) fault(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status, said := http.StatusInternalServerError, ""
	lang := handlers.Lang(c)
	no, refused := errors.AsType[*desk.Refusal](err)
	coded, isCoded := errors.AsType[*echo.HTTPError](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case refused:
		status, said = handlers.Status(no), texts.T(lang, no.Key, no.Args)
	case errors.Is(err, models.ErrNotFound):
		status = http.StatusNotFound
	case tooLarge:
		status = http.StatusRequestEntityTooLarge
	case isCoded:
		status = coded.Code
	case errors.Is(err, models.ErrDiskFull):
		status, said = http.StatusServiceUnavailable, texts.T(lang, "problem.disk_full", nil)
	}
	ref, _ := c.Get(requestIDKey).(string) //nolint:errcheck // set by the first middleware
	if status >= http.StatusInternalServerError {
		r.options.Log.ErrorContext(c.Request().Context(), "request failed", "request", ref, "method", c.Request().Method, "route", c.Path(), "err", err)
	}
	if failed := handlers.Problem(c, status, said, ref); failed != nil {
		r.options.Log.ErrorContext(c.Request().Context(), "error page not written", "request", ref, "err", failed)
	}
}
