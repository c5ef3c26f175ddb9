//! What a host relays to a standby as the journal of the active signer is taken over or passed over, and the same journal
//! leads to the same memory.
//!
//! An input is records, each after its length in two octets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signer::journal_record::Record;
use signer::memory::Memory;
use wire::Receipt;

fuzz_target!(|input: &[u8]| {
    let mut records = Vec::new();
    let mut rest = input;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (record, after) = after.split_at(length);
        records.push(record);
        rest = after;
    }
    // As the signer does before it writes one down.
    records.retain(|record| Record::relayed(record).is_ok());
    let memory = || {
        let mut memory = Memory::default();
        for (sequence, record) in (1..).zip(&records) {
            let receipt = Receipt {
                sequence,
                head: [0; 32],
            };
            let record = Record::Replicated {
                sequence,
                record: record.to_vec(),
            };
            let again = Record::decode(&record.encode()).expect("what was written is read");
            assert_eq!(again, record);
            memory.replay(receipt, record);
        }
        memory
    };
    let (one, other) = (memory(), memory());
    assert_eq!(one.replicated().sequence, records.len() as u64);
    assert_eq!(one.replicated(), other.replicated());
    assert_eq!(one.epoch(), other.epoch());
    assert!(one.is_standby());
});
