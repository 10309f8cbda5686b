package main

import (
	"database/sql"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kefu/internal/clock"
	"kefu/models"
)

var firstPassword = regexp.MustCompile(`log in as admin with the password  (\S+)`)

func TestFirstStartMakesAnAdminAndSaysThePasswordOnce(t *testing.T) {
	data := ownEnvironment(t)
	log := standardError(t)
	r, desk := server(t)
	found := firstPassword.FindStringSubmatch(r.out.String())
	if found == nil {
		t.Fatalf("no password in %q", r.out)
	}
	if !desk.logIn("admin", found[1]) {
		t.Error("the password does not log in")
	}
	if desk.logIn("admin", "admin") || desk.logIn("admin", demoPassword) {
		t.Error("an easy password logs in")
	}
	r.ends()

	again, desk := server(t)
	if strings.Contains(again.out.String(), "password") {
		t.Errorf("the second start says %q", again.out)
	}
	if !desk.logIn("admin", found[1]) {
		t.Error("the password is not the same after the second start")
	}
	again.ends()
	if strings.Contains(log(), found[1]) {
		t.Error("the password is in the log")
	}

	store := opened(t, data)
	groups, err := store.Groups(t.Context())
	if err != nil || len(groups) != 1 {
		t.Fatalf("groups %v (%v), want one", groups, err)
	}
	members, err := store.Memberships(t.Context(), 0)
	if err != nil || len(members) != 1 || members[0].GroupID != groups[0].ID {
		t.Errorf("members %v (%v), want the admin", members, err)
	}

	other := filepath.Join(t.TempDir(), "other")
	r, _ = server(t, "--data", other)
	if second := firstPassword.FindStringSubmatch(r.out.String()); second == nil || second[1] == found[1] {
		t.Errorf("another installation says %v, want a password of its own", second)
	}
	r.ends()
}

// opened is the folder's database, when no server has it.
func opened(t *testing.T, data string) *models.Store {
	t.Helper()
	store, err := openStore(t.Context(), filepath.Join(data, "kefu.db"), clock.Wall(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func TestServeEndsCleanly(t *testing.T) {
	ownEnvironment(t)
	works(t, "long enough\n", "agent", "add", "wang", "--role", "admin", "--password-stdin")
	log := standardError(t)
	r, desk := server(t)
	if strings.Contains(r.out.String(), "First start") {
		t.Error("a desk that has an admin got another")
	}
	if !desk.logIn("wang", "long enough") {
		t.Fatal("the log-in does not work")
	}
	ended := desk.follow()
	r.ends()
	<-ended
	if desk.status("/healthz") != 0 {
		t.Error("somebody still answers")
	}
	if strings.Contains(log(), "level=ERROR") {
		t.Errorf("the log has faults:\n%s", log())
	}
}

func TestSecondServerOnTheFolderIsRefused(t *testing.T) {
	data := ownEnvironment(t)
	r, desk := server(t)
	refuses(t, []string{"another kefu already uses the folder " + data}, "serve", "--addr", "127.0.0.1:0")
	refuses(t, []string{"another kefu already uses the folder " + data}, "demo", "--addr", "127.0.0.1:0", "--data", data)
	if desk.status("/readyz") != http.StatusOK {
		t.Error("the first server suffered")
	}
	works(t, "", "agent", "list") // tools work beside it
	r.ends()
	r, _ = server(t)
	r.ends()
}

func TestAddressInUseIsSaid(t *testing.T) {
	ownEnvironment(t)
	r, desk := server(t)
	busy := strings.TrimPrefix(desk.base, "http://")
	refuses(t, []string{"listen on " + busy}, "serve", "--addr", busy, "--data", filepath.Join(t.TempDir(), "other"))
	r.ends()
}

func TestNewerDatabaseIsLeftAlone(t *testing.T) {
	data := ownEnvironment(t)
	works(t, "", "migrate")
	file := filepath.Join(data, "kefu.db")
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--addr", "127.0.0.1:0"}, {"migrate"}, {"agent", "list"}, {"demo", "--addr", "127.0.0.1:0", "--data", data}} {
		refuses(t, []string{"newer"}, args...)
	}
	store, err := models.Open(t.Context(), models.Options{URL: file})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := store.SchemaVersion(t.Context()); err != nil || v != 9999 {
		t.Errorf("the form is now %d (%v), want it untouched", v, err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

func TestToolLeavesTheFormToARunningServer(t *testing.T) {
	data := ownEnvironment(t)
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	unlock, err := models.LockDir(data) // a server of another release
	if err != nil {
		t.Fatal(err)
	}
	if out := works(t, "", "migrate"); !strings.Contains(out, "form 0") {
		t.Errorf("under a running server: %s", out)
	}
	unlock()
	if out := works(t, "", "migrate"); strings.Contains(out, "form 0") {
		t.Errorf("without one: %s", out)
	}
	unlock, err = models.LockDir(data) // and the folder is free again
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestFolderThatCannotBeMadeIsSaid(t *testing.T) {
	ownEnvironment(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, []string{"data folder", file}, "serve", "--addr", "127.0.0.1:0", "--data", filepath.Join(file, "data"))
}
