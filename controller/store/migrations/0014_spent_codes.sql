-- Codes of sign-ins that were redeemed, until they are past their end: whatever became of their sessions, none is good twice.
CREATE TABLE spent_code (
  hash text COLLATE "C" PRIMARY KEY,
  expires timestamptz NOT NULL
);
