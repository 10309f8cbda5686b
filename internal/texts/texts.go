// Package texts holds every sentence that a person reads, in each language of the product, under a stable key. A refusal or a notice
// carries a key and arguments; the sentence is made where the reader's language is known.
package texts

import (
	"fmt"
	"strings"
)

// Lang is a language of the interface.
type Lang string

const (
	ZhCN Lang = "zh-CN"
	En   Lang = "en"
)

// Langs lists the languages there are, the default first.
var Langs = []Lang{ZhCN, En}

// Key names a sentence, for example "reply.window_closed".
type Key string

// Args fill the {placeholders} of a sentence.
type Args map[string]any

var catalogue = map[Lang]map[Key]string{ZhCN: {}, En: {}}

// add registers sentences of one area: key, zh-CN, en. It panics on a key given twice; that is a slip of ours and shows at start.
func add(rows [][3]string) struct{} {
	for _, row := range rows {
		key := Key(row[0])
		if _, twice := catalogue[ZhCN][key]; twice {
			panic("texts: key given twice: " + row[0])
		}
		catalogue[ZhCN][key], catalogue[En][key] = row[1], row[2]
	}
	return struct{}{}
}

// T is the sentence in the language, with {name} replaced from args and {name|one|many} by the word that fits the number. An unknown
// key shows as itself, so a slip is seen and nothing breaks.
func T(lang Lang, key Key, args Args) string {
	sentence, ok := catalogue[lang][key]
	if !ok {
		if sentence, ok = catalogue[ZhCN][key]; !ok {
			return string(key)
		}
	}
	if !strings.Contains(sentence, "{") {
		return sentence
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sentence, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("{" + rest)
			return b.String()
		}
		name, forms, plural := strings.Cut(inside, "|")
		value := fmt.Sprint(args[name])
		switch one, many, both := strings.Cut(forms, "|"); {
		case plural && both && value == "1":
			b.WriteString(one)
		case plural && both:
			b.WriteString(many)
		default:
			b.WriteString(value)
		}
		sentence = after
	}
}

// Match picks the language that suits an Accept-Language header or a stored preference best.
func Match(wish string) Lang {
	for part := range strings.SplitSeq(wish, ",") {
		tag, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
		switch {
		case strings.HasPrefix(tag, "zh"):
			return ZhCN
		case strings.HasPrefix(tag, "en"):
			return En
		}
	}
	return ZhCN
}
