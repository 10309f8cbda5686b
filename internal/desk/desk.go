// Package desk holds the rules of the service desk: what a customer's message does, who is served next, who may do what, and what is
// said to whom. A rule is a pure function where it can be; a use case runs it inside one transaction. The package knows no HTTP, no
// HTML and no platform's wire format.
package desk

import (
	"context"
	"log/slog"
	"time"

	"kefu/internal/clock"
	"kefu/internal/texts"
	"kefu/models"
)

// Settings are the desk's times and limits, with the defaults of P-13.
type Settings struct {
	Reopen      time.Duration // a typed message reopens a session closed less than this ago
	Sticky      time.Duration // the last agent's group is chosen for this long
	Prefer      time.Duration // a reopened session waits for its old holder no longer than this
	Route       time.Duration // a menu click's group is remembered this long
	Stale       time.Duration // no sign of life for this long: nothing new is assigned
	Silent      time.Duration // no sign of life for this long: offline
	StartGrace  time.Duration // after a start nobody counts as silent for this long
	Sweep       time.Duration // how often what time alone changes is looked at
	KeepKeys    time.Duration // marks of pushes
	KeepEvents  time.Duration // the journal of changes, beyond its newest 100,000
	TextLimit   int           // bytes of one text message (wechat.md §5.5)
	ClosedShown time.Duration // how far back the list of closed sessions goes
	BlockedKeep int           // messages kept of a blocked customer
}

// Defaults are the settings of P-13.
func Defaults() Settings {
	return Settings{
		Reopen: 10 * time.Minute, Sticky: 7 * 24 * time.Hour, Prefer: 2 * time.Minute, Route: 30 * time.Minute,
		Stale: 45 * time.Second, Silent: 3 * time.Minute, StartGrace: time.Minute, Sweep: 5 * time.Second,
		KeepKeys: 30 * 24 * time.Hour, KeepEvents: 48 * time.Hour, TextLimit: 2048, ClosedShown: 90 * 24 * time.Hour, BlockedKeep: 100,
	}
}

// Desk runs the use cases.
type Desk struct {
	store *models.Store
	clock clock.Clock
	log   *slog.Logger
	set   Settings
	wake  func() // tells the delivery that something is to be sent
	start time.Time

	storage Storage
}

// New makes a desk over the store. wake is called after a commit that queued something to send; it must not block.
func New(store *models.Store, c clock.Clock, log *slog.Logger, set Settings, wake func()) *Desk {
	return &Desk{store: store, clock: c, log: log, set: set, wake: wake, start: c.Now()}
}

// Settings are the times and limits in force.
func (d *Desk) Settings() Settings { return d.set }

// Now is the desk's time.
func (d *Desk) Now() time.Time { return d.now() }

func (d *Desk) now() time.Time { return d.clock.Now() }

// Kind groups refusals by what the person can do about them.
type Kind int

const (
	Invalid   Kind = iota // correct it
	Forbidden             // not you
	Conflict              // someone was faster, look again
	TooMany               // wait a little
)

// Refusal is a rule of the desk saying no. Its sentence may be shown to the person. Every other error is a fault: logged, nothing of it
// shown.
type Refusal struct {
	Kind Kind
	Key  texts.Key
	Args texts.Args
}

func (r *Refusal) Error() string { return "refused: " + texts.T(texts.En, r.Key, r.Args) }

func refuse(kind Kind, key texts.Key, args texts.Args) *Refusal {
	return &Refusal{Kind: kind, Key: key, Args: args}
}

// tell writes the event that open pages follow; it is part of every change.
func tell(ctx context.Context, tx *models.Store, e models.Event, at time.Time) error {
	e.At = at
	return tx.Emit(ctx, e)
}

// happened writes a line of the session's history.
func happened(ctx context.Context, tx *models.Store, sessionID int64, kind string, agentID *int64, detail string, at time.Time) error {
	return tx.AddHistory(ctx, models.HistoryLine{SessionID: sessionID, Kind: kind, AgentID: agentID, Detail: detail, At: at})
}

func ptr[T any](v T) *T { return &v }
