//! The cable by a clock of its own.

use std::time::Duration;

use proptest::prelude::*;
use serial_proxy::{Cable, End, Faults, Sometimes};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Gives all to A as it takes it; what B reads, with the time of each piece.
fn carry(cable: &mut Cable, octets: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    let mut now = Duration::ZERO;
    let mut given = 0;
    let mut pieces = Vec::new();
    loop {
        let fits = cable.room(End::A).min(octets.len() - given);
        cable.push(End::A, &octets[given..given + fits], now);
        given += fits;
        let Some(deadline) = cable.deadline() else {
            return pieces;
        };
        now = now.max(deadline);
        let piece = cable.pull(End::B, now);
        if !piece.is_empty() {
            pieces.push((now, piece));
        }
    }
}

fn together(pieces: &[(Duration, Vec<u8>)]) -> Vec<u8> {
    pieces.iter().flat_map(|(_, piece)| piece.clone()).collect()
}

#[test]
fn a_good_cable_takes_its_time() {
    let octets: Vec<u8> = (0..=255).cycle().take(11_520).collect();
    let pieces = carry(&mut Cable::new(Faults::none(115_200), 1), &octets);
    assert!(together(&pieces) == octets);
    // 11,520 octets of ten bits at 115,200 bits per second: one second.
    let end = pieces.last().unwrap().0;
    assert!((ms(999)..ms(1002)).contains(&end), "{end:?}");
}

#[test]
fn a_bridge_holds_small_packets() {
    let faults = Faults {
        latency: ms(16),
        ..Faults::none(115_200)
    };
    let pieces = carry(&mut Cable::new(faults, 1), &[7; 5]);
    assert_eq!(pieces.len(), 1);
    assert!((ms(16)..ms(17)).contains(&pieces[0].0), "{:?}", pieces[0].0);
    // A full packet goes at once.
    let pieces = carry(&mut Cable::new(faults, 1), &[7; 124]);
    assert!(pieces[0].0 < ms(6) && pieces[0].1.len() == 62, "{pieces:?}");
    assert_eq!(together(&pieces), [7; 124]);
}

#[test]
fn pieces() {
    let faults = Faults {
        split: 7,
        ..Faults::none(3_000_000)
    };
    let octets: Vec<u8> = (0..=255).collect();
    let pieces = carry(&mut Cable::new(faults, 1), &octets);
    assert!(together(&pieces) == octets);
    assert!(pieces.iter().all(|(_, piece)| piece.len() <= 7));
    assert!(pieces.is_sorted_by(|(a, _), (b, _)| *b >= *a + ms(1)));
}

#[test]
fn each_fault_happens_as_often_as_asked() {
    let octets = vec![0; 200_000];
    let none = Faults::none(50_000_000);
    let near = |count: u64| (1800..2200).contains(&count);
    let after = |faults| {
        let mut cable = Cable::new(faults, 9);
        let received = together(&carry(&mut cable, &octets));
        (cable.counters(End::A), received)
    };

    let (counters, received) = after(Faults { flip: 0.01, ..none });
    assert!(near(counters.flipped), "{counters}");
    let wrong = received.iter().filter(|octet| **octet != 0);
    assert_eq!(wrong.clone().count() as u64, counters.flipped);
    assert!(wrong.into_iter().all(|octet| octet.count_ones() == 1));

    let (counters, received) = after(Faults { drop: 0.01, ..none });
    assert!(near(counters.dropped), "{counters}");
    assert_eq!(received.len() as u64, 200_000 - counters.dropped);

    let (counters, received) = after(Faults {
        double: 0.01,
        ..none
    });
    assert!(near(counters.doubled), "{counters}");
    assert_eq!(received.len() as u64, 200_000 + counters.doubled);

    let (counters, received) = after(Faults {
        garbage: 0.0001,
        ..none
    });
    assert!(counters.garbage > 0);
    assert_eq!(received.len() as u64, 200_000 + counters.garbage);

    let (counters, _) = after(Faults {
        reorder: 0.01,
        ..none
    });
    assert!(near(counters.reordered), "{counters}");

    let (counters, received) = after(Faults {
        stall: Sometimes {
            chance: 0.01,
            time: ms(1),
        },
        ..none
    });
    assert!(near(counters.stalls), "{counters}");
    assert_eq!(received.len(), 200_000);

    let (counters, received) = after(Faults {
        cut: Sometimes {
            chance: 0.0001,
            time: ms(2),
        },
        ..none
    });
    assert!(counters.cut > 1000, "{counters}");
    assert_eq!(received.len() as u64, 200_000 - counters.cut);
}

#[test]
fn reordered_octets_are_exchanged() {
    let faults = Faults {
        reorder: 1.0,
        ..Faults::none(115_200)
    };
    let pieces = carry(&mut Cable::new(faults, 1), &[1, 2, 3, 4]);
    assert_eq!(together(&pieces), [2, 1, 4, 3]);
}

#[test]
fn a_cut_in_the_middle() {
    let mut cable = Cable::new(Faults::none(115_200), 1);
    cable.push(End::A, &[1; 1152], ms(0)); // 100 ms
    cable.cut(ms(50), Some(ms(20)));
    cable.push(End::B, &[2; 115], ms(55)); // 10 ms: all of it in the cut
    let mut to_b = Vec::new();
    let mut to_a = Vec::new();
    for now in 0..200 {
        to_b.extend(cable.pull(End::B, ms(now)));
        to_a.extend(cable.pull(End::A, ms(now)));
    }
    assert!((920..925).contains(&to_b.len()), "{}", to_b.len());
    assert!(to_a.is_empty());
    assert_eq!(cable.counters(End::B).cut, 115);
    assert_eq!(cable.cuts(), 1);
    assert_eq!(cable.deadline(), None);
}

#[test]
fn cut_until_restored() {
    let mut cable = Cable::new(Faults::none(115_200), 1);
    cable.cut(ms(10), None);
    cable.push(End::A, b"lost", ms(1000));
    assert!(cable.pull(End::B, ms(2000)).is_empty());
    cable.restore(ms(3000));
    cable.push(End::A, b"there", ms(3000));
    assert_eq!(cable.pull(End::B, ms(3001)), b"there");
}

proptest! {
    /// The same seed, the same octets at the same times: the same faults.
    #[test]
    fn it_repeats_itself(
        seed in any::<u64>(),
        octets in prop::collection::vec(any::<u8>(), 0..3000),
        rates in prop::array::uniform7(0.0..0.05),
        split in 0..20usize,
        latency in 0..20u64,
    ) {
        let [flip, drop, double, reorder, garbage, stall, cut] = rates;
        let faults = Faults {
            latency: ms(latency),
            split,
            flip,
            drop,
            double,
            reorder,
            garbage,
            stall: Sometimes { chance: stall, time: ms(5) },
            cut: Sometimes { chance: cut / 10.0, time: ms(5) },
            ..Faults::none(115_200)
        };
        let (mut one, mut two) = (Cable::new(faults, seed), Cable::new(faults, seed));
        prop_assert_eq!(carry(&mut one, &octets), carry(&mut two, &octets));
        prop_assert_eq!(one.counters(End::A), two.counters(End::A));
    }

    /// Every octet is accounted for.
    #[test]
    fn nothing_vanishes(seed in any::<u64>(), octets in prop::collection::vec(any::<u8>(), 0..3000), rates in prop::array::uniform4(0.0..0.1)) {
        let [drop, double, garbage, cut] = rates;
        let faults = Faults { drop, double, garbage, cut: Sometimes { chance: cut, time: ms(3) }, ..Faults::none(921_600) };
        let mut cable = Cable::new(faults, seed);
        let received = together(&carry(&mut cable, &octets)).len() as u64;
        let counted = cable.counters(End::A);
        prop_assert_eq!(received, counted.given);
        prop_assert_eq!(
            counted.taken + counted.doubled + counted.garbage,
            counted.given + counted.dropped + counted.cut
        );
    }
}
