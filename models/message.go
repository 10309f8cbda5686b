package models

import (
	"context"
	"fmt"
	"time"
)

// Direction says who a message is from and for.
type Direction string

const (
	In     Direction = "in"     // from the customer
	Out    Direction = "out"    // to the customer
	Note   Direction = "note"   // internal
	System Direction = "system" // a line about what happened
)

// MessageState is how far the delivery of an outbound message got (P-5.3).
type MessageState string

const (
	Queued       MessageState = "queued"
	Sending      MessageState = "sending"
	Sent         MessageState = "sent"
	FailedState  MessageState = "failed"
	UnknownState MessageState = "unknown" // it may have arrived; never repeated by itself
	Parked       MessageState = "parked"
	Withdrawn    MessageState = "withdrawn"
)

// Final reports whether the delivery does nothing more by itself.
func (m MessageState) Final() bool { return m != Queued && m != Sending }

// Message is one line of a conversation.
type Message struct {
	ID             int64
	ConversationID int64
	SessionID      *int64
	Direction      Direction
	Kind           string
	AgentID        *int64
	Text           string
	Data           string // JSON, what else the kind needs
	PlatformID     string
	ShownAt        time.Time // the platform's time of an inbound message
	CreatedAt      time.Time
	UpdatedAt      time.Time `gorm:"autoUpdateTime:false"`
	IdemKey        *string
	Face           string
	FaceNick       string
	Part           int
	Parts          int
	ResendOf       *int64
	ResentAt       *time.Time // when an agent sent it once more
	Passive        bool
	State          MessageState
	ErrorClass     string
	ErrorCode      int
	ErrorText      string
	RetryAt        *time.Time
	SentAt         *time.Time
}

// CreateMessage stores a new message and sets its id. ErrDuplicate: its idempotency key was used.
func (s *Store) CreateMessage(ctx context.Context, m *Message) error {
	if m.Part == 0 {
		m.Part, m.Parts = 1, 1
	}
	m.UpdatedAt = m.CreatedAt
	err := s.write(ctx, func(db *DB) error {
		return named(db.Raw(`INSERT INTO messages (conversation_id, session_id, direction, kind, agent_id, text, data, platform_id, shown_at, created_at, updated_at,
			idem_key, face, face_nick, part, parts, resend_of, passive, state, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			m.ConversationID, m.SessionID, m.Direction, m.Kind, m.AgentID, m.Text, m.Data, m.PlatformID, m.ShownAt, m.CreatedAt, m.UpdatedAt,
			m.IdemKey, m.Face, m.FaceNick, m.Part, m.Parts, m.ResendOf, m.Passive, m.State, m.SentAt).Scan(&m.ID))
	})
	if err != nil {
		return fmt.Errorf("store message in conversation %d: %w", m.ConversationID, err)
	}
	return nil
}

// Message is the message with the id, or ErrNotFound.
func (s *Store) Message(ctx context.Context, id int64) (Message, error) {
	var m Message
	if err := s.db(ctx).First(&m, id).Error; err != nil {
		return m, fmt.Errorf("message %d: %w", id, err)
	}
	return m, nil
}

// MessageByKey is the message that was stored under the idempotency key, or ErrNotFound.
func (s *Store) MessageByKey(ctx context.Context, key string) (Message, error) {
	var list []Message
	err := s.db(ctx).Where("idem_key = ?", key).Limit(1).Find(&list).Error
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Message{}, fmt.Errorf("message by key: %w", err)
	}
	return list[0], nil
}

// LastMessages lists the newest messages of the conversation before the id (0: the newest of all), oldest first. With a session id in
// through they end with that session: nothing of later ones.
func (s *Store) LastMessages(ctx context.Context, conversationID, through, before int64, limit int) ([]Message, error) {
	var list []Message
	err := s.db(ctx).Raw(`SELECT * FROM (SELECT * FROM messages WHERE conversation_id = ? AND (? = 0 OR id < ?)
			AND (? = 0 OR (COALESCE(session_id, 0) <= ? AND id <= (SELECT MAX(l.id) FROM messages l WHERE l.session_id = ?)))
		ORDER BY id DESC LIMIT ?) AS newest ORDER BY id`, conversationID, before, before, through, through, through, limit).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("messages of conversation %d: %w", conversationID, err)
	}
	return list, nil
}

// InboundSince counts the customer's messages of the conversation that were stored after the moment, up to limit.
func (s *Store) InboundSince(ctx context.Context, conversationID int64, since time.Time, limit int) (int, error) {
	var n int
	err := s.db(ctx).Raw(`SELECT COUNT(*) FROM (SELECT 1 FROM messages WHERE conversation_id = ? AND direction = 'in' AND created_at > ? LIMIT ?) AS kept`,
		conversationID, since, limit).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("messages received in conversation %d: %w", conversationID, err)
	}
	return n, nil
}

// MarkResent notes that an agent sent the message once more, and reports whether nobody had before.
func (s *Store) MarkResent(ctx context.Context, id int64, at time.Time) (bool, error) {
	var first bool
	err := s.write(ctx, func(db *DB) error {
		res := db.Exec("UPDATE messages SET resent_at = ?, updated_at = ? WHERE id = ? AND resent_at IS NULL", at, at, id)
		first = res.RowsAffected == 1
		return res.Error
	})
	if err != nil {
		return false, fmt.Errorf("mark message %d as resent: %w", id, err)
	}
	return first, nil
}

// SetMessageState stores how far a delivery got. Only the fields of the outcome are written.
func (s *Store) SetMessageState(ctx context.Context, m Message) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec(`UPDATE messages SET state = ?, error_class = ?, error_code = ?, error_text = ?, retry_at = ?, sent_at = ?, face = ?, face_nick = ?, updated_at = ? WHERE id = ?`,
			m.State, m.ErrorClass, m.ErrorCode, m.ErrorText, m.RetryAt, m.SentAt, m.Face, m.FaceNick, m.UpdatedAt, m.ID).Error
	})
	if err != nil {
		return fmt.Errorf("state of message %d: %w", m.ID, err)
	}
	return nil
}
