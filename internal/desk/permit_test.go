package desk

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"kefu/models"
)

// viewers of docs/rules.md, Roles: group 1 is the session's, group 2 another.
var (
	theHolder      = Viewer{Agent: models.Agent{ID: 1, Role: models.RoleAgent}, Groups: []int64{1}}
	movedHolder    = Viewer{Agent: models.Agent{ID: 1, Role: models.RoleAgent}, Groups: []int64{2}} // holds it, and left the group since
	colleague      = Viewer{Agent: models.Agent{ID: 2, Role: models.RoleAgent}, Groups: []int64{1, 2}}
	stranger       = Viewer{Agent: models.Agent{ID: 3, Role: models.RoleAgent}, Groups: []int64{2}}
	nowhere        = Viewer{Agent: models.Agent{ID: 4, Role: models.RoleAgent}}
	supervisor     = Viewer{Agent: models.Agent{ID: 5, Role: models.RoleSupervisor}, Groups: []int64{1}}
	foreignLead    = Viewer{Agent: models.Agent{ID: 6, Role: models.RoleSupervisor}, Groups: []int64{2}}
	administrator  = Viewer{Agent: models.Agent{ID: 7, Role: models.RoleAdmin}}
	ofNoKnownRole  = Viewer{Agent: models.Agent{ID: 8, Role: "owner"}, Groups: []int64{2}}
	theWholeOffice = []struct {
		name string
		v    Viewer
	}{
		{"holder", theHolder}, {"holder who left the group", movedHolder}, {"colleague", colleague}, {"agent of another group", stranger},
		{"agent of no group", nowhere}, {"supervisor", supervisor}, {"supervisor of another group", foreignLead}, {"admin", administrator},
		{"role nobody knows", ofNoKnownRole},
	}
)

func TestRolesSeeTheirLists(t *testing.T) {
	tests := []struct {
		name  string
		state models.SessionState
		watch bool
		want  []List // in the order of theWholeOffice
	}{
		{"waiting", models.Waiting, true,
			[]List{ListQueue, ListNone, ListQueue, ListNone, ListNone, ListQueue, ListNone, ListQueue, ListNone}},
		{"waiting in a group that does not let its members watch", models.Waiting, false,
			[]List{ListQueue, ListNone, ListQueue, ListNone, ListNone, ListQueue, ListNone, ListQueue, ListNone}},
		{"active", models.Active, true,
			[]List{ListMine, ListMine, ListTeam, ListNone, ListNone, ListTeam, ListNone, ListTeam, ListNone}},
		{"active in a group that does not let its members watch", models.Active, false,
			[]List{ListMine, ListMine, ListNone, ListNone, ListNone, ListTeam, ListNone, ListTeam, ListNone}},
		{"closed", models.Closed, true,
			[]List{ListClosed, ListClosed, ListNone, ListNone, ListNone, ListClosed, ListNone, ListClosed, ListNone}},
	}
	for _, tt := range tests {
		for i, who := range theWholeOffice {
			t.Run(fmt.Sprintf("roles · %s · %s", tt.name, who.name), func(t *testing.T) {
				row := models.Row{State: tt.state, GroupID: 1, Watch: tt.watch}
				if tt.state != models.Waiting {
					row.AgentID = ptr[int64](1)
				}
				wantEqual(t, "list", who.v.ListOf(row), tt.want[i])
			})
		}
	}
}

func TestRolesMay(t *testing.T) {
	acts := []struct {
		name  string
		state models.SessionState
		may   func(v Viewer, s models.Session) bool
		want  []bool // in the order of theWholeOffice
	}{
		{"claim what waits", models.Waiting, func(v Viewer, s models.Session) bool { return v.MayClaim(s.State, s.GroupID) },
			[]bool{true, false, true, false, false, true, false, true, false}},
		{"claim what is held", models.Active, func(v Viewer, s models.Session) bool { return v.MayClaim(s.State, s.GroupID) },
			[]bool{false, false, false, false, false, false, false, false, false}},
		{"claim what is closed", models.Closed, func(v Viewer, s models.Session) bool { return v.MayClaim(s.State, s.GroupID) },
			[]bool{false, false, false, false, false, false, false, false, false}},
		{"reply where it waits", models.Waiting, Viewer.MayReply, []bool{false, false, false, false, false, false, false, false, false}},
		{"reply where it is held", models.Active, Viewer.MayReply, []bool{true, true, false, false, false, true, false, true, false}},
		{"reply where it is closed", models.Closed, Viewer.MayReply, []bool{false, false, false, false, false, false, false, false, false}},
		{"close what is held", models.Active, Viewer.MayClose, []bool{true, true, false, false, false, true, false, true, false}},
		{"close what waits", models.Waiting, Viewer.MayClose, []bool{false, false, false, false, false, false, false, false, false}},
	}
	for _, act := range acts {
		for i, who := range theWholeOffice {
			t.Run(fmt.Sprintf("roles · %s · %s", act.name, who.name), func(t *testing.T) {
				s := models.Session{State: act.state, GroupID: 1}
				if act.state != models.Waiting {
					s.AgentID = ptr[int64](1)
				}
				wantEqual(t, "may", act.may(who.v, s), act.want[i])
			})
		}
	}
}

func TestRolesOpenASession(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		closed := w.addGroup("私密", 200, false)
		other := w.addGroup("售后", 200, true)
		mei := w.hire("mei", models.RoleAgent, 5, w.group, closed)
		zhou := w.hire("zhou", models.RoleAgent, 5, w.group, closed)
		lin := w.hire("lin", models.RoleSupervisor, 5, w.group, closed)
		far := w.hire("far", models.RoleSupervisor, 5, other)
		root := w.hire("root", models.RoleAdmin, 5)
		open := func(a models.Agent, s models.Session) error {
			row, err := w.desk.Open(w.ctx, w.viewer(a), s.ID)
			if err == nil {
				wantEqual(t, "row", row.ID, s.ID)
			}
			return err
		}
		check := func(name string, s models.Session, may ...models.Agent) {
			w.run(t, "roles · "+name, func(t *testing.T) {
				for _, a := range []models.Agent{mei, zhou, lin, far, root} {
					allowed := false
					for _, m := range may {
						allowed = allowed || m.ID == a.ID
					}
					err := open(a, s)
					if allowed && err != nil {
						t.Errorf("%s may not open it: %v", a.Username, err)
					}
					if !allowed {
						wantRefusal(t, err, Forbidden, "refusal.not_visible")
					}
				}
			})
		}
		w.says("anna", "你好")
		check("waiting: the group, and admins", w.session("anna"), mei, zhou, lin, root)
		check("active: the group watches", w.served(mei, "bert", "你好"), mei, zhou, lin, root)
		w.exec("UPDATE sessions SET group_id = ? WHERE id = ?", closed.ID, w.session("bert").ID)
		check("active in a group that does not watch: holder and supervisor", w.session("bert"), mei, lin, root)
		w.end("bert", models.ClosedByAgent)
		check("closed: who served, supervisor", w.session("bert"), mei, lin, root)
		w.run(t, "roles · closed: also who served before somebody else", func(t *testing.T) {
			s := w.served(zhou, "cleo", "你好")
			w.end("cleo", models.ClosedByAgent)
			w.says("cleo", "还有一个问题")
			w.must(w.desk.Claim(w.ctx, w.viewer(mei), s.ID))
			w.end("cleo", models.ClosedByAgent)
			w.must(open(zhou, s))
			w.must(open(mei, s))
			wantRefusal(t, open(far, s), Forbidden, "refusal.not_visible")
		})
		w.run(t, "roles · nothing to open", func(t *testing.T) {
			if err := open(root, models.Session{ID: 1 << 40}); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestAClosedSessionDoesNotOpenTheRunningOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.addGroup("售后", 200, false) // colleagues may not watch
		he, zhou := w.hire("he", models.RoleAgent, 5, w.group), w.hire("zhou", models.RoleAgent, 5, other)
		lin := w.hire("lin", models.RoleSupervisor, 5, other)
		old := w.served(he, "anna", "第一次")
		w.end("anna", models.ClosedByAgent)
		w.advance(11 * time.Minute)
		w.must(w.store.RememberRoute(w.ctx, w.place("anna").ConversationID, other.ID, w.clock.Now().Add(time.Hour)))
		w.says("anna", "第二次")
		running := w.session("anna")
		w.must(w.desk.Claim(w.ctx, w.viewer(zhou), running.ID))
		texts := func(who models.Agent, id int64) (said string) {
			row, err := w.desk.Open(w.ctx, w.viewer(who), id)
			w.must(err)
			list, err := w.desk.Thread(w.ctx, w.viewer(who), row, 0, 100)
			w.must(err)
			for _, m := range list {
				if m.Direction == models.In {
					said += m.Text + " "
				}
			}
			return said
		}
		w.run(t, "Roles · who served the old one reads no further", func(t *testing.T) {
			_, err := w.desk.Open(w.ctx, w.viewer(he), running.ID)
			wantRefusal(t, err, Forbidden, "refusal.not_visible")
			wantEqual(t, "reads", texts(he, old.ID), "第一次 ")
		})
		w.run(t, "Roles · the holder reads the whole conversation", func(t *testing.T) {
			wantEqual(t, "reads", texts(zhou, running.ID), "第一次 第二次 ")
		})
		w.run(t, "Roles · the panel lists earlier sessions of own customers only", func(t *testing.T) {
			row, err := w.desk.Open(w.ctx, w.viewer(zhou), running.ID)
			w.must(err)
			list, err := w.desk.Earlier(w.ctx, w.viewer(zhou), row, 6)
			w.must(err)
			wantEqual(t, "for the holder", len(list), 1)
			list, err = w.desk.Earlier(w.ctx, w.viewer(lin), row, 6)
			w.must(err)
			wantEqual(t, "for the lead of the other group", len(list), 0)
		})
	})
}
