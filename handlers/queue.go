package handlers

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"kefu/internal/desk"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/views"
)

// Queue serves the board of who waits and who is here.
type Queue struct{ *Site }

// Index handles GET /queue; a script that asks for X-Fragment: queue gets the live part alone.
func (h *Queue) Index(c echo.Context) error {
	p, err := h.props(c)
	if err != nil {
		return err
	}
	if c.Request().Header.Get("X-Fragment") == "queue" {
		return render(c, http.StatusOK, views.QueueLive(p))
	}
	return render(c, http.StatusOK, views.Queue(p))
}

func (h *Queue) props(c echo.Context) (views.QueueProps, error) {
	ctx, v, l := c.Request().Context(), loginOf(c).Viewer, Lang(c)
	p := views.QueueProps{Page: h.page(c, "queue", "")}
	byGroup := map[int64]*views.QueueGroup{}
	groups, err := h.groups(ctx, v)
	if err != nil {
		return p, err
	}
	p.Groups = make([]views.QueueGroup, len(groups))
	for i, g := range groups {
		p.Groups[i] = views.QueueGroup{ID: uint(g.ID), Name: g.Name}
		byGroup[g.ID] = &p.Groups[i]
	}
	for _, r := range h.Board.Rows(v, desk.ListQueue) {
		wait := *h.wait(l, r)
		row := views.QueueRow{ID: uint(r.ID), Position: h.Board.Position(r), Customer: customerOf(l, r), Channel: r.ChannelName, Last: lastWords(l, r),
			Group: r.GroupName, Wait: wait, Claim: v.MayClaim(r.State, r.GroupID)}
		p.Rows = append(p.Rows, row)
		if r.ChannelKind == "dingtalk" {
			p.DingTalk++
		} else {
			p.WeChat++
		}
		if p.Longest == nil {
			p.Longest = &wait
		}
		if g := byGroup[r.GroupID]; g != nil {
			g.Waiting++
			if g.Longest == nil {
				g.Longest = &wait
			}
		}
	}
	channels, err := h.Store.Channels(ctx)
	if err != nil {
		return p, err
	}
	for _, ch := range channels {
		if ch.Alarm != "" {
			p.Alarms = append(p.Alarms, ch.Name+" · "+texts.T(l, texts.Key(ch.Alarm), nil))
		}
	}
	return p, h.people(ctx, &p, v, l, groups, byGroup)
}

// groups are those the viewer serves or leads.
func (h *Queue) groups(ctx context.Context, v desk.Viewer) ([]models.Group, error) {
	all, err := h.Store.Groups(ctx)
	var mine []models.Group
	for _, g := range all {
		if v.Member(g.ID) || v.Supervises(g.ID) {
			mine = append(mine, g)
		}
	}
	return mine, err
}

// people fills in who is here, how busy, and what each group has free.
func (h *Queue) people(ctx context.Context, p *views.QueueProps, v desk.Viewer, l texts.Lang, groups []models.Group, byGroup map[int64]*views.QueueGroup) error {
	memberships, err := h.Store.Memberships(ctx, 0)
	if err != nil {
		return err
	}
	names := map[int64][]string{}
	for _, g := range groups {
		for _, m := range memberships {
			a, known := h.Board.Agent(m.AgentID)
			if m.GroupID != g.ID || !known || a.DisabledAt != nil {
				continue
			}
			names[a.ID] = append(names[a.ID], g.Name)
			q := byGroup[g.ID]
			q.Members++
			if a.Presence == models.Online {
				q.Online++
				q.Capacity += a.Capacity
				q.Free += max(0, a.Capacity-h.Board.Held(a.ID))
			}
		}
	}
	agents, err := h.Store.Agents(ctx)
	if err != nil {
		return err
	}
	for _, a := range agents {
		if names[a.ID] == nil || a.DisabledAt != nil {
			continue
		}
		row := views.QueueAgent{
			Person: views.Person{ID: uint(a.ID), Name: a.Name, Presence: string(a.Presence)}, Groups: strings.Join(names[a.ID], " · "),
			Load: h.Board.Held(a.ID), Capacity: a.Capacity, Me: a.ID == v.Agent.ID,
		}
		if a.Presence != models.Online {
			row.Since = texts.T(l, "page.presence.since", texts.Args{"time": h.clockText(a.PresenceAt)})
		} else {
			p.Online++
		}
		p.Members++
		p.Load += row.Load
		p.Capacity += row.Capacity
		p.Agents = append(p.Agents, row)
	}
	return nil
}
