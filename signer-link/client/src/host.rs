//! Asks the host's end of the cable about itself.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use wire::frame;
use wire::local::{HostAnswer, HostQuestion, HostState};

use crate::{SignerClient, SignerError};

impl SignerClient {
    /// How the host and its cables are, also while no signer is there; over a connection of its own.
    pub async fn host_state(&self) -> Result<HostState, SignerError> {
        let asked = timeout(self.deadline, self.ask_host(HostQuestion::State));
        match asked
            .await
            .map_err(|_| SignerError::late(self.deadline, None))??
        {
            HostAnswer::State(state) => Ok(state),
            HostAnswer::Refused(refused) => Err(refused.into()),
            _ => Err(SignerError::Unavailable(
                "signer-host answered something else; install the same release".to_owned(),
            )),
        }
    }

    async fn ask_host(&self, question: HostQuestion) -> Result<HostAnswer, SignerError> {
        let socket = self.socket();
        let away = |error: io::Error| {
            SignerError::Unavailable(format!(
                "no signer-host on {} ({error}); is it running?",
                socket.display()
            ))
        };
        let message = question
            .encode()
            .and_then(|octets| frame::encode(&octets))
            .map_err(SignerError::unsendable)?;
        let mut stream = UnixStream::connect(socket).await.map_err(away)?;
        stream.write_all(&message).await.map_err(away)?;
        let mut header = [0; frame::HEADER];
        stream.read_exact(&mut header).await.map_err(away)?;
        let unreadable = |error: wire::WireError| {
            SignerError::Unavailable(format!(
                "signer-host answered what this program cannot read ({error}); install the same release"
            ))
        };
        let mut answer = vec![0; frame::length(header).map_err(unreadable)?];
        stream.read_exact(&mut answer).await.map_err(away)?;
        HostAnswer::decode(&answer).map_err(unreadable)
    }
}
