package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadline is how long a test waits for what must come.
const deadline = time.Minute

// output is what a command says; it may be read while the command runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// ownEnvironment takes away what the machine's settings would change, and gives the command's folder.
func ownEnvironment(t *testing.T) (data string) {
	t.Helper()
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, "KEFU_") {
			t.Setenv(name, "") // so that it comes back afterwards
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	data = filepath.Join(t.TempDir(), "data")
	t.Setenv("KEFU_DATA", data)
	return data
}

// kefu runs a command to its end.
func kefu(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	var out output
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(strings.NewReader(stdin))
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

// works wants the command to succeed.
func works(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := kefu(t, stdin, args...)
	if err != nil {
		t.Fatalf("kefu %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refuses wants the command to fail with a sentence that has all the words in it.
func refuses(t *testing.T, said []string, args ...string) {
	t.Helper()
	out, err := kefu(t, "", args...)
	if err == nil {
		t.Fatalf("kefu %s: no refusal\n%s", strings.Join(args, " "), out)
	}
	for _, words := range said {
		if !strings.Contains(sentence(err), words) {
			t.Errorf("kefu %s: %q, want %q in it", strings.Join(args, " "), sentence(err), words)
		}
	}
	if strings.Contains(sentence(err), "\n") || strings.Contains(out, "Usage:") {
		t.Errorf("kefu %s: more than a sentence: %q %s", strings.Join(args, " "), sentence(err), out)
	}
}

// running is a command that goes on until it is stopped.
type running struct {
	t    *testing.T
	out  *output
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{t: t, out: &output{}, stop: stop, done: make(chan error, 1)}
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(r.out)
	cmd.SetErr(r.out)
	go func() { r.done <- cmd.ExecuteContext(ctx) }()
	t.Cleanup(stop)
	return r
}

// ends stops the command as SIGTERM does and wants a clean end within ten seconds (architecture.md §9).
func (r *running) ends() {
	r.t.Helper()
	begun := time.Now()
	r.stop()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("the end: %v", err)
		}
	case <-time.After(deadline):
		r.t.Fatal("the command does not end")
	}
	if took := time.Since(begun); took > 10*time.Second {
		r.t.Errorf("the end took %v, want at most 10 s", took)
	}
}

// until asks again and again, until it is so or the command has ended.
func (r *running) until(what string, so func() bool) {
	r.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(deadline)
	for !so() {
		select {
		case <-again.C:
		case err := <-r.done:
			r.t.Fatalf("ended before %s: %v\n%s", what, err, r.out)
		case <-late:
			r.t.Fatalf("%s did not come\n%s", what, r.out)
		}
	}
}

// server is a running `kefu serve` at the address.
func server(t *testing.T, args ...string) (r *running, desk *client) {
	t.Helper()
	addr := freeAddress(t)
	r = start(t, append([]string{"serve", "--addr", addr}, args...)...)
	desk = newClient(t, "http://"+addr)
	r.until("ready", func() bool { return desk.status("/readyz") == http.StatusOK })
	return r, desk
}

// freeAddress is a port that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// demonstration is a running `kefu demo` with its two addresses.
func demonstration(t *testing.T, args ...string) (r *running, desk, simulator *client) {
	t.Helper()
	r = start(t, append([]string{"demo", "--addr", "127.0.0.1:0", "--sim-addr", "127.0.0.1:0"}, args...)...)
	var found []string
	r.until("the addresses", func() bool {
		found = address.FindAllString(r.out.String(), -1)
		return len(found) >= 2
	})
	desk, simulator = newClient(t, found[0]), newClient(t, found[1])
	if desk.status("/readyz") != http.StatusOK {
		t.Fatal("announced, but not ready")
	}
	return r, desk, simulator
}

// client is a browser, or a program, at one of the servers.
type client struct {
	t    *testing.T
	base string
	http *http.Client
}

func newClient(t *testing.T, base string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	return &client{t: t, base: base, http: &http.Client{
		Jar: jar, Transport: transport, Timeout: deadline,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// status of a page; 0 when nobody answers.
func (c *client) status(path string) int {
	answer, err := c.http.Get(c.base + path)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

func (c *client) get(path string) (string, http.Header) {
	c.t.Helper()
	answer, err := c.http.Get(c.base + path)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.body(answer, http.StatusOK), answer.Header
}

func (c *client) body(answer *http.Response, want int) string {
	c.t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if answer.StatusCode != want {
		c.t.Fatalf("%s: %d, want %d\n%.500s", answer.Request.URL, answer.StatusCode, want, body)
	}
	return string(body)
}

// logIn logs in and reports whether it worked.
func (c *client) logIn(username, password string) bool {
	c.t.Helper()
	answer, err := c.http.PostForm(c.base+"/login", url.Values{"username": {username}, "password": {password}})
	if err != nil {
		c.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusSeeOther
}

// control posts JSON to the simulator's controls and reads the answer into to.
func (c *client) control(path string, form, to any) {
	c.t.Helper()
	raw, err := json.Marshal(form)
	if err != nil {
		c.t.Fatal(err)
	}
	answer, err := c.http.Post(c.base+path, "application/json", bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	c.decode(c.body(answer, http.StatusOK), to)
}

func (c *client) decode(body string, to any) {
	c.t.Helper()
	if to == nil {
		return
	}
	if err := json.Unmarshal([]byte(body), to); err != nil {
		c.t.Fatalf("%v in %.500s", err, body)
	}
}

// follow opens the live stream; the channel closes when it ends.
func (c *client) follow() (ended <-chan struct{}) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.base+"/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	endless := *c.http
	endless.Timeout = 0
	answer, err := endless.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		c.t.Fatalf("the stream answers %d", answer.StatusCode)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, answer.Body) //nolint:errcheck // how it ends is the server's matter
		answer.Body.Close()
	}()
	return done
}

// standardError is what the process itself writes there until the test ends: the log.
func standardError(t *testing.T) (read func() string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	real := os.Stderr
	os.Stderr = f
	t.Cleanup(func() {
		os.Stderr = real
		f.Close()
	})
	return func() string {
		t.Helper()
		raw, err := os.ReadFile(f.Name())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(raw)
	}
}
