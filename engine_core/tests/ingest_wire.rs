//! The visitors against prost's decoders on random, rearranged and mutated bytes: the same bytes mean the same.

use std::fmt::Debug;

use marigram_core::error::Error;
use marigram_core::wire::cursor::{Fields, Wire};
use marigram_core::wire::describe::{describe_events, describe_write};
use marigram_core::wire::v1;
use proptest::prelude::*;
use prost::Message;

fn text() -> impl Strategy<Value = String> {
    "[a-cé]{0,3}"
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

fn strings() -> impl Strategy<Value = v1::StringColumn> {
    (prop::collection::vec(text(), 0..4), bytes(), 0u32..6).prop_map(|(values, codes, code_width)| v1::StringColumn {
        values,
        codes,
        code_width,
    })
}

fn column() -> impl Strategy<Value = v1::BatchColumn> {
    use v1::batch_column::Values;
    let values = prop_oneof![
        bytes().prop_map(Values::F64),
        bytes().prop_map(Values::I64),
        bytes().prop_map(Values::Boolean),
        bytes().prop_map(Values::Timestamp),
        strings().prop_map(Values::Symbol),
        strings().prop_map(Values::Text),
        strings().prop_map(Values::Label),
        strings().prop_map(Values::State),
    ];
    (text(), bytes(), prop::option::of(values)).prop_map(|(name, validity, values)| v1::BatchColumn {
        name,
        validity,
        values,
    })
}

fn series() -> impl Strategy<Value = v1::SeriesTable> {
    let label = (text(), text()).prop_map(|(name, value)| v1::Label { name, value });
    let one = prop::collection::vec(label, 0..3).prop_map(|labels| v1::Series { labels });
    (prop::collection::vec(one, 0..3), bytes(), any::<u32>()).prop_map(|(series, index, index_width)| v1::SeriesTable {
        series,
        index,
        index_width,
    })
}

fn batch() -> impl Strategy<Value = v1::Batch> {
    let columns = prop::collection::vec(column(), 0..4);
    (any::<u32>(), bytes(), columns, prop::option::of(series()), bytes()).prop_map(
        |(rows, time, columns, series, arrow)| v1::Batch {
            rows,
            time,
            columns,
            series,
            arrow,
        },
    )
}

fn write() -> impl Strategy<Value = v1::WriteRequest> {
    let numbers = (0i32..4, any::<u64>(), any::<u64>(), any::<bool>(), 0i32..5);
    (text(), prop::option::of(batch()), text(), numbers).prop_map(
        |(stream, batch, writer, (kind, epoch, sequence, atomic, durability))| v1::WriteRequest {
            stream,
            kind,
            batch,
            writer,
            epoch,
            sequence,
            atomic,
            durability,
        },
    )
}

fn event() -> impl Strategy<Value = v1::Event> {
    use v1::value::Kind;
    let kind = prop_oneof![
        any::<i32>().prop_map(|value| Kind::F64(value.into())),
        any::<i64>().prop_map(Kind::I64),
        any::<bool>().prop_map(Kind::Boolean),
        text().prop_map(Kind::Text),
        any::<i64>().prop_map(Kind::TimestampNs),
    ];
    let value = prop::option::of(kind).prop_map(|kind| v1::Value { kind });
    let properties = prop::collection::hash_map(text(), value, 0..4);
    (
        text(),
        prop::option::of(any::<i64>()),
        text(),
        text(),
        text(),
        properties,
    )
        .prop_map(|(event, time_ns, user, session, service, properties)| v1::Event {
            event,
            time_ns,
            user,
            session,
            service,
            properties,
        })
}

fn events() -> impl Strategy<Value = v1::TrackEventsRequest> {
    let numbers = (any::<u64>(), any::<u64>(), any::<bool>(), 0i32..5);
    (text(), prop::collection::vec(event(), 0..4), text(), numbers).prop_map(
        |(stream, events, writer, (epoch, sequence, atomic, durability))| v1::TrackEventsRequest {
            stream,
            events,
            writer,
            epoch,
            sequence,
            atomic,
            durability,
        },
    )
}

type Change = (u8, prop::sample::Index, u8);

/// Changes, cuts and insertions few enough to leave some of a message's structure.
fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0u8..5, any::<prop::sample::Index>(), any::<u8>()), 0..4)
}

fn mutate(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for (how, at, byte) in changes {
        if bytes.is_empty() {
            bytes.push(*byte);
            continue;
        }
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = *byte,
            1 => bytes[at] ^= 1 << (byte % 8),
            2 => bytes.insert(at, *byte),
            3 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// What both take must mean the same. By design the visitors take and refuse what upb does, and prost differs from it in three
/// things: it refuses a known field of another wire type and surplus bits of an integer, and it reads map entries that have
/// unknown fields, which upb takes as unknown.
fn compare<M: Message + Default + PartialEq + Debug>(bytes: &[u8], seen: Result<M, Error>) {
    if let (Ok(seen), Ok(theirs)) = (seen, M::decode(bytes))
        && seen != theirs
    {
        let (ours, theirs) = (format!("{seen:?}"), format!("{theirs:?}"));
        assert!(ours.contains("NaN") || has_odd_entry(bytes), "{ours}\n{theirs}");
    }
}

/// Whether some entry of an event's properties has a field that is neither key nor value.
fn has_odd_entry(bytes: &[u8]) -> bool {
    let parts = |bytes: &[u8], wanted: u32| {
        let (mut fields, mut found) = (Fields::new(bytes, 0), Vec::new());
        while let Ok(Some((number, value))) = fields.read() {
            if let (true, Wire::Bytes(bytes)) = (number == wanted, value) {
                found.push(bytes.to_vec());
            }
        }
        found
    };
    let is_odd = |entry: &Vec<u8>| {
        let mut fields = Fields::new(entry, 0);
        while let Ok(Some(field)) = fields.read() {
            if !matches!(field, (1 | 2, Wire::Bytes(_))) {
                return true;
            }
        }
        false
    };
    let events = parts(bytes, 2);
    events
        .iter()
        .flat_map(|event| parts(event, 6))
        .any(|entry| is_odd(&entry))
}

proptest! {
    #[test]
    fn what_prost_writes_is_read_the_same(request in write(), events in events()) {
        prop_assert_eq!(describe_write(&request.encode_to_vec()).unwrap(), request);
        prop_assert_eq!(describe_events(&events.encode_to_vec()).unwrap(), events);
    }

    #[test]
    fn messages_end_to_end_are_merged(first in write(), second in write(), one in events(), two in events()) {
        let both = [first.encode_to_vec(), second.encode_to_vec()].concat();
        prop_assert_eq!(describe_write(&both).unwrap(), v1::WriteRequest::decode(&*both).unwrap());
        let both = [one.encode_to_vec(), two.encode_to_vec()].concat();
        prop_assert_eq!(describe_events(&both).unwrap(), v1::TrackEventsRequest::decode(&*both).unwrap());
    }

    #[test]
    fn fuzz_mutated_bytes_mean_the_same(request in write(), events in events(), changes in changes()) {
        let bytes = mutate(request.encode_to_vec(), &changes);
        compare(&bytes, describe_write(&bytes));
        let bytes = mutate(events.encode_to_vec(), &changes);
        compare(&bytes, describe_events(&bytes));
    }

    #[test]
    fn fuzz_random_bytes_mean_the_same(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        compare(&bytes, describe_write(&bytes));
        compare(&bytes, describe_events(&bytes));
    }

    #[test]
    fn fuzz_what_was_understood_reads_back_the_same(request in write(), changes in changes()) {
        let bytes = mutate(request.encode_to_vec(), &changes);
        if let Ok(seen) = describe_write(&bytes) {
            prop_assert_eq!(describe_write(&seen.encode_to_vec()).unwrap(), seen);
        }
    }
}
