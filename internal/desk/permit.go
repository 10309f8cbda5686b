package desk

import (
	"context"
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
// those who took part, whom Took names, and of the group's supervisors.
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
		took, err := d.store.Took(ctx, id, v.Agent.ID)
		if err != nil {
			return row, err
		}
		if took {
			return row, nil
		}
	}
	return row, refuse(Forbidden, "refusal.not_visible", nil)
}
