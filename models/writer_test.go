package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mattn/go-sqlite3"
)

// note is a row of the small table these tests write to.
type note struct {
	ID   int64
	Text string
}

// noteSchema is a schema of two migrations, so that these tests stand on nothing but the writer.
func noteSchema() fstest.MapFS {
	return fstest.MapFS{
		"0001_settings.sql": {Data: []byte("-- +goose Up\nCREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);\n")},
		"0002_notes.sql":    {Data: []byte("-- +goose Up\nCREATE TABLE notes (id ${ID}, text TEXT NOT NULL UNIQUE);\n")},
	}
}

// openNotes is a Store on a file of its own with the notes schema.
func openNotes(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: filepath.Join(t.TempDir(), "kefu.db"), migrations: noteSchema()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// add writes a note with the text; two notes of one text are ErrDuplicate.
func add(text string) func(tx *Store) error {
	return func(tx *Store) error { return tx.db(context.Background()).Create(&note{Text: text}).Error }
}

// notes are the texts stored, in alphabetical order.
func notes(t testing.TB, s *Store) []string {
	t.Helper()
	var texts []string
	if err := s.db(t.Context()).Model(&note{}).Order("text").Pluck("text", &texts).Error; err != nil {
		t.Fatal(err)
	}
	return texts
}

func wantNotes(t testing.TB, s *Store, want ...string) {
	t.Helper()
	if got := notes(t, s); !slices.Equal(got, want) {
		t.Errorf("stored notes = %q, want %q", got, want)
	}
}

// held is a writer kept busy, so that what is queued meanwhile becomes one batch.
type held struct {
	t       *testing.T
	s       *Store
	release chan struct{}
	ended   chan error
	jobs    []*job
}

func hold(t *testing.T, s *Store) *held {
	t.Helper()
	h := &held{t: t, s: s, release: make(chan struct{}), ended: make(chan error, 1)}
	started := make(chan struct{})
	go func() {
		h.ended <- s.InTx(context.Background(), func(*Store) error {
			close(started)
			<-h.release
			return nil
		})
	}()
	<-started
	return h
}

// queue puts a transaction behind the held one.
func (h *held) queue(ctx context.Context, fn func(tx *Store) error) {
	h.t.Helper()
	j, err := h.s.writer.enqueue(ctx, fn)
	if err != nil {
		h.t.Fatal(err)
	}
	h.jobs = append(h.jobs, j)
}

// letGo has the queue done as one batch and returns the answers in the order of queue.
func (h *held) letGo() []error {
	h.t.Helper()
	close(h.release)
	if err := <-h.ended; err != nil {
		h.t.Fatal(err)
	}
	errs := make([]error, len(h.jobs))
	for i, j := range h.jobs {
		errs[i] = h.s.writer.await(j)
	}
	return errs
}

// failControl has the writer's own statement fail once, as SQLite might.
func failControl(s *Store, statement string, err error) {
	s.writer.hook = func(control string) error {
		if control != statement {
			return nil
		}
		s.writer.hook = nil
		return err
	}
}

func TestBatchCommitsOnce(t *testing.T) {
	s := openNotes(t)
	h := hold(t, s)
	for i := range 5 {
		h.queue(t.Context(), add(fmt.Sprint(i)))
	}
	var controls []string
	s.writer.hook = func(control string) error {
		controls = append(controls, control)
		return nil
	}
	for _, err := range h.letGo() {
		if err != nil {
			t.Error(err)
		}
	}
	commits := 0
	for _, c := range controls {
		if c == "COMMIT" {
			commits++
		}
	}
	if commits != 2 { // the one that held the writer, and the five together
		t.Errorf("control statements = %q, want two commits", controls)
	}
	wantNotes(t, s, "0", "1", "2", "3", "4")
}

func TestFailedJobLeavesTheBatchAlone(t *testing.T) {
	refusal := errors.New("a rule says no")
	tests := []struct {
		name  string
		fails func(tx *Store) error
		want  func(error) bool
	}{
		{"an error after a write", func(tx *Store) error {
			if err := add("half")(tx); err != nil {
				return err
			}
			return refusal
		}, func(err error) bool { return err == refusal }},
		{"a constraint", func(tx *Store) error {
			if err := add("half")(tx); err != nil {
				return err
			}
			return add("before")(tx)
		}, func(err error) bool { return errors.Is(err, ErrDuplicate) }},
		{"a panic", func(tx *Store) error {
			if err := add("half")(tx); err != nil {
				return err
			}
			panic("no such agent")
		}, func(err error) bool {
			var p *PanicError
			return errors.As(err, &p) && p.Value == "no such agent" && strings.Contains(string(p.Stack), "writer_test.go")
		}},
		{"nested", func(tx *Store) error {
			if err := add("half")(tx); err != nil {
				return err
			}
			return tx.InTx(context.Background(), add("never"))
		}, func(err error) bool { return errors.Is(err, ErrNestedTx) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openNotes(t)
			h := hold(t, s)
			h.queue(t.Context(), add("before"))
			h.queue(t.Context(), tt.fails)
			h.queue(t.Context(), add("later"))
			errs := h.letGo()
			if errs[0] != nil || errs[2] != nil {
				t.Errorf("the others failed: %v, %v", errs[0], errs[2])
			}
			if !tt.want(errs[1]) {
				t.Errorf("answer = %v", errs[1])
			}
			wantNotes(t, s, "before", "later")
		})
		t.Run(tt.name+", alone", func(t *testing.T) {
			t.Parallel()
			s := openNotes(t)
			if err := s.InTx(t.Context(), add("before")); err != nil {
				t.Fatal(err)
			}
			if err := s.InTx(t.Context(), tt.fails); !tt.want(err) {
				t.Errorf("answer = %v", err)
			}
			if err := s.InTx(t.Context(), add("later")); err != nil {
				t.Errorf("the next one failed: %v", err)
			}
			wantNotes(t, s, "before", "later")
		})
	}
}

func TestOuterStoreInsideATransactionIsRefused(t *testing.T) {
	s := openNotes(t)
	err := s.InTx(t.Context(), func(*Store) error {
		return s.InTx(context.Background(), add("never")) // would wait for itself
	})
	if !errors.Is(err, ErrNestedTx) {
		t.Errorf("answer = %v, want ErrNestedTx", err)
	}
	wantNotes(t, s)
}

func TestCancelledBeforeItStarts(t *testing.T) {
	s := openNotes(t)
	h := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	h.queue(ctx, add("never"))
	h.queue(t.Context(), add("other"))
	// The caller gets its answer while the writer is still busy, and the writer passes over the job later.
	cancel()
	if err := s.writer.await(h.jobs[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("answer = %v, want context.Canceled", err)
	}
	h.jobs = h.jobs[1:]
	if err := s.InTx(ctx, add("never")); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	// This one's caller does not look; the writer drops the job itself.
	ctx, cancel = context.WithCancel(t.Context())
	h.queue(ctx, add("never"))
	cancel()
	errs := h.letGo()
	if errs[0] != nil {
		t.Errorf("the other failed: %v", errs[0])
	}
	if !errors.Is(errs[1], context.Canceled) {
		t.Errorf("answer = %v, want context.Canceled", errs[1])
	}
	wantNotes(t, s, "other")
}

func TestCancelledWhileRunningHurtsNobody(t *testing.T) {
	s := openNotes(t)
	h := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	h.queue(t.Context(), add("before"))
	h.queue(ctx, func(tx *Store) error {
		cancel()
		if err := tx.db(ctx).Create(&note{Text: "its own"}).Error; err != nil {
			return err
		}
		// Even a handle that someone gave the ended context again.
		return tx.db(ctx).WithContext(ctx).Create(&note{Text: "its second"}).Error
	})
	h.queue(t.Context(), add("later"))
	for i, err := range h.letGo() {
		if err != nil {
			t.Errorf("transaction %d: %v", i, err)
		}
	}
	wantNotes(t, s, "before", "its own", "its second", "later")
}

func TestLostBatchAnswersEveryoneAndGoesOn(t *testing.T) {
	disk := sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}
	refusal := errors.New("a rule says no")
	refuse := func(*Store) error { return refusal }
	tests := []struct {
		name   string
		inject func(s *Store)
		second func(tx *Store) error // between one good transaction and another
		want   error
	}{
		{"commit fails", func(s *Store) { failControl(s, "COMMIT", disk) }, refuse, disk},
		{"begin fails", func(s *Store) { failControl(s, "BEGIN IMMEDIATE", disk) }, refuse, disk},
		{"savepoint fails", func(s *Store) { failControl(s, "SAVEPOINT job", disk) }, refuse, disk},
		{"rollback to savepoint fails", func(s *Store) { failControl(s, "ROLLBACK TO job", disk) }, refuse, disk},
		{"release fails", func(s *Store) { failControl(s, "RELEASE job", disk) }, refuse, disk},
		{"I/O error", nil, func(*Store) error { return disk }, disk},
		{"out of memory", nil, func(*Store) error { return sqlite3.Error{Code: sqlite3.ErrNomem} }, sqlite3.Error{Code: sqlite3.ErrNomem}},
		{"disk full", nil, func(tx *Store) error { return fillUp(tx) }, ErrDiskFull},
		{"disk full, not reported by the function", nil, func(tx *Store) error {
			_ = fillUp(tx)
			if err := add("alone")(tx); err == nil { // would be committed by itself
				return errors.New("a statement after the fault was accepted")
			}
			return nil
		}, ErrDiskFull},
		{"interrupted", nil, interrupted, sqlite3.ErrInterrupt},
		{"rolled back behind our back", nil, func(tx *Store) error {
			_ = tx.db(context.Background()).Exec("ROLLBACK").Error
			_ = add("alone")(tx)
			return nil
		}, nil},
		{"function ends the goroutine", nil, func(*Store) error { runtime.Goexit(); return nil }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openNotes(t)
			if err := s.InTx(t.Context(), add("long ago")); err != nil {
				t.Fatal(err)
			}
			connection := usedConnection(t, s)
			h := hold(t, s)
			var published bool
			h.queue(t.Context(), func(tx *Store) error {
				tx.AfterCommit(func() { published = true })
				return add("before")(tx)
			})
			h.queue(t.Context(), tt.second)
			h.queue(t.Context(), add("later"))
			// Only the batch meets the fault: the transaction that holds the writer has its own BEGIN behind it and its own COMMIT before.
			if tt.inject != nil {
				h.arm(tt.inject)
			}
			for i, err := range h.letGo() {
				if err == nil {
					t.Errorf("transaction %d was answered with success", i)
				}
				if errors.Is(err, refusal) {
					t.Errorf("transaction %d was answered with a refusal that may rest on what was undone: %v", i, err)
				}
				if tt.want != nil && !answeredWith(err, tt.want) {
					t.Errorf("transaction %d: %v, want %v", i, err, tt.want)
				}
			}
			if published {
				t.Error("AfterCommit was called without a commit")
			}
			wantNotes(t, s, "long ago")
			if err := s.InTx(t.Context(), add("after")); err != nil { // on a new connection
				t.Errorf("the writer did not recover: %v", err)
			}
			wantNotes(t, s, "after", "long ago")
			if usedConnection(t, s) == connection {
				t.Error("the connection was not replaced")
			}
			wantWriterSettings(t, s)
		})
	}
}

// usedConnection tells the writer's connections apart.
func usedConnection(t *testing.T, s *Store) *sqlite3.SQLiteConn {
	t.Helper()
	var conn *sqlite3.SQLiteConn
	if err := s.InTx(t.Context(), func(*Store) error { conn = s.writer.raw; return nil }); err != nil {
		t.Fatal(err)
	}
	return conn
}

// arm injects a fault once the transaction that holds the writer has been committed.
func (h *held) arm(inject func(s *Store)) {
	h.s.writer.hook = func(control string) error {
		if control == "COMMIT" || control == "ROLLBACK" {
			inject(h.s)
		}
		return nil
	}
}

func answeredWith(err, want error) bool {
	if code, ok := want.(sqlite3.ErrNo); ok {
		var e sqlite3.Error
		return errors.As(err, &e) && e.Code == code
	}
	return errors.Is(err, want)
}

// fillUp makes SQLite itself report SQLITE_FULL.
func fillUp(tx *Store) error {
	db := tx.db(context.Background())
	var pages int
	if err := db.Raw("PRAGMA page_count").Scan(&pages).Error; err != nil {
		return err
	}
	if err := db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Error; err != nil {
		return err
	}
	return db.Create(&note{Text: strings.Repeat("much ", 100_000)}).Error
}

// interrupted has SQLite itself stop a statement that writes, with a context that ends, past everything that keeps contexts away.
func interrupted(tx *Store) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.AfterFunc(20*time.Millisecond, cancel)
	defer timer.Stop()
	_, err := tx.tx.conn.inner.ExecContext(ctx, `INSERT INTO notes (text)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'row ' || i FROM n`)
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("not interrupted: %v", err)
	}
	return sqlite3.Error{Code: sqlite3.ErrInterrupt}
}

// wantWriterSettings checks what durability rests on, on the writer's own connection.
func wantWriterSettings(t *testing.T, s *Store) {
	t.Helper()
	var mode string
	var synchronous, keys int
	err := s.InTx(t.Context(), func(tx *Store) error {
		db := tx.db(t.Context())
		return errors.Join(db.Raw("PRAGMA journal_mode").Scan(&mode).Error, db.Raw("PRAGMA synchronous").Scan(&synchronous).Error,
			db.Raw("PRAGMA foreign_keys").Scan(&keys).Error)
	})
	if err != nil || mode != "wal" || synchronous != 2 || keys != 1 {
		t.Errorf("journal_mode %q, synchronous %d (2 is FULL), foreign_keys %d, %v", mode, synchronous, keys, err)
	}
}

func TestWriterSettings(t *testing.T) { wantWriterSettings(t, openNotes(t)) }

func TestDiskFullAtCommitCheck(t *testing.T) {
	s := openNotes(t)
	if err := s.CheckWritable(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.InTx(t.Context(), fillUp)
	if !errors.Is(err, ErrDiskFull) {
		t.Errorf("alone in its batch: %v, want ErrDiskFull", err)
	}
	if err := s.CheckWritable(t.Context()); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

func TestUseAfterTheEndIsRefused(t *testing.T) {
	s := openNotes(t)
	var kept *Store
	if err := s.InTx(t.Context(), func(tx *Store) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := add("never")(kept); !errors.Is(err, ErrTxOver) {
		t.Errorf("a write with a finished transaction: %v, want ErrTxOver", err)
	}
	var n int
	if err := kept.db(t.Context()).Raw("SELECT 1").Row().Scan(&n); err == nil {
		t.Error("a read with a finished transaction was accepted")
	}
	wantNotes(t, s)
}

func TestCloseAnswersWhatWaits(t *testing.T) {
	s := openNotes(t)
	h := hold(t, s)
	h.queue(t.Context(), add("waiting"))
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	errs := h.letGo()
	if errs[0] != nil {
		t.Errorf("a waiting transaction: %v", errs[0])
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.InTx(t.Context(), add("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := os.Stat(s.place + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the WAL was not written back: %v", err)
	}
	again, err := Open(t.Context(), Options{URL: s.place, migrations: noteSchema()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	wantNotes(t, again, "waiting")
}

// TestManyWritersUnderFaults lets commits fail at random moments: what was answered with success is stored, and nothing else is.
func TestManyWritersUnderFaults(t *testing.T) {
	s := openNotes(t)
	commits := 0
	h := hold(t, s)
	s.writer.hook = func(control string) error {
		if control == "COMMIT" {
			if commits++; commits%7 == 3 {
				return sqlite3.Error{Code: sqlite3.ErrIoErr}
			}
		}
		return nil
	}
	h.letGo()
	var mu sync.Mutex
	var stored []string
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 40 {
				text := fmt.Sprintf("%02d-%02d", g, i)
				if err := s.InTx(t.Context(), add(text)); err == nil {
					mu.Lock()
					stored = append(stored, text)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(stored)
	wantNotes(t, s, stored...)
	if len(stored) == 0 || len(stored) == 16*40 {
		t.Errorf("%d of %d succeeded: the test tested nothing", len(stored), 16*40)
	}
}
