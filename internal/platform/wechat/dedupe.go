package wechat

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

const maxDedupeBytes = 160 // longer keys become a hash

// dedupe is the key under which a repetition of the same push is recognised. A repetition has a new timestamp, nonce and cipher text, so
// only the body counts (wechat.md §7.7). Messages go by MsgId; events by customer, second and what tells two events of one second
// apart; events of hosted sessions by all fields but the account's own name, because two kf_switch_session in one second differ in
// nothing but their accounts. What cannot be read, or lacks these fields, goes by its bytes.
func dedupe(fs fields, body []byte) string {
	customer, created := fs.word("FromUserName"), fs.word("CreateTime")
	name := fs.word("Event")
	switch {
	case customer == "":
	case fs.word("MsgType") != "event":
		if id := fs.word("MsgId"); id != "" {
			return bounded("m:", id)
		}
	case created == "":
	case strings.HasPrefix(name, "kf_"):
		return "k:" + hashFields(fs)
	default:
		return bounded("e:", customer, created, name, fs.word("EventKey"), fs.word("Ticket"), fs.word("MsgId"))
	}
	return "u:" + hash(string(body))
}

// bounded joins the parts to a key that is never longer than maxDedupeBytes, and never the same for different parts.
func bounded(prefix string, parts ...string) string {
	key := prefix + strings.Join(parts, "|")
	clear := !slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(p, "|") })
	if clear && len(key) <= maxDedupeBytes {
		return key
	}
	return prefix + "#" + hash(parts...)
}

// hashFields does not depend on the order of the elements.
func hashFields(fs fields) string {
	var parts []string
	for _, f := range fs {
		if !strings.EqualFold(f.path, "ToUserName") {
			parts = append(parts, f.path+"="+f.value)
		}
	}
	slices.Sort(parts)
	return hash(parts...)
}

// hash is SHA-256 over the parts, each closed by a NUL, which no cleaned text contains.
func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}
