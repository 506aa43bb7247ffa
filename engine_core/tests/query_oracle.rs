//! Random queries over random rows, against an interpreter that knows nothing of blocks, codes or lanes.

mod query_support;

use std::cmp::Ordering;
use std::sync::Arc;

use marigram_core::column::ColumnType;
use marigram_core::query::{Context, Spec, run};
use marigram_core::scan::pool::Pool;
use marigram_core::time::ManualClock;
use marigram_core::wire::v1;
use proptest::prelude::*;
use query_support::cuts::Cut;
use query_support::filter_text::printed;
use query_support::{Cell, Row, by, filter, is_null, keys, like, measure, nested, push, spec, stream, table, value};
use v1::ComparisonOperator as Operator;
use v1::TextMatchKind as Kind;
use v1::filter::Condition;

const COLUMNS: [(&str, ColumnType); 6] = [
    ("f", ColumnType::F64),
    ("i", ColumnType::I64),
    ("b", ColumnType::Bool),
    ("t", ColumnType::Timestamp),
    ("s", ColumnType::Symbol),
    ("x", ColumnType::Text),
];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let null = || Just(Cell::Null);
    let texts = || prop::sample::select(vec!["", "a", "b", "ab", "é", "z"]);
    let row = (
        prop_oneof![20 => -40i64..60, 1 => Just(i64::MIN), 1 => Just(i64::MAX), 1 => Just(i64::MAX - 1)],
        prop::sample::select(vec!["", "ann", "bob", "cid"]),
        prop_oneof![
            2 => null(), 1 => Just(Cell::F64(f64::NAN)), 1 => Just(Cell::F64(-0.0)),
            8 => (-20i32..20).prop_map(|v| Cell::F64(f64::from(v) / 4.0)),
        ],
        prop_oneof![1 => null(), 5 => (-5i64..5).prop_map(Cell::I64)],
        prop_oneof![1 => null(), 3 => any::<bool>().prop_map(Cell::Bool)],
        prop_oneof![1 => null(), 3 => (-2i64..2).prop_map(Cell::Time)],
        prop_oneof![1 => null(), 4 => texts().prop_map(Cell::text)],
        prop_oneof![1 => null(), 4 => texts().prop_map(Cell::text)],
    );
    let row = row.prop_map(|(time, entity, f, i, b, t, s, x)| (time, entity.to_owned(), vec![f, i, b, t, s, x]));
    prop::collection::vec(row, 1..60)
}

fn literal(column: usize) -> BoxedStrategy<Cell> {
    let texts = prop::sample::select(vec!["", "a", "b", "aa", "é", "ann", "bob"]).prop_map(Cell::text);
    match column {
        0 => prop_oneof![
            (-20i32..20).prop_map(|v| Cell::F64(f64::from(v) / 4.0)),
            (-3i64..3).prop_map(Cell::I64),
            Just(Cell::F64(f64::INFINITY)),
        ]
        .boxed(),
        1 => prop_oneof![
            (-5i64..5).prop_map(Cell::I64),
            (-10i32..10).prop_map(|v| Cell::F64(f64::from(v) / 2.0))
        ]
        .boxed(),
        2 => any::<bool>().prop_map(Cell::Bool).boxed(),
        3 | 7 => (-30i64..30).prop_map(Cell::Time).boxed(),
        _ => texts.boxed(),
    }
}

/// A regular expression, and the texts that are it.
type Regex = (&'static str, fn(&str) -> bool);

const REGEXES: [Regex; 8] = [
    ("", str::is_empty),
    (".", |text| text.chars().count() == 1),
    ("a|ab", |text| text == "a" || text == "ab"),
    ("[a-d]+", |text| {
        !text.is_empty() && text.bytes().all(|byte| (b'a'..=b'd').contains(&byte))
    }),
    ("(?i)É", |text| text == "é"),
    (r"\w*n|\*", |text| text == "ann"),
    ("b.*", |text| text.starts_with('b')),
    ("(.)(?:.)", |text| text.chars().count() == 2),
];

const NAMES: [&str; 8] = ["f", "i", "b", "t", "s", "x", "entity", "time"];

fn condition() -> impl Strategy<Value = v1::Filter> {
    let leaf = (0usize..8).prop_flat_map(|column| {
        let compare = (1i32..=6, literal(column)).prop_map(move |(operator, with)| {
            filter(Condition::Compare(v1::Comparator {
                column: NAMES[column].to_owned(),
                operator,
                value: value(&with),
            }))
        });
        let set = prop::collection::vec(literal(column), 0..4).prop_map(move |values| {
            filter(Condition::In(v1::InSet {
                column: NAMES[column].to_owned(),
                values: values.iter().map(|cell| value(cell).unwrap()).collect(),
            }))
        });
        let null = any::<bool>().prop_map(move |null| is_null(NAMES[column], null));
        let pattern = prop_oneof![
            prop::sample::select(vec!["", "a", "b", "nn", "é", "*"]).prop_map(|text| (Kind::Prefix, text)),
            prop::sample::select(vec!["", "a", "b", "nn", "é", "*"]).prop_map(|text| (Kind::Contains, text)),
            prop::sample::select(REGEXES.to_vec()).prop_map(|(pattern, _)| (Kind::Regex, pattern)),
        ];
        // Of texts alone.
        let column = if (4..7).contains(&column) { column } else { 5 };
        let pattern = pattern.prop_map(move |(kind, pattern)| like(NAMES[column], kind, pattern));
        prop_oneof![compare, set, null, pattern]
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = |filters| v1::FilterList { filters };
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(move |filters| filter(Condition::All(list(filters)))),
            prop::collection::vec(inner.clone(), 0..3).prop_map(move |filters| filter(Condition::Any(list(filters)))),
            inner.prop_map(|inner| filter(Condition::Not(Box::new(inner)))),
        ]
    })
}

fn cell_of(row: &Row, column: &str) -> Cell {
    match column {
        "time" => Cell::Time(row.0),
        "entity" | "user" if row.1.is_empty() => Cell::Null,
        "entity" | "user" => Cell::text(&row.1),
        name => row.2[NAMES.iter().position(|known| *known == name).unwrap()].clone(),
    }
}

fn cell_from(value: &v1::Value) -> Cell {
    use v1::value::Kind;
    match value.kind.as_ref().unwrap() {
        Kind::F64(value) => Cell::F64(*value),
        Kind::I64(value) => Cell::I64(*value),
        Kind::Boolean(value) => Cell::Bool(*value),
        Kind::Text(text) => Cell::text(text),
        Kind::TimestampNs(value) => Cell::Time(*value),
    }
}

/// None where either is null or NaN.
fn ordering(a: &Cell, b: &Cell) -> Option<Ordering> {
    match (a, b) {
        (Cell::F64(a), Cell::F64(b)) => a.partial_cmp(b),
        (Cell::F64(a), Cell::I64(b)) => a.partial_cmp(&(*b as f64)),
        (Cell::I64(a), Cell::F64(b)) => (*a as f64).partial_cmp(b),
        (Cell::I64(a), Cell::I64(b)) | (Cell::Time(a), Cell::Time(b)) => Some(a.cmp(b)),
        (Cell::Bool(a), Cell::Bool(b)) => Some(a.cmp(b)),
        (Cell::Text(a), Cell::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn truth(filter: &v1::Filter, row: &Row) -> Option<bool> {
    match filter.condition.as_ref().unwrap() {
        Condition::Compare(compare) => {
            let with = cell_from(compare.value.as_ref().unwrap());
            let order = ordering(&cell_of(row, &compare.column), &with)?;
            Some(match compare.operator() {
                Operator::Equal | Operator::Unspecified => order.is_eq(),
                Operator::NotEqual => order.is_ne(),
                Operator::Less => order.is_lt(),
                Operator::LessOrEqual => order.is_le(),
                Operator::Greater => order.is_gt(),
                Operator::GreaterOrEqual => order.is_ge(),
            })
        }
        Condition::In(set) => {
            let cell = cell_of(row, &set.column);
            ordering(&cell, &cell)?;
            Some(
                set.values
                    .iter()
                    .any(|value| ordering(&cell, &cell_from(value)) == Some(Ordering::Equal)),
            )
        }
        Condition::All(list) => {
            let truths: Vec<_> = list.filters.iter().map(|filter| truth(filter, row)).collect();
            if truths.contains(&Some(false)) {
                Some(false)
            } else if truths.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Condition::Any(list) => {
            let truths: Vec<_> = list.filters.iter().map(|filter| truth(filter, row)).collect();
            if truths.contains(&Some(true)) {
                Some(true)
            } else if truths.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
        Condition::Not(inner) => truth(inner, row).map(|truth| !truth),
        Condition::Null(null) => Some((cell_of(row, &null.column) == Cell::Null) == null.is_null),
        Condition::Match(like) => {
            let Cell::Text(text) = cell_of(row, &like.column) else {
                return None;
            };
            Some(match like.kind() {
                Kind::Prefix => text.starts_with(&like.pattern),
                Kind::Contains => text.contains(&like.pattern),
                Kind::Regex | Kind::Unspecified => {
                    let (_, is) = REGEXES.iter().find(|(pattern, _)| *pattern == like.pattern).unwrap();
                    is(&text)
                }
            })
        }
    }
}

/// For sorting and grouping: nulls last, NaN after numbers, zeros alike.
fn total(a: &Cell, b: &Cell) -> Ordering {
    let class = |cell: &Cell| match cell {
        Cell::Null => 2,
        Cell::F64(value) if value.is_nan() => 1,
        _ => 0,
    };
    class(a)
        .cmp(&class(b))
        .then_with(|| ordering(a, b).unwrap_or(Ordering::Equal))
}

fn totals(a: &[Cell], b: &[Cell]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| total(a, b))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn number(cell: &Cell) -> f64 {
    match cell {
        Cell::F64(value) => *value,
        Cell::I64(value) => *value as f64,
        other => panic!("{other:?} is no number"),
    }
}

fn plain_zero(cell: Cell) -> Cell {
    match cell {
        Cell::F64(value) => Cell::F64(value + 0.0),
        other => other,
    }
}

/// Whether a measure alone takes a row.
fn takes(measure: &v1::Measure, row: &Row) -> bool {
    let filter = measure.filter.as_ref();
    filter.is_none_or(|filter| truth(filter, row) == Some(true))
}

fn compute(measure: &v1::Measure, rows: &[&Row], entities: &[String]) -> Cell {
    use v1::MeasureKind as Kind;
    let rows: Vec<&Row> = rows.iter().copied().filter(|row| takes(measure, row)).collect();
    if measure.column.is_empty() {
        return Cell::I64(rows.len() as i64);
    }
    let present: Vec<(&Row, Cell)> = rows
        .iter()
        .map(|row| (*row, cell_of(row, &measure.column)))
        .filter(|(_, cell)| ordering(cell, cell).is_some())
        .collect();
    let cells = || present.iter().map(|(_, cell)| cell.clone());
    if measure.kind() == Kind::Count {
        return Cell::I64(present.len() as i64);
    }
    if matches!(measure.kind(), Kind::Distinct | Kind::DistinctSketch) {
        let mut sorted: Vec<Cell> = cells().collect();
        sorted.sort_by(total);
        sorted.dedup_by(|a, b| total(a, b).is_eq());
        return Cell::I64(sorted.len() as i64);
    }
    if let Some(answer) = nested::compute(measure, cells().map(plain_zero).collect(), total) {
        return answer;
    }
    if present.is_empty() {
        return if measure.kind() == Kind::Rank {
            Cell::I64(0)
        } else {
            Cell::Null
        };
    }
    let code = |row: &Row| {
        entities
            .iter()
            .position(|entity| *entity == row.1)
            .map_or(0, |at| at + 1)
    };
    let mut in_time: Vec<usize> = (0..present.len()).collect();
    in_time.sort_by_key(|&at| (present[at].0.0, code(present[at].0)));
    let sum = |cells: &mut dyn Iterator<Item = Cell>| match present[0].1 {
        Cell::I64(_) => Cell::I64(
            cells
                .map(|cell| if let Cell::I64(value) = cell { value } else { 0 })
                .sum(),
        ),
        _ => Cell::F64(cells.map(|cell| number(&cell)).sum::<f64>() + 0.0),
    };
    let numbers = || cells().map(|cell| number(&cell));
    let n = present.len() as f64;
    let variance = || {
        let mean = numbers().sum::<f64>() / n;
        numbers().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)
    };
    let below = |at_most: bool| {
        let threshold = measure.threshold;
        numbers()
            .filter(|&value| value < threshold || (at_most && value == threshold))
            .count()
    };
    let less = |to: &Cell, from: &Cell| match (to, from) {
        (Cell::I64(to), Cell::I64(from)) => Cell::I64(to - from),
        _ => Cell::F64(number(to) - number(from)),
    };
    match measure.kind() {
        Kind::Sum => sum(&mut cells()),
        Kind::Mean => Cell::F64(number(&sum(&mut cells())) / present.len() as f64),
        Kind::Min => plain_zero(cells().min_by(total).unwrap()),
        Kind::Max => plain_zero(cells().max_by(total).unwrap()),
        Kind::First => present[in_time[0]].1.clone(),
        Kind::Last => present[*in_time.last().unwrap()].1.clone(),
        Kind::Quantile => {
            let mut numbers: Vec<f64> = cells().map(|cell| number(&cell) + 0.0).collect();
            numbers.sort_by(f64::total_cmp);
            Cell::F64(numbers[(measure.quantile * (numbers.len() - 1) as f64) as usize])
        }
        Kind::Range => less(&cells().max_by(total).unwrap(), &cells().min_by(total).unwrap()),
        Kind::Delta => less(&present[*in_time.last().unwrap()].1, &present[in_time[0]].1),
        Kind::Variance | Kind::StandardDeviation if present.len() < 2 => Cell::Null,
        Kind::Variance => Cell::F64(variance()),
        Kind::StandardDeviation => Cell::F64(variance().sqrt()),
        Kind::Rank => Cell::I64(below(true) as i64),
        Kind::ShareBelow => Cell::F64(below(false) as f64 / n),
        Kind::Mode => {
            let mut sorted: Vec<Cell> = cells().map(plain_zero).collect();
            sorted.sort_by(total);
            let runs = sorted.chunk_by(|a, b| total(a, b).is_eq());
            // Of the longest the first, and so the least.
            runs.rev().max_by_key(|run| run.len()).unwrap()[0].clone()
        }
        Kind::Derivative => {
            let points: Vec<(f64, f64)> = present
                .iter()
                .map(|(row, cell)| (row.0 as f64 / 1e9, number(cell)))
                .collect();
            let mean_time = points.iter().map(|point| point.0).sum::<f64>() / n;
            let mean = points.iter().map(|point| point.1).sum::<f64>() / n;
            let products: f64 = points
                .iter()
                .map(|point| (point.0 - mean_time) * (point.1 - mean))
                .sum();
            let squares: f64 = points.iter().map(|point| (point.0 - mean_time).powi(2)).sum();
            if present.iter().all(|(row, _)| row.0 == present[0].0.0) {
                Cell::Null
            } else {
                Cell::F64(products / squares)
            }
        }
        Kind::WeightedMean | Kind::Ratio => {
            let second =
                |row: &Row| Some(cell_of(row, &measure.second_column)).filter(|cell| ordering(cell, cell).is_some());
            let (above, below): (f64, f64) = if measure.kind() == Kind::Ratio {
                (
                    numbers().sum(),
                    rows.iter()
                        .filter_map(|row| second(row))
                        .map(|cell| number(&cell))
                        .sum(),
                )
            } else {
                let both = present
                    .iter()
                    .filter_map(|(row, cell)| Some((number(cell), number(&second(row)?))));
                both.fold((0.0, 0.0), |(above, below), (value, weight)| {
                    (above + value * weight, below + weight)
                })
            };
            if below == 0.0 {
                Cell::Null
            } else {
                Cell::F64(above / below)
            }
        }
        other => panic!("{other:?}"),
    }
}

/// Rows of one window and group.
struct Group<'a> {
    key: Vec<Cell>,
    rows: Vec<&'a Row>,
}

/// Measures that look at other windows and groups as well.
fn compute_among(measure: &v1::Measure, at: usize, groups: &[Group<'_>], cut: Cut, entities: &[String]) -> Cell {
    use v1::MeasureKind as Kind;
    let windows = cut.columns();
    let same = |other: &Group<'_>, keys: std::ops::Range<usize>| {
        totals(&other.key[keys.clone()], &groups[at].key[keys]).is_eq()
    };
    let keys = groups[at].key.len();
    let start = |group: &Group<'_>| match (cut, group.key.first()) {
        (Cut::Equal(_, step), Some(Cell::Time(start))) => start.div_euclid(step),
        _ => 0,
    };
    let pooled = |which: &dyn Fn(&Group<'_>) -> bool| -> Vec<&Row> {
        groups
            .iter()
            .filter(|group| which(group))
            .flat_map(|group| group.rows.iter().copied())
            .collect()
    };
    let of = |kind: Kind, rows: &[&Row]| {
        let measure = v1::Measure {
            kind: kind as i32,
            ..measure.clone()
        };
        compute(&measure, rows, entities)
    };
    let chain = |other: &Group<'_>| same(other, windows..keys);
    let value = |row: &Row| {
        Some(cell_of(row, &measure.column))
            .filter(|cell| takes(measure, row) && ordering(cell, cell).is_some())
            .map(|cell| number(&cell))
    };
    match measure.kind() {
        Kind::ShareOfTotal => {
            let entity = |group: &Group<'_>| matches!(cut, Cut::Session(..)).then(|| group.rows[0].1.clone());
            let is_in_window =
                |other: &Group<'_>| same(other, 0..windows.min(1)) && entity(other) == entity(&groups[at]);
            let all = of(Kind::Sum, &pooled(&is_in_window));
            match (of(Kind::Sum, &groups[at].rows), all) {
                (Cell::Null, _) | (_, Cell::Null) => Cell::Null,
                (_, all) if number(&all) == 0.0 => Cell::Null,
                (mine, all) => Cell::F64(number(&mine) / number(&all)),
            }
        }
        Kind::Cumulative => of(
            Kind::Sum,
            &pooled(&|other| chain(other) && start(other) <= start(&groups[at])),
        ),
        Kind::Moving => {
            let first = start(&groups[at]).saturating_sub(i64::from(measure.count) - 1);
            of(
                Kind::Mean,
                &pooled(&|other| chain(other) && (first..=start(&groups[at])).contains(&start(other))),
            )
        }
        Kind::Rate | Kind::Increase | Kind::TimeWeightedMean => {
            let mine = &groups[at].rows;
            let begin = match (cut, groups[at].key.first()) {
                (Cut::Sliding(_), Some(Cell::Time(start))) => start.saturating_add(1),
                (Cut::Equal(..) | Cut::Session(..), Some(Cell::Time(start))) => *start,
                _ => i64::MIN,
            };
            let mut earlier = pooled(&chain);
            earlier.retain(|row| row.0 < begin && measure.kind() != Kind::TimeWeightedMean);
            let (mut rises, mut area, mut stood) = (Vec::new(), 0.0, 0.0);
            for entity in std::iter::once(&String::new()).chain(entities) {
                let of_entity = |rows: &[&Row]| -> Vec<(i64, f64)> {
                    let rows = rows.iter().filter(|row| row.1 == *entity);
                    let mut points: Vec<(i64, f64)> = rows.filter_map(|row| Some((row.0, value(row)?))).collect();
                    points.sort_by_key(|point| point.0);
                    points
                };
                let mut points = of_entity(mine);
                if points.is_empty() {
                    continue;
                }
                if let Some(&before) = of_entity(&earlier).last() {
                    points.insert(0, before);
                }
                let pairs = || points.windows(2).map(|pair| (pair[0], pair[1]));
                let elapsed = |from: i64, to: i64| (i128::from(to) - i128::from(from)) as f64;
                let rise: f64 = pairs()
                    .map(|(from, to)| if to.1 >= from.1 { to.1 - from.1 } else { to.1 })
                    .sum();
                if points.len() > 1 {
                    rises.push((rise, elapsed(points[0].0, points[points.len() - 1].0)));
                }
                area += pairs().map(|(from, to)| from.1 * elapsed(from.0, to.0)).sum::<f64>();
                stood += elapsed(points[0].0, points[points.len() - 1].0);
            }
            let sum = |values: Vec<f64>| {
                if values.is_empty() {
                    Cell::Null
                } else {
                    Cell::F64(values.iter().sum())
                }
            };
            match measure.kind() {
                Kind::Increase => sum(rises.iter().map(|rise| rise.0).collect()),
                Kind::Rate => sum(rises
                    .iter()
                    .filter(|rise| rise.1 > 0.0)
                    .map(|rise| rise.0 / (rise.1 / 1e9))
                    .collect()),
                _ if stood > 0.0 => Cell::F64(area / stood),
                _ => Cell::Null,
            }
        }
        _ => compute(measure, &groups[at].rows, entities),
    }
}

fn interpret(query: &v1::QuerySpec, rows: &[Row], entities: &[String], cut: Cut) -> Vec<Vec<Cell>> {
    let range = query.range.unwrap_or_default();
    let taken: Vec<&Row> = rows
        .iter()
        .filter(|row| range.start_ns.is_none_or(|start| row.0 >= start) && range.end_ns.is_none_or(|end| row.0 < end))
        .filter(|row| {
            query
                .filter
                .as_ref()
                .is_none_or(|filter| truth(filter, row) == Some(true))
        })
        .collect();
    let plain_keys = |row: &Row| -> Vec<Cell> {
        let keys = query.group_by.iter();
        keys.map(|key| plain_zero(keys::made(key, cell_of(row, &key.column))))
            .collect()
    };
    // Sessions are of one entity each, which is a key that is not shown.
    let hidden = usize::from(matches!(cut, Cut::Session(..)));
    let keys_of = |row: &Row| -> Vec<Vec<Cell>> {
        let mut keys = plain_keys(row);
        keys.extend(std::iter::repeat_n(cell_of(row, "entity"), hidden));
        let beside: Vec<i64> = match cut {
            Cut::Session(..) => taken
                .iter()
                .filter(|other| other.1 == row.1)
                .map(|other| other.0)
                .collect(),
            Cut::Sliding(_) => {
                let same = |other: &&&Row| totals(&plain_keys(other), &plain_keys(row)).is_eq();
                taken.iter().filter(same).map(|other| other.0).collect()
            }
            Cut::Whole | Cut::Equal(..) => Vec::new(),
        };
        let windows = cut.windows(row.0, beside).into_iter();
        windows.map(|window| [window, keys.clone()].concat()).collect()
    };
    let mut keys: Vec<Vec<Cell>> = taken.iter().flat_map(|row| keys_of(row)).collect();
    if cut == Cut::Whole && query.group_by.is_empty() {
        keys = vec![vec![]];
    }
    // The end of a window decides after what is grouped by.
    let arranged = |key: &[Cell]| {
        let mut key = key.to_vec();
        if cut.columns() == 2 {
            let end = key.remove(1);
            key.insert(key.len() - hidden, end);
        }
        key
    };
    keys.sort_by(|a, b| totals(&arranged(a), &arranged(b)));
    keys.dedup_by(|a, b| totals(a, b).is_eq());
    let group = |group: Vec<Cell>| Group {
        rows: taken
            .iter()
            .copied()
            .filter(|row| keys_of(row).iter().any(|key| totals(key, &group).is_eq()))
            .collect(),
        key: group,
    };
    let groups: Vec<Group<'_>> = keys.into_iter().map(group).collect();
    let row = |at: usize| -> Vec<Cell> {
        let (key, measures) = (&groups[at].key, query.measures.iter());
        let cells = measures.map(|measure| compute_among(measure, at, &groups, cut, entities));
        key[..key.len() - hidden].iter().cloned().chain(cells).collect()
    };
    let mut table: Vec<Vec<Cell>> = (0..groups.len()).map(row).collect();
    if query.limit > 0 {
        table.truncate(query.limit as usize);
    }
    table
}

/// Keys that are made of columns; names tell them apart.
fn derived() -> impl Strategy<Value = Vec<v1::GroupKey>> {
    use v1::TimePart as Part;
    let all = vec![
        keys::part("time", Part::HourOfDay, "America/New_York"),
        keys::part("time", Part::Year, ""),
        keys::part("time", Part::IsoWeek, "Asia/Kathmandu"),
        keys::part("t", Part::DayOfWeek, "Europe/Berlin"),
        keys::bins("f", 0.75),
        keys::bins("i", 3.0),
        keys::capture("s", 0),
        keys::capture("x", 1),
        keys::capture("entity", 2),
    ];
    prop::sample::subsequence(all, 0..3)
}

fn measures() -> impl Strategy<Value = Vec<v1::Measure>> {
    use v1::MeasureKind as Kind;
    let any = (0usize..8).prop_flat_map(|column| {
        let mut kinds = vec![
            Kind::Count,
            Kind::Min,
            Kind::Max,
            Kind::First,
            Kind::Last,
            Kind::Distinct,
            Kind::DistinctSketch,
            Kind::Mode,
            Kind::TopK,
        ];
        if column < 2 {
            kinds.extend([Kind::Sum, Kind::Mean, Kind::Quantile, Kind::Range, Kind::Delta]);
            kinds.extend([
                Kind::Variance,
                Kind::StandardDeviation,
                Kind::Derivative,
                Kind::Rank,
                Kind::ShareBelow,
            ]);
            kinds.extend([
                Kind::WeightedMean,
                Kind::Ratio,
                Kind::Rate,
                Kind::Increase,
                Kind::TimeWeightedMean,
            ]);
            kinds.extend([Kind::ShareOfTotal, Kind::Cumulative, Kind::Moving]);
            kinds.extend([Kind::Histogram, Kind::Box, Kind::CumulativeDistribution]);
        }
        let parameters = (
            0.0f64..=1.0,
            -5i32..5,
            1u32..4,
            prop::collection::btree_set(-9i32..9, 0..5),
        );
        let filter = prop::option::of(condition());
        (prop::sample::select(kinds), parameters, filter).prop_map(move |(kind, parameters, filter)| {
            let (q, threshold, count, bounds) = parameters;
            let mut measure = measure(kind, NAMES[column]);
            measure.filter = filter;
            let bounds = bounds.into_iter().map(|bound| f64::from(bound) / 2.0);
            match kind {
                Kind::Quantile => {
                    measure.quantile = q;
                    measure.sketch = count as i32 - 1;
                }
                Kind::Histogram => measure.bounds = bounds.collect(),
                Kind::CumulativeDistribution => measure.bounds = bounds.chain([77.0]).collect(),
                Kind::TopK => measure.count = count,
                Kind::Rank | Kind::ShareBelow => measure.threshold = f64::from(threshold) / 4.0,
                Kind::WeightedMean | Kind::Ratio => measure.second_column = NAMES[1 - column].to_owned(),
                Kind::Moving => measure.count = count,
                _ => {}
            }
            measure
        })
    });
    prop::collection::vec(any, 0..6).prop_map(|mut measures| {
        // A count of the rows that one of them takes, by the same filter.
        let mut count = measure(Kind::Count, "");
        count.filter = measures.first().and_then(|measure| measure.filter.clone());
        measures.push(count);
        measures.push(measure(Kind::Count, ""));
        for (at, measure) in measures.iter_mut().enumerate() {
            measure.name = format!("m{at}");
        }
        measures
    })
}

/// Magnitude below which rounding is not told apart, of measures whose arithmetic rounds otherwise here.
fn rounded(measure: &v1::Measure) -> Option<f64> {
    use v1::MeasureKind as Kind;
    match measure.kind() {
        // Values of some units over some nanoseconds.
        Kind::Derivative => Some(1e9),
        Kind::Variance
        | Kind::StandardDeviation
        | Kind::WeightedMean
        | Kind::Ratio
        | Kind::Rate
        | Kind::TimeWeightedMean
        | Kind::ShareOfTotal => Some(1e-3),
        // Edges of buckets.
        Kind::Histogram => Some(1e-3),
        _ => None,
    }
}

fn same_cell(a: &Cell, b: &Cell, floor: Option<f64>) -> bool {
    match (a, b) {
        (Cell::F64(a), Cell::F64(b)) => {
            let near = |floor: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(floor);
            a == b || (a.is_nan() && b.is_nan()) || floor.is_some_and(near)
        }
        (Cell::List(a), Cell::List(b)) | (Cell::Struct(a), Cell::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_cell(a, b, floor))
        }
        (a, b) => a == b,
    }
}

fn same(a: &[Vec<Cell>], b: &[Vec<Cell>], measures: &[v1::Measure]) -> bool {
    let same_row = |a: &Vec<Cell>, b: &Vec<Cell>| {
        let keys = a.len() - measures.len();
        a.len() == b.len()
            && a.iter().zip(b).enumerate().all(|(at, (a, b))| {
                let floor = at.checked_sub(keys).and_then(|at| rounded(&measures[at]));
                same_cell(a, b, floor)
            })
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_row(a, b))
}

/// 2,000, or what `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(2_000, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn fuzz_any_query_answers_as_the_interpreter_does(
        rows in rows(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..5),
        filter in prop::option::of(condition()),
        keys in prop::sample::subsequence(vec!["entity", "s", "x", "b", "i", "f", "t"], 0..4),
        derived in derived(),
        cut in prop_oneof![
            2 => Just(Cut::Whole),
            2 => (1i64..20).prop_map(|width| Cut::Equal(width, width)),
            1 => Just(Cut::Equal(1_000_000_000_007, 1_000_000_000_007)),
            2 => (1i64..20, 1i64..20).prop_map(|(a, b)| Cut::Equal(a.max(b), a.min(b))),
            2 => (1i64..9, prop::option::of(1i64..20)).prop_map(|(gap, longest)| Cut::Session(gap, longest)),
            2 => prop_oneof![1i64..40, Just(i64::MAX)].prop_map(Cut::Sliding),
        ],
        range in (prop::option::of(-30i64..30), prop::option::of(0i64..50)),
        measures in measures(),
        limit in prop_oneof![3 => Just(0u64), 1 => 1u64..5],
    ) {
        let stream = stream(&COLUMNS);
        let mut rows = rows;
        let has_slopes = measures.iter().any(|measure| measure.kind() == v1::MeasureKind::Derivative);
        if has_slopes || matches!(cut, Cut::Equal(width, step) if width != step) || matches!(cut, Cut::Sliding(_)) {
            // Starts of several windows before all time look alike, and slopes over all time are lost to rounding here.
            rows.iter_mut().for_each(|row| row.0 = row.0.clamp(-100, 100));
        }
        let mut at: Vec<(usize, bool)> = cuts.iter().map(|(cut, text)| (cut.index(rows.len()), *text)).collect();
        at.sort_unstable();
        at.push((rows.len(), true));
        let mut start = 0;
        for (end, text) in at {
            if end > start {
                push(&stream, &rows[start..end], text);
                start = end;
            }
        }
        let entities: Vec<String> = stream.entities().dictionary.texts_from(1).map(str::to_owned).collect();
        let measures = measures.into_iter().filter(|measure| {
            match measure.kind() {
                v1::MeasureKind::Cumulative | v1::MeasureKind::Moving => {
                    matches!(cut, Cut::Equal(width, step) if width == step)
                }
                v1::MeasureKind::ShareOfTotal => !matches!(cut, Cut::Sliding(_)),
                _ => true,
            }
        });
        let mut query = spec(measures.collect());
        query.filter = filter;
        query.group_by = by(&keys);
        query.group_by.extend(derived);
        query.window = cut.message();
        query.range = Some(v1::TimeRange { start_ns: range.0, end_ns: range.0.map_or(range.1, |start| range.1.map(|length| start + length)) });
        query.limit = limit;
        let expected = interpret(&query, &rows, &entities, cut);
        let mut as_text = query.clone();
        as_text.filter_text = query.filter.as_ref().map_or(String::new(), printed);
        as_text.filter = None;
        for measure in &mut as_text.measures {
            measure.filter_text = measure.filter.take().as_ref().map_or(String::new(), printed);
        }
        for (query, pool) in [(&query, None), (&query, Some(Arc::new(Pool::new(2)))), (&as_text, None)] {
            let mut context = Context::new(Arc::new(ManualClock::at(0)));
            context.pool = pool;
            let answer = run(&stream, &Spec::new(query.clone()).unwrap(), &context).unwrap();
            let (_, got) = table(&answer.batch);
            prop_assert!(same(&got, &expected, &query.measures), "{}\ngot {:#?}\nwanted {:#?}", as_text.filter_text, got, expected);
        }
    }
}
