-- Up Migration

-- Logins of people. Nothing here is of use to a thief of the database: nonces and tokens are stored as SHA-256 of
-- 16 and 32 random bytes, which nobody guesses. Times are Unix seconds of the collectors' clocks.

-- A text that a wallet may sign to log in, once. The row goes with the first attempt.
CREATE TABLE login_challenges (
  nonce_hash bytea PRIMARY KEY CHECK (octet_length(nonce_hash) = 32),
  wallet varchar(44) NOT NULL,
  uri text NOT NULL,
  issued_at bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX idx_login_challenges_expiry ON login_challenges (expires_at);

-- A login and all tokens that descend from it.
CREATE TABLE login_sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  wallet varchar(44) NOT NULL,
  created_at bigint NOT NULL,
  -- The last moment at which any of its tokens can count.
  expires_at bigint NOT NULL,
  ended_at bigint,
  ended_reason text CHECK (ended_reason IN ('logout', 'reuse', 'too_many'))
);
CREATE INDEX idx_login_sessions_wallet ON login_sessions (wallet, created_at);
CREATE INDEX idx_login_sessions_expiry ON login_sessions (expires_at);

CREATE TABLE login_tokens (
  token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
  session_id uuid NOT NULL REFERENCES login_sessions (id) ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('access', 'refresh')),
  expires_at bigint NOT NULL,
  -- A refresh token that was used stays, so that its second use is noticed.
  used_at bigint
);
CREATE INDEX idx_login_tokens_session ON login_tokens (session_id);
CREATE INDEX idx_login_tokens_expiry ON login_tokens (expires_at);

-- Down Migration
DROP TABLE login_tokens;
DROP TABLE login_sessions;
DROP TABLE login_challenges;
