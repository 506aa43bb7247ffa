//! Takes groups of rollups: each is filtered and put in a group of the query as a row is, and its states are merged.

use std::ops::Range;

use crate::aggregate::ends::Timed;
use crate::aggregate::{GroupRun, Groups};
use crate::column::schema::{ENTITY, TIME};
use crate::column::{BLOCK_ROWS, ColumnId};
use crate::error::{Error, Result};
use crate::group::Grouper;
use crate::query::keys::Grouping;
use crate::query::lane::{Choice, Lane};
use crate::query::state::{Keep, Known};
use crate::scan::control::Pace;
use crate::scan::mask::Mask;
use crate::scan::{Share, Type};
use crate::store::rollup::{ROWS, State};
use crate::store::{ColumnRows, Rows};

/// Where the groups that were kept of a block stand in it, and which of the query's each is in.
struct Placed {
    rows: Vec<u16>,
    groups: Vec<u32>,
}

impl Placed {
    fn each(&self) -> impl Iterator<Item = (usize, usize)> {
        let pairs = self.rows.iter().zip(&self.groups);
        pairs.map(|(&row, &group)| (usize::from(row), group as usize))
    }
}

/// A block of a rollup, its columns decoded when they are asked for.
struct Block<'a> {
    source: &'a Rows,
    number: usize,
}

/// Values of a state; anything where the group has no values.
struct Stored<T> {
    values: Box<[T; BLOCK_ROWS]>,
}

impl<'a> Block<'a> {
    fn find(&self, column: ColumnId) -> Result<Option<ColumnRows<'a>>> {
        self.source.column(column)
    }

    /// None: there is no such column.
    fn integers(&self, column: ColumnId) -> Result<Option<Stored<i64>>> {
        let Some(found) = self.find(column)? else {
            return Ok(None);
        };
        let mut values = Box::new([0; BLOCK_ROWS]);
        found.decode_i64(self.number, &mut values)?;
        Ok(Some(Stored { values }))
    }

    /// Values by their bits, of doubles and of integers.
    fn bits(&self, column: ColumnId, data_type: Type) -> Result<Option<Stored<u64>>> {
        if data_type != Type::F64 {
            let found = self.integers(column)?;
            return Ok(found.map(|found| Stored {
                values: Box::new(found.values.map(|value| value as u64)),
            }));
        }
        let Some(found) = self.find(column)? else {
            return Ok(None);
        };
        let mut values = Box::new([0.0; BLOCK_ROWS]);
        found.decode_f64(self.number, &mut values)?;
        Ok(Some(Stored {
            values: Box::new(values.map(f64::to_bits)),
        }))
    }
}

fn missing() -> Error {
    Error::corrupt("a stored rollup is damaged", "a column is missing")
}

impl<'a> Lane<'a> {
    /// Takes some blocks of a rollup.
    pub(in crate::query) fn run_rollup(
        &mut self,
        pace: &mut Pace<'_>,
        source: &'a Rows,
        share: Share,
        blocks: Range<usize>,
        groups: &mut Grouper,
        most: u64,
    ) -> Result<()> {
        let times = self.turn_to(source)?;
        for number in blocks {
            pace.step()?;
            self.reader.turn_to_block(number);
            self.times_of = None;
            let block = Block { source, number };
            let rows = block.integers(ROWS)?.ok_or_else(missing)?;
            let bounds = times.time_bounds(number);
            let choice = self.choose_groups(pace, &times, number, bounds, share, &rows)?;
            let n = match choice {
                Choice::Nothing => continue,
                Choice::Whole => self.reader.rows(),
                Choice::Kept(n) => n,
            };
            let kept: Vec<u16> = match choice {
                Choice::Kept(n) => self.kept[..n].to_vec(),
                _ => (0..n as u16).collect(),
            };
            let last = if share.range.end == i64::MAX {
                i64::MAX
            } else {
                share.range.end - 1
            };
            let bounds = (bounds.0.max(share.range.start), bounds.1.min(last));
            let grouping = match self.keying.one(&self.reader, bounds, groups, most)? {
                Some(group) => Grouping::One(group),
                None => self.assign(&times, number, bounds, choice, groups, most)?,
            };
            self.grow(groups.len());
            let mut of_each = vec![0; n];
            spread(self.keying.groups(grouping, n), &mut of_each);
            let placed = Placed {
                rows: kept,
                groups: of_each,
            };
            self.counts.rolled += n as u64;
            self.counts.matched += placed.each().map(|(row, _)| rows.values[row] as u64).sum::<u64>();
            self.merge_states(&block, &placed, &rows)?;
        }
        Ok(())
    }

    /// Which groups of the block are taken.
    fn choose_groups(
        &mut self,
        pace: &mut Pace<'_>,
        times: &ColumnRows<'_>,
        block: usize,
        bounds: (i64, i64),
        share: Share,
        rows: &Stored<i64>,
    ) -> Result<Choice> {
        let n = self.reader.rows();
        let mut selection = Mask::first(n);
        if !share.range.covers(bounds.0, bounds.1) {
            self.read_times(times, block)?;
            selection = Mask::of(&self.times[..n], |time| share.range.contains(time));
        }
        let outlook = self
            .plan
            .condition
            .as_ref()
            .map(|condition| condition.outlook(&self.reader));
        if outlook.as_ref().is_some_and(|outlook| !outlook.may_hold) {
            return Ok(Choice::Nothing);
        }
        let scanned = (0..n)
            .filter(|&row| selection.get(row))
            .map(|row| rows.values[row] as u64);
        pace.count(scanned.sum());
        if let (Some(condition), Some(outlook)) = (&self.plan.condition, outlook)
            && !outlook.always_holds()
        {
            let (holds, _) = condition.evaluate(&mut self.reader)?;
            selection = selection.and(&holds);
        }
        Ok(match selection.count() {
            0 => Choice::Nothing,
            all if all == n => Choice::Whole,
            _ => Choice::Kept(selection.rows(&mut self.kept)),
        })
    }

    fn merge_states(&mut self, block: &Block<'_>, placed: &Placed, rows: &Stored<i64>) -> Result<()> {
        for at in 0..self.by_source.len() {
            let Some(place) = self.by_source[at].column else {
                for &slot in &self.by_source[at].slots {
                    for (row, group) in placed.each() {
                        self.states[slot].insert_known(group, Known::Count(rows.values[row] as u64))?;
                    }
                }
                continue;
            };
            let column = &self.plan.columns[place];
            // A column that its part did not have has nothing to tell.
            let Some(counts) = block.integers(State::Count.of(column.stored))? else {
                continue;
            };
            if self.by_source[at].counts_nans
                && let Some(nans) = block.integers(State::Nans.of(column.stored))?
            {
                self.counts.nans[place] += placed.each().map(|(row, _)| nans.values[row] as u64).sum::<u64>();
            }
            for slot in self.by_source[at].slots.clone() {
                self.merge_slot(block, placed, slot, (column.stored, column.data_type), &counts)?;
            }
        }
        Ok(())
    }

    fn merge_slot(
        &mut self,
        block: &Block<'_>,
        placed: &Placed,
        slot: usize,
        (column, data_type): (ColumnId, Type),
        counts: &Stored<i64>,
    ) -> Result<()> {
        let states = &mut self.states[slot];
        let present = placed.each().filter(|&(row, _)| counts.values[row] > 0);
        let bits = |state: State| block.bits(state.of(column), data_type)?.ok_or_else(missing);
        match self.plan.slots[slot].keep {
            Keep::Count => {
                for (row, group) in present {
                    states.insert_known(group, Known::Count(counts.values[row] as u64))?;
                }
            }
            Keep::Mean => {
                let (sums, high) = (bits(State::Sum)?, block.integers(State::SumHigh.of(column))?);
                for (row, group) in present {
                    let (low, n) = (sums.values[row], counts.values[row] as u64);
                    let known = if data_type == Type::F64 {
                        Known::SumF64(f64::from_bits(low), n)
                    } else {
                        let high = high.as_ref().map_or((low as i64) >> 63, |high| high.values[row]);
                        Known::SumI64(i128::from(high) << 64 | i128::from(low), n)
                    };
                    states.insert_known(group, known)?;
                }
            }
            keep @ (Keep::Min | Keep::Max) => {
                let state = if keep == Keep::Min {
                    State::Least
                } else {
                    State::Greatest
                };
                let values = bits(state)?;
                for (row, group) in present {
                    let value = values.values[row];
                    let known = if data_type == Type::F64 {
                        Known::F64(f64::from_bits(value))
                    } else {
                        Known::I64(value as i64)
                    };
                    states.insert_known(group, known)?;
                }
            }
            keep @ (Keep::First | Keep::Last) => {
                let [after, of, state] = if keep == Keep::First {
                    [State::FirstAfter, State::FirstEntity, State::First]
                } else {
                    [State::LastAfter, State::LastEntity, State::Last]
                };
                let starts = block.integers(TIME)?.ok_or_else(missing)?;
                let after = block.integers(after.of(column))?.ok_or_else(missing)?;
                let (of, values) = (block.integers(of.of(column))?, bits(state)?);
                let mut entities = [0; BLOCK_ROWS];
                if of.is_none() {
                    let found = block.find(ENTITY)?.ok_or_else(missing)?;
                    found.decode_codes(block.number, &mut entities)?;
                }
                for (row, group) in present {
                    let entity = of.as_ref().map_or(entities[row], |of| of.values[row] as u32);
                    let time = starts.values[row].wrapping_add(after.values[row]);
                    let value = values.values[row];
                    states.insert_timed(group, Timed { time, entity, value })?;
                }
            }
            Keep::Own(_) => {
                let found = block.find(State::Sketch.of(column))?.ok_or_else(missing)?;
                let (texts, _) = found.decode_text(block.number)?;
                for (row, group) in present {
                    // Each byte stands as the character of its number.
                    let bytes = texts.get(row).chars().map(|one| u8::try_from(u32::from(one)));
                    let bytes: Result<Vec<u8>, _> = bytes.collect();
                    states.insert_stored(group, &bytes.map_err(|_| missing())?)?;
                }
            }
        }
        Ok(())
    }
}

/// The group of each.
fn spread(groups: Groups<'_>, out: &mut [u32]) {
    match groups {
        Groups::One(group) => out.fill(group),
        Groups::Each(groups) => out.copy_from_slice(&groups[..out.len()]),
        Groups::Runs(runs) => GroupRun::ranges(runs).for_each(|(group, rows)| out[rows].fill(group as u32)),
    }
}
