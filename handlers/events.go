package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"kefu/internal/desk"
	"kefu/internal/live"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/views"
)

// Events serves the live stream: one per browser, for all its tabs.
type Events struct {
	*Site
	Hub *live.Hub
	// Refresh loads who looks at the stream anew, with the rights of this moment; models.ErrNotFound when the log-in ended.
	Refresh func(ctx context.Context, loginID int64) (Login, error)
	Beat    time.Duration // between signs of life; the page gives up after 45 s without one
	Settle  time.Duration // at least so long between two batches of one stream: bursts become one
}

// Stream handles GET /events?cursor=epoch.id: it replays what was missed, or says reset, and then follows.
func (h *Events) Stream(c echo.Context) error {
	l := loginOf(c)
	ctx := c.Request().Context()
	stream := h.Hub.Open(l.ID, l.Viewer.Agent.ID) // before the first look, so that nothing falls between
	defer stream.Close()
	s := &streamer{h: h, login: l, lang: Lang(c), accept: c.Request().Header.Get("Accept-Language"), ctx: ctx, out: c.Response(), control: http.NewResponseController(c.Response())}

	// The server's read time-out would end the request's context, and the stream with it, after a minute.
	if err := s.control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	head := c.Response().Header()
	head.Set("Content-Type", "text/event-stream; charset=utf-8")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // nginx would hold events back
	c.Response().WriteHeader(http.StatusOK)

	s.full = !h.Desk.Storage().Full() // told once at first: a page may come back from before the disk filled up, or had room again
	s.at = h.Board.Newest()
	epoch, since, ok := strings.Cut(c.QueryParam("cursor"), ".")
	id, err := strconv.ParseInt(since, 10, 64)
	if missed, known := h.Board.Since(id); ok && err == nil && epoch == h.Board.Epoch() && known && len(missed) <= mostReplayed {
		s.at = id
		if err := s.changes(missed); err != nil {
			return nil
		}
	} else if err := s.send("reset", ""); err != nil {
		return nil // the page is gone
	}
	return s.follow(stream)
}

// mostReplayed is how many missed changes are worth replaying; beyond that a fresh page is cheaper for both sides.
const mostReplayed = 500

type streamer struct {
	h       *Events
	login   Login
	lang    texts.Lang
	accept  string // what the browser asks for
	ctx     context.Context
	out     io.Writer
	control *http.ResponseController
	at      int64 // id of the newest event sent
	full    bool  // what the page was told of the disk
}

// follow sends what happens until the page, the log-in or the server goes. A write that fails ends it; that is how pages leave.
func (s *streamer) follow(stream *live.Stream) error {
	beat := time.NewTicker(s.h.Beat)
	defer beat.Stop()
	if err := s.send("ping", strconv.FormatInt(s.h.Clock.Now().UnixMilli(), 10)); err != nil {
		return nil
	}
	poked := make(chan struct{}, 1)
	poked <- struct{}{} // what came between the replay and now
	var settling <-chan time.Time
	for {
		wake := stream.Poked()
		if settling != nil {
			wake = nil // one batch was just sent: what comes now waits a moment for company
		}
		select {
		case <-poked:
		case <-wake:
		case <-settling:
			settling = nil
		case <-beat.C:
			if !s.h.Clock.Now().Before(s.login.Expires) {
				_ = s.refresh() //nolint:errcheck // says bye
				return nil
			}
			if err := s.send("ping", strconv.FormatInt(s.h.Clock.Now().UnixMilli(), 10)); err != nil {
				return nil
			}
			continue
		case <-stream.Ended():
			_ = s.refresh() //nolint:errcheck // says bye when the log-in ended; when the server stops the page must come back instead
			return nil
		case <-s.ctx.Done():
			return nil
		}
		changes, ok := s.h.Board.Since(s.at)
		if !ok {
			s.at = s.h.Board.Newest()
			if err := s.send("reset", ""); err != nil {
				return nil
			}
			continue
		}
		if full := s.h.Desk.Storage().Full(); full != s.full {
			s.full = full
			if err := s.component("badges", views.StorageBanner(s.lang, full)); err != nil {
				return nil
			}
		}
		if len(changes) == 0 {
			continue
		}
		if err := s.changes(changes); err != nil {
			return nil
		}
		if settling == nil {
			settling = time.After(s.h.Settle)
		}
	}
}

// changes sends what a batch of changes means for this viewer: rows, chats that have news, numbers, people.
func (s *streamer) changes(changes []desk.Change) error {
	if err := s.rights(changes); err != nil {
		return err
	}
	v := s.login.Viewer
	rows, order := map[int64]models.Row{}, []int64{}
	latest := map[int64]int64{}
	people := false
	for _, c := range changes {
		s.at = c.Event.ID
		if c.Event.Kind == models.EventPresence {
			people = true
		}
		if c.Row == nil || !mayConcern(v, *c.Row) {
			continue
		}
		if _, seen := rows[c.Row.ID]; !seen {
			order = append(order, c.Row.ID)
		}
		rows[c.Row.ID] = *c.Row
		latest[c.Row.ID] = max(latest[c.Row.ID], c.Event.MessageID)
	}
	for _, id := range order {
		list := v.ListOf(rows[id])
		if list == desk.ListNone { // gone from this viewer's lists: the browser learns that, and nothing else of it
			if err := s.component("row", views.ConvoRow(views.RowProps{L: s.lang, ID: uint(id)})); err != nil {
				return err
			}
			continue
		}
		if err := s.component("row", views.ConvoRow(s.h.row(s.lang, v, rows[id], list, 0))); err != nil {
			return err
		}
		if err := s.send("chat", fmt.Sprintf(`{"id":%d,"message":%d}`, id, latest[id])); err != nil {
			return err
		}
	}
	counts := s.h.Board.Counts(v)
	if people {
		if me, ok := s.h.Board.Agent(v.Agent.ID); ok {
			if err := s.component("presence", views.PresenceFragment(s.lang, s.h.self(me, counts))); err != nil {
				return err
			}
		}
	}
	return s.component("badges", views.BadgesFragment(badges(s.lang, counts)))
}

// mayConcern reports whether the session can be, or have been, in a list of the viewer.
func mayConcern(v desk.Viewer, r models.Row) bool {
	return v.Member(r.GroupID) || v.ListOf(r) != desk.ListNone
}

// rights looks at who the viewer is now when a change may have touched that. A page whose viewer may see more or less than before must
// load its lists anew.
func (s *streamer) rights(changes []desk.Change) error {
	for _, c := range changes {
		if c.Event.Kind == models.EventAgent || c.Event.Kind == models.EventLogin && c.Event.AgentID == s.login.Viewer.Agent.ID {
			before, lang := s.login.Viewer, s.lang
			if err := s.refresh(); err != nil {
				return err
			}
			if now := s.login.Viewer; s.lang != lang || now.Agent.Role != before.Agent.Role || !slices.Equal(now.Groups, before.Groups) {
				return s.send("reset", "")
			}
			return nil
		}
	}
	return nil
}

// refresh loads the viewer anew. When the log-in has ended it says so to the page, which then leaves, and fails.
func (s *streamer) refresh() error {
	fresh, err := s.h.Refresh(s.ctx, s.login.ID)
	if errors.Is(err, models.ErrNotFound) {
		_ = s.send("bye", "") //nolint:errcheck // the page may be gone already
	}
	if err != nil {
		return err
	}
	s.login, s.lang = fresh, langOf(fresh, s.accept)
	return nil
}

func (s *streamer) component(event string, component interface {
	Render(ctx context.Context, w io.Writer) error
}) error {
	html, err := text(s.ctx, component)
	if err != nil {
		s.h.Log.ErrorContext(s.ctx, "rendering for a stream failed", "event", event, "err", err)
		return err
	}
	return s.send(event, html)
}

// newlines of HTML are all the same; the format of the stream ends a line at each of them, a lone CR too.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// send frames one event. The format is by lines, so every line of the HTML is a data field of its own.
func (s *streamer) send(event, data string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "id: %s\nevent: %s\n", s.h.cursor(s.at), event)
	for line := range strings.SplitSeq(newlines.Replace(data), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteString("\n")
	if err := s.control.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(s.out, b.String()); err != nil {
		return err
	}
	return s.control.Flush()
}
