package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// word is one line that the generator's process says to the server's.
type word struct {
	Ready  bool    `json:"ready,omitempty"`
	Begin  bool    `json:"begin,omitempty"`
	End    bool    `json:"end,omitempty"`
	Close  *int    `json:"close,omitempty"`
	Report *Report `json:"report,omitempty"`
	Failed string  `json:"failed,omitempty"`
}

// Serve is the generator's process: it reads a plan from in, carries it out and tells of it on out. It ends early when ctx ends or in
// is closed, which is what happens when the process that started it is gone.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	reader := json.NewDecoder(in)
	var p Plan
	if err := reader.Decode(&p); err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // ends with the process: a read from standard input cannot be called off
		_, _ = io.Copy(io.Discard, io.MultiReader(reader.Buffered(), in)) // how it ends does not matter
		stop()
	}()
	var mu sync.Mutex
	writer := json.NewEncoder(out)
	say := func(w word) {
		mu.Lock()
		defer mu.Unlock()
		if err := writer.Encode(w); err != nil {
			stop() // nobody listens
		}
	}
	report, err := Run(ctx, p, Host{
		Ready: func() { say(word{Ready: true}) },
		Begin: func() { say(word{Begin: true}) },
		End:   func() { say(word{End: true}) },
		Close: func(customer int) { say(word{Close: &customer}) },
	})
	if err != nil {
		say(word{Failed: err.Error()})
		return err
	}
	report.GeneratorCPUSeconds = CPU().Seconds()
	say(word{Report: &report})
	return nil
}

// Follow is the server's side of Serve: it sends the plan to the generator's process, does what it asks for, and returns its report.
func Follow(p Plan, h Host, in io.Writer, out io.Reader) (Report, error) {
	if err := json.NewEncoder(in).Encode(p); err != nil {
		return Report{}, fmt.Errorf("send plan: %w", err)
	}
	reader := json.NewDecoder(out)
	for {
		var w word
		err := reader.Decode(&w)
		switch {
		case err != nil:
			return Report{}, fmt.Errorf("the generator ended early: %w", err)
		case w.Failed != "":
			return Report{}, errors.New(w.Failed)
		case w.Report != nil:
			return *w.Report, nil
		case w.Ready:
			h.Ready()
		case w.Begin:
			h.Begin()
		case w.End:
			h.End()
		case w.Close != nil:
			h.Close(*w.Close)
		}
	}
}

// CPU is the processor time that this process has used so far, in user and system mode.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
