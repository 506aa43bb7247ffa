use proptest::prelude::*;
use prost::Message;

use crate::column::{ColumnType, StreamKind, StreamSettings};
use crate::error::Kind;
use crate::ingest::prepare::MAX_AHEAD_NS;
use crate::ingest::testing::{
    OneStream, batch, column, f64s, i64s, labels, refused, send, stored, strings, symbols, table, valid, write,
};
use crate::wire::v1::{self, batch_column::Values};

const METRIC: Option<StreamKind> = Some(StreamKind::Metric);
const EVENT: Option<StreamKind> = Some(StreamKind::Event);

fn strict() -> StreamSettings {
    StreamSettings {
        strict: true,
        ..StreamSettings::default()
    }
}

/// Reason and field of the refusal, which must leave the stream as it was.
#[track_caller]
fn refusal(streams: &OneStream, batch: &v1::Batch, kind: Option<StreamKind>) -> (&'static str, String) {
    let before = streams.0.lock().unwrap().as_ref().map(|stream| stream.schema());
    let error = write(streams, batch, kind).unwrap_err();
    let after = streams.0.lock().unwrap().as_ref().map(|stream| stream.schema());
    assert_eq!(before, after);
    (error.reason(), error.field().to_owned())
}

#[test]
fn a_first_write_makes_a_metric_stream_and_its_columns() {
    let streams = OneStream::default();
    let columns = vec![
        f64s("v", &[1.5, f64::NAN]),
        i64s("n", &[1, -1]),
        symbols("s", &["a", ""]),
        column("t", Values::Text(strings(&["x", "y"]))),
        column("b", Values::Boolean(vec![0b10])),
        labels("host", &["h1", ""]),
    ];
    let prepared = write(&streams, &batch(&[-2, -1], columns), None).unwrap();
    assert_eq!(streams.stream().schema().kind, StreamKind::Metric);
    let types = [
        ("v", ColumnType::F64),
        ("n", ColumnType::I64),
        ("s", ColumnType::Symbol),
        ("t", ColumnType::Text),
        ("b", ColumnType::Bool),
        ("host", ColumnType::Label),
    ];
    assert_eq!(
        streams.columns(),
        types.map(|(name, column_type)| (name.to_owned(), column_type))
    );
    let rows = stored(&prepared);
    assert_eq!(rows["time"], ["-2", "-1"]);
    assert_eq!(rows["entity"], ["{host=\"h1\"}", "{}"]);
    assert_eq!(rows["v"], ["1.5", "NaN"]);
    assert_eq!(rows["n"], ["1", "-1"]);
    assert_eq!(rows["s"], ["a", ""]);
    assert_eq!(rows["t"], ["x", "y"]);
    assert_eq!(rows["b"], ["false", "true"]);
    assert_eq!((prepared.received, prepared.rejected.total()), (2, 0));
}

#[test]
fn nulls_stay_nulls_whatever_lies_there() {
    let streams = OneStream::default();
    let mut out_of_range = symbols("s", &["a", "b", "c"]);
    if let Some(Values::Symbol(strings)) = &mut out_of_range.values {
        strings.codes[2] = 99;
    }
    let columns = vec![valid(out_of_range, 0b101), valid(f64s("v", &[1.0, 2.0, 3.0]), 0b110)];
    let rows = stored(&write(&streams, &batch(&[0, 0, 0], columns), METRIC).unwrap());
    assert_eq!(rows["s"], ["a", "~", "c"]);
    assert_eq!(rows["v"], ["~", "2", "3"]);
}

#[test]
fn users_are_the_entity_of_an_event_stream() {
    let streams = OneStream::default();
    let columns = vec![
        valid(symbols("user", &["u", "", "w"]), 0b011),
        symbols("event", &["a", "b", "c"]),
    ];
    let rows = stored(&write(&streams, &batch(&[0, 0, 0], columns), EVENT).unwrap());
    assert_eq!(rows["entity"], ["u", "~", "~"]);
    assert_eq!(rows["event"], ["a", "b", "c"]);
    let numbers = batch(&[0], vec![f64s("user", &[1.0])]);
    assert_eq!(
        refusal(&streams, &numbers, EVENT),
        ("WRONG_COLUMN_TYPE", "batch.columns[0].f64".into())
    );
    let label = batch(&[0], vec![labels("host", &["a"])]);
    assert_eq!(refusal(&streams, &label, EVENT).0, "LABEL_IN_EVENT_STREAM");
    let mut series = batch(&[0], vec![]);
    series.series = Some(table(&[&[]], &[0]));
    assert_eq!(
        refusal(&streams, &series, EVENT),
        ("LABEL_IN_EVENT_STREAM", "batch.series".into())
    );
}

#[test]
fn a_series_table_names_the_series_of_each_row() {
    let streams = OneStream::default();
    let mut rows = batch(&[0, 0, 0, 0], vec![f64s("v", &[1.0, 2.0, 3.0, 4.0])]);
    let long = "x".repeat(4_097);
    let series: [&[(&str, &str)]; 6] = [
        &[("zone", "z"), ("host", "a")],
        &[("host", "a"), ("zone", "z"), ("gone", "")],
        &[("host", "a"), ("host", "b")],
        &[("v", "a")],
        &[("host", &long)],
        &[("unused", "not interned")],
    ];
    rows.series = Some(table(&series, &[0, 1, 2, 3]));
    let prepared = write(&streams, &rows, METRIC).unwrap();
    assert_eq!(stored(&prepared)["entity"], ["{host=\"a\",zone=\"z\"}"; 2]);
    assert_eq!(stored(&prepared)["v"], ["1", "2"]);
    let bad = [(2, "BAD_LABELS", "host".to_owned()), (3, "BAD_LABELS", "v".to_owned())];
    assert_eq!(refused(&prepared), bad);
    assert_eq!(streams.stream().entities().dictionary.len(), 2);
    let names: Vec<_> = streams.columns().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["v", "zone", "host"]);
    rows.series = Some(table(&series, &[4, 0, 0, 0]));
    assert_eq!(
        refused(&write(&streams, &rows, METRIC).unwrap()),
        [(0, "SYMBOL_TOO_LONG", "host".into())]
    );
}

#[test]
fn label_columns_and_a_series_table_name_the_same_series() {
    let (by_column, by_table) = (OneStream::default(), OneStream::default());
    let columns = vec![labels("host", &["a", "b", "a"]), labels("zone", &["x", "x", ""])];
    let one = write(&by_column, &batch(&[0, 0, 0], columns), METRIC).unwrap();
    let mut rows = batch(&[0, 0, 0], vec![]);
    let series: [&[(&str, &str)]; 3] = [
        &[("zone", "x"), ("host", "a")],
        &[("host", "b"), ("zone", "x")],
        &[("host", "a")],
    ];
    rows.series = Some(table(&series, &[0, 1, 2]));
    let other = write(&by_table, &rows, METRIC).unwrap();
    assert_eq!(stored(&one)["entity"], stored(&other)["entity"]);
    assert_eq!(
        stored(&one)["entity"],
        ["{host=\"a\",zone=\"x\"}", "{host=\"b\",zone=\"x\"}", "{host=\"a\"}"]
    );
}

#[test]
fn a_series_table_means_the_same_the_second_time() {
    let streams = OneStream::default();
    let series: [&[(&str, &str)]; 2] = [&[("host", "a")], &[("host", "b"), ("zone", "x")]];
    let mut rows = batch(&[0, 0, 0], vec![]);
    rows.series = Some(table(&series, &[0, 1, 0]));
    let first = write(&streams, &rows, METRIC).unwrap();
    rows.series = Some(table(&series, &[1, 1, 0]));
    let second = write(&streams, &rows, METRIC).unwrap();
    assert_eq!(
        stored(&first)["entity"],
        ["{host=\"a\"}", "{host=\"b\",zone=\"x\"}", "{host=\"a\"}"]
    );
    assert_eq!(
        stored(&second)["entity"],
        ["{host=\"b\",zone=\"x\"}", "{host=\"b\",zone=\"x\"}", "{host=\"a\"}"]
    );
    // The rows of a known table are judged all the same, and quarantined with their labels.
    let mut future = batch(&[0, 3_600_000_000_000, 0], vec![]);
    future.series = Some(table(&series, &[0, 1, 0]));
    let third = write(&streams, &future, METRIC).unwrap();
    assert_eq!(refused(&third), [(1, "TIME_IN_FUTURE", String::new())]);
    let kept = v1::Event::decode(&*third.quarantine[0].values).unwrap();
    assert_eq!(kept.properties["zone"].kind, Some(v1::value::Kind::Text("x".into())));
}

#[test]
fn a_series_table_with_a_fault_is_judged_each_time() {
    let streams = OneStream::default();
    let series: [&[(&str, &str)]; 2] = [&[("host", "a")], &[("host", "a"), ("host", "b")]];
    let mut rows = batch(&[0, 0], vec![]);
    rows.series = Some(table(&series, &[0, 1]));
    for _ in 0..2 {
        assert_eq!(
            refused(&write(&streams, &rows, METRIC).unwrap()),
            [(1, "BAD_LABELS", "host".into())]
        );
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused_by_field() {
    let streams = OneStream::default();
    let ok = || batch(&[0, 0], vec![f64s("v", &[1.0, 2.0])]);
    let check = |batch: v1::Batch, reason, field: &str| {
        assert_eq!(refusal(&streams, &batch, METRIC), (reason, field.to_owned()));
    };
    check(v1::Batch { rows: 0, ..ok() }, "ROWS_OUT_OF_RANGE", "batch.rows");
    check(v1::Batch { rows: 1 << 21, ..ok() }, "ROWS_OUT_OF_RANGE", "batch.rows");
    check(v1::Batch { rows: 3, ..ok() }, "UNEQUAL_LENGTHS", "batch.time");
    check(v1::Batch { time: vec![], ..ok() }, "TIME_MISSING", "batch.time");
    check(v1::Batch { arrow: vec![1], ..ok() }, "NOT_SERVED", "batch.arrow");
    let with = |column| batch(&[0, 0], vec![column]);
    check(with(f64s("v", &[1.0])), "UNEQUAL_LENGTHS", "batch.columns[0].f64");
    check(
        with(column("b", Values::Boolean(vec![]))),
        "UNEQUAL_LENGTHS",
        "batch.columns[0].boolean",
    );
    check(
        with(symbols("s", &["a"])),
        "UNEQUAL_LENGTHS",
        "batch.columns[0].symbol.codes",
    );
    let state = column("s", Values::State(strings(&["a", "b"])));
    check(with(state), "NOT_SERVED", "batch.columns[0].state");
    let none = v1::BatchColumn {
        name: "v".into(),
        ..v1::BatchColumn::default()
    };
    check(with(none), "VALUES_MISSING", "batch.columns[0]");
    let mut bits = f64s("v", &[1.0, 2.0]);
    bits.validity = vec![1, 0];
    check(with(bits), "UNEQUAL_LENGTHS", "batch.columns[0].validity");
    let coded = |codes: &[u8], code_width| {
        column(
            "s",
            Values::Symbol(v1::StringColumn {
                values: vec!["a".into()],
                codes: codes.to_vec(),
                code_width,
            }),
        )
    };
    check(
        with(coded(&[0, 1], 1)),
        "CODE_OUT_OF_RANGE",
        "batch.columns[0].symbol.codes",
    );
    check(
        with(coded(&[0, 0], 3)),
        "BAD_CODE_WIDTH",
        "batch.columns[0].symbol.code_width",
    );
    let two = batch(&[0], vec![f64s("v", &[1.0]), f64s("w", &[1.0]), f64s("v", &[1.0])]);
    check(two, "DUPLICATE_COLUMN", "batch.columns[2].name");
    for (name, reason) in [
        ("", "BAD_NAME"),
        ("a\0b", "BAD_NAME"),
        ("time", "RESERVED_NAME"),
        ("entity", "RESERVED_NAME"),
    ] {
        check(batch(&[0], vec![f64s(name, &[1.0])]), reason, "batch.columns[0].name");
    }
    check(
        batch(&[0], vec![f64s(&"n".repeat(4_096), &[1.0])]),
        "BAD_NAME",
        "batch.columns[0].name",
    );
    let many: Vec<_> = (0..1_025).map(|i| f64s(&format!("c{i}"), &[0.0])).collect();
    check(batch(&[0], many), "TOO_MANY_COLUMNS", "batch.columns");
    let mut both = batch(&[0], vec![labels("host", &["a"])]);
    both.series = Some(table(&[&[]], &[0]));
    check(both, "LABELS_AND_SERIES", "batch.series");
    let mut index = batch(&[0], vec![]);
    index.series = Some(table(&[&[]], &[1]));
    check(index, "CODE_OUT_OF_RANGE", "batch.series.index");
    assert!(streams.0.lock().unwrap().is_none());
}

#[test]
fn a_strict_stream_takes_declared_columns_only() {
    let streams = OneStream::with(StreamKind::Metric, strict(), &[("v", ColumnType::F64)]);
    let unknown = batch(&[0], vec![f64s("w", &[1.0])]);
    assert_eq!(
        refusal(&streams, &unknown, None),
        ("UNKNOWN_COLUMN", "batch.columns[0].name".into())
    );
    let label = batch(&[0], vec![labels("host", &["a"])]);
    assert_eq!(refusal(&streams, &label, None).0, "UNKNOWN_COLUMN");
    let mut rows = batch(&[0, 0], vec![f64s("v", &[1.0, 2.0])]);
    rows.series = Some(table(&[&[("host", "a")], &[]], &[0, 1]));
    let prepared = write(&streams, &rows, None).unwrap();
    assert_eq!(refused(&prepared), [(0, "UNKNOWN_COLUMN", "host".into())]);
    assert_eq!(stored(&prepared)["v"], ["2"]);
}

#[test]
fn kinds_and_types_must_agree() {
    let columns = [
        ("v", ColumnType::F64),
        ("n", ColumnType::I64),
        ("t", ColumnType::Text),
        ("s", ColumnType::Symbol),
    ];
    let streams = OneStream::with(StreamKind::Metric, StreamSettings::default(), &columns);
    let error = write(&streams, &batch(&[0], vec![]), EVENT).unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (Kind::FailedPrecondition, "STREAM_KIND_MISMATCH")
    );
    for column in [
        symbols("v", &["a"]),
        labels("v", &["a"]),
        f64s("s", &[1.0]),
        column("n", Values::Timestamp(vec![0; 8])),
    ] {
        assert_eq!(
            refusal(&streams, &batch(&[0], vec![column]), None).0,
            "WRONG_COLUMN_TYPE"
        );
    }
    let swapped = vec![symbols("t", &["text"]), column("s", Values::Text(strings(&["symbol"])))];
    let rows = stored(&write(&streams, &batch(&[0], swapped), None).unwrap());
    assert_eq!((rows["t"][0].as_str(), rows["s"][0].as_str()), ("text", "symbol"));
}

#[test]
fn numbers_that_do_not_fit_their_column_quarantine_their_rows() {
    let columns = [("v", ColumnType::F64), ("n", ColumnType::I64)];
    let streams = OneStream::with(StreamKind::Metric, StreamSettings::default(), &columns);
    let big = (1i64 << 53) + 1;
    let rows = vec![
        i64s("v", &[1 << 53, big, -big, i64::MIN]),
        valid(f64s("n", &[1.0, 2.0, 3.0, 4.0]), 0b1000),
    ];
    let prepared = write(&streams, &batch(&[0; 4], rows), None).unwrap();
    let wanted = [
        (1, "INTEGER_TOO_LARGE", "v".to_owned()),
        (2, "INTEGER_TOO_LARGE", "v".to_owned()),
        (3, "INTEGER_TOO_LARGE", "v".to_owned()),
    ];
    assert_eq!(refused(&prepared), wanted);
    assert_eq!(stored(&prepared)["v"], ["9007199254740992"]);
    assert_eq!(stored(&prepared)["n"], ["~"]);
    let float = write(&streams, &batch(&[0, 0], vec![f64s("n", &[1.0, 2.0])]), None).unwrap();
    assert!(float.batch.is_none());
    assert_eq!(
        float
            .rejected
            .iter()
            .map(|(reason, rows)| (reason.name(), rows))
            .collect::<Vec<_>>(),
        [("TYPE_MISMATCH", 2)]
    );
}

#[test]
fn rows_outside_the_times_taken_are_quarantined_with_their_values() {
    let settings = StreamSettings {
        max_age_ns: Some(1_000),
        ..StreamSettings::default()
    };
    let streams = OneStream::with(StreamKind::Metric, settings, &[]);
    let columns = vec![f64s("v", &[1.0, 2.0, 3.0, 4.0]), labels("host", &["a", "b", "c", "d"])];
    let prepared = write(
        &streams,
        &batch(&[-1_001, -1_000, MAX_AHEAD_NS, MAX_AHEAD_NS + 1], columns),
        None,
    )
    .unwrap();
    assert_eq!(
        refused(&prepared),
        [(0, "TIME_TOO_OLD", String::new()), (3, "TIME_IN_FUTURE", String::new())]
    );
    assert_eq!(stored(&prepared)["v"], ["2", "3"]);
    let event = v1::Event::decode(&*prepared.quarantine[1].values).unwrap();
    assert_eq!(event.properties["host"].kind, Some(v1::value::Kind::Text("d".into())));
    assert_eq!(event.properties["v"].kind, Some(v1::value::Kind::F64(4.0)));
    // Only what stored rows use has been interned.
    assert_eq!(streams.stream().entities().dictionary.len(), 3);
    assert_eq!(prepared.errors.len(), 2);
}

#[test]
fn strings_that_are_too_long_cost_their_rows_alone() {
    let streams = OneStream::default();
    let (symbol, text) = ("s".repeat(4_097), "t".repeat(65_537));
    let columns = vec![
        symbols("s", &["a", &symbol, "c"]),
        column("t", Values::Text(strings(&["x", &symbol, &text]))),
    ];
    let prepared = write(&streams, &batch(&[0; 3], columns), None).unwrap();
    assert_eq!(
        refused(&prepared),
        [(1, "SYMBOL_TOO_LONG", "s".into()), (2, "TEXT_TOO_LONG", "t".into())]
    );
    assert_eq!(stored(&prepared)["s"], ["a"]);
}

#[test]
fn an_atomic_batch_is_stored_whole_or_not_at_all() {
    let streams = OneStream::default();
    let columns = vec![symbols("s", &["a", "b"])];
    let error = send(&streams, &batch(&[0, 2 * MAX_AHEAD_NS], columns.clone()), None, true).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::InvalidArgument, "ROWS_REJECTED"));
    assert!(error.message().contains("row 1: TIME_IN_FUTURE"), "{}", error.message());
    assert!(streams.0.lock().unwrap().is_none());
    assert_eq!(
        send(&streams, &batch(&[0, 0], columns), None, true)
            .unwrap()
            .rejected
            .total(),
        0
    );
}

#[test]
fn a_batch_without_a_good_row_adds_no_column() {
    let streams = OneStream::default();
    let prepared = write(&streams, &batch(&[2 * MAX_AHEAD_NS], vec![f64s("v", &[1.0])]), None).unwrap();
    assert!(prepared.batch.is_none());
    assert_eq!((prepared.received, prepared.rejected.total()), (1, 1));
    assert_eq!(streams.columns(), []);
}

#[test]
fn rows_behind_the_watermark_are_late_and_stored() {
    let streams = OneStream::default();
    let first = write(&streams, &batch(&[0], vec![]), None).unwrap();
    assert_eq!(first.late, 0);
    let stream = streams.stream();
    let policy = stream.policy();
    stream
        .watermark_state()
        .observe(crate::ingest::testing::NOW, crate::ingest::testing::NOW, &policy);
    let second = write(&streams, &batch(&[-20_000_000_000, -10_000_000_000, 0], vec![]), None).unwrap();
    assert_eq!(second.late, 1);
    assert_eq!(stored(&second)["time"].len(), 3);
}

fn any_column(rows: usize) -> impl Strategy<Value = v1::BatchColumn> {
    let bytes = |n: usize| prop::collection::vec(any::<u8>(), n);
    let strings = (
        prop::collection::vec("[a-c]{0,2}", 1..4),
        prop::collection::vec(0u8..5, rows),
        0u32..3,
    )
        .prop_map(|(values, codes, code_width)| v1::StringColumn {
            values,
            codes,
            code_width,
        });
    let values = prop_oneof![
        bytes(rows * 8).prop_map(Values::F64),
        bytes(rows * 8).prop_map(Values::I64),
        bytes(rows.div_ceil(8)).prop_map(Values::Boolean),
        strings.clone().prop_map(Values::Symbol),
        strings.clone().prop_map(Values::Text),
        strings.prop_map(Values::Label),
    ];
    ("[a-d]{1,2}", values, prop_oneof![Just(vec![]), bytes(rows.div_ceil(8))]).prop_map(|(name, values, validity)| {
        v1::BatchColumn {
            name,
            values: Some(values),
            validity,
        }
    })
}

fn any_batch() -> impl Strategy<Value = v1::Batch> {
    (1usize..20).prop_flat_map(|rows| {
        let times = prop::collection::vec(-2 * MAX_AHEAD_NS..2 * MAX_AHEAD_NS, rows);
        let series = prop::collection::vec(0u8..3, rows).prop_map(|index| {
            let series: [&[(&str, &str)]; 3] = [&[("a", "1")], &[("e", "2"), ("a", "")], &[]];
            table(&series, &index)
        });
        (
            times,
            prop::collection::vec(any_column(rows), 0..4),
            prop::option::of(series),
        )
            .prop_map(|(times, columns, series)| v1::Batch {
                series,
                ..batch(&times, columns)
            })
    })
}

proptest! {
    #[test]
    fn fuzz_every_row_is_stored_or_refused(batches in prop::collection::vec(any_batch(), 1..4), kind in 1u8..3) {
        let streams = OneStream::default();
        for batch in batches {
            if let Ok(prepared) = write(&streams, &batch, StreamKind::from_number(kind)) {
                let rows = stored(&prepared);
                let count = prepared.batch.as_ref().map_or(0, |packed| packed.rows() as u64);
                prop_assert_eq!(prepared.received, count + prepared.rejected.total());
                prop_assert_eq!(prepared.quarantine.len() as u64, prepared.rejected.total());
                prop_assert!(rows.values().all(|values| values.len() as u64 == count));
            }
        }
    }

    #[test]
    fn fuzz_broken_batches_never_panic(batch in any_batch(), at in any::<prop::sample::Index>(), byte: u8) {
        let streams = OneStream::default();
        let mut bytes = batch.encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(batch) = v1::Batch::decode(&*bytes) {
            let _ = write(&streams, &batch, None);
        }
    }
}
