//! Blocks of texts in UTF-8: one byte for the codec, then
//!
//! | codec | what follows | for |
//! |---|---|---|
//! | 48 plain | lengths, then the texts end to end | short texts, and what nothing shrinks |
//! | 49 zstd | lengths, then the texts end to end as one Zstandard frame (RFC 8878) | what people and programs write |
//! | 50 dictionary | distinct texts, then places | few distinct texts |
//!
//! Lengths are an integer block (`integers`) behind its length (varint): of each text its bytes, 0 to 2³² − 1, in all at most
//! 1 GiB. What follows takes all bytes that are left. A frame names its content size, which is the sum of the lengths and not 0,
//! and no dictionary; ours have no checksum. Distinct texts are their number (varint, 1 to the rows) and, in order of first
//! appearance, a block of so many texts of codec 48 or 49 behind its length (varint); places are for each row that of its text
//! among them, from 0, an integer block that takes all bytes that are left.
//!
//! Each text is UTF-8 by itself. Texts at nulls mean nothing; empty ones take least room.

use std::borrow::Cow;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::fields::{Fields, put_varint};
use super::{BLOCK, Codecs, integers, zstandard};

const PLAIN: u8 = 48;
const ZSTD: u8 = 49;
const DICTIONARY: u8 = 50;

/// Most bytes of the texts of a block.
pub const MOST_BYTES: usize = 1 << 30;

/// Of Zstandard. The ninth saves an eighth more of URLs and log messages, in six times the time; which parts that are cold have.
pub(super) const fn level(codecs: Codecs) -> i32 {
    match codecs {
        Codecs::Hot => 3,
        Codecs::Cold => 19,
    }
}

/// Most bytes that a block of a frame holds, and what it takes at least (RFC 8878, 3.1.1.2).
const FRAME_BLOCK: usize = 128 << 10;
const FRAME_BLOCK_LEAST: usize = 4;

/// What a frame of so many bytes must save to be chosen.
const fn handicap_of(bytes: usize) -> usize {
    64 + bytes / 16
}

/// Appends the block in the codec that takes least room; between nearly equals, the faster. Never more than 51 bytes above four
/// for each text and the texts themselves.
///
/// # Panics
/// If there is no text or more than [`BLOCK`], or if they have more than [`MOST_BYTES`].
pub fn encode(texts: &[&str], out: &mut Vec<u8>) {
    encode_as(texts, Codecs::Hot, out);
}

/// [`encode`] in these codecs.
///
/// # Panics
/// As [`encode`].
pub fn encode_as(texts: &[&str], codecs: Codecs, out: &mut Vec<u8>) {
    let rows = texts.len();
    assert!((1..=BLOCK).contains(&rows), "a block has 1 to 1,024 values");
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    assert!(bytes <= MOST_BYTES, "the texts of a block take at most 1 GiB");
    let start = out.len();
    let Some((distinct, codes)) = distinct(texts) else {
        put_whole(texts, codecs, out);
        return;
    };
    let mut nested = Vec::new();
    let handicap = put_whole(&distinct, codecs, &mut nested);
    out.push(DICTIONARY);
    put_varint(distinct.len() as u64, out);
    put_varint(nested.len() as u64, out);
    out.extend_from_slice(&nested);
    integers::encode_codes_as(&codes, codecs, out);
    let cost = out.len() - start + handicap;
    // Less than a frame of all texts has against it, or than they take as they are, is not worth another try.
    if cost > handicap_of(bytes).min(bytes) {
        nested.clear();
        if put_whole(texts, codecs, &mut nested) + nested.len() < cost {
            out.truncate(start);
            out.extend_from_slice(&nested);
        }
    }
}

/// Distinct texts in order of first appearance and each row's place among them; none if most rows have their own.
fn distinct<'a>(texts: &[&'a str]) -> Option<(Vec<&'a str>, Vec<u32>)> {
    let most = texts.len() * 3 / 4;
    let (mut places, mut distinct) = (HashMap::with_capacity(64), Vec::new());
    let mut codes = Vec::with_capacity(texts.len());
    for &text in texts {
        codes.push(match places.entry(text) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(_) if distinct.len() == most => return None,
            Entry::Vacant(place) => {
                distinct.push(text);
                *place.insert(distinct.len() as u32 - 1)
            }
        });
    }
    Some((distinct, codes))
}

/// Appends the texts plain or, if that saves enough, as a frame. Answers its handicap.
fn put_whole(texts: &[&str], codecs: Codecs, out: &mut Vec<u8>) -> usize {
    let codec = out.len();
    out.push(PLAIN);
    let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
    let mut block = Vec::new();
    integers::encode_as(&lengths, codecs, &mut block);
    put_varint(block.len() as u64, out);
    out.extend_from_slice(&block);
    let head = out.len();
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
    let bytes = out.len() - head;
    let handicap = handicap_of(bytes);
    let Some(frame) = bytes
        .checked_sub(handicap)
        .and_then(|most| zstandard::compress(&out[head..], most, level(codecs)))
    else {
        return 0;
    };
    out[codec] = ZSTD;
    out.truncate(head);
    out.extend_from_slice(&frame);
    handicap
}

/// The content of a frame, if it has so many bytes.
pub(super) fn decompress(frame: &[u8], bytes: usize) -> Option<Vec<u8>> {
    // What so short a frame cannot hold is not worth the room.
    let sound = (1..=frame.len() / FRAME_BLOCK_LEAST * FRAME_BLOCK).contains(&bytes)
        && zstd_safe::get_frame_content_size(frame).is_ok_and(|size| size == Some(bytes as u64))
        && zstandard::is_one(frame);
    if !sound {
        return None;
    }
    let mut content = Vec::new();
    content.try_reserve_exact(bytes).ok()?;
    zstandard::decompress(frame, &mut content)?;
    (content.len() == bytes).then_some(content)
}

/// A decoded block.
#[derive(Clone, Debug)]
pub struct Texts<'a> {
    /// Distinct texts end to end; without a dictionary, those of the rows.
    text: Cow<'a, str>,
    /// Where each begins, then where the last ends.
    bounds: Vec<u32>,
    /// Each row's place among them; without a dictionary, it is the row.
    codes: Option<Vec<u32>>,
}

impl Texts<'_> {
    /// How many rows the block has.
    pub fn rows(&self) -> usize {
        self.codes.as_ref().map_or(self.bounds.len() - 1, Vec::len)
    }

    /// The text of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, row: usize) -> &str {
        self.text(self.code(row))
    }

    /// The texts that rows refer to: one a row or, if the block has a dictionary, fewer.
    pub fn distinct(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.bounds.len() - 1).map(|code| self.text(code))
    }

    /// The place of a row's text in [`Self::distinct`].
    ///
    /// # Panics
    /// If the block has a dictionary and no such row.
    pub fn code(&self, row: usize) -> usize {
        self.codes.as_ref().map_or(row, |codes| codes[row] as usize)
    }

    fn text(&self, code: usize) -> &str {
        &self.text[self.bounds[code] as usize..self.bounds[code + 1] as usize]
    }
}

/// Bytes of the texts of a block, of each row its own; only the lengths are read unless it has a dictionary. None if the bytes are
/// no such block.
pub fn plain_bytes(bytes: &[u8], rows: usize) -> Option<u64> {
    let mut fields = Fields::new(bytes);
    if fields.byte()? != DICTIONARY {
        return integers::sum(fields.nested()?, rows).and_then(|sum| sum.try_into().ok());
    }
    let texts = decode(bytes, rows)?;
    Some((0..rows).map(|row| texts.get(row).len() as u64).sum())
}

/// Decodes a block of so many rows; None if the bytes are no such block.
pub fn decode(bytes: &[u8], rows: usize) -> Option<Texts<'_>> {
    let mut fields = Fields::new(bytes);
    if fields.byte()? != DICTIONARY {
        return decode_whole(bytes, rows);
    }
    let count = fields.number(rows)?;
    let distinct = decode_whole(fields.nested()?, count)?;
    let mut codes = [0; BLOCK];
    if !integers::decode_codes(fields.rest(), rows, &mut codes) {
        return None;
    }
    let codes = codes[..rows].to_vec();
    codes.iter().all(|&code| (code as usize) < count).then_some(Texts {
        codes: Some(codes),
        ..distinct
    })
}

/// Decodes what [`put_whole`] wrote.
fn decode_whole(bytes: &[u8], rows: usize) -> Option<Texts<'_>> {
    let mut fields = Fields::new(bytes);
    let codec = fields.byte()?;
    let mut lengths = [0; BLOCK];
    if !integers::decode(fields.nested()?, rows, &mut lengths) {
        return None;
    }
    let mut bounds = Vec::with_capacity(rows + 1);
    let mut end = 0u32;
    bounds.push(end);
    for &length in &lengths[..rows] {
        end = u32::try_from(length)
            .ok()
            .and_then(|length| end.checked_add(length))
            .filter(|&end| end as usize <= MOST_BYTES)?;
        bounds.push(end);
    }
    let text = match codec {
        PLAIN => Cow::Borrowed(str::from_utf8(fields.rest()).ok()?),
        ZSTD => Cow::Owned(String::from_utf8(decompress(fields.rest(), end as usize)?).ok()?),
        _ => return None,
    };
    let sound = text.len() == end as usize && bounds.iter().all(|&bound| text.is_char_boundary(bound as usize));
    sound.then_some(Texts {
        text,
        bounds,
        codes: None,
    })
}
