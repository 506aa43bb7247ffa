//! The groups of each window that come first, and the others as one, with exact states: they are merged, not added up from answers.

use super::answer::finished;
use super::layout::Layout;
use super::merge::Merged;
use super::plan::Plan;
use super::regroup::{Making, Starts};
use crate::error::Result;
use crate::group::Shape;
use crate::scan::Type;

/// Part of a key of texts that stands for the others.
pub(super) const OTHER: u64 = u32::MAX as u64;

/// The same of a key of numbers, with the bit of a null, of which zero is the group of its own.
const OTHER_NUMBER: u64 = 1;

/// The same of a key of booleans, behind false, true and null.
const OTHER_BOOL: u64 = 3;

/// Keeps the first groups of each window, by the first order key and then as answers are ordered.
pub(super) fn keep(plan: &Plan, merged: Merged, starts: &Starts, most: u64) -> Result<Merged> {
    let Some(top) = plan.top else {
        return Ok(merged);
    };
    let table = finished(plan, &merged, starts, None)?;
    let mut is_kept = vec![false; table.rows];
    let layout = Layout::new(plan, &merged.groups, table.rows);
    for window in layout.windows() {
        let first = table.ordered(plan, window.clone(), Some(top.groups.into()));
        first.into_iter().for_each(|group| is_kept[group as usize] = true);
    }
    let mut making = Making::new(plan, &merged, Shape::Hashed(plan.key_parts()))?;
    let all = 0..table.rows as u32;
    let (kept, others): (Vec<u32>, Vec<u32>) = all.partition(|&group| is_kept[group as usize]);
    making.take(&kept, |group, part| merged.groups.part(group as usize, part), most)?;
    if top.has_other {
        let first = usize::from(plan.windows.is_some());
        let nulls = plan
            .keys
            .iter()
            .filter_map(|key| key.null_bit)
            .fold(0, |word, bit| word | 1 << bit);
        let part_of_other = |part: usize| match plan.keys.get(part - first) {
            None => nulls,
            Some(key) => match plan.columns[key.column].data_type {
                Type::Text => OTHER,
                Type::Bool => OTHER_BOOL,
                Type::F64 | Type::I64 | Type::Timestamp => OTHER_NUMBER,
            },
        };
        let part = |group, part| {
            if part < first {
                merged.groups.part(group as usize, part)
            } else {
                part_of_other(part)
            }
        };
        making.take(&others, part, most)?;
    }
    Ok(making.done())
}
