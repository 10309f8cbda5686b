package desk

import (
	"fmt"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
)

// free is a member of group 1 who can take a session now.
func free(agentID int64, change func(m *models.Member)) models.Member {
	m := models.Member{GroupID: 1, AgentID: agentID, Position: int(agentID), Presence: models.Online, AutoAccept: true, Capacity: 5, SeenAt: ptr(noon)}
	if change != nil {
		change(&m)
	}
	return m
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name   string
		change func(m *models.Member)
		want   Verdict
	}{
		{"P-2.3 · ok", nil, OK},
		{"P-2.3 · offline", func(m *models.Member) { m.Presence = models.Offline }, Away},
		{"P-2.3 · on break", func(m *models.Member) { m.Presence = models.Break }, OnBreak},
		{"P-2.3 · finishing", func(m *models.Member) { m.Presence = models.Busy }, Finish},
		{"P-2.8 · seen 45 s ago is not stale yet", func(m *models.Member) { m.SeenAt = ptr(noon.Add(-45 * time.Second)) }, OK},
		{"P-2.8 · a moment more is", func(m *models.Member) { m.SeenAt = ptr(noon.Add(-45*time.Second - time.Millisecond)) }, Stale},
		{"P-2.8 · never seen", func(m *models.Member) { m.SeenAt = nil }, Stale},
		{"P-2.4 · one slot left", func(m *models.Member) { m.Load = 4 }, OK},
		{"P-2.4 · a quarter too much", func(m *models.Member) { m.Load = 4.25 }, Full},
		{"P-2.4 · twelve quiet chats leave room in four slots", func(m *models.Member) { m.Capacity, m.Load = 4, 3 }, OK},
		{"P-2.4 · no slots at all", func(m *models.Member) { m.Capacity = 0 }, Full},
		{"P-2.6 · takes sessions by hand", func(m *models.Member) { m.AutoAccept = false }, Rings},
		{"P-2.3 · one reason only, the plainest", func(m *models.Member) { m.Presence, m.SeenAt, m.Load = models.Offline, nil, 9 }, Away},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "verdict", verdict(free(1, tt.change), noon, 45*time.Second), tt.want)
		})
	}
}

func TestPick(t *testing.T) {
	load := func(l float64) func(m *models.Member) { return func(m *models.Member) { m.Load = l } }
	last := func(ago time.Duration) func(m *models.Member) {
		return func(m *models.Member) { m.LastAssignedAt = ptr(noon.Add(-ago)) }
	}
	tests := []struct {
		name      string
		members   []models.Member
		preferred int64
		want      int64 // 0: nobody
	}{
		{"P-2.4 · nobody there", nil, 0, 0},
		{"P-2.4 · least busy", []models.Member{free(1, load(2)), free(2, load(1)), free(3, load(3))}, 0, 2},
		{"P-2.4 · busy is load for capacity", []models.Member{free(1, load(2)), free(2, func(m *models.Member) { m.Load, m.Capacity = 3, 10 })}, 0, 2},
		{"P-2.4 · then longest without anything new", []models.Member{free(1, last(time.Minute)), free(2, last(time.Hour)), free(3, last(time.Second))}, 0, 2},
		{"P-2.4 · who never had any goes first", []models.Member{free(1, last(time.Hour)), free(2, nil)}, 0, 2},
		{"P-2.4 · then the admin's order", []models.Member{free(1, func(m *models.Member) { m.Position = 9 }), free(2, nil)}, 0, 2},
		{"P-2.4 · then the id", []models.Member{free(2, func(m *models.Member) { m.Position = 0 }), free(1, func(m *models.Member) { m.Position = 0 })}, 0, 1},
		{"row 2 · the preferred one first", []models.Member{free(1, nil), free(2, load(4))}, 2, 2},
		{"row 2 · only if they can now", []models.Member{free(1, nil), free(2, load(5))}, 2, 1},
		{"row 2 · and are of the group", []models.Member{free(1, nil), free(2, func(m *models.Member) { m.GroupID = 7 })}, 2, 1},
		{"P-2.3 · nobody of the group", []models.Member{free(1, func(m *models.Member) { m.GroupID = 7 })}, 0, 0},
		{"P-2.3 · nobody can", []models.Member{free(1, load(5)), free(2, func(m *models.Member) { m.Presence = models.Break })}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var preferred *int64
			if tt.preferred != 0 {
				preferred = &tt.preferred
			}
			got := int64(0)
			if i := pick(tt.members, 1, preferred, noon, 45*time.Second); i >= 0 {
				got = tt.members[i].AgentID
			}
			wantEqual(t, "picked", got, tt.want)
		})
	}
}

func TestP23StrictOrderAmongWhatAnAgentMayTake(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.addGroup("售后", 200, true)
		w.must(w.store.SetRoute(w.ctx, w.channel.ID, "after", other.ID))
		inOther := func(who string) {
			w.does(who, platform.Scan{Scene: "after"})
			w.says(who, "你好")
		}
		mei := w.hire("mei", models.RoleAgent, 2, w.group)
		both := w.hire("both", models.RoleAgent, 1, w.group, other)

		w.run(t, "P-2.3 · a session nobody may take is passed over, the next is tried", func(t *testing.T) {
			inOther("o1")
			w.advance(time.Second)
			for i := range 3 {
				w.says(fmt.Sprintf("d%d", i), "你好")
				w.advance(time.Second)
			}
			w.presence(mei, models.Online)
			wantEqual(t, "the other group's", w.session("o1").State, models.Waiting)
			wantEqual(t, "first", holder(w.session("d0")), mei.ID)
			wantEqual(t, "second", holder(w.session("d1")), mei.ID)
			wantEqual(t, "third", w.session("d2").State, models.Waiting)
		})
		w.run(t, "P-2.1 · one order over all groups", func(t *testing.T) {
			w.presence(both, models.Online)
			wantEqual(t, "longest waiting", holder(w.session("o1")), both.ID)
			wantEqual(t, "later", w.session("d2").State, models.Waiting)
			w.must(w.desk.Close(w.ctx, w.viewer(both), w.session("o1").ID))
			wantEqual(t, "later, then", holder(w.session("d2")), both.ID)
		})
		w.run(t, "P-2.1 · of one moment by id", func(t *testing.T) {
			w.says("same1", "你好")
			w.says("same2", "你好")
			w.must(w.desk.Close(w.ctx, w.viewer(both), w.session("d2").ID))
			wantEqual(t, "first", holder(w.session("same1")), both.ID)
			wantEqual(t, "second", w.session("same2").State, models.Waiting)
		})
	})
}

func TestP22AThousandOfABusyGroupDoNotHideAnother(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		full := w.addGroup("忙组", 5000, true)
		w.hire("busy", models.RoleAgent, 1, full)
		w.exec(`INSERT INTO customers (channel_id, external_id, created_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1100)
			SELECT ?, 'c' || i, ? FROM n`, w.channel.ID, noon)
		w.exec("INSERT INTO conversations (channel_id, key, customer_id, created_at) SELECT channel_id, external_id, id, created_at FROM customers")
		w.exec(`INSERT INTO sessions (channel_id, conversation_id, customer_id, group_id, state, arrival_at, opened_at, last_at)
			SELECT channel_id, id, customer_id, ?, 'waiting', created_at, created_at, created_at FROM conversations`, full.ID)
		w.advance(time.Second)
		mei := w.hire("mei", models.RoleAgent, 1, w.group)
		w.says("anna", "你好")
		w.exec("UPDATE agents SET presence = 'online', seen_at = ? WHERE id = ?", w.clock.Now(), mei.ID)
		w.must(w.desk.Sweep(w.ctx))
		wantEqual(t, "holder", holder(w.session("anna")), mei.ID)
	})
}

func TestStandingText(t *testing.T) {
	tests := []struct {
		name   string
		ahead  int
		onDuty bool
		want   string
	}{
		{"P-3.1 · next", 0, true, "您好，您是下一位，客服马上为您服务。"},
		{"P-3.1 · three ahead", 3, true, "您好，前面还有 3 位，我们会按顺序接待您。"},
		{"P-3.5 · nobody there", 3, false, "您好，客服暂时离开，回来后会按顺序接待您。"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := standingText(tt.ahead, tt.onDuty)
			wantEqual(t, "words", got, tt.want)
			if len(got) > 2047 {
				t.Errorf("%d bytes", len(got))
			}
		})
	}
}

func TestWhoCountsForAWaitingCustomer(t *testing.T) {
	here, silent := noon.Add(-time.Second), noon.Add(-time.Minute)
	tests := []struct {
		name   string
		member models.Member
		want   bool
	}{
		{"P-3.2 · online", models.Member{Presence: models.Online, SeenAt: &here, Capacity: 1, AutoAccept: true}, true},
		{"P-3.2 · online and full: occupied slots count", models.Member{Presence: models.Online, SeenAt: &here, Capacity: 1, Load: 1, AutoAccept: true}, true},
		{"P-3.2 · online, takes chats by hand", models.Member{Presence: models.Online, SeenAt: &here, Capacity: 1}, true},
		{"P-3.2 · stale", models.Member{Presence: models.Online, SeenAt: &silent, Capacity: 1, AutoAccept: true}, false},
		{"P-3.2 · finishing", models.Member{Presence: models.Busy, SeenAt: &here, Capacity: 1, AutoAccept: true}, false},
		{"P-3.2 · on break", models.Member{Presence: models.Break, SeenAt: &here, Capacity: 1, AutoAccept: true}, false},
		{"P-3.2 · offline", models.Member{Presence: models.Offline, SeenAt: &here, Capacity: 1, AutoAccept: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "counts", serves(tt.member, noon, 45*time.Second), tt.want)
		})
	}
}
