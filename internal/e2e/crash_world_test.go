package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform/sim"
)

// crashWorld is everything around the server: the platform with its customers, the agents, and the record of what was promised to them.
type crashWorld struct {
	t      *testing.T
	server *crashServer
	sim    *crashSim
	phones *crashPhones
	ledger *crashLedger
	agents []*crashAgent
}

// newCrashWorld starts a server for the first time, connects an account of the platform with it, in safe mode, and adds agents. One of
// four agents is on a break: they get nothing by themselves and claim.
func newCrashWorld(t *testing.T, agents, customers int) *crashWorld {
	t.Helper()
	w := &crashWorld{t: t, sim: newCrashSim(t), server: newCrashServer(t), ledger: newCrashLedger()}
	w.server.start()
	w.server.ready(crashReady)
	for i := range agents {
		a := newCrashAgent(w, fmt.Sprintf("agent%d", i+1), fmt.Sprintf("crash-password-%d", i+1))
		w.server.tool(a.password+"\n", nil, "agent", "add", a.name, "--name", a.name, "--password-stdin")
		w.agents = append(w.agents, a)
	}
	w.sim.connect(t, w.server)
	w.phones = &crashPhones{sim: w.sim, t: t, newest: map[string]int64{}}
	for i := range customers {
		openid := fmt.Sprintf("o-crash-%03d", i+1)
		if err := w.sim.AddUser(w.sim.app.AppID, openid, openid); err != nil {
			t.Fatal(err)
		}
		w.phones.openids = append(w.phones.openids, openid)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i, a := range w.agents {
		presence := "online"
		if i%4 == 3 {
			presence = "break"
		}
		status, _, err := a.post(ctx, "/me/presence", url.Values{"presence": {presence}})
		if status != http.StatusSeeOther || err != nil {
			t.Fatalf("presence of %s: %d %v", a.name, status, err)
		}
	}
	return w
}

// crashLoad is what goes on while the server dies.
type crashLoad struct {
	work  sync.WaitGroup
	quit  chan struct{} // closed: begin nothing new
	limit context.CancelFunc
	hard  context.Context // what is in hand is given up, as a finding
}

// The load's rhythm. Agents write about as fast as the delivery sends (20 a second), so that the outbox is never empty and never long.
const (
	crashCustomerPace = 15 * time.Millisecond
	crashAgentPace    = 120 * time.Millisecond
	crashWeatherPace  = 120 * time.Millisecond
)

func (w *crashWorld) begin(seed uint64) *crashLoad {
	hard, limit := context.WithCancel(w.t.Context())
	l := &crashLoad{quit: make(chan struct{}), hard: hard, limit: limit}
	stream := uint64(0)
	every := func(pace time.Duration, piece func(*rand.Rand)) {
		stream++
		chance := rand.New(rand.NewPCG(seed, stream))
		l.work.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					piece(chance)
				case <-l.quit:
					return
				case <-hard.Done():
					return
				}
			}
		})
	}
	const together = 6 // customers of one goroutine: what one of them says keeps its order
	for at := 0; at < len(w.phones.openids); at += together {
		some := w.phones.openids[at:min(at+together, len(w.phones.openids))]
		every(crashCustomerPace, func(chance *rand.Rand) { w.speak(hard, chance, some[chance.IntN(len(some))]) })
	}
	for _, a := range w.agents {
		every(crashAgentPace, func(chance *rand.Rand) { a.work(hard, chance) })
	}
	every(crashWeatherPace, w.sim.weather)
	w.t.Cleanup(func() { // also when the test failed in between
		limit()
		l.work.Wait()
	})
	return l
}

// end lets everybody finish what they have in hand: the last pushes and replies are repeated until they are answered.
func (l *crashLoad) end() {
	close(l.quit)
	patience := time.AfterFunc(60*time.Second, l.limit) // who still waits then reports it
	defer patience.Stop()
	l.work.Wait()
}

// speak lets a customer write, or press a menu button.
func (w *crashWorld) speak(ctx context.Context, chance *rand.Rand, openid string) {
	w.insistOn(ctx, w.ledger.push(openid, chance.IntN(10) == 0))
}

// act is one push with the platform's repeats of it; the same push again is the same act again.
func (w *crashWorld) act(p *crashPush) (got sim.PushResult, err error) {
	act := map[string]any{"openid": p.openid}
	if p.menuKey != "" {
		act["do"], act["key"], act["create_time"] = "menu", p.menuKey, p.at.Unix()
	} else {
		act["do"], act["msgid"], act["text"] = "text", p.id, fmt.Sprintf("crash-ask %d 请问这款还有货吗？", p.id)
	}
	err = w.sim.control(http.MethodPost, "/_sim/wechat/act", act, &got)
	w.ledger.tried(p)
	return got, err
}

// insistOn repeats a push until it is acknowledged.
func (w *crashWorld) insistOn(ctx context.Context, p *crashPush) {
	for last := ""; ; {
		if err := w.server.gate.wait(ctx); err != nil {
			w.ledger.trouble("push %s was never acknowledged, last: %s", p, last)
			return
		}
		got, err := w.act(p)
		last = fmt.Sprintf("%s, status %d, %s, %v", got.Outcome, got.Status, got.Error, err)
		switch {
		case got.Outcome == "taken" || got.Outcome == "passive":
			w.ledger.acknowledge(p)
			return
		case err != nil || got.Outcome != "failed" || got.Status != 0: // there was an answer, and it was not the one
			w.ledger.trouble("push %s: %s", p, last)
			return
		}
	}
}

// crashSim is the platform, reachable for the server on a port of its own.
type crashSim struct {
	*sim.Simulator
	app  sim.App
	base string
}

func newCrashSim(t *testing.T) *crashSim {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	base := "http://" + ln.Addr().String()
	s := &crashSim{Simulator: sim.New(sim.Options{Clock: clock.NewRunning(ctx), BaseURL: base}), base: base}
	server := &http.Server{Handler: s.Simulator, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(ln) // ends with Close
	}()
	t.Cleanup(func() {
		s.Close()
		server.Close()
		<-served
		cancel()
	})
	sw := s.Switches()
	sw.MarkFail = false // the platform's pause after failures would only take load away
	if err := s.SetSwitches(sw); err != nil {
		t.Fatal(err)
	}
	return s
}

// connect makes the account on both sides; the platform checks the callback address.
func (s *crashSim) connect(t *testing.T, server *crashServer) {
	t.Helper()
	var err error
	if s.app, err = s.AddApp(sim.App{}); err != nil {
		t.Fatal(err)
	}
	server.tool("", []string{"KEFU_APP_SECRET=" + s.app.Secret, "KEFU_TOKEN=" + s.app.Token, "KEFU_AES_KEY=" + s.app.AESKey},
		"channel", "add", "crash", "--app-id", s.app.AppID, "--original-id", s.app.OriginalID, "--mode", "safe", "--base-url", s.base, "--key", "crash")
	s.app.CallbackURL = server.url() + "/callbacks/wechat/crash"
	if s.app, err = s.AddApp(s.app); err != nil {
		t.Fatalf("callback address: %v\n%s", err, server.log.tail())
	}
}

// control asks the simulator as its documentation describes it.
func (s *crashSim) control(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	got := httptest.NewRecorder()
	s.ServeHTTP(got, httptest.NewRequest(method, path, bytes.NewReader(body)))
	if got.Code != http.StatusOK {
		return fmt.Errorf("%s answered %d: %s", path, got.Code, got.Body)
	}
	return json.Unmarshal(got.Body.Bytes(), out)
}

const crashSend = "/cgi-bin/message/custom/send"

// weather plans one misfortune for the platform's next calls, unless enough of them wait already.
func (s *crashSim) weather(chance *rand.Rand) {
	if len(s.Faults()) > 2 {
		return
	}
	busyOnce, busy := -1, 45011
	kinds := []sim.Fault{
		{Match: crashSend, Drop: "after"},  // it arrived, and nobody says so
		{Match: crashSend, Drop: "before"}, // the body was read, and nothing came of it
		{Match: crashSend, Delay: sim.Duration(chance.IntN(900)) * sim.Duration(time.Millisecond)},
		{Match: crashSend, Delay: sim.Duration(chance.IntN(300)) * sim.Duration(time.Millisecond), Times: 5},
		{Match: crashSend, Errcode: &busyOnce},
		{Match: crashSend, Errcode: &busyOnce, Times: 4},
		{Match: crashSend, Errcode: &busy},
		{Match: crashSend, Status: http.StatusBadGateway, Body: "<html>502 Bad Gateway</html>"},
		{Match: "callback", Drop: "before"},
		{Match: "callback", Duplicate: 1 + chance.IntN(3)},
	}
	f := kinds[chance.IntN(len(kinds))]
	if f.Delay == 0 && f.Drop == "" && f.Errcode == nil && f.Status == 0 && f.Duplicate == 0 {
		return // a delay of nothing
	}
	if _, err := s.AddFault(f); err != nil {
		panic(err) // a mistake in the list above
	}
}

// crashPhones collects what reached the customers, in order, and the tokens that the platform gave away: both before the platform
// forgets, which keeps the last 2,000 lines of a phone and the last 5,000 calls.
type crashPhones struct {
	t       *testing.T
	sim     *crashSim
	openids []string
	newest  map[string]int64
	all     []crashArrival
	tokens  []string
}

// crashArrival is one message on a customer's phone.
type crashArrival struct {
	openid, text string
	passive      bool
}

func (p *crashPhones) collect() {
	p.t.Helper()
	p.collectTokens()
	for _, openid := range p.openids {
		var got struct {
			Messages []struct {
				ID      int64
				MsgType string
				Passive bool
				Body    struct{ Text struct{ Content string } }
			}
		}
		if err := p.sim.control(http.MethodGet, "/_sim/wechat/received?openid="+openid, struct{}{}, &got); err != nil {
			p.t.Fatal(err)
		}
		for _, m := range got.Messages {
			if m.ID <= p.newest[openid] {
				continue
			}
			p.newest[openid] = m.ID
			if m.MsgType != "notice" { // the platform's own words, when the server does not answer
				p.all = append(p.all, crashArrival{openid, m.Body.Text.Content, m.Passive})
			}
		}
	}
}

var crashToken = regexp.MustCompile(`"access_token":"([^"]+)"`)

// collectTokens keeps the access tokens that the platform gave away.
func (p *crashPhones) collectTokens() {
	p.t.Helper()
	var got struct {
		Calls []struct{ Response string }
	}
	if err := p.sim.control(http.MethodGet, "/_sim/calls?kind=api", struct{}{}, &got); err != nil {
		p.t.Fatal(err)
	}
	for _, c := range got.Calls {
		if m := crashToken.FindStringSubmatch(c.Response); m != nil && !slices.Contains(p.tokens, m[1]) {
			p.tokens = append(p.tokens, m[1])
		}
	}
}
