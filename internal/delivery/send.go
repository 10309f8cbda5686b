package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
	"kefu/models"
)

// job is one row in our hands, with what is to be sent.
type job struct {
	row     models.OutboxRow
	message models.Message
	to      platform.Conversation
	began   time.Time
}

// deliver does one try and records it.
func (w *Worker) deliver(sending, recording context.Context, r models.OutboxRow) {
	j, err := w.load(sending, r)
	if err != nil {
		w.fault(recording, "message to send cannot be read", err)
		w.giveBack(recording, r)
		return
	}
	sender, err := w.Channels.Sender(sending, r.ChannelID)
	switch {
	case err != nil && sending.Err() != nil: // we are stopping, which says nothing of the channel
		w.giveBack(recording, r)
		return
	case err != nil:
		w.Log.WarnContext(recording, "channel has no sender", "channel", r.ChannelID, "message", r.MessageID, "err", err)
		w.record(recording, j, unset(w.Clock.Now()))
		return
	}
	j.began = w.Clock.Now()
	if !j.began.Before(*r.LeaseUntil) { // we slept: others may have given the message up
		w.giveBack(recording, r)
		return
	}
	err = w.send(sending, sender, j)
	v, err := w.verdict(recording, j, err)
	if err != nil {
		w.fault(recording, "result of a message cannot be judged", err)
		return // only when the program ends: the lease runs out
	}
	w.record(recording, j, v)
}

func (w *Worker) load(ctx context.Context, r models.OutboxRow) (job, error) {
	m, err := w.Store.Message(ctx, r.MessageID)
	if err != nil {
		return job{}, err
	}
	c, err := w.Store.Conversation(ctx, m.ConversationID)
	if err != nil {
		return job{}, err
	}
	return job{row: r, message: m, to: platform.Conversation{Key: c.Key}}, nil
}

func (w *Worker) send(ctx context.Context, sender platform.Sender, j job) error {
	content, err := contentOf(j.message)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("message-%d", j.message.ID)
	if j.message.IdemKey != nil {
		key = *j.message.IdemKey
	}
	ctx, cancel := clock.WithTimeout(ctx, w.Clock, sendFor)
	defer cancel()
	_, err = sender.Send(ctx, j.to, content, j.face(), key)
	return err
}

// face is what the message goes out with.
func (j job) face() platform.Face {
	if j.row.Faceless {
		return platform.Face{}
	}
	return platform.Face{Account: j.message.Face}
}

// contentOf is the message as the seam knows it.
func contentOf(m models.Message) (platform.Content, error) {
	if m.Kind != "text" {
		return nil, &platform.Error{Class: platform.BadContent, Text: "messages of kind " + m.Kind + " cannot be sent"}
	}
	return platform.OutText{Text: m.Text}, nil
}

// verdict judges the try. Only a busy platform makes it ask the database, which it does until that answers or ctx ends.
func (w *Worker) verdict(ctx context.Context, j job, sent error) (verdict, error) {
	t := try{now: w.Clock.Now(), counted: j.row.Attempts, faced: j.face().Account != "", chance: w.Rand()}
	if e, ok := errors.AsType[*platform.Error](sent); ok && e.Class == platform.Busy {
		t.busy = w.memory.refusals(j.row.MessageID)
		err := w.insist(ctx, func() (err error) {
			t.windowEnds, err = w.windowEnds(ctx, j)
			return err
		})
		if err != nil {
			return verdict{}, err
		}
	}
	v := judge(sent, t)
	if v.class == platform.Unsure && v.text == "" {
		w.Log.WarnContext(ctx, "send ended without a platform error", "message", j.row.MessageID, "type", fmt.Sprintf("%T", sent))
	}
	return v, nil
}

// windowEnds is when the last of the customer's grants ends.
func (w *Worker) windowEnds(ctx context.Context, j job) (time.Time, error) {
	grants, err := w.Store.Grants(ctx, j.message.ConversationID)
	if err != nil {
		return time.Time{}, err
	}
	var ends time.Time
	for _, g := range grants {
		if g.ExpiresAt.After(ends) {
			ends = g.ExpiresAt
		}
	}
	if ends.IsZero() {
		ends = j.row.CreatedAt.Add(noWindow)
	}
	return ends, nil
}

// giveBack returns a row that was certainly not sent. If that fails the lease runs out and the message counts as unknown.
func (w *Worker) giveBack(ctx context.Context, r models.OutboxRow) {
	r.Attempts--
	r.NextAt = w.Clock.Now().Add(afterFault)
	if _, err := w.Store.RepeatOutbox(ctx, r); err != nil {
		w.fault(ctx, "outbox row cannot be given back", err)
	}
}

// insist does f until it succeeds, with growing waits, or until ctx ends.
func (w *Worker) insist(ctx context.Context, f func() error) error {
	for n := 1; ; n++ {
		err := f()
		if err == nil || errors.Is(err, models.ErrClosed) {
			return err
		}
		w.fault(ctx, "delivery waits for the database", err)
		if clock.Sleep(ctx, w.Clock, min(100*time.Millisecond<<min(n-1, 10), 5*time.Second)) != nil {
			return err
		}
	}
}
