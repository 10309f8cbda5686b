package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"kefu/models"
)

// deadline is how long a test waits for what must come.
const deadline = 30 * time.Second

// event is one event as a browser understands it.
type event struct{ id, name, data string }

// stream is an open live stream.
type stream struct {
	o      *office
	events chan event // closed at the end of the stream
	close  func()
	header http.Header
}

// listen serves the office over real connections until the test ends. What is sent on the channel is a stream's handler that returned.
func (o *office) listen() (url string, left <-chan struct{}) {
	o.t.Helper()
	over := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.handler.ServeHTTP(w, r)
		if r.URL.Path == "/events" {
			over <- struct{}{}
		}
	}))
	o.t.Cleanup(server.Close)
	o.t.Cleanup(o.hub.Shutdown) // first
	return server.URL, over
}

// stream opens the live stream at the cursor.
func (b browser) stream(server, cursor string) *stream {
	b.o.t.Helper()
	b.o.caughtUp()
	ctx, cancel := context.WithCancel(b.o.ctx)
	r := b.request(http.MethodGet, "/events?cursor="+url.QueryEscape(cursor), "").WithContext(ctx)
	var err error
	r.URL, err = url.Parse(server + r.URL.RequestURI())
	b.o.must(err)
	r.RequestURI = ""
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	b.o.must(err)
	if answer.StatusCode != http.StatusOK {
		b.o.t.Fatalf("the stream answers %d", answer.StatusCode)
	}
	s := &stream{o: b.o, events: make(chan event, 10_000), close: cancel, header: answer.Header}
	b.o.t.Cleanup(cancel)
	go func() {
		defer close(s.events)
		read(answer.Body, func(e event) { s.events <- e })
	}()
	return s
}

// read takes a stream apart as the HTML standard says: a line ends at LF, CR or both.
func read(r io.Reader, tell func(event)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	lines.Split(func(data []byte, _ bool) (int, []byte, error) {
		i := slices.IndexFunc(data, func(b byte) bool { return b == '\n' || b == '\r' })
		switch {
		case i < 0:
			return 0, nil, nil
		case data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n':
			return i + 2, data[:i], nil
		}
		return i + 1, data[:i], nil
	})
	var e event
	var data []string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if e.data = strings.Join(data, "\n"); data != nil {
				tell(e)
			}
			e, data = event{id: e.id}, nil
		case field == "id":
			e.id = value
		case field == "event":
			e.name = value
		case field == "data":
			data = append(data, value)
		}
	}
}

// until collects events up to the first that fits.
func (s *stream) until(what string, fits func(event) bool) []event {
	s.o.t.Helper()
	var got []event
	late := time.After(deadline)
	for {
		select {
		case e, open := <-s.events:
			if !open {
				s.o.t.Fatalf("the stream ended before %s; it brought %v", what, names(got))
			}
			got = append(got, e)
			if fits(e) {
				return got
			}
		case <-late:
			s.o.t.Fatalf("%s did not come; the stream brought %v", what, names(got))
		}
	}
}

// next waits for an event of the name, passing over others.
func (s *stream) next(name string) event {
	s.o.t.Helper()
	got := s.until(name, func(e event) bool { return e.name == name })
	return got[len(got)-1]
}

// rest is what the stream brings until it ends.
func (s *stream) rest() []event {
	s.o.t.Helper()
	var got []event
	late := time.After(deadline)
	for {
		select {
		case e, open := <-s.events:
			if !open {
				return got
			}
			got = append(got, e)
		case <-late:
			s.o.t.Fatalf("the stream did not end; it brought %v", names(got))
		}
	}
}

// reached collects what the stream brings until it is where the board is now.
func (s *stream) reached() []event {
	s.o.t.Helper()
	cursor := s.o.cursor()
	return s.until("cursor "+cursor, func(e event) bool {
		return e.id == cursor && e.name == "badges" && strings.Contains(e.data, "badge-queue")
	})
}

func names(list []event) []string {
	var names []string
	for _, e := range list {
		names = append(names, e.name)
	}
	return names
}

// lists says which list each row goes to: "7 queue", "7 -" for one that goes away.
func lists(t testing.TB, events []event) []string {
	t.Helper()
	var got []string
	for _, e := range events {
		if e.name != "row" {
			continue
		}
		row := answer{t: t, what: "row", body: e.data}.one("li[id^=c-]")
		list := attr(row, "data-list")
		if list == "" {
			list = "-"
		}
		got = append(got, strings.TrimPrefix(attr(row, "id"), "c-")+" "+list)
	}
	return got
}

func TestStreamBeginsWhereThePageWasMade(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	server, _ := o.listen()
	b := o.enter(zhou)
	cursor := attr(b.get("/c").one("body"), "data-cursor")
	s := o.says("customer", "第一句")
	for range 20 {
		o.says("customer", "再一句")
	}
	list := o.messages(s)
	live := b.stream(server, cursor)
	got := live.reached()
	if want := []string{fmt.Sprintf("%d queue", s.ID)}; !slices.Equal(lists(t, got), want) {
		t.Errorf("rows %v, want %v: many changes of one chat are one row", lists(t, got), want)
	}
	var chat struct{ ID, Message int64 }
	for _, e := range got {
		if e.name == "chat" {
			o.must(json.Unmarshal([]byte(e.data), &chat))
		}
		if e.name == "reset" {
			t.Error("reset, although everything was there to replay")
		}
	}
	if chat.ID != s.ID || chat.Message != list[len(list)-1].ID {
		t.Errorf("chat event %+v, want chat %d up to message %d", chat, s.ID, list[len(list)-1].ID)
	}
	again := b.stream(server, got[len(got)-1].id) // as after a lost connection
	o.says("customer", "最后一句")
	if rows := lists(t, again.reached()); len(rows) != 1 {
		t.Errorf("rows %v after coming back, want only what is new", rows)
	}
	for name, want := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Encoding": ""} {
		if got := live.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestStreamThatCannotGoOnSaysReset(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	for range 3 {
		o.must(o.store.InTx(o.ctx, func(tx *models.Store) error {
			for range 501 {
				if err := tx.Emit(o.ctx, models.Event{Kind: models.EventChannel, At: noon}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	server, _ := o.listen()
	b := o.enter(zhou)
	for name, cursor := range map[string]string{
		"nothing": "", "no epoch": "12", "another database": fmt.Sprintf("other.%d", o.board.Newest()), "ahead": "",
		"far ahead": "epoch.9223372036854775807", "too far behind": "epoch.1", "before the first": "epoch.-1", "no number": "epoch.x",
		"beyond numbers": "epoch.99999999999999999999", "markup": "<script>", "only a dot": ".",
	} {
		t.Run(name, func(t *testing.T) {
			o.t = t
			if name == "ahead" { // of where the board is by now
				o.caughtUp()
				cursor = fmt.Sprintf("epoch.%d", o.board.Newest()+1)
			}
			live := b.stream(server, cursor)
			if e := live.next("reset"); e.id != o.cursor() {
				t.Errorf("reset at %s, want %s: from there it goes on", e.id, o.cursor())
			}
			o.says("customer", "在吗")
			live.next("row")
			live.close()
		})
	}
	o.t = t
	live := b.stream(server, o.cursor())
	live.next("ping")
	if got := live.next("badges"); got.name != "badges" {
		t.Errorf("a stream that is up to date begins with %v", got)
	}
}

func TestStreamForEachRole(t *testing.T) {
	o := newOffice(t)
	people := o.team()
	server, _ := o.listen()
	waiting, served, closed := "1 queue", "1 mine", "1 closed"
	tests := []struct {
		name  string
		agent models.Agent
		want  [3]string // after the customer wrote, after the claim, after the end; empty: nothing
	}{
		{"holder", people.holder, [3]string{waiting, served, closed}},
		{"colleague", people.colleague, [3]string{waiting, "1 team", "1 -"}},
		{"outsider", people.outsider, [3]string{}},
		{"supervisor", people.lead, [3]string{waiting, "1 team", closed}},
		{"another supervisor", people.foreignLead, [3]string{}},
		{"admin", people.admin, [3]string{waiting, "1 team", closed}},
	}
	streams := make([]*stream, len(tests))
	for i, tt := range tests {
		streams[i] = o.enter(tt.agent).stream(server, o.cursor())
		streams[i].next("ping")
	}
	var s models.Session
	for step, do := range []func(){
		func() { s = o.says("customer-9Q7X", "secret words") },
		func() { o.must(o.desk.Claim(o.ctx, o.viewer(people.holder), s.ID)) },
		func() { o.must(o.desk.Close(o.ctx, o.viewer(people.holder), s.ID)) },
	} {
		do()
		for i, tt := range tests {
			got := streams[i].reached()
			var want []string
			if tt.want[step] != "" {
				want = []string{tt.want[step]}
			}
			if rows := slices.Compact(lists(t, got)); !slices.Equal(rows, want) {
				t.Errorf("step %d: rows %v for %s, want %v", step, rows, tt.name, want)
			}
			sees := len(want) == 1 && !strings.HasSuffix(want[0], "-")
			if slices.Contains(names(got), "chat") != sees {
				t.Errorf("step %d: %v for %s, chat is wanted: %v", step, names(got), tt.name, sees)
			}
			for _, e := range got {
				if !sees && (strings.Contains(e.data, "secret") || strings.Contains(e.data, "9Q7X")) {
					t.Errorf("step %d: %s learns of a chat that is not theirs: %s", step, tt.name, e.data)
				}
			}
		}
	}
}

func TestChatThatAColleagueTookIsGoneWithoutATrace(t *testing.T) {
	o := newOffice(t)
	o.exec("UPDATE groups SET watch = ?", false)
	people := o.team()
	server, _ := o.listen()
	s := o.says("customer", "secret words")
	live := o.enter(people.colleague).stream(server, o.cursor())
	live.next("ping")
	o.must(o.desk.Claim(o.ctx, o.viewer(people.holder), s.ID))
	got := live.reached()
	if want := []string{fmt.Sprintf("%d -", s.ID)}; !slices.Equal(lists(t, got), want) {
		t.Errorf("rows %v, want %v", lists(t, got), want)
	}
	o.says("customer", "more secret words")
	for _, e := range append(got, live.reached()...) {
		if strings.Contains(e.data, "secret") || strings.Contains(e.data, "ZHOU") || e.name == "chat" {
			t.Errorf("what is not to be watched is told: %v", e)
		}
	}
}

func TestNumbersFollow(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	server, _ := o.listen()
	live := o.enter(zhou).stream(server, o.cursor())
	numbers := func() [3]string {
		got := live.reached()
		a := answer{t: t, what: "badges", body: got[len(got)-1].data}
		return [3]string{attr(a.one("#badge-chats"), "data-count"), attr(a.one("#badge-queue"), "data-count"), words(a.one("#count-mine"))}
	}
	s := o.says("customer", "在吗")
	if got := numbers(); got != [3]string{"0", "1", "0"} {
		t.Errorf("one waits: %v", got)
	}
	o.must(o.desk.Claim(o.ctx, o.viewer(zhou), s.ID))
	if got := numbers(); got != [3]string{"1", "0", "1"} {
		t.Errorf("one is served and asks: %v", got)
	}
	o.must(o.desk.Close(o.ctx, o.viewer(zhou), s.ID))
	if got := numbers(); got != [3]string{"0", "0", "0"} {
		t.Errorf("none is left: %v", got)
	}
}

func TestPresenceFollowsOnEveryPageOfTheAgent(t *testing.T) {
	o := newOffice(t)
	zhou, he := o.hire("zhou", models.RoleAgent, o.sales), o.hire("he", models.RoleAgent, o.sales)
	server, _ := o.listen()
	own, other := o.enter(zhou).stream(server, o.cursor()), o.enter(he).stream(server, o.cursor())
	o.enter(zhou).post("/me/presence", "presence", "break").want(http.StatusSeeOther)
	shows := func(s *stream) string {
		return attr(answer{t: t, what: "presence", body: s.next("presence").data}.one("#presence-btn"), "data-presence")
	}
	if got := shows(own); got != "break" {
		t.Errorf("the agent's page shows %s", got)
	}
	if got := shows(other); got != "offline" {
		t.Errorf("a colleague's own button shows %s", got)
	}
}

func TestRightsAreReadAnew(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	server, _ := o.listen()
	live := o.enter(zhou).stream(server, o.cursor())
	live.next("ping")
	o.says("before", "在吗")
	live.next("row")
	o.exec("UPDATE group_members SET group_id = ? WHERE agent_id = ?", o.service.ID, zhou.ID)
	o.must(o.store.Emit(o.ctx, models.Event{Kind: models.EventAgent, AgentID: zhou.ID, At: noon}))
	live.next("reset") // what is on the page is not theirs any more
	live.reached()
	o.says("after", "secret words")
	if got := live.reached(); len(lists(t, got)) != 0 {
		t.Errorf("rows %v of a group that the agent has left", lists(t, got))
	}
	o.exec("UPDATE channels SET default_group_id = ?", o.service.ID)
	o.channel.DefaultGroupID = o.service.ID
	s := o.says("new", "在吗")
	if got, want := lists(t, live.reached()), []string{fmt.Sprintf("%d queue", s.ID)}; !slices.Equal(got, want) {
		t.Errorf("rows %v of the new group, want %v", got, want)
	}
	o.exec("UPDATE agents SET role = 'admin' WHERE id = ?", zhou.ID)
	o.must(o.store.Emit(o.ctx, models.Event{Kind: models.EventAgent, AgentID: zhou.ID, At: noon}))
	live.next("reset")
	o.must(o.store.Emit(o.ctx, models.Event{Kind: models.EventAgent, AgentID: zhou.ID, At: noon}))
	if got := live.reached(); slices.Contains(names(got), "reset") {
		t.Error("reset, although nothing about the rights changed")
	}
}

func TestStreamSpeaksItsAgentsLanguage(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	server, _ := o.listen()
	b := o.enter(zhou)
	live := b.stream(server, o.cursor())
	live.next("ping")
	for _, tt := range []struct{ lang, customer string }{{"zh-CN", "微信用户"}, {"en", "WeChat user"}, {"zh-CN", "微信用户"}} {
		b.post("/me", "lang", tt.lang)
		live.next("reset") // the page was in the other language
		o.says("customer of "+tt.lang, "在吗")
		if row := live.next("row"); !strings.Contains(row.data, tt.customer) {
			t.Errorf("in %s the row says\n%s", tt.lang, row.data)
		}
	}
}

func TestStreamGivesSignsOfLife(t *testing.T) {
	o := newOffice(t, func(opt *Options) { opt.Beat = time.Millisecond })
	server, _ := o.listen()
	live := o.enter(o.hire("zhou", models.RoleAgent, o.sales)).stream(server, o.cursor())
	for range 3 {
		if e := live.next("ping"); e.data != strconv.FormatInt(noon.UnixMilli(), 10) || e.id != o.cursor() {
			t.Errorf("ping %v, want the server's clock at the place of the stream", e)
		}
	}
}

func TestEndOfTheLogInEndsItsStreams(t *testing.T) {
	tests := []struct {
		name string
		do   func(o *office, zhou models.Agent, b browser)
		all  bool // the other browser's stream too
	}{
		{"log-out", func(_ *office, _ models.Agent, b browser) { b.post("/logout").want(303) }, false},
		{"password change", func(o *office, zhou models.Agent, b browser) {
			keep := o.loginOf(b)
			o.must(o.desk.SetPassword(o.ctx, zhou.ID, "another-password", keep))
		}, false},
		{"every log-in ended", func(o *office, zhou models.Agent, _ browser) { o.must(o.desk.EndLogins(o.ctx, zhou.ID, 0, 0)) }, true},
		{"disabled", func(o *office, zhou models.Agent, _ browser) {
			o.exec("UPDATE agents SET disabled_at = ? WHERE id = ?", noon, zhou.ID)
			o.must(o.store.Emit(o.ctx, models.Event{Kind: models.EventAgent, AgentID: zhou.ID, At: noon}))
		}, true},
		{"expired", func(o *office, _ models.Agent, _ browser) { o.must(o.clock.Advance(o.ctx, dayLogin)) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, func(opt *Options) {
				if tt.name == "expired" {
					opt.Beat = time.Millisecond
				}
			})
			zhou, he := o.hire("zhou", models.RoleAgent, o.sales), o.hire("he", models.RoleAgent, o.sales)
			server, left := o.listen()
			acting, there := o.enter(zhou), o.enter(zhou)
			here, other := acting.stream(server, o.cursor()), there.stream(server, o.cursor())
			colleague := o.enter(he)
			third := colleague.stream(server, o.cursor())
			for _, s := range []*stream{here, other, third} {
				s.next("ping")
			}
			tt.do(o, zhou, acting)
			ends, stays := []*stream{here}, []*stream{other, third}
			switch {
			case tt.name == "password change":
				ends, stays = []*stream{other}, []*stream{here, third}
			case tt.name == "expired":
				ends, stays = []*stream{here, other, third}, nil
			case tt.all:
				ends, stays = []*stream{here, other}, []*stream{third}
			}
			for _, s := range ends {
				if got := names(s.rest()); len(got) == 0 || got[len(got)-1] != "bye" {
					t.Errorf("the stream ended with %v, want bye at the end", got)
				}
				<-left
			}
			for _, s := range stays {
				o.says("customer", "还在吗")
				s.next("row")
			}
			if n := o.hub.Count(); n != len(stays) {
				t.Errorf("%d streams on the hub, want %d", n, len(stays))
			}
		})
	}
}

func (o *office) loginOf(b browser) int64 {
	o.t.Helper()
	login, _, err := o.store.LiveLogin(o.ctx, hashToken(b.token), o.clock.Now())
	o.must(err)
	return login.ID
}

func TestPageThatIsGoneLeavesNothingBehind(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	server, left := o.listen()
	live := o.enter(zhou).stream(server, o.cursor())
	live.next("ping")
	if o.hub.Count() != 1 {
		t.Fatalf("%d streams, want one", o.hub.Count())
	}
	live.close()
	<-left
	if o.hub.Count() != 0 {
		t.Errorf("%d streams after the page has gone", o.hub.Count())
	}
}

// deaf is a connection whose other side has gone without a word: writing fails after a while, and nothing else tells.
type deaf struct {
	*httptest.ResponseRecorder
	writes int
	heard  chan struct{} // closed at the first write
}

func (d *deaf) Write(p []byte) (int, error) {
	if d.writes++; d.writes == 1 {
		close(d.heard)
	}
	if d.writes > 3 {
		return 0, errors.New("write: broken pipe")
	}
	return len(p), nil
}

func (d *deaf) SetReadDeadline(time.Time) error  { return nil }
func (d *deaf) SetWriteDeadline(time.Time) error { return nil }

func TestWriteThatFailsEndsTheStream(t *testing.T) {
	o := newOffice(t)
	b := o.enter(o.hire("zhou", models.RoleAgent, o.sales))
	w := &deaf{ResponseRecorder: httptest.NewRecorder(), heard: make(chan struct{})}
	r := b.request(http.MethodGet, "/events?cursor="+o.cursor(), "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.handler.ServeHTTP(w, r)
	}()
	<-w.heard
	o.says("customer", "在吗")
	select {
	case <-done:
	case <-time.After(deadline):
		t.Fatal("the handler goes on writing to nobody")
	}
	if o.hub.Count() != 0 {
		t.Errorf("%d streams on the hub", o.hub.Count())
	}
	if strings.Contains(o.log.String(), "level=ERROR") {
		t.Errorf("a page that has gone is no fault:\n%s", o.log)
	}
}

func TestLinesOfHTMLStayInTheirEvent(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	const name = "a\rid: x\r\revent: bye\rdata: b\r\n\r\nevent: bye\n\ndata: c"
	o.exec("UPDATE agents SET name = ? WHERE id = ?", name, zhou.ID)
	server, _ := o.listen()
	live := o.enter(zhou).stream(server, o.cursor())
	o.must(o.desk.SetPresence(o.ctx, zhou.ID, models.Busy))
	for _, e := range live.reached() {
		if e.name == "bye" || e.name == "" || !strings.HasPrefix(e.id, "epoch.") {
			t.Fatalf("an agent's name became an event of its own: %+v", e)
		}
		if e.name == "presence" && !strings.Contains(words(parsed(t, e.data)), "event: bye") {
			t.Errorf("the presence event lost the name: %s", e.data)
		}
	}
}

func parsed(t testing.TB, s string) *html.Node {
	t.Helper()
	return answer{t: t, body: s}.page()
}

func TestShutdownEndsStreamsSoThatPagesComeBack(t *testing.T) {
	o := newOffice(t)
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	o.must(err)
	ctx, stop := context.WithCancel(o.ctx)
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, ln, o.handler, deadline, o.hub.Shutdown) }()
	b := o.enter(zhou)
	live := b.stream("http://"+ln.Addr().String(), o.cursor())
	live.next("ping")
	stop()
	if got := names(live.rest()); slices.Contains(got, "bye") {
		t.Errorf("%v: bye sends the page to the log-in page, but the log-in has not ended", got)
	}
	o.must(<-served)
	if o.hub.Count() != 0 {
		t.Errorf("%d streams after the end", o.hub.Count())
	}
	if !b.in() {
		t.Error("the log-in ended with the server")
	}
}

func TestServeSaysWhenItCannot(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), ln, http.NotFoundHandler(), time.Second, func() {}); err == nil {
		t.Error("no error from a listener that is closed")
	}
}

func TestWhoseStreamIsOpenIsHere(t *testing.T) {
	o := newOffice(t)
	zhou, he := o.hire("zhou", models.RoleAgent, o.sales), o.hire("he", models.RoleAgent, o.sales)
	server, _ := o.listen()
	o.enter(zhou).stream(server, o.cursor()).next("ping")
	o.must(o.clock.Advance(o.ctx, time.Hour))
	o.must(NoteSeen(o.ctx, o.hub, o.desk))
	for _, tt := range []struct {
		agent models.Agent
		here  bool
	}{{zhou, true}, {he, false}} {
		seen := o.viewer(tt.agent).Agent.SeenAt
		if here := seen != nil && seen.Equal(o.clock.Now()); here != tt.here {
			t.Errorf("%s was seen at %v, here: want %v", tt.agent.Username, seen, tt.here)
		}
	}
}
