//! What is known of the values of one node, summed up block by block.

use std::ops::Range;

use crate::aggregate::Aggregate;
use crate::aggregate::sum::{HUGE, IntegerSum, Sum};
use crate::column::packed::Physical;
use crate::store::part::block::Valid;

/// What is known of the values of one node in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) nulls: u32,
    pub(super) nans: u32,
    /// Values that are neither: the next fields say nothing before the first.
    pub(super) has_values: bool,
    pub(super) least: u64,
    pub(super) greatest: u64,
    pub(super) sum: Sum,
    pub(super) integers: IntegerSum,
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

    pub(super) fn merge(&mut self, later: &Self, physical: Physical) {
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

/// Values of a block.
#[derive(Clone, Copy)]
pub(super) enum Slice<'a> {
    Doubles(&'a [f64]),
    Integers(&'a [i64]),
    /// 0 or 1.
    Bits(&'a [u64]),
}

impl Slice<'_> {
    pub(super) fn is_nan(&self, row: usize) -> bool {
        matches!(self, Self::Doubles(values) if values[row].is_nan())
    }

    pub(super) fn bits(&self, row: usize) -> u64 {
        match self {
            Self::Doubles(values) => values[row].to_bits(),
            Self::Integers(values) => values[row] as u64,
            Self::Bits(values) => values[row],
        }
    }

    /// Inserts some rows into a node.
    pub(super) fn insert(&self, rows: Range<usize>, valid: Option<&Valid>, state: &mut State, has_sums: &mut bool) {
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
