//! Order of an answer's rows: by keys that compare as one number where they are small enough together, else column by column.

use super::output::{Output, OutputValues};

/// A column of an order; true: greatest first.
pub(super) type Key<'a> = (&'a Output, bool);

/// Bits of a key that is compared as a number.
const BITS: u32 = u128::BITS;

/// Rows from which on they are sorted by their keys' digits, where these are few.
const MANY: usize = 4_096;
/// Bits of a digit, and at most so many digits: more passes than that are no quicker than comparing.
const DIGIT_BITS: u32 = 11;
const DIGITS: u32 = 4;

/// The rows, which ascend, by the keys, the first deciding most; rows alike in all of them in ascending order. Only the first `limit`.
pub(super) fn ordered(keys: &[Key<'_>], mut rows: Vec<u32>, limit: Option<u64>) -> Vec<u32> {
    let most = limit.map_or(rows.len(), |limit| limit.min(rows.len() as u64) as usize);
    if let Some((packed, bits)) = packed(keys, &rows) {
        if bits <= DIGIT_BITS * DIGITS && most >= MANY && most == rows.len() {
            return by_digits(&packed, bits, rows);
        }
        let mut packed = with_rows(&packed, &rows);
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

/// Rows by keys of so many bits: a counting sort a digit, the last first, each of which leaves those alike in their order.
fn by_digits(keys: &[u128], bits: u32, rows: Vec<u32>) -> Vec<u32> {
    let mut from: Vec<(u64, u32)> = keys.iter().map(|&key| key as u64).zip(rows).collect();
    let mut to = vec![(0, 0); from.len()];
    for shift in (0..bits).step_by(DIGIT_BITS as usize) {
        let digit = |key: u64| (key >> shift) as usize & ((1 << DIGIT_BITS) - 1);
        let mut places = [0usize; 1 << DIGIT_BITS];
        for &(key, _) in &from {
            places[digit(key)] += 1;
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for &(key, row) in &from {
            let place = &mut places[digit(key)];
            to[*place] = (key, row);
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
    }
    from.into_iter().map(|(_, row)| row).collect()
}

/// Rows, ascending, among which are the first `most` by these keys and whatever settles ties: all that are no later than the last of
/// those.
pub(super) fn likely_first(keys: &[Key<'_>], rows: Vec<u32>, most: u64) -> Vec<u32> {
    let Some((packed, _)) = packed(keys, &rows).filter(|_| most > 0 && most < rows.len() as u64) else {
        return rows;
    };
    let mut sought = packed.clone();
    let (_, last, _) = sought.select_nth_unstable(most as usize - 1);
    let last = *last;
    let is_first = |(key, row): (u128, u32)| (key <= last).then_some(row);
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

/// All keys of each row as one number, and its bits; none if no row fits behind them.
fn packed(keys: &[Key<'_>], rows: &[u32]) -> Option<(Vec<u128>, u32)> {
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
    Some((packed, width))
}

/// Keys that end in the row.
fn with_rows(packed: &[u128], rows: &[u32]) -> Vec<u128> {
    let rows = rows.iter().map(|&row| u128::from(row));
    packed
        .iter()
        .zip(rows)
        .map(|(key, row)| key << u32::BITS | row)
        .collect()
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
    let mut span = greatest.saturating_sub(least);
    if matches!(output.values, OutputValues::Time(_)) && span > 0 {
        // Windows begin at multiples of something: counted in that, they take few bits.
        let step = step_of(output, least, rows, digits);
        for (digit, _) in digits
            .iter_mut()
            .zip(rows)
            .filter(|(_, row)| output.is_valid(**row as usize))
        {
            *digit = (*digit - least) / step;
        }
        (least, greatest, span) = (0, span / step, span / step);
    }
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

/// The greatest number that divides how far the words of valid rows, which are not all the least, lie behind that.
fn step_of(output: &Output, least: u64, rows: &[u32], words: &[u64]) -> u64 {
    let mut step = 0;
    for (word, _) in words
        .iter()
        .zip(rows)
        .filter(|(_, row)| output.is_valid(**row as usize))
    {
        let mut rest = word - least;
        if step == 0 || !rest.is_multiple_of(step) {
            while rest > 0 {
                (step, rest) = (rest, step % rest);
            }
        }
        if step == 1 {
            break;
        }
    }
    step
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

    #[test]
    fn many_rows_come_as_columns_compare() {
        let rows = 3 * MANY as u32;
        let seeds: Vec<(u8, i64)> = (0..rows)
            .map(|row| ((row * 7 % 251) as u8, i64::from(row * 31 % 977) * 3_600))
            .collect();
        let times = OutputValues::Time(seeds.iter().map(|(_, value)| value - 1_800_000).collect());
        let valid = seeds.iter().map(|(seed, _)| seed % 5 > 0).collect();
        let (times, texts, flags) = (Output::new("time", times, valid), column(4, &seeds), column(3, &seeds));
        let wide = Output::new(
            "wide",
            OutputValues::I64(seeds.iter().map(|(_, value)| value << 40).collect()),
            seeds.iter().map(|_| true).collect(),
        );
        for keys in [
            &[(&times, false), (&texts, true), (&flags, false)][..],
            &[(&texts, false), (&times, true)],
            &[(&wide, false), (&texts, true)],
            &[],
        ] {
            let mut expected: Vec<u32> = (0..rows).collect();
            expected.sort_by(|&a, &b| {
                let one = |(column, down): &Key<'_>| column.compare(a as usize, b as usize, *down);
                keys.iter().map(one).fold(Ordering::Equal, Ordering::then)
            });
            assert_eq!(ordered(keys, (0..rows).collect(), None), expected);
        }
    }
}
