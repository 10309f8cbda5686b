package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/internal/load"
	"kefu/internal/platform"
	"kefu/models"
)

// benchServer is a whole server on a scratch database, and what a benchmark needs to furnish it.
type benchServer struct {
	*app
	limit   float64 // commits per second of the disk
	address string
	channel models.Channel
	account load.Account
	groups  []models.Group
	agents  []models.Agent
	pushes  int
}

// benchTeam is who a server is furnished with.
type benchTeam struct {
	groups   int
	agents   int // they serve the groups in turn
	role     models.Role
	presence models.Presence
}

// withServer runs fn beside a server on a scratch database and removes all of it, also when ctx ends.
func (b *bench) withServer(ctx context.Context, team benchTeam, fn func(ctx context.Context, s *benchServer) error) (err error) {
	cfg := config{Log: b.log, TimeZone: "Asia/Shanghai", Name: "bench"}
	if cfg.Log == "" {
		cfg.Log = "error"
	}
	set, err := cfg.check()
	if err != nil {
		return err
	}
	if cfg.Data, err = os.MkdirTemp(b.dir, "kefu-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(cfg.Data) //nolint:errcheck // a scratch folder
	s := &benchServer{}
	if s.limit, err = models.CommitRate(ctx, filepath.Join(cfg.Data, "limit.db"), time.Second); err != nil {
		return err
	}
	box, err := cfg.box()
	if err != nil {
		return err
	}
	ln, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.address = ln.Addr().String()
	if s.app, err = newApp(ctx, appOptions{cfg: cfg, set: set, clock: clock.Wall(), log: logger(set.level), box: box}); err != nil {
		return errors.Join(err, ln.Close())
	}
	if err := s.furnish(ctx, team); err != nil {
		return errors.Join(err, ln.Close(), s.store.Close())
	}
	return s.serve(ctx, ln, func(ctx context.Context) error { return fn(ctx, s) })
}

// serve runs the server while fn runs, and keeps the agents from falling silent.
func (s *benchServer) serve(ctx context.Context, ln net.Listener, fn func(ctx context.Context) error) error {
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	fnCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	var served error
	running.Go(func() {
		served = s.run(runCtx, ln)
		cancel()
	})
	running.Go(func() { s.keepAwake(runCtx) })
	err := fn(fnCtx)
	stop()
	running.Wait()
	return errors.Join(err, served)
}

func (s *benchServer) keepAwake(ctx context.Context) {
	ids := make([]int64, len(s.agents))
	for i, a := range s.agents {
		ids[i] = a.ID
	}
	for clock.Sleep(ctx, s.clock, 15*time.Second) == nil {
		if err := s.desk.Seen(ctx, ids); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "agents of the benchmark fell silent", "err", err)
		}
	}
}

// furnish makes the team and the account.
func (s *benchServer) furnish(ctx context.Context, team benchTeam) error {
	now := s.clock.Now()
	members := make([][]models.Membership, team.groups)
	for i := range team.agents {
		// Nobody logs in with a password here: hashing hundreds of them would take long and leave its memory behind.
		a := models.Agent{
			Username: fmt.Sprintf("agent%d", i+1), Name: fmt.Sprintf("客服%d", i+1), Role: team.role, PasswordHash: "none", Capacity: 5, AutoAccept: true,
			Presence: team.presence, PresenceAt: now, SeenAt: &now, CreatedAt: now,
		}
		if err := s.store.CreateAgent(ctx, &a); err != nil {
			return err
		}
		s.agents = append(s.agents, a)
		members[i%team.groups] = append(members[i%team.groups], models.Membership{AgentID: a.ID})
	}
	for i := range members {
		g := newGroup(fmt.Sprintf("分组%d", i+1), now)
		g.Position = i
		if err := s.store.CreateGroup(ctx, &g, members[i]); err != nil {
			return err
		}
		s.groups = append(s.groups, g)
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	return s.load(ctx)
}

// connect makes the account whose platform the generator plays. Nothing is sent on it: its platform's address answers nobody.
func (s *benchServer) connect(ctx context.Context) error {
	secret := strings.ReplaceAll(uuid.NewString()+uuid.NewString(), "-", "")
	s.account = load.Account{AppID: "wx" + secret[:16], OriginalID: "gh_" + secret[16:28], Token: secret[28:52], EncodingAESKey: secret[:43]}
	n := newChannel{
		name: "bench", appID: s.account.AppID, originalID: s.account.OriginalID, mode: "safe", baseURL: "http://127.0.0.1:1", groupID: s.groups[0].ID,
		secret: secret, token: s.account.Token, aesKey: s.account.EncodingAESKey,
	}
	var err error
	s.channel, err = n.create(ctx, s.channels)
	s.account.Path = callbackPath(s.channel)
	return err
}

// load has the board read what was written without events.
func (s *benchServer) load(ctx context.Context) error {
	epoch, err := epochOf(ctx, s.store)
	if err != nil {
		return err
	}
	return s.board.Load(ctx, epoch)
}

// viewer is the agent with the rights of their role.
func (s *benchServer) viewer(ctx context.Context, agent int) (desk.Viewer, error) {
	return s.desk.Viewer(ctx, s.agents[agent])
}

// receive lets the customer write without going through HTTP, and returns the open session, if any.
func (s *benchServer) receive(ctx context.Context, customer int, text string) (int64, error) {
	s.pushes++
	id := fmt.Sprint(s.pushes)
	_, err := s.desk.Receive(ctx, s.channel, platform.Inbound{
		Dedupe: "bench-" + id, Conversation: platform.Conversation{Key: load.OpenID(customer)}, Sender: load.OpenID(customer), At: s.clock.Now(),
		MessageID: id, What: platform.Text{Text: text},
	})
	if err != nil {
		return 0, err
	}
	return s.sessionOf(ctx, customer)
}

// sessionOf is the customer's open session.
func (s *benchServer) sessionOf(ctx context.Context, customer int) (int64, error) {
	place, err := s.store.Place(ctx, s.channel.ID, load.OpenID(customer))
	if err == nil && place.SessionID == nil {
		err = fmt.Errorf("customer %d has no open session", customer)
	}
	if err != nil {
		return 0, err
	}
	return *place.SessionID, nil
}
