//! Quantile, by the exact base-2 exponential histogram: exact up to 256 values a group, then within its stated error. Or by KLL: exact
//! up to 1,024 values a group, then within a share of ranks.

use std::sync::Arc;

use super::shared::HISTOGRAM;
use super::{Found, Kind, Measure, Of, Parameter, Sketch as Sketches, Want};
use crate::aggregate::{GroupRun, Groups};
use crate::error::{Error, Result};
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, states_of, with_doubles};
use crate::query::state::{Keep, Present};
use crate::sketch::Sketch;
use crate::sketch::exponential::ExponentialHistogram;
use crate::sketch::kll::Kll;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Quantile,
    name: "quantile",
    of: Of::Number,
    parameters: &[Parameter::Quantile, Parameter::Sketch],
    make: |asked, field| {
        let q = asked.quantile;
        if !(0.0..=1.0).contains(&q) {
            let message = format!("a quantile lies in [0, 1], got {q}");
            return Err(Error::invalid("BAD_QUANTILE", format!("{field}.quantile"), message));
        }
        Ok(match asked.sketch {
            Some(Sketches::Kll) => Arc::new(ByRank(q)),
            Some(Sketches::Exponential) | None => Arc::new(Quantile(q)),
        })
    },
};

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

const RANKS: Own = Own {
    name: "values by rank",
    parameter: 0,
    is_timed: false,
    make: |_, parameter| Grouped::<Kll>::boxed(parameter),
};

impl OwnState for Kll {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        with_doubles(present.values, present.n, |values| match present.groups {
            Groups::One(group) => states[group as usize].insert_all(values),
            Groups::Each(groups) => {
                for (&group, value) in groups.iter().zip(values) {
                    states[group as usize].insert_all(std::slice::from_ref(value));
                }
            }
            Groups::Runs(runs) => {
                GroupRun::ranges(runs).for_each(|(group, range)| states[group].insert_all(&values[range]));
            }
        })
    }

    fn merge(&mut self, later: Self) {
        Self::merge(self, &later);
    }
}

/// By KLL.
#[derive(Debug)]
struct ByRank(f64);

impl Measure for ByRank {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(RANKS))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Kll] = states_of(found.states[0].states)?;
        Ok(Output::f64s(
            found.name,
            states.iter().map(|state| state.estimate(self.0)),
        ))
    }

    fn rank_error(&self, found: &Found<'_>) -> Result<f64> {
        let states: &[Kll] = states_of(found.states[0].states)?;
        Ok(states.iter().map(Kll::rank_error).fold(0.0, f64::max))
    }

    /// Whatever lies between two ranks.
    fn relative_error(&self, found: &Found<'_>) -> Result<f64> {
        let is_exact = self.rank_error(found)? == 0.0;
        Ok(if is_exact { 0.0 } else { f64::INFINITY })
    }
}
