//! Most frequent value, exact; of equally frequent ones the least.

use std::cmp::Reverse;
use std::sync::Arc;

use hashbrown::HashMap;

use super::shared::{bits_of, order_of};
use super::{Found, Kind, Measure, Of, Want};
use crate::error::{Error, Result};
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, states_of};
use crate::query::state::{Keep, Present, each_group};
use crate::scan::Type;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Mode,
    name: "mode",
    of: Of::Column,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Mode)),
};

const FREQUENCIES: Own = Own {
    name: "frequencies",
    parameter: 0,
    is_timed: false,
    make: |_, parameter| Grouped::<Frequencies>::boxed(parameter),
};

/// How often each value came: bits, or codes.
#[derive(Clone, Debug, Default)]
struct Frequencies(HashMap<u64, u64>);

impl OwnState for Frequencies {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        each_group(present.groups, present.n, |row, group| {
            let bits = bits_of(present.values, row);
            *states[group].0.entry(bits).or_default() += 1;
        });
        Ok(())
    }

    fn merge(&mut self, later: Self) {
        for (value, count) in later.0 {
            *self.0.entry(value).or_default() += count;
        }
    }
}

impl Frequencies {
    /// The most frequent value, the least in this order among equals.
    fn most<K: Ord>(&self, order: impl Fn(u64) -> K) -> Option<u64> {
        let most = self
            .0
            .iter()
            .max_by_key(|(value, count)| (**count, Reverse(order(**value))));
        most.map(|(value, _)| *value)
    }
}

#[derive(Debug)]
struct Mode;

impl Measure for Mode {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(FREQUENCIES))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let read = found.states[0];
        let states: &[Frequencies] = states_of(read.states)?;
        let modes: Vec<Option<u64>> = match (read.data_type, read.strings) {
            (Type::Text, Some(strings)) => {
                let text =
                    |state: &Frequencies| strings.read(|view| state.most(|code| view.text(code as u32).to_owned()));
                states.iter().map(text).collect()
            }
            (Type::Text, None) => return Err(Error::internal("texts without strings")),
            (data_type, _) => {
                let order = order_of(data_type);
                states.iter().map(|state| state.most(&order)).collect()
            }
        };
        Output::typed(found.name, read.data_type, modes.into_iter(), read.strings)
    }
}
