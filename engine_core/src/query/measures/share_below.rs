//! Share of the values that lie below a threshold, exact.

use std::sync::Arc;

use super::shared::{sides, threshold_of};
use super::{Found, Kind, Measure, Of, Parameter, Want};
use crate::aggregate::threshold::Sides;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::query::state::own::states_of;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::ShareBelow,
    name: "share_below",
    of: Of::Number,
    parameters: &[Parameter::Threshold],
    make: |asked, field| Ok(Arc::new(ShareBelow(threshold_of(asked, field)?))),
};

#[derive(Debug)]
struct ShareBelow(f64);

impl Measure for ShareBelow {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(sides(self.0)))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Sides] = states_of(found.states[0].states)?;
        let share = |sides: &Sides| (sides.count > 0).then(|| sides.below as f64 / sides.count as f64);
        Ok(Output::f64s(found.name, states.iter().map(share)))
    }
}
