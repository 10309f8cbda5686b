package delivery

import (
	"sync"
	"time"

	"kefu/internal/platform"
	"kefu/models"
)

// memory is what the worker keeps in mind between tries. Nothing in it is needed after a restart: a wait begins short again, and an alarm
// needs three new failures.
type memory struct {
	mu     sync.Mutex
	busy   map[int64]streak // by message
	failed map[int64]int    // by channel: messages given up because the platform was busy, since it last took or refused one
}

type streak struct {
	refusals int
	until    time.Time
}

// busyAlarm is how many messages in a row are given up as busy before the channel has an alarm.
const busyAlarm = 3

func newMemory() memory { return memory{busy: map[int64]streak{}, failed: map[int64]int{}} }

// refusals is how often the message was refused as busy, one more than before.
func (m *memory) refusals(messageID int64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.busy[messageID].refusals + 1
}

// note remembers the verdict and reports whether too many messages of the channel were given up as busy.
func (m *memory) note(r models.OutboxRow, v verdict) (alarm bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v.state == models.Queued && v.class == platform.Busy {
		m.busy[r.MessageID] = streak{refusals: m.busy[r.MessageID].refusals + 1, until: v.next}
	} else {
		delete(m.busy, r.MessageID)
	}
	switch {
	case v.failedBusy():
		m.failed[r.ChannelID]++
	case v.state != models.Queued:
		m.failed[r.ChannelID] = 0
	}
	return m.failed[r.ChannelID] >= busyAlarm && v.failedBusy()
}

// forget drops what belongs to messages that were withdrawn while they waited.
func (m *memory) forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.busy {
		if now.Sub(s.until) > time.Hour {
			delete(m.busy, id)
		}
	}
}
