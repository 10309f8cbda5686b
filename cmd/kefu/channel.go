package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kefu/internal/clock"
	"kefu/models"
)

func channelCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "channel", Short: "Connect Official Accounts and list them"}
	cmd.AddCommand(channelAdd(), channelList())
	return cmd
}

func channelAdd() *cobra.Command {
	var cfg config
	var n newChannel
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Connect a WeChat Official Account", Args: cobra.ExactArgs(1),
		Long: "Connect a WeChat Official Account. AppSecret, Token and EncodingAESKey are read from the environment\n" +
			"(KEFU_APP_SECRET, KEFU_TOKEN, KEFU_AES_KEY), because a command line is seen by everybody on the machine.\n" +
			"The command prints the callback address to enter in the platform's console.",
		RunE: func(cmd *cobra.Command, args []string) error {
			n.name = args[0]
			if err := n.secrets(); err != nil {
				return err
			}
			if err := cfg.folder(); err != nil {
				return err
			}
			box, err := cfg.box()
			if err != nil {
				return err
			}
			return cfg.withStore(cmd.Context(), func(ctx context.Context, store *models.Store) error {
				ch, err := n.create(ctx, newChannels(store, box, clock.Wall()))
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "connected %s\ncallback address: %s%s\n", ch.Name, strings.TrimRight(cfg.PublicURL, "/"), callbackPath(ch))
				return nil
			})
		},
	}
	cfg.flags(cmd, false)
	f := cmd.Flags()
	f.StringVar(&cfg.PublicURL, "public-url", cfg.PublicURL, "where the platforms reach this server (KEFU_PUBLIC_URL)")
	f.StringVar(&n.appID, "app-id", "", "AppID of the account (wx…)")
	f.StringVar(&n.originalID, "original-id", "", "original id of the account (gh_…)")
	f.StringVar(&n.mode, "mode", "safe", "plain, compatible or safe, as set in the platform's console")
	f.StringVar(&n.baseURL, "base-url", "", "where the platform's API is reached; empty is the real one, a simulator has its own")
	f.StringVar(&n.group, "group", "", "the group its customers come to; empty is the first")
	f.StringVar(&n.key, "key", "", "last part of the callback address; made at random when empty")
	return cmd
}

func channelList() *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use: "list", Short: "List the connected accounts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withStore(cmd.Context(), func(ctx context.Context, store *models.Store) error {
				list, err := store.Channels(ctx)
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
				fmt.Fprintln(w, "NAME\tKIND\tAPPID\tMODE\tCALLBACK\tALARM")
				for _, ch := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", ch.Name, ch.Kind, ch.AppID, ch.Mode, callbackPath(ch), ch.Alarm)
				}
				return w.Flush()
			})
		},
	}
	cfg.flags(cmd, false)
	return cmd
}

func callbackPath(ch models.Channel) string { return "/callbacks/" + ch.Kind + "/" + ch.Key }
