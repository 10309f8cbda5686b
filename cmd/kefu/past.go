package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"kefu/internal/platform/sim"
	"kefu/internal/texts"
	"kefu/models"
)

// past gives an empty demonstration the chats of the days before. All or nothing, in one transaction: a start that is interrupted is
// made up for by the next. No events are written, for nobody follows them yet. A kept demonstration is left as it is, but the simulator,
// which begins anew each time, gets to know the customers again.
func (a *app) past(ctx context.Context, s *sim.Simulator, app sim.App, people []models.Agent) error {
	for _, c := range pastCustomers {
		if err := s.AddUser(app.AppID, c.openID, c.shown()); err != nil {
			return err
		}
	}
	if used, err := a.used(ctx); err != nil || used {
		return err
	}
	p, err := a.pastOf(ctx, app, people)
	if err != nil {
		return err
	}
	return a.store.InTx(ctx, func(tx *models.Store) error {
		lastID := firstPastID
		for _, c := range pastChats {
			t := pastChatRun{past: p, tx: tx, lastID: &lastID}
			if err := t.run(ctx, c); err != nil {
				return fmt.Errorf("chat of day %d, %s: %w", c.day, c.at, err)
			}
		}
		return nil
	})
}

// used reports whether there has been any session.
func (a *app) used(ctx context.Context) (bool, error) {
	open, err := a.store.OpenRows(ctx)
	if err != nil || len(open) > 0 {
		return true, err
	}
	closed, err := a.store.ClosedRows(ctx, 0, nil, time.Time{}, 1)
	return len(closed) > 0, err
}

// shown is what the phone page calls the customer: the same name as on the desk, so that they are found there.
func (c pastCustomer) shown() string {
	switch {
	case c.remark != "":
		return c.remark
	case c.name != "":
		return c.name
	}
	return texts.T(texts.ZhCN, "page.customer.unnamed", texts.Args{"id": c.openID[len(c.openID)-4:]})
}

// demoZone is the time zone of the demonstration. China has had no summer time since 1991.
var demoZone = time.FixedZone("Asia/Shanghai", 8*60*60)

// past is what all sample chats share.
type past struct {
	channel  models.Channel
	wechatID string // of the account, the second half of each face
	people   map[string]models.Agent
	groups   map[string]int64
	midnight time.Time // before the first whole day
}

func (a *app) pastOf(ctx context.Context, app sim.App, people []models.Agent) (past, error) {
	p := past{wechatID: app.WeChatID, people: map[string]models.Agent{}, groups: map[string]int64{}}
	channels, err := a.store.Channels(ctx)
	if err != nil {
		return p, err
	}
	if len(channels) == 0 {
		return p, errNoChannel
	}
	p.channel = channels[0]
	groups, err := a.store.Groups(ctx)
	if err != nil {
		return p, err
	}
	for _, g := range groups {
		p.groups[g.Name] = g.ID
	}
	for _, agent := range people {
		p.people[agent.Username] = agent
	}
	y, m, d := a.clock.Now().Add(-demoStart).In(demoZone).Date()
	p.midnight = time.Date(y, m, d+1, 0, 0, 0, 0, demoZone)
	return p, nil
}

// group is the group with the name, or the channel's own one where there is no such group.
func (p past) group(name string) int64 {
	if id := p.groups[name]; id != 0 {
		return id
	}
	return p.channel.DefaultGroupID
}

// pastStep is one thing that happened in a chat, some seconds after the step before.
type pastStep struct {
	after int
	do    func(ctx context.Context, t *pastChatRun) error
}

// pastChatRun is a chat that is being written down.
type pastChatRun struct {
	past
	tx      *models.Store
	lastID  *int64 // the platform's number of the message before
	group   int64
	place   models.Place
	session models.Session // id 0: the customer has not typed yet
	agent   models.Agent   // who serves
	now     time.Time      // of the step
}

// firstPastID numbers the customers' messages below those of the simulator.
const firstPastID int64 = 23_900_000_000_000_000

func (t *pastChatRun) run(ctx context.Context, c pastChat) error {
	clock, err := time.Parse("15:04", c.at)
	if err != nil {
		return err
	}
	t.now = t.midnight.AddDate(0, 0, c.day-1).Add(time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute)
	t.group = t.past.group(c.group)
	if t.place, err = t.tx.CreatePlace(ctx, t.channel.ID, c.customer.openID, c.customer.openID, t.now); err != nil {
		return err
	}
	if err := t.tx.NameCustomer(ctx, t.place.CustomerID, c.customer.remark, c.customer.name); err != nil {
		return err
	}
	for i, step := range c.steps {
		t.now = t.now.Add(time.Duration(step.after) * time.Second)
		if err := step.do(ctx, t); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// store keeps a message of this moment in the session, if there is one by now.
func (t *pastChatRun) store(ctx context.Context, m *models.Message) error {
	m.ConversationID, m.ShownAt, m.CreatedAt = t.place.ConversationID, t.now, t.now
	if t.session.ID != 0 {
		m.SessionID = &t.session.ID
	}
	return t.tx.CreateMessage(ctx, m)
}

// line is a line about what happened, as the desk writes it.
func (t *pastChatRun) line(ctx context.Context, kind string, agentID *int64, detail map[string]any) error {
	data, err := asJSON(detail)
	if err != nil {
		return err
	}
	return t.store(ctx, &models.Message{Direction: models.System, Kind: kind, AgentID: agentID, Data: data})
}

func (t *pastChatRun) happened(ctx context.Context, kind string, agentID *int64, detail string) error {
	return t.tx.AddHistory(ctx, models.HistoryLine{SessionID: t.session.ID, Kind: kind, AgentID: agentID, Detail: detail, At: t.now})
}

func (t *pastChatRun) grant(ctx context.Context, scene string, count int, life time.Duration) error {
	return t.tx.SaveGrant(ctx, models.Grant{ConversationID: t.place.ConversationID, Scene: scene, Count: count, GrantedAt: t.now, ExpiresAt: t.now.Add(life)})
}

func asJSON(v map[string]any) (string, error) {
	if len(v) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(v)
	return string(raw), err
}
