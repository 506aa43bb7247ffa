//! Pages: many texts in a row, in as little room as a frame takes. One byte for the layout, then how many texts there are (varint,
//! at least 1), their lengths, and what is left:
//!
//! | layout | what is left | for |
//! |---|---|---|
//! | 1 plain | the texts end to end | what nothing shrinks |
//! | 2 frame | the texts end to end as one Zstandard frame | what repeats |
//! | 3 places | the first bytes of the texts, then the second bytes of those that have one, and so on, as one Zstandard frame | numbered names, UUIDs |
//!
//! Lengths are, for each 1,024 of them (the last may be fewer), a varint length and an integer block (`integers`); in all they are at
//! most 1 GiB. Frames are as in `text`. Each text is UTF-8 by itself.

use std::borrow::Cow;

use super::fields::{Fields, put_varint};
use super::text::{MOST_BYTES, decompress, level};
use super::{BLOCK, Codecs, integers, zstandard};

const PLAIN: u8 = 1;
const FRAME: u8 = 2;
const PLACES: u8 = 3;

/// Encodes texts in the layout that takes least room.
///
/// # Panics
/// If there is none, or if they have more than [`MOST_BYTES`].
pub fn encode(texts: &[&str]) -> Vec<u8> {
    assert!(!texts.is_empty(), "a page has a text");
    let whole = texts.concat().into_bytes();
    assert!(whole.len() <= MOST_BYTES, "the texts of a page take at most 1 GiB");
    let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
    let mut best = (PLAIN, None);
    let mut most = whole.len();
    for (layout, bytes) in [(FRAME, &whole), (PLACES, &by_place(texts, whole.len()))] {
        // What saves nothing is no frame, so that an empty one cannot be either.
        if let Some(frame) = most
            .checked_sub(1)
            .and_then(|most| zstandard::compress(bytes, most, level(Codecs::Hot)))
        {
            most = frame.len();
            best = (layout, Some(frame));
        }
    }
    let mut out = vec![best.0];
    put_varint(texts.len() as u64, &mut out);
    let mut block = Vec::new();
    for lengths in lengths.chunks(BLOCK) {
        let lengths: Vec<i64> = lengths.iter().map(|&length| length as i64).collect();
        block.clear();
        integers::encode(&lengths, &mut block);
        put_varint(block.len() as u64, &mut out);
        out.extend_from_slice(&block);
    }
    out.extend_from_slice(best.1.as_ref().unwrap_or(&whole));
    out
}

/// Bytes of the texts by their place in them.
fn by_place(texts: &[&str], bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes);
    let mut rest: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    while !rest.is_empty() {
        rest.retain_mut(|text| match text.split_first() {
            Some((&first, others)) => {
                out.push(first);
                *text = others;
                true
            }
            None => false,
        });
    }
    out
}

/// Takes [`by_place`] back.
fn end_to_end(by_place: &[u8], bounds: &[u32]) -> Vec<u8> {
    let mut out = vec![0; by_place.len()];
    // Places that all texts have need no look at where each ends.
    let pairs = || bounds.windows(2).map(|pair| (pair[0], pair[1]));
    let all = pairs().map(|(start, end)| end - start).min().unwrap_or(0);
    let (texts, mut bytes) = (bounds.len() - 1, by_place.iter());
    for place in 0..all {
        for (&start, &byte) in bounds[..texts].iter().zip(bytes.by_ref()) {
            out[(start + place) as usize] = byte;
        }
    }
    let mut rest: Vec<(u32, u32)> = pairs().map(|(start, end)| (start + all, end)).collect();
    rest.retain(|(at, end)| at < end);
    while !rest.is_empty() {
        rest.retain_mut(|(at, end)| {
            out[*at as usize] = bytes.next().copied().unwrap_or(0);
            *at += 1;
            at < end
        });
    }
    out
}

/// A decoded page.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    text: Cow<'a, str>,
    /// Where each begins, then where the last ends.
    bounds: Vec<u32>,
}

impl Page<'_> {
    /// The texts, in order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        let pairs = self.bounds.windows(2);
        pairs.map(|pair| &self.text[pair[0] as usize..pair[1] as usize])
    }
}

/// Decodes a page; None if the bytes are none.
pub fn decode(bytes: &[u8]) -> Option<Page<'_>> {
    let mut fields = Fields::new(bytes);
    let layout = fields.byte()?;
    let count = usize::try_from(fields.varint()?).ok()?;
    let mut bounds = vec![0];
    let (mut lengths, mut end, mut left) = ([0; BLOCK], 0u32, count);
    while left > 0 {
        let rows = left.min(BLOCK);
        if !integers::decode(fields.nested()?, rows, &mut lengths) {
            return None;
        }
        for &length in &lengths[..rows] {
            end = u32::try_from(length)
                .ok()
                .and_then(|length| end.checked_add(length))
                .filter(|&end| end as usize <= MOST_BYTES)?;
            bounds.push(end);
        }
        left -= rows;
    }
    let text = match layout {
        PLAIN => Cow::Borrowed(str::from_utf8(fields.rest()).ok()?),
        FRAME => Cow::Owned(String::from_utf8(decompress(fields.rest(), end as usize)?).ok()?),
        PLACES => {
            let bytes = decompress(fields.rest(), end as usize)?;
            Cow::Owned(String::from_utf8(end_to_end(&bytes, &bounds)).ok()?)
        }
        _ => return None,
    };
    let sound =
        count > 0 && text.len() == end as usize && bounds.iter().all(|&bound| text.is_char_boundary(bound as usize));
    sound.then_some(Page { text, bounds })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round(texts: &[&str]) -> (u8, usize) {
        let bytes = encode(texts);
        let page = decode(&bytes).unwrap();
        assert_eq!(page.texts().collect::<Vec<_>>(), texts);
        (bytes[0], bytes.len())
    }

    #[test]
    fn each_layout_is_chosen_where_it_is_smallest() {
        assert_eq!(round(&["ada"]).0, PLAIN);
        assert_eq!(round(&["", ""]).0, PLAIN);
        let paths: Vec<String> = (0..3_000)
            .map(|i| format!("/shop/{}/", ["shoes", "hats", "gloves"][i * i % 3].repeat(i % 4)))
            .collect();
        assert_eq!(round(&paths.iter().map(String::as_str).collect::<Vec<_>>()).0, FRAME);
        let users: Vec<String> = (0..5_000u32)
            .map(|i| format!("user-{:07}", i * 7_919 % 9_999_991))
            .collect();
        let (layout, bytes) = round(&users.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(layout, PLACES);
        assert!(bytes < 4 * users.len(), "{bytes} bytes");
    }

    #[test]
    fn bytes_are_as_described() {
        // Two bytes each: a constant block of two bytes.
        let plain = [&[PLAIN, 3, 2, 0, 4], "abécd".as_bytes()].concat();
        assert_eq!(encode(&["ab", "é", "cd"]), plain);
        assert_eq!(by_place(&["ab", "", "é", "cde"], 7), b"a\xc3cb\xa9de");
        assert_eq!(end_to_end(b"a\xc3cb\xa9de", &[0, 2, 2, 4, 7]), "abécde".as_bytes());
    }

    #[test]
    fn what_is_no_page_is_refused() {
        let texts: Vec<String> = (0..2_000).map(|i| format!("user-{i}")).collect();
        let bytes = encode(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_none(), "cut at {end}");
        }
        assert!(decode(&[&bytes[..], &[0]].concat()).is_none());
        // No text, half a character, and a layout that is none.
        assert!(decode(&[PLAIN, 0]).is_none());
        let halves = encode(&["é"]);
        let mut split = encode(&["ab", "cd"]);
        split.truncate(split.len() - 4);
        split.extend_from_slice("aéd".as_bytes());
        assert!(decode(&halves[..halves.len() - 1]).is_none());
        assert!(decode(&split).is_none());
        assert!(decode(&[&[9], &bytes[1..]].concat()).is_none());
    }

    proptest! {
        #[test]
        fn texts_come_back(texts in prop::collection::vec("[a-c]{0,9}|\\PC{0,5}", 1..3_000)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let bytes = encode(&texts);
            let page = decode(&bytes).unwrap();
            prop_assert_eq!(page.texts().collect::<Vec<_>>(), texts);
        }

        #[test]
        fn any_bytes_are_a_page_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
