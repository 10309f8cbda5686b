package models

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkInTx is a small transaction (one read, two writes) at so many goroutines; limit/s is the disk's own single-row commit rate.
func BenchmarkInTx(b *testing.B) {
	for _, clients := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			limit, err := CommitRate(b.Context(), filepath.Join(b.TempDir(), "limit.db"), 500*time.Millisecond)
			if err != nil {
				b.Fatal(err)
			}
			s := openNotes(b)
			var n atomic.Int64
			b.SetParallelism(max(1, clients/2)) // times GOMAXPROCS, 2 on the machine the goals are set for
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					text := fmt.Sprint("note ", n.Add(1))
					err := s.InTx(context.Background(), func(tx *Store) error {
						var count int64
						if err := tx.db(context.Background()).Raw("SELECT count(*) FROM settings").Scan(&count).Error; err != nil {
							return err
						}
						row := note{Text: text}
						if err := tx.db(context.Background()).Create(&row).Error; err != nil {
							return err
						}
						return tx.db(context.Background()).Model(&note{}).Where("id = ?", row.ID).Update("text", text+"!").Error
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
			b.ReportMetric(limit, "limit/s")
		})
	}
}
