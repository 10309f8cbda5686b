package models_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"kefu/models"
	"kefu/models/modelstest"
)

// release is the schema of an imagined release: its first n migrations.
func release(n int) fstest.MapFS {
	files := []struct{ name, text string }{
		{"0001_desk.sql", `-- +goose Up
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE desks (id ${ID}, open ${BOOL} NOT NULL DEFAULT ${TRUE}, since ${TIME}, photo ${BLOB}, size ${BIGINT}, extra ${JSON});
CREATE TABLE chairs (id ${ID_AUTO}, desk_id ${BIGINT} NOT NULL REFERENCES desks (id) ON DELETE CASCADE);
-- +dialect sqlite
CREATE TABLE only_here (id INTEGER PRIMARY KEY);
-- +dialect postgres
CREATE TABLE only_there (id BIGINT PRIMARY KEY);
-- +dialect end
`},
		// As SQLite asks for it when a table changes: build the new one, drop the old one. The chairs must survive.
		{"0002_rebuild.sql", `-- +goose Up
CREATE TABLE desks_new (id ${ID}, open ${BOOL} NOT NULL DEFAULT ${FALSE}, colour TEXT NOT NULL DEFAULT '');
INSERT INTO desks_new (id, open) SELECT id, open FROM desks;
-- +dialect postgres
ALTER TABLE chairs DROP CONSTRAINT chairs_desk_id_fkey;
-- +dialect end
DROP TABLE desks;
ALTER TABLE desks_new RENAME TO desks;
`},
		{"0003_more.sql", "-- +goose Up\nCREATE TABLE lamps (id ${ID});\n"},
	}
	fs := fstest.MapFS{}
	for _, f := range files[:n] {
		fs[f.name] = &fstest.MapFile{Data: []byte(f.text)}
	}
	return fs
}

func openRelease(t *testing.T, url string, migrations fstest.MapFS) *models.Store {
	t.Helper()
	s, err := models.OpenWith(t.Context(), url, migrations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func wantVersion(t *testing.T, s *models.Store, want int64) {
	t.Helper()
	if got, err := s.SchemaVersion(t.Context()); err != nil || got != want {
		t.Errorf("schema version %d, %v; want %d", got, err, want)
	}
}

// eachAddress runs the test with an empty database of each kind.
func eachAddress(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "kefu.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, modelstest.EmptyPostgresURL(t)) })
}

func TestMigrateTheRealSchemaFromEmpty(t *testing.T) {
	eachAddress(t, func(t *testing.T, url string) {
		s := modelstest.Open(t, url)
		wantVersion(t, s, 0)
		for range 2 { // the second time there is nothing to do
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if v, err := s.SchemaVersion(t.Context()); err != nil || v < 1 {
			t.Errorf("schema version %d, %v", v, err)
		}
		if err := s.CheckWritable(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestMigrateFromReleaseToRelease(t *testing.T) {
	eachAddress(t, func(t *testing.T, url string) {
		old := openRelease(t, url, release(1))
		if err := old.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantVersion(t, old, 1)
		err := old.InTx(t.Context(), func(tx *models.Store) error {
			return errors.Join(tx.Handle(t.Context()).Exec("INSERT INTO desks (id) VALUES (1)").Error,
				tx.Handle(t.Context()).Exec("INSERT INTO chairs (desk_id) VALUES (1)").Error)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}

		s := openRelease(t, url, release(3))
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantVersion(t, s, 3)
		var chairs int
		if err := s.Handle(t.Context()).Raw("SELECT count(*) FROM chairs").Scan(&chairs).Error; err != nil || chairs != 1 {
			t.Errorf("%d chairs, %v; a table that was rebuilt took the rows with it that refer to it", chairs, err)
		}
		if err := s.CheckWritable(t.Context()); err != nil {
			t.Error(err)
		}
		wrong := openRelease(t, url, release(2))
		if err := wrong.Migrate(t.Context()); !errors.Is(err, models.ErrNewerSchema) {
			t.Errorf("an older release: %v, want ErrNewerSchema", err)
		}
		wantVersion(t, wrong, 3)
	})
}

func TestMigrateCopiesFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kefu.db")
	s := openRelease(t, path, release(1))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(path + ".before-*"); len(found) != 0 {
		t.Errorf("an empty database was copied: %v", found)
	}
	if err := s.Write(t.Context(), func(db *models.DB) error { return db.Exec("INSERT INTO desks (id) VALUES (7)").Error }); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".before-2", []byte("an older copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := openRelease(t, path, release(2)).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path + ".before-2"); err != nil || string(text) != "an older copy" {
		t.Errorf("an older copy was overwritten: %v", err)
	}
	copied := path + ".before-2-2"
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("copy: %v, %v; want a file for its owner only", info, err)
	}
	before := openRelease(t, copied, release(1))
	wantVersion(t, before, 1)
	var desk int
	if err := before.Handle(t.Context()).Raw("SELECT id FROM desks").Scan(&desk).Error; err != nil || desk != 7 {
		t.Errorf("the copy holds desk %d, %v; want 7", desk, err)
	}
}

func TestFailedMigrationLeavesTheSchemaBeforeIt(t *testing.T) {
	eachAddress(t, func(t *testing.T, url string) {
		files := release(1)
		files["0002_wrong.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE half (id ${ID});\nINSERT INTO nowhere VALUES (1);\n")}
		s := openRelease(t, url, files)
		if err := s.Migrate(t.Context()); err == nil {
			t.Fatal("a wrong migration was accepted")
		}
		wantVersion(t, s, 1)
		if err := s.Handle(t.Context()).Exec("SELECT * FROM half").Error; err == nil {
			t.Error("half a migration is left")
		}
		if err := s.CheckWritable(t.Context()); err != nil {
			t.Errorf("the database is not usable afterwards: %v", err)
		}
	})
}

func TestMigrateAtTheSameTimeOnPostgres(t *testing.T) {
	url := modelstest.EmptyPostgresURL(t)
	errs := make(chan error)
	for range 2 {
		s := openRelease(t, url, release(3))
		go func() { errs <- s.Migrate(t.Context()) }()
	}
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Error(err)
	}
}

func TestMigrationFilesAreChecked(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown placeholder", "-- +goose Up\nCREATE TABLE a (b ${TYPO});\n", "line 2: unknown placeholder ${TYPO}"},
		{"unknown dialect", "-- +dialect mysql\n", `line 1: +dialect "mysql"`},
		{"no end", "-- +goose Up\n-- +dialect postgres\n", "line 2: +dialect postgres has no end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openRelease(t, filepath.Join(t.TempDir(), "kefu.db"), fstest.MapFS{"0001_wrong.sql": {Data: []byte(tt.text)}})
			if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want it to say %q", err, tt.want)
			}
		})
	}
}
