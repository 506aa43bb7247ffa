//! Rows of an answer put in, left out and put together: fill, having, the top groups and the others.

mod query_support;

use std::sync::Arc;

use marigram_core::column::ColumnType;
use marigram_core::store::Stream;
use marigram_core::wire::v1;
use query_support::{Cell, Row, ask, by, compare, hopping, measure, push, spec, stream, table, tumbling};
use v1::ComparisonOperator::{Greater, NotEqual};
use v1::MeasureKind::{Count, Distinct, Last, Mean, Rate, Sum};

/// Rows at these times: user, value, text.
fn rows(rows: &[(i64, &str, f64, &str)]) -> Arc<Stream> {
    let stream = stream(&[
        ("v", ColumnType::F64),
        ("i", ColumnType::I64),
        ("s", ColumnType::Symbol),
    ]);
    let rows: Vec<Row> = rows
        .iter()
        .map(|(time, user, v, s)| {
            let cells = vec![Cell::F64(*v), Cell::I64(*v as i64), Cell::text(s)];
            (*time, (*user).to_owned(), cells)
        })
        .collect();
    push(&stream, &rows, false);
    stream
}

fn answer(stream: &Arc<Stream>, asked: v1::QuerySpec) -> Vec<Vec<Cell>> {
    table(&ask(stream, asked).unwrap().batch).1
}

fn refusal(stream: &Arc<Stream>, asked: v1::QuerySpec) -> (&'static str, String) {
    let error = ask(stream, asked).unwrap_err();
    (error.reason(), error.field().to_owned())
}

fn between(start: i64, end: i64) -> Option<v1::TimeRange> {
    Some(v1::TimeRange {
        start_ns: Some(start),
        end_ns: Some(end),
    })
}

fn descending(column: &str) -> Vec<v1::OrderBy> {
    vec![v1::OrderBy {
        column: column.to_owned(),
        descending: true,
    }]
}

const GAPS: [(i64, &str, f64, &str); 4] = [
    (10, "ann", 1.0, "a"),
    (12, "ann", 3.0, "b"),
    (40, "ann", 8.0, "c"),
    (25, "bob", 5.0, "d"),
];

fn filled(fill: v1::Fill, column: &str) -> Vec<Cell> {
    let kind = if column == "s" { Last } else { Mean };
    let asked = v1::QuerySpec {
        window: tumbling(10),
        group_by: by(&["entity"]),
        fill: fill as i32,
        fill_value: if fill == v1::Fill::Constant { 2.5 } else { 0.0 },
        range: between(0, 60),
        ..spec(vec![measure(kind, column), measure(Count, "")])
    };
    let rows = answer(&rows(&GAPS), asked);
    assert_eq!(rows.len(), 12);
    let starts: Vec<Cell> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(starts[..4], [0, 0, 10, 10].map(Cell::Time));
    let of_ann = rows.into_iter().filter(|row| row[1] == Cell::text("ann"));
    of_ann.map(|row| row[2].clone()).collect()
}

#[test]
fn windows_without_rows_are_filled_in_each_group() {
    use Cell::{F64, Null};
    assert_eq!(
        filled(v1::Fill::Null, "v"),
        [Null, F64(2.0), Null, Null, F64(8.0), Null]
    );
    assert_eq!(
        filled(v1::Fill::Previous, "v"),
        [Null, F64(2.0), F64(2.0), F64(2.0), F64(8.0), F64(8.0)]
    );
    assert_eq!(
        filled(v1::Fill::Linear, "v"),
        [Null, F64(2.0), F64(4.0), F64(6.0), F64(8.0), Null]
    );
    assert_eq!(
        filled(v1::Fill::Zero, "v"),
        [F64(0.0), F64(2.0), F64(0.0), F64(0.0), F64(8.0), F64(0.0)]
    );
    let constant = [F64(2.5), F64(2.0), F64(2.5), F64(2.5), F64(8.0), F64(2.5)];
    assert_eq!(filled(v1::Fill::Constant, "v"), constant);
    let text = |text: &str| Cell::text(text);
    assert_eq!(
        filled(v1::Fill::Previous, "s"),
        [Null, text("b"), text("b"), text("b"), text("c"), text("c")]
    );
    assert_eq!(
        filled(v1::Fill::Linear, "s"),
        [Null, text("b"), Null, Null, text("c"), Null]
    );
}

#[test]
fn an_open_range_is_filled_between_its_rows() {
    let asked = |range| v1::QuerySpec {
        window: tumbling(10),
        fill: v1::Fill::Zero as i32,
        range,
        ..spec(vec![measure(Count, "")])
    };
    let row = |start, count| vec![Cell::Time(start), Cell::I64(count)];
    let stream = rows(&GAPS);
    assert_eq!(
        answer(&stream, asked(None)),
        [row(10, 2), row(20, 1), row(30, 0), row(40, 1)]
    );
    // The rows that a filter leaves bound it, on the side that is open.
    let above = |range, least: f64| v1::QuerySpec {
        filter: Some(compare("v", Greater, &Cell::F64(least))),
        ..asked(range)
    };
    assert_eq!(answer(&stream, above(None, 4.0)), [row(20, 1), row(30, 0), row(40, 1)]);
    let from = Some(v1::TimeRange {
        start_ns: Some(5),
        end_ns: None,
    });
    assert_eq!(
        answer(&stream, above(from, 6.0)),
        [row(0, 0), row(10, 0), row(20, 0), row(30, 0), row(40, 1)]
    );
    // Of none there is no window.
    assert!(answer(&stream, above(None, 9.0)).is_empty());
    assert!(answer(&stream, above(from, 9.0)).is_empty());
    assert!(
        answer(
            &stream,
            asked(Some(v1::TimeRange {
                start_ns: Some(50),
                end_ns: None
            }))
        )
        .is_empty()
    );
    assert!(answer(&stream, asked(between(50, 50))).is_empty());
    // No row at all, and nothing to group by.
    assert_eq!(answer(&stream, asked(between(50, 65))), [row(50, 0), row(60, 0)]);
    let grouped = v1::QuerySpec {
        group_by: by(&["entity"]),
        ..asked(between(50, 65))
    };
    assert_eq!(answer(&stream, grouped), Vec::<Vec<Cell>>::new());
    let too_many = v1::QuerySpec {
        budget: Some(v1::Budget {
            max_groups: 1_000,
            ..v1::Budget::default()
        }),
        ..asked(between(0, 100_000))
    };
    assert_eq!(refusal(&stream, too_many).0, "QUERY_GROUPS_EXCEEDED");
}

#[test]
fn windows_that_overlap_and_days_are_filled_too() {
    let stream = rows(&GAPS);
    let asked = v1::QuerySpec {
        window: hopping(10, 5),
        fill: v1::Fill::Zero as i32,
        range: between(10, 40),
        ..spec(vec![measure(Count, "")])
    };
    let counts: Vec<Cell> = answer(&stream, asked).into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(counts, [2, 2, 0, 1, 1, 0, 0].map(Cell::I64));
    let day = 86_400_000_000_000;
    let days = v1::QuerySpec {
        window: Some(v1::Window {
            kind: Some(v1::window::Kind::Calendar(v1::CalendarWindow {
                unit: v1::CalendarUnit::Day as i32,
                ..v1::CalendarWindow::default()
            })),
        }),
        fill: v1::Fill::Zero as i32,
        range: between(-day, 2 * day),
        ..spec(vec![measure(Count, "")])
    };
    let row = |start, count| vec![Cell::Time(start), Cell::I64(count)];
    assert_eq!(answer(&stream, days), [row(-day, 0), row(0, 4), row(day, 0)]);
}

#[test]
fn having_keeps_rows_by_their_own_columns() {
    let asked = |having| v1::QuerySpec {
        group_by: by(&["entity"]),
        having: Some(having),
        ..spec(vec![measure(Sum, "v"), measure(Count, "")])
    };
    let stream = rows(&GAPS);
    let users = |having| -> Vec<Cell> {
        answer(&stream, asked(having))
            .into_iter()
            .map(|row| row[0].clone())
            .collect()
    };
    assert_eq!(users(compare("sum_v", Greater, &Cell::F64(5.0))), [Cell::text("ann")]);
    assert_eq!(users(compare("count", Greater, &Cell::F64(0.5))).len(), 2);
    assert_eq!(
        users(compare("entity", NotEqual, &Cell::text("ann"))),
        [Cell::text("bob")]
    );
    let unknown = compare("v", Greater, &Cell::F64(1.0));
    assert_eq!(
        refusal(&stream, asked(unknown)),
        ("UNKNOWN_COLUMN", "spec.having.compare.column".to_owned())
    );
}

const MANY: [(i64, &str, f64, &str); 8] = [
    (1, "ann", 5.0, "x"),
    (2, "bob", 3.0, "x"),
    (3, "cid", 2.0, "y"),
    (4, "dan", 1.0, "z"),
    (11, "bob", 9.0, "x"),
    (12, "cid", 1.0, "y"),
    (13, "dan", 1.0, "y"),
    (14, "ann", 8.0, "z"),
];

#[test]
fn each_window_has_its_top_groups_and_one_of_the_others() {
    let asked = |other| v1::QuerySpec {
        window: tumbling(10),
        group_by: by(&["entity"]),
        order_by: descending("sum_v"),
        top_groups: 2,
        other,
        ..spec(vec![measure(Sum, "v"), measure(Mean, "v"), measure(Distinct, "s")])
    };
    let row = |start, user: &str, sum, mean, texts| {
        vec![
            Cell::Time(start),
            Cell::text(user),
            Cell::F64(sum),
            Cell::F64(mean),
            Cell::I64(texts),
        ]
    };
    let stream = rows(&MANY);
    let top = [
        row(10, "bob", 9.0, 9.0, 1),
        row(10, "ann", 8.0, 8.0, 1),
        row(0, "ann", 5.0, 5.0, 1),
        row(0, "bob", 3.0, 3.0, 1),
    ];
    assert_eq!(answer(&stream, asked(false)), top);
    // The others' mean is that of their rows, and their texts are counted once.
    let mut with_other = top.to_vec();
    with_other.insert(3, row(0, "other", 3.0, 1.5, 2));
    with_other.insert(5, row(10, "other", 2.0, 1.0, 1));
    with_other.swap(3, 4);
    assert_eq!(answer(&stream, asked(true)), with_other);
}

#[test]
fn the_others_are_null_in_keys_that_are_no_texts() {
    let asked = v1::QuerySpec {
        group_by: by(&["i", "s"]),
        order_by: descending("count"),
        top_groups: 1,
        other: true,
        ..spec(vec![measure(Count, "")])
    };
    let expected = [
        vec![Cell::Null, Cell::text("other"), Cell::I64(6)],
        vec![Cell::I64(1), Cell::text("y"), Cell::I64(2)],
    ];
    assert_eq!(answer(&rows(&MANY), asked), expected);
}

#[test]
fn the_others_are_no_group_of_nulls() {
    let stream = stream(&[("f", ColumnType::F64), ("i", ColumnType::I64), ("b", ColumnType::Bool)]);
    let of = |f: Option<f64>| -> Vec<Cell> {
        f.map_or(vec![Cell::Null, Cell::Null, Cell::Null], |f| {
            vec![Cell::F64(f), Cell::I64(f as i64), Cell::Bool(f > 1.0)]
        })
    };
    let values = [
        None,
        None,
        None,
        None,
        Some(2.0),
        Some(2.0),
        Some(2.0),
        Some(1.0),
        Some(0.0),
    ];
    let rows: Vec<Row> = values.iter().map(|f| (1, String::new(), of(*f))).collect();
    push(&stream, &rows, false);
    for (key, kept) in [("f", 1), ("f", 2), ("i", 1), ("b", 1)] {
        let asked = v1::QuerySpec {
            group_by: by(&[key]),
            order_by: descending("count"),
            top_groups: kept,
            other: true,
            ..spec(vec![measure(Count, "")])
        };
        let counts: Vec<Cell> = answer(&stream, asked).iter().map(|row| row[1].clone()).collect();
        let expected: &[i64] = if kept == 1 { &[5, 4] } else { &[4, 3, 2] };
        let expected: Vec<Cell> = expected.iter().map(|&count| Cell::I64(count)).collect();
        assert_eq!(counts, expected, "{key}");
    }
}

#[test]
fn what_cannot_be_shaped_is_refused() {
    let stream = rows(&MANY);
    let good = || spec(vec![measure(Count, "")]);
    let asked = |change: &dyn Fn(&mut v1::QuerySpec)| {
        let mut asked = good();
        change(&mut asked);
        refusal(&stream, asked)
    };
    let rate = v1::QuerySpec {
        group_by: by(&["s"]),
        order_by: descending("rate_v"),
        top_groups: 1,
        other: true,
        ..spec(vec![measure(Rate, "v")])
    };
    assert_eq!(
        refusal(&stream, rate.clone()),
        ("BAD_TOP_GROUPS", "spec.other".to_owned())
    );
    let by_entity = v1::QuerySpec {
        group_by: by(&["entity"]),
        ..rate
    };
    assert!(ask(&stream, by_entity).is_ok());
    let bad_fill = |field: &str| ("BAD_FILL", field.to_owned());
    assert_eq!(asked(&|spec| spec.fill = v1::Fill::Zero as i32), bad_fill("spec.fill"));
    assert_eq!(asked(&|spec| spec.fill_value = 1.0), bad_fill("spec.fill_value"));
    let infinite = |spec: &mut v1::QuerySpec| {
        spec.fill = v1::Fill::Constant as i32;
        spec.fill_value = f64::INFINITY;
    };
    assert_eq!(asked(&infinite), bad_fill("spec.fill_value"));
    let bad_top = |field: &str| ("BAD_TOP_GROUPS", field.to_owned());
    assert_eq!(asked(&|spec| spec.other = true), bad_top("spec.other"));
    assert_eq!(asked(&|spec| spec.top_groups = 1), bad_top("spec.top_groups"));
}
