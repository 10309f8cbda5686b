package models

import (
	"context"
	"fmt"
	"time"
)

// Channel is one connected official account or app. Its secrets are sealed; only the wiring opens them.
type Channel struct {
	ID             int64
	UID            string // random, for sealing
	Key            string // part of the callback address
	Kind           string // wechat, dingtalk
	Name           string
	AppID          string
	OriginalID     string
	Mode           string // plain, compatible, safe
	BaseURL        string // empty: the platform's own
	Secret         []byte // sealed
	Token          []byte // sealed
	AESKey         []byte `gorm:"column:aes_key"` // sealed
	DefaultGroupID int64
	Alarm          string // text key of what is wrong
	AlarmDetail    string
	AlarmAt        *time.Time
	PausedUntil    *time.Time
	CreatedAt      time.Time
}

// CreateChannel stores a new channel and sets its id.
func (s *Store) CreateChannel(ctx context.Context, c *Channel) error {
	if err := s.write(ctx, func(db *DB) error { return db.Create(c).Error }); err != nil {
		return fmt.Errorf("create channel %q: %w", c.Name, err)
	}
	return nil
}

// UpdateChannel replaces the channel's settings and secrets.
func (s *Store) UpdateChannel(ctx context.Context, c Channel) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Model(&Channel{}).Where("id = ?", c.ID).Updates(map[string]any{
			"name": c.Name, "app_id": c.AppID, "original_id": c.OriginalID, "mode": c.Mode, "base_url": c.BaseURL,
			"secret": c.Secret, "token": c.Token, "aes_key": c.AESKey, "default_group_id": c.DefaultGroupID,
		}).Error
	})
	if err != nil {
		return fmt.Errorf("update channel %d: %w", c.ID, err)
	}
	return nil
}

// Channels lists all channels by id.
func (s *Store) Channels(ctx context.Context) ([]Channel, error) {
	var list []Channel
	if err := s.db(ctx).Order("id").Limit(10_000).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("list channels: %w", err)
	}
	return list, nil
}

// ChannelByKey is the channel whose callback address ends in the key, or ErrNotFound.
func (s *Store) ChannelByKey(ctx context.Context, kind, key string) (Channel, error) {
	var c Channel
	if err := s.db(ctx).Where("kind = ? AND key = ?", kind, key).First(&c).Error; err != nil {
		return c, fmt.Errorf("channel by key: %w", err)
	}
	return c, nil
}

// Channel is the channel with the id, or ErrNotFound.
func (s *Store) Channel(ctx context.Context, id int64) (Channel, error) {
	var c Channel
	if err := s.db(ctx).First(&c, id).Error; err != nil {
		return c, fmt.Errorf("channel %d: %w", id, err)
	}
	return c, nil
}

// SetAlarm notes what is wrong with a channel; an empty key clears it.
func (s *Store) SetAlarm(ctx context.Context, id int64, key, detail string, at time.Time) error {
	return s.write(ctx, func(db *DB) error {
		return db.Model(&Channel{}).Where("id = ?", id).Updates(map[string]any{"alarm": key, "alarm_detail": detail, "alarm_at": at}).Error
	})
}

// PauseChannel lets nothing be sent on the channel before the moment.
func (s *Store) PauseChannel(ctx context.Context, id int64, until time.Time) error {
	return s.write(ctx, func(db *DB) error {
		return db.Model(&Channel{}).Where("id = ?", id).Update("paused_until", until).Error
	})
}

// AccessToken is a channel's platform credential, shared by all processes.
type AccessToken struct {
	ChannelID int64 `gorm:"primaryKey"`
	Value     []byte
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// AccessToken is the channel's stored token, or ErrNotFound.
func (s *Store) AccessToken(ctx context.Context, channelID int64) (AccessToken, error) {
	var t AccessToken
	if err := s.db(ctx).Where("channel_id = ?", channelID).First(&t).Error; err != nil {
		return t, fmt.Errorf("access token of channel %d: %w", channelID, err)
	}
	return t, nil
}

// SaveAccessToken keeps the token unless one issued later is there already (wechat.md §1.5).
func (s *Store) SaveAccessToken(ctx context.Context, t AccessToken) error {
	err := s.write(ctx, func(db *DB) error {
		return db.Exec(`INSERT INTO access_tokens (channel_id, value, issued_at, expires_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (channel_id) DO UPDATE SET value = excluded.value, issued_at = excluded.issued_at, expires_at = excluded.expires_at
			WHERE access_tokens.issued_at <= excluded.issued_at`, t.ChannelID, t.Value, t.IssuedAt, t.ExpiresAt).Error
	})
	if err != nil {
		return fmt.Errorf("save access token of channel %d: %w", t.ChannelID, err)
	}
	return nil
}

// Account is a customer-service account of the platform: the face a customer sees. It is bound to at most one agent.
type Account struct {
	ID        int64
	ChannelID int64
	Account   string
	Nick      string
	AgentID   *int64
	BrokenAt  *time.Time
	CreatedAt time.Time
}

// CreateAccount stores an account that exists on the platform.
func (s *Store) CreateAccount(ctx context.Context, a *Account) error {
	if err := s.write(ctx, func(db *DB) error { return db.Create(a).Error }); err != nil {
		return fmt.Errorf("create account %q: %w", a.Account, err)
	}
	return nil
}

// Face is the agent's usable account on the channel; the zero Account when there is none.
func (s *Store) Face(ctx context.Context, channelID, agentID int64) (Account, error) {
	var list []Account
	err := s.db(ctx).Where("channel_id = ? AND agent_id = ? AND broken_at IS NULL", channelID, agentID).Limit(1).Find(&list).Error
	if err != nil || len(list) == 0 {
		return Account{}, err
	}
	return list[0], nil
}

// BreakAccount marks a face that the platform refused.
func (s *Store) BreakAccount(ctx context.Context, channelID int64, account string, at time.Time) error {
	return s.write(ctx, func(db *DB) error {
		return db.Model(&Account{}).Where("channel_id = ? AND account = ?", channelID, account).Update("broken_at", at).Error
	})
}

// RouteGroup is the group that a menu key or QR scene leads to; 0 when it leads nowhere special.
func (s *Store) RouteGroup(ctx context.Context, channelID int64, eventKey string) (int64, error) {
	var ids []int64
	err := s.db(ctx).Raw("SELECT group_id FROM routes WHERE channel_id = ? AND event_key = ?", channelID, eventKey).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return ids[0], nil
}

// SetRoute lets a menu key or QR scene lead to the group.
func (s *Store) SetRoute(ctx context.Context, channelID int64, eventKey string, groupID int64) error {
	return s.write(ctx, func(db *DB) error {
		return db.Exec("INSERT INTO routes (channel_id, event_key, group_id) VALUES (?, ?, ?) ON CONFLICT (channel_id, event_key) DO UPDATE SET group_id = excluded.group_id",
			channelID, eventKey, groupID).Error
	})
}
