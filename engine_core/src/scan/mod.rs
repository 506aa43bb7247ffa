//! Rows of a stream's tail, block by block: pruned by statistics, filtered, decoded late, cut into lanes.

pub mod block;
pub mod control;
pub mod filter;
pub mod mask;
pub mod pool;
pub mod strings;

use std::ops::Range;
use std::sync::Arc;

use crate::column::{BLOCK_ROWS, ColumnId};
use crate::store::{TailBatch, TailSnapshot};
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

/// A block to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Batch, by its place in the scan.
    pub batch: u32,
    /// Block of the batch.
    pub block: u32,
}

/// The blocks that may have rows in a range, in order of arrival.
#[derive(Debug)]
pub struct Scan {
    /// Range of event time.
    pub range: TimeRange,
    /// Batches with such blocks.
    pub batches: Vec<Arc<TailBatch>>,
    /// The blocks.
    pub blocks: Vec<BlockRef>,
    /// Rows of the blocks.
    pub rows: u64,
    /// Rows of blocks that lie inside the range whole.
    pub rows_inside: u64,
    /// Least and greatest time of the blocks, clipped to the range; none without blocks.
    pub times: Option<(i64, i64)>,
}

impl Scan {
    /// What of a snapshot a range may touch.
    pub fn new(snapshot: &TailSnapshot, range: TimeRange) -> Self {
        let mut scan = Self {
            range,
            batches: Vec::new(),
            blocks: Vec::new(),
            rows: 0,
            rows_inside: 0,
            times: None,
        };
        // The greatest integer as an end is none. Nothing lies before the least one, which has no predecessor.
        let last = match range.end {
            i64::MIN => return scan,
            i64::MAX => i64::MAX,
            end => end - 1,
        };
        if range.start > last {
            return scan;
        }
        for batch in snapshot.batches() {
            let packed = &batch.packed;
            if !range.meets(packed.min_time(), packed.max_time()) {
                continue;
            }
            let place = scan.batches.len() as u32;
            for block in 0..packed.blocks() {
                let (min, max) = packed.time_bounds(block);
                if !range.meets(min, max) {
                    continue;
                }
                let rows = packed.block_rows(block) as u64;
                scan.rows += rows;
                if range.covers(min, max) {
                    scan.rows_inside += rows;
                }
                let (min, max) = (min.max(range.start), max.min(last));
                scan.times = Some(
                    scan.times
                        .map_or((min, max), |(least, greatest)| (least.min(min), greatest.max(max))),
                );
                scan.blocks.push(BlockRef {
                    batch: place,
                    block: block as u32,
                });
            }
            if scan.blocks.last().is_some_and(|last| last.batch == place) {
                scan.batches.push(Arc::clone(batch));
            }
        }
        scan
    }

    /// Rows of the blocks a range may touch, without listing them.
    pub fn estimate(snapshot: &TailSnapshot, range: TimeRange) -> u64 {
        let mut rows = 0;
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

    /// Cuts the blocks into runs of at least `lane_rows` rows. Depends on the plan alone, never on the threads.
    pub fn lanes(&self, lane_rows: u64) -> Vec<Range<usize>> {
        let (mut lanes, mut start, mut rows) = (Vec::new(), 0, 0);
        for (at, block) in self.blocks.iter().enumerate() {
            rows += self.batches[block.batch as usize]
                .packed
                .block_rows(block.block as usize) as u64;
            if rows >= lane_rows {
                lanes.push(start..at + 1);
                (start, rows) = (at + 1, 0);
            }
        }
        if start < self.blocks.len() {
            lanes.push(start..self.blocks.len());
        }
        lanes
    }

    /// Whether any of the blocks stores this column as texts.
    pub fn has_texts(&self, stored: ColumnId) -> bool {
        self.batches.iter().any(|batch| {
            batch
                .packed
                .find(stored)
                .is_some_and(|at| batch.packed.physical(at) == crate::column::packed::Physical::Text)
        })
    }
}

const _: () = assert!(BLOCK_ROWS == mask::BITS);
