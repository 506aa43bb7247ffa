use std::collections::HashMap;

use prost::Message;

use crate::column::{ColumnType, StreamKind, StreamSettings};
use crate::error::Result;
use crate::ingest::prepare::{MAX_AHEAD_NS, Prepared};
use crate::ingest::testing::{NOW, OneStream, refused, stored, terms};
use crate::wire::envelope::Envelope;
use crate::wire::events::EventsView;
use crate::wire::v1::{self, value::Kind};

fn track(streams: &OneStream, events: Vec<v1::Event>) -> Result<Prepared> {
    send(streams, events, false)
}

fn send(streams: &OneStream, events: Vec<v1::Event>, atomic: bool) -> Result<Prepared> {
    let bytes = v1::TrackEventsRequest {
        events,
        ..v1::TrackEventsRequest::default()
    }
    .encode_to_vec();
    let view = EventsView::of(&Envelope::of_events(&bytes)?)?;
    super::track("s", &view, &terms(streams, atomic))
}

fn event(user: &str, properties: &[(&str, Kind)]) -> v1::Event {
    let value = |kind: &Kind| v1::Value {
        kind: Some(kind.clone()),
    };
    v1::Event {
        event: "buy".into(),
        user: user.into(),
        properties: properties
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), value(kind)))
            .collect::<HashMap<_, _>>(),
        ..v1::Event::default()
    }
}

fn text(text: &str) -> Kind {
    Kind::Text(text.into())
}

#[test]
fn properties_become_columns_by_their_first_value() {
    let streams = OneStream::default();
    let events = vec![
        event("u", &[("price", Kind::F64(1.5)), ("paid", Kind::Boolean(true))]),
        event(
            "",
            &[
                ("price", Kind::I64(2)),
                ("from", text("web")),
                ("at", Kind::TimestampNs(5)),
            ],
        ),
    ];
    let prepared = track(&streams, events).unwrap();
    let rows = stored(&prepared);
    assert_eq!(rows["time"], ["0", "0"]);
    assert_eq!(rows["entity"], ["u", "~"]);
    assert_eq!(rows["event"], ["buy", "buy"]);
    assert_eq!(rows["price"], ["1.5", "2"]);
    assert_eq!(rows["paid"], ["true", "~"]);
    assert_eq!(rows["from"], ["~", "web"]);
    assert_eq!(rows["at"], ["~", "5"]);
    assert!(!rows.contains_key("session"));
    let types: HashMap<_, _> = streams.columns().into_iter().collect();
    assert_eq!(types["price"], ColumnType::F64);
    assert_eq!(types["from"], ColumnType::Symbol);
    assert_eq!(types["at"], ColumnType::Timestamp);
}

#[test]
fn each_event_has_its_verdict() {
    let streams = OneStream::default();
    let missing = v1::Event {
        event: String::new(),
        ..event("u", &[])
    };
    let future = v1::Event {
        time_ns: Some(NOW + MAX_AHEAD_NS + 1),
        ..event("u", &[])
    };
    let long = v1::Event {
        session: "s".repeat(4_097),
        ..event("u", &[])
    };
    let events = vec![
        event("u", &[("n", Kind::F64(1.0))]),
        missing,
        future,
        long,
        event("u", &[("n", text("one"))]),
        event("u", &[("n", Kind::I64(1 << 54))]),
        event("u", &[("time", Kind::I64(1))]),
        event("u", &[("user", text("x"))]),
        event("u", &[("session", text("x"))]),
        event("u", &[("", text("x"))]),
        event("u", &[("s", Kind::Text("s".repeat(4_097)))]),
        event("u", &[("s", text("ok"))]),
    ];
    let prepared = track(&streams, events).unwrap();
    let reasons: Vec<_> = prepared.results.iter().map(|result| result.reason.as_str()).collect();
    let wanted = [
        "",
        "EVENT_MISSING",
        "TIME_IN_FUTURE",
        "SYMBOL_TOO_LONG",
        "TYPE_MISMATCH",
        "INTEGER_TOO_LARGE",
        "RESERVED_NAME",
        "RESERVED_NAME",
        "DUPLICATE_COLUMN",
        "BAD_NAME",
        "SYMBOL_TOO_LONG",
        "",
    ];
    assert_eq!(reasons, wanted);
    for result in &prepared.results {
        assert_eq!(result.stored, result.reason.is_empty());
        assert_eq!(result.stored, result.id.len() == 24);
        assert_eq!(result.stored, result.message.is_empty());
    }
    assert_eq!(prepared.received, 12);
    assert_eq!(refused(&prepared).len(), 10);
    assert_eq!(stored(&prepared)["n"], ["1", "~"]);
}

#[test]
fn equal_rows_share_an_id_and_a_new_column_changes_none() {
    let streams = OneStream::default();
    let at = |time_ns, properties: &[(&str, Kind)]| v1::Event {
        time_ns: Some(time_ns),
        ..event("u", properties)
    };
    let ids = |events| -> Vec<_> {
        let prepared = track(&streams, events).unwrap();
        prepared.results.into_iter().map(|result| result.id).collect()
    };
    let first = ids(vec![
        at(NOW, &[("n", Kind::I64(1)), ("s", text("a"))]),
        at(NOW, &[("s", text("a")), ("n", Kind::F64(1.0))]),
        at(NOW, &[("n", Kind::I64(2)), ("s", text("a"))]),
        at(NOW - 1, &[("n", Kind::I64(1)), ("s", text("a"))]),
        at(NOW, &[("n", Kind::I64(1))]),
    ]);
    assert_eq!(first[0], first[1]);
    assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    let again = ids(vec![
        at(NOW, &[("zzz", text("b"))]),
        at(NOW, &[("n", Kind::I64(1)), ("s", text("a"))]),
    ]);
    assert_eq!(again[1], first[0]);
}

#[test]
fn declared_types_hold_in_a_strict_stream() {
    let settings = StreamSettings {
        strict: true,
        ..StreamSettings::default()
    };
    let columns = [("n", ColumnType::I64), ("t", ColumnType::Text)];
    let streams = OneStream::with(StreamKind::Event, settings, &columns);
    let events = vec![
        event(
            "u",
            &[("n", Kind::I64(i64::MAX)), ("t", Kind::Text("t".repeat(65_536)))],
        ),
        event("u", &[("n", Kind::F64(1.0))]),
        event("u", &[("t", Kind::Text("t".repeat(65_537)))]),
        event("u", &[("x", Kind::F64(1.0))]),
    ];
    let prepared = track(&streams, events).unwrap();
    let reasons: Vec<_> = refused(&prepared)
        .into_iter()
        .map(|(row, reason, _)| (row, reason))
        .collect();
    assert_eq!(
        reasons,
        [(1, "TYPE_MISMATCH"), (2, "TEXT_TOO_LONG"), (3, "UNKNOWN_COLUMN")]
    );
    assert_eq!(stored(&prepared)["n"], ["9223372036854775807"]);
}

#[test]
fn requests_that_cannot_be_are_refused_whole() {
    let streams = OneStream::default();
    assert_eq!(track(&streams, vec![]).unwrap_err().reason(), "ROWS_OUT_OF_RANGE");
    let bad = vec![event("u", &[]), event("u", &[("time", Kind::I64(1))])];
    let error = send(&streams, bad, true).unwrap_err();
    assert_eq!(error.reason(), "ROWS_REJECTED");
    assert!(error.message().contains("row 1"));
    assert!(streams.0.lock().unwrap().is_none());
    let metric = OneStream::with(StreamKind::Metric, StreamSettings::default(), &[]);
    assert_eq!(
        track(&metric, vec![event("u", &[])]).unwrap_err().reason(),
        "STREAM_KIND_MISMATCH"
    );
}

#[test]
fn refused_events_are_quarantined_with_their_values() {
    let streams = OneStream::default();
    let bad = event("u", &[("time", Kind::I64(1)), ("ok", text("x"))]);
    let prepared = track(&streams, vec![bad.clone()]).unwrap();
    let kept = v1::Event::decode(&*prepared.quarantine[0].values).unwrap();
    assert_eq!(
        kept,
        v1::Event {
            time_ns: Some(NOW),
            ..bad
        }
    );
    assert_eq!(streams.columns().len(), 3);
}
