//! What a column holds is what rows looked at one by one have, page by page.

mod query_support;
mod sealed_support;
mod store_support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use marigram_core::column::ColumnType;
use marigram_core::error::Result;
use marigram_core::query::explore::Exploration;
use marigram_core::store::Stream;
use marigram_core::wire::v1;
use query_support::{Cell, compare, context, push, stream};
use sealed_support::expected::cell_of;
use sealed_support::rows::{COLUMNS, Row, Sealed};
use v1::value::Kind;

fn request(column: &str) -> v1::ExploreDimensionRequest {
    v1::ExploreDimensionRequest {
        stream: "rows".to_owned(),
        column: column.to_owned(),
        ..Default::default()
    }
}

fn ask(stream: &Arc<Stream>, request: v1::ExploreDimensionRequest) -> Result<v1::ExploreDimensionResponse> {
    Exploration::new(request, [5; 16])?.page(stream, &context())
}

/// Pages as one answer.
fn all(stream: &Arc<Stream>, mut request: v1::ExploreDimensionRequest) -> v1::ExploreDimensionResponse {
    let mut whole = ask(stream, request.clone()).unwrap();
    while !whole.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut whole.next_page_token);
        let page = ask(stream, request.clone()).unwrap();
        assert!(page.values.len() + page.columns.len() <= request.page_size as usize);
        let facts = |page: &v1::ExploreDimensionResponse| (page.cardinality, page.rows, page.nulls, page.commit);
        assert_eq!(facts(&page), facts(&whole));
        whole.values.extend(page.values);
        whole.columns.extend(page.columns);
        whole.next_page_token = page.next_page_token;
    }
    whole
}

/// Values in an order that numbers, texts and booleans of one column have too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Text(String),
}

fn of_f64(value: f64) -> Key {
    let bits = if value.is_nan() { f64::NAN } else { value + 0.0 }.to_bits();
    Key::Number(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
}

fn of_cell(cell: Cell) -> Option<Key> {
    Some(match cell {
        Cell::Null => return None,
        Cell::F64(value) => of_f64(value),
        Cell::I64(value) | Cell::Time(value) => Key::Number(value as u64 ^ 1 << 63),
        Cell::Bool(value) => Key::Number(value.into()),
        Cell::Text(text) => Key::Text(text),
        Cell::Struct(_) | Cell::List(_) => unreachable!("no column holds one"),
    })
}

fn of_value(value: Option<&v1::Value>) -> Key {
    match value.and_then(|value| value.kind.clone()).unwrap() {
        Kind::F64(value) => of_f64(value),
        Kind::I64(value) | Kind::TimestampNs(value) => Key::Number(value as u64 ^ 1 << 63),
        Kind::Boolean(value) => Key::Number(value.into()),
        Kind::Text(text) => Key::Text(text),
    }
}

#[test]
fn values_are_counted_most_frequent_first() {
    let sealed = Sealed::new();
    let names = COLUMNS.iter().map(|(name, _)| *name).chain(["entity"]);
    for (name, filtered) in names.flat_map(|name| [(name, false), (name, true)]) {
        let mut asked = request(name);
        asked.page_size = if matches!(name, "wild" | "i" | "f") { 1_000 } else { 7 };
        if filtered {
            asked.filter = Some(compare("f", v1::ComparisonOperator::Greater, &Cell::F64(0.0)));
        }
        let taken: Vec<&Row> = sealed
            .rows
            .iter()
            .filter(|row| !filtered || row.f.is_some_and(|f| f > 0.0))
            .collect();
        let mut counts: BTreeMap<Key, u64> = BTreeMap::new();
        taken
            .iter()
            .filter_map(|row| of_cell(cell_of(row, name)))
            .for_each(|key| *counts.entry(key).or_default() += 1);
        let mut expected: Vec<(Key, u64)> = counts.into_iter().collect();
        expected.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let known: u64 = expected.iter().map(|(_, count)| count).sum();
        let answer = if expected.len() > 20_000 {
            // Pages of so many are tried with others.
            ask(&sealed.stream, asked).unwrap()
        } else {
            all(&sealed.stream, asked)
        };
        assert_eq!(answer.cardinality, expected.len() as u64, "{name}");
        assert_eq!(
            (answer.rows, answer.nulls),
            (taken.len() as u64, taken.len() as u64 - known),
            "{name}"
        );
        let found: Vec<(Key, u64)> = answer
            .values
            .iter()
            .map(|value| (of_value(value.value.as_ref()), value.count))
            .collect();
        assert_eq!(found[..], expected[..found.len()], "{name}");
        for value in &answer.values {
            assert_eq!(
                value.share.to_bits(),
                (value.count as f64 / taken.len() as f64).to_bits()
            );
        }
    }
}

#[test]
fn columns_are_listed_with_their_types_and_what_they_hold() {
    let sealed = Sealed::new();
    let mut asked = request("");
    asked.page_size = 3;
    let answer = all(&sealed.stream, asked);
    let mut names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).chain(["entity"]).collect();
    names.sort_unstable();
    assert_eq!(
        answer
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect::<Vec<_>>(),
        names
    );
    assert_eq!(
        (answer.rows, answer.cardinality, answer.nulls),
        (sealed.rows.len() as u64, 0, 0)
    );
    for column in &answer.columns {
        let declared = COLUMNS.iter().find(|(name, _)| *name == column.name);
        let column_type = declared.map_or(ColumnType::Symbol, |(_, column_type)| *column_type);
        assert_eq!(column.r#type, column_type as i32);
        let cells: Vec<Cell> = sealed.rows.iter().map(|row| cell_of(row, &column.name)).collect();
        let nulls = cells.iter().filter(|cell| **cell == Cell::Null).count();
        assert_eq!(column.nulls_share, nulls as f64 / cells.len() as f64, "{}", column.name);
        let is_nan = |cell: &Cell| matches!(cell, Cell::F64(value) if value.is_nan());
        let known: BTreeSet<Key> = cells
            .into_iter()
            .filter(|cell| !is_nan(cell))
            .filter_map(of_cell)
            .collect();
        let (distinct, found) = (known.len() as f64, column.cardinality as f64);
        assert_eq!(column.exact, known.len() <= 1_024, "{}", column.name);
        let most = if column.exact { 0.0 } else { 0.018 * distinct };
        assert!(
            (distinct - found).abs() <= most,
            "{}: {found} of {distinct}",
            column.name
        );
    }
}

#[test]
fn a_stream_without_rows_has_columns_without_values() {
    let stream = stream(&[("n", ColumnType::F64)]);
    let answer = ask(&stream, request("")).unwrap();
    assert!(
        answer
            .columns
            .iter()
            .all(|column| column.cardinality == 0 && column.nulls_share == 0.0 && column.exact)
    );
    let answer = ask(&stream, request("n")).unwrap();
    assert_eq!((answer.cardinality, answer.rows, answer.values.len()), (0, 0, 0));
    push(&stream, &[(1, String::new(), vec![Cell::Null])], false);
    let answer = ask(&stream, request("entity")).unwrap();
    assert_eq!(
        (answer.cardinality, answer.rows, answer.nulls, answer.values.len()),
        (0, 1, 1, 0)
    );
}

#[test]
fn later_rows_are_not_among_the_pages_of_earlier_ones() {
    let stream = stream(&[("n", ColumnType::F64)]);
    let rows = |numbers: &[f64]| {
        numbers
            .iter()
            .map(|&n| (1, "a".to_owned(), vec![Cell::F64(n)]))
            .collect::<Vec<_>>()
    };
    push(&stream, &rows(&[1.0, 1.0, 2.0]), false);
    let mut asked = request("n");
    asked.page_size = 1;
    let first = ask(&stream, asked.clone()).unwrap();
    push(&stream, &rows(&[3.0, 3.0, 3.0]), false);
    let other = v1::ExploreDimensionRequest {
        page_size: 2,
        page_token: first.next_page_token.clone(),
        ..asked.clone()
    };
    assert_eq!(ask(&stream, other).unwrap_err().reason(), "BAD_PAGE_TOKEN");
    asked.page_token = first.next_page_token;
    let second = ask(&stream, asked).unwrap();
    assert_eq!(
        (second.rows, second.commit, second.next_page_token.as_str()),
        (3, first.commit, "")
    );
    assert_eq!(of_value(second.values[0].value.as_ref()), of_f64(2.0));
}

#[test]
fn the_budget_is_that_of_the_page() {
    let sealed = Sealed::new();
    let rows = sealed.rows.len() as u64;
    let refused = |column: &str, budget: v1::Budget| {
        let error = ask(
            &sealed.stream,
            v1::ExploreDimensionRequest {
                budget: Some(budget),
                ..request(column)
            },
        );
        error.err().map(|error| (error.reason(), error.field().to_owned()))
    };
    let max_rows = |max_rows| v1::Budget {
        max_rows,
        ..Default::default()
    };
    let exceeded = |reason, field: &str| Some((reason, field.to_owned()));
    assert_eq!(refused("host", max_rows(rows * 2)), None);
    assert_eq!(
        refused("host", max_rows(rows * 2 - 1)),
        exceeded("QUERY_ROWS_EXCEEDED", "spec.budget.max_rows")
    );
    assert_eq!(refused("", max_rows(rows * 8)), None);
    assert_eq!(
        refused("", max_rows(rows * 8 - 1)),
        exceeded("QUERY_ROWS_EXCEEDED", "spec.budget.max_rows")
    );
    let groups = v1::Budget {
        max_groups: 9,
        ..Default::default()
    };
    assert_eq!(
        refused("host", groups),
        exceeded("QUERY_GROUPS_EXCEEDED", "spec.budget.max_groups")
    );
}
