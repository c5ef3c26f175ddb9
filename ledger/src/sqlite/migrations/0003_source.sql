-- The CRLs of an issuer whose key is elsewhere that its statuses were taken from last.
CREATE TABLE source_crl (
    issuer      INTEGER NOT NULL REFERENCES issuer (id),
    kind        INTEGER NOT NULL,              -- 0 complete, 1 delta
    number      BLOB,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,
    size        INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    PRIMARY KEY (issuer, kind)
) STRICT, WITHOUT ROWID;
