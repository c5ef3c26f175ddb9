-- SHA-256 of what there is as evidence for the names, outside of the ledger; the signer keeps the same in its log.
ALTER TABLE request ADD COLUMN evidence_sha256 BLOB;
