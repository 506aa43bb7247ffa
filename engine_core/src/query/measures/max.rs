//! Greatest value; of texts by their bytes.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Want};
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Max,
    name: "max",
    of: Of::Column,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Max)),
};

#[derive(Debug)]
struct Max;

impl Measure for Max {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Max)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        found.states[0].one_value(found.name)
    }
}
