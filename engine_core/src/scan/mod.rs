//! Rows of a stream, block by block: pruned by statistics, filtered, decoded late, cut into lanes.

pub mod block;
pub mod capture;
pub mod control;
pub mod derived;
pub mod filter;
pub mod marks;
pub mod mask;
pub mod outlook;
pub mod pattern;
pub mod pool;
pub mod strings;
pub mod tiers;

use std::ops::Range;
use std::sync::Arc;

use tiers::{Cover, Fates, Piece, Wanted};

use crate::column::packed::Physical;
use crate::column::schema::TIME;
use crate::column::{BLOCK_ROWS, ColumnId};
use crate::error::{Error, Result};
use crate::store::{ColumnRows, Part, PartHandle, Rows, Snapshot};
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
    /// What is made of its values, if they are not taken as they are.
    pub derived: Option<derived::Derived>,
}

/// Blocks in a row to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Rows that they are of, by their place in the scan.
    pub source: usize,
    /// The blocks.
    pub blocks: Range<usize>,
    /// All blocks in a row that they were cut out of.
    pub whole: Range<usize>,
}

/// The blocks that may have rows in a range: those of parts, then those of the tail, in order of arrival.
#[derive(Debug)]
pub struct Scan {
    /// Range of event time.
    pub range: TimeRange,
    /// Rows with such blocks.
    pub sources: Vec<Rows>,
    /// By source, what of it is taken.
    pub shares: Vec<Share>,
    /// The blocks.
    pub runs: Vec<Run>,
    /// Rows of the blocks.
    pub rows: u64,
    /// Rows of blocks that lie inside the range whole.
    pub rows_inside: u64,
    /// Least and greatest time of the blocks, clipped to the range; none without blocks.
    pub times: Option<(i64, i64)>,
    /// Rows of the range that are gone and that no rollup stands for.
    pub rows_unavailable: u64,
    /// What became of the rollups of parts in the range.
    pub fates: Vec<Fates>,
}

/// What of a source is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Rows in this range; of a rollup groups whose windows begin in it.
    pub range: TimeRange,
    /// Whether it is a rollup.
    pub is_rollup: bool,
}

impl Scan {
    /// What of a snapshot a range may touch; of parts with rollups these in place of rows where they tell what is wanted. Of parts only the rows of these entities, ascending codes, if there are some; the
    /// blocks hold others as well.
    ///
    /// # Errors
    /// Corrupt: a part that the range touches is damaged.
    pub fn new(
        snapshot: &Snapshot,
        range: TimeRange,
        entities: Option<&[u32]>,
        wanted: Option<&Wanted>,
    ) -> Result<Self> {
        let mut scan = Self {
            range,
            sources: Vec::new(),
            shares: Vec::new(),
            runs: Vec::new(),
            rows: 0,
            rows_inside: 0,
            times: None,
            rows_unavailable: 0,
            fates: Vec::new(),
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
        if !snapshot.rollups().is_empty() {
            let cover = Cover::of(snapshot, range, wanted)?;
            scan.rows_unavailable = cover.unavailable;
            scan.fates = cover.fates;
            for piece in cover.pieces {
                scan.add_piece(piece, entities)?;
            }
            scan.add_tail(snapshot)?;
            return Ok(scan);
        }
        let is_wanted = |part: &&Arc<PartHandle>| {
            let (min, max) = part.times();
            range.meets(min, max) && entities.is_none_or(|codes| has_any(codes, part.entities()))
        };
        let wanted = || snapshot.parts().iter().filter(is_wanted);
        wanted().for_each(|part| part.read_ahead());
        for part in wanted() {
            let opened = part.open()?;
            let all = 0..opened.blocks();
            let blocks = entities.map_or(Ok(vec![all]), |codes| blocks_of(&opened, codes));
            let blocks = blocks.map_err(|error| part.explain(&error))?;
            scan.add(Rows::Part(opened, Arc::clone(part)), &blocks, range)?;
        }
        scan.add_tail(snapshot)?;
        Ok(scan)
    }

    fn add_tail(&mut self, snapshot: &Snapshot) -> Result<()> {
        for batch in snapshot.batches() {
            if self.range.meets(batch.packed.min_time(), batch.packed.max_time()) {
                let all = 0..batch.packed.blocks();
                self.add(Rows::Batch(Arc::clone(batch)), &[all], self.range)?;
            }
        }
        Ok(())
    }

    /// Adds rows of a part, or a rollup in their place.
    fn add_piece(&mut self, piece: Piece, entities: Option<&[u32]>) -> Result<()> {
        let Rows::Part(part, handle) = &piece.rows else {
            return Err(Error::internal("a part that is none"));
        };
        if entities.is_some_and(|codes| !has_any(codes, handle.entities())) {
            return Ok(());
        }
        let all = 0..part.blocks();
        let blocks = entities.map_or(Ok(vec![all]), |codes| blocks_of(part, codes));
        let blocks = blocks.map_err(|error| handle.explain(&error))?;
        let Some(rolled) = piece.rolled else {
            return self.add(piece.rows, &blocks, piece.range);
        };
        let (source, before) = (self.sources.len(), self.times);
        let inside = self.rows_inside;
        self.add(piece.rows, &blocks, piece.range)?;
        self.times = before;
        // Blocks of a rollup say when windows begin, and how many of these there are.
        self.rows_inside = inside;
        if self.sources.len() > source {
            self.shares[source].is_rollup = true;
            self.widen(piece.times.0.max(self.range.start), piece.times.1);
            let is_whole = entities.is_none() && self.range.covers(piece.times.0, piece.times.1);
            if is_whole && (piece.range.start, piece.range.end) == (i64::MIN, i64::MAX) {
                self.rows_inside += rolled;
            }
        }
        Ok(())
    }

    /// By source whether it is a part, whose rows are in order, and no other source meets it in time.
    pub fn alone(&self) -> Vec<bool> {
        let mut order: Vec<(i64, i64, usize)> = Vec::new();
        order.extend(self.sources.iter().enumerate().map(|(at, rows)| {
            let (min, max) = rows.times();
            (min, max, at)
        }));
        order.sort_unstable();
        let mut alone: Vec<bool> = self.sources.iter().map(|rows| matches!(rows, Rows::Part(..))).collect();
        let (mut reached, mut by) = (i64::MIN, None);
        for (min, max, at) in order {
            if let Some(by) = by.filter(|_| min <= reached) {
                alone[by] = false;
                alone[at] = false;
            }
            if by.is_none() || max >= reached {
                (reached, by) = (max, Some(at));
            }
        }
        alone
    }

    /// Adds those of the given blocks that may have rows in the range.
    fn add(&mut self, rows: Rows, blocks: &[Range<usize>], range: TimeRange) -> Result<()> {
        let source = self.sources.len();
        let (min, max) = rows.times();
        let before = self.runs.len();
        if range.covers(min, max) {
            for blocks in blocks {
                let in_blocks = (blocks.len() * BLOCK_ROWS).min(rows.rows() - blocks.start * BLOCK_ROWS) as u64;
                self.rows += in_blocks;
                self.rows_inside += in_blocks;
                self.runs.push(Run {
                    source,
                    blocks: blocks.clone(),
                    whole: blocks.clone(),
                });
                self.widen(min, max);
            }
        } else if !blocks.is_empty() {
            let times = rows.column(TIME).map_err(|error| rows.explain(error))?;
            let times = times.ok_or_else(|| Error::internal("rows without times"))?;
            for block in blocks.iter().cloned().flatten() {
                self.add_block(&rows, &times, block, range);
            }
        }
        if self.runs.len() > before {
            self.sources.push(rows);
            self.shares.push(Share {
                range,
                is_rollup: false,
            });
        }
        Ok(())
    }

    /// Adds a block of rows that will be the next source.
    fn add_block(&mut self, rows: &Rows, times: &ColumnRows<'_>, block: usize, range: TimeRange) {
        let source = self.sources.len();
        let last = if range.end == i64::MAX { i64::MAX } else { range.end - 1 };
        let (min, max) = times.time_bounds(block);
        if !range.meets(min, max) {
            return;
        }
        let in_block = rows.block_rows(block) as u64;
        self.rows += in_block;
        if range.covers(min, max) {
            self.rows_inside += in_block;
        }
        self.widen(min.max(range.start), max.min(last));
        match self.runs.last_mut() {
            Some(run) if run.source == source && run.blocks.end == block => {
                run.blocks.end += 1;
                run.whole.end += 1;
            }
            _ => self.runs.push(Run {
                source,
                blocks: block..block + 1,
                whole: block..block + 1,
            }),
        }
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
                    whole: run.whole.clone(),
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

/// Whether one of the codes, which ascend, lies between these.
pub(crate) fn has_any(codes: &[u32], (least, greatest): (u32, u32)) -> bool {
    let next = codes.partition_point(|&code| code < least);
    codes.get(next).is_some_and(|&code| code <= greatest)
}

/// Blocks of a part with rows of these entities, apart and in order.
pub(crate) fn blocks_of(part: &Part, codes: &[u32]) -> Result<Vec<Range<usize>>> {
    let runs = part.runs()?;
    let mut all: Vec<Range<usize>> = Vec::new();
    for rows in codes.iter().filter_map(|&code| runs.rows(code)) {
        let blocks = rows.start as usize / BLOCK_ROWS..(rows.end as usize).div_ceil(BLOCK_ROWS);
        match all.last_mut() {
            Some(last) if blocks.start <= last.end => last.end = blocks.end.max(last.end),
            _ => all.push(blocks),
        }
    }
    Ok(all)
}

const _: () = assert!(BLOCK_ROWS == mask::BITS);
