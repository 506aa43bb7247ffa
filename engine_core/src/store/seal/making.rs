//! A part in the making: its blocks are gathered and encoded by whichever thread is free, and appended in order.

use super::super::part::Runs;
use super::super::part::block::{Block, Valid, Values};
use super::super::part::build::{Builder, Built, Description};
use super::super::rollup::Rolled;
use super::super::team::Team;
use super::super::tiles::Tile;
use super::whole::{Whole, WholeTexts};
use crate::codec::Codecs;
use crate::column::packed::Physical;
use crate::column::schema::{ENTITY, TIME};
use crate::column::{BLOCK_ROWS, ColumnId, NULL_CODE};
use crate::error::Result;

/// Blocks that a thread encodes at a time.
const PIECE_BLOCKS: usize = 32;

/// A part in the making.
pub(in crate::store) struct Part {
    tile: Tile,
    /// Rows in the part's order, by their place in order of arrival.
    order: Vec<u32>,
    runs: Runs,
    builder: Builder,
    codecs: Codecs,
}

/// A part that was built, with the least and greatest entity code.
pub(in crate::store) struct Sealed {
    pub(in crate::store) built: Built,
    pub(in crate::store) tile: Tile,
    pub(in crate::store) entities: (u32, u32),
    pub(in crate::store) codecs: Codecs,
    /// What it is of, if it is a rollup.
    pub(in crate::store) rollup: Option<Rolled>,
}

/// Validity of the given rows; none: no row is null.
fn gather_valid(valid: Option<&[u64]>, rows: &[u32]) -> Option<Valid> {
    let valid = valid?;
    let mut gathered = [0; BLOCK_ROWS / 64];
    for (place, &row) in rows.iter().enumerate() {
        let bit = valid[row as usize / 64] >> (row % 64) & 1;
        gathered[place / 64] |= bit << (place % 64);
    }
    Some(gathered)
}

/// Values of the given rows.
fn gather<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|&row| values[row as usize]).collect()
}

impl Part {
    /// Of rows in order, and the least and greatest of their times.
    pub(in crate::store) fn new(
        tile: Tile,
        order: Vec<u32>,
        runs: Runs,
        times: (i64, i64),
        about: Description,
    ) -> Self {
        let mut builder = Builder::new(about);
        builder.runs(runs.clone(), times);
        Self {
            tile,
            order,
            runs,
            builder,
            codecs: about.codecs,
        }
    }

    pub(in crate::store) fn begin(&mut self, column: ColumnId, physical: Physical) {
        self.builder.column(column, physical);
    }

    /// Appends the blocks of a column, whose values `gather` tells: of so many rows from a place of the part's order on.
    fn blocks<'v>(
        &mut self,
        team: &mut Team<'_>,
        gather: impl Fn(usize, &[u32]) -> (Values<'v>, Option<Valid>) + Sync,
    ) -> Result<()> {
        let (order, builder, codecs) = (&self.order, &mut self.builder, self.codecs);
        let encode = |(piece, rows): (usize, &[u32])| {
            let start = |block: usize| (piece * PIECE_BLOCKS + block) * BLOCK_ROWS;
            let blocks = rows.chunks(BLOCK_ROWS).enumerate().map(|(block, rows)| {
                let (values, valid) = gather(start(block), rows);
                Block::of(values, valid, codecs)
            });
            Ok(blocks.collect::<Vec<Block<'v>>>())
        };
        let pieces = order.chunks(BLOCK_ROWS * PIECE_BLOCKS).enumerate().collect();
        team.each(pieces, encode, |blocks| {
            blocks.iter().for_each(|block| builder.append(block));
            Ok(())
        })
    }

    pub(in crate::store) fn times(&mut self, times: &[i64], team: &mut Team<'_>) -> Result<()> {
        self.begin(TIME, Physical::I64);
        self.blocks(team, |_, rows| (Values::I64(gather(times, rows)), None))
    }

    pub(in crate::store) fn entities(&mut self, team: &mut Team<'_>) -> Result<()> {
        self.begin(ENTITY, Physical::Code);
        let runs = std::mem::take(&mut self.runs);
        let outcome = self.blocks(team, |at, rows| {
            let mut codes = Vec::with_capacity(rows.len());
            for (code, run) in runs.within(at as u32..(at + rows.len()) as u32) {
                codes.resize(codes.len() + run.len(), code);
            }
            (Values::Code(codes), None)
        });
        self.runs = runs;
        outcome
    }

    pub(in crate::store) fn integers(&mut self, whole: &Whole<i64>, team: &mut Team<'_>) -> Result<()> {
        self.blocks(team, |_, rows| {
            let valid = gather_valid(whole.valid.as_deref(), rows);
            (Values::I64(gather(&whole.values, rows)), valid)
        })
    }

    pub(in crate::store) fn doubles(&mut self, whole: &Whole<f64>, team: &mut Team<'_>) -> Result<()> {
        self.blocks(team, |_, rows| {
            let valid = gather_valid(whole.valid.as_deref(), rows);
            (Values::F64(gather(&whole.values, rows)), valid)
        })
    }

    pub(in crate::store) fn booleans(&mut self, whole: &Whole<bool>, team: &mut Team<'_>) -> Result<()> {
        self.blocks(team, |_, rows| {
            let mut bits: Valid = [0; BLOCK_ROWS / 64];
            for (place, &row) in rows.iter().enumerate() {
                bits[place / 64] |= u64::from(whole.values[row as usize]) << (place % 64);
            }
            let valid = gather_valid(whole.valid.as_deref(), rows);
            (Values::Bool(bits, rows.len()), valid)
        })
    }

    /// Codes of a dictionary, of which the part has its own list if that makes them narrower.
    pub(in crate::store) fn symbols(&mut self, values: &[u32], team: &mut Team<'_>) -> Result<()> {
        let greatest = self.order.iter().map(|&row| values[row as usize]).max().unwrap_or(0);
        let mut occurs = vec![false; greatest as usize + 1];
        occurs[NULL_CODE as usize] = true;
        for &row in &self.order {
            occurs[values[row as usize] as usize] = true;
        }
        let codes: Vec<u32> = (0..=greatest).filter(|&code| occurs[code as usize]).collect();
        let width = |codes: usize| usize::BITS - (codes - 1).leading_zeros();
        if width(codes.len()) == width(occurs.len()) {
            return self.blocks(team, |_, rows| (Values::Code(gather(values, rows)), None));
        }
        let mut places = vec![0; occurs.len()];
        for (place, &code) in (0..).zip(&codes) {
            places[code as usize] = place;
        }
        self.builder.local_codes(codes);
        self.blocks(team, |_, rows| {
            let place = |&row: &u32| places[values[row as usize] as usize];
            (Values::Code(rows.iter().map(place).collect()), None)
        })
    }

    pub(in crate::store) fn texts(&mut self, whole: &WholeTexts, team: &mut Team<'_>) -> Result<()> {
        self.blocks(team, |_, rows| {
            let texts = rows.iter().map(|&row| whole.get(row)).collect();
            (Values::Text(texts), gather_valid(Some(&whole.valid), rows))
        })
    }

    pub(in crate::store) fn finish(self) -> Sealed {
        Sealed {
            tile: self.tile,
            entities: self.runs.bounds(),
            codecs: self.codecs,
            rollup: None,
            built: self.builder.finish(),
        }
    }
}
