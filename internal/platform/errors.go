package platform

import "fmt"

// Class says what the delivery does after a failure. Only the class decides; code and text are for people.
type Class string

const (
	Refresh    Class = "refresh"   // the token died: get one, repeat once
	Busy       Class = "busy"      // ask again later; also a connection that was never opened
	BusyOnce   Class = "busy_once" // WeChat −1: at most two repeats
	Window     Class = "window"    // the customer's window or allowance is used up: final
	BadContent Class = "content"   // the message itself is refused: final, text kept
	Rights     Class = "rights"    // the channel lacks a right: final, channel alarm
	FaceGone   Class = "face"      // refused because of the face: repeat once without it
	Customer   Class = "customer"  // this customer cannot be reached: final, no channel alarm
	Quota      Class = "quota"     // the day's quota is used up
	Unsure     Class = "unknown"   // it may have arrived: never repeated by itself
	Failed     Class = "failed"    // any other refusal
)

// Error is the one error type of the seam.
type Error struct {
	Class Class
	Code  int    // the platform's errcode; 0 when there was no answer
	Text  string // the platform's errmsg, or what happened on the way; never with a token
	Err   error  // the cause, for errors.Is; may be nil
}

func (e *Error) Error() string { return fmt.Sprintf("platform %s (%d): %s", e.Class, e.Code, e.Text) }

func (e *Error) Unwrap() error { return e.Err }
