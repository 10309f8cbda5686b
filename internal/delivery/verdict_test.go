package delivery

import (
	"errors"
	"testing"
	"time"

	"kefu/internal/platform"
	"kefu/models"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	first := try{now: noon, counted: 1, busy: 1, windowEnds: at(time.Hour)}
	with := func(change func(*try)) try {
		t := first
		change(&t)
		return t
	}
	for _, tt := range []struct {
		name  string
		err   error
		try   try
		state models.MessageState
		class platform.Class
		next  time.Time
		alarm string
	}{
		{"taken", nil, first, models.Sent, "", time.Time{}, ""},
		{"an error of no class", errors.New("odd"), first, models.UnknownState, "unknown", time.Time{}, ""},
		{"token refused again", refusal(platform.Refresh, 42001), first, models.FailedState, "refresh", time.Time{}, "alarm.token"},
		{"busy", refusal(platform.Busy, 45011), first, models.Queued, "busy", at(time.Second), ""},
		{"busy for the fourth time", refusal(platform.Busy, 0), with(func(t *try) { t.busy = 4 }), models.Queued, "busy", at(8 * time.Second), ""},
		{"busy for the fourth time, by chance earlier", refusal(platform.Busy, 0), with(func(t *try) { t.busy, t.chance = 4, 0.5 }), models.Queued, "busy", at(7 * time.Second), ""},
		{"busy for long", refusal(platform.Busy, 0), with(func(t *try) { t.busy = 100 }), models.Queued, "busy", at(5 * time.Minute), ""},
		{"busy shortly before the window ends", refusal(platform.Busy, 0), with(func(t *try) { t.busy, t.windowEnds = 100, at(time.Minute) }), models.Queued, "busy", at(time.Minute), ""},
		{"busy when the window ends", refusal(platform.Busy, 45011), with(func(t *try) { t.windowEnds = noon }), models.FailedState, "window", time.Time{}, ""},
		{"-1", refusal(platform.BusyOnce, -1), first, models.Queued, "busy_once", at(time.Second), ""},
		{"-1 again", refusal(platform.BusyOnce, -1), with(func(t *try) { t.counted = 2 }), models.Queued, "busy_once", at(5 * time.Second), ""},
		{"-1 thrice", refusal(platform.BusyOnce, -1), with(func(t *try) { t.counted = 3 }), models.FailedState, "busy_once", time.Time{}, ""},
		{"window", refusal(platform.Window, 45015), first, models.FailedState, "window", time.Time{}, ""},
		{"content", refusal(platform.BadContent, 45002), first, models.FailedState, "content", time.Time{}, ""},
		{"rights", refusal(platform.Rights, 45), first, models.FailedState, "rights", time.Time{}, "alarm.rights"},
		{"rights with a cure", refusal(platform.Rights, 40164), first, models.FailedState, "rights", time.Time{}, "alarm.rights.40164"},
		{"face", refusal(platform.FaceGone, 65401), with(func(t *try) { t.faced = true }), models.Queued, "face", noon, "alarm.face"},
		{"face, but there was none", refusal(platform.FaceGone, 65400), first, models.FailedState, "rights", time.Time{}, "alarm.rights.65400"},
		{"customer", refusal(platform.Customer, 43019), first, models.FailedState, "customer", time.Time{}, ""},
		{"quota at noon", refusal(platform.Quota, 45009), first, models.Queued, "quota", at(12 * time.Hour), "alarm.quota"},
		{"quota at midnight", refusal(platform.Quota, 45009), with(func(t *try) { t.now = at(12 * time.Hour) }), models.Queued, "quota", at(36 * time.Hour), "alarm.quota"},
		{"no answer", refusal(platform.Unsure, 0), first, models.UnknownState, "unknown", time.Time{}, ""},
		{"any other", refusal(platform.Failed, 99), first, models.FailedState, "failed", time.Time{}, ""},
		{"a class nobody knows", refusal("later", 1), first, models.FailedState, "failed", time.Time{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := judge(tt.err, tt.try)
			if v.state != tt.state || v.class != tt.class || !v.next.Equal(tt.next) || string(v.alarm) != tt.alarm {
				t.Errorf("got %s %s at %s, alarm %q", v.state, v.class, v.next, v.alarm)
			}
			if want := v.class == platform.BusyOnce && v.state == models.Queued; v.counts != want {
				t.Errorf("the try counts: %v", v.counts)
			}
		})
	}
}
