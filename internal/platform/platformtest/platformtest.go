// Package platformtest is the conformance suite of the seam: what any adapter must do against any simulation of its platform. It sees
// the two from outside only, as a customer, a desk and a mischief-maker would, and knows neither a wire format nor a database.
package platformtest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"kefu/internal/platform"
)

// Adapter is what is under test.
type Adapter interface {
	platform.Receiver
	platform.Sender
}

// Platform is a simulated platform with one customer of one channel, as the suite plays it.
type Platform interface {
	// Customer is the conversation with the customer.
	Customer() platform.Conversation
	// Act lets the customer do something ("text" with {"text": "…"}, "follow", …), pushes it to the callback and returns the body that
	// was answered.
	Act(ctx context.Context, do string, args map[string]any) (string, error)
	// Repeat pushes the last act again, in the way the platform repeats what was not acknowledged: the same body in a new envelope.
	Repeat(ctx context.Context) error
	// Received is all that the customer got so far, sent or answered, in order.
	Received(ctx context.Context) ([]Got, error)
	// Fault makes the next calls fail.
	Fault(ctx context.Context, f Fault) error
	// Calls counts the API calls to a path so far, failed ones included.
	Calls(ctx context.Context, path string) (int, error)
	// Advance moves the clock that platform and adapter share.
	Advance(ctx context.Context, d time.Duration) error
}

// Got is one message as the customer sees it. Face is empty for the channel itself.
type Got struct{ Type, Text, Face string }

// Fault is what happens to the next Times calls of Path: the platform answers Code and does nothing else, or, with Cut, it takes the
// request, does its work and breaks the connection instead of answering.
type Fault struct {
	Path  string
	Times int
	Code  int
	Cut   bool
}

// Rules is what the suite has to know of a platform. A case is left out where its code is zero.
type Rules struct {
	SendPath string // of the call that sends a text
	Ack      string // the body that acknowledges a push
	// A customer's message opens the conversation for Window and Allowance messages; then WindowCode and AllowanceCode refuse.
	Window                    time.Duration
	Allowance                 int
	WindowCode, AllowanceCode int
	TokenCode                 int // a token that died before its time
	BusyCode                  int // asks for at most two repeats
	FaceCode                  int // an unknown face
}

// WeChat is the Official Account (docs/protocols/wechat.md §1.4, §5.1, §5.6).
var WeChat = Rules{
	SendPath: "/cgi-bin/message/custom/send", Ack: "success",
	Window: 48 * time.Hour, Allowance: 5, WindowCode: 45015, AllowanceCode: 45047,
	TokenCode: 40001, BusyCode: -1, FaceCode: 65401,
}

// Pair is an adapter and a simulated platform that can be joined.
type Pair struct {
	Rules
	Modes []string // ways to protect a push, each tried: "plain", "compatible", "safe"
	// Start makes an adapter and a fresh platform in one mode that know each other, with a customer who has done nothing yet. What desk
	// returns for the adapter is the callback: the platform may check it at once. Start registers its own clean-up with t.
	Start func(t *testing.T, mode string, desk func(Adapter) http.Handler) Platform
}

// Run plays all cases, each on a fresh platform: those about pushes in every mode, those about sending in the first.
func Run(t *testing.T, p Pair) {
	for _, mode := range p.Modes {
		t.Run("push/"+mode, func(t *testing.T) {
			play(t, p, mode, pushCases)
		})
	}
	t.Run("send", func(t *testing.T) { play(t, p, p.Modes[0], sendCases(p.Rules)) })
}

type testCase struct {
	name string
	play func(*stage)
}

func play(t *testing.T, p Pair, mode string, cases []testCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := &stage{T: t, rules: p.Rules}
			s.platform = p.Start(t, mode, func(a Adapter) http.Handler {
				s.adapter = a
				return s
			})
			c.play(s)
		})
	}
}
