-- The signer is told revocations in the order of their events.
CREATE INDEX revocation_by_seq ON revocation (issuer, seq);
