package e2e

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// crashMessage is a row of the table of messages.
type crashMessage struct {
	id, conversation, part, parts int64
	openid, direction, kind, text string
	data, platformID, key, state  string
	resendOf                      sql.NullInt64
	passive                       bool
}

// check compares the database with the ledger and the phones. It returns figures for the log.
func (w *crashWorld) check() string {
	w.t.Helper()
	for _, what := range w.ledger.wrong {
		w.t.Error(what)
	}
	db := w.server.database()
	defer db.Close()
	messages := w.messages(db)
	w.checkFile(db)
	w.checkPushes(messages)
	w.checkLines(messages)
	w.checkArrivals(messages)
	w.checkPassive(messages)
	states := map[string]int{}
	for _, m := range messages {
		switch {
		case m.passive:
			states["passive "+m.state]++
		case m.resendOf.Valid:
			states["resent "+m.state]++
		case m.direction == "out":
			states["out "+m.state]++
		default:
			states[m.direction]++
		}
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(states)) {
		parts = append(parts, fmt.Sprintf("%s: %d", state, states[state]))
	}
	return "stored " + strings.Join(parts, ", ") + fmt.Sprintf("; arrived: %d", len(w.phones.all))
}

func (w *crashWorld) messages(db *sql.DB) []crashMessage {
	w.t.Helper()
	rows, err := db.Query(`SELECT m.id, m.conversation_id, m.part, m.parts, c.key, m.direction, m.kind, m.text, m.data, m.platform_id, COALESCE(m.idem_key, ''),
		m.state, m.resend_of, m.passive FROM messages m JOIN conversations c ON c.id = m.conversation_id ORDER BY m.id`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var list []crashMessage
	for rows.Next() {
		var m crashMessage
		if err := rows.Scan(&m.id, &m.conversation, &m.part, &m.parts, &m.openid, &m.direction, &m.kind, &m.text, &m.data, &m.platformID, &m.key,
			&m.state, &m.resendOf, &m.passive); err != nil {
			w.t.Fatal(err)
		}
		list = append(list, m)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return list
}

// crashInvariants are true of every database at rest; each query finds what breaks the rule.
var crashInvariants = []struct{ rule, query string }{
	{"a conversation has at most one open session", `SELECT conversation_id FROM sessions WHERE state <> 'closed' GROUP BY 1 HAVING COUNT(*) > 1`},
	{"an active session has a holder, a waiting one none", `SELECT id FROM sessions WHERE state <> 'closed' AND (state = 'active') <> (agent_id IS NOT NULL)`},
	{"hops are numbered from 1 to the session's", `SELECT s.id FROM sessions s LEFT JOIN hops h ON h.session_id = s.id
		GROUP BY s.id HAVING COUNT(h.id) <> s.hop OR MIN(h.number) <> 1 OR MAX(h.number) <> s.hop`},
	{"an open session has one open hop, a closed one none", `SELECT s.id FROM sessions s
		WHERE (SELECT COUNT(*) FROM hops h WHERE h.session_id = s.id AND h.ended_at IS NULL) <> (s.state <> 'closed')`},
	{"the open hop is the newest and names holder and group", `SELECT s.id FROM sessions s JOIN hops h ON h.session_id = s.id AND h.ended_at IS NULL
		WHERE h.number <> s.hop OR h.agent_id IS NOT s.agent_id OR h.group_id <> s.group_id OR h.assigned_at IS NOT s.assigned_at`},
	{"a message stands in a session of its own conversation", `SELECT m.id FROM messages m JOIN sessions s ON s.id = m.session_id
		WHERE s.conversation_id <> m.conversation_id`},
	{"open pages were told of every message", `SELECT id FROM messages WHERE session_id IS NOT NULL AND id NOT IN (SELECT message_id FROM events)`},
	{"every stored message of a customer has the mark of its push", `SELECT id FROM messages WHERE direction = 'in'
		AND 'm:' || platform_id NOT IN (SELECT key FROM inbound_keys)`},
	{"nothing is left to be sent", `SELECT id FROM outbox`},
	{"no message is still on its way", `SELECT id FROM messages WHERE state IN ('queued', 'sending')`},
	{"what was sent, and only that, has the time", `SELECT id FROM messages WHERE (state = 'sent') <> (sent_at IS NOT NULL)`},
	{"the list shows the state of the last word", `SELECT s.id FROM sessions s WHERE s.last_direction = 'out'
		AND s.last_state <> (SELECT m.state FROM messages m WHERE m.session_id = s.id AND m.direction = 'out' ORDER BY m.id DESC LIMIT 1)`},
	{"the file is whole", `SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'`},
	{"references lead somewhere", `SELECT "table" || ' ' || rowid FROM pragma_foreign_key_check`},
}

func (w *crashWorld) checkFile(db *sql.DB) {
	w.t.Helper()
	for _, i := range crashInvariants {
		found, err := crashTexts(db, i.query)
		if err != nil {
			w.t.Errorf("%s: %v", i.rule, err)
		}
		if len(found) > 0 {
			w.t.Errorf("broken: %s: %d, the first %v", i.rule, len(found), found[:min(5, len(found))])
		}
	}
}

func crashTexts(db *sql.DB, query string) ([]string, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return list, err
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

// checkPushes: what was acknowledged is stored exactly once, what was not at most once; what a customer said stays in order.
func (w *crashWorld) checkPushes(messages []crashMessage) {
	w.t.Helper()
	stored, last := map[string]int{}, map[string]string{}
	for _, m := range messages {
		switch {
		case m.direction == "in":
			stored[m.platformID]++
			if before := last[m.openid]; len(before) == len(m.platformID) && before > m.platformID {
				w.t.Errorf("message %s of %s is stored after %s", m.platformID, m.openid, before)
			}
			last[m.openid] = m.platformID
		case m.direction == "system" && m.kind == "menu":
			stored[strings.TrimSuffix(strings.TrimPrefix(m.data, `{"key":"`), `"}`)]++
		}
	}
	for _, p := range w.ledger.pushes {
		n := stored[p.String()]
		if n > 1 || p.taken && n != 1 {
			w.t.Errorf("push %s: acknowledged %v after %d tries, stored %d times", p, p.taken, p.tries, n)
		}
		delete(stored, p.String())
	}
	for name := range stored {
		w.t.Errorf("push %s is stored, but nobody sent it", name)
	}
}

// checkLines: what was answered 303 is stored exactly once with all its parts, what was refused not at all.
func (w *crashWorld) checkLines(messages []crashMessage) {
	w.t.Helper()
	stored := map[string][]crashMessage{}
	for _, m := range messages {
		if m.key == "" {
			if m.direction == "note" || m.direction == "out" && !m.passive {
				w.t.Errorf("message %d of an agent has no key", m.id)
			}
			continue
		}
		_, key, _ := strings.Cut(m.key, ":") // agent:key:part
		key = key[:strings.LastIndexByte(key, ':')]
		stored[key] = append(stored[key], m)
		if resend := strings.HasPrefix(key, "resend-"); resend != m.resendOf.Valid || !resend && w.ledger.lines[key] == nil {
			w.t.Errorf("message %d has the key %q, which nobody sent", m.id, m.key)
		}
	}
	for key, line := range w.ledger.lines {
		found := stored[key]
		switch {
		case line.refused && len(found) > 0:
			w.t.Errorf("%s was refused, but it is stored", key)
		case line.answered && len(found) == 0:
			w.t.Errorf("%s was answered 303, but it is not stored", key)
		case len(found) > 0:
			text := ""
			for i, m := range found {
				text += m.text
				if m.part != int64(i+1) || m.parts != int64(len(found)) {
					w.t.Errorf("%s: row %d of %d is part %d of %d", key, i+1, len(found), m.part, m.parts)
				}
			}
			if plain := strings.NewReplacer("\n", "", " ", ""); plain.Replace(text) != plain.Replace(line.text) {
				w.t.Errorf("%s is stored with another text: %q", key, text)
			}
		}
	}
}

// crashText is a text on its way to one customer. Agents never write the same one twice: more than one row is a resend.
type crashText struct{ openid, text string }

// checkArrivals: the state of every message to a customer says what its phone shows.
func (w *crashWorld) checkArrivals(messages []crashMessage) {
	w.t.Helper()
	arrived := map[crashText]int{}
	for _, a := range w.phones.all {
		if !a.passive {
			arrived[crashText{a.openid, a.text}]++
		}
	}
	rows := map[crashText][]crashMessage{}
	for _, m := range messages {
		if m.direction == "out" && !m.passive {
			text := crashText{m.openid, m.text}
			rows[text] = append(rows[text], m)
		}
	}
	for text, list := range rows {
		sent, unknown, own := 0, 0, 0
		for _, m := range list {
			switch m.state {
			case "sent":
				sent++
			case "unknown":
				unknown++
			case "failed":
			default:
				w.t.Errorf("message %d ended as %s", m.id, m.state)
			}
			if !m.resendOf.Valid {
				own++
			}
		}
		if n := arrived[text]; own != 1 || n < sent || n > sent+unknown {
			w.t.Errorf("%.40q: %d rows, %d of them no resend, %d sent and %d unknown, but it arrived %d times", text.text, len(list), own, sent, unknown, n)
		}
	}
	last := map[string]int64{}
	for _, a := range w.phones.all {
		list := rows[crashText{a.openid, a.text}]
		switch {
		case a.passive || len(list) > 1:
		case len(list) == 0:
			w.t.Errorf("%.40q arrived, but it is not stored", a.text)
		case list[0].id < last[a.openid]:
			w.t.Errorf("message %d arrived after message %d of the same conversation", list[0].id, last[a.openid])
		default:
			last[a.openid] = list[0].id
		}
	}
}

// checkPassive: an answer to a push is shown as sent only when it arrived, and none arrived that was not stored before.
func (w *crashWorld) checkPassive(messages []crashMessage) {
	w.t.Helper()
	arrived, sent, stored := map[crashText]int{}, map[crashText]int{}, map[crashText]int{}
	for _, a := range w.phones.all {
		if a.passive {
			arrived[crashText{a.openid, a.text}]++
		}
	}
	for _, m := range messages {
		if !m.passive {
			continue
		}
		text := crashText{m.openid, m.text}
		stored[text]++
		switch m.state {
		case "sent":
			sent[text]++
		case "unknown":
		default:
			w.t.Errorf("passive answer %d ended as %s", m.id, m.state)
		}
	}
	for text, n := range sent {
		if arrived[text] < n {
			w.t.Errorf("%d passive answers %q to %s are shown as sent, but %d arrived", n, text.text, text.openid, arrived[text])
		}
	}
	for text := range arrived {
		if stored[text] == 0 {
			w.t.Errorf("the passive answer %q arrived, but it is not stored", text.text)
		}
	}
}

// checkLog: no panic, no secret, nothing of what people said, and none of the other words.
func (w *crashWorld) checkLog(others ...string) {
	w.t.Helper()
	log := w.server.log.String()
	words := append([]string{"panic", "goroutine ", "DATA RACE"}, others...)
	secrets := []string{w.sim.app.Secret, w.sim.app.Token, w.sim.app.AESKey, w.server.log.adminPassword(), "crash-password", "crash-ask", "您好", "o-crash-"}
	for _, a := range w.agents {
		for _, c := range a.cookies() {
			secrets = append(secrets, c.Value)
		}
	}
	if secrets = append(secrets, w.phones.tokens...); len(w.phones.tokens) == 0 {
		w.t.Error("the platform gave no token away: what is looked for in the log?")
	}
	for _, word := range append(words, secrets...) {
		if word == "" {
			w.t.Error("a secret to look for is empty")
			continue
		}
		for line := range strings.Lines(log) {
			if strings.Contains(line, word) {
				w.t.Errorf("the log says %q: %s", word, strings.TrimSpace(line))
				break
			}
		}
	}
}
