package handlers

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/internal/platform"
	"kefu/models"
)

// Callbacks serves what the platforms call.
type Callbacks struct {
	*Site
	Receiver ReceiverFunc
	waits    chan struct{}
}

// ReceiverFunc finds the adapter of the channel with the key; models.ErrNotFound when there is none.
type ReceiverFunc func(ctx context.Context, kind platform.Kind, key string) (models.Channel, platform.Receiver, error)

// mostWaits is how many requests may stay silent at a time (architecture.md §2).
const mostWaits = 512

// patience is how long WeChat waits for an answer before it hangs up and sends the same push again (wechat.md §7.7). mostSilent is when
// we hang up ourselves: surely after the platform did, or would have.
const (
	patience   = 5 * time.Second
	mostSilent = patience + time.Second
)

// inTime is when an answer surely still arrives: the platform's clock started earlier than ours (P-4.2).
const inTime = 4 * time.Second

// NewCallbacks makes the handler.
func NewCallbacks(s *Site, receiver ReceiverFunc) *Callbacks {
	return &Callbacks{Site: s, Receiver: receiver, waits: make(chan struct{}, mostWaits)}
}

// Verify handles GET /callbacks/wechat/:key, the platform's check of our address.
func (h *Callbacks) Verify(c echo.Context) error {
	_, receiver, err := h.Receiver(c.Request().Context(), platform.WeChat, c.Param("key"))
	if errors.Is(err, models.ErrNotFound) {
		return c.NoContent(http.StatusNotFound)
	}
	if err != nil {
		return err
	}
	answer, err := receiver.Verify(c.Request())
	if err != nil {
		return h.refused(c, err)
	}
	echoed, ok := answer.(platform.Echo)
	if !ok {
		return echo.NewHTTPError(http.StatusForbidden)
	}
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(echoed.Text))
}

// Push handles POST /callbacks/wechat/:key. It answers only after the push is on disk. When that does not work in time it stays silent
// until the platform hangs up: a time-out is the only failure that the platform is documented to repeat. The work goes on meanwhile,
// and the repetition gets its answer.
func (h *Callbacks) Push(c echo.Context) error {
	r := c.Request()
	started := h.Clock.Now()
	channel, receiver, err := h.Receiver(r.Context(), platform.WeChat, c.Param("key"))
	if errors.Is(err, models.ErrNotFound) {
		return c.NoContent(http.StatusNotFound)
	}
	if err != nil {
		h.Log.ErrorContext(r.Context(), "callback of a channel that cannot be used", "err", err)
		return h.silence(c, started)
	}
	in, write, err := receiver.Parse(r)
	if err != nil {
		return h.refused(c, err)
	}
	type outcome struct {
		got desk.Received
		err error
	}
	done := make(chan outcome, 1)
	detached := context.WithoutCancel(r.Context())
	go func() { // ends with the transaction; the store waits for it when it closes
		got, err := h.Desk.Receive(detached, channel, in)
		done <- outcome{got, err}
	}()
	late := h.Clock.NewTimer(patience)
	defer late.Stop()
	select {
	case o := <-done:
		if o.err != nil {
			h.Log.ErrorContext(r.Context(), "push not stored, left for the platform to repeat", "channel", channel.ID, "err", o.err)
			return h.silence(c, started)
		}
		return h.answer(c, o.got, write, h.Clock.Now().Sub(started) < inTime)
	case <-late.C:
	case <-r.Context().Done():
	}
	h.Log.WarnContext(r.Context(), "push not stored in time, left for the platform to repeat", "channel", channel.ID)
	return h.silence(c, started)
}

// answer writes what the desk says and notes whether the words went out in time.
func (h *Callbacks) answer(c echo.Context, got desk.Received, write platform.AnswerFunc, inTime bool) error {
	err := writeWhole(c, got.Answer, write)
	if got.MessageID != 0 {
		if noted := h.Desk.Answered(context.WithoutCancel(c.Request().Context()), got.MessageID, err == nil && inTime); noted != nil {
			h.Log.ErrorContext(c.Request().Context(), "passive answer not noted", "message", got.MessageID, "err", noted)
		}
	}
	if err != nil {
		h.Log.WarnContext(c.Request().Context(), "answer not written", "err", err)
	}
	return nil
}

// writeWhole sends the answer off at once, so that what is noted after it does not hold it back.
func writeWhole(c echo.Context, answer platform.Answer, write platform.AnswerFunc) error {
	buffer := answerBuffer{header: http.Header{}, status: http.StatusOK}
	if err := write(&buffer, answer); err != nil {
		return err
	}
	for name, values := range buffer.header {
		c.Response().Header()[name] = values
	}
	c.Response().Header().Set("Content-Length", strconv.Itoa(buffer.body.Len()))
	c.Response().WriteHeader(buffer.status)
	if _, err := c.Response().Write(buffer.body.Bytes()); err != nil {
		return err
	}
	return http.NewResponseController(c.Response()).Flush()
}

type answerBuffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *answerBuffer) Header() http.Header         { return b.header }
func (b *answerBuffer) WriteHeader(status int)      { b.status = status }
func (b *answerBuffer) Write(p []byte) (int, error) { return b.body.Write(p) }

// silence keeps the request open until the platform hangs up, and then drops it without an answer.
func (h *Callbacks) silence(c echo.Context, started time.Time) error {
	select {
	case h.waits <- struct{}{}:
		defer func() { <-h.waits }()
		_ = clock.Sleep(c.Request().Context(), h.Clock, mostSilent-h.Clock.Now().Sub(started)) //nolint:errcheck // ends when the platform hung up, or then
	default: // too many wait already
	}
	panic(http.ErrAbortHandler) // the one way net/http knows to drop a connection without an answer
}

// refused answers what does not come from the platform, with nothing of the reason in it.
func (h *Callbacks) refused(c echo.Context, err error) error {
	no, ok := errors.AsType[*platform.Refused](err)
	if !ok {
		return err
	}
	h.Log.WarnContext(c.Request().Context(), "callback refused", "reason", no.Reason, "status", no.Status, "ip", c.RealIP())
	return c.NoContent(no.Status)
}

// Health answers whether the process lives and whether it can do its work.
type Health struct{ *Site }

// Live handles GET /healthz.
func (h *Health) Live(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// Ready handles GET /readyz: 503 while nothing can be stored, for example on a full disk.
func (h *Health) Ready(c echo.Context) error {
	if h.Site.Ready != nil && !h.Site.Ready() {
		return c.String(http.StatusServiceUnavailable, "starting\n")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), 3*time.Second)
	defer cancel()
	if err := h.Store.CheckWritable(ctx); err != nil {
		h.Log.ErrorContext(ctx, "not ready", "err", err)
		return c.String(http.StatusServiceUnavailable, "storage cannot be written\n")
	}
	return c.String(http.StatusOK, "ready\n")
}
