package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kefu/internal/clock"
	"kefu/internal/platform"
	"kefu/models"
)

func doctorCommand() *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check the configuration: settings, folder, key, database, channels", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := doctor{cfg: cfg, say: func(format string, args ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...) }}
			d.examine(cmd.Context())
			if d.failed > 0 {
				return fmt.Errorf("%d of %d checks failed", d.failed, d.checked)
			}
			return nil
		},
	}
	cfg.flags(cmd, true)
	return cmd
}

type doctor struct {
	cfg             config
	say             func(format string, args ...any)
	checked, failed int
}

// check runs one examination; what it returns is said beside its name.
func (d *doctor) check(name string, fn func() (string, error)) bool {
	d.checked++
	found, err := fn()
	if err != nil {
		d.failed++
		d.say("fail  %-16s %v", name, err)
		return false
	}
	d.say("ok    %-16s %s", name, found)
	return true
}

func (d *doctor) examine(ctx context.Context) {
	var set checked
	if !d.check("settings", func() (string, error) {
		var err error
		set, err = d.cfg.check()
		return "time zone " + d.cfg.TimeZone, err
	}) {
		return
	}
	if d.cfg.PublicURL == "" {
		d.say("note  %-16s KEFU_PUBLIC_URL is not set: cookies are not marked secure, callback addresses are shown without a host", "public address")
	}
	if _, err := os.Stat(d.cfg.Data); errors.Is(err, os.ErrNotExist) {
		d.say("note  %-16s %s is not there yet: nothing is set up, `kefu serve` makes it", "data folder", d.cfg.Data)
		return
	}
	d.check("data folder", func() (string, error) {
		f, err := os.CreateTemp(d.cfg.Data, ".doctor-*")
		if err != nil {
			return "", err
		}
		_, err = f.Write(make([]byte, 4096))
		return d.cfg.Data + " can be written", errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	})
	if ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.cfg.Addr); err != nil {
		d.say("note  %-16s %v: right while the server runs, wrong before it starts", "address", err)
	} else {
		d.check("address", func() (string, error) { return d.cfg.Addr + " is free", ln.Close() })
	}
	box, err := d.cfg.box()
	if !d.check("secret key", func() (string, error) { return "readable", err }) {
		return
	}
	d.check("database", func() (string, error) {
		store, err := models.Open(ctx, models.Options{URL: d.cfg.database(), Log: logger(set.level)})
		if err != nil {
			return "", d.cfg.ofDatabase(err)
		}
		v, err := store.SchemaVersion(ctx)
		if err == nil && v > 0 {
			err = store.CheckWritable(ctx)
		}
		if err == nil && v > 0 {
			d.channels(ctx, store, newChannels(store, box, clock.Wall()))
		}
		return fmt.Sprintf("%s, form %d", store.Dialect(), v), errors.Join(err, store.Close())
	})
}

// channels asks each platform for something harmless: the secrets open, the address answers, the rights are there.
func (d *doctor) channels(ctx context.Context, store *models.Store, c *channels) {
	list, err := store.Channels(ctx)
	if err != nil {
		d.check("channels", func() (string, error) { return "", err })
		return
	}
	for _, ch := range list {
		d.check("channel "+ch.Name, func() (string, error) {
			adapter, err := c.adapter(ch)
			if err != nil {
				return "", err
			}
			ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
			defer cancel()
			var lister platform.AccountLister = adapter
			accounts, err := lister.Accounts(ctx)
			return fmt.Sprintf("reached, %d customer-service accounts", len(accounts)), err
		})
	}
}
