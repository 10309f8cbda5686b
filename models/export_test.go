package models

import (
	"context"
	"io/fs"
)

// OpenWith opens a database with other migrations than the embedded ones.
func OpenWith(ctx context.Context, url string, migrations fs.FS) (*Store, error) {
	return Open(ctx, Options{URL: url, migrations: migrations})
}

// Handle, Write and Attempt are what the table files of this package use.
func (s *Store) Handle(ctx context.Context) *DB                           { return s.db(ctx) }
func (s *Store) Write(ctx context.Context, fn func(db *DB) error) error   { return s.write(ctx, fn) }
func (s *Store) Attempt(ctx context.Context, fn func(db *DB) error) error { return s.attempt(ctx, fn) }

// Address is the address to open the same database again.
func (s *Store) Address() string { return s.place }
