use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn serial_order_is_octet_order(
        left in prop::collection::vec(any::<u8>(), 1..=20),
        right in prop::collection::vec(any::<u8>(), 1..=20),
    ) {
        let (Ok(left), Ok(right)) = (Serial::from_be_bytes(&left), Serial::from_be_bytes(&right)) else {
            return Ok(());
        };
        prop_assert_eq!(encode_serial(&left).cmp(&encode_serial(&right)), left.cmp(&right));
        prop_assert_eq!(decode_serial(&encode_serial(&left)).unwrap(), left);
    }

    #[test]
    fn crl_number_order_is_octet_order(
        left in prop::collection::vec(any::<u8>(), 0..=19),
        right in prop::collection::vec(any::<u8>(), 0..=19),
    ) {
        let left = CrlNumber::from_be_bytes(&left).unwrap();
        let right = CrlNumber::from_be_bytes(&right).unwrap();
        prop_assert_eq!(encode_crl_number(&left).cmp(&encode_crl_number(&right)), left.cmp(&right));
        prop_assert_eq!(decode_crl_number(&encode_crl_number(&left)).unwrap(), left);
    }

    #[test]
    fn nothing_else_decodes(octets in prop::collection::vec(any::<u8>(), 0..=22)) {
        if let Ok(serial) = decode_serial(&octets) {
            // A padded magnitude reads as the same serial number but is never written.
            prop_assert!(octets.len() >= encode_serial(&serial).len());
        }
    }
}

#[test]
fn a_column_of_the_wrong_length_is_damage() {
    for column in [&[][..], &[2, 1], &[0, 1], &[0], &[21; 22]] {
        assert!(
            matches!(decode_serial(column), Err(LedgerError::Damaged(_))),
            "{column:?}"
        );
    }
}
