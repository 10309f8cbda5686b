package models

import (
	"context"
	"fmt"
	"time"
)

// Group is a set of agents who serve one queue. Platforms know no groups; they exist only here.
type Group struct {
	ID          int64
	Name        string
	Position    int
	QueueLimit  int
	Watch       bool // members may read their colleagues' sessions
	TargetTake  int  // seconds from arrival to acceptance
	TargetFirst int  // seconds to the first answer
	TargetNext  int  // seconds to each next answer
	CreatedAt   time.Time
}

// Membership is one agent in one group.
type Membership struct {
	GroupID    int64
	AgentID    int64
	Position   int // the admin's order
	Supervisor bool
}

// TableName of memberships.
func (Membership) TableName() string { return "group_members" }

// CreateGroup stores a new group with its members in the order given.
func (s *Store) CreateGroup(ctx context.Context, g *Group, members []Membership) error {
	err := s.write(ctx, func(db *DB) error {
		if err := db.Create(g).Error; err != nil {
			return err
		}
		for i := range members {
			members[i].GroupID, members[i].Position = g.ID, i
		}
		if len(members) == 0 {
			return nil
		}
		return db.Create(&members).Error
	})
	if err != nil {
		return fmt.Errorf("create group %q: %w", g.Name, err)
	}
	return nil
}

// AddMember puts the agent at the end of the group.
func (s *Store) AddMember(ctx context.Context, m Membership) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec(`INSERT INTO group_members (group_id, agent_id, position, supervisor)
			SELECT ?, ?, COALESCE(MAX(position), -1) + 1, ? FROM group_members WHERE group_id = ?`, m.GroupID, m.AgentID, m.Supervisor, m.GroupID).Error
	})
	if err != nil {
		return fmt.Errorf("add agent %d to group %d: %w", m.AgentID, m.GroupID, err)
	}
	return nil
}

// Groups lists all groups in the admin's order.
func (s *Store) Groups(ctx context.Context) ([]Group, error) {
	var list []Group
	if err := s.db(ctx).Order("position, id").Limit(10_000).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return list, nil
}

// Group is the group with the id, or ErrNotFound.
func (s *Store) Group(ctx context.Context, id int64) (Group, error) {
	var g Group
	if err := s.db(ctx).First(&g, id).Error; err != nil {
		return g, fmt.Errorf("group %d: %w", id, err)
	}
	return g, nil
}

// Memberships lists who is in which group; with an agent id other than 0, only theirs.
func (s *Store) Memberships(ctx context.Context, agentID int64) ([]Membership, error) {
	var list []Membership
	q := s.db(ctx).Order("group_id, position, agent_id").Limit(100_000)
	if agentID != 0 {
		q = q.Where("agent_id = ?", agentID)
	}
	if err := q.Find(&list).Error; err != nil {
		return nil, fmt.Errorf("list memberships: %w", err)
	}
	return list, nil
}

// Member is what the dispatcher weighs of an agent in a group.
type Member struct {
	GroupID        int64
	AgentID        int64
	Position       int
	Presence       Presence
	AutoAccept     bool
	Capacity       int
	SeenAt         *time.Time
	LastAssignedAt *time.Time
	Load           float64 // sum of the weights of active sessions
}

// quietWeight is what a session costs after quietAfter without a message of either side; a live one costs 1 (P-2.4).
const (
	quietWeight = 0.25
	quietAfter  = 10 * time.Minute
)

// Members lists the agents of the groups who are not disabled, with their present load over all groups.
func (s *Store) Members(ctx context.Context, groupIDs []int64, now time.Time) ([]Member, error) {
	var list []Member
	err := s.db(ctx).Raw(`
		SELECT m.group_id, m.agent_id, m.position, a.presence, a.auto_accept, a.capacity, a.seen_at, a.last_assigned_at,
		       COALESCE((SELECT SUM(CASE WHEN s.last_at < ? THEN ? ELSE 1.0 END) FROM sessions s WHERE s.agent_id = a.id AND s.state = 'active'), 0.0) AS load
		  FROM group_members m JOIN agents a ON a.id = m.agent_id
		 WHERE m.group_id IN ? AND a.disabled_at IS NULL
		 ORDER BY m.group_id, m.position, m.agent_id`, now.Add(-quietAfter), quietWeight, groupIDs).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("members of groups %v: %w", groupIDs, err)
	}
	return list, nil
}

// Load is the sum of the weights of the agent's active sessions.
func (s *Store) Load(ctx context.Context, agentID int64, now time.Time) (float64, error) {
	var load float64
	err := s.db(ctx).Raw(`SELECT COALESCE(SUM(CASE WHEN last_at < ? THEN ? ELSE 1.0 END), 0.0) FROM sessions WHERE agent_id = ? AND state = 'active'`,
		now.Add(-quietAfter), quietWeight, agentID).Scan(&load).Error
	if err != nil {
		return 0, fmt.Errorf("load of agent %d: %w", agentID, err)
	}
	return load, nil
}

// LockGroups keeps other processes from deciding for the same groups until the transaction ends (P-2.2). A plain FOR UPDATE would also
// wait for everybody who merely stored a session of the group, and they for us: a deadlock with every second new session. SQLite has one
// writer, so there it does nothing.
func (s *Store) LockGroups(ctx context.Context, ids []int64) error {
	if s.Dialect() != Postgres {
		return nil
	}
	var locked []int64
	if err := s.db(ctx).Raw("SELECT id FROM groups WHERE id IN ? ORDER BY id FOR NO KEY UPDATE", ids).Scan(&locked).Error; err != nil {
		return fmt.Errorf("lock groups %v: %w", ids, err)
	}
	return nil
}
