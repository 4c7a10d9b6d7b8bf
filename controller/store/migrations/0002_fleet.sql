-- A live fleet: sessions are leases, facts are stored as changes, verdicts as one vector a host.
--
-- Reports and findings are a pure function of stored facts and baselines, so neither is stored: what is
-- kept is what lists and counts need without evaluating.

-- Controllers on this database. One that has not been seen for a while is dead; its sessions are ended by
-- whoever notices.
CREATE TABLE controller (
  id      text COLLATE "C" PRIMARY KEY,
  name    text NOT NULL,
  started timestamptz NOT NULL,
  seen    timestamptz NOT NULL
);

ALTER TABLE host
  -- Short name of the host in daily points.
  ADD COLUMN ordinal bigint GENERATED ALWAYS AS IDENTITY,
  -- The session's lease. Whoever writes facts names the epoch; a session begun later, here or on another
  -- controller, fences off the earlier one.
  ADD COLUMN session_epoch bigint NOT NULL DEFAULT 0,
  ADD COLUMN session_controller text COLLATE "C" NOT NULL DEFAULT '',
  -- Evidence of clones: boot ids the host had before, newest last, and the start of the newest certificate
  -- it has used.
  ADD COLUMN earlier_boot_ids text[] NOT NULL DEFAULT '{}',
  ADD COLUMN certificate_not_before timestamptz,
  ADD COLUMN quarantined timestamptz,
  ADD COLUMN quarantine_reason text NOT NULL DEFAULT '',
  -- Out of the fleet; its history stays.
  ADD COLUMN removed timestamptz,
  ADD COLUMN remove_reason text NOT NULL DEFAULT '',
  -- Newest full snapshot: where reading the facts begins, and how many deltas follow it. NULL: none.
  ADD COLUMN full_recorded timestamptz,
  ADD COLUMN full_sequence bigint,
  ADD COLUMN chain integer NOT NULL DEFAULT 0,
  -- Transaction that last changed what lists show (not last_seen): what a controller has missed while it
  -- was not listening.
  ADD COLUMN changed xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE UNIQUE INDEX host_ordinal ON host (ordinal);
-- Nobody has a session while the schema changes.
UPDATE host SET connected = false WHERE connected;

-- Facts as they came: a full snapshot, or the delta on the row before. Chains of deltas are short and do
-- not cross a month, so that a partition can be dropped whole. Rows are in the order of the stream, not of
-- the clocks of several controllers.
ALTER TABLE facts_snapshot
  -- True: content is v1.HostFacts. False: v1.FactsDelta. Both zstd.
  ADD COLUMN is_full boolean NOT NULL DEFAULT true,
  ADD COLUMN content bytea,
  -- What the collector lost before this: number of changes and when they were seen. NULL: nothing.
  ADD COLUMN gap_count bigint,
  ADD COLUMN gap_begin timestamptz,
  ADD COLUMN gap_end timestamptz;
ALTER TABLE facts_snapshot ALTER COLUMN content SET STORAGE EXTERNAL;
UPDATE facts_snapshot s SET content = b.content FROM facts_blob b
  WHERE b.host_id = s.host_id AND b.digest = s.digest;
DELETE FROM facts_snapshot WHERE content IS NULL;
ALTER TABLE facts_snapshot ALTER COLUMN content SET NOT NULL;
ALTER TABLE facts_snapshot DROP CONSTRAINT facts_snapshot_pkey, ADD PRIMARY KEY (host_id, sequence, recorded);
UPDATE host h SET full_recorded = s.recorded, full_sequence = s.sequence FROM (
  SELECT DISTINCT ON (host_id) host_id, recorded, sequence FROM facts_snapshot
  ORDER BY host_id, sequence DESC, recorded DESC) s WHERE s.host_id = h.id;
DROP TABLE facts_blob;

-- Current statuses: a row is written when one of them changes, not when the facts do.
ALTER TABLE host_report
  DROP COLUMN report,
  DROP COLUMN observed,
  DROP COLUMN recorded,
  -- One byte a rule, in the order of the document `baseline_digest` names: v1.Verdict.Status. Empty: not
  -- judged since the schema changed; the statuses until then are the newest transitions.
  ADD COLUMN statuses bytea NOT NULL DEFAULT '',
  -- v1.StatusTimes: for each rule, the observation that led to the status.
  ADD COLUMN since bytea NOT NULL DEFAULT '',
  -- v1.FailingContainers.
  ADD COLUMN failing_containers bytea NOT NULL DEFAULT '',
  -- HostReport.evaluator_version.
  ADD COLUMN evaluator text COLLATE "C" NOT NULL DEFAULT '';
UPDATE host_report SET baseline_digest = '';
DROP TABLE verdict;
DROP TABLE finding;

-- v1.Transition.Cause; 0: recorded before causes were.
ALTER TABLE transition
  ADD COLUMN cause smallint NOT NULL DEFAULT 0,
  ADD COLUMN gap_begin timestamptz;
-- In the order that pages of one host's history have.
ALTER TABLE transition DROP CONSTRAINT transition_pkey,
  ADD PRIMARY KEY (host_id, recorded, sequence, baseline_id, rule_id);

-- A day of the fleet under a baseline: v1.FleetDay, zstd.
CREATE TABLE fleet_day (
  day             date NOT NULL,
  baseline_id     text COLLATE "C" NOT NULL,
  baseline_digest text COLLATE "C" NOT NULL,
  content         bytea NOT NULL,
  recorded        timestamptz NOT NULL,
  PRIMARY KEY (baseline_id, day)
);

-- What a scan asked for, and exactly what each host answered.
ALTER TABLE scan
  ADD COLUMN selector bytea NOT NULL DEFAULT '',
  ADD COLUMN reason text NOT NULL DEFAULT '',
  ADD COLUMN schedule_id text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX scan_newest ON scan (created DESC, id DESC);
CREATE INDEX scan_schedule ON scan (schedule_id, created DESC) WHERE schedule_id <> '';
ALTER TABLE scan_host
  ADD COLUMN joined_scan_id text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN sequence bigint,
  ADD COLUMN facts_digest bytea,
  ADD COLUMN observed timestamptz;
CREATE TABLE scan_answer (
  host_id              text COLLATE "C" NOT NULL,
  scan_id              text COLLATE "C" NOT NULL,
  baseline_id          text COLLATE "C" NOT NULL,
  baseline_digest      text COLLATE "C" NOT NULL,
  pass_count           integer NOT NULL,
  fail_count           integer NOT NULL,
  unknown_count        integer NOT NULL,
  not_applicable_count integer NOT NULL,
  manual_count         integer NOT NULL,
  -- Failing scored verdicts by severity.
  fail_critical        integer NOT NULL,
  fail_high            integer NOT NULL,
  fail_medium          integer NOT NULL,
  fail_low             integer NOT NULL,
  PRIMARY KEY (host_id, scan_id, baseline_id)
);
CREATE INDEX scan_answer_scan ON scan_answer (scan_id);
