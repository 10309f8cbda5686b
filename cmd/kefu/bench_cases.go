package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"kefu/internal/desk"
	"kefu/internal/load"
	"kefu/internal/texts"
	"kefu/models"
)

// The furniture of `kefu bench callbacks`: docs/performance.md says why these.
const (
	benchCustomers = 5000
	benchGroups    = 3
	benchAgents    = 24  // eight per group, five chats each
	benchOpen      = 360 // sessions kept open: 120 per group, of which 40 are served and 80 wait
)

// benchCallbacks measures the way in.
func benchCallbacks(ctx context.Context, b *bench) (load.Line, error) {
	var line load.Line
	team := benchTeam{groups: benchGroups, agents: benchAgents, role: models.RoleAgent, presence: models.Online}
	err := b.withServer(ctx, team, func(ctx context.Context, s *benchServer) error {
		if err := s.addCustomers(ctx, benchCustomers); err != nil {
			return err
		}
		boss := desk.Viewer{Agent: models.Agent{ID: s.agents[0].ID, Role: models.RoleAdmin}}
		plan := load.Plan{
			Kind: load.Callbacks, Account: s.account, Customers: benchCustomers, Groups: benchGroups, Open: benchOpen,
			Unwanted: texts.T(texts.ZhCN, "notice.queue_full", nil),
		}
		report, l, err := b.measure(ctx, s, plan, func(ctx context.Context, customer int) error {
			id, err := s.sessionOf(ctx, customer)
			if err != nil {
				return err
			}
			return s.desk.Close(ctx, boss, id)
		})
		if err != nil {
			return err
		}
		b.remark("%d of %d messages opened a session, %d were answered with words; the generator used %.2f s of processor time",
			report.Opened, report.Ops, report.Passive, report.GeneratorCPUSeconds)
		line = l
		line.Case = fmt.Sprintf("safe mode, %d customers, 80%% further, 20%% new", benchCustomers)
		return nil
	})
	return line, err
}

// addCustomers makes customers who are known already and whose next session goes to one of the groups, in turn.
func (s *benchServer) addCustomers(ctx context.Context, n int) error {
	const piece = 100 // stays far below the writer's 20 ms
	for from := 0; from < n; from += piece {
		err := s.store.InTx(ctx, func(tx *models.Store) error {
			now := s.clock.Now()
			for i := from; i < min(from+piece, n); i++ {
				place, err := tx.CreatePlace(ctx, s.channel.ID, load.OpenID(i), load.OpenID(i), now)
				if err != nil {
					return err
				}
				if err := tx.RememberRoute(ctx, place.ConversationID, s.groups[i%len(s.groups)].ID, now.Add(24*time.Hour)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// benchLive measures the way from a customer's message to the agents' screens.
func benchLive(ctx context.Context, b *bench) (load.Line, error) {
	var line load.Line
	team := benchTeam{groups: 1, agents: b.clients, role: models.RoleAgent, presence: models.Online}
	err := b.withServer(ctx, team, func(ctx context.Context, s *benchServer) error {
		plan := load.Plan{Kind: load.Live, Account: s.account, Writers: 8, Rate: b.rate}
		for i := range s.agents {
			cookie, err := s.logIn(ctx, i)
			if err != nil {
				return err
			}
			plan.Cookies = append(plan.Cookies, cookie)
		}
		report, l, err := b.measure(ctx, s, plan, nil)
		if err != nil {
			return err
		}
		b.remark("%d messages, %d deliveries; until the last agent had it: p50 %.1f ms, p99 %.1f ms; all streams open after %.2f s; the generator used %.2f s of processor time",
			report.Messages, report.Ops, report.LastP50, report.LastP99, report.Connected, report.GeneratorCPUSeconds)
		line = l
		line.Case = fmt.Sprintf("%g messages/s from %d customers, each to every agent", b.rate, plan.Writers)
		return nil
	})
	return line, err
}

// logIn makes a log-in as web.Logins does, without the password's hundred milliseconds, and returns its cookie.
func (s *benchServer) logIn(ctx context.Context, agent int) (string, error) {
	token, now := uuid.NewString(), s.clock.Now()
	sum := sha256.Sum256([]byte(token))
	err := s.store.CreateLogin(ctx, &models.Login{
		TokenHash: hex.EncodeToString(sum[:]), AgentID: s.agents[agent].ID, IP: "127.0.0.1", UserAgent: "kefu bench", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour),
	})
	return "kefu_login=" + token, err
}

// benchPage measures a page of a supervisor, after furnish made what it shows.
func benchPage(ctx context.Context, b *bench, name string, groups int, furnish func(ctx context.Context, s *benchServer) (load.Page, error)) (load.Line, error) {
	var line load.Line
	// Offline, so that nobody is given a chat but by hand.
	team := benchTeam{groups: groups, agents: groups, role: models.RoleAdmin, presence: models.Offline}
	err := b.withServer(ctx, team, func(ctx context.Context, s *benchServer) error {
		page, err := furnish(ctx, s)
		if err != nil {
			return err
		}
		if page.Cookie, err = s.logIn(ctx, 0); err != nil {
			return err
		}
		_, line, err = b.measure(ctx, s, load.Plan{Kind: load.Pages, Page: page}, nil)
		line.Case = name
		return err
	})
	return line, err
}

const (
	benchRows     = 200
	benchMessages = 500
	benchShown    = 60 // of them at once
)

func benchList(ctx context.Context, b *bench) (load.Line, error) {
	return benchPage(ctx, b, fmt.Sprintf("GET /c?list=mine, %d chats", benchRows), 1, func(ctx context.Context, s *benchServer) (load.Page, error) {
		v, err := s.viewer(ctx, 0)
		if err != nil {
			return load.Page{}, err
		}
		for i := range benchRows {
			id, err := s.receive(ctx, i, "你好，请问我的订单什么时候发货？")
			if err == nil {
				err = s.desk.Claim(ctx, v, id)
			}
			if err != nil {
				return load.Page{}, err
			}
		}
		return load.Page{Path: "/c?list=mine", Marker: "convo__last", Times: benchRows}, nil
	})
}

func benchThread(ctx context.Context, b *bench) (load.Line, error) {
	return benchPage(ctx, b, fmt.Sprintf("GET /c/{id}, %d messages, the newest %d shown", benchMessages, benchShown), 1, func(ctx context.Context, s *benchServer) (load.Page, error) {
		v, err := s.viewer(ctx, 0)
		if err != nil {
			return load.Page{}, err
		}
		id, err := s.receive(ctx, 0, "你好")
		if err == nil {
			err = s.desk.Claim(ctx, v, id)
		}
		for i := 1; i < benchMessages && err == nil; i++ {
			if i%4 == 0 {
				_, err = s.desk.Note(ctx, v, desk.Reply{SessionID: id, Text: "客户要的是浅灰色，仓库还有两件", Key: uuid.NewString()})
			} else {
				_, err = s.receive(ctx, 0, "沙发的颜色和图片差别很大，我想换成浅灰色的可以吗")
			}
		}
		return load.Page{Path: fmt.Sprintf("/c/%d", id), Marker: `id="m-`, Times: benchShown}, err
	})
}

func benchQueue(ctx context.Context, b *bench) (load.Line, error) {
	return benchPage(ctx, b, fmt.Sprintf("GET /queue, %d waiting in %d groups", benchRows, benchGroups), benchGroups, func(ctx context.Context, s *benchServer) (load.Page, error) {
		if err := s.addCustomers(ctx, benchRows); err != nil {
			return load.Page{}, err
		}
		for i := range benchRows {
			if _, err := s.receive(ctx, i, "你好，请问我的订单什么时候发货？"); err != nil {
				return load.Page{}, err
			}
		}
		return load.Page{Path: "/queue", Marker: `id="q-open-`, Times: benchRows}, nil
	})
}
