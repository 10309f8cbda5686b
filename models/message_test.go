package models_test

import (
	"slices"
	"testing"
	"time"

	"kefu/models"
)

func ids(list []models.Message) []int64 {
	var ids []int64
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestMessagesOfAConversation(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		n, other := o.waits("anna", noon), o.waits("bert", noon)
		at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
		var mine []int64
		for i := range 6 {
			mine = append(mine, o.sends(n, "您好", 1, 1, at(i)).ID)
			o.sends(other, "您好", 1, 1, at(i))
		}
		last := func(before int64, limit int) []int64 {
			found, err := o.s.LastMessages(ctx, n.ConversationID, 0, before, limit)
			must(t, err)
			return ids(found)
		}
		t.Run("the newest, oldest first", func(t *testing.T) {
			list(t, "all", last(0, 100), mine...)
			list(t, "three", last(0, 3), mine[3:]...)
			list(t, "two before", last(mine[3], 2), mine[1:3]...)
			list(t, "none before the first", last(mine[0], 3))
		})
		t.Run("through a session: nothing of later ones", func(t *testing.T) {
			_, err := o.s.CloseSession(ctx, n.ID, models.ClosedByAgent, at(60))
			must(t, err)
			later := o.waits("anna", at(120))
			equal(t, "same conversation", later.ConversationID, n.ConversationID)
			newer := o.sends(later, "又来了", 1, 1, at(121)).ID
			read := func(through int64) []int64 {
				found, err := o.s.LastMessages(ctx, n.ConversationID, through, 0, 100)
				must(t, err)
				return ids(found)
			}
			list(t, "all", read(0), append(slices.Clone(mine), newer)...)
			list(t, "through the first", read(n.ID), mine...)
			list(t, "through the second", read(later.ID), append(slices.Clone(mine), newer)...)
		})
		t.Run("P-12.8 · what came since a moment, up to a limit", func(t *testing.T) {
			for i := range 3 {
				m := models.Message{ConversationID: n.ConversationID, Direction: models.In, Kind: "text", ShownAt: at(i), CreatedAt: at(i)}
				must(t, o.s.CreateMessage(ctx, &m))
			}
			for _, tt := range []struct {
				since       time.Time
				limit, want int
			}{{at(-1), 10, 3}, {at(0), 10, 2}, {at(-1), 2, 2}, {at(9), 10, 0}} {
				kept, err := o.s.InboundSince(ctx, n.ConversationID, tt.since, tt.limit)
				must(t, err)
				equal(t, "kept", kept, tt.want)
			}
		})
	})
}

func TestAMessageComesBackAsItWas(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		n, key := o.waits("anna", noon), "1:k:1"
		first := o.sends(n, "您好", 1, 1, noon)
		m := models.Message{ConversationID: n.ConversationID, SessionID: &n.ID, Direction: models.Out, Kind: "text", AgentID: &o.mei.ID, Text: "您好 👋\n再见", Data: `{"a":1}`,
			PlatformID: "77", ShownAt: noon, CreatedAt: noon.Add(123456789), IdemKey: &key, Face: "mei@x", FaceNick: "小美", Part: 2, Parts: 3, ResendOf: &first.ID,
			Passive: true, State: models.Queued}
		must(t, o.s.CreateMessage(ctx, &m))
		got, err := o.s.MessageByKey(ctx, key)
		must(t, err)
		equal(t, "id", got.ID, m.ID)
		equal(t, "text", got.Text, m.Text)
		equal(t, "created at", got.CreatedAt, noon.Add(123*time.Millisecond)) // models.Stamp
		equal(t, "updated at", got.UpdatedAt, got.CreatedAt)
		equal(t, "parts", got.Part*10+got.Parts, 23)
		equal(t, "resend of", *got.ResendOf, first.ID)
		equal(t, "passive", got.Passive, true)
		equal(t, "face", got.Face+" "+got.FaceNick, "mei@x 小美")

		retry := noon.Add(time.Minute)
		got.State, got.ErrorClass, got.ErrorCode, got.ErrorText, got.RetryAt, got.Face, got.FaceNick, got.UpdatedAt = models.Queued, "busy", 45011, "busy", &retry, "", "", retry
		got.Text = "anders"
		must(t, o.s.SetMessageState(ctx, got))
		again, err := o.s.Message(ctx, m.ID)
		must(t, err)
		equal(t, "error", again.ErrorClass+" "+again.ErrorText, "busy busy")
		equal(t, "code", again.ErrorCode, 45011)
		equal(t, "retry at", *again.RetryAt, retry)
		equal(t, "face", again.Face, "")
		equal(t, "text stays", again.Text, m.Text)
	})
}

func TestFinalStates(t *testing.T) {
	for state, want := range map[models.MessageState]bool{models.Queued: false, models.Sending: false, models.Sent: true, models.FailedState: true,
		models.UnknownState: true, models.Withdrawn: true, models.Parked: true} {
		equal(t, string(state), state.Final(), want)
	}
}
