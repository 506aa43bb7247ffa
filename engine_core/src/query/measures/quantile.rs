//! Quantile, by the exact base-2 exponential histogram: exact up to 256 values a group, then within its stated error.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Parameter, Want};
use crate::aggregate::{GroupRun, Groups};
use crate::error::{Error, Result};
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, states_of, with_doubles};
use crate::query::state::{Keep, Present};
use crate::sketch::Sketch;
use crate::sketch::exponential::ExponentialHistogram;
use crate::store::rollup::State;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Quantile,
    name: "quantile",
    of: Of::Number,
    parameter: Some(Parameter::Quantile),
    make: |asked, field| {
        let q = asked.quantile;
        if !(0.0..=1.0).contains(&q) {
            let message = format!("a quantile lies in [0, 1], got {q}");
            return Err(Error::invalid("BAD_QUANTILE", format!("{field}.quantile"), message));
        }
        Ok(Arc::new(Quantile(q)))
    },
};

const HISTOGRAM: Own = Own {
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

#[derive(Debug)]
struct Quantile(f64);

impl Measure for Quantile {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(HISTOGRAM))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[ExponentialHistogram] = states_of(found.states[0].states)?;
        Ok(Output::f64s(
            found.name,
            states.iter().map(|state| state.estimate(self.0)),
        ))
    }

    fn relative_error(&self, found: &Found<'_>) -> Result<f64> {
        let states: &[ExponentialHistogram] = states_of(found.states[0].states)?;
        let errors = states.iter().map(ExponentialHistogram::relative_error);
        Ok(errors.fold(0.0, f64::max))
    }
}
