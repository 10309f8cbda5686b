package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"kefu/internal/clock"
	"kefu/internal/platform/sim"
	"kefu/web"
)

func simulatorCommand() *cobra.Command {
	var addr, level string
	cmd := &cobra.Command{
		Use: "simulator", Short: "Run the platform simulator alone (docs/simulator.md)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg := config{Log: level, TimeZone: "UTC"}
			set, err := cfg.check()
			if err != nil {
				return err
			}
			if err := loopbackOnly(addr); err != nil {
				return err
			}
			ctx := cmd.Context()
			ln, err := listen(ctx, addr)
			if err != nil {
				return err
			}
			s := sim.New(sim.Options{Clock: clock.NewRunning(ctx), Log: logger(set.level)})
			fmt.Fprintf(cmd.OutOrStdout(), "simulator: http://%s\n", ln.Addr())
			return runSimulator(ctx, s, ln)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8081", "address to listen on, loopback only: everybody who reaches it plays the platform")
	cmd.Flags().StringVar(&level, "log", "warn", "debug, info, warn or error")
	return cmd
}

// runSimulator serves the simulator until ctx ends, and returns when its goroutines have.
func runSimulator(ctx context.Context, s *sim.Simulator, ln net.Listener) error {
	defer s.Close()
	return web.Serve(ctx, ln, http.Handler(s), 2*time.Second, s.Close)
}

// loopbackOnly refuses an address that others can reach.
func loopbackOnly(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not an address like 127.0.0.1:8080", addr)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s can be reached by others; use 127.0.0.1", addr)
}
