// Command kefu is the whole product: the desk's server, its demonstration, the platform simulator and the tools an operator needs. This
// package reads flags and environment, puts the parts together and listens to signals; it decides nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // a static binary may run where there are no root certificates

	_ "time/tzdata" // nor time zones

	"kefu/internal/desk"
	"kefu/internal/texts"
)

// version is set by the build.
var version = "dev"

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200) // a tenth less processor time under load for some 9 MiB; idle memory stays the same (docs/performance.md)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kefu: "+sentence(err))
		os.Exit(1)
	}
}

// sentence is an error for the person at the terminal.
func sentence(err error) string {
	if no, ok := errors.AsType[*desk.Refusal](err); ok {
		return texts.T(texts.En, no.Key, no.Args)
	}
	return err.Error()
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kefu",
		Short: "Kefu 客服台: a helpdesk for WeChat Official Accounts and DingTalk, in one program",
		Long: "Kefu 客服台 serves the customers who write to your WeChat Official Account from one browser workspace.\n" +
			"Try it with `kefu demo`. Settings come from flags or from the environment (KEFU_…); docs/operate.md lists them.",
		SilenceUsage: true, SilenceErrors: true, Version: version,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.AddCommand(serveCommand(), demoCommand(), simulatorCommand(), migrateCommand(), agentCommand(), channelCommand(), doctorCommand(), benchCommand())
	return cmd
}
