// Package web assembles the server: the table of routes with who may use each, the middleware, the store of log-ins, what an error looks
// like, start and stop. It holds no rules and no pages.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"kefu/handlers"
	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/internal/live"
	"kefu/models"
)

// Options are what the server is made of.
type Options struct {
	Desk     *desk.Desk
	Store    *models.Store
	Board    *desk.Board
	Hub      *live.Hub
	Clock    clock.Clock
	Log      *slog.Logger
	Zone     *time.Location
	Receiver handlers.ReceiverFunc

	PublicURL      string       // where browsers reach it; https makes cookies secure
	TrustedProxies []*net.IPNet // whose forwarded headers count; nobody's when empty
	Name, Version  string
	Ready          func() bool   // whether all is set up; nil: it is
	Beat           time.Duration // of the live stream; 0: 20 s
}

// New is the server's handler.
func New(o Options) http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(discard{})
	e.IPExtractor = extractor(o.TrustedProxies)
	secure := strings.HasPrefix(o.PublicURL, "https://")
	logins := NewLogins(o.Store, o.Desk, o.Clock, o.Log, secure)
	site := &handlers.Site{Desk: o.Desk, Store: o.Store, Board: o.Board, Clock: o.Clock, Zone: o.Zone, Log: o.Log, Name: o.Name, Version: o.Version, Ready: o.Ready}
	if o.Beat == 0 {
		o.Beat = 20 * time.Second
	}
	r := router{site: site, logins: logins, options: o}
	e.HTTPErrorHandler = r.fault
	e.Use(r.requestID, r.recovered, securityHeaders(secure), echo.WrapMiddleware(http.NewCrossOriginProtection().Handler))
	r.routes(e)
	return e
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// extractor finds the browser's address: the connection's own, unless a trusted proxy says more.
func extractor(trusted []*net.IPNet) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, n := range trusted {
		options = append(options, echo.TrustIPRange(n))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

// Serve answers requests until ctx ends, then ends the streams and lets what is under way finish, at most for grace.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, grace time.Duration, endStreams func()) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn), // TLS handshakes and dropped connections of strangers
	}
	server.RegisterOnShutdown(endStreams)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(stop); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop: %w", err)
	}
	return server.Close()
}

// Follow ends the streams of log-ins that ended and pokes all others; the board calls it with each batch of changes.
func Follow(hub *live.Hub, store *models.Store, now func() time.Time) func([]desk.Change) {
	return func(changes []desk.Change) {
		for _, c := range changes {
			if c.Event.Kind == models.EventLogin {
				hub.End(c.Event.AgentID, func(login int64) bool {
					_, _, err := store.LoginByID(context.Background(), login, now())
					return !errors.Is(err, models.ErrNotFound)
				})
			}
		}
		hub.Notify()
	}
}

// KeepSeen notes every few seconds, until ctx ends, that the agents whose pages are open are here.
func KeepSeen(ctx context.Context, hub *live.Hub, d *desk.Desk, log *slog.Logger) {
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := NoteSeen(ctx, hub, d); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "signs of life not noted", "err", err)
		}
	}
}

// NoteSeen notes once that the agents whose pages are open are here.
func NoteSeen(ctx context.Context, hub *live.Hub, d *desk.Desk) error {
	ids := hub.Agents()
	if len(ids) == 0 {
		return nil
	}
	return d.Seen(ctx, ids)
}
