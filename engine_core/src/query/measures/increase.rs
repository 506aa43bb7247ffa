//! How much counters rose: of each entity from the value before the window, if the range has one, to its last in it; all entities
//! together. A value below the one before is a reset to zero.

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
    number: v1::MeasureKind::Increase,
    name: "increase",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Increase)),
};

#[derive(Debug)]
struct Increase;

impl Measure for Increase {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(COURSE))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Course] = states_of(found.states[0].states)?;
        Ok(Output::f64s(found.name, states.iter().map(Course::increase)))
    }
}
