package models

import (
	"context"
	"fmt"
	"time"
)

// EventKind says what changed.
type EventKind string

const (
	EventMessage  EventKind = "message"  // a message came, went, or changed its state
	EventSession  EventKind = "session"  // a session was opened, assigned, closed …
	EventRead     EventKind = "read"     // the holder has read a session
	EventPresence EventKind = "presence" // an agent came or went
	EventAgent    EventKind = "agent"    // an agent's rights, groups or preferences changed
	EventLogin    EventKind = "login"    // a log-in of the agent ended
	EventChannel  EventKind = "channel"  // a channel's settings or alarm changed
)

// Event is a line of the journal that open pages follow: what changed, never the content. Ids rise in the order of commits.
type Event struct {
	ID        int64
	Kind      EventKind
	SessionID int64
	MessageID int64
	AgentID   int64
	GroupID   int64
	At        time.Time
}

// Emit writes the event in this transaction and pokes the listeners after its commit.
func (s *Store) Emit(ctx context.Context, e Event) error {
	if s.emitted != nil {
		*s.emitted = append(*s.emitted, e)
		return nil
	}
	return s.InTx(ctx, func(tx *Store) error { return tx.Emit(ctx, e) })
}

// EventsAfter lists events with an id above the cursor, oldest first.
func (s *Store) EventsAfter(ctx context.Context, id int64, limit int) ([]Event, error) {
	var list []Event
	if err := s.db(ctx).Where("id > ?", id).Order("id").Limit(limit).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("events after %d: %w", id, err)
	}
	return list, nil
}

// EventBounds are the oldest and newest ids there are; both 0 when there are none.
func (s *Store) EventBounds(ctx context.Context) (oldest, newest int64, err error) {
	var b struct{ Oldest, Newest int64 }
	err = s.db(ctx).Raw(`SELECT COALESCE((SELECT MIN(id) FROM events), 0) AS oldest, COALESCE((SELECT MAX(id) FROM events), 0) AS newest`).Scan(&b).Error
	if err != nil {
		return 0, 0, fmt.Errorf("event bounds: %w", err)
	}
	return b.Oldest, b.Newest, nil
}

// PruneEvents deletes up to n events that are older than before and beyond the newest keep, and reports how many went. The newest
// event always stays, so that a cursor can be told from a foreign one.
func (s *Store) PruneEvents(ctx context.Context, before time.Time, keep int64, n int) (int64, error) {
	var gone int64
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec(`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? AND id <= (SELECT MAX(id) FROM events) - ? ORDER BY id LIMIT ?)`,
			before, max(keep, 1), n)
		gone = res.RowsAffected
		return res.Error
	})
	if err != nil {
		return 0, fmt.Errorf("prune events: %w", err)
	}
	return gone, nil
}

// Setting is the stored value of the key; empty when there is none.
func (s *Store) Setting(ctx context.Context, key string) (string, error) {
	var values []string
	if err := s.db(ctx).Raw("SELECT value FROM settings WHERE key = ?", key).Scan(&values).Error; err != nil {
		return "", fmt.Errorf("setting %s: %w", key, err)
	}
	if len(values) == 0 {
		return "", nil
	}
	return values[0], nil
}

// SetSetting stores the value under the key.
func (s *Store) SetSetting(ctx context.Context, key, value string) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec("INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value).Error
	})
	if err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	return nil
}
