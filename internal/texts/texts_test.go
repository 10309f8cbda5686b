package texts

import (
	"regexp"
	"slices"
	"testing"
)

func TestSentenceTakesItsArguments(t *testing.T) {
	catalogue[En]["test.sample"] = "{n} {n|chat|chats} for {who}, {open"
	defer delete(catalogue[En], "test.sample")
	for n, want := range map[int]string{1: "1 chat for Lin, {open", 2: "2 chats for Lin, {open"} {
		if got := T(En, "test.sample", Args{"n": n, "who": "Lin"}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := T(En, "no.such.key", nil); got != "no.such.key" {
		t.Errorf("an unknown key showed as %q", got)
	}
}

var placeholder = regexp.MustCompile(`\{(\w+)`)

func TestBothLanguagesSayTheSame(t *testing.T) {
	for key, zh := range catalogue[ZhCN] {
		en := catalogue[En][key]
		if zh == "" || en == "" {
			t.Errorf("%s: a language is missing", key)
		}
		if a, b := names(zh), names(en); !slices.Equal(a, b) {
			t.Errorf("%s: zh-CN takes %v, en takes %v", key, a, b)
		}
	}
}

func names(sentence string) []string {
	var out []string
	for _, m := range placeholder.FindAllStringSubmatch(sentence, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestMatchPicksALanguage(t *testing.T) {
	for wish, want := range map[string]Lang{"": ZhCN, "en-GB,en;q=0.9": En, "fr, zh-TW;q=0.8, en;q=0.5": ZhCN, "zh-CN": ZhCN, "de": ZhCN} {
		if got := Match(wish); got != want {
			t.Errorf("%q: got %s, want %s", wish, got, want)
		}
	}
}
