-- The certificate authority whose certificates the hosts of this database carry: a controller with another
-- one could not talk to any of them.
CREATE TABLE authority (
  -- SHA-256 of the certificate, lower-case hex.
  fingerprint text COLLATE "C" PRIMARY KEY,
  certificate text NOT NULL,
  recorded    timestamptz NOT NULL
);
