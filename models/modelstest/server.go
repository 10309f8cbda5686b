package modelstest

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const howToInstall = "PostgreSQL is needed for these tests and was not found: apt-get install -y postgresql (or set KEFU_TEST_POSTGRES to the postgres:// address of a server)"

// server is a private PostgreSQL server. It listens on a socket in its own folder only, so that any number of them run side by side.
type server struct {
	url   string
	dir   string
	quit  chan struct{}
	ended chan error
}

// startServer makes a new cluster in the folder tmp and starts it. PostgreSQL refuses to run as root; then the user postgres does it.
func startServer(tmp string) (*server, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	attr, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(tmp, "pg")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start PostgreSQL for tests: %w", err)
	}
	s := &server{
		url: "postgres://kefu@/postgres?host=" + dir + "&sslmode=disable", dir: dir,
		quit: make(chan struct{}), ended: make(chan error, 1),
	}
	if err := s.start(bin, attr); err != nil {
		return nil, fmt.Errorf("start PostgreSQL for tests: %w", err)
	}
	return s, nil
}

func (s *server) start(bin string, attr *syscall.SysProcAttr) error {
	if c := attr.Credential; c != nil {
		if err := os.Chown(s.dir, int(c.Uid), int(c.Gid)); err != nil {
			return err
		}
	}
	data := filepath.Join(s.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata", data, "--username", "kefu", "--auth", "trust", //nolint:gosec // the installed server
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir, initdb.Env, initdb.SysProcAttr = s.dir, s.environment(), &syscall.SysProcAttr{Credential: attr.Credential}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", s.dir, "-c", "listen_addresses=", //nolint:gosec // the installed server
		"-c", "max_connections=200", "-c", "shared_buffers=32MB",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off") // the data lives as long as the tests
	postgres.Dir, postgres.Env, postgres.SysProcAttr = s.dir, s.environment(), attr
	log, err := postgres.StderrPipe()
	if err != nil {
		return err
	}
	ready := make(chan error, 1)
	go s.keep(postgres, log, ready)
	select {
	case err := <-ready:
		return err
	case <-time.After(time.Minute):
		return errors.Join(errors.New("not ready within a minute"), s.stop())
	}
}

// keep starts the server, reports when it takes connections, and waits for its end.
func (s *server) keep(postgres *exec.Cmd, log io.Reader, ready chan<- error) {
	// The server is told to end when the thread that started it does (see unprivileged), so this goroutine keeps its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := postgres.Start(); err != nil {
		ready <- err
		s.ended <- nil
		return
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		var last []string
		told := false
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if last = append(last, lines.Text()); len(last) > 20 {
				last = slices.Delete(last, 0, 1)
			}
			if !told && strings.Contains(lines.Text(), "database system is ready to accept connections") {
				told = true
				ready <- nil
			}
		}
		if !told {
			ready <- fmt.Errorf("it ended at once: %s", strings.Join(last, "\n"))
		}
	}()
	select {
	case <-s.quit:
		_ = postgres.Process.Signal(syscall.SIGINT) // "fast shutdown": ends connections; it fails only when the server has ended
	case <-read:
	}
	<-read
	s.ended <- postgres.Wait()
}

// stop ends the server.
func (s *server) stop() error {
	close(s.quit)
	return <-s.ended
}

func (s *server) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C", "TZ=UTC"}
}

// findPostgres is the folder of the newest PostgreSQL server of this machine.
func findPostgres() (string, error) {
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, paths...)
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { // by length first: 9 is older than 15
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		return filepath.Dir(newest), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New(howToInstall)
}

// unprivileged is how the server's processes are started: as the user postgres when this process is root, else as the user we are.
func unprivileged() (*syscall.SysProcAttr, error) {
	attr := processAttributes()
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres to run it: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, nil
}
