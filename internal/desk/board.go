package desk

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"kefu/models"
)

// Change is one event together with the session as it is now; pages render it for whoever may see it.
type Change struct {
	Event models.Event
	Row   *models.Row // nil for events without a session
}

// Board is the present state of all open sessions in memory, and the newest changes: what every open page asks for. One loop reads the
// journal of events, whoever wrote it; pages never read the database for a change.
type Board struct {
	store  *models.Store
	log    *slog.Logger
	notify func([]Change) // tells the streams that there is something new

	poke chan struct{}

	mu      sync.RWMutex
	epoch   string
	newest  int64 // id of the newest event that is in the state
	oldest  int64 // changes reach back to the event after this one
	open    map[int64]models.Row
	agents  map[int64]models.Agent
	changes []Change
}

// boardKeeps is how many changes a page may be behind before it must load everything anew.
const boardKeeps = 4096

// NewBoard makes an empty board; Load fills it. notify gets each batch of changes and must not block.
func NewBoard(store *models.Store, log *slog.Logger, notify func([]Change)) *Board {
	return &Board{store: store, log: log, notify: notify, poke: make(chan struct{}, 1), open: map[int64]models.Row{}, agents: map[int64]models.Agent{}}
}

// Poke says that events were written; it never blocks.
func (b *Board) Poke() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// Load reads the present state.
func (b *Board) Load(ctx context.Context, epoch string) error {
	oldest, newest, err := b.store.EventBounds(ctx)
	if err != nil {
		return err
	}
	rows, err := b.store.OpenRows(ctx)
	if err != nil {
		return err
	}
	agents, err := b.store.Agents(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.epoch, b.newest = epoch, max(0, oldest-1)
	if newest-b.newest > boardKeeps {
		b.newest = newest - boardKeeps
	}
	b.oldest = b.newest
	for _, r := range rows {
		b.open[r.ID] = r
	}
	for _, a := range agents {
		b.agents[a.ID] = a
	}
	b.mu.Unlock()
	return b.follow(ctx) // so that a page may go on where it was before a restart
}

// Run follows the journal until ctx ends.
func (b *Board) Run(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second) // other processes' commits poke nobody here
	defer tick.Stop()
	for {
		select {
		case <-b.poke:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := b.follow(ctx); err != nil && ctx.Err() == nil {
			b.log.ErrorContext(ctx, "following the journal failed", "err", err)
		}
	}
}

// follow reads new events and the sessions they touch.
func (b *Board) follow(ctx context.Context) error {
	for {
		events, err := b.store.EventsAfter(ctx, b.Newest(), 500)
		if err != nil || len(events) == 0 {
			return err
		}
		touched, people := map[int64]bool{}, false
		for _, e := range events {
			if e.SessionID != 0 {
				touched[e.SessionID] = true
			}
			people = people || e.Kind == models.EventPresence || e.Kind == models.EventAgent
		}
		var rows []models.Row
		if len(touched) > 0 {
			if rows, err = b.store.Rows(ctx, slices.Collect(maps.Keys(touched))); err != nil {
				return err
			}
		}
		var agents []models.Agent
		if people {
			if agents, err = b.store.Agents(ctx); err != nil {
				return err
			}
		}
		b.notify(b.apply(events, rows, agents))
	}
}

func (b *Board) apply(events []models.Event, rows []models.Row, agents []models.Agent) []Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range agents {
		b.agents[a.ID] = a
	}
	byID := make(map[int64]*models.Row, len(rows))
	for i, r := range rows {
		byID[r.ID] = &rows[i]
		if r.State == models.Closed {
			delete(b.open, r.ID)
		} else {
			b.open[r.ID] = r
		}
	}
	for _, e := range events {
		b.changes = append(b.changes, Change{Event: e, Row: byID[e.SessionID]})
		b.newest = e.ID
	}
	if over := len(b.changes) - boardKeeps; over > 0 {
		b.oldest = b.changes[over-1].Event.ID
		if over > boardKeeps/4 { // not at every batch: it copies all that stay
			b.changes = slices.Clone(b.changes[over:])
		}
	}
	return slices.Clone(b.changes[max(0, len(b.changes)-len(events)):])
}

// Epoch names the database; a cursor of another one is worth nothing.
func (b *Board) Epoch() string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.epoch
}

// Newest is the id of the newest event that the state contains.
func (b *Board) Newest() int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.newest
}

// Since lists the changes after the event, oldest first. It reports false when the page is too far behind, or ahead of what there is,
// and must load everything anew.
func (b *Board) Since(id int64) ([]Change, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if id < b.oldest || id > b.newest {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(b.changes, id+1, func(c Change, id int64) int { return int(c.Event.ID - id) })
	return slices.Clone(b.changes[i:]), true
}

// Counts are the numbers of a viewer's badges and tabs.
type Counts struct{ Mine, Unread, Queue, Team int }

// Counts counts the open sessions as the viewer sees them.
func (b *Board) Counts(v Viewer) Counts {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var c Counts
	for _, r := range b.open {
		switch v.ListOf(r) {
		case ListMine:
			c.Mine++
			if r.UnansweredSince != nil {
				c.Unread++
			}
		case ListQueue:
			c.Queue++
		case ListTeam:
			c.Team++
		}
	}
	return c
}

// Rows are the viewer's open sessions of one list, by arrival.
func (b *Board) Rows(v Viewer, list List) []models.Row {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var rows []models.Row
	for _, r := range b.open {
		if v.ListOf(r) == list {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, c models.Row) int {
		if d := a.ArrivalAt.Compare(c.ArrivalAt); d != 0 {
			return d
		}
		return int(a.ID - c.ID)
	})
	return rows
}

// Position is the place of a waiting session in its group's order, 1 for the next; 0 when it does not wait.
func (b *Board) Position(r models.Row) int {
	if r.State != models.Waiting {
		return 0
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	position := 1
	for _, o := range b.open {
		if o.State == models.Waiting && o.GroupID == r.GroupID && (o.ArrivalAt.Before(r.ArrivalAt) || o.ArrivalAt.Equal(r.ArrivalAt) && o.ID < r.ID) {
			position++
		}
	}
	return position
}

// Agent is the person with the id, as of the newest event; false when unknown.
func (b *Board) Agent(id int64) (models.Agent, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	a, ok := b.agents[id]
	return a, ok
}

// Held counts the open sessions that the agent holds.
func (b *Board) Held(agentID int64) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	n := 0
	for _, r := range b.open {
		if r.State == models.Active && r.AgentID != nil && *r.AgentID == agentID {
			n++
		}
	}
	return n
}
