package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// crashLedger is the record of what the server was asked and what it promised. It outlives every kill.
type crashLedger struct {
	mu     sync.Mutex
	pushes []*crashPush
	lines  map[string]*crashLine // by key
	counts map[string]int
	wrong  []string
}

// crashPush is something a customer did, with its MsgId or, for a menu button, a key of its own.
type crashPush struct {
	id      int64
	openid  string
	menuKey string // a press of a menu button: no MsgId
	at      time.Time
	tries   int  // of the platform; each may be up to three attempts
	taken   bool // answered 200
}

func (p *crashPush) String() string {
	if p.menuKey != "" {
		return p.menuKey
	}
	return fmt.Sprint(p.id)
}

// crashLine is something an agent wrote.
type crashLine struct {
	key, text, mode string
	answered        bool // 303
	refused         bool
}

// crashFirstID keeps our MsgIds apart from the simulator's own.
const crashFirstID = 25_000_000_000_000_000

func newCrashLedger() *crashLedger {
	return &crashLedger{lines: map[string]*crashLine{}, counts: map[string]int{}}
}

func (l *crashLedger) push(openid string, menu bool) *crashPush {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &crashPush{id: crashFirstID + int64(len(l.pushes)), openid: openid, at: time.Now()}
	if menu {
		p.menuKey = fmt.Sprintf("crash-menu-%d", p.id)
	}
	l.pushes = append(l.pushes, p)
	return p
}

func (l *crashLedger) tried(p *crashPush) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.tries++; p.tries == 2 {
		l.counts["pushes repeated"]++
	}
}

func (l *crashLedger) acknowledge(p *crashPush) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.taken = true
	l.counts["pushes acknowledged"]++
}

func (l *crashLedger) write(mode string) *crashLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := fmt.Sprintf("crash-%s-%d", mode, len(l.lines)+1)
	line := &crashLine{key: key, text: key + " 您好，这款有货，今天可以发出", mode: mode}
	l.lines[key] = line
	return line
}

func (l *crashLedger) written(line *crashLine, answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line.answered, line.refused = answered, !answered
	if answered {
		l.counts[line.mode+" answered 303"]++
	} else {
		l.counts[line.mode+" refused"]++
	}
}

func (l *crashLedger) did(what string) { l.count(what) }
func (l *crashLedger) repeated()       { l.count("forms repeated") }
func (l *crashLedger) loggedIn()       { l.count("log-ins") }

func (l *crashLedger) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
}

func (l *crashLedger) acknowledged() int { return l.counted("pushes acknowledged") }
func (l *crashLedger) answered() int     { return l.counted("reply answered 303") }

func (l *crashLedger) counted(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[what]
}

// trouble is an answer that nobody should get.
func (l *crashLedger) trouble(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

func (l *crashLedger) troubled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.wrong) > 0
}

func (l *crashLedger) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(l.counts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", what, l.counts[what]))
	}
	return strings.Join(parts, ", ")
}
