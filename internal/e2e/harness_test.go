// Package e2e tests the whole product from outside: real processes, real HTTP, a real browser, the simulated platform.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
)

// patience is how long a test waits for something before it fails and says what it saw last. Far more than anything here takes, for the
// machine may be busy.
const patience = 30 * time.Second

// demoPassword is everybody's password in the demonstration.
const demoPassword = "kefu-demo"

var builtOnce = sync.OnceValues(func() (string, error) {
	if there := os.Getenv("KEFU_BIN"); there != "" {
		return filepath.Abs(there)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", err
	}
	to := filepath.Join(root, "bin", "kefu-e2e") // beside the binary of `make build`; `make clean` removes both
	cmd := exec.Command("go", "build", "-o", to, "./cmd/kefu")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/kefu: %w\n%s", err, out)
	}
	return to, nil
})

// kefuBin is the program under test: KEFU_BIN, else built once from the sources.
func kefuBin(t testing.TB) string {
	t.Helper()
	bin, err := builtOnce()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// process is a running kefu.
type process struct {
	cmd    *exec.Cmd
	out    *output // standard output
	log    *output // standard error
	exited chan struct{}
}

// output keeps what a process wrote; it may be read meanwhile.
type output struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.String()
}

// start runs kefu until the test ends.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(kefuBin(t), args...), out: &output{}, log: &output{}, exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() //nolint:errcheck // how it ended is seen in its output
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("kefu %s wrote:\n%s%s", args[0], p.out, tail(p.log.String(), 4000))
		}
	})
	return p
}

// stop asks the process to end, and insists after a while.
func (p *process) stop(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may be gone already
	select {
	case <-p.exited:
	case <-time.After(15 * time.Second):
		t.Errorf("%s did not end within 15 s of SIGTERM", p.cmd.Args)
		p.kill()
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() //nolint:errcheck // it may be gone already
	<-p.exited
}

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}

// run is a kefu command that ends by itself; it returns what it printed.
func run(t testing.TB, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(kefuBin(t), args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("kefu %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// demo is a running demonstration.
type demo struct {
	*process
	t    testing.TB
	args []string
	desk string // http://127.0.0.1:…
	data string
	sim  simulator
}

var announced = regexp.MustCompile(`(?s)Desk\s+(http://\S+).*Phone\s+(http://\S+)`)

// startDemo runs a demonstration on free ports in a folder of the test.
func startDemo(t testing.TB, args ...string) *demo {
	t.Helper()
	d := &demo{t: t, args: args, data: t.TempDir()}
	d.begin("127.0.0.1:0", "127.0.0.1:0")
	return d
}

// again starts a demonstration that ended: the same folder, the same addresses.
func (d *demo) again() {
	d.t.Helper()
	d.begin(strings.TrimPrefix(d.desk, "http://"), strings.TrimPrefix(d.sim.url, "http://"))
}

func (d *demo) begin(addr, simAddr string) {
	d.t.Helper()
	d.process = start(d.t, nil, append([]string{"demo", "--addr", addr, "--sim-addr", simAddr, "--data", d.data}, d.args...)...)
	var found []string
	d.until("the demonstration says where it is", func() (bool, string) {
		found = announced.FindStringSubmatch(d.out.String())
		return found != nil, d.out.String() + d.log.String()
	})
	d.desk, d.sim = found[1], simulator{d.t, found[2]}
	ready(d.t, d.process, d.desk)
}

// until is until for the process: it also fails as soon as that has ended.
func (d *demo) until(what string, check func() (ok bool, saw string)) {
	d.t.Helper()
	until(d.t, what, func() (bool, string) {
		ok, saw := check()
		if !ok && !d.alive() {
			d.t.Fatalf("kefu ended while waiting: %s\n%s%s", what, d.out, d.log)
		}
		return ok, saw
	})
}

// ready waits until the server says it is.
func ready(t testing.TB, p *process, url string) {
	t.Helper()
	until(t, "GET /readyz is 200", func() (bool, string) {
		if !p.alive() {
			t.Fatalf("kefu ended before it was ready:\n%s%s", p.out, p.log)
		}
		status, body := get(t, url+"/readyz")
		return status == http.StatusOK, body
	})
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// until looks every few milliseconds until check holds. It fails the test when patience ends, with what check saw last.
func until(t testing.TB, what string, check func() (ok bool, saw string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := time.NewTicker(15 * time.Millisecond)
	defer look.Stop()
	for {
		ok, saw := check()
		if ok {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("waited %v in vain: %s\nlast seen: %s", patience, what, saw)
		}
	}
}
