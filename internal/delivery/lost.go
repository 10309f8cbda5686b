package delivery

import (
	"context"
	"time"

	"kefu/internal/platform"
	"kefu/models"
)

// staleAfter is how long a passive answer may be on its way: the platform hangs up after 5 s.
const staleAfter = 10 * time.Second

// settle looks after what nobody will report any more: rows whose owner died between lease and result, and passive answers of a process
// that died before it wrote them. Both may have arrived.
func (w *Worker) settle(ctx context.Context, atStart bool) {
	now := w.Clock.Now()
	w.memory.forget(now)
	w.settleLeases(ctx, now, atStart && w.Alone)
	before := now.Add(-staleAfter)
	if atStart && w.Alone { // whoever was writing them is gone
		before = now
	}
	w.settlePassive(ctx, now, before, atStart)
}

func (w *Worker) settleLeases(ctx context.Context, now time.Time, others bool) {
	for ctx.Err() == nil {
		rows, err := w.Store.LostLeases(ctx, now, w.Owner, others)
		if err != nil {
			w.fault(ctx, "lost leases cannot be listed", err)
			return
		}
		settled := 0
		for _, r := range rows {
			if w.holds(r.ID) {
				continue // slow, but in good hands: its result is more than we know here
			}
			var held bool
			err := w.Store.InTx(ctx, func(tx *models.Store) (err error) {
				held, err = settleLease(ctx, tx, r, now)
				return err
			})
			if err != nil {
				w.fault(ctx, "lost lease cannot be settled", err)
				return
			}
			if held {
				settled++
				w.Log.WarnContext(ctx, "message may or may not have been sent", "message", r.MessageID, "session", r.SessionID, "owner", r.LeaseOwner)
			}
		}
		if settled == 0 {
			return
		}
	}
}

func settleLease(ctx context.Context, tx *models.Store, r models.OutboxRow, now time.Time) (held bool, err error) {
	if held, err = tx.FinishOutbox(ctx, r); err != nil || !held {
		return false, err
	}
	m, err := tx.Message(ctx, r.MessageID)
	if err != nil {
		return false, err
	}
	m.State, m.ErrorClass, m.ErrorCode, m.ErrorText, m.RetryAt = models.UnknownState, string(platform.Unsure), 0, "", nil
	return true, tell(ctx, tx, m, now)
}

func (w *Worker) settlePassive(ctx context.Context, now, before time.Time, all bool) {
	for ctx.Err() == nil {
		list, err := w.Store.StalePassive(ctx, before, all)
		if err != nil {
			w.fault(ctx, "passive answers cannot be listed", err)
			return
		}
		for _, m := range list {
			err := w.Store.InTx(ctx, func(tx *models.Store) error {
				settled, err := tx.SettlePassive(ctx, m.ID, now)
				if err != nil || !settled || m.SessionID == nil {
					return err
				}
				return tx.Emit(ctx, models.Event{Kind: models.EventMessage, SessionID: *m.SessionID, MessageID: m.ID, At: now})
			})
			if err != nil {
				w.fault(ctx, "passive answer cannot be settled", err)
				return
			}
		}
		if !all || len(list) == 0 {
			return
		}
	}
}
