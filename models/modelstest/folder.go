package modelstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"kefu/models"
)

// parent of all folders made here. Not the system's own temporary folder: its name may be long, and the path of PostgreSQL's socket may
// have 107 characters.
const parent = "/tmp"

// makeFolder is a new folder for the databases of this run. It is locked while the run lives, so that the folders of runs that were
// killed can be told from those in use; they are removed here.
func makeFolder() (dir string, remove func() error, err error) {
	old, err := filepath.Glob(filepath.Join(parent, "kefu-test-*"))
	if err != nil {
		return "", nil, err
	}
	for _, dir := range old {
		// An hour, because a run locks its folder a moment after making it.
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		if unlock, err := models.LockDir(dir); err == nil { // else it is in use, or another user's
			_ = os.RemoveAll(dir) // what cannot be removed is met again next time
			unlock()
		}
	}
	if dir, err = os.MkdirTemp(parent, "kefu-test-"); err != nil {
		return "", nil, err
	}
	unlock, err := models.LockDir(dir)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // the user postgres passes through to its own folder
		return "", nil, fmt.Errorf("make a folder for tests: %w", err)
	}
	return dir, func() error {
		defer unlock()
		return os.RemoveAll(dir)
	}, nil
}
