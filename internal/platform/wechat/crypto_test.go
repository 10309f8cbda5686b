package wechat

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestSignaturesOfTheVectors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		parts      []string
	}{
		{"A: address check", aCheckSignature, []string{aToken, aCheckTime, aCheckNonce}},
		{"A: plain push", aPushSignature, []string{aToken, aPushTime, aPushNonce}},
		{"F: WeCom address check", wecomEchoSigned, []string{"123456", wecomEchoTime, wecomEchoNonce, wecomEcho}},
	}
	for _, v := range vectors {
		tests = append(tests, struct {
			name, want string
			parts      []string
		}{v.name + ", msg_signature", v.msgSignature, []string{v.token, v.timestamp, v.nonce, v.encrypted}})
		if v.signature != "" {
			tests = append(tests, struct {
				name, want string
				parts      []string
			}{v.name + ", signature", v.signature, []string{v.token, v.timestamp, v.nonce}})
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := sign(tt.parts...); got != tt.want {
				t.Errorf("signature %s, want %s", got, tt.want)
			}
			if !signed(tt.want, tt.parts...) || signed("", tt.parts...) || signed(strings.ToUpper(tt.want), tt.parts...) {
				t.Error("the signature itself must hold, nothing else")
			}
		})
	}
}

func TestVectorsOpenAndSealToTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			key, err := newCipherKey(v.key)
			if err != nil {
				t.Fatal(err)
			}
			msg, tail, err := key.open(v.encrypted)
			if err != nil {
				t.Fatal(err)
			}
			if tail != v.appID {
				t.Errorf("tail %q, want %q", tail, v.appID)
			}
			if v.msg != "" && string(msg) != v.msg {
				t.Errorf("message %q, want %q", msg, v.msg)
			}
			again, err := key.seal(strings.NewReader(v.random), msg, v.appID)
			if err != nil {
				t.Fatal(err)
			}
			if again != v.encrypted {
				t.Errorf("sealed to %s, want %s", again, v.encrypted)
			}
		})
	}
}

func TestWeComVectorHasItsPublishedContent(t *testing.T) {
	t.Parallel()
	v := vectorOf("F")
	key, err := newCipherKey(v.key)
	if err != nil {
		t.Fatal(err)
	}
	msg, _, err := key.open(v.encrypted)
	if err != nil || len(msg) != 281 {
		t.Fatalf("%d bytes, error %v; want 281 bytes", len(msg), err)
	}
	for _, part := range []string{"<Content><![CDATA[test]]></Content>", "<![CDATA[messense]]>", "4363689963896700987"} {
		if !strings.Contains(string(msg), part) {
			t.Errorf("%q is not in %s", part, msg)
		}
	}
	echo, tail, err := key.open(wecomEcho)
	if err != nil || string(echo) != wecomEchoPlain || tail != v.appID {
		t.Errorf("echo %q for %q, error %v", echo, tail, err)
	}
}

func TestBrokenCipherTextIsAnErrorAndNeverAPanic(t *testing.T) {
	t.Parallel()
	key, err := newCipherKey(sampleKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(plain string) string { // encrypted without any padding of ours
		b := []byte(plain)
		cbcEncrypt(key, b)
		return base64.StdEncoding.EncodeToString(b)
	}
	padded := func(plain string, pad int) string { return plain + strings.Repeat(string(rune(pad)), pad) }
	tests := map[string]string{
		"empty":                      "",
		"not base64":                 "你好",
		"cut base64":                 vectorOf("G").encrypted[:41],
		"half a block":               base64.StdEncoding.EncodeToString(make([]byte, 24)),
		"last block missing":         vectorOf("G").encrypted[:len(vectorOf("G").encrypted)-64],
		"padding of zero":            block(strings.Repeat("\x00", 32)),
		"padding over 32":            block(strings.Repeat("!", 48)),
		"padding longer than all":    block(strings.Repeat("\x20", 16)),
		"padding of unequal bytes":   block(strings.Repeat("a", 30) + "\x01\x02"),
		"no room for the length":     block(padded("0123456789abcdef", 16)),
		"length beyond the end":      block(padded("0123456789abcdef\x00\x00\x00\xffwx", 26)),
		"length that is negative":    block(padded("0123456789abcdef\xff\xff\xff\xffwx", 26)),
		"length of four gigabytes-1": block(padded("0123456789abcdef\xff\xff\xff\xfe", 28)),
	}
	for name, encrypted := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if msg, tail, err := key.open(encrypted); err == nil {
				t.Errorf("opened to %q for %q", msg, tail)
			}
		})
	}
}

func TestFullBlockOfPaddingWhenAligned(t *testing.T) {
	t.Parallel()
	key, err := newCipherKey(sampleKey)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.seal(strings.NewReader("0123456789abcdef"), []byte("12345678"), "wx12")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) != 64 {
		t.Errorf("%d bytes, error %v; want 32 and a block of 32", len(raw), err)
	}
	if msg, tail, err := key.open(sealed); err != nil || string(msg) != "12345678" || tail != "wx12" {
		t.Errorf("opened to %q for %q, error %v", msg, tail, err)
	}
}
