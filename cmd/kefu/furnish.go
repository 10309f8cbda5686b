package main

import (
	"context"
	"errors"
	"fmt"

	"kefu/internal/desk"
	"kefu/internal/platform/sim"
	"kefu/models"
)

// furnishing is what a demonstration is filled with.
type furnishing struct {
	simulator       *sim.Simulator
	simURL, deskURL string
	agents, groups  int
}

// demoPeople are the first of the demonstration's team; more are numbered.
var demoPeople = []struct {
	username, name string
	role           models.Role
}{
	{"admin", "顾海涛", models.RoleAdmin},
	{"lin", "林语珊", models.RoleSupervisor},
	{"zhou", "周一帆", models.RoleAgent},
	{"he", "何晓彤", models.RoleAgent},
}

// demoGroups name the first groups; more are numbered.
var demoGroups = []string{"售前咨询", "售后维修", "物流配送", "经销商支持"}

// furnish fills an empty demonstration: people, groups, sample chats of the past, and an account of the simulator in safe mode whose
// callbacks come over real HTTP. A kept demonstration only gets a new account's secrets, for the simulator begins anew each time.
func (a *app) furnish(ctx context.Context, f furnishing) error {
	people, err := a.team(ctx, f)
	if err != nil {
		return fmt.Errorf("furnish team: %w", err)
	}
	app, err := a.account(ctx, f)
	if err != nil {
		return fmt.Errorf("furnish account: %w", err)
	}
	if err := a.faces(ctx, f.simulator, app, people); err != nil {
		return fmt.Errorf("furnish faces: %w", err)
	}
	if err := a.past(ctx, f.simulator, app, people); err != nil {
		return fmt.Errorf("furnish past: %w", err)
	}
	epoch, err := epochOf(ctx, a.store)
	if err != nil {
		return err
	}
	return a.board.Load(ctx, epoch) // what was written without events
}

// team makes people and groups, unless they are there.
func (a *app) team(ctx context.Context, f furnishing) ([]models.Agent, error) {
	if there, err := a.store.Agents(ctx); err != nil || len(there) > 0 {
		return there, err
	}
	var people []models.Agent
	for i := range f.agents + 2 {
		n := desk.NewAgent{Username: fmt.Sprintf("agent%d", i-1), Name: fmt.Sprintf("客服%d", i-1), Role: models.RoleAgent, Password: demoPassword}
		if i < len(demoPeople) {
			p := demoPeople[i]
			n.Username, n.Name, n.Role = p.username, p.name, p.role
		}
		p, err := a.desk.AddAgent(ctx, n)
		if err != nil {
			return nil, err
		}
		people = append(people, p)
	}
	for i := range f.groups {
		name := fmt.Sprintf("分组%d", i+1)
		if i < len(demoGroups) {
			name = demoGroups[i]
		}
		g := newGroup(name, a.clock.Now())
		g.Position = i
		members := []models.Membership{{AgentID: people[1].ID, Supervisor: true}}
		for j, p := range people[2:] {
			if i < 2 || j%f.groups == i { // everybody serves the first two groups, further ones share the team out
				members = append(members, models.Membership{AgentID: p.ID})
			}
		}
		if err := a.store.CreateGroup(ctx, &g, members); err != nil {
			return nil, err
		}
	}
	return people, nil
}

// demoChannel names the demonstration's account.
const demoChannel = "青禾家居服务号"

// account makes an account in the simulator and the channel for it, and has the simulator check the address as WeChat's console does.
func (a *app) account(ctx context.Context, f furnishing) (sim.App, error) {
	list, err := a.store.Channels(ctx)
	if err != nil {
		return sim.App{}, err
	}
	app := sim.App{Name: "青禾家居", WeChatID: "qinghe_home", Mode: "safe"}
	if len(list) > 0 { // a kept demonstration: the same account, so that its customers stay the same
		app.AppID, app.OriginalID = list[0].AppID, list[0].OriginalID
	}
	app.SkipCheck = true // there is no channel to answer yet; the check follows
	if app, err = f.simulator.AddApp(app); err != nil {
		return app, err
	}
	ch := models.Channel{}
	if len(list) > 0 {
		ch = list[0]
		ch.BaseURL = f.simURL
		a.channels.seal(&ch, app.Secret, app.Token, app.AESKey)
		err = a.store.UpdateChannel(ctx, ch)
	} else {
		n := newChannel{name: demoChannel, appID: app.AppID, originalID: app.OriginalID, mode: app.Mode, baseURL: f.simURL,
			secret: app.Secret, token: app.Token, aesKey: app.AESKey}
		ch, err = n.create(ctx, a.channels)
	}
	if err != nil {
		return app, err
	}
	app.SkipCheck, app.CallbackURL = false, f.deskURL+callbackPath(ch)
	if app, err = f.simulator.AddApp(app); err != nil {
		return app, err
	}
	return app, a.menu(ctx, ch)
}

// menu lets the simulated account's menu lead to the groups.
func (a *app) menu(ctx context.Context, ch models.Channel) error {
	groups, err := a.store.Groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		key := map[string]string{"售后维修": "after_sales", "售前咨询": "pre_sales"}[g.Name]
		if key == "" {
			continue
		}
		if err := a.store.SetRoute(ctx, ch.ID, key, g.ID); err != nil {
			return err
		}
	}
	return nil
}

var errNoChannel = errors.New("the demonstration has no channel")

// demoFaces are the names that customers see.
var demoFaces = map[string]string{"lin": "青禾-小珊", "zhou": "青禾-一帆", "he": "青禾-小彤"}

// faces makes a customer-service account per agent in the simulator, and binds them.
func (a *app) faces(ctx context.Context, s *sim.Simulator, app sim.App, people []models.Agent) error {
	list, err := a.store.Channels(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errNoChannel
	}
	for _, p := range people {
		nick := demoFaces[p.Username]
		if nick == "" {
			continue
		}
		account := p.Username + "@" + app.WeChatID
		if err := s.AddAccount(app.AppID, account, nick); err != nil {
			return err
		}
		face, err := a.store.Face(ctx, list[0].ID, p.ID)
		if err != nil {
			return err
		}
		if face.ID != 0 {
			continue
		}
		if err := a.store.CreateAccount(ctx, &models.Account{ChannelID: list[0].ID, Account: account, Nick: nick, AgentID: &p.ID, CreatedAt: a.clock.Now()}); err != nil {
			return err
		}
	}
	return nil
}
