package desk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/internal/texts"
	"kefu/models"
)

func TestAddAgent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		good := NewAgent{Username: "zhou", Name: "周", Password: "correct horse", Role: models.RoleAgent}
		tests := []struct {
			name   string
			change func(n *NewAgent)
			kind   Kind
			key    texts.Key
		}{
			{"no user name", func(n *NewAgent) { n.Username = "" }, Invalid, "refusal.username"},
			{"a user name with a space", func(n *NewAgent) { n.Username = "z hou" }, Invalid, "refusal.username"},
			{"a user name of other letters", func(n *NewAgent) { n.Username = "周" }, Invalid, "refusal.username"},
			{"a user name that begins with a dot", func(n *NewAgent) { n.Username = ".zhou" }, Invalid, "refusal.username"},
			{"a user name of 33 letters", func(n *NewAgent) { n.Username = strings.Repeat("z", 33) }, Invalid, "refusal.username"},
			{"a name of 65 characters", func(n *NewAgent) { n.Name = strings.Repeat("周", 65) }, Invalid, "refusal.name"},
			{"no role", func(n *NewAgent) { n.Role = "" }, Invalid, "refusal.role"},
			{"an unknown role", func(n *NewAgent) { n.Role = "owner" }, Invalid, "refusal.role"},
			{"a short password", func(n *NewAgent) { n.Password = "1234567" }, Invalid, "refusal.password_short"},
			{"an endless password", func(n *NewAgent) { n.Password = strings.Repeat("x", 257) }, Invalid, "refusal.password_long"},
		}
		for _, tt := range tests {
			w.run(t, "refused · "+tt.name, func(t *testing.T) {
				n := good
				tt.change(&n)
				_, err := w.desk.AddAgent(w.ctx, n)
				r := wantRefusal(t, err, tt.kind, tt.key)
				if r.Error() == "" {
					t.Error("the refusal has no sentence")
				}
			})
		}
		w.run(t, "stored with defaults, offline", func(t *testing.T) {
			n := good
			n.Username, n.Name = " Zhou ", ""
			a, err := w.desk.AddAgent(w.ctx, n)
			w.must(err)
			got := w.agent(a.ID)
			wantEqual(t, "agent", fmt.Sprint(got.Username, " ", got.Name, " ", got.Role, " ", got.Capacity, " ", got.AutoAccept, " ", got.Presence),
				"zhou zhou agent 5 true offline")
			if !strings.HasPrefix(got.PasswordHash, "argon2id$") || strings.Contains(got.PasswordHash, "horse") {
				t.Errorf("password kept as %q", got.PasswordHash)
			}
		})
		w.run(t, "refused · a user name that is taken, in any case of letters", func(t *testing.T) {
			n := good
			n.Username = "ZHOU"
			_, err := w.desk.AddAgent(w.ctx, n)
			r := wantRefusal(t, err, Conflict, "refusal.username_taken")
			wantEqual(t, "name", r.Args["name"], any("zhou"))
		})
	})
}

func TestLogin(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		zhou, err := w.desk.AddAgent(w.ctx, NewAgent{Username: "zhou", Password: "correct horse", Role: models.RoleAgent})
		w.must(err)
		he, err := w.desk.AddAgent(w.ctx, NewAgent{Username: "he", Password: "battery staple", Role: models.RoleAgent})
		w.must(err)
		w.exec("UPDATE agents SET disabled_at = ? WHERE id = ?", noon, he.ID)
		w.hire("none", models.RoleAgent, 5) // whose stored password opens nothing
		w.run(t, "P-12.6 · the right password", func(t *testing.T) {
			a, err := w.desk.Login(w.ctx, " Zhou ", "correct horse")
			w.must(err)
			wantEqual(t, "agent", a.ID, zhou.ID)
		})
		var sentences []string
		for _, tt := range []struct{ name, username, password string }{
			{"a wrong password", "zhou", "correct hors"},
			{"no password", "zhou", ""},
			{"an endless password", "zhou", strings.Repeat("x", 1<<20)},
			{"an unknown user name", "lin", "correct horse"},
			{"no user name", "", "correct horse"},
			{"somebody disabled, with the right password", "he", "battery staple"},
			{"a stored password that cannot be read", "none", "none"},
		} {
			w.run(t, "P-12.6 · refused alike: "+tt.name, func(t *testing.T) {
				a, err := w.desk.Login(w.ctx, tt.username, tt.password)
				sentences = append(sentences, wantRefusal(t, err, Forbidden, "refusal.login").Error())
				wantEqual(t, "agent", a.ID, 0)
			})
		}
		for _, s := range sentences {
			wantEqual(t, "sentence", s, sentences[0])
		}
	})
}

// login stores a log-in of the agent.
func (w *world) login(a models.Agent, token string, life time.Duration) models.Login {
	w.t.Helper()
	l := models.Login{TokenHash: token, AgentID: a.ID, IP: "::1", UserAgent: "test", CreatedAt: w.clock.Now(), SeenAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(life)}
	w.must(w.store.CreateLogin(w.ctx, &l))
	return l
}

// live reports which of the tokens still let somebody in.
func (w *world) live(tokens ...string) []bool {
	w.t.Helper()
	var live []bool
	for _, token := range tokens {
		_, _, err := w.store.LiveLogin(w.ctx, token, w.clock.Now())
		live = append(live, err == nil)
	}
	return live
}

func TestPasswordChangeEndsOtherLogins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		zhou, err := w.desk.AddAgent(w.ctx, NewAgent{Username: "zhou", Password: "correct horse", Role: models.RoleAgent})
		w.must(err)
		lin := w.hire("lin", models.RoleAgent, 5)
		here := w.login(zhou, "here", time.Hour)
		w.login(zhou, "phone", time.Hour)
		w.login(lin, "lin", time.Hour)
		before := w.cursor()
		w.run(t, "P-12.6 · refused without the present one", func(t *testing.T) {
			wantRefusal(t, w.desk.ChangePassword(w.ctx, zhou, "wrong", "battery staple", here.ID), Invalid, "refusal.present_password")
			wantRefusal(t, w.desk.ChangePassword(w.ctx, zhou, strings.Repeat("x", 1<<20), "battery staple", here.ID), Invalid, "refusal.present_password")
			wantRefusal(t, w.desk.ChangePassword(w.ctx, zhou, "correct horse", "short", here.ID), Invalid, "refusal.password_short")
			wantList(t, "live", w.live("here", "phone", "lin"), true, true, true)
		})
		w.run(t, "P-12.6 · all log-ins end but the one at hand", func(t *testing.T) {
			w.must(w.desk.ChangePassword(w.ctx, zhou, "correct horse", "battery staple", here.ID))
			wantList(t, "live", w.live("here", "phone", "lin"), true, false, true)
			wantList(t, "events", w.told(before), models.EventLogin)
			_, err := w.desk.Login(w.ctx, "zhou", "correct horse")
			wantRefusal(t, err, Forbidden, "refusal.login")
			_, err = w.desk.Login(w.ctx, "zhou", "battery staple")
			w.must(err)
		})
		w.run(t, "P-12.6 · an admin's change keeps none", func(t *testing.T) {
			w.must(w.desk.SetPassword(w.ctx, zhou.ID, "third password", 0))
			wantList(t, "live", w.live("here", "phone", "lin"), false, false, true)
		})
	})
}

func TestEndLogins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		zhou, lin := w.hire("zhou", models.RoleAgent, 5), w.hire("lin", models.RoleAgent, 5)
		one := w.login(zhou, "one", time.Hour)
		two := w.login(zhou, "two", time.Hour)
		w.login(zhou, "three", time.Hour)
		w.login(lin, "lin", time.Hour)
		before := w.cursor()
		w.run(t, "one", func(t *testing.T) {
			w.must(w.desk.EndLogins(w.ctx, zhou.ID, one.ID, 0))
			wantList(t, "live", w.live("one", "two", "three", "lin"), false, true, true, true)
		})
		w.run(t, "somebody else's cannot be ended", func(t *testing.T) {
			w.must(w.desk.EndLogins(w.ctx, lin.ID, two.ID, 0))
			wantList(t, "live", w.live("one", "two", "three", "lin"), false, true, true, true)
		})
		w.run(t, "all but one", func(t *testing.T) {
			w.must(w.desk.EndLogins(w.ctx, zhou.ID, 0, two.ID))
			wantList(t, "live", w.live("one", "two", "three", "lin"), false, true, false, true)
		})
		w.run(t, "each end is told", func(t *testing.T) {
			wantList(t, "events", w.told(before), models.EventLogin, models.EventLogin)
		})
		w.run(t, "P-13 · a log-in ends by itself", func(t *testing.T) {
			w.advance(time.Hour)
			wantList(t, "live", w.live("two", "lin"), false, false)
		})
		w.run(t, "nobody disabled is let in", func(t *testing.T) {
			w.login(zhou, "four", time.Hour)
			w.exec("UPDATE agents SET disabled_at = ?", w.clock.Now())
			wantList(t, "live", w.live("four"), false)
		})
	})
}

func TestArrivedAndLeft(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		w.says("anna", "你好")
		w.run(t, "P-2.8 · a log-in begins the day", func(t *testing.T) {
			w.must(w.desk.Arrived(w.ctx, mei))
			wantEqual(t, "presence", w.agent(mei.ID).Presence, models.Online)
			wantEqual(t, "holder", holder(w.session("anna")), mei.ID)
		})
		w.run(t, "P-2.8 · but ends no break", func(t *testing.T) {
			w.presence(mei, models.Break)
			w.advance(time.Minute)
			w.must(w.desk.Arrived(w.ctx, w.agent(mei.ID)))
			a := w.agent(mei.ID)
			wantEqual(t, "presence", a.Presence, models.Break)
			wantEqual(t, "seen", *a.SeenAt, w.clock.Now())
		})
		w.run(t, "P-2.8 · the end of the last log-in ends it", func(t *testing.T) {
			w.login(mei, "phone", time.Hour)
			w.must(w.desk.Left(w.ctx, mei.ID))
			wantEqual(t, "presence with one left", w.agent(mei.ID).Presence, models.Break)
			w.advance(time.Hour)
			w.must(w.desk.Left(w.ctx, mei.ID))
			wantEqual(t, "presence", w.agent(mei.ID).Presence, models.Offline)
		})
	})
}

func TestPreferences(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5)
		w.must(w.desk.SetPreferences(w.ctx, mei.ID, "en", "dark", "compact"))
		a := w.agent(mei.ID)
		wantEqual(t, "preferences", a.Language+" "+a.Theme+" "+a.Density, "en dark compact")
		w.must(w.desk.SetPreferences(w.ctx, mei.ID, "", "", ""))
		a = w.agent(mei.ID)
		wantEqual(t, "preferences", a.Language+a.Theme+a.Density, "")
		for _, bad := range [][3]string{{"de", "", ""}, {"", "pink", ""}, {"", "", "huge"}} {
			wantRefusal(t, w.desk.SetPreferences(w.ctx, mei.ID, bad[0], bad[1], bad[2]), Invalid, "refusal.preference")
		}
	})
}

func TestRandomPassword(t *testing.T) {
	one, other := RandomPassword(), RandomPassword()
	if one == other || len(one) != 23 || passwordFits(one) != nil {
		t.Errorf("got %q and %q", one, other)
	}
}

func TestP28SilentAgentsGoOffline(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei, zhou := w.online("mei", 5), w.online("zhou", 5)
		presences := func() []models.Presence {
			return []models.Presence{w.agent(mei.ID).Presence, w.agent(zhou.ID).Presence}
		}
		at := func(name string, d time.Duration, want ...models.Presence) {
			w.run(t, name, func(t *testing.T) {
				w.advance(noon.Add(d).Sub(w.clock.Now()))
				w.must(w.desk.Sweep(w.ctx))
				wantList(t, "presences", presences(), want...)
			})
		}
		at("P-2.8 · nobody counts as silent right after a start", 4*time.Minute, models.Online, models.Online)
		w.must(w.desk.Seen(w.ctx, []int64{mei.ID}))
		before := w.cursor()
		at("P-2.8 · after 60 s of grace and 3 min of silence: offline", 4*time.Minute+time.Millisecond, models.Online, models.Offline)
		w.run(t, "P-2.8 · told once", func(t *testing.T) {
			w.must(w.desk.Sweep(w.ctx))
			events, err := w.store.EventsAfter(w.ctx, before, 10)
			w.must(err)
			if len(events) != 1 || events[0].Kind != models.EventPresence || events[0].AgentID != zhou.ID {
				t.Errorf("told %+v", events)
			}
		})
		at("P-2.8 · seen 3 min ago is not silent yet", 7*time.Minute, models.Online, models.Offline)
		at("P-2.8 · a moment later it is", 7*time.Minute+time.Millisecond, models.Offline, models.Offline)
		w.run(t, "P-2.8 · stale before that: nothing new", func(t *testing.T) {
			w.presence(mei, models.Online)
			w.advance(45*time.Second + time.Millisecond)
			w.says("anna", "你好")
			wantEqual(t, "state", w.session("anna").State, models.Waiting)
			w.must(w.desk.Seen(w.ctx, []int64{mei.ID}))
			w.must(w.desk.Sweep(w.ctx))
			wantEqual(t, "holder", holder(w.session("anna")), mei.ID)
		})
	})
}

func TestSweepForgetsOldKeysAndEvents(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.push("anna", platform.Scan{Scene: "x"})
		w.receive(in)
		w.advance(30 * 24 * time.Hour)
		w.must(w.desk.Sweep(w.ctx))
		w.run(t, "P-13 · marks of pushes are kept 30 days", func(t *testing.T) {
			wantEqual(t, "marks", w.stored()["inbound_keys"], 1)
			w.advance(time.Millisecond)
			w.must(w.desk.Sweep(w.ctx))
			wantEqual(t, "marks", w.stored()["inbound_keys"], 0)
		})
		w.run(t, "the newest 100,000 events stay, however old", func(t *testing.T) {
			w.says("anna", "你好")
			n := w.stored()["events"]
			w.advance(30 * 24 * time.Hour)
			w.must(w.desk.Sweep(w.ctx))
			wantEqual(t, "events", w.stored()["events"], n)
		})
	})
}
