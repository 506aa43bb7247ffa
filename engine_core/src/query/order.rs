//! Order of an answer's rows: by keys that compare as one number where they are small enough together, else column by column.

use super::output::{Output, OutputValues};

/// A column of an order; true: greatest first.
pub(super) type Key<'a> = (&'a Output, bool);

/// Bits of a key that is compared as a number.
const BITS: u32 = u128::BITS;

/// The rows, by the keys, the first deciding most; rows alike in all of them in ascending order. Only the first `limit`.
pub(super) fn ordered(keys: &[Key<'_>], mut rows: Vec<u32>, limit: Option<u64>) -> Vec<u32> {
    let most = limit.map_or(rows.len(), |limit| limit.min(rows.len() as u64) as usize);
    if let Some(mut packed) = packed(keys, &rows) {
        first(&mut packed, most, u128::cmp);
        return packed.into_iter().map(|key| key as u32).collect();
    }
    first(&mut rows, most, |&a, &b| {
        let compare = |&(output, descending): &Key<'_>| output.compare(a as usize, b as usize, descending);
        let orders = keys.iter().map(compare);
        orders
            .fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
            .then(a.cmp(&b))
    });
    rows
}

/// Rows, ascending, among which are the first `most` by these keys and whatever settles ties: all that are no later than the last of
/// those.
pub(super) fn likely_first(keys: &[Key<'_>], rows: Vec<u32>, most: u64) -> Vec<u32> {
    let Some(packed) = packed(keys, &rows).filter(|_| most > 0 && most < rows.len() as u64) else {
        return rows;
    };
    let mut sought: Vec<u128> = packed.iter().map(|key| key >> u32::BITS).collect();
    let (_, last, _) = sought.select_nth_unstable(most as usize - 1);
    let last = *last;
    let is_first = |(key, row): (u128, u32)| (key >> u32::BITS <= last).then_some(row);
    packed.into_iter().zip(rows).filter_map(is_first).collect()
}

/// Sorts the least so many to the front and drops the others.
fn first<T>(items: &mut Vec<T>, most: usize, compare: impl Fn(&T, &T) -> std::cmp::Ordering) {
    if most < items.len() {
        items.select_nth_unstable_by(most, &compare);
        items.truncate(most);
    }
    items.sort_unstable_by(compare);
}

/// All keys of each row as one number that ends in the row; none if they do not fit.
fn packed(keys: &[Key<'_>], rows: &[u32]) -> Option<Vec<u128>> {
    let mut packed = vec![0u128; rows.len()];
    let mut width = 0;
    let mut digits = vec![0u64; rows.len()];
    for (output, descending) in keys {
        let greatest = digits_of(output, *descending, rows, &mut digits)?;
        let bits = u64::BITS - greatest.leading_zeros();
        width += bits;
        if width + u32::BITS > BITS {
            return None;
        }
        for (packed, &digit) in packed.iter_mut().zip(&digits) {
            *packed = *packed << bits | u128::from(digit);
        }
    }
    for (packed, &row) in packed.iter_mut().zip(rows) {
        *packed = *packed << u32::BITS | u128::from(row);
    }
    Some(packed)
}

/// For each row a number from 0 on that compares as [`Output::compare`] does; answers the greatest. None if 64 bits leave no room for
/// nulls.
fn digits_of(output: &Output, descending: bool, rows: &[u32], digits: &mut [u64]) -> Option<u64> {
    let word: &dyn Fn(usize) -> u64 = match &output.values {
        OutputValues::F64(values) => &|row| of_double(values[row]),
        OutputValues::I64(values) | OutputValues::Time(values) => &|row| values[row] as u64 ^ 1 << 63,
        OutputValues::Bool(values) => &|row| values[row].into(),
        OutputValues::Text(ranks, _) => &|row| ranks[row].into(),
        // Nobody may ask.
        OutputValues::Nested(..) => &|_| 0,
    };
    let (mut least, mut greatest, mut has_nulls) = (u64::MAX, 0, false);
    for (digit, &row) in digits.iter_mut().zip(rows) {
        if output.is_valid(row as usize) {
            *digit = word(row as usize);
            least = least.min(*digit);
            greatest = greatest.max(*digit);
        } else {
            has_nulls = true;
        }
    }
    let span = greatest.saturating_sub(least);
    // Nulls come last either way.
    let last = if has_nulls { span.checked_add(1)? } else { span };
    for (digit, &row) in digits.iter_mut().zip(rows) {
        *digit = match output.is_valid(row as usize) {
            true if descending => greatest - *digit,
            true => *digit - least,
            false => last,
        };
    }
    Some(last)
}

/// Doubles in order as words in order: both zeros are one, NaN is the greatest.
fn of_double(value: f64) -> u64 {
    if value.is_nan() {
        return u64::MAX;
    }
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    fn column(kind: u8, seeds: &[(u8, i64)]) -> Output {
        let valid = seeds.iter().map(|(seed, _)| seed % 5 > 0).collect();
        let doubles = [
            f64::NAN,
            -f64::NAN,
            0.0,
            -0.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -1.5,
            5e-324,
        ];
        let values = match kind {
            0 => OutputValues::F64(seeds.iter().map(|(seed, _)| doubles[usize::from(seed % 8)]).collect()),
            1 => OutputValues::I64(seeds.iter().map(|(_, value)| *value).collect()),
            2 => OutputValues::Time(seeds.iter().map(|(_, value)| value % 3).collect()),
            3 => OutputValues::Bool(seeds.iter().map(|(seed, _)| seed % 2 == 0).collect()),
            _ => {
                let texts = ["a", "b", "c"].map(str::to_owned).to_vec();
                OutputValues::Text(seeds.iter().map(|(seed, _)| u32::from(seed % 3)).collect(), texts)
            }
        };
        Output::new("column", values, valid)
    }

    proptest! {
        #[test]
        fn rows_come_as_columns_compare(
            kinds in prop::collection::vec((0u8..5, any::<bool>()), 0..4),
            rows in prop::collection::vec(prop::collection::vec((any::<u8>(), any::<i64>()), 4), 0..40),
            limit in prop::option::of(0u64..50),
        ) {
            let columns: Vec<Output> = kinds
                .iter()
                .enumerate()
                .map(|(at, &(kind, _))| column(kind, &rows.iter().map(|row| row[at]).collect::<Vec<_>>()))
                .collect();
            let keys: Vec<Key<'_>> = columns.iter().zip(&kinds).map(|(column, &(_, down))| (column, down)).collect();
            let mut expected: Vec<u32> = (0..rows.len() as u32).collect();
            expected.sort_by(|&a, &b| {
                let one = |(column, down): &Key<'_>| column.compare(a as usize, b as usize, *down);
                keys.iter().map(one).fold(Ordering::Equal, Ordering::then)
            });
            expected.truncate(limit.map_or(rows.len(), |limit| limit as usize));
            let all: Vec<u32> = (0..rows.len() as u32).collect();
            let likely = likely_first(&keys[..keys.len().min(1)], all.clone(), limit.unwrap_or(u64::MAX));
            prop_assert!(expected.iter().all(|row| likely.contains(row)));
            prop_assert!(likely.is_sorted());
            prop_assert_eq!(ordered(&keys, all, limit), expected);
        }
    }
}
