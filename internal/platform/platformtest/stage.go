package platformtest

import (
	"errors"
	"net/http"
	"sync"
	"testing"

	"kefu/internal/platform"
)

// stage is one case in play. As a handler it is the desk's callback: it parses each push, keeps it, and answers what it was told to.
type stage struct {
	*testing.T
	rules    Rules
	adapter  Adapter
	platform Platform

	mu     sync.Mutex
	answer platform.Answer // nil for platform.Nothing
	pushes []platform.Inbound
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet { // the check of our address, when the platform makes one
		answer, err := s.adapter.Verify(r)
		echo, ok := answer.(platform.Echo)
		if err != nil || !ok {
			s.Errorf("address check: answer %v, error %v", answer, err)
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(echo.Text)) // a platform that did not wait sees to it itself
		return
	}
	in, reply, err := s.adapter.Parse(r)
	if err != nil {
		s.Errorf("a push was refused: %v", err)
		http.Error(w, "refused", http.StatusForbidden)
		return
	}
	s.mu.Lock()
	s.pushes = append(s.pushes, in)
	answer := s.answer
	s.mu.Unlock()
	if answer == nil {
		answer = platform.Nothing{}
	}
	if err := reply(w, answer); err != nil {
		s.Errorf("answer %#v: %v", answer, err)
	}
}

// says lets the customer type a text and returns what the adapter made of the push, and what the platform was answered.
func (s *stage) says(text string) (platform.Inbound, string) {
	s.Helper()
	before := s.count()
	body, err := s.platform.Act(s.Context(), "text", map[string]any{"text": text})
	if err != nil {
		s.Fatalf("customer says %q: %v", text, err)
	}
	return s.last(before), body
}

func (s *stage) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pushes)
}

// last is the one push since before.
func (s *stage) last(before int) platform.Inbound {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pushes) != before+1 {
		s.Fatalf("%d pushes arrived, want 1", len(s.pushes)-before)
	}
	return s.pushes[before]
}

func (s *stage) answers(a platform.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = a
}

func (s *stage) send(text string, as platform.Face) error {
	_, err := s.adapter.Send(s.Context(), s.platform.Customer(), platform.OutText{Text: text}, as, "")
	return err
}

// mustSend sends in the channel's own name.
func (s *stage) mustSend(text string) {
	s.Helper()
	if err := s.send(text, platform.Face{}); err != nil {
		s.Fatalf("send %q: %v", text, err)
	}
}

func (s *stage) fault(f Fault) {
	s.Helper()
	if err := s.platform.Fault(s.Context(), f); err != nil {
		s.Fatalf("set fault: %v", err)
	}
}

// calls is how often the sending call was made.
func (s *stage) calls() int {
	s.Helper()
	n, err := s.platform.Calls(s.Context(), s.rules.SendPath)
	if err != nil {
		s.Fatalf("count calls: %v", err)
	}
	return n
}

// received checks the texts that the customer got, in order.
func (s *stage) received(want ...Got) {
	s.Helper()
	got, err := s.platform.Received(s.Context())
	if err != nil {
		s.Fatalf("read what was received: %v", err)
	}
	if len(got) != len(want) {
		s.Fatalf("customer received %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			s.Errorf("message %d: customer received %+v, want %+v", i+1, got[i], want[i])
		}
	}
}

// refused checks class and code of a failed send. A code of zero means that there was no answer.
func (s *stage) refused(err error, class platform.Class, code int) {
	s.Helper()
	e, ok := errors.AsType[*platform.Error](err)
	if !ok {
		s.Fatalf("send gave %v, want class %s", err, class)
	}
	if e.Class != class || e.Code != code {
		s.Errorf("send gave class %s, code %d (%s); want class %s, code %d", e.Class, e.Code, e.Text, class, code)
	}
}
