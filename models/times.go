package models

import (
	"database/sql"
	"time"
)

// Stamp is t as both databases keep it: in UTC, cut to milliseconds. A time that went through Stamp equals what is read back.
func Stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// stampArgs gives every time among a statement's arguments the form of Stamp. It is done where all statements pass, not in the tables:
// SQLite compares times as text, so a single one in another zone or precision would sort wrongly without any error.
func stampArgs(args []any) []any {
	for i, arg := range args {
		switch t := arg.(type) {
		case time.Time:
			args[i] = Stamp(t)
		case *time.Time:
			if t != nil {
				args[i] = Stamp(*t)
			}
		case sql.NullTime:
			if t.Valid {
				args[i] = Stamp(t.Time)
			}
		}
	}
	return args
}
