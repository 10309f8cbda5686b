package models_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kefu/models"
)

func TestLockDir(t *testing.T) {
	dir := t.TempDir()
	unlock, err := models.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.LockDir(dir); !errors.Is(err, models.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second lock: %v, want ErrLocked with the folder's name", err)
	}
	unlock()
	unlock, err = models.LockDir(dir)
	if err != nil {
		t.Fatalf("after unlocking: %v", err)
	}
	unlock()
	if _, err := models.LockDir(filepath.Join(dir, "missing")); err == nil || errors.Is(err, models.ErrLocked) {
		t.Errorf("a missing folder: %v", err)
	}
}

func TestCommitRate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limit.db")
	rate, err := models.CommitRate(t.Context(), path, 50*time.Millisecond)
	if err != nil || rate <= 0 {
		t.Errorf("rate = %v, %v", rate, err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
