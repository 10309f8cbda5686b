package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// LockDir reserves a data folder for this process until unlock is called or the process ends, however it ends. While another process
// holds it, the answer is ErrLocked, with a sentence that names the folder and the process.
func LockDir(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "kefu.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := os.ReadFile(path) // only for the sentence
		f.Close()
		return nil, fmt.Errorf("%w: %s is held by process %s; stop it first, or choose another folder",
			ErrLocked, dir, strings.TrimSpace(string(holder)))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	// The file stays when the lock ends: removing it would let two processes hold locks on two files of the same name.
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil // closing gives the lock up
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
