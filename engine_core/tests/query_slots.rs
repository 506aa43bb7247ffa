//! The queue before queries: kinds of slots, bounds, turns, cancelling, shutting down.

mod query_support;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use marigram_core::column::ColumnType;
use marigram_core::error::{Error, Kind, Result};
use marigram_core::query::{Queries, QueryHandle, QueryLimits, QueryMethod, Streams, Tickets};
use marigram_core::store::{NamespaceId, Stream};
use marigram_core::time::{Clock, ManualClock};
use marigram_core::wire::v1;
use prost::Message;
use query_support::{Cell, measure, push, spec, stream, table};
use v1::MeasureKind::Count;

/// One stream, and a gate that holds whoever asks for the stream `held`.
struct House {
    stream: Arc<Stream>,
    gate: std::sync::Mutex<()>,
}

impl Streams for House {
    fn stream(&self, _: NamespaceId, name: &str) -> Result<Arc<Stream>> {
        match name {
            "held" => drop(self.gate.lock().unwrap()),
            "boom" => panic!("a fault on purpose"),
            "rows" => {}
            _ => return Err(Error::new(Kind::NotFound, "STREAM_NOT_FOUND", "no such stream")),
        }
        Ok(Arc::clone(&self.stream))
    }

    fn numbered(&self, _: NamespaceId, number: u32) -> Option<Arc<Stream>> {
        (number == self.stream.id).then(|| Arc::clone(&self.stream))
    }

    fn secret(&self, namespace: NamespaceId) -> [u8; 16] {
        [namespace.0 as u8; 16]
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(ManualClock::at(0))
    }
}

fn house() -> Arc<House> {
    let stream = stream(&[("value", ColumnType::F64)]);
    push(&stream, &[(0, "a".to_owned(), vec![Cell::F64(1.0)])], false);
    Arc::new(House {
        stream,
        gate: std::sync::Mutex::new(()),
    })
}

fn queries(house: &Arc<House>) -> Queries {
    let streams: Arc<dyn Streams> = Arc::<House>::clone(house);
    Queries::new(streams, 2, QueryLimits::default())
}

type Answers = Receiver<Result<Vec<Vec<u8>>>>;

fn submit_bytes(queries: &Queries, namespace: u32, method: QueryMethod, bytes: Vec<u8>) -> (QueryHandle, Answers) {
    let (sender, receiver) = channel();
    let done = Box::new(move |answer| sender.send(answer).unwrap());
    (
        queries.submit(NamespaceId(namespace), method, Box::new(bytes), None, done),
        receiver,
    )
}

fn submit(queries: &Queries, stream: &str) -> (QueryHandle, Answers) {
    let mut spec = spec(vec![measure(Count, "")]);
    spec.stream = stream.to_owned();
    let request = v1::QueryRequest {
        spec: Some(spec),
        format: 0,
    };
    submit_bytes(queries, 1, QueryMethod::Query, request.encode_to_vec())
}

#[test]
fn a_query_is_answered_in_one_message() {
    let house = house();
    let queries = queries(&house);
    let (_handle, answers) = submit(&queries, "rows");
    let messages = answers.recv().unwrap().unwrap();
    assert_eq!(messages.len(), 1);
    let response = v1::QueryResponse::decode(&messages[0][..]).unwrap();
    let Some(v1::query_response::Answer::Arrow(bytes)) = response.answer else {
        panic!("arrow was asked for")
    };
    let mut reader = arrow_ipc::reader::StreamReader::try_new(&bytes[..], None).unwrap();
    assert_eq!(table(&reader.next().unwrap().unwrap()).1, [[Cell::I64(1)]]);
    assert_eq!(response.provenance.unwrap().rows_scanned, 1);
}

#[test]
fn bad_requests_are_refused_by_name() {
    let house = house();
    let queries = queries(&house);
    let reason = |bytes: Vec<u8>| {
        let error = submit_bytes(&queries, 1, QueryMethod::StreamQuery, bytes)
            .1
            .recv()
            .unwrap()
            .unwrap_err();
        (error.kind(), error.reason())
    };
    assert_eq!(reason(vec![0xff; 10]), (Kind::InvalidArgument, "MALFORMED_MESSAGE"));
    assert_eq!(reason(vec![]), (Kind::InvalidArgument, "SPEC_MISSING"));
    assert_eq!(
        reason(vec![0; (4 << 20) + 1]),
        (Kind::InvalidArgument, "MESSAGE_TOO_LARGE")
    );
    let (_handle, answers) = submit(&queries, "nope");
    assert_eq!(answers.recv().unwrap().unwrap_err().reason(), "STREAM_NOT_FOUND");
}

#[test]
fn a_panic_ends_one_query_only() {
    let house = house();
    let queries = queries(&house);
    let (_handle, answers) = submit(&queries, "boom");
    let error = answers.recv().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Internal, "an internal error"));
    assert!(error.detail().contains("on purpose"));
    let (_handle, answers) = submit(&queries, "rows");
    assert!(answers.recv().unwrap().is_ok());
}

#[test]
fn a_hundred_wait_and_the_next_is_refused_with_a_delay() {
    let house = house();
    let queries = queries(&house);
    let gate = house.gate.lock().unwrap();
    let waiting: Vec<_> = (0..100).map(|_| submit(&queries, "held")).collect();
    let (_handle, answers) = submit(&queries, "held");
    let error = answers.recv().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Overloaded, "QUERY_QUEUE_FULL"));
    assert!(error.retry_delay_ms().is_some());
    drop(gate);
    for (_handle, answers) in waiting {
        assert!(answers.recv().unwrap().is_ok());
    }
    assert_eq!((queries.waiting(), queries.running()), (0, (0, 0)));
}

#[test]
fn a_waiting_query_can_be_cancelled_and_a_shutdown_refuses_the_rest() {
    let house = house();
    let queries = queries(&house);
    let gate = house.gate.lock().unwrap();
    let (_first, first) = submit(&queries, "held");
    let (second, second_answers) = submit(&queries, "held");
    let (_third, third) = submit(&queries, "held");
    second.cancel();
    assert_eq!(second_answers.recv().unwrap().unwrap_err().kind(), Kind::Cancelled);
    std::thread::scope(|scope| {
        scope.spawn(|| queries.shutdown());
        let outcome = third.recv().unwrap().unwrap_err();
        assert_eq!((outcome.kind(), outcome.reason()), (Kind::Overloaded, "SHUTTING_DOWN"));
        drop(gate);
    });
    // The first was being looked at or not: either way it is answered, not lost.
    let _ = first.recv().unwrap();
    let (_handle, answers) = submit(&queries, "rows");
    assert_eq!(answers.recv().unwrap().unwrap_err().reason(), "SHUTTING_DOWN");
}

#[test]
fn a_query_reads_what_the_store_committed() {
    use marigram_core::column::{PackedBatch, RejectCounts, RowBatch, StreamKind, packed};
    use marigram_core::store::{CommitItem, Store, StoreOptions};

    let place = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        map_size: 64 << 20,
        reserve_bytes: 1 << 20,
        min_free_bytes: 0,
        ..StoreOptions::default()
    };
    let store = Store::open(place.path(), options).unwrap();
    let namespace = store.create_namespace("tenant").unwrap();
    let stream = store.stream_or_new(namespace, "rows", StreamKind::Event).unwrap();
    let entity = stream.intern_users(["ann", "bob", "ann"].into_iter());
    let batch = RowBatch {
        time: vec![1, 2, 3],
        entity,
        columns: vec![],
    };
    let (sender, committed) = channel();
    store.submit(CommitItem {
        stream,
        batch: Some(PackedBatch::open(packed::pack(&batch)).unwrap()),
        received: 3,
        rejected: RejectCounts::default(),
        late: 0,
        quarantine: Vec::new(),
        writer: None,
        message_bytes: 0,
        done: Box::new(move |outcome| sender.send(outcome).unwrap()),
    });
    let commit = committed.recv().unwrap().unwrap().commit;
    let streams: Arc<dyn Streams> = Arc::<Store>::clone(&store);
    let queries = Queries::new(streams, 1, QueryLimits::default());
    let ask = |namespace: NamespaceId| {
        let mut spec = spec(vec![measure(v1::MeasureKind::Distinct, "user")]);
        spec.stream = "rows".to_owned();
        let request = v1::QueryRequest {
            spec: Some(spec),
            format: 0,
        };
        submit_bytes(&queries, namespace.0, QueryMethod::Query, request.encode_to_vec())
            .1
            .recv()
            .unwrap()
    };
    let response = v1::QueryResponse::decode(&ask(namespace).unwrap()[0][..]).unwrap();
    let provenance = response.provenance.unwrap();
    assert_eq!((provenance.commit, provenance.rows_matched), (commit, 3));
    let other = store.create_namespace("other").unwrap();
    assert_eq!(ask(other).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_query_by_ticket_may_be_refused_or_cancelled_on_its_callers_thread() {
    let house = house();
    let queries = Arc::new(queries(&house));
    let held = house.gate.lock().unwrap();
    let tickets = Tickets::default();
    let (told, answers) = channel();
    let (finished, end) = channel();
    let caller = {
        let (queries, tickets) = (Arc::clone(&queries), tickets.clone());
        std::thread::spawn(move || {
            let mut spec = spec(vec![measure(Count, "")]);
            spec.stream = "held".to_owned();
            let request = v1::QueryRequest {
                spec: Some(spec),
                format: 0,
            };
            let whose = (NamespaceId(1), QueryMethod::Query);
            let submit = |ticket, bytes: Vec<u8>| {
                let told = told.clone();
                let done = Box::new(move |answer: Result<Vec<Vec<u8>>>| {
                    told.send((ticket, answer.err().map(|error| error.reason()))).unwrap();
                });
                tickets.submit(&queries, ticket, whose, Box::new(bytes), None, done);
            };
            submit(1, request.encode_to_vec());
            submit(2, request.encode_to_vec());
            tickets.cancel(2);
            tickets.cancel(2);
            submit(3, vec![0; (4 << 20) + 1]);
            finished.send(()).unwrap();
        })
    };
    let waited = end.recv_timeout(std::time::Duration::from_secs(30));
    drop(held);
    waited.expect("neither waits for a lock that it holds itself");
    caller.join().unwrap();
    let mut all: Vec<_> = answers.iter().collect();
    all.sort_unstable();
    let refused = [(1, None), (2, Some("CANCELLED")), (3, Some("MESSAGE_TOO_LARGE"))];
    assert_eq!(all, refused);
    assert_eq!(tickets.open(), 0);
}

#[test]
fn a_stream_deleted_while_its_query_waited_is_not_found() {
    use marigram_core::store::{Store, StoreOptions};
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        map_size: 1 << 28,
        reserve_bytes: 0,
        min_free_bytes: 0,
        ..StoreOptions::default()
    };
    let store = Store::open(dir.path(), options).unwrap();
    let namespace = store.create_namespace("one").unwrap();
    let schema = marigram_core::column::Schema::new(
        marigram_core::column::StreamKind::Event,
        marigram_core::column::StreamSettings::default(),
    );
    let (stream, _) = store.create_stream(namespace, "rows", schema).unwrap();
    store.delete_stream(namespace, "rows").unwrap();
    let spec = marigram_core::query::Spec::new(spec(vec![measure(Count, "")])).unwrap();
    let context = marigram_core::query::Context::new(Arc::clone(store.clock()));
    let error = marigram_core::query::run(&stream, &spec, &context).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::NotFound, "STREAM_NOT_FOUND"));
}
