package delivery

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"kefu/internal/texts"
	"kefu/models"
)

// record stores the verdict with all that follows from it, in one transaction, and does not give up while ctx lives. A result that is
// never recorded leaves the row leased: when the lease has run out the message counts as unknown and is not sent again.
func (w *Worker) record(ctx context.Context, j job, v verdict) {
	if w.memory.note(j.row, v) {
		v.alarm = texts.AlarmOf("busy", v.code)
	}
	now := w.Clock.Now()
	var held bool
	err := w.insist(ctx, func() error {
		return w.Store.InTx(ctx, func(tx *models.Store) (err error) {
			held, err = apply(ctx, tx, j, v, now)
			return err
		})
	})
	log := w.Log.With("message", j.row.MessageID, "session", j.row.SessionID, "channel", j.row.ChannelID)
	switch {
	case err != nil:
		log.ErrorContext(ctx, "result of a message was not recorded", "state", v.state, "class", v.class, "err", err)
	case !held:
		log.WarnContext(ctx, "lease of a message was lost before its result", "state", v.state, "class", v.class)
	case v.state == models.Sent:
		log.DebugContext(ctx, "message sent")
	case v.state == models.Queued:
		log.InfoContext(ctx, "message waits for another try", "class", v.class, "code", v.code, "text", v.text, "next", v.next)
	default:
		log.WarnContext(ctx, "message given up", "state", v.state, "class", v.class, "code", v.code, "text", v.text)
	}
}

// apply writes what the verdict says, and reports false when the lease was not ours any more: then it writes nothing.
func apply(ctx context.Context, tx *models.Store, j job, v verdict, now time.Time) (held bool, err error) {
	if v.state == models.Queued {
		r := j.row
		r.NextAt, r.Faceless = v.next, r.Faceless || v.faceless
		if !v.counts {
			r.Attempts--
		}
		held, err = tx.RepeatOutbox(ctx, r)
	} else {
		held, err = tx.FinishOutbox(ctx, j.row)
	}
	if err != nil || !held {
		return false, err
	}
	m := j.message
	m.State, m.ErrorClass, m.ErrorCode, m.ErrorText, m.RetryAt, m.SentAt = v.state, string(v.class), v.code, v.text, nil, nil
	switch v.state {
	case models.Queued:
		m.RetryAt = &v.next
	case models.Sent:
		m.SentAt = &now
	}
	if v.faceless { // the customer will see the channel itself, and so does the agent
		if err := tx.BreakAccount(ctx, j.row.ChannelID, m.Face, now); err != nil {
			return false, err
		}
		v.detail = strings.TrimSpace(m.Face + " " + v.detail)
		m.Face, m.FaceNick = "", ""
	}
	if err := tell(ctx, tx, m, now); err != nil {
		return false, err
	}
	if v.state == models.FailedState && m.Parts > 1 {
		if err := dropParts(ctx, tx, m, now); err != nil {
			return false, err
		}
	}
	if err := takeGrants(ctx, tx, j, v, now); err != nil {
		return false, err
	}
	return true, channel(ctx, tx, j.row.ChannelID, v, now)
}

// tell stores the message's state, on its session's row, too, with the event for the pages.
func tell(ctx context.Context, tx *models.Store, m models.Message, now time.Time) error {
	m.UpdatedAt = now
	if err := tx.SetMessageState(ctx, m); err != nil {
		return err
	}
	if m.SessionID == nil {
		return nil
	}
	if err := tx.NoteDelivered(ctx, m); err != nil {
		return err
	}
	return tx.Emit(ctx, models.Event{Kind: models.EventMessage, SessionID: *m.SessionID, MessageID: m.ID, At: now})
}

// dropParts fails the later parts of a reply: without this one they make no sense.
func dropParts(ctx context.Context, tx *models.Store, failed models.Message, now time.Time) error {
	ids, err := tx.DropParts(ctx, failed)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := tx.Message(ctx, id)
		if err != nil {
			return err
		}
		m.State, m.ErrorClass, m.ErrorCode, m.ErrorText, m.RetryAt = models.FailedState, partBefore, 0, "", nil
		if err := tell(ctx, tx, m, now); err != nil {
			return err
		}
	}
	return nil
}

// takeGrants believes the platform's word on what may still be sent (P-4.1), unless the customer has written since we asked.
func takeGrants(ctx context.Context, tx *models.Store, j job, v verdict, now time.Time) error {
	if v.grants == "" {
		return nil
	}
	grants, err := tx.Grants(ctx, j.message.ConversationID)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if g.GrantedAt.After(j.began) {
			return nil
		}
	}
	if v.grants == windowOver {
		err = tx.DropGrants(ctx, j.message.ConversationID)
	} else {
		err = tx.EmptyGrants(ctx, j.message.ConversationID)
	}
	if err != nil {
		return err
	}
	detail, err := json.Marshal(map[string]any{"message": j.message.ID, "code": v.code})
	if err != nil {
		return err
	}
	return tx.AddHistory(ctx, models.HistoryLine{SessionID: j.row.SessionID, Kind: v.grants, Detail: string(detail), At: now})
}

// channel pauses the channel, raises its alarm, or takes back an alarm of ours after a message went through.
func channel(ctx context.Context, tx *models.Store, id int64, v verdict, now time.Time) error {
	if v.state != models.Sent && v.alarm == "" && v.pause.IsZero() {
		return nil
	}
	c, err := tx.Channel(ctx, id)
	if err != nil {
		return err
	}
	changed := false
	if !v.pause.IsZero() && (c.PausedUntil == nil || c.PausedUntil.Before(v.pause)) {
		if err := tx.PauseChannel(ctx, id, v.pause); err != nil {
			return err
		}
		changed = true
	}
	key, detail := c.Alarm, c.AlarmDetail
	switch {
	case v.state == models.Sent && disproved(c, now):
		key, detail = "", ""
	case v.alarm != "":
		key, detail = string(v.alarm), v.detail
	}
	if key != c.Alarm || detail != c.AlarmDetail { // the time of an alarm is when it began
		if err := tx.SetAlarm(ctx, id, key, detail, now); err != nil {
			return err
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return tx.Emit(ctx, models.Event{Kind: models.EventChannel, At: now})
}

// disproved reports whether a message that went through shows the channel's alarm to be over. A broken face stays broken, and a message
// that was on its way when the quota ended says nothing of it.
func disproved(c models.Channel, now time.Time) bool {
	kind, _, _ := strings.Cut(strings.TrimPrefix(c.Alarm, "alarm."), ".")
	switch kind {
	case "token", "busy", "config", "rights":
		return true
	case "quota":
		return c.PausedUntil == nil || !c.PausedUntil.After(now)
	}
	return false
}
