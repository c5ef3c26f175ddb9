//! The policy process's side.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use pki::SignatureAlgorithm;

use super::message::{Reply, Request, write_sign};
use super::{Keys, Open, Opened, RefusalCode};

/// The key process, as the policy process has it. One request at a time; each waits for its reply.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

/// Why there is no answer, or none that was wished for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The key process does not answer, or not as it should. It is of no use any more.
    #[error("the key process is gone: {0}")]
    Gone(#[from] io::Error),
    /// It says why not. It may be asked again.
    #[error("{text}")]
    Refused {
        /// The kind of reason.
        code: RefusalCode,
        /// What it says, with what to do.
        text: String,
    },
}

impl Client {
    /// Starts this very program as the key process. Its log goes where this one's goes.
    ///
    /// A process that was confined cannot do this any more.
    pub fn start() -> io::Result<(Self, Child)> {
        let (ours, theirs) = UnixStream::pair()?;
        let input = OwnedFd::from(theirs.try_clone()?);
        let child = Command::new("/proc/self/exe")
            .arg("key")
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .spawn()?;
        Ok((Self::new(ours), child))
    }

    /// A key process at the other end of this stream.
    pub const fn new(stream: UnixStream) -> Self {
        Self { stream }
    }

    /// Has the keys opened. Returns when the passphrases have been typed at the terminal, which is the key process's
    /// alone meanwhile.
    pub fn open(&mut self, open: &Open) -> Result<Opened, ClientError> {
        match self.ask(&Request::Open(open.clone()))? {
            Reply::Opened(opened) => Ok(opened),
            other => Err(unexpected(&other)),
        }
    }

    /// Has a message signed; the signature has been verified.
    pub fn sign(
        &mut self,
        issuer: &str,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, ClientError> {
        write_sign(&mut self.stream, issuer, algorithm, message)?;
        match self.reply()? {
            Reply::Signed(signature) => Ok(signature),
            other => Err(unexpected(&other)),
        }
    }

    /// Has the store looked at again: the keys that are there now.
    pub fn reload(&mut self) -> Result<Keys, ClientError> {
        match self.ask(&Request::Reload)? {
            Reply::Keys(keys) => Ok(keys),
            other => Err(unexpected(&other)),
        }
    }

    /// Has all keys dropped and wiped. The process ends with that.
    pub fn wipe(&mut self) -> Result<(), ClientError> {
        match self.ask(&Request::Wipe)? {
            Reply::Wiped => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        request.write(&mut self.stream)?;
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply, ClientError> {
        match Reply::read(&mut self.stream)? {
            Reply::Refused(code, text) => Err(ClientError::Refused { code, text }),
            reply => Ok(reply),
        }
    }
}

fn unexpected(reply: &Reply) -> ClientError {
    let what = match reply {
        Reply::Opened(_) => "Opened",
        Reply::Signed(_) => "Signed",
        Reply::Keys(_) => "Keys",
        Reply::Wiped => "Wiped",
        Reply::Refused(..) => "Refused",
    };
    ClientError::Gone(io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it answered {what}, which is no answer to what it was asked"),
    ))
}
