//! Sum of one column over the sum of another: never a mean of ratios.

use std::sync::Arc;

use super::{Found, From, Kind, Measure, Of, Want};
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Ratio,
    name: "ratio",
    of: Of::TwoNumbers,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Ratio)),
};

#[derive(Debug)]
struct Ratio;

impl Measure for Ratio {
    fn wants(&self) -> Vec<Want> {
        let sum = |from| Want { keep: Keep::Mean, from };
        vec![sum(From::Column), sum(From::Second)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let (above, below) = (found.states[0].sums_f64()?, found.states[1].sums_f64()?);
        let ratios = above.into_iter().zip(below).map(|(above, below)| {
            let below = below.filter(|&sum| sum != 0.0);
            above.zip(below).map(|(above, below)| above / below)
        });
        Ok(Output::f64s(found.name, ratios))
    }
}
