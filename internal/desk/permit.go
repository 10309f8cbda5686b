package desk

import (
	"context"
	"errors"
	"slices"

	"kefu/models"
)

// Viewer is an agent with what their role and groups let them see and do. Roles: docs/rules.md, Roles.
type Viewer struct {
	Agent  models.Agent
	Groups []int64 // memberships, sorted
}

// List names one of the lists of the workspace.
type List string

const (
	ListMine   List = "mine"   // 我的会话
	ListQueue  List = "queue"  // 排队中
	ListTeam   List = "team"   // 同事
	ListClosed List = "closed" // 已结束
	ListNone   List = ""       // not for this viewer
)

// Viewer loads the agent's rights of this moment.
func (d *Desk) Viewer(ctx context.Context, agent models.Agent) (Viewer, error) {
	list, err := d.store.Memberships(ctx, agent.ID)
	if err != nil {
		return Viewer{}, err
	}
	v := Viewer{Agent: agent}
	for _, m := range list {
		v.Groups = append(v.Groups, m.GroupID)
	}
	slices.Sort(v.Groups)
	return v, nil
}

// Member reports whether the viewer serves the group.
func (v Viewer) Member(groupID int64) bool {
	_, found := slices.BinarySearch(v.Groups, groupID)
	return found
}

// Supervises reports whether the viewer leads the group: an admin leads all, a supervisor those they are a member of.
func (v Viewer) Supervises(groupID int64) bool {
	return v.Agent.Role == models.RoleAdmin || v.Agent.Role == models.RoleSupervisor && v.Member(groupID)
}

// ListOf is the list in which the viewer finds the session; ListNone when they may not see it there. A closed session is in the list of
// those who closed it last and of the group's supervisors; Open lets all who served the customer lately in.
func (v Viewer) ListOf(r models.Row) List {
	switch {
	case r.State == models.Closed && (v.holds(r) || v.Supervises(r.GroupID)):
		return ListClosed
	case r.State == models.Closed:
		return ListNone
	case v.holds(r):
		return ListMine
	case r.State == models.Waiting && (v.Member(r.GroupID) || v.Supervises(r.GroupID)):
		return ListQueue
	case r.State == models.Active && (v.Supervises(r.GroupID) || v.Member(r.GroupID) && r.Watch):
		return ListTeam
	}
	return ListNone
}

func (v Viewer) holds(r models.Row) bool { return r.AgentID != nil && *r.AgentID == v.Agent.ID }

// MayClaim reports whether the viewer may take the waiting session (§A row 11).
func (v Viewer) MayClaim(state models.SessionState, groupID int64) bool {
	return state == models.Waiting && (v.Member(groupID) || v.Supervises(groupID))
}

// MayReply reports whether the viewer may write to the customer: the holder, or who leads the group.
func (v Viewer) MayReply(s models.Session) bool {
	return s.State == models.Active && (s.Held(v.Agent.ID) || v.Supervises(s.GroupID))
}

// MayNote reports whether the viewer may write an internal note: the holder, after the end the last one, or who leads the group. Who
// watches only reads.
func (v Viewer) MayNote(r models.Row) bool {
	return v.holds(r) || v.Supervises(r.GroupID)
}

// MayClose reports whether the viewer may end the session (§A row 20).
func (v Viewer) MayClose(s models.Session) bool { return v.MayReply(s) }

// Open loads a session for the viewer, or refuses: Forbidden when it is not theirs to see.
func (d *Desk) Open(ctx context.Context, v Viewer, id int64) (models.Row, error) {
	row, err := d.store.Row(ctx, id)
	if err != nil {
		return row, err
	}
	if v.ListOf(row) != ListNone {
		return row, nil
	}
	if row.State == models.Closed {
		own, err := d.own(ctx, v, row.CustomerID)
		if err != nil || own {
			return row, err
		}
	}
	return row, refuse(Forbidden, "refusal.not_visible", nil)
}

// own reports whether the customer is one of the viewer's: served by them lately (P-12.8).
func (d *Desk) own(ctx context.Context, v Viewer, customerID int64) (bool, error) {
	return d.store.Served(ctx, customerID, v.Agent.ID, d.now().Add(-d.set.ClosedShown))
}

// through is how far the viewer may read in the conversation of a session they opened: all of it (0), or, when it goes on in a session
// that is not theirs to see, to the end of this one.
func (d *Desk) through(ctx context.Context, v Viewer, r models.Row) (int64, error) {
	if r.State != models.Closed {
		return 0, nil
	}
	last, err := d.store.LastSession(ctx, r.ConversationID)
	if err != nil || last.ID == r.ID {
		return 0, err
	}
	_, err = d.Open(ctx, v, last.ID)
	if _, hidden := errors.AsType[*Refusal](err); hidden {
		return r.ID, nil
	}
	return 0, err
}

// Thread lists the newest messages before the id (0: the newest of all) that the viewer may read of the session's conversation, oldest
// first.
func (d *Desk) Thread(ctx context.Context, v Viewer, r models.Row, before int64, limit int) ([]models.Message, error) {
	through, err := d.through(ctx, v, r)
	if err != nil {
		return nil, err
	}
	return d.store.LastMessages(ctx, r.ConversationID, through, before, limit)
}

// Earlier lists the customer's closed sessions other than this one that the viewer may open, newest first.
func (d *Desk) Earlier(ctx context.Context, v Viewer, r models.Row, limit int) ([]models.Row, error) {
	list, err := d.store.EarlierRows(ctx, r.CustomerID, r.ID, limit)
	if err != nil {
		return nil, err
	}
	own := r.State == models.Active && v.holds(r)
	if !own {
		if own, err = d.own(ctx, v, r.CustomerID); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(e models.Row) bool { return !own && v.ListOf(e) == ListNone }), nil
}
