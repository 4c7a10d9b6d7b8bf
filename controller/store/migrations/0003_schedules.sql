-- Scans that start by the clock, and scans that are read as they were.

CREATE TABLE schedule (
  id             text COLLATE "C" PRIMARY KEY,
  name           text COLLATE "C" NOT NULL UNIQUE,
  -- v1.Schedule: what a person can set.
  content        bytea NOT NULL,
  paused         boolean NOT NULL DEFAULT false,
  created        timestamptz NOT NULL,
  created_by     text NOT NULL,
  -- Goes up with every change of what a person can set.
  version        bigint NOT NULL DEFAULT 1,
  -- The time the expression says that fires next, and that time with its jitter. NULL: never again.
  next_scheduled timestamptz,
  next_fire      timestamptz,
  -- The newest such time that was dealt with; the next one is always later. NULL: none yet.
  last_scheduled timestamptz
);
CREATE INDEX schedule_due ON schedule (next_fire) WHERE NOT paused;

-- What became of its firings. The key is the last word on "exactly once".
CREATE TABLE schedule_run (
  schedule_id text COLLATE "C" NOT NULL REFERENCES schedule ON DELETE CASCADE,
  -- As the expression said, jitter left out.
  scheduled   timestamptz NOT NULL,
  fired       timestamptz NOT NULL,
  -- v1.ScheduleRun.Outcome.
  outcome     smallint NOT NULL,
  scan_id     text COLLATE "C" NOT NULL,
  message     text NOT NULL,
  PRIMARY KEY (schedule_id, scheduled)
);

ALTER TABLE scan
  -- Hosts selected when it began.
  ADD COLUMN targeted integer NOT NULL DEFAULT 0,
  -- v1.Scan with progress, counts and failing only, as they were when it ended. NULL: it runs, or it ended
  -- before these were kept.
  ADD COLUMN outcome bytea;
UPDATE scan SET targeted = (SELECT count(*) FROM scan_host WHERE scan_id = scan.id);

ALTER TABLE scan_host
  -- As it was when the scan began.
  ADD COLUMN hostname text COLLATE "C" NOT NULL DEFAULT '';
UPDATE scan_host SET hostname = host.hostname FROM host WHERE host.id = scan_host.host_id;
-- For pages of hosts.
CREATE INDEX scan_host_name ON scan_host (scan_id, hostname, host_id);
-- A host that has answered leaves these.
DROP INDEX scan_host_state;
CREATE INDEX scan_host_open ON scan_host (scan_id) WHERE state IN (1, 2);
CREATE INDEX scan_host_owes ON scan_host (host_id) WHERE state IN (1, 2);
-- For removing old ones.
CREATE INDEX scan_ended ON scan (ended) WHERE ended IS NOT NULL;
