//! Aggregates in the making: columns pass block by block, and what is kept of them is summed up on the way.

use std::ops::Range;

use super::grid::Grid;
use super::state::{Slice, State};
use super::{Ends, NODE_ROWS, Nodes, TimeEnds, WIDTHS};
use crate::aggregate::Aggregate;
use crate::column::packed::Physical;
use crate::store::part::block::{Valid, Values};
use crate::store::part::runs::Runs;

/// What a column has had so far.
#[derive(Debug)]
struct Column {
    physical: Physical,
    next: usize,
    ends: Ends,
    nodes: Vec<State>,
    /// Whether sums of doubles are exact enough: no value is huge.
    has_sums: bool,
}

/// Takes the columns of a part in the making, time first, block by block.
#[derive(Debug, Default)]
pub(in crate::store::part) struct Aggregator {
    runs: Runs,
    /// Width of the finest level that is tried; none: of no width nodes have rows enough.
    finest: Option<usize>,
    time_ends: TimeEnds,
    /// Widest first.
    grids: Vec<Grid>,
    column: Option<Column>,
    /// Row of the next time.
    next: usize,
    /// The run the next row is of.
    run: usize,
    /// Whether times have all come.
    is_ready: bool,
}

/// Encoded aggregates of one column: its ends, then a level each, widest first.
pub(in crate::store::part) type Encoded = Vec<Vec<u8>>;

impl Aggregator {
    /// Of rows whose entities and least and greatest time are these.
    pub(in crate::store::part) fn new(runs: &Runs, times: (i64, i64)) -> Self {
        let entities = runs.codes.len();
        let rows = runs.starts.last().map_or(0, |&rows| rows as usize);
        if entities == 0 || rows / entities < NODE_ROWS {
            return Self::default();
        }
        let (span, each) = (times.0.abs_diff(times.1).max(1) as f64, rows as f64 / entities as f64);
        let finest = WIDTHS
            .iter()
            .position(|&width| each * width as f64 / span >= NODE_ROWS as f64);
        Self {
            runs: runs.clone(),
            finest,
            ..Self::default()
        }
    }

    fn is_on(&self) -> bool {
        !self.runs.codes.is_empty()
    }

    /// Takes times in order of rows.
    pub(in crate::store::part) fn times(&mut self, times: &[i64]) {
        if !self.is_on() {
            return;
        }
        if self.grids.is_empty() && self.finest.is_some() {
            self.grids.push(Grid::default());
        }
        let (width, starts) = (self.finest.map(|at| WIDTHS[at]), &self.runs.starts);
        let (first, end) = (self.next, self.next + times.len());
        while self.next < end {
            let until = (starts[self.run + 1] as usize).min(end);
            let is_new = self.next == starts[self.run] as usize;
            let of_run = &times[self.next - first..until - first];
            if is_new {
                self.time_ends.first.push(of_run[0]);
            }
            if let (Some(width), Some(grid)) = (width, self.grids.first_mut()) {
                grid.level.cut(width, self.next as u32, of_run, is_new);
            }
            if until == starts[self.run + 1] as usize {
                self.time_ends.last.push(of_run[of_run.len() - 1]);
                self.run += 1;
            }
            self.next = until;
        }
    }

    /// Derives the wider levels, once all times have come.
    fn make_ready(&mut self) {
        if std::mem::replace(&mut self.is_ready, true) {
            return;
        }
        let (Some(at), Some(mut finest)) = (self.finest, self.grids.pop()) else {
            return;
        };
        let rows = self.next;
        finest.level.width = WIDTHS[at];
        finest.level.starts.push(rows as u32);
        let mut grids = vec![finest];
        for &width in &WIDTHS[at + 1..] {
            let last = &grids[grids.len() - 1];
            if last.level.windows.len() <= self.runs.codes.len() * 2 {
                break;
            }
            let wider = last.widened(width, &self.runs);
            grids.push(wider);
        }
        // Levels that turned out too fine go; then the nodes of all are counted in those of the finest that is left.
        grids.retain(|grid| grid.level.windows.len() * NODE_ROWS <= rows);
        grids.reverse();
        let base = grids.last().map_or(Vec::new(), |finest| finest.level.starts.clone());
        for grid in &mut grids {
            let starts = grid.level.starts[..grid.level.windows.len()].iter();
            let place = |start| base.partition_point(|other| other < start) as u32;
            grid.finest = starts.map(place).collect();
        }
        self.grids = grids;
    }

    /// Begins a column behind the times; true if aggregates of it are kept.
    pub(in crate::store::part) fn column(&mut self, physical: Physical) -> bool {
        self.make_ready();
        let is_kept = self.is_on() && matches!(physical, Physical::F64 | Physical::I64 | Physical::Bool);
        self.column = is_kept.then(|| Column {
            physical,
            next: 0,
            ends: Ends::default(),
            nodes: vec![State::default(); self.grids.last().map_or(0, |grid| grid.level.windows.len())],
            has_sums: physical != Physical::Bool,
        });
        self.run = 0;
        self.next = 0;
        is_kept
    }

    /// Takes a block of the column that was begun last.
    pub(in crate::store::part) fn block(&mut self, values: &Values<'_>, valid: Option<&Valid>) {
        let Some(column) = &mut self.column else { return };
        let bits: Vec<u64>;
        let (values, rows) = match values {
            Values::F64(values) => (Slice::Doubles(values), values.len()),
            Values::I64(values) => (Slice::Integers(values), values.len()),
            Values::Bool(words, rows) => {
                bits = (0..*rows).map(|row| words[row / 64] >> (row % 64) & 1).collect();
                (Slice::Bits(&bits), *rows)
            }
            Values::Code(_) | Values::Text(_) => return,
        };
        let is_there =
            |row: usize| valid.is_none_or(|valid| valid[row / 64] >> (row % 64) & 1 == 1) && !values.is_nan(row);
        let first = column.next;
        column.next += rows;
        // Ends of the entities' rows.
        let mut next = first;
        while next < first + rows {
            let (start, end) = (
                self.runs.starts[self.run] as usize,
                self.runs.starts[self.run + 1] as usize,
            );
            let until = end.min(first + rows);
            column
                .ends
                .take(start..end, first, next..until, &is_there, &|row| values.bits(row));
            self.run += usize::from(until == end);
            next = until;
        }
        // Nodes of the finest level.
        let Some(finest) = self.grids.last() else { return };
        let mut next = first;
        while next < first + rows {
            let end = finest.level.starts[self.next + 1] as usize;
            let until = end.min(first + rows);
            let state = &mut column.nodes[self.next];
            values.insert(next - first..until - first, valid, state, &mut column.has_sums);
            self.next += usize::from(until == end);
            next = until;
        }
    }

    /// Ends the column that was begun last: its aggregates as they lie in the file.
    pub(in crate::store::part) fn end_column(&mut self) -> Encoded {
        let Some(column) = self.column.take() else {
            return Vec::new();
        };
        let mut ends = Vec::new();
        column.ends.encode(column.physical, &mut ends);
        let mut encoded = vec![ends];
        for grid in &self.grids {
            let mut bytes = Vec::new();
            column.nodes_of(grid).encode(column.physical, &grid.level, &mut bytes);
            encoded.push(bytes);
        }
        encoded
    }

    /// Times of ends and the levels, with as many levels as are kept.
    pub(in crate::store::part) fn finish(mut self, levels: usize) -> Encoded {
        if !self.is_on() {
            return Vec::new();
        }
        self.make_ready();
        self.time_ends.widths = self.grids[..levels].iter().map(|grid| grid.level.width).collect();
        let mut ends = Vec::new();
        self.time_ends.encode(&mut ends);
        let mut encoded = vec![ends];
        encoded.extend((0..levels).map(|level| self.level_bytes(level)));
        encoded
    }

    /// Levels there are.
    pub(in crate::store::part) fn levels(&self) -> usize {
        self.grids.len()
    }

    /// A level as it lies in the file.
    pub(in crate::store::part) fn level_bytes(&self, level: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.grids[level].level.encode(&mut bytes);
        bytes
    }
}

impl Ends {
    /// Takes `rows`, some of an entity's rows `run`, in a block whose first row is `first`.
    fn take(
        &mut self,
        run: Range<usize>,
        first: usize,
        mut rows: Range<usize>,
        is_there: &impl Fn(usize) -> bool,
        bits: &impl Fn(usize) -> u64,
    ) {
        if rows.start == run.start {
            self.before.push(run.len() as u32);
            self.behind.push(run.len() as u32);
            // Where there is none, whatever compresses best.
            self.first.push(self.first.last().copied().unwrap_or(0));
            self.last.push(self.last.last().copied().unwrap_or(0));
        }
        let at = self.before.len() - 1;
        if self.before[at] as usize == run.len()
            && let Some(found) = rows.clone().find(|row| is_there(row - first))
        {
            self.before[at] = (found - run.start) as u32;
            self.first[at] = bits(found - first);
        }
        if let Some(found) = rows.rfind(|row| is_there(row - first)) {
            self.behind[at] = (run.end - 1 - found) as u32;
            self.last[at] = bits(found - first);
        }
    }
}

impl Column {
    /// What is known in each node of a level.
    fn nodes_of(&self, grid: &Grid) -> Nodes {
        let mut states: Vec<State> = Vec::with_capacity(grid.finest.len());
        for (at, &first) in grid.finest.iter().enumerate() {
            let end = grid.finest.get(at + 1).map_or(self.nodes.len(), |&end| end as usize);
            let mut state = self.nodes[first as usize].clone();
            for later in &self.nodes[first as usize + 1..end] {
                state.merge(later, self.physical);
            }
            if !state.has_values
                && let Some(before) = states.last()
            {
                // Nobody reads them: whatever compresses best.
                (state.least, state.greatest) = (before.least, before.greatest);
            }
            states.push(state);
        }
        let counts = |count: fn(&State) -> u32| {
            let counts: Vec<u32> = states.iter().map(count).collect();
            if counts.iter().all(|&count| count == 0) {
                Vec::new()
            } else {
                counts
            }
        };
        let sum = |state: &State| match self.physical {
            Physical::F64 => Some(state.sum.finish().to_bits()),
            _ => i64::try_from(state.integers.finish()).ok().map(|sum| sum as u64),
        };
        Nodes {
            nulls: counts(|state| state.nulls),
            nans: counts(|state| state.nans),
            least: states.iter().map(|state| state.least).collect(),
            greatest: states.iter().map(|state| state.greatest).collect(),
            sums: if self.has_sums {
                states.iter().map(sum).collect()
            } else {
                None
            },
        }
    }
}

#[cfg(test)]
mod tests;
