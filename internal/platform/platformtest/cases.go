package platformtest

import (
	"fmt"
	"time"

	"kefu/internal/platform"
)

// awkward holds what encoders like to spoil: quotes, markup, a CDATA end, an escape that is meant literally, line ends, four-byte runes.
const awkward = "您好,<a href=\"https://example.com/?a=1&b=2\">退货</a> ]]> \\n 'x' & 第二行\n👍"

var pushCases = []testCase{
	{"a typed text arrives as it was typed", func(s *stage) {
		in, answered := s.says(awkward)
		if got, want := in.What, (platform.Text{Text: awkward}); got != want {
			s.Errorf("got %#v, want %#v", got, want)
		}
		if in.Conversation != s.platform.Customer() || in.Sender == "" || in.MessageID == "" || in.Dedupe == "" || in.At.IsZero() {
			s.Errorf("customer, sender, ids or time are missing: %+v", in)
		}
		if answered != s.rules.Ack {
			s.Errorf("the push was answered %q, want %q", answered, s.rules.Ack)
		}
	}},
	{"a passive answer reaches the customer", func(s *stage) {
		s.answers(platform.Words{Text: awkward})
		s.says("在吗")
		s.received(Got{Type: "text", Text: awkward})
	}},
	{"a repetition is recognised", func(s *stage) {
		first, _ := s.says("在吗")
		before := s.count()
		if err := s.platform.Repeat(s.Context()); err != nil {
			s.Fatalf("repeat: %v", err)
		}
		if again := s.last(before); again.Dedupe != first.Dedupe || again.What != first.What {
			s.Errorf("repetition came as %q %#v, the first as %q %#v", again.Dedupe, again.What, first.Dedupe, first.What)
		}
		if next, _ := s.says("在吗"); next.Dedupe == first.Dedupe {
			s.Errorf("another message has the same key %q", next.Dedupe)
		}
	}},
}

// sendCases are about what the desk sends. They leave out what the platform has no rule for.
func sendCases(r Rules) []testCase {
	cases := []testCase{
		{"a text arrives as it was written", func(s *stage) {
			s.says("在吗")
			s.mustSend(awkward)
			s.received(Got{Type: "text", Text: awkward})
		}},
		{"an answer cut off leaves it unsure and is not repeated", func(s *stage) {
			s.says("在吗")
			s.fault(Fault{Path: r.SendPath, Times: 1, Cut: true})
			s.refused(s.send("您好", platform.Face{}), platform.Unsure, 0)
			if n := s.calls(); n != 1 {
				s.Errorf("sent %d times, want once", n)
			}
		}},
	}
	if r.WindowCode != 0 {
		cases = append(cases, testCase{"the window is closed", func(s *stage) {
			s.says("在吗")
			if err := s.platform.Advance(s.Context(), r.Window+time.Minute); err != nil {
				s.Fatal(err)
			}
			s.refused(s.send("您好", platform.Face{}), platform.Window, r.WindowCode)
			s.received()
		}})
	}
	if r.AllowanceCode != 0 {
		cases = append(cases, testCase{"the allowance is used up until the customer writes again", func(s *stage) {
			s.says("在吗")
			var want []Got
			for i := range r.Allowance {
				text := fmt.Sprintf("第 %d 条", i+1)
				s.mustSend(text)
				want = append(want, Got{Type: "text", Text: text})
			}
			s.refused(s.send("多一条", platform.Face{}), platform.Window, r.AllowanceCode)
			s.says("还在吗")
			s.mustSend("在")
			s.received(append(want, Got{Type: "text", Text: "在"})...)
		}})
	}
	if r.TokenCode != 0 {
		cases = append(cases, testCase{"a token that dies early costs one repeat", func(s *stage) {
			s.says("在吗")
			s.mustSend("一")
			s.fault(Fault{Path: r.SendPath, Times: 1, Code: r.TokenCode})
			s.mustSend("二")
			s.received(Got{Type: "text", Text: "一"}, Got{Type: "text", Text: "二"})
			if n := s.calls(); n != 3 {
				s.Errorf("sent %d times, want 3: one, two refused, two", n)
			}
		}}, testCase{"a token that stays dead is repeated once only", func(s *stage) {
			s.says("在吗")
			s.fault(Fault{Path: r.SendPath, Times: 5, Code: r.TokenCode})
			s.refused(s.send("您好", platform.Face{}), platform.Refresh, r.TokenCode)
			if n := s.calls(); n != 2 {
				s.Errorf("sent %d times, want 2", n)
			}
		}})
	}
	if r.BusyCode != 0 {
		cases = append(cases, testCase{"a busy platform is left to the delivery", func(s *stage) {
			s.says("在吗")
			s.fault(Fault{Path: r.SendPath, Times: 1, Code: r.BusyCode})
			s.refused(s.send("您好", platform.Face{}), platform.BusyOnce, r.BusyCode)
			if n := s.calls(); n != 1 {
				s.Errorf("sent %d times, want once", n)
			}
		}})
	}
	if r.FaceCode != 0 {
		cases = append(cases, testCase{"an unknown face is told from an unknown right", func(s *stage) {
			s.says("在吗")
			s.fault(Fault{Path: r.SendPath, Times: 2, Code: r.FaceCode})
			s.refused(s.send("您好", platform.Face{Account: "nobody@nowhere"}), platform.FaceGone, r.FaceCode)
			s.refused(s.send("您好", platform.Face{}), platform.Rights, r.FaceCode)
			s.received()
		}})
	}
	return cases
}
