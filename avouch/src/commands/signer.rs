//! `avouch signer`: how the signers are, what they did, and what a standby needs.

mod json;
mod log;
mod record;
mod standby;
mod state;

pub(crate) use log::log;
pub(crate) use standby::standby;
pub(crate) use state::state;

use std::time::Duration;

use anyhow::Result;
use signer_client::SignerClient;
use signer_client::local::HostState;

use crate::data_dir::DataDir;
use crate::outcome::Failure;

/// The host answers by itself, whatever its signers do.
const HOST_ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How the host's end is; without it there is nothing to show.
async fn host_state(data: &DataDir) -> Result<HostState> {
    data.require_initialised()?;
    let client = SignerClient::new(data.signer_socket()).with_deadline(HOST_ANSWERS_WITHIN);
    client.host_state().await.map_err(|error| {
        Failure::new(error)
            .remedy("start it with `avouch up`; see DIR/run/signer-host.log")
            .into()
    })
}
