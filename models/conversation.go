package models

import (
	"context"
	"fmt"
	"time"
)

// Customer is a person on a channel.
type Customer struct {
	ID           int64
	ChannelID    int64
	ExternalID   string // WeChat openid
	Remark       string // what agents call them
	Name         string // what they called themself
	Follows      bool
	BlockedAt    *time.Time
	BlockedUntil *time.Time
	CreatedAt    time.Time
}

// Conversation is the place where sessions happen.
type Conversation struct {
	ID           int64
	ChannelID    int64
	Key          string
	CustomerID   int64
	RouteGroupID *int64
	RouteUntil   *time.Time
	LastAgentID  *int64
	LastGroupID  *int64
	LastServedAt *time.Time
	CreatedAt    time.Time
}

// Place is what a push needs to know of where it happened, read at once: conversation, customer and the open session, if any.
type Place struct {
	ConversationID int64
	CustomerID     int64
	RouteGroupID   *int64
	RouteUntil     *time.Time
	LastGroupID    *int64
	LastServedAt   *time.Time
	Follows        bool
	BlockedAt      *time.Time
	BlockedUntil   *time.Time
	SessionID      *int64 // the open one
	GroupID        *int64
	AgentID        *int64
	SessionState   *SessionState
}

// Blocked reports whether the customer is blocked at the moment.
func (p Place) Blocked(now time.Time) bool {
	return p.BlockedAt != nil && (p.BlockedUntil == nil || now.Before(*p.BlockedUntil))
}

// Place finds the conversation with the key, or ErrNotFound.
func (s *Store) Place(ctx context.Context, channelID int64, key string) (Place, error) {
	list := oneRow[Place]()
	err := s.db(ctx).Raw(`SELECT v.id AS conversation_id, v.customer_id, v.route_group_id, v.route_until, v.last_group_id, v.last_served_at,
		       c.follows, c.blocked_at, c.blocked_until, n.id AS session_id, n.group_id, n.agent_id, n.state AS session_state
		  FROM conversations v JOIN customers c ON c.id = v.customer_id
		  LEFT JOIN sessions n ON n.conversation_id = v.id AND n.state <> 'closed'
		 WHERE v.channel_id = ? AND v.key = ?`, channelID, key).Scan(&list).Error
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Place{}, fmt.Errorf("conversation on channel %d: %w", channelID, err)
	}
	return list[0], nil
}

// CreatePlace stores a new conversation and, when they are new, its customer.
func (s *Store) CreatePlace(ctx context.Context, channelID int64, key, externalID string, at time.Time) (Place, error) {
	var p Place
	err := s.write(ctx, func(db *DB) error {
		err := db.Raw(`INSERT INTO customers (channel_id, external_id, created_at) VALUES (?, ?, ?)
			ON CONFLICT (channel_id, external_id) DO UPDATE SET external_id = excluded.external_id RETURNING id`, channelID, externalID, at).Scan(&p.CustomerID).Error
		if err != nil {
			return err
		}
		return db.Raw(`INSERT INTO conversations (channel_id, key, customer_id, created_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (channel_id, key) DO UPDATE SET key = excluded.key RETURNING id`, channelID, key, p.CustomerID, at).Scan(&p.ConversationID).Error
	})
	if err != nil {
		return p, fmt.Errorf("new conversation on channel %d: %w", channelID, err)
	}
	p.Follows = true
	return p, nil
}

// SetFollows notes whether the customer follows the account.
func (s *Store) SetFollows(ctx context.Context, customerID int64, follows bool) error {
	return s.write(ctx, func(db *DB) error {
		return db.Exec("UPDATE customers SET follows = ? WHERE id = ?", follows, customerID).Error
	})
}

// RememberRoute keeps the group that a menu click or scan chose, for the session that a typed message opens before the moment.
func (s *Store) RememberRoute(ctx context.Context, conversationID, groupID int64, until time.Time) error {
	return s.write(ctx, func(db *DB) error {
		return db.Exec("UPDATE conversations SET route_group_id = ?, route_until = ? WHERE id = ?", groupID, until, conversationID).Error
	})
}

// Customer is the customer with the id, or ErrNotFound.
func (s *Store) Customer(ctx context.Context, id int64) (Customer, error) {
	var c Customer
	if err := s.db(ctx).First(&c, id).Error; err != nil {
		return c, fmt.Errorf("customer %d: %w", id, err)
	}
	return c, nil
}

// Conversation is the conversation with the id, or ErrNotFound.
func (s *Store) Conversation(ctx context.Context, id int64) (Conversation, error) {
	var v Conversation
	if err := s.db(ctx).First(&v, id).Error; err != nil {
		return v, fmt.Errorf("conversation %d: %w", id, err)
	}
	return v, nil
}

// SceneMessage is the grant of a typed message.
const SceneMessage = "message"

// Unlimited is the count of a grant without limit.
const Unlimited = -1

// Grant is what one act of the customer lets us send (wechat.md §5.1).
type Grant struct {
	ConversationID int64
	Scene          string
	Count          int // or Unlimited
	GrantedAt      time.Time
	ExpiresAt      time.Time
}

// SaveGrant keeps the newest grant of its scene; an older one that arrives late changes nothing.
func (s *Store) SaveGrant(ctx context.Context, g Grant) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec(`INSERT INTO grants (conversation_id, scene, count, granted_at, expires_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (conversation_id, scene) DO UPDATE SET count = excluded.count, granted_at = excluded.granted_at, expires_at = excluded.expires_at
			WHERE grants.granted_at < excluded.granted_at`, g.ConversationID, g.Scene, g.Count, g.GrantedAt, g.ExpiresAt).Error
	})
	if err != nil {
		return fmt.Errorf("grant of conversation %d: %w", g.ConversationID, err)
	}
	return nil
}

// Grants lists what the conversation was granted, dead ones included.
func (s *Store) Grants(ctx context.Context, conversationID int64) ([]Grant, error) {
	var list []Grant
	if err := s.db(ctx).Where("conversation_id = ?", conversationID).Order("scene").Limit(20).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("grants of conversation %d: %w", conversationID, err)
	}
	return list, nil
}

// DropGrants forgets all grants of the conversation: the platform said no, or the customer left.
func (s *Store) DropGrants(ctx context.Context, conversationID int64) error {
	return s.write(ctx, func(db *DB) error {
		return db.Exec("DELETE FROM grants WHERE conversation_id = ?", conversationID).Error
	})
}

// EmptyGrants sets what is left of all grants to nothing, without ending the window (45047).
func (s *Store) EmptyGrants(ctx context.Context, conversationID int64) error {
	return s.write(ctx, func(db *DB) error {
		return db.Exec("UPDATE grants SET count = 0 WHERE conversation_id = ?", conversationID).Error
	})
}

// SpentSince counts the messages that used up allowance since the moment: sent since, perhaps sent since, or still on their way, whenever
// they were written. Passive answers are free.
func (s *Store) SpentSince(ctx context.Context, conversationID int64, since time.Time) (int, error) {
	var n int
	err := s.db(ctx).Raw(`SELECT COUNT(*) FROM messages WHERE conversation_id = ? AND direction = 'out' AND NOT passive
		AND (state IN ('queued', 'sending') OR state IN ('sent', 'unknown') AND updated_at >= ?)`, conversationID, since).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("messages spent in conversation %d: %w", conversationID, err)
	}
	return n, nil
}
