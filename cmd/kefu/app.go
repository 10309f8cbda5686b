package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"kefu/internal/clock"
	"kefu/internal/delivery"
	"kefu/internal/desk"
	"kefu/internal/live"
	"kefu/internal/seal"
	"kefu/models"
	"kefu/web"
)

// app is one server put together.
type app struct {
	store    *models.Store
	channels *channels
	desk     *desk.Desk
	board    *desk.Board
	hub      *live.Hub
	worker   *delivery.Worker
	clock    clock.Clock
	log      *slog.Logger
	handler  http.Handler
}

// appOptions say what differs between serve, demo and bench.
type appOptions struct {
	cfg   config
	set   checked
	clock clock.Clock
	log   *slog.Logger
	box   *seal.Box
	ready func() bool   // whether all is set up; nil: it is
	look  time.Duration // of the delivery, for what a crash left behind; 0: its own rhythm
}

// newApp opens and migrates the database and puts the server together. Nothing runs yet.
func newApp(ctx context.Context, o appOptions) (*app, error) {
	store, err := openStore(ctx, o.cfg.database(), o.clock, o.log)
	if err != nil {
		return nil, o.cfg.ofDatabase(err)
	}
	a := &app{store: store, clock: o.clock, log: o.log, hub: live.NewHub()}
	if err := a.assemble(ctx, o); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return a, nil
}

func openStore(ctx context.Context, address string, c clock.Clock, log *slog.Logger) (*models.Store, error) {
	store, err := models.Open(ctx, models.Options{URL: address, Log: log, Now: c.Now})
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

func (a *app) assemble(ctx context.Context, o appOptions) error {
	a.channels = newChannels(a.store, o.box, o.clock)
	a.worker = delivery.New(delivery.Options{
		Store: a.store, Channels: a.channels, Clock: o.clock, Log: o.log,
		Alone: a.store.Dialect() == models.SQLite, // the data folder is locked: nobody else writes this file
		Look:  o.look,
	})
	a.desk = desk.New(a.store, o.clock, o.log, desk.Defaults(), a.worker.Wake)
	a.desk.Storage().OnChange(a.hub.Notify)
	a.board = desk.NewBoard(a.store, o.log, web.Follow(a.hub, a.store, o.clock.Now))
	a.store.OnEvents(a.board.Poke)
	epoch, err := epochOf(ctx, a.store)
	if err != nil {
		return err
	}
	if err := a.board.Load(ctx, epoch); err != nil {
		return err
	}
	a.handler = web.New(web.Options{
		Desk: a.desk, Store: a.store, Board: a.board, Hub: a.hub, Clock: o.clock, Log: o.log, Zone: o.set.zone, Receiver: a.channels.Receiver,
		PublicURL: o.cfg.PublicURL, TrustedProxies: o.set.proxies, Name: o.cfg.Name, Version: version, Ready: o.ready,
	})
	return nil
}

// epochOf names the database for the cursors of pages; a restored or another one has another name.
func epochOf(ctx context.Context, store *models.Store) (string, error) {
	epoch, err := store.Setting(ctx, "epoch")
	if err != nil || epoch != "" {
		return epoch, err
	}
	epoch = uuid.NewString()[:8]
	return epoch, store.SetSetting(ctx, "epoch", epoch)
}

// grace is how long requests under way may take when the server stops; with what the delivery takes for the send in hand it stays below
// the ten seconds that are promised.
const grace = 4 * time.Second

// run serves until ctx ends: first the requests, then the loops, then the database.
func (a *app) run(ctx context.Context, ln net.Listener) error {
	loopCtx, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	var loops sync.WaitGroup
	loops.Go(func() { a.board.Run(loopCtx) })
	loops.Go(func() { a.desk.Run(loopCtx) })
	loops.Go(func() { a.worker.Run(loopCtx) })
	loops.Go(func() { web.KeepSeen(loopCtx, a.hub, a.desk, a.log) })
	err := web.Serve(ctx, ln, a.handler, grace, a.hub.Shutdown)
	stopLoops()
	loops.Wait()
	return errors.Join(err, a.store.Close())
}

// listen takes the address before anything else is promised.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return ln, nil
}
