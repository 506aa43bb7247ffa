//! Running total: the sum of a group's values in its window and all before it.

use std::sync::Arc;

use super::shared::Sums;
use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::Aggregate;
use crate::aggregate::mean::Mean;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Cumulative,
    name: "cumulative",
    of: Of::NumberOverWindows,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Cumulative)),
};

#[derive(Debug)]
struct Cumulative;

/// States with those of the windows before merged in.
fn run<S: Clone + Default>(states: &[Mean<S>], chains: &[Vec<u32>]) -> Vec<Mean<S>>
where
    Mean<S>: Aggregate,
{
    let mut running = states.to_vec();
    for chain in chains {
        let mut total = Mean::<S>::default();
        for &group in chain {
            total.merge(&states[group as usize]);
            running[group as usize] = total.clone();
        }
    }
    running
}

impl Measure for Cumulative {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Mean)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let chains = found.layout.chains();
        Ok(match found.states[0].sums()? {
            Sums::Doubles(states) => {
                let running = run(states, chains);
                Output::f64s(
                    found.name,
                    running
                        .iter()
                        .map(|state| (state.count > 0).then(|| state.sum.finish())),
                )
            }
            Sums::Integers(states) => {
                let running = run(states, chains);
                let sums = running.iter().map(|state| {
                    let sum = found.fits(state.sum.finish())?;
                    Ok((state.count > 0).then_some(sum))
                });
                let sums: Vec<Option<i64>> = sums.collect::<Result<_>>()?;
                Output::i64s(found.name, sums.into_iter())
            }
        })
    }
}
