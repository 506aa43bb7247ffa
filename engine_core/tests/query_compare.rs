//! Answers beside those of an earlier period.

mod query_support;

use std::sync::Arc;

use marigram_core::column::ColumnType;
use marigram_core::store::Stream;
use marigram_core::wire::v1;
use query_support::{Cell, Row, ask, by, compare, measure, push, spec, stream, table, tumbling};
use v1::ComparisonOperator::Greater;
use v1::ComparisonPeriod::{Previous, SameWeekday, YearAgo};
use v1::MeasureKind::{Count, Last, Sum};

const HOUR: i64 = 3_600_000_000_000;
const DAY: i64 = 24 * HOUR;
/// 2024-03-01T00:00:00Z, in a leap year.
const MARCH: i64 = 1_709_251_200_000_000_000;

fn rows(rows: &[(i64, &str, f64)]) -> Arc<Stream> {
    let stream = stream(&[("v", ColumnType::F64), ("s", ColumnType::Symbol)]);
    let rows: Vec<Row> = rows
        .iter()
        .map(|(time, user, v)| (*time, (*user).to_owned(), vec![Cell::F64(*v), Cell::text(user)]))
        .collect();
    push(&stream, &rows, false);
    stream
}

fn comparison(period: v1::ComparisonPeriod) -> Option<v1::Comparison> {
    Some(v1::Comparison { period: period as i32 })
}

fn between(start: i64, end: i64) -> Option<v1::TimeRange> {
    Some(v1::TimeRange {
        start_ns: Some(start),
        end_ns: Some(end),
    })
}

fn days(zone: &str) -> Option<v1::Window> {
    let kind = v1::window::Kind::Calendar(v1::CalendarWindow {
        unit: v1::CalendarUnit::Day as i32,
        time_zone: zone.to_owned(),
        ..v1::CalendarWindow::default()
    });
    Some(v1::Window { kind: Some(kind) })
}

fn answer(stream: &Arc<Stream>, asked: v1::QuerySpec) -> (Vec<String>, Vec<Vec<Cell>>) {
    table(&ask(stream, asked).unwrap().batch)
}

#[test]
fn groups_meet_themselves_in_the_period_before() {
    let stream = rows(&[
        (MARCH - HOUR, "ann", 4.0),
        (MARCH - HOUR, "bob", 1.0),
        (MARCH + HOUR, "ann", 6.0),
        (MARCH + HOUR, "cid", 2.0),
        (MARCH - DAY - 1, "ann", 99.0),
    ]);
    let asked = v1::QuerySpec {
        group_by: by(&["entity"]),
        range: between(MARCH, MARCH + DAY),
        compare: comparison(Previous),
        ..spec(vec![measure(Sum, "v"), measure(Last, "s")])
    };
    let (names, rows) = answer(&stream, asked);
    assert_eq!(
        names,
        [
            "entity",
            "sum_v",
            "last_s",
            "sum_v_before",
            "last_s_before",
            "sum_v_change",
            "last_s_change"
        ]
    );
    let text = |text: &str| Cell::text(text);
    let expected = [
        vec![
            text("ann"),
            Cell::F64(6.0),
            text("ann"),
            Cell::F64(4.0),
            text("ann"),
            Cell::F64(0.5),
            Cell::Null,
        ],
        vec![
            text("cid"),
            Cell::F64(2.0),
            text("cid"),
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
        ],
    ];
    assert_eq!(rows, expected);
}

#[test]
fn windows_meet_those_of_a_week_before_and_can_be_filled_and_filtered() {
    let week = 7 * DAY;
    let stream = rows(&[
        (MARCH - week + 1, "ann", 2.0),
        (MARCH - week + 2 * HOUR, "ann", 3.0),
        (MARCH + 1, "ann", 3.0),
        (MARCH + HOUR, "ann", 5.0),
    ]);
    let asked = |having| v1::QuerySpec {
        window: tumbling(HOUR),
        range: between(MARCH, MARCH + 3 * HOUR),
        fill: v1::Fill::Zero as i32,
        compare: comparison(SameWeekday),
        having,
        ..spec(vec![measure(Sum, "v")])
    };
    let row = |hour: i64, now: f64, before: Option<f64>, change: Option<f64>| {
        let cell = |value: Option<f64>| value.map_or(Cell::Null, Cell::F64);
        vec![
            Cell::Time(MARCH + hour * HOUR),
            Cell::F64(now),
            cell(before),
            cell(change),
        ]
    };
    let expected = [
        row(0, 3.0, Some(2.0), Some(0.5)),
        row(1, 5.0, None, None),
        row(2, 0.0, Some(3.0), Some(-1.0)),
    ];
    assert_eq!(answer(&stream, asked(None)).1, expected);
    let grown = compare("sum_v_change", Greater, &Cell::F64(0.0));
    assert_eq!(answer(&stream, asked(Some(grown))).1, expected[..1]);
}

#[test]
fn dates_meet_those_of_a_year_before() {
    // 2023-02-28 and 2023-03-01.
    let (february, march) = (MARCH - 367 * DAY, MARCH - 366 * DAY);
    let stream = rows(&[
        (february, "ann", 10.0),
        (march, "ann", 20.0),
        (MARCH - 2 * DAY, "ann", 1.0),
        (MARCH - DAY, "ann", 2.0),
        (MARCH, "ann", 3.0),
    ]);
    let asked = v1::QuerySpec {
        window: days(""),
        range: between(MARCH - 2 * DAY, MARCH + DAY),
        compare: comparison(YearAgo),
        ..spec(vec![measure(Sum, "v")])
    };
    let before: Vec<Cell> = answer(&stream, asked).1.into_iter().map(|row| row[2].clone()).collect();
    // The leap day has none.
    assert_eq!(before, [Cell::F64(10.0), Cell::Null, Cell::F64(20.0)]);
}

#[test]
fn nothing_comes_out_of_rows_beyond_the_period() {
    let stream = rows(&[(MARCH - 5 * HOUR, "ann", 7.0), (MARCH + HOUR, "ann", 1.0)]);
    let asked = v1::QuerySpec {
        window: tumbling(HOUR),
        range: between(MARCH, MARCH + 2 * HOUR),
        compare: comparison(Previous),
        ..spec(vec![measure(Count, "")])
    };
    let expected = vec![Cell::Time(MARCH + HOUR), Cell::I64(1), Cell::Null, Cell::Null];
    assert_eq!(answer(&stream, asked).1, [expected]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let stream = rows(&[(MARCH, "ann", 1.0)]);
    let refusal = |change: &dyn Fn(&mut v1::QuerySpec)| {
        let mut asked = v1::QuerySpec {
            range: between(MARCH, MARCH + HOUR),
            compare: comparison(Previous),
            ..spec(vec![measure(Count, "")])
        };
        change(&mut asked);
        let error = ask(&stream, asked).unwrap_err();
        (error.reason(), error.field().to_owned())
    };
    let bad = |field: &str| ("BAD_COMPARISON", field.to_owned());
    assert_eq!(refusal(&|spec| spec.range = None), bad("spec.compare.period"));
    assert_eq!(
        refusal(&|spec| spec.compare = Some(v1::Comparison::default())),
        bad("spec.compare.period")
    );
    assert_eq!(
        refusal(&|spec| spec.window = query_support::session(5)),
        bad("spec.compare")
    );
    let twice = |spec: &mut v1::QuerySpec| {
        spec.measures.push(v1::Measure {
            name: "count_before".to_owned(),
            ..measure(Sum, "v")
        });
    };
    assert_eq!(refusal(&twice), ("DUPLICATE_NAME", "spec.compare".to_owned()));
}

#[test]
fn both_periods_count_in_budget_and_provenance() {
    let stream = rows(&[
        (MARCH - HOUR, "ann", f64::NAN),
        (MARCH - HOUR, "ann", 2.0),
        (MARCH + HOUR, "ann", 3.0),
    ]);
    let asked = |max_rows| v1::QuerySpec {
        range: between(MARCH, MARCH + DAY),
        compare: comparison(Previous),
        budget: Some(v1::Budget {
            max_rows,
            ..v1::Budget::default()
        }),
        ..spec(vec![measure(Sum, "v")])
    };
    let made = ask(&stream, asked(0)).unwrap().provenance;
    let names: Vec<&str> = made.measures.iter().map(|made| made.name.as_str()).collect();
    assert_eq!(names, ["sum_v", "sum_v_before", "sum_v_change"]);
    assert!(made.measures.iter().all(|made| made.exact));
    assert_eq!((made.rows_matched, made.nan_skipped), (3, 1));
    let scanned = made.rows_scanned;
    assert!(ask(&stream, asked(scanned)).is_ok());
    assert_eq!(refusal_of_budget(&stream, asked(scanned - 1)), "QUERY_ROWS_EXCEEDED");
}

#[test]
fn windows_that_are_compared_are_within_the_budget_of_groups() {
    let stream = rows(&[(MARCH, "ann", 4.0), (MARCH + HOUR, "ann", 6.0)]);
    let asked = |width| v1::QuerySpec {
        window: tumbling(width),
        range: between(MARCH, MARCH + 2 * HOUR),
        compare: comparison(SameWeekday),
        ..spec(vec![measure(Count, "")])
    };
    assert_eq!(refusal_of_budget(&stream, asked(1)), "QUERY_GROUPS_EXCEEDED");
    assert_eq!(answer(&stream, asked(HOUR / 3_600_000)).1.len(), 2);
}

fn refusal_of_budget(stream: &Arc<Stream>, asked: v1::QuerySpec) -> &'static str {
    ask(stream, asked).unwrap_err().reason()
}
