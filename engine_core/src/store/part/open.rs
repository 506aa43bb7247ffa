//! An opened part: its file mapped, its root read, and the blocks of its columns decoded when they are asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::array;
use super::block::{self, Valid};
use super::cache::{Cache, Kept, What};
use super::damaged;
use super::footer::{Entry, Footer};
use super::header::{self, Identity, Kind};
use super::maps::Counted;
use super::root::{Root, RootColumn};
use super::runs::Runs;
use super::sieve::Checked;
use crate::codec::bitmap;
use crate::codec::checksum::crc32c;
use crate::codec::fields::Fields;
use crate::codec::integers::Points;
use crate::codec::{floats, integers, text};
use crate::column::packed::{BlockStats, Physical, Validity};
use crate::column::schema::{ENTITY, TIME};
use crate::column::{BLOCK_ROWS, ColumnId, NULL_CODE};
use crate::error::{Kind as ErrorKind, Result};
use crate::store::check::{Content, check_file};
use crate::store::fault;
use crate::store::sys::{self, Mapped};

/// Numbers of opened parts: a part that is closed and opened again has another one.
static OPENED: AtomicU64 = AtomicU64::new(0);

/// A part, opened. It stays readable for as long as anybody holds it, whatever becomes of its file's name.
#[derive(Debug)]
pub struct Part {
    pub(super) opened: u64,
    pub(super) identity: Identity,
    pub(super) root: Root,
    path: PathBuf,
    mapped: Mapped,
    _counted: Counted,
    pub(super) cache: Arc<Cache>,
}

impl Part {
    /// Opens a file after checking it; `root_crc` and `bytes` are what the record of the part says.
    pub(in crate::store) fn open(
        path: &Path,
        identity: Identity,
        bytes: u64,
        root_crc: u32,
        cache: Arc<Cache>,
    ) -> Result<Self> {
        let found =
            std::fs::symlink_metadata(path).map_err(|error| damaged(&identity, &format!("its file: {error}")))?;
        if !found.is_file() || found.len() != bytes {
            return Err(damaged(
                &identity,
                &format!("its file has {} bytes, not {bytes}", found.len()),
            ));
        }
        check_file(path, Content::Records)?;
        let mapped = Mapped::open(path, bytes as usize).map_err(|error| match fault::classify(error) {
            error if error.kind() == ErrorKind::LimitExceeded => error,
            error => damaged(&identity, &format!("its file cannot be mapped: {}", error.detail())),
        })?;
        let key = header::key(Kind::Root, 0, 0);
        let (payload, crc) = header::open(&identity, key, value(&mapped, &identity, &key)?)?;
        if crc != root_crc {
            return Err(damaged(&identity, "the root is not the one that was published"));
        }
        let root = Root::decode(payload).ok_or_else(|| damaged(&identity, "the root's content"))?;
        // Every block has a checksum of four bytes in its column's footer: what is read of so many rows is bounded by the file.
        if root.rows.div_ceil(BLOCK_ROWS as u64) * root.columns.len() as u64 > bytes / 4 {
            return Err(damaged(&identity, "more rows than its file can hold"));
        }
        let part = Self {
            opened: OPENED.fetch_add(1, Ordering::Relaxed),
            identity,
            root,
            path: path.to_owned(),
            mapped,
            _counted: cache.maps.count(bytes),
            cache,
        };
        // Blobs come first in the order of keys: a blob is found by its number from here on.
        let is_blob = |number: u32| part.mapped.key(number as usize) == Some(&header::key(Kind::Blob, 0, number)[..]);
        if !(0..part.root.blobs).all(is_blob) {
            return Err(damaged(&part.identity, "a blob is missing"));
        }
        Ok(part)
    }

    /// Rows of the part.
    pub fn rows(&self) -> usize {
        self.root.rows as usize
    }

    /// Blocks of each of its columns.
    pub fn blocks(&self) -> usize {
        self.rows().div_ceil(BLOCK_ROWS)
    }

    /// Rows of a block.
    pub fn block_rows(&self, block: usize) -> usize {
        BLOCK_ROWS.min(self.rows() - block * BLOCK_ROWS)
    }

    /// Least and greatest event time.
    pub fn times(&self) -> (i64, i64) {
        self.root.times
    }

    /// What it says of itself.
    pub(in crate::store) fn root(&self) -> &Root {
        &self.root
    }

    fn root_column(&self, column: ColumnId) -> Option<&RootColumn> {
        self.root.columns.iter().find(|found| found.id == column)
    }

    /// Its columns and how they lie.
    pub fn columns(&self) -> Vec<(ColumnId, Physical)> {
        self.root
            .columns
            .iter()
            .map(|column| (column.id, column.physical))
            .collect()
    }

    /// How a column lies in it; none: null throughout.
    pub fn physical(&self, column: ColumnId) -> Option<Physical> {
        self.root_column(column).map(|found| found.physical)
    }

    /// A value's payload, which must have this checksum.
    pub(super) fn payload(&self, kind: Kind, column: ColumnId, number: u32, crc: u32) -> Result<&[u8]> {
        let key = header::key(kind, column, number);
        let value = value(&self.mapped, &self.identity, &key)?;
        // Its checksum needs all of it: at once, not page by page.
        sys::will_need(value);
        let (payload, found) = header::open(&self.identity, key, value)?;
        if found != crc {
            return Err(damaged(&self.identity, "a value is not the one the root names"));
        }
        Ok(payload)
    }

    pub(super) fn load_footer(&self, column: &RootColumn) -> Result<Footer> {
        let payload = self.payload(Kind::Footer, column.id, 0, column.footer_crc)?;
        let footer = Footer::decode(payload, column.id, column.physical, self.rows());
        let footer = footer.ok_or_else(|| damaged(&self.identity, "a footer's content"))?;
        let inside = |entry: &Entry| {
            let blob = (entry.blob < self.root.blobs).then(|| self.mapped.value(entry.blob as usize));
            blob.is_some_and(|blob| header::HEADER_BYTES + (entry.offset + entry.length) as usize <= blob.len())
        };
        let is_sound = footer.blocks.iter().all(inside) && footer.local_codes == (column.codes_crc != 0);
        is_sound
            .then_some(footer)
            .ok_or_else(|| damaged(&self.identity, "a footer's content"))
    }

    fn load_codes(&self, column: &RootColumn) -> Result<Vec<u32>> {
        let mut fields = Fields::new(self.payload(Kind::Codes, column.id, 0, column.codes_crc)?);
        // Each occurs in a row, but for null.
        let codes = fields.number(self.rows() + 1).and_then(|n| {
            let codes = array::numbers(&mut fields, n, u32::MAX.into())?;
            Some(codes.into_iter().map(|code| code as u32).collect::<Vec<_>>())
        });
        let is_sound = |codes: &Vec<u32>| {
            fields.is_empty() && codes.first() == Some(&NULL_CODE) && codes.is_sorted_by(|left, right| left < right)
        };
        let codes = codes.filter(is_sound);
        codes.ok_or_else(|| damaged(&self.identity, "a list of codes"))
    }

    fn load_runs(&self) -> Result<Runs> {
        let runs = Runs::decode(self.payload(Kind::Runs, ENTITY, 0, self.root.runs_crc)?, self.rows());
        runs.ok_or_else(|| damaged(&self.identity, "the runs of entities"))
    }

    /// A column as its file has it now.
    fn load_column(&self, column: &RootColumn) -> Result<PartColumn<'_>> {
        let footer = Arc::new(self.load_footer(column)?);
        let codes = footer
            .local_codes
            .then(|| self.load_codes(column).map(Arc::new))
            .transpose()?;
        Ok(PartColumn {
            part: self,
            footer,
            codes,
        })
    }

    /// A column, ready to be read; none: null throughout.
    pub fn column(&self, column: ColumnId) -> Result<Option<PartColumn<'_>>> {
        let Some(found) = self.root_column(column) else {
            return Ok(None);
        };
        let kept = self.cache.get(self.opened, What::Footer(column), || {
            self.load_footer(found).map(|footer| Kept::Footer(Arc::new(footer)))
        })?;
        let Kept::Footer(footer) = kept else { return Ok(None) };
        let mut codes = None;
        if footer.local_codes
            && let Kept::Codes(kept) = self.cache.get(self.opened, What::Codes(column), || {
                self.load_codes(found).map(|codes| Kept::Codes(Arc::new(codes)))
            })?
        {
            codes = Some(kept);
        }
        Ok(Some(PartColumn {
            part: self,
            footer,
            codes,
        }))
    }

    /// Rows of each entity.
    pub fn runs(&self) -> Result<Arc<Runs>> {
        let load = || self.load_runs().map(|runs| Kept::Runs(Arc::new(runs)));
        let kept = self.cache.get(self.opened, What::Runs, load)?;
        match kept {
            Kept::Runs(runs) => Ok(runs),
            _ => Err(damaged(&self.identity, "the runs of entities")),
        }
    }

    /// Rows of an entity; none if it has none here.
    pub fn entity_rows(&self, code: u32) -> Result<Option<std::ops::Range<u32>>> {
        Ok(self.runs()?.rows(code))
    }

    /// Reads everything and checks it: headers, checksums, that blocks decode, that rows are in order. `read` is told the bytes of
    /// each value and block, and may wait or end the walk. Returns the number of blocks.
    pub(in crate::store) fn verify(&self, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<u64> {
        // A part that was dropped meanwhile stays readable, but has no file any more.
        if self.path.exists() {
            check_file(&self.path, Content::WholeRecords)?;
        }
        for number in 0..self.root.blobs {
            let key = header::key(Kind::Blob, 0, number);
            header::open(&self.identity, key, self.mapped.value(number as usize))?;
        }
        let mut blocks = 0;
        for column in &self.root.columns {
            // From the file, not from what is kept of it: that may be older than damage to it.
            let found = self.load_column(column)?;
            if found.footer.data_bytes() != column.bytes {
                return Err(damaged(&self.identity, "bytes of a column"));
            }
            let mut filters = found.check_filters(read)?;
            for block in 0..self.blocks() {
                read(found.footer.blocks[block].length.into())?;
                found.verify(block, &mut filters)?;
                blocks += 1;
            }
        }
        self.load_runs()?;
        self.verify_aggregates(read)?;
        self.verify_order(read)?;
        Ok(blocks)
    }

    /// Rows are ordered by entity, then time, and the runs say so.
    fn verify_order(&self, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        let runs = self.runs()?;
        let missing = || damaged(&self.identity, "time or entity is missing");
        let (times, entities) = (
            self.column(TIME)?.ok_or_else(missing)?,
            self.column(ENTITY)?.ok_or_else(missing)?,
        );
        let (mut time, mut code) = ([0; BLOCK_ROWS], [0; BLOCK_ROWS]);
        let (mut before, mut row, mut run) = (None, 0u32, 0);
        for block in 0..self.blocks() {
            read(0)?;
            times.decode_i64(block, &mut time)?;
            entities.decode_codes(block, &mut code)?;
            for (&time, &code) in time.iter().zip(&code).take(self.block_rows(block)) {
                run += usize::from(runs.starts.get(run + 1).is_some_and(|&next| next == row));
                if before > Some((code, time)) || runs.codes.get(run) != Some(&code) {
                    return Err(damaged(&self.identity, &format!("row {row} is out of order")));
                }
                before = Some((code, time));
                row += 1;
            }
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.cache.forget(self.opened);
    }
}

/// Id of the store that a file says it is a part of; none if it is no sound part of this identity.
pub(in crate::store) fn store_of(path: &Path, identity: Identity) -> Option<u128> {
    let found = std::fs::symlink_metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    check_file(path, Content::Records).ok()?;
    let mapped = Mapped::open(path, found.len() as usize).ok()?;
    let key = header::key(Kind::Root, 0, 0);
    let (payload, _) = header::open(&identity, key, value(&mapped, &identity, &key).ok()?).ok()?;
    Root::decode(payload).map(|root| root.store_id)
}

fn value<'a>(mapped: &'a Mapped, identity: &Identity, key: &[u8]) -> Result<&'a [u8]> {
    let found = mapped.find(key).map(|at| mapped.value(at));
    found.ok_or_else(|| damaged(identity, &format!("key {key:02x?}: missing")))
}

/// A column of an opened part.
#[derive(Clone, Debug)]
pub struct PartColumn<'a> {
    pub(super) part: &'a Part,
    pub(super) footer: Arc<Footer>,
    codes: Option<Arc<Vec<u32>>>,
}

impl<'a> PartColumn<'a> {
    /// How it lies in memory.
    pub fn physical(&self) -> Physical {
        self.footer.physical
    }

    /// What is known of a block without decoding it; codes are the stream's.
    pub fn stats(&self, block: usize) -> BlockStats {
        let mut stats = self.footer.stats(block);
        if let Some(codes) = &self.codes {
            let code = |place: u64| {
                codes
                    .get(place as usize)
                    .copied()
                    .map_or(u64::from(u32::MAX), u64::from)
            };
            (stats.min, stats.max) = (code(stats.min), code(stats.max));
        }
        stats
    }

    /// Sum of a block's values that are neither null nor NaN: bits of the physical type. None where it is not known.
    pub fn known_sum(&self, block: usize) -> Option<u64> {
        self.footer.has_sums.then(|| self.footer.blocks[block].sum)
    }

    fn damaged(&self, block: usize) -> crate::error::Error {
        damaged(
            &self.part.identity,
            &format!("column {}, block {block}", self.footer.column),
        )
    }

    /// A block's bytes, their checksum not compared.
    fn bytes(&self, block: usize) -> &'a [u8] {
        let entry = &self.footer.blocks[block];
        let blob = self.part.mapped.value(entry.blob as usize);
        &blob[header::HEADER_BYTES + entry.offset as usize..][..entry.length as usize]
    }

    /// Has the system read a block that is about to be read.
    pub fn will_need(&self, block: usize) {
        sys::will_need(self.bytes(block));
    }

    /// Where the column goes on in other blobs, has the next one read while this one is.
    fn read_ahead(&self, block: usize) {
        let blocks = &self.footer.blocks;
        let blob = blocks[block].blob;
        let is_first = block == 0 || blocks[block - 1].blob != blob;
        if is_first && blocks.last().is_some_and(|last| last.blob > blob) {
            self.part.mapped.will_need(blob as usize + 1);
        }
    }

    /// A block's bytes, their checksum compared.
    fn check(&self, block: usize) -> Result<&'a [u8]> {
        let bytes = self.bytes(block);
        self.read_ahead(block);
        if crc32c(bytes) == self.footer.blocks[block].crc {
            Ok(bytes)
        } else {
            Err(self.damaged(block))
        }
    }

    /// Checks a block by decoding it, and what the footer says of it.
    fn verify(&self, block: usize, filters: &mut Checked<'_>) -> Result<()> {
        match self.physical() {
            Physical::F64 => self.decode_f64(block, &mut [0.0; BLOCK_ROWS]).map(|_| ()),
            Physical::I64 => self.decode_i64(block, &mut [0; BLOCK_ROWS]).map(|_| ()),
            Physical::Bool => self.decode_bool(block, &mut [false; BLOCK_ROWS]).map(|_| ()),
            Physical::Code => self.decode_codes(block, &mut [0; BLOCK_ROWS]),
            Physical::Text => self.verify_texts(block, filters),
        }
    }

    /// What a block takes: its bytes, its nulls, and its encoded values without those nulls; none where all are null. Their
    /// checksum is not compared, so that no more of them is read than is looked at.
    pub(in crate::store) fn encoded(&self, block: usize) -> Result<(u64, u16, Option<&'a [u8]>)> {
        let (bytes, nulls) = (self.bytes(block), self.footer.blocks[block].nulls);
        let mut fields = Fields::new(bytes);
        if nulls > 0 && !bytes.is_empty() && self.physical() != Physical::Code {
            fields.nested().ok_or_else(|| self.damaged(block))?;
        }
        let values = Some(fields.rest()).filter(|values| !values.is_empty());
        Ok((bytes.len() as u64, nulls, values))
    }

    /// The error of a block whose bytes are not what was written.
    pub(in crate::store) fn broken(&self, block: usize) -> crate::error::Error {
        self.damaged(block)
    }

    pub(super) fn open(&self, block: usize) -> Result<(Validity, Option<&'a [u8]>)> {
        let (bytes, nulls) = (self.check(block)?, self.footer.blocks[block].nulls);
        let (valid, values) = block::open(bytes, self.part.block_rows(block), nulls, self.footer.physical)
            .ok_or_else(|| self.damaged(block))?;
        Ok(match (valid, values) {
            (_, None) => (Validity::None, None),
            (None, values) => (Validity::All, values),
            (Some(valid), values) => (Validity::Some(valid), values),
        })
    }

    fn decode<T>(
        &self,
        block: usize,
        out: &mut T,
        decode: impl FnOnce(&[u8], usize, &mut T) -> bool,
    ) -> Result<Validity> {
        let (validity, values) = self.open(block)?;
        match values {
            Some(values) if !decode(values, self.part.block_rows(block), out) => Err(self.damaged(block)),
            _ => Ok(validity),
        }
    }

    /// Decodes a block of doubles; rows past the block's, and those that are null, are unspecified.
    pub fn decode_f64(&self, block: usize, out: &mut [f64; BLOCK_ROWS]) -> Result<Validity> {
        self.decode(block, out, floats::decode)
    }

    /// Decodes a block of integers, timestamps or event time.
    pub fn decode_i64(&self, block: usize, out: &mut [i64; BLOCK_ROWS]) -> Result<Validity> {
        self.decode(block, out, integers::decode)
    }

    /// Decodes a block of booleans.
    pub fn decode_bool(&self, block: usize, out: &mut [bool; BLOCK_ROWS]) -> Result<Validity> {
        let mut bits: Valid = [0; bitmap::WORDS];
        let validity = self.decode(block, &mut bits, bitmap::decode)?;
        for (row, out) in out.iter_mut().enumerate() {
            *out = bits[row / 64] >> (row % 64) & 1 == 1;
        }
        Ok(validity)
    }

    /// Decodes a block of codes, 0 being null.
    pub fn decode_codes(&self, block: usize, out: &mut [u32; BLOCK_ROWS]) -> Result<()> {
        let validity = self.decode(block, out, integers::decode_codes)?;
        let rows = self.part.block_rows(block);
        if validity == Validity::None {
            out[..rows].fill(NULL_CODE);
        } else if let Some(codes) = &self.codes {
            for code in &mut out[..rows] {
                *code = *codes.get(*code as usize).ok_or_else(|| self.damaged(block))?;
            }
        }
        Ok(())
    }

    /// Decodes a block of texts; none where all are null.
    pub fn decode_text(&self, block: usize) -> Result<(Option<text::Texts<'a>>, Validity)> {
        let (validity, values) = self.open(block)?;
        let rows = self.part.block_rows(block);
        let texts = values.map(|values| text::decode(values, rows).ok_or_else(|| self.damaged(block)));
        Ok((texts.transpose()?, validity))
    }

    /// Sum of a block of doubles without nulls and NaN, if it is to be had without decoding; see [`floats::encoded_sum`].
    pub fn encoded_sum_f64(&self, block: usize) -> Result<Option<f64>> {
        let entry = &self.footer.blocks[block];
        if entry.nulls > 0 || entry.nans > 0 {
            return Ok(None);
        }
        Ok(floats::encoded_sum(self.check(block)?, self.part.block_rows(block)))
    }

    /// Sums of the stretches of a block of doubles, as for [`Self::encoded_sum_f64`]; see [`floats::encoded_stretch_sums`]. False if they
    /// are not to be had.
    pub fn stretch_sums_f64(
        &self,
        block: usize,
        ends: &[u32],
        whole: &mut Vec<i128>,
        sums: &mut Vec<f64>,
    ) -> Result<bool> {
        let entry = &self.footer.blocks[block];
        if entry.nulls > 0 || entry.nans > 0 {
            return Ok(false);
        }
        let (bytes, rows) = (self.check(block)?, self.part.block_rows(block));
        Ok(floats::encoded_stretch_sums(bytes, rows, ends, whole, sums).is_some())
    }

    /// Exact sums of the stretches of a block of integers; see [`integers::stretch_sums`]. False if it has nulls.
    pub fn stretch_sums_i64(&self, block: usize, ends: &[u32], sums: &mut Vec<i128>) -> Result<bool> {
        if self.footer.blocks[block].nulls > 0 {
            return Ok(false);
        }
        let found = integers::stretch_sums(self.check(block)?, self.part.block_rows(block), ends, sums);
        found.map(|()| true).ok_or_else(|| self.damaged(block))
    }

    /// Single values of a block of integers without nulls, if they are to be had without decoding all.
    pub fn points(&self, block: usize) -> Result<Option<Points<'a>>> {
        if self.footer.blocks[block].nulls > 0 {
            return Ok(None);
        }
        Ok(Points::read(self.check(block)?, self.part.block_rows(block)))
    }

    /// Exact sum of a block of integers without nulls.
    pub fn encoded_sum_i64(&self, block: usize) -> Result<Option<i128>> {
        if self.footer.blocks[block].nulls > 0 {
            return Ok(None);
        }
        let sum = integers::sum(self.check(block)?, self.part.block_rows(block));
        sum.map(Some).ok_or_else(|| self.damaged(block))
    }
}
