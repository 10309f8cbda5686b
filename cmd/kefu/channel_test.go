package main

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kefu/internal/clock"
	"kefu/internal/platform/sim"
)

// simulated is a running simulator with one account.
func simulated(t *testing.T) (url string, app sim.App) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	url = "http://" + ln.Addr().String()
	s := sim.New(sim.Options{Clock: clock.NewRunning(ctx), Log: slog.New(slog.DiscardHandler), BaseURL: url})
	done := make(chan error, 1)
	go func() { done <- runSimulator(ctx, s, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	app, err = s.AddApp(sim.App{Name: "青禾家居", WeChatID: "qinghe", Mode: "safe", SkipCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	return url, app
}

func TestChannelsFromTheCommandLine(t *testing.T) {
	data := ownEnvironment(t)
	log := standardError(t)
	url, app := simulated(t)
	add := []string{"channel", "add", "青禾家居服务号", "--app-id", app.AppID, "--original-id", app.OriginalID, "--base-url", url, "--public-url", "https://kefu.example.com/"}
	secrets := map[string]string{"KEFU_APP_SECRET": app.Secret, "KEFU_TOKEN": app.Token, "KEFU_AES_KEY": app.AESKey}

	refuses(t, []string{"KEFU_", "not set"}, add...)
	for name := range secrets {
		for other, value := range secrets {
			t.Setenv(other, value)
		}
		t.Setenv(name, "")
		refuses(t, []string{name, "not set"}, add...)
	}
	for name, value := range secrets {
		t.Setenv(name, value)
	}
	refuses(t, []string{`no group "物流"`}, append(add, "--group", "物流")...)
	refuses(t, []string{"Mode must be"}, append(add, "--mode", "secure")...)
	t.Setenv("KEFU_AES_KEY", "short")
	refuses(t, []string{"AESKey"}, add...)
	t.Setenv("KEFU_AES_KEY", app.AESKey)

	out := works(t, "", append(add, "--key", "mykey")...)
	if !strings.Contains(out, "callback address: https://kefu.example.com/callbacks/wechat/mykey\n") {
		t.Errorf("channel add says %q", out)
	}
	refuses(t, nil, append(add, "--key", "mykey")...) // the address is taken
	random := works(t, "", append(add, "--mode", "plain")...)
	list := works(t, "", "channel", "list")
	for _, words := range []string{"青禾家居服务号", app.AppID, "safe", "plain", "/callbacks/wechat/mykey"} {
		if !strings.Contains(list, words) {
			t.Errorf("channel list has no %q:\n%s", words, list)
		}
	}
	found := works(t, "", "doctor", "--addr", "127.0.0.1:0")
	if !strings.Contains(found, "ok    channel 青禾家居服务号  reached") {
		t.Errorf("doctor says\n%s", found)
	}

	for _, name := range []string{"kefu.db", "kefu.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(data, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for what, secret := range secrets {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%s can be read in %s", what, name)
			}
		}
	}
	for what, secret := range secrets {
		if strings.Contains(out+random+list+found+log(), secret) {
			t.Errorf("%s is said", what)
		}
	}

	t.Setenv("KEFU_SECRET_KEY", base64.StdEncoding.EncodeToString(make([]byte, 32))) // another installation's
	found, err := kefu(t, "", "doctor", "--addr", "127.0.0.1:0")
	if err == nil || !strings.Contains(found, "fail  channel 青禾家居服务号") || !strings.Contains(found, "another key") {
		t.Errorf("doctor with another key (%v) says\n%s", err, found)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	data := ownEnvironment(t)
	out := works(t, "", "doctor", "--addr", "127.0.0.1:0")
	if _, err := os.Stat(data); !strings.Contains(out, "nothing is set up") || err == nil {
		t.Errorf("before anything is set up doctor makes what it looks for, or says\n%s", out)
	}
	works(t, "", "migrate")
	out = works(t, "", "doctor", "--addr", "127.0.0.1:0")
	for _, line := range []string{"ok    settings", "note  public address", "ok    data folder", "ok    address", "ok    secret key", "ok    database"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	if out := works(t, "", "doctor", "--addr", "127.0.0.1:0", "--public-url", "https://kefu.example.com"); strings.Contains(out, "note") {
		t.Errorf("with a public address doctor says\n%s", out)
	}
	r, desk := server(t)
	busy := strings.TrimPrefix(desk.base, "http://")
	out, err := kefu(t, "", "doctor", "--addr", busy)
	if err != nil || !strings.Contains(out, "note  address") || !strings.Contains(out, "right while the server runs") {
		t.Errorf("beside a running server (%v):\n%s", err, out)
	}
	r.ends()
	key := filepath.Join(data, "secret.key")
	if err := os.WriteFile(key, []byte("rubbish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err = kefu(t, "", "doctor", "--addr", "127.0.0.1:0"); err == nil || !strings.Contains(out, "fail  secret key") || strings.Contains(out, "rubbish") {
		t.Errorf("with a broken key (%v):\n%s", err, out)
	}
	t.Setenv("KEFU_TIMEZONE", "Mars/Olympus")
	if out, err = kefu(t, "", "doctor"); err == nil || !strings.Contains(out, "fail  settings         KEFU_TIMEZONE") {
		t.Errorf("with a wrong setting (%v):\n%s", err, out)
	}
}

func TestDoctorReachesThePlatform(t *testing.T) {
	ownEnvironment(t)
	_, app := simulated(t)
	r, _ := server(t)
	r.ends()
	t.Setenv("KEFU_APP_SECRET", app.Secret)
	t.Setenv("KEFU_TOKEN", app.Token)
	t.Setenv("KEFU_AES_KEY", app.AESKey)
	works(t, "", "channel", "add", "nobody there", "--app-id", app.AppID, "--original-id", app.OriginalID, "--base-url", "http://"+freeAddress(t))
	out, err := kefu(t, "", "doctor", "--addr", "127.0.0.1:0")
	if err == nil || !strings.Contains(out, "fail  channel nobody there") || strings.Contains(out, app.Secret) {
		t.Errorf("doctor (%v) says\n%s", err, out)
	}
}
