package models

import (
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// Faults and findings of the store. Compare with errors.Is: on the way out they are wrapped with what was tried.
//
// The first three are GORM's own values under our names, so whatever a query returns compares without anyone translating it, and no
// other package has to import GORM to ask.
var (
	// ErrNotFound says that the one row asked for is not there (GORM's Take and First; Find and Scan never return it).
	ErrNotFound = gorm.ErrRecordNotFound
	// ErrDuplicate says that a unique key or primary key is taken. Inside InTx on PostgreSQL the transaction is then over: where a
	// duplicate is expected use ON CONFLICT, or attempt.
	ErrDuplicate = gorm.ErrDuplicatedKey
	// ErrForeignKey says that a row named does not exist, or that a row to delete is still named by another.
	ErrForeignKey = gorm.ErrForeignKeyViolated

	// ErrNestedTx is the answer to InTx inside InTx. It is a fault of the caller: the inner steps take the tx they are given.
	ErrNestedTx = errors.New("transaction inside a transaction")
	// ErrTxOver is returned by every use of a transaction's Store after its InTx has returned.
	ErrTxOver = errors.New("transaction is over")
	// ErrClosed is the answer to InTx after Close.
	ErrClosed = errors.New("store is closed")
	// ErrDiskFull says that the database could not grow. Nothing of the transaction was stored.
	ErrDiskFull = errors.New("no room left for the database")
	// ErrNewerSchema says that a newer release has migrated this database; this one must not touch it.
	ErrNewerSchema = errors.New("database was migrated by a newer release")
	// ErrNoFTS5 says that the program was compiled without SQLite's full-text search.
	ErrNoFTS5 = errors.New("built without SQLite FTS5: build with -tags sqlite_fts5")
	// ErrLocked says that another process works in this data folder.
	ErrLocked = errors.New("data folder is in use")
)

// named is the error of a statement that was read with Raw and Scan, under its name of this package: GORM translates the errors of all
// others by itself.
func named(res *DB) error {
	if t, ok := res.Dialector.(gorm.ErrorTranslator); ok && res.Error != nil {
		return t.Translate(res.Error)
	}
	return res.Error
}

// PanicError is what InTx returns when its function panicked. Only that transaction failed; nothing of it was stored. The panic is not
// raised again: on SQLite it happened in the writer, whose other jobs have nothing to do with it. Log the stack.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic in a transaction: %v", e.Value) }

// Unwrap is the error the function panicked with, if it was one.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
