//! What the visitors understood, as the generated messages: for comparison with other parsers of the same bytes.

use super::batch::{BatchView, ColumnView, SeriesView, Strings, Values};
use super::envelope::Envelope;
use super::events::{EventsView, Scalar};
use super::v1;
use crate::error::Result;

/// What was understood of a WriteRequest (or WriteStreamRequest), for comparison with other parsers.
pub fn describe_write(bytes: &[u8]) -> Result<v1::WriteRequest> {
    let envelope = Envelope::of_write(bytes)?;
    let view = BatchView::of(&envelope)?;
    Ok(v1::WriteRequest {
        stream: envelope.stream.to_owned(),
        kind: envelope.kind,
        batch: view.as_ref().map(batch).transpose()?,
        writer: envelope.writer.to_owned(),
        epoch: envelope.epoch,
        sequence: envelope.sequence,
        atomic: envelope.atomic,
        durability: envelope.durability,
    })
}

fn string_column(strings: &Strings<'_>) -> v1::StringColumn {
    v1::StringColumn {
        values: strings.values.iter().map(|&value| value.to_owned()).collect(),
        codes: strings.codes.to_vec(),
        code_width: strings.code_width,
    }
}

fn batch(batch: &BatchView<'_>) -> Result<v1::Batch> {
    use v1::batch_column::Values as V;
    let column = |column: &ColumnView<'_>| v1::BatchColumn {
        name: column.name.to_owned(),
        validity: column.validity.to_vec(),
        values: column.values.as_ref().map(|values| match values {
            Values::F64(bytes) => V::F64(bytes.to_vec()),
            Values::I64(bytes) => V::I64(bytes.to_vec()),
            Values::Boolean(bytes) => V::Boolean(bytes.to_vec()),
            Values::Timestamp(bytes) => V::Timestamp(bytes.to_vec()),
            Values::Symbol(strings) => V::Symbol(string_column(strings)),
            Values::Text(strings) => V::Text(string_column(strings)),
            Values::Label(strings) => V::Label(string_column(strings)),
            Values::State(strings) => V::State(string_column(strings)),
        }),
    };
    Ok(v1::Batch {
        rows: batch.rows,
        time: batch.time.to_vec(),
        columns: batch.columns.iter().map(column).collect(),
        series: batch.series.as_ref().map(series_table).transpose()?,
        arrow: batch.arrow.to_vec(),
    })
}

fn series_table(table: &SeriesView<'_>) -> Result<v1::SeriesTable> {
    let sets = table.label_sets()?;
    let label = |&(name, value): &(&str, &str)| v1::Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    Ok(v1::SeriesTable {
        series: (0..sets.len())
            .map(|at| v1::Series {
                labels: sets.labels(at).iter().map(label).collect(),
            })
            .collect(),
        index: table.index.to_vec(),
        index_width: table.index_width,
    })
}

/// What was understood of a TrackEventsRequest, for comparison with other parsers.
pub fn describe_events(bytes: &[u8]) -> Result<v1::TrackEventsRequest> {
    let envelope = Envelope::of_events(bytes)?;
    let view = EventsView::of(&envelope)?;
    let mut events: Vec<v1::Event> = (0..view.len())
        .map(|row| v1::Event {
            event: view.event[row].to_owned(),
            time_ns: view.time[row],
            user: view.user[row].to_owned(),
            session: view.session[row].to_owned(),
            service: view.service[row].to_owned(),
            ..v1::Event::default()
        })
        .collect();
    for property in &view.properties {
        for (&row, value) in property.rows.iter().zip(&property.values) {
            events[row as usize]
                .properties
                .insert(property.name.to_owned(), to_v1(*value));
        }
    }
    Ok(v1::TrackEventsRequest {
        stream: envelope.stream.to_owned(),
        events,
        writer: envelope.writer.to_owned(),
        epoch: envelope.epoch,
        sequence: envelope.sequence,
        atomic: envelope.atomic,
        durability: envelope.durability,
    })
}

/// A scalar as the generated message.
pub fn to_v1(scalar: Scalar<'_>) -> v1::Value {
    use v1::value::Kind;
    v1::Value {
        kind: match scalar {
            Scalar::Null => None,
            Scalar::F64(value) => Some(Kind::F64(value)),
            Scalar::I64(value) => Some(Kind::I64(value)),
            Scalar::Bool(value) => Some(Kind::Boolean(value)),
            Scalar::Text(value) => Some(Kind::Text(value.to_owned())),
            Scalar::Timestamp(value) => Some(Kind::TimestampNs(value)),
        },
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::wire::v1::value::Kind;

    #[test]
    fn a_batch_said_twice_is_merged() {
        let part = |rows, name: &str| v1::WriteRequest {
            batch: Some(v1::Batch {
                rows,
                columns: vec![v1::BatchColumn {
                    name: name.into(),
                    ..v1::BatchColumn::default()
                }],
                ..v1::Batch::default()
            }),
            ..v1::WriteRequest::default()
        };
        let bytes = [part(1, "a").encode_to_vec(), part(2, "b").encode_to_vec()].concat();
        let seen = describe_write(&bytes).unwrap();
        assert_eq!(seen, v1::WriteRequest::decode(&*bytes).unwrap());
        assert_eq!(seen.batch.unwrap().columns.len(), 2);
    }

    #[test]
    fn bad_utf8_names_the_field() {
        let error = describe_write(b"\x1a\x05\x1a\x03\x0a\x01\xff").unwrap_err();
        assert_eq!(
            (error.reason(), error.field()),
            ("MALFORMED_MESSAGE", "batch.columns[0].name")
        );
    }

    fn properties(entries: &[u8]) -> Vec<(String, Option<Kind>)> {
        let mut bytes = vec![0x12, entries.len() as u8];
        bytes.extend(entries);
        let events = describe_events(&bytes).unwrap().events;
        events[0]
            .properties
            .iter()
            .map(|(name, value)| (name.clone(), value.kind.clone()))
            .collect()
    }

    #[test]
    fn entries_of_a_map_mean_what_upb_says() {
        let five = Some(Kind::I64(5));
        assert_eq!(
            properties(b"\x32\x07\x0a\x01a\x12\x02\x10\x05"),
            [("a".into(), five.clone())]
        );
        // An unknown field in the entry makes it unknown.
        assert_eq!(properties(b"\x32\x09\x0a\x01a\x12\x02\x10\x05\x18\x07"), []);
        assert_eq!(properties(b"\x32\x04\x12\x02\x10\x05"), [(String::new(), five.clone())]);
        assert_eq!(properties(b"\x32\x03\x0a\x01a"), [("a".into(), None)]);
        // Said twice inside one entry a value is merged; said in two entries the last one counts.
        assert_eq!(
            properties(b"\x32\x09\x0a\x01a\x12\x02\x10\x05\x12\x00"),
            [("a".into(), five)]
        );
        assert_eq!(
            properties(b"\x32\x07\x0a\x01a\x12\x02\x10\x05\x32\x03\x0a\x01a"),
            [("a".into(), None)]
        );
    }
}
