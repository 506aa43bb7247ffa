//! Blocks for readers that are not ours, such as `marigram inspect`: what was encoded, and into which bytes.
//! `cargo test --lib make_the_blocks -- --ignored` makes `tests/inspect/blocks.json` again; a layout that is no longer
//! written stays in it by hand. `MARIGRAM_BLOCKS=FILE` makes many more, elsewhere.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::samples::{BIT_SHAPES, FLOAT_SHAPES, INTEGER_SHAPES, TEXT_SHAPES, bits, floats, integers, texts};
use crate::codec::{self, Codecs, bitmap, checksum};

/// Rows of a block up to which its values are written out; of longer ones their checksum is.
const SHOWN: usize = 80;
/// A longer line is not for the repository.
const LONG: usize = 17_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// One line: the values as their bytes end to end (of texts with 0xFF behind each), or a crc32c of these.
fn line(kind: &str, rows: usize, block: &[u8], values: &[u8]) -> String {
    let values = if rows <= SHOWN {
        format!(r#""values": "{}""#, hex(values))
    } else {
        format!(r#""crc32c": {}"#, checksum::crc32c(values))
    };
    format!(
        r#"{{"kind": "{kind}", "rows": {rows}, "block": "{}", {values}}}"#,
        hex(block)
    )
}

/// A block in the codecs of hot parts, and one in those of cold ones if that is another.
fn in_each(encode: impl Fn(Codecs, &mut Vec<u8>)) -> impl Iterator<Item = Vec<u8>> {
    let [hot, cold] = [Codecs::Hot, Codecs::Cold].map(|codecs| {
        let mut block = Vec::new();
        encode(codecs, &mut block);
        block
    });
    let other = (cold != hot).then_some(cold);
    std::iter::once(hot).chain(other)
}

fn lines(rows: usize, seed: u64) -> Vec<String> {
    let mut lines = Vec::new();
    for shape in 0..INTEGER_SHAPES {
        let values = integers(shape, rows, seed);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        lines.extend(
            in_each(|codecs, block| codec::integers::encode_as(&values, codecs, block))
                .map(|block| line("integers", rows, &block, &bytes)),
        );
    }
    for shape in 0..FLOAT_SHAPES {
        let values = floats(shape, rows, seed);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        lines.extend(
            in_each(|codecs, block| codec::floats::encode_as(&values, codecs, block))
                .map(|block| line("floats", rows, &block, &bytes)),
        );
    }
    for shape in 0..BIT_SHAPES {
        let words = bits(shape, seed);
        let mut block = Vec::new();
        bitmap::encode(&words, rows, &mut block);
        let bytes: Vec<u8> = (0..rows).map(|row| (words[row / 64] >> (row % 64) & 1) as u8).collect();
        lines.push(line("bitmap", rows, &block, &bytes));
    }
    for shape in 0..TEXT_SHAPES {
        let values = texts(shape, rows, seed);
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|text| [text.as_bytes(), &[0xFF]].concat())
            .collect();
        lines.extend(
            in_each(|codecs, block| codec::text::encode_as(&texts, codecs, block))
                .map(|block| line("texts", rows, &block, &bytes)),
        );
    }
    lines
}

#[test]
#[ignore = "makes a file"]
fn make_the_blocks() {
    let (file, lines) = match env::var("MARIGRAM_BLOCKS") {
        Ok(file) => (
            file.into(),
            (0..200)
                .flat_map(|seed| lines([1_024, 1 + seed as usize * 5][seed as usize % 2], seed))
                .collect::<Vec<_>>(),
        ),
        Err(_) => (
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/inspect/blocks.json"),
            [(1, 3), (45, 5), (1_024, 8)]
                .into_iter()
                .flat_map(|(rows, seed)| lines(rows, seed))
                .filter(|line| line.len() < LONG)
                .collect(),
        ),
    };
    fs::write(file, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}
