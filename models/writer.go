package models

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
)

const (
	// maxBatch bounds how many transactions share one commit, and so how many a lost commit takes with it.
	maxBatch = 128
	// nestedAfter is how long a job waits before it asks whether its caller is the writer itself. Asking costs up to 20 µs, waiting for
	// oneself lasts forever.
	nestedAfter = 100 * time.Millisecond
)

// writer is the one goroutine that writes a SQLite file: with one connection the disk is asked once for many transactions, and nobody
// waits unfairly for a lock.
type writer struct {
	core *core
	pool *sql.DB
	done chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	arrived *sync.Cond
	queue   []*job
	ended   bool

	goroutine atomic.Uint64 // its id

	// Below: only the writer's goroutine.
	conn  *sql.Conn           // nil: to be opened by the next batch
	raw   *sqlite3.SQLiteConn // the driver's side of conn
	batch []*job
	lost  error // why the batch's transaction is gone

	hook func(control string) error // tests make BEGIN, SAVEPOINT, COMMIT … fail here; nil otherwise
}

// job is one transaction on its way.
type job struct {
	ctx   context.Context
	fn    func(tx *Store) error
	store *Store
	state atomic.Int32
	err   error
	done  chan struct{} // closed when err is final
}

// A job is taken by the writer or left by its caller, whoever is first.
const (
	jobWaits int32 = iota
	jobStarted
	jobLeft
)

func (j *job) start() bool { return j.state.CompareAndSwap(jobWaits, jobStarted) }
func (j *job) leave() bool { return j.state.CompareAndSwap(jobWaits, jobLeft) }

func (j *job) answer(err error) {
	j.err = err
	close(j.done)
}

func newWriter(c *core) *writer {
	w := &writer{core: c, pool: c.writePool, done: make(chan struct{})}
	w.arrived = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// end lets the writer finish what waits and returns when it has.
func (w *writer) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.arrived.Signal()
	<-w.done
}

// do runs fn in a transaction and returns when it is committed or has failed: see Store.InTx.
func (w *writer) do(ctx context.Context, fn func(tx *Store) error) error {
	j, err := w.enqueue(ctx, fn)
	if err != nil {
		return err
	}
	return w.await(j)
}

func (w *writer) enqueue(ctx context.Context, fn func(tx *Store) error) (*job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return nil, ErrClosed
	}
	w.queue = append(w.queue, j)
	w.mu.Unlock()
	w.arrived.Signal()
	return j, nil
}

// await returns a job's answer. When the caller's context ends first, it leaves the queue; a job that has started is waited for.
func (w *writer) await(j *job) error {
	suspicion := time.NewTimer(nestedAfter)
	defer suspicion.Stop()
	ended := j.ctx.Done()
	for {
		select {
		case <-j.done:
			if j.err == nil {
				j.store.tx.committed()
			}
			return j.err
		case <-ended:
			if j.leave() {
				return j.ctx.Err()
			}
			ended = nil
		case <-suspicion.C:
			// The outer Store was used inside a transaction: the writer waits for itself.
			if goroutineID() == w.goroutine.Load() && j.leave() {
				return ErrNestedTx
			}
		}
	}
}

// run is the writer's goroutine.
func (w *writer) run() {
	ended := false
	defer func() {
		if ended {
			close(w.done)
			return
		}
		// A function called runtime.Goexit, as t.FailNow does in a test. That cannot be stopped, but nobody shall wait forever for a
		// writer that is gone: what it held fails, and another goroutine takes over.
		w.fail(errors.New("a function in the batch ended its goroutine (runtime.Goexit)"))
		go w.run()
	}()
	w.goroutine.Store(goroutineID())
	for w.take() {
		w.runBatch()
		// Those just answered often have their next transaction at hand: letting them run first makes fuller batches (a fifth more
		// transactions per second at 32 clients, a third more at 8) and costs nothing when nobody is there.
		runtime.Gosched()
	}
	if w.conn != nil {
		_ = w.conn.Close() // back to its pool, which is closed next
	}
	ended = true
}

// take waits for jobs and moves those that wait into the batch. It returns false when the writer shall end and nothing is left.
func (w *writer) take() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 {
		if w.ended {
			return false
		}
		w.arrived.Wait()
	}
	n := min(len(w.queue), maxBatch)
	w.batch = append(w.batch[:0], w.queue[:n]...)
	w.queue = slices.Delete(w.queue, 0, n)
	return true
}

// goroutineID is the number of the calling goroutine. Go offers no other way than to read it off a stack trace; it is used only to
// recognise a writer that waits for itself.
func goroutineID() uint64 {
	var buf [32]byte
	text := buf[:runtime.Stack(buf[:], false)]
	text = bytes.TrimPrefix(text, []byte("goroutine "))
	digits, _, _ := bytes.Cut(text, []byte(" "))
	id, _ := strconv.ParseUint(string(digits), 10, 64) // 0 is no goroutine's number
	return id
}
