use super::samples::{BIT_SHAPES, bits, blocks};
use crate::codec::bitmap::{count_ones, decode, encode, fill_nulls};
use proptest::prelude::*;

fn encoded(bits: &[u64; 16], rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(bits, rows, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn bits_round_trip_and_never_take_more_than_plain((shape, rows, seed) in blocks(BIT_SHAPES)) {
        let bits = bits(shape, seed);
        let bytes = encoded(&bits, rows);
        prop_assert!(bytes.len() <= rows.div_ceil(8) + 1);
        let mut back = [0; 16];
        prop_assert!(decode(&bytes, rows, &mut back));
        let ones = (0..rows).filter(|row| bits[row / 64] >> (row % 64) & 1 == 1).count();
        prop_assert_eq!(count_ones(&bytes, rows), Some(ones));
        for row in 0..1024 {
            let bit = row < rows && bits[row / 64] >> (row % 64) & 1 == 1;
            prop_assert_eq!(back[row / 64] >> (row % 64) & 1 == 1, bit);
        }
    }
}

#[test]
fn all_alike_takes_a_byte() {
    assert_eq!(encoded(&[0; 16], 1024), [32]);
    assert_eq!(encoded(&[u64::MAX; 16], 100), [33]);
}

#[test]
fn one_null_among_a_thousand_takes_a_few_bytes() {
    let mut bits = [u64::MAX; 16];
    bits[7] &= !(1 << 5);
    assert!(encoded(&bits, 1024).len() < 14);
}

#[test]
fn nulls_get_the_value_before_and_leading_ones_the_first() {
    let mut values = [9, 9, 3, 9, 5, 9];
    let mut validity = [0; 16];
    validity[0] = 0b010100;
    fill_nulls(&mut values, &validity);
    assert_eq!(values, [3, 3, 3, 3, 5, 5]);
    fill_nulls(&mut values, &[0; 16]);
    assert_eq!(values, [3, 3, 3, 3, 5, 5]);
}
