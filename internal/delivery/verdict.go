package delivery

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"kefu/internal/platform"
	"kefu/internal/texts"
	"kefu/models"
)

// Classes of our own, beside the platform's.
const (
	partBefore = "part"   // an earlier part of the same reply failed
	badConfig  = "config" // there is no sender for the channel
)

const (
	firstBusy = time.Second
	longBusy  = 5 * time.Minute
	noSender  = 30 * time.Second
	noWindow  = 48 * time.Hour // busy is repeated for this long where we know of no grant
)

// onceMore are the waits of class BusyOnce: a repeat may arrive twice, so there are no more of them.
var onceMore = []time.Duration{time.Second, 5 * time.Second}

// china is where quotas begin anew at midnight. It has had no summer time since 1991.
var china = time.FixedZone("Asia/Shanghai", 8*60*60)

// try is what the rule needs to know of one try to send.
type try struct {
	now        time.Time
	counted    int       // tries that count, this one included: all but those the platform certainly did nothing with
	busy       int       // refusals of class Busy without another answer between them, this one included
	faced      bool      // it went out with a face
	windowEnds time.Time // when the customer's window ends; only class Busy asks
	chance     float64   // in [0, 1)
}

// verdict is what becomes of a message after a try.
type verdict struct {
	state models.MessageState // Sent, FailedState, UnknownState, or Queued for another try
	class platform.Class
	code  int
	text  string

	next     time.Time // Queued: when
	counts   bool      // Queued: the try counts
	faceless bool      // Queued: without the face, which is broken
	pause    time.Time // the channel sends nothing before; zero: it goes on
	alarm    texts.Key // the channel's alarm; empty: none
	detail   string    // of the alarm: what the platform said
	grants   string    // what it says of the customer's grants: windowOver, allowanceSpent or empty
}

// What a refusal says of the customer's grants; also the kind of the history line.
const (
	windowOver     = "window"
	allowanceSpent = "allowance"
)

// judge is the table of classes (architecture §4): no clock, no database.
func judge(err error, t try) verdict {
	if err == nil {
		return verdict{state: models.Sent}
	}
	e, ok := errors.AsType[*platform.Error](err)
	if !ok { // a Sender promises *Error; whatever this is, the message may have gone
		return verdict{state: models.UnknownState, class: platform.Unsure}
	}
	v := verdict{state: models.FailedState, class: e.Class, code: e.Code, text: e.Text, detail: e.Text}
	if e.Code != 0 {
		v.detail = strings.TrimSpace(strconv.Itoa(e.Code) + " " + e.Text)
	}
	switch e.Class {
	case platform.Busy:
		if !t.now.Before(t.windowEnds) {
			v.class = platform.Window
			return v
		}
		v.again(earlier(t.now.Add(backOff(t.busy, t.chance)), t.windowEnds))
	case platform.BusyOnce:
		if t.counted <= len(onceMore) {
			v.again(t.now.Add(onceMore[max(t.counted, 1)-1]))
			v.counts = true
		}
	case platform.FaceGone:
		if t.faced {
			v.again(t.now)
			v.faceless, v.alarm = true, texts.AlarmOf("face", e.Code)
		} else { // refused without a face: it is not about the face
			v.class, v.alarm = platform.Rights, texts.AlarmOf("rights", e.Code)
		}
	case platform.Quota:
		v.pause = midnight(t.now)
		v.again(v.pause)
		v.alarm = texts.AlarmOf("quota", e.Code)
	case platform.Refresh:
		v.alarm = texts.AlarmOf("token", e.Code)
	case platform.Rights:
		v.alarm = texts.AlarmOf("rights", e.Code)
	case platform.Window:
		switch e.Code {
		case 45015:
			v.grants = windowOver
		case 45047:
			v.grants = allowanceSpent
		}
	case platform.Unsure:
		v.state = models.UnknownState
	case platform.BadContent, platform.Customer, platform.Failed:
	default:
		v.class = platform.Failed
	}
	return v
}

// unset is the verdict on a message of a channel that has no sender: it waits for the administrator.
func unset(now time.Time) verdict {
	v := verdict{class: badConfig, alarm: texts.AlarmOf("config", 0)}
	v.again(now.Add(noSender))
	return v
}

func (v *verdict) again(at time.Time) { v.state, v.next = models.Queued, at }

// failedBusy reports whether the message was given up because the platform was busy: three such in a row are an alarm.
func (v verdict) failedBusy() bool {
	return v.state == models.FailedState && v.class == platform.BusyOnce
}

// backOff is the wait after the n-th refusal: 1 s, doubled up to 5 min, and up to a quarter less by chance.
func backOff(n int, chance float64) time.Duration {
	wait := longBusy
	if n < 20 {
		wait = min(firstBusy<<max(n-1, 0), longBusy)
	}
	return wait - time.Duration(chance*float64(wait)/4)
}

// midnight is the next 00:00 in China.
func midnight(now time.Time) time.Time {
	y, m, d := now.In(china).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, china).UTC()
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
