package desk

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
	"kefu/models/modelstest"
)

// board is a loaded board on the world's database.
func (w *world) board() *Board {
	w.t.Helper()
	b := NewBoard(w.store, slog.New(slog.DiscardHandler), func([]Change) {})
	w.must(b.Load(w.ctx, "epoch"))
	return b
}

// customersOf names whose sessions the rows are, in their order.
func customersOf(rows []models.Row) []string {
	var names []string
	for _, r := range rows {
		names = append(names, r.ExternalID)
	}
	return names
}

// kindsOf are the kinds of the changes' events.
func kindsOf(changes []Change) []models.EventKind {
	var kinds []models.EventKind
	for _, c := range changes {
		kinds = append(kinds, c.Event.Kind)
	}
	return kinds
}

func TestBoardShowsWhatTheDeskDoes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mei := w.hire("mei", models.RoleAgent, 5, w.group)
		zhou := w.hire("zhou", models.RoleAgent, 5, w.group)
		far := w.hire("far", models.RoleAgent, 5)
		w.says("anna", "你好")
		b := w.board()
		vm, vz, vf := w.viewer(mei), w.viewer(zhou), w.viewer(far)
		follow := func() {
			t.Helper()
			w.must(b.follow(w.ctx))
			wantEqual(t, "newest", b.Newest(), w.cursor())
		}
		row := func(who string) models.Row {
			r, err := w.store.Row(w.ctx, w.session(who).ID)
			w.must(err)
			return r
		}
		w.run(t, "loaded", func(t *testing.T) {
			wantEqual(t, "epoch", b.Epoch(), "epoch")
			wantEqual(t, "newest", b.Newest(), w.cursor())
			wantEqual(t, "counts", b.Counts(vm), Counts{Queue: 1})
			wantEqual(t, "counts of somebody else", b.Counts(vf), Counts{})
		})
		w.run(t, "P-12.1 · new sessions, by arrival", func(t *testing.T) {
			w.advance(time.Second)
			w.says("cleo", "你好")
			w.says("bert", "你好")
			follow()
			wantList(t, "queue", customersOf(b.Rows(vm, ListQueue)), "anna", "cleo", "bert")
			wantEqual(t, "position of the first", b.Position(row("anna")), 1)
			wantEqual(t, "position of the last", b.Position(row("bert")), 3)
		})
		w.run(t, "P-12.1 · taken: mine, a colleague's, nobody else's", func(t *testing.T) {
			before := b.Newest()
			w.must(w.desk.Claim(w.ctx, vm, w.session("anna").ID))
			follow()
			wantEqual(t, "counts", b.Counts(vm), Counts{Mine: 1, Unread: 1, Queue: 2})
			wantEqual(t, "counts of a colleague", b.Counts(vz), Counts{Queue: 2, Team: 1})
			wantEqual(t, "counts of somebody else", b.Counts(vf), Counts{})
			wantEqual(t, "held", b.Held(mei.ID), 1)
			wantEqual(t, "position of the next", b.Position(row("cleo")), 1)
			wantEqual(t, "position of one that is served", b.Position(row("anna")), 0)
			changes, ok := b.Since(before)
			if !ok || len(changes) != 2 {
				t.Fatalf("changes %v, %v", changes, ok)
			}
			for _, c := range changes {
				wantEqual(t, "row as it is now", c.Row.State, models.Active)
			}
			wantEqual(t, "holder's name", *changes[1].Row.AgentName, "MEI")
		})
		w.run(t, "P-12.1 · answered and sent: no longer unread", func(t *testing.T) {
			stored, err := w.desk.Reply(w.ctx, vm, Reply{SessionID: w.session("anna").ID, Text: "您好"})
			w.must(err)
			w.outcome(stored[0], models.Sent)
			w.must(w.store.Emit(w.ctx, models.Event{Kind: models.EventMessage, SessionID: w.session("anna").ID, MessageID: stored[0].ID, At: w.clock.Now()}))
			follow()
			wantEqual(t, "counts", b.Counts(vm), Counts{Mine: 1, Queue: 2})
		})
		w.run(t, "P-12.1 · closed: gone from the lists, its change still shows it", func(t *testing.T) {
			before := b.Newest()
			w.must(w.desk.Close(w.ctx, vm, w.session("anna").ID))
			follow()
			wantEqual(t, "counts", b.Counts(vm), Counts{Queue: 2})
			wantEqual(t, "held", b.Held(mei.ID), 0)
			changes, _ := b.Since(before)
			wantEqual(t, "state in the change", changes[0].Row.State, models.Closed)
		})
		w.run(t, "P-12.1 · reopened: back in its place of now", func(t *testing.T) {
			w.advance(time.Second)
			w.says("anna", "还有一个问题")
			follow()
			wantList(t, "queue", customersOf(b.Rows(vm, ListQueue)), "cleo", "bert", "anna")
		})
		w.run(t, "P-2.8 · who is here", func(t *testing.T) {
			w.presence(zhou, models.Break)
			before := b.Newest()
			follow()
			a, ok := b.Agent(zhou.ID)
			wantEqual(t, "known", ok, true)
			wantEqual(t, "presence", a.Presence, models.Break)
			changes, _ := b.Since(before)
			if len(changes) != 1 || changes[0].Row != nil {
				t.Errorf("changes %+v", changes)
			}
			_, ok = b.Agent(1 << 40)
			wantEqual(t, "a stranger is known", ok, false)
		})
		w.run(t, "the state is that of a board loaded now", func(t *testing.T) {
			fresh := w.board()
			for _, v := range []Viewer{vm, vz, vf} {
				wantEqual(t, "counts", b.Counts(v), fresh.Counts(v))
				for _, l := range []List{ListMine, ListQueue, ListTeam} {
					wantList(t, "rows of "+string(l), customersOf(b.Rows(v, l)), customersOf(fresh.Rows(v, l))...)
				}
			}
		})
	})
}

func TestBoardSince(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := w.board()
		w.run(t, "an empty journal", func(t *testing.T) {
			changes, ok := b.Since(0)
			wantEqual(t, "changes", len(changes), 0)
			wantEqual(t, "known", ok, true)
		})
		w.says("anna", "你好")
		w.says("anna", "在吗")
		w.must(b.follow(w.ctx))
		newest := b.Newest()
		for _, tt := range []struct {
			name   string
			cursor int64
			want   int // changes; -1: load anew
		}{
			{"up to date", newest, 0},
			{"one behind", newest - 1, 1},
			{"from the beginning", 0, int(newest)},
			{"ahead of what there is", newest + 1, -1},
			{"nonsense", -1, -1},
		} {
			w.run(t, "P-12.1 · "+tt.name, func(t *testing.T) {
				changes, ok := b.Since(tt.cursor)
				wantEqual(t, "known", ok, tt.want >= 0)
				wantEqual(t, "changes", len(changes), max(0, tt.want))
				for i, c := range changes {
					wantEqual(t, "id", c.Event.ID, tt.cursor+int64(i)+1)
				}
			})
		}
		w.run(t, "P-12.1 · after a restart a page goes on from an old cursor", func(t *testing.T) {
			again := w.board()
			changes, ok := again.Since(1)
			wantEqual(t, "known", ok, true)
			old, _ := b.Since(1)
			wantList(t, "changes", kindsOf(changes), kindsOf(old)...)
		})
		w.run(t, "P-12.1 · unless what followed it was pruned", func(t *testing.T) {
			_, err := w.store.PruneEvents(w.ctx, w.clock.Now().Add(time.Hour), 2, 1000)
			w.must(err)
			again := w.board()
			_, ok := again.Since(newest - 3)
			wantEqual(t, "too old known", ok, false)
			changes, ok := again.Since(newest - 2)
			wantEqual(t, "old known", ok, true)
			wantEqual(t, "changes", len(changes), 2)
			wantEqual(t, "newest", again.Newest(), newest)
		})
	})
}

func TestBoardKeepsAFewThousandChanges(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := w.board()
		const many = boardKeeps + 700
		for n := 0; n < many; n += 100 {
			w.must(w.store.InTx(w.ctx, func(tx *models.Store) error {
				for range 100 {
					if err := tx.Emit(w.ctx, models.Event{Kind: models.EventPresence, At: noon}); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		newest := w.cursor()
		check := func(t *testing.T, b *Board) {
			wantEqual(t, "newest", b.Newest(), newest)
			changes, ok := b.Since(newest - boardKeeps)
			wantEqual(t, "the oldest kept is known", ok, true)
			wantEqual(t, "changes", len(changes), boardKeeps)
			_, ok = b.Since(newest - boardKeeps - 1)
			wantEqual(t, "one before is known", ok, false)
		}
		w.run(t, "followed", func(t *testing.T) {
			w.must(b.follow(w.ctx))
			check(t, b)
		})
		w.run(t, "loaded", func(t *testing.T) { check(t, w.board()) })
	})
}

// TestBoardFollowsByItself lets the commits of another process and the pokes of this one reach the board.
func TestBoardFollowsByItself(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		got := make(chan []Change, 100)
		b := NewBoard(w.store, slog.New(slog.DiscardHandler), func(c []Change) { got <- c })
		w.must(b.Load(w.ctx, "epoch"))
		defer w.store.OnEvents(b.Poke)()
		ctx, stop := context.WithCancel(w.ctx)
		ended := make(chan struct{})
		go func() { b.Run(ctx); close(ended) }()
		wait := func(what string) {
			t.Helper()
			deadline := time.After(20 * time.Second)
			for want := w.cursor(); b.Newest() < want; {
				select {
				case <-got:
				case <-deadline:
					t.Fatalf("%s: at event %d, want %d", what, b.Newest(), want)
				}
			}
		}
		w.says("anna", "你好")
		wait("own commit")
		if w.store.Dialect() == models.Postgres {
			other := w.process(modelstest.Open(t, w.url))
			_, err := other.Receive(w.ctx, w.channel, w.push("bert", platform.Text{Text: "你好"}))
			w.must(err)
			wait("commit of another process")
		}
		stop()
		<-ended
	})
}
