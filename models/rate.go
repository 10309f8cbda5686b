package models

import (
	"context"
	"fmt"
	"os"
	"time"
)

// CommitRate measures for about d how many single-row transactions per second SQLite commits durably (WAL, synchronous=FULL) with one
// connection and nothing else in the way: the limit of the disk, beside which a benchmark's own figure means something. It makes a new
// database at path, which must not exist, and removes it.
func CommitRate(ctx context.Context, path string, d time.Duration) (float64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return 0, fmt.Errorf("measure commit rate: %w", err)
	}
	f.Close()
	defer func() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(path + suffix) // a leftover of a measurement; the last two are gone already when the database closed well
		}
	}()
	db, err := openSQLite(path, writerSettings, 1)
	if err != nil {
		return 0, fmt.Errorf("measure commit rate: %w", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE TABLE rows (id INTEGER PRIMARY KEY, value TEXT NOT NULL)"); err != nil {
		return 0, fmt.Errorf("measure commit rate: %w", err)
	}
	insert, err := db.PrepareContext(ctx, "INSERT INTO rows (value) VALUES (?)")
	if err != nil {
		return 0, fmt.Errorf("measure commit rate: %w", err)
	}
	defer insert.Close()
	began := time.Now()
	for commits := 1; ; commits++ {
		if _, err := insert.ExecContext(ctx, "a row of about a hundred bytes, as a small message with its times and its ids would be ..."); err != nil {
			return 0, fmt.Errorf("measure commit rate: %w", err)
		}
		if took := time.Since(began); took >= d {
			return float64(commits) / took.Seconds(), nil
		}
	}
}
