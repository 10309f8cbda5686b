package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"kefu/internal/clock"
	"kefu/internal/load"
	"kefu/models"
)

// startup measures `kefu serve`: how long from its start to ready, and what it holds when nobody does anything.
type startup struct {
	bench
	runs int
	idle time.Duration
}

func benchStartup() *cobra.Command {
	s := startup{bench: bench{name: "startup"}}
	cmd := &cobra.Command{
		Use: "startup", Short: "How long a server takes to be ready, and its memory when idle", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.out, s.note = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if s.runs < 1 || s.runs > 100 || s.idle < 0 || s.idle > load.MaxLength {
				return fmt.Errorf("bench startup: 1 to 100 runs, idle up to %v", load.MaxLength)
			}
			for _, again := range []bool{false, true} {
				line, err := s.run(cmd.Context(), again)
				if err != nil {
					return fmt.Errorf("bench startup: %w", err)
				}
				if err := s.print(line); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVarP(&s.runs, "count", "n", 5, "starts of each kind")
	cmd.Flags().DurationVar(&s.idle, "idle", 5*time.Second, "how long the last server is left alone before its memory is read")
	s.common(cmd)
	return cmd
}

// run starts servers on new folders, or, with again, on one that has been used.
func (s *startup) run(ctx context.Context, again bool) (line load.Line, err error) {
	dir, err := os.MkdirTemp(s.dir, "kefu-bench-")
	if err != nil {
		return line, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a scratch folder
	if line.CommitLimit, err = models.CommitRate(ctx, filepath.Join(dir, "limit.db"), time.Second); err != nil {
		return line, err
	}
	var took []time.Duration
	var used time.Duration
	for i := range s.runs {
		data, idle := filepath.Join(dir, "data"), time.Duration(0)
		if !again {
			data += fmt.Sprint(i)
		}
		if i == s.runs-1 {
			idle = s.idle
		}
		if again && i == 0 { // the start that makes the folder does not count
			if _, err := s.start(ctx, data, 0); err != nil {
				return line, err
			}
		}
		one, err := s.start(ctx, data, idle)
		if err != nil {
			return line, err
		}
		took, used = append(took, one.ready), used+one.cpu
		line.RSS = one.memory.rss
		if idle > 0 {
			s.remark("idle: RSS %.1f MiB, PSS %.1f MiB", one.memory.rss, one.memory.pss)
		}
	}
	slices.Sort(took)
	line.Case, line.Clients, line.Ops = "new folder to ready", 1, len(took)
	if again {
		line.Case = "used folder to ready"
	}
	for _, t := range took {
		line.Seconds += t.Seconds()
	}
	line.Rate = float64(line.Ops) / line.Seconds
	line.CPUPerOp = float64(used) / float64(time.Millisecond) / float64(line.Ops)
	line.P50, line.P95, line.P99 = load.Percentile(took, 50), load.Percentile(took, 95), load.Percentile(took, 99)
	return line, nil
}

// started is one start of a server.
type started struct {
	ready  time.Duration
	cpu    time.Duration // of its whole life
	memory memory
}

// mostStart is when a server that does not get ready is given up.
const mostStart = 30 * time.Second

// start runs a server until it is ready and has been idle for so long, and stops it.
func (s *startup) start(ctx context.Context, data string, idle time.Duration) (one started, err error) {
	self, err := os.Executable()
	if err != nil {
		return one, err
	}
	ln, err := listen(ctx, "127.0.0.1:0") // for a free port
	if err != nil {
		return one, err
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return one, err
	}
	cmd := exec.CommandContext(ctx, self, "serve", "--addr", address, "--data", data, "--log", "error") //nolint:gosec // this program itself
	cmd.Env = []string{"HOME=" + data}                                                                  // no setting of the one who measures
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return one, err
	}
	err = untilReady(ctx, "http://"+address+"/readyz")
	one.ready = time.Since(began)
	if err == nil {
		err = clock.Sleep(ctx, clock.Wall(), idle)
	}
	one.memory = memoryOf(cmd.Process.Pid)
	if err := errors.Join(err, cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
		return one, err
	}
	one.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return one, nil
}

// untilReady asks again and again until the server says it is ready.
func untilReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, mostStart)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err == nil {
			status := res.StatusCode
			if err := res.Body.Close(); err != nil {
				return err
			}
			if status == http.StatusOK {
				return nil
			}
		}
		if err := clock.Sleep(ctx, clock.Wall(), 2*time.Millisecond); err != nil {
			return fmt.Errorf("the server did not get ready within %v", mostStart)
		}
	}
}
