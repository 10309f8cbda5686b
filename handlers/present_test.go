package handlers

import (
	"log/slog"
	"testing"
	"time"

	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/internal/texts"
	"kefu/models"
	"kefu/views"
)

func site(t *testing.T) *Site {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	return &Site{Clock: clock.NewStanding(noon), Zone: time.FixedZone("CST", 8*3600), Log: log, Board: desk.NewBoard(nil, log, nil)}
}

func ptr[T any](v T) *T { return &v }

func TestWhatACustomerIsCalled(t *testing.T) {
	for _, tt := range []struct{ remark, name, id, want string }{
		{"宁波张姐", "张", "oABC1234", "宁波张姐"}, {"", "张", "oABC1234", "张"}, {"", "", "oABC1234", "微信用户·1234"}, {"", "", "o1", "微信用户·o1"},
		{"", "", "客户一二三四", "微信用户·一二三四"},
	} {
		if got := customerName(texts.ZhCN, tt.remark, tt.name, tt.id); got != tt.want {
			t.Errorf("remark %q, name %q, id %q: %q, want %q", tt.remark, tt.name, tt.id, got, tt.want)
		}
	}
}

func TestTimesAreInTheInstallationsZone(t *testing.T) {
	s := site(t) // 12:00 on 20 November 2026
	for at, want := range map[time.Time]string{
		noon:                        "12:00",
		noon.Add(-12 * time.Hour):   "00:00",
		noon.Add(-12*time.Hour - 1): "11-19", // yesterday there, though the same day in UTC
		noon.AddDate(0, -10, 0):     "01-20",
		noon.AddDate(-1, 0, 0):      "2025-11-20",
		time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC): "01-01",
	} {
		if got := s.clockText(at); got != want {
			t.Errorf("%v is %s, want %s", at, got, want)
		}
	}
	for at, want := range map[time.Time][2]string{
		noon:                   {"今天 · 11 月 20 日 周五", "Today · Fri 20 Nov"},
		noon.AddDate(0, 0, -1): {"11 月 19 日 周四", "Thu 19 Nov"},
		noon.AddDate(-1, 0, 0): {"2025 年 11 月 20 日 周四", "Thu 20 Nov 2025"},
	} {
		if zh, en := s.dayName(texts.ZhCN, at), s.dayName(texts.En, at); zh != want[0] || en != want[1] {
			t.Errorf("%v is %q and %q, want %q", at, zh, en, want)
		}
	}
}

func TestWhoseClockRuns(t *testing.T) {
	s := site(t)
	at := func(minutes int) *time.Time { return ptr(noon.Add(time.Duration(minutes) * time.Minute)) }
	row := models.Row{TargetTake: 180, TargetFirst: 60, TargetNext: 120, ArrivalAt: *at(-9)}
	for _, tt := range []struct {
		name       string
		state      models.SessionState
		unanswered *time.Time
		assigned   *time.Time
		since      *time.Time
		target     int
	}{
		{"waits in the queue", models.Waiting, at(-9), nil, at(-9), 180},
		{"waits for the first answer", models.Active, at(-9), at(-2), at(-2), 60},
		{"asked again", models.Active, at(-1), at(-2), at(-1), 120},
		{"was answered", models.Active, nil, at(-2), nil, 0},
		{"has left", models.Closed, at(-9), at(-2), nil, 0},
	} {
		r := row
		r.State, r.UnansweredSince, r.AssignedAt = tt.state, tt.unanswered, tt.assigned
		w := s.wait(texts.ZhCN, r)
		if tt.since == nil {
			if w != nil {
				t.Errorf("%s: a clock runs", tt.name)
			}
			continue
		}
		if w == nil || w.Since != tt.since.UnixMilli() || w.Target != tt.target || w.Now != noon.UnixMilli() {
			t.Errorf("%s: %+v, want since %v, target %d", tt.name, w, tt.since, tt.target)
		}
	}
}

func TestTagsOfARow(t *testing.T) {
	s := site(t)
	quiet := models.Row{State: models.Active, LastAt: noon, LastDirection: models.Out, LastState: models.Sent, WindowEnds: ptr(noon.Add(40 * time.Hour))}
	for _, tt := range []struct {
		name   string
		change func(r *models.Row)
		want   string
	}{
		{"all is well", func(*models.Row) {}, ""},
		{"not sent", func(r *models.Row) { r.LastState = models.FailedState }, "发送失败"},
		{"perhaps sent", func(r *models.Row) { r.LastState = models.UnknownState }, "可能已送达"},
		{"window ends soon", func(r *models.Row) { r.WindowEnds = ptr(noon.Add(30 * time.Minute)) }, "窗口剩 31 分"},
		{"window ended", func(r *models.Row) { r.WindowEnds = ptr(noon.Add(-time.Minute)) }, ""},
		{"window ends soon, but the customer waits", func(r *models.Row) {
			r.WindowEnds, r.UnansweredSince, r.LastDirection = ptr(noon.Add(30*time.Minute)), ptr(noon), models.In
		}, ""},
		{"over", func(r *models.Row) { r.State, r.ClosedAt, r.LastState = models.Closed, ptr(noon), models.FailedState }, ""},
	} {
		r := quiet
		tt.change(&r)
		if got := s.row(texts.ZhCN, desk.Viewer{}, r, desk.ListMine, 0); got.TagText != tt.want {
			t.Errorf("%s: tag %q, want %q", tt.name, got.TagText, tt.want)
		}
	}
}

func TestLastWords(t *testing.T) {
	for _, tt := range []struct{ kind, text, want string }{
		{"text", "在吗", "在吗"}, {"", "", ""}, {"note", "住四楼", "住四楼"}, {"image", "", "[图片]"}, {"voice", "我想问", "[语音] 我想问"},
		{"link", "一篇文章", "[链接] 一篇文章"}, {"unsupported", "", "[不支持的消息]"}, {"hologram", "", "[其他消息]"},
	} {
		if got := lastWords(texts.ZhCN, models.Row{LastKind: tt.kind, LastText: tt.text}); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.kind, tt.text, got, tt.want)
		}
	}
}

func TestWhoSpeaksIsNamedOncePerStretch(t *testing.T) {
	s := site(t)
	mine, other := ptr(int64(1)), ptr(int64(2))
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	line := func(id int64, d models.Direction, agent *int64, seconds int) models.Message {
		return models.Message{ID: id, Direction: d, AgentID: agent, Kind: "text", ShownAt: at(seconds), CreatedAt: at(seconds)}
	}
	list := []models.Message{
		line(1, models.In, nil, 0), line(2, models.In, nil, 60), line(3, models.Out, mine, 70), line(4, models.Out, mine, 80), line(5, models.Out, other, 90),
		line(6, models.In, nil, 100), line(7, models.In, nil, 300), line(8, models.Note, mine, 310), line(9, models.Note, mine, 311), line(10, models.In, nil, 24*3600),
	}
	want := []bool{false, true, false, true, false, false, false, false, false, false}
	for i, p := range s.thread(texts.ZhCN, models.Row{}, list, false, nil) {
		if p.Cont != want[i] {
			t.Errorf("message %d continues: %v, want %v", p.ID, p.Cont, want[i])
		}
		if day := p.Day != ""; day != (i == 0 || i == 9) {
			t.Errorf("message %d begins a day: %v", p.ID, day)
		}
	}
}

func TestWhatMayBeDoneWithAMessage(t *testing.T) {
	s := site(t)
	open, closed := models.Row{State: models.Active, ChannelKind: "wechat"}, models.Row{State: models.Closed, ChannelKind: "wechat"}
	for _, tt := range []struct {
		name   string
		row    models.Row
		m      models.Message
		mayAct bool
		want   views.DeliveryProps
	}{
		{"failed", open, models.Message{State: models.FailedState}, true, views.DeliveryProps{CanResend: true, CanEdit: true}},
		{"failed, somebody else's", open, models.Message{State: models.FailedState}, false, views.DeliveryProps{}},
		{"failed, the chat is over", closed, models.Message{State: models.FailedState}, true, views.DeliveryProps{}},
		{"failed, an automatic answer", open, models.Message{State: models.FailedState, Passive: true}, true, views.DeliveryProps{}},
		{"unknown", open, models.Message{State: models.UnknownState}, true, views.DeliveryProps{CanResend: true}},
		{"queued", open, models.Message{State: models.Queued}, true, views.DeliveryProps{}},
		{"waits for its next try", open, models.Message{State: models.Queued, RetryAt: ptr(noon.Add(5 * time.Second))}, true, views.DeliveryProps{RetryIn: 5, CanSkip: true, CanWithdraw: true}},
		{"its next try is due", open, models.Message{State: models.Queued, RetryAt: ptr(noon)}, false, views.DeliveryProps{RetryIn: 1}},
		{"sent", open, models.Message{State: models.Sent, Part: 2, Parts: 3}, true, views.DeliveryProps{Part: "2/3"}},
	} {
		got := s.delivery(texts.ZhCN, tt.row, tt.m, tt.mayAct)
		got.State, got.Channel, got.Reason, got.Cure = "", "", "", ""
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestContentOfStrangeMessages(t *testing.T) {
	for _, tt := range []struct {
		m    models.Message
		want views.ContentProps
	}{
		{models.Message{Direction: models.In, Kind: "text", Text: "在吗"}, views.ContentProps{Kind: "text", Text: "在吗"}},
		{models.Message{Direction: models.In, Kind: "link", Text: "t", Data: `{"Title":"沙发","Description":"三人位","URL":"https://example.com"}`},
			views.ContentProps{Kind: "link", Title: "沙发", Desc: "三人位", URL: "https://example.com"}},
		{models.Message{Direction: models.In, Kind: "unknown", Data: `{"type":"hologram","raw":"<xml/>"}`}, views.ContentProps{Kind: "hologram"}},
		{models.Message{Direction: models.In, Kind: "unknown", Data: `{}`}, views.ContentProps{Kind: "unknown"}},
		{models.Message{Direction: models.In, Kind: "unknown", Data: `not json`}, views.ContentProps{Kind: "unknown"}},
		{models.Message{Direction: models.Out, Kind: "link", Text: "看这里"}, views.ContentProps{Kind: "text", Text: "看这里"}},
		{models.Message{Direction: models.Note, Kind: "note", Text: "住四楼"}, views.ContentProps{Kind: "text", Text: "住四楼"}},
	} {
		if got := content(tt.m); got != tt.want {
			t.Errorf("%s %q: %+v, want %+v", tt.m.Kind, tt.m.Data, got, tt.want)
		}
	}
}

func TestSpansInWords(t *testing.T) {
	for seconds, want := range map[int][2]string{0: {"0 秒", "0 s"}, 59: {"59 秒", "59 s"}, 72: {"1 分 12 秒", "1 min 12 s"}, 3 * 3600: {"3 小时 0 分", "3 h 0 min"}, 90061: {"25 小时 1 分", "25 h 1 min"}} {
		if zh, en := spanText(texts.ZhCN, seconds), spanText(texts.En, seconds); zh != want[0] || en != want[1] {
			t.Errorf("%d s: %q and %q, want %q", seconds, zh, en, want)
		}
	}
}

func TestBrowserInWords(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                    "Chrome · Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":      "Edge · Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) MicroMessenger/8.0.50 Safari/604.1": "WeChat · iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":              "Safari · macOS",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                             "Firefox · Linux",
		"curl/8.0": "curl", "": "", "something else": "something else",
	} {
		if got := browser(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}
