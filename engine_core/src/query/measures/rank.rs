//! Rank of a threshold: how many values are not above it, exact.

use std::sync::Arc;

use super::shared::{count, sides, threshold_of};
use super::{Found, Kind, Measure, Of, Parameter, Want};
use crate::aggregate::threshold::Sides;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::query::state::own::states_of;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Rank,
    name: "rank",
    of: Of::Number,
    parameters: &[Parameter::Threshold],
    make: |asked, field| Ok(Arc::new(Rank(threshold_of(asked, field)?))),
};

#[derive(Debug)]
struct Rank(f64);

impl Measure for Rank {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(sides(self.0)))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Sides] = states_of(found.states[0].states)?;
        let ranks = states.iter().map(|sides| count(sides.below + sides.at));
        Ok(Output::i64s(found.name, ranks))
    }
}
