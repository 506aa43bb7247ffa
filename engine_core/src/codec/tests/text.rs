use super::samples::{Random, TEXT_SHAPES, blocks, log_messages, texts, urls, user_agents};
use crate::codec::BLOCK;
use crate::codec::text::{MOST_BYTES, decode, encode, plain_bytes};
use proptest::prelude::*;

fn encoded<T: AsRef<str>>(texts: &[T]) -> Vec<u8> {
    let texts: Vec<&str> = texts.iter().map(T::as_ref).collect();
    let mut bytes = vec![9];
    encode(&texts, &mut bytes);
    bytes.remove(0);
    let back = decode(&bytes, texts.len()).unwrap();
    assert_eq!(back.rows(), texts.len());
    let distinct: Vec<&str> = back.distinct().collect();
    for (row, &text) in texts.iter().enumerate() {
        assert_eq!(back.get(row), text, "row {row}");
        assert_eq!(distinct[back.code(row)], text, "row {row}");
    }
    bytes
}

/// Codec of a block, and how often the texts are as large as it.
fn ratio(texts: &[String]) -> (u8, f64) {
    let bytes = encoded(texts);
    let all: usize = texts.iter().map(String::len).sum();
    (bytes[0], all as f64 / bytes.len() as f64)
}

proptest! {
    #[test]
    fn texts_round_trip_and_never_take_more_than_plain((shape, rows, seed) in blocks(TEXT_SHAPES)) {
        let texts = texts(shape, rows, seed);
        let all: usize = texts.iter().map(String::len).sum();
        prop_assert!(encoded(&texts).len() <= all + 4 * rows + 51);
    }

    #[test]
    fn any_texts_round_trip(texts in prop::collection::vec(any::<String>(), 1..=BLOCK)) {
        encoded(&texts);
    }
}

#[test]
fn texts_alike_are_held_once() {
    for text in ["", "a", "ünï", &"long ".repeat(13_000)] {
        let bytes = encoded(&[text; BLOCK]);
        assert!(bytes.len() < text.len() + 16, "{} bytes", bytes.len());
        assert!(decode(&bytes, BLOCK).unwrap().distinct().len() == 1 || text.is_empty());
    }
}

#[test]
fn few_distinct_texts_take_the_bits_of_their_places() {
    let levels = ["DEBUG", "INFO", "WARNING", "ERROR"];
    let mut random = Random::new(1);
    let texts: Vec<&str> = (0..BLOCK).map(|_| levels[random.next() as usize % 4]).collect();
    let bytes = encoded(&texts);
    assert_eq!(bytes[0], 50);
    assert!(bytes.len() < BLOCK / 4 + 48, "{} bytes", bytes.len());
    assert_eq!(decode(&bytes, BLOCK).unwrap().distinct().len(), 4);
}

#[test]
fn what_people_and_programs_write_takes_a_fraction() {
    let mut random = Random::new(1);
    let (codec, urls) = ratio(&urls(BLOCK, &mut random));
    assert!(codec == 49 && urls > 4.5, "{codec}: {urls}");
    let (codec, agents) = ratio(&user_agents(BLOCK, &mut random));
    assert!(codec == 50 && agents > 70.0, "{codec}: {agents}");
    let (codec, messages) = ratio(&log_messages(BLOCK, &mut random));
    assert!(codec == 49 && messages > 3.0, "{codec}: {messages}");
}

#[test]
fn short_texts_stay_plain() {
    let texts = log_messages(3, &mut Random::new(1));
    assert_eq!(encoded(&texts)[0], 48);
}

#[test]
fn a_block_of_32_mib_round_trips() {
    let mut random = Random::new(1);
    let texts: Vec<String> = (0..BLOCK)
        .map(|_| log_messages(900, &mut random).concat().chars().take(32_768).collect())
        .collect();
    let (codec, ratio) = ratio(&texts);
    assert!(codec == 49 && ratio > 3.0, "{codec}: {ratio}");
}

/// A block of two texts of so many bytes in all.
fn block(codec: u8, lengths: [u8; 2], rest: &[u8]) -> Vec<u8> {
    [&[codec, 5, 1, 0, 1, lengths[0], lengths[1]], rest].concat()
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(1_000);
    zstd_safe::compress(&mut frame, bytes, 1).unwrap();
    frame
}

#[test]
fn texts_that_are_not_utf_8_each_are_refused() {
    assert!(decode(&block(48, [1, 2], "aé".as_bytes()), 2).is_some());
    assert!(decode(&block(48, [2, 1], "aé".as_bytes()), 2).is_none());
    assert!(decode(&block(48, [1, 2], b"a\xFFa"), 2).is_none());
    assert!(decode(&block(49, [1, 2], &frame("aé".as_bytes())), 2).is_some());
    assert!(decode(&block(49, [2, 1], &frame("aé".as_bytes())), 2).is_none());
    assert!(decode(&block(49, [1, 2], &frame(b"a\xFFa")), 2).is_none());
}

#[test]
fn a_frame_of_another_size_is_refused() {
    let sound = frame(b"abc");
    assert!(decode(&block(49, [1, 2], &sound), 2).is_some());
    assert!(decode(&block(49, [1, 1], &sound), 2).is_none());
    assert!(decode(&block(49, [1, 3], &sound), 2).is_none());
    assert!(decode(&block(49, [1, 2], &[&sound[..], &sound].concat()), 2).is_none());
    assert!(decode(&block(49, [1, 2], &[&sound[..], &[0]].concat()), 2).is_none());
    assert!(decode(&block(49, [0, 0], &frame(b"")), 2).is_none());
    // Frames that may be skipped hold nothing.
    assert!(decode(&block(49, [0, 0], &[0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]), 2).is_none());
}

#[test]
fn lengths_past_all_bounds_are_refused_before_there_is_room_for_them() {
    let rows_of = |length: i64, codec: u8, rest: &[u8]| {
        let (mut bytes, mut lengths) = (vec![codec], Vec::new());
        crate::codec::integers::encode(&[length; BLOCK], &mut lengths);
        bytes.push(lengths.len() as u8);
        bytes.extend(lengths);
        bytes.extend(rest);
        decode(&bytes, BLOCK).map(|texts| texts.get(BLOCK - 1).len())
    };
    for length in [-1, 1, MOST_BYTES as i64, u32::MAX.into(), i64::MAX, i64::MIN] {
        assert_eq!(rows_of(length, 48, b"a"), None);
        assert_eq!(rows_of(length, 49, &frame(b"a")), None);
    }
    // A frame that says 1 GiB and has one block: 4 bytes of header, 8 of size, a byte repeated 128 KiB times.
    let mut bomb = vec![0x28, 0xB5, 0x2F, 0xFD, 0xE0];
    bomb.extend((MOST_BYTES as u64).to_le_bytes());
    bomb.extend([0x03, 0x00, 0x10, b'a']);
    assert_eq!(rows_of(1 << 20, 49, &bomb), None);
    // Sound frames may hold much of the same.
    bomb[5..13].copy_from_slice(&(128u64 << 10).to_le_bytes());
    assert_eq!(rows_of(128, 49, &bomb), Some(128));
}

#[test]
fn places_past_the_distinct_texts_are_refused() {
    // One text, "ab", and places as whole bytes above 0.
    let block = |place: u8| [50, 1, 6, 48, 2, 0, 4, b'a', b'b', 1, 0, 1, 0, place];
    assert_eq!(decode(&block(0), 2).unwrap().get(1), "ab");
    assert!(decode(&block(1), 2).is_none());
    // More distinct texts than rows, none, and a dictionary in the dictionary.
    assert!(decode(&[50, 3, 5, 48, 2, 0, 0, 0, 0], 2).is_none());
    assert!(decode(&[50, 0, 4, 48, 2, 0, 0, 0, 0], 2).is_none());
    assert!(decode(&[50, 1, 10, 50, 1, 5, 48, 2, 0, 2, b'a', 0, 0, 0, 0], 2).is_none());
}

#[test]
fn plain_bytes_are_those_of_the_rows_texts_whatever_the_codec() {
    let mut random = Random::new(5);
    let few: Vec<String> = (0..900).map(|row| format!("text {}", row % 7)).collect();
    let blocks = [urls(900, &mut random), few, vec!["x".to_owned(), "yz".to_owned()]];
    let mut codecs = Vec::new();
    for texts in blocks {
        let bytes = encoded(&texts);
        codecs.push(bytes[0]);
        let all = texts.iter().map(|text| text.len() as u64).sum();
        assert_eq!(plain_bytes(&bytes, texts.len()), Some(all));
    }
    codecs.sort_unstable();
    assert_eq!(codecs, [48, 49, 50]);
    assert_eq!(plain_bytes(&[], 3), None);
    assert_eq!(plain_bytes(&[48, 2, 0, 1], 0), None);
}
