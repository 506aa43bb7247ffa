//! What footers and encoded blocks tell of a block taken whole, so that its values need not be decoded.

use super::plan::Plan;
use super::state::{Keep, Known, States};
use crate::aggregate::GroupRun;
use crate::column::packed::Physical;
use crate::error::Result;
use crate::scan::Type;
use crate::scan::block::Reader;

/// What a state takes; none: of no values nothing.
pub(super) type Told = Option<Known>;

/// What each state of a column takes of the reader's block, in order of `slots`; false if the block must be decoded for one of them.
pub(super) fn tell(
    plan: &Plan,
    reader: &Reader<'_>,
    column: usize,
    slots: &[usize],
    told: &mut Vec<Told>,
) -> Result<bool> {
    told.clear();
    let Some((found, block)) = reader.place(column) else {
        told.resize(slots.len(), None);
        return Ok(true);
    };
    let spec = reader.column(column);
    if spec.strings.as_ref().is_some_and(|strings| strings.is_made()) {
        // Statistics are of the series, which may lack the label.
        return Ok(false);
    }
    let stats = found.stats(block);
    let present = reader.rows() as u64 - u64::from(stats.nulls) - u64::from(stats.nans);
    if present == 0 {
        told.resize(slots.len(), None);
        return Ok(true);
    }
    let footers = !plan.no_footers;
    for &slot in slots {
        let known = match (plan.slots[slot].keep, spec.data_type, found.physical()) {
            (Keep::Count, ..) => Some(Known::Count(present)),
            (Keep::Mean, Type::F64, Physical::F64) => match found.known_sum(block).filter(|_| footers) {
                Some(bits) => Some(Known::SumF64(f64::from_bits(bits), present)),
                None if slots.len() > 1 && !footers => None,
                None => found.encoded_sum_f64(block)?.map(|sum| Known::SumF64(sum, present)),
            },
            (Keep::Mean, Type::I64, Physical::I64) => match found.known_sum(block).filter(|_| footers) {
                Some(bits) => Some(Known::SumI64((bits as i64).into(), present)),
                None if slots.len() > 1 && !footers => None,
                None => found.encoded_sum_i64(block)?.map(|sum| Known::SumI64(sum, present)),
            },
            (Keep::Min, Type::F64, Physical::F64) if footers => Some(Known::F64(f64::from_bits(stats.min))),
            (Keep::Max, Type::F64, Physical::F64) if footers => Some(Known::F64(f64::from_bits(stats.max))),
            (Keep::Min, Type::I64 | Type::Timestamp, Physical::I64) | (Keep::Min, Type::Bool, Physical::Bool)
                if footers =>
            {
                Some(Known::I64(stats.min as i64))
            }
            (Keep::Max, Type::I64 | Type::Timestamp, Physical::I64) | (Keep::Max, Type::Bool, Physical::Bool)
                if footers =>
            {
                Some(Known::I64(stats.max as i64))
            }
            _ => None,
        };
        if known.is_none() {
            return Ok(false);
        }
        told.push(known);
    }
    Ok(true)
}

/// Takes sums of runs of rows from the encoded form. Buffers, kept between blocks.
#[derive(Debug, Default)]
pub(super) struct RunSums {
    ends: Vec<u32>,
    whole: Vec<i128>,
    doubles: Vec<f64>,
}

impl RunSums {
    /// Inserts a column of the reader's block, all of whose rows are taken, into the states of its runs; false, and nothing is inserted,
    /// if the block must be decoded for one of them.
    pub(super) fn insert(
        &mut self,
        plan: &Plan,
        reader: &Reader<'_>,
        column: usize,
        runs: &[GroupRun],
        slots: &[usize],
        states: &mut [States],
    ) -> Result<bool> {
        let is_sum = |&slot: &usize| matches!(plan.slots[slot].keep, Keep::Count | Keep::Mean);
        let Some((found, block)) = reader.place(column).filter(|_| slots.iter().all(is_sum)) else {
            return Ok(false);
        };
        let stats = found.stats(block);
        if stats.nulls > 0 || stats.nans > 0 {
            return Ok(false);
        }
        self.ends.clear();
        self.ends.extend(runs.iter().map(|run| run.end));
        let is_double = match (reader.column(column).data_type, found.physical()) {
            (Type::I64, Physical::I64) if found.stretch_sums_i64(block, &self.ends, &mut self.whole)? => false,
            (Type::F64, Physical::F64)
                if found.stretch_sums_f64(block, &self.ends, &mut self.whole, &mut self.doubles)? =>
            {
                true
            }
            _ => return Ok(false),
        };
        for &slot in slots {
            for (at, (group, rows)) in GroupRun::ranges(runs).enumerate() {
                let n = rows.len() as u64;
                let known = match plan.slots[slot].keep {
                    Keep::Count => Known::Count(n),
                    _ if is_double => Known::SumF64(self.doubles[at], n),
                    _ => Known::SumI64(self.whole[at], n),
                };
                states[slot].insert_known(group, known)?;
            }
        }
        Ok(true)
    }
}
