//! Accumulates one lane: its blocks in order, each filtered, grouped and inserted into states.

use std::ops::Range;

use super::plan::Plan;
use super::state::{Present, States};
use crate::aggregate::Groups;
use crate::column::BLOCK_ROWS;
use crate::column::schema::TIME;
use crate::error::{Error, Result};
use crate::group::Grouper;
use crate::scan::block::{Reader, Values};
use crate::scan::control::Control;
use crate::scan::mask::Mask;
use crate::store::{ColumnRows, Rows};

/// What provenance counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Rows that passed the filter.
    pub(crate) matched: u64,
    /// NaN among them, by column.
    pub(crate) nans: Vec<u64>,
}

/// States of no groups.
pub(super) fn new_states(plan: &Plan) -> Result<Vec<States>> {
    plan.slots
        .iter()
        .map(|slot| States::new(slot.keep, plan.slot_type(slot)))
        .collect()
}

/// Buffers of one lane.
pub(super) struct Lane<'a> {
    plan: &'a Plan,
    reader: Reader<'a>,
    states: Vec<States>,
    counts: Counts,
    parts: Vec<Box<[u64; BLOCK_ROWS]>>,
    offsets: Box<[u32; BLOCK_ROWS]>,
    groups: Box<[u32; BLOCK_ROWS]>,
    kept: Box<[u16; BLOCK_ROWS]>,
    present: Box<[u16; BLOCK_ROWS]>,
    present_groups: Box<[u32; BLOCK_ROWS]>,
    times: Box<[i64; BLOCK_ROWS]>,
    entities: Box<[u32; BLOCK_ROWS]>,
    /// Values for states that take none.
    nothing: Values,
    /// Columns that keys and states need.
    needed: Vec<usize>,
    /// Columns of states, each with its slots.
    by_column: Vec<(Option<usize>, Vec<usize>)>,
}

impl<'a> Lane<'a> {
    pub(super) fn new(plan: &'a Plan) -> Result<Self> {
        let mut by_column: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
        for (at, slot) in plan.slots.iter().enumerate() {
            match by_column.iter_mut().find(|(column, _)| *column == slot.column) {
                Some((_, slots)) => slots.push(at),
                None => by_column.push((slot.column, vec![at])),
            }
        }
        let mut needed: Vec<usize> = plan.keys.iter().map(|key| key.column).collect();
        needed.extend(by_column.iter().filter_map(|(column, _)| *column));
        needed.extend(plan.timed.into_iter().flat_map(|(time, entity)| [time, entity]));
        needed.sort_unstable();
        needed.dedup();
        let parts = usize::from(plan.windows.is_some()) + plan.keys.len() + usize::from(plan.null_word);
        Ok(Self {
            plan,
            reader: Reader::new(&plan.columns),
            states: new_states(plan)?,
            counts: Counts {
                matched: 0,
                nans: vec![0; plan.columns.len()],
            },
            parts: (0..parts).map(|_| Box::new([0; BLOCK_ROWS])).collect(),
            offsets: Box::new([0; BLOCK_ROWS]),
            groups: Box::new([0; BLOCK_ROWS]),
            kept: Box::new([0; BLOCK_ROWS]),
            present: Box::new([0; BLOCK_ROWS]),
            present_groups: Box::new([0; BLOCK_ROWS]),
            times: Box::new([0; BLOCK_ROWS]),
            entities: Box::new([0; BLOCK_ROWS]),
            nothing: Values::I64(Box::new([0; BLOCK_ROWS])),
            needed,
            by_column,
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
        for run in &self.plan.lanes[lane] {
            let source = &scan.sources[run.source];
            self.run_blocks(control, source, run.blocks.clone(), groups, most)
                .map_err(|error| source.explain(error))?;
        }
        Ok((self.states, self.counts))
    }

    fn run_blocks(
        &mut self,
        control: &Control,
        source: &'a Rows,
        blocks: Range<usize>,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        self.reader.turn_to(source)?;
        let times = source
            .column(TIME)?
            .ok_or_else(|| Error::internal("rows without times"))?;
        for block in blocks {
            control.check()?;
            self.reader.turn_to_block(block);
            let bounds = times.time_bounds(block);
            let n = self.choose(control, &times, block, bounds)?;
            if n > 0 {
                let many = self.assign(groups, n, bounds, most)?;
                self.states.iter_mut().for_each(|states| states.grow(groups.len()));
                self.accumulate(n, many)?;
            }
        }
        Ok(())
    }

    /// Rows of the block that are taken, all that is needed of them moved to the front: how many.
    fn choose(&mut self, control: &Control, times: &ColumnRows<'_>, block: usize, bounds: (i64, i64)) -> Result<usize> {
        let rows = self.reader.rows();
        let range = self.plan.scan.range;
        let inside = range.covers(bounds.0, bounds.1);
        let windows_apart = self
            .plan
            .windows
            .is_some_and(|windows| windows.tumbling.index(bounds.0) != windows.tumbling.index(bounds.1));
        let mut have_times = false;
        let mut selection = None;
        if !inside {
            times.decode_i64(block, &mut self.times)?;
            have_times = true;
            let within = Mask::of(&self.times[..rows], |time| range.contains(time));
            if within.is_empty() {
                return Ok(0);
            }
            control.count(within.count() as u64)?;
            selection = Some(within);
        }
        if let Some(condition) = &self.plan.condition {
            let outlook = condition.outlook(&self.reader);
            if inside {
                if !outlook.may_hold {
                    return Ok(0);
                }
                control.count(rows as u64)?;
            }
            if !outlook.may_hold {
                return Ok(0);
            }
            if !outlook.always_holds() {
                let (holds, _) = condition.evaluate(&mut self.reader)?;
                selection = Some(selection.map_or(holds, |within| within.and(&holds)));
            }
        } else if inside {
            control.count(rows as u64)?;
        }
        let mut n = rows;
        let selection = selection.filter(|selection| selection.count() < rows);
        if let Some(selection) = &selection {
            n = selection.rows(&mut self.kept);
            if n == 0 {
                return Ok(0);
            }
        }
        self.counts.matched += n as u64;
        for &column in &self.needed {
            self.reader.load(column)?;
        }
        if windows_apart && !have_times {
            times.decode_i64(block, &mut self.times)?;
        }
        if selection.is_some() {
            let kept = &self.kept[..n];
            self.reader.keep_loaded(kept);
            for (to, &from) in kept.iter().enumerate() {
                self.times[to] = self.times[usize::from(from)];
            }
        }
        Ok(n)
    }

    /// Groups of the block's rows; false if all rows are in group 0 of a query without keys, or in `groups[0]`.
    fn assign(&mut self, groups: &mut Grouper, n: usize, bounds: (i64, i64), most: u64) -> Result<bool> {
        if self.parts.is_empty() {
            self.groups[0] = groups.single();
            return Ok(false);
        }
        let mut part = 0;
        let mut one_window = true;
        if let Some(windows) = self.plan.windows {
            let low = bounds.0.max(self.plan.scan.range.start);
            let high = bounds.1.min(match self.plan.scan.range.end {
                i64::MAX => i64::MAX,
                end => end - 1,
            });
            one_window = windows.tumbling.index(low) == windows.tumbling.index(high);
            if one_window {
                self.parts[0][..n].fill(windows.tumbling.index(low).abs_diff(windows.first));
            } else if windows.count <= u64::from(u32::MAX) {
                windows
                    .tumbling
                    .offsets(&self.times[..n], low, high, windows.first, &mut self.offsets[..]);
                for (part, &offset) in self.parts[0].iter_mut().zip(&self.offsets[..n]) {
                    *part = offset.into();
                }
            } else {
                for (part, &time) in self.parts[0].iter_mut().zip(&self.times[..n]) {
                    *part = windows.tumbling.index(time).abs_diff(windows.first);
                }
            }
            part = 1;
        }
        if self.plan.null_word {
            self.parts.last_mut().into_iter().for_each(|word| word[..n].fill(0));
        }
        for key in &self.plan.keys {
            let (head, tail) = self.parts.split_at_mut(part + 1);
            let out = &mut head[part][..n];
            let column = &self.reader.blocks[key.column];
            match &column.values {
                Values::Code(codes) => {
                    for (out, &code) in out.iter_mut().zip(&codes[..]) {
                        *out = code.into();
                    }
                }
                Values::F64(values) => {
                    for (out, &value) in out.iter_mut().zip(&values[..]) {
                        // One group of all NaN, one of both zeros.
                        *out = if value.is_nan() {
                            f64::NAN.to_bits()
                        } else {
                            (value + 0.0).to_bits()
                        };
                    }
                }
                Values::I64(values) => {
                    for (out, &value) in out.iter_mut().zip(&values[..]) {
                        *out = value as u64;
                    }
                }
            }
            if !matches!(column.values, Values::Code(_)) && column.valid != Mask::first(n) {
                for row in (0..n).filter(|&row| !column.valid.get(row)) {
                    match (key.null_bit, tail.last_mut()) {
                        (Some(bit), Some(word)) => {
                            out[row] = 0;
                            word[row] |= 1 << bit;
                        }
                        _ => out[row] = 2,
                    }
                }
            }
            part += 1;
        }
        if one_window && self.plan.keys.is_empty() {
            groups.assign(&[&self.parts[0][..1]], &mut self.groups[..1], most)?;
            return Ok(false);
        }
        let parts: Vec<&[u64]> = self.parts.iter().map(|part| &part[..]).collect();
        groups.assign(&parts, &mut self.groups[..n], most)?;
        Ok(true)
    }

    fn accumulate(&mut self, n: usize, many: bool) -> Result<()> {
        let all = Mask::first(n);
        for (column, slots) in &self.by_column {
            let groups = if many {
                Groups::Each(&self.groups[..n])
            } else {
                Groups::One(self.groups[0])
            };
            let Some(column) = *column else {
                let present = Present {
                    values: &self.nothing,
                    n,
                    groups,
                    timed: None,
                    strings: None,
                };
                for &slot in slots {
                    self.states[slot].insert(&present)?;
                }
                continue;
            };
            let block = &mut self.reader.blocks[column];
            let mut keep = block.valid.and(&all);
            if block.may_be_nan
                && let Values::F64(values) = &block.values
            {
                let nans = Mask::of(&values[..n], f64::is_nan).and(&keep);
                self.counts.nans[column] += nans.count() as u64;
                keep = keep.and_not(&nans);
            }
            let is_all = keep == all;
            let count = if is_all { n } else { keep.rows(&mut self.present) };
            if count == 0 {
                continue;
            }
            let timed = slots.iter().any(|&slot| self.plan.slots[slot].keep.is_timed());
            let timed = self.plan.timed.filter(|_| timed);
            if let Some((time, entity)) = timed {
                let (Values::I64(times), Values::Code(entities)) =
                    (&self.reader.blocks[time].values, &self.reader.blocks[entity].values)
                else {
                    return Err(Error::internal("time and entity of other types"));
                };
                if is_all {
                    self.times[..n].copy_from_slice(&times[..n]);
                    self.entities[..n].copy_from_slice(&entities[..n]);
                } else {
                    for (to, &from) in self.present[..count].iter().enumerate() {
                        self.times[to] = times[usize::from(from)];
                        self.entities[to] = entities[usize::from(from)];
                    }
                }
            }
            let mut groups = groups;
            let mut compact = None;
            if !is_all {
                if many {
                    for (to, &from) in self.present[..count].iter().enumerate() {
                        self.present_groups[to] = self.groups[usize::from(from)];
                    }
                    groups = Groups::Each(&self.present_groups[..count]);
                }
                compact = Some(gather(&self.reader.blocks[column].values, &self.present[..count]));
            }
            let present = Present {
                values: compact.as_ref().unwrap_or(&self.reader.blocks[column].values),
                n: count,
                groups,
                timed: timed.map(|_| (&self.times[..count], &self.entities[..count])),
                strings: self.plan.columns[column].strings.as_deref(),
            };
            for &slot in slots {
                self.states[slot].insert(&present)?;
            }
        }
        Ok(())
    }
}

/// A copy of the values at these rows.
fn gather(values: &Values, rows: &[u16]) -> Values {
    fn pick<T: Copy + Default>(values: &[T; BLOCK_ROWS], rows: &[u16]) -> Box<[T; BLOCK_ROWS]> {
        let mut out = Box::new([T::default(); BLOCK_ROWS]);
        for (to, &from) in rows.iter().enumerate() {
            out[to] = values[usize::from(from) % BLOCK_ROWS];
        }
        out
    }
    match values {
        Values::F64(values) => Values::F64(pick(values, rows)),
        Values::I64(values) => Values::I64(pick(values, rows)),
        Values::Code(values) => Values::Code(pick(values, rows)),
    }
}
