//! Decoders on bytes that nobody wrote: they may answer anything, but neither panic nor read outside.

use super::samples::{BIT_SHAPES, FLOAT_SHAPES, INTEGER_SHAPES, Random, bits, blocks, floats, integers};
use crate::codec::bitpack::{unpack_u32, unpack_u64};
use crate::codec::{BLOCK, bitmap, floats as float_codec, integers as integer_codec};
use proptest::prelude::*;

/// Every way into the decoders.
fn decode_all(bytes: &[u8], rows: usize) {
    let _ = integer_codec::decode(bytes, rows, &mut [0; BLOCK]);
    let _ = integer_codec::decode_codes(bytes, rows, &mut [0; BLOCK]);
    let _ = (integer_codec::sum(bytes, rows), integer_codec::extrema(bytes, rows));
    let _ = float_codec::decode(bytes, rows, &mut [0.0; BLOCK]);
    let _ = (
        float_codec::encoded_sum(bytes, rows),
        float_codec::encoded_extrema(bytes, rows),
    );
    let _ = bitmap::decode(bytes, rows, &mut [0; 16]);
    let _ = bitmap::count_ones(bytes, rows);
}

/// Changes, cuts or lengthens the bytes in a few places, mostly near their front, where the fields are.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.next() % 4 {
        let len = bytes.len().max(1) as u64;
        let at = if random.next().is_multiple_of(4) {
            random.next() % len
        } else {
            random.next() % len.min(24)
        } as usize;
        match random.next() % 6 {
            0 => bytes.truncate(at),
            1 => bytes.push(random.next() as u8),
            2 => bytes.insert(at.min(bytes.len()), random.next() as u8),
            3 if at < bytes.len() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random.next() as usize % 5],
            4 if at < bytes.len() => bytes[at] = random.next() as u8,
            _ if at < bytes.len() => bytes[at] ^= 1 << (random.next() % 8),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn fuzz_random_bytes_are_refused_or_decoded(
        tag in prop_oneof![0u8..8, 15u8..20, 31u8..37, any::<u8>()],
        rest in prop::collection::vec(any::<u8>(), 0..600),
        rows in 0usize..=1100,
    ) {
        let bytes: Vec<u8> = std::iter::once(tag).chain(rest).collect();
        decode_all(&bytes, rows);
        let width = u32::from(tag);
        let _ = unpack_u32(&bytes, width, &mut [0; BLOCK]);
        let _ = unpack_u64(&bytes, width, &mut [0; BLOCK]);
    }

    #[test]
    fn fuzz_mutated_integers_are_refused_or_decoded((shape, rows, seed) in blocks(INTEGER_SHAPES), other in 0usize..=1100) {
        let mut bytes = Vec::new();
        integer_codec::encode(&integers(shape, rows, seed), &mut bytes);
        mutate(&mut bytes, &mut Random::new(seed));
        decode_all(&bytes, rows);
        decode_all(&bytes, other);
    }

    #[test]
    fn fuzz_mutated_doubles_are_refused_or_decoded((shape, rows, seed) in blocks(FLOAT_SHAPES), other in 0usize..=1100) {
        let mut bytes = Vec::new();
        float_codec::encode(&floats(shape, rows, seed), &mut bytes);
        mutate(&mut bytes, &mut Random::new(seed));
        decode_all(&bytes, rows);
        decode_all(&bytes, other);
    }

    #[test]
    fn fuzz_mutated_bits_are_refused_or_decoded((shape, rows, seed) in blocks(BIT_SHAPES), other in 0usize..=1100) {
        let mut bytes = Vec::new();
        bitmap::encode(&bits(shape, seed), rows, &mut bytes);
        mutate(&mut bytes, &mut Random::new(seed));
        decode_all(&bytes, rows);
        decode_all(&bytes, other);
    }
}

#[test]
fn fuzz_a_block_cut_anywhere_is_refused() {
    for shape in 0..INTEGER_SHAPES {
        let mut bytes = Vec::new();
        integer_codec::encode(&integers(shape, 700, 7), &mut bytes);
        for len in 0..bytes.len() {
            assert!(
                !integer_codec::decode(&bytes[..len], 700, &mut [0; BLOCK]),
                "shape {shape}, {len} bytes"
            );
        }
    }
}
