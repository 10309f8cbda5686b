package models

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mattn/go-sqlite3"
)

// slowTx is when a function has kept all other writers waiting for so long that the log should know.
const slowTx = 200 * time.Millisecond

// runBatch does the jobs of w.batch in one transaction, each in a SAVEPOINT of its own, and answers every one of them. No job is
// answered before the commit, failed ones neither: what a job saw, and refused because of it, may be undone with the rest.
func (w *writer) runBatch() {
	w.lost = nil
	w.dropEnded()
	if len(w.batch) == 0 {
		return
	}
	if err := w.begin(); err != nil {
		w.fail(err)
		return
	}
	alone := len(w.batch) == 1 // then the transaction itself is all the savepoint it needs
	failed := 0
	for _, j := range w.batch {
		if j.err = w.runJob(j, alone); j.err != nil {
			failed++
		}
		if w.lost != nil {
			w.fail(w.lost)
			return
		}
	}
	end := "COMMIT"
	if failed == len(w.batch) {
		end = "ROLLBACK"
	}
	if err := w.control(end); err != nil {
		w.fail(fmt.Errorf("commit: %w", err))
		return
	}
	for _, j := range w.batch {
		j.answer(j.err)
	}
	w.forget()
}

// dropEnded takes the jobs out of the batch whose callers have gone, and starts the others: from here on they are waited for.
func (w *writer) dropEnded() {
	w.batch = slices.DeleteFunc(w.batch, func(j *job) bool {
		if err := j.ctx.Err(); err != nil {
			if j.start() { // its caller has not noticed yet
				j.answer(err)
			}
			return true
		}
		return !j.start()
	})
}

func (w *writer) begin() error {
	if err := w.connect(); err != nil {
		return err
	}
	if err := w.control("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return nil
}

// runJob does one job inside the batch's transaction. Its error is the job's own; what befell the whole batch is in w.lost.
func (w *writer) runJob(j *job, alone bool) error {
	if !alone {
		if err := w.control("SAVEPOINT job"); err != nil {
			w.lost = fmt.Errorf("savepoint: %w", err)
			return nil
		}
	}
	conn := &txConn{inner: w.conn, writer: w}
	defer conn.over.Store(true)
	j.store = w.core.begun(conn)
	began := time.Now()
	err := protect(j.fn, j.store)
	if took := time.Since(began); took > slowTx {
		w.core.log.WarnContext(j.ctx, "slow transaction", "ms", took.Milliseconds())
	}
	w.note(err)
	if w.alive() != nil || alone {
		return err
	}
	if err != nil {
		if undo := w.control("ROLLBACK TO job"); undo != nil {
			w.lost = fmt.Errorf("undo one transaction of the batch: %w", undo)
			return err
		}
	}
	if release := w.control("RELEASE job"); release != nil {
		w.lost = fmt.Errorf("release savepoint: %w", release)
	}
	return err
}

// fail undoes the batch, gives the error to every job in it and has the connection replaced. A job's own error goes along as text
// only: it may rest on what was just undone, so nobody shall take it for a decision.
func (w *writer) fail(err error) {
	w.disconnect()
	w.core.log.Error("transactions rolled back together", "transactions", len(w.batch), "err", err)
	err = explain(err)
	for _, j := range w.batch {
		if j.err != nil {
			j.answer(fmt.Errorf("batch rolled back: %w (own error: %v)", err, j.err))
			continue
		}
		j.answer(fmt.Errorf("batch rolled back: %w", err))
	}
	w.forget()
}

// forget lets go of jobs that are answered.
func (w *writer) forget() {
	clear(w.batch)
	w.batch = w.batch[:0]
}

// control executes a statement that steers the transaction.
func (w *writer) control(statement string) error {
	if w.hook != nil {
		if err := w.hook(statement); err != nil {
			return err
		}
	}
	_, err := w.conn.ExecContext(context.Background(), statement)
	return err
}

// explain gives the faults an operator can act on a name of ours.
func explain(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrFull {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// protect runs fn, writes the events it emitted, and turns a panic into an error.
func protect(fn func(tx *Store) error, tx *Store) (err error) {
	finished := false
	defer func() {
		if finished {
			return
		}
		// With runtime.Goexit there is nothing to recover and the goroutine goes on to end: run deals with it.
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	if err = fn(tx); err == nil {
		err = tx.writeEmitted()
	}
	finished = true
	return err
}
