package models

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// eventLock is the advisory lock under which PostgreSQL gives events their ids: any number, the same in all processes.
const eventLock = 0x6b656675

// OnEvents has f called after every commit of this process that wrote events, by the goroutine whose InTx it was; f must not block. It
// is a hint to look at EventsAfter, and it tells nothing of other processes' commits. stop ends it.
func (s *Store) OnEvents(f func()) (stop func()) { return s.listeners.add(f) }

// writeEmitted writes the events of this transaction, as its last step. On PostgreSQL it takes a lock that is held until the commit:
// ids rise in the order of commits, so that a reader who has seen an id never misses a lower one that is committed later.
func (s *Store) writeEmitted() error {
	events := s.tx.events
	if len(events) == 0 {
		return nil
	}
	ctx := context.Background() // inside a transaction nothing is cut short
	if s.dialect == Postgres {
		if err := s.db(ctx).Exec("SELECT pg_advisory_xact_lock(?)", eventLock).Error; err != nil {
			return fmt.Errorf("lock events: %w", err)
		}
	}
	for piece := range slices.Chunk(events, eventsAtOnce) {
		if err := s.insertEvents(ctx, piece); err != nil {
			return fmt.Errorf("write events: %w", err)
		}
	}
	s.AfterCommit(s.listeners.call)
	return nil
}

// eventsAtOnce bounds the parameters of one INSERT, far below what either database takes.
const eventsAtOnce = 100

// insertEvents is written out, because nearly every transaction ends with it: the ids are not read back, and nothing is looked up by
// reflection.
func (s *Store) insertEvents(ctx context.Context, events []Event) error {
	args := make([]any, 0, 6*len(events))
	for _, e := range events {
		args = append(args, e.Kind, e.SessionID, e.MessageID, e.AgentID, e.GroupID, e.At)
	}
	return s.db(ctx).Exec("INSERT INTO events (kind, session_id, message_id, agent_id, group_id, at) VALUES (?, ?, ?, ?, ?, ?)"+
		strings.Repeat(", (?, ?, ?, ?, ?, ?)", len(events)-1), args...).Error
}

// listeners are the functions of OnEvents.
type listeners struct {
	mu    sync.Mutex
	next  int
	funcs []listener // replaced, never changed: call walks over it without the lock
}

type listener struct {
	id int
	f  func()
}

func (l *listeners) add(f func()) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	id := l.next
	l.funcs = append(slices.Clone(l.funcs), listener{id, f})
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.funcs = slices.DeleteFunc(slices.Clone(l.funcs), func(x listener) bool { return x.id == id })
	}
}

func (l *listeners) call() {
	l.mu.Lock()
	funcs := l.funcs
	l.mu.Unlock()
	for _, x := range funcs {
		x.f()
	}
}
