//! Share of a group's sum in that of all groups of its window.

use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::Aggregate;
use crate::aggregate::sum::Sum;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::ShareOfTotal,
    name: "share_of_total",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(ShareOfTotal)),
};

#[derive(Debug)]
struct ShareOfTotal;

impl Measure for ShareOfTotal {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Mean)]
    }

    fn is_among_groups(&self) -> bool {
        true
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let sums = found.states[0].sums_f64()?;
        let mut shares = vec![None; sums.len()];
        for window in found.layout.windows() {
            let mut total = Sum::default();
            window
                .iter()
                .filter_map(|&group| sums[group as usize])
                .for_each(|sum| total.insert(sum));
            let total = total.finish();
            for &group in window.iter().filter(|_| total != 0.0) {
                shares[group as usize] = sums[group as usize].map(|sum| sum / total);
            }
        }
        Ok(Output::f64s(found.name, shares.into_iter()))
    }
}
