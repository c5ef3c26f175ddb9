//! What `policy` and `link` say to each other over the socket pair between them: the length of the rest in four octets,
//! a kind, and the rest.

use std::io::{self, Read, Write};

use wire::limits;

/// One thing said. `policy` says [`Said::Greeting`], [`Said::Message`] and [`Said::Reset`], `link` all but the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The session with the host is up.
    Up,
    /// A whole message, deciphered or to be enciphered.
    Message(Vec<u8>),
    /// The session is down, for this reason.
    Down(String),
    /// Somebody on the line does what no noise does.
    Breach(String),
    /// Begin anew: the session is of no use.
    Reset,
    /// Somebody on the line tried to open a session without the host's keys.
    Stranger,
    /// The first message of a session, one for each [`Said::Up`]: what follows belongs to that session.
    Greeting(Vec<u8>),
}

impl Said {
    /// Its octets.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, rest): (u8, &[u8]) = match self {
            Self::Up => (0, &[]),
            Self::Message(message) => (1, message),
            Self::Down(reason) => (2, reason.as_bytes()),
            Self::Breach(what) => (3, what.as_bytes()),
            Self::Reset => (4, &[]),
            Self::Stranger => (5, &[]),
            Self::Greeting(message) => (6, message),
        };
        // Lossless: messages are bounded far below.
        let length = rest.len() as u32 + 1;
        [&length.to_be_bytes(), &[kind][..], rest].concat()
    }

    /// Writes it.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.encode())
    }

    /// Reads the next; `None` when the other process is gone.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut length = [0; 4];
        match from.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 || length > limits::MESSAGE + 1 {
            return Err(io::Error::other("not what the other process says"));
        }
        let mut octets = vec![0; length];
        from.read_exact(&mut octets)?;
        Self::decode(&octets).map(Some)
    }

    /// Takes the next out of what was read so far, if it is whole.
    pub fn take(from: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let Some((length, rest)) = from.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length == 0 || length > limits::MESSAGE + 1 {
            return Err(io::Error::other("not what the other process says"));
        }
        let Some(octets) = rest.get(..length) else {
            return Ok(None);
        };
        let said = Self::decode(octets)?;
        from.drain(..4 + length);
        Ok(Some(said))
    }

    fn decode(octets: &[u8]) -> io::Result<Self> {
        let (kind, rest) = (octets[0], &octets[1..]);
        let text = || String::from_utf8_lossy(rest).into_owned();
        Ok(match kind {
            0 => Self::Up,
            1 => Self::Message(rest.to_vec()),
            2 => Self::Down(text()),
            3 => Self::Breach(text()),
            4 => Self::Reset,
            5 => Self::Stranger,
            6 => Self::Greeting(rest.to_vec()),
            _ => return Err(io::Error::other("not what the other process says")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_however_it_is_cut() {
        let said = [
            Said::Up,
            Said::Message(vec![0; 70_000]),
            Said::Message(Vec::new()),
            Said::Down("gone".to_owned()),
            Said::Breach("wrong tag".to_owned()),
            Said::Reset,
            Said::Stranger,
            Said::Greeting(vec![7; 3]),
        ];
        let octets: Vec<_> = said.iter().flat_map(Said::encode).collect();
        let mut reader = octets.as_slice();
        for one in &said {
            assert_eq!(Said::read(&mut reader).unwrap().as_ref(), Some(one));
        }
        assert_eq!(Said::read(&mut reader).unwrap(), None);
        let (mut buffer, mut taken) = (Vec::new(), Vec::new());
        for piece in octets.chunks(4_099) {
            buffer.extend_from_slice(piece);
            while let Some(one) = Said::take(&mut buffer).unwrap() {
                taken.push(one);
            }
        }
        assert_eq!(taken, said);
        assert!(Said::take(&mut vec![0; 9]).is_err());
        assert!(Said::take(&mut vec![0, 0, 0, 1, 9]).is_err());
    }
}
