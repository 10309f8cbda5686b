package desk

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"kefu/internal/texts"
	"kefu/models"
)

// argon2id as OWASP advises it: 19 MiB, two passes, one lane; about 100 ms here.
const (
	argonTime   = 2
	argonMemory = 19 * 1024 // KiB
	argonKey    = 32
)

// hashing bounds how many hashes run at once: each takes 19 MiB, and a flood of log-ins must not take the machine.
var hashing = make(chan struct{}, 2)

// HashPassword is what is stored of a password: "argon2id$salt$hash".
func HashPassword(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt) //nolint:errcheck // never fails (crypto/rand)
	return "argon2id$" + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(argon(password, salt))
}

func argon(password string, salt []byte) []byte {
	hashing <- struct{}{}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, 1, argonKey)
}

// checkPassword reports whether the password is the one of the hash.
func checkPassword(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 3 || parts[0] != "argon2id" {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[1])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[2])
	if err1 != nil || err2 != nil {
		return false
	}
	return subtle.ConstantTimeCompare(argon(password, salt), want) == 1
}

// noHash is compared against when the user name is unknown, so that both cases take equally long.
var noHash = "argon2id$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Login finds who may log in with the name and password. The refusal does not tell which of the two was wrong, or that somebody is
// disabled.
func (d *Desk) Login(ctx context.Context, username, password string) (models.Agent, error) {
	wrong := refuse(Forbidden, "refusal.login", nil)
	if len(password) > maxPassword {
		return models.Agent{}, wrong
	}
	a, err := d.store.AgentByUsername(ctx, strings.ToLower(strings.TrimSpace(username)))
	hash := a.PasswordHash
	if errors.Is(err, models.ErrNotFound) {
		hash = noHash
	} else if err != nil {
		return a, err
	}
	if !checkPassword(hash, password) || a.DisabledAt != nil || a.ID == 0 {
		return models.Agent{}, wrong
	}
	return a, nil
}

// Arrived is the rest of a log-in: an agent who was offline is online, for a log-in is how a day begins.
func (d *Desk) Arrived(ctx context.Context, a models.Agent) error {
	if a.Presence != models.Offline {
		return d.Seen(ctx, []int64{a.ID})
	}
	return d.SetPresence(ctx, a.ID, models.Online)
}

// Left is the end of an agent's last log-in: nobody is there any more.
func (d *Desk) Left(ctx context.Context, agentID int64) error {
	open, err := d.store.LiveLogins(ctx, agentID, d.now())
	if err != nil || len(open) > 0 {
		return err
	}
	return d.SetPresence(ctx, agentID, models.Offline)
}

const (
	minPassword = 8
	maxPassword = 256
)

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// NewAgent is a person to be added.
type NewAgent struct {
	Username, Name, Password string
	Role                     models.Role
	Capacity                 int // 0: the default of 5
}

// AddAgent adds a person who may log in. Refusals name what to correct.
func (d *Desk) AddAgent(ctx context.Context, n NewAgent) (models.Agent, error) {
	a := models.Agent{
		Username: strings.ToLower(strings.TrimSpace(n.Username)), Name: strings.TrimSpace(n.Name), Role: n.Role, Capacity: n.Capacity,
		AutoAccept: true, Presence: models.Offline, PresenceAt: d.now(), CreatedAt: d.now(),
	}
	if a.Name == "" {
		a.Name = a.Username
	}
	if a.Capacity == 0 {
		a.Capacity = 5
	}
	switch {
	case !userName.MatchString(a.Username):
		return a, refuse(Invalid, "refusal.username", nil)
	case utf8.RuneCountInString(a.Name) > 64:
		return a, refuse(Invalid, "refusal.name", nil)
	case a.Role != models.RoleAgent && a.Role != models.RoleSupervisor && a.Role != models.RoleAdmin:
		return a, refuse(Invalid, "refusal.role", nil)
	}
	if err := passwordFits(n.Password); err != nil {
		return a, err
	}
	a.PasswordHash = HashPassword(n.Password)
	err := d.store.CreateAgent(ctx, &a)
	if errors.Is(err, models.ErrDuplicate) {
		return a, refuse(Conflict, "refusal.username_taken", texts.Args{"name": a.Username})
	}
	return a, err
}

// SetPassword replaces the password and ends all log-ins of the agent but the one to keep (0: none is kept).
func (d *Desk) SetPassword(ctx context.Context, agentID int64, password string, keep int64) error {
	if err := passwordFits(password); err != nil {
		return err
	}
	hash := HashPassword(password) // outside the transaction: it takes long
	return d.store.InTx(ctx, func(tx *models.Store) error {
		if err := tx.SetPassword(ctx, agentID, hash); err != nil {
			return err
		}
		_, err := endLogins(ctx, tx, agentID, 0, keep, d.now())
		return err
	})
}

// ChangePassword is SetPassword by the agent, who must know the present one.
func (d *Desk) ChangePassword(ctx context.Context, a models.Agent, present, password string, keep int64) error {
	if len(present) > maxPassword || !checkPassword(a.PasswordHash, present) {
		return refuse(Invalid, "refusal.present_password", nil)
	}
	return d.SetPassword(ctx, a.ID, password, keep)
}

// EndLogins ends one log-in of the agent, or with id 0 all but the one to keep; their open pages learn it at once.
func (d *Desk) EndLogins(ctx context.Context, agentID, id, keep int64) error {
	return d.store.InTx(ctx, func(tx *models.Store) error {
		_, err := endLogins(ctx, tx, agentID, id, keep, d.now())
		return err
	})
}

func endLogins(ctx context.Context, tx *models.Store, agentID, id, keep int64, now time.Time) ([]int64, error) {
	ended, err := tx.RevokeLogins(ctx, agentID, id, keep, now)
	if err != nil {
		return nil, err
	}
	for range ended {
		if err := tell(ctx, tx, models.Event{Kind: models.EventLogin, AgentID: agentID}, now); err != nil {
			return nil, err
		}
	}
	return ended, nil
}

func passwordFits(password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return refuse(Invalid, "refusal.password_short", texts.Args{"min": minPassword})
	case len(password) > maxPassword:
		return refuse(Invalid, "refusal.password_long", nil)
	}
	return nil
}

// RandomPassword is a password for a first log-in: 20 letters and digits that are not mistaken for each other.
func RandomPassword() string {
	const letters = "abcdefghjkmnpqrstuvwxyz23456789"
	raw := make([]byte, 20)
	rand.Read(raw) //nolint:errcheck // never fails (crypto/rand)
	for i, b := range raw {
		raw[i] = letters[int(b)%len(letters)]
	}
	return fmt.Sprintf("%s-%s-%s-%s", raw[:5], raw[5:10], raw[10:15], raw[15:])
}

// SetPreferences stores how the agent's pages look.
func (d *Desk) SetPreferences(ctx context.Context, agentID int64, language, theme, density string) error {
	ok := func(v string, allowed ...string) bool {
		for _, a := range append(allowed, "") {
			if v == a {
				return true
			}
		}
		return false
	}
	if !ok(language, string(texts.ZhCN), string(texts.En)) || !ok(theme, "light", "dark") || !ok(density, "compact") {
		return refuse(Invalid, "refusal.preference", nil)
	}
	return d.store.InTx(ctx, func(tx *models.Store) error {
		if err := tx.SetPreferences(ctx, agentID, language, theme, density); err != nil {
			return err
		}
		return tell(ctx, tx, models.Event{Kind: models.EventAgent, AgentID: agentID}, d.now())
	})
}
