//! Mean of one column weighted by another: rows that lack either are skipped.

use std::sync::Arc;

use super::{Found, From, Kind, Measure, Of, Want};
use crate::aggregate::Aggregate;
use crate::aggregate::weighted::Weighted;
use crate::error::{Error, Result};
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, states_of, with_doubles};
use crate::query::state::{Keep, Present, each_group};
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::WeightedMean,
    name: "weighted_mean",
    of: Of::TwoNumbers,
    parameters: &[],
    make: |_, _| Ok(Arc::new(WeightedMean)),
};

const WEIGHTED: Own = Own {
    name: "weighted",
    parameter: 0,
    is_timed: false,
    make: |_, parameter| Grouped::<Weighted>::boxed(parameter),
};

impl OwnState for Weighted {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        let second = present.second.ok_or_else(|| Error::internal("no second column"))?;
        with_doubles(present.values, present.n, |values| {
            with_doubles(second, present.n, |weights| {
                each_group(present.groups, present.n, |row, group| {
                    Aggregate::insert(&mut states[group], (values[row], weights[row]));
                });
            })
        })?
    }

    fn merge(&mut self, later: Self) {
        Aggregate::merge(self, &later);
    }
}

#[derive(Debug)]
struct WeightedMean;

impl Measure for WeightedMean {
    fn wants(&self) -> Vec<Want> {
        vec![Want {
            keep: Keep::Own(WEIGHTED),
            from: From::Both,
        }]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Weighted] = states_of(found.states[0].states)?;
        Ok(Output::f64s(found.name, states.iter().map(Aggregate::finish)))
    }
}
