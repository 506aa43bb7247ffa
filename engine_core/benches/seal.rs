//! Sealing: rows a second, for narrow points in order of arrival and for wide rows, on one thread and on two. With SEAL_REPORT set
//! it says what parts there are and how many seconds cores worked for them.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::packed::pack;
use marigram_core::column::{ColumnData, ColumnType, PackedBatch, RejectCounts, RowBatch, StreamKind};
use marigram_core::store::{CommitItem, Store, StoreOptions, Stream};
use marigram_core::time::SECOND_NS;

const BATCH: usize = 1 << 16;
/// Threads of a seal.
const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

/// Random walks: two decimals as doubles, or whole numbers from 0 to 100 as integers.
struct Walks(Vec<i64>, u64);

impl Walks {
    fn step(&mut self, walk: usize, most: i64) -> i64 {
        self.1 ^= self.1 << 13;
        self.1 ^= self.1 >> 7;
        self.1 ^= self.1 << 17;
        let value = &mut self.0[walk];
        *value = (*value + (self.1 % 7) as i64 - 3).clamp(0, most);
        *value
    }
}

fn fill(store: &Store, rows: usize, columns: usize, series: usize) -> Arc<Stream> {
    let namespace = store.create_namespace("default").expect("a new store");
    let stream = store
        .stream_or_new(namespace, "rows", StreamKind::Event)
        .expect("a stream");
    let kind = if columns == 1 { ColumnType::F64 } else { ColumnType::I64 };
    let ids: Vec<u16> = (0..columns)
        .map(|column| {
            stream
                .change_schema(|schema| schema.add_column("", &format!("c{column}"), kind, "", ""))
                .expect("a column")
        })
        .collect();
    let users: Vec<String> = (0..series).map(|n| format!("series-{n}")).collect();
    stream.intern_users(users.iter().map(String::as_str));
    let mut walks = Walks(vec![5_000; series * columns], 88_172_645_463_325_252);
    for start in (0..rows).step_by(BATCH) {
        let range = start..rows.min(start + BATCH);
        let column = |(at, &id): (usize, &u16)| {
            let mut step = |row: usize, most| walks.step(row % series * columns + at, most);
            BatchColumn {
                id,
                data: match kind {
                    ColumnType::F64 => {
                        ColumnData::F64(range.clone().map(|row| step(row, 100_000) as f64 / 100.0).collect())
                    }
                    _ => ColumnData::I64(range.clone().map(|row| step(row, 100)).collect()),
                },
                validity: None,
            }
        };
        let batch = RowBatch {
            columns: ids.iter().enumerate().map(column).collect(),
            time: range
                .clone()
                .map(|row| (row / series) as i64 * SECOND_NS + (row * 7_919 % 6_000_000) as i64)
                .collect(),
            entity: range.clone().map(|row| (row % series) as u32 + 1).collect(),
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        store.submit(CommitItem {
            stream: Arc::clone(&stream),
            batch: Some(PackedBatch::open(pack(&batch)).expect("sound")),
            received: batch.rows() as u64,
            rejected: RejectCounts::default(),
            late: 0,
            quarantine: Vec::new(),
            writer: None,
            message_bytes: 0,
            done: Box::new(move |outcome| sender.send(outcome.map(|_| ())).unwrap_or_default()),
        });
        receiver.recv().expect("an answer").expect("stored");
    }
    stream
}

/// Seconds that cores have worked for this process, by the system's clock ticks.
fn core_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // User and system time are the 14th and 15th field; the second, in brackets, may hold spaces.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

fn seal(bencher: Bencher<'_, '_>, rows: usize, columns: usize, series: usize, threads: usize) {
    bencher
        .counter(ItemsCount::new(rows))
        .with_inputs(|| {
            let dir = tempfile::tempdir().expect("a directory");
            let options = StoreOptions {
                seals: false,
                seal_threads: threads,
                reserve_bytes: 0,
                ..StoreOptions::default()
            };
            let store = Store::open(dir.path(), options).expect("a store");
            let stream = fill(&store, rows, columns, series);
            (dir, store, stream)
        })
        .bench_local_values(|(dir, store, stream)| {
            let before = core_seconds();
            let report = store.seal(&stream).expect("sealed");
            assert_eq!(report.rows, rows as u64);
            if std::env::var_os("SEAL_REPORT").is_some() {
                eprintln!(
                    "{} parts, {:.3} bytes a row, {:.2} core-seconds",
                    report.parts,
                    report.bytes as f64 / rows as f64,
                    core_seconds() - before
                );
            }
            black_box((dir, store, stream))
        });
}

#[divan::bench(args = THREADS, sample_count = 3, sample_size = 1)]
fn narrow(bencher: Bencher<'_, '_>, threads: usize) {
    seal(bencher, 10_000_000, 1, 4_000, threads);
}

#[divan::bench(args = THREADS, sample_count = 3, sample_size = 1)]
fn wide(bencher: Bencher<'_, '_>, threads: usize) {
    seal(bencher, 1 << 20, 10, 1_000, threads);
}
