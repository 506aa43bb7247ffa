//! Value at the least time; of equal times that of the least entity code, then the first to arrive.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Want};
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::First,
    name: "first",
    of: Of::Column,
    parameters: &[],
    make: |_, _| Ok(Arc::new(First)),
};

#[derive(Debug)]
struct First;

impl Measure for First {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::First)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        found.states[0].one_value(found.name)
    }
}
