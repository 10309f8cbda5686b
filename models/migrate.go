package models

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrationFiles embed.FS

var embeddedMigrations = func() fs.FS {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // only for a path that is not valid
	}
	return sub
}()

// Migrate brings the schema to what this release needs, each numbered file in a transaction of its own. A SQLite database that holds
// something is copied first, to <file>.before-<number of the first new migration>. A database that a newer release has migrated is left
// alone: ErrNewerSchema. When a migration fails, those before it stay. Several processes may call it at once on PostgreSQL; on SQLite
// the caller holds the data folder (LockDir).
func (s *Store) Migrate(ctx context.Context) error {
	if s.tx != nil {
		return ErrNestedTx
	}
	db, closeDB, err := s.migrationPool()
	if err != nil {
		return err
	}
	defer closeDB()
	provider, err := s.migrationProvider(db)
	if err != nil {
		return err
	}
	current, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	if newest := sources[len(sources)-1].Version; current > newest {
		return fmt.Errorf("%w: it is at %d, this one knows up to %d", ErrNewerSchema, current, newest)
	}
	first := int64(0)
	for _, source := range sources {
		if source.Version > current {
			first = source.Version
			break
		}
	}
	if first > 0 && current > 0 && s.dialect == SQLite {
		copied, err := copyBefore(ctx, db, s.place, first)
		if err != nil {
			return fmt.Errorf("copy the database before migrating it: %w", err)
		}
		s.log.InfoContext(ctx, "database copied before migrating", "file", copied)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, r := range results {
		s.log.InfoContext(ctx, "schema migrated", "version", r.Source.Version, "ms", r.Duration.Milliseconds())
	}
	if len(results) == 0 || s.dialect != SQLite {
		return nil
	}
	return checkForeignKeys(ctx, db)
}

// SchemaVersion is the number of the newest migration the database has, 0 for an empty one.
func (s *Store) SchemaVersion(ctx context.Context) (int64, error) {
	table := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'"
	if s.dialect == Postgres {
		table = "SELECT count(to_regclass('goose_db_version'))"
	}
	var tables, version int64
	if err := s.db(ctx).Raw(table).Scan(&tables).Error; err != nil {
		return 0, fmt.Errorf("schema version: %w", err)
	}
	if tables == 0 {
		return 0, nil
	}
	if err := s.db(ctx).Raw("SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version).Error; err != nil {
		return 0, fmt.Errorf("schema version: %w", err)
	}
	return version, nil
}

// migrationPool is where migrations run: beside the writer, because goose wants a pool and SQLite wants foreign keys off for it.
func (s *Store) migrationPool() (db *sql.DB, closeDB func(), err error) {
	if s.dialect == Postgres {
		// No limit to the wait for locks here: old processes may still finish their work on the tables.
		db, err = openPostgres(s.place, 4, map[string]string{"lock_timeout": "0"})
	} else {
		db, err = openSQLite(s.place, migrationSettings, 1)
	}
	if err != nil {
		return nil, nil, err
	}
	return db, func() { _ = db.Close() }, nil
}

func (s *Store) migrationProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := expandMigrations(s.migrations, s.dialect)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true)}
	dialect := goose.DialectSQLite3
	if s.dialect == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // asks every second, for five minutes
		if err != nil {
			return nil, fmt.Errorf("migrate: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return provider, nil
}

// copyBefore copies the database to <path>.before-<version>, or, because a copy is never overwritten, to the same with -2, -3 …
// It returns the copy's path, with the copy on the disk.
func copyBefore(ctx context.Context, db *sql.DB, path string, version int64) (string, error) {
	target := fmt.Sprintf("%s.before-%d", path, version)
	f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // VACUUM INTO accepts an empty file, and so keeps its mode
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		target = fmt.Sprintf("%s.before-%d-%d", path, version, n)
		f, err = os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", target); err != nil {
		return "", errors.Join(err, os.Remove(target))
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	folder, err := os.Open(filepath.Dir(target))
	if err != nil {
		return "", err
	}
	defer folder.Close()
	return target, folder.Sync()
}

// checkForeignKeys looks for rows whose parent a migration has lost: it ran with foreign keys off.
func checkForeignKeys(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return fmt.Errorf("check foreign keys: %w", err)
	}
	defer rows.Close()
	if !rows.Next() {
		return rows.Err()
	}
	var table, parent string
	var row sql.NullInt64
	var key int
	if err := rows.Scan(&table, &row, &parent, &key); err != nil {
		return fmt.Errorf("check foreign keys: %w", err)
	}
	return fmt.Errorf("migration left row %d of %s without its row in %s", row.Int64, table, parent)
}
