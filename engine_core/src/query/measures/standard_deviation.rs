//! Standard deviation of the sample: root of its variance.

use std::sync::Arc;

use super::shared::MOMENTS;
use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::Aggregate;
use crate::aggregate::moments::Moments;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::query::state::own::states_of;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::StandardDeviation,
    name: "standard_deviation",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(StandardDeviation)),
};

#[derive(Debug)]
struct StandardDeviation;

impl Measure for StandardDeviation {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(MOMENTS))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Moments] = states_of(found.states[0].states)?;
        Ok(Output::f64s(
            found.name,
            states.iter().map(|state| state.finish().map(f64::sqrt)),
        ))
    }
}
