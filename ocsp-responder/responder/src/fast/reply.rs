//! Responses to plain requests, written from prepared pieces.

use std::hint::black_box;

use arc_swap::Guard;
use pki::Time;

use super::plain::{Found, PlainRequest, find};
use crate::cells::{By, Outcome};
use crate::conditional::lists;
use crate::connection::Account;
use crate::get_path;
use crate::handle::{Handler, Place, place};
use crate::http_time::http_date;
use crate::live::Live;
use crate::ocsp::{self, Question, Refused, Said, Signed, Verdict};

/// What holds for all requests that are answered together.
pub(super) struct Moment {
    live: Guard<std::sync::Arc<Live>>,
    now: Time,
}

/// What stands at the beginning of some octets.
pub(super) enum Step<'i, 'm> {
    Ask(Asked<'i, 'm>),
    /// Nothing wrong so far.
    Beginning,
    /// It needs the long way.
    Other,
}

/// A plain request, and what it asks.
pub(super) struct Asked<'i, 'm> {
    pub(super) request: PlainRequest<'i>,
    pub(super) question: Result<Question<'m>, Refused<'m>>,
}

/// Fetches what is needed to answer these requests, all at once: the memory of ten million answers is far away, and who
/// waits for one may as well wait for all.
pub(super) fn fetch_ahead<'s, 'm: 's>(steps: impl Iterator<Item = &'s Step<'s, 'm>> + Clone) {
    let questions = steps.filter_map(|step| match step {
        Step::Ask(asked) => asked.question.as_ref().ok(),
        Step::Beginning | Step::Other => None,
    });
    // Where the record is, only the index tells.
    for fetch in [Question::fetch_index, Question::fetch_record] {
        let fetched = questions
            .clone()
            .fold(0, |all, question| all ^ fetch(question));
        black_box(fetched);
    }
}

impl Handler {
    /// What holds from now on until the responses are written.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            live: self.live.load(),
            now: self.clock.now(),
        }
    }

    /// Reads a request; `der` is room to decode in.
    pub(super) fn understand<'i, 'm>(
        &self,
        input: &'i [u8],
        moment: &'m Moment,
        head_limit: usize,
        der: &mut Vec<u8>,
    ) -> Step<'i, 'm> {
        match find(input, head_limit, self.request_octets) {
            Found::Plain(request) => self
                .read(request, moment, der)
                .map_or(Step::Other, Step::Ask),
            Found::Beginning => Step::Beginning,
            Found::Other => Step::Other,
        }
    }

    fn read<'i, 'm>(
        &self,
        request: PlainRequest<'i>,
        moment: &'m Moment,
        der: &mut Vec<u8>,
    ) -> Option<Asked<'i, 'm>> {
        let Place::Ocsp(rest) = place(&moment.live, request.path) else {
            return None;
        };
        let prefix = &request.path[..request.path.len() - rest.len()];
        if !prefix.bytes().all(is_plain) {
            return None;
        }
        let der = match request.method {
            By::Post if rest.bytes().all(|byte| byte == b'/') => request.body,
            By::Post => return None,
            By::Get | By::Head => {
                der.clear();
                get_path::decode(rest, self.request_octets, der)?;
                der
            }
        };
        let question = ocsp::read(&moment.live, der, self.fresh.is_there());
        Some(Asked { request, question })
    }

    /// Appends the response to a request, and counts it; `None` if it needs the long way.
    pub(super) fn reply(
        &self,
        asked: Asked<'_, '_>,
        moment: &Moment,
        account: &Account,
        close: bool,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let Asked { request, question } = asked;
        let verdict = match question {
            Ok(question) => {
                if let Some(issuer) = question.wants_fresh() {
                    match self.fresh.would_ask(&issuer.budget, account) {
                        // Here nobody waits for anything.
                        Ok(()) => return None,
                        Err(outcome) => issuer.cells[self.core].fresh(outcome).add(1),
                    }
                }
                self.presigned(&question, moment.now)
            }
            Err(refused) => Verdict::refused(refused),
        };
        let outcome = self.write(&verdict, &request, moment.now, close, out);
        verdict.count(self.core, self.own_cells(), outcome, request.method);
        Some(())
    }

    fn write(
        &self,
        verdict: &Verdict<'_>,
        request: &PlainRequest<'_>,
        now: Time,
        close: bool,
        out: &mut Vec<u8>,
    ) -> Outcome {
        match &verdict.said {
            Said::Error(status) => {
                out.extend_from_slice(OK);
                out.extend_from_slice(&self.date_text(now));
                out.extend_from_slice(b"\r\ncache-control: no-store, no-cache\r\npragma: no-cache");
                let body = status.der();
                end_head(close, Some(body.len()), out);
                if request.method != By::Head {
                    out.extend_from_slice(body);
                }
            }
            // The time of signing does not tell two answers of one second apart: only the tag does.
            Said::Answer(signed)
                if request.method != By::Post
                    && request
                        .if_none_match
                        .is_some_and(|list| lists(list, signed.etag.as_bytes())) =>
            {
                out.extend_from_slice(NOT_MODIFIED);
                self.write_caching(signed, now, out);
                end_head(close, None, out);
                return Outcome::NotModified;
            }
            Said::Answer(signed) => {
                out.extend_from_slice(OK);
                self.write_caching(signed, now, out);
                let (answer, algorithm) = (&signed.answer, signed.algorithm);
                // Unwrap safety, both times: there is a tag, hence a response.
                if request.method == By::Head {
                    end_head(close, Some(answer.response_len(algorithm).unwrap()), out);
                } else {
                    let announce = |length, out: &mut Vec<u8>| end_head(close, Some(length), out);
                    answer.write_response(algorithm, out, announce).unwrap();
                }
            }
        }
        verdict.outcome()
    }

    /// From the value of `date` to that of `expires` (HTTP-09 to HTTP-12).
    fn write_caching(&self, signed: &Signed<'_>, now: Time, out: &mut Vec<u8>) {
        let freshness = &signed.freshness;
        out.extend_from_slice(&self.date_text(now));
        out.extend_from_slice(b"\r\netag: ");
        out.extend_from_slice(signed.etag.as_bytes());
        out.extend_from_slice(b"\r\nlast-modified: ");
        out.extend_from_slice(&http_date(freshness.this_update));
        out.extend_from_slice(b"\r\ncache-control: max-age=");
        let max_age = freshness.max_age(now, self.cache.ocsp_max_age_seconds);
        write_decimal(u64::from(max_age), out);
        out.extend_from_slice(b", public, no-transform, must-revalidate\r\nexpires: ");
        out.extend_from_slice(&http_date(freshness.next_update));
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/ocsp-response\r\ndate: ";
const NOT_MODIFIED: &[u8] = b"HTTP/1.1 304 Not Modified\r\ndate: ";

fn end_head(close: bool, length: Option<usize>, out: &mut Vec<u8>) {
    if close {
        out.extend_from_slice(b"\r\nconnection: close");
    }
    if let Some(length) = length {
        out.extend_from_slice(b"\r\ncontent-length: ");
        write_decimal(length as u64, out);
    }
    out.extend_from_slice(b"\r\n\r\n");
}

fn write_decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        // Lossless: one digit.
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Octets that every reader of a URL takes for part of a path; base64 has its own check.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_always() {
        for number in [0, 1, 9, 10, 3600, 65_535, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(number, &mut out);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
