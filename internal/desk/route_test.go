package desk

import (
	"fmt"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
)

func TestAllowance(t *testing.T) {
	typed := func(ago time.Duration) models.Grant {
		return models.Grant{Scene: models.SceneMessage, Count: 5, GrantedAt: noon.Add(-ago), ExpiresAt: noon.Add(-ago + 48*time.Hour - time.Minute)}
	}
	minute := func(scene string, ago time.Duration) models.Grant {
		return models.Grant{Scene: scene, Count: 3, GrantedAt: noon.Add(-ago), ExpiresAt: noon.Add(-ago + time.Minute)}
	}
	tests := []struct {
		name   string
		grants []models.Grant
		spent  int
		want   Allowance
		open   bool
	}{
		{"P-4.1 · nothing granted", nil, 0, Allowance{}, false},
		{"P-4.1 · 5 in 48 hours", []models.Grant{typed(0)}, 0, Allowance{Of: 5, Left: 5, Ends: noon.Add(48*time.Hour - time.Minute)}, true},
		{"P-4.1 · three spent", []models.Grant{typed(time.Hour)}, 3, Allowance{Of: 5, Left: 2, Ends: noon.Add(47*time.Hour - time.Minute)}, true},
		{"P-4.1 · never below nothing", []models.Grant{typed(time.Hour)}, 9, Allowance{Of: 5, Left: 0, Ends: noon.Add(47*time.Hour - time.Minute)}, true},
		{"P-4.1 · a millisecond before its end", []models.Grant{typed(48*time.Hour - time.Minute - time.Millisecond)}, 0,
			Allowance{Of: 5, Left: 5, Ends: noon.Add(time.Millisecond)}, true},
		{"P-4.1 · ended", []models.Grant{typed(48*time.Hour - time.Minute)}, 0, Allowance{}, false},
		{"P-4.1 · a click: 3 for a minute beside it", []models.Grant{typed(0), minute("menu", 0)}, 1,
			Allowance{Of: 5, Left: 4, Ends: noon.Add(48*time.Hour - time.Minute), Minute: 3, MinuteEnds: noon.Add(time.Minute)}, true},
		{"P-4.1 · clicks are not added up", []models.Grant{minute("follow", 0), minute("menu", 0), minute("scan", 0)}, 0,
			Allowance{Minute: 3, MinuteEnds: noon.Add(time.Minute)}, true},
		{"P-4.1 · the one that ends last counts", []models.Grant{minute("follow", 50*time.Second), minute("menu", 0)}, 0,
			Allowance{Minute: 3, MinuteEnds: noon.Add(time.Minute)}, true},
		{"P-4.1 · a minute is over", []models.Grant{minute("menu", time.Minute)}, 0, Allowance{}, false},
		{"P-4.1 · the platform said no more (45047)", []models.Grant{{Scene: models.SceneMessage, Count: 0, ExpiresAt: noon.Add(time.Hour)}}, 0,
			Allowance{Ends: noon.Add(time.Hour)}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := allowance(tt.grants, tt.spent, noon)
			wantEqual(t, "allowance", got, tt.want)
			wantEqual(t, "open", got.Open(noon), tt.open)
		})
	}
}

func TestP41WhatIsSpent(t *testing.T) {
	tests := []struct {
		state models.MessageState
		spent bool
	}{
		{models.Queued, true}, {models.Sending, true}, {models.Sent, true}, {models.UnknownState, true},
		{models.FailedState, false}, {models.Withdrawn, false}, {models.Parked, false},
	}
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 100, w.group)
		left := func(who string) int {
			a, err := w.desk.Allowance(w.ctx, w.place(who).ConversationID)
			w.must(err)
			return a.Left
		}
		reply := func(who string) models.Message {
			stored, err := w.desk.Reply(w.ctx, w.viewer(mei), Reply{SessionID: w.session(who).ID, Text: "您好"})
			w.must(err)
			return stored[0]
		}
		for _, tt := range tests {
			w.run(t, fmt.Sprintf("P-4.1 · %s counts: %v", tt.state, tt.spent), func(t *testing.T) {
				who := "to-" + string(tt.state)
				w.served(mei, who, "你好")
				wantEqual(t, "left after the passive answer", left(who), 5) // P-4.2: free
				m := reply(who)
				if tt.state != models.Queued {
					w.outcome(m, tt.state)
				}
				want := 5
				if tt.spent {
					want = 4
				}
				wantEqual(t, "left", left(who), want)
			})
		}
		w.run(t, "P-4.1 · a note costs nothing", func(t *testing.T) {
			w.served(mei, "anna", "你好")
			_, err := w.desk.Note(w.ctx, w.viewer(mei), Reply{SessionID: w.session("anna").ID, Text: "嗯"})
			w.must(err)
			wantEqual(t, "left", left("anna"), 5)
		})
		w.run(t, "P-4.1 · the next typed message refills", func(t *testing.T) {
			w.outcome(reply("anna"), models.Sent)
			w.outcome(reply("anna"), models.Sent)
			wantEqual(t, "left", left("anna"), 3)
			w.advance(time.Second)
			w.says("anna", "好")
			wantEqual(t, "left", left("anna"), 5)
		})
		w.run(t, "P-4.1 · what waits to be sent is spent from the new grant", func(t *testing.T) {
			m := reply("anna")
			w.advance(time.Minute)
			w.says("anna", "在吗")
			wantEqual(t, "left while it waits", left("anna"), 4)
			w.advance(time.Second)
			w.outcome(m, models.Sent)
			wantEqual(t, "left once it is sent", left("anna"), 4)
		})
		w.run(t, "P-4.1 · a duplicate grants nothing", func(t *testing.T) {
			in := w.push("bert", platform.Text{Text: "你好"})
			w.receive(in)
			w.must(w.desk.Claim(w.ctx, w.viewer(mei), w.session("bert").ID))
			w.advance(time.Second)
			w.outcome(reply("bert"), models.Sent)
			w.advance(time.Second)
			w.receive(in)
			wantEqual(t, "left", left("bert"), 4)
		})
		w.run(t, "P-1.2c · an older message that arrives late grants nothing", func(t *testing.T) {
			late := w.push("bert", platform.Text{Text: "早先的"})
			late.At = w.clock.Now().Add(-time.Hour)
			grants := w.grants("bert")
			w.receive(late)
			wantList(t, "grants", w.grants("bert"), grants...)
			wantEqual(t, "left", left("bert"), 4)
		})
		w.run(t, "P-4.1 · the platform's clock a little ahead does not make sends free", func(t *testing.T) {
			in := w.push("cleo", platform.Text{Text: "你好"})
			in.At = w.clock.Now().Add(30 * time.Second)
			w.receive(in)
			w.must(w.desk.Claim(w.ctx, w.viewer(mei), w.session("cleo").ID))
			reply("cleo")
			wantEqual(t, "left", left("cleo"), 4)
		})
		w.run(t, "P-4.1 · the window ends a minute early", func(t *testing.T) {
			w.says("dora", "你好")
			w.advance(48*time.Hour - time.Minute - time.Millisecond)
			wantEqual(t, "left", left("dora"), 5)
			w.advance(time.Millisecond)
			wantEqual(t, "left", left("dora"), 0)
		})
		w.run(t, "P-4.1 · nobody known", func(t *testing.T) {
			a, err := w.desk.Allowance(w.ctx, 1<<40)
			w.must(err)
			wantEqual(t, "allowance", a, Allowance{})
		})
	})
}
