//! Clients that download a CRL: their requests, and how many octets come back.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context as _, Result, ensure};
use pki::crl::Crl;

/// How a client downloads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// With GET and nothing else, as scripts of 2008 did.
    Plain,
    /// With If-None-Match.
    Conditional,
    /// With If-None-Match and Accept-Encoding, as `curl --compressed` and proxies do.
    Compressed,
    /// As `avouch fetch-crl`.
    Difference,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain GET",
            Self::Conditional => "conditional",
            Self::Compressed => "conditional, gzip or zstd",
            Self::Difference => "`avouch fetch-crl`",
        }
    }
}

/// What a client needs to know of a CRL.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    number: String,
    etag: String,
    coded_etag: String,
}

impl Copy {
    pub(crate) fn fetch(url: &str) -> Result<Self> {
        let mut whole = Vec::new();
        let plain = ask(url, "", &mut whole)?;
        let coded = ask(url, CODINGS, &mut Vec::new())?;
        let crl = Crl::from_der(&whole).map_err(anyhow::Error::msg)?;
        Ok(Self {
            number: crl.number().context("a number")?.to_string(),
            etag: plain.field("etag")?,
            coded_etag: coded.field("etag")?,
        })
    }
}

const CODINGS: &str = "Accept-Encoding: gzip, zstd\r\n";

/// One client with the CRL it fetched last.
#[derive(Debug)]
pub(crate) struct Client {
    kind: Kind,
    url: String,
    copy: Option<Copy>,
    received: u64,
}

impl Client {
    pub(crate) fn new(kind: Kind, url: &str) -> Self {
        Self {
            kind,
            url: url.to_owned(),
            copy: None,
            received: 0,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn has(&mut self, copy: &Copy) {
        self.copy = Some(copy.clone());
    }

    /// Downloads what is there, which is `current`.
    pub(crate) fn download(&mut self, current: &Copy) -> Result<()> {
        let copy = self.copy.replace(current.clone()).context("a copy")?;
        let unchanged = copy.number == current.number;
        let (url, headers) = match self.kind {
            Kind::Plain => (self.url.clone(), String::new()),
            Kind::Conditional => (
                self.url.clone(),
                format!("If-None-Match: {}\r\n", copy.etag),
            ),
            Kind::Compressed => (
                self.url.clone(),
                format!("{CODINGS}If-None-Match: {}\r\n", copy.coded_etag),
            ),
            Kind::Difference => (
                self.url
                    .replace(".crl", &format!(".diff?from={}", copy.number)),
                format!("{CODINGS}If-None-Match: {}\r\n", copy.etag),
            ),
        };
        let answer = ask(&url, &headers, &mut std::io::sink())?;
        self.received += answer.received;
        let expected = match self.kind {
            Kind::Plain => 200,
            _ if unchanged => 304,
            _ => 200,
        };
        ensure!(
            answer.status == expected,
            "{} got {}",
            self.kind.name(),
            answer.status
        );
        Ok(())
    }
}

/// Octets of the body in one coding.
pub(crate) fn body_length(url: &str, coding: &str) -> Result<u64> {
    let mut body = Vec::new();
    let headers = format!("Accept-Encoding: {coding}\r\n");
    ask(url, &headers, &mut body)?;
    Ok(body.len() as u64)
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    received: u64,
}

impl Answer {
    fn field(&self, name: &str) -> Result<String> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .with_context(|| format!("the answer has no {name}"))
    }
}

/// One request on a connection of its own; the body goes to `body`, and everything is counted.
fn ask(url: &str, headers: &str, body: &mut impl Write) -> Result<Answer> {
    let rest = url.strip_prefix("http://").context("an http URL")?;
    let (host, path) = rest.split_once('/').context("a path")?;
    let mut stream = TcpStream::connect(host)?;
    let request =
        format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut buffer = vec![0; 1 << 18];
    let mut head = Vec::new();
    let mut received = 0;
    let mut in_body = false;
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        received += count as u64;
        let piece = &buffer[..count];
        if in_body {
            body.write_all(piece)?;
            continue;
        }
        head.extend_from_slice(piece);
        if let Some(end) = head.windows(4).position(|octets| octets == b"\r\n\r\n") {
            body.write_all(&head[end + 4..])?;
            head.truncate(end);
            in_body = true;
        }
    }
    let head = String::from_utf8(head)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("a status")?;
    Ok(Answer {
        status,
        head,
        received,
    })
}
