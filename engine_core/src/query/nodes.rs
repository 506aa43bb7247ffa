//! Aggregates of parts in place of rows: where a node, what an entity's rows in a window of fixed width come to, lies whole in the
//! range and in one window of the query, its rows are not read.

use std::ops::Range;
use std::sync::Arc;

use super::lane::{Lane, Source};
use super::plan::Plan;
use super::state::{Keep, Known};
use crate::column::BLOCK_ROWS;
use crate::column::packed::Physical;
use crate::error::Result;
use crate::group::Grouper;
use crate::scan::control::Pace;
use crate::scan::{Run, Type};
use crate::store::{Level, Nodes, Part, Rows};
use crate::time::TimeRange;
use crate::window::cut::Cut;

/// A node whose rows are all taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    node: u32,
    /// Entity.
    pub(super) code: u32,
    /// The query's window, as a part of the key.
    pub(super) window: u64,
}

/// Which nodes of a part are taken, and which rows are in none of them.
struct Selection<'a> {
    /// Widest first.
    levels: &'a [(u32, Arc<Level>)],
    range: TimeRange,
    /// Whether all rows of the part lie in the range.
    is_inside: bool,
    /// Least and greatest time of the part.
    times: (i64, i64),
    windows: Option<(&'a Cut, i64)>,
    /// By level.
    chosen: Vec<Vec<Chosen>>,
    /// Apart and in order.
    rows: Vec<Range<u32>>,
}

impl Selection<'_> {
    /// Takes an entity's rows, by nodes of this level and finer ones.
    fn take(&mut self, code: u32, rows: Range<u32>, at: usize) {
        let Some((_, level)) = self.levels.get(at) else {
            return self.take_rows(rows);
        };
        let level = Arc::clone(level);
        let mut node = level.starts.partition_point(|&start| start < rows.start);
        let first = level.starts[node].min(rows.end);
        if rows.start < first {
            self.take(code, rows.start..first, at + 1);
        }
        while level.starts[node] < rows.end {
            let of_node = level.rows(node);
            match self.window_of(&level, node).filter(|_| of_node.end <= rows.end) {
                Some(window) => self.chosen[at].push(Chosen {
                    node: node as u32,
                    code,
                    window,
                }),
                None => self.take(code, of_node.start..of_node.end.min(rows.end), at + 1),
            }
            node += 1;
        }
    }

    fn take_rows(&mut self, rows: Range<u32>) {
        match self.rows.last_mut() {
            _ if rows.is_empty() => (),
            Some(last) if last.end == rows.start => last.end = rows.end,
            _ => self.rows.push(rows),
        }
    }

    /// The query's window that all rows of a node lie in; none: they may be of several, or outside of the range.
    fn window_of(&self, level: &Level, node: usize) -> Option<u64> {
        let start = level.windows[node].saturating_mul(level.width);
        let low = start.max(self.times.0);
        let high = start.saturating_add(level.width - 1).min(self.times.1);
        if !self.is_inside && !self.range.covers(low, high) {
            return None;
        }
        let Some((cut, first)) = self.windows else {
            return Some(0);
        };
        let window = cut.index(low);
        cut.holds(window, high).then(|| window.abs_diff(first))
    }
}

impl Plan {
    /// Whether nodes tell what every state takes, and every group, of an entity's rows in a window.
    pub(super) fn can_read_nodes(&self, is_by_entity: bool, takes_whole_entities: bool) -> bool {
        let tells = |keep: Keep, data_type: Type| match keep {
            Keep::Count | Keep::Min | Keep::Max => data_type != Type::Text,
            Keep::Mean => matches!(data_type, Type::F64 | Type::I64),
            Keep::First | Keep::Last | Keep::Own(_) => false,
        };
        let mut slots = self.slots.iter();
        !self.no_footers
            && is_by_entity
            && takes_whole_entities
            && slots
                .all(|slot| slot.filter.is_none() && (slot.column.is_none() || tells(slot.keep, self.slot_type(slot))))
    }
}

impl<'a> Lane<'a> {
    /// Takes some blocks of a part, by nodes where they are whole. A node that begins in them and goes on in the next lane's is taken here.
    pub(super) fn run_nodes(
        &mut self,
        pace: &mut Pace<'_>,
        source: &'a Rows,
        part: &Part,
        run: &Run,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        let levels = self.levels(part)?;
        let Some((_, widest)) = levels.first() else {
            return self.run_blocks(pace, source, run.blocks.clone(), groups, most);
        };
        self.reader.turn_to(source)?;
        self.keying.turn_to(source)?;
        let (range, times) = (self.range, part.times());
        let mut selection = Selection {
            levels: &levels,
            range,
            is_inside: range.covers(times.0, times.1),
            times,
            windows: self.plan.windows.as_ref().map(|windows| (&windows.cut, windows.first)),
            chosen: vec![Vec::new(); levels.len()],
            rows: Vec::new(),
        };
        let rows = rows_of(part.rows(), run, widest);
        for (code, rows) in part.runs()?.within(rows) {
            let is_taken = |codes: &Vec<u32>| codes.binary_search(&code).is_ok();
            if self.plan.entities.as_ref().is_none_or(is_taken) {
                pace.step()?;
                selection.take(code, rows, 0);
            }
        }
        let Selection { chosen, mut rows, .. } = selection;
        for ((number, level), chosen) in levels.iter().zip(chosen) {
            if chosen.is_empty() {
                continue;
            }
            match self.nodes(*number, level)? {
                Some(nodes) => self.take_nodes(pace, level, &nodes, &chosen, groups, most)?,
                None => rows.extend(chosen.iter().map(|chosen| level.rows(chosen.node as usize))),
            }
        }
        rows.sort_unstable_by_key(|rows| rows.start);
        self.run_rows(pace, source, &rows, groups, most)
    }

    /// Levels of a part that are worth looking at, widest first.
    fn levels(&self, part: &Part) -> Result<Vec<(u32, Arc<Level>)>> {
        let Some(ends) = part.time_ends()? else {
            return Ok(Vec::new());
        };
        let mut levels = Vec::new();
        for (number, &width) in (0..).zip(&ends.widths) {
            let fits = self
                .plan
                .windows
                .as_ref()
                .is_none_or(|windows| width <= windows.cut.least_width());
            // Where there is but one group, a node is worth as much as a block.
            let is_one_group = self.plan.windows.is_none() && self.plan.keys.is_empty();
            if fits && let Some(level) = part.level(number)? {
                if is_one_group && level.windows.len() > part.blocks() {
                    break;
                }
                levels.push((number, level));
            }
        }
        Ok(levels)
    }

    /// What the nodes of a level tell of the states of each source; none: not all that states take.
    fn nodes(&self, number: u32, level: &Level) -> Result<Option<Vec<Option<Arc<Nodes>>>>> {
        let mut all = Vec::with_capacity(self.by_source.len());
        for Source { column, slots, .. } in &self.by_source {
            let Some((found, _)) = column.and_then(|column| self.reader.place(column)) else {
                all.push(None);
                continue;
            };
            let Some(nodes) = found.nodes(number, level)? else {
                return Ok(None);
            };
            let mut keeps = slots.iter().map(|&slot| self.plan.slots[slot].keep);
            if nodes.sums.is_none() && keeps.any(|keep| keep == Keep::Mean) {
                return Ok(None);
            }
            all.push(Some(nodes));
        }
        Ok(Some(all))
    }

    fn take_nodes(
        &mut self,
        pace: &mut Pace<'_>,
        level: &Level,
        nodes: &[Option<Arc<Nodes>>],
        chosen: &[Chosen],
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        for chosen in chosen.chunks(BLOCK_ROWS) {
            pace.step()?;
            self.keying.assign_nodes(&self.reader, chosen, groups, most)?;
            self.grow(groups.len());
            let rows = |chosen: &Chosen| u64::from(level.rows(chosen.node as usize).len() as u32);
            let in_all: u64 = chosen.iter().map(rows).sum();
            pace.count(in_all);
            self.counts.matched += in_all;
            self.counts.nodes += chosen.len() as u64;
            for (Source { column, slots, .. }, nodes) in self.by_source.iter().zip(nodes) {
                let groups = self.keying.node_groups(chosen.len());
                let Some(column) = *column else {
                    for &slot in slots {
                        for (chosen, &group) in chosen.iter().zip(groups) {
                            self.states[slot].insert_known(group as usize, Known::Count(rows(chosen)))?;
                        }
                    }
                    continue;
                };
                // A column that is null throughout has nothing to tell.
                let Some(nodes) = nodes else { continue };
                let nans = chosen.iter().map(|chosen| nodes.nans(chosen.node as usize));
                self.counts.nans[column] += nans.sum::<u64>();
                let physical = self.reader.place(column).map(|(found, _)| found.physical());
                for &slot in slots {
                    let keep = self.plan.slots[slot].keep;
                    for (chosen, &group) in chosen.iter().zip(groups) {
                        let node = chosen.node as usize;
                        let present = rows(chosen) - nodes.absent(node);
                        if present > 0 {
                            let known = known(nodes, node, present, keep, physical == Some(Physical::F64));
                            self.states[slot].insert_known(group as usize, known)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Rows of a lane's blocks, which were cut out of others in a row: moved to where nodes of the widest level begin.
fn rows_of(rows: usize, Run { blocks, whole, .. }: &Run, widest: &Level) -> Range<u32> {
    let row = |block: usize| (block * BLOCK_ROWS).min(rows) as u32;
    let last = row(whole.end);
    let next_node = |row: u32| widest.starts[widest.starts.partition_point(|&start| start < row)].min(last);
    let start = if blocks.start == whole.start {
        row(blocks.start)
    } else {
        next_node(row(blocks.start))
    };
    let end = if blocks.end == whole.end {
        last
    } else {
        next_node(row(blocks.end))
    };
    start..end
}

/// What a state takes of a node.
fn known(nodes: &Nodes, node: usize, present: u64, keep: Keep, is_f64: bool) -> Known {
    let sum = nodes.sums.as_ref().map_or(0, |sums| sums[node]);
    match (keep, is_f64) {
        (Keep::Mean, true) => Known::SumF64(f64::from_bits(sum), present),
        (Keep::Mean, false) => Known::SumI64((sum as i64).into(), present),
        (Keep::Min, true) => Known::F64(f64::from_bits(nodes.least[node])),
        (Keep::Min, false) => Known::I64(nodes.least[node] as i64),
        (Keep::Max, true) => Known::F64(f64::from_bits(nodes.greatest[node])),
        (Keep::Max, false) => Known::I64(nodes.greatest[node] as i64),
        _ => Known::Count(present),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lanes_take_each_row_once(
            lengths in prop::collection::vec(1u32..5_000, 1..40),
            whole in (0usize..30, 1usize..30),
            cuts in prop::collection::vec(0usize..30, 0..6),
        ) {
            let ends = lengths.iter().scan(0, |end, length| {
                *end += length;
                Some(*end)
            });
            let starts: Vec<u32> = std::iter::once(0).chain(ends).collect();
            let rows = starts[starts.len() - 1] as usize;
            let level = Level { width: 1, windows: vec![0; lengths.len()], starts };
            let blocks = rows.div_ceil(BLOCK_ROWS);
            let first = whole.0.min(blocks - 1);
            let whole = first..(first + whole.1).min(blocks);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| whole.start + cut % whole.len()).collect();
            cuts.extend([whole.start, whole.end]);
            cuts.sort_unstable();
            cuts.dedup();
            let mut next = (whole.start * BLOCK_ROWS) as u32;
            for cut in cuts.windows(2) {
                let run = Run { source: 0, blocks: cut[0]..cut[1], whole: whole.clone() };
                let taken = rows_of(rows, &run, &level);
                prop_assert_eq!(taken.start, next);
                prop_assert!(taken.end >= taken.start);
                next = taken.end;
            }
            prop_assert_eq!(next as usize, (whole.end * BLOCK_ROWS).min(rows));
        }
    }
}
