package desk

import (
	"context"
	"errors"
	"time"

	"kefu/models"
)

// chooseGroup is P-1.3 as far as it exists: the remembered route of a menu click or scan, the group that served lately, the channel's
// default group. The customer's own choice and keyword rules come before them once there are any.
func chooseGroup(p models.Place, defaultGroup int64, now time.Time, sticky time.Duration) int64 {
	switch {
	case p.RouteGroupID != nil && p.RouteUntil != nil && now.Before(*p.RouteUntil):
		return *p.RouteGroupID
	case p.LastGroupID != nil && p.LastServedAt != nil && now.Sub(*p.LastServedAt) < sticky:
		return *p.LastGroupID
	}
	return defaultGroup
}

func (r *receipt) route(ctx context.Context) (models.Group, error) {
	id := chooseGroup(r.place, r.ch.DefaultGroupID, r.now, r.d.set.Sticky)
	g, err := r.tx.Group(ctx, id)
	if errors.Is(err, models.ErrNotFound) && id != r.ch.DefaultGroupID {
		return r.tx.Group(ctx, r.ch.DefaultGroupID)
	}
	return g, err
}

// windowMargin is taken off the 48 hours: the platform's clock started earlier than ours (P-4.1).
const windowMargin = time.Minute

// grant notes what a typed message lets us send: 5 in 48 hours (wechat.md §5.1).
func (r *receipt) grant(ctx context.Context) error {
	return r.saveGrant(ctx, models.SceneMessage, 5, 48*time.Hour-windowMargin)
}

func (r *receipt) saveGrant(ctx context.Context, scene string, count int, life time.Duration) error {
	at := r.shownAt()
	if at.After(r.now) { // their clock is a little ahead: what we send from now on is spent from this grant
		at = r.now
	}
	return r.tx.SaveGrant(ctx, models.Grant{ConversationID: r.place.ConversationID, Scene: scene, Count: count, GrantedAt: at, ExpiresAt: at.Add(life)})
}

// Allowance is a lower bound of what the platform still lets us send to a customer (P-4.1).
type Allowance struct {
	Left       int       // of the 48-hour grant
	Of         int       // what it began with
	Ends       time.Time // of its window; zero: there is none
	Minute     int       // more, for a moment, after a click, a scan or a follow
	MinuteEnds time.Time
}

// Open reports whether anything may be sent at all.
func (a Allowance) Open(now time.Time) bool { return now.Before(a.Ends) || now.Before(a.MinuteEnds) }

// allowance adds up grants: what the 48-hour grant has left after the messages spent since it, and the minute grants beside it.
func allowance(grants []models.Grant, spent int, now time.Time) Allowance {
	var a Allowance
	for _, g := range grants {
		switch {
		case !now.Before(g.ExpiresAt):
		case g.Scene == models.SceneMessage:
			a.Of, a.Left, a.Ends = g.Count, max(0, g.Count-spent), g.ExpiresAt
		case g.Count > a.Minute || g.Count > 0 && g.Count == a.Minute && g.ExpiresAt.After(a.MinuteEnds):
			a.Minute, a.MinuteEnds = g.Count, g.ExpiresAt
		}
	}
	return a
}

// Allowance is what may still be sent in the conversation.
func (d *Desk) Allowance(ctx context.Context, conversationID int64) (Allowance, error) {
	return d.allowanceIn(ctx, d.store, conversationID)
}

func (d *Desk) allowanceIn(ctx context.Context, store *models.Store, conversationID int64) (Allowance, error) {
	grants, err := store.Grants(ctx, conversationID)
	if err != nil {
		return Allowance{}, err
	}
	now, spent := d.now(), 0
	for _, g := range grants {
		if g.Scene == models.SceneMessage && now.Before(g.ExpiresAt) {
			if spent, err = store.SpentSince(ctx, conversationID, g.GrantedAt); err != nil {
				return Allowance{}, err
			}
		}
	}
	return allowance(grants, spent, now), nil
}
