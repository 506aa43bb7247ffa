//! A part in the making: blocks column by column, then footers, runs and root.

use super::aggregates::{Aggregator, Encoded};
use super::array;
use super::block::{Block, Values};
use super::filters::{self, Filterer};
use super::footer::{Entry, Footer};
use super::header::{self, HEADER_BYTES, Identity, Key, Kind};
use super::root::{Root, RootColumn};
use super::runs::Runs;
use crate::codec::Codecs;
use crate::codec::fields::put_varint;
use crate::column::ColumnId;
use crate::column::packed::Physical;
use crate::column::schema::{ENTITY, TIME};

/// Bytes of a blob's payload at most, unless one block has more.
const BLOB_BYTES: usize = 512 << 10;
/// Aggregates take at most one in so many bytes of blocks.
const AGGREGATES_SHARE: u64 = 33;
/// A blob with so many bytes is closed at the end of a column; with fewer the next column shares it.
const SHARED_BYTES: usize = 64 << 10;

/// What the builder is told of a part; the rest it finds out.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Description {
    pub(in crate::store) store_id: u128,
    pub(in crate::store) identity: Identity,
    pub(in crate::store) tile: (i64, i64),
    pub(in crate::store) rows: u64,
    pub(in crate::store) l0: (u64, u64),
    pub(in crate::store) commit: u64,
    pub(in crate::store) schema_version: u64,
    pub(in crate::store) made_ns: i64,
    pub(in crate::store) codecs: Codecs,
}

/// A part in memory, to be written.
#[derive(Debug)]
pub(in crate::store) struct Built {
    /// Values in ascending order of key.
    pub(super) values: Vec<(Key, Vec<u8>)>,
    pub(in crate::store) identity: Identity,
    pub(in crate::store) root: Root,
    pub(in crate::store) root_crc: u32,
}

/// Takes columns one after the other: time, entity, then the others ascending.
#[derive(Debug)]
pub(in crate::store) struct Builder {
    about: Description,
    blobs: Vec<Vec<u8>>,
    footers: Vec<Footer>,
    codes: Vec<(ColumnId, Vec<u32>)>,
    runs: Runs,
    aggregator: Aggregator,
    /// By column: those that have any.
    aggregates: Vec<(ColumnId, Encoded)>,
    /// Of the column that was begun last, if it is of texts.
    filterer: Option<Filterer>,
    /// By column: those that have any.
    filters: Vec<(ColumnId, filters::Encoded)>,
}

impl Builder {
    pub(in crate::store) fn new(about: Description) -> Self {
        Self {
            about,
            blobs: vec![header::begin()],
            footers: Vec::new(),
            codes: Vec::new(),
            runs: Runs::default(),
            aggregator: Aggregator::default(),
            aggregates: Vec::new(),
            filterer: None,
            filters: Vec::new(),
        }
    }

    /// Begins a column.
    pub(in crate::store) fn column(&mut self, column: ColumnId, physical: Physical) {
        self.end_column();
        if column != TIME {
            self.aggregator.column(physical);
        }
        if self.open_blob().len() >= HEADER_BYTES + SHARED_BYTES {
            self.blobs.push(header::begin());
        }
        self.footers.push(Footer {
            column,
            physical,
            local_codes: false,
            has_sums: matches!(physical, Physical::F64 | Physical::I64) && column != TIME,
            blocks: Vec::with_capacity(self.about.rows.div_ceil(1_024) as usize),
            aggregates: Vec::new(),
            cells: 0,
            filters: Vec::new(),
        });
        self.filterer = (physical == Physical::Text).then(Filterer::default);
    }

    fn end_column(&mut self) {
        let encoded = self.aggregator.end_column();
        if let Some(footer) = self.footers.last().filter(|_| !encoded.is_empty()) {
            self.aggregates.push((footer.column, encoded));
        }
        if let (Some(filterer), Some(footer)) = (self.filterer.take(), self.footers.last_mut())
            && let Some(encoded) = filterer.finish(footer.data_bytes())
        {
            footer.cells = encoded.cells;
            self.filters.push((footer.column, encoded));
        }
    }

    /// Says that the codes of the column that was begun last are places in this list, whose first is 0.
    pub(in crate::store) fn local_codes(&mut self, codes: Vec<u32>) {
        let footer = self.footers.last_mut().expect("a column was begun");
        footer.local_codes = true;
        self.codes.push((footer.column, codes));
    }

    fn open_blob(&mut self) -> &mut Vec<u8> {
        self.blobs.last_mut().expect("one is always open")
    }

    /// Adds a block to the column that was begun last.
    pub(in crate::store) fn append(&mut self, block: &Block<'_>) {
        match &block.values {
            Values::I64(times) if self.footers.len() == 1 => self.aggregator.times(times),
            values => self.aggregator.block(values, block.valid.as_ref()),
        }
        if let Some(filterer) = &mut self.filterer {
            filterer.block(&block.hashes);
        }
        let open = self.open_blob().len();
        if open + block.bytes.len() > HEADER_BYTES + BLOB_BYTES && open > HEADER_BYTES {
            self.blobs.push(header::begin());
        }
        let number = self.blobs.len() as u32 - 1;
        let blob = self.open_blob();
        let facts = &block.facts;
        let entry = Entry {
            blob: number,
            offset: (blob.len() - HEADER_BYTES) as u32,
            length: block.bytes.len() as u32,
            crc: block.crc,
            nulls: facts.nulls,
            nans: facts.nans,
            least: facts.least,
            greatest: facts.greatest,
            sum: facts.sum.unwrap_or(0),
        };
        blob.extend_from_slice(&block.bytes);
        let footer = self.footers.last_mut().expect("a column was begun");
        footer.has_sums &= facts.sum.is_some();
        footer.blocks.push(entry);
    }

    /// Takes the rows of each entity, and the least and greatest time of all. Comes before the columns.
    pub(in crate::store) fn runs(&mut self, runs: Runs, times: (i64, i64)) {
        self.runs = runs;
        self.aggregator = Aggregator::new(&self.runs, times);
    }

    /// Leaves out the finest levels of aggregates that would take more than their share. Adds those of the entities, without which
    /// the others say nothing.
    fn choose_aggregates(&mut self) {
        let blocks: u64 = self.footers.iter().map(Footer::data_bytes).sum();
        let mut left = blocks / AGGREGATES_SHARE;
        let bytes = |number: usize| -> usize { self.aggregates.iter().map(|(_, encoded)| encoded[number].len()).sum() };
        let mut levels = 0;
        if !self.aggregates.is_empty() {
            left = left.saturating_sub(bytes(0) as u64);
            for level in 0..self.aggregator.levels() {
                let taken = (bytes(level + 1) + self.aggregator.level_bytes(level).len()) as u64;
                if taken > left {
                    break;
                }
                left -= taken;
                levels += 1;
            }
        }
        for (_, encoded) in &mut self.aggregates {
            encoded.truncate(levels + 1);
        }
        let of_entities = std::mem::take(&mut self.aggregator).finish(levels);
        if !of_entities.is_empty() {
            self.aggregates.insert(0, (ENTITY, of_entities));
        }
    }

    /// The part, its header filled in everywhere.
    ///
    /// # Panics
    /// If columns have not come in order, or without a row.
    pub(in crate::store) fn finish(mut self) -> Built {
        self.end_column();
        self.choose_aggregates();
        let about = self.about;
        assert!(about.rows > 0 && self.footers[0].column == TIME && self.footers[1].column == ENTITY);
        let mut values = Vec::new();
        let mut put = |kind: Kind, column: ColumnId, number: u32, mut value: Vec<u8>| {
            let key = header::key(kind, column, number);
            let crc = header::seal(&about.identity, key, &mut value);
            values.push((key, value));
            crc
        };
        let blobs = self.blobs.len() as u32;
        for (number, blob) in (0..).zip(self.blobs) {
            put(Kind::Blob, 0, number, blob);
        }
        for (column, encoded) in self.aggregates {
            let footer = self.footers.iter_mut().find(|footer| footer.column == column);
            let footer = footer.expect("a column was begun");
            for (number, payload) in (0..).zip(encoded) {
                let mut value = header::begin();
                value.extend_from_slice(&payload);
                footer.aggregates.push(put(Kind::Aggregates, column, number, value));
            }
        }
        for (column, encoded) in self.filters {
            let footer = self.footers.iter_mut().find(|footer| footer.column == column);
            let footer = footer.expect("a column was begun");
            for (number, payload) in (0..).zip(encoded.values) {
                let mut value = header::begin();
                value.extend_from_slice(&payload);
                footer.filters.push(put(Kind::Filters, column, number, value));
            }
        }
        let mut columns = Vec::with_capacity(self.footers.len());
        for footer in &self.footers {
            let mut value = header::begin();
            footer.encode(&mut value);
            columns.push(RootColumn {
                id: footer.column,
                physical: footer.physical,
                footer_crc: put(Kind::Footer, footer.column, 0, value),
                codes_crc: 0,
                bytes: footer.data_bytes(),
            });
        }
        for (column, codes) in &self.codes {
            let mut value = header::begin();
            put_varint(codes.len() as u64, &mut value);
            array::put_numbers(codes.iter().copied(), &mut value);
            let crc = put(Kind::Codes, *column, 0, value);
            columns
                .iter_mut()
                .filter(|found| found.id == *column)
                .for_each(|found| found.codes_crc = crc);
        }
        let mut value = header::begin();
        self.runs.encode(&mut value);
        let runs_crc = put(Kind::Runs, ENTITY, 0, value);
        let times = self.footers[0]
            .blocks
            .iter()
            .fold((i64::MAX, i64::MIN), |times, entry| {
                (times.0.min(entry.least as i64), times.1.max(entry.greatest as i64))
            });
        let number = |at: usize, bytes: usize| {
            about.identity[at..at + bytes]
                .iter()
                .fold(0, |all, &byte| all << 8 | u64::from(byte))
        };
        let root = Root {
            store_id: about.store_id,
            namespace: number(0, 4) as u32,
            stream: number(4, 4) as u32,
            part: number(8, 8),
            tile: about.tile,
            rows: about.rows,
            times,
            l0: about.l0,
            commit: about.commit,
            schema_version: about.schema_version,
            made_ns: about.made_ns,
            blobs,
            columns,
            runs_crc,
        };
        let mut value = header::begin();
        root.encode(&mut value);
        let root_crc = put(Kind::Root, 0, 0, value);
        values.sort_unstable_by_key(|(key, _)| *key);
        Built {
            values,
            identity: about.identity,
            root,
            root_crc,
        }
    }
}
