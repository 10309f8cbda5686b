package models

import (
	"context"
	"fmt"
)

// NameCustomer sets what agents call the customer (remark) and what they called themself (name). Empty takes it away.
func (s *Store) NameCustomer(ctx context.Context, id int64, remark, name string) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec("UPDATE customers SET remark = ?, name = ? WHERE id = ?", remark, name, id).Error
	})
	if err != nil {
		return fmt.Errorf("name customer %d: %w", id, err)
	}
	return nil
}
