//! Sum: of doubles within 2⁻⁵⁰·Σ|x|, of integers exact.

use std::sync::Arc;

use super::shared::Sums;
use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::Aggregate;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Sum,
    name: "sum",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Sum)),
};

#[derive(Debug)]
struct Sum;

impl Measure for Sum {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Mean)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states = match found.states[0].sums()? {
            Sums::Integers(states) => states,
            Sums::Doubles(_) => return Ok(Output::f64s(found.name, found.states[0].sums_f64()?.into_iter())),
        };
        let sums = states.iter().map(|state| {
            let sum = found.fits(state.sum.finish())?;
            Ok((state.count > 0).then_some(sum))
        });
        let sums: Vec<Option<i64>> = sums.collect::<Result<_>>()?;
        Ok(Output::i64s(found.name, sums.into_iter()))
    }
}
