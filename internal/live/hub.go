// Package live knows which open pages must be told that something changed. It carries hints only, no content: a stream that is poked
// asks the desk's board for what is new. It knows no HTTP and no HTML.
package live

import "sync"

// Hub holds the open streams of this process.
type Hub struct {
	mu     sync.Mutex
	subs   map[*Stream]struct{}
	closed bool
}

// Stream is one open page's line.
type Stream struct {
	Login int64 // the log-in it belongs to
	Agent int64

	poke chan struct{}
	done chan struct{} // closed by the hub alone
	hub  *Hub
}

// NewHub makes an empty hub.
func NewHub() *Hub { return &Hub{subs: map[*Stream]struct{}{}} }

// Open registers a stream; the caller closes it. On a hub that was shut down the stream is ended from the start.
func (h *Hub) Open(login, agent int64) *Stream {
	s := &Stream{Login: login, Agent: agent, poke: make(chan struct{}, 1), done: make(chan struct{}), hub: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(s.done)
		return s
	}
	h.subs[s] = struct{}{}
	return s
}

// Poked receives after something changed; several changes may be one poke.
func (s *Stream) Poked() <-chan struct{} { return s.poke }

// Ended is closed when the stream must end: the log-in ended, or the server stops.
func (s *Stream) Ended() <-chan struct{} { return s.done }

// Close takes the stream off the hub.
func (s *Stream) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	delete(s.hub.subs, s)
}

// Notify pokes all streams. It never blocks: a stream that has not looked yet looks once for both.
func (h *Hub) Notify() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		select {
		case s.poke <- struct{}{}:
		default:
		}
	}
}

// End ends the streams of an agent whose log-in is not alive any more, as the function says of each log-in.
func (h *Hub) End(agent int64, alive func(login int64) bool) {
	h.mu.Lock()
	var theirs []*Stream
	for s := range h.subs {
		if s.Agent == agent {
			theirs = append(theirs, s)
		}
	}
	h.mu.Unlock()
	for _, s := range theirs { // asked without the lock: it may look into the database
		if alive(s.Login) {
			continue
		}
		h.mu.Lock()
		if _, open := h.subs[s]; open {
			delete(h.subs, s)
			close(s.done)
		}
		h.mu.Unlock()
	}
}

// Agents lists the agents who have a page open.
func (h *Hub) Agents() []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[int64]bool{}
	var ids []int64
	for s := range h.subs {
		if !seen[s.Agent] {
			seen[s.Agent] = true
			ids = append(ids, s.Agent)
		}
	}
	return ids
}

// Count is the number of open streams.
func (h *Hub) Count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

// Shutdown ends all streams and every later one; the web server waits for them otherwise.
func (h *Hub) Shutdown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		delete(h.subs, s)
		close(s.done)
	}
}
