-- What people and other systems are told.

CREATE TABLE notification_channel (
  id         text COLLATE "C" PRIMARY KEY,
  name       text COLLATE "C" NOT NULL UNIQUE,
  -- v1.NotificationChannel: what a person can set, without secrets.
  content    bytea NOT NULL,
  -- Secret of the target, encrypted by a key that the database does not hold. NULL: none.
  secret     bytea,
  paused     boolean NOT NULL DEFAULT false,
  created    timestamptz NOT NULL,
  created_by text NOT NULL,
  -- Goes up with every change of what a person can set.
  version    bigint NOT NULL DEFAULT 1
);

-- Events that no channel has been told of yet: written beside what they tell of, in the same transaction, and
-- only while there is a channel.
CREATE TABLE notification_event (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Empty: about no single host.
  host_id     text COLLATE "C" NOT NULL,
  -- v1.NotificationEvent, without name and labels of the host.
  content     bytea NOT NULL,
  -- A rule fails that was UNKNOWN just before: news only if it did not fail before that.
  was_unknown boolean NOT NULL DEFAULT false,
  -- On the controller's clock.
  noted       timestamptz NOT NULL
);

-- Events of one channel's window, until they are put together.
CREATE TABLE notification_pending (
  channel_id text COLLATE "C" NOT NULL REFERENCES notification_channel ON DELETE CASCADE,
  event_id   bigint NOT NULL,
  -- v1.NotificationEvent.
  content    bytea NOT NULL,
  noted      timestamptz NOT NULL,
  PRIMARY KEY (channel_id, event_id)
);

CREATE TABLE notification_delivery (
  id            text COLLATE "C" PRIMARY KEY,
  channel_id    text COLLATE "C" NOT NULL REFERENCES notification_channel ON DELETE CASCADE,
  -- v1.Notification, zstd.
  content       bytea NOT NULL,
  title         text NOT NULL,
  event_count   integer NOT NULL,
  -- v1.NotificationDelivery.State.
  state         smallint NOT NULL,
  created       timestamptz NOT NULL,
  attempts      integer NOT NULL DEFAULT 0,
  -- Whoever takes it moves this ahead, so that nobody else does meanwhile.
  next_attempt  timestamptz NOT NULL,
  last_attempt  timestamptz,
  error         text NOT NULL DEFAULT ''
);
CREATE INDEX notification_delivery_due ON notification_delivery (next_attempt) WHERE state = 1;
CREATE INDEX notification_delivery_newest ON notification_delivery (created DESC, id DESC);

ALTER TABLE host
  -- The host was called stale to whoever wants to know. NULL: it is not.
  ADD COLUMN stale_noted timestamptz;
ALTER TABLE waiver
  -- The expiry that was warned of: a renewed waiver has another.
  ADD COLUMN expiry_noted timestamptz;
ALTER TABLE scan
  -- Its end was noted, or nobody wanted to know.
  ADD COLUMN end_noted boolean NOT NULL DEFAULT false;
UPDATE scan SET end_noted = true WHERE ended IS NOT NULL;
CREATE INDEX scan_end_unnoted ON scan (ended) WHERE ended IS NOT NULL AND NOT end_noted;
