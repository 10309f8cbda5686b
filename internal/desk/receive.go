package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kefu/internal/platform"
	"kefu/internal/texts"
	"kefu/models"
)

// Received says how a push is to be answered.
type Received struct {
	Answer    platform.Answer
	MessageID int64 // the message that carries the words; 0 without words
	Repeated  bool  // the push was stored before
}

// Receive stores what a platform told us, in one transaction with all it sets in motion: session, grant, the dispatcher's decision and
// the passive answer. Only after it returned without an error may the push be acknowledged. The same push again changes nothing and is
// answered as before, if that is still true.
func (d *Desk) Receive(ctx context.Context, ch models.Channel, in platform.Inbound) (Received, error) {
	var got Received
	run := func() error {
		return d.store.InTx(ctx, func(tx *models.Store) error {
			r := receipt{d: d, tx: tx, ch: ch, in: in, now: d.now()}
			var err error
			got, err = r.run(ctx)
			return err
		})
	}
	err := run()
	for again := 0; again < 5 && (errors.Is(err, models.ErrDuplicate) || errors.Is(err, errChanged)); again++ {
		err = run() // another process stored the same push at the same time, then it is a repetition now; or changed the session
	}
	if d.written(err) != nil {
		return Received{}, fmt.Errorf("receive on channel %d: %w", ch.ID, err)
	}
	return got, nil
}

// errChanged says that another process changed the session between our look and our write. Nothing was stored: look again.
var errChanged = errors.New("the session changed meanwhile")

// receipt is one push on its way through one transaction.
type receipt struct {
	d     *Desk
	tx    *models.Store
	ch    models.Channel
	in    platform.Inbound
	now   time.Time
	place models.Place
	mark  models.InboundKey
}

func (r *receipt) run(ctx context.Context) (Received, error) {
	known, err := r.tx.InboundKey(ctx, r.ch.ID, r.in.Dedupe)
	if err == nil {
		return r.repeat(ctx, known)
	}
	if !errors.Is(err, models.ErrNotFound) {
		return Received{}, err
	}
	if r.in.Conversation.Key == "" {
		r.in.Conversation.Key, r.in.Sender = unreadable, unreadable
	}
	if err := r.locate(ctx); err != nil {
		return Received{}, err
	}
	r.mark = models.InboundKey{ChannelID: r.ch.ID, Key: r.in.Dedupe, At: r.now}
	words, err := r.act(ctx)
	if err != nil {
		return Received{}, err
	}
	got := Received{Answer: platform.Nothing{}}
	if words != "" {
		if got.MessageID, err = r.say(ctx, words); err != nil {
			return Received{}, err
		}
		got.Answer = platform.Words{Text: words}
	}
	return got, r.tx.MarkInbound(ctx, r.mark)
}

// unreadable is the conversation of verified pushes that cannot be read: kept as they came, answered, and the channel shows an alarm
// (architecture.md §2).
const unreadable = "(unreadable)"

func (r *receipt) keepUnreadable(ctx context.Context) error {
	if _, err := r.store(ctx, nil); err != nil {
		return err
	}
	if err := r.tx.SetAlarm(ctx, r.ch.ID, "alarm.unreadable", r.in.Dedupe, r.now); err != nil {
		return err
	}
	return tell(ctx, r.tx, models.Event{Kind: models.EventChannel}, r.now)
}

// locate finds the conversation, or makes it.
func (r *receipt) locate(ctx context.Context) error {
	var err error
	r.place, err = r.tx.Place(ctx, r.ch.ID, r.in.Conversation.Key)
	if errors.Is(err, models.ErrNotFound) {
		r.place, err = r.tx.CreatePlace(ctx, r.ch.ID, r.in.Conversation.Key, r.in.Sender, r.now)
	}
	return err
}

// act does what the push asks for and returns the words of the passive answer, if any. Each case is a row of docs/rules.md §A.
func (r *receipt) act(ctx context.Context) (string, error) {
	if r.in.Conversation.Key == unreadable {
		return "", r.keepUnreadable(ctx)
	}
	switch what := r.in.What.(type) {
	case platform.Text:
		if what.MenuID != "" {
			return "", r.menuMessageClick(ctx, what) // row 4
		}
		return r.typed(ctx)
	case platform.Image, platform.Voice, platform.Video, platform.Location, platform.Link, platform.Unknown:
		return r.typed(ctx)
	case platform.MenuClick: // row 3
		return r.invite(ctx, "menu", what.Key)
	case platform.Scan:
		return r.invite(ctx, "scan", what.Scene)
	case platform.Follow:
		if err := r.tx.SetFollows(ctx, r.place.CustomerID, true); err != nil {
			return "", err
		}
		return r.invite(ctx, "follow", what.Scene)
	case platform.Unfollow:
		return "", r.unfollowed(ctx) // row 14
	case platform.MenuView:
		return "", r.line(ctx, "view", map[string]any{"key": what.Key})
	}
	// Position, HostedChange, OtherEvent: acknowledged. Where a phone is, is not stored (P-12.8); hosted sessions are not served yet.
	return "", nil
}

// typed is any message without a menu id: rows 1, 2, 5 and 12.
func (r *receipt) typed(ctx context.Context) (string, error) {
	if r.place.Blocked(r.now) { // row 5
		return "", r.keepBlocked(ctx)
	}
	if r.place.SessionID != nil { // row 12
		return "", r.append(ctx, *r.place.SessionID)
	}
	last, err := r.tx.LastSession(ctx, r.place.ConversationID)
	switch {
	case err == nil && mayReopen(last, r.now, r.d.set.Reopen):
		if isClosingWord(r.in.What) { // filed, wakes nobody (P-1.2)
			_, err := r.store(ctx, &last.ID)
			if err != nil {
				return "", err
			}
			return "", r.grant(ctx)
		}
		return r.reopen(ctx, last)
	case err != nil && !errors.Is(err, models.ErrNotFound):
		return "", err
	}
	return r.open(ctx)
}

// open begins a new session (row 1).
func (r *receipt) open(ctx context.Context) (string, error) {
	group, err := r.route(ctx)
	if err != nil {
		return "", err
	}
	length, err := r.tx.QueueLength(ctx, group.ID, group.QueueLimit)
	if err != nil {
		return "", err
	}
	if length >= group.QueueLimit { // P-2.7: said, stored, not queued
		if _, err := r.store(ctx, nil); err != nil {
			return "", err
		}
		return texts.T(texts.ZhCN, "notice.queue_full", nil), r.grant(ctx)
	}
	s := models.Session{
		ChannelID: r.ch.ID, ConversationID: r.place.ConversationID, CustomerID: r.place.CustomerID, GroupID: group.ID, State: models.Waiting,
		Hop: 1, ArrivalAt: r.now, OpenedAt: r.now, UnansweredSince: &r.now, LastAt: r.now,
		LastKind: kindOf(r.in.What), LastText: preview(textOf(r.in.What)), LastDirection: models.In, Unread: 1,
	}
	if err := r.tx.CreateSession(ctx, &s); err != nil {
		return "", err
	}
	if err := happened(ctx, r.tx, s.ID, "opened", nil, "", r.now); err != nil {
		return "", err
	}
	if _, err := r.store(ctx, &s.ID); err != nil {
		return "", err
	}
	return r.queue(ctx, s)
}

// reopen takes up a session that was closed a moment ago (row 2).
func (r *receipt) reopen(ctx context.Context, last models.Session) (string, error) {
	won, err := r.tx.ReopenSession(ctx, last, r.now.Add(r.d.set.Prefer), r.now)
	if err != nil {
		return "", err
	}
	if !won {
		return "", errChanged
	}
	if err := happened(ctx, r.tx, last.ID, "reopened", last.AgentID, "", r.now); err != nil {
		return "", err
	}
	if err := systemLine(ctx, r.tx, last.ConversationID, &last.ID, "reopened", nil, nil, r.now); err != nil {
		return "", err
	}
	if _, err := r.store(ctx, &last.ID); err != nil {
		return "", err
	}
	if _, err := r.tx.NoteInbound(ctx, last.ID, kindOf(r.in.What), preview(textOf(r.in.What)), r.now); err != nil {
		return "", err
	}
	last.State, last.ArrivalAt = models.Waiting, r.now
	return r.queue(ctx, last)
}

// queue grants, decides who serves, and says where the customer stands.
func (r *receipt) queue(ctx context.Context, s models.Session) (string, error) {
	if err := r.grant(ctx); err != nil {
		return "", err
	}
	r.mark.SessionID = &s.ID
	if err := tell(ctx, r.tx, models.Event{Kind: models.EventSession, SessionID: s.ID, GroupID: s.GroupID}, r.now); err != nil {
		return "", err
	}
	if err := r.d.decide(ctx, r.tx, []int64{s.GroupID}, r.now); err != nil {
		return "", err
	}
	return r.d.standing(ctx, r.tx, s.ID, r.now)
}

// append puts the message into the open session (row 12).
func (r *receipt) append(ctx context.Context, sessionID int64) error {
	r.mark.SessionID = &sessionID
	if _, err := r.store(ctx, &sessionID); err != nil {
		return err
	}
	open, err := r.tx.NoteInbound(ctx, sessionID, kindOf(r.in.What), preview(textOf(r.in.What)), r.now)
	if err != nil {
		return err
	}
	if !open { // closed a moment ago: the message opens or reopens, it is not lost in the closed one
		return errChanged
	}
	return r.grant(ctx)
}

// keepBlocked stores a blocked customer's message while there is room, and opens nothing (row 5, P-12.8).
func (r *receipt) keepBlocked(ctx context.Context) error {
	kept, err := r.tx.InboundSince(ctx, r.place.ConversationID, *r.place.BlockedAt, r.d.set.BlockedKeep)
	if err != nil || kept >= r.d.set.BlockedKeep {
		return err
	}
	_, err = r.store(ctx, nil)
	return err
}

// menuMessageClick files a click on a menu message (row 4): a minute's grant, no session, nobody woken.
func (r *receipt) menuMessageClick(ctx context.Context, click platform.Text) error {
	if !r.place.Blocked(r.now) {
		if err := r.saveGrant(ctx, "menu", 3, time.Minute); err != nil {
			return err
		}
	}
	return r.line(ctx, "choice", map[string]any{"text": click.Text, "id": click.MenuID})
}

// invite answers an event that opens a window but no session (row 3): the chosen group is remembered for the first typed message.
func (r *receipt) invite(ctx context.Context, scene, key string) (string, error) {
	if err := r.line(ctx, scene, map[string]any{"key": key}); err != nil {
		return "", err
	}
	if r.place.Blocked(r.now) {
		return "", nil
	}
	if err := r.saveGrant(ctx, scene, 3, time.Minute); err != nil {
		return "", err
	}
	if key != "" {
		groupID, err := r.tx.RouteGroup(ctx, r.ch.ID, key)
		if err != nil {
			return "", err
		}
		if groupID != 0 {
			if err := r.tx.RememberRoute(ctx, r.place.ConversationID, groupID, r.now.Add(r.d.set.Route)); err != nil {
				return "", err
			}
		}
	}
	if r.place.AgentID != nil { // somebody is serving: no passive words (P-4.2)
		return "", nil
	}
	return texts.T(texts.ZhCN, "notice.please_type", nil), nil
}

// unfollowed ends what is open: no reply is possible any more (row 14).
func (r *receipt) unfollowed(ctx context.Context) error {
	if err := r.tx.SetFollows(ctx, r.place.CustomerID, false); err != nil {
		return err
	}
	if err := r.tx.DropGrants(ctx, r.place.ConversationID); err != nil {
		return err
	}
	if err := r.line(ctx, "unfollow", nil); err != nil {
		return err
	}
	if r.place.SessionID == nil {
		return nil
	}
	return r.d.end(ctx, r.tx, *r.place.SessionID, models.ClosedUnfollowed, nil, r.now)
}

// store keeps the inbound message in the session, if any, and tells the pages.
func (r *receipt) store(ctx context.Context, sessionID *int64) (int64, error) {
	m := models.Message{
		ConversationID: r.place.ConversationID, SessionID: sessionID, Direction: models.In, Kind: kindOf(r.in.What), Text: textOf(r.in.What),
		Data: dataOf(r.in), PlatformID: r.in.MessageID, ShownAt: r.shownAt(), CreatedAt: r.now,
	}
	if err := r.tx.CreateMessage(ctx, &m); err != nil {
		return 0, err
	}
	if sessionID == nil {
		return m.ID, nil
	}
	r.mark.SessionID = sessionID
	return m.ID, tell(ctx, r.tx, models.Event{Kind: models.EventMessage, SessionID: *sessionID, MessageID: m.ID}, r.now)
}

// say keeps the passive answer as a message of its own. It counts as on its way until the answer was written (Desk.Answered).
func (r *receipt) say(ctx context.Context, words string) (int64, error) {
	m := models.Message{
		ConversationID: r.place.ConversationID, SessionID: r.mark.SessionID, Direction: models.Out, Kind: "text", Text: words,
		ShownAt: r.now, CreatedAt: r.now, Passive: true, State: models.Sending,
	}
	if err := r.tx.CreateMessage(ctx, &m); err != nil {
		return 0, err
	}
	r.mark.Answer, r.mark.MessageID = words, &m.ID
	if m.SessionID == nil {
		return m.ID, nil
	}
	return m.ID, tell(ctx, r.tx, models.Event{Kind: models.EventMessage, SessionID: *m.SessionID, MessageID: m.ID}, r.now)
}

// line notes an event of the customer in the timeline. A blocked customer's clicks leave none: they could be thousands (P-12.8).
func (r *receipt) line(ctx context.Context, kind string, detail map[string]any) error {
	r.mark.SessionID = r.place.SessionID
	if r.place.Blocked(r.now) && kind != "unfollow" {
		return nil
	}
	return systemLine(ctx, r.tx, r.place.ConversationID, r.place.SessionID, kind, nil, detail, r.now)
}

// shownAt is the platform's time of the message (P-1.2c), unless it is nonsense.
func (r *receipt) shownAt() time.Time {
	if r.in.At.IsZero() || r.in.At.After(r.now.Add(time.Minute)) {
		return r.now
	}
	return r.in.At
}

// repeat answers a push that was stored before: with the same words if they are still true, else with nothing (row 34, P-4.2).
func (r *receipt) repeat(ctx context.Context, known models.InboundKey) (Received, error) {
	got := Received{Answer: platform.Nothing{}, Repeated: true}
	if known.Answer == "" || known.MessageID == nil {
		return got, nil
	}
	place, err := r.tx.Place(ctx, r.ch.ID, r.in.Conversation.Key)
	if errors.Is(err, models.ErrNotFound) || err == nil && place.AgentID != nil { // somebody serves by now: no passive words
		return got, nil
	}
	if err != nil {
		return got, err
	}
	if known.SessionID != nil {
		now, err := r.d.standing(ctx, r.tx, *known.SessionID, r.now)
		if err != nil {
			return got, err
		}
		if now != known.Answer && known.Answer != texts.T(texts.ZhCN, "notice.please_type", nil) {
			return got, nil
		}
	}
	got.Answer, got.MessageID = platform.Words{Text: known.Answer}, *known.MessageID
	return got, nil
}

// Answered notes whether a passive answer was written in time. Late or failed, it is unknown until a repetition fetches it (P-4.2).
func (d *Desk) Answered(ctx context.Context, messageID int64, written bool) error {
	return d.store.InTx(ctx, func(tx *models.Store) error {
		m, err := tx.Message(ctx, messageID)
		if err != nil {
			return err
		}
		if m.State == models.Sent {
			return nil // fetched by a repetition: a late first answer takes nothing of that back
		}
		now := d.now()
		m.State, m.UpdatedAt = models.UnknownState, now
		if written {
			m.State, m.SentAt = models.Sent, &now
		}
		if err := tx.SetMessageState(ctx, m); err != nil || m.SessionID == nil {
			return err
		}
		return tell(ctx, tx, models.Event{Kind: models.EventMessage, SessionID: *m.SessionID, MessageID: m.ID}, now)
	})
}

// systemLine puts a line about what happened into the timeline.
func systemLine(ctx context.Context, tx *models.Store, conversationID int64, sessionID *int64, kind string, agentID *int64, detail map[string]any, at time.Time) error {
	data := ""
	if len(detail) > 0 {
		raw, err := json.Marshal(detail)
		if err != nil {
			return fmt.Errorf("detail of %s: %w", kind, err)
		}
		data = string(raw)
	}
	m := models.Message{ConversationID: conversationID, SessionID: sessionID, Direction: models.System, Kind: kind, AgentID: agentID, Data: data, ShownAt: at, CreatedAt: at}
	if err := tx.CreateMessage(ctx, &m); err != nil || sessionID == nil {
		return err
	}
	return tell(ctx, tx, models.Event{Kind: models.EventMessage, SessionID: *sessionID, MessageID: m.ID}, at)
}
