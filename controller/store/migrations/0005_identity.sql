-- People, their sessions, and API tokens that know who made them.

CREATE TABLE account (
  id            text COLLATE "C" PRIMARY KEY,
  name          text COLLATE "C" NOT NULL UNIQUE,
  role          text NOT NULL CHECK (role IN ('viewer', 'auditor', 'operator', 'admin')),
  -- Label selector; empty: the whole fleet.
  scope         text NOT NULL DEFAULT '',
  description   text NOT NULL DEFAULT '',
  -- Argon2id, as libsodium writes it.
  password_hash text NOT NULL,
  must_change   boolean NOT NULL,
  disabled      boolean NOT NULL DEFAULT false,
  created       timestamptz NOT NULL,
  created_by    text NOT NULL,
  last_sign_in  timestamptz
);

CREATE TABLE session (
  id          text COLLATE "C" PRIMARY KEY,
  account_id  text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE,
  -- Of the secret, as of a token's.
  secret_hash text COLLATE "C" NOT NULL UNIQUE,
  created     timestamptz NOT NULL,
  expires     timestamptz NOT NULL,
  seen        timestamptz NOT NULL,
  peer        text NOT NULL,
  user_agent  text NOT NULL
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_expires ON session (expires);

ALTER TABLE token
  ADD COLUMN scope       text NOT NULL DEFAULT '',
  ADD COLUMN description text NOT NULL DEFAULT '',
  ADD COLUMN created_by  text NOT NULL DEFAULT '',
  -- The user who made it, without whom it is refused. Empty: made by the first start or by a token.
  ADD COLUMN creator_id  text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN last_used   timestamptz,
  ADD COLUMN last_peer   text NOT NULL DEFAULT '',
  -- Addresses it was used from, oldest first; the first 32.
  ADD COLUMN peers       text[] NOT NULL DEFAULT '{}';
CREATE INDEX token_newest ON token (created DESC, id DESC);
CREATE INDEX token_creator ON token (creator_id) WHERE creator_id <> '';
