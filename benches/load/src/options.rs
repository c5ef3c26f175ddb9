//! What can be said on the command line.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use ocsp_load::{Length, Methods, Nonces, Pace, Plan, Subjects};
use pki::{Certificate, HashAlgorithm};
use synthetic::Population;

/// Put load on an OCSP responder and measure what it takes
#[derive(Debug, Parser)]
#[command(
    name = "ocsp-load",
    version,
    arg_required_else_help = true,
    after_help = "\
The responder sets the pace (closed loop: how much can it take?):
  ocsp-load http://ocsp.example.org/ --ca ca.pem --certificates ./certs --duration 30

You set the pace (open loop: how long does an answer take at 5,000 requests a second?). Latency counts from the moment
at which a request was due, so a stall is not hidden by the requests that it kept back:
  ocsp-load http://127.0.0.1:8080/ --ca ca.pem --synthetic random:1:10000000 --rate 5000

Like clients that open a connection for every question, some with a nonce:
  ocsp-load http://127.0.0.1:8080/ --ca ca.pem --certificates all.pem --no-keep-alive --nonces 0.05

Every response is checked for its HTTP and OCSP status, and a sample of them in full: signature, responder certificate,
times, CertID. Exit code: 0 if every request was answered well, 1 if not, 64 if the command line is wrong."
)]
pub(crate) struct Options {
    /// The OCSP service: http://HOST[:PORT]/[PATH]
    url: String,

    /// The certificate of the CA that issued the certificates (PEM or DER)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,

    /// Certificates to ask about: a file (PEM, any number of them) or a directory
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "synthetic",
        required_unless_present = "synthetic"
    )]
    certificates: Option<PathBuf>,

    /// Made-up certificates to ask about, as `fill` made them: random:SEED:COUNT or sequential:FIRST:COUNT
    #[arg(long, value_name = "POPULATION")]
    synthetic: Option<Population>,

    /// Ask by this method
    #[arg(long, value_enum, default_value = "get")]
    method: Method,

    /// With --method mix: the share of GET
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share)]
    get_share: f64,

    /// Hash of the CertIDs
    #[arg(long, value_enum, default_value = "sha1")]
    hash: Hash,

    /// Connections at a time
    #[arg(short, long, value_name = "N", default_value = "64")]
    connections: usize,

    /// Requests at a time on one connection
    #[arg(long, value_name = "N", default_value = "1")]
    pipelining: usize,

    /// Open a new connection for every request
    #[arg(long)]
    no_keep_alive: bool,

    /// Requests a second, whatever comes back (default: the next one when an answer has come)
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,

    /// Seconds to measure
    #[arg(
        short,
        long,
        value_name = "SECONDS",
        default_value = "10",
        conflicts_with = "requests"
    )]
    duration: f64,

    /// Requests to send, instead of a duration
    #[arg(short = 'n', long, value_name = "N")]
    requests: Option<u64>,

    /// Seconds to run before anything counts
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    warm_up: f64,

    /// Share of requests with a nonce
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, conflicts_with = "nonce_rate")]
    nonces: f64,

    /// Requests with a nonce a second, besides those of --rate
    #[arg(long, value_name = "PER_SECOND", requires = "rate")]
    nonce_rate: Option<f64>,

    /// Seconds after which a request has failed
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    timeout: f64,

    /// Responses to verify in full, after the run
    #[arg(long, value_name = "N", default_value = "256")]
    verify: usize,

    /// Runs with the same seed ask the same questions
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Method {
    /// The request is in the path, as most clients do it
    Get,
    /// Some of each
    Mix,
    /// The request is in the body
    Post,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Hash {
    Sha1,
    Sha256,
}

impl Options {
    pub(crate) fn plan(&self) -> anyhow::Result<Plan> {
        let (host, path) = parts(&self.url)?;
        let ca = read_certificate(&self.ca)?;
        let subjects = match (&self.synthetic, &self.certificates) {
            (Some(population), _) => Subjects::Synthetic(*population),
            (None, Some(path)) => Subjects::read(path, &ca)?,
            (None, None) => anyhow::bail!("give --certificates or --synthetic"),
        };
        for (name, value) in [("duration", self.duration), ("timeout", self.timeout)] {
            anyhow::ensure!(value > 0.0, "--{name} must be more than 0 seconds");
        }
        anyhow::ensure!(self.warm_up >= 0.0, "--warm-up must not be negative");
        let (pace, nonces) = self.pace()?;
        Ok(Plan {
            address: address(&host)?,
            host,
            path,
            ca,
            subjects,
            methods: match self.method {
                Method::Get => Methods::Get,
                Method::Mix => Methods::Mix(self.get_share),
                Method::Post => Methods::Post,
            },
            hash: match self.hash {
                Hash::Sha1 => HashAlgorithm::Sha1,
                Hash::Sha256 => HashAlgorithm::Sha256,
            },
            nonces,
            connections: self.connections,
            pipelining: self.pipelining,
            keep_alive: !self.no_keep_alive,
            pace,
            length: match self.requests {
                Some(count) => Length::Requests(count),
                None => Length::Time(Duration::from_secs_f64(self.duration)),
            },
            // What is counted must be what is sent.
            warm_up: match self.requests {
                Some(_) => Duration::ZERO,
                None => Duration::from_secs_f64(self.warm_up),
            },
            timeout: Duration::from_secs_f64(self.timeout),
            samples: self.verify,
            ocsp: true,
            seed: self.seed,
        })
    }

    fn pace(&self) -> anyhow::Result<(Pace, Nonces)> {
        let nonces = if self.nonces > 0.0 {
            Nonces::Share(self.nonces)
        } else {
            Nonces::Never
        };
        let Some(rate) = self.rate else {
            return Ok((Pace::Closed, nonces));
        };
        let with_nonce = self.nonce_rate.unwrap_or(0.0);
        anyhow::ensure!(
            rate > 0.0 && with_nonce >= 0.0,
            "a rate must be more than 0"
        );
        if with_nonce == 0.0 {
            return Ok((Pace::Open(rate), nonces));
        }
        let all = rate + with_nonce;
        Ok((Pace::Open(all), Nonces::Share(with_nonce / all)))
    }
}

/// Host (with its port) and path of a URL.
fn parts(url: &str) -> anyhow::Result<(String, String)> {
    let rest = url.strip_prefix("http://").with_context(|| {
        format!("{url:?} does not begin with http://; OCSP is asked over plain HTTP")
    })?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    anyhow::ensure!(!host.is_empty(), "{url:?} names no host");
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() {
        "/".to_owned()
    } else {
        format!("/{path}/")
    };
    Ok((host.to_owned(), path))
}

fn address(host: &str) -> anyhow::Result<SocketAddr> {
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let with_port = if has_port {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    with_port
        .to_socket_addrs()
        .with_context(|| format!("{host} has no address"))?
        .next()
        .with_context(|| format!("{host} has no address"))
}

fn read_certificate(path: &std::path::Path) -> anyhow::Result<Certificate> {
    let content = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let certificate = match std::str::from_utf8(&content) {
        Ok(text) => Certificate::from_pem(text)?,
        Err(_) => Certificate::from_der(&content)?,
    };
    Ok(certificate)
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is between 0 and 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let good = [
            ("http://a", ("a", "/")),
            ("http://a:80/", ("a:80", "/")),
            ("http://[::1]:8080/ocsp", ("[::1]:8080", "/ocsp/")),
            ("http://a/ocsp/x/", ("a", "/ocsp/x/")),
        ];
        for (url, (host, path)) in good {
            assert_eq!(parts(url).unwrap(), (host.to_owned(), path.to_owned()));
        }
        assert!(parts("https://a/").is_err() && parts("http:///x").is_err());
    }

    #[test]
    fn a_command_line_is_understood() {
        use clap::CommandFactory as _;
        Options::command().debug_assert();
    }
}
