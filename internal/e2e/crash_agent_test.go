package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// crashAgent is an agent with a browser without JavaScript: pages, forms, a cookie.
type crashAgent struct {
	world          *crashWorld
	name, password string
	http           *http.Client
}

func newCrashAgent(w *crashWorld, name, password string) *crashAgent {
	a := &crashAgent{world: w, name: name, password: password}
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // cookiejar.New has no error without options
	}
	a.http = &http.Client{
		Jar: jar, Timeout: 15 * time.Second, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w.t.Cleanup(a.http.CloseIdleConnections)
	return a
}

// once sends a form, or gets a page when there is none. A page behind the log-in says so by its status or where it leads.
func (a *crashAgent) once(ctx context.Context, path string, form url.Values) (status int, body string, err error) {
	method, content := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, content = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, a.world.server.url()+path, content)
	if err != nil {
		return 0, "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := a.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", err
	}
	if strings.HasPrefix(res.Header.Get("Location"), "/login") {
		return http.StatusUnauthorized, "", nil
	}
	return res.StatusCode, string(raw), nil
}

// insist repeats a request, exactly as it was, until it is answered.
func (a *crashAgent) insist(ctx context.Context, path string, form url.Values) (status int, body string, err error) {
	var last error
	for tries := 1; ; tries++ {
		if ctx.Err() != nil || a.world.server.gate.wait(ctx) != nil {
			return 0, "", fmt.Errorf("%s %s was never answered in %d tries, last: %w", a.name, path, tries-1, last)
		}
		if status, body, last = a.once(ctx, path, form); last == nil {
			if tries > 1 && form != nil {
				a.world.ledger.repeated()
			}
			return status, body, nil
		}
	}
}

func (a *crashAgent) get(ctx context.Context, path string) (status int, body string, err error) {
	return a.loggedIn(ctx, path, nil)
}

func (a *crashAgent) post(ctx context.Context, path string, form url.Values) (status int, body string, err error) {
	return a.loggedIn(ctx, path, form)
}

// loggedIn is insist for somebody who logs in again when the server wants that.
func (a *crashAgent) loggedIn(ctx context.Context, path string, form url.Values) (int, string, error) {
	status, body, err := a.insist(ctx, path, form)
	if err != nil || status != http.StatusUnauthorized {
		return status, body, err
	}
	status, _, err = a.insist(ctx, "/login", url.Values{"username": {a.name}, "password": {a.password}})
	if err != nil || status != http.StatusSeeOther {
		return status, "", fmt.Errorf("log-in of %s: %d, %w", a.name, status, err)
	}
	a.world.ledger.loggedIn()
	return a.insist(ctx, path, form)
}

var (
	crashChatLink   = regexp.MustCompile(`href="/c/(\d+)"`)
	crashResendForm = regexp.MustCompile(`"(/c/\d+/messages/\d+/resend)"`)
)

// work is one thing an agent does: mostly write to a customer of theirs, sometimes a note, a resend, an end; a claim when there is room.
func (a *crashAgent) work(ctx context.Context, chance *rand.Rand) {
	list := "mine"
	if chance.IntN(5) == 0 {
		list = "queue"
	}
	status, page, err := a.get(ctx, "/c?list="+list)
	if err != nil || status != http.StatusOK {
		a.world.ledger.trouble("list of %s: %d %v", a.name, status, err)
		return
	}
	chats := crashChatLink.FindAllStringSubmatch(page, -1)
	if len(chats) == 0 {
		return
	}
	chat := "/c/" + chats[chance.IntN(len(chats))][1]
	switch choice := chance.IntN(100); {
	case list == "queue":
		a.do(ctx, "claim", chat+"/claim", url.Values{})
	case choice < 8:
		a.do(ctx, "close", chat+"/close", url.Values{})
	case choice < 16:
		a.write(ctx, chat, "note", 1)
	case choice < 34:
		a.resend(ctx, chance, chat)
	case choice < 40:
		a.write(ctx, chat, "reply", 3)
	default:
		a.write(ctx, chat, "reply", 1)
	}
}

// crashRefused reports that a rule said no: not yours any more, somebody was faster, longer than what may still be sent.
func crashRefused(status int) bool {
	return status == http.StatusForbidden || status == http.StatusConflict || status == http.StatusUnprocessableEntity
}

// do presses a button. Somebody else may have been faster: a refusal is an answer.
func (a *crashAgent) do(ctx context.Context, what, path string, form url.Values) {
	status, _, err := a.post(ctx, path, form)
	switch {
	case err != nil:
		a.world.ledger.trouble("%v", err)
	case status == http.StatusSeeOther:
		a.world.ledger.did(what)
	case !crashRefused(status):
		a.world.ledger.trouble("%s %s by %s answered %d", what, path, a.name, status)
	}
}

// write sends a text nobody wrote before under a key nobody used before. About 2,000 bytes fit into one message.
func (a *crashAgent) write(ctx context.Context, chat, mode string, parts int) {
	line := a.world.ledger.write(mode)
	for part := 2; part <= parts; part++ {
		line.text += fmt.Sprintf("。\n%s 之 %d %s", line.key, part, strings.Repeat("这是一条比较长的回复", 55))
	}
	form := url.Values{"text": {line.text}, "key": {line.key}}
	if mode == "note" {
		form.Set("mode", "note")
	}
	status, _, err := a.post(ctx, chat+"/messages", form)
	switch {
	case err != nil:
		a.world.ledger.trouble("%v", err)
		return
	case status != http.StatusSeeOther && !crashRefused(status):
		a.world.ledger.trouble("%s %s by %s answered %d", mode, line.key, a.name, status)
		return
	}
	a.world.ledger.written(line, status == http.StatusSeeOther)
}

// resend presses the button below a message that failed or may have arrived, if the chat has one.
func (a *crashAgent) resend(ctx context.Context, chance *rand.Rand, chat string) {
	status, page, err := a.get(ctx, chat)
	if err != nil || status != http.StatusOK && status != http.StatusForbidden {
		a.world.ledger.trouble("%s of %s: %d %v", chat, a.name, status, err)
		return
	}
	forms := crashResendForm.FindAllStringSubmatch(page, -1)
	if len(forms) > 0 {
		a.do(ctx, "resend", forms[chance.IntN(len(forms))][1], url.Values{})
	}
}

// cookies are what the agent's browser holds.
func (a *crashAgent) cookies() []*http.Cookie {
	u, err := url.Parse(a.world.server.url())
	if err != nil {
		panic(err) // our own address
	}
	return a.http.Jar.Cookies(u)
}
