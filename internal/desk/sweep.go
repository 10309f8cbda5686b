package desk

import (
	"context"
	"time"

	"kefu/models"
)

// Run looks after what time alone changes, every few seconds until ctx ends: agents who went silent, sessions that may be taken because
// somebody's quiet chats weigh less, marks and events that are old enough to go. The rhythm is real time, not the clock's: who moves
// the clock by days wants one look at the end (Sweep), not one for every five seconds on the way.
func (d *Desk) Run(ctx context.Context) {
	tick := time.NewTicker(d.set.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		d.lookForRoom(ctx)
		if err := d.written(d.Sweep(ctx)); err != nil && ctx.Err() == nil {
			d.log.ErrorContext(ctx, "sweep failed", "err", err)
		}
	}
}

// Sweep looks once.
func (d *Desk) Sweep(ctx context.Context) error {
	now := d.now()
	if now.Sub(d.start) > d.set.Silent+d.set.StartGrace { // nobody could give a sign of life while we were down (P-2.8)
		if err := d.silence(ctx, now); err != nil {
			return err
		}
	}
	err := d.store.InTx(ctx, func(tx *models.Store) error {
		groups, err := tx.Groups(ctx)
		if err != nil || len(groups) == 0 {
			return err
		}
		ids := make([]int64, len(groups))
		for i, g := range groups {
			ids[i] = g.ID
		}
		return d.decide(ctx, tx, ids, now)
	})
	if err != nil {
		return err
	}
	if _, err := d.store.PruneEvents(ctx, now.Add(-d.set.KeepEvents), keptEvents, prunedAtOnce); err != nil {
		return err
	}
	_, err = d.store.PruneInbound(ctx, now.Add(-d.set.KeepKeys), prunedAtOnce)
	return err
}

const (
	keptEvents   = 100_000
	prunedAtOnce = 2_000 // stays far below the writer's 20 ms
)

// silence sets offline who gave no sign of life for long.
func (d *Desk) silence(ctx context.Context, now time.Time) error {
	return d.store.InTx(ctx, func(tx *models.Store) error {
		gone, err := tx.OfflineSince(ctx, now.Add(-d.set.Silent), now)
		if err != nil {
			return err
		}
		for _, id := range gone {
			if err := tell(ctx, tx, models.Event{Kind: models.EventPresence, AgentID: id}, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Seen notes signs of life of agents whose pages are open.
func (d *Desk) Seen(ctx context.Context, agentIDs []int64) error {
	return d.written(d.store.TouchAgents(ctx, agentIDs, d.now()))
}
