//! How many values lie in each bucket: by bounds, exact; without them by the exponential histogram, the buckets that have values.

use std::sync::Arc;

use super::shared::{HISTOGRAM, between, count};
use super::{Found, Kind, Measure, Of, Parameter, Want};
use crate::aggregate::between::{Between, Bounds};
use crate::error::Result;
use crate::query::nested;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::query::state::own::states_of;
use crate::sketch::exponential::ExponentialHistogram;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Histogram,
    name: "histogram",
    of: Of::Number,
    parameters: &[Parameter::Bounds],
    make: |asked, _| {
        Ok(match &asked.bounds {
            Some((place, bounds)) => Arc::new(ByBounds(*place, Arc::clone(bounds))),
            None => Arc::new(Exponential),
        })
    },
};

#[derive(Debug)]
struct ByBounds(usize, Arc<Bounds>);

#[derive(Debug)]
struct Exponential;

/// A list a group of its buckets.
fn lists(name: &str, buckets: &[Vec<((f64, f64), u64)>]) -> Result<Output> {
    let all = || buckets.iter().flatten();
    let fields = [
        Output::f64s("lower", all().map(|((lower, _), _)| Some(*lower))),
        Output::f64s("upper", all().map(|((_, upper), _)| Some(*upper))),
        Output::i64s("count", all().map(|(_, n)| count(*n))),
    ];
    let lengths: Vec<Option<usize>> = buckets.iter().map(|buckets| Some(buckets.len())).collect();
    nested::lists(name, &fields, &lengths)
}

impl Measure for ByBounds {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(between(self.0)))]
    }

    fn is_nested(&self) -> bool {
        true
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[Between] = states_of(found.states[0].states)?;
        let bounds = self.1.doubles();
        let lower = || std::iter::once(f64::NEG_INFINITY).chain(bounds.iter().copied());
        let upper = || bounds.iter().copied().chain([f64::INFINITY]);
        let buckets = states.iter().map(|state| {
            let counts = state.counts(bounds.len());
            lower().zip(upper()).zip(counts).collect()
        });
        lists(found.name, &buckets.collect::<Vec<_>>())
    }
}

impl Measure for Exponential {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(HISTOGRAM))]
    }

    fn is_nested(&self) -> bool {
        true
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[ExponentialHistogram] = states_of(found.states[0].states)?;
        let buckets: Vec<_> = states.iter().map(ExponentialHistogram::edges).collect();
        lists(found.name, &buckets)
    }
}
