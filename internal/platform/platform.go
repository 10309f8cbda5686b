// Package platform is the seam between the desk and the messaging platforms: what came in, what goes out, and how a refusal is
// classed. It holds value types and small interfaces only and knows neither a platform's wire format nor our database.
package platform

import (
	"context"
	"net/http"
	"time"
)

// Kind names a platform.
type Kind string

const (
	WeChat   Kind = "wechat"
	DingTalk Kind = "dingtalk"
)

// Conversation is the place where a session happens: a WeChat openid, a DingTalk one-to-one chat or group.
type Conversation struct {
	Key string // unique within the channel
}

// Face is the customer-service account that the customer sees as the sender. The zero value is the channel itself.
type Face struct {
	Account string // kf_account, "prefix@suffix"
}

// Inbound is one thing that a platform told us.
type Inbound struct {
	Dedupe       string       // the same for every repetition of the same push, unique within the channel
	Conversation Conversation // where it happened
	Sender       string       // who did it: the customer's id on the platform
	At           time.Time    // when the platform says it happened (CreateTime)
	MessageID    string       // the platform's id of a message; empty for events
	What         What
	Raw          []byte // the decrypted body as it came, for kinds we do not know
}

// What is what happened: one of the types below, and no other.
type What interface{ what() }

// Text is typed by the customer, or, with a MenuID, sent by a click on an item of a menu message (wechat.md §7.5).
type Text struct {
	Text   string
	MenuID string // bizmsgmenuid; kept as a string (an SDK reads int64, the send call takes a string)
}

// Image is a picture. URL may be fetched without a token and expires; MediaID lives 3 days (wechat.md §8.2).
type Image struct{ URL, MediaID string }

// Voice is a voice message.
type Voice struct {
	MediaID, MediaID16K, Format string
	Recognition                 string // the platform's speech recognition; often absent
}

// Video is a video or, when Short, a short video taken in the chat.
type Video struct {
	MediaID, ThumbMediaID string
	Short                 bool
}

// Location is a place sent as a message.
type Location struct {
	Lat, Lng float64
	Scale    int
	Label    string
}

// Link is a shared article or page.
type Link struct{ Title, Description, URL string }

// Follow is a new follower; Scene is the QR scene, if any.
type Follow struct{ Scene, Ticket string }

// Unfollow is a follower who left. No reply is possible.
type Unfollow struct{}

// Scan is a QR code scanned by somebody who already follows.
type Scan struct{ Scene, Ticket string }

// MenuClick is a click on a custom menu item that opens a window: CLICK, scancode_push, scancode_waitmsg (wechat.md §5.1).
type MenuClick struct {
	Event  string // the event's name on the platform
	Key    string
	Result string // of a scan, if any
}

// MenuView is a menu item that opens no window: VIEW, view_miniprogram, pic_*, location_select.
type MenuView struct{ Event, Key string }

// Position is a LOCATION event: where the phone is, not a message.
type Position struct{ Lat, Lng, Precision float64 }

// HostedChange is one of the three kf events of hosted sessions (wechat.md §3.7).
type HostedChange struct {
	Event     string // kf_create_session, kf_close_session, kf_switch_session
	Account   string
	From, To  string // of a switch
	CloseType string // never documented; kept when present
}

// OtherEvent is an event that needs no act of ours.
type OtherEvent struct{ Event, Key string }

// Unknown is a message of a kind we do not know, or a verified body that could not be read.
type Unknown struct{ MsgType string }

func (Text) what()         {}
func (Image) what()        {}
func (Voice) what()        {}
func (Video) what()        {}
func (Location) what()     {}
func (Link) what()         {}
func (Follow) what()       {}
func (Unfollow) what()     {}
func (Scan) what()         {}
func (MenuClick) what()    {}
func (MenuView) what()     {}
func (Position) what()     {}
func (HostedChange) what() {}
func (OtherEvent) what()   {}
func (Unknown) what()      {}

// Answer is what we say in the answer to a push: one of the types below.
type Answer interface{ answer() }

// Nothing is the acknowledgement without words ("success").
type Nothing struct{}

// Words is a passive text reply.
type Words struct{ Text string }

// Echo is the answer to the platform's check of our address.
type Echo struct{ Text string }

func (Nothing) answer() {}
func (Words) answer()   {}
func (Echo) answer()    {}

// AnswerFunc writes the answer to the push it came with, encrypted when the push was.
type AnswerFunc func(w http.ResponseWriter, a Answer) error

// Receiver turns a platform's HTTP request into what happened. It never touches the database.
type Receiver interface {
	// Verify answers the platform's check of our address.
	Verify(r *http.Request) (Answer, error)
	// Parse verifies, decrypts and reads a push. Its error is a *Refused for anything that is not from the platform.
	Parse(r *http.Request) (Inbound, AnswerFunc, error)
}

// Refused is a request that does not come from the platform or cannot be read. Reason is a constant for the log, never a secret.
type Refused struct {
	Status int
	Reason string
}

func (r *Refused) Error() string { return "refused: " + r.Reason }

// Content is one outbound message: one of the types below.
type Content interface{ content() }

// OutText is a text message.
type OutText struct{ Text string }

func (OutText) content() {}

// Receipt is the platform's word that it took a message. WeChat gives no id (wechat.md §5.2).
type Receipt struct{ ID string }

// Sender does one outbound act. A failure is an *Error, whose Class says what to do next.
type Sender interface {
	// Send sends c to the conversation; key is the idempotency key for platforms that have one.
	Send(ctx context.Context, to Conversation, c Content, as Face, key string) (Receipt, error)
}

// Account is a customer-service account as the platform lists it (wechat.md §2.6).
type Account struct {
	Account, Nick, ID, AvatarURL string
	BoundWeChat                  string
	InviteWeChat, InviteStatus   string
	InviteExpires                time.Time
}

// AccountLister is an adapter that knows customer-service accounts.
type AccountLister interface {
	Accounts(ctx context.Context) ([]Account, error)
}

// Token is a platform credential with its life.
type Token struct {
	Value   string
	Issued  time.Time
	Expires time.Time
}

// TokenStore shares one channel's token between processes. It keeps the old one until a newer is in hand.
type TokenStore interface {
	Load(ctx context.Context) (Token, error) // the zero Token when there is none
	// Save keeps t unless a token issued later is already there (a slow answer must not overwrite a newer one, wechat.md §1.5).
	Save(ctx context.Context, t Token) error
}
