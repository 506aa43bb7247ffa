//! Parts that nobody wrote, with checksums that say somebody did: readers may answer anything or refuse, but neither panic, nor
//! read outside, nor take memory that the file's size does not bound.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::block::{Block, Valid, Values, first};
use super::bloom::text_hash;
use super::build::{Builder, Built, Description};
use super::cache::Cache;
use super::footer::Footer;
use super::header::{self, Kind};
use super::open::{Part, PartColumn};
use super::root::Root;
use super::runs::Runs;
use super::{array, file};
use crate::codec::Codecs;
use crate::codec::checksum::crc32c;
use crate::codec::fields::put_varint;
use crate::column::packed::Physical;
use crate::column::schema::{ENTITY, TIME};
use crate::column::{BLOCK_ROWS, ColumnId};

const ROWS: usize = 2 * BLOCK_ROWS + 300;
const ENTITIES: usize = 40;
const STORE: u128 = 7;
/// The column whose blocks have filters, its texts being long and different.
const FILTERED: ColumnId = 10;
const COLUMNS: [(ColumnId, Physical); 11] = [
    (TIME, Physical::I64),
    (ENTITY, Physical::Code),
    (2, Physical::F64),
    (3, Physical::I64),
    (4, Physical::Bool),
    (5, Physical::Code),
    (6, Physical::Text),
    (7, Physical::F64),
    (8, Physical::Text),
    (9, Physical::I64),
    (FILTERED, Physical::Text),
];

/// A part with every physical type, with nulls and without, and a list of codes.
fn build() -> Built {
    build_as(Codecs::Hot)
}

fn build_as(codecs: Codecs) -> Built {
    let mut builder = Builder::new(Description {
        store_id: STORE,
        identity: [1; 16],
        tile: (0, 1_000_000),
        rows: ROWS as u64,
        l0: (0, 3),
        commit: 9,
        schema_version: 1,
        made_ns: 5,
        codecs,
    });
    let runs = Runs::of((0..ROWS).map(|row| (row * ENTITIES / ROWS) as u32));
    builder.runs(runs, (0, ROWS as i64 * 10));
    for (column, physical) in COLUMNS {
        builder.column(column, physical);
        if column == 5 {
            builder.local_codes(vec![0, 3, 70_000, 70_001]);
        }
        for start in (0..ROWS).step_by(BLOCK_ROWS) {
            put_block(&mut builder, column, start, BLOCK_ROWS.min(ROWS - start), codecs);
        }
    }
    builder.finish()
}

fn put_block(builder: &mut Builder, column: ColumnId, start: usize, rows: usize, codecs: Codecs) {
    let numbers = start..start + rows;
    let mut some: Valid = first(rows);
    some.iter_mut().for_each(|word| *word &= 0xFFFF_F0FF_FFFF_0FF3);
    let texts: Vec<String> = numbers
        .clone()
        .map(|n| match column {
            6 => format!("a text {}", n % 9),
            FILTERED => format!(
                "{:032x}",
                (n as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
            ),
            _ => format!("{:x}", n * 7_919),
        })
        .collect();
    let (values, valid) = match column {
        TIME => (Values::I64(numbers.map(|n| n as i64 * 10).collect()), None),
        ENTITY => (
            Values::Code(numbers.map(|n| (n * ENTITIES / ROWS) as u32).collect()),
            None,
        ),
        2 => (Values::F64(numbers.map(|n| n as f64 / 8.0).collect()), Some(some)),
        3 => (Values::I64(numbers.map(|n| (n as i64).pow(3)).collect()), Some(some)),
        4 => (Values::Bool(some, rows), Some(some)),
        5 => (Values::Code(numbers.map(|n| (n % 4) as u32).collect()), None),
        // Mostly small numbers, which cold parts hold in fewer bits than others.
        9 => {
            let zeros = numbers.map(|n| i64::from((n * 7_919 % 1_021).trailing_zeros()));
            (Values::I64(zeros.collect()), None)
        }
        7 => (Values::F64(numbers.map(|n| (n as f64).sqrt().sin()).collect()), None),
        _ => (Values::Text(texts.iter().map(String::as_str).collect()), Some(some)),
    };
    builder.append(&Block::of(values, valid, codecs));
}

/// What is done to a value's payload.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, u8),
    Append(Vec<u8>),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<Index>(), prop_oneof![Just(0), Just(1), Just(0x7F), Just(0x80), Just(0xFF), any::<u8>()])
            .prop_map(|(at, byte)| Edit::Set(at, byte)),
        4 => (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        1 => any::<Index>().prop_map(Edit::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Edit::Append),
    ]
}

/// Edits the bytes; `near`: only the first so many, where the fields are.
fn apply(edits: &[Edit], near: usize, bytes: &mut Vec<u8>) {
    for edit in edits {
        let place = |at: &Index, len: usize| at.index(len.min(near).max(1));
        match edit {
            Edit::Set(at, byte) if !bytes.is_empty() => {
                let at = place(at, bytes.len());
                bytes[at] = *byte;
            }
            Edit::Flip(at, bit) if !bytes.is_empty() => {
                let at = place(at, bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Edit::Cut(at) => bytes.truncate(place(at, bytes.len())),
            Edit::Insert(at, byte) => bytes.insert(place(at, bytes.len()).min(bytes.len()), *byte),
            Edit::Append(more) => bytes.extend_from_slice(more),
            _ => {}
        }
    }
}

impl Built {
    fn payload(&self, kind: Kind, column: ColumnId, number: u32) -> Vec<u8> {
        let key = header::key(kind, column, number);
        let value = &self.values.iter().find(|(found, _)| *found == key).unwrap().1;
        header::open(&self.identity, key, value).unwrap().0.to_vec()
    }

    /// Puts a payload in the place of another, under a checksum of its own. Returns that.
    fn replace(&mut self, kind: Kind, column: ColumnId, number: u32, payload: &[u8]) -> u32 {
        let key = header::key(kind, column, number);
        let mut value = header::begin();
        value.extend_from_slice(payload);
        let crc = header::seal(&self.identity, key, &mut value);
        self.values.iter_mut().find(|(found, _)| *found == key).unwrap().1 = value;
        crc
    }

    fn footer(&self, at: usize) -> Footer {
        let column = &self.root.columns[at];
        let payload = self.payload(Kind::Footer, column.id, 0);
        Footer::decode(&payload, column.id, column.physical, ROWS).unwrap()
    }

    fn set_footer(&mut self, at: usize, payload: &[u8]) {
        let id = self.root.columns[at].id;
        self.root.columns[at].footer_crc = self.replace(Kind::Footer, id, 0, payload);
    }

    /// Makes the footers' checksums of blocks those of the bytes that are there.
    fn adopt_blocks(&mut self) {
        let blobs: Vec<Vec<u8>> = (0..self.root.blobs).map(|n| self.payload(Kind::Blob, 0, n)).collect();
        for at in 0..self.root.columns.len() {
            let mut footer = self.footer(at);
            for entry in &mut footer.blocks {
                let blob = blobs.get(entry.blob as usize);
                let bytes = blob.and_then(|blob| blob.get(entry.offset as usize..));
                if let Some(bytes) = bytes.and_then(|bytes| bytes.get(..entry.length as usize)) {
                    entry.crc = crc32c(bytes);
                }
            }
            let mut payload = Vec::new();
            footer.encode(&mut payload);
            self.set_footer(at, &payload);
        }
    }

    /// Makes a value of filters the one that the column's footer names.
    fn adopt_filters(&mut self, at: usize, number: u32, crc: u32) {
        let mut footer = self.footer(at);
        footer.filters[number as usize] = crc;
        let mut payload = Vec::new();
        footer.encode(&mut payload);
        self.set_footer(at, &payload);
    }

    fn adopt_root(&mut self) {
        let mut payload = Vec::new();
        self.root.encode(&mut payload);
        self.root_crc = self.replace(Kind::Root, 0, 0, &payload);
    }
}

/// A folder in memory where there is one: thousands of files are written.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Reads all there is to read of the file; says how much of it was refused, and how much was not.
fn read_all(built: &Built, folder: &Path) -> (usize, usize) {
    let path = folder.join("part.mdb");
    let bytes = file::write(built, &folder.join("part.new"), &path).unwrap();
    let (mut refused, mut read) = (0, 0);
    let cache = Arc::new(Cache::new(1 << 20));
    let Ok(part) = Part::open(&path, built.identity, bytes, built.root_crc, Arc::clone(&cache)) else {
        return (1, 0);
    };
    let mut note = |is_read: bool| if is_read { read += 1 } else { refused += 1 };
    note(part.verify(&mut |_| Ok(())).is_ok());
    match part.runs() {
        Ok(runs) => {
            note(true);
            for code in 0..ENTITIES as u32 + 2 {
                if let Some(rows) = runs.rows(code) {
                    assert!(rows.start < rows.end && rows.end as usize <= part.rows());
                }
            }
        }
        Err(_) => note(false),
    }
    for (id, physical) in part.columns() {
        match part.column(id) {
            Ok(Some(column)) => {
                note(true);
                match column.sieve(&[text_hash("a text"), text_hash(""), u64::MAX, 0]) {
                    Ok(Some(sieve)) => {
                        std::hint::black_box((0..part.blocks()).filter(|&block| sieve.may_have(block)).count());
                    }
                    Ok(None) => {}
                    Err(_) => note(false),
                }
                (0..part.blocks()).for_each(|block| note(read_block(&column, block, physical)));
            }
            _ => note(false),
        }
    }
    // Whatever it is, what is kept of it is no more than a part of so many bytes can have.
    assert!(cache.bytes() <= 1 << 20);
    (refused, read)
}

fn read_block(column: &PartColumn<'_>, block: usize, physical: Physical) -> bool {
    std::hint::black_box((column.stats(block), column.known_sum(block)));
    match physical {
        Physical::F64 => {
            let _ = column.encoded_sum_f64(block);
            column.decode_f64(block, &mut [0.0; BLOCK_ROWS]).is_ok()
        }
        Physical::I64 => {
            let _ = column.encoded_sum_i64(block);
            column.decode_i64(block, &mut [0; BLOCK_ROWS]).is_ok()
        }
        Physical::Bool => column.decode_bool(block, &mut [false; BLOCK_ROWS]).is_ok(),
        Physical::Code => column.decode_codes(block, &mut [0; BLOCK_ROWS]).is_ok(),
        Physical::Text => match column.decode_text(block) {
            Ok((Some(texts), validity)) => {
                let valid = (0..texts.rows()).filter(|&row| validity.get(row));
                std::hint::black_box(valid.map(|row| texts.get(row).chars().count()).sum::<usize>());
                true
            }
            Ok((None, _)) => true,
            Err(_) => false,
        },
    }
}

#[test]
fn a_part_as_it_was_built_is_read_whole() {
    let mut sizes = Vec::new();
    for codecs in [Codecs::Hot, Codecs::Cold] {
        let dir = folder();
        let mut built = build_as(codecs);
        let blocks = COLUMNS.len() * ROWS.div_ceil(BLOCK_ROWS);
        assert_eq!(read_all(&built, dir.path()), (0, 2 + COLUMNS.len() + blocks));
        sizes.push(built.root.columns.iter().map(|column| column.bytes).sum::<u64>());
        // So the means of the tests below change nothing by themselves.
        let crc = built.root_crc;
        built.adopt_blocks();
        built.adopt_root();
        assert_eq!(built.root_crc, crc);
    }
    assert!(sizes[1] < sizes[0], "{sizes:?}");
}

#[test]
fn a_root_with_more_rows_than_its_file_can_hold_is_refused_at_once() {
    let dir = folder();
    let mut built = build();
    built.root.rows = u32::MAX.into();
    built.adopt_root();
    assert_eq!(read_all(&built, dir.path()), (1, 0));
}

#[test]
fn a_list_of_more_codes_than_rows_is_refused_at_once() {
    let dir = folder();
    let mut built = build();
    // A million codes in two bytes a thousand.
    let codes: Vec<u32> = (0..1 << 20).collect();
    let mut payload = Vec::new();
    put_varint(codes.len() as u64, &mut payload);
    array::put_numbers(codes.iter().copied(), &mut payload);
    assert!(payload.len() < 16 << 10);
    let at = built.root.columns.iter().position(|column| column.id == 5).unwrap();
    built.root.columns[at].codes_crc = built.replace(Kind::Codes, 5, 0, &payload);
    built.adopt_root();
    assert_eq!(read_all(&built, dir.path()).0, 2, "the column, and so verify");
}

#[test]
fn a_filter_without_one_of_its_texts_is_found_by_verify() {
    let dir = folder();
    let at = COLUMNS.len() - 1;
    let mut built = build();
    let layout = built.footer(at).filter_layout().expect("filters");
    assert_eq!(layout.values(), 1);
    let whole = built.payload(Kind::Filters, FILTERED, 0);
    // A bit that is set for no text may be anything, one that is set may not be lost.
    for (byte, other) in whole
        .iter()
        .enumerate()
        .step_by(97)
        .filter(|(_, byte)| **byte != 0 && **byte != 0xFF)
    {
        for (changed, refused) in [(other & (other - 1), 1), (other | (other + 1), 0)] {
            let mut payload = whole.clone();
            payload[byte] = changed;
            let crc = built.replace(Kind::Filters, FILTERED, 0, &payload);
            built.adopt_filters(at, 0, crc);
            built.adopt_root();
            assert_eq!(read_all(&built, dir.path()).0, refused, "byte {byte}");
        }
    }
}

#[test]
fn filters_of_another_length_are_refused() {
    let dir = folder();
    let at = COLUMNS.len() - 1;
    let mut built = build();
    let mut payload = built.payload(Kind::Filters, FILTERED, 0);
    payload.push(0);
    let crc = built.replace(Kind::Filters, FILTERED, 0, &payload);
    built.adopt_filters(at, 0, crc);
    built.adopt_root();
    assert_eq!(read_all(&built, dir.path()).0, 2, "verify, and who looks for a text");
}

proptest! {
    #[test]
    fn fuzz_values_with_other_bytes_are_refused_or_read(
        at in any::<Index>(),
        edits in prop::collection::vec(edit(), 1..4),
        near in prop_oneof![Just(8usize), Just(40), Just(usize::MAX)],
    ) {
        let dir = folder();
        let mut built = build();
        let key = *at.get(&built.values.iter().map(|(key, _)| *key).collect::<Vec<_>>());
        let (column, number) = (u16::from_be_bytes([key[1], key[2]]), u32::from_be_bytes([key[3], key[4], key[5], key[6]]));
        let place = built.root.columns.iter().position(|found| found.id == column);
        let kinds = [Kind::Blob, Kind::Footer, Kind::Codes, Kind::Runs, Kind::Root, Kind::Filters];
        let kind = *kinds.iter().find(|kind| **kind as u8 == key[0]).unwrap();
        let mut payload = built.payload(kind, column, number);
        apply(&edits, near, &mut payload);
        let crc = built.replace(kind, column, number, &payload);
        match (kind, place) {
            (Kind::Blob, _) => built.adopt_blocks(),
            (Kind::Footer, Some(place)) => built.root.columns[place].footer_crc = crc,
            (Kind::Codes, Some(place)) => built.root.columns[place].codes_crc = crc,
            (Kind::Runs, _) => built.root.runs_crc = crc,
            (Kind::Filters, Some(place)) => built.adopt_filters(place, number, crc),
            _ => {}
        }
        if kind == Kind::Root {
            built.root_crc = crc;
        } else {
            built.adopt_root();
        }
        read_all(&built, dir.path());
    }

    #[test]
    fn fuzz_blocks_with_other_bytes_are_refused_or_read(
        column in 0..COLUMNS.len(),
        codecs in prop_oneof![Just(Codecs::Hot), Just(Codecs::Cold)],
        block in any::<Index>(),
        edits in prop::collection::vec(edit(), 1..4),
        near in prop_oneof![Just(8usize), Just(24), Just(usize::MAX)],
    ) {
        let dir = folder();
        let mut built = build_as(codecs);
        let entry = *block.get(&built.footer(column).blocks);
        let mut payload = built.payload(Kind::Blob, 0, entry.blob);
        let place = entry.offset as usize..(entry.offset + entry.length) as usize;
        let mut bytes = payload[place.clone()].to_vec();
        apply(&edits, near, &mut bytes);
        bytes.resize(place.len(), 0);
        payload[place].copy_from_slice(&bytes);
        built.replace(Kind::Blob, 0, entry.blob, &payload);
        built.adopt_blocks();
        built.adopt_root();
        read_all(&built, dir.path());
    }

    #[test]
    fn fuzz_footers_that_lie_are_refused_or_read(
        column in 0..COLUMNS.len(),
        lies in prop::collection::vec((any::<Index>(), 0u8..9, prop_oneof![0u64..4, 1_000u64..1_100, 0u64..(1 << 31), any::<u64>()]), 1..4),
        flags in prop::option::of((any::<bool>(), any::<bool>())),
    ) {
        let dir = folder();
        let mut built = build();
        let mut footer = built.footer(column);
        let mut cells = footer.cells;
        for (block, field, value) in lies {
            let at = block.index(footer.blocks.len());
            let entry = &mut footer.blocks[at];
            let small = (value & 0x7FFF_FFFF) as u32;
            match field {
                0 => entry.blob = small % 4,
                1 => entry.offset = small,
                2 => entry.length = small,
                3 => entry.nulls = (value % 1_026) as u16,
                4 => entry.nans = (value % 1_026) as u16,
                5 => entry.least = value,
                6 => entry.greatest = value,
                7 => cells = value as usize,
                _ => entry.sum = value,
            }
        }
        footer.cells = cells;
        if let Some((local_codes, has_sums)) = flags {
            (footer.local_codes, footer.has_sums) = (local_codes, has_sums);
            if local_codes && built.root.columns[column].codes_crc == 0 {
                // Another column's list, under a name that has none.
                built.root.columns[column].codes_crc = built.root.columns[5].codes_crc;
            }
        }
        let mut payload = Vec::new();
        footer.encode(&mut payload);
        built.set_footer(column, &payload);
        // Where the bytes are that it names: their checksum is right.
        if Footer::decode(&payload, footer.column, footer.physical, ROWS).is_some() {
            built.adopt_blocks();
        }
        built.adopt_root();
        read_all(&built, dir.path());
    }

    #[test]
    fn fuzz_roots_and_runs_that_lie_are_refused_or_read(
        rows in prop_oneof![1u64..5_000, any::<u64>()],
        blobs in prop::option::of(0u32..5),
        types in prop::collection::vec((0..COLUMNS.len(), 1u8..=5), 0..3),
        lengths in prop::collection::vec((any::<Index>(), any::<u32>()), 0..3),
        codes in prop::collection::vec((any::<Index>(), any::<u32>()), 0..3),
    ) {
        let dir = folder();
        let mut built = build();
        let mut runs = Runs::decode(&built.payload(Kind::Runs, ENTITY, 0), ROWS).unwrap();
        for (at, start) in lengths {
            let at = at.index(runs.starts.len());
            // What is written are differences: they may not be negative here.
            let (low, high) = (at.checked_sub(1).map_or(0, |at| runs.starts[at]), runs.starts.get(at + 1).copied());
            runs.starts[at] = low + start % (high.unwrap_or(u32::MAX) - low).max(1);
        }
        for (at, code) in codes {
            let at = at.index(runs.codes.len());
            runs.codes[at] = code;
        }
        let mut payload = Vec::new();
        runs.encode(&mut payload);
        built.root.runs_crc = built.replace(Kind::Runs, ENTITY, 0, &payload);
        built.root.rows = rows;
        built.root.blobs = blobs.unwrap_or(built.root.blobs);
        for (column, physical) in types {
            built.root.columns[column].physical = Physical::from_number(physical).unwrap();
        }
        built.adopt_root();
        read_all(&built, dir.path());
    }

    #[test]
    fn fuzz_any_bytes_are_no_root_and_no_runs(bytes in prop::collection::vec(any::<u8>(), 0..300), rows in 0usize..5_000) {
        let _ = Root::decode(&bytes);
        let _ = Runs::decode(&bytes, rows);
    }
}
