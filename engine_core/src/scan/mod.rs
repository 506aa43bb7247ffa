//! Rows of a stream, block by block: pruned by statistics, filtered, decoded late, cut into lanes.

pub mod block;
pub mod control;
pub mod filter;
pub mod mask;
pub mod pool;
pub mod strings;

use std::ops::Range;
use std::sync::Arc;

use crate::column::packed::Physical;
use crate::column::schema::TIME;
use crate::column::{BLOCK_ROWS, ColumnId};
use crate::error::{Error, Result};
use crate::store::{Rows, Snapshot};
use crate::time::TimeRange;

/// Rows of a lane at least; the lane ends with the block that reaches them.
pub const LANE_ROWS: u64 = 1 << 20;

/// Logical type of a column in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Doubles.
    F64,
    /// Integers.
    I64,
    /// Booleans.
    Bool,
    /// Unix nanoseconds.
    Timestamp,
    /// Strings, however they are stored.
    Text,
}

/// A column that a query reads.
#[derive(Clone, Debug)]
pub struct Column {
    /// Where it is stored; labels are read through the entity.
    pub stored: ColumnId,
    /// What its values are.
    pub data_type: Type,
    /// Code space of its texts.
    pub strings: Option<Arc<strings::Strings>>,
}

/// Blocks in a row to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Rows that they are of, by their place in the scan.
    pub source: usize,
    /// The blocks.
    pub blocks: Range<usize>,
}

/// The blocks that may have rows in a range: those of parts, then those of the tail, in order of arrival.
#[derive(Debug)]
pub struct Scan {
    /// Range of event time.
    pub range: TimeRange,
    /// Rows with such blocks.
    pub sources: Vec<Rows>,
    /// The blocks.
    pub runs: Vec<Run>,
    /// Rows of the blocks.
    pub rows: u64,
    /// Rows of blocks that lie inside the range whole.
    pub rows_inside: u64,
    /// Least and greatest time of the blocks, clipped to the range; none without blocks.
    pub times: Option<(i64, i64)>,
}

impl Scan {
    /// What of a snapshot a range may touch.
    ///
    /// # Errors
    /// Corrupt: a part that the range touches is damaged.
    pub fn new(snapshot: &Snapshot, range: TimeRange) -> Result<Self> {
        let mut scan = Self {
            range,
            sources: Vec::new(),
            runs: Vec::new(),
            rows: 0,
            rows_inside: 0,
            times: None,
        };
        // The greatest integer as an end is none. Nothing lies before the least one, which has no predecessor.
        let last = match range.end {
            i64::MIN => return Ok(scan),
            i64::MAX => i64::MAX,
            end => end - 1,
        };
        if range.start > last {
            return Ok(scan);
        }
        for part in snapshot.parts() {
            let (min, max) = part.times();
            if range.meets(min, max) {
                scan.add(Rows::Part(part.open()?, Arc::clone(part)), last)?;
            }
        }
        for batch in snapshot.batches() {
            if range.meets(batch.packed.min_time(), batch.packed.max_time()) {
                scan.add(Rows::Batch(Arc::clone(batch)), last)?;
            }
        }
        Ok(scan)
    }

    fn add(&mut self, rows: Rows, last: i64) -> Result<()> {
        let (range, source) = (self.range, self.sources.len());
        let (min, max) = rows.times();
        if range.covers(min, max) {
            self.runs.push(Run {
                source,
                blocks: 0..rows.blocks(),
            });
            self.rows += rows.rows() as u64;
            self.rows_inside += rows.rows() as u64;
            self.widen(min, max);
            self.sources.push(rows);
            return Ok(());
        }
        let before = self.runs.len();
        let times = rows.column(TIME).map_err(|error| rows.explain(error))?;
        let times = times.ok_or_else(|| Error::internal("rows without times"))?;
        for block in 0..rows.blocks() {
            let (min, max) = times.time_bounds(block);
            if !range.meets(min, max) {
                continue;
            }
            let in_block = rows.block_rows(block) as u64;
            self.rows += in_block;
            if range.covers(min, max) {
                self.rows_inside += in_block;
            }
            self.widen(min.max(range.start), max.min(last));
            match self.runs[before..].last_mut() {
                Some(run) if run.blocks.end == block => run.blocks.end += 1,
                _ => self.runs.push(Run {
                    source,
                    blocks: block..block + 1,
                }),
            }
        }
        if self.runs.len() > before {
            self.sources.push(rows);
        }
        Ok(())
    }

    fn widen(&mut self, min: i64, max: i64) {
        let times = self
            .times
            .map_or((min, max), |(least, greatest)| (least.min(min), greatest.max(max)));
        self.times = Some(times);
    }

    /// About how many rows a range may touch, without opening anything: of a part the share of its time that the range has.
    pub fn estimate(snapshot: &Snapshot, range: TimeRange) -> u64 {
        let mut rows = 0;
        for part in snapshot.parts() {
            let (min, max) = part.times();
            if range.covers(min, max) {
                rows += part.rows();
            } else if range.meets(min, max) {
                let span = min.abs_diff(max).max(1) as f64;
                let inside = min.max(range.start).abs_diff(max.min(range.end)) as f64;
                rows += (part.rows() as f64 * (inside / span).min(1.0)).ceil() as u64;
            }
        }
        for batch in snapshot.batches() {
            let packed = &batch.packed;
            if range.covers(packed.min_time(), packed.max_time()) {
                rows += packed.rows() as u64;
            } else if range.meets(packed.min_time(), packed.max_time()) {
                rows += (0..packed.blocks())
                    .filter(|&block| {
                        let (min, max) = packed.time_bounds(block);
                        range.meets(min, max)
                    })
                    .map(|block| packed.block_rows(block) as u64)
                    .sum::<u64>();
            }
        }
        rows
    }

    /// Cuts the blocks into lanes of at least `lane_rows` rows. Depends on the plan alone, never on the threads.
    pub fn lanes(&self, lane_rows: u64) -> Vec<Vec<Run>> {
        let lane_blocks = usize::try_from(lane_rows.div_ceil(BLOCK_ROWS as u64)).unwrap_or(usize::MAX);
        let (mut lanes, mut lane, mut rows) = (Vec::new(), Vec::<Run>::new(), 0);
        for run in &self.runs {
            let (source, mut start) = (&self.sources[run.source], run.blocks.start);
            while start < run.blocks.end {
                let missing = (lane_rows - rows).div_ceil(BLOCK_ROWS as u64);
                let end = run
                    .blocks
                    .end
                    .min(start + usize::try_from(missing).unwrap_or(lane_blocks).max(1));
                rows += (end - start - 1) as u64 * BLOCK_ROWS as u64 + source.block_rows(end - 1) as u64;
                lane.push(Run {
                    source: run.source,
                    blocks: start..end,
                });
                start = end;
                if rows >= lane_rows {
                    lanes.push(std::mem::take(&mut lane));
                    rows = 0;
                }
            }
        }
        if !lane.is_empty() {
            lanes.push(lane);
        }
        lanes
    }

    /// Whether any of the blocks stores this column as texts.
    pub fn has_texts(&self, stored: ColumnId) -> bool {
        self.sources
            .iter()
            .any(|rows| rows.physical(stored) == Some(Physical::Text))
    }
}

const _: () = assert!(BLOCK_ROWS == mask::BITS);
