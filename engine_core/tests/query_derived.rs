//! Groups by parts of time, bins and captures are those that rows looked at one by one have, in parts and in the tail.

mod query_support;
mod sealed_support;
mod store_support;

use std::collections::BTreeMap;
use std::sync::Arc;

use marigram_core::column::ColumnType;
use marigram_core::error::Kind;
use marigram_core::scan::pool::Pool;
use marigram_core::wire::v1;
use marigram_core::wire::v1::MeasureKind::{Count, Max, Sum};
use marigram_core::wire::v1::TimePart as Part;
use query_support::keys::{bins, capture, made, part, plain};
use query_support::{Cell, Row as Plain, ask, measure, push, spec, stream, table, tumbling};
use sealed_support::expected::cell_of;
use sealed_support::rows::{HOUR, Row, Sealed};

/// Count, sum and greatest of `i` by key, keys as texts so that they have an order.
fn expected(rows: &[Row], keys: &[v1::GroupKey], width: Option<i64>) -> BTreeMap<String, [i64; 3]> {
    let mut groups: BTreeMap<String, [i64; 3]> = BTreeMap::new();
    for row in rows {
        let window = width.map(|width| Cell::Time(row.time.div_euclid(width) * width));
        let cells = keys.iter().map(|key| made(key, cell_of(row, &key.column)));
        let key: Vec<Cell> = window.into_iter().chain(cells).collect();
        let group = groups.entry(format!("{key:?}")).or_insert([0, 0, i64::MIN]);
        group[0] += 1;
        group[1] += row.i.unwrap_or(0);
        group[2] = group[2].max(row.i.unwrap_or(i64::MIN));
    }
    groups
}

#[test]
fn derived_keys_group_sealed_rows_as_one_by_one() {
    let sealed = Sealed::new();
    let pool = Arc::new(Pool::new(2));
    let of = |key: v1::GroupKey| vec![key];
    let cases = [
        of(part("time", Part::HourOfDay, "Asia/Kathmandu")),
        of(part("time", Part::DayOfWeek, "")),
        of(part("time", Part::DayOfYear, "America/New_York")),
        of(bins("f", 12.5)),
        of(bins("wild", 1e199)),
        of(bins("i", 1e9)),
        of(bins("far", 3.0)),
        of(capture("host", 0)),
        of(capture("entity", 3)),
        vec![
            capture("entity", 3),
            plain("zone"),
            part("time", Part::HourOfDay, "Europe/Berlin"),
        ],
        vec![bins("i", 7e8), bins("f", 50.0), plain("b")],
    ];
    for (at, keys) in cases.iter().enumerate() {
        for width in [None, Some(6 * HOUR)] {
            let mut query = spec(vec![measure(Count, ""), measure(Sum, "i"), measure(Max, "i")]);
            query.group_by.clone_from(keys);
            query.window = width.and_then(tumbling);
            let expected = expected(&sealed.rows, keys, width);
            for pool in [None, Some(Arc::clone(&pool))] {
                let (_, found) = table(&sealed.ask(&query, pool).unwrap().batch);
                let found: BTreeMap<String, [i64; 3]> = found
                    .into_iter()
                    .map(|row| {
                        let (key, measures) = row.split_at(row.len() - 3);
                        let number = |cell: &Cell| match cell {
                            Cell::I64(value) => *value,
                            other => panic!("{other:?}"),
                        };
                        let key: Vec<Cell> = key
                            .iter()
                            .map(|cell| match cell {
                                // NaN are one, and shown alike.
                                Cell::F64(value) if value.is_nan() => Cell::F64(f64::NAN),
                                other => other.clone(),
                            })
                            .collect();
                        let sum = if measures[1] == Cell::Null {
                            0
                        } else {
                            number(&measures[1])
                        };
                        let max = if measures[2] == Cell::Null {
                            i64::MIN
                        } else {
                            number(&measures[2])
                        };
                        (format!("{key:?}"), [number(&measures[0]), sum, max])
                    })
                    .collect();
                assert_eq!(found, expected, "case {at}, {width:?}");
            }
        }
    }
}

fn rows(texts: &[&str]) -> Vec<Plain> {
    let row = |(at, text): (usize, &&str)| {
        (
            at as i64 * HOUR,
            "u".to_owned(),
            vec![Cell::text(text), Cell::F64(at as f64)],
        )
    };
    texts.iter().enumerate().map(row).collect()
}

#[test]
fn keys_are_named_by_what_they_are_made_of_or_as_they_are_told() {
    let stream = stream(&[("path", ColumnType::Text), ("n", ColumnType::F64)]);
    push(&stream, &rows(&["/api/a", "/web/b", "none"]), false);
    push(&stream, &rows(&["/api/c", "/img/d"]), true);
    let mut query = spec(vec![measure(Count, "")]);
    let path = v1::GroupKey {
        capture: "^/(\\w+)/".to_owned(),
        ..plain("path")
    };
    query.group_by = vec![path.clone()];
    let (names, found) = table(&ask(&stream, query.clone()).unwrap().batch);
    assert_eq!(names, ["capture_path", "count"]);
    let found: Vec<(Cell, Cell)> = found.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let group = |key: Cell, n| (key, Cell::I64(n));
    let text = Cell::text;
    assert_eq!(
        found,
        [
            group(text("api"), 2),
            group(text("img"), 1),
            group(text("web"), 1),
            group(Cell::Null, 1),
        ]
    );
    query.group_by = vec![
        v1::GroupKey {
            name: "root".to_owned(),
            ..path
        },
        part("time", Part::HourOfDay, ""),
        bins("n", 2.0),
        plain("path"),
    ];
    query.order_by = vec![v1::OrderBy {
        column: "hour_of_day".to_owned(),
        descending: true,
    }];
    query.limit = 1;
    let (names, found) = table(&ask(&stream, query).unwrap().batch);
    assert_eq!(names, ["root", "hour_of_day", "bin_n", "path", "count"]);
    assert_eq!(
        found[0],
        [Cell::Null, Cell::I64(2), Cell::F64(2.0), text("none"), Cell::I64(1)]
    );
}

#[test]
fn the_others_of_the_top_groups_have_no_derived_key() {
    let stream = stream(&[("path", ColumnType::Text), ("n", ColumnType::F64)]);
    push(&stream, &rows(&["aa", "ab", "b", "c"]), false);
    let mut query = spec(vec![measure(Count, "")]);
    query.group_by = vec![capture("path", 0), bins("n", 10.0)];
    query.order_by = vec![v1::OrderBy {
        column: "count".to_owned(),
        descending: true,
    }];
    (query.top_groups, query.other) = (1, true);
    let (_, found) = table(&ask(&stream, query).unwrap().batch);
    let others = vec![Cell::text("other"), Cell::Null, Cell::I64(2)];
    assert_eq!(found, [vec![Cell::text("a"), Cell::F64(0.0), Cell::I64(2)], others]);
}

#[test]
fn keys_that_break_a_rule_are_named() {
    let stream = stream(&[("path", ColumnType::Text), ("n", ColumnType::F64)]);
    push(&stream, &rows(&["a"]), false);
    let refusal = |keys: Vec<v1::GroupKey>| {
        let mut query = spec(vec![measure(Count, "")]);
        query.group_by = keys;
        let error = ask(&stream, query).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidArgument);
        (
            error.reason(),
            error
                .field()
                .strip_prefix("spec.group_by")
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let named = |reason, field: &str| (reason, field.to_owned());
    let both = v1::GroupKey {
        bin_width: 1.0,
        ..part("n", Part::Year, "")
    };
    assert_eq!(refusal(vec![both]), named("BAD_GROUP_KEY", "[0].bin_width"));
    for width in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(refusal(vec![bins("n", width)]), named("BAD_GROUP_KEY", "[0].bin_width"));
    }
    assert_eq!(
        refusal(vec![part("time", Part::Year, "Mars")]),
        named("BAD_GROUP_KEY", "[0].time_zone")
    );
    let zone = v1::GroupKey {
        time_zone: "UTC".to_owned(),
        ..plain("n")
    };
    assert_eq!(refusal(vec![zone]), named("BAD_GROUP_KEY", "[0].time_zone"));
    let name = v1::GroupKey {
        name: "n".repeat(256),
        ..plain("n")
    };
    assert_eq!(refusal(vec![name]), named("BAD_GROUP_KEY", "[0].name"));
    let unknown = v1::GroupKey {
        time_part: 9,
        ..plain("time")
    };
    assert_eq!(refusal(vec![unknown]), named("UNKNOWN_ENUM", "[0].time_part"));
    for pattern in ["(", "a", "(?:a)"] {
        let key = v1::GroupKey {
            capture: pattern.to_owned(),
            ..plain("path")
        };
        assert_eq!(refusal(vec![key]), named("BAD_PATTERN", "[0].capture"));
    }
    assert_eq!(
        refusal(vec![part("n", Part::Year, "")]),
        named("TYPE_MISMATCH", "[0].column")
    );
    assert_eq!(refusal(vec![bins("path", 1.0)]), named("TYPE_MISMATCH", "[0].column"));
    assert_eq!(refusal(vec![capture("n", 0)]), named("TYPE_MISMATCH", "[0].column"));
    assert_eq!(refusal(vec![plain("time")]), named("GROUP_BY_TIME", "[0].column"));
    let twice = || part("time", Part::Year, "");
    assert_eq!(
        refusal(vec![twice(), twice()]),
        named("DUPLICATE_GROUP_KEY", "[1].name")
    );
    let same = v1::GroupKey {
        name: "other".to_owned(),
        ..plain("n")
    };
    assert_eq!(
        refusal(vec![plain("n"), same]),
        named("DUPLICATE_GROUP_KEY", "[1].column")
    );
    let counted = v1::GroupKey {
        name: "count".to_owned(),
        ..plain("n")
    };
    let mut query = spec(vec![measure(Count, "")]);
    query.group_by = vec![counted];
    assert_eq!(ask(&stream, query).unwrap_err().reason(), "DUPLICATE_NAME");
}
