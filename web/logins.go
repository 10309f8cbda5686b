package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"kefu/handlers"
	"kefu/internal/clock"
	"kefu/internal/desk"
	"kefu/models"
)

// Logins is the store behind gorilla/sessions: a log-in is a row that can be revoked, the cookie only a random token whose hash the row
// has. Who has the table cannot log in, and who logs out everywhere is out everywhere.
type Logins struct {
	store  *models.Store
	desk   *desk.Desk
	clock  clock.Clock
	secure bool
	log    *slog.Logger
}

const (
	cookieName = "kefu_login"
	dayLogin   = 12 * time.Hour
	longLogin  = 14 * 24 * time.Hour

	// RememberDays is how long a remembered log-in lasts.
	RememberDays = int(longLogin / (24 * time.Hour))
)

// NewLogins makes the store. secure cookies are sent over https only.
func NewLogins(store *models.Store, d *desk.Desk, c clock.Clock, log *slog.Logger, secure bool) *Logins {
	return &Logins{store: store, desk: d, clock: c, secure: secure, log: log}
}

var _ sessions.Store = (*Logins)(nil)
var _ handlers.Logins = (*Logins)(nil)

// Get is this request's log-in.
func (s *Logins) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New reads the log-in from the cookie; one that is not alive is new and empty.
func (s *Logins) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options = &sessions.Options{Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.secure}
	session.IsNew = true
	cookie, err := r.Cookie(name)
	if err != nil {
		return session, nil
	}
	login, agent, err := s.store.LiveLogin(r.Context(), hashToken(cookie.Value), s.clock.Now())
	if errors.Is(err, models.ErrNotFound) {
		return session, nil
	}
	if err != nil {
		return session, err
	}
	session.IsNew = false
	session.ID = cookie.Value
	session.Values["login"], session.Values["agent"] = login, agent
	return session, nil
}

// Save stores a new log-in, or ends this one when its MaxAge is below zero, and writes the cookie.
func (s *Logins) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if session.Options.MaxAge < 0 {
		if login, ok := session.Values["login"].(models.Login); ok {
			if err := s.desk.EndLogins(r.Context(), login.AgentID, login.ID, 0); err != nil {
				return err
			}
		}
		http.SetCookie(w, sessions.NewCookie(session.Name(), "", session.Options))
		return nil
	}
	login, ok := session.Values["login"].(models.Login)
	if !ok {
		return errors.New("save log-in: nobody logged in")
	}
	token := newToken()
	login.TokenHash = hashToken(token)
	if err := s.store.CreateLogin(r.Context(), &login); err != nil {
		return err
	}
	session.ID, session.Values["login"] = token, login
	http.SetCookie(w, sessions.NewCookie(session.Name(), token, session.Options))
	return nil
}

// Begin starts a log-in under a new token; one that this browser had before ends.
func (s *Logins) Begin(c echo.Context, agent models.Agent, remember bool) error {
	r := c.Request()
	session, err := s.Get(r, cookieName)
	if err != nil {
		return err
	}
	if old, ok := session.Values["login"].(models.Login); ok {
		if err := s.desk.EndLogins(r.Context(), old.AgentID, old.ID, 0); err != nil {
			return err
		}
	}
	now, life := s.clock.Now(), dayLogin
	if remember {
		life = longLogin
		session.Options.MaxAge = int(life.Seconds())
	}
	userAgent := r.UserAgent()
	if len(userAgent) > 300 {
		userAgent = userAgent[:300]
	}
	session.Values["login"] = models.Login{AgentID: agent.ID, IP: c.RealIP(), UserAgent: clean(userAgent), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(life)}
	return session.Save(r, c.Response())
}

// End ends this browser's log-in.
func (s *Logins) End(c echo.Context) error {
	session, err := s.Get(c.Request(), cookieName)
	if err != nil {
		return err
	}
	session.Options.MaxAge = -1
	return session.Save(c.Request(), c.Response())
}

// Refresh loads who a log-in is, with the rights of this moment.
func (s *Logins) Refresh(ctx context.Context, loginID int64) (handlers.Login, error) {
	login, agent, err := s.store.LoginByID(ctx, loginID, s.clock.Now())
	if err != nil {
		return handlers.Login{}, err
	}
	viewer, err := s.desk.Viewer(ctx, agent)
	return handlers.Login{ID: login.ID, Expires: login.ExpiresAt, Viewer: viewer}, err
}

// seenEvery is how old a noted sign of life may be before it is noted anew.
const seenEvery = 15 * time.Second

// Middleware notes who makes the request and that they are here. It refuses nobody; the route table says where somebody must be.
func (s *Logins) Middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		session, err := s.Get(r, cookieName)
		if err != nil {
			return err
		}
		login, ok := session.Values["login"].(models.Login)
		if !ok {
			return next(c)
		}
		agent := session.Values["agent"].(models.Agent)
		now := s.clock.Now()
		if now.Sub(login.SeenAt) > time.Minute {
			if err := s.store.TouchLogin(r.Context(), login.ID, now); err != nil {
				s.unnoted(r, err)
			}
		}
		if agent.SeenAt == nil || now.Sub(*agent.SeenAt) > seenEvery {
			if err := s.desk.Seen(r.Context(), []int64{agent.ID}); err != nil {
				s.unnoted(r, err)
			}
		}
		viewer, err := s.desk.Viewer(r.Context(), agent)
		if err != nil {
			return err
		}
		handlers.SetLogin(c, handlers.Login{ID: login.ID, Expires: login.ExpiresAt, Viewer: viewer})
		return next(c)
	}
}

// unnoted lets a request go on whose sign of life could not be stored: with a full disk agents must still be able to read.
func (s *Logins) unnoted(r *http.Request, err error) {
	s.log.WarnContext(r.Context(), "sign of life not noted", "err", err)
}

func newToken() string {
	raw := make([]byte, 32)
	rand.Read(raw) //nolint:errcheck // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
