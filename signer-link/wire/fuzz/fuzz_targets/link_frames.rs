//! Octets from a line are frames or noise, however they are cut; a frame is what its own encoding says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::link::frame::{Decoded, Decoder};

fuzz_target!(|input: &[u8]| {
    let Some((cut, octets)) = input.split_first() else {
        return;
    };
    let mut at_once = Vec::new();
    Decoder::default().push(octets, |decoded| at_once.push(decoded));

    let mut in_pieces = Vec::new();
    let mut decoder = Decoder::default();
    for piece in octets.chunks(usize::from(*cut).max(1)) {
        decoder.push(piece, |decoded| in_pieces.push(decoded));
    }
    assert_eq!(at_once, in_pieces);

    for decoded in at_once {
        let Decoded::Frame(frame) = &decoded else {
            continue;
        };
        let mut again = Vec::new();
        Decoder::default().push(&frame.encode(), |decoded| again.push(decoded));
        assert_eq!(again, [decoded]);
    }
});
