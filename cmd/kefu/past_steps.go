package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"kefu/internal/platform"
	"kefu/internal/texts"
	"kefu/models"
)

// clicks is the customer's click on an item of the menu, with the answer that invites them to type.
func clicks(after int, key string) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		if err := t.tx.RememberRoute(ctx, t.place.ConversationID, t.group, t.now.Add(30*time.Minute)); err != nil {
			return err
		}
		return t.invited(ctx, "menu", key)
	}}
}

// follows is the customer following the account, with the answer that invites them to type.
func follows(after int) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		if err := t.tx.SetFollows(ctx, t.place.CustomerID, true); err != nil {
			return err
		}
		return t.invited(ctx, "follow", "")
	}}
}

func (t *pastChatRun) invited(ctx context.Context, scene, key string) error {
	if err := t.line(ctx, scene, nil, map[string]any{"key": key}); err != nil {
		return err
	}
	if err := t.grant(ctx, scene, 3, time.Minute); err != nil {
		return err
	}
	return t.passive(ctx, "notice.please_type")
}

// queues is the answer that tells the customer their place in the queue: they are next.
func queues(after int) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error { return t.passive(ctx, "notice.next") }}
}

func (t *pastChatRun) passive(ctx context.Context, key texts.Key) error {
	at := t.now
	return t.store(ctx, &models.Message{
		Direction: models.Out, Kind: "text", Text: texts.T(texts.ZhCN, key, nil), Passive: true, State: models.Sent, SentAt: &at,
	})
}

// says is a text of the customer. The first one opens the session.
func says(after int, text string) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		return t.heard(ctx, models.Message{Kind: "text", Text: text})
	}}
}

// sends is a message of the customer that is not a text.
func sends(after int, what platform.What) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		m := models.Message{}
		switch w := what.(type) {
		case platform.Image:
			m.Kind = "image"
		case platform.Voice:
			m.Kind, m.Text = "voice", w.Recognition
		case platform.Location:
			m.Kind, m.Text = "location", w.Label
		case platform.Link:
			m.Kind, m.Text = "link", w.Title
		default:
			return fmt.Errorf("%T is not among the sample messages", what)
		}
		raw, err := json.Marshal(what)
		if err != nil {
			return err
		}
		m.Data = string(raw)
		return t.heard(ctx, m)
	}}
}

func (t *pastChatRun) heard(ctx context.Context, m models.Message) error {
	*t.lastID++
	m.Direction, m.PlatformID = models.In, strconv.FormatInt(*t.lastID, 10)
	at, opens := t.now, t.session.ID == 0
	if opens {
		t.session = models.Session{
			ChannelID: t.channel.ID, ConversationID: t.place.ConversationID, CustomerID: t.place.CustomerID, GroupID: t.group, State: models.Waiting,
			Hop: 1, ArrivalAt: at, OpenedAt: at, UnansweredSince: &at, LastAt: at,
			LastKind: m.Kind, LastText: m.Text, LastDirection: models.In, Unread: 1,
		}
		if err := t.tx.CreateSession(ctx, &t.session); err != nil {
			return err
		}
		if err := t.happened(ctx, "opened", nil, ""); err != nil {
			return err
		}
	}
	if err := t.store(ctx, &m); err != nil {
		return err
	}
	if !opens {
		open, err := t.tx.NoteInbound(ctx, t.session.ID, m.Kind, m.Text, t.now)
		if err != nil {
			return err
		}
		if !open {
			return fmt.Errorf("session %d is closed", t.session.ID)
		}
	}
	return t.grant(ctx, models.SceneMessage, 5, 48*time.Hour-time.Minute) // as the desk grants: a minute less than the platform
}

// assigned gives the session to the agent.
func assigned(after int, username string) pastStep { return taken(after, username, "assigned") }

// claimed is the agent taking the session.
func claimed(after int, username string) pastStep { return taken(after, username, "claimed") }

func taken(after int, username, how string) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		agent, ok := t.people[username]
		if !ok {
			return fmt.Errorf("nobody is called %q", username)
		}
		t.agent = agent
		won, err := t.tx.TakeSession(ctx, t.session.ID, agent.ID, models.AnyLoad, t.now)
		if err != nil {
			return err
		}
		if !won {
			return fmt.Errorf("session %d is not waiting", t.session.ID)
		}
		if err := t.happened(ctx, how, &agent.ID, ""); err != nil {
			return err
		}
		return t.line(ctx, how, &agent.ID, map[string]any{"waited": int(t.now.Sub(t.session.ArrivalAt).Seconds())})
	}}
}

// replies is a text of the agent that was sent.
func replies(after int, text string) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		return t.said(ctx, models.Message{Text: text, State: models.Sent})
	}}
}

// refused is a text of the agent that came too late: the platform takes nothing after 48 hours.
func refused(after int, text string) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		err := t.said(ctx, models.Message{
			Text: text, State: models.FailedState, ErrorClass: string(platform.Window), ErrorCode: 45015,
			ErrorText: "response out of time limit or subscription is canceled",
		})
		if err != nil {
			return err
		}
		return t.tx.DropGrants(ctx, t.place.ConversationID)
	}}
}

// unheard is a text of the agent that the platform did not answer to.
func unheard(after int, text string) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		return t.said(ctx, models.Message{Text: text, State: models.UnknownState, ErrorClass: string(platform.Unsure)})
	}}
}

// said stores the agent's words as the desk does, and how their delivery ended as the delivery does.
func (t *pastChatRun) said(ctx context.Context, m models.Message) error {
	end := m
	m = models.Message{
		Direction: models.Out, Kind: "text", Text: m.Text, AgentID: &t.agent.ID,
		Face: t.agent.Username + "@" + t.wechatID, FaceNick: demoFaces[t.agent.Username], State: models.Queued,
	}
	if err := t.store(ctx, &m); err != nil {
		return err
	}
	if err := t.tx.NoteOutbound(ctx, t.session.ID, *m.AgentID, m.Kind, m.Text, m.State, t.now); err != nil {
		return err
	}
	m.UpdatedAt = t.now.Add(time.Second)
	m.State, m.ErrorClass, m.ErrorCode, m.ErrorText = end.State, end.ErrorClass, end.ErrorCode, end.ErrorText
	if m.State == models.Sent {
		m.SentAt = &m.UpdatedAt
	}
	if err := t.tx.SetMessageState(ctx, m); err != nil {
		return err
	}
	if err := t.tx.NoteDelivered(ctx, m); err != nil || m.ErrorCode == 0 {
		return err
	}
	detail, err := asJSON(map[string]any{"message": m.ID, "code": m.ErrorCode})
	if err != nil {
		return err
	}
	return t.happened(ctx, m.ErrorClass, nil, detail)
}

// notes is what the agent writes to colleagues.
func notes(after int, text string) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		return t.store(ctx, &models.Message{Direction: models.Note, Kind: "note", Text: text, AgentID: &t.agent.ID})
	}}
}

// closes is the agent ending the session.
func closes(after int) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error { return t.end(ctx, models.ClosedByAgent, &t.agent.ID) }}
}

// unfollows is the customer leaving the account, which ends the session.
func unfollows(after int) pastStep {
	return pastStep{after, func(ctx context.Context, t *pastChatRun) error {
		if err := t.tx.SetFollows(ctx, t.place.CustomerID, false); err != nil {
			return err
		}
		if err := t.tx.DropGrants(ctx, t.place.ConversationID); err != nil {
			return err
		}
		if err := t.line(ctx, "unfollow", nil, nil); err != nil {
			return err
		}
		return t.end(ctx, models.ClosedUnfollowed, nil)
	}}
}

func (t *pastChatRun) end(ctx context.Context, reason models.CloseReason, by *int64) error {
	won, err := t.tx.CloseSession(ctx, t.session.ID, reason, t.now)
	if err != nil {
		return err
	}
	if !won {
		return fmt.Errorf("session %d is not open", t.session.ID)
	}
	if err := t.happened(ctx, "closed", by, string(reason)); err != nil {
		return err
	}
	return t.line(ctx, "closed", by, map[string]any{"reason": string(reason)})
}
