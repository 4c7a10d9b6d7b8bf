-- Tailorings of baselines, and baselines that people upload.

CREATE TABLE tailoring (
  name        text COLLATE "C" PRIMARY KEY,
  baseline_id text COLLATE "C" NOT NULL,
  -- v1.Tailoring: what a person set.
  content     bytea NOT NULL,
  version     bigint NOT NULL,
  updated     timestamptz NOT NULL,
  updated_by  text NOT NULL
);

-- Every change of a tailoring. Never updated.
CREATE TABLE tailoring_change (
  name    text COLLATE "C" NOT NULL,
  changed timestamptz NOT NULL,
  actor   text NOT NULL,
  -- v1.Tailoring as it was afterwards. NULL: it was deleted.
  content bytea
);
CREATE INDEX tailoring_change_name ON tailoring_change (name, changed);

-- Documents that were uploaded; their content is in `baseline`.
CREATE TABLE baseline_version (
  baseline_id text COLLATE "C" NOT NULL,
  digest      text COLLATE "C" NOT NULL REFERENCES baseline,
  version     text NOT NULL,
  uploaded    timestamptz NOT NULL,
  uploaded_by text NOT NULL,
  note        text NOT NULL,
  PRIMARY KEY (baseline_id, digest)
);

-- Which document of a baseline is active: the newest one holds. Never updated.
CREATE TABLE baseline_activation (
  number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  baseline_id  text COLLATE "C" NOT NULL,
  -- Empty: the one the controllers are configured with, if there is one.
  digest       text COLLATE "C" NOT NULL,
  activated    timestamptz NOT NULL,
  activated_by text NOT NULL
);
CREATE INDEX baseline_activation_baseline ON baseline_activation (baseline_id, number DESC);
