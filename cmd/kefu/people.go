package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/models"
)

func agentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "agent", Short: "Add people who log in, set their passwords, list them"}
	cmd.AddCommand(agentAdd(), agentPasswd(), agentList())
	return cmd
}

func agentAdd() *cobra.Command {
	var cfg config
	var name, role string
	var groups []string
	var fromStdin bool
	cmd := &cobra.Command{
		Use: "add USERNAME", Short: "Add a person who logs in", Args: cobra.ExactArgs(1),
		Example: "  kefu agent add zhou --name 周一帆 --role agent --group 客服",
		RunE: func(cmd *cobra.Command, args []string) error {
			return cfg.withDesk(cmd.Context(), func(ctx context.Context, store *models.Store, d *desk.Desk) error {
				password, made, err := passwordFor(cmd.InOrStdin(), fromStdin)
				if err != nil {
					return err
				}
				in, err := groupsNamed(ctx, store, groups)
				if err != nil {
					return err
				}
				a, err := d.AddAgent(ctx, desk.NewAgent{Username: args[0], Name: name, Role: models.Role(role), Password: password})
				if err != nil {
					return err
				}
				for _, g := range in {
					if err := store.AddMember(ctx, models.Membership{GroupID: g.ID, AgentID: a.ID, Supervisor: a.Role == models.RoleSupervisor}); err != nil {
						return err
					}
				}
				if err := store.Emit(ctx, models.Event{Kind: models.EventAgent, AgentID: a.ID, At: d.Now()}); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "added %s (%s)\n", a.Username, a.Role)
				return say(cmd.OutOrStdout(), made, password)
			})
		},
	}
	cfg.flags(cmd, false)
	cmd.Flags().StringVar(&name, "name", "", "the person's name as colleagues see it")
	cmd.Flags().StringVar(&role, "role", "agent", "agent, supervisor or admin")
	cmd.Flags().StringArrayVar(&groups, "group", nil, "a group to join, more than once for several; without it the first group")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input instead of making one")
	return cmd
}

func agentPasswd() *cobra.Command {
	var cfg config
	var fromStdin bool
	cmd := &cobra.Command{
		Use: "passwd USERNAME", Short: "Set a person's password and end their log-ins", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cfg.withDesk(cmd.Context(), func(ctx context.Context, store *models.Store, d *desk.Desk) error {
				a, err := store.AgentByUsername(ctx, strings.ToLower(args[0]))
				if errors.Is(err, models.ErrNotFound) {
					return fmt.Errorf("there is no agent %q", args[0])
				}
				if err != nil {
					return err
				}
				password, made, err := passwordFor(cmd.InOrStdin(), fromStdin)
				if err != nil {
					return err
				}
				if err := d.SetPassword(ctx, a.ID, password, 0); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "password of %s set, their log-ins ended\n", a.Username)
				return say(cmd.OutOrStdout(), made, password)
			})
		},
	}
	cfg.flags(cmd, false)
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input instead of making one")
	return cmd
}

func agentList() *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use: "list", Short: "List the people who log in", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withStore(cmd.Context(), func(ctx context.Context, store *models.Store) error {
				list, err := store.Agents(ctx)
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
				fmt.Fprintln(w, "USERNAME\tNAME\tROLE\tPRESENCE\tSTATE")
				for _, a := range list {
					state := "active"
					if a.DisabledAt != nil {
						state = "disabled since " + a.DisabledAt.Format(time.DateOnly)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Username, a.Name, a.Role, a.Presence, state)
				}
				return w.Flush()
			})
		},
	}
	cfg.flags(cmd, false)
	return cmd
}

// passwordFor reads a password from the input or makes one; made says which.
func passwordFor(in io.Reader, fromStdin bool) (password string, made bool, err error) {
	if !fromStdin {
		return desk.RandomPassword(), true, nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	return strings.TrimRight(line, "\r\n"), false, nil
}

func say(w io.Writer, made bool, password string) error {
	if !made {
		return nil
	}
	_, err := fmt.Fprintf(w, "password: %s  (shown only now)\n", password)
	return err
}

func groupsNamed(ctx context.Context, store *models.Store, names []string) ([]models.Group, error) {
	all, err := store.Groups(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return all[:min(1, len(all))], nil
	}
	var found []models.Group
next:
	for _, name := range names {
		for _, g := range all {
			if g.Name == name {
				found = append(found, g)
				continue next
			}
		}
		return nil, fmt.Errorf("there is no group %q", name)
	}
	return found, nil
}

func newGroup(name string, at time.Time) models.Group {
	return models.Group{Name: name, QueueLimit: 200, Watch: true, TargetTake: 180, TargetFirst: 60, TargetNext: 180, CreatedAt: at}
}

// withDesk opens the database and the rules over it for a tool.
func (c *config) withDesk(ctx context.Context, fn func(ctx context.Context, store *models.Store, d *desk.Desk) error) error {
	return c.withStore(ctx, func(ctx context.Context, store *models.Store) error {
		log := logger(0)
		return fn(ctx, store, desk.New(store, clock.Wall(), log, desk.Defaults(), func() {}))
	})
}
