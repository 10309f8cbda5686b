package models

import (
	"context"
	"fmt"
	"time"
)

// passiveLook is how many of the newest messages StalePassive looks at, so that it need not read a table of millions.
const passiveLook = 20_000

// StalePassive lists passive answers that were stored before the moment and of which nobody ever said whether they were written: a crash
// between commit and answer leaves them behind. It looks at the newest messages only, or at all of them. At most 1,000 at a time.
func (s *Store) StalePassive(ctx context.Context, before time.Time, all bool) ([]Message, error) {
	newest, args := "id > (SELECT COALESCE(MAX(id), 0) FROM messages) - ? AND ", []any{passiveLook, before}
	if all {
		newest, args = "", []any{before}
	}
	var list []Message
	err := s.db(ctx).Raw("SELECT * FROM messages WHERE "+newest+"state = 'sending' AND passive AND created_at < ? ORDER BY id LIMIT 1000", args...).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("passive answers on their way: %w", err)
	}
	return list, nil
}

// SettlePassive calls the passive answer unknown unless somebody has said meanwhile what became of it, and reports whether it did.
func (s *Store) SettlePassive(ctx context.Context, messageID int64, now time.Time) (bool, error) {
	var one bool
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec("UPDATE messages SET state = 'unknown', error_class = 'unknown', updated_at = ? WHERE id = ? AND passive AND state = 'sending'", now, messageID)
		one = res.RowsAffected == 1
		return res.Error
	})
	if err != nil {
		return false, fmt.Errorf("settle passive answer %d: %w", messageID, err)
	}
	return one, nil
}
