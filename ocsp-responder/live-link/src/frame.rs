//! Frames: how questions and answers lie on the wire.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The longest OCSPRequest, in octets.
pub const MAX_QUESTION: usize = 64 * 1024;
/// The longest OCSPResponse, in octets: an answer is about twice as long as its request, plus one certificate.
pub const MAX_ANSWER: usize = 256 * 1024;

/// What a connection begins with; another version would say so here.
pub(crate) const GREETING: &[u8] = b"avouch live 1\n";

const LENGTH: usize = 4;
const ID: usize = 8;
const PATIENCE: usize = 2;

/// A request on its way to the presigner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct QuestionFrame {
    pub(crate) id: u64,
    /// For how long its sender waits.
    pub(crate) patience: Duration,
    pub(crate) request: Bytes,
}

/// What came back; without octets: not now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AnswerFrame {
    pub(crate) id: u64,
    pub(crate) response: Bytes,
}

/// The other side does not keep to the format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// It is no side of ours, or one of another version.
    #[error("the connection does not begin as one of this version does")]
    Greeting,
    /// Shorter or longer than any frame.
    #[error("a frame says that it has {0} octets, which none has")]
    Length(u32),
}

/// Takes the greeting off the front of what was received; false while it is not complete.
pub(crate) fn take_greeting(received: &mut BytesMut) -> Result<bool, FrameError> {
    let seen = received.len().min(GREETING.len());
    if received[..seen] != GREETING[..seen] {
        return Err(FrameError::Greeting);
    }
    if seen < GREETING.len() {
        return Ok(false);
    }
    received.advance(seen);
    Ok(true)
}

impl QuestionFrame {
    /// Appends a question; its request must be within [`MAX_QUESTION`].
    pub(crate) fn put(out: &mut BytesMut, id: u64, patience: Duration, request: &[u8]) {
        let milliseconds = u16::try_from(patience.as_millis()).unwrap_or(u16::MAX);
        put_length(out, ID + PATIENCE + request.len());
        out.put_u64(id);
        out.put_u16(milliseconds);
        out.put_slice(request);
    }

    /// Takes the next question off the front of what was received.
    pub(crate) fn take(received: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        let least = ID + PATIENCE + 1;
        let frame = take_frame(received, least, ID + PATIENCE + MAX_QUESTION)?;
        Ok(frame.map(|mut frame| Self {
            id: frame.get_u64(),
            patience: Duration::from_millis(u64::from(frame.get_u16())),
            request: frame,
        }))
    }
}

impl AnswerFrame {
    /// Appends an answer; its response must be within [`MAX_ANSWER`].
    pub(crate) fn put(out: &mut BytesMut, id: u64, response: &[u8]) {
        put_length(out, ID + response.len());
        out.put_u64(id);
        out.put_slice(response);
    }

    /// Takes the next answer off the front of what was received.
    pub(crate) fn take(received: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        let frame = take_frame(received, ID, ID + MAX_ANSWER)?;
        Ok(frame.map(|mut frame| Self {
            id: frame.get_u64(),
            response: frame,
        }))
    }
}

fn put_length(out: &mut BytesMut, length: usize) {
    // Lossless: both limits are far below 4 GiB.
    out.put_u32(length as u32);
}

/// The octets of the next frame behind its length; none while it is not complete.
fn take_frame(
    received: &mut BytesMut,
    least: usize,
    most: usize,
) -> Result<Option<Bytes>, FrameError> {
    let Some(&prefix) = received.first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let said = u32::from_be_bytes(prefix);
    let length = said as usize;
    if !(least..=most).contains(&length) {
        return Err(FrameError::Length(said));
    }
    if received.len() < LENGTH + length {
        return Ok(None);
    }
    received.advance(LENGTH);
    Ok(Some(received.split_to(length).freeze()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENT: Duration = Duration::from_millis(50);

    fn question(id: u64, request: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        QuestionFrame::put(&mut out, id, PATIENT, request);
        out
    }

    #[test]
    fn octet_by_octet() {
        assert_eq!(
            question(0x0102, &[0x30, 0])[..],
            [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 1, 2, 0, 50, 0x30, 0]
        );
        let mut out = BytesMut::new();
        AnswerFrame::put(&mut out, 3, &[]);
        assert_eq!(out[..], [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn a_frame_is_taken_when_its_last_octet_is_there() {
        let whole = question(7, b"request");
        for length in 0..whole.len() {
            let mut received = BytesMut::from(&whole[..length]);
            assert_eq!(QuestionFrame::take(&mut received), Ok(None), "{length}");
            assert_eq!(received.len(), length, "nothing is taken before");
        }
        let mut received = BytesMut::from(&[&whole[..], &whole[..3]].concat()[..]);
        let taken = QuestionFrame::take(&mut received).unwrap().unwrap();
        assert_eq!((taken.id, &taken.request[..]), (7, &b"request"[..]));
        assert_eq!(taken.patience, PATIENT);
        assert_eq!(received[..], whole[..3]);
    }

    #[test]
    fn lengths_that_no_frame_has_are_refused_before_anything_is_read() {
        for length in [0, 10, (ID + PATIENCE + MAX_QUESTION + 1) as u32, u32::MAX] {
            let mut received = BytesMut::from(&length.to_be_bytes()[..]);
            let refused = Err(FrameError::Length(length));
            assert_eq!(QuestionFrame::take(&mut received), refused);
        }
        for length in [0, 7, (ID + MAX_ANSWER + 1) as u32, u32::MAX] {
            let mut received = BytesMut::from(&length.to_be_bytes()[..]);
            let refused = Err(FrameError::Length(length));
            assert_eq!(AnswerFrame::take(&mut received), refused);
        }
    }

    #[test]
    fn another_greeting_is_refused_at_its_first_wrong_octet() {
        let mut received = BytesMut::from(&GREETING[..5]);
        assert_eq!(take_greeting(&mut received), Ok(false));
        received.extend_from_slice(&GREETING[5..]);
        received.extend_from_slice(b"rest");
        assert_eq!(take_greeting(&mut received), Ok(true));
        assert_eq!(received[..], *b"rest");
        let mut other = BytesMut::from(&b"avouch live 2"[..]);
        assert_eq!(take_greeting(&mut other), Err(FrameError::Greeting));
        assert_eq!(
            take_greeting(&mut BytesMut::from(&b"G"[..])),
            Err(FrameError::Greeting)
        );
    }

    proptest! {
        /// Whatever comes, in whatever pieces: no panic, nothing taken twice, never more held than was received.
        #[test]
        fn any_octets(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut received = BytesMut::new();
            let (mut arrived, mut taken) = (0, 0);
            for piece in pieces {
                arrived += piece.len();
                received.extend_from_slice(&piece);
                while let Ok(Some(frame)) = QuestionFrame::take(&mut received) {
                    taken += LENGTH + ID + PATIENCE + frame.request.len();
                }
                prop_assert_eq!(taken + received.len(), arrived);
            }
        }

        #[test]
        fn what_is_put_is_taken(
            frames in prop::collection::vec((any::<u64>(), 0..70_000_u64, prop::collection::vec(any::<u8>(), 1..200)), 0..8)
        ) {
            let mut wire = BytesMut::new();
            for (id, patience, request) in &frames {
                QuestionFrame::put(&mut wire, *id, Duration::from_millis(*patience), request);
            }
            for (id, patience, request) in frames {
                let frame = QuestionFrame::take(&mut wire).unwrap().unwrap();
                prop_assert_eq!(frame.patience.as_millis() as u64, patience.min(65_535));
                prop_assert_eq!((frame.id, &frame.request[..]), (id, &request[..]));
            }
            prop_assert!(wire.is_empty());
        }
    }
}
