//! From a part to its rollups: each column is read once, block by block, for all of them.

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
    let mut rollups = Vec::new();
    for tier in tiers {
        let groups = grouping::group(stream, &source, &runs, &times, tier, team)?;
        let rolled = Rolled {
            tier: *tier,
            part: handle.number(),
            rows: handle.rows(),
            times: handle.times(),
        };
        let about = describe(groups.starts.len() as u64);
        rollups.push(Rollup::new(rolled, groups, about, team)?);
    }
    for (column, physical) in source.columns() {
        if column == ENTITY || column == TIME {
            continue;
        }
        let Some(found) = source.column(column)? else { continue };
        let mut states: Vec<States> = rollups.iter().map(|rollup| rollup.states(physical)).collect();
        let mut places = vec![0; rollups.len()];
        let mut block = Block::default();
        for number in 0..source.blocks() {
            let first = number * BLOCK_ROWS;
            let rows = source.block_rows(number);
            block.read(&found, number, rows)?;
            for ((rollup, states), place) in rollups.iter().zip(&mut states).zip(&mut places) {
                rollup.take(&block, first..first + rows, &times, states, place);
            }
            if number % PIECE_BLOCKS == 0 {
                (team.rest)()?;
            }
        }
        for (rollup, states) in rollups.iter_mut().zip(&states) {
            let columns = states.columns(&rollup.groups.starts, rollup.rolled.tier.is_by_entity());
            for (state, values) in columns {
                rollup.write(state.of(column), values, team)?;
            }
        }
    }
    Ok(rollups.into_iter().map(Rollup::finish).collect())
}

/// Blocks that are read between two rests.
const PIECE_BLOCKS: usize = 64;

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
    part: Part,
}

impl Rollup {
    /// With what tells its groups apart, and their rows.
    fn new(rolled: Rolled, mut groups: Grouping, about: Description, team: &mut Team<'_>) -> Result<Self> {
        let n = groups.starts.len() as u32;
        let bounds = groups.starts.iter();
        let bounds = bounds.fold((i64::MAX, i64::MIN), |(least, greatest), &start| {
            (least.min(start), greatest.max(start))
        });
        let runs = Runs::of(groups.entities.iter().copied());
        let mut part = Part::new(about.tile, (0..n).collect(), runs, bounds, about);
        part.times(&groups.starts, team)?;
        part.entities(team)?;
        let mut rollup = Self {
            rolled,
            part,
            groups: Grouping {
                entities: std::mem::take(&mut groups.entities),
                starts: std::mem::take(&mut groups.starts),
                keys: Vec::new(),
                segments: std::mem::take(&mut groups.segments),
            },
        };
        for (column, values) in groups.keys {
            rollup.write_key(column, values, team)?;
        }
        let mut rows = vec![0i64; n as usize];
        let mut start = 0;
        for segment in &rollup.groups.segments {
            rows[segment.group as usize] += i64::from(segment.end - start);
            start = segment.end;
        }
        let rows = Whole::of(rows.into_iter().map(Some));
        rollup.write(ROWS, Column::I64(rows), team)?;
        Ok(rollup)
    }

    fn write_key(&mut self, column: ColumnId, values: KeyValues, team: &mut Team<'_>) -> Result<()> {
        match values {
            KeyValues::Codes(codes) => {
                self.part.begin(column, Physical::Code);
                self.part.symbols(&codes, team)
            }
            KeyValues::Bools(whole) => {
                self.part.begin(column, Physical::Bool);
                self.part.booleans(&whole, team)
            }
            KeyValues::Texts(all) => {
                let mut texts = WholeTexts::default();
                all.iter().for_each(|text| texts.push(text.as_deref()));
                self.write(column, Column::Texts(texts), team)
            }
        }
    }

    fn write(&mut self, column: ColumnId, values: Column, team: &mut Team<'_>) -> Result<()> {
        match values {
            Column::F64(whole) => {
                self.part.begin(column, Physical::F64);
                self.part.doubles(&whole, team)
            }
            Column::I64(whole) => {
                self.part.begin(column, Physical::I64);
                self.part.integers(&whole, team)
            }
            Column::Texts(texts) => {
                self.part.begin(column, Physical::Text);
                self.part.texts(&texts, team)
            }
        }
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

    fn finish(self) -> Sealed {
        Sealed {
            rollup: Some(self.rolled),
            ..self.part.finish()
        }
    }
}
