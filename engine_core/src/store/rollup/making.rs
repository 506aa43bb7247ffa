//! From a part to its rollups: each column is read once, block by block, for all of them, by whichever thread is free.

use std::sync::Arc;

use super::grouping::{self, Grouping, KeyValues};
use super::numbers::{Column, Present, States};
use super::{ROWS, Rolled};
use crate::column::packed::{Physical, Validity};
use crate::column::rollup::Tier;
use crate::column::schema::{ENTITY, TIME};
use crate::column::{BLOCK_ROWS, ColumnId, NULL_CODE};
use crate::error::Result;
use crate::store::manifest::PartHandle;
use crate::store::part::Runs;
use crate::store::part::build::Description;
use crate::store::rows::{ColumnRows, Rows};
use crate::store::seal::Sealed;
use crate::store::seal::making::Part;
use crate::store::seal::read;
use crate::store::seal::whole::{Whole, WholeTexts};
use crate::store::stream::Stream;
use crate::store::team::Team;

/// Makes rollups of a part. `describe` says of one of so many groups what its file is.
pub(in crate::store) fn make(
    stream: &Stream,
    handle: &Arc<PartHandle>,
    tiers: &[Tier],
    describe: &mut dyn FnMut(u64) -> Description,
    team: &mut Team<'_>,
) -> Result<Vec<Sealed>> {
    let part = handle.open()?;
    let runs = part.runs()?;
    let source = Rows::Part(Arc::clone(&part), Arc::clone(handle));
    let times = read::integers(std::slice::from_ref(&source), TIME, team)?.values;
    let (mut rollups, mut files) = (Vec::new(), Vec::new());
    for tier in tiers {
        let groups = grouping::group(stream, &source, &runs, &times, tier, team)?;
        let rolled = Rolled {
            tier: *tier,
            part: handle.number(),
            rows: handle.rows(),
            times: handle.times(),
        };
        let about = describe(groups.starts.len() as u64);
        let rollup = Rollup { rolled, groups };
        files.push(rollup.begin(about, team)?);
        rollups.push(rollup);
    }
    let mut columns = source.columns();
    columns.retain(|(column, _)| *column != ENTITY && *column != TIME);
    team.each(
        columns,
        |(column, physical)| Ok((column, states_of(&source, column, physical, &rollups, &times)?)),
        |(column, states)| {
            // Small beside reading it.
            let mut alone = Team {
                helps: &|| false,
                rest: &mut || Ok(()),
            };
            for ((rollup, file), states) in rollups.iter().zip(&mut files).zip(states) {
                let columns = states.columns(&rollup.groups.starts, rollup.rolled.tier.is_by_entity());
                for (state, values) in columns {
                    write(file, state.of(column), values, &mut alone)?;
                }
            }
            Ok(())
        },
    )?;
    let finished = rollups.iter().zip(files).map(|(rollup, file)| Sealed {
        rollup: Some(rollup.rolled),
        ..file.finish()
    });
    Ok(finished.collect())
}

/// States of a column in each of the rollups.
fn states_of(
    source: &Rows,
    column: ColumnId,
    physical: Physical,
    rollups: &[Rollup],
    times: &[i64],
) -> Result<Vec<States>> {
    let mut states: Vec<States> = rollups.iter().map(|rollup| rollup.states(physical)).collect();
    let Some(found) = source.column(column)? else {
        return Ok(states);
    };
    let (mut places, mut block) = (vec![0; rollups.len()], Block::default());
    for number in 0..source.blocks() {
        let first = number * BLOCK_ROWS;
        let rows = source.block_rows(number);
        block.read(&found, number, rows)?;
        for ((rollup, states), place) in rollups.iter().zip(&mut states).zip(&mut places) {
            rollup.take(&block, first..first + rows, times, states, place);
        }
    }
    Ok(states)
}

/// A block's values that are neither null nor NaN, and the rows they stand in.
struct Block {
    doubles: Vec<f64>,
    integers: Vec<i64>,
    /// Whether the values are doubles, integers or booleans.
    physical: Physical,
    rows: Vec<u16>,
    nans: Vec<u16>,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            doubles: Vec::new(),
            integers: Vec::new(),
            physical: Physical::I64,
            rows: Vec::new(),
            nans: Vec::new(),
        }
    }
}

impl Block {
    fn read(&mut self, column: &ColumnRows<'_>, block: usize, rows: usize) -> Result<()> {
        self.physical = column.physical();
        self.doubles.clear();
        self.integers.clear();
        self.rows.clear();
        self.nans.clear();
        let each = |validity: &Validity, take: &mut dyn FnMut(usize)| {
            (0..rows).filter(|&row| validity.get(row)).for_each(take);
        };
        match self.physical {
            Physical::F64 => {
                let mut values = [0.0; BLOCK_ROWS];
                let validity = column.decode_f64(block, &mut values)?;
                if validity == Validity::All && column.stats(block).nans == 0 {
                    self.doubles.extend_from_slice(&values[..rows]);
                    self.rows.extend(0..rows as u16);
                    return Ok(());
                }
                each(&validity, &mut |row| {
                    if values[row].is_nan() {
                        self.nans.push(row as u16);
                    } else {
                        self.doubles.push(values[row]);
                        self.rows.push(row as u16);
                    }
                });
            }
            Physical::I64 => {
                let mut values = [0; BLOCK_ROWS];
                let validity = column.decode_i64(block, &mut values)?;
                if validity == Validity::All {
                    self.integers.extend_from_slice(&values[..rows]);
                    self.rows.extend(0..rows as u16);
                    return Ok(());
                }
                each(&validity, &mut |row| {
                    self.integers.push(values[row]);
                    self.rows.push(row as u16);
                });
            }
            Physical::Bool => {
                let mut values = [false; BLOCK_ROWS];
                let validity = column.decode_bool(block, &mut values)?;
                each(&validity, &mut |row| {
                    self.integers.push(values[row].into());
                    self.rows.push(row as u16);
                });
            }
            Physical::Code => {
                let mut values = [NULL_CODE; BLOCK_ROWS];
                column.decode_codes(block, &mut values)?;
                let is_there = |row: &usize| values[*row] != NULL_CODE;
                self.rows.extend((0..rows).filter(is_there).map(|row| row as u16));
            }
            Physical::Text => {
                let validity = column.text_validity(block)?;
                each(&validity, &mut |row| self.rows.push(row as u16));
            }
        }
        Ok(())
    }

    /// The values from one place to before another.
    fn values(&self, from: usize, to: usize) -> Present<'_> {
        match self.physical {
            Physical::F64 => Present::F64(&self.doubles[from..to]),
            Physical::I64 | Physical::Bool => Present::I64(&self.integers[from..to]),
            Physical::Code | Physical::Text => Present::Any,
        }
    }
}

/// A rollup in the making.
struct Rollup {
    rolled: Rolled,
    groups: Grouping,
}

impl Rollup {
    /// Its file, with what tells its groups apart, and their rows.
    fn begin(&self, about: Description, team: &mut Team<'_>) -> Result<Part> {
        let groups = &self.groups;
        let n = groups.starts.len() as u32;
        let bounds = groups.starts.iter();
        let bounds = bounds.fold((i64::MAX, i64::MIN), |(least, greatest), &start| {
            (least.min(start), greatest.max(start))
        });
        let runs = Runs::of(groups.entities.iter().copied());
        let mut file = Part::new(about.tile, (0..n).collect(), runs, bounds, about);
        file.times(&groups.starts, team)?;
        file.entities(team)?;
        for (column, values) in &groups.keys {
            write_key(&mut file, *column, values, team)?;
        }
        let mut rows = vec![0i64; n as usize];
        let mut start = 0;
        for segment in &groups.segments {
            rows[segment.group as usize] += i64::from(segment.end - start);
            start = segment.end;
        }
        let rows = Whole::of(rows.into_iter().map(Some));
        write(&mut file, ROWS, Column::I64(rows), team)?;
        Ok(file)
    }

    /// States of a column that lies so, of no rows yet.
    fn states(&self, physical: Physical) -> States {
        let of = match physical {
            Physical::F64 => Present::F64(&[]),
            Physical::I64 | Physical::Bool => Present::I64(&[]),
            Physical::Code | Physical::Text => Present::Any,
        };
        let has_sketches = self.rolled.tier.sketches && physical != Physical::Bool;
        States::new(self.groups.starts.len(), of, has_sketches)
    }

    /// Takes the values of a block with these rows. `place`: the segment that its first row is in, or one before it.
    fn take(&self, block: &Block, rows: std::ops::Range<usize>, times: &[i64], states: &mut States, place: &mut usize) {
        let segments = &self.groups.segments;
        let (mut value, mut nan) = (0, 0);
        while let Some(segment) = segments.get(*place) {
            let end = (segment.end as usize).min(rows.end) - rows.start;
            let upto = |rows: &[u16], from: usize| from + rows[from..].partition_point(|&row| usize::from(row) < end);
            let (values, nans) = (upto(&block.rows, value), upto(&block.nans, nan));
            let group = segment.group as usize;
            if nans > nan {
                states.add_nans(group, (nans - nan) as u64);
            }
            if values > value {
                let time = |place: usize| times[rows.start + usize::from(block.rows[place])];
                let ends = (time(value), time(values - 1));
                let present = block.values(value, values);
                states.insert(group, segment.entity, present, values - value, ends);
            }
            (value, nan) = (values, nans);
            if segment.end as usize > rows.end {
                break;
            }
            *place += 1;
            if segment.end as usize == rows.end {
                break;
            }
        }
    }
}

fn write_key(file: &mut Part, column: ColumnId, values: &KeyValues, team: &mut Team<'_>) -> Result<()> {
    match values {
        KeyValues::Codes(codes) => {
            file.begin(column, Physical::Code);
            file.symbols(codes, team)
        }
        KeyValues::Bools(whole) => {
            file.begin(column, Physical::Bool);
            file.booleans(whole, team)
        }
        KeyValues::Texts(all) => {
            let mut texts = WholeTexts::default();
            all.iter().for_each(|text| texts.push(text.as_deref()));
            write(file, column, Column::Texts(texts), team)
        }
    }
}

fn write(file: &mut Part, column: ColumnId, values: Column, team: &mut Team<'_>) -> Result<()> {
    match values {
        Column::F64(whole) => {
            file.begin(column, Physical::F64);
            file.doubles(&whole, team)
        }
        Column::I64(whole) => {
            file.begin(column, Physical::I64);
            file.integers(&whole, team)
        }
        Column::Texts(texts) => {
            file.begin(column, Physical::Text);
            file.texts(&texts, team)
        }
    }
}
