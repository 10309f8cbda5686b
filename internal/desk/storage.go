package desk

import (
	"context"
	"errors"
	"sync/atomic"

	"kefu/models"
)

// Storage knows whether the disk takes what is written. While it does not, pages say so: agents must not believe that what they write
// is kept, though every form that fails says it too.
type Storage struct {
	full   atomic.Bool
	change func()
}

// Full reports whether the last writes failed for want of room.
func (s *Storage) Full() bool { return s.full.Load() }

// OnChange has f called when the disk fills up or has room again; f must not block.
func (s *Storage) OnChange(f func()) { s.change = f }

func (s *Storage) set(full bool) {
	if s.full.Swap(full) != full && s.change != nil {
		s.change()
	}
}

// Storage tells whether what is written is kept.
func (d *Desk) Storage() *Storage { return &d.storage }

// written looks at the outcome of a write on its way out.
func (d *Desk) written(err error) error {
	if errors.Is(err, models.ErrDiskFull) {
		d.storage.set(true)
	}
	return err
}

// lookForRoom asks whether a full disk has room again.
func (d *Desk) lookForRoom(ctx context.Context) {
	if d.storage.Full() && d.store.CheckWritable(ctx) == nil {
		d.storage.set(false)
		d.log.InfoContext(ctx, "the disk has room again")
	}
}
