//! Groups of the rows of a block: one where statistics say so, runs of neighbours where rows are sorted, else row by row.

use std::ops::Range;
use std::sync::Arc;

use super::nodes::Chosen;
use super::plan::{Plan, PlannedKey};
use crate::aggregate::{GroupRun, Groups};
use crate::codec::integers::Points;
use crate::column::packed::Physical;
use crate::column::schema::ENTITY;
use crate::column::{BLOCK_ROWS, NULL_CODE};
use crate::error::Result;
use crate::group::Grouper;
use crate::scan::Type;
use crate::scan::block::{Reader, Values};
use crate::scan::mask::Mask;
use crate::store::{Rows, Runs};

/// Rows of a run, on average, below which runs gain nothing over row by row.
const FEW_ROWS: usize = 8;

/// How rows were grouped last; the groups lie in [`Keying`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    /// All in one group.
    One(u32),
    /// Neighbours together.
    Runs,
    /// Each in its own.
    Each,
}

/// The rows to group: the first `n` of a block, of times between `bounds`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'a> {
    pub(super) n: usize,
    /// Least and greatest time of the block, clipped to the range.
    pub(super) bounds: (i64, i64),
    /// Their places in the block, if not all were taken.
    pub(super) kept: Option<&'a [u16]>,
    /// Their times, where windows need them.
    pub(super) times: Times<'a>,
}

/// Times of rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Times<'a> {
    /// All of them, decoded.
    All(&'a [i64]),
    /// Any of them, on demand.
    Points(&'a Points<'a>),
}

impl Times<'_> {
    fn get(self, row: usize) -> i64 {
        match self {
            Self::All(times) => times[row],
            Self::Points(points) => points.get(row),
        }
    }
}

/// Finds groups, keeping buffers between blocks.
#[derive(Debug)]
pub(super) struct Keying<'a> {
    plan: &'a Plan,
    /// Rows of each entity of the part being read, if its order tells groups.
    entities: Option<Arc<Runs>>,
    /// Place among these of the entity of the block's first row.
    place: usize,
    /// Whether the block being read goes by these: of few entities.
    is_by_runs: bool,
    is_by_entity: bool,
    /// Key of the group that a whole block was of last.
    last: Option<(Vec<u64>, u32)>,
    key: Vec<u64>,
    parts: Vec<Box<[u64; BLOCK_ROWS]>>,
    offsets: Box<[u32; BLOCK_ROWS]>,
    groups: Box<[u32; BLOCK_ROWS]>,
    runs: Vec<GroupRun>,
    /// Groups of values that are present.
    present_groups: Box<[u32; BLOCK_ROWS]>,
    present_runs: Vec<GroupRun>,
}

impl<'a> Keying<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let parts = plan.key_parts();
        Self {
            plan,
            entities: None,
            place: 0,
            is_by_runs: false,
            is_by_entity: plan.keys.iter().all(|key| plan.columns[key.column].stored == ENTITY),
            last: None,
            key: Vec::new(),
            parts: (0..parts).map(|_| Box::new([0; BLOCK_ROWS])).collect(),
            offsets: Box::new([0; BLOCK_ROWS]),
            groups: Box::new([0; BLOCK_ROWS]),
            runs: Vec::new(),
            present_groups: Box::new([0; BLOCK_ROWS]),
            present_runs: Vec::new(),
        }
    }

    /// Turns to other rows.
    pub(super) fn turn_to(&mut self, source: &Rows) -> Result<()> {
        self.place = 0;
        self.entities = match source {
            Rows::Part(part, _) if self.is_by_entity && !self.parts.is_empty() => Some(part.runs()?),
            _ => None,
        };
        Ok(())
    }

    /// Turns to the reader's block, whose rows may be of several groups; whether [`Self::assign`] needs its key columns and all times,
    /// since it does not go by runs.
    pub(super) fn reads_keys(&mut self, reader: &Reader<'_>) -> bool {
        let rows = block_range(reader);
        self.is_by_runs = self.entities.as_ref().is_some_and(|runs| {
            // Blocks come in order, those of a lane also without others between them.
            let is_earlier = self.place > 0 && runs.rows_at(self.place).start <= rows.start;
            let earlier = if is_earlier { self.place } else { 0 };
            self.place = runs.place_from(earlier, rows.start);
            let entities = runs.place_from(self.place, rows.end - 1) - self.place + 1;
            entities * FEW_ROWS <= rows.len()
        });
        !self.is_by_runs
    }

    /// Runs of rows that were grouped as [`Grouping::Runs`].
    pub(super) fn runs(&self) -> &[GroupRun] {
        &self.runs
    }

    /// The group of all rows of the block, if without decoding anything there is seen to be but one.
    pub(super) fn one(
        &mut self,
        reader: &Reader<'_>,
        bounds: (i64, i64),
        groups: &mut Grouper,
        most: u64,
    ) -> Result<Option<u32>> {
        if self.parts.is_empty() {
            return Ok(Some(groups.single()));
        }
        self.key.clear();
        if let Some(windows) = &self.plan.windows {
            let window = windows.cut.index(bounds.0);
            if !windows.cut.holds(window, bounds.1) {
                return Ok(None);
            }
            self.key.push(window.abs_diff(windows.first));
        }
        for key in &self.plan.keys {
            let Some(part) = constant(reader, key)? else {
                return Ok(None);
            };
            self.key.push(part);
        }
        self.key.extend(self.plan.null_word.then_some(0));
        if let Some((key, group)) = &self.last
            && *key == self.key
        {
            return Ok(Some(*group));
        }
        let mut group = [0];
        let parts: Vec<&[u64]> = self.key.iter().map(std::slice::from_ref).collect();
        groups.assign(&parts, &mut group, most)?;
        self.last = Some((self.key.clone(), group[0]));
        Ok(Some(group[0]))
    }

    /// Groups of the rows, of which key columns are loaded if [`Self::reads_keys`] said so.
    pub(super) fn assign(
        &mut self,
        reader: &Reader<'_>,
        taken: &Taken<'_>,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<Grouping> {
        if self.is_by_runs
            && let Some(entities) = self.entities.take()
        {
            let grouping = self.assign_runs(reader, &entities, taken, groups, most);
            self.entities = Some(entities);
            return grouping;
        }
        self.assign_each(reader, taken, groups, most)?;
        Ok(Grouping::Each)
    }

    fn assign_each(&mut self, reader: &Reader<'_>, taken: &Taken<'_>, groups: &mut Grouper, most: u64) -> Result<()> {
        let n = taken.n;
        let mut part = 0;
        if self.plan.windows.is_some() {
            self.windows(taken);
            part = 1;
        }
        if self.plan.null_word {
            self.parts.last_mut().into_iter().for_each(|word| word[..n].fill(0));
        }
        for key in &self.plan.keys {
            let (head, tail) = self.parts.split_at_mut(part + 1);
            let null_word = tail.last_mut().map(|word| &mut word[..n]);
            key_part(reader, key, &mut head[part][..n], null_word);
            part += 1;
        }
        let parts: Vec<&[u64]> = self.parts.iter().map(|part| &part[..]).collect();
        groups.assign(&parts, &mut self.groups[..n], most)
    }

    /// Window of each row, as the first part of its key.
    fn windows(&mut self, taken: &Taken<'_>) {
        let Some(windows) = &self.plan.windows else { return };
        let (cut, out, (low, high)) = (&windows.cut, &mut self.parts[0][..taken.n], taken.bounds);
        if cut.holds(cut.index(low), high) {
            out.fill(cut.index(low).abs_diff(windows.first));
            return;
        }
        if let Times::All(times) = taken.times
            && windows.count <= u64::from(u32::MAX)
        {
            cut.offsets(times, low, high, windows.first, &mut self.offsets[..]);
            for (out, &offset) in out.iter_mut().zip(&self.offsets[..taken.n]) {
                *out = offset.into();
            }
            return;
        }
        for (row, out) in out.iter_mut().enumerate() {
            *out = cut.index(taken.times.get(row)).abs_diff(windows.first);
        }
    }

    /// Groups of sorted rows: a run ends where the entity's rows do, or the window.
    fn assign_runs(
        &mut self,
        reader: &Reader<'_>,
        entities: &Runs,
        taken: &Taken<'_>,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<Grouping> {
        self.runs.clear();
        let rows = block_range(reader);
        let first = rows.start;
        let mut start = 0;
        for (code, run) in entities.within_from(self.place, rows) {
            let end = (run.end - first) as usize;
            let end = taken
                .kept
                .map_or(end, |kept| kept.partition_point(|&row| usize::from(row) < end));
            self.cut(code, start..end, taken);
            start = end;
        }
        self.group_runs(reader, groups, most)?;
        if self.runs.len() * FEW_ROWS <= taken.n {
            return Ok(Grouping::Runs);
        }
        for (group, rows) in GroupRun::ranges(&self.runs) {
            self.groups[rows].fill(group as u32);
        }
        Ok(Grouping::Each)
    }

    /// Adds the runs of an entity's rows, whose times ascend, with their keys.
    fn cut(&mut self, code: u32, rows: Range<usize>, taken: &Taken<'_>) {
        let Some(windows) = &self.plan.windows else {
            if !rows.is_empty() {
                self.add_run(code, 0, rows.end);
            }
            return;
        };
        let (mut start, mut length) = (rows.start, rows.len());
        while start < rows.end {
            let window = windows.cut.index(taken.times.get(start));
            let left = rows.end - start;
            // The last window's end may lie past time: then its last nanosecond, a window of its own here, finds the same group.
            let end = windows.cut.start(window.saturating_add(1));
            length = rows_before(end, left, length, |row| taken.times.get(start + row)).max(1);
            self.add_run(code, window.abs_diff(windows.first), start + length);
            start += length;
        }
    }

    fn add_run(&mut self, code: u32, window: u64, end: usize) {
        let at = self.runs.len();
        let keys = usize::from(self.plan.windows.is_some());
        if keys > 0 {
            self.parts[0][at] = window;
        }
        self.parts[keys..].iter_mut().for_each(|part| part[at] = code.into());
        self.runs.push(GroupRun {
            group: 0,
            end: end as u32,
        });
    }

    /// Turns the keys of the runs into groups.
    fn group_runs(&mut self, reader: &Reader<'_>, groups: &mut Grouper, most: u64) -> Result<()> {
        let (n, windows) = (self.runs.len(), usize::from(self.plan.windows.is_some()));
        for (key, part) in self.plan.keys.iter().zip(&mut self.parts[windows..]) {
            for part in &mut part[..n] {
                *part = translated(reader, key, *part)?;
            }
        }
        let parts: Vec<&[u64]> = self.parts.iter().map(|part| &part[..]).collect();
        groups.assign(&parts, &mut self.groups[..n], most)?;
        for (run, &group) in self.runs.iter_mut().zip(&self.groups[..n]) {
            run.group = group;
        }
        Ok(())
    }

    /// Groups of whole nodes, at most [`BLOCK_ROWS`]; every key is of the entity.
    pub(super) fn assign_nodes(
        &mut self,
        reader: &Reader<'_>,
        nodes: &[Chosen],
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        let n = nodes.len();
        if self.parts.is_empty() {
            self.groups[..n].fill(groups.single());
            return Ok(());
        }
        let windows = usize::from(self.plan.windows.is_some());
        if windows > 0 {
            for (part, node) in self.parts[0].iter_mut().zip(nodes) {
                *part = node.window;
            }
        }
        for (key, part) in self.plan.keys.iter().zip(&mut self.parts[windows..]) {
            for (code, node) in self.offsets.iter_mut().zip(nodes) {
                *code = node.code;
            }
            if let Some(strings) = &reader.column(key.column).strings {
                strings.translate(&mut self.offsets[..n])?;
            }
            for (part, &code) in part.iter_mut().zip(&self.offsets[..n]) {
                *part = code.into();
            }
        }
        let parts: Vec<&[u64]> = self.parts.iter().map(|part| &part[..]).collect();
        groups.assign(&parts, &mut self.groups[..n], most)
    }

    /// Groups of the nodes that were assigned last.
    pub(super) fn node_groups(&self, n: usize) -> &[u32] {
        &self.groups[..n]
    }

    /// Groups of all the rows.
    pub(super) fn groups(&self, grouping: Grouping, n: usize) -> Groups<'_> {
        match grouping {
            Grouping::One(group) => Groups::One(group),
            Grouping::Runs => Groups::Runs(&self.runs),
            Grouping::Each => Groups::Each(&self.groups[..n]),
        }
    }

    /// Groups of some of the rows, ascending.
    pub(super) fn groups_of(&mut self, grouping: Grouping, rows: &[u16]) -> Groups<'_> {
        match grouping {
            Grouping::One(group) => Groups::One(group),
            Grouping::Each => {
                for (to, &from) in self.present_groups.iter_mut().zip(rows) {
                    *to = self.groups[usize::from(from)];
                }
                Groups::Each(&self.present_groups[..rows.len()])
            }
            Grouping::Runs => {
                self.present_runs.clear();
                let mut end = 0;
                for run in &self.runs {
                    let start = end;
                    end += rows[end..].iter().take_while(|&&row| u32::from(row) < run.end).count();
                    if end > start {
                        self.present_runs.push(GroupRun {
                            group: run.group,
                            end: end as u32,
                        });
                    }
                }
                Groups::Runs(&self.present_runs)
            }
        }
    }
}

/// Rows of the reader's block.
fn block_range(reader: &Reader<'_>) -> Range<u32> {
    let first = (reader.block() * BLOCK_ROWS) as u32;
    first..first + reader.rows() as u32
}

/// How many of so many ascending times lie before an end: probably as many as the last time, or else as rows that come at one pace.
fn rows_before(end: i64, rows: usize, guess: usize, time: impl Fn(usize) -> i64) -> usize {
    let is_before = |row| time(row) < end;
    if (1..=rows).contains(&guess) && is_before(guess - 1) && (guess == rows || !is_before(guess)) {
        return guess;
    }
    let Some(last) = rows.checked_sub(1) else { return 0 };
    let (first_ns, last_ns) = (i128::from(time(0)), i128::from(time(last)));
    let end_ns = i128::from(end);
    if end_ns <= first_ns {
        return 0;
    }
    if last_ns < end_ns {
        return rows;
    }
    // The row sought lies in (0, last], which is left ever smaller: first by steps away from where it should be.
    let (mut before, mut behind) = (1, last);
    let paced = (end_ns - first_ns) * last as i128 / (last_ns - first_ns);
    let (mut middle, mut step) = ((paced as usize).clamp(1, last), 1);
    while before < behind {
        if is_before(middle) {
            before = middle + 1;
            middle += step;
        } else {
            behind = middle;
            middle = middle.saturating_sub(step);
        }
        step *= 2;
        if middle < before || middle >= behind {
            middle = usize::midpoint(before, behind);
        }
    }
    before
}

/// Part of the key of all rows of the block, if statistics say that it is the same.
fn constant(reader: &Reader<'_>, key: &PlannedKey) -> Result<Option<u64>> {
    let data_type = reader.column(key.column).data_type;
    let Some((found, block)) = reader.place(key.column) else {
        return Ok((data_type == Type::Text).then_some(NULL_CODE.into()));
    };
    let stats = found.stats(block);
    let physical = found.physical();
    if physical == Physical::Code && data_type == Type::Text {
        let same = stats.min == stats.max;
        return same.then(|| translated(reader, key, stats.min)).transpose();
    }
    if stats.nulls > 0 || stats.nans > 0 {
        return Ok(None);
    }
    if let Some(derived) = &reader.column(key.column).derived {
        return Ok(derived.constant(&stats, physical));
    }
    Ok(match (data_type, physical) {
        (Type::F64, Physical::F64) => {
            let (least, greatest) = (f64::from_bits(stats.min), f64::from_bits(stats.max));
            (least == greatest).then(|| f64_part(least))
        }
        (Type::I64 | Type::Timestamp, Physical::I64) | (Type::Bool, Physical::Bool) => {
            (stats.min == stats.max).then_some(stats.min)
        }
        _ => None,
    })
}

/// Part of the key that stands for a stored code.
fn translated(reader: &Reader<'_>, key: &PlannedKey, code: u64) -> Result<u64> {
    let mut code = [code as u32];
    if let Some(strings) = &reader.column(key.column).strings {
        strings.translate(&mut code)?;
    }
    Ok(code[0].into())
}

/// One group of all NaN, one of both zeros.
fn f64_part(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        (value + 0.0).to_bits()
    }
}

/// A part of the key of each row, and its bit in the null word.
fn key_part(reader: &Reader<'_>, key: &PlannedKey, out: &mut [u64], mut null_word: Option<&mut [u64]>) {
    let column = &reader.blocks[key.column];
    match &column.values {
        Values::Code(codes) => {
            for (out, &code) in out.iter_mut().zip(&codes[..]) {
                *out = code.into();
            }
            return;
        }
        Values::F64(values) => {
            for (out, &value) in out.iter_mut().zip(&values[..]) {
                *out = f64_part(value);
            }
        }
        Values::I64(values) => {
            for (out, &value) in out.iter_mut().zip(&values[..]) {
                *out = value as u64;
            }
        }
    }
    let n = out.len();
    if column.valid == Mask::first(n) {
        return;
    }
    for row in (0..n).filter(|&row| !column.valid.get(row)) {
        match (key.null_bit, &mut null_word) {
            (Some(bit), Some(word)) => {
                out[row] = 0;
                word[row] |= 1 << bit;
            }
            _ => out[row] = 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_before_an_end_are_those_that_counting_finds(
            mut times in prop::collection::vec(prop_oneof![0i64..2_000, Just(i64::MIN), Just(i64::MAX)], 0..300),
            is_paced: bool,
            guess in 0usize..300,
            end in prop_oneof![-1i64..2_001, Just(i64::MIN), Just(i64::MAX)],
        ) {
            if is_paced {
                times = (0..times.len() as i64).map(|row| row * 10).collect();
            }
            times.sort_unstable();
            let found = rows_before(end, times.len(), guess, |row| times[row]);
            prop_assert_eq!(found, times.partition_point(|&time| time < end));
        }
    }

    #[test]
    fn of_rows_at_one_pace_few_times_are_looked_at() {
        let looks = std::cell::Cell::new(0);
        let time = |row: usize| {
            looks.set(looks.get() + 1);
            row as i64 * 10
        };
        assert_eq!(rows_before(4_321, 1_024, 360, time), 433);
        assert!(looks.get() <= 6, "{} looks", looks.get());
    }
}
