//! The exact base-2 exponential histogram: a DDSketch with γ = 2^(1/64), an OTLP exponential histogram, a Prometheus native
//! histogram of schema 6.

use super::Sketch;
use super::buckets::{bucket_of, bucket_of_normal, edges, midpoint, relative_error};
use crate::error::{Error, Result};

/// Values kept as they are before they are put in buckets; up to here quantiles are exact.
pub const RAW_VALUES: usize = 256;
/// Most buckets a side; past it neighbours are joined and the scale falls by one.
pub const MAX_BUCKETS: usize = 2048;

const VERSION: u8 = 1;
const RAW: u8 = 0;
const BUCKETS: u8 = 1;
/// Joins that all doubles may need: their 134,273 buckets are 2,099 after six joins and 1,050 after seven.
const MAX_SHIFT: u32 = 7;

/// Quantiles of doubles: exact up to 256 values, then within [`ExponentialHistogram::relative_error`] of the value, 0.542 %
/// unless values spread over more than 2,048 buckets a side (a ratio of 2³² between the greatest and the least).
///
/// NaN is ignored. Infinities are counted apart and estimate as themselves. −0.0 is 0.0, counted apart too. The bound holds
/// for normal doubles; subnormal estimates are rounded to the doubles there are.
///
/// Law: any order, split and merge tree makes the same bytes. Promotion depends on the count alone, the scale on the
/// outermost buckets alone, and counts add up. (Masson, Rim & Lee 2019, PVLDB 12(12), for the bound; Epicoco et al. 2020,
/// IEEE Access 8, for uniform collapse; OpenTelemetry's data model for the buckets.)
#[derive(Clone, Debug)]
pub struct ExponentialHistogram(State);

#[derive(Clone, Debug)]
enum State {
    Raw(Vec<f64>),
    Buckets(Box<Buckets>),
}

#[derive(Clone, Debug, PartialEq)]
struct Buckets {
    positive: Side,
    negative: Side,
    shift: u32,
    zeros: u64,
    positive_infinities: u64,
    negative_infinities: u64,
    min: f64,
    max: f64,
}

/// Counts of neighbouring buckets. `low..=high` are the outermost with values, in full-scale numbers.
#[derive(Clone, Debug, Default)]
struct Side {
    counts: Vec<u64>,
    /// Bucket, at the scale in use, of `counts[0]`.
    first: i32,
    bounds: Option<(i32, i32)>,
}

impl PartialEq for Side {
    fn eq(&self, other: &Self) -> bool {
        self.used() == other.used()
    }
}

impl Side {
    /// First bucket with values and the counts from there to the last with values.
    fn used(&self) -> (i32, &[u64]) {
        let Some(start) = self.counts.iter().position(|&count| count > 0) else {
            return (0, &[]);
        };
        let end = self.counts.iter().rposition(|&count| count > 0).unwrap_or(start);
        (self.first + start as i32, &self.counts[start..=end])
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Joins buckets so that they are at `shift` + `by`.
    fn collapse(&mut self, by: u32) {
        if by == 0 || self.counts.is_empty() {
            return;
        }
        let first = self.first >> by;
        let last = (self.first + self.counts.len() as i32 - 1) >> by;
        let mut joined = vec![0; (last - first) as usize + 1];
        for (i, count) in self.counts.iter().enumerate() {
            joined[(((self.first + i as i32) >> by) - first) as usize] += count;
        }
        (self.counts, self.first) = (joined, first);
    }

    /// Makes room for buckets `low..=high` at the scale in use.
    fn reserve(&mut self, low: i32, high: i32) {
        if self.counts.is_empty() {
            self.first = low;
            self.counts = vec![0; (high - low) as usize + 1];
            return;
        }
        let last = self.first + self.counts.len() as i32 - 1;
        if low < self.first {
            // Some slack, so that a drifting minimum does not move the counts each time.
            let room = ((self.first - low) as usize).max(32.min(self.counts.len()));
            let mut counts = vec![0; room + self.counts.len()];
            counts[room..].copy_from_slice(&self.counts);
            (self.counts, self.first) = (counts, self.first - room as i32);
        }
        if high > last {
            let needed = (high - self.first) as usize + 1;
            self.counts.resize(needed + 31, 0);
        }
    }
}

/// Shift at which full-scale buckets `low..=high` fit a side.
fn shift_for(low: i32, high: i32) -> u32 {
    (0..MAX_SHIFT)
        .find(|shift| ((high >> shift) - (low >> shift)) < MAX_BUCKETS as i32)
        .unwrap_or(MAX_SHIFT)
}

impl Buckets {
    fn new() -> Self {
        Self {
            positive: Side::default(),
            negative: Side::default(),
            shift: 0,
            zeros: 0,
            positive_infinities: 0,
            negative_infinities: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    fn count(&self) -> u64 {
        self.positive.total() + self.negative.total() + self.zeros + self.positive_infinities + self.negative_infinities
    }

    /// Joins neighbours on both sides until the state is as coarse as `shift` at least.
    fn collapse_to(&mut self, shift: u32) {
        if shift > self.shift {
            self.positive.collapse(shift - self.shift);
            self.negative.collapse(shift - self.shift);
            self.shift = shift;
        }
    }

    /// Makes room on a side for full-scale buckets `low..=high`, joining buckets on both if it must.
    fn admit(&mut self, negative: bool, low: i32, high: i32) {
        let side = if negative {
            &mut self.negative
        } else {
            &mut self.positive
        };
        let (low, high) = match side.bounds {
            Some((least, greatest)) if low >= least && high <= greatest => return,
            Some((least, greatest)) => (low.min(least), high.max(greatest)),
            None => (low, high),
        };
        side.bounds = Some((low, high));
        self.collapse_to(shift_for(low, high));
        let side = if negative {
            &mut self.negative
        } else {
            &mut self.positive
        };
        side.reserve(low >> self.shift, high >> self.shift);
    }

    fn insert(&mut self, value: f64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value == 0.0 {
            self.zeros += 1;
        } else if value == f64::INFINITY {
            self.positive_infinities += 1;
        } else if value == f64::NEG_INFINITY {
            self.negative_infinities += 1;
        } else {
            let bucket = bucket_of(value.abs());
            self.admit(value < 0.0, bucket, bucket);
            let side = if value < 0.0 {
                &mut self.negative
            } else {
                &mut self.positive
            };
            side.counts[((bucket >> self.shift) - side.first) as usize] += 1;
        }
    }

    /// Magnitudes of one sign, all normal.
    fn insert_magnitudes(&mut self, negative: bool, values: &[f64]) {
        let mut buckets = [0i32; 256];
        for values in values.chunks(buckets.len()) {
            let buckets = &mut buckets[..values.len()];
            for (bucket, &value) in buckets.iter_mut().zip(values) {
                *bucket = bucket_of_normal(value);
            }
            let (low, high) = buckets.iter().fold((i32::MAX, i32::MIN), |(low, high), &bucket| {
                (low.min(bucket), high.max(bucket))
            });
            self.admit(negative, low, high);
            let side = if negative {
                &mut self.negative
            } else {
                &mut self.positive
            };
            let (shift, first) = (self.shift, side.first);
            let counts = &mut side.counts[..];
            for &bucket in &*buckets {
                counts[((bucket >> shift) - first) as usize] += 1;
            }
        }
    }

    fn insert_all(&mut self, values: &[f64]) {
        let mut parts = ([0.0f64; 256], [0.0f64; 256]);
        for values in values.chunks(256) {
            let (mut least, mut greatest, mut smallest) = (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY);
            for &value in values {
                least = if value < least { value } else { least };
                greatest = if value > greatest { value } else { greatest };
                let magnitude = if value == 0.0 { 1.0 } else { value.abs() };
                smallest = if magnitude < smallest { magnitude } else { smallest };
            }
            if least == f64::NEG_INFINITY || greatest == f64::INFINITY || smallest < f64::MIN_POSITIVE {
                values.iter().for_each(|&value| self.insert(value));
                continue;
            }
            self.min = self.min.min(least);
            self.max = self.max.max(greatest);
            if least > 0.0 {
                self.insert_magnitudes(false, values);
                continue;
            }
            let (positive, negative) = (&mut parts.0, &mut parts.1);
            let (mut above, mut below) = (0, 0);
            for &value in values {
                positive[above] = value;
                above += usize::from(value > 0.0);
                negative[below] = -value;
                below += usize::from(value < 0.0);
            }
            self.zeros += (values.len() - above - below) as u64;
            self.insert_magnitudes(false, &parts.0[..above]);
            self.insert_magnitudes(true, &parts.1[..below]);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.zeros += other.zeros;
        self.positive_infinities += other.positive_infinities;
        self.negative_infinities += other.negative_infinities;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.collapse_to(other.shift);
        for negative in [false, true] {
            let theirs = if negative { &other.negative } else { &other.positive };
            let Some((low, high)) = theirs.bounds else {
                continue;
            };
            self.admit(negative, low, high);
            let by = self.shift - other.shift;
            let side = if negative {
                &mut self.negative
            } else {
                &mut self.positive
            };
            for (i, &count) in theirs.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                side.counts[(((theirs.first + i as i32) >> by) - side.first) as usize] += count;
            }
        }
    }

    /// What stands for values, and how many, ascending: infinities, zero, and of each bucket with values what `of` makes of its number;
    /// those of negative values are the same without the sign, which `of` is told of.
    fn points<T>(&self, of: impl Fn(bool, i32) -> T, plain: impl Fn(f64) -> T) -> Vec<(T, u64)> {
        let place = |side: &Side, at: usize| side.first + at as i32;
        let negative = self.negative.counts.iter().enumerate().rev();
        let positive = self.positive.counts.iter().enumerate();
        let mut points = vec![(plain(f64::NEG_INFINITY), self.negative_infinities)];
        points.extend(negative.map(|(at, &count)| (of(true, place(&self.negative, at)), count)));
        points.push((plain(0.0), self.zeros));
        points.extend(positive.map(|(at, &count)| (of(false, place(&self.positive, at)), count)));
        points.push((plain(f64::INFINITY), self.positive_infinities));
        points.retain(|(_, count)| *count > 0);
        points
    }

    fn at_rank(&self, mut rank: u64) -> f64 {
        let middle = |bucket: i32| midpoint(bucket, self.shift);
        if rank < self.negative_infinities {
            return f64::NEG_INFINITY;
        }
        rank -= self.negative_infinities;
        for (i, &count) in self.negative.counts.iter().enumerate().rev() {
            if rank < count {
                return -middle(self.negative.first + i as i32);
            }
            rank -= count;
        }
        if rank < self.zeros {
            return 0.0;
        }
        rank -= self.zeros;
        for (i, &count) in self.positive.counts.iter().enumerate() {
            if rank < count {
                return middle(self.positive.first + i as i32);
            }
            rank -= count;
        }
        f64::INFINITY
    }
}

impl Default for ExponentialHistogram {
    fn default() -> Self {
        Self(State::Raw(Vec::new()))
    }
}

impl ExponentialHistogram {
    /// Number of values.
    pub fn count(&self) -> u64 {
        match &self.0 {
            State::Raw(values) => values.len() as u64,
            State::Buckets(buckets) => buckets.count(),
        }
    }

    /// Bound of the relative error of an estimate; 0 while values are kept as they are.
    pub fn relative_error(&self) -> f64 {
        match &self.0 {
            State::Raw(_) => 0.0,
            State::Buckets(buckets) => relative_error(buckets.shift),
        }
    }

    /// Lower and upper edges of the buckets that have values, and how many, ascending. Above zero a bucket holds its upper edge and not its
    /// lower, below zero it is the other way round; zero and infinities are buckets of their own.
    pub fn edges(&self) -> Vec<((f64, f64), u64)> {
        let mut copy = self.clone();
        let buckets = copy.buckets();
        let shift = buckets.shift;
        let of = |is_negative, bucket| match edges(bucket, shift) {
            (lower, upper) if is_negative => (-upper, -lower),
            both => both,
        };
        buckets.points(of, |value| (value, value))
    }

    /// Values, ascending, and how often they came; where they lie in buckets, what is within the relative error of all of a bucket.
    pub fn points(&self) -> Vec<(f64, u64)> {
        match &self.0 {
            State::Raw(values) => {
                let mut values = values.clone();
                values.sort_unstable_by(f64::total_cmp);
                values.into_iter().map(|value| (value, 1)).collect()
            }
            State::Buckets(buckets) => {
                let of = |is_negative, bucket| {
                    let middle = midpoint(bucket, buckets.shift);
                    (if is_negative { -middle } else { middle }).clamp(buckets.min, buckets.max)
                };
                buckets.points(of, |value| value)
            }
        }
    }

    fn buckets(&mut self) -> &mut Buckets {
        if let State::Raw(values) = &self.0 {
            let mut buckets = Box::new(Buckets::new());
            buckets.insert_all(values);
            self.0 = State::Buckets(buckets);
        }
        match &mut self.0 {
            State::Buckets(buckets) => buckets,
            State::Raw(_) => unreachable!("just replaced"),
        }
    }
}

/// Zero-based place, in ascending order, of the quantile `q` of `n` values: the lower order statistic ⌊q·(n−1)⌋.
fn rank(q: f64, n: u64) -> u64 {
    let last = n.saturating_sub(1);
    ((q.clamp(0.0, 1.0) * last as f64) as u64).min(last)
}

impl Sketch for ExponentialHistogram {
    #[inline]
    fn insert(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        match &mut self.0 {
            State::Raw(values) if values.len() < RAW_VALUES => values.push(value + 0.0),
            _ => self.buckets().insert(value),
        }
    }

    fn insert_all(&mut self, values: &[f64]) {
        if values.iter().any(|value| value.is_nan()) {
            values.iter().for_each(|&value| self.insert(value));
            return;
        }
        match &mut self.0 {
            State::Raw(raw) if raw.len() + values.len() <= RAW_VALUES => {
                raw.extend(values.iter().map(|value| value + 0.0));
            }
            _ => self.buckets().insert_all(values),
        }
    }

    fn merge(&mut self, other: &Self) {
        match &other.0 {
            State::Raw(values) => self.insert_all(values),
            State::Buckets(buckets) => self.buckets().merge(buckets),
        }
    }

    fn estimate(&self, q: f64) -> Option<f64> {
        let n = self.count();
        if n == 0 {
            return None;
        }
        let rank = rank(q, n);
        Some(match &self.0 {
            State::Raw(values) => {
                let mut values = values.clone();
                *values.select_nth_unstable_by(rank as usize, f64::total_cmp).1
            }
            State::Buckets(buckets) if rank == 0 => buckets.min + 0.0,
            State::Buckets(buckets) if rank == n - 1 => buckets.max + 0.0,
            State::Buckets(buckets) => buckets.at_rank(rank).clamp(buckets.min, buckets.max) + 0.0,
        })
    }

    /// Version, kind; raw: count u16, values ascending; buckets: shift u8, zeros, infinities, min, max, then each side as
    /// first bucket i32, number u32 and counts u64.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match &self.0 {
            State::Raw(values) => {
                let mut values = values.clone();
                values.sort_by(f64::total_cmp);
                out.push(RAW);
                out.extend_from_slice(&(values.len() as u16).to_le_bytes());
                values
                    .iter()
                    .for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
            }
            State::Buckets(buckets) => {
                out.extend_from_slice(&[BUCKETS, buckets.shift as u8]);
                for count in [buckets.zeros, buckets.positive_infinities, buckets.negative_infinities] {
                    out.extend_from_slice(&count.to_le_bytes());
                }
                out.extend_from_slice(&(buckets.min + 0.0).to_le_bytes());
                out.extend_from_slice(&(buckets.max + 0.0).to_le_bytes());
                for side in [&buckets.positive, &buckets.negative] {
                    let (first, counts) = side.used();
                    out.extend_from_slice(&first.to_le_bytes());
                    out.extend_from_slice(&(counts.len() as u32).to_le_bytes());
                    counts
                        .iter()
                        .for_each(|count| out.extend_from_slice(&count.to_le_bytes()));
                }
            }
        }
        out
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader(bytes);
        let state = reader.state().filter(|_| reader.0.is_empty());
        state.ok_or_else(|| Error::corrupt("a stored sketch is damaged", "exponential histogram"))
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn f64(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes)
    }

    fn side(&mut self, shift: u32) -> Option<Side> {
        let first = i32::from_le_bytes(self.take()?);
        let n = u32::from_le_bytes(self.take()?) as usize;
        // Every double lies in these buckets.
        let (least, greatest) = ((-1074 * 64 - 1) >> shift, (1024 * 64 - 1) >> shift);
        if n == 0 {
            return (first == 0).then(Side::default);
        }
        let last = i64::from(first) + n as i64 - 1;
        if n > MAX_BUCKETS || first < least || last > i64::from(greatest) || self.0.len() < n * 8 {
            return None;
        }
        let counts: Vec<u64> = (0..n).map(|_| self.u64()).collect::<Option<_>>()?;
        if counts[0] == 0 || counts[n - 1] == 0 {
            return None;
        }
        // Where in its bucket an outermost value lay is gone, and matters no more: from this shift on it makes no difference.
        let (low, high) = (first << shift, (last as i32) << shift);
        Some(Side {
            counts,
            first,
            bounds: Some((low, high)),
        })
    }

    fn state(&mut self) -> Option<ExponentialHistogram> {
        let [version, kind] = self.take()?;
        if version != VERSION {
            return None;
        }
        if kind == RAW {
            let n = usize::from(u16::from_le_bytes(self.take()?));
            if n > RAW_VALUES {
                return None;
            }
            let values: Vec<f64> = (0..n).map(|_| self.f64()).collect::<Option<_>>()?;
            let sound = values
                .iter()
                .all(|value| !value.is_nan() && value.to_bits() != (-0.0f64).to_bits())
                && values.is_sorted();
            return sound.then_some(ExponentialHistogram(State::Raw(values)));
        }
        if kind != BUCKETS {
            return None;
        }
        let shift = u32::from(self.take::<1>()?[0]);
        if shift > MAX_SHIFT {
            return None;
        }
        let buckets = Buckets {
            shift,
            zeros: self.u64()?,
            positive_infinities: self.u64()?,
            negative_infinities: self.u64()?,
            min: self.f64()?,
            max: self.f64()?,
            positive: self.side(shift)?,
            negative: self.side(shift)?,
        };
        let sides = [&buckets.positive, &buckets.negative];
        let counts = sides.into_iter().flat_map(|side| &side.counts);
        let counts = counts.chain([
            &buckets.zeros,
            &buckets.positive_infinities,
            &buckets.negative_infinities,
        ]);
        let total = counts.copied().try_fold(0u64, u64::checked_add)?;
        (total > RAW_VALUES as u64 && buckets.min <= buckets.max)
            .then(|| ExponentialHistogram(State::Buckets(Box::new(buckets))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> ExponentialHistogram {
        let mut sketch = ExponentialHistogram::default();
        values.iter().for_each(|&value| sketch.insert(value));
        sketch
    }

    /// Merges the parts between cuts, the last two first.
    fn split(values: &[f64], cuts: &[usize]) -> ExponentialHistogram {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (values.len() + 1)).collect();
        at.extend([0, values.len()]);
        at.sort_unstable();
        let mut merged = ExponentialHistogram::default();
        for range in at.windows(2).rev() {
            let mut part = ExponentialHistogram::default();
            part.insert_all(&values[range[0]..range[1]]);
            part = ExponentialHistogram::from_bytes(&part.to_bytes()).unwrap();
            part.merge(&merged);
            merged = part;
        }
        merged
    }

    fn lower(values: &[f64], q: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[rank(q, values.len() as u64) as usize]
    }

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => (-8.0f64..8.0).prop_map(f64::exp),
            4 => (-8.0f64..8.0).prop_map(|x| -x.exp()),
            2 => Just(0.0),
            1 => Just(-0.0),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
            1 => Just(f64::MAX),
            1 => Just(f64::MIN_POSITIVE),
            1 => Just(5e-324),
            1 => any::<u64>().prop_map(f64::from_bits).prop_filter("a number", |value| !value.is_nan()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_split_and_order_make_the_same_bytes(
            mut values in prop::collection::vec(any_value(), 0..900),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let bytes = of(&values).to_bytes();
            prop_assert_eq!(&split(&values, &cuts).to_bytes(), &bytes);
            values.reverse();
            prop_assert_eq!(&split(&values, &cuts).to_bytes(), &bytes);
            let back = ExponentialHistogram::from_bytes(&bytes).unwrap();
            prop_assert_eq!(back.to_bytes(), bytes);
            prop_assert_eq!(back.count(), values.len() as u64);
        }

        #[test]
        fn quantiles_stay_within_the_stated_error(
            values in prop::collection::vec((-11.0f64..11.0, -1i32..=1), 257..2_000), q in 0.0f64..=1.0,
        ) {
            let values: Vec<f64> = values.into_iter().map(|(x, sign)| f64::from(sign) * x.exp()).collect();
            let sketch = split(&values, &[values.len() / 2]);
            let (exact, estimate) = (lower(&values, q), sketch.estimate(q).unwrap());
            prop_assert!(sketch.relative_error() <= 0.00542);
            prop_assert!((estimate - exact).abs() <= exact.abs() * 0.00542, "{} for {}", estimate, exact);
        }

        #[test]
        fn a_wide_spread_states_the_error_it_has(
            values in prop::collection::vec((-1000i32..1000, 1.0f64..2.0), 257..800), q in 0.0f64..=1.0,
        ) {
            let values: Vec<f64> = values.into_iter().map(|(exponent, mantissa)| mantissa * 2f64.powi(exponent)).collect();
            let sketch = of(&values);
            let (exact, estimate) = (lower(&values, q), sketch.estimate(q).unwrap());
            prop_assert!((estimate - exact).abs() <= exact * sketch.relative_error() * (1.0 + 1e-9));
        }

        #[test]
        fn few_values_are_exact(values in prop::collection::vec(any_value(), 1..=RAW_VALUES), q in 0.0f64..=1.0) {
            let sketch = of(&values);
            prop_assert_eq!(sketch.relative_error(), 0.0);
            prop_assert_eq!(sketch.estimate(q).unwrap(), lower(&values, q));
        }

        #[test]
        fn damaged_bytes_are_refused_or_sound(
            values in prop::collection::vec(any_value(), 0..400), at: prop::sample::Index, to: u8, cut: prop::sample::Index,
        ) {
            let mut bytes = of(&values).to_bytes();
            let place = at.index(bytes.len());
            bytes[place] = to;
            if let Ok(mut sketch) = ExponentialHistogram::from_bytes(&bytes) {
                let _ = sketch.estimate(0.5);
                sketch.merge(&of(&values));
                let _ = sketch.estimate(0.9);
            }
            prop_assert!(ExponentialHistogram::from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }

    #[test]
    fn buckets_with_values_are_told_by_their_edges() {
        let few = of(&[0.0, -4.0, 1.0, 1.0, f64::INFINITY, 3.0]);
        let mut many = few.clone();
        (0..50).for_each(|_| many.merge(&few));
        for (sketch, times) in [(few, 1), (many, 51)] {
            let edges = sketch.edges();
            assert_eq!(
                edges.iter().map(|(_, count)| count / times).collect::<Vec<_>>(),
                [1, 1, 2, 1, 1]
            );
            assert_eq!(edges[0].0.0, -4.0);
            assert_eq!(edges[1].0, (0.0, 0.0));
            assert_eq!(edges[2].0.1, 1.0);
            assert!(edges[3].0.0 < 3.0 && 3.0 <= edges[3].0.1);
            assert_eq!(edges[4].0, (f64::INFINITY, f64::INFINITY));
            let points = sketch.points();
            assert_eq!(points.iter().map(|(_, count)| count).sum::<u64>(), 6 * times);
            for (point, value) in [(points[0].0, -4.0f64), (points[points.len() - 2].0, 3.0)] {
                assert!((point - value).abs() <= value.abs() * sketch.relative_error() * (1.0 + 1e-12));
            }
        }
    }

    #[test]
    fn empty_constant_and_nan() {
        assert_eq!(of(&[]).estimate(0.5), None);
        assert_eq!(of(&[f64::NAN]).count(), 0);
        let same = of(&[7.0; 1_000]);
        assert_eq!(same.estimate(0.3), Some(7.0));
        let zeros = of(&[-0.0; 300]);
        assert_eq!(zeros.estimate(0.5).unwrap().to_bits(), 0);
    }

    #[test]
    fn infinities_are_the_outermost_values() {
        let mut values = vec![1.0; 300];
        values.extend([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY]);
        let sketch = of(&values);
        assert_eq!(sketch.estimate(0.0), Some(f64::NEG_INFINITY));
        assert!((sketch.estimate(0.5).unwrap() - 1.0).abs() < 0.00542);
        assert_eq!(sketch.estimate(0.999), Some(f64::INFINITY));
    }

    #[test]
    fn values_are_exact_up_to_256_and_in_buckets_from_there() {
        let values: Vec<f64> = (1..=257).map(f64::from).collect();
        assert_eq!(of(&values[..256]).estimate(0.5), Some(128.0));
        assert_eq!(of(&values[..256]).relative_error(), 0.0);
        assert!(of(&values).relative_error() > 0.0);
    }
}
