//! A look at the rows of one snapshot, of which as little is opened and decoded as the order of time allows.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use super::order::{First, Place, bound};
use crate::column::BLOCK_ROWS;
use crate::column::schema::TIME;
use crate::error::{Error, Result};
use crate::scan::block::{Reader, Values};
use crate::scan::control::{Control, Pace};
use crate::scan::filter::Condition;
use crate::scan::mask::Mask;
use crate::scan::{Column, blocks_of, has_any};
use crate::store::{PartHandle, Rows, Snapshot, TailBatch};
use crate::time::TimeRange;

/// Place of the entity among the columns of a look.
pub(super) const ENTITY_PLACE: usize = 0;

/// Rows in one piece, opened when they are first read.
pub(super) struct Source {
    lies: Lies,
    rows: OnceCell<Rows>,
}

enum Lies {
    Part(Arc<PartHandle>),
    Batch(Arc<TailBatch>),
}

impl Source {
    /// All of a snapshot, in order of arrival.
    pub(super) fn all(snapshot: &Snapshot) -> Vec<Self> {
        let parts = snapshot.parts().iter().map(|part| Lies::Part(Arc::clone(part)));
        let batches = snapshot.batches().map(|batch| Lies::Batch(Arc::clone(batch)));
        let source = |lies| Self {
            lies,
            rows: OnceCell::new(),
        };
        parts.chain(batches).map(source).collect()
    }

    fn times(&self) -> (i64, i64) {
        match &self.lies {
            Lies::Part(part) => part.times(),
            Lies::Batch(batch) => (batch.packed.min_time(), batch.packed.max_time()),
        }
    }

    /// Whether it may have rows of one of these entities, ascending codes.
    fn may_have(&self, codes: &[u32]) -> bool {
        match &self.lies {
            Lies::Part(part) => has_any(codes, part.entities()),
            Lies::Batch(_) => true,
        }
    }

    pub(super) fn rows(&self) -> Result<&Rows> {
        if let Some(rows) = self.rows.get() {
            return Ok(rows);
        }
        let rows = match &self.lies {
            Lies::Part(part) => Rows::Part(part.open()?, Arc::clone(part)),
            Lies::Batch(batch) => Rows::Batch(Arc::clone(batch)),
        };
        Ok(self.rows.get_or_init(|| rows))
    }
}

/// Which rows are looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Of these times.
    pub(super) range: TimeRange,
    /// Of these entities, ascending codes; none: of all.
    pub(super) entities: Option<&'a [u32]>,
    /// For which this holds.
    pub(super) condition: Option<&'a Condition>,
}

/// Reads blocks of the sources.
pub(super) struct Look<'a> {
    sources: &'a [Source],
    wanted: Wanted<'a>,
    reader: Reader<'a>,
    pace: Pace<'a>,
    times: Box<[i64; BLOCK_ROWS]>,
    /// Blocks whose times were decoded.
    pub(super) blocks: u64,
}

impl<'a> Look<'a> {
    /// At these sources; the first of the columns is the entity.
    pub(super) fn new(sources: &'a [Source], columns: &'a [Column], wanted: Wanted<'a>, control: &'a Control) -> Self {
        Self {
            sources,
            wanted,
            reader: Reader::new(columns),
            pace: control.pace(),
            times: Box::new([0; BLOCK_ROWS]),
            blocks: 0,
        }
    }

    /// The first rows behind a place, in the direction of the order; places come and go directed.
    pub(super) fn first(&mut self, after: Option<Place>, most: usize, is_ascending: bool) -> Result<Vec<Place>> {
        let range = self.wanted.range;
        let mut first = First::new(most);
        let mut queue = BinaryHeap::new();
        let may_have = |(min, max): (i64, i64)| {
            let last = bound((max, min), is_ascending);
            range.meets(min, max) && after.is_none_or(|after| last >= after.time)
        };
        for (at, source) in self.sources.iter().enumerate() {
            if may_have(source.times()) && self.wanted.entities.is_none_or(|codes| source.may_have(codes)) {
                queue.push(Reverse((bound(source.times(), is_ascending), at, None)));
            }
        }
        while let Some(Reverse((least, at, block))) = queue.pop() {
            if !first.wants(least) {
                break;
            }
            let sources = self.sources;
            let rows = sources[at].rows()?;
            if let Some(block) = block {
                let done = self.take_block(at, rows, block, after, is_ascending, &mut first);
                done.map_err(|error| rows.explain(error))?;
                continue;
            }
            let found = rows.column(TIME).and_then(|times| Ok((times, self.blocks_of(rows)?)));
            let (times, blocks) = found.map_err(|error| rows.explain(error))?;
            let times = times.ok_or_else(|| Error::internal("rows without times"))?;
            for block in blocks.into_iter().flatten() {
                let bounds = times.time_bounds(block);
                if may_have(bounds) {
                    queue.push(Reverse((bound(bounds, is_ascending), at, Some(block))));
                }
            }
        }
        self.pace.settle()?;
        Ok(first.into_places())
    }

    fn blocks_of(&self, rows: &Rows) -> Result<Vec<Range<usize>>> {
        let all = 0..rows.blocks();
        match (rows, self.wanted.entities) {
            (Rows::Part(part, _), Some(codes)) => blocks_of(part, codes),
            _ => Ok(vec![all]),
        }
    }

    /// Offers the rows of a block that are wanted.
    fn take_block(
        &mut self,
        at: usize,
        rows: &'a Rows,
        block: usize,
        after: Option<Place>,
        is_ascending: bool,
        first: &mut First,
    ) -> Result<()> {
        let range = self.wanted.range;
        let directed = |time: i64| if is_ascending { time } else { !time };
        let may_be = |time: i64| {
            let time_of_place = directed(time);
            range.contains(time) && after.is_none_or(|after| time_of_place >= after.time) && first.wants(time_of_place)
        };
        let taken = self.taken(rows, block, may_be)?;
        let mut kept = [0; BLOCK_ROWS];
        let n = taken.rows(&mut kept);
        for &row in &kept[..n] {
            let place = self.place(at, block, row)?.directed(is_ascending);
            if after.is_none_or(|after| place > after) {
                first.offer(place);
            }
        }
        Ok(())
    }

    /// Every wanted row of an instant and an entity, in order of arrival, until told to stop.
    pub(super) fn each_tied(&mut self, (time, entity): (i64, u32), mut visit: impl FnMut(Place) -> bool) -> Result<()> {
        let sources = self.sources;
        for (at, source) in sources.iter().enumerate() {
            let (min, max) = source.times();
            if !(min..=max).contains(&time) || !source.may_have(&[entity]) {
                continue;
            }
            let rows = source.rows()?;
            let goes_on = self.each_tied_of(at, rows, (time, entity), &mut visit);
            if !goes_on.map_err(|error| rows.explain(error))? {
                break;
            }
        }
        self.pace.settle()
    }

    /// Those of a source; whether to go on behind it.
    fn each_tied_of(
        &mut self,
        at: usize,
        rows: &'a Rows,
        (time, entity): (i64, u32),
        visit: &mut impl FnMut(Place) -> bool,
    ) -> Result<bool> {
        let times = rows
            .column(TIME)?
            .ok_or_else(|| Error::internal("rows without times"))?;
        let all = 0..rows.blocks();
        let blocks = match rows {
            Rows::Part(part, _) => blocks_of(part, &[entity])?,
            Rows::Batch(_) => vec![all],
        };
        for block in blocks.into_iter().flatten() {
            let (min, max) = times.time_bounds(block);
            if !(min..=max).contains(&time) {
                continue;
            }
            let taken = self.taken(rows, block, |found| found == time)?;
            let mut kept = [0; BLOCK_ROWS];
            let n = taken.rows(&mut kept);
            for &row in &kept[..n] {
                let place = self.place(at, block, row)?;
                if place.entity == entity && !visit(place) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The rows of a block of times like these for which the condition holds. Their entities are loaded.
    fn taken(&mut self, rows: &'a Rows, block: usize, may_be: impl Fn(i64) -> bool) -> Result<Mask> {
        self.pace.step()?;
        if self.reader.turn_to(rows)?
            && let Some(condition) = self.wanted.condition
        {
            condition.sift(&mut self.reader)?;
        }
        self.reader.turn_to_block(block);
        let outlook = self.wanted.condition.map(|condition| condition.outlook(&self.reader));
        if outlook.is_some_and(|outlook| !outlook.may_hold) {
            return Ok(Mask::EMPTY);
        }
        let times = rows
            .column(TIME)?
            .ok_or_else(|| Error::internal("rows without times"))?;
        times.decode_i64(block, &mut self.times)?;
        let n = self.reader.rows();
        self.blocks += 1;
        self.pace.count(n as u64);
        let mut taken = Mask::of(&self.times[..n], may_be);
        if taken.is_empty() {
            return Ok(taken);
        }
        if let Some((condition, _)) = self
            .wanted
            .condition
            .zip(outlook)
            .filter(|(_, outlook)| !outlook.always_holds())
        {
            taken = taken.and(&condition.evaluate(&mut self.reader)?.0);
        }
        if !taken.is_empty() {
            self.reader.load(ENTITY_PLACE)?;
        }
        Ok(taken)
    }

    /// Where a row of the block that was read last stands.
    fn place(&self, at: usize, block: usize, row: u16) -> Result<Place> {
        let Values::Code(entities) = &self.reader.blocks[ENTITY_PLACE].values else {
            return Err(Error::internal("entities of another type"));
        };
        let row = usize::from(row) % BLOCK_ROWS;
        Ok(Place {
            time: self.times[row],
            entity: entities[row],
            source: at as u32,
            row: (block * BLOCK_ROWS + row) as u32,
        })
    }
}
