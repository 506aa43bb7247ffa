//! Sealing: rows a second of one core, for narrow points in order of arrival and for wide rows.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::packed::pack;
use marigram_core::column::{ColumnData, ColumnType, PackedBatch, RejectCounts, RowBatch, StreamKind};
use marigram_core::store::{CommitItem, Store, StoreOptions, Stream};
use marigram_core::time::SECOND_NS;

const BATCH: usize = 1 << 16;
const SERIES: usize = 1_000;

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

fn fill(store: &Store, rows: usize, columns: usize) -> Arc<Stream> {
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
    let users: Vec<String> = (0..SERIES).map(|series| format!("series-{series}")).collect();
    stream.intern_users(users.iter().map(String::as_str));
    let mut walks = Walks(vec![5_000; SERIES * columns], 88_172_645_463_325_252);
    for start in (0..rows).step_by(BATCH) {
        let range = start..rows.min(start + BATCH);
        let column = |(at, &id): (usize, &u16)| {
            let mut step = |row: usize, most| walks.step(row % SERIES * columns + at, most);
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
                .map(|row| (row / SERIES) as i64 * SECOND_NS + (row * 7_919 % 6_000_000) as i64)
                .collect(),
            entity: range.clone().map(|row| (row % SERIES) as u32 + 1).collect(),
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

fn seal(bencher: Bencher<'_, '_>, rows: usize, columns: usize) {
    bencher
        .counter(ItemsCount::new(rows))
        .with_inputs(|| {
            let dir = tempfile::tempdir().expect("a directory");
            let options = StoreOptions {
                seals: false,
                reserve_bytes: 0,
                ..StoreOptions::default()
            };
            let store = Store::open(dir.path(), options).expect("a store");
            let stream = fill(&store, rows, columns);
            (dir, store, stream)
        })
        .bench_local_values(|(dir, store, stream)| {
            let report = store.seal(&stream).expect("sealed");
            assert_eq!(report.rows, rows as u64);
            if std::env::var_os("SEAL_REPORT").is_some() {
                eprintln!(
                    "{} parts, {:.3} bytes a row",
                    report.parts,
                    report.bytes as f64 / rows as f64
                );
            }
            black_box((dir, store, stream))
        });
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn narrow(bencher: Bencher<'_, '_>) {
    seal(bencher, 4 << 20, 1);
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn wide(bencher: Bencher<'_, '_>) {
    seal(bencher, 1 << 20, 10);
}
