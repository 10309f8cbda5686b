package sim

import (
	"errors"
	"slices"
	"strings"
)

// Fault is a planned misfortune for calls of the server (Match is a path, or its beginning with a closing * or /) or for pushes to it
// (Match is "callback").
type Fault struct {
	ID    int64  `json:"id"`
	Name  string `json:"name,omitempty"` // free; the phone page finds its own by it
	Match string `json:"match"`
	Times int    `json:"times"` // calls it still strikes; 0 given means 1, -1 until it is taken away

	Errcode *int     `json:"errcode,omitempty"` // API: answered instead of acting
	Errmsg  string   `json:"errmsg,omitempty"`
	Status  int      `json:"status,omitempty"` // API: HTTP status answered instead of acting, with Body
	Body    string   `json:"body,omitempty"`   // API: answered instead of acting, for instance no JSON at all
	Delay   Duration `json:"delay,omitempty"`  // API: before acting. Callback: the answer arrives that much later
	Drop    string   `json:"drop,omitempty"`   // before | after: the connection is cut before acting, or after acting and without an answer

	Duplicate int  `json:"duplicate,omitempty"` // callback: so many more copies, at the same time
	Reorder   bool `json:"reorder,omitempty"`   // callback: held back until the push after it has gone out
}

const matchCallback = "callback"

// AddFault plans a fault and returns it with its id.
func (s *Simulator) AddFault(f Fault) (Fault, error) {
	switch {
	case f.Match == "":
		return f, errors.New("match is missing: an API path or \"callback\"")
	case f.Drop != "" && f.Drop != "before" && f.Drop != "after":
		return f, errors.New("drop must be before or after")
	case f.Match == matchCallback && (f.Errcode != nil || f.Status != 0 || f.Body != ""):
		return f, errors.New("errcode, status and body are answers of the API, not of a callback")
	case f.Match != matchCallback && (f.Duplicate != 0 || f.Reorder):
		return f, errors.New("duplicate and reorder are for match \"callback\"")
	case f.Duplicate < 0 || f.Duplicate > 20:
		return f, errors.New("duplicate must be between 0 and 20")
	case f.Errcode == nil && f.Status == 0 && f.Body == "" && f.Delay <= 0 && f.Drop == "" && f.Duplicate == 0 && !f.Reorder:
		return f, errors.New("name what happens: errcode, status, body, delay, drop, duplicate or reorder")
	}
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faultSeq++
	f.ID = s.faultSeq
	s.faults = append(s.faults, &f)
	s.version++
	return f, nil
}

// dropFaults takes away the faults with the id or the name; all of them when both are empty.
func (s *Simulator) dropFaults(id int64, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool {
		return (id == 0 || f.ID == id) && (name == "" || f.Name == name)
	})
	s.version++
}

// Faults lists what is planned.
func (s *Simulator) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		list = append(list, *f)
	}
	return list
}

// strike takes the first fault for the path that fits and counts it. The zero Fault means none.
func (s *Simulator) strike(path string, fits func(*Fault) bool) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.matches(path) || (fits != nil && !fits(f)) {
			continue
		}
		struck := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
			s.version++
		}
		return struck
	}
	return Fault{}
}

func (f *Fault) matches(path string) bool {
	if begin, cut := strings.CutSuffix(f.Match, "*"); cut {
		return path != matchCallback && strings.HasPrefix(path, begin)
	}
	if strings.HasSuffix(f.Match, "/") {
		return strings.HasPrefix(path, f.Match)
	}
	return path == f.Match
}

// ofPush are faults of a push as a whole, ofAttempt those of one attempt.
func ofPush(f *Fault) bool    { return f.Duplicate > 0 || f.Reorder }
func ofAttempt(f *Fault) bool { return f.Delay > 0 || f.Drop != "" }
