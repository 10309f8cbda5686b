package models

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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

// LeaseOutbox takes up to n rows of the channel that may go now: due, the head of their session's line, with nothing of that session on its
// way, and the channel not paused. A taken row is the owner's until the lease ends; its message is marked sending, its try counted.
func (s *Store) LeaseOutbox(ctx context.Context, owner string, channelID int64, now, until time.Time, n int) ([]OutboxRow, error) {
	var rows []OutboxRow
	err := s.write(ctx, func(db *DB) error {
		skip := ""
		if s.Dialect() == Postgres {
			skip = "FOR UPDATE OF o SKIP LOCKED"
		}
		err := db.Raw(`WITH heads AS (
			SELECT o.id FROM outbox o JOIN channels c ON c.id = o.channel_id
			 WHERE o.channel_id = ? AND o.next_at <= ? AND (c.paused_until IS NULL OR c.paused_until <= ?) AND `+isHead+`
			 ORDER BY o.next_at, o.id LIMIT ? `+skip+`)
			UPDATE outbox SET lease_owner = ?, lease_until = ?, attempts = attempts + 1 WHERE id IN (SELECT id FROM heads) RETURNING *`,
			channelID, now, now, n, owner, until).Scan(&rows).Error
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

// isHead is true of a row o that nothing of its session goes before.
const isHead = `o.lease_owner = '' AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.session_id = o.session_id AND (e.id < o.id OR e.lease_owner <> ''))`

// FinishOutbox removes the leased row r and reports whether that lease was still in force.
func (s *Store) FinishOutbox(ctx context.Context, r OutboxRow) (bool, error) {
	return s.oneOutbox(ctx, "DELETE FROM outbox WHERE id = ? AND lease_owner = ? AND lease_until = ?", r.ID, r.LeaseOwner, r.LeaseUntil)
}

// RepeatOutbox gives the leased row r back for another try, with its NextAt, Attempts and Faceless, and reports whether that lease was
// still in force. A try that the platform certainly did nothing with need not count: then Attempts is one less than LeaseOutbox returned.
func (s *Store) RepeatOutbox(ctx context.Context, r OutboxRow) (bool, error) {
	return s.oneOutbox(ctx, `UPDATE outbox SET lease_owner = '', lease_until = NULL, next_at = ?, attempts = ?, faceless = ?
		WHERE id = ? AND lease_owner = ? AND lease_until = ?`, r.NextAt, r.Attempts, r.Faceless, r.ID, r.LeaseOwner, r.LeaseUntil)
}

// TakeBackOutbox removes a message that nobody is sending right now from the line and reports whether it was still there.
func (s *Store) TakeBackOutbox(ctx context.Context, messageID int64) (bool, error) {
	return s.oneOutbox(ctx, "DELETE FROM outbox WHERE message_id = ? AND lease_owner = ''", messageID)
}

// LetOthersPass puts a waiting message, and with it the later parts of the same reply, behind the others of its session and reports
// whether it could. The rows get new ids: order is by id.
func (s *Store) LetOthersPass(ctx context.Context, messageID int64) (bool, error) {
	var rows []OutboxRow
	err := s.write(ctx, func(db *DB) error {
		err := db.Raw("DELETE FROM outbox WHERE message_id = ? AND lease_owner = '' RETURNING *", messageID).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		var m Message
		if err := db.First(&m, messageID).Error; err != nil {
			return err
		}
		var later []OutboxRow
		if err := db.Raw("DELETE FROM outbox WHERE "+isLaterPart+" RETURNING *", laterParts(m)...).Scan(&later).Error; err != nil {
			return err
		}
		slices.SortFunc(later, func(a, b OutboxRow) int { return cmp.Compare(a.ID, b.ID) })
		moved := append(rows, later...)
		for i := range moved {
			moved[i].ID = 0
			if err := db.Create(&moved[i]).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("let others pass message %d: %w", messageID, err)
	}
	return len(rows) == 1, nil
}

// DropParts removes the later parts of a reply from the line, because an earlier part failed for good, and returns their messages' ids in
// order.
func (s *Store) DropParts(ctx context.Context, m Message) ([]int64, error) {
	var ids []int64
	err := s.write(ctx, func(db *DB) error {
		return db.Raw("DELETE FROM outbox WHERE "+isLaterPart+" RETURNING message_id", laterParts(m)...).Scan(&ids).Error
	})
	if err != nil {
		return nil, fmt.Errorf("drop parts after message %d: %w", m.ID, err)
	}
	slices.Sort(ids)
	return ids, nil
}

// isLaterPart is true of rows of the later parts of a message's reply that nobody is sending: up to the agent's next reply in the
// session. Their ids are not always in a row: on PostgreSQL other transactions take some in between.
const isLaterPart = `lease_owner = '' AND message_id IN (SELECT l.id FROM messages l WHERE l.session_id = ? AND l.id > ? AND l.created_at = ?
	AND l.parts = ? AND l.part > ? AND l.state = 'queued' AND COALESCE(l.agent_id, 0) = ? AND NOT EXISTS (SELECT 1 FROM messages b
		WHERE b.session_id = ? AND b.id > ? AND b.id < l.id AND b.direction = 'out' AND b.part = 1 AND COALESCE(b.agent_id, 0) = ?))`

func laterParts(m Message) []any {
	var agent int64
	if m.AgentID != nil {
		agent = *m.AgentID
	}
	return []any{m.SessionID, m.ID, m.CreatedAt, m.Parts, m.Part, agent, m.SessionID, m.ID, agent}
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

// Due is when something of a channel falls due.
type Due struct {
	ChannelID int64
	At        time.Time
}

// OutboxDue tells of each channel when the next row may be leased: the first head of a session's line, not before the channel's pause ends.
// A channel with nothing to send, or with everything on its way, is not listed.
func (s *Store) OutboxDue(ctx context.Context) ([]Due, error) {
	var list []struct {
		ChannelID   int64
		NextAt      time.Time
		PausedUntil *time.Time
	}
	err := s.db(ctx).Raw(`SELECT n.channel_id, n.next_at, c.paused_until FROM channels c JOIN outbox n ON n.id =
		(SELECT o.id FROM outbox o WHERE o.channel_id = c.id AND ` + isHead + ` ORDER BY o.next_at, o.id LIMIT 1) ORDER BY n.next_at, n.id`).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("what is due in the outbox: %w", err)
	}
	due := make([]Due, len(list))
	for i, d := range list {
		due[i] = Due{ChannelID: d.ChannelID, At: d.NextAt}
		if d.PausedUntil != nil && d.PausedUntil.After(d.NextAt) {
			due[i].At = *d.PausedUntil
		}
	}
	return due, nil
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
