//! What several measures read from the same states.

use super::{Asked, Found, Read};
use crate::aggregate::between::Between;
use crate::aggregate::course::{Course, Sample};
use crate::aggregate::distinct::f64_key;
use crate::aggregate::mean::Mean;
use crate::aggregate::moments::Moments;
use crate::aggregate::sum::{IntegerSum, Sum};
use crate::aggregate::threshold::Sides;
use crate::aggregate::{Aggregate, GroupRun, Groups, scatter};
use crate::error::{Error, Kind, Result};
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, with_doubles};
use crate::query::state::{Present, States, each_group};
use crate::scan::Type;
use crate::scan::block::Values;
use crate::sketch::Sketch;
use crate::sketch::exponential::ExponentialHistogram;
use crate::store::rollup::State;

/// Values and their sums by group.
pub(super) enum Sums<'a> {
    Doubles(&'a [Mean<Sum>]),
    Integers(&'a [Mean<IntegerSum>]),
}

impl<'a> Read<'a> {
    /// Sums and counts.
    pub(super) fn sums(&self) -> Result<Sums<'a>> {
        match self.states {
            States::MeanF64(states) => Ok(Sums::Doubles(states)),
            States::MeanI64(states) => Ok(Sums::Integers(states)),
            _ => Err(unexpected()),
        }
    }

    /// Sums as doubles; none of no values.
    pub(super) fn sums_f64(&self) -> Result<Vec<Option<f64>>> {
        Ok(match self.sums()? {
            Sums::Doubles(states) => states
                .iter()
                .map(|state| (state.count > 0).then(|| state.sum.finish()))
                .collect(),
            Sums::Integers(states) => states
                .iter()
                .map(|state| (state.count > 0).then(|| state.sum.finish() as f64))
                .collect(),
        })
    }

    /// Values as bits or codes; none of no values.
    pub(super) fn bits(&self) -> Result<Vec<Option<u64>>> {
        fn all<A: Aggregate>(states: &[A], bits: impl Fn(A::Output) -> Option<u64>) -> Vec<Option<u64>> {
            states.iter().map(|state| bits(state.finish())).collect()
        }
        let double = |value: Option<f64>| value.map(f64::to_bits);
        let integer = |value: Option<i64>| value.map(|value| value as u64);
        Ok(match self.states {
            States::MinF64(states) => all(states, double),
            States::MaxF64(states) => all(states, double),
            States::MinI64(states) => all(states, integer),
            States::MaxI64(states) => all(states, integer),
            States::First(states) => all(states, |bits| bits),
            States::Last(states) => all(states, |bits| bits),
            States::MinText(codes) | States::MaxText(codes) => codes
                .iter()
                .map(|&code| (code != crate::column::NULL_CODE).then(|| code.into()))
                .collect(),
            _ => return Err(unexpected()),
        })
    }

    /// The values of states that keep one, in the column's type.
    pub(super) fn one_value(&self, name: &str) -> Result<Output> {
        Output::typed(name, self.data_type, self.bits()?.into_iter(), self.strings)
    }
}

impl Found<'_> {
    /// The second state's value less the first's, in the column's type.
    pub(super) fn difference(&self) -> Result<Output> {
        let (from, to) = (self.states[0].bits()?, self.states[1].bits()?);
        let pairs = from.into_iter().zip(to).map(|(from, to)| from.zip(to));
        if self.states[0].data_type == Type::F64 {
            let less = |(from, to)| f64::from_bits(to) - f64::from_bits(from);
            return Ok(Output::f64s(self.name, pairs.map(|pair| pair.map(less))));
        }
        let less = |(from, to): (u64, u64)| self.fits(i128::from(to as i64) - i128::from(from as i64));
        let values: Vec<Option<i64>> = pairs.map(|pair| pair.map(less).transpose()).collect::<Result<_>>()?;
        Ok(Output::i64s(self.name, values.into_iter()))
    }

    /// An integer of an answer.
    pub(super) fn fits(&self, value: i128) -> Result<i64> {
        i64::try_from(value).map_err(|_| {
            let name = self.name;
            let message = format!("{name:?} of integers fits 64 bits, got {value}; a mean has no such bound");
            Error::new(Kind::OutOfRange, "SUM_OVERFLOW", message).at(name)
        })
    }
}

/// What stands for a value among those of its column: equal for equal values.
pub(super) fn bits_of(values: &Values, row: usize) -> u64 {
    match values {
        Values::F64(values) => f64_key(values[row]),
        Values::I64(values) => values[row] as u64,
        Values::Code(codes) => codes[row].into(),
    }
}

/// What orders values of a type as what stands for them is not: doubles, as integers; others but texts are in order as they are.
pub(super) fn order_of(data_type: Type) -> impl Fn(u64) -> i64 {
    move |bits| {
        let bits = bits as i64;
        if data_type == Type::F64 {
            bits ^ ((bits >> 63) as u64 >> 1) as i64
        } else {
            bits
        }
    }
}

/// A count of an answer.
pub(super) fn count(n: u64) -> Option<i64> {
    Some(i64::try_from(n).unwrap_or(i64::MAX))
}

/// States that a measure did not ask for.
pub(super) fn unexpected() -> Error {
    Error::internal("states of another measure")
}

/// Count, mean and squared deviations.
pub(super) const MOMENTS: Own = Own {
    name: "moments",
    parameter: 0,
    is_timed: false,
    make: |_, parameter| Grouped::<Moments>::boxed(parameter),
};

impl OwnState for Moments {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        with_doubles(present.values, present.n, |values| {
            scatter(states, present.groups, values);
        })
    }

    fn merge(&mut self, later: Self) {
        Aggregate::merge(self, &later);
    }
}

/// Quantiles, and how many values lie where.
pub(super) const HISTOGRAM: Own = Own {
    name: "exponential histogram",
    parameter: 0,
    is_timed: false,
    make: |_, parameter| Grouped::<ExponentialHistogram>::boxed(parameter),
};

impl OwnState for ExponentialHistogram {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        with_doubles(present.values, present.n, |values| match present.groups {
            Groups::One(group) => states[group as usize].insert_all(values),
            Groups::Each(groups) => {
                for (&group, &value) in groups.iter().zip(values) {
                    Sketch::insert(&mut states[group as usize], value);
                }
            }
            Groups::Runs(runs) => {
                GroupRun::ranges(runs).for_each(|(group, range)| states[group].insert_all(&values[range]));
            }
        })
    }

    fn merge(&mut self, later: Self) {
        Sketch::merge(self, &later);
    }

    const STORED: Option<State> = Some(State::Sketch);

    fn from_stored(bytes: &[u8]) -> Result<Self> {
        Sketch::from_bytes(bytes)
    }
}

/// Values between the bounds at a place among those of the query.
pub(super) fn between(place: usize) -> Own {
    Own {
        name: "values between bounds",
        parameter: place as u64,
        is_timed: false,
        make: |_, parameter| Grouped::<Between>::boxed(parameter),
    }
}

impl OwnState for Between {
    fn insert(states: &mut [Self], present: &Present<'_>, parameter: u64) -> Result<()> {
        let bounds = &present.bounds[parameter as usize];
        let n = bounds.doubles().len();
        match present.values {
            Values::F64(values) => each_group(present.groups, present.n, |row, group| {
                states[group].insert(bounds.below(values[row]), n);
            }),
            Values::I64(values) => each_group(present.groups, present.n, |row, group| {
                states[group].insert(bounds.below_integer(values[row]), n);
            }),
            Values::Code(_) => return Err(Error::internal("a measure of numbers on texts")),
        }
        Ok(())
    }

    fn merge(&mut self, later: Self) {
        Self::merge(self, &later);
    }
}

/// Values below, at and above a threshold.
pub(super) fn sides(threshold: f64) -> Own {
    Own {
        name: "sides of a threshold",
        parameter: threshold.to_bits(),
        is_timed: false,
        make: |_, parameter| Grouped::<Sides>::boxed(parameter),
    }
}

impl OwnState for Sides {
    fn insert(states: &mut [Self], present: &Present<'_>, parameter: u64) -> Result<()> {
        let threshold = f64::from_bits(parameter);
        with_doubles(present.values, present.n, |values| match present.groups {
            Groups::One(group) => states[group as usize].insert_all(values, threshold),
            Groups::Each(groups) => {
                for (&group, value) in groups.iter().zip(values) {
                    states[group as usize].insert_all(std::slice::from_ref(value), threshold);
                }
            }
            Groups::Runs(runs) => {
                GroupRun::ranges(runs).for_each(|(group, range)| states[group].insert_all(&values[range], threshold));
            }
        })
    }

    fn merge(&mut self, later: Self) {
        Self::merge(self, &later);
    }
}

/// A threshold that can be compared with.
pub(super) fn threshold_of(asked: &Asked, field: &str) -> Result<f64> {
    if asked.threshold.is_nan() {
        let field = format!("{field}.threshold");
        return Err(Error::invalid(
            "BAD_THRESHOLD",
            field,
            "a threshold is a number, got NaN",
        ));
    }
    Ok(asked.threshold)
}

/// The course of values over time.
pub(super) const COURSE: Own = Own {
    name: "course",
    parameter: 0,
    is_timed: true,
    make: |_, parameter| Grouped::<Course>::boxed(parameter),
};

impl OwnState for Course {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        let (times, entities) = present.timed()?;
        with_doubles(present.values, present.n, |values| {
            each_group(present.groups, present.n, |row, group| {
                let sample = Sample {
                    entity: entities[row],
                    time: times[row],
                    value: values[row],
                };
                if present.is_ordered {
                    states[group].insert_ordered(sample);
                } else {
                    states[group].insert_loose(sample);
                }
            });
        })
    }

    fn merge(&mut self, later: Self) {
        Self::merge(self, later);
    }

    const IS_LINKED: bool = true;

    fn link(states: &mut [Self], chain: &[u32]) {
        Self::link(states, chain);
    }
}
