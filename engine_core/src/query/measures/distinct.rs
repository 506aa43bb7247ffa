//! Distinct values, exact.

use std::sync::Arc;

use super::shared::{bits_of, count};
use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::distinct::{DistinctBits, DistinctCodes};
use crate::aggregate::{Aggregate, scatter};
use crate::error::{Error, Result};
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, states_of};
use crate::query::state::{Keep, Present, each_group};
use crate::scan::Type;
use crate::scan::block::Values;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Distinct,
    name: "distinct",
    of: Of::Column,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Distinct)),
};

const VALUES: Own = Own {
    name: "distinct values",
    parameter: 0,
    is_timed: false,
    make: |data_type, parameter| match data_type {
        Type::Text => Grouped::<DistinctCodes>::boxed(parameter),
        _ => Grouped::<DistinctBits>::boxed(parameter),
    },
};

impl OwnState for DistinctCodes {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        let Values::Code(codes) = present.values else {
            return Err(Error::internal("codes of another type"));
        };
        scatter(states, present.groups, &codes[..present.n]);
        Ok(())
    }

    fn merge(&mut self, later: Self) {
        Aggregate::merge(self, &later);
    }
}

impl OwnState for DistinctBits {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        each_group(present.groups, present.n, |row, group| {
            let bits = bits_of(present.values, row);
            Aggregate::insert(&mut states[group], bits);
        });
        Ok(())
    }

    fn merge(&mut self, later: Self) {
        Aggregate::merge(self, &later);
    }
}

#[derive(Debug)]
struct Distinct;

impl Measure for Distinct {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(VALUES))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let read = found.states[0];
        let counts: Vec<u64> = if read.data_type == Type::Text {
            let states: &[DistinctCodes] = states_of(read.states)?;
            states.iter().map(Aggregate::finish).collect()
        } else {
            let states: &[DistinctBits] = states_of(read.states)?;
            states.iter().map(Aggregate::finish).collect()
        };
        Ok(Output::i64s(found.name, counts.into_iter().map(count)))
    }
}
