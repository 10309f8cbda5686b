package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"kefu/internal/load"
)

// Each benchmark runs for a moment against a real server. No figure is judged: only that all was answered as it should be, and that
// nothing is left behind.
func TestBenchRuns(t *testing.T) {
	tests := []struct {
		name    string
		run     func(ctx context.Context, b *bench) (load.Line, error)
		clients int
		count   int
		ops     int
	}{
		{"callbacks", benchCallbacks, 4, 200, 200},
		{"live", benchLive, 3, 16, 48},
		{"list", benchList, 2, 10, 10},
		{"thread", benchThread, 2, 10, 10},
		{"queue", benchQueue, 2, 10, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, note bytes.Buffer
			b := &bench{name: tt.name, clients: tt.clients, count: tt.count, length: time.Minute, rate: 50, seed: 1, dir: t.TempDir(), inProcess: true, out: &out, note: &note}
			line, err := tt.run(t.Context(), b)
			if err != nil {
				t.Fatalf("%v\n%s", err, &note)
			}
			if err := b.print(line); err != nil {
				t.Fatal(err)
			}
			var got load.Line
			if err := json.Unmarshal(out.Bytes(), &got); err != nil || strings.Count(out.String(), "\n") != 1 {
				t.Fatalf("not one line of JSON: %v\n%s", err, &out)
			}
			if got.Bench != tt.name || got.Case == "" || got.Clients != tt.clients || got.Ops != tt.ops || got.Errors != 0 || got.CommitLimit <= 0 {
				t.Errorf("line = %s\n%s", &out, &note)
			}
			left, err := os.ReadDir(b.dir)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A run that is interrupted cleans up as well.
func TestBenchStopsWhenTold(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(1500*time.Millisecond, stop) // in the middle of whatever it does then
	b := &bench{name: "callbacks", clients: 4, length: time.Minute, seed: 1, dir: t.TempDir(), inProcess: true, out: &bytes.Buffer{}, note: &bytes.Buffer{}}
	if _, err := benchCallbacks(ctx, b); err == nil {
		t.Error("an interrupted run claims to be complete")
	}
	left, err := os.ReadDir(b.dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
