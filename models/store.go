// Package models is the only place that knows the database: tables, typed states, queries, migrations, and the writer that commits
// them. It runs on SQLite (one file) and on PostgreSQL with the same queries and the same tests. It decides nothing: the rules are in
// desk, which asks for a transaction and calls the verbs of this package in it.
package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// Options say which database to open and how.
type Options struct {
	URL string       // "path/to/file", "sqlite:///path/to/file" or "postgres://…"
	Log *slog.Logger // slow statements and the writer's troubles; nil is silent

	// Now fills columns that GORM stamps by itself (CreatedAt, UpdatedAt) when the caller left them empty. Nil is the machine's clock.
	Now func() time.Time
	// MaxConns limits the connections to PostgreSQL, once for reading and once for writing; 0 means 16. SQLite has 4 and 1.
	MaxConns int

	migrations fs.FS // tests bring their own; nil is the embedded ones
}

// DB is GORM's handle, under the name the files of this package use for it.
type DB = gorm.DB

// Store is the database. Outside a transaction every method is one step of its own; the Store that InTx hands to its function does the
// same methods inside that transaction. The outer one may be used from many goroutines, the inner one from one at a time.
type Store struct {
	*core
	tx      *txState // nil outside a transaction
	emitted *[]Event // what Emit has collected for the end of this transaction; nil outside one
}

// core is what a Store and the Stores of its transactions share.
type core struct {
	dialect    Dialect
	place      string // the file of SQLite, the address of PostgreSQL
	log        *slog.Logger
	migrations fs.FS

	gorm      *gorm.DB // reads outside a transaction; sessions of it on another connection are the transactions
	readPool  *sql.DB
	writePool *sql.DB
	writer    *writer // nil on PostgreSQL

	listeners listeners // of events

	closing  sync.Once
	isClosed atomic.Bool
	closed   error // what Close returns
}

// txState is the transaction a Store works in.
type txState struct {
	conn   *txConn
	events []Event  // to be written before the commit
	hooks  []func() // to be called after it, in the order of AfterCommit
}

// begun is the Store that works on conn, for the function of InTx.
func (c *core) begun(conn *txConn) *Store {
	t := &txState{conn: conn}
	return &Store{core: c, tx: t, emitted: &t.events}
}

// Open opens the database and starts its writer; Close ends both. It creates a missing SQLite file but no tables: see Migrate. It
// returns ErrNoFTS5 when the program lacks full-text search, so that a wrong build is noticed at start and not at the first search.
func Open(ctx context.Context, o Options) (*Store, error) {
	dialect, place, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	c := &core{dialect: dialect, place: place, log: o.Log, migrations: o.migrations}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.migrations == nil {
		c.migrations = embeddedMigrations
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	config := &gorm.Config{
		SkipDefaultTransaction: true, // every write is inside InTx already
		TranslateError:         true,
		DisableAutomaticPing:   true,
		Logger:                 queryLog{c.log},
		NowFunc:                func() time.Time { return Stamp(now()) },
	}
	if dialect == SQLite {
		err = c.openSQLite(ctx, config)
	} else {
		err = c.openPostgres(ctx, config, o.MaxConns)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return &Store{core: c}, nil
}

func (c *core) openSQLite(ctx context.Context, config *gorm.Config) error {
	if err := createPrivate(c.place); err != nil {
		return err
	}
	var err error
	if c.writePool, err = openSQLite(c.place, writerSettings, 1); err != nil {
		return err
	}
	var fts5 bool
	// The first statement of the writer's pool also turns the file to WAL, before a reader looks at it.
	if err := c.writePool.QueryRowContext(ctx, "SELECT sqlite_compileoption_used('ENABLE_FTS5')").Scan(&fts5); err != nil {
		return fmt.Errorf("open %s: %w", c.place, err)
	}
	if !fts5 {
		return ErrNoFTS5
	}
	if c.readPool, err = openSQLite(c.place, readerSettings, readers); err != nil {
		return err
	}
	if c.gorm, err = gorm.Open(sqlite.New(sqlite.Config{Conn: pool{c.readPool}}), config); err != nil {
		return fmt.Errorf("open %s: %w", c.place, err)
	}
	c.writer = newWriter(c)
	return nil
}

// Close ends the writer and closes the connections. Transactions that already wait are still done and answered; later ones get
// ErrClosed. It may be called more than once.
func (s *Store) Close() error {
	if s.tx != nil {
		return ErrNestedTx
	}
	return s.close()
}

func (c *core) close() error {
	c.closing.Do(func() {
		c.isClosed.Store(true)
		var errs []error
		if c.writer != nil {
			c.writer.end()
		}
		if c.readPool != nil {
			errs = append(errs, c.readPool.Close())
		}
		// The writer's connection goes last: whoever closes a SQLite file last writes the WAL back into it.
		if c.writePool != nil {
			errs = append(errs, c.writePool.Close())
		}
		c.closed = errors.Join(errs...)
	})
	return c.closed
}

// Dialect says which database this is.
func (s *Store) Dialect() Dialect { return s.dialect }

// InTx runs fn in one transaction: all of it is stored when InTx returns nil, nothing of it otherwise. It is the only way to several
// writes that belong together. Inside, use tx and never the outer Store.
//
// On SQLite a single goroutine writes: it takes what waits, up to 128 transactions, runs them one after the other and commits them
// together. So fn keeps all others waiting: no network, no hashing, no files in it, and bulk work in pieces of 20 ms or less. ctx counts
// only until fn starts (then InTx returns its error and fn never runs); once fn runs nothing cuts it short, because on SQLite that would
// undo the transactions of others. On PostgreSQL fn may run again, up to four times, when the database asks for it (serialization
// failure, deadlock): what it sets outside the database it sets anew each time.
//
// An error of fn is returned as it is, a panic as *PanicError. If the commit fails, or SQLite loses the common transaction to a full
// disk, an I/O error, lack of memory or an interruption, everyone in it gets that error. InTx inside InTx is ErrNestedTx.
func (s *Store) InTx(ctx context.Context, fn func(tx *Store) error) error {
	switch {
	case s.tx != nil:
		return ErrNestedTx
	case s.writer != nil:
		return s.writer.do(ctx, fn)
	default:
		return s.inPostgresTx(ctx, fn)
	}
}

// AfterCommit has f called once the transaction is committed, by the goroutine that called InTx, before InTx returns; several in their
// order. Nothing is called when the transaction fails. Outside a transaction f is called at once. It is for hints, such as waking a
// worker: f cannot fail the transaction any more, and it must not block.
func (s *Store) AfterCommit(f func()) {
	if s.tx == nil {
		f()
		return
	}
	s.tx.hooks = append(s.tx.hooks, f)
}

// committed calls the hooks of a transaction that is stored.
func (t *txState) committed() {
	for _, f := range t.hooks {
		f()
	}
}

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.db(ctx).Raw("SELECT 1").Scan(&one).Error; err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// CheckWritable commits a tiny change and so notices what Ping cannot: a full disk (ErrDiskFull), a file turned read-only, a writer
// that is stuck (ctx's error). The schema must be there.
func (s *Store) CheckWritable(ctx context.Context) error {
	err := s.write(ctx, func(db *DB) error {
		// The value alternates, so that the row really changes each time.
		return db.Exec("INSERT INTO settings (key, value) VALUES ('readiness', '0') ON CONFLICT (key) DO UPDATE " +
			"SET value = CASE settings.value WHEN '0' THEN '1' ELSE '0' END").Error
	})
	if err != nil {
		return fmt.Errorf("check that the database can be written: %w", err)
	}
	return nil
}

// db is the handle for a query: in a transaction its connection, else the connections for reading, which refuse to write.
func (s *Store) db(ctx context.Context) *DB {
	if s.tx == nil {
		return s.gorm.WithContext(ctx)
	}
	// Cut loose: a context that ends inside would interrupt SQLite and undo the work of others with it. txConn insists on it.
	db := s.gorm.Session(&gorm.Session{NewDB: true, Context: context.WithoutCancel(ctx)})
	db.Statement.ConnPool = s.tx.conn
	return db
}

// write runs the writing statements of fn: in the transaction s is in, or else in one of their own.
func (s *Store) write(ctx context.Context, fn func(db *DB) error) error {
	if s.tx != nil {
		return fn(s.db(ctx))
	}
	return s.InTx(ctx, func(tx *Store) error { return fn(tx.db(ctx)) })
}

// attempt runs statements whose failure is expected and survived: when fn returns an error, only what fn did is undone and the
// transaction goes on, on both databases. (Without it PostgreSQL refuses every statement after a failed one.) Only inside a transaction.
func (s *Store) attempt(ctx context.Context, fn func(db *DB) error) error {
	if s.tx == nil {
		return errors.New("attempt outside a transaction")
	}
	return s.db(ctx).Transaction(fn) // txConn has no Begin, so GORM sets a SAVEPOINT
}
