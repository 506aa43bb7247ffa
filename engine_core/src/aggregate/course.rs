//! The course of values over time, entity by entity: how much counters rose, and how long values stood.

use hashbrown::{HashMap, HashSet};

use super::Aggregate;
use super::sum::Sum;

/// A value of an entity at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Entity code.
    pub entity: u32,
    /// Event time, Unix nanoseconds.
    pub time: i64,
    /// The value.
    pub value: f64,
}

/// Neighbouring values of one entity, from the first to the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// The first.
    pub first: Sample,
    /// The last.
    pub last: Sample,
    /// Values after the first.
    steps: u64,
    /// How much a counter rose from the first to the last.
    increase: Sum,
    /// Value times nanoseconds that it stood, from the first to the last.
    area: Sum,
}

/// What a counter rose by from one value to the next: one that fell had been reset, to zero.
fn step(from: f64, to: f64) -> f64 {
    if to >= from { to - from } else { to }
}

fn nanoseconds(from: i64, to: i64) -> f64 {
    (i128::from(to) - i128::from(from)) as f64
}

impl Stretch {
    fn new(sample: Sample) -> Self {
        Self {
            first: sample,
            last: sample,
            steps: 0,
            increase: Sum::default(),
            area: Sum::default(),
        }
    }

    fn push(&mut self, sample: Sample) {
        self.increase.insert(step(self.last.value, sample.value));
        self.area
            .insert(self.last.value * nanoseconds(self.last.time, sample.time));
        self.last = sample;
        self.steps += 1;
    }

    /// Takes the stretch of the same entity that follows.
    fn append(&mut self, later: &Self) {
        self.push(later.first);
        self.increase.merge(&later.increase);
        self.area.merge(&later.area);
        self.last = later.last;
        self.steps += later.steps;
    }
}

/// Sum of values; none of none.
fn all(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sum = None;
    values.for_each(|value| sum.get_or_insert_with(Sum::default).insert(value));
    sum.map(|sum| sum.finish())
}

/// Values of a group in any order. Law: whatever the split and the tree of merges, the same stretches, if rows that are said to be
/// ordered come in order of entity and time, and none of the others lies between them in time.
#[derive(Clone, Debug, Default)]
pub struct Course {
    stretches: Vec<Stretch>,
    /// Values whose neighbours may come later, in order of arrival.
    loose: Vec<Sample>,
    /// Of entities that have values, the last one before them.
    before: Vec<Sample>,
}

impl Course {
    /// Takes a value whose neighbours, if they come at all, come next to it.
    pub fn insert_ordered(&mut self, sample: Sample) {
        match self.stretches.last_mut() {
            Some(last) if last.last.entity == sample.entity && last.last.time <= sample.time => last.push(sample),
            _ => self.stretches.push(Stretch::new(sample)),
        }
    }

    /// Takes a value out of order.
    pub fn insert_loose(&mut self, sample: Sample) {
        self.loose.push(sample);
    }

    /// Takes the values of another that arrived later, or of the window after this one.
    pub fn merge(&mut self, mut later: Self) {
        if !later.before.is_empty() {
            let known = self.before.iter().map(|known| known.entity);
            let known: HashSet<u32> = known
                .chain(self.stretches.iter().map(|stretch| stretch.first.entity))
                .collect();
            later.before.retain(|sample| !known.contains(&sample.entity));
        }
        self.before.append(&mut later.before);
        self.stretches.append(&mut later.stretches);
        self.loose.append(&mut later.loose);
    }

    /// One stretch an entity, in order of entity.
    pub fn stretches(&self) -> Vec<Stretch> {
        let loose = self.loose.iter().map(|&sample| Stretch::new(sample));
        let mut pieces: Vec<Stretch> = self.stretches.iter().cloned().chain(loose).collect();
        // Stable: equal times stay in order of arrival.
        pieces.sort_by_key(|piece| (piece.first.entity, piece.first.time));
        let mut whole: Vec<Stretch> = Vec::new();
        for piece in pieces {
            match whole.last_mut().filter(|last| last.first.entity == piece.first.entity) {
                Some(last) => last.append(&piece),
                None => whole.push(piece),
            }
        }
        whole
    }

    /// Tells the courses of windows in a row, ascending, of the values before them.
    pub fn link(courses: &mut [Self], chain: &[u32]) {
        let mut newest: HashMap<u32, Sample> = HashMap::new();
        for &at in chain {
            let course = &mut courses[at as usize];
            let stretches = course.stretches();
            let before = stretches
                .iter()
                .filter_map(|stretch| newest.insert(stretch.last.entity, stretch.last));
            *course = Self {
                before: before.collect(),
                stretches,
                loose: Vec::new(),
            };
        }
    }

    /// Of each entity with two values how much a counter rose, from the value before to the last, and in how many nanoseconds.
    fn rises(&self) -> Vec<(f64, f64)> {
        let before: HashMap<u32, Sample> = self.before.iter().map(|sample| (sample.entity, *sample)).collect();
        let rise = |mut stretch: Stretch| {
            let mut from = stretch.first.time;
            if let Some(before) = before.get(&stretch.first.entity) {
                from = before.time;
                stretch.increase.insert(step(before.value, stretch.first.value));
                stretch.steps += 1;
            }
            (stretch.steps > 0).then(|| (stretch.increase.finish(), nanoseconds(from, stretch.last.time)))
        };
        self.stretches().into_iter().filter_map(rise).collect()
    }

    /// How much counters rose, all entities together. None where no entity has two values.
    pub fn increase(&self) -> Option<f64> {
        all(self.rises().into_iter().map(|(increase, _)| increase))
    }

    /// How much counters rose a second, the rates of all entities together. None where no entity has two times.
    pub fn rate(&self) -> Option<f64> {
        let rises = self.rises().into_iter();
        all(rises
            .filter(|(_, elapsed)| *elapsed > 0.0)
            .map(|(increase, elapsed)| increase / (elapsed / 1e9)))
    }

    /// Mean of values by how long each stood: until the next of its entity, the last ones not at all. None where none stood.
    pub fn time_weighted_mean(&self) -> Option<f64> {
        let (mut area, mut elapsed) = (Sum::default(), Sum::default());
        for stretch in self.stretches() {
            area.merge(&stretch.area);
            elapsed.insert(nanoseconds(stretch.first.time, stretch.last.time));
        }
        let elapsed = elapsed.finish();
        (elapsed > 0.0).then(|| area.finish() / elapsed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn sample(entity: u32, second: i64, value: f64) -> Sample {
        Sample {
            entity,
            time: second * SECOND,
            value,
        }
    }

    fn ordered(samples: &[Sample]) -> Course {
        let mut course = Course::default();
        samples.iter().for_each(|&sample| course.insert_ordered(sample));
        course
    }

    #[test]
    fn a_counter_that_fell_was_reset_to_zero() {
        let course = ordered(&[
            sample(1, 0, 10.0),
            sample(1, 1, 15.0),
            sample(1, 2, 3.0),
            sample(1, 4, 5.0),
        ]);
        assert_eq!(course.increase(), Some(10.0));
        assert_eq!(course.rate(), Some(2.5));
    }

    #[test]
    fn entities_are_counters_of_their_own() {
        let course = ordered(&[
            sample(1, 0, 10.0),
            sample(1, 2, 14.0),
            sample(2, 0, 1.0),
            sample(2, 4, 3.0),
        ]);
        assert_eq!(course.increase(), Some(6.0));
        assert_eq!(course.rate(), Some(2.5));
    }

    #[test]
    fn a_window_goes_on_from_the_value_before() {
        let mut windows = [
            ordered(&[sample(1, 0, 1.0), sample(1, 5, 4.0)]),
            ordered(&[sample(1, 12, 6.0)]),
            ordered(&[sample(1, 25, 2.0), sample(2, 26, 9.0)]),
        ];
        Course::link(&mut windows, &[0, 1, 2]);
        assert_eq!(
            windows.each_ref().map(Course::increase),
            [Some(3.0), Some(2.0), Some(2.0)]
        );
        assert_eq!(windows[1].rate(), Some(2.0 / 7.0));
        // Windows that overlap are made of these.
        let mut both = windows[1].clone();
        both.merge(windows[2].clone());
        assert_eq!(both.increase(), Some(4.0));
        assert_eq!(both.rate(), Some(4.0 / 20.0));
    }

    #[test]
    fn windows_of_many_counters_are_merged_in_one_pass() {
        // Each compared with each they would be 4·10¹¹.
        let entities = 0..400_000;
        let window = |second: i64| {
            let of = |entity| sample(entity, second, f64::from(entity) + second as f64);
            ordered(&entities.clone().map(of).collect::<Vec<_>>())
        };
        let mut windows = [window(0), window(1), window(3)];
        Course::link(&mut windows, &[0, 1, 2]);
        let [_, mut both, last] = windows;
        both.merge(last);
        assert_eq!(both.increase(), Some(3.0 * 400_000.0));
    }

    #[test]
    fn values_count_by_how_long_they_stood() {
        let course = ordered(&[sample(1, 0, 1.0), sample(1, 9, 5.0), sample(1, 10, 100.0)]);
        assert_eq!(course.time_weighted_mean(), Some(1.4));
        assert_eq!(ordered(&[sample(1, 0, 1.0)]).time_weighted_mean(), None);
        assert_eq!(Course::default().increase(), None);
    }

    proptest! {
        #[test]
        fn loose_and_ordered_values_come_to_the_same(
            rows in prop::collection::vec((1u32..4, 0i64..60, 0i32..100), 0..80),
            cut in 0i64..60,
            splits in prop::collection::vec(any::<bool>(), 80),
        ) {
            let mut samples: Vec<Sample> =
                rows.iter().map(|&(entity, second, value)| sample(entity, second, f64::from(value))).collect();
            // One value an instant, so that order of arrival does not matter.
            samples.sort_by_key(|sample| (sample.entity, sample.time));
            samples.dedup_by_key(|sample| (sample.entity, sample.time));
            let whole = ordered(&samples);
            // Before the cut they come in order, cut into lanes; from there on in any.
            let (early, mut late): (Vec<Sample>, Vec<Sample>) = samples.iter().partition(|sample| sample.time < cut * SECOND);
            late.sort_by_key(|sample| sample.value as i64);
            let mut lanes = vec![Course::default()];
            for (sample, &split) in early.iter().zip(&splits) {
                if split {
                    lanes.push(Course::default());
                }
                lanes.last_mut().unwrap().insert_ordered(*sample);
            }
            let mut merged = Course::default();
            lanes.into_iter().for_each(|lane| merged.merge(lane));
            late.iter().for_each(|&sample| merged.insert_loose(sample));
            prop_assert_eq!(merged.increase(), whole.increase());
            prop_assert_eq!(merged.rate(), whole.rate());
            prop_assert_eq!(merged.time_weighted_mean(), whole.time_weighted_mean());
            prop_assert_eq!(merged.stretches().len(), whole.stretches().len());
        }
    }
}
