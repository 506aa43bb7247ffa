//! Share of the values that are not above each of some bounds, exact.

use std::sync::Arc;

use super::shared::between;
use super::{Found, Kind, Measure, Of, Parameter, Want};
use crate::aggregate::between::{Between, Bounds};
use crate::error::{Error, Result};
use crate::query::nested;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::query::state::own::states_of;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::CumulativeDistribution,
    name: "cumulative_distribution",
    of: Of::Number,
    parameters: &[Parameter::Bounds],
    make: |asked, field| match &asked.bounds {
        Some((place, bounds)) => Ok(Arc::new(CumulativeDistribution(*place, Arc::clone(bounds)))),
        None => {
            let rule = "a cumulative distribution is at 1 to 1,024 bounds, got none";
            Err(Error::invalid("BAD_BOUNDS", format!("{field}.bounds"), rule))
        }
    },
};

#[derive(Debug)]
struct CumulativeDistribution(usize, Arc<Bounds>);

impl Measure for CumulativeDistribution {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(between(self.0)))]
    }

    fn is_nested(&self) -> bool {
        true
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Between] = states_of(found.states[0].states)?;
        let bounds = self.1.doubles();
        let (mut shares, mut lengths) = (Vec::new(), Vec::with_capacity(states.len()));
        for state in states {
            let counts = state.counts(bounds.len());
            let all: u64 = counts.iter().sum();
            lengths.push((all > 0).then_some(bounds.len()));
            if all > 0 {
                let sums = counts[..bounds.len()].iter().scan(0, |sum, count| {
                    *sum += count;
                    Some(*sum)
                });
                let both = bounds.iter().zip(sums);
                shares.extend(both.map(|(&bound, sum)| (bound, sum as f64 / all as f64)));
            }
        }
        let fields = [
            Output::f64s("bound", shares.iter().map(|(bound, _)| Some(*bound))),
            Output::f64s("share", shares.iter().map(|(_, share)| Some(*share))),
        ];
        nested::lists(found.name, &fields, &lengths)
    }
}
