//! A presigner's live endpoint for a site: answers with the nonce of their request, signed while an edge waits.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;

use answers::{AnswerSet, Entry};
use anyhow::Context as _;
use live_link::{Listener, Question, serve};
use pki::ocsp::IssuerHashes;
use pki::ocsp::fresh_response::{FreshAnswer, Times, response_data};
use pki::ocsp::request::OcspRequest;
use pki::ocsp::response::{ErrorStatus, Template};
use pki::{Clock as _, SystemClock};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

use crate::{Channel, Site};

/// Questions of one edge that may be open; the edge's budget is far below.
const OPEN: usize = 1024;
const DAY: i64 = 86_400;

/// Answers on a socket in the site's directory until the process ends; gives the socket. What it says is what the site's
/// base says.
pub fn answer_live(site: &Site) -> anyhow::Result<PathBuf> {
    let socket = site.root.join("live.sock");
    // The keys are read again: the thread has to own them.
    let own = Site::open(&site.root)?;
    let base = AnswerSet::map(&Channel::open(&own)?.base_file()?, &own.authority.ca)?;
    let listener_at = socket.clone();
    let (tell, told) = std::sync::mpsc::channel();
    thread::Builder::new()
        .name("live".to_owned())
        .spawn(move || {
            let ended = run(own, base, &listener_at, || {
                let _ = tell.send(());
            });
            if let Err(error) = ended {
                eprintln!("fill: answers are no longer signed live: {error:#}");
            }
        })?;
    told.recv()
        .context("the live endpoint did not start; see above")?;
    Ok(socket)
}

fn run(site: Site, base: AnswerSet, socket: &Path, ready: impl FnOnce()) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = Listener::bind(socket)?;
        ready();
        let signer = Rc::new((site, base));
        loop {
            let stream = listener.accept().await?;
            let signer = Rc::clone(&signer);
            spawn_local(serve(stream, OPEN, move |question: Question| {
                let (site, base) = &*signer;
                let response = answer(site, base, &question.request);
                question
                    .reply
                    .send(response.unwrap_or_else(|| ErrorStatus::Unauthorized.der().to_vec()));
            }));
        }
    })
}

/// `None` if there is nothing to say about the certificate.
fn answer(site: &Site, base: &AnswerSet, request: &[u8]) -> Option<Vec<u8>> {
    let request = OcspRequest::parse(request).ok()?;
    let id = request.first();
    let serial = id.serial_number()?;
    let Ok(Some(Entry::Answer(known))) = base.entry(serial.as_bytes()) else {
        return None;
    };
    let authority = &site.authority;
    let issuer = IssuerHashes::of(id.hash?, &authority.ca);
    let said = FreshAnswer {
        issuer: &issuer,
        serial,
        status: known.status(),
    };
    let now = SystemClock.now();
    let times = Times {
        now,
        next_update: now.plus_seconds(4 * DAY),
    };
    let data = response_data(&authority.responder, &[said], times, request.nonce_value());
    let signature = authority
        .responder_key
        .sign(authority.algorithm, &data)
        .ok()?;
    let template = Template::new(
        issuer.hash,
        &authority.ca,
        &authority.responder,
        authority.algorithm,
    );
    Some(template.response(&data, &signature))
}
