-- Waivers, and under which policy each host was judged.

CREATE TABLE waiver (
  id      text COLLATE "C" PRIMARY KEY,
  -- v1.Waiver.State, EXPIRED aside: that is a matter of the time.
  state   smallint NOT NULL,
  -- v1.Waiver: what a person set and what was decided, without counts.
  content bytea NOT NULL,
  owner   text NOT NULL,
  expires timestamptz NOT NULL,
  -- Goes up with every change.
  version bigint NOT NULL
);
CREATE INDEX waiver_expiry ON waiver (expires, id);

CREATE TABLE waiver_rule (
  waiver_id   text COLLATE "C" NOT NULL REFERENCES waiver,
  baseline_id text COLLATE "C" NOT NULL,
  rule_id     text COLLATE "C" NOT NULL,
  PRIMARY KEY (waiver_id, baseline_id, rule_id)
);
CREATE INDEX waiver_rule_rule ON waiver_rule (baseline_id, rule_id);

-- What a waiver that is bound to facts was granted for.
CREATE TABLE waiver_binding (
  host_id     text COLLATE "C" NOT NULL,
  waiver_id   text COLLATE "C" NOT NULL,
  fingerprint bigint NOT NULL,
  PRIMARY KEY (host_id, waiver_id, fingerprint)
);
CREATE INDEX waiver_binding_waiver ON waiver_binding (waiver_id);

-- Every change of a waiver. Never updated.
CREATE TABLE waiver_change (
  waiver_id text COLLATE "C" NOT NULL,
  version   bigint NOT NULL,
  changed   timestamptz NOT NULL,
  actor     text NOT NULL,
  -- v1.WaiverChange.Action.
  action    smallint NOT NULL,
  note      text NOT NULL,
  -- v1.Waiver as it was afterwards.
  content   bytea NOT NULL,
  PRIMARY KEY (waiver_id, version)
);

ALTER TABLE host_report
  -- Names documents and waivers the host was judged under (policy.h). 0: before there were any.
  ADD COLUMN policy_key bigint NOT NULL DEFAULT 0,
  -- Those of fail_count that are waived. In `statuses`, 8 is the mark of a waived verdict.
  ADD COLUMN waived_count integer NOT NULL DEFAULT 0;

ALTER TABLE transition
  ADD COLUMN from_waived boolean NOT NULL DEFAULT false,
  ADD COLUMN to_waived boolean NOT NULL DEFAULT false;

-- The columns by severity leave out what is waived.
ALTER TABLE scan_answer ADD COLUMN waived_count integer NOT NULL DEFAULT 0;
