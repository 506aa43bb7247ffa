//! Accumulates one lane: its blocks in order, each filtered, grouped and inserted into states. A block that is taken whole and is of
//! one group is not decoded where what is known of it suffices.

use std::ops::Range;

use super::ends::Newest;
use super::keys::{Grouping, Keying, Taken, Times};
use super::known::{RunSums, Told, tell};
use super::plan::Plan;
use super::state::{Known, Present, States};
use crate::column::BLOCK_ROWS;
use crate::column::schema::TIME;
use crate::error::{Error, Result};
use crate::group::Grouper;
use crate::scan::block::{Reader, Values};
use crate::scan::control::{Control, Pace};
use crate::scan::marks::Mark;
use crate::scan::mask::Mask;
use crate::store::{ColumnRows, Rows};
use crate::time::TimeRange;

/// What provenance counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Rows that passed the filter.
    pub(crate) matched: u64,
    /// NaN among them, by [`Plan::nan_place`].
    pub(crate) nans: Vec<u64>,
    /// Nodes that were taken in place of their rows.
    pub(crate) nodes: u64,
    /// Groups of rollups that were taken in place of their rows.
    pub(crate) rolled: u64,
    /// Values decoded, where somebody asks.
    pub(crate) decoded: u64,
}

impl Counts {
    /// Nothing.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            nans: vec![0; plan.nan_places()],
            ..Self::default()
        }
    }

    /// Adds those of another lane.
    pub(super) fn add(&mut self, more: &Self) {
        self.matched += more.matched;
        self.nodes += more.nodes;
        self.rolled += more.rolled;
        self.decoded += more.decoded;
        for (nans, more) in self.nans.iter_mut().zip(&more.nans) {
            *nans += more;
        }
    }
}

/// States of no groups.
pub(super) fn new_states(plan: &Plan) -> Result<Vec<States>> {
    plan.slots
        .iter()
        .map(|slot| States::new(slot.keep, plan.slot_type(slot)))
        .collect()
}

/// Rows of a block that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Nothing,
    Whole,
    /// The first so many of `kept`.
    Kept(usize),
}

/// Buffers of one lane.
pub(super) struct Lane<'a> {
    pub(super) plan: &'a Plan,
    pub(super) newest: &'a Newest,
    pub(super) reader: Reader<'a>,
    pub(super) states: Vec<States>,
    pub(super) counts: Counts,
    /// Groups that states have room for.
    room: usize,
    pub(super) keying: Keying<'a>,
    pub(super) kept: Box<[u16; BLOCK_ROWS]>,
    /// By filter of measures which of the rows that are taken pass it.
    passing: Vec<Mask>,
    present: Box<[u16; BLOCK_ROWS]>,
    pub(super) times: Box<[i64; BLOCK_ROWS]>,
    /// Block whose times these are, all of them; none: something else.
    pub(super) times_of: Option<usize>,
    present_times: Box<[i64; BLOCK_ROWS]>,
    present_entities: Box<[u32; BLOCK_ROWS]>,
    /// Values for states that take none.
    nothing: Values,
    told: Vec<Told>,
    run_sums: RunSums,
    /// States by what they are of.
    pub(super) by_source: Vec<Source>,
    /// Whether the rows being read are in order, and no others of the query between them in time.
    is_ordered: bool,
    /// What is taken of the rows being read.
    pub(super) range: TimeRange,
}

/// States of the same columns and rows.
pub(super) struct Source {
    pub(super) column: Option<usize>,
    second: Option<usize>,
    filter: Option<usize>,
    /// Whether NaN of the column are counted here.
    pub(super) counts_nans: bool,
    pub(super) slots: Vec<usize>,
}

impl<'a> Lane<'a> {
    pub(super) fn new(plan: &'a Plan, newest: &'a Newest) -> Result<Self> {
        let mut by_source: Vec<Source> = Vec::new();
        for (at, slot) in plan.slots.iter().enumerate() {
            let of = |source: &&mut Source| {
                (source.column, source.second, source.filter) == (slot.column, slot.second, slot.filter)
            };
            if let Some(source) = by_source.iter_mut().find(of) {
                source.slots.push(at);
                continue;
            }
            by_source.push(Source {
                column: slot.column,
                second: slot.second,
                filter: slot.filter,
                counts_nans: by_source
                    .iter()
                    .all(|source| (source.column, source.filter) != (slot.column, slot.filter)),
                slots: vec![at],
            });
        }
        Ok(Self {
            plan,
            newest,
            reader: Reader::new(&plan.columns),
            states: new_states(plan)?,
            counts: Counts::new(plan),
            room: 0,
            keying: Keying::new(plan),
            kept: Box::new([0; BLOCK_ROWS]),
            passing: Vec::new(),
            present: Box::new([0; BLOCK_ROWS]),
            times: Box::new([0; BLOCK_ROWS]),
            times_of: None,
            present_times: Box::new([0; BLOCK_ROWS]),
            present_entities: Box::new([0; BLOCK_ROWS]),
            nothing: Values::I64(Box::new([0; BLOCK_ROWS])),
            told: Vec::new(),
            run_sums: RunSums::default(),
            by_source,
            is_ordered: false,
            range: plan.scan.range,
        })
    }

    pub(super) fn run(
        mut self,
        control: &Control,
        lane: usize,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<(Vec<States>, Counts)> {
        let scan = &self.plan.scan;
        let mut pace = control.pace();
        control.check()?;
        for run in &self.plan.lanes[lane] {
            let (source, blocks) = (&scan.sources[run.source], run.blocks.clone());
            self.is_ordered = self.plan.alone.get(run.source).copied().unwrap_or_default();
            let share = scan.shares[run.source];
            self.range = share.range;
            let marks = self.plan.marks.as_ref();
            let marked = marks.filter(|_| !share.is_rollup).map(|marks| marks.blocks(run.source));
            self.reader.mark_in(marked);
            let before = (self.counts.rolled, self.counts.matched);
            let done = match source {
                _ if share.is_rollup => self.run_rollup(&mut pace, source, share, blocks, groups, most),
                Rows::Part(part, _) if self.plan.reads_ends => {
                    self.run_ends(&mut pace, source, part, blocks, groups, most)
                }
                Rows::Part(part, _) if self.plan.reads_nodes => {
                    self.run_nodes(&mut pace, source, part, run, groups, most)
                }
                _ => self.run_blocks(&mut pace, source, blocks, groups, most),
            };
            done.map_err(|error| source.explain(error))?;
            if let Some(marks) = marks.filter(|_| share.is_rollup) {
                let (groups, rows) = (self.counts.rolled - before.0, self.counts.matched - before.1);
                marks.take_groups(run.source, groups, rows);
            }
        }
        pace.settle()?;
        self.counts.decoded = self.reader.decoded();
        Ok((self.states, self.counts))
    }

    /// Makes room for groups.
    pub(super) fn grow(&mut self, groups: usize) {
        if groups > self.room {
            self.states.iter_mut().for_each(|states| states.grow(groups));
            self.room = groups;
        }
    }

    pub(super) fn run_blocks(
        &mut self,
        pace: &mut Pace<'_>,
        source: &'a Rows,
        blocks: Range<usize>,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        let times = self.turn_to(source)?;
        if self.plan.condition.is_some() || !self.range.covers(source.times().0, source.times().1) {
            // Few of many are read: the first of each column at once instead of one after the other.
            times.will_need(blocks.start);
            self.reader.will_need(blocks.start);
        }
        for block in blocks {
            self.take_block(pace, &times, block, None, groups, most)?;
        }
        Ok(())
    }

    /// Takes rows that lie apart and in order.
    pub(super) fn run_rows(
        &mut self,
        pace: &mut Pace<'_>,
        source: &'a Rows,
        rows: &[Range<u32>],
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        let times = self.turn_to(source)?;
        let mut waiting: Option<(usize, Mask)> = None;
        for rows in rows {
            let (mut next, end) = (rows.start as usize, rows.end as usize);
            while next < end {
                let (block, first) = (next / BLOCK_ROWS, next % BLOCK_ROWS);
                let until = end.min((block + 1) * BLOCK_ROWS);
                let mask = Mask::first(first + until - next).and_not(&Mask::first(first));
                waiting = match waiting {
                    Some((other, rows)) if other == block => Some((block, rows.or(&mask))),
                    Some((other, rows)) => {
                        self.take_block(pace, &times, other, Some(&rows), groups, most)?;
                        Some((block, mask))
                    }
                    None => Some((block, mask)),
                };
                next = until;
            }
        }
        if let Some((block, rows)) = waiting {
            self.take_block(pace, &times, block, Some(&rows), groups, most)?;
        }
        Ok(())
    }

    /// Turns to other rows; their times.
    pub(super) fn turn_to(&mut self, source: &'a Rows) -> Result<ColumnRows<'a>> {
        if self.reader.turn_to(source)? && !self.plan.no_footers {
            for condition in self.plan.condition.iter().chain(&self.plan.filters) {
                condition.sift(&mut self.reader)?;
            }
        }
        self.keying.turn_to(source)?;
        let times = source.column(TIME)?;
        times.ok_or_else(|| Error::internal("rows without times"))
    }

    /// Takes a block, or of it only some rows.
    fn take_block(
        &mut self,
        pace: &mut Pace<'_>,
        times: &ColumnRows<'_>,
        block: usize,
        only: Option<&Mask>,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        pace.step()?;
        self.reader.turn_to_block(block);
        self.times_of = None;
        let bounds = times.time_bounds(block);
        let choice = self.choose(pace, times, block, bounds, only)?;
        // What of it is decoded is marked so there.
        let n = match choice {
            Choice::Nothing => {
                self.reader.mark(block, Mark::Pruned);
                return Ok(());
            }
            Choice::Whole => self.reader.rows(),
            Choice::Kept(n) => n,
        };
        self.reader.mark(block, Mark::Known);
        self.counts.matched += n as u64;
        self.judge(choice, n)?;
        let bounds = clipped(bounds, self.range);
        let grouping = match self.keying.one(&self.reader, bounds, groups, most)? {
            Some(group) => Grouping::One(group),
            None => self.assign(times, block, bounds, choice, groups, most)?,
        };
        self.grow(groups.len());
        self.accumulate(choice, n, grouping)
    }

    /// Which rows of the block are taken, of all or of these.
    fn choose(
        &mut self,
        pace: &mut Pace<'_>,
        times: &ColumnRows<'_>,
        block: usize,
        bounds: (i64, i64),
        only: Option<&Mask>,
    ) -> Result<Choice> {
        let rows = self.reader.rows();
        let range = self.range;
        let mut selection = only.copied().filter(|only| only.count() < rows);
        if !range.covers(bounds.0, bounds.1) {
            self.read_times(times, block)?;
            let within = Mask::of(&self.times[..rows], |time| range.contains(time));
            selection = Some(selection.map_or(within, |only| only.and(&within)));
        }
        if selection.is_some_and(|selection| selection.is_empty()) {
            return Ok(Choice::Nothing);
        }
        let outlook = self
            .plan
            .condition
            .as_ref()
            .map(|condition| condition.outlook(&self.reader));
        if selection.is_none() && outlook.as_ref().is_some_and(|outlook| !outlook.may_hold) {
            return Ok(Choice::Nothing);
        }
        pace.count(selection.map_or(rows, |selection| selection.count()) as u64);
        if let (Some(condition), Some(outlook)) = (&self.plan.condition, outlook) {
            if !outlook.may_hold {
                return Ok(Choice::Nothing);
            }
            if !outlook.always_holds() {
                let (holds, _) = condition.evaluate(&mut self.reader)?;
                selection = Some(selection.map_or(holds, |selection| selection.and(&holds)));
            }
        }
        Ok(match selection.filter(|selection| selection.count() < rows) {
            None => Choice::Whole,
            Some(selection) => match selection.rows(&mut self.kept) {
                0 => Choice::Nothing,
                n => Choice::Kept(n),
            },
        })
    }

    /// Asks the filters of measures of the rows that are taken, before any column has lost the others.
    fn judge(&mut self, choice: Choice, n: usize) -> Result<()> {
        self.passing.clear();
        for filter in &self.plan.filters {
            let outlook = filter.outlook(&self.reader);
            self.passing.push(if !outlook.may_hold {
                Mask::EMPTY
            } else if outlook.always_holds() {
                Mask::first(n)
            } else {
                let (holds, _) = filter.evaluate(&mut self.reader)?;
                match choice {
                    Choice::Kept(n) => Mask::of(&self.kept[..n], |row| holds.get(row.into())),
                    _ => holds,
                }
            });
        }
        Ok(())
    }

    pub(super) fn read_times(&mut self, times: &ColumnRows<'_>, block: usize) -> Result<()> {
        if self.times_of != Some(block) {
            self.reader.mark_decoded(block);
            times.decode_i64(block, &mut self.times)?;
            self.times_of = Some(block);
        }
        Ok(())
    }

    /// Groups of rows that may be of several.
    pub(super) fn assign(
        &mut self,
        times: &ColumnRows<'_>,
        block: usize,
        bounds: (i64, i64),
        choice: Choice,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<Grouping> {
        let reads_keys = self.keying.reads_keys(&self.reader);
        let mut points = None;
        if self.plan.windows.is_some() {
            if choice == Choice::Whole && !reads_keys && self.times_of != Some(block) {
                points = times.points(block)?;
            }
            if points.is_none() {
                self.read_times(times, block)?;
            }
        }
        let mut kept = None;
        if let Choice::Kept(n) = choice {
            let rows = &self.kept[..n];
            for (to, &from) in rows.iter().enumerate() {
                self.times[to] = self.times[usize::from(from)];
            }
            self.times_of = None;
            kept = Some(rows);
        }
        if reads_keys {
            for key in &self.plan.keys {
                self.reader.load_kept(key.column, kept)?;
            }
        }
        let n = kept.map_or(self.reader.rows(), <[u16]>::len);
        let taken = Taken {
            n,
            bounds,
            kept,
            times: points.as_ref().map_or(Times::All(&self.times[..n]), Times::Points),
        };
        self.keying.assign(&self.reader, &taken, groups, most)
    }

    /// Inserts the rows into the states of their groups.
    fn accumulate(&mut self, choice: Choice, n: usize, grouping: Grouping) -> Result<()> {
        let all = Mask::first(n);
        for at in 0..self.by_source.len() {
            let passing = self.by_source[at].filter.map_or(all, |filter| self.passing[filter]);
            if passing.is_empty() {
                continue;
            }
            let Some(column) = self.by_source[at].column else {
                self.count_rows(at, n, &passing, grouping)?;
                continue;
            };
            if let (Choice::Whole, Grouping::One(group)) = (choice, grouping)
                && self.by_source[at].second.is_none()
                && passing == all
                && tell(
                    self.plan,
                    &self.reader,
                    column,
                    &self.by_source[at].slots,
                    &mut self.told,
                )?
            {
                self.insert_told(at, column, group as usize)?;
                continue;
            }
            if (choice, grouping) == (Choice::Whole, Grouping::Runs)
                && self.by_source[at].second.is_none()
                && self.run_sums.insert(
                    self.plan,
                    &self.reader,
                    column,
                    self.keying.runs(),
                    &self.by_source[at].slots,
                    &mut self.states,
                )?
            {
                continue;
            }
            let kept = match choice {
                Choice::Kept(n) => Some(&self.kept[..n]),
                _ => None,
            };
            self.reader.load_kept(column, kept)?;
            if let Some(second) = self.by_source[at].second {
                self.reader.load_kept(second, kept)?;
            }
            if self.by_source[at]
                .slots
                .iter()
                .any(|&slot| self.plan.slots[slot].keep.is_timed())
            {
                for column in self.plan.timed.into_iter().flat_map(|(time, entity)| [time, entity]) {
                    self.reader.load_kept(column, kept)?;
                }
            }
            self.insert_column(at, column, n, &passing, grouping)?;
        }
        Ok(())
    }

    /// Inserts what is told of a column's block.
    fn insert_told(&mut self, at: usize, column: usize, group: usize) -> Result<()> {
        let Source {
            filter, counts_nans, ..
        } = self.by_source[at];
        if counts_nans && let Some((found, block)) = self.reader.place(column) {
            self.counts.nans[self.plan.nan_place(column, filter)] += u64::from(found.stats(block).nans);
        }
        for (&slot, told) in self.by_source[at].slots.iter().zip(&self.told) {
            if let Some(known) = *told {
                self.states[slot].insert_known(group, known)?;
            }
        }
        Ok(())
    }

    /// Counts rows, of no column.
    fn count_rows(&mut self, at: usize, n: usize, passing: &Mask, grouping: Grouping) -> Result<()> {
        let count = if *passing == Mask::first(n) {
            n
        } else {
            passing.rows(&mut self.present)
        };
        for &slot in &self.by_source[at].slots {
            if let Grouping::One(group) = grouping {
                self.states[slot].insert_known(group as usize, Known::Count(count as u64))?;
                continue;
            }
            let present = Present {
                values: &self.nothing,
                n: count,
                groups: if count == n {
                    self.keying.groups(grouping, n)
                } else {
                    self.keying.groups_of(grouping, &self.present[..count])
                },
                timed: None,
                strings: None,
                second: None,
                bounds: &self.plan.bounds,
                is_ordered: self.is_ordered,
            };
            self.states[slot].insert(&present)?;
        }
        Ok(())
    }

    /// Inserts the values of a loaded column that are neither null nor NaN.
    fn insert_column(&mut self, at: usize, column: usize, n: usize, passing: &Mask, grouping: Grouping) -> Result<()> {
        let all = Mask::first(n);
        let source = &self.by_source[at];
        let mut keep = *passing;
        for column in [Some(column), source.second].into_iter().flatten() {
            let block = &self.reader.blocks[column];
            let mut present = block.valid.and(passing);
            if block.may_be_nan
                && let Values::F64(values) = &block.values
            {
                let nans = Mask::of(&values[..n], f64::is_nan).and(&present);
                if source.counts_nans {
                    self.counts.nans[self.plan.nan_place(column, source.filter)] += nans.count() as u64;
                }
                present = present.and_not(&nans);
            }
            keep = keep.and(&present);
        }
        let is_all = keep == all;
        let count = if is_all { n } else { keep.rows(&mut self.present) };
        if count == 0 {
            return Ok(());
        }
        let rows = (!is_all).then_some(&self.present[..count]);
        let slots = &source.slots;
        let is_timed = slots.iter().any(|&slot| self.plan.slots[slot].keep.is_timed());
        let mut timed = None;
        if let Some((time, entity)) = self.plan.timed.filter(|_| is_timed) {
            let (Values::I64(times), Values::Code(entities)) =
                (&self.reader.blocks[time].values, &self.reader.blocks[entity].values)
            else {
                return Err(Error::internal("time and entity of other types"));
            };
            timed = Some(match rows {
                None => (&times[..n], &entities[..n]),
                Some(rows) => {
                    pick(&times[..], rows, &mut self.present_times[..]);
                    pick(&entities[..], rows, &mut self.present_entities[..]);
                    (&self.present_times[..count], &self.present_entities[..count])
                }
            });
        }
        let values = &self.reader.blocks[column].values;
        let compact = rows.map(|rows| gather(values, rows));
        let second = source.second.map(|second| &self.reader.blocks[second].values);
        let compact_second = second.zip(rows).map(|(second, rows)| gather(second, rows));
        let present = Present {
            values: compact.as_ref().unwrap_or(values),
            n: count,
            groups: match rows {
                None => self.keying.groups(grouping, n),
                Some(rows) => self.keying.groups_of(grouping, rows),
            },
            timed,
            strings: self.plan.columns[column].strings.as_deref(),
            second: compact_second.as_ref().or(second),
            bounds: &self.plan.bounds,
            is_ordered: self.is_ordered,
        };
        for &slot in slots {
            self.states[slot].insert(&present)?;
        }
        Ok(())
    }
}

/// Bounds of the times of a block that lie in the range.
fn clipped((low, high): (i64, i64), range: TimeRange) -> (i64, i64) {
    // The greatest integer as an end is none.
    let last = if range.end == i64::MAX { i64::MAX } else { range.end - 1 };
    (low.max(range.start), high.min(last))
}

/// Copies the values at these rows to the front of `out`.
fn pick<T: Copy>(values: &[T], rows: &[u16], out: &mut [T]) {
    for (out, &row) in out.iter_mut().zip(rows) {
        *out = values[usize::from(row) % BLOCK_ROWS];
    }
}

/// A copy of the values at these rows.
fn gather(values: &Values, rows: &[u16]) -> Values {
    fn boxed<T: Copy + Default>(values: &[T; BLOCK_ROWS], rows: &[u16]) -> Box<[T; BLOCK_ROWS]> {
        let mut out = Box::new([T::default(); BLOCK_ROWS]);
        pick(values, rows, &mut out[..]);
        out
    }
    match values {
        Values::F64(values) => Values::F64(boxed(values, rows)),
        Values::I64(values) => Values::I64(boxed(values, rows)),
        Values::Code(values) => Values::Code(boxed(values, rows)),
    }
}
