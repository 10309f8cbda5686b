package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/models"
)

func serveCommand() *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), cfg, cmd.OutOrStdout()) },
	}
	cfg.flags(cmd, true)
	return cmd
}

func serve(ctx context.Context, cfg config, out io.Writer) error {
	set, err := cfg.check()
	if err != nil {
		return err
	}
	if err := cfg.folder(); err != nil {
		return err
	}
	unlock, err := cfg.lock()
	if err != nil {
		return err
	}
	defer unlock()
	box, err := cfg.box()
	if err != nil {
		return err
	}
	ln, err := listen(ctx, cfg.Addr)
	if err != nil {
		return err
	}
	log := logger(set.level)
	a, err := newApp(ctx, appOptions{cfg: cfg, set: set, clock: clock.Wall(), log: log, box: box})
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	if err := a.prepare(ctx, out); err != nil {
		return errors.Join(err, ln.Close(), a.store.Close())
	}
	log.InfoContext(ctx, "ready", "addr", ln.Addr().String(), "version", version)
	return a.run(ctx, ln)
}

// prepare refuses a demonstration's database and makes the first admin, whose password it writes to out.
func (a *app) prepare(ctx context.Context, out io.Writer) error {
	demo, err := a.store.Setting(ctx, "demo")
	if err != nil {
		return err
	}
	if demo != "" {
		return errors.New("this database belongs to a demonstration, whose passwords everybody knows; use another data folder")
	}
	password, err := firstAdmin(ctx, a.store, a.desk)
	if err != nil || password == "" {
		return err
	}
	fmt.Fprintf(out, "\n  First start: log in as admin with the password  %s\n  It is shown only now. Change it under the menu at the lower left.\n\n", password)
	return nil
}

// firstAdmin makes an admin when there is nobody yet, and returns the admin's password; empty otherwise. Customers need a group to come
// to, so there is always one.
func firstAdmin(ctx context.Context, store *models.Store, d *desk.Desk) (string, error) {
	people, err := store.Agents(ctx)
	if err != nil || len(people) > 0 {
		return "", errors.Join(err, firstGroup(ctx, store, people, d.Now()))
	}
	password := desk.RandomPassword()
	admin, err := d.AddAgent(ctx, desk.NewAgent{Username: "admin", Name: "管理员", Password: password, Role: models.RoleAdmin})
	if err != nil {
		return "", err
	}
	return password, firstGroup(ctx, store, []models.Agent{admin}, d.Now())
}

// firstGroup makes a group of the people when there is none yet.
func firstGroup(ctx context.Context, store *models.Store, people []models.Agent, now time.Time) error {
	groups, err := store.Groups(ctx)
	if err != nil || len(groups) > 0 {
		return err
	}
	var members []models.Membership
	for _, a := range people {
		members = append(members, models.Membership{AgentID: a.ID, Supervisor: a.Role == models.RoleSupervisor})
	}
	g := newGroup("客服", now)
	return store.CreateGroup(ctx, &g, members)
}

func migrateCommand() *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database to this version's form (serve does so by itself)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withStore(cmd.Context(), func(ctx context.Context, store *models.Store) error {
				v, err := store.SchemaVersion(ctx)
				fmt.Fprintf(cmd.OutOrStdout(), "the database has form %d\n", v)
				return err
			})
		},
	}
	cfg.flags(cmd, false)
	return cmd
}

// withStore opens the database for a tool. A running server may have it open too: SQLite takes turns. Then it has the form it needs, and
// must not get another under the server.
func (c *config) withStore(ctx context.Context, fn func(ctx context.Context, store *models.Store) error) error {
	set, err := c.check()
	if err != nil {
		return err
	}
	if err := c.folder(); err != nil {
		return err
	}
	store, err := c.openForTool(ctx, logger(set.level))
	if err != nil {
		return c.ofDatabase(err)
	}
	return errors.Join(fn(ctx, store), store.Close())
}

func (c *config) openForTool(ctx context.Context, log *slog.Logger) (*models.Store, error) {
	if c.DatabaseURL == "" {
		unlock, err := models.LockDir(c.Data)
		if errors.Is(err, models.ErrLocked) {
			return models.Open(ctx, models.Options{URL: c.database(), Log: log})
		}
		if err != nil {
			return nil, err
		}
		defer unlock() // only the migration needs it: a server may start while the tool works
	}
	return openStore(ctx, c.database(), clock.Wall(), log)
}
