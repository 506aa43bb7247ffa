//! Box of a box plot: quartiles, fences 1.5 interquartile ranges outside of them, the outermost values within the fences, and how many
//! lie outside (Tukey 1977, Exploratory Data Analysis, 2C and 2D).

use std::sync::Arc;

use super::shared::{HISTOGRAM, count};
use super::{Found, Kind, Measure, Of, Want};
use crate::error::Result;
use crate::query::nested;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::query::state::own::states_of;
use crate::sketch::Sketch;
use crate::sketch::exponential::ExponentialHistogram;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Box,
    name: "box",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(BoxPlot)),
};

#[derive(Debug)]
struct BoxPlot;

/// Names of the numbers of a box, in order.
const NUMBERS: [&str; 9] = [
    "min",
    "q1",
    "median",
    "q3",
    "max",
    "lower_fence",
    "upper_fence",
    "lower_whisker",
    "upper_whisker",
];

/// The numbers of a box, and how many values lie outside of the fences.
fn of(state: &ExponentialHistogram) -> Option<([f64; 9], u64)> {
    let [min, q1, median, q3, max] = [0.0, 0.25, 0.5, 0.75, 1.0].map(|q| state.estimate(q));
    let (min, q1, median, q3, max) = (min?, q1?, median?, q3?, max?);
    // Equal infinities have no difference.
    let reach = if q1 == q3 { 0.0 } else { 1.5 * (q3 - q1) };
    let (low, high) = (q1 - reach, q3 + reach);
    let points = state.points();
    let is_outside = |value: f64| value < low || value > high;
    let outside = points.iter().filter(|(value, _)| is_outside(*value));
    let outliers = outside.map(|(_, count)| count).sum();
    // The quartiles are within, so that there are whiskers.
    let mut inside = points
        .iter()
        .map(|(value, _)| *value)
        .filter(|value| !is_outside(*value));
    let (least, greatest) = (inside.next().unwrap_or(q1), inside.next_back());
    let lower = if min >= low { min } else { least };
    let upper = if max <= high { max } else { greatest.unwrap_or(least) };
    Some(([min, q1, median, q3, max, low, high, lower, upper], outliers))
}

impl Measure for BoxPlot {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Own(HISTOGRAM))]
    }

    fn is_nested(&self) -> bool {
        true
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let states: &[ExponentialHistogram] = states_of(found.states[0].states)?;
        let boxes: Vec<_> = states.iter().map(of).collect();
        let number = |(at, name): (usize, &&str)| {
            Output::f64s(name, boxes.iter().map(|made| made.map(|(numbers, _)| numbers[at])))
        };
        let mut fields: Vec<Output> = NUMBERS.iter().enumerate().map(number).collect();
        let outliers = boxes.iter().map(|made| made.and_then(|(_, outliers)| count(outliers)));
        fields.push(Output::i64s("outliers", outliers));
        let valid: Vec<bool> = boxes.iter().map(Option::is_some).collect();
        nested::structs(found.name, &fields, &valid)
    }

    fn relative_error(&self, found: &Found<'_>) -> Result<f64> {
        let states: &[ExponentialHistogram] = states_of(found.states[0].states)?;
        let errors = states.iter().map(ExponentialHistogram::relative_error);
        Ok(errors.fold(0.0, f64::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(values: &[f64]) -> ExponentialHistogram {
        let mut sketch = ExponentialHistogram::default();
        sketch.insert_all(values);
        sketch
    }

    #[test]
    fn whiskers_end_at_values_within_the_fences() {
        let values = [-40.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 90.0];
        let (numbers, outliers) = of(&sketch(&values)).unwrap();
        assert_eq!(numbers, [-40.0, 2.0, 4.0, 6.0, 90.0, -4.0, 12.0, 1.0, 7.0]);
        assert_eq!(outliers, 2);
    }

    #[test]
    fn few_equal_and_infinite_values_have_a_box() {
        assert_eq!(of(&sketch(&[])), None);
        assert_eq!(of(&sketch(&[3.0])).unwrap(), ([3.0; 9], 0));
        let (numbers, outliers) = of(&sketch(&[5.0, 5.0, 5.0, 5.0, 9.0])).unwrap();
        assert_eq!((numbers[5..].to_vec(), outliers), (vec![5.0; 4], 1));
        let infinite = [f64::NEG_INFINITY, 1.0, 2.0, 3.0, f64::INFINITY];
        let (numbers, outliers) = of(&sketch(&infinite)).unwrap();
        assert_eq!((&numbers[5..], outliers), (&[-2.0, 6.0, 1.0, 3.0][..], 2));
        assert!(
            of(&sketch(&[f64::INFINITY; 3]))
                .unwrap()
                .0
                .iter()
                .all(|number| *number == f64::INFINITY)
        );
    }

    #[test]
    fn many_values_stay_within_the_bound() {
        let mut values: Vec<f64> = (1..=1_000).map(f64::from).collect();
        values.extend([5_000.0, 6_000.0]);
        let (numbers, outliers) = of(&sketch(&values)).unwrap();
        let wanted = [1.0, 251.0, 501.0, 751.0, 6_000.0, -499.0, 1_501.0, 1.0, 1_000.0];
        for (at, (number, wanted)) in numbers.into_iter().zip(wanted).enumerate() {
            // A fence has the errors of both quartiles.
            let magnitude = if (5..7).contains(&at) {
                2.5 * 751.0 + 1.5 * 251.0
            } else {
                wanted
            };
            assert!(
                (number - wanted).abs() <= 0.00542 * magnitude,
                "{at}: {number} for {wanted}"
            );
        }
        assert_eq!((numbers[0], numbers[4], outliers), (1.0, 6_000.0, 2));
    }
}
