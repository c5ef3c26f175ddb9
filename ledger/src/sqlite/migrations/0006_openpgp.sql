-- Certifications of user ids of OpenPGP keys (I13): what was asked of the signer, and what came of it.
CREATE TABLE pgp_certification (
    id INTEGER PRIMARY KEY,
    request_id BLOB NOT NULL UNIQUE,
    -- Name and fingerprint of the certifying key.
    issuer TEXT NOT NULL,
    by_key BLOB NOT NULL,
    -- The fingerprint of the key whose user id it is.
    key BLOB NOT NULL,
    user_id TEXT NOT NULL,
    level TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    evidence_sha256 BLOB,
    -- The octets of the question, so that the very same can be asked again.
    request BLOB NOT NULL,
    requested_by TEXT NOT NULL,
    -- Exactly one of certification and refusal once it is done; the signature packet's body, and SHA-256 of what it signs.
    certification BLOB,
    tbs_sha256 BLOB,
    refusal TEXT
) STRICT;

CREATE INDEX pgp_certification_key ON pgp_certification (key);
CREATE INDEX pgp_certification_open ON pgp_certification (id) WHERE certification IS NULL AND refusal IS NULL;
