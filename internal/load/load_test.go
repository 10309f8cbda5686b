package load

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// Vector G of docs/protocols/wechat.md §7.4: a text message in safe mode.
var vectorG = Account{
	Path: "/callbacks/wechat/k", AppID: "wx0123456789abcdef", OriginalID: "gh_0123456789ab", Token: "simtoken",
	EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
}

const (
	vectorGMessage = "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oSimUser0001]]></FromUserName><CreateTime>1700000000</CreateTime>" +
		"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好,请问怎么退货?]]></Content><MsgId>24000000000000001</MsgId></xml>"
	vectorGSealed = "Q3stYC6hdFzMh9T8HCvyDCZ7WOd3U4cBL73YIObrV8RNKVjRpUZx007nDMe/eoA1KQq1+1V6x7AscnUq3Z+y+nTgYfL8xVjKHq0soTtoRzd1pH6lzneGmwemuR47VYFw0y5EQS0Xyk2RbuKzNptsAftcNb+yU3CTVnDSVA5wg4Z4L3SZB2d6ZG62Ah9wPbaSIobcsEdmikYZSEa+5UNAvkucfDMBPxiCxOaaAGEPMAqyYW5GL+vHlcAPcckuKeifh2IPJblSYp+wgxtnfFXRy4r2OLhxiLM1tTtjpsJD9qHGpZ/zYURM5WmzwRI9a/hMy0xtszIPQebpUzGxUDh5idlwsRrpNx+9G3iP4aUHvIZc8mU0sYFH6p+0ROnoz1Oiyjv4KDlil2uzMtVLeVNlyPBvZX5AQJodIi4TA12bqos="
)

func TestPlatformSealsAsTheSheetSays(t *testing.T) {
	p, err := newPlatform(vectorG, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.seal([16]byte([]byte("0123456789abcdef")), vectorGMessage); got != vectorGSealed {
		t.Errorf("sealed = %s, want %s", got, vectorGSealed)
	}
	if got := sign("simtoken", "1700000001", "998877"); got != "6e594ba0f6fb40c2dd1a60611c6991abb2df14da" {
		t.Errorf("signature = %s", got)
	}
	if got := sign("simtoken", "1700000001", "998877", vectorGSealed); got != "21a0a54e7c4513be377033705ec5d108e1b55a8a" {
		t.Errorf("msg_signature = %s", got)
	}
	message, err := p.open(vectorGSealed)
	if err != nil || message != vectorGMessage {
		t.Errorf("opened = %q, %v", message, err)
	}
}

func TestAnswerIsJudged(t *testing.T) {
	p, err := newPlatform(vectorG, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	reply := func(to, words, token string) string {
		sealed := p.seal([16]byte{1}, "<xml><ToUserName><![CDATA["+to+"]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName><CreateTime>1</CreateTime>"+
			"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA["+words+"]]></Content></xml>")
		return "<xml><Encrypt><![CDATA[" + sealed + "]]></Encrypt><MsgSignature><![CDATA[" + sign(token, "5", "7", sealed) +
			"]]></MsgSignature><TimeStamp>5</TimeStamp><Nonce><![CDATA[7]]></Nonce></xml>"
	}
	tests := []struct {
		name   string
		status int
		body   string
		words  string
		wrong  bool
	}{
		{"taken", 200, "success", "", false},
		{"words", 200, reply(OpenID(7), "已为您接入", "simtoken"), "已为您接入", false},
		{"an error page", 500, "success", "", true},
		{"something else", 200, "ok", "", true},
		{"nothing at all", 200, "", "", true},
		{"signed by somebody else", 200, reply(OpenID(7), "x", "other"), "", true},
		{"for somebody else", 200, reply(OpenID(8), "x", "simtoken"), "", true},
		{"without a word", 200, reply(OpenID(7), "", "simtoken"), "", true},
		{"cut", 200, reply(OpenID(7), "x", "simtoken")[:200], "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			words, err := p.answer(tt.status, []byte(tt.body), 7)
			if words != tt.words || (err != nil) != tt.wrong {
				t.Errorf("answer = %q, %v; want %q, wrong = %v", words, err, tt.words, tt.wrong)
			}
		})
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1)*time.Millisecond)
	}
	tests := []struct {
		name   string
		sorted []time.Duration
		p      float64
		want   float64
	}{
		{"of nothing", nil, 99, 0},
		{"of one", hundred[:1], 50, 1},
		{"of one, the last", hundred[:1], 99, 1},
		{"half of two is the first", hundred[:2], 50, 1},
		{"just over half of two is the second", hundred[:2], 51, 2},
		{"of a hundred", hundred, 95, 95},
		{"between two ranks the next", hundred, 98.5, 99},
		{"the last", hundred, 100, 100},
		{"the first", hundred, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Percentile(tt.sorted, tt.p); got != tt.want {
				t.Errorf("percentile = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMixKeepsItsProportions(t *testing.T) {
	p := Plan{Clients: 16, Customers: 5000, Groups: 3, Open: 360, Seed: 7}
	m := newMix(p)
	open := map[int]int{} // customer: number of the opening
	openings := 0
	begin := func(s step) {
		if _, already := open[s.customer]; already || !s.opens {
			t.Fatalf("step %+v opens a session that is open", s)
		}
		open[s.customer] = openings
		openings++
	}
	for range p.Open {
		begin(m.fill())
	}
	const steps = 50_000
	byGroup := make([]int, p.Groups)
	for n := range steps {
		s := m.step()
		if s.opens {
			begin(s)
			if at, is := open[s.closes]; !is || at != openings-1-p.Open {
				t.Fatalf("step %d closes customer %d, who is not the one who waits for it longest", n, s.closes)
			}
			delete(open, s.closes)
			byGroup[s.customer%p.Groups]++
			continue
		}
		at, is := open[s.customer]
		if oldest := openings - p.Open; !is || at < oldest+guardMin || at >= openings-guardMin {
			t.Fatalf("step %d: customer %d writes, opening %d of %d…%d: too near to either end", n, s.customer, at, oldest, openings)
		}
		if s.closes >= 0 {
			t.Fatalf("step %d closes a session without opening one", n)
		}
	}
	if got := openings - p.Open; got != steps/5 {
		t.Errorf("%d of %d messages opened a session, want one in five", got, steps)
	}
	if len(open) != p.Open {
		t.Errorf("%d sessions are open, want %d", len(open), p.Open)
	}
	for g, n := range byGroup {
		if math.Abs(float64(n)-float64(steps)/15) > 2 {
			t.Errorf("group %d got %d of %d new sessions", g, n, steps/5)
		}
	}
}

func TestMarkIsFoundInARow(t *testing.T) {
	line := []byte(`data:   <span class="convo__last truncate">` + mark(3, 118) + `你好</span>`)
	if writer, number, ok := readMark(line); !ok || writer != 3 || number != 118 {
		t.Errorf("mark = %d, %d, %v", writer, number, ok)
	}
	for _, line := range []string{"", "data: 编号", "data: 编号x-1号", "data: 编号1号", "data: 编号1-2", "data: 编号-1-2号"} {
		if writer, number, ok := readMark([]byte(line)); ok {
			t.Errorf("%q is read as %d, %d", line, writer, number)
		}
	}
}

func TestPlanIsBounded(t *testing.T) {
	good := Plan{Kind: Callbacks, Address: "127.0.0.1:80", Clients: 16, Length: time.Second, Customers: 5000, Groups: 3, Open: 360}
	tests := []struct {
		name   string
		change func(p *Plan)
		fits   bool
	}{
		{"as it is", func(*Plan) {}, true},
		{"IPv6", func(p *Plan) { p.Address = "[::1]:80" }, true},
		{"another machine", func(p *Plan) { p.Address = "192.0.2.1:80" }, false},
		{"a name", func(p *Plan) { p.Address = "example.com:80" }, false},
		{"nobody", func(p *Plan) { p.Clients = 0 }, false},
		{"too many", func(p *Plan) { p.Clients = MaxClients + 1 }, false},
		{"the most", func(p *Plan) { p.Clients = MaxClients }, true},
		{"without an end", func(p *Plan) { p.Length = 0 }, false},
		{"too long", func(p *Plan) { p.Length = MaxLength + 1 }, false},
		{"too often", func(p *Plan) { p.Count = MaxCount + 1 }, false},
		{"too few open", func(p *Plan) { p.Open = 90 }, false},
		{"no such kind", func(p *Plan) { p.Kind = "x" }, false},
		{"streams without log-ins", func(p *Plan) { p.Kind, p.Writers, p.Rate = Live, 1, 1 }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := good
			tt.change(&p)
			if err := p.check(); (err == nil) != tt.fits {
				t.Errorf("check = %v, want fits = %v", err, tt.fits)
			}
		})
	}
}

// The two processes of a run understand each other; a plan that does not fit is refused by the generator and told to the server's side.
func TestGeneratorTellsWhatWentWrong(t *testing.T) {
	planIn, planOut := io.Pipe()
	wordIn, wordOut := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- Serve(context.Background(), planIn, wordOut)
		wordOut.Close()
	}()
	_, err := Follow(Plan{Kind: Callbacks, Address: "192.0.2.1:80"}, Host{}, planOut, wordIn)
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("the server's side hears %v", err)
	}
	planOut.Close()
	if err := <-served; err == nil {
		t.Error("the generator thinks that all went well")
	}
}

func TestLineHasTheNamesOfTheContract(t *testing.T) {
	raw, err := json.Marshal(Line{Bench: "callbacks", P50: 1.23456, CPUPerOp: 0.123456}.Round())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"bench":"callbacks","case":"","clients":0,"seconds":0,"ops":0,"errors":0,"rate":0,"p50_ms":1.23,"p95_ms":0,"p99_ms":0,"cpu_ms_per_op":0.1235,"rss_mb":0,"limit_rate":0}`
	if string(raw) != want {
		t.Errorf("line = %s\nwant   %s", raw, want)
	}
}
