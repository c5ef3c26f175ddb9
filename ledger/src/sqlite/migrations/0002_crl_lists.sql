-- When a revoked certificate may leave the CRLs at the earliest: its notAfter, or its revocation if that came later; NULL
-- while its notAfter is not known. The triggers derive it, so that an index can find the few that leave next.
ALTER TABLE revocation ADD COLUMN ends INTEGER;
UPDATE revocation SET ends = (
    SELECT max(certificate.not_after, revocation.time) FROM certificate
    WHERE certificate.issuer = revocation.issuer AND certificate.serial = revocation.serial);
CREATE INDEX revocation_ends ON revocation (issuer, ends);
CREATE TRIGGER revocation_added AFTER INSERT ON revocation BEGIN
    UPDATE revocation SET ends = (
        SELECT max(certificate.not_after, NEW.time) FROM certificate
        WHERE certificate.issuer = NEW.issuer AND certificate.serial = NEW.serial)
    WHERE issuer = NEW.issuer AND serial = NEW.serial;
END;
CREATE TRIGGER certificate_end_known AFTER UPDATE OF not_after ON certificate WHEN OLD.not_after IS NOT NEW.not_after BEGIN
    UPDATE revocation SET ends = max(NEW.not_after, time) WHERE issuer = NEW.issuer AND serial = NEW.serial;
END;

-- The parts of an issuer's CRL, by the URI that stands in the certificates (RFC 5280 section 5.2.5).
CREATE TABLE crl_partition (
    id     INTEGER PRIMARY KEY,
    issuer INTEGER NOT NULL REFERENCES issuer (id),
    uri    TEXT    NOT NULL,
    UNIQUE (issuer, uri)
) STRICT;
ALTER TABLE certificate ADD COLUMN crl_partition INTEGER REFERENCES crl_partition (id);

-- One number may stand on CRLs of several scopes that were made together.
CREATE TABLE crl_of_scope (
    issuer      INTEGER NOT NULL REFERENCES issuer (id),
    scope       TEXT    NOT NULL,              -- 'complete', 'delta', or the URI of a partition
    number      BLOB    NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,
    size        INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    as_of       INTEGER NOT NULL,
    PRIMARY KEY (issuer, scope, number)
) STRICT, WITHOUT ROWID;
INSERT INTO crl_of_scope SELECT issuer, 'complete', number, this_update, next_update, sha256, size, entries, as_of FROM crl;
DROP TABLE crl;
ALTER TABLE crl_of_scope RENAME TO crl;

-- Whose signatures count where one person is not enough.
CREATE TABLE operator (
    name       TEXT    PRIMARY KEY,
    public_key BLOB    NOT NULL UNIQUE,        -- SubjectPublicKeyInfo, Ed25519
    since      INTEGER NOT NULL
) STRICT;
CREATE TABLE crl_allowance (
    issuer    INTEGER NOT NULL REFERENCES issuer (id),
    refusal   TEXT    NOT NULL,
    operator  TEXT    NOT NULL REFERENCES operator (name),
    why       TEXT    NOT NULL,
    time      INTEGER NOT NULL,
    signature BLOB    NOT NULL,
    PRIMARY KEY (issuer, refusal, operator)
) STRICT;
