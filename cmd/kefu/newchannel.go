package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"

	"kefu/internal/platform"
	"kefu/models"
)

// newChannel is an account to be connected.
type newChannel struct {
	name, appID, originalID, mode, baseURL, group, key string
	secret, token, aesKey                              string
	groupID                                            int64 // instead of the group's name
}

// secrets reads what must not stand on a command line.
func (n *newChannel) secrets() error {
	if n.appID == "" {
		return errors.New("--app-id is needed, the account's AppID (wx…)")
	}
	for name, to := range map[string]*string{"KEFU_APP_SECRET": &n.secret, "KEFU_TOKEN": &n.token, "KEFU_AES_KEY": &n.aesKey} {
		if *to = os.Getenv(name); *to == "" && (name != "KEFU_AES_KEY" || n.mode != "plain") {
			return fmt.Errorf("%s is not set in the environment", name)
		}
	}
	return nil
}

// create checks the settings by making the adapter, and stores the channel.
func (n *newChannel) create(ctx context.Context, c *channels) (models.Channel, error) {
	ch := models.Channel{
		UID: uuid.NewString(), Key: n.key, Kind: string(platform.WeChat), Name: n.name, AppID: n.appID, OriginalID: n.originalID, Mode: n.mode,
		BaseURL: n.baseURL, DefaultGroupID: n.groupID, CreatedAt: c.clock.Now(),
	}
	if ch.Key == "" {
		raw := make([]byte, 15)
		rand.Read(raw) //nolint:errcheck // never fails (crypto/rand)
		ch.Key = strings.ToLower(base32.StdEncoding.EncodeToString(raw))
	}
	if ch.DefaultGroupID == 0 {
		people, err := c.store.Agents(ctx)
		if err != nil {
			return ch, err
		}
		if err := firstGroup(ctx, c.store, people, c.clock.Now()); err != nil {
			return ch, err
		}
		groups, err := groupsNamed(ctx, c.store, one(n.group))
		if err != nil {
			return ch, err
		}
		ch.DefaultGroupID = groups[0].ID
	}
	c.seal(&ch, n.secret, n.token, n.aesKey)
	if _, err := c.adapter(ch); err != nil {
		return ch, fmt.Errorf("the account's settings: %w", errors.Unwrap(err))
	}
	return ch, c.store.CreateChannel(ctx, &ch)
}

func one(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}
