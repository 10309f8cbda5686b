package models

import (
	"context"
	"fmt"
	"time"
)

// Row is a session as lists show it: with names instead of ids.
type Row struct {
	ID              int64
	State           SessionState
	ConversationID  int64
	CustomerID      int64
	ChannelID       int64
	ChannelKind     string
	ChannelName     string
	GroupID         int64
	GroupName       string
	Watch           bool
	TargetTake      int
	TargetFirst     int
	TargetNext      int
	AgentID         *int64
	AgentName       *string
	Remark          string
	CustomerName    string
	ExternalID      string
	ArrivalAt       time.Time
	OpenedAt        time.Time
	AssignedAt      *time.Time
	ClosedAt        *time.Time
	CloseReason     CloseReason
	UnansweredSince *time.Time
	LastAt          time.Time
	LastKind        string
	LastText        string
	LastDirection   Direction
	LastState       MessageState
	Unread          int
	WindowEnds      *time.Time // end of the 48-hour window
}

const rowColumns = `SELECT n.id, n.state, n.conversation_id, n.customer_id, n.channel_id, h.kind AS channel_kind, h.name AS channel_name, n.group_id, g.name AS group_name,
	g.watch, g.target_take, g.target_first, g.target_next, n.agent_id, a.name AS agent_name, c.remark, c.name AS customer_name, c.external_id,
	n.arrival_at, n.opened_at, n.assigned_at, n.closed_at, n.close_reason, n.unanswered_since, n.last_at, n.last_kind, n.last_text, n.last_direction, n.last_state, n.unread,
	w.expires_at AS window_ends
	FROM sessions n JOIN customers c ON c.id = n.customer_id JOIN groups g ON g.id = n.group_id JOIN channels h ON h.id = n.channel_id
	LEFT JOIN agents a ON a.id = n.agent_id LEFT JOIN grants w ON w.conversation_id = n.conversation_id AND w.scene = 'message' `

// Row is one session with its names, or ErrNotFound.
func (s *Store) Row(ctx context.Context, id int64) (Row, error) {
	rows, err := s.Rows(ctx, []int64{id})
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("session %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Row{}, err
	}
	return rows[0], nil
}

// Rows are the sessions with the ids, in no special order.
func (s *Store) Rows(ctx context.Context, ids []int64) ([]Row, error) {
	return s.rowsInto(ctx, make([]Row, 0, len(ids)), "WHERE n.id IN ?", ids)
}

// OpenRows are all open sessions.
func (s *Store) OpenRows(ctx context.Context) ([]Row, error) {
	return s.rows(ctx, "WHERE n.state <> 'closed' ORDER BY n.arrival_at, n.id LIMIT 20000")
}

// ClosedRows are the newest closed sessions that the agent took part in; with agent 0, of the groups; with both empty, all.
func (s *Store) ClosedRows(ctx context.Context, agentID int64, groupIDs []int64, since time.Time, limit int) ([]Row, error) {
	switch {
	case agentID != 0:
		return s.rows(ctx, `WHERE n.state = 'closed' AND n.closed_at >= ? AND EXISTS (SELECT 1 FROM hops p WHERE p.session_id = n.id AND p.agent_id = ?)
			ORDER BY n.closed_at DESC, n.id DESC LIMIT ?`, since, agentID, limit)
	case len(groupIDs) > 0:
		return s.rows(ctx, "WHERE n.state = 'closed' AND n.closed_at >= ? AND n.group_id IN ? ORDER BY n.closed_at DESC, n.id DESC LIMIT ?", since, groupIDs, limit)
	default:
		return s.rows(ctx, "WHERE n.state = 'closed' AND n.closed_at >= ? ORDER BY n.closed_at DESC, n.id DESC LIMIT ?", since, limit)
	}
}

// EarlierRows are the customer's closed sessions other than the one, newest first.
func (s *Store) EarlierRows(ctx context.Context, customerID, except int64, limit int) ([]Row, error) {
	return s.rows(ctx, "WHERE n.customer_id = ? AND n.id <> ? AND n.state = 'closed' ORDER BY n.closed_at DESC, n.id DESC LIMIT ?", customerID, except, limit)
}

// Served reports whether the agent held any session of the customer since the moment.
func (s *Store) Served(ctx context.Context, customerID, agentID int64, since time.Time) (bool, error) {
	var n int
	err := s.db(ctx).Raw(`SELECT COUNT(*) FROM hops p JOIN sessions n ON n.id = p.session_id
		WHERE n.customer_id = ? AND p.agent_id = ? AND COALESCE(p.ended_at, p.assigned_at) >= ?`, customerID, agentID, since).Scan(&n).Error
	if err != nil {
		return false, fmt.Errorf("hops of customer %d: %w", customerID, err)
	}
	return n > 0, nil
}

func (s *Store) rows(ctx context.Context, where string, args ...any) ([]Row, error) {
	return s.rowsInto(ctx, nil, where, args...)
}

func (s *Store) rowsInto(ctx context.Context, list []Row, where string, args ...any) ([]Row, error) {
	if err := s.db(ctx).Raw(rowColumns+where, args...).Scan(&list).Error; err != nil {
		return nil, fmt.Errorf("session rows: %w", err)
	}
	return list, nil
}

// oneRow is where a query finds at most one row. GORM makes room for twenty when it gets an empty slice, and whoever keeps the one keeps
// the room.
func oneRow[T any]() []T { return make([]T, 0, 1) }
