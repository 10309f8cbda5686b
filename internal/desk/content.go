package desk

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"kefu/internal/platform"
	"kefu/models"
)

// UnsupportedText is what the platform sends in place of stickers, files and red packets: never the customer's words (P-5.1).
const UnsupportedText = "【收到不支持的消息类型，暂无法显示】"

// kindOf names the kind of an inbound message as it is stored.
func kindOf(w platform.What) string {
	switch w := w.(type) {
	case platform.Text:
		if w.Text == UnsupportedText {
			return "unsupported"
		}
		return "text"
	case platform.Image:
		return "image"
	case platform.Voice:
		return "voice"
	case platform.Video:
		if w.Short {
			return "shortvideo"
		}
		return "video"
	case platform.Location:
		return "location"
	case platform.Link:
		return "link"
	}
	return "unknown"
}

// textOf is what can be read of a message, without what a database refuses to keep as text.
func textOf(w platform.What) string {
	return strings.ToValidUTF8(strings.ReplaceAll(rawText(w), "\x00", ""), "�")
}

func rawText(w platform.What) string {
	switch w := w.(type) {
	case platform.Text:
		return w.Text
	case platform.Voice:
		return w.Recognition
	case platform.Location:
		return w.Label
	case platform.Link:
		return w.Title
	}
	return ""
}

// dataOf is the rest of a message, as JSON. A text has nothing more; an unknown kind keeps its body as it came.
func dataOf(in platform.Inbound) string {
	var v any
	switch w := in.What.(type) {
	case platform.Text:
		return ""
	case platform.Unknown:
		v = map[string]string{"type": w.MsgType, "raw": strings.ToValidUTF8(string(in.Raw), "�")}
	default:
		v = w
	}
	raw, err := json.Marshal(v)
	if err != nil { // values of plain fields always encode; a NaN coordinate is the one exception
		return ""
	}
	return string(raw)
}

// preview is the beginning of a text on one line, for lists.
func preview(text string) string {
	fields := strings.Join(strings.Fields(text), " ")
	runes := []rune(fields)
	if len(runes) <= 80 {
		return fields
	}
	return string(runes[:79]) + "…"
}

// mayReopen is the guard of row 2: closed by an agent or for silence, and only a moment ago.
func mayReopen(last models.Session, now time.Time, within time.Duration) bool {
	return last.State == models.Closed && last.ClosedAt != nil && now.Sub(*last.ClosedAt) < within &&
		(last.CloseReason == models.ClosedByAgent || last.CloseReason == models.ClosedIdle)
}

// closingWords say good-bye; a session is not reopened for them (P-1.2).
var closingWords = []string{"谢谢", "谢谢你", "谢谢您", "多谢", "感谢", "非常感谢", "好", "好的", "好的谢谢", "好的谢谢你", "好的谢谢您", "嗯", "嗯嗯", "嗯好的",
	"收到", "知道了", "明白", "明白了", "没事了", "没有了", "再见", "拜拜", "辛苦了", "ok", "okay", "thanks", "thank you", "thx", "bye"}

func isClosingWord(w platform.What) bool {
	t, ok := w.(platform.Text)
	if !ok || t.Text == UnsupportedText {
		return false
	}
	text := strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsPunct(r) {
			return -1
		}
		return r
	}, stripFaces(t.Text)))
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return strings.Contains(t.Text, "[") // nothing but faces; "？？？" alone is somebody who waits
	}
	if strings.IndexFunc(text, func(r rune) bool { return !isEmoji(r) && !unicode.IsSpace(r) }) < 0 {
		return true
	}
	return slices.Contains(closingWords, strings.TrimFunc(text, func(r rune) bool { return isEmoji(r) || unicode.IsSpace(r) }))
}

// stripFaces takes WeChat's own emoji codes, like [微笑], out of a text.
func stripFaces(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "]")
		if !closed || len([]rune(name)) > 6 || strings.ContainsAny(name, "[\n") {
			b.WriteString("[")
			text = rest
			continue
		}
		text = after
	}
}

func isEmoji(r rune) bool {
	return unicode.Is(unicode.So, r) || unicode.Is(unicode.Sk, r) || r == 0x200d || r >= 0xfe00 && r <= 0xfe0f
}
