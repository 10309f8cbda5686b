package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"kefu/internal/clock"
	"kefu/internal/platform"
	"kefu/internal/platform/wechat"
	"kefu/internal/seal"
	"kefu/models"
)

// channels makes the adapter of each channel from its row and keeps it until the row changes.
type channels struct {
	store *models.Store
	box   *seal.Box
	clock clock.Clock
	http  *http.Client

	mu   sync.Mutex
	made map[int64]madeAdapter
	rows map[string]foundChannel
}

type madeAdapter struct {
	from    string // what of the row the adapter was made of
	adapter *wechat.Adapter
}

type foundChannel struct {
	channel models.Channel
	until   time.Time
}

// channelFresh is how long a channel's row is believed before it is read again: each push needs it, and it changes once a year.
const channelFresh = 2 * time.Second

func newChannels(store *models.Store, box *seal.Box, c clock.Clock) *channels {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	client := &http.Client{
		Transport: transport,
		// A platform's API never sends us elsewhere; following would carry the token along.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &channels{store: store, box: box, clock: c, http: client, made: map[int64]madeAdapter{}, rows: map[string]foundChannel{}}
}

// Receiver finds the adapter behind a callback address.
func (c *channels) Receiver(ctx context.Context, kind platform.Kind, key string) (models.Channel, platform.Receiver, error) {
	now := c.clock.Now()
	name := string(kind) + "/" + key
	c.mu.Lock()
	found, ok := c.rows[name]
	c.mu.Unlock()
	if !ok || now.After(found.until) {
		channel, err := c.store.ChannelByKey(ctx, string(kind), key)
		if err != nil {
			return channel, nil, err
		}
		found = foundChannel{channel, now.Add(channelFresh)}
		c.mu.Lock()
		c.rows[name] = found
		c.mu.Unlock()
	}
	adapter, err := c.adapter(found.channel)
	return found.channel, adapter, err
}

// Sender is the adapter that sends on the channel.
func (c *channels) Sender(ctx context.Context, channelID int64) (platform.Sender, error) {
	channel, err := c.store.Channel(ctx, channelID)
	if err != nil {
		return nil, err
	}
	return c.adapter(channel)
}

func (c *channels) adapter(ch models.Channel) (*wechat.Adapter, error) {
	from := fmt.Sprint(ch.AppID, ch.OriginalID, ch.Mode, ch.BaseURL, ch.Secret, ch.Token, ch.AESKey)
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := c.made[ch.ID]; ok && m.from == from {
		return m.adapter, nil
	}
	if ch.Kind != string(platform.WeChat) {
		return nil, fmt.Errorf("channel %d: kind %s is not served yet", ch.ID, ch.Kind)
	}
	cfg := wechat.Config{AppID: ch.AppID, OriginalID: ch.OriginalID, Mode: wechat.Mode(ch.Mode), BaseURL: ch.BaseURL}
	for _, secret := range []struct {
		to     *string
		sealed []byte
		column string
	}{{&cfg.Secret, ch.Secret, "secret"}, {&cfg.Token, ch.Token, "token"}, {&cfg.AESKey, ch.AESKey, "aes_key"}} {
		value, err := c.box.Open(secret.sealed, "channels", ch.UID, secret.column)
		if err != nil {
			return nil, fmt.Errorf("channel %d, %s: %w", ch.ID, secret.column, err)
		}
		*secret.to = value
	}
	adapter, err := wechat.New(cfg, c.http, &tokens{c, ch}, c.clock)
	if err != nil {
		return nil, fmt.Errorf("channel %d: %w", ch.ID, err)
	}
	c.made[ch.ID] = madeAdapter{from, adapter}
	return adapter, nil
}

// seal closes a new channel's secrets into its row.
func (c *channels) seal(ch *models.Channel, secret, token, aesKey string) {
	ch.Secret = c.box.Seal(secret, "channels", ch.UID, "secret")
	ch.Token = c.box.Seal(token, "channels", ch.UID, "token")
	ch.AESKey = c.box.Seal(aesKey, "channels", ch.UID, "aes_key")
}

// tokens keeps a channel's access token in the database, sealed, for all processes.
type tokens struct {
	c  *channels
	ch models.Channel
}

func (t *tokens) Load(ctx context.Context) (platform.Token, error) {
	row, err := t.c.store.AccessToken(ctx, t.ch.ID)
	if errors.Is(err, models.ErrNotFound) {
		return platform.Token{}, nil
	}
	if err != nil {
		return platform.Token{}, err
	}
	value, err := t.c.box.Open(row.Value, "access_tokens", t.ch.UID, "value")
	if err != nil { // the key changed: the platform gives another token
		return platform.Token{}, nil
	}
	return platform.Token{Value: value, Issued: row.IssuedAt, Expires: row.ExpiresAt}, nil
}

func (t *tokens) Save(ctx context.Context, token platform.Token) error {
	return t.c.store.SaveAccessToken(ctx, models.AccessToken{
		ChannelID: t.ch.ID, Value: t.c.box.Seal(token.Value, "access_tokens", t.ch.UID, "value"), IssuedAt: token.Issued, ExpiresAt: token.Expires,
	})
}
