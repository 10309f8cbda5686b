package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWrongSettingsAreNamed(t *testing.T) {
	for _, tt := range []struct{ name, value, says string }{
		{"KEFU_LOG", "loud", `"loud" is none of debug, info, warn, error`},
		{"KEFU_TIMEZONE", "Mars/Olympus", `"Mars/Olympus"`},
		{"KEFU_PUBLIC_URL", "kefu.example.com", `"kefu.example.com" is not a web address`},
		{"KEFU_PUBLIC_URL", "ftp://kefu.example.com", "is not a web address"},
		{"KEFU_PUBLIC_URL", "https://", "is not a web address"},
		{"KEFU_TRUSTED_PROXIES", "10.0.0.0/8,everybody", `"everybody`},
		{"KEFU_TRUSTED_PROXIES", "10.0.0.0/99", `"10.0.0.0/99"`},
		{"KEFU_SECRET_KEY", "too short", "32 bytes in base64"},
		{"KEFU_SECRET_KEY", "QUJD", "32 bytes in base64"},
		{"KEFU_DATABASE_URL", "mysql://kefu@db/kefu", `"mysql"`},
		{"KEFU_DATABASE_URL", "postgres://kefu:hunter2@127.0.0.1:1/kefu", "127.0.0.1"},
		{"KEFU_DATABASE_URL", "postgres://kefu:hunter2@db:port/kefu", "cannot parse"},
	} {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			ownEnvironment(t)
			t.Setenv("KEFU_ADDR", "127.0.0.1:0")
			t.Setenv(tt.name, tt.value)
			out, err := kefu(t, "", "serve")
			if err == nil {
				t.Fatal("the server started")
			}
			for _, words := range []string{tt.name, tt.says} {
				if !strings.Contains(sentence(err), words) {
					t.Errorf("%q, want %q in it", sentence(err), words)
				}
			}
			if strings.Contains(sentence(err)+out, "hunter2") {
				t.Errorf("the password is said: %v %s", err, out)
			}
		})
	}
}

func TestTrustedProxies(t *testing.T) {
	for given, want := range map[string][]string{
		"":                          nil,
		" , ":                       nil,
		"127.0.0.1":                 {"127.0.0.1/32"},
		"127.0.0.1/32, ::1/128":     {"127.0.0.1/32", "::1/128"},
		"::1":                       {"::1/128"},
		"10.1.2.3/8":                {"10.0.0.0/8"},
		"10.0.0.0/8,192.168.1.0/24": {"10.0.0.0/8", "192.168.1.0/24"},
	} {
		c := config{Log: "info", TimeZone: "UTC", TrustedProxies: given}
		set, err := c.check()
		if err != nil {
			t.Errorf("%q: %v", given, err)
		}
		var got []string
		for _, n := range set.proxies {
			got = append(got, n.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", given, got, want)
		}
	}
}

func TestFlagsStandOverTheEnvironment(t *testing.T) {
	ownEnvironment(t)
	t.Setenv("KEFU_LOG", "loud")
	other := filepath.Join(t.TempDir(), "other")
	works(t, "", "migrate", "--log", "warn", "--data", other)
	if _, err := os.Stat(filepath.Join(other, "kefu.db")); err != nil {
		t.Error(err)
	}
}

func TestDataIsForTheOwnerOnly(t *testing.T) {
	data := ownEnvironment(t)
	r, _ := server(t)
	r.ends()
	files, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	if folder.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, want it for its owner only", folder.Mode())
	}
	var seen []string
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v, want it for its owner only", f.Name(), info.Mode())
		}
		seen = append(seen, f.Name())
	}
	for _, name := range []string{"kefu.db", "secret.key"} {
		if !slices.Contains(seen, name) {
			t.Errorf("no %s in %v", name, seen)
		}
	}
}

func TestSecretsHaveNoFlags(t *testing.T) {
	for _, c := range root().Commands() {
		for _, cmd := range append(c.Commands(), c) {
			for _, name := range []string{"secret", "secret-key", "password", "app-secret", "token", "aes-key", "database-url"} {
				if cmd.Flags().Lookup(name) != nil {
					t.Errorf("%s takes --%s: a command line is seen by everybody on the machine", cmd.CommandPath(), name)
				}
			}
		}
	}
}
