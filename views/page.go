// Package views turns typed props into HTML. Props come ready to print: times in the agent's zone as text with a machine-readable twin,
// rights decided and given as booleans. The package asks no database, reads no clock and decides nothing; sentences come from texts.
package views

import (
	"fmt"
	"strconv"

	"kefu/internal/texts"
	"kefu/static"
)

// Page is what every page of a logged-in agent carries.
type Page struct {
	L       texts.Lang
	Theme   string // light or dark; empty follows the system
	Compact bool   // dense rows and controls
	Title   string // what the page shows, for example the customer's name; empty: the section's name alone
	Here    string // the rail item it belongs to: chats, queue or me
	Login   string // id of the log-in; it names the browser's shared stream, so it must not be the cookie's secret
	Cursor  string // epoch.id of the newest event, read before the page's first query
	Now     int64  // the server's clock when the page was made, Unix milliseconds
	Path    string // the page's own path, where a form of the frame returns to
	Me      Self
	Badges  Badges
	Toasts  []ToastProps // said once, for example after a redirect
	Full    bool         // the server's disk is full
}

// Self is the agent who looks at the page.
type Self struct {
	ID       uint
	Name     string
	Presence string // online, busy, break or offline
	Open     int    // chats held now
}

// Badges are the numbers of the frame that live updates replace.
type Badges struct {
	L      texts.Lang
	Unread int // own chats where the customer waits for an answer; the title counts it too
	Mine   int // chats held
	Queue  int // waiting in the agent's groups
	Team   int // colleagues' chats the agent may watch
}

// Person is someone drawn as a monogram: a customer round, a colleague square.
type Person struct {
	ID       uint   // picks the colour
	Name     string // as it is shown
	Group    bool   // a group talk: an icon instead of a letter
	Channel  string // customers: wechat or dingtalk; empty draws no channel badge
	Presence string // colleagues: online, busy, break or offline; empty draws no dot
}

// WaitProps is a running wait of a customer. The browser's clock carries on from here.
type WaitProps struct {
	L      texts.Lang
	Since  int64 // Unix milliseconds of the first unanswered message
	Target int   // seconds the group allows
	Now    int64 // the server's clock when this was made, Unix milliseconds
}

// ToastProps is a short message in the corner.
type ToastProps struct {
	ID   string // unique, for example toast-8123-taken; a toast that is on the page already is not shown twice
	Kind string // ok, info or alert
	Text string
	Href string // a page it leads to; empty: none
	Link string // the text of that link
}

// OrderWaiting is the place in a list of a row whose customer waits since then: the longest wait first, before all others.
func OrderWaiting(sinceMilli int64) string { return fmt.Sprintf("0-%014d", sinceMilli) }

// OrderQuiet is the place of a row where we spoke last or all is said: the newest first, after those who wait.
func OrderQuiet(lastMilli int64) string { return fmt.Sprintf("2-%014d", 99999999999999-lastMilli) }

// orderHead is where the heading between the two stands.
const orderHead = "1"

// t is the sentence for a key with alternating names and values.
func t(l texts.Lang, key texts.Key, pairs ...any) string {
	if len(pairs) == 0 {
		return texts.T(l, key, nil)
	}
	args := make(texts.Args, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return texts.T(l, key, args)
}

// iconURL addresses one symbol of the sprite.
func iconURL(name string) string { return static.URL("icons.svg") + "#i-" + name }

// num prints an id or a count.
func num[N int | int64 | uint](n N) string { return fmt.Sprint(n) }

// chatPath is a page of one chat; what is empty or a part below it.
func chatPath(id uint, what string) string {
	path := "/c/" + strconv.FormatUint(uint64(id), 10)
	if what == "" {
		return path
	}
	return path + "/" + what
}
