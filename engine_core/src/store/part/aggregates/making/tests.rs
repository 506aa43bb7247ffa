use proptest::prelude::*;

use super::super::Level;
use super::*;
use crate::column::BLOCK_ROWS;

/// Rows of a part: entities ascending, times ascending within each, doubles by row; none is null.
#[derive(Clone, Debug)]
struct Rows {
    entities: Vec<u32>,
    times: Vec<i64>,
    values: Vec<Option<f64>>,
}

fn rows() -> impl Strategy<Value = Rows> {
    let value = prop_oneof![
        8 => (-10_000i32..10_000).prop_map(|n| Some(f64::from(n) / 100.0)),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
    ];
    let steps = prop_oneof![Just(1i64), Just(7_000_000), Just(1_000_000_000), Just(60_000_000_000)];
    let entity = (400usize..1_500, steps, -5_000_000_000i64..5_000_000_000);
    (prop::collection::vec(entity, 1..5), prop::collection::vec(value, 997)).prop_map(|(entities, values)| {
        let mut rows = Rows {
            entities: Vec::new(),
            times: Vec::new(),
            values: Vec::new(),
        };
        for (code, (n, step, start)) in (1..).zip(entities) {
            for row in 0..n {
                rows.entities.push(code * 3);
                rows.times.push(start + row as i64 * step);
                rows.values.push(values[rows.times.len() % values.len()]);
            }
        }
        rows
    })
}

/// Aggregates of the rows, encoded and decoded.
fn aggregates(rows: &Rows) -> Option<(TimeEnds, Vec<Level>, Ends, Vec<Nodes>)> {
    let runs = Runs::of(rows.entities.iter().copied());
    let bounds = (*rows.times.iter().min()?, *rows.times.iter().max()?);
    let mut aggregator = Aggregator::new(&runs, bounds);
    rows.times.chunks(BLOCK_ROWS).for_each(|times| aggregator.times(times));
    assert!(aggregator.column(Physical::F64));
    for values in rows.values.chunks(BLOCK_ROWS) {
        let mut valid: Valid = [0; BLOCK_ROWS / 64];
        for row in (0..values.len()).filter(|&row| values[row].is_some()) {
            valid[row / 64] |= 1 << (row % 64);
        }
        let doubles: Vec<f64> = values.iter().map(|value| value.unwrap_or(-7.0)).collect();
        aggregator.block(&Values::F64(doubles), Some(&valid));
    }
    let (column, levels) = (aggregator.end_column(), aggregator.levels());
    let entities = aggregator.finish(levels);
    let (n, count) = (rows.times.len(), runs.codes.len());
    let levels: Vec<Level> = entities[1..]
        .iter()
        .map(|bytes| Level::decode(bytes, n).unwrap())
        .collect();
    let nodes = column[1..].iter().zip(&levels);
    let nodes = nodes.map(|(bytes, level)| Nodes::decode(bytes, Physical::F64, level).unwrap());
    Some((
        TimeEnds::decode(&entities[0], count).unwrap(),
        levels.clone(),
        Ends::decode(&column[0], Physical::F64, count, n).unwrap(),
        nodes.collect(),
    ))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nodes_and_ends_are_those_of_the_rows(rows in rows()) {
        let (times, levels, ends, nodes) = aggregates(&rows).unwrap();
        prop_assert_eq!(&times.widths, &levels.iter().map(|level| level.width).collect::<Vec<_>>());
        prop_assert!(times.widths.is_sorted_by(|left, right| left > right && left % right == 0));
        let runs = Runs::of(rows.entities.iter().copied());
        let there = |row: usize| rows.values[row].filter(|value| !value.is_nan());
        for at in 0..runs.codes.len() {
            let run = runs.rows_at(at);
            let (start, end) = (run.start as usize, run.end as usize);
            prop_assert_eq!((times.first[at], times.last[at]), (rows.times[start], rows.times[end - 1]));
            let first = (start..end).find(|&row| there(row).is_some());
            prop_assert_eq!(ends.before[at] as usize, first.map_or(end - start, |row| row - start));
            let last = (start..end).rfind(|&row| there(row).is_some());
            prop_assert_eq!(ends.behind[at] as usize, last.map_or(end - start, |row| end - 1 - row));
            if let (Some(first), Some(last)) = (first, last) {
                prop_assert_eq!(Some(f64::from_bits(ends.first[at])), there(first));
                prop_assert_eq!(Some(f64::from_bits(ends.last[at])), there(last));
            }
        }
        for (level, nodes) in levels.iter().zip(&nodes) {
            prop_assert!(level.windows.len() * NODE_ROWS <= rows.times.len());
            prop_assert_eq!((level.starts[0], level.starts.len()), (0, level.windows.len() + 1));
            for node in 0..level.windows.len() {
                let of_node = level.rows(node);
                let of_node = of_node.start as usize..of_node.end as usize;
                let key = |row: usize| (rows.entities[row], rows.times[row].div_euclid(level.width));
                prop_assert!(of_node.clone().all(|row| key(row) == (rows.entities[of_node.start], level.windows[node])));
                prop_assert!(of_node.end == rows.times.len() || key(of_node.end) != key(of_node.start));
                let values: Vec<f64> = of_node.clone().filter_map(there).collect();
                let nans = of_node.clone().filter(|&row| rows.values[row].is_some_and(f64::is_nan)).count();
                prop_assert_eq!((nodes.nans(node), nodes.absent(node)), (nans as u64, (of_node.len() - values.len()) as u64));
                if !values.is_empty() {
                    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    prop_assert_eq!((f64::from_bits(nodes.least[node]), f64::from_bits(nodes.greatest[node])), (least, greatest));
                    let sum = f64::from_bits(nodes.sums.as_ref().unwrap()[node]);
                    let (plain, magnitude) = values.iter().fold((0.0, 0.0), |(sum, all), value| (sum + value, all + value.abs()));
                    prop_assert!((sum - plain).abs() <= magnitude * 1e-12);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_in_fuzz(bytes in prop::collection::vec(any::<u8>(), 0..300), n in 1usize..3_000) {
        let _ = TimeEnds::decode(&bytes, n);
        let _ = Ends::decode(&bytes, Physical::F64, n, n);
        let _ = Ends::decode(&bytes, Physical::I64, n, n);
        if let Some(level) = Level::decode(&bytes, n) {
            let _ = Nodes::decode(&bytes, Physical::F64, &level);
        }
    }
}

#[test]
fn sums_that_do_not_fit_are_not_kept_and_few_rows_have_no_aggregates() {
    let runs = Runs::of((0..1_000).map(|_| 1));
    let mut aggregator = Aggregator::new(&runs, (0, 999));
    aggregator.times(&(0..1_000).collect::<Vec<i64>>());
    aggregator.column(Physical::I64);
    aggregator.block(&Values::I64(vec![i64::MAX / 2; 1_000]), None);
    let encoded = aggregator.end_column();
    let level = Level::decode(&aggregator.level_bytes(0), 1_000).unwrap();
    assert_eq!((level.windows.len(), level.width), (1, 1_000_000));
    let nodes = Nodes::decode(&encoded[1], Physical::I64, &level).unwrap();
    assert_eq!((nodes.sums, &nodes.least[..]), (None, &[i64::MAX as u64 / 2][..]));
    let mut none = Aggregator::new(&Runs::of(0..1_000), (0, 999));
    none.times(&(0..1_000).collect::<Vec<i64>>());
    assert!(!none.column(Physical::I64));
    assert!(none.end_column().is_empty() && none.finish(0).is_empty());
}
