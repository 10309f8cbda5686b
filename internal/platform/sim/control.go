package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// commonControls are the parts of /_sim/ that belong to no platform. The form is an interface that outsiders rely on; docs/simulator.md
// describes it.
func (s *Simulator) commonControls(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sim/state", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, s.state()) })
	mux.HandleFunc("POST /_sim/reset", s.controlReset)
	mux.HandleFunc("POST /_sim/clock", s.controlClock)
	mux.HandleFunc("GET /_sim/calls", s.controlCalls)
	mux.HandleFunc("GET /_sim/switches", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, s.Switches()) })
	mux.HandleFunc("POST /_sim/switches", s.controlSwitches)
	mux.HandleFunc("GET /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]any{"faults": s.Faults()})
	})
	mux.HandleFunc("POST /_sim/faults", s.controlFaults)
	mux.HandleFunc("DELETE /_sim/faults", s.controlDropFaults)
	mux.HandleFunc("GET /_sim/media/{id}", s.serveMedia)
	mux.HandleFunc("/_sim/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "no such control: "+r.Method+" "+r.URL.Path)
	})
}

func (s *Simulator) state() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	apps := []App{}
	for _, a := range s.wechat.apps {
		apps = append(apps, a.App)
	}
	return map[string]any{
		"clock": s.clock.Now(), "wechat": map[string]any{"apps": apps}, "dingtalk": map[string]any{"apps": []any{}},
		"switches": s.switches.copy(), "faults": len(s.faults), "calls": s.calls.seq,
	}
}

// controlReset forgets everything but the apps; {"apps":true} forgets them, too.
func (s *Simulator) controlReset(w http.ResponseWriter, r *http.Request) {
	var form struct {
		Apps bool `json:"apps"`
	}
	if !readControl(w, r, &form) {
		return
	}
	s.Reset(form.Apps)
	answerJSON(w, http.StatusOK, map[string]any{"ok": true})
}

// controlClock moves the clock ahead and answers when everything has come to rest.
func (s *Simulator) controlClock(w http.ResponseWriter, r *http.Request) {
	var form struct {
		Advance string `json:"advance"`
	}
	if !readControl(w, r, &form) {
		return
	}
	d, err := time.ParseDuration(form.Advance)
	if err != nil || d < 0 {
		refuse(w, http.StatusBadRequest, `advance must be a span that is not negative, such as "49h" or "90s"`)
		return
	}
	if err := s.Advance(r.Context(), d); err != nil {
		refuse(w, http.StatusServiceUnavailable, "the move was cut short: "+err.Error())
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"clock": s.clock.Now()})
}

// Advance moves the shared clock, one caller at a time. It returns when everything that fell due has come to rest.
func (s *Simulator) Advance(ctx context.Context, d time.Duration) error {
	s.advances.Lock()
	defer s.advances.Unlock()
	err := s.clock.Advance(ctx, d)
	s.mu.Lock()
	s.version++ // allowances and invitations may have ended
	s.mu.Unlock()
	return err
}

// controlCalls lists calls after ?since=, oldest first; ?limit= keeps the newest, ?kind= api or callback.
func (s *Simulator) controlCalls(w http.ResponseWriter, r *http.Request) {
	since, limit, err := number(r, "since"), number(r, "limit"), error(nil)
	if since < 0 || limit < 0 {
		err = errors.New("since and limit must be whole numbers that are not negative")
	}
	kind := r.URL.Query().Get("kind")
	if kind != "" && kind != callAPI && kind != callCallback {
		err = errors.New("kind must be api or callback")
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	list, last := s.calls.since(since, 0), s.calls.seq
	s.mu.Unlock()
	chosen := []*Call{}
	for _, c := range list {
		if kind == "" || c.Kind == kind {
			chosen = append(chosen, c)
		}
	}
	if limit > 0 && int64(len(chosen)) > limit {
		chosen = chosen[int64(len(chosen))-limit:]
	}
	answerJSON(w, http.StatusOK, map[string]any{"calls": chosen, "last": last})
}

// number reads a query parameter: 0 when absent, -1 when it is no number.
func number(r *http.Request, name string) int64 {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// controlSwitches changes the switches that the body names and answers all of them.
func (s *Simulator) controlSwitches(w http.ResponseWriter, r *http.Request) {
	sw := s.Switches()
	if !readControl(w, r, &sw) {
		return
	}
	if err := s.SetSwitches(sw); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answerJSON(w, http.StatusOK, s.Switches())
}

func (s *Simulator) controlFaults(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if !readControl(w, r, &f) {
		return
	}
	planned, err := s.AddFault(f)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answerJSON(w, http.StatusOK, planned)
}

// controlDropFaults takes away ?id= or ?name=, or everything.
func (s *Simulator) controlDropFaults(w http.ResponseWriter, r *http.Request) {
	id := number(r, "id")
	if id < 0 {
		refuse(w, http.StatusBadRequest, "id must be a whole number")
		return
	}
	s.dropFaults(id, r.URL.Query().Get("name"))
	answerJSON(w, http.StatusOK, map[string]any{"faults": s.Faults()})
}

// controlLimit lets a customer send a picture of 10 MB as base64.
const controlLimit = 16 << 20

// readControl decodes a JSON body; an empty one leaves into as it is. It answers the mistake itself.
func readControl(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlLimit))
	dec.DisallowUnknownFields()
	switch err := dec.Decode(into); {
	case errors.Is(err, io.EOF):
		return true
	case err != nil:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("the body cannot be read: %v", err))
		return false
	}
	return true
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(plainJSON(v), '\n')) // a caller that has gone gets nothing
}

// refuse answers a mistake of the caller with a sentence.
func refuse(w http.ResponseWriter, status int, sentence string) {
	answerJSON(w, status, map[string]string{"error": sentence})
}
