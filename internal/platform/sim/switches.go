package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Switches choose between readings of what the platform leaves open (wechat.md §13, §14b). POST /_sim/switches changes those it names.
type Switches struct {
	GrantOverlap       string              `json:"grant_overlap"`         // separate | max | replace (§5.1, §14b)
	Grants             map[string]Duration `json:"grant_seconds"`         // scene → life, §5.1
	GrantCounts        map[string]int      `json:"grant_counts"`          // scene → sends, -1 unlimited, §5.1
	PassiveCounts      bool                `json:"passive_counts"`        // a passive reply uses up a send (§5.1: undocumented)
	MsgmenuGrant       string              `json:"msgmenu_grant"`         // menu | message | none (§5.1, §14b)
	InlineMenu         bool                `json:"inline_menu"`           // weixin://bizmsgmenu links act like menu items (§14b)
	MsgmenuMax         int                 `json:"msgmenu_max"`           // items of a msgmenu before 45098 (§14b; the true number is unknown)
	Escapes            string              `json:"escapes"`               // reject (40033) | literal | accept (§5.4)
	TextLimit          int                 `json:"text_limit_bytes"`      // custom/send, §5.5
	PassiveTextLimit   int                 `json:"passive_limit_bytes"`   // §14b
	Attempts           int                 `json:"attempts"`              // of one push, §7.7
	AttemptTimeout     Duration            `json:"attempt_seconds"`       // §7.7
	RepeatOn5xx        bool                `json:"repeat_on_5xx"`         // else only a time-out or a failed connection is repeated
	MarkFail           bool                `json:"markfail"`              // §7.7
	MarkFailAfter      int                 `json:"markfail_after"`        // pushes that failed in a row; "several" in the source
	MarkFailPause      Duration            `json:"markfail_seconds"`      // §7.7
	MarkFailDelays     bool                `json:"markfail_delays"`       // pushes of the pause come late instead of never
	ErrorTail          string              `json:"error_tail"`            // rid | hint | both | none (§0.2)
	ContentTypes       string              `json:"content_types"`         // usual | chaos (§0.2)
	StrictDel          bool                `json:"strict_del"`            // kfaccount/del: POST with a body only (§2.3)
	InviteLife         Duration            `json:"invite_seconds"`        // §2.5: not documented
	FaceNeedsBound     bool                `json:"face_needs_bound"`      // send with an unbound kf_account answers 65402
	CustomerServiceOff bool                `json:"customer_service_off"`  // 65400 on account calls (§0.4)
	VoiceRecognition   bool                `json:"voice_recognition"`     // Recognition in voice messages (§7.5)
	CallbackIP         string              `json:"callback_ip,omitempty"` // sent as X-Forwarded-For of pushes, for address filters
}

// Duration is a time span that JSON shows as seconds.
type Duration time.Duration

// MarshalJSON writes seconds.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).Seconds()) }

// UnmarshalJSON reads seconds, or a span such as "48h".
func (d *Duration) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case float64:
		*d = Duration(v * float64(time.Second))
		return nil
	case string:
		span, err := time.ParseDuration(v)
		*d = Duration(span)
		return err
	}
	return fmt.Errorf("want seconds or a span such as \"48h\", got %s", b)
}

// DefaultSwitches are the documented behaviour, and where nothing is documented the stricter reading.
func DefaultSwitches() Switches {
	return Switches{
		GrantOverlap: overlapSeparate,
		Grants: map[string]Duration{
			sceneMessage: Duration(48 * time.Hour), sceneMenu: Duration(time.Minute), sceneFollow: Duration(time.Minute),
			sceneScan: Duration(time.Minute), scenePay: Duration(48 * time.Hour), sceneComplaint: Duration(48 * time.Hour),
		},
		GrantCounts: map[string]int{
			sceneMessage: 5, sceneMenu: 3, sceneFollow: 3, sceneScan: 3, scenePay: unlimited, sceneComplaint: 0,
		},
		MsgmenuGrant: sceneMenu, MsgmenuMax: 10, Escapes: escapesReject, TextLimit: 2048, PassiveTextLimit: 2047,
		Attempts: 3, AttemptTimeout: Duration(5 * time.Second),
		MarkFail: true, MarkFailAfter: 3, MarkFailPause: Duration(time.Minute),
		ErrorTail: "rid", ContentTypes: "usual", InviteLife: Duration(24 * time.Hour),
	}
}

// check says which value of sw is not one of the choices; empty means all are.
func (sw Switches) check() string {
	for _, choice := range []struct {
		name, value string
		allowed     []string
	}{
		{"grant_overlap", sw.GrantOverlap, []string{overlapSeparate, overlapMax, overlapReplace}},
		{"msgmenu_grant", sw.MsgmenuGrant, []string{sceneMenu, sceneMessage, "none"}},
		{"escapes", sw.Escapes, []string{escapesReject, escapesLiteral, escapesAccept}},
		{"error_tail", sw.ErrorTail, []string{"rid", "hint", "both", "none"}},
		{"content_types", sw.ContentTypes, []string{"usual", "chaos"}},
	} {
		if !slices.Contains(choice.allowed, choice.value) {
			return fmt.Sprintf("%s must be one of %v", choice.name, choice.allowed)
		}
	}
	if sw.Attempts < 1 || sw.AttemptTimeout <= 0 || sw.MarkFailAfter < 1 {
		return "attempts, attempt_seconds and markfail_after must be above zero"
	}
	return ""
}

// SetSwitches replaces the switches; the error names a value that is no choice.
func (s *Simulator) SetSwitches(sw Switches) error {
	if bad := sw.check(); bad != "" {
		return fmt.Errorf("switches: %s", bad)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = sw
	s.version++
	return nil
}

// Switches shows the present ones.
func (s *Simulator) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches.copy()
}

// copy is sw with maps of its own.
func (sw Switches) copy() Switches {
	b, err := json.Marshal(sw)
	if err != nil {
		panic("sim: switches: " + err.Error()) // plain values only
	}
	var c Switches
	if err := json.Unmarshal(b, &c); err != nil {
		panic("sim: switches: " + err.Error())
	}
	return c
}
