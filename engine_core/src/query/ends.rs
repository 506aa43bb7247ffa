//! First and last by entity over parts: of each entity's rows, which are ordered by time, what is kept of their ends is taken, or else
//! only the blocks at their ends are read.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::lane::Lane;
use super::plan::Plan;
use super::state::Keep;
use crate::aggregate::ends::Timed;
use crate::column::BLOCK_ROWS;
use crate::column::schema::TIME;
use crate::error::{Error, Result};
use crate::group::Grouper;
use crate::scan::Type;
use crate::scan::block::Values;
use crate::scan::control::Pace;
use crate::store::{ColumnRows, Ends, Part, Rows, Runs, TimeEnds};
use crate::time::TimeRange;

/// Greatest number of entities whose newest times are kept.
const MAX_NEWEST: u32 = 1 << 22;

/// For each entity a time at or before that of every last value found so far. Lanes share it: whatever order they run in, they leave
/// out only what would lose.
#[derive(Debug, Default)]
pub(super) struct Newest(Vec<AtomicI64>);

impl Newest {
    /// Kept where every state is a last.
    pub(super) fn new(plan: &Plan) -> Self {
        let is_last = plan.slots.iter().all(|slot| slot.keep == Keep::Last);
        let entities = plan.timed.and_then(|(_, entity)| plan.columns[entity].strings.as_ref());
        let known = entities.map_or(0, |strings| strings.known());
        let kept = if plan.reads_ends && is_last && known <= MAX_NEWEST {
            known
        } else {
            0
        };
        Self((0..kept).map(|_| AtomicI64::new(i64::MIN)).collect())
    }

    /// Whether lanes do least if the last of them runs first.
    pub(super) fn is_kept(&self) -> bool {
        !self.0.is_empty()
    }

    fn is_after(&self, entity: u32, time: i64) -> bool {
        let newest = self.0.get(entity as usize);
        newest.is_some_and(|newest| newest.load(Ordering::Relaxed) > time)
    }

    fn raise(&self, entity: u32, time: i64) {
        if let Some(newest) = self.0.get(entity as usize) {
            newest.fetch_max(time, Ordering::Relaxed);
        }
    }
}

/// Rows of one entity that lie in the range, and their group.
#[derive(Clone, Debug)]
struct EntityRows {
    code: u32,
    rows: Range<u32>,
    /// Its place among the entities of the part, if what is kept of their ends tells everything: these are all of its rows.
    whole: Option<usize>,
    group: u32,
}

/// What a part keeps of the ends of its entities' rows.
struct KeptEnds {
    runs: Arc<Runs>,
    times: Arc<TimeEnds>,
    slots: Vec<KeptSlot>,
}

/// What is kept for a state.
enum KeptSlot {
    /// Its column is null throughout.
    Nothing,
    /// It is of time itself.
    Times,
    Column(Arc<Ends>),
}

impl KeptEnds {
    /// Whether all rows of the entity at a place lie in the range.
    fn is_inside(&self, at: usize, range: TimeRange) -> bool {
        range.covers(self.times.first[at], self.times.last[at])
    }
}

impl<'a> Lane<'a> {
    /// Takes what first and last need of some blocks of a part.
    pub(super) fn run_ends(
        &mut self,
        pace: &mut Pace<'_>,
        source: &'a Rows,
        part: &Part,
        blocks: Range<usize>,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        self.reader.turn_to(source)?;
        let times = source
            .column(TIME)?
            .ok_or_else(|| Error::internal("rows without times"))?;
        self.times_of = None;
        let rows = (blocks.start * BLOCK_ROWS) as u32..(blocks.end * BLOCK_ROWS).min(part.rows()) as u32;
        self.count_nans(source, &times, &blocks)?;
        let (least, greatest) = part.times();
        let is_inside = self.range.covers(least, greatest);
        let runs = part.runs()?;
        // What rows of all these entities come later: then whoever found them has made their groups.
        let is_outdone = |(code, _)| self.newest.is_after(code, greatest);
        if is_inside && self.newest.is_kept() && runs.within(rows.clone()).all(is_outdone) {
            pace.count(rows.len() as u64);
            self.counts.matched += rows.len() as u64;
            return pace.step();
        }
        let kept = self.kept_ends(part, &runs)?;
        let mut entities = Vec::with_capacity(BLOCK_ROWS);
        let first = runs.place_of(rows.start);
        let mut runs = (first..).zip(runs.within(rows)).peekable();
        while let Some((at, (code, mut rows))) = runs.next() {
            let whole = kept.as_ref().filter(|kept| is_inside || kept.is_inside(at, self.range));
            let whole = whole.map(|_| at);
            if !is_inside && whole.is_none() {
                rows = self.inside(&times, rows)?;
            }
            if !rows.is_empty() {
                pace.count(u64::from(rows.end - rows.start));
                self.counts.matched += u64::from(rows.end - rows.start);
                let greatest = whole
                    .zip(kept.as_ref())
                    .map_or(greatest, |(at, kept)| kept.times.last[at]);
                // Whoever found what is newer has made its group.
                if !self.newest.is_after(code, greatest) {
                    entities.push(EntityRows {
                        code,
                        rows,
                        whole,
                        group: 0,
                    });
                }
            }
            if entities.len() == BLOCK_ROWS || runs.peek().is_none() {
                self.group_entities(&mut entities, groups, most)?;
                if let Some(kept) = &kept {
                    pace.step()?;
                    self.take_kept(&times, kept, &entities)?;
                }
                for entity in entities.drain(..).filter(|entity| entity.whole.is_none()) {
                    pace.step()?;
                    self.take_ends(&entity)?;
                }
            }
        }
        Ok(())
    }

    /// What the part keeps of the ends of its entities' rows; none: not all that states take.
    fn kept_ends(&self, part: &Part, runs: &Arc<Runs>) -> Result<Option<KeptEnds>> {
        let Some(times) = part.time_ends()?.filter(|_| !self.plan.no_footers) else {
            return Ok(None);
        };
        let mut slots = Vec::with_capacity(self.plan.slots.len());
        for slot in &self.plan.slots {
            let column = slot.column.map(|column| (column, self.plan.columns[column].stored));
            let Some((found, _)) = column.and_then(|(column, _)| self.reader.place(column)) else {
                slots.push(KeptSlot::Nothing);
                continue;
            };
            slots.push(match (column, found.ends()?) {
                (Some((_, TIME)), _) => KeptSlot::Times,
                (_, Some(ends)) => KeptSlot::Column(ends),
                (_, None) => return Ok(None),
            });
        }
        Ok(Some(KeptEnds {
            runs: Arc::clone(runs),
            times,
            slots,
        }))
    }

    /// Takes what is kept of the ends of entities' rows, if they are among these: other lanes have the others.
    fn take_kept(&mut self, times: &ColumnRows<'_>, kept: &KeptEnds, entities: &[EntityRows]) -> Result<()> {
        let mut earliest = [Some(i64::MAX); BLOCK_ROWS];
        for (slot, found) in kept.slots.iter().enumerate() {
            let is_last = self.plan.slots[slot].keep == Keep::Last;
            for (entity, earliest) in entities.iter().zip(&mut earliest) {
                let Some(at) = entity.whole else { continue };
                let run = kept.runs.rows_at(at);
                let (is_here, time) = if is_last {
                    (entity.rows.end == run.end, kept.times.last[at])
                } else {
                    (entity.rows.start == run.start, kept.times.first[at])
                };
                let (off, value) = match found {
                    KeptSlot::Nothing => (u32::MAX, 0),
                    KeptSlot::Times => (0, time as u64),
                    KeptSlot::Column(ends) if is_last => (ends.behind[at], ends.last[at]),
                    KeptSlot::Column(ends) => (ends.before[at], ends.first[at]),
                };
                if !is_here || off >= run.end - run.start {
                    *earliest = None;
                    continue;
                }
                let time = match off {
                    0 => time,
                    _ if is_last => self.time_of(times, run.end - 1 - off)?,
                    _ => self.time_of(times, run.start + off)?,
                };
                *earliest = earliest.map(|earliest| earliest.min(time));
                let value = Timed {
                    time,
                    entity: entity.code,
                    value,
                };
                self.states[slot].insert_timed(entity.group as usize, value)?;
            }
        }
        for (entity, earliest) in entities.iter().zip(earliest) {
            if let (Some(_), Some(earliest)) = (entity.whole, earliest) {
                self.newest.raise(entity.code, earliest);
            }
        }
        Ok(())
    }

    fn time_of(&mut self, times: &ColumnRows<'_>, row: u32) -> Result<i64> {
        let (block, rows) = local_rows(row..row + 1);
        self.read_times(times, block)?;
        Ok(self.times[rows.start])
    }

    /// Counts NaN among the rows of the blocks that lie in the range.
    fn count_nans(&mut self, source: &Rows, times: &ColumnRows<'_>, blocks: &Range<usize>) -> Result<()> {
        let mut columns: Vec<usize> = self.plan.slots.iter().filter_map(|slot| slot.column).collect();
        columns.sort_unstable();
        columns.dedup();
        for column in columns {
            let spec = &self.plan.columns[column];
            let Some(found) = source.column(spec.stored)?.filter(|_| spec.data_type == Type::F64) else {
                continue;
            };
            for block in blocks.clone() {
                let nans = found.stats(block).nans;
                if nans > 0 {
                    self.counts.nans[column] += self.nans_inside(column, times, block, nans.into())?;
                }
            }
        }
        Ok(())
    }

    /// Those of the NaN of a block that lie in the range.
    fn nans_inside(&mut self, column: usize, times: &ColumnRows<'_>, block: usize, nans: u64) -> Result<u64> {
        let (range, (least, greatest)) = (self.range, times.time_bounds(block));
        if range.covers(least, greatest) {
            return Ok(nans);
        }
        self.read_times(times, block)?;
        self.reader.stay_or_turn_to(block);
        let n = self.reader.rows();
        let found = self.reader.load(column)?;
        let Values::F64(values) = &found.values else {
            return Err(Error::internal("doubles of another type"));
        };
        let rows = values.iter().zip(&self.times[..]).take(n).enumerate();
        let is_counted = |&(row, (value, &time)): &(usize, (&f64, &i64))| {
            value.is_nan() && range.contains(time) && found.valid.get(row)
        };
        Ok(rows.filter(is_counted).count() as u64)
    }

    /// Of an entity's rows those in the range.
    fn inside(&mut self, times: &ColumnRows<'_>, rows: Range<u32>) -> Result<Range<u32>> {
        let TimeRange { start, end } = self.range;
        let first = self.rows_before(times, rows.clone(), start)?;
        // The greatest integer as an end is none.
        let end = match end {
            i64::MAX => rows.end,
            end => self.rows_before(times, first..rows.end, end)?,
        };
        Ok(first..end)
    }

    /// The first of an entity's rows at or behind a time.
    fn rows_before(&mut self, times: &ColumnRows<'_>, rows: Range<u32>, bound: i64) -> Result<u32> {
        let mut next = rows.start;
        while next < rows.end {
            let (block, local) = local_rows(next..rows.end);
            let (least, greatest) = times.time_bounds(block);
            if least >= bound {
                break;
            }
            let mut before = local.len();
            if greatest >= bound {
                self.read_times(times, block)?;
                before = self.times[local.clone()].partition_point(|&time| time < bound);
            }
            next += before as u32;
            if before < local.len() {
                break;
            }
        }
        Ok(next)
    }

    fn group_entities(&mut self, entities: &mut [EntityRows], groups: &mut Grouper, most: u64) -> Result<()> {
        let (mut codes, mut numbers) = ([0; BLOCK_ROWS], [0; BLOCK_ROWS]);
        for (code, entity) in codes.iter_mut().zip(&*entities) {
            *code = entity.code;
        }
        let n = entities.len();
        if let Some(strings) = &self.plan.columns[self.plan.keys[0].column].strings {
            strings.translate(&mut codes[..n])?;
        }
        groups.assign(&[&codes.map(u64::from)], &mut numbers[..n], most)?;
        for (entity, group) in entities.iter_mut().zip(numbers) {
            entity.group = group;
        }
        self.grow(groups.len());
        Ok(())
    }

    fn take_ends(&mut self, entity: &EntityRows) -> Result<()> {
        let (mut earliest, mut is_complete) = (i64::MAX, true);
        for slot in 0..self.plan.slots.len() {
            match self.end_of(slot, entity)? {
                Some(value) => {
                    earliest = earliest.min(value.time);
                    self.states[slot].insert_timed(entity.group as usize, value)?;
                }
                None => is_complete = false,
            }
        }
        if is_complete {
            self.newest.raise(entity.code, earliest);
        }
        Ok(())
    }

    /// The first or last value of an entity that is neither null nor NaN.
    fn end_of(&mut self, slot: usize, entity: &EntityRows) -> Result<Option<Timed>> {
        let slot = self.plan.slots[slot];
        let column = slot
            .column
            .ok_or_else(|| Error::internal("first and last of no column"))?;
        let (time, _) = self
            .plan
            .timed
            .ok_or_else(|| Error::internal("first and last without times"))?;
        let mut rows = entity.rows.clone();
        while !rows.is_empty() {
            let (block, local) = if slot.keep == Keep::Last {
                last_rows(rows.clone())
            } else {
                local_rows(rows.clone())
            };
            self.reader.stay_or_turn_to(block);
            if let Some(row) = self.end_in_block(column, slot.keep, local.clone())? {
                let value = bits(&self.reader.load(column)?.values, row);
                let Values::I64(times) = &self.reader.load(time)?.values else {
                    return Err(Error::internal("time of another type"));
                };
                return Ok(Some(Timed {
                    time: times[row],
                    entity: entity.code,
                    value,
                }));
            }
            if slot.keep == Keep::Last {
                rows.end -= local.len() as u32;
            } else {
                rows.start += local.len() as u32;
            }
        }
        Ok(None)
    }

    fn end_in_block(&mut self, column: usize, keep: Keep, rows: Range<usize>) -> Result<Option<usize>> {
        let Some((found, block)) = self.reader.place(column) else {
            return Ok(None);
        };
        let stats = found.stats(block);
        if (stats.nulls + stats.nans) as usize >= self.reader.rows() {
            return Ok(None);
        }
        let found = self.reader.load(column)?;
        let is_there = |row: &usize| {
            let is_nan = matches!(&found.values, Values::F64(values) if values[*row].is_nan());
            found.valid.get(*row) && !is_nan
        };
        Ok(match keep {
            Keep::Last => rows.rev().find(is_there),
            _ => rows.into_iter().find(is_there),
        })
    }
}

/// Of rows in one piece, those of the first block they touch, and the block.
fn local_rows(rows: Range<u32>) -> (usize, Range<usize>) {
    let (start, end) = (rows.start as usize, rows.end as usize);
    let block = start / BLOCK_ROWS;
    let first = block * BLOCK_ROWS;
    (block, start - first..(end - first).min(BLOCK_ROWS))
}

/// Those of the last block they touch.
fn last_rows(rows: Range<u32>) -> (usize, Range<usize>) {
    let (start, end) = (rows.start as usize, rows.end as usize);
    let block = (end - 1) / BLOCK_ROWS;
    let first = block * BLOCK_ROWS;
    (block, start.max(first) - first..end - first)
}

fn bits(values: &Values, row: usize) -> u64 {
    match values {
        Values::F64(values) => values[row].to_bits(),
        Values::I64(values) => values[row] as u64,
        Values::Code(values) => values[row].into(),
    }
}
