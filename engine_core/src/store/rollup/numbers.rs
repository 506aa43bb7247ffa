//! States of a column by group, and the columns of a rollup that they become.

use super::State;
use crate::aggregate::Aggregate;
use crate::aggregate::ends::{First, Last, Timed};
use crate::aggregate::extrema::{MaxF64, MaxI64, MinF64, MinI64};
use crate::aggregate::sum::{HUGE, Sum};
use crate::sketch::Sketch;
use crate::sketch::exponential::ExponentialHistogram;
use crate::store::seal::whole::{Whole, WholeTexts};

/// Values of a block that are neither null nor NaN.
#[derive(Clone, Copy, Debug)]
pub(super) enum Present<'a> {
    F64(&'a [f64]),
    I64(&'a [i64]),
    /// Of texts and codes nothing but their number counts.
    Any,
}

/// States of a column.
#[derive(Debug)]
pub(super) struct States {
    counts: Vec<u64>,
    nans: Vec<u64>,
    values: Values,
    firsts: Vec<First>,
    lasts: Vec<Last>,
    /// Empty where none are wanted.
    sketches: Vec<ExponentialHistogram>,
}

#[derive(Debug)]
enum Values {
    F64 {
        sums: Vec<Sum>,
        least: Vec<MinF64>,
        greatest: Vec<MaxF64>,
        /// One of them is so large that a sum of sums might overflow where a sum of values does not.
        is_huge: bool,
    },
    I64 {
        sums: Vec<i128>,
        least: Vec<MinI64>,
        greatest: Vec<MaxI64>,
    },
    Any,
}

/// What a column of a rollup holds.
#[derive(Debug)]
pub(super) enum Column {
    F64(Whole<f64>),
    I64(Whole<i64>),
    Texts(WholeTexts),
}

impl States {
    /// Of so many groups and a column of these values.
    pub(super) fn new(groups: usize, of: Present<'_>, has_sketches: bool) -> Self {
        let numbers = if matches!(of, Present::Any) { 0 } else { groups };
        Self {
            counts: vec![0; groups],
            nans: vec![0; groups],
            firsts: vec![First::default(); numbers],
            lasts: vec![Last::default(); numbers],
            sketches: vec![ExponentialHistogram::default(); if has_sketches { numbers } else { 0 }],
            values: match of {
                Present::F64(_) => Values::F64 {
                    sums: vec![Sum::default(); groups],
                    least: vec![MinF64::default(); groups],
                    greatest: vec![MaxF64::default(); groups],
                    is_huge: false,
                },
                Present::I64(_) => Values::I64 {
                    sums: vec![0; groups],
                    least: vec![MinI64::default(); groups],
                    greatest: vec![MaxI64::default(); groups],
                },
                Present::Any => Values::Any,
            },
        }
    }

    /// Counts NaN of a group.
    pub(super) fn add_nans(&mut self, group: usize, n: u64) {
        self.nans[group] += n;
    }

    /// Takes values of a group and an entity in order of time: `n` of them, of which the first and the last stand at these times.
    pub(super) fn insert(&mut self, group: usize, entity: u32, values: Present<'_>, n: usize, times: (i64, i64)) {
        self.counts[group] += n as u64;
        let ends = match (&mut self.values, values) {
            (
                Values::F64 {
                    sums,
                    least,
                    greatest,
                    is_huge,
                },
                Present::F64(values),
            ) => {
                sums[group].insert_all(values);
                least[group].insert_all(values);
                greatest[group].insert_all(values);
                *is_huge |= values.iter().any(|value| value.abs() >= HUGE);
                if let Some(sketch) = self.sketches.get_mut(group) {
                    sketch.insert_all(values);
                }
                (values[0].to_bits(), values[n - 1].to_bits())
            }
            (Values::I64 { sums, least, greatest }, Present::I64(values)) => {
                sums[group] += values.iter().map(|&value| i128::from(value)).sum::<i128>();
                least[group].insert_all(values);
                greatest[group].insert_all(values);
                if let Some(sketch) = self.sketches.get_mut(group) {
                    values.iter().for_each(|&value| sketch.insert(value as f64));
                }
                (values[0] as u64, values[n - 1] as u64)
            }
            _ => return,
        };
        let at = |time, value| Timed { time, entity, value };
        self.firsts[group].insert(at(times.0, ends.0));
        self.lasts[group].insert(at(times.1, ends.1));
    }

    /// The columns they become, ascending. `starts` are those of the groups' windows; `is_by_entity`: a group has but one entity.
    pub(super) fn columns(&self, starts: &[i64], is_by_entity: bool) -> Vec<(State, Column)> {
        let integers = |values: &[u64]| Column::I64(Whole::of(values.iter().map(|&value| Some(value as i64))));
        let mut columns = vec![(State::Count, integers(&self.counts))];
        if self.nans.iter().any(|&nans| nans > 0) {
            columns.push((State::Nans, integers(&self.nans)));
        }
        let is_there = |group: usize| self.counts[group] > 0;
        let present = |group: usize| is_there(group).then_some(group);
        let groups = || (0..self.counts.len()).map(present);
        match &self.values {
            Values::F64 {
                sums,
                least,
                greatest,
                is_huge,
            } => {
                if !is_huge {
                    let sum = |group: Option<usize>| group.map(|group| sums[group].finish());
                    columns.push((State::Sum, Column::F64(Whole::of(groups().map(sum)))));
                }
                let least = least.iter().map(Aggregate::finish);
                columns.push((State::Least, Column::F64(Whole::of(least))));
                let greatest = greatest.iter().map(Aggregate::finish);
                columns.push((State::Greatest, Column::F64(Whole::of(greatest))));
            }
            Values::I64 { sums, least, greatest } => {
                let sum = |group: Option<usize>| group.map(|group| sums[group] as i64);
                columns.push((State::Sum, Column::I64(Whole::of(groups().map(sum)))));
                if sums.iter().any(|&sum| i64::try_from(sum).is_err()) {
                    let high = |group: Option<usize>| group.map(|group| (sums[group] >> 64) as i64);
                    columns.push((State::SumHigh, Column::I64(Whole::of(groups().map(high)))));
                }
                let least = least.iter().map(Aggregate::finish);
                columns.push((State::Least, Column::I64(Whole::of(least))));
                let greatest = greatest.iter().map(Aggregate::finish);
                columns.push((State::Greatest, Column::I64(Whole::of(greatest))));
            }
            Values::Any => return columns,
        }
        let firsts: Vec<Option<Timed>> = self.firsts.iter().map(First::timed).collect();
        let lasts: Vec<Option<Timed>> = self.lasts.iter().map(Last::timed).collect();
        let first = [State::FirstAfter, State::FirstEntity, State::First];
        let last = [State::LastAfter, State::LastEntity, State::Last];
        for ([after, entity, value], ends) in [(first, firsts), (last, lasts)] {
            let times = ends.iter().zip(starts);
            let times = times.map(|(end, start)| end.map(|end| end.time.wrapping_sub(*start)));
            columns.push((after, Column::I64(Whole::of(times))));
            if !is_by_entity {
                let entities = ends.iter().map(|end| end.map(|end| end.entity.into()));
                columns.push((entity, Column::I64(Whole::of(entities))));
            }
            let values = ends.iter().map(|end| end.map(|end| end.value));
            columns.push((
                value,
                match self.values {
                    Values::F64 { .. } => Column::F64(Whole::of(values.map(|bits| bits.map(f64::from_bits)))),
                    _ => Column::I64(Whole::of(values.map(|bits| bits.map(|bits| bits as i64)))),
                },
            ));
        }
        if !self.sketches.is_empty() {
            let mut texts = WholeTexts::default();
            for (group, sketch) in self.sketches.iter().enumerate() {
                let text = || sketch.to_bytes().into_iter().map(char::from).collect::<String>();
                texts.push(is_there(group).then(text).as_deref());
            }
            columns.push((State::Sketch, Column::Texts(texts)));
        }
        columns
    }
}
