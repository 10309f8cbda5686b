// Package modelstest gives tests real databases: a SQLite file and a PostgreSQL database per test, with the schema in place, empty, and
// gone afterwards. It starts a PostgreSQL server of its own unless KEFU_TEST_POSTGRES names one. A package that uses it has
//
//	func TestMain(m *testing.M) { modelstest.Main(m) }
package modelstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"kefu/models"
)

// run is what this test process has started; Main makes it and cleans it up.
type run struct {
	dir    string // temporary
	remove func() error

	sqlite   func() (string, error) // path of a migrated file to copy
	postgres func() (*cluster, error)
	started  *cluster // by postgres; nil while no test has asked for one
}

var current *run // nil without Main

// Main runs the tests of a package, ends what they needed and exits.
func Main(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) (code int) {
	dir, remove, err := makeFolder()
	if err != nil {
		fmt.Fprintln(os.Stderr, "modelstest:", err)
		return 1
	}
	r := &run{dir: dir, remove: remove}
	r.sqlite = sync.OnceValues(r.makeSQLite)
	r.postgres = sync.OnceValues(r.startPostgres)
	current = r
	defer func() {
		if err := r.end(); err != nil {
			fmt.Fprintln(os.Stderr, "modelstest:", err)
			code = max(code, 1)
		}
	}()
	return m.Run()
}

func (r *run) end() error {
	var err error
	if r.started != nil {
		err = r.started.stop()
	}
	return errors.Join(err, r.remove())
}

func mine(t testing.TB) *run {
	t.Helper()
	if current == nil {
		t.Fatal("modelstest: the package's TestMain must call modelstest.Main")
	}
	return current
}

// Each runs the test on SQLite and on PostgreSQL, each time with an empty database of its own.
func Each(t *testing.T, test func(t *testing.T, s *models.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite is a Store on a new file with the schema in place, closed at the end of the test.
func SQLite(t testing.TB) *models.Store {
	t.Helper()
	return Open(t, SQLiteURL(t))
}

// Postgres is a Store on a new PostgreSQL database with the schema in place, closed at the end of the test.
func Postgres(t testing.TB) *models.Store {
	t.Helper()
	return Open(t, PostgresURL(t))
}

// Open opens the database, without migrating it, and closes it at the end of the test. Two Stores on one address are two processes to
// the database.
func Open(t testing.TB, url string) *models.Store {
	t.Helper()
	s, err := models.Open(t.Context(), models.Options{URL: url, MaxConns: 4})
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close test database: %v", err)
		}
	})
	return s
}

// SQLiteURL is the address of a new file with the schema in place.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	template, err := mine(t).sqlite()
	if err != nil {
		t.Fatalf("make test database: %v", err)
	}
	path := filepath.Join(t.TempDir(), "kefu.db")
	if err := copyFile(path, template); err != nil {
		t.Fatalf("make test database: %v", err)
	}
	return path
}

// PostgresURL is the address of a new PostgreSQL database with the schema in place, dropped at the end of the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	return postgresURL(t, true)
}

// EmptyPostgresURL is the address of a new PostgreSQL database without a schema, dropped at the end of the test.
func EmptyPostgresURL(t testing.TB) string {
	t.Helper()
	return postgresURL(t, false)
}

func postgresURL(t testing.TB, migrated bool) string {
	t.Helper()
	c, err := mine(t).postgres()
	if err != nil {
		t.Fatal(err)
	}
	url, drop, err := c.create(migrated)
	if err != nil {
		t.Fatalf("make test database: %v", err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	return url
}

func (r *run) makeSQLite() (string, error) {
	path := filepath.Join(r.dir, "template.db")
	return path, migrate(path)
}

// migrate puts the schema into the database.
func migrate(url string) error {
	s, err := models.Open(context.Background(), models.Options{URL: url})
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(context.Background()), s.Close())
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
