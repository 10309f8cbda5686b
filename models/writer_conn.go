package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"
)

// txConn is what GORM sees as its connection inside a transaction. It cuts contexts loose, gives times their stored form, refuses work
// after the end of the transaction and, on SQLite, watches whether the transaction shared by the batch is still there.
type txConn struct {
	inner  gorm.ConnPool // *sql.Conn of the writer, *sql.Tx of PostgreSQL
	writer *writer       // nil on PostgreSQL
	over   atomic.Bool
}

var (
	_ gorm.ConnPool    = (*txConn)(nil)
	_ gorm.TxCommitter = (*txConn)(nil) // tells GORM that this is a transaction, so that a nested one is a SAVEPOINT
)

// ready refuses a statement that would not be part of the transaction. On SQLite that is not a formality: after a fault that rolled
// everything back, the next statement would be committed alone.
func (c *txConn) ready() error {
	if c.over.Load() {
		return ErrTxOver
	}
	if c.writer != nil {
		return c.writer.alive()
	}
	return nil
}

func (c *txConn) note(err error) {
	if c.writer != nil {
		c.writer.note(err)
	}
}

func (c *txConn) PrepareContext(_ context.Context, _ string) (*sql.Stmt, error) {
	return nil, errors.New("prepared statements outlive the transaction: not supported")
}

func (c *txConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	res, err := c.inner.ExecContext(loose(ctx), query, stampArgs(args)...)
	c.note(err)
	return res, err
}

func (c *txConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	rows, err := c.inner.QueryContext(loose(ctx), query, stampArgs(args)...)
	c.note(err)
	return rows, err
}

func (c *txConn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if err := c.ready(); err != nil {
		// A sql.Row that carries an error can only come from database/sql itself: a context that has ended makes one.
		ended, cancel := context.WithCancelCause(context.Background())
		cancel(err)
		return c.inner.QueryRowContext(ended, query, args...)
	}
	row := c.inner.QueryRowContext(loose(ctx), query, stampArgs(args)...)
	c.note(row.Err())
	return row
}

// Commit is not for the function inside: InTx commits.
func (c *txConn) Commit() error { return errors.New("commit inside InTx") }

// Rollback is not for the function inside: it returns an error instead.
func (c *txConn) Rollback() error { return errors.New("rollback inside InTx: return an error") }

func loose(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// connect makes sure that the writer has a connection.
func (w *writer) connect() error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.pool.Conn(context.Background())
	if err != nil {
		return fmt.Errorf("open a connection for writing: %w", err)
	}
	// What a SAVEPOINT may have to undo is kept in memory: by default SQLite writes it to a file in /var/tmp from 64 KiB on, which every
	// batch of transactions reaches.
	if _, err := conn.ExecContext(context.Background(), "PRAGMA temp_store = MEMORY"); err != nil {
		conn.Close()
		return fmt.Errorf("open a connection for writing: %w", err)
	}
	// Keeping the driver's connection beyond Raw is safe here: nothing but the writer uses it, and disconnect forgets both together.
	err = conn.Raw(func(dc any) error {
		w.raw = dc.(*sqlite3.SQLiteConn)
		return nil
	})
	if err != nil {
		conn.Close()
		return fmt.Errorf("open a connection for writing: %w", err)
	}
	w.conn = conn
	return nil
}

// disconnect undoes an open transaction and throws the connection away; the next batch opens a new one.
func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	// SQLite may have rolled back already, then this fails; and if it fails otherwise, closing the connection does the same.
	_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // has database/sql close it instead of keeping it
	_ = w.conn.Close()                                           // says that it is closed already
	w.conn, w.raw = nil, nil
}

// alive reports why the batch's transaction is gone, nil while it is there.
func (w *writer) alive() error {
	if w.lost == nil && w.raw.AutoCommit() {
		w.lost = errors.New("SQLite ended the transaction by itself")
	}
	if w.lost != nil {
		return fmt.Errorf("transaction is lost: %w", w.lost)
	}
	return nil
}

// note remembers an error after which the whole batch is lost, even when the function that met it swallows it.
func (w *writer) note(err error) {
	if err != nil && w.lost == nil && losesBatch(err) {
		w.lost = err
	}
}

// losesBatch reports whether after this error the transaction cannot be trusted: SQLite rolls back the whole of it, or may have done so
// (https://www.sqlite.org/lang_transaction.html, "response to errors within a transaction"), or the connection is gone.
func losesBatch(err error) bool {
	var e sqlite3.Error
	if errors.As(err, &e) {
		switch e.Code {
		case sqlite3.ErrInterrupt, sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrNomem, sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
			return true
		}
		return false
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}
