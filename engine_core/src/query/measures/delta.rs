//! Last value minus first.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Want};
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Delta,
    name: "delta",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Delta)),
};

#[derive(Debug)]
struct Delta;

impl Measure for Delta {
    fn wants(&self) -> Vec<Want> {
        [Keep::First, Keep::Last].map(Want::of_column).to_vec()
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        found.difference()
    }
}
