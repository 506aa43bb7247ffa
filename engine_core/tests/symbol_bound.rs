//! A symbol column past its bound of distinct values turns to text, and queries answer over both forms as over one.

mod query_support;
mod store_support;

use std::sync::{Arc, mpsc};

use marigram_core::column::ColumnType;
use marigram_core::column::schema::MAX_SYMBOLS;
use marigram_core::ingest::{Ingest, WriteMethod};
use marigram_core::store::Stream;
use marigram_core::wire::v1::{self, batch_column::Values};
use prost::Message;
use query_support::{Cell, ask, by, compare, filter, measure, spec, table, value};
use store_support::{Bed, NOW};
use v1::ComparisonOperator::{Equal, Greater, NotEqual};
use v1::MeasureKind::{Count, Distinct, Max, Min};

fn send<T: Message + Default>(bed: &Bed, ingest: &Ingest, method: WriteMethod, request: &impl Message) -> T {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |answer| drop(sender.send(answer)));
    ingest.submit(bed.ns, method, Box::new(request.encode_to_vec()), done);
    T::decode(&*receiver.recv().unwrap().unwrap()).unwrap()
}

/// Stores a row for each text, in columns.
fn write(bed: &Bed, ingest: &Ingest, texts: &[&str]) {
    let strings = v1::StringColumn {
        values: texts.iter().map(|&text| text.to_owned()).collect(),
        codes: (0..texts.len() as u8).collect(),
        code_width: 1,
    };
    let request = v1::WriteRequest {
        stream: "rows".into(),
        kind: v1::StreamKind::Event as i32,
        batch: Some(v1::Batch {
            rows: texts.len() as u32,
            time: texts.iter().flat_map(|_| NOW.to_le_bytes()).collect(),
            columns: vec![v1::BatchColumn {
                name: "s".into(),
                values: Some(Values::Symbol(strings)),
                validity: Vec::new(),
            }],
            ..v1::Batch::default()
        }),
        ..v1::WriteRequest::default()
    };
    let answer: v1::WriteResponse = send(bed, ingest, WriteMethod::Write, &request);
    assert_eq!(answer.stored, texts.len() as u64);
}

/// Stores a row for each text, as an event; none: null.
fn track(bed: &Bed, ingest: &Ingest, texts: &[Option<&str>]) {
    let value = |text: &str| v1::Value {
        kind: Some(v1::value::Kind::Text(text.to_owned())),
    };
    let event = |text: &Option<&str>| v1::Event {
        event: "seen".into(),
        time_ns: Some(NOW),
        properties: text.iter().map(|text| ("s".to_owned(), value(text))).collect(),
        ..v1::Event::default()
    };
    let request = v1::TrackEventsRequest {
        stream: "rows".into(),
        events: texts.iter().map(event).collect(),
        ..v1::TrackEventsRequest::default()
    };
    let answer: v1::TrackEventsResponse = send(bed, ingest, WriteMethod::TrackEvents, &request);
    assert!(answer.results.iter().all(|result| result.stored));
}

fn column_type(stream: &Stream) -> ColumnType {
    stream.schema().column("s").unwrap().column_type
}

/// Rows by text, in the answer's order.
fn counts(stream: &Arc<Stream>, filter: Option<v1::Filter>) -> Vec<(Cell, i64)> {
    let grouped = v1::QuerySpec {
        group_by: by(&["s"]),
        filter,
        ..spec(vec![measure(Count, "")])
    };
    let (_, rows) = table(&ask(stream, grouped).unwrap().batch);
    let row = |row: Vec<Cell>| match &row[..] {
        [text, Cell::I64(rows)] => (text.clone(), *rows),
        other => panic!("no text and count: {other:?}"),
    };
    rows.into_iter().map(row).collect()
}

fn expect(stream: &Arc<Stream>) {
    let text = Cell::text;
    let all = [
        (text("a"), 3),
        (text("b"), 1),
        (text("c"), 2),
        (text("d"), 2),
        (text("e"), 1),
        (Cell::Null, 1),
    ];
    assert_eq!(counts(stream, None), all);
    // A value that is stored in both forms, one that is in rows alone, and one of the dictionary alone.
    for (name, rows) in [("a", 3), ("d", 2), ("b", 1)] {
        assert_eq!(
            counts(stream, Some(compare("s", Equal, &text(name)))),
            [(text(name), rows)]
        );
    }
    assert_eq!(counts(stream, Some(compare("s", Equal, &text("f")))), []);
    assert_eq!(counts(stream, Some(compare("s", Greater, &text("b")))), all[2..5]);
    assert_eq!(counts(stream, Some(compare("s", NotEqual, &text("c")))).len(), 4);
    let set = v1::InSet {
        column: "s".into(),
        values: [text("e"), text("b")].iter().filter_map(value).collect(),
    };
    let set = filter(v1::filter::Condition::In(set));
    assert_eq!(counts(stream, Some(set)), [(text("b"), 1), (text("e"), 1)]);
    let measures = [Distinct, Min, Max, Count].map(|kind| measure(kind, "s"));
    let (_, rows) = table(&ask(stream, spec(measures.to_vec())).unwrap().batch);
    assert_eq!(rows, [[Cell::I64(5), text("a"), text("e"), Cell::I64(9)]]);
}

#[test]
fn a_symbol_past_its_bound_turns_to_text_and_answers_as_before() {
    let mut bed = Bed::new();
    let ingest = Ingest::new(Arc::clone(&bed.store), 1);
    write(&bed, &ingest, &["a", "b", "a"]);
    let stream = bed.store.stream(bed.ns, "rows").unwrap();
    let id = stream.schema().column("s").unwrap().id;
    let others: Vec<String> = (3..MAX_SYMBOLS).map(|at| format!("other {at}")).collect();
    stream.symbols(id).intern(others.iter().map(String::as_str));
    write(&bed, &ingest, &["c"]);
    assert_eq!(column_type(&stream), ColumnType::Symbol); // full, to the last value
    write(&bed, &ingest, &["d", "a"]);
    assert_eq!(column_type(&stream), ColumnType::Text);
    track(&bed, &ingest, &[Some("c"), Some("e"), None, Some("d")]);
    assert_eq!(
        stream.symbols(id).dictionary.read().unwrap().len() as usize,
        1 + MAX_SYMBOLS
    );
    expect(&stream);
    drop((ingest, stream));
    bed.reopen();
    let stream = bed.store.stream(bed.ns, "rows").unwrap();
    assert_eq!(column_type(&stream), ColumnType::Text);
    expect(&stream);
    // The part has texts throughout.
    bed.store.seal(&stream).unwrap();
    expect(&stream);
    bed.store.verify().unwrap();
}
