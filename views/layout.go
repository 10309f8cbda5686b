package views

import (
	"fmt"

	"kefu/internal/texts"
)

// title is what the browser's tab says; the script puts the count of waiting customers before it.
func (p Page) title() string {
	section := t(p.L, texts.Key("page.nav."+p.Here))
	if p.Title == "" || p.Title == section {
		return section + " · Kefu"
	}
	return p.Title + " · " + section + " · Kefu"
}

// otherTheme is what the toggle asks for where no script can look at the screen.
func (p Page) otherTheme() string {
	if p.Theme == "dark" {
		return "light"
	}
	return "dark"
}

// short keeps a badge narrow.
func short(n int) string {
	if n > 99 {
		return "99+"
	}
	return fmt.Sprint(n)
}

type shortcut struct {
	does texts.Key
	keys []string
}

// shortcuts is the list behind "?": what static/js/keys.js and composer.js do.
var shortcuts = []struct {
	title texts.Key
	rows  []shortcut
}{
	{"page.keys.chats", []shortcut{
		{"page.keys.next", []string{"J", "K"}},
		{"page.keys.open", []string{"↵"}},
		{"page.keys.accept", []string{"N"}},
		{"page.keys.close", []string{"E"}},
		{"page.keys.panel", []string{"]"}},
	}},
	{"page.keys.composer", []shortcut{
		{"page.keys.focus", []string{"R"}},
		{"page.keys.send", []string{"↵"}},
		{"page.keys.newline", []string{"⇧ ↵"}},
		{"page.keys.note", []string{"Alt N"}},
		{"page.keys.leave", []string{"Esc"}},
	}},
	{"page.keys.everywhere", []shortcut{
		{"page.keys.presence", []string{"P", "1–3"}},
		{"page.keys.theme", []string{"Ctrl ⇧ L"}},
		{"page.keys.this", []string{"?"}},
	}},
}

// presences are the choices of the menu, in the order of their shortcuts.
var presences = []string{"online", "busy", "break", "offline"}
