-- People whom an identity provider vouches for.

ALTER TABLE account
  -- Issuer and subject of the provider; both empty: signs in by password. The hash of such an account is empty.
  ADD COLUMN issuer  text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN subject text COLLATE "C" NOT NULL DEFAULT '',
  ADD CHECK ((issuer = '') = (subject = ''));
CREATE UNIQUE INDEX account_external ON account (issuer, subject) WHERE subject <> '';
