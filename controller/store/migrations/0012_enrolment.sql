-- Enrolment that waits for approval, labels from enrolment, hosts that enrol again, and authorities that
-- follow each other.

ALTER TABLE enrollment_token
  ADD COLUMN requires_approval boolean NOT NULL DEFAULT false,
  ADD COLUMN labels jsonb NOT NULL DEFAULT '{}',
  -- The host that enrols again with it; empty: new hosts do.
  ADD COLUMN host_id text COLLATE "C" NOT NULL DEFAULT '';

-- Hosts that asked with a token that needs approval, until they have their certificate. Who asks is known
-- by its key.
CREATE TABLE enrollment (
  id         text COLLATE "C" PRIMARY KEY,
  token_id   text COLLATE "C" NOT NULL REFERENCES enrollment_token,
  -- SHA-256 of the public key, lower-case hex.
  key        text COLLATE "C" NOT NULL,
  -- v1.Enrollment.State.
  state      smallint NOT NULL,
  hostname   text NOT NULL,
  peer       text NOT NULL,
  requested  timestamptz NOT NULL,
  expires    timestamptz NOT NULL,
  -- Of the approval, beside those of the token.
  labels     jsonb NOT NULL DEFAULT '{}',
  decided_by text NOT NULL DEFAULT '',
  decided    timestamptz,
  UNIQUE (token_id, key)
);

ALTER TABLE host
  -- Given at enrolment; they hold over those that the collector says, and `labels` has them already.
  ADD COLUMN enrolled_labels jsonb NOT NULL DEFAULT '{}',
  -- Of the certificate that the newest session began with; of the one issued, before the first.
  ADD COLUMN certificate_serial text COLLATE "C" NOT NULL DEFAULT '';

ALTER TABLE authority
  ADD COLUMN role text NOT NULL DEFAULT 'current' UNIQUE CHECK (role IN ('current', 'next', 'previous')),
  -- Chain and key (PEM), encrypted by pki/secrets.key, which the database does not hold; what is trusted
  -- is taken from here. NULL: from each controller's pki/ca.pem and pki/ca.key.
  ADD COLUMN sealed bytea;

ALTER TABLE certificate
  -- authority.fingerprint of the one that signed it, and SHA-256 of the bundle that came with it.
  ADD COLUMN issuer text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN bundle text COLLATE "C" NOT NULL DEFAULT '';
-- There was one authority, and it was the bundle.
UPDATE certificate c SET issuer = a.fingerprint, bundle = a.fingerprint FROM authority a;
UPDATE host h SET certificate_serial = c.serial FROM (
  SELECT DISTINCT ON (host_id) host_id, serial FROM certificate ORDER BY host_id, not_before DESC, serial) c
  WHERE c.host_id = h.id;
