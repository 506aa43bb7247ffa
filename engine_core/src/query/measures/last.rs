//! Value at the greatest time; of equal times that of the greatest entity code, then the last to arrive.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Want};
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Last,
    name: "last",
    of: Of::Column,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Last)),
};

#[derive(Debug)]
struct Last;

impl Measure for Last {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Last)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        found.states[0].one_value(found.name)
    }
}
