-- +goose Up
-- The first house: people who log in, channels, customers, conversations, sessions, messages, what is to be sent, and what happened.
-- All times are UTC with milliseconds. States are repeated as CHECKs, so that a slip in a query cannot store nonsense.

CREATE TABLE settings (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE agents (
  id               ${ID},
  username         TEXT    NOT NULL UNIQUE,
  name             TEXT    NOT NULL,
  role             TEXT    NOT NULL CHECK (role IN ('agent', 'supervisor', 'admin')),
  password_hash    TEXT    NOT NULL,
  language         TEXT    NOT NULL DEFAULT '' CHECK (language IN ('', 'zh-CN', 'en')),
  theme            TEXT    NOT NULL DEFAULT '' CHECK (theme IN ('', 'light', 'dark')),
  density          TEXT    NOT NULL DEFAULT '' CHECK (density IN ('', 'compact')),
  capacity         INTEGER NOT NULL DEFAULT 5 CHECK (capacity BETWEEN 0 AND 100),
  auto_accept      ${BOOL} NOT NULL DEFAULT ${TRUE},
  presence         TEXT    NOT NULL DEFAULT 'offline' CHECK (presence IN ('online', 'busy', 'break', 'offline')),
  presence_at      ${TIME} NOT NULL,
  seen_at          ${TIME},                              -- last sign of life of any of their pages
  last_assigned_at ${TIME},
  disabled_at      ${TIME},
  created_at       ${TIME} NOT NULL
);

CREATE TABLE logins (
  id         ${ID},
  token_hash TEXT     NOT NULL UNIQUE,                   -- SHA-256 of the cookie's token: the table alone lets nobody in
  agent_id   ${BIGINT} NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  ip         TEXT     NOT NULL,
  user_agent TEXT     NOT NULL,
  created_at ${TIME}  NOT NULL,
  seen_at    ${TIME}  NOT NULL,
  expires_at ${TIME}  NOT NULL,
  revoked_at ${TIME}
);
CREATE INDEX logins_agent ON logins (agent_id, expires_at);

CREATE TABLE groups (
  id              ${ID},
  name            TEXT    NOT NULL UNIQUE,
  position        INTEGER NOT NULL DEFAULT 0,
  queue_limit     INTEGER NOT NULL DEFAULT 200 CHECK (queue_limit > 0),
  watch           ${BOOL} NOT NULL DEFAULT ${TRUE},      -- members may read their colleagues' sessions (旁观)
  target_take     INTEGER NOT NULL DEFAULT 180,          -- wait targets in seconds (P-2.9)
  target_first    INTEGER NOT NULL DEFAULT 60,
  target_next     INTEGER NOT NULL DEFAULT 180,
  created_at      ${TIME} NOT NULL
);

CREATE TABLE group_members (
  group_id   ${BIGINT} NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  agent_id   ${BIGINT} NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  position   INTEGER   NOT NULL DEFAULT 0,
  supervisor ${BOOL}   NOT NULL DEFAULT ${FALSE},
  PRIMARY KEY (group_id, agent_id)
);
CREATE INDEX group_members_agent ON group_members (agent_id);

CREATE TABLE channels (
  id                ${ID},
  uid               TEXT     NOT NULL UNIQUE,            -- random; part of what a sealed secret is bound to
  key               TEXT     NOT NULL UNIQUE,            -- the unguessable part of the callback address
  kind              TEXT     NOT NULL CHECK (kind IN ('wechat', 'dingtalk')),
  name              TEXT     NOT NULL,
  app_id            TEXT     NOT NULL,
  original_id       TEXT     NOT NULL DEFAULT '',
  mode              TEXT     NOT NULL DEFAULT 'safe' CHECK (mode IN ('plain', 'compatible', 'safe')),
  base_url          TEXT     NOT NULL DEFAULT '',        -- empty: the platform's own address
  secret            ${BLOB}  NOT NULL,                   -- sealed
  token             ${BLOB}  NOT NULL,                   -- sealed
  aes_key           ${BLOB}  NOT NULL,                   -- sealed
  default_group_id  ${BIGINT} NOT NULL REFERENCES groups (id),
  alarm             TEXT     NOT NULL DEFAULT '',        -- text key of what is wrong, empty when nothing is
  alarm_detail      TEXT     NOT NULL DEFAULT '',
  alarm_at          ${TIME},
  paused_until      ${TIME},                             -- quota used up: nothing is sent before
  created_at        ${TIME}  NOT NULL
);

CREATE TABLE access_tokens (
  channel_id ${BIGINT} PRIMARY KEY REFERENCES channels (id) ON DELETE CASCADE,
  value      ${BLOB}  NOT NULL,                          -- sealed
  issued_at  ${TIME}  NOT NULL,
  expires_at ${TIME}  NOT NULL
);

-- A customer-service account of the platform: the face a customer sees.
CREATE TABLE accounts (
  id         ${ID},
  channel_id ${BIGINT} NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
  account    TEXT     NOT NULL,                          -- kf_account as the platform lists it
  nick       TEXT     NOT NULL,
  agent_id   ${BIGINT} REFERENCES agents (id) ON DELETE SET NULL,
  broken_at  ${TIME},                                    -- the platform refused it; not used until repaired
  created_at ${TIME}  NOT NULL,
  UNIQUE (channel_id, account)
);
CREATE UNIQUE INDEX accounts_agent ON accounts (channel_id, agent_id) WHERE agent_id IS NOT NULL;

CREATE TABLE customers (
  id            ${ID},
  channel_id    ${BIGINT} NOT NULL REFERENCES channels (id),
  external_id   TEXT     NOT NULL,                       -- WeChat openid
  remark        TEXT     NOT NULL DEFAULT '',
  name          TEXT     NOT NULL DEFAULT '',
  follows       ${BOOL}  NOT NULL DEFAULT ${TRUE},
  blocked_at    ${TIME},
  blocked_until ${TIME},
  created_at    ${TIME}  NOT NULL,
  UNIQUE (channel_id, external_id)
);

CREATE TABLE conversations (
  id              ${ID},
  channel_id      ${BIGINT} NOT NULL REFERENCES channels (id),
  key             TEXT     NOT NULL,
  customer_id     ${BIGINT} NOT NULL REFERENCES customers (id),
  route_group_id  ${BIGINT} REFERENCES groups (id) ON DELETE SET NULL,  -- remembered from a menu click or scan
  route_until     ${TIME},
  last_agent_id   ${BIGINT} REFERENCES agents (id) ON DELETE SET NULL,  -- who served last, for the sticky rule (P-1.3)
  last_group_id   ${BIGINT} REFERENCES groups (id) ON DELETE SET NULL,
  last_served_at  ${TIME},
  created_at      ${TIME}  NOT NULL,
  UNIQUE (channel_id, key)
);

CREATE TABLE sessions (
  id                 ${ID},
  channel_id         ${BIGINT} NOT NULL REFERENCES channels (id),
  conversation_id    ${BIGINT} NOT NULL REFERENCES conversations (id),
  customer_id        ${BIGINT} NOT NULL REFERENCES customers (id),
  group_id           ${BIGINT} NOT NULL REFERENCES groups (id),
  state              TEXT     NOT NULL CHECK (state IN ('waiting', 'active', 'closed')),
  agent_id           ${BIGINT} REFERENCES agents (id),   -- the holder; of a closed session the last one
  hop                INTEGER  NOT NULL DEFAULT 1,
  arrival_at         ${TIME}  NOT NULL,                  -- place in the queue; survives transfers and missed offers
  opened_at          ${TIME}  NOT NULL,
  assigned_at        ${TIME},
  closed_at          ${TIME},
  close_reason       TEXT     NOT NULL DEFAULT '' CHECK (close_reason IN
                       ('', 'agent', 'left', 'idle', 'window', 'expired', 'handed', 'hosted', 'blocked', 'unfollowed', 'merged')),
  preferred_agent_id ${BIGINT} REFERENCES agents (id) ON DELETE SET NULL,
  preferred_until    ${TIME},
  unanswered_since   ${TIME},                            -- first customer message without a reply; NULL when the last word is ours
  last_at            ${TIME}  NOT NULL,                  -- last message of either side
  last_kind          TEXT     NOT NULL DEFAULT '',
  last_text          TEXT     NOT NULL DEFAULT '',       -- beginning of it, for the list
  last_direction     TEXT     NOT NULL DEFAULT 'in',
  last_state         TEXT     NOT NULL DEFAULT '',       -- delivery state of a last outbound message
  unread             INTEGER  NOT NULL DEFAULT 0,
  CHECK ((state = 'waiting' AND agent_id IS NULL) OR (state = 'active' AND agent_id IS NOT NULL) OR state = 'closed'),
  CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
  CHECK ((state = 'closed') = (close_reason <> ''))
);
-- At most one open session per conversation (P-1.1).
CREATE UNIQUE INDEX sessions_open    ON sessions (conversation_id) WHERE state <> 'closed';
CREATE INDEX sessions_waiting ON sessions (group_id, arrival_at, id) WHERE state = 'waiting';
CREATE INDEX sessions_held    ON sessions (agent_id, last_at) WHERE state = 'active';
CREATE INDEX sessions_closed  ON sessions (closed_at, id) WHERE state = 'closed';
CREATE INDEX sessions_conversation ON sessions (conversation_id, id);

-- One stretch of a session in one pair of hands.
CREATE TABLE hops (
  id          ${ID},
  session_id  ${BIGINT} NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  number      INTEGER  NOT NULL,
  group_id    ${BIGINT} NOT NULL REFERENCES groups (id),
  agent_id    ${BIGINT} REFERENCES agents (id),
  queued_at   ${TIME}  NOT NULL,
  assigned_at ${TIME},
  ended_at    ${TIME},
  end_reason  TEXT     NOT NULL DEFAULT '',
  UNIQUE (session_id, number)
);

CREATE TABLE messages (
  id              ${ID},
  conversation_id ${BIGINT} NOT NULL REFERENCES conversations (id),
  session_id      ${BIGINT} REFERENCES sessions (id),    -- NULL: stored, but no session was open or opened
  direction       TEXT     NOT NULL CHECK (direction IN ('in', 'out', 'note', 'system')),
  kind            TEXT     NOT NULL,
  agent_id        ${BIGINT} REFERENCES agents (id),
  text            TEXT     NOT NULL DEFAULT '',
  data            ${JSON}  NOT NULL DEFAULT '',          -- what else the kind needs
  platform_id     TEXT     NOT NULL DEFAULT '',
  shown_at        ${TIME}  NOT NULL,                     -- the platform's time of an inbound message, ours of all others
  created_at      ${TIME}  NOT NULL,
  updated_at      ${TIME}  NOT NULL,
  idem_key        TEXT,                                  -- the composer's idempotency key, "agent.session:key:part"
  face            TEXT     NOT NULL DEFAULT '',          -- kf_account chosen when it was written
  face_nick       TEXT     NOT NULL DEFAULT '',
  part            INTEGER  NOT NULL DEFAULT 1,
  parts           INTEGER  NOT NULL DEFAULT 1,
  resend_of       ${BIGINT} REFERENCES messages (id),
  resent_at       ${TIME},                               -- an agent sent it once more
  passive         ${BOOL}  NOT NULL DEFAULT ${FALSE},    -- went out as the answer to a push: believed free
  state           TEXT     NOT NULL DEFAULT '' CHECK (state IN ('', 'queued', 'sending', 'sent', 'failed', 'unknown', 'parked', 'withdrawn')),
  error_class     TEXT     NOT NULL DEFAULT '',
  error_code      INTEGER  NOT NULL DEFAULT 0,
  error_text      TEXT     NOT NULL DEFAULT '',
  retry_at        ${TIME},                               -- a queued message that waits before its next try
  sent_at         ${TIME},
  CHECK ((direction = 'out') = (state <> ''))
);
CREATE UNIQUE INDEX messages_idem ON messages (idem_key) WHERE idem_key IS NOT NULL;
CREATE INDEX messages_answering    ON messages (id) WHERE passive AND state = 'sending';
CREATE INDEX messages_session      ON messages (session_id, id);
CREATE INDEX messages_conversation ON messages (conversation_id, id);

-- One row per push that was acknowledged: the same push again finds it (§A row 34).
CREATE TABLE inbound_keys (
  channel_id ${BIGINT} NOT NULL REFERENCES channels (id),
  key        TEXT     NOT NULL,
  session_id ${BIGINT},
  message_id ${BIGINT},
  answer     TEXT     NOT NULL DEFAULT '',               -- the passive answer's words; empty: success
  at         ${TIME}  NOT NULL,
  PRIMARY KEY (channel_id, key)
);
CREATE INDEX inbound_keys_at ON inbound_keys (at);

-- Which group a menu key or QR scene leads to (P-1.3).
CREATE TABLE routes (
  channel_id ${BIGINT} NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
  event_key  TEXT     NOT NULL,
  group_id   ${BIGINT} NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  PRIMARY KEY (channel_id, event_key)
);

-- What the platform still lets us send: the newest grant of each kind (wechat.md §5.1).
CREATE TABLE grants (
  conversation_id ${BIGINT} NOT NULL REFERENCES conversations (id),
  scene           TEXT     NOT NULL,                     -- message, menu, follow, scan, pay
  count           INTEGER  NOT NULL,                     -- −1: without limit
  granted_at      ${TIME}  NOT NULL,
  expires_at      ${TIME}  NOT NULL,
  PRIMARY KEY (conversation_id, scene)
);

-- What is still to be sent. A row lives until its message has a final state; the order of ids is the order of sending per session.
CREATE TABLE outbox (
  id          ${ID_AUTO},
  session_id  ${BIGINT} NOT NULL REFERENCES sessions (id),
  message_id  ${BIGINT} NOT NULL UNIQUE REFERENCES messages (id),
  channel_id  ${BIGINT} NOT NULL REFERENCES channels (id),
  next_at     ${TIME}  NOT NULL,
  attempts    INTEGER  NOT NULL DEFAULT 0,
  faceless    ${BOOL}  NOT NULL DEFAULT ${FALSE},        -- the face was refused: go without
  lease_owner TEXT     NOT NULL DEFAULT '',
  lease_until ${TIME},
  created_at  ${TIME}  NOT NULL
);
CREATE INDEX outbox_session ON outbox (session_id, id);
CREATE INDEX outbox_next    ON outbox (next_at);

-- What changed, for open pages. Ids never come back, even after pruning.
CREATE TABLE events (
  id         ${ID_AUTO},
  kind       TEXT     NOT NULL,
  session_id ${BIGINT} NOT NULL DEFAULT 0,
  message_id ${BIGINT} NOT NULL DEFAULT 0,
  agent_id   ${BIGINT} NOT NULL DEFAULT 0,
  group_id   ${BIGINT} NOT NULL DEFAULT 0,
  at         ${TIME}  NOT NULL
);

-- The history of sessions: who, when, what, why (P-1.5).
CREATE TABLE history (
  id         ${ID},
  session_id ${BIGINT} NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  kind       TEXT     NOT NULL,
  agent_id   ${BIGINT},
  detail     ${JSON}  NOT NULL DEFAULT '',
  at         ${TIME}  NOT NULL
);
CREATE INDEX history_session ON history (session_id, id);
