-- Codes of sign-ins that were redeemed, until they are past their end: whatever became of their sessions, none is good twice.
CREATE TABLE spent_code (
  hash text COLLATE "C" PRIMARY KEY,
  expires timestamptz NOT NULL
);

-- What a host enrolled with, for who asks again because the answer was lost. NULL: the certificate was
-- renewed, or is older than this.
ALTER TABLE certificate
  -- SHA-256 of the public key, lower-case hex.
  ADD COLUMN key      text COLLATE "C",
  ADD COLUMN token_id text COLLATE "C",
  ADD COLUMN enrolled timestamptz;
CREATE INDEX certificate_enrolled ON certificate (token_id, key) WHERE token_id IS NOT NULL;
