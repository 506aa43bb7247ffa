use super::samples::{FLOAT_SHAPES, Random, blocks, cents, floats};
use crate::codec::floats::{decode, encode_as, encoded_extrema, encoded_stretch_sums, encoded_sum};
use crate::codec::{BLOCK, Codecs};
use proptest::prelude::*;

fn encoded(values: &[f64]) -> Vec<u8> {
    encoded_as(values, Codecs::Hot)
}

fn encoded_as(values: &[f64], codecs: Codecs) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_as(values, codecs, &mut bytes);
    let mut back = [0.0; BLOCK];
    assert!(decode(&bytes, values.len(), &mut back));
    for (row, (back, value)) in back.iter().zip(values).enumerate() {
        assert_eq!(back.to_bits(), value.to_bits(), "row {row}: {value}");
    }
    bytes
}

/// Bits a value over as many whole blocks.
fn bits(values: &[f64]) -> f64 {
    let bytes: usize = values.chunks(BLOCK).map(|block| encoded(block).len()).sum();
    bytes as f64 * 8.0 / values.len() as f64
}

proptest! {
    #[test]
    fn every_bit_of_a_double_comes_back_in_never_more_than_plain((shape, rows, seed) in blocks(FLOAT_SHAPES)) {
        let values = floats(shape, rows, seed);
        prop_assert!(encoded(&values).len() <= 8 * rows + 49);
        let cold = encoded_as(&values, Codecs::Cold);
        prop_assert!(cold.len() <= 8 * rows + 49);
        prop_assert_eq!(encoded_sum(&cold, rows), encoded_sum(&encoded(&values), rows));
        prop_assert_eq!(encoded_extrema(&cold, rows), encoded_extrema(&encoded(&values), rows));
    }

    #[test]
    fn sums_of_encoded_doubles_are_near_the_true_ones((shape, rows, seed) in blocks(FLOAT_SHAPES)) {
        let values = floats(shape, rows, seed);
        if let Some(found) = encoded_sum(&encoded(&values), rows) {
            // Knuth's two-sum, with the errors summed apart.
            let (mut high, mut low) = (0.0f64, 0.0);
            for &value in &values {
                let sum = high + value;
                let of_value = sum - high;
                low += (high - (sum - of_value)) + (value - of_value);
                high = sum;
            }
            let size: f64 = values.iter().map(|value| value.abs()).sum();
            prop_assert!((found - (high + low)).abs() <= size * 2f64.powi(-50), "{found} {high} {low}");
            let (mut whole, mut sums) = (Vec::new(), Vec::new());
            let ends = [rows as u32 / 3, rows as u32];
            encoded_stretch_sums(&encoded(&values), rows, &ends, &mut whole, &mut sums).unwrap();
            prop_assert!((sums[0] + sums[1] - (high + low)).abs() <= size * 2f64.powi(-49), "{sums:?} {high} {low}");
        }
    }

    #[test]
    fn extrema_of_encoded_doubles_are_those_of_decoded_ones((shape, rows, seed) in blocks(FLOAT_SHAPES)) {
        let values = floats(shape, rows, seed);
        if let Some(found) = encoded_extrema(&encoded(&values), rows) {
            let reduce = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).unwrap();
            prop_assert_eq!(found, (reduce(f64::min), reduce(f64::max)));
        }
    }
}

#[test]
fn a_block_of_decimals_is_summed_without_decoding() {
    let values: Vec<f64> = (0..BLOCK).map(|row| row as f64 / 10.0).collect();
    assert_eq!(encoded_sum(&encoded(&values), BLOCK), Some(52_377.6));
    assert_eq!(encoded_extrema(&encoded(&values), BLOCK), Some((0.0, 102.3)));
}

#[test]
fn decimals_of_fifteen_digits_need_no_exceptions() {
    let mut random = Random::new(1);
    let values: Vec<f64> = (0..8 * BLOCK)
        .map(|_| random.between(0, 9_999) as f64 / 100.0)
        .collect();
    // 14 bits hold ten thousand values.
    let bits = bits(&values);
    assert!(bits < 14.1, "{bits}");
}

#[test]
fn a_walk_in_hundredths_takes_the_bits_of_its_steps() {
    let bits = bits(&cents(16 * BLOCK, &mut Random::new(1)));
    assert!(bits < 8.3, "{bits}");
}

#[test]
fn counts_times_a_tenth_are_decimals_too() {
    let mut random = Random::new(1);
    let values: Vec<f64> = (0..BLOCK).map(|_| random.between(0, 1_000) as f64 * 0.1).collect();
    let bits = bits(&values);
    assert!(bits < 10.2, "{bits}");
}

#[test]
fn computed_doubles_lose_the_bits_that_they_share() {
    let mut random = Random::new(1);
    let values: Vec<f64> = (0..16 * BLOCK).map(|_| 50.0 + 10.0 * random.normal()).collect();
    let bits = bits(&values);
    assert!(bits < 55.5, "{bits}");
}

#[test]
fn computed_doubles_of_either_sign_lose_the_bits_that_they_share() {
    let mut random = Random::new(1);
    let values: Vec<f64> = (0..16 * BLOCK).map(|_| random.normal()).collect();
    let bits = bits(&values);
    assert!(bits < 58.0, "{bits}");
}

#[test]
fn a_few_nans_do_not_spoil_a_block() {
    let mut values = cents(BLOCK, &mut Random::new(1));
    let whole = encoded(&values).len();
    for value in values.iter_mut().step_by(100) {
        *value = f64::NAN;
    }
    assert!(encoded(&values).len() < whole + 60);
}

#[test]
fn a_constant_takes_a_dozen_bytes() {
    assert!(encoded(&[std::f64::consts::E; BLOCK]).len() <= 12);
    assert!(encoded(&[f64::NAN; BLOCK]).len() <= 12);
}

#[test]
fn cold_decimals_of_a_bell_curve_take_little_more_than_their_entropy() {
    // Hundredths with a deviation of 20: 6.4 bits.
    let mut random = Random::new(1);
    let values: Vec<f64> = (0..16 * BLOCK)
        .map(|_| (500.0 + 20.0 * random.normal()).round() / 100.0)
        .collect();
    let bytes: usize = values
        .chunks(BLOCK)
        .map(|block| encoded_as(block, Codecs::Cold).len())
        .sum();
    let bits = bytes as f64 * 8.0 / values.len() as f64;
    assert!(bits < 6.8, "{bits}");
}
