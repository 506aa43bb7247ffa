//! Most frequent values: exact up to 8,192 distinct ones a group, then each with its error.

use std::cmp::Reverse;
use std::sync::Arc;

use super::shared::{bits_of, count, order_of};
use super::{Found, Kind, Measure, Of, Parameter, Read, Want};
use crate::error::{Error, Result};
use crate::query::nested;
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, states_of};
use crate::query::state::{Keep, Present, each_group};
use crate::scan::Type;
use crate::sketch::spacesaving::{Counted, SpaceSaving};
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::TopK,
    name: "top_k",
    of: Of::Column,
    parameters: &[Parameter::Count],
    make: |asked, field| {
        if !(1..=MOST_VALUES).contains(&asked.count) {
            let message = format!("top_k is of 1 to {MOST_VALUES} values, got {}", asked.count);
            return Err(Error::invalid("BAD_COUNT", format!("{field}.count"), message));
        }
        Ok(Arc::new(TopK(asked.count as usize)))
    },
};

/// Most values of an answer's list.
const MOST_VALUES: u32 = 1_000;

const COUNTS: Own = Own {
    name: "counts of frequent values",
    parameter: 0,
    is_timed: false,
    make: |_, parameter| Grouped::<SpaceSaving>::boxed(parameter),
};

impl OwnState for SpaceSaving {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        each_group(present.groups, present.n, |row, group| {
            states[group].insert(bits_of(present.values, row));
        });
        Ok(())
    }

    fn merge(&mut self, later: Self) {
        Self::merge(self, later);
    }
}

#[derive(Debug)]
struct TopK(usize);

impl TopK {
    /// The most frequent values of a state, in this order among equally frequent ones.
    fn most<K: Ord>(&self, state: &SpaceSaving, order: impl Fn(u64) -> K) -> Vec<(u64, Counted)> {
        let mut all: Vec<(u64, Counted)> = state.counted().collect();
        if self.0 < all.len() {
            let (_, (_, last), _) = all.select_nth_unstable_by_key(self.0 - 1, |(_, counted)| Reverse(counted.count));
            let least = last.count;
            all.retain(|(_, counted)| counted.count >= least);
        }
        all.sort_by_cached_key(|(value, counted)| (Reverse(counted.count), order(*value)));
        all.truncate(self.0);
        all
    }

    fn lists(&self, read: &Read<'_>) -> Result<Vec<Vec<(u64, Counted)>>> {
        let states: &[SpaceSaving] = states_of(read.states)?;
        Ok(match (read.data_type, read.strings) {
            (Type::Text, Some(strings)) => {
                let list = |state| strings.read(|view| self.most(state, |code| view.text(code as u32).to_owned()));
                states.iter().map(list).collect()
            }
            (Type::Text, None) => return Err(Error::internal("texts without strings")),
            (data_type, _) => {
                let order = order_of(data_type);
                states.iter().map(|state| self.most(state, &order)).collect()
            }
        })
    }
}

impl Measure for TopK {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(COUNTS))]
    }

    fn is_nested(&self) -> bool {
        true
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let read = found.states[0];
        let lists = self.lists(&read)?;
        let all = || lists.iter().flatten();
        let values = all().map(|(value, _)| Some(*value));
        let fields = [
            Output::typed("value", read.data_type, values, read.strings)?,
            Output::i64s("count", all().map(|(_, counted)| count(counted.count))),
            Output::i64s("error", all().map(|(_, counted)| count(counted.error))),
        ];
        let lengths: Vec<Option<usize>> = lists.iter().map(|list| Some(list.len())).collect();
        nested::lists(found.name, &fields, &lengths)
    }

    /// Where a state is full, each row says its own.
    fn relative_error(&self, found: &Found<'_>) -> Result<f64> {
        let states: &[SpaceSaving] = states_of(found.states[0].states)?;
        let is_exact = states.iter().all(|state| state.floor() == 0);
        Ok(if is_exact { 0.0 } else { f64::INFINITY })
    }
}
