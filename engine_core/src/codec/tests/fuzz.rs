//! Decoders on bytes that nobody wrote: they may answer anything, but neither panic nor read outside.

use super::samples::{
    BIT_SHAPES, FLOAT_SHAPES, INTEGER_SHAPES, Random, TEXT_SHAPES, bits, blocks, floats, integers, texts,
};
use crate::codec::bitpack::{unpack_u32, unpack_u64};
use crate::codec::{BLOCK, Codecs, bitmap, floats as float_codec, integers as integer_codec, text};
use proptest::prelude::*;

/// Every way into the decoders.
fn decode_all(bytes: &[u8], rows: usize) {
    let mut values = [0; BLOCK];
    let is_delta = bytes.first() == Some(&3);
    if integer_codec::decode(bytes, rows, &mut values) && is_delta {
        let sum: i128 = values[..rows].iter().map(|&value| i128::from(value)).sum();
        assert_eq!(
            integer_codec::sum(bytes, rows),
            Some(sum),
            "the steps' sum is that of the values"
        );
    }
    if integer_codec::decode(bytes, rows, &mut values) && rows <= BLOCK {
        let ends = [rows as u32 / 3, rows as u32];
        let mut sums = Vec::new();
        assert!(integer_codec::stretch_sums(bytes, rows, &ends, &mut sums).is_some());
        if is_delta {
            let sum: i128 = values[..rows].iter().map(|&value| i128::from(value)).sum();
            assert_eq!(sums.iter().sum::<i128>(), sum, "sums of stretches add up");
        }
        if let Some(points) = integer_codec::Points::read(bytes, rows) {
            assert!((0..rows).all(|row| points.get(row) == values[row]));
        }
    }
    let _ = integer_codec::decode_codes(bytes, rows, &mut [0; BLOCK]);
    let _ = (integer_codec::sum(bytes, rows), integer_codec::extrema(bytes, rows));
    let _ = float_codec::decode(bytes, rows, &mut [0.0; BLOCK]);
    let _ = (
        float_codec::encoded_sum(bytes, rows),
        float_codec::encoded_extrema(bytes, rows),
    );
    let _ = bitmap::decode(bytes, rows, &mut [0; 16]);
    let _ = bitmap::count_ones(bytes, rows);
    if let Some(texts) = text::decode(bytes, rows) {
        let all: usize = (0..texts.rows()).map(|row| texts.get(row).chars().count()).sum();
        std::hint::black_box((all, texts.distinct().count()));
    }
}

fn encode_texts(shape: u8, rows: usize, seed: u64) -> Vec<u8> {
    let texts = texts(shape, rows, seed);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut bytes = Vec::new();
    text::encode(&texts, &mut bytes);
    bytes
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
        tag in prop_oneof![0u8..11, 15u8..20, 31u8..37, 47u8..52, any::<u8>()],
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
        for codecs in [Codecs::Hot, Codecs::Cold] {
            let mut bytes = Vec::new();
            integer_codec::encode_as(&integers(shape, rows, seed), codecs, &mut bytes);
            mutate(&mut bytes, &mut Random::new(seed));
            decode_all(&bytes, rows);
            decode_all(&bytes, other);
        }
    }

    #[test]
    fn fuzz_mutated_doubles_are_refused_or_decoded((shape, rows, seed) in blocks(FLOAT_SHAPES), other in 0usize..=1100) {
        for codecs in [Codecs::Hot, Codecs::Cold] {
            let mut bytes = Vec::new();
            float_codec::encode_as(&floats(shape, rows, seed), codecs, &mut bytes);
            mutate(&mut bytes, &mut Random::new(seed));
            decode_all(&bytes, rows);
            decode_all(&bytes, other);
        }
    }

    #[test]
    fn fuzz_mutated_bits_are_refused_or_decoded((shape, rows, seed) in blocks(BIT_SHAPES), other in 0usize..=1100) {
        let mut bytes = Vec::new();
        bitmap::encode(&bits(shape, seed), rows, &mut bytes);
        mutate(&mut bytes, &mut Random::new(seed));
        decode_all(&bytes, rows);
        decode_all(&bytes, other);
    }

    #[test]
    fn fuzz_mutated_texts_are_refused_or_decoded((shape, rows, seed) in blocks(TEXT_SHAPES), other in 0usize..=1100) {
        let mut bytes = encode_texts(shape, rows, seed);
        mutate(&mut bytes, &mut Random::new(seed));
        decode_all(&bytes, rows);
        decode_all(&bytes, other);
    }
}

#[test]
fn fuzz_a_block_cut_anywhere_is_refused() {
    for (shape, codecs) in (0..INTEGER_SHAPES).flat_map(|shape| [(shape, Codecs::Hot), (shape, Codecs::Cold)]) {
        let mut bytes = Vec::new();
        integer_codec::encode_as(&integers(shape, 700, 7), codecs, &mut bytes);
        for len in 0..bytes.len() {
            assert!(
                !integer_codec::decode(&bytes[..len], 700, &mut [0; BLOCK]),
                "shape {shape}, {codecs:?}, {len} bytes"
            );
        }
    }
}

#[test]
fn fuzz_texts_cut_anywhere_are_refused_and_changed_anywhere_refused_or_decoded() {
    for shape in 0..TEXT_SHAPES {
        // All places of a block with a long text are too many.
        let rows = if shape == 8 { 3 } else { 70 };
        let mut bytes = encode_texts(shape, rows, 7);
        let step = 1 + bytes.len() / 4_000;
        for at in (0..bytes.len()).step_by(step) {
            assert!(text::decode(&bytes[..at], rows).is_none(), "shape {shape}, {at} bytes");
            let was = bytes[at];
            for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                bytes[at] = was ^ mask;
                decode_all(&bytes, rows);
            }
            bytes[at] = was;
        }
    }
}
