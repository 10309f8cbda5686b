package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

const (
	defaultMaxConns = 16
	// postgresTries is how often a transaction is begun before a deadlock or a serialization failure is the answer.
	postgresTries = 4
)

func (c *core) openPostgres(ctx context.Context, config *gorm.Config, maxConns int) error {
	if maxConns <= 0 {
		maxConns = defaultMaxConns
	}
	var err error
	if c.writePool, err = openPostgres(c.place, maxConns, nil); err != nil {
		return err
	}
	// As on SQLite, a write outside InTx is refused: it would be a mistake, and should be noticed on both databases.
	readOnly := map[string]string{"default_transaction_read_only": "on"}
	if c.readPool, err = openPostgres(c.place, maxConns, readOnly); err != nil {
		return err
	}
	if err := c.writePool.PingContext(ctx); err != nil {
		return fmt.Errorf("open database: %w", err) // pgx names host and database in it, never the password
	}
	if c.gorm, err = gorm.Open(postgres.New(postgres.Config{Conn: pool{c.readPool}}), config); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	return nil
}

// openPostgres opens a pool of at most n connections, each in UTC. settings are added to those of every connection; what the address
// itself sets wins.
func openPostgres(address string, n int, settings map[string]string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", err)
	}
	defaults := map[string]string{
		"application_name":                    "kefu",
		"lock_timeout":                        "10s", // as long as SQLite's busy time-out
		"idle_in_transaction_session_timeout": "60s", // the locks of a process that hangs must not outlive it for ever
	}
	for name, value := range settings {
		defaults[name] = value
	}
	for name, value := range defaults {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	config.RuntimeParams["timezone"] = "UTC"
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(_ context.Context, conn *pgx.Conn) error {
		// Without it pgx gives times back in the machine's zone, while SQLite gives them back in UTC.
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}))
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

// inPostgresTx runs fn in a transaction of its own connection and repeats it when PostgreSQL asks for that.
func (s *Store) inPostgresTx(ctx context.Context, fn func(tx *Store) error) error {
	for try := 1; ; try++ {
		tx, err := s.tryPostgresTx(ctx, fn)
		if err == nil {
			tx.committed()
			return nil
		}
		if try == postgresTries || !hasCode(err, "40001", "40P01") { // serialization_failure, deadlock_detected
			return explainPostgres(err)
		}
		select { // apart by chance, or the same transactions meet again in the same way
		case <-time.After(time.Duration(try) * time.Duration(1+rand.IntN(20)) * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *Store) tryPostgresTx(ctx context.Context, fn func(tx *Store) error) (*txState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := s.writePool.Conn(ctx) // the last that ctx can stop: from here on a transaction runs to its end, as on SQLite
	if err != nil && s.isClosed.Load() {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer conn.Close()
	sqlTx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer sqlTx.Rollback() //nolint:errcheck // does nothing after a commit; also reached when fn ends its goroutine
	tx := s.begun(&txConn{inner: sqlTx})
	defer tx.tx.conn.over.Store(true)
	began := time.Now()
	err = protect(fn, tx)
	if took := time.Since(began); took > slowTx {
		s.log.WarnContext(ctx, "slow transaction", "ms", took.Milliseconds())
	}
	if err != nil {
		return nil, err
	}
	if err := sqlTx.Commit(); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return tx.tx, nil
}

// explainPostgres gives the faults an operator can act on a name of ours.
func explainPostgres(err error) error {
	if hasCode(err, "53100") { // disk_full
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// hasCode reports whether PostgreSQL answered with one of the codes (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func hasCode(err error, codes ...string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}
