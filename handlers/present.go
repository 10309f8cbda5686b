package handlers

import (
	"encoding/json"
	"fmt"
	"time"

	"kefu/internal/desk"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/views"
)

// customerName is what a customer is called: the agents' name for them, what they called themself, or the end of their id (P-1.7).
func customerName(l texts.Lang, remark, name, externalID string) string {
	switch {
	case remark != "":
		return remark
	case name != "":
		return name
	}
	tail := []rune(externalID)
	if len(tail) > 4 {
		tail = tail[len(tail)-4:]
	}
	return texts.T(l, "page.customer.unnamed", texts.Args{"id": string(tail)})
}

func rowName(l texts.Lang, r models.Row) string {
	return customerName(l, r.Remark, r.CustomerName, r.ExternalID)
}

func customerOf(l texts.Lang, r models.Row) views.Person {
	return views.Person{ID: uint(r.CustomerID), Name: rowName(l, r), Channel: r.ChannelKind}
}

// clockText is the time of day in the installation's zone, or the date when it was another day.
func (s *Site) clockText(at time.Time) string {
	at, now := at.In(s.Zone), s.Clock.Now().In(s.Zone)
	switch {
	case at.YearDay() == now.YearDay() && at.Year() == now.Year():
		return at.Format("15:04")
	case at.Year() == now.Year():
		return at.Format("01-02")
	}
	return at.Format("2006-01-02")
}

func machineTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// wait is the customer's running clock: since when, and how long the group allows (P-2.9). Nil: nobody waits.
func (s *Site) wait(l texts.Lang, r models.Row) *views.WaitProps {
	w := views.WaitProps{L: l, Now: s.Clock.Now().UnixMilli()}
	switch {
	case r.State == models.Waiting:
		w.Since, w.Target = r.ArrivalAt.UnixMilli(), r.TargetTake
	case r.State == models.Active && r.UnansweredSince != nil:
		w.Since, w.Target = r.UnansweredSince.UnixMilli(), r.TargetNext
		if r.AssignedAt != nil && !r.UnansweredSince.After(*r.AssignedAt) { // the first answer: from when somebody had it in hand
			w.Since, w.Target = r.AssignedAt.UnixMilli(), r.TargetFirst
		}
	default:
		return nil
	}
	return &w
}

// closing is how near the end of the reply window is worth saying in the list.
const closing = 2 * time.Hour

// row is one line of a list as this viewer sees it; in no list the browser takes it away.
func (s *Site) row(l texts.Lang, v desk.Viewer, r models.Row, list desk.List, current int64) views.RowProps {
	now := s.Clock.Now()
	p := views.RowProps{
		L: l, ID: uint(r.ID), List: string(list), Customer: customerOf(l, r), Last: lastWords(l, r), Ours: r.LastDirection == models.Out,
		Icon: kindIcon(r.LastKind), Unread: r.Unread, Current: r.ID == current, Wait: s.wait(l, r),
		Time: s.clockText(r.LastAt), Datetime: machineTime(r.LastAt), Order: views.OrderQuiet(r.LastAt.UnixMilli()),
	}
	if p.Wait != nil {
		p.Order = views.OrderWaiting(p.Wait.Since)
	}
	if list != desk.ListMine {
		p.Unread = 0 // what is unread is its holder's matter
	}
	switch {
	case list == desk.ListQueue:
		p.Position, p.Group = s.Board.Position(r), r.GroupName
		p.Claim = v.MayClaim(r.State, r.GroupID)
		p.Order = views.OrderWaiting(r.ArrivalAt.UnixMilli())
	case r.State == models.Closed && r.ClosedAt != nil:
		p.Order, p.Time, p.Datetime = views.OrderQuiet(r.ClosedAt.UnixMilli()), s.clockText(*r.ClosedAt), machineTime(*r.ClosedAt)
	case r.LastDirection == models.Out && r.LastState == models.FailedState:
		p.Tag, p.TagText = "failed", texts.T(l, "page.row.failed", nil)
	case r.LastDirection == models.Out && r.LastState == models.UnknownState:
		p.Tag, p.TagText = "unknown", texts.T(l, "page.row.unknown", nil)
	case r.State == models.Active && p.Wait == nil && r.WindowEnds != nil && r.WindowEnds.After(now) && r.WindowEnds.Sub(now) < closing:
		p.Tag, p.TagText = "closing", texts.T(l, "page.row.closing", texts.Args{"n": int(r.WindowEnds.Sub(now)/time.Minute) + 1})
	}
	if r.AgentName != nil && (list == desk.ListTeam || list == desk.ListClosed) {
		p.Holder = *r.AgentName
	}
	return p
}

// lastWords is the beginning of the last message, or its kind in brackets.
func lastWords(l texts.Lang, r models.Row) string {
	kind := ""
	switch r.LastKind {
	case "text", "note", "":
		return r.LastText
	case "image", "voice", "video", "shortvideo", "location", "link", "file":
		kind = "[" + texts.T(l, texts.Key("page.kind."+r.LastKind), nil) + "]"
	case "unsupported":
		return "[" + texts.T(l, "page.row.unsupported", nil) + "]"
	default:
		return "[" + texts.T(l, "page.row.other", nil) + "]"
	}
	if r.LastText != "" {
		return kind + " " + r.LastText
	}
	return kind
}

func kindIcon(kind string) string {
	if kind == "voice" {
		return "mic"
	}
	return ""
}

// thread turns messages into bubbles, oldest first. The first of a stretch of one sender within three minutes carries the name.
func (s *Site) thread(l texts.Lang, r models.Row, list []models.Message, mayAct bool, before *models.Message) []views.MessageProps {
	out := make([]views.MessageProps, 0, len(list))
	for i := range list {
		m := list[i]
		p := s.message(l, r, m, mayAct)
		if before != nil {
			p.Cont = sameSender(*before, m) && m.ShownAt.Sub(before.ShownAt) < 3*time.Minute && m.ShownAt.Sub(before.ShownAt) > -3*time.Minute
		}
		if before == nil || day(before.CreatedAt, s.Zone) != day(m.CreatedAt, s.Zone) {
			p.Day, p.DayID, p.Cont = s.dayName(l, m.CreatedAt), day(m.CreatedAt, s.Zone), false
		}
		before = &list[i]
		out = append(out, p)
	}
	return out
}

func sameSender(a, b models.Message) bool {
	if a.Direction != b.Direction || a.Passive != b.Passive || a.Direction == models.System || a.Direction == models.Note {
		return false
	}
	return a.Direction == models.In || a.AgentID != nil && b.AgentID != nil && *a.AgentID == *b.AgentID && a.Face == b.Face
}

func day(at time.Time, zone *time.Location) string { return at.In(zone).Format("2006-01-02") }

func (s *Site) dayName(l texts.Lang, at time.Time) string {
	local, now := at.In(s.Zone), s.Clock.Now().In(s.Zone)
	date := fmt.Sprintf("%d 月 %d 日", local.Month(), local.Day())
	if l == texts.En {
		date = local.Format("2 Jan")
	}
	args := texts.Args{"date": date, "y": local.Year(),
		"weekday": texts.T(l, texts.Key(fmt.Sprintf("page.weekday.%d", local.Weekday())), nil)}
	switch {
	case day(at, s.Zone) == now.Format("2006-01-02"):
		return texts.T(l, "page.day.today", args)
	case local.Year() == now.Year():
		return texts.T(l, "page.day.date", args)
	}
	return texts.T(l, "page.day.year", args)
}

func (s *Site) message(l texts.Lang, r models.Row, m models.Message, mayAct bool) views.MessageProps {
	p := views.MessageProps{
		L: l, ID: uint(m.ID), ChatID: uint(r.ID), Time: m.ShownAt.In(s.Zone).Format("15:04"), Datetime: machineTime(m.ShownAt),
		Content: content(m),
	}
	if m.IdemKey != nil {
		p.Key = desk.FormKey(*m.IdemKey)
	}
	switch m.Direction {
	case models.In:
		p.Kind, p.Who = views.MessageIn, customerOf(l, r)
	case models.Note:
		p.Kind, p.Who = views.MessageNote, s.colleague(l, m.AgentID)
	case models.System:
		p.Kind = views.MessageSystem
		p.Icon, p.Content.Text = s.systemLine(l, m)
	default:
		p.Kind, p.Who = views.MessageOut, s.colleague(l, m.AgentID)
		if m.FaceNick != "" {
			p.Who.Name = m.FaceNick
		}
		if m.Passive {
			p.Auto, p.Who = true, views.Person{Name: r.ChannelName}
		}
		p.Delivery = s.delivery(l, r, m, mayAct)
	}
	return p
}

func (s *Site) delivery(l texts.Lang, r models.Row, m models.Message, mayAct bool) views.DeliveryProps {
	d := views.DeliveryProps{State: string(m.State), Channel: r.ChannelKind}
	if m.Parts > 1 {
		d.Part = fmt.Sprintf("%d/%d", m.Part, m.Parts)
	}
	open := mayAct && r.State == models.Active && !m.Passive && m.ResentAt == nil
	switch m.State {
	case models.FailedState:
		d.Reason, d.Cure = texts.DeliveryReason(l, m.ErrorClass, m.ErrorCode, m.ErrorText)
		d.CanResend, d.CanEdit = open, open
	case models.UnknownState:
		d.CanResend = open
	case models.Queued:
		if m.RetryAt != nil {
			d.RetryIn = max(1, int(m.RetryAt.Sub(s.Clock.Now()).Seconds()))
			d.CanSkip, d.CanWithdraw = mayAct, mayAct
		}
	}
	return d
}

// colleague is an agent as others see them; the system when there is none.
func (s *Site) colleague(l texts.Lang, agentID *int64) views.Person {
	if agentID == nil {
		return views.Person{Name: texts.T(l, "page.system", nil)}
	}
	a, ok := s.Board.Agent(*agentID)
	if !ok {
		return views.Person{ID: uint(*agentID), Name: texts.T(l, "page.colleague", nil)}
	}
	return views.Person{ID: uint(a.ID), Name: a.Name}
}

// content is what the customer or we said, by kind.
func content(m models.Message) views.ContentProps {
	c := views.ContentProps{Kind: m.Kind, Text: m.Text}
	if m.Direction != models.In || m.Data == "" {
		if m.Direction != models.In {
			c.Kind = "text"
		}
		return c
	}
	var data struct{ Title, Description, URL, Type string }
	if err := json.Unmarshal([]byte(m.Data), &data); err != nil {
		return c
	}
	switch m.Kind {
	case "link":
		c.Title, c.Desc, c.URL, c.Text = data.Title, data.Description, data.URL, ""
	case "unknown":
		c.Kind, c.Text = data.Type, ""
		if c.Kind == "" {
			c.Kind = "unknown"
		}
	}
	return c
}

// systemLine says what happened, with the icon before it.
func (s *Site) systemLine(l texts.Lang, m models.Message) (icon, line string) {
	var d struct {
		Waited            int
		Key, Text, Reason string
	}
	if m.Data != "" {
		if err := json.Unmarshal([]byte(m.Data), &d); err != nil {
			s.Log.Warn("system line is not readable", "message", m.ID, "err", err)
		}
	}
	args := texts.Args{"name": s.colleague(l, m.AgentID).Name, "waited": spanText(l, d.Waited), "key": d.Key, "text": d.Text}
	if d.Reason != "" {
		args["reason"] = texts.T(l, texts.Key("page.reason."+d.Reason), nil)
	}
	key := texts.Key("page.sys." + m.Kind)
	switch m.Kind {
	case "assigned", "claimed", "claimed_over":
		icon = "headset"
	case "closed":
		icon = "circle-check"
		if m.AgentID == nil {
			key = "page.sys.closed_by_system"
		}
	case "menu", "view", "choice", "scan":
		icon = "menu"
		if d.Key == "" && m.Kind != "choice" {
			key += "_plain"
		}
	}
	return icon, texts.T(l, key, args)
}

// spanText says a length of time: "1 分 12 秒".
func spanText(l texts.Lang, seconds int) string {
	switch {
	case seconds < 60:
		return texts.T(l, "page.span.s", texts.Args{"s": seconds})
	case seconds < 3600:
		return texts.T(l, "page.span.ms", texts.Args{"m": seconds / 60, "s": seconds % 60})
	}
	return texts.T(l, "page.span.hm", texts.Args{"h": seconds / 3600, "m": seconds % 3600 / 60})
}

// limits is what may still be sent (P-4.1).
func (s *Site) limits(l texts.Lang, a desk.Allowance) views.LimitsProps {
	p := views.LimitsProps{L: l, Now: s.Clock.Now().UnixMilli(), Left: a.Left, Of: a.Of, Extra: a.Minute}
	if !a.Ends.IsZero() {
		p.Until = a.Ends.UnixMilli()
	}
	if !a.MinuteEnds.IsZero() {
		p.ExtraUntil = a.MinuteEnds.UnixMilli()
	}
	return p
}
