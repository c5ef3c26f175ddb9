//! The frames between the policy process and the key process, as [`super`] describes them.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pki::{Certificate, PublicKey, SignatureAlgorithm};

use super::{IssuerKey, Keys, Open, Opened, PgpIssuerKey, RefusalCode, TokenAccess};

/// The longest message that is signed: a CRL of some seven million entries.
const LONGEST_MESSAGE: usize = 256 * 1024 * 1024;
/// The longest frame: a message, and room for what else stands beside it.
const LONGEST_FRAME: usize = LONGEST_MESSAGE + 1024 * 1024;

const OPEN: u8 = 1;
const SIGN: u8 = 2;
const RELOAD: u8 = 3;
const WIPE: u8 = 4;
const OPENED: u8 = 129;
const SIGNED: u8 = 130;
const KEYS: u8 = 131;
const WIPED: u8 = 132;
const REFUSED: u8 = 255;

/// What the key process is asked.
#[derive(Debug, Eq, PartialEq)]
pub enum Request {
    /// Open the keys.
    Open(Open),
    /// Sign a message.
    Sign {
        /// The name of the issuer's key.
        issuer: String,
        /// The algorithm to sign with.
        algorithm: SignatureAlgorithm,
        /// What is signed.
        message: Vec<u8>,
    },
    /// Look for keys that are new in the store.
    Reload,
    /// Wipe the keys and end.
    Wipe,
}

/// What it answers.
#[derive(Debug, Eq, PartialEq)]
pub enum Reply {
    /// The keys are open.
    Opened(Opened),
    /// The signature.
    Signed(Vec<u8>),
    /// The keys there are now.
    Keys(Keys),
    /// The keys are wiped.
    Wiped,
    /// It could not be done, and why.
    Refused(RefusalCode, String),
}

/// One frame that is not as it should be.
fn malformed(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Sends a request to sign without a copy of the message.
pub(super) fn write_sign(
    to: &mut impl Write,
    issuer: &str,
    algorithm: SignatureAlgorithm,
    message: &[u8],
) -> io::Result<()> {
    if message.len() > LONGEST_MESSAGE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a message of more than 256 MiB is not signed",
        ));
    }
    let head = Frame::new(SIGN).text(issuer).text(algorithm.name()).0;
    let length = head.len() + 4 + message.len();
    to.write_all(&number(length))?;
    to.write_all(&head)?;
    to.write_all(&number(message.len()))?;
    to.write_all(message)?;
    to.flush()
}

impl Request {
    /// Sends it as one frame.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Open(open) => {
                let token = open.token.as_ref();
                let paths = token.map_or(&[][..], |token| &token.paths);
                let sockets = token.is_some_and(|token| token.sockets);
                Frame::new(OPEN)
                    .path(&open.store)
                    .list(&open.shares, |frame, path| frame.path(path))
                    .path(open.secret_file.as_deref().unwrap_or_else(|| Path::new("")))
                    .list(paths, |frame, path| frame.path(path))
                    .flag(sockets)
                    .write(to)
            }
            Self::Sign {
                issuer,
                algorithm,
                message,
            } => write_sign(to, issuer, *algorithm, message),
            Self::Reload => Frame::new(RELOAD).write(to),
            Self::Wipe => Frame::new(WIPE).write(to),
        }
    }

    /// The next request; nothing when the partner has gone.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(frame) = read_frame(from)? else {
            return Ok(None);
        };
        let (kind, mut fields) = Fields::of(&frame)?;
        let request = match kind {
            OPEN => {
                let store = fields.path()?;
                let shares = fields.list(Fields::path)?;
                let secret_file = fields.path()?;
                let paths = fields.list(Fields::path)?;
                let sockets = fields.flag()?;
                Self::Open(Open {
                    store,
                    shares,
                    secret_file: Some(secret_file).filter(|path| !path.as_os_str().is_empty()),
                    token: (sockets || !paths.is_empty()).then_some(TokenAccess { paths, sockets }),
                })
            }
            SIGN => Self::Sign {
                issuer: fields.text()?,
                algorithm: fields
                    .text()?
                    .parse()
                    .map_err(|_| malformed("an algorithm that is not known"))?,
                message: fields.octets()?.to_vec(),
            },
            RELOAD => Self::Reload,
            WIPE => Self::Wipe,
            _ => return Err(malformed("a request of a kind that is not known")),
        };
        fields.end()?;
        Ok(Some(request))
    }
}

impl Reply {
    /// Sends it as one frame.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Opened(opened) => Frame::new(OPENED)
                .octets(&opened.executable)
                .list(&opened.holders, |frame, holder| frame.text(holder))
                .text(&opened.sharing)
                .flag(opened.unattended)
                .flag(opened.rehearsal)
                .text(&opened.enforced)
                .list(&opened.warnings, |frame, warning| frame.text(warning))
                .keys(&opened.keys)
                .write(to),
            Self::Signed(signature) => Frame::new(SIGNED).octets(signature).write(to),
            Self::Keys(keys) => Frame::new(KEYS).keys(keys).write(to),
            Self::Wiped => Frame::new(WIPED).write(to),
            Self::Refused(code, text) => {
                Frame::new(REFUSED).text(code.as_str()).text(text).write(to)
            }
        }
    }

    /// The next reply; an error when the key process has gone.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let frame = read_frame(from)?.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the key process has ended; what it wrote to its log says why",
            )
        })?;
        let (kind, mut fields) = Fields::of(&frame)?;
        let reply = match kind {
            OPENED => Self::Opened(Opened {
                executable: fields
                    .octets()?
                    .try_into()
                    .map_err(|_| malformed("a hash that is none"))?,
                holders: fields.list(Fields::text)?,
                sharing: fields.text()?,
                unattended: fields.flag()?,
                rehearsal: fields.flag()?,
                enforced: fields.text()?,
                warnings: fields.list(Fields::text)?,
                keys: fields.keys()?,
            }),
            SIGNED => Self::Signed(fields.octets()?.to_vec()),
            KEYS => Self::Keys(fields.keys()?),
            WIPED => Self::Wiped,
            REFUSED => {
                let code = fields.text()?;
                let code = code
                    .parse()
                    .map_err(|()| malformed("a refusal that is not known"))?;
                Self::Refused(code, fields.text()?)
            }
            _ => return Err(malformed("a reply of a kind that is not known")),
        };
        fields.end()?;
        Ok(reply)
    }
}

/// A frame being written, without its length.
struct Frame(Vec<u8>);

impl Frame {
    fn new(kind: u8) -> Self {
        Self(vec![kind])
    }

    fn octets(mut self, octets: &[u8]) -> Self {
        self.0.extend_from_slice(&number(octets.len()));
        self.0.extend_from_slice(octets);
        self
    }

    fn text(self, text: &str) -> Self {
        self.octets(text.as_bytes())
    }

    fn path(self, path: &Path) -> Self {
        self.octets(path.as_os_str().as_bytes())
    }

    fn flag(self, flag: bool) -> Self {
        self.octets(if flag { b"1" } else { b"" })
    }

    fn list<T>(self, elements: &[T], add: impl Fn(Self, &T) -> Self) -> Self {
        let counted = self.octets(&number(elements.len()));
        elements.iter().fold(counted, add)
    }

    fn keys(self, keys: &Keys) -> Self {
        self.list(&keys.issuers, |frame, issuer| {
            frame
                .text(&issuer.name)
                .octets(issuer.certificate.der())
                .text(&issuer.kind.to_string())
        })
        .list(&keys.pgp, |frame, key| {
            frame
                .text(&key.name)
                .octets(key.public.spki_der())
                .octets(&key.transferable)
        })
        .list(&keys.faulty, |frame, (name, reason)| {
            frame.text(name).text(reason)
        })
    }

    fn write(self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&number(self.0.len()))?;
        to.write_all(&self.0)?;
        to.flush()
    }
}

/// The fields of a frame, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(frame: &'a [u8]) -> io::Result<(u8, Self)> {
        let (kind, fields) = frame
            .split_first()
            .ok_or_else(|| malformed("an empty frame"))?;
        Ok((*kind, Self(fields)))
    }

    fn octets(&mut self) -> io::Result<&'a [u8]> {
        let cut = || malformed("a frame that ends within a field");
        let (length, rest) = self.0.split_first_chunk().ok_or_else(cut)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (field, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        self.0 = rest;
        Ok(field)
    }

    fn text(&mut self) -> io::Result<String> {
        let octets = self.octets()?.to_vec();
        String::from_utf8(octets).map_err(|_| malformed("text that is not UTF-8"))
    }

    fn path(&mut self) -> io::Result<PathBuf> {
        Ok(std::ffi::OsStr::from_bytes(self.octets()?).into())
    }

    fn flag(&mut self) -> io::Result<bool> {
        match self.octets()? {
            b"" => Ok(false),
            b"1" => Ok(true),
            _ => Err(malformed("a flag that is none")),
        }
    }

    fn list<T>(&mut self, element: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        let count = self.octets()?.try_into().map(u32::from_be_bytes);
        let count = count.map_err(|_| malformed("a list without its length"))?;
        (0..count).map(|_| element(self)).collect()
    }

    fn keys(&mut self) -> io::Result<Keys> {
        Ok(Keys {
            issuers: self.list(|fields| {
                Ok(IssuerKey {
                    name: fields.text()?,
                    certificate: Certificate::from_der(fields.octets()?)
                        .map_err(|_| malformed("a certificate that is none"))?,
                    kind: fields
                        .text()?
                        .parse()
                        .map_err(|_| malformed("a kind of key that is not known"))?,
                })
            })?,
            pgp: self.list(|fields| {
                Ok(PgpIssuerKey {
                    name: fields.text()?,
                    public: PublicKey::from_spki_der(fields.octets()?)
                        .map_err(|_| malformed("a public key that is none"))?,
                    transferable: fields.octets()?.to_vec(),
                })
            })?,
            faulty: self.list(|fields| Ok((fields.text()?, fields.text()?)))?,
        })
    }

    fn end(self) -> io::Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(malformed("a frame with more than it should have"))
        }
    }
}

/// The octets of a frame; nothing at the end of the input.
fn read_frame(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read(&mut length)? {
        0 => return Ok(None),
        some => from.read_exact(&mut length[some..])?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST_FRAME {
        return Err(malformed("a frame that is too long"));
    }
    // Memory is taken for what has come, not for what was announced.
    let mut frame = Vec::new();
    from.take(length as u64).read_to_end(&mut frame)?;
    if frame.len() < length {
        return Err(malformed("a frame that ends early"));
    }
    Ok(Some(frame))
}

fn number(length: usize) -> [u8; 4] {
    // What is longer than a frame may be is found out by the reader.
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Vec<Request> {
        let token = TokenAccess {
            paths: vec!["/dev/hsm".into()],
            sockets: true,
        };
        vec![
            Request::Open(Open {
                store: "/keys".into(),
                shares: vec!["/media/a".into(), "/media/b".into()],
                secret_file: None,
                token: Some(token),
            }),
            Request::Open(Open {
                secret_file: Some("secret".into()),
                ..Open::default()
            }),
            Request::Sign {
                issuer: "member".to_owned(),
                algorithm: SignatureAlgorithm::RsaSha256,
                message: vec![7; 100_000],
            },
            Request::Reload,
            Request::Wipe,
        ]
    }

    fn written(request: &Request) -> Vec<u8> {
        let mut octets = Vec::new();
        request.write(&mut octets).unwrap();
        octets
    }

    #[test]
    fn what_is_written_is_read() {
        for request in requests() {
            let octets = written(&request);
            let mut rest = &octets[..];
            assert_eq!(Request::read(&mut rest).unwrap(), Some(request));
            assert!(rest.is_empty());
            assert_eq!(Request::read(&mut rest).unwrap(), None);
        }
        for reply in [
            Reply::Signed(vec![1, 2, 3]),
            Reply::Keys(Keys {
                issuers: vec![],
                pgp: vec![PgpIssuerKey {
                    name: "openpgp".to_owned(),
                    public: keystore::SigningKey::generate(pki::KeyKind::P256)
                        .unwrap()
                        .public_key()
                        .clone(),
                    transferable: vec![0x99, 1],
                }],
                faulty: vec![("old".to_owned(), "no certificate".to_owned())],
            }),
            Reply::Wiped,
            Reply::Refused(RefusalCode::SelfCheck, "suspect".to_owned()),
        ] {
            let mut octets = Vec::new();
            reply.write(&mut octets).unwrap();
            assert_eq!(Reply::read(&mut &octets[..]).unwrap(), reply);
        }
    }

    #[test]
    fn what_is_cut_or_longer_is_refused() {
        for request in requests() {
            let good = written(&request);
            for length in (1..good.len().min(200)).chain([good.len() - 1]) {
                assert!(
                    Request::read(&mut &good[..length]).is_err(),
                    "{request:?}, {length}"
                );
            }
            let mut more = good.clone();
            more.push(0);
            more[..4].copy_from_slice(&number(good.len() - 3));
            assert!(Request::read(&mut &more[..]).is_err(), "{request:?}");
        }
        let long = number(LONGEST_FRAME + 1);
        assert_eq!(
            Request::read(&mut &long[..]).unwrap_err().to_string(),
            "a frame that is too long"
        );
        assert!(Request::read(&mut &[0, 0, 0, 1, 9][..]).is_err());
        assert!(Request::read(&mut &[0, 0, 0, 0][..]).is_err());
    }
}
