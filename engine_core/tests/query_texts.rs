//! Tests of texts of sealed rows: filters of blocks, statistics and the order of entities change what is read, and no answer.

mod query_support;
mod store_support;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use marigram_core::column::batch::BatchColumn;
use marigram_core::column::{Bitmap, ColumnData, ColumnType, RowBatch, StreamKind, TextData};
use marigram_core::error::Kind;
use marigram_core::store::Stream;
use marigram_core::time::SECOND_NS;
use marigram_core::wire::v1::{self, ComparisonOperator as Operator, filter::Condition};
use proptest::prelude::*;
use query_support::{Cell, ask, by, compare, filter, is_null, like, measure, spec, table, value};
use store_support::{Bed, NOW, store_batch};
use v1::MeasureKind::{Count, Min, Sum};
use v1::TextMatchKind::{Contains, Prefix, Regex};

const BATCH: u64 = 9_000;
const BATCHES: u64 = 3;
const ROWS: u64 = BATCH * BATCHES;

/// The request of a row, long and its own; of each eighth row none, and of rows 4,096 to 10,999 of the first user none either.
fn request(row: u64) -> Option<String> {
    let nothing = row.is_multiple_of(8) || (user(row) == 0 && (4_096..11_000).contains(&row));
    (!nothing).then(|| id(row))
}

/// An id of 128 bits.
fn id(number: u64) -> String {
    let mixed = (u128::from(number) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    format!("{:08x}-{:024x}", mixed >> 96, mixed & ((1 << 96) - 1))
}

/// A visit of twelve rows of a user.
fn visit(row: u64) -> String {
    format!("{} of {}", id(row / 60 * 7), user(row))
}

fn user(row: u64) -> u64 {
    row % 5
}

fn texts(of: impl Iterator<Item = Option<String>>) -> (ColumnData, Bitmap) {
    let (mut texts, mut valid) = (TextData::default(), Bitmap::default());
    for text in of {
        texts.push(text.as_deref().unwrap_or("at a null"));
        valid.push(text.is_some());
    }
    (ColumnData::Text(texts), valid)
}

/// A stream of these rows; whether they are sealed, those of the last batch apart.
fn stream(bed: &Bed, name: &str, seals: bool) -> Arc<Stream> {
    let columns = [
        ("request", ColumnType::Text),
        ("visit", ColumnType::Symbol),
        ("level", ColumnType::Text),
        ("n", ColumnType::I64),
    ];
    let stream = bed.store.stream_or_new(bed.ns, name, StreamKind::Event).unwrap();
    let mut ids = Vec::new();
    for (name, kind) in columns {
        stream
            .change_schema(|schema| schema.add_column("", name, kind, "", "").map(|id| ids.push(id)))
            .unwrap();
    }
    let users: Vec<String> = (0..5).map(|user| format!("user {user}")).collect();
    let users = stream.intern_users(users.iter().map(String::as_str));
    for batch in 0..BATCHES {
        let rows = batch * BATCH..(batch + 1) * BATCH;
        let level = |row: u64| Some(["debug", "info", "error"][row as usize % 3].to_owned());
        let data = [
            texts(rows.clone().map(request)),
            // As it is past its bound of distinct values.
            texts(rows.clone().map(|row| Some(visit(row)))),
            texts(rows.clone().map(level)),
        ];
        let mut columns: Vec<BatchColumn> = ids
            .iter()
            .zip(data)
            .map(|(&id, (data, valid))| BatchColumn {
                id,
                data,
                validity: Some(valid),
            })
            .collect();
        columns.push(BatchColumn {
            id: ids[3],
            data: ColumnData::I64(rows.clone().map(|row| row as i64).collect()),
            validity: None,
        });
        let batch_rows = RowBatch {
            time: rows.clone().map(|row| NOW - (ROWS - row) as i64 * SECOND_NS).collect(),
            entity: rows.map(|row| users[user(row) as usize]).collect(),
            columns,
        };
        store_batch(&bed.store, &stream, &batch_rows);
        if seals && batch + 2 == BATCHES {
            bed.store.seal(&stream).unwrap();
        }
    }
    stream
}

fn text_is(column: &str, operator: Operator, text: &str) -> v1::Filter {
    compare(column, operator, &Cell::text(text))
}

fn one_of(column: &str, texts: &[String]) -> v1::Filter {
    filter(Condition::In(v1::InSet {
        column: column.into(),
        values: texts.iter().filter_map(|text| value(&Cell::text(text))).collect(),
    }))
}

fn not(inner: v1::Filter) -> v1::Filter {
    filter(Condition::Not(Box::new(inner)))
}

fn all(filters: Vec<v1::Filter>) -> v1::Filter {
    filter(Condition::All(v1::FilterList { filters }))
}

fn any(filters: Vec<v1::Filter>) -> v1::Filter {
    filter(Condition::Any(v1::FilterList { filters }))
}

fn question(filter: v1::Filter) -> v1::QuerySpec {
    v1::QuerySpec {
        filter: Some(filter),
        group_by: by(&["level"]),
        ..spec(vec![measure(Count, ""), measure(Sum, "n"), measure(Min, "request")])
    }
}

/// The answer, and how many rows were looked at for it.
fn answer(stream: &Arc<Stream>, question: v1::QuerySpec) -> (Vec<Vec<Cell>>, u64) {
    let answer = ask(stream, question).unwrap();
    (table(&answer.batch).1, answer.provenance.rows_scanned)
}

fn condition() -> impl Strategy<Value = v1::Filter> {
    let row = 0..ROWS + ROWS / 4;
    let request = |row| request(row).unwrap_or_else(|| format!("no request {row}"));
    let leaf = prop_oneof![
        (row.clone(), any_operator()).prop_map(move |(row, operator)| text_is("request", operator, &request(row))),
        (row.clone(), any_operator()).prop_map(|(row, operator)| text_is("visit", operator, &visit(row))),
        prop::collection::vec(row.clone(), 0..4)
            .prop_map(move |rows| one_of("request", &rows.into_iter().map(request).collect::<Vec<_>>())),
        // More than filters are asked for.
        row.clone()
            .prop_map(move |row| one_of("request", &(row..row + 70).map(request).collect::<Vec<_>>())),
        prop::sample::select(vec!["debug", "info", "none"]).prop_map(|level| text_is("level", Operator::Equal, level)),
        row.clone()
            .prop_map(|row| compare("n", Operator::Less, &Cell::I64(row as i64))),
        (row, prop::sample::select(vec!["request", "visit"]), 1usize..40).prop_map(|(row, column, cut)| {
            let text = visit(row);
            match cut % 3 {
                0 => like(column, Prefix, &text[..cut % 4]),
                1 => like(column, Contains, &text[cut % 30..cut % 30 + 3]),
                _ => like(
                    column,
                    Regex,
                    &format!("{}[0-9a-f]+-.*[{}a]", &text[..cut % 3], cut % 10),
                ),
            }
        }),
        prop::sample::select(vec!["user 3", "user [^1-3]", "user", "nobody", "user (1|.3)"])
            .prop_map(|pattern| like("entity", Regex, pattern)),
        (
            prop::sample::select(vec!["request", "visit", "level", "entity", "n", "time"]),
            proptest::bool::ANY
        )
            .prop_map(|(column, null)| is_null(column, null)),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(all),
            prop::collection::vec(inner.clone(), 0..3).prop_map(any),
            inner.prop_map(not),
        ]
    })
}

fn any_operator() -> impl Strategy<Value = Operator> {
    prop::sample::select(vec![Operator::Equal, Operator::NotEqual, Operator::Less])
}

#[test]
fn answers_are_those_of_rows_without_filters() {
    let bed = Bed::new();
    let (sealed, log) = (stream(&bed, "sealed", true), stream(&bed, "log", false));
    bed.store.verify().unwrap();
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(condition in condition())| {
        let question = question(condition);
        let mut hinted = question.clone();
        hinted.hints = Some(v1::QueryHints {
        no_footers: true,
        ..v1::QueryHints::default()
    });
        let (wanted, _) = answer(&log, question.clone());
        prop_assert_eq!(&answer(&sealed, question).0, &wanted);
        prop_assert_eq!(&answer(&sealed, hinted).0, &wanted);
    });
}

#[test]
fn blocks_without_the_text_are_not_read() {
    let bed = Bed::new();
    let stream = stream(&bed, "sealed", true);
    bed.store.seal(&stream).unwrap();
    let scanned = |filter: v1::Filter| answer(&stream, question(filter)).1;
    let there = request(12_345).unwrap();
    let is_there = || text_is("request", Operator::Equal, &there);
    let is_absent = || text_is("request", Operator::Equal, "not there");
    // A block has 1,024 rows; now and then a filter lets one pass that has nothing.
    assert!(
        (1..=4 * 1_024).contains(&scanned(is_there())),
        "{}",
        scanned(is_there())
    );
    assert!(scanned(is_absent()) <= 3 * 1_024);
    assert!(scanned(one_of("request", &[there.clone(), "not there".into()])) <= 6 * 1_024);
    assert!(scanned(text_is("visit", Operator::Equal, &visit(7_000))) <= 4 * 1_024);
    assert!(
        scanned(all(vec![
            compare("n", Operator::Less, &Cell::I64(ROWS as i64)),
            is_absent()
        ])) <= 3 * 1_024
    );
    assert!(scanned(any(vec![is_there(), is_absent()])) <= 6 * 1_024);
    assert_eq!(scanned(one_of("request", &[])), 0);
    // What has none of it passes whole under `not`, and what any block may have is read.
    assert_eq!(scanned(not(is_absent())), ROWS - empty_rows(&stream));
    assert_eq!(scanned(text_is("level", Operator::Equal, "debug")), ROWS);
    let texts: Vec<String> = (0..70).map(|number| format!("not there {number}")).collect();
    assert_eq!(scanned(one_of("request", &texts)), ROWS - empty_rows(&stream));
    let mut hinted = question(is_absent());
    hinted.hints = Some(v1::QueryHints {
        no_footers: true,
        ..v1::QueryHints::default()
    });
    assert_eq!(answer(&stream, hinted).1, ROWS - empty_rows(&stream));
}

#[test]
fn statistics_answer_for_nulls() {
    let bed = Bed::new();
    let stream = stream(&bed, "sealed", true);
    bed.store.seal(&stream).unwrap();
    let matched = |filter: v1::Filter| {
        let provenance = ask(&stream, question(filter)).unwrap().provenance;
        (provenance.rows_scanned, provenance.rows_matched)
    };
    let with_request = (0..ROWS).filter(|&row| request(row).is_some()).count() as u64;
    let empty = empty_rows(&stream);
    assert!(empty > 0);
    assert_eq!(matched(is_null("request", false)), (ROWS - empty, with_request));
    assert_eq!(matched(is_null("request", true)), (ROWS, ROWS - with_request));
    assert_eq!(matched(not(is_null("request", true))), (ROWS - empty, with_request));
    for column in ["n", "time", "level", "entity", "user"] {
        assert_eq!(matched(is_null(column, true)), (0, 0), "{column}");
        assert_eq!(matched(is_null(column, false)), (ROWS, ROWS), "{column}");
    }
    assert_eq!(matched(is_null("session", true)), (ROWS, ROWS));
    assert_eq!(matched(is_null("session", false)), (0, 0));
}

#[test]
fn entities_that_do_not_match_are_not_read() {
    let bed = Bed::new();
    let stream = stream(&bed, "sealed", true);
    bed.store.seal(&stream).unwrap();
    let scanned = |filter: v1::Filter| answer(&stream, question(filter)).1;
    // Rows of an entity lie together: those of one of five, and what shares their first and last blocks.
    let one = ROWS / 5..=ROWS / 5 + 2 * 1_024 * BATCHES;
    for pattern in ["user 3", "user [^0124]"] {
        let read = scanned(like("entity", Regex, pattern));
        assert!(one.contains(&read), "{read}");
        let read = scanned(all(vec![
            like("user", Regex, pattern),
            compare("n", Operator::Less, &Cell::I64(ROWS as i64)),
        ]));
        assert!(one.contains(&read), "{read}");
    }
    assert_eq!(scanned(like("entity", Prefix, "nobody")), 0);
    // Most of them: looked for row by row.
    assert_eq!(scanned(like("entity", Contains, "ser")), ROWS);
}

/// Rows of blocks that have no request at all, which footers rule out.
fn empty_rows(stream: &Arc<Stream>) -> u64 {
    let id = stream.schema().column("request").unwrap().id;
    let mut rows = 0;
    for part in stream.parts().iter() {
        let part = part.open().unwrap();
        let column = part.column(id).unwrap().unwrap();
        let nulls = (0..part.blocks()).map(|block| column.stats(block).nulls as usize);
        let empty = nulls
            .enumerate()
            .filter(|&(block, nulls)| nulls == part.block_rows(block));
        rows += empty.map(|(block, _)| part.block_rows(block) as u64).sum::<u64>();
    }
    rows
}

/// Files of parts with a value of filters, and where in them its payload lies.
fn filter_values(bed: &Bed) -> Vec<(PathBuf, usize)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(bed.path().join("parts")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        // The header of a value that lies in pages of its own: format 1, kind 9.
        let headers = (16..bytes.len())
            .step_by(4_096)
            .filter(|&at| bytes[at..at + 4] == [1, 9, 0, 0]);
        found.extend(headers.map(|at| (path.clone(), at + 48)));
    }
    found
}

#[test]
fn damaged_filters_fail_the_queries_that_need_them_and_no_others() {
    let mut bed = Bed::new();
    let stream = stream(&bed, "rows", true);
    bed.store.seal(&stream).unwrap();
    drop(stream);
    let values = filter_values(&bed);
    assert!(!values.is_empty());
    bed.store.close().unwrap();
    for (path, at) in values {
        let mut bytes = fs::read(&path).unwrap();
        bytes[at + 100] ^= 4;
        fs::write(&path, bytes).unwrap();
    }
    bed.reopen();
    let stream = bed.store.stream(bed.ns, "rows").unwrap();
    for needs in [
        text_is("request", Operator::Equal, "not there"),
        text_is("request", Operator::NotEqual, "not there"),
        one_of("request", &[request(1).unwrap(), request(2).unwrap()]),
    ] {
        let error = ask(&stream, question(needs)).unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Corrupt, "DATA_CORRUPT"));
        assert!(error.message().contains("\"rows\""), "{}", error.message());
    }
    for needs_none in [
        text_is("request", Operator::Less, "8"),
        text_is("level", Operator::Equal, "info"),
        compare("n", Operator::Less, &Cell::I64(50)),
    ] {
        ask(&stream, question(needs_none)).unwrap();
    }
    assert_eq!(bed.store.verify().unwrap_err().kind(), Kind::Corrupt);
}
