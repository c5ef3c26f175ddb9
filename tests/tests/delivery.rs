//! Fetching CRLs: compressed, by number, by difference, with curl and with `avouch fetch-crl` (S5).
#![forbid(unsafe_code)]

#[path = "delivery/fetch.rs"]
mod fetch;
#[path = "delivery/headers.rs"]
mod headers;
#[path = "delivery/large.rs"]
mod large;
#[path = "delivery/web_server.rs"]
mod web_server;
