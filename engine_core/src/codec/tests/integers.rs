use super::samples::{INTEGER_SHAPES, MILLISECOND, Random, SECOND, blocks, clock, integers, tsbs};
use crate::codec::integers::{Points, decode, decode_codes, encode_as, encode_codes_as, extrema, stretch_sums, sum};
use crate::codec::{BLOCK, Codecs};
use proptest::prelude::*;

fn encoded(values: &[i64]) -> Vec<u8> {
    encoded_as(values, Codecs::Hot)
}

fn encoded_as(values: &[i64], codecs: Codecs) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_as(values, codecs, &mut bytes);
    let mut back = [0; BLOCK];
    assert!(decode(&bytes, values.len(), &mut back));
    assert_eq!(&back[..values.len()], values);
    bytes
}

/// Bits a value over as many whole blocks.
fn bits(values: &[i64]) -> f64 {
    bits_as(values, Codecs::Hot)
}

fn bits_as(values: &[i64], codecs: Codecs) -> f64 {
    let bytes: usize = values.chunks(BLOCK).map(|block| encoded_as(block, codecs).len()).sum();
    bytes as f64 * 8.0 / values.len() as f64
}

proptest! {
    #[test]
    fn integers_round_trip_and_never_take_more_than_plain((shape, rows, seed) in blocks(INTEGER_SHAPES)) {
        let values = integers(shape, rows, seed);
        let hot = encoded(&values).len();
        prop_assert!(hot <= 8 * rows + 48);
        prop_assert!(encoded_as(&values, Codecs::Cold).len() <= hot);
    }

    #[test]
    fn sums_and_extrema_of_encoded_integers_are_those_of_decoded_ones((shape, rows, seed) in blocks(INTEGER_SHAPES)) {
        let values = integers(shape, rows, seed);
        for codecs in [Codecs::Hot, Codecs::Cold] {
            let bytes = encoded_as(&values, codecs);
            prop_assert_eq!(sum(&bytes, rows), Some(values.iter().map(|&value| i128::from(value)).sum()));
            let ends = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
            prop_assert_eq!(extrema(&bytes, rows), Some(ends));
        }
    }

    #[test]
    fn sums_of_stretches_are_those_of_their_rows(
        (shape, rows, seed) in blocks(INTEGER_SHAPES), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let values = integers(shape, rows, seed);
        let mut ends: Vec<u32> = cuts.iter().map(|cut| cut.index(rows + 1) as u32).chain([rows as u32]).collect();
        ends.sort_unstable();
        for codecs in [Codecs::Hot, Codecs::Cold] {
            let mut sums = vec![7];
            prop_assert!(stretch_sums(&encoded_as(&values, codecs), rows, &ends, &mut sums).is_some());
            let mut start = 0;
            for (sum, &end) in sums.iter().zip(&ends) {
                prop_assert_eq!(*sum, values[start..end as usize].iter().map(|&value| i128::from(value)).sum::<i128>());
                start = end as usize;
            }
            prop_assert_eq!(sums.len(), ends.len());
        }
    }

    #[test]
    fn single_values_are_those_of_the_block((shape, rows, seed) in blocks(INTEGER_SHAPES)) {
        let values = integers(shape, rows, seed);
        if let Some(points) = Points::read(&encoded(&values), rows) {
            for (row, &value) in values.iter().enumerate() {
                prop_assert_eq!(points.get(row), value);
            }
        }
    }

    #[test]
    fn codes_round_trip_and_never_take_more_than_plain((shape, rows, seed) in blocks(INTEGER_SHAPES)) {
        let codes: Vec<u32> = integers(shape, rows, seed).iter().map(|&value| value as u32).collect();
        for codecs in [Codecs::Hot, Codecs::Cold] {
            let mut bytes = Vec::new();
            encode_codes_as(&codes, codecs, &mut bytes);
            prop_assert!(bytes.len() <= 4 * rows + 48);
            let mut back = [0; BLOCK];
            prop_assert!(decode_codes(&bytes, rows, &mut back));
            prop_assert_eq!(&back[..rows], &codes[..]);
        }
    }
}

#[test]
fn a_steady_clock_takes_a_fraction_of_a_bit() {
    assert!(bits(&clock(8 * BLOCK, 10 * SECOND, 0, 1, &mut Random::new(1))) < 0.25);
}

#[test]
fn a_clock_with_jitter_takes_the_bits_of_the_jitter() {
    // Seven values, a reading each second that is up to 3 ms off: 3 bits.
    let bits = bits(&clock(8 * BLOCK, SECOND, 3, MILLISECOND, &mut Random::new(1)));
    assert!(bits < 3.3, "{bits}");
}

#[test]
fn times_of_short_series_one_after_the_other_stay_small() {
    let mut random = Random::new(1);
    let times: Vec<i64> = (0..40)
        .flat_map(|_| clock(205, SECOND, 3, MILLISECOND, &mut random))
        .collect();
    let bits = bits(&times);
    assert!(bits < 3.8, "{bits}");
}

#[test]
fn clocks_tell_single_values() {
    let mut random = Random::new(1);
    for jitter in [0, 3] {
        let times = clock(BLOCK, SECOND, jitter, MILLISECOND, &mut random);
        assert!(Points::read(&encoded(&times), BLOCK).is_some());
    }
}

#[test]
fn a_gap_in_a_steady_clock_costs_a_few_bytes() {
    let times = integers(9, BLOCK, 1);
    assert!(encoded(&times).len() < 40);
}

#[test]
fn loads_of_tsbs_take_the_bits_of_their_steps() {
    let bits = bits(&tsbs(16 * BLOCK, &mut Random::new(1)));
    assert!(bits < 3.5, "{bits}");
}

#[test]
fn codes_that_stay_for_long_take_almost_nothing() {
    let codes: Vec<i64> = (0..8192).map(|row| row / 300 * 7 % 11).collect();
    assert!(bits(&codes) < 0.3);
}

#[test]
fn few_distinct_values_take_the_bits_of_their_number() {
    let mut random = Random::new(1);
    let distinct: Vec<i64> = (0..5).map(|_| random.next() as i64 >> 20).collect();
    let values: Vec<i64> = (0..8192).map(|_| distinct[random.next() as usize % 5]).collect();
    let bits = bits(&values);
    assert!(bits < 3.5, "{bits}");
}

#[test]
fn cold_loads_of_tsbs_take_little_more_than_their_entropy() {
    // Steps of a normal walk cut to whole numbers: 2.2 bits.
    let values = tsbs(16 * BLOCK, &mut Random::new(1));
    let bits = bits_as(&values, Codecs::Cold);
    assert!(bits < 2.5, "{bits}");
    assert_eq!(encoded_as(&values[..BLOCK], Codecs::Cold)[0], 8);
}

#[test]
fn cold_codes_that_are_not_alike_take_fewer_bits_the_more_often_they_come() {
    // Half of them 0, a quarter 1, and so on: 2 bits.
    let mut random = Random::new(1);
    let codes: Vec<i64> = (0..16 * BLOCK).map(|_| random.next().trailing_zeros().into()).collect();
    let bits = bits_as(&codes, Codecs::Cold);
    assert!(bits < 2.3, "{bits}");
    assert_eq!(encoded_as(&codes[..BLOCK], Codecs::Cold)[0], 7);
}
