//! Change of values a second: slope over time by least squares.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::Aggregate;
use crate::aggregate::ends::Timed;
use crate::aggregate::slope::Slope;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, states_of, with_doubles};
use crate::query::state::{Keep, Present, each_group};
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Derivative,
    name: "derivative",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Derivative)),
};

const SLOPE: Own = Own {
    name: "slope",
    parameter: 0,
    is_timed: true,
    make: |_, parameter| Grouped::<Slope>::boxed(parameter),
};

impl OwnState for Slope {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        let (times, entities) = present.timed()?;
        with_doubles(present.values, present.n, |values| {
            each_group(present.groups, present.n, |row, group| {
                Aggregate::insert(
                    &mut states[group],
                    Timed {
                        time: times[row],
                        entity: entities[row],
                        value: values[row].to_bits(),
                    },
                );
            });
        })
    }

    fn merge(&mut self, later: Self) {
        Aggregate::merge(self, &later);
    }
}

#[derive(Debug)]
struct Derivative;

impl Measure for Derivative {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(SLOPE))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Slope] = states_of(found.states[0].states)?;
        Ok(Output::f64s(found.name, states.iter().map(Aggregate::finish)))
    }
}
