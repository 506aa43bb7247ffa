//! Rows are listed in their order, each once, whatever is sealed meanwhile; and every one is found by its id.

mod query_support;
mod sealed_support;
mod store_support;

use std::collections::BTreeMap;
use std::sync::Arc;

use marigram_core::error::{Kind, Result};
use marigram_core::query::Context;
use marigram_core::query::listing::{Get, Listing, Page};
use marigram_core::store::Stream;
use marigram_core::time::ManualClock;
use marigram_core::wire::v1;
use marigram_core::wire::v1::ComparisonOperator::{Equal, Greater};
use marigram_core::wire::v1::value::Kind as Value;
use prost::Message;
use query_support::{Cell, Row as Plain, compare, context, push, stream, value};
use sealed_support::expected::cell_of;
use sealed_support::rows::{COLUMNS, HOUR, Row, Sealed, text_of};
use store_support::NOW;

const SECRET: [u8; 16] = [5; 16];

fn request() -> v1::ListEventsRequest {
    v1::ListEventsRequest {
        stream: "rows".to_owned(),
        ..Default::default()
    }
}

fn page(stream: &Arc<Stream>, request: &v1::ListEventsRequest) -> Result<Page> {
    Listing::new(request.clone(), SECRET)?.page(stream, &context())
}

/// All rows page by page, with what happens between the pages.
fn all(stream: &Arc<Stream>, mut request: v1::ListEventsRequest, mut between: impl FnMut()) -> Vec<v1::StoredEvent> {
    let mut events = Vec::new();
    loop {
        let page = page(stream, &request).unwrap().response;
        assert!(page.events.len() <= request.page_size as usize);
        events.extend(page.events);
        if page.next_page_token.is_empty() {
            return events;
        }
        request.page_token = page.next_page_token;
        between();
    }
}

fn same(cell: &Cell, found: &v1::Value) -> bool {
    match (cell, &found.kind) {
        (Cell::F64(ours), Some(Value::F64(theirs))) => ours.to_bits() == theirs.to_bits(),
        _ => value(cell).unwrap_or_default() == *found,
    }
}

fn is_row(row: &Row, event: &v1::StoredEvent) -> bool {
    let both = COLUMNS.iter().zip(&event.values);
    row.time == event.time_ns
        && event.entity.as_deref() == Some(&text_of(row.series))
        && both.clone().count() == event.values.len()
        && both
            .into_iter()
            .all(|((name, _), found)| same(&cell_of(row, name), found))
}

/// What is asked for, and whether a row is of it.
type Case = (v1::ListEventsRequest, fn(&Row) -> bool);

#[test]
fn pages_are_the_rows_in_order_cut() {
    let sealed = Sealed::new();
    let cut = (NOW - 20 * HOUR + 1, NOW - 18 * HOUR - HOUR / 2);
    let everything = v1::ListEventsRequest::default();
    let filtered = v1::ListEventsRequest {
        filter: Some(compare("i", Greater, &Cell::I64(0))),
        filter_text: "b = true".to_owned(),
        ..Default::default()
    };
    let of_one = v1::ListEventsRequest {
        filter: Some(compare("host", Equal, &Cell::text("h7"))),
        ..Default::default()
    };
    let cases: [Case; 3] = [
        (everything, |_| true),
        (filtered, |row| row.i.is_some_and(|i| i > 0) && row.b == Some(true)),
        (of_one, |row| row.series == 7),
    ];
    for (case, takes) in cases {
        for order in [v1::EventOrder::TimeAscending, v1::EventOrder::TimeDescending] {
            let mut expected: Vec<&Row> = sealed.rows.iter().filter(|row| takes(row)).collect();
            expected.retain(|row| (cut.0..cut.1).contains(&row.time));
            expected.sort_by_key(|row| (row.time, row.series));
            if order == v1::EventOrder::TimeDescending {
                expected.reverse();
            }
            let asked = v1::ListEventsRequest {
                order: order as i32,
                page_size: 997,
                range: Some(v1::TimeRange {
                    start_ns: Some(cut.0),
                    end_ns: Some(cut.1),
                }),
                ..v1::ListEventsRequest {
                    stream: "rows".to_owned(),
                    ..case.clone()
                }
            };
            let events = all(&sealed.stream, asked, || {});
            assert_eq!(events.len(), expected.len());
            let wrong = expected
                .iter()
                .zip(&events)
                .position(|(row, event)| !is_row(row, event));
            assert_eq!(wrong, None, "{order:?} {case:?}");
        }
    }
}

#[test]
fn a_page_reads_a_few_blocks_of_many() {
    let hours: Vec<(i64, usize, bool)> = (-60..-42).map(|hour| (hour, 30_000, true)).collect();
    let sealed = Sealed::of(&[&hours[..], &[(-42, 3_000, true)]].concat(), &[0, 3, 6, 9, 12, 17]);
    let all_blocks = sealed.rows.len() as u64 / 1_024;
    assert!(all_blocks > 500);
    for (order, most) in [(v1::EventOrder::TimeDescending, 5), (v1::EventOrder::TimeAscending, 60)] {
        let found = page(
            &sealed.stream,
            &v1::ListEventsRequest {
                order: order as i32,
                ..request()
            },
        )
        .unwrap();
        assert_eq!(found.response.events.len(), 100);
        assert!(found.blocks <= most, "{} blocks of {all_blocks}", found.blocks);
        assert!(found.response.rows_scanned <= most * 1_024);
    }
}

fn plain(time: i64, user: &str, number: f64) -> Plain {
    (time, user.to_owned(), vec![Cell::F64(number), Cell::text("x")])
}

fn numbers(events: &[v1::StoredEvent]) -> Vec<f64> {
    let number = |event: &v1::StoredEvent| match event.values[3].kind {
        Some(Value::F64(number)) => number,
        _ => panic!("a number was written"),
    };
    events.iter().map(number).collect()
}

#[test]
fn equal_instants_are_listed_by_entity_and_arrival_and_later_rows_are_left_out() {
    use marigram_core::column::ColumnType;
    for (order, expected) in [
        (v1::EventOrder::TimeAscending, [5.0, 3.0, 0.0, 2.0, 4.0, 1.0]),
        (v1::EventOrder::TimeDescending, [1.0, 4.0, 2.0, 0.0, 3.0, 5.0]),
    ] {
        let stream = stream(&[("n", ColumnType::F64), ("t", ColumnType::Text)]);
        push(
            &stream,
            &[plain(5, "b", 0.0), plain(5, "a", 1.0), plain(5, "b", 2.0)],
            false,
        );
        push(
            &stream,
            &[plain(5, "", 3.0), plain(5, "b", 4.0), plain(4, "a", 5.0)],
            true,
        );
        let asked = v1::ListEventsRequest {
            order: order as i32,
            page_size: 1,
            ..request()
        };
        let events = all(&stream, asked, || {
            push(&stream, &[plain(5, "b", 9.0), plain(3, "b", 9.0)], false);
        });
        assert_eq!(numbers(&events), expected);
        let now = page(&stream, &request()).unwrap();
        assert_eq!(now.response.events.len(), 16);
    }
}

#[test]
fn sealing_between_pages_repeats_and_loses_nothing() {
    for order in [v1::EventOrder::TimeAscending, v1::EventOrder::TimeDescending] {
        let sealed = Sealed::of(&[(-50, 9_000, true), (-49, 3_000, true)], &[0]);
        let asked = v1::ListEventsRequest {
            order: order as i32,
            page_size: 500,
            columns: vec!["i".to_owned()],
            ..request()
        };
        let before = all(&sealed.stream, asked.clone(), || {});
        let mut pages = 0;
        let after = all(&sealed.stream, asked, || {
            pages += 1;
            if pages == 5 {
                sealed.seal();
            }
        });
        assert_eq!(before.len(), 12_000);
        assert!(before == after);
    }
}

#[test]
fn every_row_is_found_by_its_id_with_its_copies() {
    let sealed = Sealed::new();
    let mut asked = v1::ListEventsRequest {
        page_size: 1_000,
        ..request()
    };
    asked.filter = Some(compare("host", Equal, &Cell::text("h4")));
    let events = all(&sealed.stream, asked, || {});
    let mut copies: BTreeMap<&[u8], u64> = BTreeMap::new();
    events
        .iter()
        .for_each(|event| *copies.entry(&event.id).or_default() += 1);
    for event in events.iter().step_by(97) {
        let get = v1::GetEventRequest {
            id: event.id.clone(),
            ..Default::default()
        };
        let found = Get::new(get, SECRET).unwrap().find(&sealed.stream, &context()).unwrap();
        // NaN are not equal, their bytes are.
        assert_eq!(found.event.unwrap_or_default().encode_to_vec(), event.encode_to_vec());
        assert_eq!((found.copies, found.stream.as_str()), (copies[&event.id[..]], "rows"));
    }
}

#[test]
fn equal_rows_are_one_event_with_copies_and_another_secret_names_none() {
    use marigram_core::column::ColumnType;
    let stream = stream(&[("n", ColumnType::F64), ("t", ColumnType::Text)]);
    push(
        &stream,
        &[plain(5, "a", 1.0), plain(5, "a", 2.0), plain(5, "a", 1.0)],
        false,
    );
    let events = page(&stream, &request()).unwrap().response.events;
    let find = |id: Vec<u8>, secret| {
        let get = v1::GetEventRequest {
            id,
            columns: vec!["n".to_owned(), "entity".to_owned()],
        };
        Get::new(get, secret).and_then(|get| get.find(&stream, &context()))
    };
    let found = find(events[0].id.clone(), SECRET).unwrap();
    assert_eq!(found.copies, 2);
    let cells = [Cell::F64(1.0), Cell::text("a")].map(|cell| value(&cell).unwrap());
    assert_eq!(found.event.unwrap().values, cells);
    let refusal = |id: Vec<u8>, secret| {
        let error = find(id, secret).unwrap_err();
        (error.kind(), error.reason(), error.field().to_owned())
    };
    let gone = || (Kind::NotFound, "EVENT_NOT_FOUND", "id".to_owned());
    assert_eq!(refusal(events[0].id.clone(), [6; 16]), gone());
    for at in 4..24 {
        let mut id = events[0].id.clone();
        id[at] ^= 1;
        assert_eq!(refusal(id, SECRET), gone());
    }
    let short = refusal(vec![1; 23], SECRET);
    assert_eq!(short, (Kind::InvalidArgument, "BAD_EVENT_ID", "id".to_owned()));
}

#[test]
fn a_page_ends_where_its_message_is_full() {
    use marigram_core::column::ColumnType;
    let stream = stream(&[("n", ColumnType::F64), ("t", ColumnType::Text)]);
    let long = |number: f64| {
        (
            number as i64,
            "a".to_owned(),
            vec![Cell::F64(number), Cell::Text("y".repeat(60_000))],
        )
    };
    push(
        &stream,
        &(0..120).map(|at| long(f64::from(at))).collect::<Vec<_>>(),
        false,
    );
    let first = page(&stream, &request()).unwrap().response;
    assert!((40..=52).contains(&first.events.len()), "{}", first.events.len());
    let mut asked = request();
    asked.page_size = 100;
    let events = all(&stream, asked, || {});
    assert_eq!(numbers(&events), (0..120).rev().map(f64::from).collect::<Vec<_>>());
    let mut small = Context::new(Arc::new(ManualClock::at(0)));
    small.limits.unary_bytes = 1_000;
    let error = Listing::new(request(), SECRET)
        .unwrap()
        .page(&stream, &small)
        .unwrap_err();
    assert_eq!((error.reason(), error.field()), ("RESULT_TOO_LARGE", "columns"));
}

#[test]
fn what_breaks_a_rule_is_named() {
    use marigram_core::column::ColumnType;
    let stream = stream(&[("n", ColumnType::F64)]);
    let refusal = |change: &dyn Fn(&mut v1::ListEventsRequest)| {
        let mut asked = request();
        change(&mut asked);
        let error = page(&stream, &asked).unwrap_err();
        (error.reason(), error.field().to_owned())
    };
    let named = |reason, field: &str| (reason, field.to_owned());
    assert_eq!(
        refusal(&|asked| asked.page_size = -1),
        named("BAD_PAGE_SIZE", "page_size")
    );
    assert_eq!(refusal(&|asked| asked.order = 7), named("UNKNOWN_ENUM", "order"));
    assert_eq!(refusal(&|asked| asked.stream.clear()), named("BAD_STREAM_ID", "stream"));
    assert_eq!(
        refusal(&|asked| asked.page_token = "00".to_owned()),
        named("BAD_PAGE_TOKEN", "page_token")
    );
    let twice = || vec!["n".to_owned(); 2];
    assert_eq!(
        refusal(&|asked| asked.columns = twice()),
        named("DUPLICATE_COLUMN", "columns[1]")
    );
    let many = || (0..1_025).map(|at| at.to_string()).collect();
    assert_eq!(refusal(&|asked| asked.columns = many()), named("TOO_MANY", "columns"));
    let unknown = || vec!["m".to_owned()];
    assert_eq!(
        refusal(&|asked| asked.columns = unknown()),
        named("UNKNOWN_COLUMN", "columns[0]")
    );
    let token = {
        push(
            &stream,
            &[
                (1, String::new(), vec![Cell::Null]),
                (2, String::new(), vec![Cell::Null]),
            ],
            false,
        );
        let first = page(
            &stream,
            &v1::ListEventsRequest {
                page_size: 1,
                ..request()
            },
        )
        .unwrap()
        .response;
        assert_eq!(first.events[0].entity, None);
        first.next_page_token
    };
    let other = refusal(&|asked| asked.page_token.clone_from(&token));
    assert_eq!(other, named("BAD_PAGE_TOKEN", "page_token"));
}
