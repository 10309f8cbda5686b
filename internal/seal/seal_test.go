package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func box(t *testing.T, b byte) *Box {
	t.Helper()
	box, err := New(bytes.Repeat([]byte{b}, keySize))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestSealedValueOpensOnlyInItsPlaceWithItsKey(t *testing.T) {
	b := box(t, 1)
	sealed := b.Seal("应用密钥", "channels", "uid-1", "secret")
	if got, err := b.Open(sealed, "channels", "uid-1", "secret"); err != nil || got != "应用密钥" {
		t.Fatalf("got %q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte("应用")) {
		t.Error("the value can be read")
	}
	damaged := append([]byte(nil), sealed...)
	damaged[len(damaged)-1] ^= 1
	tests := []struct {
		name               string
		box                *Box
		sealed             []byte
		table, uid, column string
	}{
		{"another key", box(t, 2), sealed, "channels", "uid-1", "secret"},
		{"another row", b, sealed, "channels", "uid-2", "secret"},
		{"another column", b, sealed, "channels", "uid-1", "token"},
		{"the same letters cut elsewhere", b, sealed, "channel", "suid-1", "secret"},
		{"damage", b, damaged, "channels", "uid-1", "secret"},
		{"nothing", b, nil, "channels", "uid-1", "secret"},
	}
	for _, tt := range tests {
		if _, err := tt.box.Open(tt.sealed, tt.table, tt.uid, tt.column); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: err = %v, want ErrWrongKey", tt.name, err)
		}
	}
}

func TestKeyIsMadeOnceAndStays(t *testing.T) {
	dir := t.TempDir()
	first, err := Key("", dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Key("", dir)
	if err != nil || !bytes.Equal(first, again) {
		t.Fatalf("the second start found another key (%v)", err)
	}
	info, err := os.Stat(filepath.Join(dir, "secret.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Key("short", dir); err == nil {
		t.Error("a setting that is no key was taken")
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.key"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Key("", dir); err == nil {
		t.Error("a damaged file was taken, and everything sealed would be lost without a word")
	}
}
