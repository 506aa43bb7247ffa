//! Mean of values by how long each stood: from its time to that of the next of its entity in the window; the last not at all.

use std::sync::Arc;

use super::shared::COURSE;
use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::course::Course;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::query::state::own::states_of;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::TimeWeightedMean,
    name: "time_weighted_mean",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(TimeWeightedMean)),
};

#[derive(Debug)]
struct TimeWeightedMean;

impl Measure for TimeWeightedMean {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(COURSE))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Course] = states_of(found.states[0].states)?;
        Ok(Output::f64s(found.name, states.iter().map(Course::time_weighted_mean)))
    }
}
