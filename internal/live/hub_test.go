package live

import (
	"slices"
	"sync"
	"testing"
)

func poked(s *Stream) bool {
	select {
	case <-s.Poked():
		return true
	default:
		return false
	}
}

func ended(s *Stream) bool {
	select {
	case <-s.Ended():
		return true
	default:
		return false
	}
}

func TestPokesAreOneHintHoweverMany(t *testing.T) {
	h := NewHub()
	a, b := h.Open(1, 10), h.Open(2, 20)
	for range 3 {
		h.Notify()
	}
	if !poked(a) || !poked(b) || poked(a) {
		t.Error("each stream is poked exactly once until it has looked")
	}
	a.Close()
	h.Notify()
	if poked(a) || !poked(b) {
		t.Error("a closed stream is not poked, the other is")
	}
}

func TestEndedLogInEndsItsStreamsOnly(t *testing.T) {
	h := NewHub()
	gone, stays, other := h.Open(1, 10), h.Open(2, 10), h.Open(3, 20)
	h.End(10, func(login int64) bool { return login == 2 })
	if !ended(gone) || ended(stays) || ended(other) {
		t.Errorf("ended: %v %v %v, want only the first", ended(gone), ended(stays), ended(other))
	}
	agents := h.Agents()
	slices.Sort(agents)
	if !slices.Equal(agents, []int64{10, 20}) || h.Count() != 2 {
		t.Errorf("agents %v, %d streams", agents, h.Count())
	}
	gone.Close() // its handler does so too
}

func TestShutdownEndsEveryStreamNowAndLater(t *testing.T) {
	h := NewHub()
	var streams []*Stream
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range 50 {
		wg.Go(func() {
			s := h.Open(int64(i), int64(i))
			mu.Lock()
			streams = append(streams, s)
			mu.Unlock()
			h.Notify()
		})
		if i == 25 {
			wg.Go(h.Shutdown)
		}
	}
	wg.Wait()
	for _, s := range append(streams, h.Open(99, 99)) {
		if !ended(s) {
			t.Fatal("a stream outlived the hub")
		}
	}
}

func TestEndAndCloseMayMeet(t *testing.T) {
	h := NewHub()
	var wg sync.WaitGroup
	for range 100 {
		s := h.Open(1, 10)
		wg.Go(func() { h.End(10, func(int64) bool { return false }) })
		wg.Go(s.Close)
		wg.Go(h.Notify)
	}
	wg.Go(h.Shutdown)
	wg.Wait()
	if h.Count() != 0 || len(h.Agents()) != 0 {
		t.Errorf("%d streams of %v are left", h.Count(), h.Agents())
	}
	h.Shutdown() // twice is once
	h.Notify()
}

func TestEndAsksWithoutHoldingUpTheOthers(t *testing.T) {
	h := NewHub()
	s, other := h.Open(1, 10), h.Open(2, 20)
	h.End(10, func(int64) bool {
		h.Notify() // a slow database must not keep anybody from being told
		return true
	})
	if ended(s) || !poked(other) || h.Count() != 2 {
		t.Error("want both streams open and poked")
	}
}
