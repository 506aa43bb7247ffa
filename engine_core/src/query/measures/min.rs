//! Least value; of texts by their bytes.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Want};
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Min,
    name: "min",
    of: Of::Column,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Min)),
};

#[derive(Debug)]
struct Min;

impl Measure for Min {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Min)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        found.states[0].one_value(found.name)
    }
}
