package models

import (
	"context"
	"fmt"
	"time"
)

// Role is what an agent may do; see docs/rules.md, Roles.
type Role string

const (
	RoleAgent      Role = "agent"
	RoleSupervisor Role = "supervisor"
	RoleAdmin      Role = "admin"
)

// Presence is what an agent says of themself. It is ours alone: no platform is told.
type Presence string

const (
	Online  Presence = "online"
	Busy    Presence = "busy"  // finishes what is open, gets nothing new
	Break   Presence = "break" // away for a while
	Offline Presence = "offline"
)

// Agent is a person who logs in.
type Agent struct {
	ID             int64
	Username       string
	Name           string
	Role           Role
	PasswordHash   string
	Language       string // zh-CN, en, or empty: as the browser asks
	Theme          string // light, dark, or empty: as the system is
	Density        string // compact, or empty
	Capacity       int    // slots
	AutoAccept     bool
	Presence       Presence
	PresenceAt     time.Time
	SeenAt         *time.Time
	LastAssignedAt *time.Time
	DisabledAt     *time.Time
	CreatedAt      time.Time
}

// CreateAgent stores a new agent and sets its id. ErrDuplicate: the user name is taken.
func (s *Store) CreateAgent(ctx context.Context, a *Agent) error {
	if err := s.write(ctx, func(db *DB) error { return db.Create(a).Error }); err != nil {
		return fmt.Errorf("create agent %q: %w", a.Username, err)
	}
	return nil
}

// Agent is the agent with the id, or ErrNotFound.
func (s *Store) Agent(ctx context.Context, id int64) (Agent, error) {
	var a Agent
	if err := s.db(ctx).First(&a, id).Error; err != nil {
		return a, fmt.Errorf("agent %d: %w", id, err)
	}
	return a, nil
}

// AgentByUsername is the agent who logs in with the name, or ErrNotFound.
func (s *Store) AgentByUsername(ctx context.Context, username string) (Agent, error) {
	var a Agent
	if err := s.db(ctx).Where("username = ?", username).First(&a).Error; err != nil {
		return a, fmt.Errorf("agent %q: %w", username, err)
	}
	return a, nil
}

// Agents lists everybody who may log in or ever could, by name.
func (s *Store) Agents(ctx context.Context) ([]Agent, error) {
	var list []Agent
	if err := s.db(ctx).Order("username").Limit(10_000).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	return list, nil
}

// SetPassword replaces the agent's password hash.
func (s *Store) SetPassword(ctx context.Context, id int64, hash string) error {
	return s.changeAgent(ctx, id, map[string]any{"password_hash": hash})
}

// SetPreferences stores language, theme and density of the agent's pages.
func (s *Store) SetPreferences(ctx context.Context, id int64, language, theme, density string) error {
	return s.changeAgent(ctx, id, map[string]any{"language": language, "theme": theme, "density": density})
}

// SetPresence stores what the agent says of themself, and that they are here to say it.
func (s *Store) SetPresence(ctx context.Context, id int64, p Presence, at time.Time) error {
	return s.changeAgent(ctx, id, map[string]any{"presence": p, "presence_at": at, "seen_at": at})
}

// TouchAgents notes a sign of life of several agents at once.
func (s *Store) TouchAgents(ctx context.Context, ids []int64, at time.Time) error {
	return s.write(ctx, func(db *DB) error {
		return db.Model(&Agent{}).Where("id IN ?", ids).Update("seen_at", at).Error
	})
}

// OfflineSince sets everybody offline who claims to be here but gave no sign of life since the moment, and says who that was.
func (s *Store) OfflineSince(ctx context.Context, since, at time.Time) ([]int64, error) {
	var ids []int64
	err := s.write(ctx, func(db *DB) error {
		return db.Raw(`UPDATE agents SET presence = 'offline', presence_at = ? WHERE presence <> 'offline' AND (seen_at IS NULL OR seen_at < ?) RETURNING id`,
			at, since).Scan(&ids).Error
	})
	if err != nil {
		return nil, fmt.Errorf("set silent agents offline: %w", err)
	}
	return ids, nil
}

func (s *Store) changeAgent(ctx context.Context, id int64, columns map[string]any) error {
	err := s.write(ctx, func(db *DB) error {
		res := db.Model(&Agent{}).Where("id = ?", id).Updates(columns)
		if res.Error == nil && res.RowsAffected == 0 {
			return ErrNotFound
		}
		return res.Error
	})
	if err != nil {
		return fmt.Errorf("change agent %d: %w", id, err)
	}
	return nil
}

// Login is one browser that an agent logged in with. The cookie's token is kept as a hash only.
type Login struct {
	ID        int64
	TokenHash string
	AgentID   int64
	IP        string
	UserAgent string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	RevokedAt *time.Time
}

// CreateLogin stores a new log-in and sets its id.
func (s *Store) CreateLogin(ctx context.Context, l *Login) error {
	if err := s.write(ctx, func(db *DB) error { return db.Create(l).Error }); err != nil {
		return fmt.Errorf("create log-in of agent %d: %w", l.AgentID, err)
	}
	return nil
}

// LiveLogin is the log-in with the token hash and its agent; ErrNotFound when there is none, it ended, or the agent is disabled.
func (s *Store) LiveLogin(ctx context.Context, tokenHash string, now time.Time) (Login, Agent, error) {
	var l Login
	var a Agent
	err := s.db(ctx).Where("token_hash = ? AND revoked_at IS NULL AND expires_at > ?", tokenHash, now).First(&l).Error
	if err == nil {
		err = s.db(ctx).Where("id = ? AND disabled_at IS NULL", l.AgentID).First(&a).Error
	}
	if err != nil {
		return l, a, fmt.Errorf("log-in: %w", err)
	}
	return l, a, nil
}

// LoginByID is the log-in with the id and its agent; ErrNotFound when it ended or the agent is disabled.
func (s *Store) LoginByID(ctx context.Context, id int64, now time.Time) (Login, Agent, error) {
	var l Login
	if err := s.db(ctx).First(&l, id).Error; err != nil {
		return l, Agent{}, fmt.Errorf("log-in %d: %w", id, err)
	}
	return s.LiveLogin(ctx, l.TokenHash, now)
}

// LiveLogins lists where the agent is logged in, newest first.
func (s *Store) LiveLogins(ctx context.Context, agentID int64, now time.Time) ([]Login, error) {
	var list []Login
	err := s.db(ctx).Where("agent_id = ? AND revoked_at IS NULL AND expires_at > ?", agentID, now).Order("id DESC").Limit(200).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("log-ins of agent %d: %w", agentID, err)
	}
	return list, nil
}

// TouchLogin notes that the log-in was used.
func (s *Store) TouchLogin(ctx context.Context, id int64, at time.Time) error {
	return s.write(ctx, func(db *DB) error { return db.Model(&Login{}).Where("id = ?", id).Update("seen_at", at).Error })
}

// RevokeLogins ends log-ins of the agent and returns their ids: the one with the id, or with 0 all but the one to keep.
func (s *Store) RevokeLogins(ctx context.Context, agentID, id, keep int64, at time.Time) ([]int64, error) {
	var ids []int64
	err := s.write(ctx, func(db *DB) error {
		return db.Raw(`UPDATE logins SET revoked_at = ? WHERE agent_id = ? AND revoked_at IS NULL AND (? = 0 OR id = ?) AND id <> ? RETURNING id`,
			at, agentID, id, id, keep).Scan(&ids).Error
	})
	if err != nil {
		return nil, fmt.Errorf("revoke log-ins of agent %d: %w", agentID, err)
	}
	return ids, nil
}
