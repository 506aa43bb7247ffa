//! Random calls on a real store against a model in memory that is too simple to be wrong: nothing acknowledged is lost, nothing
//! is stored twice, every answer is right, also after the store has been opened again.

mod query_support;
mod store_support;

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use marigram_core::column::{Schema, StreamKind, StreamSettings};
use marigram_core::error::Result;
use marigram_core::ingest::{Ingest, WriteMethod};
use marigram_core::query::{Context, Spec, run};
use marigram_core::wire::v1::{self, batch_column::Values};
use prost::Message;
use query_support::{Cell, measure, spec, table};
use store_support::{Bed, NOW};

const SEQUENCES: u64 = 120;
const STEPS: usize = 24;
const STREAMS: [&str; 3] = ["a", "b", "c"];
const WRITERS: [&str; 2] = ["v", "w"];

/// Xorshift64*: the same calls in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

#[derive(Default)]
struct Rows {
    /// Time and value of each row in order of arrival.
    stored: Vec<(i64, f64)>,
    received: u64,
    duplicate: u64,
}

#[derive(Default)]
struct Writer {
    epoch: u64,
    /// Batches consumed, each as it was sent and as it was answered.
    consumed: Vec<(v1::WriteRequest, v1::WriteResponse)>,
}

type Waiting = mpsc::Receiver<Result<Vec<u8>>>;

struct World {
    bed: Bed,
    ingest: Ingest,
    random: Random,
    streams: BTreeMap<&'static str, Rows>,
    writers: BTreeMap<&'static str, Writer>,
    commit: u64,
}

fn is_good(time: i64) -> bool {
    time <= NOW
}

/// Times and values of a request's rows.
fn rows(request: &v1::WriteRequest) -> Vec<(i64, f64)> {
    let batch = request.batch.as_ref().unwrap();
    let Some(Values::F64(values)) = &batch.columns[0].values else {
        panic!("the batches of this test have doubles")
    };
    let times = batch.time.as_chunks().0.iter().map(|le| i64::from_le_bytes(*le));
    times
        .zip(values.as_chunks().0.iter().map(|le| f64::from_le_bytes(*le)))
        .collect()
}

impl World {
    fn new(seed: u64) -> Self {
        let bed = Bed::new();
        Self {
            ingest: Ingest::new(Arc::clone(&bed.store), 2),
            bed,
            random: Random(seed * 2 + 1),
            streams: BTreeMap::new(),
            writers: BTreeMap::new(),
            commit: 0,
        }
    }

    fn request(&mut self) -> v1::WriteRequest {
        let count = 1 + self.random.below(4);
        let (mut time, mut values) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let ahead = if self.random.below(8) == 0 {
                3_600_000_000_000
            } else {
                0
            };
            time.extend((NOW + ahead - self.random.below(50) as i64).to_le_bytes());
            let value = match self.random.below(10) {
                0 => f64::NAN,
                1 => -0.0,
                other => other as f64 - 5.0,
            };
            values.extend(value.to_le_bytes());
        }
        v1::WriteRequest {
            stream: STREAMS[self.random.below(STREAMS.len())].into(),
            batch: Some(v1::Batch {
                rows: count as u32,
                time,
                columns: vec![v1::BatchColumn {
                    name: "v".into(),
                    values: Some(Values::F64(values)),
                    validity: Vec::new(),
                }],
                ..v1::Batch::default()
            }),
            ..v1::WriteRequest::default()
        }
    }

    fn send(&self, bytes: Vec<u8>) -> Waiting {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |answer| sender.send(answer).unwrap());
        self.ingest
            .submit(self.bed.ns, WriteMethod::Write, Box::new(bytes), done);
        receiver
    }

    /// Takes an acknowledged batch into the model.
    fn store(&mut self, request: &v1::WriteRequest, answer: Result<Vec<u8>>) -> v1::WriteResponse {
        let answer = v1::WriteResponse::decode(&*answer.unwrap()).unwrap();
        let (all, name) = (rows(request), STREAMS.iter().find(|name| **name == request.stream));
        let model = self.streams.entry(name.unwrap()).or_default();
        model.received += all.len() as u64;
        let before = model.stored.len();
        model.stored.extend(all.iter().filter(|(time, _)| is_good(*time)));
        assert_eq!(answer.stored as usize, model.stored.len() - before);
        assert!(!answer.duplicate && answer.commit >= self.commit);
        self.commit = answer.commit;
        answer
    }

    fn write(&mut self) {
        let request = self.request();
        let answer = self.send(request.encode_to_vec()).recv().unwrap();
        self.store(&request, answer);
    }

    fn writer(&mut self) -> (&'static str, u64, u64) {
        let name = WRITERS[self.random.below(WRITERS.len())];
        let writer = self.writers.entry(name).or_default();
        if writer.epoch == 0 {
            writer.epoch = self.bed.store.open_writer(self.bed.ns, name).unwrap().0;
        }
        (name, writer.epoch, writer.consumed.len() as u64 + 1)
    }

    /// Some batches of a writer at once; one of them may not be decodable, and then it and those behind it fail.
    fn write_in_sequence(&mut self) {
        let (name, epoch, next) = self.writer();
        let count = 1 + self.random.below(4);
        let broken = self.random.below(count * 3);
        let mut sent = Vec::new();
        for at in 0..count {
            let mut request = self.request();
            (request.writer, request.epoch, request.sequence) = (name.into(), epoch, next + at as u64);
            let mut bytes = request.encode_to_vec();
            if at == broken {
                bytes.extend(b"\x1a\x05\x1a\x03\x0a\x01\xff");
            }
            let waiting = self.send(bytes);
            // Sometimes once more while it is under way, or has just been consumed.
            let again = (at < broken && self.random.below(3) == 0).then(|| self.send(request.encode_to_vec()));
            sent.push((request, waiting, again));
        }
        for (at, (request, waiting, again)) in sent.into_iter().enumerate() {
            let answer = waiting.recv().unwrap();
            if at >= broken {
                answer.unwrap_err();
                continue;
            }
            let answer = self.store(&request, answer);
            if let Some(again) = again {
                let repeated = v1::WriteResponse::decode(&*again.recv().unwrap().unwrap()).unwrap();
                assert_eq!((repeated.commit, repeated.stored), (answer.commit, answer.stored));
                self.count_duplicate(&request);
            }
            self.writers.get_mut(name).unwrap().consumed.push((request, answer));
        }
    }

    fn count_duplicate(&mut self, request: &v1::WriteRequest) {
        if let Some(model) = self.streams.get_mut(request.stream.as_str()) {
            let rows = rows(request).len() as u64;
            model.received += rows;
            model.duplicate += rows;
        }
    }

    fn resend(&mut self) {
        let (name, epoch, next) = self.writer();
        let consumed = &self.writers[name].consumed;
        if consumed.is_empty() {
            return;
        }
        let (mut request, answer) = consumed[self.random.below(consumed.len())].clone();
        request.epoch = epoch;
        let is_kept = next - request.sequence <= 64;
        let told = self.send(request.encode_to_vec()).recv().unwrap().unwrap();
        let told = v1::WriteResponse::decode(&*told).unwrap();
        assert!(told.duplicate && told.verified == is_kept);
        if is_kept {
            assert_eq!((told.commit, told.stored), (answer.commit, answer.stored));
        }
        self.count_duplicate(&request);
    }

    fn misbehave(&mut self) {
        let (name, epoch, next) = self.writer();
        let mut request = self.request();
        request.writer = name.into();
        let reason = match self.random.below(3) {
            0 => {
                (request.epoch, request.sequence) = (epoch, next + 1);
                "SEQUENCE_GAP"
            }
            1 => {
                (request.epoch, request.sequence) = (epoch - 1, next);
                "WRITER_FENCED"
            }
            _ if next > 1 => {
                (request.epoch, request.sequence) = (epoch, next - 1);
                request.batch.as_mut().unwrap().time[0] ^= 0x40;
                request.batch.as_mut().unwrap().columns[0].name = "other".into();
                "SEQUENCE_REUSED"
            }
            _ => return,
        };
        let error = self.send(request.encode_to_vec()).recv().unwrap().unwrap_err();
        assert_eq!(error.reason(), reason);
    }

    fn open_writer(&mut self) {
        let (name, epoch, next) = self.writer();
        assert_eq!(
            self.bed.store.open_writer(self.bed.ns, name).unwrap(),
            (epoch + 1, next)
        );
        self.writers.get_mut(name).unwrap().epoch += 1;
    }

    fn create(&mut self) {
        let name = STREAMS[self.random.below(STREAMS.len())];
        let schema = Schema::new(StreamKind::Metric, StreamSettings::default());
        let made = self.bed.store.create_stream(self.bed.ns, name, schema);
        assert_eq!(made.is_err(), self.streams.contains_key(name));
        if let Ok((_, commit)) = made {
            assert!(commit > self.commit);
            self.commit = commit;
            self.streams.insert(name, Rows::default());
        }
    }

    fn delete(&mut self) {
        let name = STREAMS[self.random.below(STREAMS.len())];
        let gone = self.bed.store.delete_stream(self.bed.ns, name);
        match self.streams.remove(name) {
            None => assert_eq!(gone.unwrap_err().reason(), "STREAM_NOT_FOUND"),
            Some(model) => {
                let (rows, commit) = gone.unwrap();
                assert_eq!(rows as usize, model.stored.len());
                assert!(commit > self.commit);
                self.commit = commit;
            }
        }
    }

    fn reopen(&mut self) {
        self.ingest.shutdown();
        self.bed.reopen();
        self.ingest = Ingest::new(Arc::clone(&self.bed.store), 2);
    }

    fn compare(&self) {
        let store = &self.bed.store;
        let listed: Vec<String> = store.streams(self.bed.ns).iter().map(|s| s.name.clone()).collect();
        assert_eq!(listed, self.streams.keys().copied().collect::<Vec<_>>());
        for (name, model) in &self.streams {
            let stream = store.stream(self.bed.ns, name).unwrap();
            let ledger = *stream.ledger();
            assert!(ledger.balances());
            let stored = model.stored.len() as u64;
            let counted = (ledger.received, ledger.stored, ledger.duplicate);
            assert_eq!(counted, (model.received, stored, model.duplicate));
            let mut measures = vec![measure(v1::MeasureKind::Count, "")];
            let mut expected = vec![Cell::I64(stored as i64)];
            if stored > 0 {
                let kinds = [v1::MeasureKind::Count, v1::MeasureKind::Sum, v1::MeasureKind::Last];
                measures.extend(kinds.map(|kind| measure(kind, "v")));
                let numbers = model.stored.iter().filter(|(_, value)| !value.is_nan());
                let (count, sum) = (numbers.clone().count(), numbers.clone().map(|(_, value)| value).sum());
                let last = numbers.max_by_key(|(time, _)| *time).map(|(_, value)| *value);
                let some = |value: Option<f64>| value.map_or(Cell::Null, Cell::F64);
                expected.push(Cell::I64(count as i64));
                expected.extend([some((count > 0).then_some(sum)), some(last)]);
            }
            let context = Context::new(Arc::clone(store.clock()));
            let answer = run(&stream, &Spec::new(spec(measures)).unwrap(), &context).unwrap();
            assert!(answer.provenance.commit >= self.commit);
            assert_eq!(table(&answer.batch).1, [expected]);
        }
        for (name, writer) in self.writers.iter().filter(|(_, writer)| writer.epoch > 0) {
            let head = store.writer_head(self.bed.ns, name).unwrap();
            assert_eq!(head, (writer.epoch, writer.consumed.len() as u64 + 1));
        }
        let status = store.status();
        let tails: u64 = store.streams(self.bed.ns).iter().map(|s| s.tail_size().1).sum();
        assert_eq!((status.queue_bytes, status.tail_bytes), (0, tails));
    }

    /// Seals a stream: nothing that is asked may change by it.
    fn seal(&mut self) {
        let name = STREAMS[self.random.below(STREAMS.len())];
        if let Ok(stream) = self.bed.store.stream(self.bed.ns, name) {
            println!("seal {name}");
            let (rows, parts) = (stream.tail_size().0, stream.parts().len() as u64);
            let report = self.bed.store.seal(&stream).unwrap();
            assert_eq!((report.rows, stream.tail_size().0), (rows, 0));
            assert_eq!(stream.parts().len() as u64, parts + report.parts);
        }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..5 => self.write(),
            5..11 => self.write_in_sequence(),
            11..13 => self.resend(),
            13 => self.misbehave(),
            14 => self.open_writer(),
            15 => self.create(),
            16 => self.delete(),
            17 => self.reopen(),
            18 => self.seal(),
            _ => self.compare(),
        }
    }
}

#[test]
fn a_store_does_what_its_model_does() {
    for seed in 1..=SEQUENCES {
        let mut world = World::new(seed);
        // What has been done so far is printed with a failure.
        println!("sequence {seed}");
        for _ in 0..STEPS {
            world.step();
        }
        world.compare();
        world.reopen();
        world.compare();
        world.bed.store.verify().unwrap();
    }
}
