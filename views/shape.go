package views

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"kefu/internal/texts"
)

// monogram is what stands in an avatar: the first character of the name, or two of the open id that an unnamed customer is called by.
func monogram(name string) string {
	if _, id, unnamed := strings.Cut(name, "·"); unnamed && utf8.RuneCountInString(id) == 4 && isASCII(id) {
		return id[:2]
	}
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "?"
}

func isASCII(s string) bool {
	for _, r := range s {
		if r > unicode.MaxASCII {
			return false
		}
	}
	return true
}

// hue picks one of the eight avatar colours.
func hue(id uint) string { return num(id%8 + 1) }

// dotState is the presence as the dots are styled: a break shows as away.
func dotState(presence string) string {
	if presence == "break" {
		return "away"
	}
	return presence
}

// ticks is how much of the target is used, 0 to 5; five only once it is passed.
func (w WaitProps) ticks() int {
	if w.Target <= 0 {
		return 0
	}
	used := float64(w.seconds()) / float64(w.Target)
	if used >= 1 {
		return 5
	}
	return min(4, int(math.Round(5*used)))
}

// sla is empty while calm, warn from 80 % of the target, late when it is passed.
func (w WaitProps) sla() string {
	switch used := w.seconds() * 100; {
	case w.Target <= 0 || used < int64(w.Target)*80:
		return ""
	case used < int64(w.Target)*100:
		return "warn"
	}
	return "late"
}

func (w WaitProps) seconds() int64 { return max(0, (w.Now-w.Since)/1000) }

// text is mm:ss, or hours and minutes past an hour.
func (w WaitProps) text() string {
	s := w.seconds()
	if s < 3600 {
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	}
	return t(w.L, "page.wait.long", "h", s/3600, "m", s%3600/60)
}

// span says a length of time the way targets are spoken of: "3 分钟", "90 秒".
func span(l texts.Lang, seconds int) string {
	if seconds >= 60 && seconds%60 == 0 {
		return t(l, "page.span.minutes", "n", seconds/60)
	}
	return t(l, "page.span.seconds", "n", seconds)
}

// left says how long something still lasts, in its largest unit.
func left(l texts.Lang, milli int64) string {
	switch s := max(0, milli/1000); {
	case s >= 3600:
		return t(l, "page.left.hours", "n", s/3600)
	case s >= 60:
		return t(l, "page.left.minutes", "n", s/60)
	default:
		return t(l, "page.left.seconds", "n", s)
	}
}

// foldLines is how many lines of a long message stand before the fold (P-12.8).
const foldLines = 12

// foldRunes is where a text without line breaks is folded: about twelve lines of a bubble.
const foldRunes = 12 * 32

// fold cuts a long text: what is shown, what is behind the fold, and how many lines that is.
func fold(text string) (shown, rest string, lines int) {
	parts := strings.SplitAfterN(text, "\n", foldLines+1)
	if len(parts) > foldLines {
		rest = parts[foldLines]
		return strings.TrimSuffix(strings.Join(parts[:foldLines], ""), "\n"), rest, strings.Count(strings.TrimRight(rest, "\n"), "\n") + 1
	}
	if utf8.RuneCountInString(text) <= foldRunes+foldRunes/4 {
		return text, "", 0
	}
	runes := []rune(text)
	return string(runes[:foldRunes]), string(runes[foldRunes:]), (len(runes)-foldRunes)/32 + 1
}

// webLink is the address when it leads to a web page, and empty for anything else a stranger may have sent.
func webLink(address string) string {
	lower := strings.ToLower(strings.TrimSpace(address))
	if strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://") {
		return strings.TrimSpace(address)
	}
	return ""
}
