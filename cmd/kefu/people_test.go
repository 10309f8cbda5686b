package main

import (
	"regexp"
	"strings"
	"testing"

	"kefu/models"
)

var shownPassword = regexp.MustCompile(`password: (\S+)  \(shown only now\)`)

func TestAgentsFromTheCommandLine(t *testing.T) {
	data := ownEnvironment(t)
	log := standardError(t)
	r, _ := server(t)
	r.ends()

	out := works(t, "", "agent", "add", "Zhou", "--name", "周一帆")
	made := shownPassword.FindStringSubmatch(out)
	if made == nil || !strings.Contains(out, "added zhou (agent)") {
		t.Fatalf("agent add says %q", out)
	}
	if out := works(t, "my own password\n", "agent", "add", "lin", "--role", "supervisor", "--group", "客服", "--password-stdin"); strings.Contains(out, "password") {
		t.Errorf("a password that was given is said again: %q", out)
	}
	for _, tt := range []struct {
		stdin string
		said  string
		args  []string
	}{
		{"", "taken", []string{"add", "zhou"}},
		{"", "taken", []string{"add", "ZHOU"}},
		{"", "user name", []string{"add", "two words"}},
		{"", "role", []string{"add", "he", "--role", "boss"}},
		{"", `no group "物流"`, []string{"add", "he", "--group", "物流"}},
		{"short\n", "at least 8", []string{"add", "he", "--password-stdin"}},
		{"", "at least 8", []string{"add", "he", "--password-stdin"}},
		{"", `no agent "he"`, []string{"passwd", "he"}},
		{"short\n", "at least 8", []string{"passwd", "zhou", "--password-stdin"}},
		{"", "accepts 1 arg", []string{"add"}},
	} {
		out, err := kefu(t, tt.stdin, append([]string{"agent"}, tt.args...)...)
		if err == nil || !strings.Contains(sentence(err), tt.said) {
			t.Errorf("agent %v: %v, want %q\n%s", tt.args, err, tt.said, out)
		}
	}
	list := works(t, "", "agent", "list")
	for _, words := range []string{"admin", "zhou", "周一帆", "lin", "supervisor", "active"} {
		if !strings.Contains(list, words) {
			t.Errorf("agent list has no %q:\n%s", words, list)
		}
	}
	if strings.Contains(list, "argon2id") || strings.Count(list, "\n") != 4 {
		t.Errorf("agent list says\n%s", list)
	}

	r, desk := server(t)
	if !desk.logIn("zhou", made[1]) || !newClient(t, desk.base).logIn("lin", "my own password") {
		t.Error("who was added cannot log in")
	}
	reset := shownPassword.FindStringSubmatch(works(t, "", "agent", "passwd", "zhou")) // while the server runs
	if reset == nil || reset[1] == made[1] {
		t.Fatalf("the new password is %v", reset)
	}
	if desk.status("/c") != 303 {
		t.Error("the log-in from before is still alive")
	}
	if desk.logIn("zhou", made[1]) || !desk.logIn("zhou", reset[1]) {
		t.Error("want the new password and no other")
	}
	r.ends()
	for _, password := range []string{made[1], reset[1], "my own password"} {
		if strings.Contains(log(), password) {
			t.Error("a password is in the log")
		}
	}

	store := opened(t, data)
	lin, err := store.AgentByUsername(t.Context(), "lin")
	if err != nil || lin.Role != models.RoleSupervisor {
		t.Fatalf("lin is %+v (%v)", lin, err)
	}
	members, err := store.Memberships(t.Context(), lin.ID)
	if err != nil || len(members) != 1 || !members[0].Supervisor {
		t.Errorf("lin's groups: %+v (%v)", members, err)
	}
}

func TestFirstAdminByHand(t *testing.T) {
	ownEnvironment(t)
	works(t, "a long password\n", "agent", "add", "wang", "--role", "admin", "--password-stdin") // before the first start
	r, desk := server(t)
	if strings.Contains(r.out.String(), "password") {
		t.Errorf("the start says %q", r.out)
	}
	if !desk.logIn("wang", "a long password") {
		t.Error("the admin cannot log in")
	}
	r.ends()
}
