//! What queries answer and refuse, one behaviour a test.

mod query_support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_schema::DataType;
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::{ColumnData, ColumnType, RowBatch, Schema, StreamKind, StreamSettings};
use marigram_core::error::{Error, Kind};
use marigram_core::query::{Context, QueryLimits, Spec, run};
use marigram_core::scan::pool::Pool;
use marigram_core::store::{CommitCounter, NamespaceId, Stream};
use marigram_core::time::{Clock, ManualClock, SECOND_NS};
use marigram_core::wire::v1;
use prost::Message;
use query_support::{
    Cell, ask, by, compare, context, filter, is_null, like, measure, push, push_batch, spec, stream, table, tumbling,
};
use v1::ComparisonOperator::{Equal, Greater, NotEqual};
use v1::MeasureKind::{Count, Distinct, First, Last, Max, Mean, Min, Quantile, Sum};

fn values(rows: &[(i64, &str, f64)]) -> Arc<Stream> {
    let stream = stream(&[("value", ColumnType::F64)]);
    let rows: Vec<_> = rows
        .iter()
        .map(|(time, entity, value)| (*time, (*entity).to_owned(), vec![Cell::F64(*value)]))
        .collect();
    push(&stream, &rows, false);
    stream
}

fn refused(result: marigram_core::error::Result<marigram_core::query::Answer>) -> Error {
    result.expect_err("a refusal")
}

#[test]
fn a_row_on_the_edge_opens_the_next_window() {
    let stream = values(&[(0, "a", 1.0), (SECOND_NS, "a", 3.0)]);
    let mut query = spec(vec![measure(Mean, "value")]);
    query.window = tumbling(SECOND_NS);
    let (names, rows) = table(&ask(&stream, query).unwrap().batch);
    assert_eq!(names, ["start", "mean_value"]);
    assert_eq!(
        rows,
        [[Cell::Time(0), Cell::F64(1.0)], [Cell::Time(SECOND_NS), Cell::F64(3.0)],]
    );
}

#[test]
fn no_rows_make_one_row_without_groups_and_none_with() {
    let stream = stream(&[("value", ColumnType::F64)]);
    let measures = vec![
        measure(Count, ""),
        measure(Sum, "value"),
        measure(Distinct, "value"),
        measure(Last, "value"),
    ];
    let (_, rows) = table(&ask(&stream, spec(measures.clone())).unwrap().batch);
    assert_eq!(rows, [[Cell::I64(0), Cell::Null, Cell::I64(0), Cell::Null]]);
    let mut grouped = spec(measures.clone());
    grouped.group_by = by(&["entity"]);
    assert_eq!(ask(&stream, grouped).unwrap().batch.num_rows(), 0);
    let mut windowed = spec(measures);
    windowed.window = tumbling(1);
    let batch = ask(&stream, windowed).unwrap().batch;
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, 5));
}

#[test]
fn columns_have_the_types_of_the_contract() {
    let stream = stream(&[
        ("f", ColumnType::F64),
        ("i", ColumnType::I64),
        ("b", ColumnType::Bool),
        ("s", ColumnType::Symbol),
    ]);
    let row = vec![Cell::F64(1.5), Cell::I64(2), Cell::Bool(true), Cell::text("x")];
    push(&stream, &[(5, "ann".to_owned(), row)], false);
    let mut query = spec(vec![
        measure(Count, ""),
        measure(Sum, "i"),
        measure(Mean, "i"),
        measure(Max, "b"),
        measure(First, "s"),
        measure(Last, "time"),
        measure(Min, "entity"),
    ]);
    query.group_by = by(&["user", "b"]);
    query.window = tumbling(10);
    let batch = ask(&stream, query).unwrap().batch;
    let time = DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, Some("UTC".into()));
    let types: Vec<DataType> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    use DataType::{Boolean, Float64, Int64, Utf8};
    assert_eq!(
        types,
        [
            time.clone(),
            Utf8,
            Boolean,
            Int64,
            Int64,
            Float64,
            Boolean,
            Utf8,
            time,
            Utf8
        ]
    );
    assert!(!batch.schema().field(0).is_nullable());
    let (names, rows) = table(&batch);
    assert_eq!(names[1], "user");
    assert_eq!(
        rows[0][4..],
        [
            Cell::I64(2),
            Cell::F64(2.0),
            Cell::Bool(true),
            Cell::text("x"),
            Cell::Time(5),
            Cell::text("ann"),
        ]
    );
}

#[test]
fn labels_filter_and_group_through_the_series() {
    let mut schema = Schema::new(StreamKind::Metric, StreamSettings::default());
    schema.add_column("", "host", ColumnType::Label, "", "").unwrap();
    let id = schema.add_column("", "value", ColumnType::F64, "", "").unwrap();
    let stream = Arc::new(Stream::new(
        1,
        NamespaceId(1),
        "rows",
        0,
        schema,
        Arc::new(CommitCounter::at(0)),
    ));
    let series =
        stream.intern_series(["{}", "{host=\"a\"}", "{host=\"b\",x=\"1\"}", "{host=\"b\",x=\"2\"}"].into_iter());
    push_batch(
        &stream,
        &RowBatch {
            time: vec![1, 2, 3, 4],
            entity: series,
            columns: vec![BatchColumn {
                id,
                data: ColumnData::F64(vec![1.0, 2.0, 4.0, 8.0]),
                validity: None,
            }],
        },
    );
    let mut query = spec(vec![
        measure(Sum, "value"),
        measure(Distinct, "entity"),
        measure(Max, "host"),
    ]);
    query.group_by = by(&["host"]);
    let (_, rows) = table(&ask(&stream, query.clone()).unwrap().batch);
    assert_eq!(
        rows,
        [
            [Cell::text("a"), Cell::F64(2.0), Cell::I64(1), Cell::text("a")],
            [Cell::text("b"), Cell::F64(12.0), Cell::I64(2), Cell::text("b")],
            [Cell::Null, Cell::F64(1.0), Cell::I64(1), Cell::Null],
        ]
    );
    query.filter = Some(compare("host", NotEqual, &Cell::text("a")));
    let (_, rows) = table(&ask(&stream, query).unwrap().batch);
    assert_eq!(rows.len(), 1);
}

#[test]
fn order_keys_come_first_then_start_and_keys_with_nulls_last() {
    let stream = values(&[(0, "b", 1.0), (0, "a", 1.0), (0, "", 2.0), (0, "c", f64::NAN)]);
    let mut query = spec(vec![measure(Sum, "value")]);
    query.group_by = by(&["entity"]);
    let keys = |query: &v1::QuerySpec| -> Vec<Cell> {
        let (_, rows) = table(&ask(&stream, query.clone()).unwrap().batch);
        rows.into_iter().map(|mut row| row.swap_remove(0)).collect()
    };
    let (a, b, c) = (Cell::text("a"), Cell::text("b"), Cell::text("c"));
    assert_eq!(keys(&query), [a.clone(), b.clone(), c.clone(), Cell::Null]);
    query.order_by = vec![v1::OrderBy {
        column: "sum_value".to_owned(),
        descending: true,
    }];
    assert_eq!(keys(&query), [Cell::Null, a.clone(), b.clone(), c]);
    query.limit = 2;
    assert_eq!(keys(&query), [Cell::Null, a]);
    query.order_by[0].column = "nope".to_owned();
    let error = refused(ask(&stream, query));
    assert_eq!(
        (error.reason(), error.field()),
        ("UNKNOWN_COLUMN", "spec.order_by[0].column")
    );
}

#[test]
fn provenance_says_what_was_read_skipped_and_expected() {
    let stream = values(&[(0, "a", 1.0), (10, "a", f64::NAN), (20, "b", f64::NAN), (30, "b", 4.0)]);
    let mut query = spec(vec![measure(Sum, "value"), measure(Max, "value"), measure(Count, "")]);
    query.range = Some(v1::TimeRange {
        start_ns: Some(5),
        end_ns: None,
    });
    query.filter = Some(compare("entity", Equal, &Cell::text("b")));
    let answer = ask(&stream, query.clone()).unwrap();
    let made = &answer.provenance;
    assert_eq!((made.rows_scanned, made.rows_matched, made.nan_skipped), (3, 2, 2));
    assert_eq!(
        (made.commit, made.definition_version, made.tier),
        (1, 1, v1::Tier::Raw as i32)
    );
    assert!(!made.complete && made.measures.iter().all(|measure| measure.exact));
    assert_eq!(made.watermark_ns, stream.watermark(0));
    query.range = Some(v1::TimeRange {
        start_ns: None,
        end_ns: made.watermark_ns,
    });
    assert!(ask(&stream, query).unwrap().provenance.complete);
}

#[test]
fn a_quantile_of_many_values_states_its_error() {
    let rows: Vec<(i64, &str, f64)> = (0..2_000)
        .map(|i| (i, if i < 100 { "few" } else { "many" }, i as f64))
        .collect();
    let stream = values(&rows);
    let mut median = measure(Quantile, "value");
    median.quantile = 0.5;
    let mut query = spec(vec![median]);
    query.filter = Some(compare("entity", Equal, &Cell::text("few")));
    let answer = ask(&stream, query.clone()).unwrap();
    assert_eq!(table(&answer.batch).1, [[Cell::F64(49.0)]]);
    assert!(answer.provenance.measures[0].exact);
    query.filter = None;
    let answer = ask(&stream, query).unwrap();
    let [Cell::F64(estimate)] = table(&answer.batch).1[0][..] else {
        panic!("one number")
    };
    let made = &answer.provenance.measures[0];
    assert!(!made.exact && made.relative_error < 0.00542);
    assert!((estimate - 999.0).abs() <= 999.0 * made.relative_error);
}

#[test]
fn a_sum_of_integers_past_64_bits_is_refused_and_its_mean_is_not() {
    let stream = stream(&[("i", ColumnType::I64)]);
    push(
        &stream,
        &[
            (0, String::new(), vec![Cell::I64(i64::MAX)]),
            (1, String::new(), vec![Cell::I64(i64::MAX)]),
        ],
        false,
    );
    let error = refused(ask(&stream, spec(vec![measure(Sum, "i")])));
    assert_eq!((error.kind(), error.reason()), (Kind::OutOfRange, "SUM_OVERFLOW"));
    assert!(error.message().contains("sum_i"));
    let (_, rows) = table(&ask(&stream, spec(vec![measure(Mean, "i")])).unwrap().batch);
    assert_eq!(rows, [[Cell::F64(i64::MAX as f64)]]);
}

#[test]
fn refusals_name_the_field() {
    let stream = stream(&[("value", ColumnType::F64), ("city", ColumnType::Symbol)]);
    let check = |reason: &str, field: &str, change: &dyn Fn(&mut v1::QuerySpec)| {
        let mut query = spec(vec![measure(Count, "")]);
        change(&mut query);
        let error = refused(ask(&stream, query));
        assert_eq!(
            (error.kind(), error.reason(), error.field()),
            (Kind::InvalidArgument, reason, field)
        );
        error.message().to_owned()
    };
    let message = check("UNKNOWN_COLUMN", "spec.measures[0].column", &|query| {
        query.measures = vec![measure(Sum, "valeu")];
    });
    assert!(message.contains("did you mean \"value\"?"), "{message}");
    check("NOT_NUMERIC", "spec.measures[0].column", &|query| {
        query.measures = vec![measure(Sum, "city")];
    });
    check("NOT_NUMERIC", "spec.measures[0].column", &|query| {
        query.measures = vec![measure(Mean, "time")];
    });
    check("UNKNOWN_COLUMN", "spec.group_by[0].column", &|query| {
        query.group_by = by(&["nope"]);
    });
    check("GROUP_BY_TIME", "spec.group_by[0].column", &|query| {
        query.group_by = by(&["time"]);
    });
    check("DUPLICATE_GROUP_KEY", "spec.group_by[1].column", &|query| {
        query.group_by = by(&["user", "entity"]);
    });
    check("DUPLICATE_NAME", "spec.measures[0].name", &|query| {
        query.group_by = by(&["city"]);
        query.measures[0].name = "city".to_owned();
    });
    check("TYPE_MISMATCH", "spec.filter.not.compare.value", &|query| {
        let inner = compare("value", Equal, &Cell::text("x"));
        query.filter = Some(filter(v1::filter::Condition::Not(Box::new(inner))));
    });
    check("TYPE_MISMATCH", "spec.filter.all.filters[0].in.values[1]", &|query| {
        let set = v1::InSet {
            column: "city".to_owned(),
            values: vec![
                query_support::value(&Cell::text("x")).unwrap(),
                query_support::value(&Cell::I64(1)).unwrap(),
            ],
        };
        let list = v1::FilterList {
            filters: vec![filter(v1::filter::Condition::In(set))],
        };
        query.filter = Some(filter(v1::filter::Condition::All(list)));
    });
    check("NULL_IN_FILTER", "spec.filter.compare.value", &|query| {
        query.filter = Some(compare("value", Equal, &Cell::Null));
    });
    check("NAN_IN_FILTER", "spec.filter.compare.value", &|query| {
        query.filter = Some(compare("value", Greater, &Cell::F64(f64::NAN)));
    });
    check("UNKNOWN_COLUMN", "spec.filter.null.column", &|query| {
        query.filter = Some(is_null("nope", true));
    });
    check("TYPE_MISMATCH", "spec.filter.match.column", &|query| {
        query.filter = Some(like("value", v1::TextMatchKind::Prefix, "1"));
    });
}

#[test]
fn refusals_of_a_text_name_the_character() {
    let stream = stream(&[
        ("value", ColumnType::F64),
        ("city", ColumnType::Symbol),
        ("ok", ColumnType::Bool),
    ]);
    for (reason, text, message) in [
        (
            "UNKNOWN_COLUMN",
            "ok = true AND ctiy = x",
            "character 15: the stream has no column \"ctiy\"; did you mean \"city\"?",
        ),
        (
            "TYPE_MISMATCH",
            "value = \"1\"",
            "character 1: column \"value\" is compared with a number without quotes, got \"1\"",
        ),
        (
            "TYPE_MISMATCH",
            "value = high",
            "character 1: column \"value\" is compared with a number, got high",
        ),
        (
            "TYPE_MISMATCH",
            "(ok = 1)",
            "character 2: column \"ok\" is compared with true or false, without quotes, got 1",
        ),
        (
            "TYPE_MISMATCH",
            "time >= 2026",
            "character 1: column \"time\" is compared with a timestamp of RFC 3339 in quotes, got 2026",
        ),
        (
            "TYPE_MISMATCH",
            "in(value, 1, x)",
            "character 1: column \"value\" is compared with a number, got x",
        ),
        (
            "TYPE_MISMATCH",
            "value = 1*",
            "character 1: texts are matched with a pattern, column \"value\" has none",
        ),
        (
            "BAD_FILTER_TEXT",
            "city = ",
            "character 8: expected a value, got the end",
        ),
    ] {
        let mut query = spec(vec![measure(Count, "")]);
        query.filter_text = text.to_owned();
        let error = refused(ask(&stream, query));
        assert_eq!(
            (error.kind(), error.reason(), error.field(), error.message()),
            (Kind::InvalidArgument, reason, "spec.filter_text", message)
        );
    }
}

#[test]
fn a_tree_and_a_text_both_hold() {
    let stream = values(&[(0, "ann", 1.0), (1, "ann", 2.0), (2, "bob", 2.0)]);
    let mut query = spec(vec![measure(Count, "")]);
    query.filter = Some(compare("entity", Equal, &Cell::text("ann")));
    let count = |query: &v1::QuerySpec| table(&ask(&stream, query.clone()).unwrap().batch).1[0][0].clone();
    assert_eq!(count(&query), Cell::I64(2));
    query.filter_text = "value:2".to_owned();
    assert_eq!(count(&query), Cell::I64(1));
    query.filter = None;
    assert_eq!(count(&query), Cell::I64(2));
    query.filter_text = "entity:nn OR time >= \"1970-01-01T00:00:00.000000002Z\"".to_owned();
    assert_eq!(count(&query), Cell::I64(3));
}

#[test]
fn each_breach_of_the_budget_has_its_reason() {
    let stream = values(&[(0, "a", 1.0), (1, "b", 1.0), (2, "c", 1.0)]);
    let check = |reason: &str, budget: v1::Budget| {
        let mut query = spec(vec![measure(Count, "")]);
        query.group_by = by(&["entity"]);
        query.budget = Some(budget);
        let error = refused(ask(&stream, query));
        assert_eq!((error.kind(), error.reason()), (Kind::LimitExceeded, reason));
    };
    let none = v1::Budget::default();
    check("QUERY_ROWS_EXCEEDED", v1::Budget { max_rows: 2, ..none });
    check("QUERY_GROUPS_EXCEEDED", v1::Budget { max_groups: 2, ..none });
    check("QUERY_BYTES_EXCEEDED", v1::Budget { max_bytes: 8, ..none });
}

#[test]
fn a_deadline_that_passed_and_a_caller_who_left_end_the_query() {
    let stream = values(&[(0, "a", 1.0)]);
    let spec = Spec::new(spec(vec![measure(Count, "")])).unwrap();
    let late = Context {
        deadline_ns: Some(0),
        ..context()
    };
    let error = refused(run(&stream, &spec, &late));
    assert_eq!(error.kind(), Kind::DeadlineExceeded);
    assert!(error.message().contains("0 of at most 1 rows"), "{}", error.message());
    let left = context();
    left.cancelled.store(true, Ordering::Relaxed);
    assert_eq!(refused(run(&stream, &spec, &left)).kind(), Kind::Cancelled);
}

/// A clock whose deadline passes while blocks are read.
struct Ticking(ManualClock);

impl Clock for Ticking {
    fn now(&self) -> i64 {
        self.0.now()
    }

    fn monotonic_ns(&self) -> i64 {
        self.0.advance(1);
        self.0.monotonic_ns()
    }
}

#[test]
fn a_deadline_is_asked_for_every_few_blocks() {
    let rows: Vec<(i64, &str, f64)> = (0..512 * 1_024).map(|i| (i, "a", 1.0)).collect();
    let stream = values(&rows);
    let context = Context {
        deadline_ns: Some(6),
        ..Context::new(Arc::new(Ticking(ManualClock::at(0))))
    };
    let error = refused(run(
        &stream,
        &Spec::new(spec(vec![measure(Sum, "value")])).unwrap(),
        &context,
    ));
    assert!(
        error.message().contains("195584 of at most 524288 rows"),
        "{}",
        error.message()
    );
}

#[test]
fn rows_outside_the_range_have_no_window() {
    let stream = values(&[(-2, "a", 1.0), (0, "a", 2.0), (i64::MAX - 1, "a", 4.0)]);
    let mut query = spec(vec![measure(Count, "")]);
    query.range = Some(v1::TimeRange {
        start_ns: None,
        end_ns: Some(10),
    });
    query.window = tumbling(1);
    let starts = [-2, 0].map(|start| vec![Cell::Time(start), Cell::I64(1)]);
    assert_eq!(table(&ask(&stream, query).unwrap().batch).1, starts);
}

#[test]
fn a_range_at_either_end_of_time_holds_what_lies_in_it() {
    let stream = values(&[(i64::MIN + 1, "a", 1.0), (0, "a", 2.0), (i64::MAX - 1, "a", 4.0)]);
    let rows = |start_ns, end_ns, width: Option<i64>| {
        let mut query = spec(vec![measure(Count, "")]);
        query.range = Some(v1::TimeRange { start_ns, end_ns });
        query.window = width.and_then(tumbling);
        ask(&stream, query).unwrap().provenance.rows_matched
    };
    for width in [None, Some(1), Some(i64::MAX)] {
        let count = |start, end| rows(start, end, width);
        assert_eq!(count(None, Some(i64::MIN)), 0);
        assert_eq!(count(Some(i64::MIN), Some(i64::MIN)), 0);
        assert_eq!(count(None, Some(i64::MIN + 1)), 0);
        assert_eq!(count(None, Some(i64::MIN + 2)), 1);
        assert_eq!(count(None, Some(i64::MAX)), 3);
        assert_eq!(count(Some(i64::MIN), None), 3);
        assert_eq!(count(Some(i64::MAX - 1), None), 1);
        assert_eq!(count(Some(i64::MAX), None), 0);
    }
}

#[test]
fn a_moving_mean_reaches_from_the_first_instant_to_the_last() {
    let stream = values(&[(i64::MIN, "a", 1.0), (i64::MAX, "a", 3.0)]);
    let mut query = spec(vec![v1::Measure {
        count: 2,
        ..measure(v1::MeasureKind::Moving, "value")
    }]);
    query.window = tumbling(1);
    let (_, rows) = table(&ask(&stream, query).unwrap().batch);
    assert_eq!(
        rows,
        [
            [Cell::Time(i64::MIN), Cell::F64(1.0)],
            [Cell::Time(i64::MAX), Cell::F64(3.0)]
        ]
    );
}

#[test]
fn a_pruned_block_is_not_counted_as_scanned() {
    let rows: Vec<(i64, &str, f64)> = (0..4_096).map(|i| (i, "a", i as f64)).collect();
    let stream = values(&rows);
    let mut query = spec(vec![measure(Count, "")]);
    query.filter = Some(compare("value", Greater, &Cell::F64(4_000.0)));
    let answer = ask(&stream, query).unwrap();
    assert_eq!(
        (answer.provenance.rows_scanned, answer.provenance.rows_matched),
        (1_024, 95)
    );
}

/// Three million rows of awkward doubles in batches of uneven size.
fn many_lanes() -> Arc<Stream> {
    let stream = stream(&[("value", ColumnType::F64), ("tag", ColumnType::Text)]);
    let users: Vec<String> = (0..700).map(|user| format!("user-{user}")).collect();
    stream.intern_users(users.iter().map(String::as_str));
    let mut state = 9u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut total = 0;
    while total < 3_000_000 {
        let n = 1 + (random() % 90_000) as usize;
        let mut tags = marigram_core::column::TextData::default();
        (0..n).for_each(|_| tags.push(["x", "y", "zz"][(random() % 3) as usize]));
        let first = total as i64;
        push_batch(
            &stream,
            &RowBatch {
                time: (0..n as i64)
                    .map(|row| first + row + (random() % 5_000) as i64)
                    .collect(),
                entity: (0..n).map(|_| (random() % 700) as u32).collect(),
                columns: vec![
                    BatchColumn {
                        id: 5,
                        data: ColumnData::F64(
                            (0..n)
                                .map(|_| (random() as f64 - 9e18) * 2f64.powi((random() % 40) as i32))
                                .collect(),
                        ),
                        validity: None,
                    },
                    BatchColumn {
                        id: 6,
                        data: ColumnData::Text(tags),
                        validity: None,
                    },
                ],
            },
        );
        total += n;
    }
    stream
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let stream = many_lanes();
    let mut median = measure(Quantile, "value");
    median.quantile = 0.9;
    let measures = vec![
        measure(Sum, "value"),
        measure(Mean, "value"),
        measure(Min, "value"),
        measure(First, "tag"),
        measure(Last, "value"),
        measure(Max, "tag"),
        measure(Distinct, "tag"),
        measure(Distinct, "entity"),
        measure(Count, ""),
        median,
    ];
    for (window, keys) in [
        (None, vec![]),
        (Some(1_000_000), vec!["tag"]),
        (None, vec!["entity"]),
        (Some(500_000), vec![]),
    ] {
        let mut query = spec(measures.clone());
        query.window = window.and_then(tumbling);
        query.group_by = by(&keys);
        let spec = Spec::new(query).unwrap();
        let bytes = |pool: Option<Arc<Pool>>| {
            let context = Context { pool, ..context() };
            run(&stream, &spec, &context).unwrap().to_arrow(1 << 20).unwrap()
        };
        let alone = bytes(None);
        for threads in [1, 2, 4] {
            assert_eq!(
                bytes(Some(Arc::new(Pool::new(threads)))),
                alone,
                "{threads} threads, by {keys:?}"
            );
        }
    }
}

#[test]
fn a_large_answer_wants_to_be_streamed() {
    let rows: Vec<(i64, &str, f64)> = (0..200_000).map(|i| (i, "a", i as f64)).collect();
    let stream = stream(&[("value", ColumnType::F64)]);
    for part in rows.chunks(100_000) {
        let part: Vec<_> = part
            .iter()
            .map(|(time, entity, value)| (*time, (*entity).to_owned(), vec![Cell::F64(*value)]))
            .collect();
        push(&stream, &part, false);
    }
    let mut query = spec(vec![measure(Sum, "value"), measure(Count, "")]);
    query.window = tumbling(1);
    let answer = ask(&stream, query).unwrap();
    let limits = QueryLimits::default();
    let error = answer.clone().into_response(&limits).unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (Kind::LimitExceeded, "RESULT_TOO_LARGE")
    );
    assert!(error.message().contains("StreamQuery"));
    let expected = answer.batch.clone();
    let frames = answer.into_frames(&limits).unwrap();
    assert!(frames.len() > 3 && frames.iter().all(|frame| frame.len() <= limits.frame_bytes));
    let frames: Vec<_> = frames
        .iter()
        .map(|frame| v1::StreamQueryResponse::decode(&frame[..]).unwrap())
        .collect();
    let (last, others) = frames.split_last().unwrap();
    assert!(last.provenance.is_some() && others.iter().all(|frame| frame.provenance.is_none()));
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.arrow.iter().copied()).collect();
    let reader = arrow_ipc::reader::StreamReader::try_new(&bytes[..], None).unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert!(batches.len() > 1);
    let rows: Vec<_> = batches.iter().flat_map(|batch| table(batch).1).collect();
    assert_eq!(rows, table(&expected).1);
}

/// A clock that lets something happen whenever it is read.
struct Happening<F>(F);

impl<F: Fn() + Send + Sync> Clock for Happening<F> {
    fn now(&self) -> i64 {
        (self.0)();
        1_000_000_000_000
    }

    fn monotonic_ns(&self) -> i64 {
        0
    }
}

#[test]
fn an_answer_is_complete_only_if_it_has_the_rows_that_moved_the_watermark() {
    let stream = values(&[(0, "a", 1.0)]);
    let late = Arc::clone(&stream);
    let arrives = move || {
        let row = |time| (time, "a".to_owned(), vec![Cell::F64(2.0)]);
        push(&late, &[row(5), row(500_000_000_000)], false);
    };
    let mut query = spec(vec![measure(Count, "")]);
    query.range = Some(v1::TimeRange {
        start_ns: Some(0),
        end_ns: Some(10),
    });
    let context = Context::new(Arc::new(Happening(arrives)));
    let spec = Spec::new(query).unwrap();
    let answer = run(&stream, &spec, &context).unwrap();
    let rows = &table(&answer.batch).1;
    assert!(!answer.provenance.complete || *rows == [[Cell::I64(2)]], "{rows:?}");
}

#[test]
fn a_range_that_ends_where_time_begins_is_empty() {
    let stream = values(&[(0, "a", 1.0)]);
    let mut query = spec(vec![measure(Count, "")]);
    query.range = Some(v1::TimeRange {
        start_ns: Some(i64::MIN),
        end_ns: Some(i64::MIN),
    });
    assert_eq!(table(&ask(&stream, query).unwrap().batch).1, [[Cell::I64(0)]]);
}
