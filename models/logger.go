package models

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm/logger"
)

// slowQuery is when a statement is worth a line in the log.
const slowQuery = 200 * time.Millisecond

// queryLog is GORM's logger: it reports slow statements, with their text but never with their parameters, which hold what customers
// wrote. Failed statements are not logged here; their errors are returned and whoever handles them logs them once.
type queryLog struct{ log *slog.Logger }

var _ logger.Interface = queryLog{}

func (q queryLog) LogMode(logger.LogLevel) logger.Interface { return q }

func (q queryLog) Info(ctx context.Context, msg string, args ...any) {
	q.log.DebugContext(ctx, "gorm", "text", fmt.Sprintf(msg, args...))
}

func (q queryLog) Warn(ctx context.Context, msg string, args ...any) {
	q.log.WarnContext(ctx, "gorm", "text", fmt.Sprintf(msg, args...))
}

func (q queryLog) Error(ctx context.Context, msg string, args ...any) {
	q.log.ErrorContext(ctx, "gorm", "text", fmt.Sprintf(msg, args...))
}

func (q queryLog) Trace(ctx context.Context, begin time.Time, statement func() (sql string, rows int64), _ error) {
	took := time.Since(begin)
	if took < slowQuery {
		return
	}
	sql, rows := statement()
	q.log.WarnContext(ctx, "slow query", "sql", sql, "rows", rows, "ms", took.Milliseconds())
}

// GORM's Scan records its statement with a logger of GORM's own, parameters and all, and hands the finished text to ours: only this
// variable of GORM's keeps them out there too.
func init() {
	logger.RecorderParamsFilter = func(_ context.Context, sql string, _ ...any) (string, []any) { return sql, nil }
}

// ParamsFilter keeps parameters out of what Trace gets to see (GORM calls it ParameterizedQueries).
func (q queryLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}
