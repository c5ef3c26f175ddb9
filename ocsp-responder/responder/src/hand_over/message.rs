//! Messages with descriptors: a length of four octets, with which the descriptors come, then that many octets.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The kernel allows no more in one message.
const MOST_DESCRIPTORS: usize = 253;
const LONGEST: usize = 1 << 20;

pub(super) fn send(
    mut stream: &UnixStream,
    text: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(|_| ErrorKind::InvalidInput)?;
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other(format!(
            "at most {MOST_DESCRIPTORS} sockets can be handed over"
        )));
    }
    let length = length.to_be_bytes();
    let sent = sendmsg(
        stream,
        &[IoSlice::new(&length)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    stream.write_all(&length[sent..])?;
    stream.write_all(text)
}

pub(super) fn receive(mut stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    let received = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut length)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?
    .bytes;
    if received == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    stream.read_exact(&mut length[received..])?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text)?;
    Ok((text, descriptors))
}

/// Waits for one word.
pub(super) fn expect(stream: &UnixStream, word: &[u8]) -> io::Result<()> {
    let (text, _) = receive(stream)?;
    if text == word {
        Ok(())
    } else {
        Err(io::Error::new(
            ErrorKind::InvalidData,
            "the other edge speaks another protocol",
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn text_and_descriptors_arrive() {
        let (here, there) = UnixStream::pair().unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let file = File::open(&path).unwrap();
        send(&here, b"two", &[file.as_fd(), file.as_fd()]).unwrap();
        send(&here, b"", &[]).unwrap();
        drop(here);
        let (text, descriptors) = receive(&there).unwrap();
        assert_eq!((&text[..], descriptors.len()), (&b"two"[..], 2));
        let mut content = String::new();
        let descriptor = descriptors.into_iter().next().unwrap();
        File::from(descriptor).read_to_string(&mut content).unwrap();
        assert_eq!(content, "content");
        assert!(receive(&there).unwrap().1.is_empty());
        assert_eq!(
            receive(&there).unwrap_err().kind(),
            ErrorKind::UnexpectedEof
        );
    }
}
