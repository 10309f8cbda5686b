package desk

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
	"kefu/models/modelstest"
)

// TestInvariantsOverRandomHistories plays random days at the desk and looks after every step whether the invariants of docs/rules.md §A
// hold. A failure names its seed, which is the number of the
// history, and its steps.
func TestInvariantsOverRandomHistories(t *testing.T) {
	for _, part := range []struct {
		name     string
		url      func(t testing.TB) string
		from, to uint64
	}{
		{"sqlite 1", memoryURL, 0, 400},
		{"sqlite 2", memoryURL, 1000, 1400},
		{"postgres", modelstest.PostgresURL, 2000, 2050},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, part.url(t))
			h := newCompany(w)
			for seed := part.from; seed < part.to; seed++ {
				if !h.play(seed) {
					t.Fatalf("seed %d after:\n%s", seed, h.steps)
				}
			}
		})
	}
}

// memoryURL is the address of a SQLite file that waits for no disk, where the system has such a place: there are many steps.
func memoryURL(t testing.TB) string {
	file := modelstest.SQLiteURL(t)
	dir, err := os.MkdirTemp("/dev/shm", "kefu-test-")
	if err != nil {
		return file
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "kefu.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// company is a world with two groups, five agents and eight customers, and what a history expects of it.
type company struct {
	*world
	groups []models.Group
	agents []models.Agent
	rand   *rand.Rand
	steps  string

	alive   map[int64]bool      // whose pages give signs of life
	open    map[string]bool     // customers who must have an open session
	before  map[int64]heldState // sessions before the step
	byLead  map[int64]bool      // sessions that were taken whatever the load
	byClaim int64               // the session that this step's claim took
}

// heldState is what the invariants ask of a session.
type heldState struct {
	id, group, agent int64
	customer, state  string
	arrival, last    time.Time
}

var customers = []string{"anna", "bert", "cleo", "dora", "emil", "fred", "gina", "hugo"}

func newCompany(w *world) *company {
	c := &company{world: w}
	c.groups = []models.Group{w.group, w.addGroup("售后", 3, true)}
	w.must(w.store.SetRoute(w.ctx, w.channel.ID, "after", c.groups[1].ID))
	first, second := c.groups[0], c.groups[1]
	c.agents = []models.Agent{
		w.hire("mei", models.RoleAgent, 1, first), w.hire("zhou", models.RoleAgent, 2, first, second), w.hire("he", models.RoleAgent, 2, second),
		w.hire("lin", models.RoleSupervisor, 1, first, second), w.hire("wu", models.RoleAgent, 3, first),
	}
	w.byHand(c.agents[4])
	return c
}

// begin clears the desk for another day.
func (c *company) begin(seed uint64) {
	c.rand, c.steps = rand.New(rand.NewPCG(seed, 1)), ""
	tx, err := c.raw.Begin()
	c.must(err)
	for _, statement := range []string{
		"DELETE FROM outbox", "DELETE FROM inbound_keys", "DELETE FROM grants", "DELETE FROM history", "DELETE FROM hops", "DELETE FROM messages",
		"DELETE FROM sessions", "DELETE FROM conversations", "DELETE FROM customers", "UPDATE agents SET presence = 'offline', last_assigned_at = NULL",
	} {
		_, err := tx.Exec(statement)
		c.must(err)
	}
	c.must(tx.Commit())
	c.alive, c.open, c.before, c.byLead = map[int64]bool{}, map[string]bool{}, map[int64]heldState{}, map[int64]bool{}
}

// play plays the history of the seed and reports whether all went well.
func (c *company) play(seed uint64) bool {
	c.begin(seed)
	for range 8 + c.rand.IntN(16) {
		c.byClaim = 0
		c.step()
		if !c.hold() {
			return false
		}
	}
	return true
}

func (c *company) note(format string, args ...any) { c.steps += fmt.Sprintf(format+"\n", args...) }

// step does one random thing.
func (c *company) step() {
	who, agent := customers[c.rand.IntN(len(customers))], c.agents[c.rand.IntN(len(c.agents))]
	switch n := c.rand.IntN(100); {
	case n < 34:
		c.write(who)
	case n < 40:
		c.note("%s clicks 售后", who)
		c.does(who, platform.MenuClick{Event: "CLICK", Key: "after"})
	case n < 43:
		c.note("%s unfollows", who)
		c.does(who, platform.Unfollow{})
		c.open[who] = false
	case n < 58:
		p := []models.Presence{models.Online, models.Online, models.Online, models.Busy, models.Break, models.Offline}[c.rand.IntN(6)]
		c.note("%s is %s", agent.Username, p)
		c.alive[agent.ID] = p != models.Offline
		c.presence(agent, p)
	case n < 70:
		c.claim(agent)
	case n < 85:
		c.finish(agent)
	default:
		c.pass(time.Duration(c.rand.IntN([]int{3, 13}[c.rand.IntN(2)]*60)+1) * time.Second)
	}
}

func (c *company) write(who string) {
	text := []string{"你好", "在吗", "谢谢", "还有一个问题"}[c.rand.IntN(4)]
	got := c.says(who, text)
	c.note("%s writes %s: %q", who, text, words(got))
	switch {
	case words(got) == notice("notice.queue_full", nil):
		c.open[who] = false
	case text == "谢谢" && !c.open[who] && c.sessions(who) > 0 && c.session(who).State == models.Closed: // filed
	default:
		c.open[who] = true
	}
}

func (c *company) claim(a models.Agent) {
	var waiting []heldState
	for _, id := range slices.Sorted(maps.Keys(c.before)) {
		if s := c.before[id]; s.state == "waiting" {
			waiting = append(waiting, s)
		}
	}
	if len(waiting) == 0 {
		return
	}
	s := waiting[c.rand.IntN(len(waiting))]
	err := c.desk.Claim(c.ctx, c.viewer(a), s.id)
	c.note("%s claims %d: %v", a.Username, s.id, err)
	if _, refused := errors.AsType[*Refusal](err); err != nil && !refused {
		c.must(err)
	}
	if err == nil {
		c.byClaim = s.id
		c.byLead[s.id] = a.Role == models.RoleSupervisor
	}
}

// finish closes one of the agent's sessions, or answers it.
func (c *company) finish(a models.Agent) {
	for _, id := range slices.Sorted(maps.Keys(c.before)) {
		s := c.before[id]
		if s.state != "active" || s.agent != a.ID {
			continue
		}
		if c.rand.IntN(3) == 0 {
			c.note("%s answers %d", a.Username, s.id)
			_, err := c.desk.Reply(c.ctx, c.viewer(a), Reply{SessionID: s.id, Text: "请稍等"})
			c.must(err)
			return
		}
		c.note("%s closes %d of %s", a.Username, s.id, s.customer)
		c.must(c.desk.Close(c.ctx, c.viewer(a), s.id))
		c.open[s.customer] = false
		return
	}
}

// pass lets time go by; pages that are open give their signs of life, and the sweep looks once.
func (c *company) pass(d time.Duration) {
	if c.rand.IntN(2) == 0 {
		a := c.agents[c.rand.IntN(len(c.agents))]
		c.alive[a.ID] = !c.alive[a.ID]
	}
	c.advance(d)
	var alive []int64
	for _, a := range c.agents {
		if c.alive[a.ID] {
			alive = append(alive, a.ID)
		}
	}
	c.note("%s pass, alive %v", d, alive)
	if len(alive) > 0 {
		c.must(c.desk.Seen(c.ctx, alive))
	}
	c.must(c.desk.Sweep(c.ctx))
}

// sessionsNow reads all sessions.
func (c *company) sessionsNow() map[int64]heldState {
	rows, err := c.raw.Query(`SELECT n.id, n.group_id, COALESCE(n.agent_id, 0), v.key, n.state, n.arrival_at, n.last_at
		FROM sessions n JOIN conversations v ON v.id = n.conversation_id`)
	c.must(err)
	defer rows.Close()
	now := map[int64]heldState{}
	for rows.Next() {
		var s heldState
		c.must(rows.Scan(&s.id, &s.group, &s.agent, &s.customer, &s.state, &s.arrival, &s.last))
		now[s.id] = s
	}
	c.must(rows.Err())
	return now
}

// mayTake is an agent as the invariants see them, judged here anew and not by the code under test.
type mayTake struct {
	id       int64
	capacity int
	ok       bool // but for load
	groups   map[int64]bool
}

func (c *company) agentsNow() []mayTake {
	rows, err := c.raw.Query("SELECT a.id, a.capacity, a.presence, a.auto_accept, a.seen_at, m.group_id FROM agents a JOIN group_members m ON m.agent_id = a.id ORDER BY a.id")
	c.must(err)
	defer rows.Close()
	var list []mayTake
	for rows.Next() {
		var id, group int64
		var capacity int
		var presence string
		var auto bool
		var seen sql.NullTime
		c.must(rows.Scan(&id, &capacity, &presence, &auto, &seen, &group))
		if len(list) == 0 || list[len(list)-1].id != id {
			fresh := seen.Valid && c.clock.Now().Sub(seen.Time) <= 45*time.Second
			list = append(list, mayTake{id: id, capacity: capacity, ok: presence == "online" && auto && fresh, groups: map[int64]bool{}})
		}
		list[len(list)-1].groups[group] = true
	}
	c.must(rows.Err())
	return list
}

// hold reports whether the invariants hold, and says which does not.
func (c *company) hold() bool {
	now, agents := c.sessionsNow(), c.agentsNow()
	bad := func(format string, args ...any) bool {
		c.t.Errorf(format, args...)
		return false
	}
	load := map[int64]float64{}
	openOf := map[string]int{}
	for _, s := range now {
		if (s.state == "active") != (s.agent != 0) && s.state != "closed" {
			return bad("session %d is %s and held by %d", s.id, s.state, s.agent)
		}
		if s.state != "closed" {
			openOf[s.customer]++
		}
		if s.state == "active" {
			weight := 1.0
			if c.clock.Now().Sub(s.last) > 10*time.Minute {
				weight = 0.25
			}
			load[s.agent] += weight
		}
	}
	for _, who := range customers {
		want := 0
		if c.open[who] {
			want = 1
		}
		if openOf[who] != want {
			return bad("%s has %d open sessions, want %d", who, openOf[who], want)
		}
	}
	earlier := func(a, b heldState) bool {
		return a.arrival.Before(b.arrival) || a.arrival.Equal(b.arrival) && a.id < b.id
	}
	for _, a := range agents {
		for _, s := range now {
			if s.state == "waiting" && a.ok && a.groups[s.group] && load[a.id]+1 <= float64(a.capacity) {
				return bad("session %d waits while agent %d has a free slot (load %g of %d)", s.id, a.id, load[a.id], a.capacity)
			}
			fresh := s.state == "active" && s.agent == a.id && (c.before[s.id].state != "active" || c.before[s.id].agent != a.id)
			if !fresh || c.byLead[s.id] {
				continue
			}
			if load[a.id] > float64(a.capacity) {
				return bad("session %d was given to agent %d above capacity (load %g of %d)", s.id, a.id, load[a.id], a.capacity)
			}
			if s.id == c.byClaim {
				continue
			}
			if !a.ok {
				return bad("session %d was given to agent %d, who gets nothing now", s.id, a.id)
			}
			for _, other := range now {
				if other.state == "waiting" && a.groups[other.group] && earlier(other, s) {
					return bad("agent %d was given session %d, but %d came earlier and still waits", a.id, s.id, other.id)
				}
			}
		}
	}
	for id := range c.byLead {
		if now[id].state == "closed" {
			delete(c.byLead, id)
		}
	}
	c.before = now
	return true
}
