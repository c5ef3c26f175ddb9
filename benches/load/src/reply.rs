//! Responses in what arrives: where each ends and what it says, without looking at more than that takes.

use memchr::{memchr, memmem};

/// The first response in a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The server closes after it.
    pub(crate) close: bool,
    /// Where its body begins and the next response begins.
    pub(crate) body: usize,
    pub(crate) end: usize,
}

/// What arrives is no HTTP/1.1 response with a length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotHttp;

/// A head that is longer than this is none.
const MAX_HEAD: usize = 64 * 1024;

/// Finds the first response; `None` if it is not all there yet.
pub(crate) fn find(buffer: &[u8]) -> Result<Option<Reply>, NotHttp> {
    let Some(head) = memmem::find(buffer, b"\r\n\r\n") else {
        return if buffer.len() > MAX_HEAD {
            Err(NotHttp)
        } else {
            Ok(None)
        };
    };
    let head = &buffer[..head + 2];
    if !head.starts_with(b"HTTP/1.") || head.len() < 14 {
        return Err(NotHttp);
    }
    let status = number(&head[9..12]).ok_or(NotHttp)?;
    let mut close = head[7] == b'0';
    let mut length = None;
    let mut rest = head;
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end.saturating_sub(1)];
        rest = &rest[end + 1..];
        // Of all the fields two matter, and both begin with this letter.
        if !matches!(line.first(), Some(b'c' | b'C')) {
            continue;
        }
        if let Some(value) = field(line, b"content-length:") {
            length = Some(number(value).ok_or(NotHttp)?);
        } else if let Some(value) = field(line, b"connection:") {
            close |= value.eq_ignore_ascii_case(b"close");
        }
    }
    let length: usize = match (length, status) {
        (Some(length), _) => length,
        (None, 204 | 304) => 0,
        (None, _) => return Err(NotHttp),
    };
    let body = head.len() + 2;
    let end = body + length;
    Ok((buffer.len() >= end).then_some(Reply {
        status: u16::try_from(status).map_err(|_| NotHttp)?,
        close,
        body,
        end,
    }))
}

/// The OCSPResponseStatus of a body (RFC 6960 section 4.2.1); `None` if it is no OCSP response.
pub(crate) fn ocsp_status(body: &[u8]) -> Option<u8> {
    let [0x30, length, rest @ ..] = body else {
        return None;
    };
    let more = if *length < 0x80 { 0 } else { length & 0x7f };
    match rest.get(usize::from(more)..)? {
        [0x0a, 1, status, ..] => Some(*status),
        _ => None,
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn number(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Some(number * 10 + usize::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other() {
        let text = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 503 No\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n";
        let first = find(text).unwrap().unwrap();
        assert_eq!((first.status, first.close), (200, false));
        assert_eq!(&text[first.body..first.end], b"hello");
        let second = find(&text[first.end..]).unwrap().unwrap();
        assert_eq!((second.status, second.close), (503, true));
        assert_eq!(first.end + second.end, text.len());
    }

    #[test]
    fn incomplete() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for end in 0..text.len() {
            assert_eq!(find(&text[..end]), Ok(None), "{end}");
        }
        assert!(find(text).unwrap().is_some());
    }

    #[test]
    fn not_http() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "HTTP/1.1 x00 OK\r\nContent-Length: 5\r\n\r\n",
        ] {
            assert_eq!(find(text.as_bytes()), Err(NotHttp), "{text}");
        }
    }

    #[test]
    fn statuses() {
        assert_eq!(ocsp_status(&[0x30, 3, 0x0a, 1, 6]), Some(6));
        assert_eq!(ocsp_status(&[0x30, 0x82, 1, 0, 0x0a, 1, 0, 0xa0]), Some(0));
        assert_eq!(ocsp_status(b"<html>"), None);
        assert_eq!(ocsp_status(&[0x30, 0x82]), None);
    }
}
