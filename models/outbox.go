package models

import (
	"context"
	"fmt"
	"time"
)

// OutboxRow is a message that is still to be sent. It is deleted when the message has a final state.
type OutboxRow struct {
	ID         int64
	SessionID  int64
	MessageID  int64
	ChannelID  int64
	NextAt     time.Time
	Attempts   int
	Faceless   bool
	LeaseOwner string
	LeaseUntil *time.Time
	CreatedAt  time.Time
}

// TableName of outbox rows.
func (OutboxRow) TableName() string { return "outbox" }

// AddOutbox queues the message for sending, in the transaction that stored it.
func (s *Store) AddOutbox(ctx context.Context, o OutboxRow) error {
	if err := s.write(ctx, func(db *DB) error { return db.Create(&o).Error }); err != nil {
		return fmt.Errorf("queue message %d: %w", o.MessageID, err)
	}
	return nil
}

// LeaseOutbox takes up to n rows that may go now: the head of each session's line, due, on a channel that is not paused. A taken row is
// the owner's until the lease ends; its message is marked sending.
func (s *Store) LeaseOutbox(ctx context.Context, owner string, now, until time.Time, n int) ([]OutboxRow, error) {
	var rows []OutboxRow
	err := s.write(ctx, func(db *DB) error {
		skip := ""
		if s.Dialect() == Postgres {
			skip = "FOR UPDATE OF o SKIP LOCKED"
		}
		err := db.Raw(`UPDATE outbox SET lease_owner = ?, lease_until = ?, attempts = attempts + 1 WHERE id IN (
			SELECT o.id FROM outbox o JOIN channels c ON c.id = o.channel_id
			 WHERE o.next_at <= ? AND o.lease_owner = '' AND (c.paused_until IS NULL OR c.paused_until <= ?)
			   AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.session_id = o.session_id AND e.id < o.id)
			 ORDER BY o.next_at, o.id LIMIT ? `+skip+`) RETURNING *`, owner, until, now, now, n).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]int64, len(rows))
		for i, r := range rows {
			ids[i] = r.MessageID
		}
		return db.Exec("UPDATE messages SET state = 'sending', retry_at = NULL, updated_at = ? WHERE id IN ?", now, ids).Error
	})
	if err != nil {
		return nil, fmt.Errorf("lease outbox: %w", err)
	}
	return rows, nil
}

// FinishOutbox removes the row that the owner holds and reports whether it was still there.
func (s *Store) FinishOutbox(ctx context.Context, id int64, owner string) (bool, error) {
	return s.oneOutbox(ctx, "DELETE FROM outbox WHERE id = ? AND lease_owner = ?", id, owner)
}

// RepeatOutbox gives the row back for another try at next and reports whether it was still the owner's.
func (s *Store) RepeatOutbox(ctx context.Context, id int64, owner string, next time.Time, faceless bool) (bool, error) {
	return s.oneOutbox(ctx, "UPDATE outbox SET lease_owner = '', lease_until = NULL, next_at = ?, faceless = ? WHERE id = ? AND lease_owner = ?", next, faceless, id, owner)
}

// TakeBackOutbox removes a message that nobody is sending right now from the line and reports whether it was still there.
func (s *Store) TakeBackOutbox(ctx context.Context, messageID int64) (bool, error) {
	return s.oneOutbox(ctx, "DELETE FROM outbox WHERE message_id = ? AND lease_owner = ''", messageID)
}

// LetOthersPass puts a waiting message behind the others of its session and reports whether it could. The row gets a new id: order is
// by id.
func (s *Store) LetOthersPass(ctx context.Context, messageID int64) (bool, error) {
	var rows []OutboxRow
	err := s.write(ctx, func(db *DB) error {
		err := db.Raw("DELETE FROM outbox WHERE message_id = ? AND lease_owner = '' RETURNING *", messageID).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		rows[0].ID = 0
		return db.Create(&rows[0]).Error
	})
	if err != nil {
		return false, fmt.Errorf("let others pass message %d: %w", messageID, err)
	}
	return len(rows) == 1, nil
}

// DropParts removes the later parts of a reply from the line, because an earlier part failed for good, and returns their messages.
func (s *Store) DropParts(ctx context.Context, m Message) ([]int64, error) {
	var ids []int64
	err := s.write(ctx, func(db *DB) error {
		return db.Raw(`DELETE FROM outbox WHERE lease_owner = '' AND message_id IN
			(SELECT id FROM messages WHERE session_id = ? AND id > ? AND id <= ? AND parts = ? AND part > ? AND state = 'queued' AND agent_id = ?) RETURNING message_id`,
			m.SessionID, m.ID, m.ID+int64(m.Parts), m.Parts, m.Part, m.AgentID).Scan(&ids).Error
	})
	if err != nil {
		return nil, fmt.Errorf("drop parts after message %d: %w", m.ID, err)
	}
	return ids, nil
}

// LostLeases lists rows whose owner did not come back: the lease ended, or (with others) it belongs to somebody else than the owner, who
// is known to be the only one alive.
func (s *Store) LostLeases(ctx context.Context, now time.Time, owner string, others bool) ([]OutboxRow, error) {
	var rows []OutboxRow
	err := s.db(ctx).Raw("SELECT * FROM outbox WHERE lease_owner <> '' AND (lease_until < ? OR (? AND lease_owner <> ?)) ORDER BY id LIMIT 1000", now, others, owner).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("lost leases: %w", err)
	}
	return rows, nil
}

// OutboxNext is when the next unleased row falls due; false when there is none.
func (s *Store) OutboxNext(ctx context.Context) (time.Time, bool, error) {
	var rows []OutboxRow
	err := s.db(ctx).Raw("SELECT * FROM outbox WHERE lease_owner = '' ORDER BY next_at LIMIT 1").Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return rows[0].NextAt, true, nil
}

// OutboxLength counts what is still to be sent.
func (s *Store) OutboxLength(ctx context.Context) (int64, error) {
	var n int64
	err := s.db(ctx).Model(&OutboxRow{}).Count(&n).Error
	return n, err
}

func (s *Store) oneOutbox(ctx context.Context, sql string, args ...any) (bool, error) {
	var one bool
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec(sql, args...)
		one = res.RowsAffected == 1
		return res.Error
	})
	if err != nil {
		return false, fmt.Errorf("outbox: %w", err)
	}
	return one, nil
}
