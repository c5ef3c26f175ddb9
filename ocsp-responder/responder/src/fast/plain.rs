//! The common shape of an OCSP request over HTTP, recognised in place.

use std::mem::MaybeUninit;

use crate::cells::By;

/// Clients send about ten.
const MOST_HEADERS: usize = 32;

/// What stands at the beginning of some octets.
pub(super) enum Found<'a> {
    Plain(PlainRequest<'a>),
    /// Nothing wrong so far.
    Beginning,
    /// Something that only the long way understands, or nothing anybody understands.
    Other,
}

/// A request that says everything by its method, path and body.
pub(super) struct PlainRequest<'a> {
    pub(super) method: By,
    /// Begins with a slash.
    pub(super) path: &'a str,
    pub(super) if_none_match: Option<&'a [u8]>,
    pub(super) body: &'a [u8],
    /// The client wants the connection to end after the response.
    pub(super) close: bool,
    /// The octets of all of it.
    pub(super) length: usize,
}

/// Looks at octets for a whole request with a head and a body within these limits.
pub(super) fn find(octets: &[u8], head_limit: usize, body_limit: usize) -> Found<'_> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let head = match request.parse_with_uninit_headers(octets, &mut headers) {
        Ok(httparse::Status::Complete(head)) if head <= head_limit => head,
        Ok(httparse::Status::Partial) if octets.len() <= head_limit => return Found::Beginning,
        _ => return Found::Other,
    };
    let method = match request.method {
        Some("GET") => By::Get,
        Some("HEAD") => By::Head,
        Some("POST") => By::Post,
        _ => return Found::Other,
    };
    let Some(path) = request.path.filter(|path| path.starts_with('/')) else {
        return Found::Other;
    };
    let Some(fields) = Fields::read(request.headers) else {
        return Found::Other;
    };
    let body = match (method, fields.content_length) {
        (By::Post, Some(length)) if length <= body_limit => length,
        (By::Get | By::Head, None) => 0,
        _ => return Found::Other,
    };
    let Some(body) = octets[head..].get(..body) else {
        return Found::Beginning;
    };
    if request.version != Some(1) {
        return Found::Other;
    }
    Found::Plain(PlainRequest {
        method,
        path,
        if_none_match: fields.if_none_match,
        body,
        close: fields.close,
        length: head + body.len(),
    })
}

/// The header fields that matter; a request with a field that could change its meaning is not plain.
#[derive(Default)]
struct Fields<'a> {
    close: bool,
    content_length: Option<usize>,
    if_none_match: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(headers: &[httparse::Header<'a>]) -> Option<Self> {
        let mut fields = Self::default();
        let (mut hosts, mut connections) = (0, 0);
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            // By length first: most fields do not matter.
            match header.name.len() {
                4 if is("host") => hosts += 1,
                6 if is("expect") => return None,
                7 if is("upgrade") => return None,
                10 if is("connection") => {
                    connections += 1;
                    fields.close = wants_close(header.value)?;
                }
                13 if is("if-none-match") => once(&mut fields.if_none_match, header.value)?,
                14 if is("content-length") => {
                    once(&mut fields.content_length, decimal(header.value)?)?;
                }
                17 if is("transfer-encoding") => return None,
                _ => {}
            }
        }
        (hosts == 1 && connections <= 1).then_some(fields)
    }
}

/// `None` if there is one already.
fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

/// `None` for anything but the two usual words.
fn wants_close(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"keep-alive") {
        Some(false)
    } else if value.eq_ignore_ascii_case(b"close") {
        Some(true)
    } else {
        None
    }
}

/// At most nine digits and nothing else.
fn decimal(value: &[u8]) -> Option<usize> {
    if !(1..=9).contains(&value.len()) {
        return None;
    }
    value.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + usize::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(octets: &str) -> &'static str {
        match find(octets.as_bytes(), 200, 50) {
            Found::Plain(_) => "plain",
            Found::Beginning => "beginning",
            Found::Other => "other",
        }
    }

    #[test]
    fn plain_requests_say_what_they_ask() {
        let octets = b"POST /a HTTP/1.1\r\nhOST: e\r\nX: y\r\nContent-Length: 3\r\nConnection: Close\r\n\r\nabcGET";
        let Found::Plain(request) = find(octets, 200, 50) else {
            panic!("not plain");
        };
        assert_eq!((request.method, request.path), (By::Post, "/a"));
        assert_eq!((request.body, request.close), (&b"abc"[..], true));
        assert_eq!(request.length, octets.len() - 3);
        let octets = b"GET //M HTTP/1.1\r\nHost: e\r\nIf-None-Match: \"a\"\r\nConnection: keep-alive\r\n\r\n";
        let Found::Plain(request) = find(octets, 200, 50) else {
            panic!("not plain");
        };
        assert_eq!((request.method, request.path), (By::Get, "//M"));
        assert_eq!(request.if_none_match, Some(&b"\"a\""[..]));
        assert!(!request.close && request.body.is_empty());
    }

    #[test]
    fn every_beginning_is_one() {
        let whole = "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc";
        for length in 0..whole.len() {
            assert_eq!(shape(&whole[..length]), "beginning", "{length}");
        }
        assert_eq!(shape(whole), "plain");
    }

    #[test]
    fn everything_else_goes_the_long_way() {
        let post = |headers: &str| format!("POST / HTTP/1.1\r\nHost: e\r\n{headers}\r\nabc");
        for other in [
            "PUT / HTTP/1.1\r\nHost: e\r\n\r\n".to_owned(),
            "get / HTTP/1.1\r\nHost: e\r\n\r\n".to_owned(),
            "GET / HTTP/1.0\r\nHost: e\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
            "GET http://e/ HTTP/1.1\r\nHost: e\r\n\r\n".to_owned(),
            "OPTIONS * HTTP/1.1\r\nHost: e\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: e\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: e\r\nIf-None-Match: a\r\nIf-None-Match: b\r\n\r\n".to_owned(),
            format!("GET /{} HTTP/1.1\r\nHost: e\r\n\r\n", "M".repeat(200)),
            format!("GET /{}", "M".repeat(200)),
            format!("GET / HTTP/1.1\r\nHost: e\r\n{}\r\n", "X: y\r\n".repeat(32)),
            post(""),
            post("Content-Length: 51\r\n"),
            post("Content-Length: +3\r\n"),
            post("Content-Length: 3, 3\r\n"),
            post("Content-Length: 0000000003\r\n"),
            post("Content-Length: 3\r\nContent-Length: 3\r\n"),
            post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
            post("Content-Length: 3\r\nExpect: 100-continue\r\n"),
            post("Content-Length: 3\r\nConnection: upgrade\r\n"),
            post("Content-Length: 3\r\nUpgrade: h2c\r\n"),
            post("Content-Length: 3\r\nConnection: close\r\nConnection: close\r\n"),
        ] {
            assert_eq!(shape(&other), "other", "{other}");
        }
    }
}
