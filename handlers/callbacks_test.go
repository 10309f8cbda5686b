package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/internal/platform"
	"kefu/models"
	"kefu/models/modelstest"
)

func TestMain(m *testing.M) { modelstest.Main(m) }

var noon = time.Date(2026, 11, 20, 4, 0, 0, 0, time.UTC)

// deadline is how long a test waits for what must come.
const deadline = 30 * time.Second

// watchedClock tells the test of every timer, so that it moves the clock only when somebody waits for it.
type watchedClock struct {
	*clock.Movable
	timers chan time.Duration
}

func (w *watchedClock) NewTimer(d time.Duration) *clock.Timer {
	t := w.Movable.NewTimer(d)
	w.timers <- d
	return t
}

// post is a callback address on a real connection, with a platform that the test plays.
type post struct {
	t        *testing.T
	store    *models.Store
	clock    *watchedClock
	channel  models.Channel
	url      string
	receive  ReceiverFunc
	finished chan struct{} // a request's handler has returned
	handler  *Callbacks
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{t: t, store: modelstest.SQLite(t), clock: &watchedClock{clock.NewStanding(noon), make(chan time.Duration, 10_000)}, finished: make(chan struct{}, 10_000)}
	g := models.Group{Name: "售前", QueueLimit: 200, Watch: true, TargetTake: 180, TargetFirst: 60, TargetNext: 180, CreatedAt: noon}
	p.must(p.store.CreateGroup(t.Context(), &g, nil))
	p.channel = models.Channel{
		UID: "uid", Key: "key", Kind: "wechat", Name: "官方号", AppID: "wx1", Mode: "safe", Secret: []byte{1}, Token: []byte{1}, AESKey: []byte{1},
		DefaultGroupID: g.ID, CreatedAt: noon,
	}
	p.must(p.store.CreateChannel(t.Context(), &p.channel))
	log := slog.New(slog.DiscardHandler)
	p.receive = func(_ context.Context, kind platform.Kind, key string) (models.Channel, platform.Receiver, error) {
		if kind != platform.WeChat || key != "key" {
			return models.Channel{}, nil, fmt.Errorf("channel %s: %w", key, models.ErrNotFound)
		}
		return p.channel, fakePlatform{p.clock}, nil
	}
	d := desk.New(p.store, p.clock, log, desk.Defaults(), func() {})
	p.handler = NewCallbacks(&Site{Desk: d, Store: p.store, Clock: p.clock, Log: log}, func(ctx context.Context, kind platform.Kind, key string) (models.Channel, platform.Receiver, error) {
		return p.receive(ctx, kind, key)
	})
	e := echo.New()
	e.GET("/callbacks/wechat/:key", p.handler.Verify)
	e.POST("/callbacks/wechat/:key", p.handler.Push)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { p.finished <- struct{}{} }()
		e.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	p.url = server.URL + "/callbacks/wechat/"
	return p
}

func (p *post) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// fakePlatform reads "id customer words" from the body; "refuse 413" is refused with the status.
type fakePlatform struct{ clock clock.Clock }

func (f fakePlatform) Verify(r *http.Request) (platform.Answer, error) {
	switch s := r.URL.Query().Get("echostr"); s {
	case "":
		return nil, &platform.Refused{Status: http.StatusBadRequest, Reason: "address check without echostr"}
	case "foreign":
		return nil, &platform.Refused{Status: http.StatusForbidden, Reason: "wrong signature"}
	case "odd":
		return platform.Nothing{}, nil
	case "broken":
		return nil, errors.New("broken")
	default:
		return platform.Echo{Text: s}, nil
	}
}

func (f fakePlatform) Parse(r *http.Request) (platform.Inbound, platform.AnswerFunc, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return platform.Inbound{}, nil, err
	}
	part := strings.SplitN(string(body), " ", 3)
	if part[0] == "refuse" {
		status, err := strconv.Atoi(part[1])
		if err != nil {
			return platform.Inbound{}, nil, err
		}
		return platform.Inbound{}, nil, &platform.Refused{Status: status, Reason: "as the test says"}
	}
	in := platform.Inbound{
		Dedupe: part[0], Conversation: platform.Conversation{Key: part[1]}, Sender: part[1], At: f.clock.Now(), MessageID: part[0],
		What: platform.Text{Text: part[2]}, Raw: body,
	}
	return in, func(w http.ResponseWriter, a platform.Answer) error {
		w.Header().Set("Content-Type", "application/xml")
		if words, ok := a.(platform.Words); ok {
			_, err := io.WriteString(w, "<xml>"+words.Text+"</xml>")
			return err
		}
		_, err := io.WriteString(w, "success")
		return err
	}, nil
}

// said is what the platform got: a status with a body, or an error when the connection was dropped.
type said struct {
	status int
	body   string
	header http.Header
	err    error
}

// push sends the body and reports what came back on the channel.
func (p *post) push(ctx context.Context, key, body string) <-chan said {
	p.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+key, strings.NewReader(body))
	p.must(err)
	return p.send(r)
}

func (p *post) send(r *http.Request) <-chan said {
	back := make(chan said, 1)
	go func() {
		answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			back <- said{err: err}
			return
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		back <- said{answer.StatusCode, string(body), answer.Header, err}
	}()
	return back
}

// now is the answer to a push that is answered at once.
func (p *post) now(key, body string) said {
	p.t.Helper()
	return p.wait(p.push(p.t.Context(), key, body))
}

func (p *post) wait(back <-chan said) said {
	p.t.Helper()
	select {
	case s := <-back:
		return s
	case <-time.After(deadline):
		p.t.Fatal("no answer, and the connection was not dropped")
		return said{}
	}
}

// silent wants that nothing has come back yet.
func (p *post) silent(back <-chan said) {
	p.t.Helper()
	select {
	case s := <-back:
		p.t.Fatalf("the platform got %+v, want silence", s)
	default:
	}
}

// waits lets the test go on when somebody waits for the clock.
func (p *post) waits() time.Duration {
	p.t.Helper()
	select {
	case d := <-p.clock.timers:
		return d
	case <-time.After(deadline):
		p.t.Fatal("nobody waits for the clock")
		return 0
	}
}

func (p *post) advance(d time.Duration) {
	p.t.Helper()
	p.must(p.clock.Advance(p.t.Context(), d))
}

// stuck keeps the writer from committing anything until the function it returns is called.
func (p *post) stuck() (free func()) {
	p.t.Helper()
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- p.store.InTx(context.Background(), func(*models.Store) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	return func() {
		p.t.Helper()
		close(release)
		p.must(<-done)
	}
}

// passive is the stored automatic answer to the customer.
func (p *post) passive(customer string) models.Message {
	p.t.Helper()
	place, err := p.store.Place(p.t.Context(), p.channel.ID, customer)
	p.must(err)
	list, err := p.store.LastMessages(p.t.Context(), place.ConversationID, 0, 0, 100)
	p.must(err)
	for _, m := range list {
		if m.Passive {
			return m
		}
	}
	p.t.Fatal("there is no passive answer")
	return models.Message{}
}

func (p *post) stored(customer string) int {
	p.t.Helper()
	place, err := p.store.Place(p.t.Context(), p.channel.ID, customer)
	if errors.Is(err, models.ErrNotFound) {
		return 0
	}
	p.must(err)
	n, err := p.store.InboundSince(p.t.Context(), place.ConversationID, noon.Add(-time.Hour), 100)
	p.must(err)
	return n
}

func TestPushIsAnsweredAfterItIsStored(t *testing.T) {
	p := newPost(t)
	a := p.now("key", "1 anna 在吗")
	if a.err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.body, "<xml>") || len(a.body) < 20 {
		t.Fatalf("answer %+v, want the passive words", a)
	}
	if a.header.Get("Content-Length") != strconv.Itoa(len(a.body)) || a.header.Get("Content-Type") != "application/xml" {
		t.Errorf("headers %v, want the length and the adapter's type", a.header)
	}
	if p.stored("anna") != 1 {
		t.Error("acknowledged, but not stored")
	}
	<-p.finished
	if m := p.passive("anna"); m.State != models.Sent || "<xml>"+m.Text+"</xml>" != a.body {
		t.Errorf("the words are %s: %q, want sent: %q", m.State, m.Text, a.body)
	}
	if again := p.now("key", "1 anna 在吗"); again.body != a.body || p.stored("anna") != 1 {
		t.Errorf("the repetition got %q and %d are stored, want the same answer and one", again.body, p.stored("anna"))
	}
	if b := p.now("key", "2 anna 还在吗"); b.body != "success" || b.header.Get("Content-Length") != "7" {
		t.Errorf("the next message got %+v, want success", b)
	}
}

func TestRefusedCallbacks(t *testing.T) {
	p := newPost(t)
	for _, tt := range []struct {
		key, body string
		want      int
	}{
		{"key", "refuse 400", 400}, {"key", "refuse 403", 403}, {"key", "refuse 404", 404}, {"key", "refuse 413", 413}, {"other", "1 anna 在吗", 404},
	} {
		if a := p.now(tt.key, tt.body); a.err != nil || a.status != tt.want || a.body != "" {
			t.Errorf("%s to %s: %+v, want %d and nothing said", tt.body, tt.key, a, tt.want)
		}
	}
	if p.stored("anna") != 0 {
		t.Error("something of a refused call is stored")
	}
}

func TestAddressCheck(t *testing.T) {
	p := newPost(t)
	for _, tt := range []struct {
		path   string
		status int
		body   string
	}{
		{"key?echostr=5838479218127813673", 200, "5838479218127813673"}, {"key?echostr=%3Cscript%3E", 200, "<script>"},
		{"key", 400, ""}, {"key?echostr=foreign", 403, ""}, {"key?echostr=odd", 403, ""}, {"other?echostr=1", 404, ""}, {"key?echostr=broken", 500, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+tt.path, nil)
		p.must(err)
		a := p.wait(p.send(r))
		if a.status != tt.status || tt.status < 500 && tt.status != http.StatusForbidden && a.body != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.path, a.status, a.body, tt.status, tt.body)
		}
		if kind := a.header.Get("Content-Type"); tt.status == 200 && kind != "text/plain; charset=utf-8" {
			t.Errorf("%s: the platform's text comes back as %s", tt.path, kind)
		}
	}
}

func TestSlowCommitIsSilenceAndTheRepetitionGetsTheAnswer(t *testing.T) {
	p := newPost(t)
	free := p.stuck()
	first := p.push(t.Context(), "key", "1 anna 在吗")
	if d := p.waits(); d != patience {
		t.Fatalf("the handler waits %v for the commit, want %v", d, patience)
	}
	p.advance(patience)
	if d := p.waits(); d != time.Second { // silent now, six seconds in all
		t.Errorf("the handler stays silent for %v more, want one second", d)
	}
	p.silent(first)
	p.advance(time.Second)
	if a := p.wait(first); a.err == nil {
		t.Fatalf("the platform got %+v, want a dropped connection", a)
	}
	<-p.finished

	second := p.push(t.Context(), "key", "1 anna 在吗")
	p.waits()
	free() // the work went on meanwhile
	a := p.wait(second)
	if a.status != http.StatusOK || !strings.HasPrefix(a.body, "<xml>") {
		t.Fatalf("the repetition got %+v, want the words", a)
	}
	<-p.finished
	if m := p.passive("anna"); p.stored("anna") != 1 || m.State != models.Sent {
		t.Errorf("%d stored, the words are %s; want one, and sent by the repetition", p.stored("anna"), m.State)
	}
}

func TestHangingUpEndsTheSilence(t *testing.T) {
	for _, when := range []string{"while it is stored", "in the silence"} {
		t.Run(when, func(t *testing.T) {
			p := newPost(t)
			free := p.stuck()
			ctx, hangUp := context.WithCancel(t.Context())
			back := p.push(ctx, "key", "1 anna 在吗")
			p.waits()
			if when == "in the silence" {
				p.advance(patience)
				p.waits()
			}
			p.silent(back)
			hangUp()
			<-p.finished
			if len(p.handler.waits) != 0 {
				t.Errorf("%d waits are still counted", len(p.handler.waits))
			}
			free()
			if a := p.now("key", "1 anna 在吗"); a.status != http.StatusOK || p.stored("anna") != 1 {
				t.Errorf("the repetition got %+v, %d stored", a, p.stored("anna"))
			}
		})
	}
}

func TestFailedStoreIsSilence(t *testing.T) {
	p := newPost(t)
	known := p.channel
	p.channel.ID = 999 // a row that refers to nothing cannot be stored
	back := p.push(t.Context(), "key", "1 anna 在吗")
	if p.waits() != patience || p.waits() != mostSilent {
		t.Error("want the wait for the commit, and then six seconds of silence")
	}
	p.silent(back)
	p.advance(mostSilent)
	if a := p.wait(back); a.err == nil {
		t.Fatalf("the platform got %+v, want a dropped connection", a)
	}
	p.channel = known
	if a := p.now("key", "1 anna 在吗"); a.status != http.StatusOK || p.stored("anna") != 1 {
		t.Errorf("the repetition got %+v, %d stored", a, p.stored("anna"))
	}
}

func TestChannelThatCannotBeUsedIsSilence(t *testing.T) {
	p := newPost(t)
	works := p.receive
	p.receive = func(context.Context, platform.Kind, string) (models.Channel, platform.Receiver, error) {
		return models.Channel{}, nil, errors.New("sealed with another key")
	}
	back := p.push(t.Context(), "key", "1 anna 在吗")
	p.waits()
	p.advance(mostSilent)
	if a := p.wait(back); a.err == nil {
		t.Fatalf("the platform got %+v, want a dropped connection", a)
	}
	<-p.finished
	p.receive = works
	if a := p.now("key", "1 anna 在吗"); a.status != http.StatusOK {
		t.Errorf("the repetition got %+v", a)
	}
}

func TestWordsThatComeLateAreUnknown(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		want  models.MessageState
	}{{3 * time.Second, models.Sent}, {4 * time.Second, models.UnknownState}, {4900 * time.Millisecond, models.UnknownState}} {
		t.Run(tt.after.String(), func(t *testing.T) {
			p := newPost(t)
			free := p.stuck()
			back := p.push(t.Context(), "key", "1 anna 在吗")
			p.waits()
			p.advance(tt.after)
			free()
			if a := p.wait(back); a.status != http.StatusOK {
				t.Fatalf("the platform got %+v", a)
			}
			<-p.finished
			if m := p.passive("anna"); m.State != tt.want {
				t.Errorf("words after %v are %s, want %s", tt.after, m.State, tt.want)
			}
			p.now("key", "1 anna 在吗")
			<-p.finished
			if m := p.passive("anna"); m.State != models.Sent {
				t.Errorf("the words are %s after the repetition fetched them, want sent", m.State)
			}
		})
	}
}

func TestWordsThatCannotBeWrittenAreUnknown(t *testing.T) {
	p := newPost(t)
	r := httptest.NewRequest(http.MethodPost, "/callbacks/wechat/key", strings.NewReader("1 anna 在吗"))
	c := echo.New().NewContext(r, &broken{httptest.NewRecorder()})
	c.SetParamNames("key")
	c.SetParamValues("key")
	p.must(p.handler.Push(c))
	if m := p.passive("anna"); m.State != models.UnknownState {
		t.Errorf("the words are %s although nobody took them, want unknown", m.State)
	}
}

type broken struct{ *httptest.ResponseRecorder }

func (broken) Write([]byte) (int, error) { return 0, net.ErrClosed }

func TestNoMoreThan512StaySilent(t *testing.T) {
	p := newPost(t)
	p.receive = func(context.Context, platform.Kind, string) (models.Channel, platform.Receiver, error) {
		return models.Channel{}, nil, errors.New("nothing works")
	}
	serve := func(ctx context.Context) (dropped bool) {
		defer func() {
			err, _ := recover().(error)
			dropped = errors.Is(err, http.ErrAbortHandler)
		}()
		r := httptest.NewRequest(http.MethodPost, "/callbacks/wechat/key", http.NoBody).WithContext(ctx)
		c := echo.New().NewContext(r, httptest.NewRecorder())
		c.SetParamNames("key")
		c.SetParamValues("key")
		err := p.handler.Push(c)
		t.Errorf("the handler answered (%v), want the connection dropped", err)
		return false
	}
	ctx, hangUp := context.WithCancel(t.Context())
	var silent sync.WaitGroup
	for range mostWaits {
		silent.Go(func() { serve(ctx) })
	}
	for range mostWaits {
		p.waits()
	}
	for range 3 {
		if !serve(ctx) { // at once: this returns although the clock stands
			t.Error("want the connection dropped")
		}
	}
	hangUp()
	silent.Wait()
	if len(p.handler.waits) != 0 {
		t.Errorf("%d waits are still counted", len(p.handler.waits))
	}
	again := make(chan bool, 1)
	go func() { again <- serve(t.Context()) }()
	p.waits() // there is room again
	p.advance(mostSilent)
	if !<-again {
		t.Error("want the connection dropped")
	}
}
