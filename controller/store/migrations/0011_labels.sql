-- Labels that are given centrally, and selectors that have a name.

ALTER TABLE host
  -- Laid over `labels`, which are as the collector is configured.
  ADD COLUMN central_labels jsonb NOT NULL DEFAULT '{}',
  -- By key, which set of files gave a central label; a key that is missing was given by hand.
  ADD COLUMN label_managers jsonb NOT NULL DEFAULT '{}';

CREATE TABLE saved_selector (
  name        text COLLATE "C" PRIMARY KEY,
  expression  text NOT NULL,
  description text NOT NULL,
  managed_by  text NOT NULL,
  version     bigint NOT NULL,
  updated     timestamptz NOT NULL,
  updated_by  text NOT NULL
);
