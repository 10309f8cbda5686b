package models_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"kefu/models"
	"kefu/models/modelstest"
)

func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		bounds := func() [2]int64 {
			oldest, newest, err := o.s.EventBounds(ctx)
			must(t, err)
			return [2]int64{oldest, newest}
		}
		emit := func(tx *models.Store, agent int64, at time.Time) {
			must(t, tx.Emit(ctx, models.Event{Kind: models.EventPresence, AgentID: agent, At: at}))
		}
		t.Run("none", func(t *testing.T) { equal(t, "bounds", bounds(), [2]int64{0, 0}) })
		called := 0
		stop := o.s.OnEvents(func() { called++ })
		t.Run("written and told with their transaction", func(t *testing.T) {
			must(t, o.s.InTx(ctx, func(tx *models.Store) error {
				emit(tx, 1, noon)
				emit(tx, 2, noon)
				equal(t, "told inside", called, 0)
				return nil
			}))
			equal(t, "told", called, 1)
			events, err := o.s.EventsAfter(ctx, 0, 10)
			must(t, err)
			equal(t, "events", len(events), 2)
			equal(t, "first", events[0].AgentID, 1)
			equal(t, "second", events[1].AgentID, 2)
		})
		t.Run("or not at all", func(t *testing.T) {
			was, no := bounds(), errors.New("no")
			err := o.s.InTx(ctx, func(tx *models.Store) error {
				emit(tx, 3, noon)
				return no
			})
			if !errors.Is(err, no) {
				t.Errorf("got %v", err)
			}
			equal(t, "bounds", bounds(), was)
			equal(t, "told", called, 1)
		})
		t.Run("alone in a transaction of its own", func(t *testing.T) {
			emit(o.s, 4, noon)
			equal(t, "told", called, 2)
			stop()
			emit(o.s, 5, noon)
			equal(t, "told after the end", called, 2)
		})
		t.Run("a page of them", func(t *testing.T) {
			all, err := o.s.EventsAfter(ctx, 0, 10)
			must(t, err)
			page, err := o.s.EventsAfter(ctx, all[0].ID, 2)
			must(t, err)
			equal(t, "length", len(page), 2)
			equal(t, "first", page[0].ID, all[1].ID)
			none, err := o.s.EventsAfter(ctx, all[len(all)-1].ID, 2)
			must(t, err)
			equal(t, "after the newest", len(none), 0)
		})
	})
}

func TestPruneEvents(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for i := range 10 {
			must(t, o.s.Emit(ctx, models.Event{Kind: models.EventPresence, At: noon.Add(time.Duration(i) * time.Hour)}))
		}
		_, newest, err := o.s.EventBounds(ctx)
		must(t, err)
		prune := func(before time.Time, keep int64, n int) int64 {
			gone, err := o.s.PruneEvents(ctx, before, keep, n)
			must(t, err)
			return gone
		}
		left := func() int {
			events, err := o.s.EventsAfter(ctx, 0, 100)
			must(t, err)
			return len(events)
		}
		equal(t, "none is old enough", prune(noon, 1, 100), 0)
		equal(t, "all are among the newest", prune(noon.Add(100*time.Hour), 10, 100), 0)
		equal(t, "a few at once", prune(noon.Add(100*time.Hour), 5, 2), 2)
		equal(t, "older than a moment", prune(noon.Add(4*time.Hour), 1, 100), 2)
		equal(t, "all but the newest", prune(noon.Add(100*time.Hour), 0, 100), 5)
		equal(t, "left", left(), 1)
		oldest, last, err := o.s.EventBounds(ctx)
		must(t, err)
		equal(t, "the newest stays", [2]int64{oldest, last}, [2]int64{newest, newest})
		must(t, o.s.Emit(ctx, models.Event{Kind: models.EventPresence, At: noon}))
		_, last, err = o.s.EventBounds(ctx)
		must(t, err)
		if last <= newest {
			t.Errorf("id %d was given again", last)
		}
	})
}

// TestAReaderMissesNoEvent follows the journal while two processes write it: ids rise in the order of commits.
func TestAReaderMissesNoEvent(t *testing.T) {
	s := modelstest.Postgres(t)
	stores := []*models.Store{s, modelstest.Open(t, s.Address())}
	const writers, each = 8, 25
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			for i := range each {
				err := stores[n%2].InTx(ctx, func(tx *models.Store) error {
					if err := tx.Emit(ctx, models.Event{Kind: models.EventPresence, AgentID: int64(n*each + i + 1), At: noon}); err != nil {
						return err
					}
					return tx.SetSetting(ctx, fmt.Sprint("writer ", n), fmt.Sprint(i))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	seen := map[int64]bool{}
	for cursor, done := int64(0), false; ; {
		events, err := s.EventsAfter(ctx, cursor, 7)
		must(t, err)
		for _, e := range events {
			if seen[e.AgentID] {
				t.Fatalf("event of %d twice", e.AgentID)
			}
			seen[e.AgentID], cursor = true, e.ID
		}
		if len(events) == 0 {
			if done {
				break
			}
			select {
			case <-ended:
				done = true
			default:
			}
		}
	}
	equal(t, "events seen", len(seen), writers*each)
}

func TestPruneInbound(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for i := range 5 {
			must(t, o.s.MarkInbound(ctx, models.InboundKey{ChannelID: o.channel.ID, Key: fmt.Sprint(i), Answer: "您好", At: noon.Add(time.Duration(i) * time.Hour)}))
		}
		gone, err := o.s.PruneInbound(ctx, noon.Add(3*time.Hour), 2)
		must(t, err)
		equal(t, "gone at first", gone, 2)
		gone, err = o.s.PruneInbound(ctx, noon.Add(3*time.Hour), 2)
		must(t, err)
		equal(t, "gone then", gone, 1)
		_, err = o.s.InboundKey(ctx, o.channel.ID, "2")
		if !errors.Is(err, models.ErrNotFound) {
			t.Errorf("an old key is still known: %v", err)
		}
		k, err := o.s.InboundKey(ctx, o.channel.ID, "3")
		must(t, err)
		equal(t, "answer", k.Answer, "您好")
		equal(t, "at", k.At, noon.Add(3*time.Hour))
	})
}

func TestSettings(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for _, want := range []string{"", "one", "two"} {
			if want != "" {
				must(t, o.s.SetSetting(ctx, "key", want))
			}
			got, err := o.s.Setting(ctx, "key")
			must(t, err)
			equal(t, "setting", got, want)
		}
	})
}
