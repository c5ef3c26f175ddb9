//! Fetching CRLs: compressed, by number, by difference, with curl and with `avouch fetch-crl` (S5).
#![forbid(unsafe_code)]

mod fetch;
mod headers;
mod large;
mod web_server;
