package models

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Dialect says which database a Store talks to. Queries that need to differ ask for it; everything else is one text for both.
type Dialect int

// The databases we run on.
const (
	SQLite Dialect = iota + 1
	Postgres
)

func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case Postgres:
		return "postgres"
	default:
		return fmt.Sprintf("Dialect(%d)", int(d))
	}
}

// parseURL tells the dialect and the place of a database address: a file's path for SQLite, the address itself for PostgreSQL.
func parseURL(address string) (Dialect, string, error) {
	scheme, rest, found := strings.Cut(address, "://")
	switch {
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return Postgres, address, nil
	case found && scheme != "sqlite":
		return 0, "", fmt.Errorf("database address: unknown scheme %q, want a file, sqlite:// or postgres://", scheme)
	}
	path := address
	if found {
		unescaped, err := url.PathUnescape(rest)
		if err != nil {
			return 0, "", fmt.Errorf("database address: %w", err)
		}
		path = unescaped
	}
	if path == "" || strings.Contains(path, ":memory:") {
		return 0, "", fmt.Errorf("database address %q names no file", address)
	}
	abs, err := filepath.Abs(path) // a later change of the working folder must not lead a new connection to another file
	if err != nil {
		return 0, "", fmt.Errorf("database address: %w", err)
	}
	return SQLite, abs, nil
}

// The settings of SQLite's connections. FULL, because the platform is told "received" after the commit, and NORMAL may forget a commit
// when the power fails. IMMEDIATE, because a transaction that reads before it writes is otherwise refused at once with "database is
// locked", whatever the busy time-out.
const (
	writerSettings = "_journal_mode=WAL&_busy_timeout=10000&_synchronous=FULL&_txlock=immediate&_foreign_keys=on" +
		"&_cache_size=-16000&_stmt_cache_size=128"
	readerSettings = "_query_only=true&_busy_timeout=10000&_txlock=deferred&_foreign_keys=on&_cache_size=-8000&_stmt_cache_size=64"
	// A migration that rebuilds a table drops the old one; with foreign keys on that would delete every row that refers to it.
	migrationSettings = "_journal_mode=WAL&_busy_timeout=10000&_synchronous=FULL&_txlock=immediate&_foreign_keys=off"

	readers = 4
)

// sqliteDSN is the data source name of a file with the given settings. The path is escaped, so that a ? or # in it is not taken for
// the start of the settings.
func sqliteDSN(path, settings string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + settings
}

// openSQLite opens a pool of n connections that are never closed for age.
func openSQLite(path, settings string, n int) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", sqliteDSN(path, settings))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// createPrivate makes an empty file that only its owner may read, unless it exists. SQLite gives its own mode to a file it creates, and
// the WAL takes the mode of the database: customers' messages are not for other users of the machine.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	return f.Close()
}

// pool is what GORM sees as its connection outside a transaction. It has no Begin on purpose: InTx is the only way to a transaction.
type pool struct{ db *sql.DB }

func (p pool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return p.db.PrepareContext(ctx, query)
}

func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.db.ExecContext(ctx, query, stampArgs(args)...)
}

func (p pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.db.QueryContext(ctx, query, stampArgs(args)...)
}

func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.db.QueryRowContext(ctx, query, stampArgs(args)...)
}
