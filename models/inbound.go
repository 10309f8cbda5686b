package models

import (
	"context"
	"fmt"
	"time"
)

// InboundKey is the mark of a push that was acknowledged.
type InboundKey struct {
	ChannelID int64
	Key       string
	SessionID *int64 // where it went, if anywhere
	MessageID *int64 // the message that carries the passive answer
	Answer    string // words of the passive answer; empty: success
	At        time.Time
}

// MarkInbound writes the mark of a push at the end of the transaction that stored it. ErrDuplicate: another process stored the same
// push meanwhile; this transaction must fail, for what it did is done already.
func (s *Store) MarkInbound(ctx context.Context, k InboundKey) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec("INSERT INTO inbound_keys (channel_id, key, session_id, message_id, answer, at) VALUES (?, ?, ?, ?, ?, ?)",
			k.ChannelID, k.Key, k.SessionID, k.MessageID, k.Answer, k.At).Error
	})
	if err != nil {
		return fmt.Errorf("mark push on channel %d: %w", k.ChannelID, err)
	}
	return nil
}

// InboundKey is the mark of the push, or ErrNotFound.
func (s *Store) InboundKey(ctx context.Context, channelID int64, key string) (InboundKey, error) {
	list := oneRow[InboundKey]()
	err := s.db(ctx).Raw("SELECT * FROM inbound_keys WHERE channel_id = ? AND key = ?", channelID, key).Scan(&list).Error
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return InboundKey{}, fmt.Errorf("push on channel %d: %w", channelID, err)
	}
	return list[0], nil
}

// PruneInbound deletes up to n marks older than before and reports how many went (P-13: 30 days).
func (s *Store) PruneInbound(ctx context.Context, before time.Time, n int) (int64, error) {
	var gone int64
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec(`DELETE FROM inbound_keys WHERE (channel_id, key) IN (SELECT channel_id, key FROM inbound_keys WHERE at < ? ORDER BY at LIMIT ?)`, before, n)
		gone = res.RowsAffected
		return res.Error
	})
	return gone, err
}
