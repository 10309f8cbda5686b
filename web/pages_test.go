package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"kefu/models"
)

// fields are the names of what a form sends.
func fields(f *html.Node) []string {
	var names []string
	for d := range f.Descendants() {
		if name := attr(d, "name"); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wantForm wants a form that works without a script: method, action and fields.
func (a answer) wantForm(selector, action string, names ...string) *html.Node {
	a.t.Helper()
	f := a.one(selector)
	slices.Sort(names)
	if f.Data != "form" || attr(f, "method") != "post" || attr(f, "action") != action || !slices.Equal(fields(f), names) {
		a.t.Errorf("%s: %s posts %v to %q, want %v to %q", a.what, selector, fields(f), attr(f, "action"), names, action)
	}
	return f
}

// input is the value of a field.
func (a answer) input(name string) string {
	a.t.Helper()
	return attr(a.one("input[name="+name+"]"), "value")
}

func TestFormsOfThePages(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	mine, waiting := o.served(people.holder, "mine", "在吗"), o.says("waiting", "有人吗")
	b := o.enter(people.holder)

	login := o.stranger().get("/login?next=/queue").want(http.StatusOK)
	login.wantForm("#login", "/login", "next", "lang", "username", "password", "remember")
	if login.input("next") != "/queue" {
		t.Errorf("the form forgets where to go: %q", login.input("next"))
	}

	chat := b.get(path(mine.ID, "")).want(http.StatusOK)
	chat.wantForm("#composer", path(mine.ID, "/messages"), "key", "mode", "text")
	chat.one("#composer textarea[name=text][required]")
	chat.one("#composer input[name=mode][value=reply][checked]")
	chat.one("#composer input[name=mode][value=note]:not([checked])")
	chat.wantForm("form#close", path(mine.ID, "/close"))
	chat.none("form#claim").none("#blocked")
	chat.wantForm("#presence-form", "/me/presence", "presence")
	if n := len(chat.all("form[action='/logout'][method=post]")); n != 1 {
		t.Errorf("%d ways to log out, want one", n)
	}
	if attr(chat.one("body"), "data-cursor") != o.cursor() {
		t.Errorf("cursor %q, want %q", attr(chat.one("body"), "data-cursor"), o.cursor())
	}

	queue := b.get("/queue").want(http.StatusOK)
	queue.one("#q-" + strconv.FormatInt(waiting.ID, 10) + " form[method=post][action='" + path(waiting.ID, "/claim") + "']")
	queue.one("form[action='" + path(waiting.ID, "/claim") + "'] #claim-next")

	claim := b.get(path(waiting.ID, "")).want(http.StatusOK)
	claim.wantForm("form#claim", path(waiting.ID, "/claim"))
	claim.none("#composer").none("form#close")

	watch := o.enter(people.colleague).get(path(mine.ID, "")).want(http.StatusOK)
	watch.none("#composer").none("form#close").none("form#claim").says("#blocked", en("page.slot.watch", "name", "ZHOU"))

	o.must(o.desk.Close(o.ctx, o.viewer(people.holder), mine.ID))
	b.get(path(mine.ID, "")).want(http.StatusOK).none("#composer").none("form#close").one("#composer-slot[data-state=closed] #blocked")

	me := b.get("/me").want(http.StatusOK)
	me.wantForm("#prefs", "/me", "lang", "theme", "density")
	me.wantForm("#password-form", "/me/password", "username", "current", "password", "again")
}

// cursor is where the board is.
func (o *office) cursor() string {
	o.caughtUp()
	return fmt.Sprintf("%s.%d", o.board.Epoch(), o.board.Newest())
}

func TestRoadWithoutAScript(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	s := o.says("customer", "沙发能送到宁波吗")
	b := o.stranger()
	b = b.keeps(b.logIn("zhou").goesTo("/c").token())
	b.get("/").goesTo("/c")
	b.get("/c?list=queue").one("#c-" + strconv.FormatInt(s.ID, 10) + " form")
	b.post(path(s.ID, "/claim")).goesTo(path(s.ID, ""))
	page := b.get(path(s.ID, "")).want(http.StatusOK).says("#timeline", "沙发能送到宁波吗")
	b.post(path(s.ID, "/messages"), "key", page.input("key"), "mode", "reply", "text", "能，周三到").goesTo(path(s.ID, ""))
	b.get(path(s.ID, "")).says("#timeline .msg--out[data-state=queued] .bubble", "能，周三到")
	b.post(path(s.ID, "/messages"), "mode", "note", "text", "住四楼").goesTo(path(s.ID, ""))
	b.get(path(s.ID, "")).says("#timeline .msg--note", "住四楼")
	b.post(path(s.ID, "/close")).goesTo(path(s.ID, ""))
	b.get("/c?list=closed").one("#c-" + strconv.FormatInt(s.ID, 10))
	if got := o.session(s.ID); got.State != models.Closed || got.CloseReason != models.ClosedByAgent || *got.AgentID != zhou.ID {
		t.Errorf("the session is %s (%s)", got.State, got.CloseReason)
	}
}

func TestPressedTwiceIsSaidOnce(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	s := o.served(zhou, "customer", "在吗")
	b := o.enter(zhou)
	first, second := b.get(path(s.ID, "")).input("key"), b.get(path(s.ID, "")).input("key")
	if first == second || len(first) != 36 {
		t.Errorf("keys %q and %q, want a new one for each page", first, second)
	}
	for _, mode := range []string{"reply", "note"} {
		before := len(o.messages(s))
		for range 2 {
			b.post(path(s.ID, "/messages"), "key", mode+first, "mode", mode, "text", "好的").goesTo(path(s.ID, ""))
		}
		b.htmx().post(path(s.ID, "/messages"), "key", mode+first, "mode", mode, "text", "好的").want(http.StatusOK)
		if n := len(o.messages(s)) - before; n != 1 {
			t.Errorf("%s: %d messages for one key, want one", mode, n)
		}
	}
	b.post(path(s.ID, "/messages"), "key", strings.Repeat("k", 65), "text", "好的").want(http.StatusBadRequest)
}

func TestRefusedReplyKeepsWhatWasWritten(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	s := o.served(people.holder, "customer", "在吗")
	b := o.enter(people.holder)
	const written = "\xe4\xbd\xa0 <b>&amp;"

	plain := b.post(path(s.ID, "/messages"), "mode", "note", "key", "k1", "text", "\n \t").want(http.StatusUnprocessableEntity)
	plain.says("#composer [role=alert]:not([hidden])", en("refusal.empty"))
	plain.one("#composer input[name=mode][value=note][checked]")
	if plain.input("key") != "k1" {
		t.Errorf("key %q: the second try must not count as another message", plain.input("key"))
	}
	toast := b.htmx().post(path(s.ID, "/messages"), "mode", "reply", "text", "").want(http.StatusUnprocessableEntity)
	toast.says("[role=alert]", en("refusal.empty"))
	if len(toast.all("#composer")) != 0 {
		t.Error("the script's answer replaces the composer, and the text in it")
	}

	o.must(o.desk.Close(o.ctx, o.viewer(people.lead), s.ID)) // meanwhile
	gone := b.post(path(s.ID, "/messages"), "mode", "reply", "text", written).want(http.StatusConflict)
	gone.says("#composer-alert:not([hidden])", en("refusal.closed_reply"))
	if got := words(gone.one("#composer textarea")); got != written {
		t.Errorf("the box has %q, want what was written, as the sentence says", got)
	}
	b.htmx().post(path(s.ID, "/messages"), "mode", "reply", "text", written).want(http.StatusUnprocessableEntity).says("[role=alert]", en("refusal.closed_reply"))
	b.with("Accept-Language", "zh-CN").post(path(s.ID, "/messages"), "text", written).says("#composer-alert", zh("refusal.closed_reply"))
	o.enter(people.colleague).post(path(s.ID, "/messages"), "text", written).want(http.StatusForbidden) // never was theirs to see: nothing is shown

	long := strings.Repeat("长", 25_000)
	s = o.served(people.holder, "another", "在吗")
	kept := b.post(path(s.ID, "/messages"), "text", long).want(http.StatusUnprocessableEntity)
	if words(kept.one("#composer textarea")) != long {
		t.Error("the text was not kept")
	}
}

func TestClaimLostIsToldOnThePage(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	s := o.says("customer", "在吗")
	slow := o.enter(people.colleague)
	o.must(o.desk.Claim(o.ctx, o.viewer(people.holder), s.ID))
	said := en("refusal.taken", "name", "ZHOU")
	slow.post(path(s.ID, "/claim")).want(http.StatusConflict).says("#composer-slot [role=alert]", said)
	boosted := slow.htmx().with("HX-Boosted", "true")
	boosted.post(path(s.ID, "/claim")).want(http.StatusUnprocessableEntity).says("#chat #composer-slot [role=alert]", said) // htmx swaps 422 only
	o.enter(people.holder).htmx().with("HX-Boosted", "true").post(path(s.ID, "/claim")).goesTo(path(s.ID, ""))              // pressed twice
	if a := o.enter(people.holder).htmx().post(path(s.ID, "/claim")).want(http.StatusNoContent); a.header.Get("HX-Redirect") != path(s.ID, "") {
		t.Errorf("a script is led to %q", a.header.Get("HX-Redirect"))
	}

	o.exec("UPDATE groups SET watch = ?", false)
	hidden := o.says("hidden", "在吗")
	o.must(o.desk.Claim(o.ctx, o.viewer(people.holder), hidden.ID))
	slow.post(path(hidden.ID, "/claim")).want(http.StatusConflict).says("#problem", said) // not to be watched: the sentence alone
}

func TestLists(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	mine := o.served(people.holder, "mine", "我的")
	theirs := o.served(people.colleague, "theirs", "同事的")
	over := o.served(people.holder, "over", "完了")
	o.must(o.desk.Close(o.ctx, o.viewer(people.holder), over.ID))
	first := o.says("first", "第一位")
	o.must(o.clock.Advance(o.ctx, time.Minute))
	second := o.says("second", "第二位")
	for _, tt := range []struct {
		name string
		who  models.Agent
		list string
		want []models.Session
	}{
		{"own", people.holder, "mine", []models.Session{mine}},
		{"without a name", people.holder, "", []models.Session{mine}},
		{"with an unknown name", people.holder, "everything", []models.Session{mine}},
		{"queue in order of arrival", people.holder, "queue", []models.Session{first, second}},
		{"colleagues'", people.holder, "team", []models.Session{theirs}},
		{"closed", people.holder, "closed", []models.Session{over}},
		{"a colleague's closed", people.colleague, "closed", nil},
		{"supervisor's team", people.lead, "team", []models.Session{mine, theirs}},
		{"supervisor's closed", people.lead, "closed", []models.Session{over}},
		{"another group's queue", people.outsider, "queue", nil},
		{"another group's team", people.outsider, "team", nil},
		{"another supervisor's closed", people.foreignLead, "closed", nil},
		{"admin's queue", people.admin, "queue", []models.Session{first, second}},
		{"admin's closed", people.admin, "closed", []models.Session{over}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o.t = t
			page := o.enter(tt.who).get("/c?list=" + tt.list).want(http.StatusOK)
			fragment := o.enter(tt.who).with("X-Fragment", "list").get("/c?list=" + tt.list).want(http.StatusOK)
			for _, a := range []answer{page, fragment} {
				var got []string
				for _, row := range a.all("#convo-list > li[id^=c-]") {
					got = append(got, attr(row, "id"))
				}
				var want []string
				for _, s := range tt.want {
					want = append(want, fmt.Sprintf("c-%d", s.ID))
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s lists %v, want %v", a.what, got, want)
				}
			}
			fragment.none("body > .app").one("#badge-queue") // the list and the numbers, without the frame
			if strings.Contains(fragment.body, "<html") {
				t.Error("the fragment is a whole page")
			}
		})
	}
	o.t = t
	a := o.enter(people.holder).with("X-Fragment", "list").get(fmt.Sprintf("/c?list=mine&current=%d", mine.ID)).want(http.StatusOK)
	a.one("[aria-current=true]")
	o.enter(people.holder).get(path(first.ID, "")).one("#convo-list[data-list=queue]") // the list that holds the open chat
	o.enter(people.holder).get(path(over.ID, "")).one("#convo-list[data-list=closed]")
	if got := words(o.enter(people.holder).get("/c").one("#count-team")); got != "1" {
		t.Errorf("%s colleagues' chats, want 1", got)
	}
}

func TestThreadUpdateBringsWhatIsNew(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	s := o.served(zhou, "customer", "在吗")
	b := o.enter(zhou)
	last, err := strconv.ParseInt(attr(b.get(path(s.ID, "")).one("#timeline"), "data-last"), 10, 64)
	o.must(err)
	update := func() answer { return b.get(path(s.ID, fmt.Sprintf("/messages?after=%d", last))).want(http.StatusOK) }
	m := o.reply(zhou, s, "在的")
	a := update().says(fmt.Sprintf("#m-%d .bubble", m.ID), "在的")
	a.one("#chat-head")
	a.one("#waitbar")
	a.one("#composer-slot[data-state=mine] #composer")
	last = m.ID
	o.exec("UPDATE messages SET state = 'sent', updated_at = ? WHERE id = ?", noon, m.ID)
	a = update()
	if state := attr(a.one(fmt.Sprintf("#m-%d", m.ID)), "data-state"); state != "sent" { // known, but changed
		t.Errorf("the bubble's state is %s, want sent", state)
	}
	o.must(o.clock.Advance(o.ctx, time.Hour))
	if n := len(update().all("[id^=m-]")); n != 0 {
		t.Errorf("%d messages an hour later, want none", n)
	}
	sent := b.htmx().post(path(s.ID, "/messages"), "mode", "reply", "key", "k", "text", "还在吗").want(http.StatusOK)
	sent.says(".msg--out[data-key=k] .bubble", "还在吗")
	b.get(path(s.ID, "/messages")).want(http.StatusBadRequest)
	b.get(path(s.ID, "/messages?after=x")).want(http.StatusBadRequest)
}

func TestEarlierMessagesAreOnPagesOfTheirOwn(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	s := o.served(zhou, "customer", "第 0 句")
	for i := 1; i < 150; i++ {
		o.says("customer", fmt.Sprintf("第 %d 句", i))
	}
	b, address, seen := o.enter(zhou), path(s.ID, ""), map[string]bool{}
	pages := 0
	for address != "" {
		a := b.get(address).want(http.StatusOK)
		list := a.all("#timeline > li[id^=m-]")
		if len(list) > 60 {
			t.Errorf("%s shows %d messages", address, len(list))
		}
		for _, m := range list {
			if seen[attr(m, "id")] {
				t.Errorf("%s is shown twice", attr(m, "id"))
			}
			seen[attr(m, "id")] = true
		}
		pages++
		address = ""
		if more := a.all("#earlier"); len(more) == 1 {
			address = attr(more[0], "href")
		}
	}
	if want := len(o.messages(s)); len(seen) != want || pages != 3 {
		t.Errorf("%d messages on %d pages, want all %d on 3", len(seen), pages, want)
	}
	b.get(path(s.ID, "?before=nonsense")).want(http.StatusOK)
}

func TestFailedMessageGoesBackIntoTheComposer(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	s := o.served(people.holder, "customer", "在吗")
	m := o.reply(people.holder, s, "太长的话")
	o.fail(m)
	b := o.enter(people.holder)
	a := b.get(path(s.ID, ""))
	a.wantForm(fmt.Sprintf("#m-%d form", m.ID), path(s.ID, fmt.Sprintf("/messages/%d/resend", m.ID)))
	edit, _, _ := strings.Cut(attr(a.one(fmt.Sprintf("#edit-%d", m.ID)), "href"), "#")
	if got := words(b.get(edit).one("#composer textarea")); got != "太长的话" {
		t.Errorf("the composer has %q", got)
	}
	o.enter(people.colleague).get(path(s.ID, "")).none(fmt.Sprintf("#m-%d form", m.ID)) // who watches may not
	b.post(path(s.ID, fmt.Sprintf("/messages/%d/resend", m.ID))).goesTo(path(s.ID, ""))
	b.htmx().post(path(s.ID, fmt.Sprintf("/messages/%d/resend", m.ID))).want(http.StatusNoContent) // pressed twice
	again := 0
	for _, x := range o.messages(s) {
		if x.ResendOf != nil && *x.ResendOf == m.ID {
			again++
		}
	}
	if again != 1 {
		t.Errorf("resent %d times, want once", again)
	}
	queued := o.reply(people.holder, s, "马上")
	b.post(path(s.ID, fmt.Sprintf("/messages/%d/resend", queued.ID))).want(http.StatusConflict).says("#composer [role=alert]", en("refusal.not_failed"))
	b.htmx().post(path(s.ID, fmt.Sprintf("/messages/%d/resend", queued.ID))).want(http.StatusUnprocessableEntity).says("[role=alert]", en("refusal.not_failed"))
	b.post(path(s.ID, fmt.Sprintf("/messages/%d/withdraw", queued.ID))).goesTo(path(s.ID, ""))
	b.post(path(s.ID, fmt.Sprintf("/messages/%d/withdraw", queued.ID))).want(http.StatusConflict).says("#composer [role=alert]", en("refusal.on_its_way"))
}

func TestPreferencesAreOnThePage(t *testing.T) {
	o := newOffice(t)
	b := o.enter(o.hire("zhou", models.RoleAgent, o.sales))
	look := func() [3]string {
		h := b.get("/c").one("html")
		return [3]string{attr(h, "lang"), attr(h, "data-theme"), attr(h, "data-density")}
	}
	if got := look(); got != [3]string{"en", "", ""} { // as the browser asks
		t.Errorf("at first %v", got)
	}
	b.post("/me", "lang", "zh-CN", "theme", "dark", "density", "compact").goesTo("/me?saved=preferences")
	if got := look(); got != [3]string{"zh-CN", "dark", "compact"} {
		t.Errorf("then %v", got)
	}
	b.get("/me?saved=preferences").says("#prefs [selected]", "简体中文")
	b.post("/me", "theme", "light", "back", "/queue").goesTo("/queue") // the theme button alone
	if got := look(); got != [3]string{"zh-CN", "light", "compact"} {
		t.Errorf("after the button %v, want the rest kept", got)
	}
	b.htmx().post("/me", "theme", "").want(http.StatusNoContent)
	b.post("/me", "theme", "dark", "back", "//evil.example").goesTo("/me?saved=preferences")
	for _, wrong := range [][]string{{"theme", "pink"}, {"lang", "fr"}, {"density", "wide"}} {
		b.post("/me", wrong...).want(http.StatusUnprocessableEntity).says("#prefs [role=alert]", zh("refusal.preference"))
	}
	if got := look(); got != [3]string{"zh-CN", "dark", "compact"} {
		t.Errorf("after refused choices %v", got)
	}
	b.get("/nowhere").says("#problem h1", zh("page.problem.404"))
}

func TestPresenceForm(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	b := o.enter(zhou)
	b.post("/me/presence", "presence", "break").goesTo("/c")
	b.post("/me/presence", "presence", "online", "back", "/queue").goesTo("/queue")
	b.htmx().post("/me/presence", "presence", "busy").want(http.StatusNoContent)
	if p := o.viewer(zhou).Agent.Presence; p != models.Busy {
		t.Errorf("the agent is %s, want busy", p)
	}
	b.get("/c").one("#presence-btn[data-presence=busy]")
	b.post("/me/presence", "presence", "asleep").want(http.StatusUnprocessableEntity).says("#problem", en("refusal.presence"))
	b.htmx().post("/me/presence", "presence", "").want(http.StatusUnprocessableEntity).says("[role=alert]", en("refusal.presence"))
}

func TestPagesSpeakBothLanguages(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	s := o.served(people.holder, "customer", "在吗")
	b := o.enter(people.holder)
	for address, selector := range map[string]struct {
		at       string
		enn, zhh string
	}{
		"/c":            {".ws__list h1", en("page.nav.chats"), zh("page.nav.chats")},
		"/queue":        {"h1", en("page.queue.title"), zh("page.queue.title")},
		"/me":           {"h1", en("page.nav.me"), zh("page.nav.me")},
		path(s.ID, ""):  {"#composer .composer__send", en("page.composer.send"), zh("page.composer.send")},
		"/c/999999":     {"#problem h1", en("page.problem.404"), zh("page.problem.404")},
		"/c/%20/../../": {"#problem h1", en("page.problem.404"), zh("page.problem.404")},
	} {
		b.get(address).says(selector.at, selector.enn)
		a := b.with("Accept-Language", "zh-CN,zh;q=0.9").get(address).says(selector.at, selector.zhh)
		if got := attr(a.one("html"), "lang"); got != "zh-CN" {
			t.Errorf("%s in Chinese says lang=%q", address, got)
		}
	}
}

func TestWhatCustomersSendIsOnlyText(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	const hostile = `<script>alert(1)</script><img src=x onerror=alert(1)> "><b>'`
	s := o.served(zhou, "customer", hostile)
	b := o.enter(zhou)
	for _, address := range []string{"/c", path(s.ID, ""), path(s.ID, "/customer"), path(s.ID, "/messages?after=0"), "/queue", "/me"} {
		a := b.get(address).want(http.StatusOK)
		a.none("script:not([src])").none("img[onerror]").none("[onclick],[onload],[onerror],[style]").none("style").none("a[href^='javascript:']")
	}
	b.get(path(s.ID, "")).says("#timeline .msg:not(.msg--out) .bubble", strings.Join(strings.Fields(hostile), " "))
}

func TestQueueBoard(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	o.must(o.desk.SetPresence(o.ctx, people.colleague.ID, models.Online))
	s := o.says("customer", "有人吗")
	whole := o.enter(people.holder).get("/queue").want(http.StatusOK)
	part := o.enter(people.holder).with("X-Fragment", "queue").get("/queue").want(http.StatusOK)
	for _, a := range []answer{whole, part} {
		a.says("#q-"+strconv.FormatInt(s.ID, 10), "有人吗")
		a.one(fmt.Sprintf("#q-group-%d", o.sales.ID))
		a.none(fmt.Sprintf("#q-group-%d", o.service.ID))
		a.one(fmt.Sprintf("#agent-%d", people.colleague.ID))
		a.none(fmt.Sprintf("#agent-%d", people.outsider.ID)) // no colleague of theirs
	}
	if strings.Contains(part.body, "<html") {
		t.Error("the fragment is a whole page")
	}
	other := o.enter(people.outsider).get("/queue").want(http.StatusOK)
	if strings.Contains(other.body, "有人吗") {
		t.Error("another group's customer is on the board")
	}
	all := o.enter(people.admin).get("/queue").want(http.StatusOK)
	all.one(fmt.Sprintf("#q-group-%d", o.service.ID))
	all.one(fmt.Sprintf("#agent-%d", people.outsider.ID))
}
