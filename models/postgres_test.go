package models_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"kefu/models"
	"kefu/models/modelstest"
)

func TestCancelledWhileRunningIsStillStored(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		withMoments(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.InTx(ctx, func(tx *models.Store) error {
			if err := tx.Handle(ctx).Create(&moment{Name: "first"}).Error; err != nil {
				return err
			}
			cancel()
			return tx.Handle(ctx).Create(&moment{Name: "second"}).Error
		})
		if err != nil || count(t, s) != 2 {
			t.Errorf("err = %v with %d rows, want both", err, count(t, s))
		}
		if err := s.InTx(ctx, func(*models.Store) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

// TestDeadlockIsRepeated has two transactions lock two rows in opposite order. PostgreSQL ends one of them; both must be stored.
func TestDeadlockIsRepeated(t *testing.T) {
	s := modelstest.Postgres(t)
	withMoments(t, s)
	for _, name := range []string{"a", "b"} {
		if err := s.Write(t.Context(), func(db *models.DB) error { return db.Create(&moment{Name: name}).Error }); err != nil {
			t.Fatal(err)
		}
	}
	touch := func(tx *models.Store, name string) error {
		return tx.Handle(t.Context()).Exec("UPDATE moments SET at = now() WHERE name = ?", name).Error
	}
	var both, wg sync.WaitGroup // both: each has its first row
	both.Add(2)
	var runs, hooks atomic.Int64
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			met := false
			err := s.InTx(t.Context(), func(tx *models.Store) error {
				runs.Add(1)
				tx.AfterCommit(func() { hooks.Add(1) })
				if err := touch(tx, order[0]); err != nil {
					return err
				}
				if !met {
					met = true
					both.Done()
					both.Wait()
				}
				return touch(tx, order[1])
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if runs.Load() < 3 || hooks.Load() != 2 {
		t.Errorf("%d runs and %d hooks, want a repeated run, and one hook for each transaction", runs.Load(), hooks.Load())
	}
}

func TestRepeatingEnds(t *testing.T) {
	s := modelstest.Postgres(t)
	runs := 0
	err := s.InTx(t.Context(), func(*models.Store) error {
		runs++
		return fmt.Errorf("count sessions: %w", &pgconn.PgError{Code: "40001"})
	})
	var e *pgconn.PgError
	if !errors.As(err, &e) || runs != 4 {
		t.Errorf("err = %v after %d runs, want the database's after 4", err, runs)
	}
	full := s.InTx(t.Context(), func(*models.Store) error { return &pgconn.PgError{Code: "53100"} })
	if !errors.Is(full, models.ErrDiskFull) {
		t.Errorf("disk full: %v, want ErrDiskFull", full)
	}
}
