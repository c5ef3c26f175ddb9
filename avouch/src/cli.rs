//! What an operator can say: the words, options and examples of the `avouch` command.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pki::{KeyKind, RevocationReason};

/// Run a certificate authority: issue, revoke, and answer for every certificate by OCSP and CRL
#[derive(Debug, Parser)]
#[command(
    name = "avouch",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Start here:
  avouch up                                   make a demo CA in ./avouch-data and run everything
  openssl req -new -newkey rsa:2048 -nodes -keyout server.key -out server.csr \\
      -subj /CN=www.example.org -addext subjectAltName=DNS:www.example.org
  avouch issue --profile server --csr server.csr --out server.pem
  avouch revoke --cert server.pem --ground subscriber --reason keyCompromise --wait
  avouch explain <serial>                     all that is known about one certificate
  avouch status                               every issuer, its OCSP answers and its CRL

Exit codes: 0 done, 64 the command line or a configuration is wrong, 1 it could not be done."
)]
pub(crate) struct Cli {
    /// Data directory: configuration, ledger, keys, what is published
    #[arg(
        long,
        global = true,
        env = "AVOUCH_DATA",
        value_name = "DIR",
        default_value = "./avouch-data"
    )]
    pub(crate) data: PathBuf,

    /// Print one JSON object on standard output (errors: one JSON object on standard error)
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine (makes a demo CA first when there is nothing yet)
    Up(UpOptions),
    /// Make the CA hierarchy, its keys and every daemon's configuration
    Init(InitOptions),
    /// Hold a key ceremony at this terminal: shares, keys, CA certificates, a transcript
    Ceremony(CeremonyOptions),
    /// Issue a certificate from a certificate signing request
    Issue(IssueOptions),
    /// Revoke a certificate
    Revoke(RevokeOptions),
    /// Tell everything that is known about one certificate
    Explain(ExplainOptions),
    /// Show every issuer, its OCSP answers, its CRL, and which daemon runs
    Status(StatusOptions),
    /// Show or change how long answers and CRLs of an issuer last, and what signs its answers
    Policy(PolicyOptions),
    /// Fetch a CRL for a mail server, web server or VPN: only what changed, verified, written whole
    FetchCrl(FetchCrlOptions),
    /// Take over what exists elsewhere
    #[command(subcommand)]
    Import(ImportCommand),
    /// Check the records
    #[command(subcommand)]
    Audit(AuditCommand),
    /// See how the signer is, what it did, and what its standby would need to take over
    #[command(subcommand)]
    Signer(SignerCommand),
    /// Certify user ids of members' OpenPGP keys, and see what was certified
    #[command(subcommand)]
    Pgp(PgpCommand),
    /// The persons of whom two together may do what one may not
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Decide about a CRL that was refused
    #[command(subcommand)]
    Crl(CrlCommand),
    /// Rehearse on a copy what ought never to happen
    #[command(subcommand)]
    Drill(DrillCommand),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch up
  avouch up --listen 0.0.0.0:80 --admin 127.0.0.1:9080
  avouch --data /srv/ca up --listen 127.0.0.1:0 --admin 127.0.0.1:0

Each daemon is a process of its own; its log is DIR/run/{daemon}.log. One that dies is started again.
When everything serves, DIR/run/endpoints.json names the URLs and a line that begins with `ready` is
printed. Ctrl-C stops everything; the next `avouch up` goes on from where it was.")]
pub(crate) struct UpOptions {
    /// Where the world asks: OCSP, CRLs, CA certificates (port 0 picks a free one)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Where monitoring asks: /metrics, /healthz, /readyz (port 0 picks a free one)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9080")]
    pub(crate) admin: SocketAddr,

    /// Use the daemons that lie beside this executable as they are, even in a source checkout
    #[arg(long, env = "AVOUCH_NO_BUILD", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) no_build: bool,

    /// How long everything may take to become ready
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) ready_within: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch init --demo
  avouch init --hierarchy my-ca.toml --base-url http://status.example.org/

The hierarchy file names each CA: subject, key, hash, validity, issuer, OCSP and CRL policy. The demo's
own is written to DIR/config/hierarchy.toml as a commented example. When init was interrupted, the same
command again finishes it.")]
pub(crate) struct InitOptions {
    /// The demo's hierarchy: a root and the subordinates member, assured and organisation (the default)
    #[arg(long, conflicts_with = "hierarchy")]
    pub(crate) demo: bool,

    /// The hierarchy to make, as TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) hierarchy: Option<PathBuf>,

    /// Where the status listener is reached from outside; goes into every certificate
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,

    /// File that holds the passphrase of the signer's keys, kept outside the data directory.
    /// Without it the passphrase lies beside the keys, which is for a demo only
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct CeremonyOptions {
    /// The ceremony's file and the options of `signer ceremony`; --help tells them
    #[arg(
        value_name = "FILE AND OPTIONS",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch issue --profile server --csr server.csr --out server.pem
  avouch issue --profile client --issuer assured --csr me.csr --hash sha384 --days 90 --out me.pem
  avouch issue --profile server --csr server.csr --json

The name and the subjectAltNames are taken from the CSR and checked. The serial is printed in hex.")]
pub(crate) struct IssueOptions {
    /// Which kind of certificate: server, client, code-signing, or another of DIR/config/profiles
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: String,

    /// The issuing CA (default: the first CA of this data directory that may issue to subscribers)
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: Option<String>,

    /// The certificate signing request, PEM or DER
    #[arg(long, value_name = "FILE")]
    pub(crate) csr: PathBuf,

    /// Hash of the signature; exactly this one is used, or the request is refused
    #[arg(long, value_name = "HASH", value_enum)]
    pub(crate) hash: Option<Hash>,

    /// Days of validity, at most what the profile allows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: Option<u32>,

    /// What shows that the names were verified; its SHA-256 goes into the ledger and into the signer's log, the file
    /// itself is yours to keep
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Option<PathBuf>,

    /// Write the certificate to this file as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Write the issuing CA's certificate and those above it behind the certificate, as servers want it
    #[arg(long, requires = "out")]
    pub(crate) with_chain: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch revoke --cert server.pem --ground subscriber --reason keyCompromise --wait
  avouch revoke --serial 4F0A11C2 --issuer member --ground arbitrator --case a20261121.1

Reasons: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded,
cessationOfOperation, privilegeWithdrawn, aACompromise. A revocation is for ever.")]
pub(crate) struct RevokeOptions {
    /// The certificate to revoke, PEM or DER
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "serial",
        required_unless_present = "serial"
    )]
    pub(crate) cert: Option<PathBuf>,

    /// Its serial number in hex
    #[arg(long, value_name = "HEX")]
    pub(crate) serial: Option<String>,

    /// The CA that issued it
    #[arg(long, value_name = "NAME", required_unless_present = "cert")]
    pub(crate) issuer: Option<String>,

    /// Who asks for it
    #[arg(long, value_enum)]
    pub(crate) ground: Ground,

    /// Reference of the case or ticket
    #[arg(long, value_name = "REF")]
    pub(crate) case: Option<String>,

    /// Why, as RFC 5280 names it
    #[arg(long, value_name = "REASON", default_value = "unspecified")]
    pub(crate) reason: RevocationReason,

    /// Return when the running edge shows the revocation by OCSP and in the CRL
    #[arg(long)]
    pub(crate) wait: bool,

    /// How long --wait waits
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
    pub(crate) timeout: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Ground {
    /// The subscriber asks
    Subscriber,
    /// Support, in an emergency; to be ratified afterwards
    Support,
    /// An arbitrator's ruling
    Arbitrator,
}

impl Ground {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Support => "support",
            Self::Arbitrator => "arbitrator",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch explain 4F0A11C2D37E9B5501A2B3C4D5E6F708
  avouch explain 4F0A11C2 --issuer member --json")]
pub(crate) struct ExplainOptions {
    /// The serial number in hex, as `avouch issue` and openssl print it
    #[arg(value_name = "SERIAL")]
    pub(crate) serial: String,

    /// Only this CA (otherwise every CA is searched)
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch status
  avouch status --json

Under `responder`: how long the certificate of the key that signs OCSP answers lasts, and so how long there
are new answers when no signer can be reached. CRLs last as `time left` beside them says.")]
pub(crate) struct StatusOptions {}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch fetch-crl http://crl.example.org/crl/member.crl --ca member.pem --out /etc/ssl/crl/member.crl
  avouch fetch-crl http://crl.example.org/crl/member.crl --ca member.pem --pem \\
      --out /etc/nginx/crl.pem --exec 'systemctl reload nginx' --quiet

Run it from a systemd timer or cron, as often as you like. From an Avouch it takes only the difference to
the CRL in --out; from any other server the whole CRL, compressed if it can be, when it has changed. The CRL
is verified (signature, issuer, times, number never going back) before it replaces the one that is there;
on any failure that one stays, and the exit code is 1. --exec runs only when the CRL changed, and again the
next time when it failed. Plain http is enough: the CRL is signed. No data directory is needed.")]
pub(crate) struct FetchCrlOptions {
    /// Where the CRL is, http://…
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// The certificate of the CA that signs it, PEM or DER; several in one file are tried in turn
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,

    /// The file to keep up to date
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,

    /// Write PEM, as nginx, Apache, HAProxy, Exim, Dovecot and OpenVPN want it, instead of DER
    #[arg(long)]
    pub(crate) pem: bool,

    /// Keep a delta CRL, for a program that reads it together with the whole CRL (RFC 5280 section 5.2.4)
    #[arg(long)]
    pub(crate) delta: bool,

    /// Run this with `sh -c` when the CRL changed
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,

    /// Take a CRL signed with SHA-1 too
    #[arg(long)]
    pub(crate) accept_sha1: bool,

    /// The largest CRL to take
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) max_size: u32,

    /// How long all of it may take, without --exec
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,

    /// Say nothing when all is well
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Take over a CA: its certificates, their statuses, its CRL, its URLs
    Ca(Box<ImportCaOptions>),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  with its key, from `openssl ca`; CRLs are made here from now on:
    avouch import ca --name old --cert cacert.pem --key cakey.pem --index index.txt --crl crl.pem \\
        --ocsp-path /ocsp/old --crl-path /rsa.crl --cert-path /rsa.crt
  without its key, status only, with the responder it had:
    avouch import ca --name old --cert cacert.pem --index index.txt --crl crl.pem \\
        --responder-cert ocsp.pem --responder-key ocsp.key
  the same, and its CRLs are fetched and followed as long as it goes on issuing elsewhere:
    avouch import ca --name old --cert cacert.pem --index index.txt --crl-url http://ca.example/crl.crl \\
        --responder-cert ocsp.pem --responder-key ocsp.key
  without either: a CSR for a new responder is printed; let the CA certify it, then
    avouch import ca --name old --cert cacert.pem --responder-cert ocsp.pem

The same command may be repeated with newer files: what is there already is left as it is, and what was
revoked stays revoked.")]
pub(crate) struct ImportCaOptions {
    /// The name this CA gets here
    #[arg(long)]
    pub(crate) name: String,

    /// The CA's certificate, PEM or DER
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,

    /// Certificates of the CAs above it
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) chain: Vec<PathBuf>,

    /// The CA's private key, PEM; goes into the signer's encrypted store (demo mode only)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// File that holds the passphrase of --key
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) key_passphrase_file: Option<PathBuf>,

    /// The database of `openssl ca`
    #[arg(long, value_name = "FILE")]
    pub(crate) index: Option<PathBuf>,

    /// Go on past lines of --index that cannot be understood (each is named, none is taken over)
    #[arg(long, requires = "index")]
    pub(crate) skip_bad_lines: bool,

    /// Certificates this CA issued: PEM bundles or DER files
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) certs: Vec<PathBuf>,

    /// CRLs this CA issued, PEM or DER; each is verified, the newest is served
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) crl: Vec<PathBuf>,

    /// Fetch its CRLs from here from now on, and follow what they revoke (http://)
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    pub(crate) crl_url: Option<String>,

    /// Fetch its delta CRLs from here
    #[arg(long, value_name = "URL", requires = "crl_url")]
    pub(crate) delta_crl_url: Option<String>,

    /// Take statuses from CRLs signed with SHA-1 too
    #[arg(long, requires = "crl")]
    pub(crate) accept_sha1: bool,

    /// Certificate of the OCSP responder, issued by this CA
    #[arg(long, value_name = "FILE")]
    pub(crate) responder_cert: Option<PathBuf>,

    /// Private key of the OCSP responder, PEM (without it: the key whose CSR was printed before)
    #[arg(long, value_name = "FILE", requires = "responder_cert")]
    pub(crate) responder_key: Option<PathBuf>,

    /// Kind of the responder key that is made when none is given (default: fits the CA's key)
    #[arg(long, value_name = "KIND")]
    pub(crate) responder_key_kind: Option<KeyKind>,

    /// Write the responder's CSR to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) responder_csr_out: Option<PathBuf>,

    /// Return when the running daemons have published all of it
    #[arg(long)]
    pub(crate) wait: bool,

    /// Where its OCSP URL lives, e.g. /ocsp/old (served beside the standard one)
    #[arg(long, value_name = "PATH")]
    pub(crate) ocsp_path: Vec<String>,

    /// Where its CRL URL lives, e.g. /rsa.crl
    #[arg(long, value_name = "PATH")]
    pub(crate) crl_path: Vec<String>,

    /// Where its certificate's URL lives, e.g. /rsa.crt
    #[arg(long, value_name = "PATH")]
    pub(crate) cert_path: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch policy member
  avouch policy member --set ocsp.validity_hours=72 --set ocsp.refresh_hours=36
  avouch policy member --set ocsp.responder_key=p-256 --set ocsp.responder_key_in=pkcs11
  avouch policy member --set ocsp.responder_key=ml-dsa-65
  avouch policy member --set ocsp.responder_key=null

Running daemons take a change up at once. null puts a field back to its default.")]
pub(crate) struct PolicyOptions {
    /// The issuer
    #[arg(value_name = "NAME")]
    pub(crate) issuer: String,

    /// A field to change
    #[arg(long, value_name = "TABLE.FIELD=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Add an operator and the key that signs for them
    Add(AddOperatorOptions),
    /// List the operators
    List,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  avouch operator add alice --key alice.key

A key that is not there yet is made (Ed25519, readable by its owner alone). Keep it apart from those of others: two
operators together may publish a CRL that the gate refuses.")]
pub(crate) struct AddOperatorOptions {
    /// The operator's name: lower-case letters, digits, hyphens
    pub(crate) name: String,

    /// The operator's private key, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CrlCommand {
    /// Allow a CRL that was refused to be published all the same; it takes two operators
    Allow(AllowCrlOptions),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example, after the health of crl-builder says that a CRL is refused and names the refusal:
  avouch crl allow member 3f2a90c1d5e84b76 --operator alice --key alice.key --why \"mass revocation, case 4711\"
  avouch crl allow member 3f2a90c1d5e84b76 --operator bob --key bob.key --why \"seen with alice\"

Each permission is signed, stays in the audit chain, covers this refusal alone, and lasts for a day. What breaks a
standard (signature, number, times, scope) cannot be allowed by anybody.")]
pub(crate) struct AllowCrlOptions {
    /// The issuer's name
    pub(crate) issuer: String,

    /// What the refusal is called: 16 hexadecimal digits
    #[arg(value_parser = refusal)]
    pub(crate) refusal: String,

    /// Who allows it
    #[arg(long, value_name = "NAME")]
    pub(crate) operator: String,

    /// The operator's private key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,

    /// Why, in one line; goes into the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
}

fn refusal(text: &str) -> Result<String, String> {
    let hexadecimal = text.len() == 16 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    match hexadecimal {
        true => Ok(text.to_ascii_lowercase()),
        false => {
            Err("a refusal is called by 16 hexadecimal digits; `avouch status` shows it".to_owned())
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check the ledger's hash chain, the signers' logs, and that the two agree
    Verify(VerifyOptions),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch audit verify
  avouch audit verify --checkpoints /media/safe/avouch-checkpoints --json

Three things are checked. The ledger: every audit record is chained to the one before, and covers every
certificate, revocation and event. The log of each signer, as signer-host archives it: every record is
chained to the one before. And that the two agree: every certificate and CRL in the ledger was signed by a
signer, with that content, and nothing was signed that the ledger does not know. Certificates of a CA taken
over, and what is just being signed, are counted apart.

Whoever can write to this machine can cut off the end of a chain, or write all of it anew. Keep
--checkpoints elsewhere: each run that finds no fault adds to that file how long the chains are and their
last hashes, and each run compares them with what it finds.

Each difference is named, with the issuer, the serial number and the record of the signer's log; the exit
code is then 1. It can run while everything else does.")]
pub(crate) struct VerifyOptions {
    /// A file with the ends of the chains at earlier runs; made when it is not there
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PgpCommand {
    /// Certify the user ids of a key that match what was verified about its owner
    Sign(PgpSignOptions),
    /// Print the CA's own OpenPGP key, which people import to rely on its certifications
    #[command(after_help = "\
Examples:
  avouch pgp key | gpg --import
  avouch pgp key --json

Compare its fingerprint with the one in the ceremony's transcript (DIR/ca/transcript.txt).")]
    Key,
    /// Show every request about one key, and its certifications
    Show(PgpShowOptions),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gpg --armor --export anna@example.org > anna.asc
  avouch pgp sign --key anna.asc --level assured --name \"Anna Example\" --email anna@example.org --out signed.asc
  avouch pgp sign --key anna.asc --level member --email anna@example.org --out signed.asc
  gpg --import signed.asc

A user id is certified when it is the verified name, or a verified address, or \"NAME <ADDRESS>\" of both, to
the letter. All others (another name, an address that is not verified, a comment) are left out of the result,
each with its reason. A name is certified of assured members only. What was verified is yours to say: give
--evidence, so that the ledger and the signer's log can be compared with it later.

A certification with a name is a positive one (0x13), one of an address alone a generic one (0x10).")]
pub(crate) struct PgpSignOptions {
    /// The member's public key, as `gpg --armor --export` writes it
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,

    /// How well the member is known
    #[arg(long, value_enum)]
    pub(crate) level: PgpLevel,

    /// The name that was verified; of assured members only
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// An address that was verified; may be given several times
    #[arg(long = "email", value_name = "ADDRESS")]
    pub(crate) addresses: Vec<String>,

    /// Days until the certifications end, at most (and by default) 183 for a member and 730 for an assured one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=730))]
    pub(crate) days: Option<u32>,

    /// What shows that name and addresses were verified; its SHA-256 goes into the ledger and into the signer's log, the
    /// file itself is yours to keep
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Option<PathBuf>,

    /// Which of the CA's OpenPGP keys certifies, where it has several
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: Option<String>,

    /// Write the key with its certified user ids to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PgpLevel {
    /// By mail only (less than 50 points): no name
    Member,
    /// In person (50 points or more)
    Assured,
}

impl PgpLevel {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Assured => "assured",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch pgp show D4C2D1A0F5E96B3A8C17D4C2D1A0F5E96B3A8C17
  avouch pgp show \"$(gpg --with-colons -k anna@example.org | awk -F: '/^fpr/ {print $10; exit}')\" --out signed.asc")]
pub(crate) struct PgpShowOptions {
    /// The fingerprint of the member's key, as `gpg --fingerprint` prints it
    #[arg(value_name = "FINGERPRINT")]
    pub(crate) fingerprint: String,

    /// Write the key with all its certifications to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SignerCommand {
    /// How each signer and its cable is, what waits for it, and what it refused
    #[command(after_help = "\
Examples:
  avouch signer state
  avouch signer state --json

What the signer says of itself is as old as its last answer to signer-host, a few seconds. A signer is active
when it signs; suspended while something is missing that comes back by itself (the host, the clock, the
archive of its log); sealed until it is unlocked, and locked until it is started and unlocked again, both at
its own console. No command here can unlock it.

What the signer refused is not sent again by itself; each with its reason, for a day. Why others' requests
were refused is shown to root, to the user of signer-host, and to whoever may `operate` the signer.")]
    State,
    /// Read the log of what each signer did, as it is archived here
    Log(SignerLogOptions),
    /// How far the standby is, and what to do at its console to let it take over
    #[command(after_help = "\
Examples:
  avouch signer standby

A standby has the same CA keys and follows the active signer's log over a cable of its own. Only its own
console makes it the active one; this command tells what it would need, and what to say there.")]
    Standby,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch signer log --last 20
  avouch signer log --from 1 --signer 1
  avouch signer log --from 5000 --to 6000 --json

One line for each record, with its number; with --json one JSON object for each, one a line. The chain is
checked on the way; the exit code is 1 where it breaks. `avouch audit verify` compares the log with the ledger.")]
pub(crate) struct SignerLogOptions {
    /// The first record to show
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: u64,

    /// The last record to show (default: all)
    #[arg(long, value_name = "N")]
    pub(crate) to: Option<u64>,

    /// Only so many, those at the end
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "to"], value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) last: Option<u64>,

    /// The signer's id (default: the only one, or the one with the lowest id)
    #[arg(long, value_name = "ID")]
    pub(crate) signer: Option<u8>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// Revoke every certificate of an issuer on a copy, and tell what it takes
    MassRevoke(MassRevokeOptions),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  avouch drill mass-revoke --issuer member --dry-run
  avouch drill mass-revoke --issuer member --dry-run --scratch /srv/scratch --json

The ledger is copied, and every certificate of the issuer that has not expired is revoked on the copy. A
throw-away CA key of the same kind signs the CRL, throw-away responder keys sign the OCSP answers, and an
edge of the drill's own serves them until it says `revoked` about the last one. The daemons are the real
ones, started one after the other; what is measured is what this machine takes. The report tells how long
recording, the CRL and the answers take, how large the CRL is, and how long it would be on a serial cable.

Nothing real is touched: the ledger is only read, and neither the CA's key, nor its CRL numbers, nor what
is published is used. Ctrl-C ends the drill and removes the copy.

For real there is `avouch revoke`, for each certificate with its ground and its case.")]
pub(crate) struct MassRevokeOptions {
    /// The issuer
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: String,

    /// Only rehearse; there is nothing else that this command does
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Where the copy is made (default: the system's directory for temporary files)
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}
