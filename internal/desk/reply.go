package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"kefu/internal/texts"
	"kefu/models"
)

// Reply is what an agent wrote. Key is the composer's idempotency key: the same key again changes nothing.
type Reply struct {
	SessionID int64
	Text      string
	Key       string
}

// maxReply bounds what one form may carry, in bytes; at 2,048 bytes a message that is more than any customer may get.
const maxReply = 64 << 10

// Reply stores the agent's answer and what is to be sent in one transaction: a text too long for one message becomes several. It
// returns the stored messages; the delivery has not begun. The text is refused, not cut, when something is wrong with it.
func (d *Desk) Reply(ctx context.Context, v Viewer, r Reply) ([]models.Message, error) {
	text, err := cleanText(r.Text)
	if err != nil {
		return nil, err
	}
	parts := Split(text, d.set.TextLimit)
	var stored []models.Message
	err = d.in(ctx, "reply in session", r.SessionID, func(tx *models.Store) error {
		stored = nil
		if err := tx.LockSession(ctx, r.SessionID); err != nil {
			return err
		}
		s, err := tx.Session(ctx, r.SessionID)
		if err != nil {
			return err
		}
		if again, err := d.again(ctx, tx, v, r.SessionID, r.Key, len(parts)); err != nil || again != nil {
			stored = again
			return err
		}
		switch {
		case s.State == models.Closed:
			return refuse(Conflict, "refusal.closed_reply", nil)
		case s.State == models.Waiting:
			return refuse(Conflict, "refusal.claim_first", nil)
		case !v.MayReply(s):
			return refuse(Forbidden, "refusal.not_yours", nil)
		}
		if err := d.affordable(ctx, tx, s, len(parts)); err != nil {
			return err
		}
		stored, err = d.queue(ctx, tx, v, s, parts, r.Key, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.wake()
	return stored, nil
}

// affordable refuses a reply of several messages that is longer than what is left: it would arrive without its end (P-4.1). One message
// may always be tried: what is left is a lower bound.
func (d *Desk) affordable(ctx context.Context, tx *models.Store, s models.Session, parts int) error {
	if parts == 1 {
		return nil
	}
	a, err := d.allowanceIn(ctx, tx, s.ConversationID)
	if err != nil {
		return err
	}
	if have := max(a.Left, a.Minute); have < parts {
		return refuse(Invalid, "refusal.not_enough_left", texts.Args{"need": parts, "have": have})
	}
	return nil
}

// queue stores the parts of a reply and their outbox rows.
func (d *Desk) queue(ctx context.Context, tx *models.Store, v Viewer, s models.Session, parts []string, key string, resendOf *int64) ([]models.Message, error) {
	now := d.now()
	face, err := tx.Face(ctx, s.ChannelID, v.Agent.ID)
	if err != nil {
		return nil, err
	}
	var stored []models.Message
	for i, part := range parts {
		m := models.Message{
			ConversationID: s.ConversationID, SessionID: &s.ID, Direction: models.Out, Kind: "text", AgentID: &v.Agent.ID, Text: part,
			ShownAt: now, CreatedAt: now, IdemKey: idemKey(v, s.ID, key, i+1), Face: face.Account, FaceNick: face.Nick,
			Part: i + 1, Parts: len(parts), State: models.Queued, ResendOf: resendOf,
		}
		if err := tx.CreateMessage(ctx, &m); err != nil {
			return nil, err
		}
		row := models.OutboxRow{SessionID: s.ID, MessageID: m.ID, ChannelID: s.ChannelID, NextAt: now, CreatedAt: now}
		if err := tx.AddOutbox(ctx, row); err != nil {
			return nil, err
		}
		if err := tell(ctx, tx, models.Event{Kind: models.EventMessage, SessionID: s.ID, MessageID: m.ID, AgentID: v.Agent.ID}, now); err != nil {
			return nil, err
		}
		stored = append(stored, m)
	}
	return stored, tx.NoteOutbound(ctx, s.ID, v.Agent.ID, "text", preview(parts[len(parts)-1]), models.Queued, now)
}

// again finds what the same form stored before.
func (d *Desk) again(ctx context.Context, tx *models.Store, v Viewer, sessionID int64, key string, parts int) ([]models.Message, error) {
	if key == "" {
		return nil, nil
	}
	var found []models.Message
	for i := range parts {
		m, err := tx.MessageByKey(ctx, *idemKey(v, sessionID, key, i+1))
		if errors.Is(err, models.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}

func idemKey(v Viewer, sessionID int64, key string, part int) *string {
	if key == "" {
		return nil
	}
	return ptr(fmt.Sprintf("%d.%d:%s:%d", v.Agent.ID, sessionID, key, part))
}

// Note stores an internal note: seen by colleagues, never sent.
func (d *Desk) Note(ctx context.Context, v Viewer, r Reply) (models.Message, error) {
	text, err := cleanText(r.Text)
	if err != nil {
		return models.Message{}, err
	}
	var m models.Message
	err = d.in(ctx, "note in session", r.SessionID, func(tx *models.Store) error {
		row, err := tx.Row(ctx, r.SessionID)
		if err != nil {
			return err
		}
		if again, err := d.again(ctx, tx, v, r.SessionID, r.Key, 1); err != nil || again != nil {
			if err == nil {
				m = again[0]
			}
			return err
		}
		if v.ListOf(row) == ListNone {
			return refuse(Forbidden, "refusal.not_visible", nil)
		}
		if !v.MayNote(row) {
			return refuse(Forbidden, "refusal.not_yours", nil)
		}
		now := d.now()
		m = models.Message{
			ConversationID: row.ConversationID, SessionID: &row.ID, Direction: models.Note, Kind: "note", AgentID: &v.Agent.ID, Text: text,
			ShownAt: now, CreatedAt: now, IdemKey: idemKey(v, row.ID, r.Key, 1),
		}
		if err := tx.CreateMessage(ctx, &m); err != nil {
			return err
		}
		return tell(ctx, tx, models.Event{Kind: models.EventMessage, SessionID: row.ID, MessageID: m.ID, AgentID: v.Agent.ID}, now)
	})
	return m, err
}

// Resend sends a failed or unknown message once more because the agent says so, knowing it may arrive twice. The old message stays as it
// is; the new one names it.
func (d *Desk) Resend(ctx context.Context, v Viewer, sessionID, messageID int64) error {
	err := d.in(ctx, "resend in session", sessionID, func(tx *models.Store) error {
		s, m, err := d.ours(ctx, tx, v, sessionID, messageID)
		if err != nil {
			return err
		}
		if m.State != models.FailedState && m.State != models.UnknownState {
			return refuse(Conflict, "refusal.not_failed", nil)
		}
		if s.State != models.Active {
			return refuse(Conflict, "refusal.closed_reply", nil)
		}
		now := d.now()
		if first, err := tx.MarkResent(ctx, m.ID, now); err != nil || !first {
			return err // pressed twice, or by two people
		}
		if err := tell(ctx, tx, models.Event{Kind: models.EventMessage, SessionID: sessionID, MessageID: m.ID}, now); err != nil {
			return err
		}
		_, err = d.queue(ctx, tx, v, s, []string{m.Text}, fmt.Sprintf("resend-%d", m.ID), &m.ID)
		return err
	})
	if err == nil {
		d.wake()
	}
	return err
}

// Withdraw takes back a message that waits for its next try, with the later parts of the same reply. One that is on its way right now
// cannot be taken back.
func (d *Desk) Withdraw(ctx context.Context, v Viewer, sessionID, messageID int64) error {
	err := d.in(ctx, "withdraw in session", sessionID, func(tx *models.Store) error {
		_, m, err := d.ours(ctx, tx, v, sessionID, messageID)
		if err != nil {
			return err
		}
		taken, err := tx.TakeBackOutbox(ctx, messageID)
		if err != nil {
			return err
		}
		if !taken {
			return refuse(Conflict, "refusal.on_its_way", nil)
		}
		later, err := tx.DropParts(ctx, m)
		if err != nil {
			return err
		}
		for _, id := range append([]int64{messageID}, later...) {
			if err := d.withdraw(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		d.wake()
	}
	return err
}

func (d *Desk) withdraw(ctx context.Context, tx *models.Store, messageID int64) error {
	m, err := tx.Message(ctx, messageID)
	if err != nil {
		return err
	}
	now := d.now()
	m.State, m.RetryAt, m.UpdatedAt = models.Withdrawn, nil, now
	if err := tx.SetMessageState(ctx, m); err != nil {
		return err
	}
	if err := tx.NoteDelivered(ctx, m); err != nil {
		return err
	}
	return tell(ctx, tx, models.Event{Kind: models.EventMessage, SessionID: *m.SessionID, MessageID: messageID}, now)
}

// LetOthersPass lets the later messages of the session go before one that waits for its next try.
func (d *Desk) LetOthersPass(ctx context.Context, v Viewer, sessionID, messageID int64) error {
	err := d.in(ctx, "let others pass in session", sessionID, func(tx *models.Store) error {
		if _, _, err := d.ours(ctx, tx, v, sessionID, messageID); err != nil {
			return err
		}
		passed, err := tx.LetOthersPass(ctx, messageID)
		if err != nil {
			return err
		}
		if !passed {
			return refuse(Conflict, "refusal.on_its_way", nil)
		}
		return tell(ctx, tx, models.Event{Kind: models.EventMessage, SessionID: sessionID, MessageID: messageID}, d.now())
	})
	if err == nil {
		d.wake()
	}
	return err
}

// ours loads an outbound message that the viewer may act on.
func (d *Desk) ours(ctx context.Context, tx *models.Store, v Viewer, sessionID, messageID int64) (models.Session, models.Message, error) {
	s, err := tx.Session(ctx, sessionID)
	if err != nil {
		return s, models.Message{}, err
	}
	m, err := tx.Message(ctx, messageID)
	if err != nil {
		return s, m, err
	}
	if m.SessionID == nil || *m.SessionID != sessionID || m.Direction != models.Out || m.Passive {
		return s, m, fmt.Errorf("message %d of session %d: %w", messageID, sessionID, models.ErrNotFound)
	}
	mine := s.AgentID != nil && *s.AgentID == v.Agent.ID // the holder, or after the end the last one
	if !mine && !v.Supervises(s.GroupID) {
		return s, m, refuse(Forbidden, "refusal.not_yours", nil)
	}
	return s, m, nil
}

// cleanText refuses an empty or far too long text and takes out what no platform shows.
func cleanText(text string) (string, error) {
	if len(text) > maxReply {
		return "", refuse(Invalid, "refusal.too_long", texts.Args{"limit": maxReply / 1024})
	}
	if !utf8.ValidString(text) {
		return "", refuse(Invalid, "refusal.encoding", nil)
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\x00", "")
	text = strings.Trim(text, "\n\t \u3000")
	if text == "" {
		return "", refuse(Invalid, "refusal.empty", nil)
	}
	return text, nil
}

// FormKey is the composer's part of a stored idempotency key.
func FormKey(stored string) string {
	_, rest, _ := strings.Cut(stored, ":")
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		return rest[:i]
	}
	return rest
}
