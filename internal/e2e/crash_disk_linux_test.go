package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"kefu/internal/platform/sim"
)

// TestWriterIsDurable takes the disk away from a running server, as a limit on the size of files does, and gives it back. In between no
// commit can succeed: nothing may be acknowledged, and the server says that it is not ready. That a commit which did succeed is on the
// disk (PRAGMA synchronous is FULL on the writer's own connection) is checked beside the writer, in models.TestWriterSettings.
func TestWriterIsDurable(t *testing.T) {
	w := newCrashWorld(t, 1, 6)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	a, chance := w.agents[0], rand.New(rand.NewPCG(1, 1))
	for _, openid := range w.phones.openids {
		w.speak(ctx, chance, openid)
	}
	if w.ledger.troubled() {
		t.Fatalf("while all is well: %v", w.ledger.wrong)
	}
	chat := w.firstChat(ctx, a)
	a.write(ctx, chat, "reply", 1)
	if n := w.ledger.answered(); n != 1 {
		t.Fatalf("%d replies answered 303 while all is well, want 1; %v", n, w.ledger.wrong)
	}

	// The platform hangs up after two seconds here, so that the test need not wait for its five.
	sw := w.sim.Switches()
	sw.Attempts, sw.AttemptTimeout = 1, sim.Duration(2*time.Second)
	if err := w.sim.SetSwitches(sw); err != nil {
		t.Fatal(err)
	}
	lost := w.withoutDisk(ctx, a, chat)

	// The disk is back, the process the same: it recovers by itself, and the repetitions are taken.
	w.server.wait(crashReady, "ready after the disk came back", func() (bool, string) {
		status, body, err := w.server.readyz()
		return status == http.StatusOK, fmt.Sprint(status, " ", body, " ", err)
	})
	w.sayAgain(ctx, a, chat, lost)

	// Once more, and this time the server dies while it waits for its disk.
	lost = w.withoutDisk(ctx, a, chat)
	w.server.kill()
	w.server.start()
	w.server.ready(crashReady)
	w.sayAgain(ctx, a, chat, lost)

	w.server.drained(crashDrain)
	w.server.stop()
	w.phones.collect()
	t.Log(w.ledger.summary())
	t.Log(w.check())
	w.checkLog()
}

// crashLost is what got no answer while there was no disk.
type crashLost struct {
	pushes []*crashPush
	line   *crashLine
}

// firstChat waits until the agent has a customer.
func (w *crashWorld) firstChat(ctx context.Context, a *crashAgent) (path string) {
	w.t.Helper()
	w.server.wait(crashReady, "a chat in the agent's list", func() (bool, string) {
		status, page, err := a.get(ctx, "/c?list=mine")
		if m := crashChatLink.FindStringSubmatch(page); m != nil {
			path = "/c/" + m[1]
		}
		return path != "", fmt.Sprint(status, " ", err)
	})
	return path
}

// withoutDisk lets customers and the agent work while every write to a file fails.
func (w *crashWorld) withoutDisk(ctx context.Context, a *crashAgent, chat string) crashLost {
	w.t.Helper()
	w.server.limitFiles(w.t, 0)
	defer w.server.limitFiles(w.t, noLimit)
	w.server.wait(crashReady, "unready without a disk", func() (bool, string) {
		status, body, err := w.server.readyz()
		return status == http.StatusServiceUnavailable, fmt.Sprint(status, " ", body, " ", err)
	})

	lost := crashLost{line: w.ledger.write("reply")}
	var speaking sync.WaitGroup
	for i, openid := range w.phones.openids {
		p := w.ledger.push(openid, i == 0)
		lost.pushes = append(lost.pushes, p)
		speaking.Go(func() {
			got, err := w.act(p)
			if err != nil || got.Outcome != "failed" || got.Status != 0 || !strings.Contains(got.Error, "no answer within") {
				w.ledger.trouble("push %s without a disk: %+v %v, want silence", p, got, err)
			}
		})
	}
	for path, form := range map[string]url.Values{
		chat + "/messages": {"text": {lost.line.text}, "key": {lost.line.key}}, chat + "/close": {}, "/me/presence": {"presence": {"busy"}},
	} {
		if status, _, err := a.once(ctx, path, form); err != nil || status < 500 {
			w.t.Errorf("%s without a disk answered %d %v, want an error page", path, status, err)
		}
	}
	speaking.Wait()
	if status, _, err := a.once(ctx, "/healthz", nil); err != nil || status != http.StatusOK {
		w.t.Errorf("/healthz without a disk: %d %v, want a process that lives", status, err)
	}
	return lost
}

// sayAgain repeats what got no answer, exactly as it was.
func (w *crashWorld) sayAgain(ctx context.Context, a *crashAgent, chat string, lost crashLost) {
	w.t.Helper()
	for _, p := range lost.pushes {
		w.insistOn(ctx, p)
	}
	status, _, err := a.post(ctx, chat+"/messages", url.Values{"text": {lost.line.text}, "key": {lost.line.key}})
	if err != nil || status != http.StatusSeeOther {
		w.t.Fatalf("the reply once more: %d %v", status, err)
	}
	w.ledger.written(lost.line, true)
}

const noLimit = ^uint64(0)

// limitFiles sets the size up to which the running server may write a file (prlimit(2), RLIMIT_FSIZE). A write beyond it fails with
// EFBIG; Go programs ignore the signal that comes with it.
func (s *crashServer) limitFiles(t *testing.T, limitBytes uint64) {
	t.Helper()
	var limit syscall.Rlimit
	prlimit := func(set, get *syscall.Rlimit) {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(s.cmd.Process.Pid), syscall.RLIMIT_FSIZE,
			uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
		if errno != 0 {
			t.Fatalf("limit the server's files to %d: %v", limitBytes, errno)
		}
	}
	prlimit(nil, &limit)
	limit.Cur = min(limitBytes, limit.Max)
	prlimit(&limit, nil)
}
