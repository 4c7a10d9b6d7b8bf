-- Hosts, their facts and verdicts, scans, and who may speak.
--
-- Keys that decide an order are COLLATE "C", so that pages do not depend on the server's locale. Tables
-- that grow with the fleet carry host_id, first in their keys: the column to distribute them by.
-- Statuses, severities and scan states are the numbers of the protos. Texts that come from hosts are
-- valid UTF-8 without NUL; the exact bytes are in the serialised protos.

-- Microseconds since 1970, as the program reads every time.
CREATE FUNCTION micros(timestamptz) RETURNS bigint
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN (extract(epoch FROM $1) * 1000000)::bigint;

CREATE TABLE host (
  id                text COLLATE "C" PRIMARY KEY,
  hostname          text COLLATE "C" NOT NULL,
  labels            jsonb NOT NULL DEFAULT '{}',
  collector_version text NOT NULL DEFAULT '',
  engine_id         text NOT NULL DEFAULT '',
  boot_id           text NOT NULL DEFAULT '',
  engine_version    text NOT NULL DEFAULT '',
  operating_system  text NOT NULL DEFAULT '',
  container_count   integer NOT NULL DEFAULT 0,
  clock_skew_us     bigint NOT NULL DEFAULT 0,
  connected         boolean NOT NULL DEFAULT false,
  enrolled          timestamptz NOT NULL,
  last_seen         timestamptz,
  revoked           timestamptz,
  revoke_reason     text NOT NULL DEFAULT '',
  -- The collector's stream: last committed sequence, and the facts it led to.
  sequence          bigint NOT NULL DEFAULT 0,
  facts_digest      bytea,
  observed          timestamptz
) WITH (fillfactor = 70);
CREATE INDEX host_name ON host (hostname, id);
CREATE INDEX host_labels ON host USING gin (labels jsonb_path_ops);

-- Baselines as hosts were judged by them; never changed.
CREATE TABLE baseline (
  digest   text COLLATE "C" PRIMARY KEY,
  id       text COLLATE "C" NOT NULL,
  version  text NOT NULL,
  -- v1.Baseline, zstd.
  document bytea NOT NULL,
  recorded timestamptz NOT NULL
);
CREATE TABLE baseline_rule (
  digest   text COLLATE "C" NOT NULL REFERENCES baseline,
  rule_id  text COLLATE "C" NOT NULL,
  title    text NOT NULL,
  severity smallint NOT NULL,
  PRIMARY KEY (digest, rule_id)
);

-- Complete facts, by content: unchanged facts are stored once.
CREATE TABLE facts_blob (
  host_id text COLLATE "C" NOT NULL,
  digest  bytea NOT NULL,
  -- v1.HostFacts, zstd.
  content bytea NOT NULL,
  PRIMARY KEY (host_id, digest)
);
ALTER TABLE facts_blob ALTER COLUMN content SET STORAGE EXTERNAL;

-- Which facts held when: one row for each accepted change.
CREATE TABLE facts_snapshot (
  host_id  text COLLATE "C" NOT NULL,
  observed timestamptz NOT NULL,
  recorded timestamptz NOT NULL,
  sequence bigint NOT NULL,
  digest   bytea NOT NULL,
  PRIMARY KEY (host_id, recorded, sequence)
) PARTITION BY RANGE (recorded);

-- Current report of a host under a baseline.
CREATE TABLE host_report (
  host_id              text COLLATE "C" NOT NULL,
  baseline_id          text COLLATE "C" NOT NULL,
  baseline_digest      text COLLATE "C" NOT NULL,
  -- v1.HostReport, zstd.
  report               bytea NOT NULL,
  pass_count           integer NOT NULL,
  fail_count           integer NOT NULL,
  unknown_count        integer NOT NULL,
  not_applicable_count integer NOT NULL,
  manual_count         integer NOT NULL,
  observed             timestamptz NOT NULL,
  recorded             timestamptz NOT NULL,
  PRIMARY KEY (host_id, baseline_id)
) WITH (fillfactor = 70);
ALTER TABLE host_report ALTER COLUMN report SET STORAGE EXTERNAL;

-- Current verdicts; a row is written only when its status changes.
CREATE TABLE verdict (
  host_id     text COLLATE "C" NOT NULL,
  baseline_id text COLLATE "C" NOT NULL,
  rule_id     text COLLATE "C" NOT NULL,
  status      smallint NOT NULL,
  -- When the change to this status was observed.
  since       timestamptz NOT NULL,
  PRIMARY KEY (host_id, baseline_id, rule_id)
);
CREATE INDEX verdict_rule ON verdict (baseline_id, rule_id, status, host_id);

-- Current findings; a row is written only when it changes. `occurrence` tells equal objects of one verdict
-- apart. `fingerprint` is taken over everything a reader sees.
CREATE TABLE finding (
  host_id     text COLLATE "C" NOT NULL,
  baseline_id text COLLATE "C" NOT NULL,
  rule_id     text COLLATE "C" NOT NULL,
  object      text COLLATE "C" NOT NULL,
  occurrence  integer NOT NULL,
  severity    smallint NOT NULL,
  status      smallint NOT NULL,
  fingerprint bigint NOT NULL,
  -- v1.Finding.
  content     bytea NOT NULL,
  PRIMARY KEY (host_id, baseline_id, rule_id, object, occurrence)
);
CREATE INDEX finding_fleet ON finding ((-severity), rule_id, baseline_id, host_id, object, occurrence);

-- History: every change of a verdict, with what was found. Never updated; retention drops partitions.
CREATE TABLE transition (
  host_id         text COLLATE "C" NOT NULL,
  baseline_id     text COLLATE "C" NOT NULL,
  rule_id         text COLLATE "C" NOT NULL,
  -- Controller's clock.
  recorded        timestamptz NOT NULL,
  sequence        bigint NOT NULL,
  -- Host's clock.
  observed        timestamptz NOT NULL,
  baseline_digest text NOT NULL,
  -- NULL: the first verdict.
  from_status     smallint,
  to_status       smallint NOT NULL,
  facts_digest    bytea NOT NULL,
  -- v1.Verdict.
  verdict         bytea NOT NULL,
  PRIMARY KEY (host_id, baseline_id, rule_id, recorded, sequence)
) PARTITION BY RANGE (recorded);

CREATE TABLE scan (
  id              text COLLATE "C" PRIMARY KEY,
  state           smallint NOT NULL,
  created_by      text NOT NULL,
  idempotency_key text NOT NULL,
  request_digest  text NOT NULL,
  created         timestamptz NOT NULL,
  deadline        timestamptz NOT NULL,
  ended           timestamptz
);
CREATE INDEX scan_running ON scan (deadline) WHERE ended IS NULL;
CREATE INDEX scan_key ON scan (idempotency_key, created) WHERE idempotency_key <> '';

CREATE TABLE scan_host (
  host_id text COLLATE "C" NOT NULL,
  scan_id text COLLATE "C" NOT NULL,
  state   smallint NOT NULL,
  message text NOT NULL DEFAULT '',
  PRIMARY KEY (host_id, scan_id)
);
CREATE INDEX scan_host_state ON scan_host (scan_id, state);

CREATE TABLE enrollment_token (
  id          text COLLATE "C" PRIMARY KEY,
  secret_hash text COLLATE "C" NOT NULL UNIQUE,
  description text NOT NULL,
  max_uses    integer NOT NULL,
  use_count   integer NOT NULL DEFAULT 0,
  created     timestamptz NOT NULL,
  expires     timestamptz,
  revoked     boolean NOT NULL DEFAULT false,
  CHECK (use_count BETWEEN 0 AND max_uses)
);

CREATE TABLE certificate (
  serial     text COLLATE "C" PRIMARY KEY,
  host_id    text COLLATE "C" NOT NULL REFERENCES host,
  not_before timestamptz NOT NULL,
  not_after  timestamptz NOT NULL,
  revoked    timestamptz
);
CREATE INDEX certificate_host ON certificate (host_id);

CREATE TABLE token (
  id          text COLLATE "C" PRIMARY KEY,
  name        text COLLATE "C" NOT NULL,
  role        text NOT NULL CHECK (role IN ('viewer', 'auditor', 'operator', 'admin')),
  secret_hash text COLLATE "C" NOT NULL UNIQUE,
  created     timestamptz NOT NULL,
  expires     timestamptz,
  revoked     boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX token_live_name ON token (name) WHERE NOT revoked;
