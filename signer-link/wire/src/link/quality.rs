//! How good the line is.

use super::Millis;

/// Counters since the endpoint was made, and the round trip as it is now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Quality {
    /// Octets given to the line.
    pub octets_sent: u64,
    /// Octets that the line gave.
    pub octets_received: u64,
    /// Frames given to the line, of all types.
    pub frames_sent: u64,
    /// Frames of this epoch that were received whole.
    pub frames_received: u64,
    /// Runs of octets that were no frame: a wrong CRC, a wrong form, too long.
    pub noise: u64,
    /// Frames of another epoch.
    pub old_epoch: u64,
    /// Frames that this end itself had sent: a terminal that echoes, or a plug that joins both wires.
    pub echoes: u64,
    /// DATA frames that had been received before.
    pub duplicates: u64,
    /// DATA frames that were sent again.
    pub retransmissions: u64,
    /// Epochs begun.
    pub resets: u64,
    /// Sessions that stood.
    pub sessions: u64,
    /// From the end of a frame to its acknowledgement, smoothed.
    pub round_trip: Option<Millis>,
}
