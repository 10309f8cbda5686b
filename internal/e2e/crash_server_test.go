package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

// crashServer is a kefu of its own process on one data folder. It lives many times.
type crashServer struct {
	t    *testing.T
	bin  string
	data string
	addr string
	gate crashGate
	log  crashLog // of all lives

	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone; nil before the first start
	exit  error         // how it ended

	starts         int
	total, slowest time.Duration // from start to ready
}

func newCrashServer(t *testing.T) *crashServer {
	t.Helper()
	s := &crashServer{t: t, bin: kefuBin(t), data: filepath.Join(t.TempDir(), "data"), addr: crashAddress(t)}
	s.gate.down()
	t.Cleanup(func() {
		if s.running() {
			s.kill()
		}
	})
	return s
}

// crashAddress finds a port that stays ours while the server is dead. It is none of those that the system gives to outgoing connections:
// one of them could take it meanwhile, or even connect to itself.
func crashAddress(t *testing.T) string {
	t.Helper()
	for port := 20000 + os.Getpid()%10000; port < 32000; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no free port between 20000 and 32000")
	return ""
}

func (s *crashServer) url() string { return "http://" + s.addr }

// command is the program with its settings, and no others from the environment.
func (s *crashServer) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.bin, args...)
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "KEFU_") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, "KEFU_DATA="+s.data, "KEFU_ADDR="+s.addr, "KEFU_PUBLIC_URL="+s.url(), "KEFU_LOG=debug")
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// tool runs one of the program's other commands to its end.
func (s *crashServer) tool(input string, env []string, args ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	cmd := s.command(ctx, env, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("kefu %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (s *crashServer) start() {
	s.t.Helper()
	s.cmd = s.command(context.Background(), nil, "serve")
	s.cmd.Stdout, s.cmd.Stderr = s.log.stdout(), &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("start %d: %v", s.starts+1, err)
	}
	s.starts++
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() { // ends with the process, which the test's cleanup kills at the latest
		s.exit = cmd.Wait()
		close(ended)
	}()
}

func (s *crashServer) running() bool {
	if s.ended == nil {
		return false
	}
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// ready waits until the server does its work, and lets the load in.
func (s *crashServer) ready(within time.Duration) {
	s.t.Helper()
	began := time.Now()
	s.wait(within, "ready", func() (bool, string) {
		status, body, err := s.readyz()
		return status == http.StatusOK, fmt.Sprint(status, " ", strings.TrimSpace(body), " ", err)
	})
	took := time.Since(began)
	s.total += took
	s.slowest = max(s.slowest, took)
	s.gate.up()
}

func (s *crashServer) average() time.Duration { return s.total / time.Duration(max(s.starts, 1)) }

func (s *crashServer) readyz() (status int, body string, err error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(s.url() + "/readyz")
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, string(raw), err
}

// wait polls until done says so; the deadline tells what was seen last, a death how the server ended.
func (s *crashServer) wait(within time.Duration, what string, done func() (bool, string)) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for seen := ""; ; {
		var ok bool
		if ok, seen = done(); ok {
			return
		}
		select {
		case <-tick.C:
		case <-s.ended:
			s.t.Fatalf("start %d, waiting for %s: the server ended: %v\n%s", s.starts, what, s.exit, s.log.tail())
		case <-deadline:
			s.t.Fatalf("start %d: not %s after %v, last seen: %s\n%s", s.starts, what, within, seen, s.log.tail())
		}
	}
}

// kill is SIGKILL. The load notices it by itself; only then it is told to wait.
func (s *crashServer) kill() {
	s.t.Helper()
	if !s.running() {
		s.t.Fatalf("start %d: the server ended before the kill: %v\n%s", s.starts, s.exit, s.log.tail())
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatalf("kill: %v", err)
	}
	s.gate.down()
	s.gone(10 * time.Second)
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		s.t.Fatalf("start %d: the server did not die of the kill: %v\n%s", s.starts, s.exit, s.log.tail())
	}
}

// stop asks the server to end as a service manager does: in order, within 10 seconds.
func (s *crashServer) stop() {
	s.t.Helper()
	s.gate.down()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatalf("stop: %v", err)
	}
	s.gone(10 * time.Second)
	if s.exit != nil {
		s.t.Errorf("the server ended with %v\n%s", s.exit, s.log.tail())
	}
}

func (s *crashServer) gone(within time.Duration) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(within):
		s.t.Fatalf("the server is still there after %v\n%s", within, s.log.tail())
	}
}

// database opens the server's file beside it, for reading only.
func (s *crashServer) database() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.data, "kefu.db")+"?mode=ro&_query_only=true&_busy_timeout=5000")
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// drained waits until nothing is to be sent or on its way.
func (s *crashServer) drained(within time.Duration) {
	s.t.Helper()
	db := s.database()
	defer db.Close()
	s.wait(within, "drained", func() (bool, string) {
		var rows, open int
		err := db.QueryRow(`SELECT (SELECT COUNT(*) FROM outbox), (SELECT COUNT(*) FROM messages WHERE state IN ('queued', 'sending'))`).Scan(&rows, &open)
		return err == nil && rows == 0 && open == 0, fmt.Sprintf("%d rows in the outbox, %d messages without an end, %v", rows, open, err)
	})
}

// crashGate holds the load back while everybody knows that nobody answers.
type crashGate struct {
	mu     sync.Mutex
	opened chan struct{} // closed while the server is up
}

func (g *crashGate) up() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
}

func (g *crashGate) down() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		select {
		case <-g.opened:
		default:
			return
		}
	}
	g.opened = make(chan struct{})
}

func (g *crashGate) wait(ctx context.Context) error {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	select {
	case <-opened:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// crashLog keeps what the server wrote in all its lives.
type crashLog struct {
	mu       sync.Mutex
	text     bytes.Buffer // standard error
	greeting bytes.Buffer // standard output
}

func (l *crashLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *crashLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *crashLog) tail() string {
	text := l.String()
	return "the end of its log:\n" + text[max(0, len(text)-4000):]
}

// stdout is where the first admin's password is shown, once.
func (l *crashLog) stdout() io.Writer { return crashGreeting{l} }

type crashGreeting struct{ log *crashLog }

func (g crashGreeting) Write(p []byte) (int, error) {
	g.log.mu.Lock()
	defer g.log.mu.Unlock()
	return g.log.greeting.Write(p)
}

var crashPassword = regexp.MustCompile(`with the password\s+(\S+)`)

// adminPassword is what the first start printed.
func (l *crashLog) adminPassword() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := crashPassword.FindSubmatch(l.greeting.Bytes()); m != nil {
		return string(m[1])
	}
	return ""
}
