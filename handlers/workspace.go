package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"kefu/internal/desk"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/views"
)

// Workspace serves the page where agents talk, and what they do there.
type Workspace struct{ *Site }

const (
	threadLength = 60  // messages shown at once
	listLength   = 200 // closed sessions shown at once
)

// Index handles GET /c: the list, no chat open. A script that asks for X-Fragment: list gets the list alone.
func (h *Workspace) Index(c echo.Context) error {
	if c.Request().Header.Get("X-Fragment") == "list" {
		l := loginOf(c)
		list, err := h.list(c, l.Viewer, currentOf(c))
		if err != nil {
			return err
		}
		return render(c, http.StatusOK, views.ListFragment(list))
	}
	return h.show(c, http.StatusOK, 0, "list", seen{})
}

// Chat handles GET /c/:id.
func (h *Workspace) Chat(c echo.Context) error {
	sessionID, err := id(c, "id")
	if err != nil {
		return err
	}
	return h.show(c, http.StatusOK, sessionID, "chat", seen{})
}

// Customer handles GET /c/:id/customer: the same page, on a phone the customer's side of it.
func (h *Workspace) Customer(c echo.Context) error {
	sessionID, err := id(c, "id")
	if err != nil {
		return err
	}
	return h.show(c, http.StatusOK, sessionID, "panel", seen{})
}

// seen is what a refused form shows again.
type seen struct {
	alert      string
	text, mode string
	key        string
}

func (h *Workspace) show(c echo.Context, status int, sessionID int64, view string, again seen) error {
	l := loginOf(c)
	p := views.WorkspaceProps{Page: h.page(c, "chats", ""), View: view}
	var err error
	if p.List, err = h.list(c, l.Viewer, sessionID); err != nil {
		return err
	}
	if sessionID != 0 {
		row, err := h.Desk.Open(c.Request().Context(), l.Viewer, sessionID)
		if err != nil {
			return err
		}
		chat, err := h.chat(c, l.Viewer, row, again)
		if err != nil {
			return err
		}
		panel, err := h.panel(c.Request().Context(), l.Viewer, p.Page.L, row)
		if err != nil {
			return err
		}
		p.Chat, p.Panel, p.Page.Title = &chat, &panel, chat.Customer.Name
	}
	return render(c, status, views.Workspace(p))
}

// currentOf is the chat that is open on the page that asks for a fragment.
func currentOf(c echo.Context) int64 {
	n, _ := strconv.ParseInt(c.QueryParam("current"), 10, 64) //nolint:errcheck // absent or nonsense: none
	return n
}

// list is the list the page asks for, or the one that holds the open chat.
func (h *Workspace) list(c echo.Context, v desk.Viewer, current int64) (views.ListProps, error) {
	l, ctx := Lang(c), c.Request().Context()
	name := desk.List(c.QueryParam("list"))
	switch name {
	case desk.ListMine, desk.ListQueue, desk.ListTeam, desk.ListClosed:
	default:
		name = desk.ListMine
		if current != 0 {
			row, err := h.Desk.Open(ctx, v, current)
			if err != nil {
				return views.ListProps{}, err
			}
			if name = v.ListOf(row); name == desk.ListNone {
				name = desk.ListClosed
			}
		}
	}
	p := views.ListProps{L: l, Name: string(name), Badges: badges(l, h.Board.Counts(v))}
	rows := h.Board.Rows(v, name)
	if name == desk.ListClosed {
		var err error
		if rows, err = h.closed(ctx, v); err != nil {
			return p, err
		}
	}
	for _, r := range rows {
		p.Rows = append(p.Rows, h.row(l, v, r, name, current))
	}
	sortRows(p.Rows)
	if name == desk.ListMine && len(p.Rows) == 0 {
		if queue := h.Board.Rows(v, desk.ListQueue); len(queue) > 0 {
			p.Longest = h.wait(l, queue[0])
		}
	}
	return p, nil
}

// closed are the sessions the viewer took part in, for supervisors those of their groups, for an admin all.
func (h *Workspace) closed(ctx context.Context, v desk.Viewer) ([]models.Row, error) {
	since := h.Clock.Now().Add(-h.Desk.Settings().ClosedShown)
	switch v.Agent.Role {
	case models.RoleAdmin:
		return h.Store.ClosedRows(ctx, 0, nil, since, listLength)
	case models.RoleSupervisor:
		if len(v.Groups) > 0 {
			return h.Store.ClosedRows(ctx, 0, v.Groups, since, listLength)
		}
	}
	return h.Store.ClosedRows(ctx, v.Agent.ID, nil, since, listLength)
}

// chat is the middle of the page.
func (h *Workspace) chat(c echo.Context, v desk.Viewer, r models.Row, again seen) (views.ChatProps, error) {
	ctx := c.Request().Context()
	before, _ := strconv.ParseInt(c.QueryParam("before"), 10, 64) //nolint:errcheck // absent or nonsense: the newest
	messages, err := h.Desk.Thread(ctx, v, r, before, threadLength+1)
	if err != nil {
		return views.ChatProps{}, err
	}
	p, err := h.chatFrame(ctx, Lang(c), v, r)
	if err != nil {
		return p, err
	}
	if len(messages) > threadLength {
		messages = messages[1:]
		p.Earlier = "/c/" + strconv.FormatInt(r.ID, 10) + "?before=" + strconv.FormatInt(messages[0].ID, 10)
	}
	p.Messages = h.thread(p.L, r, messages, p.Slot == views.SlotMine, nil)
	p.Alert = again.alert
	if again.text != "" && (p.Slot == views.SlotClosed || p.Slot == views.SlotWatch) {
		p.Slot = views.SlotMine // the chat ended or changed hands meanwhile: what was written stays in the box, to be copied
	}
	p.Composer.Text, p.Composer.Mode, p.Composer.Key = again.text, again.mode, again.key
	if p.Composer.Key == "" {
		p.Composer.Key = uuid.NewString()
	}
	if edit, err := strconv.ParseInt(c.QueryParam("edit"), 10, 64); err == nil && again.text == "" {
		for _, m := range messages {
			if m.ID == edit && m.Direction == models.Out {
				p.Composer.Text = m.Text
			}
		}
	}
	return p, nil
}

// chatFrame is the chat without its messages: who may do what, who waits, what may be sent.
func (h *Workspace) chatFrame(ctx context.Context, l texts.Lang, v desk.Viewer, r models.Row) (views.ChatProps, error) {
	s := models.Session{ID: r.ID, State: r.State, GroupID: r.GroupID, AgentID: r.AgentID}
	p := views.ChatProps{
		L: l, ID: uint(r.ID), Customer: customerOf(l, r), Channel: r.ChannelName, Group: r.GroupName, Wait: h.wait(l, r),
		CanClose: v.MayClose(s), LastAsks: r.UnansweredSince != nil, Unread: s.Held(v.Agent.ID) && r.Unread > 0,
	}
	switch {
	case r.State == models.Closed:
		p.Slot = views.SlotClosed
		reason := texts.T(l, texts.Key("page.reason."+string(r.CloseReason)), nil)
		p.Reason = texts.T(l, "page.slot.closed", texts.Args{"reason": reason})
		p.Detail = texts.T(l, "page.slot.closed.detail", nil)
	case r.State == models.Waiting && v.MayClaim(r.State, r.GroupID):
		p.Slot = views.SlotClaim
		p.Detail = texts.T(l, "page.slot.claim.detail", texts.Args{"group": r.GroupName, "n": h.Board.Position(r)})
	case v.MayReply(s):
		p.Slot = views.SlotMine
		face, err := h.Store.Face(ctx, r.ChannelID, v.Agent.ID)
		if err != nil {
			return p, err
		}
		p.Composer.Face = views.Person{ID: uint(v.Agent.ID), Name: v.Agent.Name}
		if face.Nick != "" {
			p.Composer.Face.Name = face.Nick
		}
		if !s.Held(v.Agent.ID) {
			p.Composer.Holder = h.colleague(l, r.AgentID).Name
		}
	default:
		p.Slot = views.SlotWatch
		holder := h.colleague(l, r.AgentID)
		p.Holder = &holder
		p.Reason = texts.T(l, "page.slot.watch", texts.Args{"name": holder.Name})
		p.Detail = texts.T(l, "page.slot.watch.detail", nil)
	}
	allowance, err := h.Desk.Allowance(ctx, r.ConversationID)
	p.Limits = h.limits(l, allowance)
	return p, err
}

// panel is what is known of the customer.
func (h *Workspace) panel(ctx context.Context, v desk.Viewer, l texts.Lang, r models.Row) (views.PanelProps, error) {
	p := views.PanelProps{
		L: l, ChatID: uint(r.ID), Customer: customerOf(l, r), Subtitle: r.ChannelName, State: string(r.State), Channel: r.ChannelName, Group: r.GroupName,
		Facts: []views.Fact{{Label: texts.T(l, "page.fact.openid", nil), Value: r.ExternalID, Mono: true}},
	}
	customer, err := h.Store.Customer(ctx, r.CustomerID)
	if err != nil {
		return p, err
	}
	p.Facts = append(p.Facts, views.Fact{Label: texts.T(l, "page.fact.since", nil), Value: customer.CreatedAt.In(h.Zone).Format("2006-01-02 15:04")})
	if !customer.Follows {
		p.Facts = append(p.Facts, views.Fact{Label: texts.T(l, "page.fact.follows", nil), Value: texts.T(l, "page.fact.follows.not", nil)})
	}
	if r.AgentID != nil {
		holder := h.colleague(l, r.AgentID)
		p.Holder = &holder
		if a, ok := h.Board.Agent(*r.AgentID); ok {
			p.Load, p.Capacity = h.Board.Held(a.ID), a.Capacity
		}
		face, err := h.Store.Face(ctx, r.ChannelID, *r.AgentID)
		if err != nil {
			return p, err
		}
		p.Face = face.Account
	}
	if r.AssignedAt != nil {
		p.Entered = r.AssignedAt.In(h.Zone).Format("15:04")
		if r.State == models.Active {
			span := texts.T(l, "page.panel.moment", nil)
			if since := h.Clock.Now().Sub(*r.AssignedAt); since >= time.Minute {
				span = left(l, since)
			}
			p.Entered += texts.T(l, "page.panel.for", texts.Args{"span": span})
		}
	}
	earlier, err := h.Desk.Earlier(ctx, v, r, 6)
	if err != nil {
		return p, err
	}
	for _, e := range earlier {
		row := views.HistoryRow{ID: uint(e.ID), Title: e.LastText, Result: texts.T(l, texts.Key("page.reason."+string(e.CloseReason)), nil)}
		if e.ClosedAt != nil {
			row.Date, row.Datetime = h.clockText(*e.ClosedAt), machineTime(*e.ClosedAt)
		}
		if e.AgentName != nil {
			row.Agent = *e.AgentName
		}
		p.History = append(p.History, row)
	}
	p.Total = len(p.History)
	return p, nil
}

// Messages handles GET /c/:id/messages?after=: what a page that shows the chat has missed.
func (h *Workspace) Messages(c echo.Context) error {
	sessionID, err := id(c, "id")
	if err != nil {
		return err
	}
	ctx, v := c.Request().Context(), loginOf(c).Viewer
	row, err := h.Desk.Open(ctx, v, sessionID)
	if err != nil {
		return err
	}
	after, err := strconv.ParseInt(c.QueryParam("after"), 10, 64)
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest)
	}
	p, err := h.update(ctx, Lang(c), v, row, after)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.ThreadUpdate(p))
}

const (
	// changedWithin is how far back a page looks for messages it knows whose state changed: longer than any stream is silent.
	changedWithin = 10 * time.Minute
	// updateLength is how many of the newest messages an update looks at; who was away for longer reads on at "earlier messages".
	updateLength = 200
)

func (h *Workspace) update(ctx context.Context, l texts.Lang, v desk.Viewer, row models.Row, after int64) (views.ChatProps, error) {
	p, err := h.chatFrame(ctx, l, v, row)
	if err != nil {
		return p, err
	}
	messages, err := h.Desk.Thread(ctx, v, row, 0, updateLength)
	if err != nil {
		return p, err
	}
	p.Composer.Key = uuid.NewString()
	since := h.Clock.Now().Add(-changedWithin)
	for i, m := range messages { // each by itself: what stands before a changed message is known to the page only
		changed := m.Direction == models.Out && m.UpdatedAt.After(since) // only what we send has a state that changes
		if m.ID <= after && !changed {
			continue
		}
		var before *models.Message
		if i > 0 {
			before = &messages[i-1]
		}
		p.Messages = append(p.Messages, h.thread(l, row, messages[i:i+1], p.Slot == views.SlotMine, before)...)
	}
	return p, nil
}

// Send handles POST /c/:id/messages: a reply, or a note for colleagues.
func (h *Workspace) Send(c echo.Context) error {
	var form struct {
		ID   int64  `param:"id"`
		Text string `form:"text"`
		Mode string `form:"mode"`
		Key  string `form:"key"`
	}
	if err := c.Bind(&form); err != nil {
		return err
	}
	ctx, v := c.Request().Context(), loginOf(c).Viewer
	if len(form.Key) > 64 {
		return echo.NewHTTPError(http.StatusBadRequest)
	}
	r := desk.Reply{SessionID: form.ID, Text: form.Text, Key: form.Key}
	var stored []models.Message
	var err error
	if form.Mode == "note" {
		var note models.Message
		note, err = h.Desk.Note(ctx, v, r)
		stored = []models.Message{note}
	} else {
		stored, err = h.Desk.Reply(ctx, v, r)
	}
	if no, ok := errors.AsType[*desk.Refusal](err); ok {
		return h.sendAgain(c, form.ID, no, seen{alert: refusal(c, no), text: form.Text, mode: form.Mode, key: form.Key})
	}
	if err != nil {
		return err
	}
	if !isHTMX(c) {
		return seeOther(c, "/c/"+strconv.FormatInt(form.ID, 10))
	}
	row, err := h.Desk.Open(ctx, v, form.ID)
	if err != nil {
		return err
	}
	p, err := h.update(ctx, Lang(c), v, row, stored[0].ID-1)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.ThreadUpdate(p))
}

// sendAgain shows the form with what was written and why it was refused.
func (h *Workspace) sendAgain(c echo.Context, sessionID int64, no *desk.Refusal, again seen) error {
	if !isHTMX(c) {
		return h.show(c, Status(no), sessionID, "chat", again)
	}
	return h.toast(c, no)
}

// Claim handles POST /c/:id/claim.
func (h *Workspace) Claim(c echo.Context) error {
	return h.act(c, func(ctx context.Context, v desk.Viewer, sessionID int64) error {
		return h.Desk.Claim(ctx, v, sessionID)
	})
}

// Close handles POST /c/:id/close.
func (h *Workspace) Close(c echo.Context) error {
	return h.act(c, func(ctx context.Context, v desk.Viewer, sessionID int64) error {
		return h.Desk.Close(ctx, v, sessionID)
	})
}

// act does something with the whole chat and shows it; a refusal is shown on it.
func (h *Workspace) act(c echo.Context, do func(ctx context.Context, v desk.Viewer, sessionID int64) error) error {
	sessionID, err := id(c, "id")
	if err != nil {
		return err
	}
	err = do(c.Request().Context(), loginOf(c).Viewer, sessionID)
	if no, ok := errors.AsType[*desk.Refusal](err); ok {
		_, invisible := errors.AsType[*desk.Refusal](h.visible(c, sessionID))
		if invisible {
			return no
		}
		return h.show(c, formStatus(c, no), sessionID, "chat", seen{alert: refusal(c, no)})
	}
	if err != nil {
		return err
	}
	return seeOther(c, "/c/"+strconv.FormatInt(sessionID, 10))
}

func (h *Workspace) visible(c echo.Context, sessionID int64) error {
	_, err := h.Desk.Open(c.Request().Context(), loginOf(c).Viewer, sessionID)
	return err
}

// Read handles POST /c/:id/read.
func (h *Workspace) Read(c echo.Context) error {
	sessionID, err := id(c, "id")
	if err != nil {
		return err
	}
	if err := h.Desk.Read(c.Request().Context(), loginOf(c).Viewer, sessionID); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// Resend handles POST /c/:id/messages/:mid/resend.
func (h *Workspace) Resend(c echo.Context) error { return h.actOn(c, h.Desk.Resend) }

// Skip handles POST /c/:id/messages/:mid/skip.
func (h *Workspace) Skip(c echo.Context) error { return h.actOn(c, h.Desk.LetOthersPass) }

// Withdraw handles POST /c/:id/messages/:mid/withdraw.
func (h *Workspace) Withdraw(c echo.Context) error { return h.actOn(c, h.Desk.Withdraw) }

// actOn does something with one message; the stream brings what became of it.
func (h *Workspace) actOn(c echo.Context, do func(ctx context.Context, v desk.Viewer, sessionID, messageID int64) error) error {
	sessionID, err := id(c, "id")
	if err != nil {
		return err
	}
	messageID, err := id(c, "mid")
	if err != nil {
		return err
	}
	err = do(c.Request().Context(), loginOf(c).Viewer, sessionID, messageID)
	if no, ok := errors.AsType[*desk.Refusal](err); ok {
		if isHTMX(c) {
			return h.toast(c, no)
		}
		return h.show(c, Status(no), sessionID, "chat", seen{alert: refusal(c, no)})
	}
	if err != nil {
		return err
	}
	if isHTMX(c) {
		return c.NoContent(http.StatusNoContent)
	}
	return seeOther(c, "/c/"+strconv.FormatInt(sessionID, 10))
}

// toast says a refusal in the corner of a page that goes on.
func (s *Site) toast(c echo.Context, no *desk.Refusal) error {
	p := views.ToastProps{ID: "toast-" + uuid.NewString(), Kind: "alert", Text: refusal(c, no)}
	return render(c, http.StatusUnprocessableEntity, views.ToastOOB(Lang(c), p))
}

// left says a length of time in minutes, or hours and minutes.
func left(l texts.Lang, d time.Duration) string {
	if d < time.Hour {
		return texts.T(l, "page.span.minutes", texts.Args{"n": int(d / time.Minute)})
	}
	return spanText(l, int(d/time.Minute)*60)
}
