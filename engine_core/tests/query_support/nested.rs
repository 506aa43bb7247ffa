//! Measures whose answers are lists or structs, as an interpreter of queries makes them of a few values.

use std::cmp::Ordering;

use marigram_core::wire::v1;

use super::Cell;

/// What a measure comes to over values that are neither null nor NaN; none: it is none of these.
pub(crate) fn compute(
    measure: &v1::Measure,
    mut cells: Vec<Cell>,
    total: impl Fn(&Cell, &Cell) -> Ordering,
) -> Option<Cell> {
    use v1::MeasureKind as Kind;
    cells.sort_by(&total);
    match measure.kind() {
        Kind::TopK => {
            let mut runs: Vec<&[Cell]> = cells.chunk_by(|a, b| total(a, b).is_eq()).collect();
            runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
            runs.truncate(measure.count as usize);
            let row = |run: &&[Cell]| Cell::Struct(vec![run[0].clone(), Cell::I64(run.len() as i64), Cell::I64(0)]);
            Some(Cell::List(runs.iter().map(row).collect()))
        }
        Kind::Histogram | Kind::CumulativeDistribution | Kind::Box => Some(of_numbers(measure, &numbers(&cells))),
        _ => None,
    }
}

fn numbers(cells: &[Cell]) -> Vec<f64> {
    let number = |cell: &Cell| match cell {
        Cell::F64(value) => *value,
        Cell::I64(value) => *value as f64,
        other => panic!("{other:?} is no number"),
    };
    cells.iter().map(number).collect()
}

fn of_numbers(measure: &v1::Measure, values: &[f64]) -> Cell {
    use v1::MeasureKind as Kind;
    let bounds = &measure.bounds;
    match measure.kind() {
        Kind::Histogram if bounds.is_empty() => exponential(values),
        Kind::Histogram => {
            let lower = [&[f64::NEG_INFINITY], &bounds[..]].concat();
            let upper = [&bounds[..], &[f64::INFINITY]].concat();
            let bucket = |(lower, upper): (f64, f64)| {
                let is_in = |value: &&f64| **value <= upper && (**value > lower || lower == f64::NEG_INFINITY);
                bucket(lower, upper, values.iter().filter(is_in).count())
            };
            Cell::List(lower.into_iter().zip(upper).map(bucket).collect())
        }
        _ if values.is_empty() => Cell::Null,
        Kind::CumulativeDistribution => {
            let share = |&bound: &f64| {
                let count = values.iter().filter(|value| **value <= bound).count();
                let share = count as f64 / values.len() as f64;
                Cell::Struct(vec![Cell::F64(bound), Cell::F64(share)])
            };
            Cell::List(bounds.iter().map(share).collect())
        }
        _ => box_of(values),
    }
}

fn bucket(lower: f64, upper: f64, count: usize) -> Cell {
    Cell::Struct(vec![Cell::F64(lower), Cell::F64(upper), Cell::I64(count as i64)])
}

fn exponential(values: &[f64]) -> Cell {
    let edges = |value: f64| {
        if value == 0.0 {
            return (0.0, 0.0);
        }
        let number = (value.abs().log2() * 64.0).ceil();
        let (low, high) = (((number - 1.0) / 64.0).exp2(), (number / 64.0).exp2());
        if value < 0.0 { (-high, -low) } else { (low, high) }
    };
    let edges: Vec<(f64, f64)> = values.iter().map(|&value| edges(value)).collect();
    let runs = edges.chunk_by(|a, b| a == b);
    Cell::List(runs.map(|run| bucket(run[0].0, run[0].1, run.len())).collect())
}

fn box_of(values: &[f64]) -> Cell {
    let at = |q: f64| values[(q * (values.len() - 1) as f64) as usize];
    let (q1, q3) = (at(0.25), at(0.75));
    let (low, high) = (q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1));
    let inside: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| (low..=high).contains(value))
        .collect();
    let numbers = [
        at(0.0),
        q1,
        at(0.5),
        q3,
        at(1.0),
        low,
        high,
        inside[0],
        inside[inside.len() - 1],
    ];
    let outliers = Cell::I64((values.len() - inside.len()) as i64);
    Cell::Struct(numbers.into_iter().map(Cell::F64).chain([outliers]).collect())
}
