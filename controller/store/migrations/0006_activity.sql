-- Who did what: a chain of rows, each holding the hash of the one before (v1.Activity says how it is made).

CREATE TABLE activity (
  seq           bigint PRIMARY KEY,
  time          timestamptz NOT NULL,
  -- Name of v1.Activity.ActorKind.
  actor_kind    text COLLATE "C" NOT NULL,
  actor_id      text COLLATE "C" NOT NULL,
  actor_name    text COLLATE "C" NOT NULL,
  peer          text NOT NULL,
  action        text COLLATE "C" NOT NULL,
  object        text COLLATE "C" NOT NULL,
  outcome       text NOT NULL,
  message       text NOT NULL,
  before_json   text NOT NULL,
  after_json    text NOT NULL,
  previous_hash text NOT NULL,
  hash          text NOT NULL
);
CREATE INDEX activity_time ON activity (time);
CREATE INDEX activity_actor_id ON activity (actor_id, seq);
CREATE INDEX activity_actor_name ON activity (actor_name, seq);
CREATE INDEX activity_object ON activity (object, seq);

-- Both ends of the chain, in one row. Whoever appends locks it, so that the chain is one over all
-- controllers. The second end is the newest row that retention has dropped.
CREATE TABLE activity_chain (
  singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  seq          bigint NOT NULL DEFAULT 0,
  hash         text NOT NULL DEFAULT repeat('0', 64),
  dropped_seq  bigint NOT NULL DEFAULT 0,
  dropped_hash text NOT NULL DEFAULT repeat('0', 64)
);
INSERT INTO activity_chain DEFAULT VALUES;
