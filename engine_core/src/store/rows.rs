//! Rows wherever they lie: a batch of the tail, or a part. Both are blocks of 1,024 rows with statistics, decoded on demand.

use std::sync::Arc;

use super::manifest::PartHandle;
use super::part::{Ends, Level, Nodes, Part, PartColumn, Sieve};
use super::tail::TailBatch;
use crate::codec::integers::Points;
use crate::codec::text;
use crate::column::packed::{BlockStats, Physical, TextBlock, Validity};
use crate::column::{BLOCK_ROWS, ColumnId, PackedBatch};
use crate::error::{Error, Kind, Result};

/// Rows of a stream in one piece.
#[derive(Clone, Debug)]
pub enum Rows {
    /// A batch of the tail.
    Batch(Arc<TailBatch>),
    /// A part, with what the manifest says of it.
    Part(Arc<Part>, Arc<PartHandle>),
}

impl Rows {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.packed.rows(),
            Self::Part(part, _) => part.rows(),
        }
    }

    /// Number of blocks: all but the last have [`BLOCK_ROWS`] rows.
    pub fn blocks(&self) -> usize {
        self.rows().div_ceil(BLOCK_ROWS)
    }

    /// Rows of a block.
    pub fn block_rows(&self, block: usize) -> usize {
        BLOCK_ROWS.min(self.rows() - block * BLOCK_ROWS)
    }

    /// Least and greatest event time.
    pub fn times(&self) -> (i64, i64) {
        match self {
            Self::Batch(batch) => (batch.packed.min_time(), batch.packed.max_time()),
            Self::Part(part, _) => part.times(),
        }
    }

    /// How a column lies in them; none: null throughout.
    pub fn physical(&self, column: ColumnId) -> Option<Physical> {
        match self {
            Self::Batch(batch) => batch.packed.find(column).map(|at| batch.packed.physical(at)),
            Self::Part(part, _) => part.physical(column),
        }
    }

    /// Columns that are not null throughout, and how they lie.
    pub fn columns(&self) -> Vec<(ColumnId, Physical)> {
        match self {
            Self::Batch(batch) => {
                let packed = &batch.packed;
                (0..packed.columns())
                    .map(|at| (packed.column_id(at), packed.physical(at)))
                    .collect()
            }
            Self::Part(part, _) => part.columns(),
        }
    }

    /// A column, ready to be read; none: null throughout.
    ///
    /// # Errors
    /// Corrupt: the part is damaged.
    pub fn column(&self, column: ColumnId) -> Result<Option<ColumnRows<'_>>> {
        match self {
            Self::Batch(batch) => Ok(batch.packed.find(column).map(|at| ColumnRows::Batch(&batch.packed, at))),
            Self::Part(part, _) => Ok(part.column(column)?.map(ColumnRows::Part)),
        }
    }

    /// Says of damage what it means to whoever asked: which stream and range, and what to do.
    pub fn explain(&self, error: Error) -> Error {
        match self {
            Self::Part(_, handle) if error.kind() == Kind::Corrupt => handle.explain(&error),
            _ => error,
        }
    }
}

/// A column of [`Rows`].
#[derive(Clone, Debug)]
pub enum ColumnRows<'a> {
    /// Of a batch, by its place.
    Batch(&'a PackedBatch, usize),
    /// Of a part.
    Part(PartColumn<'a>),
}

/// Texts of a decoded block.
#[derive(Debug)]
pub enum Texts<'a> {
    /// Of a batch.
    Batch(TextBlock<'a>),
    /// Of a part; none where all are null.
    Part(Option<text::Texts<'a>>),
}

impl Texts<'_> {
    /// Text of a row of the block; empty at a null.
    pub fn get(&self, row: usize) -> &str {
        match self {
            Self::Batch(texts) => texts.get(row),
            Self::Part(texts) => texts.as_ref().map_or("", |texts| texts.get(row)),
        }
    }

    /// For each of so many rows whether its text passes, which of a text that rows share is asked once. At a null it means nothing.
    pub fn test(&self, rows: usize, passes: impl Fn(&str) -> bool) -> Vec<bool> {
        match self {
            Self::Part(Some(texts)) => {
                let answers: Vec<bool> = texts.distinct().map(passes).collect();
                (0..rows).map(|row| answers[texts.code(row)]).collect()
            }
            _ => (0..rows).map(|row| passes(self.get(row))).collect(),
        }
    }
}

impl<'a> ColumnRows<'a> {
    /// How it lies in memory.
    pub fn physical(&self) -> Physical {
        match self {
            Self::Batch(batch, at) => batch.physical(*at),
            Self::Part(column) => column.physical(),
        }
    }

    /// What is known of a block without decoding it.
    pub fn stats(&self, block: usize) -> BlockStats {
        match self {
            Self::Batch(batch, at) => batch.stats(*at, block),
            Self::Part(column) => column.stats(block),
        }
    }

    /// Least and greatest event time of a block of the column of times.
    pub fn time_bounds(&self, block: usize) -> (i64, i64) {
        let stats = self.stats(block);
        (stats.min as i64, stats.max as i64)
    }

    /// Sum of a block's values that are neither null nor NaN, kept beside it: bits of the physical type.
    pub fn known_sum(&self, block: usize) -> Option<u64> {
        match self {
            Self::Batch(..) => None,
            Self::Part(column) => column.known_sum(block),
        }
    }

    /// Has the system read a block that is about to be read, if it lies in a file.
    pub fn will_need(&self, block: usize) {
        if let Self::Part(column) = self {
            column.will_need(block);
        }
    }

    /// What is known at the ends of each entity's rows; none: nothing is.
    pub fn ends(&self) -> Result<Option<Arc<Ends>>> {
        match self {
            Self::Batch(..) => Ok(None),
            Self::Part(column) => column.ends(),
        }
    }

    /// What is known in each node of a level of its part; none: nothing is.
    pub fn nodes(&self, number: u32, level: &Level) -> Result<Option<Arc<Nodes>>> {
        match self {
            Self::Batch(..) => Ok(None),
            Self::Part(column) => column.nodes(number, level),
        }
    }

    /// Which blocks may have a text with one of these hashes, without decoding any; none: nobody can say.
    pub fn sieve(&self, hashes: &[u64]) -> Result<Option<Sieve>> {
        match self {
            Self::Batch(..) => Ok(None),
            Self::Part(column) => column.sieve(hashes),
        }
    }

    /// Rows of a block of texts that are not null; of a part without decoding the texts.
    pub fn text_validity(&self, block: usize) -> Result<Validity> {
        match self {
            Self::Batch(batch, at) => Ok(batch.decode_text(*at, block)?.1),
            Self::Part(column) => column.validity(block),
        }
    }

    /// Sum of a block of doubles without nulls and NaN within 2⁻⁵¹·Σ|x|, if it is to be had without decoding.
    pub fn encoded_sum_f64(&self, block: usize) -> Result<Option<f64>> {
        match self {
            Self::Batch(..) => Ok(None),
            Self::Part(column) => column.encoded_sum_f64(block),
        }
    }

    /// Exact sum of a block of integers without nulls, if it is to be had without decoding.
    pub fn encoded_sum_i64(&self, block: usize) -> Result<Option<i128>> {
        match self {
            Self::Batch(..) => Ok(None),
            Self::Part(column) => column.encoded_sum_i64(block),
        }
    }

    /// Sums of the stretches of a block of doubles without nulls and NaN, each within 2⁻⁵¹·Σ|x|, in place of what `sums` held; `whole` is
    /// room. A stretch begins where the one before ends. False if they are not to be had without decoding.
    pub fn stretch_sums_f64(
        &self,
        block: usize,
        ends: &[u32],
        whole: &mut Vec<i128>,
        sums: &mut Vec<f64>,
    ) -> Result<bool> {
        match self {
            Self::Batch(..) => Ok(false),
            Self::Part(column) => column.stretch_sums_f64(block, ends, whole, sums),
        }
    }

    /// Exact sums of the stretches of a block of integers without nulls, likewise.
    pub fn stretch_sums_i64(&self, block: usize, ends: &[u32], sums: &mut Vec<i128>) -> Result<bool> {
        match self {
            Self::Batch(..) => Ok(false),
            Self::Part(column) => column.stretch_sums_i64(block, ends, sums),
        }
    }

    /// Single values of a block of integers without nulls, if they are to be had without decoding all.
    pub fn points(&self, block: usize) -> Result<Option<Points<'a>>> {
        match self {
            Self::Batch(..) => Ok(None),
            Self::Part(column) => column.points(block),
        }
    }

    /// Decodes a block of integers, timestamps or event time; rows past the block's, and those that are null, are unspecified.
    pub fn decode_i64(&self, block: usize, out: &mut [i64; BLOCK_ROWS]) -> Result<Validity> {
        match self {
            Self::Batch(batch, at) => batch.decode_i64(*at, block, out),
            Self::Part(column) => column.decode_i64(block, out),
        }
    }

    /// Decodes a block of doubles.
    pub fn decode_f64(&self, block: usize, out: &mut [f64; BLOCK_ROWS]) -> Result<Validity> {
        match self {
            Self::Batch(batch, at) => batch.decode_f64(*at, block, out),
            Self::Part(column) => column.decode_f64(block, out),
        }
    }

    /// Decodes a block of booleans.
    pub fn decode_bool(&self, block: usize, out: &mut [bool; BLOCK_ROWS]) -> Result<Validity> {
        match self {
            Self::Batch(batch, at) => batch.decode_bool(*at, block, out),
            Self::Part(column) => column.decode_bool(block, out),
        }
    }

    /// Decodes a block of dictionary codes, 0 being null.
    pub fn decode_codes(&self, block: usize, out: &mut [u32; BLOCK_ROWS]) -> Result<()> {
        match self {
            Self::Batch(batch, at) => batch.decode_codes(*at, block, out),
            Self::Part(column) => column.decode_codes(block, out),
        }
    }

    /// Decodes a block of texts.
    pub fn decode_text(&self, block: usize) -> Result<(Texts<'a>, Validity)> {
        match self {
            Self::Batch(batch, at) => {
                let (texts, validity) = batch.decode_text(*at, block)?;
                Ok((Texts::Batch(texts), validity))
            }
            Self::Part(column) => {
                let (texts, validity) = column.decode_text(block)?;
                Ok((Texts::Part(texts), validity))
            }
        }
    }
}
