package sim

import (
	"slices"
	"time"
)

// Scenes of §5.1: what a customer does that lets the account send.
const (
	sceneMessage   = "message"
	sceneMenu      = "menu"
	sceneFollow    = "follow"
	sceneScan      = "scan"
	scenePay       = "pay"
	sceneComplaint = "complaint" // listed in the pages of 2016-2019 only, without a number
)

// unlimited is the count of a grant that no send uses up.
const unlimited = -1

// Ways in which a new grant meets live ones (wechat.md §5.1, §14b).
const (
	overlapSeparate = "separate" // beside each other; the same scene begins anew
	overlapMax      = "max"      // one allowance: the larger count, the later end
	overlapReplace  = "replace"  // the new one alone
)

// Grant is a live permission to send.
type Grant struct {
	Scene   string    `json:"scene"`
	Left    int       `json:"left"` // -1: unlimited
	Expires time.Time `json:"expires"`
}

// ledger holds a customer's grants.
type ledger []Grant

// add gives a new grant by the overlap rule.
func (l ledger) add(g Grant, overlap string, now time.Time) ledger {
	l = l.live(now)
	switch overlap {
	case overlapReplace:
		return ledger{g}
	case overlapMax:
		for _, old := range l {
			if old.Left == unlimited || (g.Left != unlimited && old.Left > g.Left) {
				g.Left = old.Left
			}
			if old.Expires.After(g.Expires) {
				g.Expires = old.Expires
			}
		}
		return ledger{g}
	}
	l = slices.DeleteFunc(l, func(old Grant) bool { return old.Scene == g.Scene })
	return append(l, g)
}

// live are the grants that have not ended, used up or not.
func (l ledger) live(now time.Time) ledger {
	return slices.DeleteFunc(slices.Clone(l), func(g Grant) bool { return !now.Before(g.Expires) })
}

// spend takes one send from the grant that ends first; 45015 when none lives, 45047 when all are used up (wechat.md §5.1, §5.6).
func (l ledger) spend(now time.Time) (ledger, int) {
	l = l.live(now)
	if len(l) == 0 {
		return l, 45015
	}
	best := -1
	for i, g := range l {
		if g.Left != 0 && (best < 0 || g.Expires.Before(l[best].Expires)) {
			best = i
		}
	}
	if best < 0 {
		return l, 45047
	}
	if l[best].Left > 0 {
		l[best].Left--
	}
	return l, 0
}

// grant gives the customer the scene's allowance, as the switches set it.
func (s *Simulator) grant(a *wechatApp, u *user, scene string, now time.Time) {
	count := s.switches.GrantCounts[scene]
	if scene == sceneComplaint && count == 0 && a.Profile == profileLegacy {
		count = 20 // the observed total of those years (§5.1)
	}
	if count == 0 {
		return
	}
	u.ledger = u.ledger.add(Grant{scene, count, now.Add(time.Duration(s.switches.Grants[scene]))}, s.switches.GrantOverlap, now)
}
