//! Greatest value minus least.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Want};
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Range,
    name: "range",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Range)),
};

#[derive(Debug)]
struct Range;

impl Measure for Range {
    fn wants(&self) -> Vec<Want> {
        [Keep::Min, Keep::Max].map(Want::of_column).to_vec()
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        found.difference()
    }
}
