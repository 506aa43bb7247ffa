//! Windows without rows, put in where a query asks for them.

use super::layout::Layout;
use super::output::{Cell, Output, OutputValues};
use super::plan::{Plan, Windows};
use super::spec::FillSpec;
use crate::error::Result;
use crate::group::too_many;

/// The rows of an answer with windows without rows among them: for each one the group it is of, or none, and its window.
pub(super) struct Filled {
    rows: Vec<(Option<u32>, u64)>,
    /// Where the rows of one chain of windows end, and a group of it.
    chains: Vec<(usize, Option<u32>)>,
    fill: FillSpec,
}

impl Filled {
    /// Every window of every chain; of no chain at all one, where nothing is grouped by. Where the range is open, windows begin and
    /// end with those of the rows taken.
    pub(super) fn new(layout: &Layout<'_>, windows: &Windows, fill: FillSpec, plan: &Plan, most: u64) -> Result<Self> {
        let none = [Vec::new()];
        let chains = match layout.chains() {
            [] if plan.keys.is_empty() => &none[..],
            chains => chains,
        };
        let taken = |group: usize| layout.window(group as u32);
        let (is_bounded_below, is_bounded_above) = plan.bounded;
        let first = if is_bounded_below {
            Some(0)
        } else {
            (0..layout.len()).map(taken).min()
        };
        let end = if is_bounded_above {
            Some(windows.count)
        } else {
            (0..layout.len()).map(taken).max().map(|last| last + 1)
        };
        // Of a range that holds no instant there is no window.
        let between = first.zip(end).filter(|_| plan.holds_time);
        let between = between.map_or(0..0, |(first, end)| first..end);
        if (chains.len() as u64).saturating_mul(between.end.saturating_sub(between.start)) > most {
            return Err(too_many(most));
        }
        let mut filled = Self {
            rows: Vec::new(),
            chains: Vec::new(),
            fill,
        };
        for chain in chains {
            let mut groups = chain.iter().copied().peekable();
            for window in between.clone() {
                let group = groups.next_if(|&group| layout.window(group) == window);
                filled.rows.push((group, window));
            }
            filled.chains.push((filled.rows.len(), chain.first().copied()));
        }
        Ok(filled)
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Windows' starts.
    pub(super) fn starts(&self, windows: &Windows) -> Vec<i64> {
        let start = |&(_, window): &(Option<u32>, u64)| windows.cut.start(windows.first.wrapping_add_unsigned(window));
        self.rows.iter().map(start).collect()
    }

    fn chain(&self, at: usize) -> std::ops::Range<usize> {
        let start = at.checked_sub(1).map_or(0, |before| self.chains[before].0);
        start..self.chains[at].0
    }

    /// A column of keys, which all windows of a chain share.
    pub(super) fn key(&self, output: &Output) -> Output {
        let mut cells = Vec::with_capacity(self.rows.len());
        for (at, (_, group)) in self.chains.iter().enumerate() {
            cells.resize(cells.len() + self.chain(at).len(), group.map_or(Cell::Null, Cell::Row));
        }
        output.of_cells(&cells)
    }

    /// A column of a measure.
    pub(super) fn measure(&self, output: &Output) -> Output {
        let is_number = matches!(output.values, OutputValues::F64(_) | OutputValues::I64(_));
        let mut cells: Vec<Cell> = self
            .rows
            .iter()
            .map(|(group, _)| group.map_or(Cell::Null, Cell::Row))
            .collect();
        for at in 0..self.chains.len() {
            let range = self.chain(at);
            let known = |cell: &Cell| match cell {
                Cell::Row(row) if output.is_valid(*row as usize) => Some(*row),
                _ => None,
            };
            match self.fill {
                FillSpec::Null => {}
                FillSpec::Constant(value) if is_number => {
                    let gaps = range.filter(|&row| self.rows[row].0.is_none());
                    gaps.for_each(|row| cells[row] = Cell::Number(value));
                }
                FillSpec::Previous => {
                    let mut last = None;
                    for row in range {
                        if self.rows[row].0.is_none() {
                            cells[row] = last.map_or(Cell::Null, Cell::Row);
                        }
                        last = known(&cells[row]).or(last);
                    }
                }
                FillSpec::Linear if is_number => {
                    let ends: Vec<(usize, u32)> = range.filter_map(|row| Some((row, known(&cells[row])?))).collect();
                    for pair in ends.windows(2) {
                        let ((from, low), (to, high)) = (pair[0], pair[1]);
                        let (Some(low), Some(high)) = (output.number(low as usize), output.number(high as usize))
                        else {
                            continue;
                        };
                        for row in (from + 1..to).filter(|&row| self.rows[row].0.is_none()) {
                            let share = (row - from) as f64 / (to - from) as f64;
                            cells[row] = Cell::Number(low + (high - low) * share);
                        }
                    }
                }
                FillSpec::Constant(_) | FillSpec::Linear => {}
            }
        }
        output.of_cells(&cells)
    }
}
