package models

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
)

func TestSlowQueriesAreLoggedWithoutParameters(t *testing.T) {
	var out bytes.Buffer
	s := openNotes(t)
	s.gorm.Logger = late{queryLog{slog.New(slog.NewTextHandler(&out, nil))}}
	var n int64
	queries := map[string]func() error{ // GORM takes different ways to its log
		"Scan": func() error {
			return s.db(t.Context()).Raw("SELECT count(*) FROM notes WHERE text = ?", "my secret").Scan(&n).Error
		},
		"Count": func() error { return s.db(t.Context()).Model(&note{}).Where("text = ?", "my secret").Count(&n).Error },
		"Find":  func() error { return s.db(t.Context()).Where("text = ?", "my secret").Find(&[]note{}).Error },
		"Create": func() error {
			return s.InTx(t.Context(), func(tx *Store) error { return tx.db(t.Context()).Create(&note{Text: "my secret"}).Error })
		},
	}
	for name, query := range queries {
		out.Reset()
		if err := query(); err != nil {
			t.Fatal(err)
		}
		if line := out.String(); !strings.Contains(line, "slow query") || !strings.Contains(line, "?") || strings.Contains(line, "secret") {
			t.Errorf("%s: log = %s, want the statement without its parameter", name, line)
		}
	}
	out.Reset()
	s.gorm.Logger = queryLog{slog.New(slog.NewTextHandler(&out, nil))}
	if err := s.db(t.Context()).Raw("SELECT nonsense FROM notes WHERE text = ?", "my secret").Scan(&n).Error; err == nil {
		t.Fatal("nonsense was accepted")
	}
	if out.Len() > 0 {
		t.Errorf("log = %s, want nothing: the statement was quick and its error was returned", out.String())
	}
}

// late makes every statement seem to have begun a second ago.
type late struct{ queryLog }

func (l late) Trace(ctx context.Context, begin time.Time, statement func() (string, int64), err error) {
	l.queryLog.Trace(ctx, begin.Add(-time.Second), statement, err)
}

var _ gorm.ParamsFilter = late{}
