package sim

import (
	"net/http"
	"testing"
	"time"
)

func TestFaultsOfTheAPI(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	k.act(`"do":"text","text":"x"`)
	path := "/cgi-bin/message/custom/send?access_token=" + k.token()
	body := `{"touser":"` + k.open + `","msgtype":"text","text":{"content":"a"}}`

	k.control("POST", "/_sim/faults", `{"match":"/cgi-bin/message/custom/send","times":2,"errcode":-1}`)
	for n, want := range []int{-1, -1, 0} {
		rec, _ := k.serve("POST", path, "", body)
		if got := code(decoded(t, rec.Body.Bytes())); got != want {
			t.Errorf("call %d = %d, want %d", n+1, got, want)
		}
	}
	if got := len(k.received()); got != 1 {
		t.Errorf("%d messages: an errcode in place of acting delivers nothing", got)
	}

	k.control("POST", "/_sim/faults", `{"match":"/cgi-bin/message/","drop":"before"}`)
	if _, cut := k.serve("POST", path, "", body); !cut || len(k.received()) != 1 {
		t.Errorf("drop before: cut %v, %d messages", cut, len(k.received()))
	}
	k.control("POST", "/_sim/faults", `{"match":"/cgi-bin/*","drop":"after"}`)
	if _, cut := k.serve("POST", path, "", body); !cut || len(k.received()) != 2 {
		t.Errorf("drop after: cut %v, %d messages; it took effect", cut, len(k.received()))
	}
	k.control("POST", "/_sim/faults", `{"match":"/cgi-bin/message/custom/send","status":502,"body":"bad gateway"}`)
	if rec, _ := k.serve("POST", path, "", body); rec.Code != 502 || rec.Body.String() != "bad gateway" {
		t.Errorf("status fault = %d %s", rec.Code, rec.Body)
	}

	k.control("POST", "/_sim/faults", `{"match":"/cgi-bin/message/custom/send","delay":"6s"}`)
	done := make(chan int, 1)
	go func() {
		rec, _ := k.serve("POST", path, "", body)
		done <- rec.Code
	}()
	waitFor(t, "the call to wait", func() bool {
		k.sim.work.mu.Lock()
		defer k.sim.work.mu.Unlock()
		return len(k.sim.work.waits) == 1
	})
	if got := len(k.received()); got != 2 {
		t.Error("a delayed call acts after its delay")
	}
	k.advance(6 * time.Second)
	if got := <-done; got != 200 || len(k.received()) != 3 {
		t.Errorf("after the delay: %d, %d messages", got, len(k.received()))
	}
}

// waitFor asks again until it is so, with a deadline.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !so() {
		select {
		case <-deadline:
			t.Fatal("waited 10 s for " + what)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestCallbackFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, fault string
		pushes      int
		outcome     string
	}{
		{"lost on the way there: repeated", `{"match":"callback","drop":"before"}`, 1, outcomeTaken},
		{"lost on the way back: the server sees it twice", `{"match":"callback","drop":"after"}`, 2, outcomeTaken},
		{"lost three times", `{"match":"callback","drop":"after","times":3}`, 3, outcomeFailed},
		{"duplicates at the same time", `{"match":"callback","duplicate":2}`, 3, outcomeTaken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, App{Mode: modePlain})
			k.control("POST", "/_sim/faults", tt.fault)
			if got := k.act(`"do":"text","text":"x"`)["outcome"]; got != tt.outcome || len(k.desk.all()) != tt.pushes {
				t.Errorf("%v, %d pushes arrived; want %s, %d", got, len(k.desk.all()), tt.outcome, tt.pushes)
			}
			for _, p := range k.desk.all() {
				if p.body != k.desk.all()[0].body {
					t.Error("the copies differ")
				}
			}
			k.sim.Idle(t.Context())
		})
	}
}

func TestALateAnswerIsATimeOut(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modePlain})
	k.desk.answer = reply200(k.app, "text", "<Content>好</Content>")
	k.control("POST", "/_sim/faults", `{"match":"callback","delay":"6s","times":1}`)
	k.control("POST", "/_sim/faults", `{"match":"callback","delay":"2s","times":1}`)
	done := make(chan map[string]any, 1)
	go func() { done <- k.act(`"do":"text","text":"x"`) }()
	k.arrived()
	k.control("POST", "/_sim/clock", `{"advance":"4900ms"}`)
	if got := len(k.desk.all()); got != 1 {
		t.Fatalf("%d pushes before the five seconds", got)
	}
	k.control("POST", "/_sim/clock", `{"advance":"10s"}`)
	result := <-done
	if result["outcome"] != outcomePassive || result["attempts"] != 2.0 || len(k.received()) != 1 {
		t.Errorf("%v; the customer has %d messages, want the second answer only", result, len(k.received()))
	}
}

func TestReorderedPushes(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Mode: modePlain})
	k.control("POST", "/_sim/faults", `{"match":"callback","reorder":true}`)
	if got := k.act(`"do":"text","text":"一"`)["outcome"]; got != outcomeHeld {
		t.Fatalf("outcome %v", got)
	}
	k.act(`"do":"text","text":"二"`)
	all := k.desk.all()
	if len(all) != 2 || in(t, all[0].body, "Content") != "二" || in(t, all[1].body, "Content") != "一" {
		t.Errorf("order: %v", all)
	}
	if in(t, all[0].body, "MsgId") < in(t, all[1].body, "MsgId") {
		t.Error("the later push carries the smaller MsgId")
	}
}

func TestFaultsAreRefusedWhenTheySayNothing(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	for _, body := range []string{
		`{}`, `{"match":"callback"}`, `{"match":"callback","errcode":-1}`, `{"match":"/cgi-bin/token","reorder":true}`,
		`{"match":"/cgi-bin/token","drop":"sometimes"}`, `{"match":"/cgi-bin/token","typo":1}`, `nonsense`,
	} {
		if rec, _ := k.serve("POST", "/_sim/faults", "", body); rec.Code != http.StatusBadRequest {
			t.Errorf("%s = %d, want 400", body, rec.Code)
		}
	}
	k.control("POST", "/_sim/faults", `{"match":"/cgi-bin/*","errcode":-1,"times":-1,"name":"busy"}`)
	for range 3 {
		if got := k.apiWith("x", "GET", "/cgi-bin/anything", "", ""); code(got) != -1 {
			t.Errorf("a standing fault = %v", got)
		}
	}
	if left := k.control("DELETE", "/_sim/faults?name=busy", "")["faults"].([]any); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
