package e2e

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

const (
	crashReady = 10 * time.Second // a start after a kill takes longer only when something is wrong
	crashDrain = 90 * time.Second // until everything queued has its end: the delivery sends 20 messages a second
)

// TestCrash kills the server again and again, each time at a random moment under load, and counts afterwards what it had promised.
// The platform and its customers, the agents' browsers and the record of every answer live in this process and never die.
//
//	KEFU_CRASH_KILLS  how often (20)
//	KEFU_CRASH_SEED   repeats the moments, the choices and the faults of a run; what the scheduler does between them is its own
//	KEFU_BIN          the binary; built when it is not set
func TestCrash(t *testing.T) {
	kills := int(crashSetting(t, "KEFU_CRASH_KILLS", 20))
	seed := crashSetting(t, "KEFU_CRASH_SEED", uint64(time.Now().UnixNano()))
	t.Logf("KEFU_CRASH_KILLS=%d KEFU_CRASH_SEED=%d", kills, seed)

	w := newCrashWorld(t, 4, 36)
	load := w.begin(seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	early := 0
	for n := 1; n <= kills; n++ {
		// The one sleep that is meant: the moment of the kill is random, and nothing tells the test that it has come.
		time.Sleep(50*time.Millisecond + time.Duration(chance.IntN(750_000))*time.Microsecond)
		w.server.kill()
		if chance.IntN(4) == 0 { // and once more before it is up again
			w.server.start()
			time.Sleep(time.Duration(chance.IntN(120_000)) * time.Microsecond)
			w.server.kill()
			early++
		}
		w.server.start()
		w.server.ready(crashReady)
		if n%5 == 0 {
			w.phones.collect()
		}
		if w.ledger.troubled() {
			t.Errorf("stopped after kill %d", n)
			break
		}
	}
	load.end()
	w.server.drained(crashDrain)
	w.server.stop()
	w.phones.collect()
	found := w.check()
	w.checkLog("level=ERROR") // a kill leaves nothing behind that would be a fault of the next life
	t.Logf("%d kills, %d of them during the start; start to ready %v at most, %v on average", kills+early, early, w.server.slowest, w.server.average())
	t.Logf("%s", w.ledger.summary())
	t.Logf("%s", found)
	if least := 5 * kills; w.ledger.acknowledged() < least || w.ledger.answered() < kills {
		t.Errorf("too little load to prove anything: %s", w.ledger.summary())
	}
}

// crashSetting reads a whole number from the environment.
func crashSetting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q, not a whole number", name, text)
	}
	return n
}
