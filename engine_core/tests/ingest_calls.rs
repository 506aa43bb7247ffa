//! Ingest calls on a real store: from a request's bytes to rows that are durable, and what a resend is told.

mod store_support;

use std::sync::{Arc, mpsc};

use marigram_core::column::{Reject, StreamKind};
use marigram_core::error::{Error, Kind, Result};
use marigram_core::ingest::{Ingest, WriteMethod, WriteSession};
use marigram_core::store::Ledger;
use marigram_core::wire::v1::{self, batch_column::Values};
use prost::Message;
use store_support::{Bed, NOW, times};

struct Calls {
    bed: Bed,
    ingest: Ingest,
}

type Waiting<T> = Box<dyn FnOnce() -> Result<T>>;

impl Calls {
    fn new() -> Self {
        Self::on(Bed::new())
    }

    fn on(bed: Bed) -> Self {
        let ingest = Ingest::new(Arc::clone(&bed.store), 3);
        Self { bed, ingest }
    }

    fn send<T: Message + Default + 'static>(&self, method: WriteMethod, bytes: Vec<u8>) -> Waiting<T> {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |answer| drop(sender.send(answer)));
        self.ingest.submit(self.bed.ns, method, Box::new(bytes), done);
        Box::new(move || receiver.recv().unwrap().map(|bytes| T::decode(&*bytes).unwrap()))
    }

    fn write(&self, request: &v1::WriteRequest) -> Result<v1::WriteResponse> {
        self.send(WriteMethod::Write, request.encode_to_vec())()
    }

    fn track(&self, request: &v1::TrackEventsRequest) -> Result<v1::TrackEventsResponse> {
        self.send(WriteMethod::TrackEvents, request.encode_to_vec())()
    }

    fn stream_message(&self, session: &WriteSession, request: &v1::WriteRequest) -> Result<v1::BatchOutcome> {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |answer| drop(sender.send(answer)));
        let bytes = Box::new(request.encode_to_vec());
        self.ingest.submit_in(session, self.bed.ns, bytes, done);
        receiver
            .recv()
            .unwrap()
            .map(|bytes| v1::BatchOutcome::decode(&*bytes).unwrap())
    }

    fn open(&self, writer: &str) -> u64 {
        self.bed.store.open_writer(self.bed.ns, writer).unwrap().0
    }

    fn ledger(&self, stream: &str) -> Ledger {
        let ledger = *self.bed.store.stream(self.bed.ns, stream).unwrap().ledger();
        assert!(ledger.balances(), "{ledger:?}");
        ledger
    }

    fn times(&self, stream: &str) -> Vec<i64> {
        times(&self.bed.store.stream(self.bed.ns, stream).unwrap())
    }
}

fn batch(times: &[i64]) -> v1::Batch {
    v1::Batch {
        rows: times.len() as u32,
        time: times.iter().flat_map(|time| time.to_le_bytes()).collect(),
        columns: vec![v1::BatchColumn {
            name: "v".into(),
            values: Some(Values::F64(times.iter().flat_map(|_| 1.5f64.to_le_bytes()).collect())),
            validity: Vec::new(),
        }],
        ..v1::Batch::default()
    }
}

fn plain(times: &[i64]) -> v1::WriteRequest {
    v1::WriteRequest {
        stream: "cpu".into(),
        batch: Some(batch(times)),
        ..v1::WriteRequest::default()
    }
}

fn numbered(epoch: u64, sequence: u64, times: &[i64]) -> v1::WriteRequest {
    v1::WriteRequest {
        writer: "w".into(),
        epoch,
        sequence,
        ..plain(times)
    }
}

fn undecodable(epoch: u64, sequence: u64) -> Vec<u8> {
    let mut bytes = numbered(epoch, sequence, &[]).encode_to_vec();
    bytes.extend(b"\x1a\x05\x1a\x03\x0a\x01\xff");
    bytes
}

fn reason<T: std::fmt::Debug>(answer: Result<T>) -> (Kind, &'static str) {
    let error: Error = answer.unwrap_err();
    (error.kind(), error.reason())
}

#[test]
fn an_answered_write_is_on_the_disk() {
    let mut calls = Calls::new();
    let answer = calls.write(&plain(&[NOW - 2, NOW - 1])).unwrap();
    assert_eq!((answer.commit, answer.stored, answer.duplicate), (1, 2, false));
    assert_eq!(answer.watermark_ns, Some(NOW - 1 - 10_000_000_000));
    calls.bed.reopen();
    assert_eq!(calls.times("cpu"), [NOW - 2, NOW - 1]);
    let schema = calls.bed.store.stream(calls.bed.ns, "cpu").unwrap().schema();
    assert_eq!(
        (schema.kind, schema.columns[0].name.as_str()),
        (StreamKind::Metric, "v")
    );
}

#[test]
fn a_write_that_is_refused_leaves_nothing() {
    let calls = Calls::new();
    let mut bad = plain(&[NOW]);
    bad.batch.as_mut().unwrap().rows = 2;
    assert_eq!(reason(calls.write(&bad)), (Kind::InvalidArgument, "UNEQUAL_LENGTHS"));
    bad.batch = None;
    assert_eq!(reason(calls.write(&bad)), (Kind::InvalidArgument, "BATCH_MISSING"));
    assert!(calls.bed.store.stream(calls.bed.ns, "cpu").is_err());
    bad.stream = "no such/name".into();
    assert_eq!(reason(calls.write(&bad)).1, "BAD_STREAM_ID");
    calls
        .bed
        .store
        .set_namespace_creates_streams(calls.bed.ns, false)
        .unwrap();
    let forbidden = reason(calls.write(&plain(&[NOW])));
    assert_eq!(forbidden, (Kind::FailedPrecondition, "STREAM_CREATION_FORBIDDEN"));
}

#[test]
fn a_batch_sent_again_is_stored_once() {
    let calls = Calls::new();
    let epoch = calls.open("w");
    let first = calls.write(&numbered(epoch, 1, &[NOW, NOW])).unwrap();
    let again = calls.write(&numbered(epoch, 1, &[NOW, NOW])).unwrap();
    assert_eq!((again.commit, again.stored), (first.commit, 2));
    assert!(again.duplicate && again.verified && !first.duplicate);
    let epoch = calls.open("w");
    assert!(calls.write(&numbered(epoch, 1, &[NOW, NOW])).unwrap().verified);
    let other = calls.write(&numbered(epoch, 1, &[NOW, NOW - 1]));
    assert_eq!(reason(other), (Kind::AlreadyExists, "SEQUENCE_REUSED"));
    let elsewhere = v1::WriteRequest {
        stream: "disk".into(),
        ..numbered(epoch, 1, &[NOW, NOW])
    };
    assert_eq!(reason(calls.write(&elsewhere)).1, "SEQUENCE_REUSED");
    let ledger = calls.ledger("cpu");
    assert_eq!((ledger.received, ledger.stored, ledger.duplicate), (6, 2, 4));
    assert_eq!(calls.times("cpu").len(), 2);
}

#[test]
fn a_repeat_older_than_what_is_kept_is_a_duplicate_unverified() {
    let calls = Calls::new();
    let epoch = calls.open("w");
    for sequence in 1..=66 {
        calls.write(&numbered(epoch, sequence, &[NOW])).unwrap();
    }
    let old = calls.write(&numbered(epoch, 2, &[NOW, NOW, NOW])).unwrap();
    assert!(old.duplicate && !old.verified);
    assert!(calls.write(&numbered(epoch, 3, &[NOW])).unwrap().verified);
    assert_eq!(calls.ledger("cpu").duplicate, 4);
}

#[test]
fn sequences_and_epochs_are_held_to() {
    let calls = Calls::new();
    let not_open = reason(calls.write(&numbered(1, 1, &[NOW])));
    assert_eq!(not_open, (Kind::FailedPrecondition, "WRITER_NOT_OPEN"));
    let epoch = calls.open("w");
    let gap = calls.write(&numbered(epoch, 2, &[NOW])).unwrap_err();
    assert_eq!((gap.kind(), gap.reason()), (Kind::OutOfRange, "SEQUENCE_GAP"));
    assert!(gap.message().contains("expected 1"), "{}", gap.message());
    let newer = calls.open("w");
    assert_eq!(
        reason(calls.write(&numbered(epoch, 1, &[NOW]))),
        (Kind::Fenced, "WRITER_FENCED")
    );
    assert_eq!(
        reason(calls.write(&numbered(newer + 1, 1, &[NOW]))).1,
        "WRITER_NOT_OPEN"
    );
    calls.write(&numbered(newer, 1, &[NOW])).unwrap();
}

#[test]
fn a_partial_rejection_consumes_its_sequence_and_is_replayed() {
    let calls = Calls::new();
    let epoch = calls.open("w");
    let ahead = NOW + 3_600_000_000_000;
    let first = calls.write(&numbered(epoch, 1, &[NOW, ahead, ahead])).unwrap();
    assert_eq!((first.stored, first.errors.len()), (1, 2));
    assert_eq!(
        first.rejected[0],
        v1::RejectionCount {
            reason: "TIME_IN_FUTURE".into(),
            rows: 2
        }
    );
    let again = calls.write(&numbered(epoch, 1, &[NOW, ahead, ahead])).unwrap();
    assert_eq!(
        (again.stored, &again.rejected, again.errors.len()),
        (1, &first.rejected, 0)
    );
    calls.write(&numbered(epoch, 2, &[ahead])).unwrap();
    let ledger = calls.ledger("cpu");
    assert_eq!((ledger.received, ledger.stored, ledger.duplicate), (7, 1, 3));
    assert_eq!(ledger.rejected.iter().collect::<Vec<_>>(), [(Reject::TimeInFuture, 3)]);
    let stream = calls.bed.store.stream(calls.bed.ns, "cpu").unwrap();
    assert_eq!(calls.bed.store.quarantined(&stream, 0, 10).unwrap().len(), 2);
}

#[test]
fn what_is_not_consumed_may_be_sent_again() {
    let calls = Calls::new();
    let epoch = calls.open("w");
    let broken = calls.send::<v1::WriteResponse>(WriteMethod::Write, undecodable(epoch, 1))();
    assert_eq!(reason(broken), (Kind::InvalidArgument, "MALFORMED_MESSAGE"));
    let mut atomic = numbered(epoch, 1, &[NOW, NOW + 3_600_000_000_000]);
    atomic.atomic = true;
    assert_eq!(reason(calls.write(&atomic)).1, "ROWS_REJECTED");
    assert!(!calls.write(&numbered(epoch, 1, &[NOW])).unwrap().duplicate);
    assert_eq!(calls.ledger("cpu").received, 1);
}

#[test]
fn batches_in_flight_are_committed_in_sequence() {
    let calls = Calls::new();
    let epoch = calls.open("w");
    // Larger ones first, so that later ones are ready before them.
    let rows = |sequence: u64| if sequence % 10 == 1 { 20_000 } else { 1 };
    let waiting: Vec<Waiting<v1::WriteResponse>> = (1..=100)
        .map(|sequence| {
            let times = vec![NOW - 1_000 + sequence as i64; rows(sequence)];
            calls.send(WriteMethod::Write, numbered(epoch, sequence, &times).encode_to_vec())
        })
        .collect();
    let commits: Vec<u64> = waiting.into_iter().map(|wait| wait().unwrap().commit).collect();
    assert!(commits.is_sorted());
    let times = calls.times("cpu");
    assert!(times.is_sorted());
    assert_eq!(times.len(), 10 * 20_000 + 90);
    assert_eq!(calls.ledger("cpu").duplicate, 0);
}

#[test]
fn all_behind_a_batch_that_cannot_be_decoded_fails() {
    let calls = Calls::new();
    let epoch = calls.open("w");
    let send = |bytes| calls.send::<v1::WriteResponse>(WriteMethod::Write, bytes);
    // The first is large, so that it is under way while the others come.
    let large = send(numbered(epoch, 1, &vec![NOW; 500_000]).encode_to_vec());
    let resend = send(numbered(epoch, 1, &vec![NOW; 500_000]).encode_to_vec());
    let broken = send(undecodable(epoch, 2));
    let behind = send(numbered(epoch, 3, &[NOW]).encode_to_vec());
    assert_eq!(reason(broken()).1, "MALFORMED_MESSAGE");
    assert_eq!(reason(behind()), (Kind::OutOfRange, "SEQUENCE_GAP"));
    let (large, resend) = (large().unwrap(), resend().unwrap());
    assert_eq!((large.stored, resend.commit), (500_000, large.commit));
    calls.write(&numbered(epoch, 2, &[NOW])).unwrap();
    let ledger = calls.ledger("cpu");
    assert_eq!((ledger.stored, ledger.duplicate), (500_001, 500_000));
}

#[test]
fn a_full_tail_refuses_without_consuming() {
    let calls = Calls::on(Bed::with(|options| options.tail_limit_bytes = 40_000));
    let epoch = calls.open("w");
    let times: Vec<i64> = (0..1_500).map(|i| NOW - i * 7_919).collect();
    let mut stored = 0;
    let refused = loop {
        match calls.write(&numbered(epoch, stored + 1, &times)) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((refused.kind(), refused.reason()), (Kind::Overloaded, "TAIL_FULL"));
    assert!(refused.retry_delay_ms().is_some() && stored > 0);
    // A repeat needs no room.
    assert!(calls.write(&numbered(epoch, stored, &times)).unwrap().duplicate);
    let next = calls.bed.store.writer(calls.bed.ns, "w").unwrap().next_sequence;
    assert_eq!(next, stored + 1);
}

#[test]
fn a_stream_call_says_its_writer_once() {
    let calls = Calls::new();
    let epoch = calls.open("w");
    let session = WriteSession::default();
    let anonymous = v1::WriteRequest {
        sequence: 1,
        ..plain(&[NOW])
    };
    assert_eq!(reason(calls.stream_message(&session, &anonymous)).1, "WRITER_MISSING");
    let first = calls.stream_message(&session, &numbered(epoch, 1, &[NOW])).unwrap();
    assert_eq!((first.sequence, first.outcome.unwrap().stored), (1, 1));
    let second = v1::WriteRequest {
        sequence: 2,
        ..plain(&[NOW])
    };
    assert_eq!(calls.stream_message(&session, &second).unwrap().sequence, 2);
}

fn events(users: &[&str]) -> v1::TrackEventsRequest {
    let event = |user: &&str| v1::Event {
        event: "buy".into(),
        user: (*user).into(),
        time_ns: Some(NOW - 5),
        ..v1::Event::default()
    };
    v1::TrackEventsRequest {
        events: users.iter().map(event).collect(),
        ..v1::TrackEventsRequest::default()
    }
}

#[test]
fn events_are_answered_one_by_one_and_keep_their_ids() {
    let mut calls = Calls::new();
    let first = calls.track(&events(&["ada", "", "bob", "ada"])).unwrap();
    let ids: Vec<_> = first.results.iter().map(|result| result.id.clone()).collect();
    assert!(first.results.iter().all(|result| result.stored));
    assert_eq!(ids[0], ids[3]);
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    assert_eq!(first.outcome.unwrap().stored, 4);
    drop(calls.ingest);
    calls.bed.reopen();
    let calls = Calls::on(calls.bed);
    assert_eq!(calls.track(&events(&["bob"])).unwrap().results[0].id, ids[2]);
    let epoch = calls.open("w");
    let numbered = v1::TrackEventsRequest {
        writer: "w".into(),
        epoch,
        sequence: 1,
        ..events(&["ada", "bob"])
    };
    assert_eq!(calls.track(&numbered).unwrap().results.len(), 2);
    let again = calls.track(&numbered).unwrap();
    assert!(again.results.is_empty() && again.outcome.unwrap().duplicate);
    assert_eq!(calls.ledger("events").duplicate, 2);
}

#[test]
fn many_writers_make_one_stream_and_its_columns_together() {
    let calls = Calls::new();
    let waiting: Vec<Waiting<v1::WriteResponse>> = (0..200)
        .map(|i| {
            let mut request = plain(&[NOW; 3]);
            request.batch.as_mut().unwrap().columns[0].name = format!("c{}", i % 20);
            calls.send(WriteMethod::Write, request.encode_to_vec())
        })
        .collect();
    for wait in waiting {
        assert_eq!(wait().unwrap().stored, 3);
    }
    let stream = calls.bed.store.stream(calls.bed.ns, "cpu").unwrap();
    let mut names: Vec<_> = stream
        .schema()
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), stream.schema().columns.len()), (20, 20));
    assert_eq!(calls.ledger("cpu").stored, 600);
}

#[test]
fn a_core_that_shuts_down_finishes_what_it_took() {
    let calls = Calls::new();
    let waiting: Vec<Waiting<v1::WriteResponse>> = (0..50)
        .map(|_| calls.send(WriteMethod::Write, plain(&[NOW]).encode_to_vec()))
        .collect();
    calls.ingest.shutdown();
    for wait in waiting {
        wait().unwrap();
    }
    assert_eq!(reason(calls.write(&plain(&[NOW]))), (Kind::Overloaded, "SHUTTING_DOWN"));
}

/// Mutations of good requests, thousands of them, through the whole path: each is answered, none is a fault of ours, and the
/// ledger balances.
fn broken_requests_are_answered(requests: u64) {
    let calls = Calls::new();
    let epoch = calls.open("w");
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..requests {
        let (method, mut bytes) = match next(3) {
            0 => (WriteMethod::Write, plain(&[NOW, NOW - 1, NOW]).encode_to_vec()),
            1 => (
                WriteMethod::Write,
                numbered(epoch, 1 + next(4) as u64, &[NOW]).encode_to_vec(),
            ),
            _ => (WriteMethod::TrackEvents, events(&["ada", "", "bob"]).encode_to_vec()),
        };
        for _ in 0..1 + next(3) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = next(256) as u8,
                1 => bytes.insert(at, next(256) as u8),
                _ => bytes[at] ^= 1 << next(8),
            }
        }
        if let Err(error) = calls.send::<()>(method, bytes.clone())() {
            assert_ne!(error.kind(), Kind::Internal, "{bytes:?}: {error:?}");
        }
    }
    for stream in calls.bed.store.streams(calls.bed.ns) {
        assert!(stream.ledger().balances());
    }
    calls.bed.store.verify().unwrap();
}

#[test]
fn fuzz_broken_requests_are_answered() {
    broken_requests_are_answered(500);
}

#[test]
#[ignore = "minutes; make fuzz runs it"]
fn fuzz_many_broken_requests_are_answered() {
    broken_requests_are_answered(200_000);
}
