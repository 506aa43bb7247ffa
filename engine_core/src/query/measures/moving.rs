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
    parameters: &[Parameter::Count],
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

/// States in a queue, merged: a state is merged twice however long the queue is. Those at the front are kept merged with all behind
/// them up to the middle, those behind the middle as they are and merged.
struct Queue<S> {
    front: Vec<(u64, Mean<S>)>,
    back: Vec<(u64, Mean<S>)>,
    merged_back: Mean<S>,
}

impl<S: Clone + Default> Queue<S>
where
    Mean<S>: Aggregate<Output = Option<f64>>,
{
    fn new() -> Self {
        Self {
            front: Vec::new(),
            back: Vec::new(),
            merged_back: Mean::default(),
        }
    }

    fn push(&mut self, window: u64, state: &Mean<S>) {
        self.merged_back.merge(state);
        self.back.push((window, state.clone()));
    }

    /// Drops what lies before a window.
    fn drop_before(&mut self, window: u64) {
        loop {
            if self.front.is_empty() {
                let mut later = Mean::default();
                for (window, mut state) in self.back.drain(..).rev() {
                    state.merge(&later);
                    later = state.clone();
                    self.front.push((window, state));
                }
                self.merged_back = Mean::default();
            }
            match self.front.last() {
                Some((first, _)) if *first < window => drop(self.front.pop()),
                _ => return,
            }
        }
    }

    fn mean(&self) -> Option<f64> {
        let mut all = self.front.last().map_or_else(Mean::default, |(_, state)| state.clone());
        all.merge(&self.merged_back);
        all.finish()
    }
}

impl Moving {
    fn means<S: Clone + Default>(&self, states: &[Mean<S>], found: &Found<'_>) -> Output
    where
        Mean<S>: Aggregate<Output = Option<f64>>,
    {
        let mut means = vec![None; states.len()];
        for chain in found.layout.chains() {
            let mut queue = Queue::new();
            for &group in chain {
                let window = found.layout.window(group);
                queue.push(window, &states[group as usize]);
                queue.drop_before(window.saturating_sub(u64::from(self.0) - 1));
                means[group as usize] = queue.mean();
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
