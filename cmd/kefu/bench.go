package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"kefu/internal/load"
)

// bench is one run of `kefu bench`, as its flags say.
type bench struct {
	name      string
	clients   int
	length    time.Duration
	count     int
	rate      float64 // of live
	dir       string  // where the scratch folder is made; empty: the system's place for temporary files
	seed      uint64
	profile   string
	log       string
	inProcess bool // the generator runs here instead of in a process of its own; for tests
	out, note io.Writer
}

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure this machine: callbacks, live streams, pages, start-up (docs/performance.md)", Args: cobra.NoArgs,
		Long: "Each benchmark starts its own server on a scratch database, makes load from a second process over loopback,\n" +
			"prints one line of JSON to standard output and remarks to standard error, and removes what it made.",
	}
	cmd.AddCommand(
		benchCase("callbacks", "Customers write: signed and encrypted callbacks, one in five opens a session", 16, benchCallbacks),
		benchCase("live", "Customers write at a fixed rate, agents' streams show it", 100, benchLive),
		benchCase("list", "An agent's list of 200 chats", 16, benchList),
		benchCase("thread", "A chat of 500 messages", 16, benchThread),
		benchCase("queue", "The board with 200 waiting", 16, benchQueue),
		benchStartup(), benchGenerate(),
	)
	return cmd
}

// benchCase is a sub-command that furnishes a server and lets the generator loose on it.
func benchCase(name, short string, clients int, run func(ctx context.Context, b *bench) (load.Line, error)) *cobra.Command {
	b := bench{name: name}
	cmd := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b.out, b.note = cmd.OutOrStdout(), cmd.ErrOrStderr()
			line, err := run(cmd.Context(), &b)
			if err != nil {
				return fmt.Errorf("bench %s: %w", b.name, err)
			}
			return b.print(line)
		},
	}
	f := cmd.Flags()
	f.IntVarP(&b.clients, "clients", "c", clients, "connections at a time; for live, agents with an open stream")
	f.DurationVarP(&b.length, "duration", "d", 10*time.Second, "length of the measured part")
	f.IntVarP(&b.count, "count", "n", 0, "end after so many operations; 0 is when the time is over")
	f.Uint64Var(&b.seed, "seed", 1, "of everything random in the load")
	f.StringVar(&b.profile, "cpu-profile", "", "write a processor profile of the server's measured part to this file")
	b.common(cmd)
	if name == "live" {
		f.Float64Var(&b.rate, "rate", 10, "messages per second")
	}
	return cmd
}

func (b *bench) common(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.dir, "dir", "", "make the scratch folder in this one, to choose the disk")
	cmd.Flags().StringVar(&b.log, "log", "error", "the server's log: debug, info, warn or error")
}

// print writes the result.
func (b *bench) print(line load.Line) error {
	line.Bench = b.name
	raw, err := json.Marshal(line.Round())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.out, "%s\n", raw)
	return err
}

// remark tells the person at the terminal what is not part of the line.
func (b *bench) remark(format string, args ...any) { fmt.Fprintf(b.note, "# "+format+"\n", args...) }

// benchGenerate is the generator's process; only a bench starts it.
func benchGenerate() *cobra.Command {
	return &cobra.Command{
		Use: "generate", Short: "The load generator that the other benchmarks start", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return load.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
