package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"time"

	"kefu/internal/load"
)

// measured is what the server's side notes of a run.
type measured struct {
	began, ended time.Duration // processor time of this process
	before       float64       // its memory before the measured part, in MiB
	after        float64
}

// measure carries out the plan and makes the line of it. closeSession, if any, closes a customer's session; it may be called from
// several goroutines.
func (b *bench) measure(ctx context.Context, s *benchServer, p load.Plan, closeSession func(ctx context.Context, customer int) error) (load.Report, load.Line, error) {
	p.Address, p.Clients, p.Length, p.Count, p.Seed = s.address, b.clients, b.length, b.count, b.seed
	debug.FreeOSMemory() // what furnishing left behind is not the server's
	var m measured
	closers := newClosers(ctx, closeSession)
	empty := memoryOf(os.Getpid()).rss
	host := load.Host{
		Ready: func() { m.before = memoryOf(os.Getpid()).rss },
		Begin: func() {
			m.began = load.CPU()
			b.profileOn()
		},
		End: func() {
			b.profileOff()
			m.ended, m.after = load.CPU(), memoryOf(os.Getpid()).rss
		},
		Close: closers.add,
	}
	run := b.generate
	if b.inProcess {
		run = load.Run
	}
	report, err := run(ctx, p, host)
	if failed := closers.wait(); err == nil && failed != nil {
		err = fmt.Errorf("closing sessions: %w", failed)
	}
	if err != nil {
		return report, load.Line{}, err
	}
	if report.FirstError != "" {
		b.remark("first error: %s", report.FirstError)
	}
	b.remark("memory: %.1f MiB empty, %.1f before the measured part, %.1f after it", empty, m.before, m.after)
	line := load.Line{
		Clients: p.Clients, Seconds: report.Seconds, Ops: report.Ops, Errors: report.Errors, P50: report.P50, P95: report.P95, P99: report.P99,
		RSS: m.after, CommitLimit: s.limit,
	}
	if report.Ops > 0 && report.Seconds > 0 {
		line.Rate = float64(report.Ops) / report.Seconds
		line.CPUPerOp = float64(m.ended-m.began) / float64(time.Millisecond) / float64(report.Ops)
	}
	return report, line, nil
}

// generate runs the plan in a process of its own. That process ends with this one: its standard input is closed then.
func (b *bench) generate(ctx context.Context, p load.Plan, h load.Host) (load.Report, error) {
	self, err := os.Executable()
	if err != nil {
		return load.Report{}, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", "generate") //nolint:gosec // this program itself
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stderr = io.Discard // its failures come as part of the report
	in, err := cmd.StdinPipe()
	if err != nil {
		return load.Report{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return load.Report{}, err
	}
	if err := cmd.Start(); err != nil {
		return load.Report{}, fmt.Errorf("start the generator: %w", err)
	}
	report, err := load.Follow(p, h, in, out)
	closed := in.Close() // ends it, should it still run
	waited := cmd.Wait()
	if err == nil {
		err = errors.Join(closed, waited)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return report, err
}

// profileOn begins the profile that was asked for.
func (b *bench) profileOn() {
	if b.profile == "" {
		return
	}
	f, err := os.Create(b.profile)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		b.remark("no profile: %v", err)
		b.profile = ""
	}
}

func (b *bench) profileOff() {
	if b.profile != "" {
		pprof.StopCPUProfile()
	}
}

// closers are agents who close sessions beside the measured work.
type closers struct {
	due     chan int
	running sync.WaitGroup
	mu      sync.Mutex
	failed  error
}

const (
	closersAtOnce = 64
	closersBehind = 4096 // more than any run leaves waiting
)

func newClosers(ctx context.Context, closeSession func(ctx context.Context, customer int) error) *closers {
	c := &closers{due: make(chan int, closersBehind)}
	for range closersAtOnce {
		c.running.Go(func() {
			for customer := range c.due {
				err := closeSession(ctx, customer)
				c.mu.Lock()
				if c.failed == nil && ctx.Err() == nil {
					c.failed = err
				}
				c.mu.Unlock()
			}
		})
	}
	return c
}

func (c *closers) add(customer int) { c.due <- customer }

// wait returns when all is closed that was asked for, with the first failure.
func (c *closers) wait() error {
	close(c.due)
	c.running.Wait()
	return c.failed
}

// memory is what a process holds, in MiB: rss with and pss without the share of others in common pages. Zero where there is no /proc.
type memory struct{ rss, pss float64 }

func memoryOf(pid int) memory {
	var m memory
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "Rss:":
			m.rss = kib / 1024
		case "Pss:":
			m.pss = kib / 1024
		}
	}
	return m
}
