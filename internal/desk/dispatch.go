package desk

import (
	"context"
	"slices"
	"time"

	"kefu/internal/texts"
	"kefu/models"
)

// Verdict says whether a member may get the next session now, or the one reason why not (P-2.3).
type Verdict string

const (
	OK      Verdict = "ok"
	Away    Verdict = "offline"
	OnBreak Verdict = "on_break"
	Finish  Verdict = "finishing"
	Full    Verdict = "full"
	Stale   Verdict = "stale"
	Rings   Verdict = "by_hand" // takes sessions by hand only
)

// verdict judges one member.
func verdict(m models.Member, now time.Time, stale time.Duration) Verdict {
	switch {
	case m.Presence == models.Offline:
		return Away
	case m.Presence == models.Break:
		return OnBreak
	case m.Presence == models.Busy:
		return Finish
	case m.SeenAt == nil || now.Sub(*m.SeenAt) > stale:
		return Stale
	case m.Load+1 > float64(m.Capacity):
		return Full
	case !m.AutoAccept:
		return Rings
	}
	return OK
}

// pick chooses among the members of one group: the preferred one if they can take it now, else the least busy by load for capacity,
// then the one who had nothing new for longest, then the admin's order (P-2.4). It returns -1 when nobody can.
func pick(members []models.Member, groupID int64, preferred *int64, now time.Time, stale time.Duration) int {
	best := -1
	for i, m := range members {
		if m.GroupID != groupID || verdict(m, now, stale) != OK {
			continue
		}
		if preferred != nil && m.AgentID == *preferred {
			return i
		}
		if best < 0 || before(m, members[best]) {
			best = i
		}
	}
	return best
}

func before(a, b models.Member) bool {
	if x, y := a.Load/float64(a.Capacity), b.Load/float64(b.Capacity); x != y {
		return x < y
	}
	switch {
	case a.LastAssignedAt == nil || b.LastAssignedAt == nil:
		if (a.LastAssignedAt == nil) != (b.LastAssignedAt == nil) {
			return a.LastAssignedAt == nil
		}
	case !a.LastAssignedAt.Equal(*b.LastAssignedAt):
		return a.LastAssignedAt.Before(*b.LastAssignedAt)
	}
	if a.Position != b.Position {
		return a.Position < b.Position
	}
	return a.AgentID < b.AgentID
}

// decide is the one place where waiting sessions meet agents. It runs inside the transaction that touched the groups: receive, close,
// presence; timers and the sweep call the same code (P-2.2). The walk follows the one order over all groups and ends when no member of
// any group can take anything.
func (d *Desk) decide(ctx context.Context, tx *models.Store, groupIDs []int64, now time.Time) error {
	if err := tx.LockGroups(ctx, groupIDs); err != nil {
		return err
	}
	members, err := tx.Members(ctx, groupIDs, now)
	if err != nil {
		return err
	}
	free := freeGroups(members, now, d.set.Stale)
	if len(free) == 0 {
		return nil
	}
	for _, limit := range []int{firstWaiting, mostWaiting} {
		waiting, err := tx.WaitingOrder(ctx, free, limit)
		if err != nil {
			return err
		}
		for _, w := range waiting {
			if err := d.give(ctx, tx, w, members, now); err != nil {
				return err
			}
			if !anyFree(members, now, d.set.Stale) {
				return nil
			}
		}
		if len(waiting) < limit {
			return nil
		}
	}
	return nil
}

// Mostly one slot is free and the first who waits gets it: the whole queue is read only when the beginning of it did not fill the slots.
const (
	firstWaiting = 16
	mostWaiting  = 1000
)

// give hands the session to the first choice among the members and notes it there. When nobody of its group can take it, it is passed
// over: the next may have somebody.
func (d *Desk) give(ctx context.Context, tx *models.Store, w models.Waiter, members []models.Member, now time.Time) error {
	preferred := w.PreferredAgentID
	if preferred != nil && w.PreferredUntil != nil && !now.Before(*w.PreferredUntil) {
		preferred = nil
	}
	for {
		i := pick(members, w.GroupID, preferred, now, d.set.Stale)
		if i < 0 {
			return nil
		}
		agent := members[i].AgentID
		won, err := tx.TakeSession(ctx, w.ID, agent, members[i].Capacity, now)
		if err != nil {
			return err
		}
		for j := range members { // the agent may be in several of the groups
			switch m := &members[j]; {
			case m.AgentID != agent:
			case won:
				m.Load++
				m.LastAssignedAt = &now
			default: // another process gave them a session of another group meanwhile: who is next?
				m.Load = float64(m.Capacity)
			}
		}
		if won {
			return assigned(ctx, tx, w, agent, "assigned", now)
		}
	}
}

// freeGroups are the groups in which somebody can take a session now.
func freeGroups(members []models.Member, now time.Time, stale time.Duration) []int64 {
	var ids []int64
	for _, m := range members {
		if verdict(m, now, stale) == OK && !slices.Contains(ids, m.GroupID) {
			ids = append(ids, m.GroupID)
		}
	}
	return ids
}

func anyFree(members []models.Member, now time.Time, stale time.Duration) bool {
	return slices.ContainsFunc(members, func(m models.Member) bool { return verdict(m, now, stale) == OK })
}

// assigned writes down that the session is now in the agent's hands.
func assigned(ctx context.Context, tx *models.Store, w models.Waiter, agentID int64, how string, now time.Time) error {
	if err := happened(ctx, tx, w.ID, how, &agentID, "", now); err != nil {
		return err
	}
	waited := int(now.Sub(w.ArrivalAt).Seconds())
	if err := systemLine(ctx, tx, w.ConversationID, &w.ID, how, &agentID, map[string]any{"waited": waited}, now); err != nil {
		return err
	}
	return tell(ctx, tx, models.Event{Kind: models.EventSession, SessionID: w.ID, AgentID: agentID, GroupID: w.GroupID}, now)
}

// standing is what a waiting customer is told of their place, from the state of the queue; empty once somebody serves them (P-4.2).
func (d *Desk) standing(ctx context.Context, tx *models.Store, sessionID int64, now time.Time) (string, error) {
	s, err := tx.Session(ctx, sessionID)
	if err != nil || s.State != models.Waiting {
		return "", err
	}
	ahead, err := tx.Ahead(ctx, s)
	if err != nil {
		return "", err
	}
	members, err := tx.Members(ctx, []int64{s.GroupID}, now)
	if err != nil {
		return "", err
	}
	return standingText(ahead, slices.ContainsFunc(members, func(m models.Member) bool { return serves(m, now, d.set.Stale) })), nil
}

// serves reports whether the member counts among the slots a waiting customer can hope for: here, and not on the way out. Whether the
// slots are taken right now does not matter (P-3.2, S).
func serves(m models.Member, now time.Time, stale time.Duration) bool {
	v := verdict(m, now, stale)
	return v == OK || v == Full || v == Rings
}

// standingText is P-3.1 and P-3.5 in words. The longest form stays far below the 2,047 bytes of a passive text (wechat.md §14b).
func standingText(ahead int, onDuty bool) string {
	key := texts.Key("notice.ahead")
	switch {
	case !onDuty:
		key = "notice.nobody_here"
	case ahead == 0:
		key = "notice.next"
	}
	return texts.T(texts.ZhCN, key, texts.Args{"ahead": ahead})
}
