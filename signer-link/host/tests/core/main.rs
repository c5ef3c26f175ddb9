//! The core of the host's end, against a signer that does what it is told.

mod disk;
mod links;
mod outbox;
mod random_runs;
mod requests;
mod signer;
mod standby;
mod world;
