//! Aggregates in the making: columns pass block by block, and what is kept of them is summed up on the way.

use std::ops::Range;

use super::{Ends, Level, NODE_ROWS, Nodes, TimeEnds, WIDTHS};
use crate::aggregate::Aggregate;
use crate::aggregate::sum::{HUGE, IntegerSum, Sum};
use crate::column::packed::Physical;
use crate::store::part::block::{Valid, Values};
use crate::store::part::runs::Runs;

/// What is known of the values of one node in the making.
#[derive(Clone, Debug, Default)]
struct State {
    nulls: u32,
    nans: u32,
    /// Values that are neither: the next fields say nothing before the first.
    has_values: bool,
    least: u64,
    greatest: u64,
    sum: Sum,
    integers: IntegerSum,
}

impl State {
    fn widen(&mut self, least: u64, greatest: u64, is_less: impl Fn(u64, u64) -> bool) {
        if !self.has_values || is_less(least, self.least) {
            self.least = least;
        }
        if !self.has_values || is_less(self.greatest, greatest) {
            self.greatest = greatest;
        }
        self.has_values = true;
    }

    fn merge(&mut self, later: &Self, physical: Physical) {
        self.nulls += later.nulls;
        self.nans += later.nans;
        if later.has_values {
            self.widen(later.least, later.greatest, is_less(physical));
        }
        self.sum.merge(&later.sum);
        self.integers.merge(&later.integers);
    }
}

/// Order of values given as bits.
fn is_less(physical: Physical) -> impl Fn(u64, u64) -> bool {
    move |left, right| {
        if physical == Physical::F64 {
            f64::from_bits(left) < f64::from_bits(right)
        } else {
            (left as i64) < right as i64
        }
    }
}

/// A level in the making. The widest come from the finest, whose nodes theirs are made of.
#[derive(Debug, Default)]
struct Grid {
    level: Level,
    /// First node of the finest level in each node, once all levels are there.
    finest: Vec<u32>,
}

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

impl Level {
    /// Adds the nodes of an entity's rows, or of more of them: `is_new` says that they are its first.
    fn cut(&mut self, width: i64, first: u32, times: &[i64], is_new: bool) {
        let mut at = 0;
        while at < times.len() {
            let window = times[at].div_euclid(width);
            // Behind the last window that ends within time there is but one.
            let end = window.checked_add(1).and_then(|next| next.checked_mul(width));
            let n = end.map_or(times.len() - at, |end| times[at..].partition_point(|&time| time < end));
            let goes_on = !(is_new && at == 0) && self.windows.last() == Some(&window);
            if !goes_on {
                self.starts.push(first + at as u32);
                self.windows.push(window);
            }
            at += n;
        }
    }
}

impl Grid {
    /// The level of a multiple of this one's width.
    fn widened(&self, width: i64, runs: &Runs) -> Self {
        let (factor, mut wider) = (width / self.level.width, Self::default());
        let mut run = 0;
        for (node, &window) in self.level.windows.iter().enumerate() {
            let (start, window) = (self.level.starts[node], window.div_euclid(factor));
            let is_new = runs.starts.get(run) == Some(&start);
            run += usize::from(is_new);
            if is_new || wider.level.windows.last() != Some(&window) {
                wider.level.starts.push(start);
                wider.level.windows.push(window);
            }
        }
        wider.level.width = width;
        wider.level.starts.extend(self.level.starts.last());
        wider
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

/// Values of a block.
#[derive(Clone, Copy)]
enum Slice<'a> {
    Doubles(&'a [f64]),
    Integers(&'a [i64]),
    /// 0 or 1.
    Bits(&'a [u64]),
}

impl Slice<'_> {
    fn is_nan(&self, row: usize) -> bool {
        matches!(self, Self::Doubles(values) if values[row].is_nan())
    }

    fn bits(&self, row: usize) -> u64 {
        match self {
            Self::Doubles(values) => values[row].to_bits(),
            Self::Integers(values) => values[row] as u64,
            Self::Bits(values) => values[row],
        }
    }

    /// Inserts some rows into a node.
    fn insert(&self, rows: Range<usize>, valid: Option<&Valid>, state: &mut State, has_sums: &mut bool) {
        let is_valid = |row: usize| valid.is_none_or(|valid| valid[row / 64] >> (row % 64) & 1 == 1);
        match self {
            Self::Doubles(values) => {
                let mut kept: Vec<f64> = Vec::new();
                let mut of_rows = &values[rows.clone()];
                if valid.is_some() || of_rows.iter().any(|value| value.is_nan()) {
                    for row in rows {
                        let value = values[row];
                        match (is_valid(row), value.is_nan()) {
                            (false, _) => state.nulls += 1,
                            (true, true) => state.nans += 1,
                            (true, false) => kept.push(value),
                        }
                    }
                    of_rows = &kept;
                }
                let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
                for &value in of_rows {
                    least = if value < least { value } else { least };
                    greatest = if value > greatest { value } else { greatest };
                }
                if of_rows.is_empty() {
                    return;
                }
                state.widen(least.to_bits(), greatest.to_bits(), is_less(Physical::F64));
                *has_sums &= least.abs() < HUGE && greatest.abs() < HUGE;
                if *has_sums {
                    state.sum.insert_all(of_rows);
                }
            }
            Self::Integers(values) => {
                let mut kept: Vec<i64> = Vec::new();
                let mut of_rows = &values[rows.clone()];
                if valid.is_some() {
                    kept.extend(rows.clone().filter(|&row| is_valid(row)).map(|row| values[row]));
                    state.nulls += (rows.len() - kept.len()) as u32;
                    of_rows = &kept;
                }
                let (mut least, mut greatest) = (i64::MAX, i64::MIN);
                for &value in of_rows {
                    least = least.min(value);
                    greatest = greatest.max(value);
                }
                if !of_rows.is_empty() {
                    state.widen(least as u64, greatest as u64, is_less(Physical::I64));
                    state.integers.insert_all(of_rows);
                }
            }
            Self::Bits(values) => {
                for row in rows {
                    if is_valid(row) {
                        state.widen(values[row], values[row], is_less(Physical::Bool));
                    } else {
                        state.nulls += 1;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::column::BLOCK_ROWS;

    /// Rows of a part: entities ascending, times ascending within each, doubles by row; none is null.
    #[derive(Clone, Debug)]
    struct Rows {
        entities: Vec<u32>,
        times: Vec<i64>,
        values: Vec<Option<f64>>,
    }

    fn rows() -> impl Strategy<Value = Rows> {
        let value = prop_oneof![
            8 => (-10_000i32..10_000).prop_map(|n| Some(f64::from(n) / 100.0)),
            1 => Just(None),
            1 => Just(Some(f64::NAN)),
        ];
        let steps = prop_oneof![Just(1i64), Just(7_000_000), Just(1_000_000_000), Just(60_000_000_000)];
        let entity = (400usize..1_500, steps, -5_000_000_000i64..5_000_000_000);
        (prop::collection::vec(entity, 1..5), prop::collection::vec(value, 997)).prop_map(|(entities, values)| {
            let mut rows = Rows {
                entities: Vec::new(),
                times: Vec::new(),
                values: Vec::new(),
            };
            for (code, (n, step, start)) in (1..).zip(entities) {
                for row in 0..n {
                    rows.entities.push(code * 3);
                    rows.times.push(start + row as i64 * step);
                    rows.values.push(values[rows.times.len() % values.len()]);
                }
            }
            rows
        })
    }

    /// Aggregates of the rows, encoded and decoded.
    fn aggregates(rows: &Rows) -> Option<(TimeEnds, Vec<Level>, Ends, Vec<Nodes>)> {
        let runs = Runs::of(rows.entities.iter().copied());
        let bounds = (*rows.times.iter().min()?, *rows.times.iter().max()?);
        let mut aggregator = Aggregator::new(&runs, bounds);
        rows.times.chunks(BLOCK_ROWS).for_each(|times| aggregator.times(times));
        assert!(aggregator.column(Physical::F64));
        for values in rows.values.chunks(BLOCK_ROWS) {
            let mut valid: Valid = [0; BLOCK_ROWS / 64];
            for row in (0..values.len()).filter(|&row| values[row].is_some()) {
                valid[row / 64] |= 1 << (row % 64);
            }
            let doubles: Vec<f64> = values.iter().map(|value| value.unwrap_or(-7.0)).collect();
            aggregator.block(&Values::F64(doubles), Some(&valid));
        }
        let (column, levels) = (aggregator.end_column(), aggregator.levels());
        let entities = aggregator.finish(levels);
        let (n, count) = (rows.times.len(), runs.codes.len());
        let levels: Vec<Level> = entities[1..]
            .iter()
            .map(|bytes| Level::decode(bytes, n).unwrap())
            .collect();
        let nodes = column[1..].iter().zip(&levels);
        let nodes = nodes.map(|(bytes, level)| Nodes::decode(bytes, Physical::F64, level).unwrap());
        Some((
            TimeEnds::decode(&entities[0], count).unwrap(),
            levels.clone(),
            Ends::decode(&column[0], Physical::F64, count, n).unwrap(),
            nodes.collect(),
        ))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nodes_and_ends_are_those_of_the_rows(rows in rows()) {
            let (times, levels, ends, nodes) = aggregates(&rows).unwrap();
            prop_assert_eq!(&times.widths, &levels.iter().map(|level| level.width).collect::<Vec<_>>());
            prop_assert!(times.widths.is_sorted_by(|left, right| left > right && left % right == 0));
            let runs = Runs::of(rows.entities.iter().copied());
            let there = |row: usize| rows.values[row].filter(|value| !value.is_nan());
            for at in 0..runs.codes.len() {
                let run = runs.rows_at(at);
                let (start, end) = (run.start as usize, run.end as usize);
                prop_assert_eq!((times.first[at], times.last[at]), (rows.times[start], rows.times[end - 1]));
                let first = (start..end).find(|&row| there(row).is_some());
                prop_assert_eq!(ends.before[at] as usize, first.map_or(end - start, |row| row - start));
                let last = (start..end).rfind(|&row| there(row).is_some());
                prop_assert_eq!(ends.behind[at] as usize, last.map_or(end - start, |row| end - 1 - row));
                if let (Some(first), Some(last)) = (first, last) {
                    prop_assert_eq!(Some(f64::from_bits(ends.first[at])), there(first));
                    prop_assert_eq!(Some(f64::from_bits(ends.last[at])), there(last));
                }
            }
            for (level, nodes) in levels.iter().zip(&nodes) {
                prop_assert!(level.windows.len() * NODE_ROWS <= rows.times.len());
                prop_assert_eq!((level.starts[0], level.starts.len()), (0, level.windows.len() + 1));
                for node in 0..level.windows.len() {
                    let of_node = level.rows(node);
                    let of_node = of_node.start as usize..of_node.end as usize;
                    let key = |row: usize| (rows.entities[row], rows.times[row].div_euclid(level.width));
                    prop_assert!(of_node.clone().all(|row| key(row) == (rows.entities[of_node.start], level.windows[node])));
                    prop_assert!(of_node.end == rows.times.len() || key(of_node.end) != key(of_node.start));
                    let values: Vec<f64> = of_node.clone().filter_map(there).collect();
                    let nans = of_node.clone().filter(|&row| rows.values[row].is_some_and(f64::is_nan)).count();
                    prop_assert_eq!((nodes.nans(node), nodes.absent(node)), (nans as u64, (of_node.len() - values.len()) as u64));
                    if !values.is_empty() {
                        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        prop_assert_eq!((f64::from_bits(nodes.least[node]), f64::from_bits(nodes.greatest[node])), (least, greatest));
                        let sum = f64::from_bits(nodes.sums.as_ref().unwrap()[node]);
                        let (plain, magnitude) = values.iter().fold((0.0, 0.0), |(sum, all), value| (sum + value, all + value.abs()));
                        prop_assert!((sum - plain).abs() <= magnitude * 1e-12);
                    }
                }
            }
        }

        #[test]
        fn any_bytes_are_refused_or_read_in_fuzz(bytes in prop::collection::vec(any::<u8>(), 0..300), n in 1usize..3_000) {
            let _ = TimeEnds::decode(&bytes, n);
            let _ = Ends::decode(&bytes, Physical::F64, n, n);
            let _ = Ends::decode(&bytes, Physical::I64, n, n);
            if let Some(level) = Level::decode(&bytes, n) {
                let _ = Nodes::decode(&bytes, Physical::F64, &level);
            }
        }
    }

    #[test]
    fn sums_that_do_not_fit_are_not_kept_and_few_rows_have_no_aggregates() {
        let runs = Runs::of((0..1_000).map(|_| 1));
        let mut aggregator = Aggregator::new(&runs, (0, 999));
        aggregator.times(&(0..1_000).collect::<Vec<i64>>());
        aggregator.column(Physical::I64);
        aggregator.block(&Values::I64(vec![i64::MAX / 2; 1_000]), None);
        let encoded = aggregator.end_column();
        let level = Level::decode(&aggregator.level_bytes(0), 1_000).unwrap();
        assert_eq!((level.windows.len(), level.width), (1, 1_000_000));
        let nodes = Nodes::decode(&encoded[1], Physical::I64, &level).unwrap();
        assert_eq!((nodes.sums, &nodes.least[..]), (None, &[i64::MAX as u64 / 2][..]));
        let mut none = Aggregator::new(&Runs::of(0..1_000), (0, 999));
        none.times(&(0..1_000).collect::<Vec<i64>>());
        assert!(!none.column(Physical::I64));
        assert!(none.end_column().is_empty() && none.finish(0).is_empty());
    }
}
