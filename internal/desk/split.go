package desk

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// whole matches what must not be torn apart: a link with its text, and WeChat's own emoji codes (P-5.2).
var whole = regexp.MustCompile(`(?s)<a\s[^>]*>.*?</a>|\[[^\[\]\n]{1,6}\]`)

// Split cuts a text into messages of at most limit bytes: at a paragraph if one ends in the second half, else at a sentence, else
// between two characters. A link, an emoji code and a joined emoji stay whole, unless one alone is longer than the limit.
func Split(text string, limit int) []string {
	var parts []string
	for len(text) > limit {
		at := cut(text, limit)
		if part := strings.TrimRight(text[:at], " \n"); part != "" {
			parts = append(parts, part)
		}
		text = strings.TrimLeft(text[at:], "\n")
	}
	if text != "" || len(parts) == 0 {
		parts = append(parts, text)
	}
	return parts
}

// cut finds where to end the first message: a byte index in (0, limit].
func cut(text string, limit int) int {
	paragraph, sentence, word := 0, 0, 0
	at, state := 0, -1
	rest := text
	spans := whole.FindAllStringIndex(text, -1)
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		end := at + len(cluster)
		for len(spans) > 0 && spans[0][1] <= at {
			spans = spans[1:]
		}
		inside := len(spans) > 0 && spans[0][0] < end && end < spans[0][1]
		if end > limit {
			break
		}
		if !inside {
			word = end
			switch {
			case cluster == "\n":
				paragraph = end
			case strings.Contains("。！？!?；;…", cluster) && cluster != "":
				sentence = end
			}
		}
		at = end
	}
	switch {
	case paragraph > limit/2:
		return paragraph
	case sentence > limit/2:
		return sentence
	case word > 0:
		return word
	}
	at = limit // one whole thing longer than a message: at least no character is torn
	for at > 1 && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}
