//! Moving mean: of all values of a group in its window and those before it, so many windows in all; never a mean of means.

use std::sync::Arc;

use super::shared::Sums;
use super::{Found, Kind, Measure, Of, Parameter, Want};
use crate::aggregate::Aggregate;
use crate::aggregate::mean::Mean;
use crate::error::{Error, Result};
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Moving,
    name: "moving",
    of: Of::NumberOverWindows,
    parameter: Some(Parameter::Count),
    make: |asked, field| {
        if !(1..=MOST_WINDOWS).contains(&asked.count) {
            let message = format!("moving is over 1 to {MOST_WINDOWS} windows, got {}", asked.count);
            return Err(Error::invalid("BAD_COUNT", format!("{field}.count"), message));
        }
        Ok(Arc::new(Moving(asked.count)))
    },
};

/// Longest.
const MOST_WINDOWS: u32 = 10_000;

#[derive(Debug)]
struct Moving(u32);

impl Moving {
    fn means<S: Clone + Default>(&self, states: &[Mean<S>], found: &Found<'_>) -> Output
    where
        Mean<S>: Aggregate<Output = Option<f64>>,
    {
        let mut means = vec![None; states.len()];
        for chain in found.layout.chains() {
            let mut first = 0;
            for (at, &group) in chain.iter().enumerate() {
                let window = found.layout.window(group);
                while window - found.layout.window(chain[first]) >= u64::from(self.0) {
                    first += 1;
                }
                let mut all = Mean::<S>::default();
                chain[first..=at]
                    .iter()
                    .for_each(|&group| all.merge(&states[group as usize]));
                means[group as usize] = all.finish();
            }
        }
        Output::f64s(found.name, means.into_iter())
    }
}

impl Measure for Moving {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Mean)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        Ok(match found.states[0].sums()? {
            Sums::Doubles(states) => self.means(states, found),
            Sums::Integers(states) => self.means(states, found),
        })
    }
}
