package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kefu/internal/texts"
	"kefu/models"
)

// Claim gives the waiting session to the viewer (§A row 11). Two may press the button at once: one wins, the other is told who did.
// Only who leads the group may pass their own capacity, and that is written down.
func (d *Desk) Claim(ctx context.Context, v Viewer, sessionID int64) error {
	return d.in(ctx, "claim session", sessionID, func(tx *models.Store) error {
		s, err := tx.Session(ctx, sessionID)
		if err != nil {
			return err
		}
		if s.Held(v.Agent.ID) {
			return nil // pressed twice
		}
		if s.State == models.Waiting && !v.MayClaim(s.State, s.GroupID) {
			return refuse(Forbidden, "refusal.not_your_group", nil)
		}
		if err := tx.LockGroups(ctx, []int64{s.GroupID}); err != nil { // first, as the dispatcher does
			return err
		}
		now := d.now()
		load, err := tx.Load(ctx, v.Agent.ID, now)
		if err != nil {
			return err
		}
		limit := v.Agent.Capacity
		if v.Supervises(s.GroupID) {
			limit = models.AnyLoad
		}
		won, err := tx.TakeSession(ctx, sessionID, v.Agent.ID, limit, now)
		if err != nil {
			return err
		}
		if !won {
			return d.lost(ctx, tx, s, v)
		}
		how := "claimed"
		if load+1 > float64(v.Agent.Capacity) {
			how = "claimed_over"
		}
		return assigned(ctx, tx, models.Waiter{ID: s.ID, ConversationID: s.ConversationID, GroupID: s.GroupID, ArrivalAt: s.ArrivalAt}, v.Agent.ID, how, now)
	})
}

// lost says why a claim did not win: naming the winner (row 35), or because the agent has no free slot.
func (d *Desk) lost(ctx context.Context, tx *models.Store, s models.Session, v Viewer) error {
	s, err := tx.Session(ctx, s.ID) // as the winner left it
	switch {
	case err != nil:
		return err
	case s.Held(v.Agent.ID):
		return nil // pressed twice
	case s.State == models.Waiting:
		return refuse(Conflict, "refusal.full", texts.Args{"capacity": v.Agent.Capacity})
	case s.State == models.Closed:
		return refuse(Conflict, "refusal.closed", nil)
	}
	winner, err := tx.Agent(ctx, *s.AgentID)
	if err != nil {
		return err
	}
	return refuse(Conflict, "refusal.taken", texts.Args{"name": winner.Name})
}

// Close ends the session (§A row 20). What is queued still goes.
func (d *Desk) Close(ctx context.Context, v Viewer, sessionID int64) error {
	return d.in(ctx, "close session", sessionID, func(tx *models.Store) error {
		s, err := tx.Session(ctx, sessionID)
		if err != nil {
			return err
		}
		if s.State == models.Closed {
			return nil // closed twice, or by the customer a moment ago: it is what was wanted
		}
		if !v.MayClose(s) {
			return refuse(Forbidden, "refusal.not_yours", nil)
		}
		return d.end(ctx, tx, sessionID, models.ClosedByAgent, &v.Agent.ID, d.now())
	})
}

// end closes the session for the reason given, writes it down, and lets the dispatcher use the slot that became free.
func (d *Desk) end(ctx context.Context, tx *models.Store, sessionID int64, reason models.CloseReason, by *int64, now time.Time) error {
	s, err := tx.Session(ctx, sessionID)
	if err != nil {
		return err
	}
	groups := []int64{s.GroupID}
	if s.AgentID != nil {
		if groups, err = groupsOf(ctx, tx, *s.AgentID); err != nil {
			return err
		}
	}
	if err := tx.LockGroups(ctx, groups); err != nil { // before the session: the dispatcher goes the same way
		return err
	}
	won, err := tx.CloseSession(ctx, sessionID, reason, now)
	if err != nil || !won {
		return err
	}
	if err := happened(ctx, tx, sessionID, "closed", by, string(reason), now); err != nil {
		return err
	}
	if err := systemLine(ctx, tx, s.ConversationID, &sessionID, "closed", by, map[string]any{"reason": string(reason)}, now); err != nil {
		return err
	}
	e := models.Event{Kind: models.EventSession, SessionID: sessionID, GroupID: s.GroupID}
	if s.AgentID != nil {
		e.AgentID = *s.AgentID
	}
	if err := tell(ctx, tx, e, now); err != nil {
		return err
	}
	return d.decide(ctx, tx, groups, now)
}

// Read clears the unread count of the holder's session.
func (d *Desk) Read(ctx context.Context, v Viewer, sessionID int64) error {
	return d.in(ctx, "read session", sessionID, func(tx *models.Store) error {
		changed, err := tx.MarkRead(ctx, sessionID, v.Agent.ID)
		if err != nil || !changed {
			return err
		}
		return tell(ctx, tx, models.Event{Kind: models.EventRead, SessionID: sessionID, AgentID: v.Agent.ID}, d.now())
	})
}

// SetPresence stores what the agent says of themself; somebody who came online may get a session at once (P-2.2).
func (d *Desk) SetPresence(ctx context.Context, agentID int64, p models.Presence) error {
	if !slices.Contains([]models.Presence{models.Online, models.Busy, models.Break, models.Offline}, p) {
		return refuse(Invalid, "refusal.presence", nil)
	}
	err := d.store.InTx(ctx, func(tx *models.Store) error {
		now := d.now()
		groups, err := groupsOf(ctx, tx, agentID)
		if err != nil {
			return err
		}
		if err := tx.LockGroups(ctx, groups); err != nil { // before the agent: the dispatcher goes the same way
			return err
		}
		if err := tx.SetPresence(ctx, agentID, p, now); err != nil {
			return err
		}
		if err := tell(ctx, tx, models.Event{Kind: models.EventPresence, AgentID: agentID}, now); err != nil || p != models.Online {
			return err
		}
		return d.decide(ctx, tx, groups, now)
	})
	if err != nil {
		return fmt.Errorf("presence of agent %d: %w", agentID, err)
	}
	return nil
}

func groupsOf(ctx context.Context, tx *models.Store, agentID int64) ([]int64, error) {
	list, err := tx.Memberships(ctx, agentID)
	ids := make([]int64, len(list))
	for i, m := range list {
		ids[i] = m.GroupID
	}
	return ids, err
}

// in runs a use case on one session in one transaction; a refusal comes back as it is, a fault says what was tried.
func (d *Desk) in(ctx context.Context, what string, sessionID int64, fn func(tx *models.Store) error) error {
	err := d.written(d.store.InTx(ctx, fn))
	if errors.Is(err, models.ErrDuplicate) { // another process stored the same form at the same moment: now it is found
		err = d.written(d.store.InTx(ctx, fn))
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal
	}
	if err != nil {
		return fmt.Errorf("%s %d: %w", what, sessionID, err)
	}
	return nil
}
