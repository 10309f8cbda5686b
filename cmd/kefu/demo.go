package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"kefu/internal/clock"
	"kefu/internal/platform/sim"
	"kefu/models"
	"kefu/web"
)

// demoPassword is everybody's password in the demonstration, and only there.
const demoPassword = "kefu-demo" //nolint:gosec // known to all, and refused everywhere else

type demo struct {
	config
	simAddr string
	public  bool
	agents  int
	groups  int
	out     io.Writer
}

func demoCommand() *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use: "demo", Short: "Run the whole thing to try it out: server, simulated WeChat, sample people and chats", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out = cmd.OutOrStdout()
			return d.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.Addr, "addr", "127.0.0.1:8080", "address of the desk")
	f.StringVar(&d.simAddr, "sim-addr", "", "address of the simulator; the next port when empty")
	f.StringVar(&d.Data, "data", "", "folder to keep the demonstration in; a temporary one when empty")
	f.BoolVar(&d.public, "public-demo", false, "allow an address that others can reach, though the passwords are known to all")
	f.IntVar(&d.agents, "agents", 2, "agents besides admin and supervisor, up to 200")
	f.IntVar(&d.groups, "groups", 2, "groups, up to 20")
	f.StringVar(&d.Log, "log", "warn", "debug, info, warn or error")
	return cmd
}

func (d *demo) run(ctx context.Context) error {
	d.TimeZone = "Asia/Shanghai"
	set, err := d.check()
	if err != nil {
		return err
	}
	if d.simAddr == "" {
		if d.simAddr, err = nextPort(d.Addr); err != nil {
			return err
		}
	}
	if !d.public {
		for _, addr := range []string{d.Addr, d.simAddr} {
			if err := loopbackOnly(addr); err != nil {
				return fmt.Errorf("%w, or say --public-demo", err)
			}
		}
	}
	d.agents, d.groups = min(max(d.agents, 2), 200), min(max(d.groups, 1), 20)
	if d.Data == "" {
		if d.Data, err = os.MkdirTemp("", "kefu-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(d.Data) //nolint:errcheck // a temporary folder
	}
	return d.serve(ctx, set)
}

func (d *demo) serve(ctx context.Context, set checked) (err error) {
	if err := d.folder(); err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	box, err := d.box()
	if err != nil {
		return err
	}
	ln, err := listen(ctx, d.Addr)
	if err != nil {
		return err
	}
	simLn, err := listen(ctx, d.simAddr)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	loopCtx, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	clk, log := clock.NewRunning(loopCtx), logger(set.level)
	var furnished atomic.Bool // who waits for /readyz wants to log in then
	a, err := newApp(ctx, appOptions{cfg: d.config, set: set, clock: clk, log: log, box: box, look: demoLook, ready: furnished.Load})
	if err != nil {
		return errors.Join(err, ln.Close(), simLn.Close())
	}
	if err := markDemo(ctx, a.store); err != nil {
		return errors.Join(err, ln.Close(), simLn.Close(), a.store.Close())
	}
	clk.OnStep(func(ctx context.Context) { a.settle(ctx) })
	simulator := sim.New(sim.Options{Clock: clk, Log: log, BaseURL: "http://" + simLn.Addr().String()})

	// The server runs before it is furnished: saving the account's configuration calls its address back.
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	failed := make(chan error, 2)
	running.Go(func() { failed <- runSimulator(runCtx, simulator, simLn) })
	running.Go(func() { failed <- a.run(runCtx, ln) })
	err = a.furnish(ctx, furnishing{
		simulator: simulator, simURL: "http://" + simLn.Addr().String(), deskURL: "http://" + ln.Addr().String(), agents: d.agents, groups: d.groups,
	})
	if err == nil {
		furnished.Store(true)
		d.announce(ln.Addr(), simLn.Addr())
		select {
		case <-ctx.Done():
		case err = <-failed:
			failed <- nil
		}
	}
	stop()
	running.Wait()
	return errors.Join(err, <-failed, <-failed)
}

// demoLook is long, because a move of the clock stops each time: at every half minute of two days it takes minutes.
const demoLook = time.Hour

// markDemo marks the database, so that serve refuses it, and refuses one that is somebody's real desk.
func markDemo(ctx context.Context, store *models.Store) error {
	mark, err := store.Setting(ctx, "demo")
	if err != nil || mark != "" {
		return err
	}
	people, err := store.Agents(ctx)
	if err != nil {
		return err
	}
	if len(people) > 0 {
		return errors.New("this folder holds a real desk; use another one for the demonstration")
	}
	return store.SetSetting(ctx, "demo", "1")
}

// settle lets what a step of the clock set in motion come to rest: who is here, who is served, what is sent.
func (a *app) settle(ctx context.Context) {
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return web.NoteSeen(ctx, a.hub, a.desk) },
		a.desk.Sweep,
		a.worker.Idle,
	} {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "not at rest after a move of the clock", "err", err)
		}
	}
}

func (d *demo) announce(desk, simulator net.Addr) {
	fmt.Fprintf(d.out, `
  Kefu 客服台, demonstration

  Desk      http://%s    log in as zhou or he (agents), lin (supervisor), admin
                                     password of all four: %s
  Phone     http://%s    be the customer: type, and see it arrive on the desk

  Data in %s. Ctrl-C ends it.

`, desk, demoPassword, simulator, d.Data)
}

// nextPort is the address with the next port.
func nextPort(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("%q is not an address like 127.0.0.1:8080", addr)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n >= 65535 {
		return "", fmt.Errorf("there is no port after %q; say --sim-addr", port)
	}
	if n == 0 {
		return addr, nil
	}
	return net.JoinHostPort(host, strconv.Itoa(n+1)), nil
}

// demoStart is how far back the sample chats reach.
const demoStart = 9 * 24 * time.Hour
