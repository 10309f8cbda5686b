package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"kefu/internal/seal"
	"kefu/models"
)

// config is what an operator sets, from the environment first and flags over it.
type config struct {
	Addr           string `env:"KEFU_ADDR" envDefault:"127.0.0.1:8080"`
	Data           string `env:"KEFU_DATA" envDefault:"./data"`
	DatabaseURL    string `env:"KEFU_DATABASE_URL"`
	PublicURL      string `env:"KEFU_PUBLIC_URL"`
	SecretKey      string `env:"KEFU_SECRET_KEY"`
	TrustedProxies string `env:"KEFU_TRUSTED_PROXIES"`
	Log            string `env:"KEFU_LOG" envDefault:"info"`
	TimeZone       string `env:"KEFU_TIMEZONE" envDefault:"Asia/Shanghai"`
	Name           string `env:"KEFU_NAME"`
}

// flags lets flags stand over the environment. Secrets have none: a command line is seen by everybody on the machine.
func (c *config) flags(cmd *cobra.Command, withAddr bool) {
	if err := env.Parse(c); err != nil { // only texts: nothing to go wrong
		panic(err)
	}
	f := cmd.Flags()
	if withAddr {
		f.StringVar(&c.Addr, "addr", c.Addr, "address to listen on (KEFU_ADDR)")
		f.StringVar(&c.PublicURL, "public-url", c.PublicURL, "where browsers and the platforms reach this server (KEFU_PUBLIC_URL)")
		f.StringVar(&c.TrustedProxies, "trusted-proxies", c.TrustedProxies, "networks whose forwarded headers count, for example 10.0.0.0/8 (KEFU_TRUSTED_PROXIES)")
	}
	f.StringVar(&c.Data, "data", c.Data, "folder for database and secret key (KEFU_DATA)")
	f.StringVar(&c.Log, "log", c.Log, "debug, info, warn or error (KEFU_LOG)")
}

// check reads what has a form of its own.
func (c *config) check() (checked, error) {
	var k checked
	var err error
	if err := k.level.UnmarshalText([]byte(c.Log)); err != nil {
		return k, fmt.Errorf("KEFU_LOG: %q is none of debug, info, warn, error", c.Log)
	}
	if k.zone, err = time.LoadLocation(c.TimeZone); err != nil {
		return k, fmt.Errorf("KEFU_TIMEZONE: there is no time zone %q", c.TimeZone)
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return k, fmt.Errorf("KEFU_PUBLIC_URL: %q is not a web address", c.PublicURL)
		}
	}
	for part := range strings.SplitSeq(c.TrustedProxies, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if !strings.Contains(part, "/") {
			if strings.Contains(part, ":") {
				part += "/128"
			} else {
				part += "/32"
			}
		}
		_, network, err := net.ParseCIDR(part)
		if err != nil {
			return k, fmt.Errorf("KEFU_TRUSTED_PROXIES: %q is not a network like 10.0.0.0/8", part)
		}
		k.proxies = append(k.proxies, network)
	}
	return k, nil
}

// checked is the part of the configuration that had to be read.
type checked struct {
	level   slog.Level
	zone    *time.Location
	proxies []*net.IPNet
}

// logger writes to standard error, where a service manager keeps it.
func logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// database is the store's address: the setting, or a file in the data folder.
func (c *config) database() string {
	if c.DatabaseURL != "" {
		return c.DatabaseURL
	}
	return filepath.Join(c.Data, "kefu.db")
}

// ofDatabase names the setting that a fault of the database may come from.
func (c *config) ofDatabase(err error) error {
	if err != nil && c.DatabaseURL != "" {
		return fmt.Errorf("KEFU_DATABASE_URL: %w", err)
	}
	return err
}

// folder makes the data folder, readable by its owner only.
func (c *config) folder() error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// box opens the installation's secrets.
func (c *config) box() (*seal.Box, error) {
	key, err := seal.Key(c.SecretKey, c.Data)
	if err != nil && c.SecretKey != "" {
		return nil, fmt.Errorf("KEFU_SECRET_KEY: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	return seal.New(key)
}

// lock keeps a second server off the data folder.
func (c *config) lock() (unlock func(), err error) {
	unlock, err = models.LockDir(c.Data)
	if errors.Is(err, models.ErrLocked) {
		return nil, fmt.Errorf("another kefu already uses the folder %s", c.Data)
	}
	return unlock, err
}
