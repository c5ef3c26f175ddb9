-- Times are seconds since 1970. A serial number is one octet of length and then its magnitude, so that octet order is
-- numeric order; a CRL number is kept the same way. Codes are listed beside the Rust types and are never reused.

CREATE TABLE issuer (
    id                INTEGER PRIMARY KEY,
    name              TEXT    NOT NULL UNIQUE,
    identity          BLOB    NOT NULL UNIQUE, -- SHA-256 over subject and public key: those make one issuer
    certificate       BLOB    NOT NULL,
    chain             BLOB    NOT NULL,        -- DER certificates, one after the other
    origin            INTEGER NOT NULL,
    signs             INTEGER NOT NULL,
    ocsp_paths        TEXT    NOT NULL,        -- JSON array
    crl_paths         TEXT    NOT NULL,        -- JSON array
    certificate_paths TEXT    NOT NULL,        -- JSON array
    policy            TEXT    NOT NULL         -- JSON object
) STRICT;

-- Every serial number that was ever given out; the rows are small and in serial order, for scans.
CREATE TABLE certificate (
    issuer       INTEGER NOT NULL REFERENCES issuer (id),
    serial       BLOB    NOT NULL,
    state        INTEGER NOT NULL,             -- 0 reserved, 1 issued, 2 given up
    origin       INTEGER NOT NULL,
    seq          INTEGER,                      -- the event that made it known
    not_before   INTEGER,
    not_after    INTEGER,
    recorded_at  INTEGER NOT NULL,
    profile      TEXT,
    subject      TEXT,
    requested_by TEXT    NOT NULL,
    spki_sha256  BLOB,
    PRIMARY KEY (issuer, serial)
) STRICT, WITHOUT ROWID;

-- The certificates themselves.
CREATE TABLE document (
    issuer INTEGER NOT NULL,
    serial BLOB    NOT NULL,
    sha256 BLOB    NOT NULL,
    der    BLOB    NOT NULL,
    UNIQUE (issuer, serial),
    FOREIGN KEY (issuer, serial) REFERENCES certificate (issuer, serial)
) STRICT;

-- Signing requests. The bytes to be signed are kept until the certificate, which contains them, is recorded.
CREATE TABLE request (
    id                  INTEGER PRIMARY KEY,
    request_id          BLOB    NOT NULL UNIQUE,
    issuer              INTEGER NOT NULL,
    serial              BLOB    NOT NULL,
    tbs                 BLOB,
    signature_algorithm TEXT    NOT NULL,
    csr                 BLOB,
    refusal             TEXT,                  -- why it was given up
    UNIQUE (issuer, serial),
    FOREIGN KEY (issuer, serial) REFERENCES certificate (issuer, serial)
) STRICT;
CREATE INDEX request_pending ON request (id) WHERE tbs IS NOT NULL AND refusal IS NULL;

CREATE TABLE revocation (
    issuer          INTEGER NOT NULL,
    serial          BLOB    NOT NULL,
    seq             INTEGER NOT NULL,
    time            INTEGER NOT NULL,
    reason          INTEGER NOT NULL,          -- CRLReason
    ground          TEXT    NOT NULL,
    actor           TEXT    NOT NULL,
    case_reference  TEXT,
    invalidity_date INTEGER,
    PRIMARY KEY (issuer, serial),
    FOREIGN KEY (issuer, serial) REFERENCES certificate (issuer, serial)
) STRICT, WITHOUT ROWID;

-- The change feed: seq is 1, 2, 3, … without a gap.
CREATE TABLE change (
    seq    INTEGER PRIMARY KEY,
    time   INTEGER NOT NULL,
    issuer INTEGER NOT NULL REFERENCES issuer (id),
    kind   INTEGER NOT NULL,
    serial BLOB
) STRICT;

-- The highest CRL number that was given out.
CREATE TABLE crl_number (
    issuer INTEGER PRIMARY KEY REFERENCES issuer (id),
    last   BLOB NOT NULL
) STRICT;

CREATE TABLE crl (
    issuer      INTEGER NOT NULL REFERENCES issuer (id),
    number      BLOB    NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,
    size        INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    as_of       INTEGER NOT NULL,
    PRIMARY KEY (issuer, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocked_key (
    spki_sha256 BLOB PRIMARY KEY,
    since       INTEGER NOT NULL,
    why         TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- hash = SHA-256 over the previous hash and the canonical octets of the record (audit.rs).
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY,
    time      INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    act       TEXT    NOT NULL,
    issuer    TEXT    NOT NULL,
    serial    BLOB,
    first_seq INTEGER,                         -- the events of the same transaction
    last_seq  INTEGER,
    detail    TEXT    NOT NULL,                -- JSON object
    hash      BLOB    NOT NULL
) STRICT;
