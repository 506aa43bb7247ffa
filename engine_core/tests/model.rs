//! Random calls on a real store against a model in memory that is too simple to be wrong: nothing acknowledged is lost, nothing
//! is stored twice, every answer is right, also after the store has been opened again, or has crashed, a seal under way or not.
//!
//! More by hand: MODEL_SEQUENCES=50000, with TMPDIR in memory; one again: MODEL_SEED=7.

mod query_support;
mod store_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, mpsc};

use marigram_core::codec::Codecs;
use marigram_core::column::{Schema, StreamKind, StreamSettings};
use marigram_core::error::Result;
use marigram_core::ingest::{Ingest, WriteMethod};
use marigram_core::query::{Context, Spec, run};
use marigram_core::store::{Store, Stream};
use marigram_core::time::SECOND_NS;
use marigram_core::wire::v1::{self, batch_column::Values};
use prost::Message;
use query_support::{Cell, by, measure, spec, table, tumbling};
use store_support::{Bed, NOW, options};
use v1::MeasureKind::{Count, Distinct, Last, Max, Min, Sum};

const SEQUENCES: u64 = 80;
const STEPS: usize = 24;
const STREAMS: [&str; 3] = ["a", "b", "c"];
const WRITERS: [&str; 2] = ["v", "w"];
const SYMBOLS: [&str; 4] = ["red", "green", "blue", "grey"];
const LABELS: [&str; 3] = ["north", "south", "west"];
const DAY_NS: i64 = 86_400 * SECOND_NS;

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

#[derive(Clone, Debug)]
struct Row {
    time: i64,
    v: f64,
    n: Option<i64>,
    b: Option<bool>,
    s: Option<&'static str>,
    x: Option<String>,
    label: &'static str,
}

#[derive(Clone)]
struct Sent {
    request: v1::WriteRequest,
    rows: Vec<Row>,
}

#[derive(Default)]
struct Rows {
    /// In order of arrival.
    stored: Vec<Row>,
    received: u64,
    duplicate: u64,
}

#[derive(Default)]
struct Writer {
    epoch: u64,
    /// Batches consumed, each as it was sent and as it was answered.
    consumed: Vec<(Sent, v1::WriteResponse)>,
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

fn bits(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let bits: Vec<bool> = bits.collect();
    let byte = |eight: &[bool]| (0u8..).zip(eight).map(|(at, &bit)| u8::from(bit) << at).sum();
    bits.chunks(8).map(byte).collect()
}

fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> v1::StringColumn {
    let texts: Vec<&str> = texts.collect();
    let values: Vec<&str> = texts.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let codes = texts
        .iter()
        .flat_map(|text| (values.binary_search(text).unwrap() as u16).to_le_bytes());
    v1::StringColumn {
        codes: codes.collect(),
        values: values.into_iter().map(str::to_owned).collect(),
        code_width: 2,
    }
}

fn batch(rows: &[Row]) -> v1::Batch {
    let column = |name: &str, values: Values, valid: Option<Vec<u8>>| v1::BatchColumn {
        name: name.into(),
        values: Some(values),
        validity: valid.unwrap_or_default(),
    };
    let all = rows.iter();
    v1::Batch {
        rows: rows.len() as u32,
        time: all.clone().flat_map(|row| row.time.to_le_bytes()).collect(),
        columns: vec![
            column(
                "v",
                Values::F64(all.clone().flat_map(|row| row.v.to_le_bytes()).collect()),
                None,
            ),
            column(
                "n",
                Values::I64(all.clone().flat_map(|row| row.n.unwrap_or(7).to_le_bytes()).collect()),
                Some(bits(all.clone().map(|row| row.n.is_some()))),
            ),
            column(
                "b",
                Values::Boolean(bits(all.clone().map(|row| row.b.unwrap_or(true)))),
                Some(bits(all.clone().map(|row| row.b.is_some()))),
            ),
            column(
                "s",
                Values::Symbol(strings(all.clone().map(|row| row.s.unwrap_or("red")))),
                Some(bits(all.clone().map(|row| row.s.is_some()))),
            ),
            column(
                "x",
                Values::Text(strings(all.clone().map(|row| row.x.as_deref().unwrap_or("")))),
                Some(bits(all.clone().map(|row| row.x.is_some()))),
            ),
            column("l", Values::Label(strings(all.map(|row| row.label))), None),
        ],
        ..v1::Batch::default()
    }
}

/// What a stream answers that holds these rows: over all of them, and by month and label.
fn expected(rows: &[Row]) -> (Vec<Cell>, Vec<Vec<Cell>>) {
    let count = |n: usize| Cell::I64(n as i64);
    let integer = |n: Option<i64>| n.map_or(Cell::Null, Cell::I64);
    let text = |text: Option<&str>| text.map_or(Cell::Null, Cell::text);
    let values: Vec<f64> = rows.iter().map(|row| row.v).filter(|v| !v.is_nan()).collect();
    let numbers: Vec<i64> = rows.iter().filter_map(|row| row.n).collect();
    let texts: Vec<&str> = rows.iter().filter_map(|row| row.x.as_deref()).collect();
    let symbols: Vec<&str> = rows.iter().filter_map(|row| row.s).collect();
    let whole = vec![
        count(rows.len()),
        count(values.len()),
        if values.is_empty() {
            Cell::Null
        } else {
            Cell::F64(values.iter().sum())
        },
        integer((!numbers.is_empty()).then(|| numbers.iter().sum())),
        integer(numbers.iter().copied().min()),
        integer(numbers.iter().copied().max()),
        count(rows.iter().filter(|row| row.b.is_some()).count()),
        count(symbols.len()),
        count(symbols.iter().collect::<BTreeSet<_>>().len()),
        text(texts.iter().copied().min()),
        text(texts.iter().copied().max()),
    ];
    let mut groups: BTreeMap<(i64, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let window = row.time.div_euclid(30 * DAY_NS) * 30 * DAY_NS;
        groups.entry((window, row.label)).or_default().push(row);
    }
    let of_group = |((window, label), rows): ((i64, &str), Vec<&Row>)| {
        let numbers: Vec<i64> = rows.iter().filter_map(|row| row.n).collect();
        let sum = integer((!numbers.is_empty()).then(|| numbers.iter().sum()));
        // Of equal times the one that arrived last.
        let last = rows.iter().filter(|row| !row.v.is_nan()).max_by_key(|row| row.time);
        let last = last.map_or(Cell::Null, |row| Cell::F64(row.v));
        vec![Cell::Time(window), Cell::text(label), count(rows.len()), sum, last]
    };
    (whole, groups.into_iter().map(of_group).collect())
}

/// Copies a folder's files, and those of its folders.
fn copy(from: &Path, to: &Path, skipped: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (name, path) = (entry.file_name(), entry.path());
        if name == skipped {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name), skipped);
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
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

    fn row(&mut self) -> Row {
        let random = &mut self.random;
        let time = match random.below(16) {
            0 | 1 => NOW + 3_600 * SECOND_NS,
            2 | 3 => NOW - random.below(400) as i64 * DAY_NS,
            _ => NOW - random.below(50) as i64,
        };
        let v = match random.below(10) {
            0 => f64::NAN,
            1 => -0.0,
            other => other as f64 - 5.0,
        };
        Row {
            time,
            v,
            n: (random.below(4) > 0).then(|| random.below(1 << 20) as i64 - (1 << 19)),
            b: (random.below(4) > 0).then(|| random.below(2) == 0),
            s: (random.below(4) > 0).then(|| SYMBOLS[random.below(SYMBOLS.len())]),
            x: (random.below(4) > 0).then(|| format!("text {}", random.below(1_000))),
            label: LABELS[random.below(LABELS.len())],
        }
    }

    fn request(&mut self) -> Sent {
        let count = if self.random.below(12) == 0 {
            1_000 + self.random.below(1_500)
        } else {
            1 + self.random.below(4)
        };
        let rows: Vec<Row> = (0..count).map(|_| self.row()).collect();
        let request = v1::WriteRequest {
            stream: STREAMS[self.random.below(STREAMS.len())].into(),
            kind: v1::StreamKind::Metric.into(),
            batch: Some(batch(&rows)),
            ..v1::WriteRequest::default()
        };
        Sent { request, rows }
    }

    fn send(&self, bytes: Vec<u8>) -> Waiting {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |answer| sender.send(answer).unwrap());
        self.ingest
            .submit(self.bed.ns, WriteMethod::Write, Box::new(bytes), done);
        receiver
    }

    /// Takes an acknowledged batch into the model.
    fn store(&mut self, sent: &Sent, answer: Result<Vec<u8>>) -> v1::WriteResponse {
        let answer = v1::WriteResponse::decode(&*answer.unwrap()).unwrap();
        let name = STREAMS.iter().find(|name| **name == sent.request.stream);
        let model = self.streams.entry(name.unwrap()).or_default();
        model.received += sent.rows.len() as u64;
        let before = model.stored.len();
        model
            .stored
            .extend(sent.rows.iter().filter(|row| is_good(row.time)).cloned());
        assert_eq!(answer.stored as usize, model.stored.len() - before);
        assert!(!answer.duplicate && answer.commit >= self.commit);
        self.commit = answer.commit;
        answer
    }

    fn write(&mut self) {
        let sent = self.request();
        let answer = self.send(sent.request.encode_to_vec()).recv().unwrap();
        self.store(&sent, answer);
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
            let mut one = self.request();
            let request = &mut one.request;
            (request.writer, request.epoch, request.sequence) = (name.into(), epoch, next + at as u64);
            let mut bytes = request.encode_to_vec();
            if at == broken {
                bytes.extend(b"\x1a\x05\x1a\x03\x0a\x01\xff");
            }
            let waiting = self.send(bytes);
            // Sometimes once more while it is under way, or has just been consumed.
            let again = (at < broken && self.random.below(3) == 0).then(|| self.send(request.encode_to_vec()));
            sent.push((one, waiting, again));
        }
        for (at, (one, waiting, again)) in sent.into_iter().enumerate() {
            let answer = waiting.recv().unwrap();
            if at >= broken {
                answer.unwrap_err();
                continue;
            }
            let answer = self.store(&one, answer);
            if let Some(again) = again {
                let repeated = v1::WriteResponse::decode(&*again.recv().unwrap().unwrap()).unwrap();
                assert_eq!((repeated.commit, repeated.stored), (answer.commit, answer.stored));
                self.count_duplicate(&one);
            }
            self.writers.get_mut(name).unwrap().consumed.push((one, answer));
        }
    }

    fn count_duplicate(&mut self, sent: &Sent) {
        if let Some(model) = self.streams.get_mut(sent.request.stream.as_str()) {
            let rows = sent.rows.len() as u64;
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
        let (mut sent, answer) = consumed[self.random.below(consumed.len())].clone();
        let request = &mut sent.request;
        request.epoch = epoch;
        let is_kept = next - request.sequence <= 64;
        let told = self.send(request.encode_to_vec()).recv().unwrap().unwrap();
        let told = v1::WriteResponse::decode(&*told).unwrap();
        assert!(told.duplicate && told.verified == is_kept);
        if is_kept {
            assert_eq!((told.commit, told.stored), (answer.commit, answer.stored));
        }
        self.count_duplicate(&sent);
    }

    fn misbehave(&mut self) {
        let (name, epoch, next) = self.writer();
        let mut request = self.request().request;
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
            self.assert_answers(&stream, &model.stored);
        }
        for (name, writer) in self.writers.iter().filter(|(_, writer)| writer.epoch > 0) {
            let head = store.writer_head(self.bed.ns, name).unwrap();
            assert_eq!(head, (writer.epoch, writer.consumed.len() as u64 + 1));
        }
        let status = store.status();
        let tails: u64 = store.streams(self.bed.ns).iter().map(|s| s.tail_size().1).sum();
        assert_eq!((status.queue_bytes, status.tail_bytes), (0, tails));
    }

    fn assert_answers(&self, stream: &Arc<Stream>, rows: &[Row]) {
        let context = Context::new(Arc::clone(self.bed.store.clock()));
        let ask = |spec: v1::QuerySpec| {
            let answer = run(stream, &Spec::new(spec).unwrap(), &context).unwrap();
            assert!(answer.provenance.commit >= self.commit);
            table(&answer.batch).1
        };
        if rows.is_empty() {
            // It may have none of the columns yet.
            assert_eq!(ask(spec(vec![measure(Count, "")])), [[Cell::I64(0)]]);
            return;
        }
        let measures = [
            (Count, ""),
            (Count, "v"),
            (Sum, "v"),
            (Sum, "n"),
            (Min, "n"),
            (Max, "n"),
            (Count, "b"),
            (Count, "s"),
            (Distinct, "s"),
            (Min, "x"),
            (Max, "x"),
        ];
        let (whole, groups) = expected(rows);
        assert_eq!(
            ask(spec(measures.map(|(kind, column)| measure(kind, column)).to_vec())),
            [whole]
        );
        let mut grouped = spec(vec![measure(Count, ""), measure(Sum, "n"), measure(Last, "v")]);
        (grouped.window, grouped.group_by) = (tumbling(30 * DAY_NS), by(&["l"]));
        let mut found = ask(grouped);
        found.sort_by_key(|row| format!("{:?}", &row[..2]));
        let mut groups = groups;
        groups.sort_by_key(|row| format!("{:?}", &row[..2]));
        assert_eq!(found, groups);
    }

    /// The process dies and the next one opens what is there: all that was acknowledged, and maybe parts that are not published.
    fn crash(&mut self) {
        let dir = tempfile::tempdir().unwrap();
        if self.random.below(2) == 0 {
            copy(self.bed.path(), dir.path(), "");
        } else {
            // Dies once parts are written and before they are published.
            copy(self.bed.path(), dir.path(), "parts");
            let before = self.bed.path().join("parts");
            copy(&before, &dir.path().join("parts"), "");
            if self.random.below(2) == 0 {
                self.seal();
            } else {
                self.recode();
            }
            copy(&before, &dir.path().join("parts"), "");
            fs::write(dir.path().join("parts/1-1-9999.new"), b"half a part").unwrap();
        }
        self.ingest.shutdown();
        self.bed.store.close().unwrap();
        self.bed.dir = dir;
        self.bed.store = Store::open(self.bed.path(), options(&self.bed.clock)).unwrap();
        self.ingest = Ingest::new(Arc::clone(&self.bed.store), 2);
        for (name, model) in &mut self.streams {
            // Duplicates are durable with the next commit of their stream.
            let ledger = *self.bed.store.stream(self.bed.ns, name).unwrap().ledger();
            assert!(ledger.duplicate <= model.duplicate);
            model.received -= model.duplicate - ledger.duplicate;
            model.duplicate = ledger.duplicate;
        }
        let named: usize = self
            .bed
            .store
            .streams(self.bed.ns)
            .iter()
            .map(|stream| stream.parts().len())
            .sum();
        assert_eq!(fs::read_dir(self.bed.path().join("parts")).unwrap().count(), named);
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

    /// Makes many small parts, and one of them where they are of like size.
    fn merge(&mut self) {
        for _ in 0..9 {
            self.write();
            self.seal();
        }
        for stream in self.bed.store.streams(self.bed.ns) {
            let (parts, rows) = (stream.parts().len() as u64, stream.rows());
            let less = self.bed.store.merge(&stream).unwrap();
            println!("merge {}: {less} of {parts} less", stream.name);
            assert_eq!((stream.parts().len() as u64, stream.rows()), (parts - less, rows));
        }
    }

    /// Writes parts anew in heavier codecs: nothing that is asked may change by it.
    fn recode(&mut self) {
        let name = STREAMS[self.random.below(STREAMS.len())];
        if let Ok(stream) = self.bed.store.stream(self.bed.ns, name) {
            println!("recode {name}");
            let (commit, parts, rows) = (stream.last_commit(), stream.parts(), stream.rows());
            let hot = parts.iter().filter(|part| part.codecs() == Codecs::Hot).count() as u64;
            assert_eq!(self.bed.store.recode(&stream, None).unwrap().parts, hot);
            assert_eq!(
                (stream.last_commit(), stream.parts().len(), stream.rows()),
                (commit, parts.len(), rows)
            );
            assert!(stream.parts().iter().all(|part| part.codecs() == Codecs::Cold));
        }
    }

    fn step(&mut self) {
        match self.random.below(25) {
            0..5 => self.write(),
            5..11 => self.write_in_sequence(),
            11..13 => self.resend(),
            13 => self.misbehave(),
            14 => self.open_writer(),
            15 => self.create(),
            16 => self.delete(),
            17 => self.reopen(),
            18..20 => self.seal(),
            20 => self.crash(),
            21 | 22 => self.merge(),
            23 => self.recode(),
            _ => self.compare(),
        }
    }
}

#[test]
fn a_store_does_what_its_model_does() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let sequences = number("MODEL_SEQUENCES").unwrap_or(SEQUENCES);
    let seeds = number("MODEL_SEED").map_or(1..=sequences, |seed| seed..=seed);
    for seed in seeds {
        let mut world = World::new(seed);
        // What has been done so far is printed with a failure.
        println!("MODEL_SEED={seed}");
        for _ in 0..STEPS {
            world.step();
        }
        world.compare();
        if seed % 2 == 0 {
            world.reopen();
        } else {
            world.crash();
        }
        world.compare();
        world.bed.store.verify().unwrap();
    }
}

#[test]
#[should_panic(expected = "left == right")]
fn control_a_store_with_a_row_more_than_its_model_is_found_out() {
    let mut world = World::new(1);
    while world.streams.values().all(|rows| rows.stored.len() < 2) {
        world.write();
        world.seal();
    }
    world.crash();
    world.compare();
    let (name, model) = world.streams.iter().max_by_key(|(_, rows)| rows.stored.len()).unwrap();
    let stream = world.bed.store.stream(world.bed.ns, name).unwrap();
    world.assert_answers(&stream, &model.stored[1..]);
}
