//! Distinct values by sketch: exact up to 1,024 a group, then within three standard errors, 1.8 %, for 997 of 1,000 answers.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::shared::{bits_of, count};
use super::{Found, Kind, Measure, Of, Want};
use crate::error::{Error, Result};
use crate::query::output::Output;
use crate::query::state::own::{Grouped, Own, OwnState, states_of};
use crate::query::state::{Keep, Present, each_group};
use crate::scan::block::Values;
use crate::sketch::ultraloglog::{STANDARD_ERROR, UltraLogLog};
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::DistinctSketch,
    name: "distinct_sketch",
    of: Of::Column,
    parameters: &[],
    make: |_, _| Ok(Arc::new(DistinctSketch)),
};

const SKETCH: Own = Own {
    name: "sketch of distinct values",
    parameter: 0,
    is_timed: false,
    make: |_, parameter| Grouped::<UltraLogLog>::boxed(parameter),
};

impl OwnState for UltraLogLog {
    fn insert(states: &mut [Self], present: &Present<'_>, _parameter: u64) -> Result<()> {
        let of_bits = |bits: u64| xxh3_64(&bits.to_le_bytes());
        match present.values {
            Values::F64(_) | Values::I64(_) => each_group(present.groups, present.n, |row, group| {
                states[group].insert(of_bits(bits_of(present.values, row)));
            }),
            // Texts, not codes: so that sketches of different streams can be merged.
            Values::Code(codes) => {
                let strings = present
                    .strings
                    .ok_or_else(|| Error::internal("texts without strings"))?;
                strings.read(|view| {
                    let mut last = (u32::MAX, 0);
                    each_group(present.groups, present.n, |row, group| {
                        if codes[row] != last.0 {
                            last = (codes[row], xxh3_64(view.text(codes[row]).as_bytes()));
                        }
                        states[group].insert(last.1);
                    });
                });
            }
        }
        Ok(())
    }

    fn merge(&mut self, later: Self) {
        Self::merge(self, &later);
    }
}

#[derive(Debug)]
struct DistinctSketch;

impl Measure for DistinctSketch {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(SKETCH))]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[UltraLogLog] = states_of(found.states[0].states)?;
        let counts = states.iter().map(|state| count(state.estimate()));
        Ok(Output::i64s(found.name, counts))
    }

    fn relative_error(&self, found: &Found<'_>) -> Result<f64> {
        let states: &[UltraLogLog] = states_of(found.states[0].states)?;
        let is_exact = states.iter().all(UltraLogLog::is_exact);
        Ok(if is_exact { 0.0 } else { 3.0 * STANDARD_ERROR })
    }
}
