package load

import (
	"math"
	"slices"
	"time"
)

// Line is the result of one run, printed as one line of JSON. Its names are a contract (docs/architecture.md §9).
type Line struct {
	Bench       string  `json:"bench"`
	Case        string  `json:"case"`
	Clients     int     `json:"clients"`
	Seconds     float64 `json:"seconds"`
	Ops         int     `json:"ops"`
	Errors      int     `json:"errors"`
	Rate        float64 `json:"rate"` // operations per second
	P50         float64 `json:"p50_ms"`
	P95         float64 `json:"p95_ms"`
	P99         float64 `json:"p99_ms"`
	CPUPerOp    float64 `json:"cpu_ms_per_op"` // of the server's process alone, user and system
	RSS         float64 `json:"rss_mb"`        // of the server's process at the end of the run, in MiB
	CommitLimit float64 `json:"limit_rate"`    // bare single-row commits per second of SQLite on the same disk, just before
}

// Round cuts the figures to what they are worth.
func (l Line) Round() Line {
	for _, f := range []*float64{&l.Seconds, &l.Rate, &l.P50, &l.P95, &l.P99, &l.RSS, &l.CommitLimit} {
		*f = math.Round(*f*100) / 100
	}
	l.CPUPerOp = math.Round(l.CPUPerOp*10_000) / 10_000
	return l
}

// Percentile is the smallest of the sorted durations that at least p percent of them do not exceed (nearest rank), in milliseconds;
// 0 when there are none.
func Percentile(sorted []time.Duration, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return milliseconds(sorted[min(max(rank, 1), len(sorted))-1])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// times sets the percentiles of a report; it sorts what it is given.
func (r *Report) times(all []time.Duration) {
	slices.Sort(all)
	r.P50, r.P95, r.P99 = Percentile(all, 50), Percentile(all, 95), Percentile(all, 99)
}

// tally is what one client measured.
type tally struct {
	took       []time.Duration
	errors     int
	firstError string
	opened     int
	passive    int
}

func (t *tally) failed(err error) {
	t.errors++
	if t.firstError == "" {
		t.firstError = err.Error()
	}
}

// sum adds up the clients' tallies.
func sum(tallies []tally, seconds float64) Report {
	r := Report{Seconds: seconds}
	var all []time.Duration
	for _, t := range tallies {
		all = append(all, t.took...)
		r.Errors += t.errors
		r.Opened += t.opened
		r.Passive += t.passive
		if r.FirstError == "" {
			r.FirstError = t.firstError
		}
	}
	r.Ops = len(all)
	r.times(all)
	return r
}
