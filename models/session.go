package models

import (
	"context"
	"fmt"
	"time"
)

// SessionState is where a session is in its life (P-1.1).
type SessionState string

const (
	Waiting SessionState = "waiting"
	Active  SessionState = "active"
	Closed  SessionState = "closed"
)

// CloseReason says why a session ended (P-1.4).
type CloseReason string

const (
	ClosedByAgent    CloseReason = "agent"
	ClosedLeft       CloseReason = "left"
	ClosedIdle       CloseReason = "idle"
	ClosedWindow     CloseReason = "window"
	ClosedExpired    CloseReason = "expired"
	ClosedHanded     CloseReason = "handed"
	ClosedHosted     CloseReason = "hosted"
	ClosedBlocked    CloseReason = "blocked"
	ClosedUnfollowed CloseReason = "unfollowed"
	ClosedMerged     CloseReason = "merged"
)

// Session is one episode of service in one conversation.
type Session struct {
	ID               int64
	ChannelID        int64
	ConversationID   int64
	CustomerID       int64
	GroupID          int64
	State            SessionState
	AgentID          *int64
	Hop              int
	ArrivalAt        time.Time
	OpenedAt         time.Time
	AssignedAt       *time.Time
	ClosedAt         *time.Time
	CloseReason      CloseReason
	PreferredAgentID *int64
	PreferredUntil   *time.Time
	UnansweredSince  *time.Time // nil: the last word is ours
	LastAt           time.Time
	LastKind         string
	LastText         string
	LastDirection    Direction
	LastState        MessageState
	Unread           int
}

// Held reports whether the agent is the present holder.
func (s Session) Held(agentID int64) bool {
	return s.State == Active && s.AgentID != nil && *s.AgentID == agentID
}

// CreateSession stores a new waiting session with its first hop and sets its id. ErrDuplicate: the conversation has an open one.
func (s *Store) CreateSession(ctx context.Context, n *Session) error {
	if err := s.write(ctx, func(db *DB) error { return db.Create(n).Error }); err != nil {
		return fmt.Errorf("open session of conversation %d: %w", n.ConversationID, err)
	}
	return s.beginHop(ctx, n.ID, n.Hop, n.GroupID, n.ArrivalAt)
}

// Session is the session with the id, or ErrNotFound.
func (s *Store) Session(ctx context.Context, id int64) (Session, error) {
	var n Session
	if err := s.db(ctx).First(&n, id).Error; err != nil {
		return n, fmt.Errorf("session %d: %w", id, err)
	}
	return n, nil
}

// LastSession is the conversation's newest session, or ErrNotFound.
func (s *Store) LastSession(ctx context.Context, conversationID int64) (Session, error) {
	list := oneRow[Session]()
	err := s.db(ctx).Where("conversation_id = ?", conversationID).Order("id DESC").Limit(1).Find(&list).Error
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Session{}, fmt.Errorf("last session of conversation %d: %w", conversationID, err)
	}
	return list[0], nil
}

// AnyLoad is the capacity of somebody who may take more than they have slots.
const AnyLoad = -1

// TakeSession gives the waiting session to the agent and reports whether this call won it. Two agents may press the button at once,
// and the dispatcher may be faster than both: the UPDATE itself carries the conditions, state and free capacity, so exactly one gets
// true. A capacityOf of AnyLoad takes it whatever the load (a supervisor's claim).
func (s *Store) TakeSession(ctx context.Context, id, agentID int64, capacityOf int, at time.Time) (bool, error) {
	var won bool
	err := s.write(ctx, func(db *DB) error {
		if s.Dialect() == Postgres { // another session may be given to the agent at this moment: its weight must be seen here
			var locked []int64
			if err := db.Raw("SELECT id FROM agents WHERE id = ? FOR NO KEY UPDATE", agentID).Scan(&locked).Error; err != nil {
				return err
			}
		}
		res := db.Exec(`UPDATE sessions SET state = 'active', agent_id = ?, assigned_at = ?, preferred_agent_id = NULL, preferred_until = NULL, last_at = ?
			 WHERE id = ? AND state = 'waiting'
			   AND (? < 0 OR (SELECT COALESCE(SUM(CASE WHEN h.last_at < ? THEN ? ELSE 1.0 END), 0.0) FROM sessions h WHERE h.agent_id = ? AND h.state = 'active') + 1 <= ?)`,
			agentID, at, at, id, capacityOf, at.Add(-quietAfter), quietWeight, agentID, capacityOf)
		if res.Error != nil {
			return res.Error
		}
		if won = res.RowsAffected == 1; !won {
			return nil
		}
		if err := db.Exec("UPDATE hops SET agent_id = ?, assigned_at = ? WHERE session_id = ? AND ended_at IS NULL", agentID, at, id).Error; err != nil {
			return err
		}
		return db.Exec("UPDATE agents SET last_assigned_at = ? WHERE id = ?", at, agentID).Error
	})
	if err != nil {
		return false, fmt.Errorf("take session %d for agent %d: %w", id, agentID, err)
	}
	return won, nil
}

// CloseSession ends the open session and its hop, and reports whether this call did it.
func (s *Store) CloseSession(ctx context.Context, id int64, reason CloseReason, at time.Time) (bool, error) {
	var won bool
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec(`UPDATE sessions SET state = 'closed', close_reason = ?, closed_at = ?, unread = 0, preferred_agent_id = NULL, preferred_until = NULL
			WHERE id = ? AND state <> 'closed'`, reason, at, id)
		if res.Error != nil {
			return res.Error
		}
		if won = res.RowsAffected == 1; !won {
			return nil
		}
		if err := db.Exec("UPDATE hops SET ended_at = ?, end_reason = ? WHERE session_id = ? AND ended_at IS NULL", at, string(reason), id).Error; err != nil {
			return err
		}
		return db.Exec(`UPDATE conversations SET last_agent_id = s.agent_id, last_group_id = s.group_id, last_served_at = ?
			FROM (SELECT conversation_id, agent_id, group_id FROM sessions WHERE id = ? AND agent_id IS NOT NULL) s
			WHERE conversations.id = s.conversation_id`, at, id).Error
	})
	if err != nil {
		return false, fmt.Errorf("close session %d: %w", id, err)
	}
	return won, nil
}

// ReopenSession puts a closed session back into the queue as a new hop, its old holder preferred until the moment given. It reports
// whether this call did it.
func (s *Store) ReopenSession(ctx context.Context, n Session, preferUntil, at time.Time) (bool, error) {
	var won bool
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec(`UPDATE sessions SET state = 'waiting', preferred_agent_id = agent_id, preferred_until = ?, agent_id = NULL, hop = hop + 1,
			arrival_at = ?, unanswered_since = NULL, assigned_at = NULL, closed_at = NULL, close_reason = '' WHERE id = ? AND state = 'closed'`, preferUntil, at, n.ID)
		won = res.RowsAffected == 1
		return res.Error
	})
	if err != nil {
		return false, fmt.Errorf("reopen session %d: %w", n.ID, err)
	}
	if !won {
		return false, nil
	}
	return true, s.beginHop(ctx, n.ID, n.Hop+1, n.GroupID, at)
}

func (s *Store) beginHop(ctx context.Context, sessionID int64, number int, groupID int64, at time.Time) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec("INSERT INTO hops (session_id, number, group_id, queued_at) VALUES (?, ?, ?, ?)", sessionID, number, groupID, at).Error
	})
	if err != nil {
		return fmt.Errorf("begin hop %d of session %d: %w", number, sessionID, err)
	}
	return nil
}

// NoteInbound makes the customer's message the last word of the open session. It reports false when the session was closed meanwhile.
func (s *Store) NoteInbound(ctx context.Context, id int64, kind, text string, at time.Time) (bool, error) {
	var still bool
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec(`UPDATE sessions SET last_at = ?, last_kind = ?, last_text = ?, last_direction = 'in', last_state = '', unread = unread + 1,
			unanswered_since = COALESCE(unanswered_since, ?) WHERE id = ? AND state <> 'closed'`, at, kind, text, at, id)
		still = res.RowsAffected == 1
		return res.Error
	})
	if err != nil {
		return false, fmt.Errorf("note message in session %d: %w", id, err)
	}
	return still, nil
}

// NoteOutbound makes the agent's message the last word; the holder who writes has read what came before. The customer's clock goes on until it is sent (NoteDelivered).
func (s *Store) NoteOutbound(ctx context.Context, id, agentID int64, kind, text string, state MessageState, at time.Time) error {
	return s.write(ctx, func(db *DB) error {
		return db.Exec(`UPDATE sessions SET last_at = ?, last_kind = ?, last_text = ?, last_direction = 'out', last_state = ?, unread = CASE WHEN agent_id = ? THEN 0 ELSE unread END WHERE id = ?`,
			at, kind, text, state, agentID, id).Error
	})
}

// NoteDelivered follows a message's delivery on its session's row. Only sent and unknown stop the customer's clock, and only when
// nothing newer came from the customer (P-2.9).
func (s *Store) NoteDelivered(ctx context.Context, m Message) error {
	return s.write(ctx, func(db *DB) error {
		if m.State == Sent || m.State == UnknownState {
			// After the newest delivered one, which need not be this: a message that was passed over may arrive late.
			err := db.Exec(`UPDATE sessions SET unanswered_since = (SELECT MIN(i.created_at) FROM messages i WHERE i.session_id = ? AND i.direction = 'in'
				AND i.id > (SELECT MAX(o.id) FROM messages o WHERE o.session_id = ? AND o.direction = 'out' AND NOT o.passive AND o.state IN ('sent', 'unknown')))
				WHERE id = ? AND unanswered_since IS NOT NULL`, m.SessionID, m.SessionID, m.SessionID).Error
			if err != nil {
				return err
			}
		}
		return db.Exec(`UPDATE sessions SET last_state = ? WHERE id = ? AND last_direction = 'out'
			AND NOT EXISTS (SELECT 1 FROM messages n WHERE n.session_id = ? AND n.direction = 'out' AND n.id > ?)`, m.State, m.SessionID, m.SessionID, m.ID).Error
	})
}

// LockSession keeps other processes from writing into the session until the transaction ends, so that the parts of two replies do not
// mix. SQLite has one writer, so there it does nothing.
func (s *Store) LockSession(ctx context.Context, id int64) error {
	if s.Dialect() != Postgres {
		return nil
	}
	var locked []int64
	if err := s.db(ctx).Raw("SELECT id FROM sessions WHERE id = ? FOR NO KEY UPDATE", id).Scan(&locked).Error; err != nil {
		return fmt.Errorf("lock session %d: %w", id, err)
	}
	return nil
}

// MarkRead clears the holder's unread count and reports whether there was anything to clear.
func (s *Store) MarkRead(ctx context.Context, id, agentID int64) (bool, error) {
	var changed bool
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec("UPDATE sessions SET unread = 0 WHERE id = ? AND agent_id = ? AND state = 'active' AND unread > 0", id, agentID)
		changed = res.RowsAffected == 1
		return res.Error
	})
	return changed, err
}

// Waiter is a waiting session as the dispatcher sees it.
type Waiter struct {
	ID               int64
	ConversationID   int64
	GroupID          int64
	ArrivalAt        time.Time
	PreferredAgentID *int64
	PreferredUntil   *time.Time
}

// WaitingOrder lists the waiting sessions of the groups in the order they are to be served: arrival, then id (P-2.1).
func (s *Store) WaitingOrder(ctx context.Context, groupIDs []int64, limit int) ([]Waiter, error) {
	var list []Waiter
	err := s.db(ctx).Raw(`SELECT id, conversation_id, group_id, arrival_at, preferred_agent_id, preferred_until FROM sessions
		WHERE state = 'waiting' AND group_id IN ? ORDER BY arrival_at, id LIMIT ?`, groupIDs, limit).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("waiting sessions of groups %v: %w", groupIDs, err)
	}
	return list, nil
}

// Ahead counts the waiting sessions of the group that are served before this one, never itself (P-3.1).
func (s *Store) Ahead(ctx context.Context, n Session) (int, error) {
	var ahead int
	err := s.db(ctx).Raw(`SELECT COUNT(*) FROM sessions WHERE state = 'waiting' AND group_id = ? AND (arrival_at < ? OR (arrival_at = ? AND id < ?))`,
		n.GroupID, n.ArrivalAt, n.ArrivalAt, n.ID).Scan(&ahead).Error
	if err != nil {
		return 0, fmt.Errorf("ahead of session %d: %w", n.ID, err)
	}
	return ahead, nil
}

// QueueLength counts the group's waiting sessions, up to limit.
func (s *Store) QueueLength(ctx context.Context, groupID int64, limit int) (int, error) {
	var n int
	err := s.db(ctx).Raw(`SELECT COUNT(*) FROM (SELECT 1 FROM sessions WHERE state = 'waiting' AND group_id = ? LIMIT ?) AS queue`, groupID, limit).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("queue length of group %d: %w", groupID, err)
	}
	return n, nil
}

// HistoryLine is one line of a session's history: who, when, what, why (P-1.5).
type HistoryLine struct {
	ID        int64
	SessionID int64
	Kind      string
	AgentID   *int64
	Detail    string // JSON, or empty
	At        time.Time
}

// TableName of history lines.
func (HistoryLine) TableName() string { return "history" }

// AddHistory writes a line of the session's history.
func (s *Store) AddHistory(ctx context.Context, h HistoryLine) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec("INSERT INTO history (session_id, kind, agent_id, detail, at) VALUES (?, ?, ?, ?, ?)", h.SessionID, h.Kind, h.AgentID, h.Detail, h.At).Error
	})
	if err != nil {
		return fmt.Errorf("history of session %d: %w", h.SessionID, err)
	}
	return nil
}

// History lists the session's history, oldest first.
func (s *Store) History(ctx context.Context, sessionID int64) ([]HistoryLine, error) {
	var list []HistoryLine
	if err := s.db(ctx).Where("session_id = ?", sessionID).Order("id").Limit(1000).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("history of session %d: %w", sessionID, err)
	}
	return list, nil
}
