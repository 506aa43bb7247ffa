//! Rows per second of the query kernels and of whole queries over a tail in arrival order, on one thread.

use std::hint::black_box;
use std::sync::{Arc, OnceLock};

use divan::Bencher;
use divan::counter::ItemsCount;
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::{
    ColumnData, ColumnType, PackedBatch, RowBatch, Schema, StreamKind, StreamSettings, packed,
};
use marigram_core::query::{Context, Spec, run};
use marigram_core::sketch::Sketch;
use marigram_core::sketch::exponential::ExponentialHistogram;
use marigram_core::store::{CommitCounter, NamespaceId, Stream, TailBatch};
use marigram_core::time::{ManualClock, SECOND_NS};
use marigram_core::wire::v1;

fn main() {
    divan::main();
}

const ROWS: usize = 8 << 20;
const SERIES: usize = 1000;

/// 1,000 series sampled each second in turn, batches of 65,536 rows.
fn stream() -> Arc<Stream> {
    static STREAM: OnceLock<Arc<Stream>> = OnceLock::new();
    Arc::clone(STREAM.get_or_init(|| {
        let mut schema = Schema::new(StreamKind::Event, StreamSettings::default());
        let id = schema
            .add_column("", "value", ColumnType::F64, "", "")
            .expect("a column");
        let stream = Arc::new(Stream::new(
            1,
            NamespaceId(1),
            "rows",
            0,
            schema,
            Arc::new(CommitCounter::at(0)),
        ));
        let names: Vec<String> = (0..SERIES).map(|series| format!("host-{series}")).collect();
        stream.intern_users(names.iter().map(String::as_str));
        let mut state = 1u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for start in (0..ROWS).step_by(1 << 16) {
            let rows = start..start + (1 << 16);
            let batch = RowBatch {
                time: rows
                    .clone()
                    .map(|row| (row / SERIES) as i64 * SECOND_NS + (random() % 3_000_000) as i64)
                    .collect(),
                entity: rows.clone().map(|row| (row % SERIES) as u32 + 1).collect(),
                columns: vec![BatchColumn {
                    id,
                    data: ColumnData::F64(rows.map(|_| (random() % 100_000) as f64 / 100.0 + 0.01).collect()),
                    validity: None,
                }],
            };
            let packed = PackedBatch::open(packed::pack(&batch)).expect("sound");
            stream.push_batch(TailBatch::alone(1, packed));
        }
        stream.commits.publish(1);
        stream
    }))
}

fn query(bencher: Bencher<'_, '_>, kinds: &[v1::MeasureKind], change: impl Fn(&mut v1::QuerySpec)) {
    let stream = stream();
    let mut spec = v1::QuerySpec {
        stream: "rows".to_owned(),
        measures: kinds
            .iter()
            .map(|&kind| v1::Measure {
                kind: kind as i32,
                column: if kind == v1::MeasureKind::Count {
                    String::new()
                } else {
                    "value".to_owned()
                },
                quantile: if kind == v1::MeasureKind::Quantile { 0.99 } else { 0.0 },
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    change(&mut spec);
    let spec = Spec::new(spec).expect("a good spec");
    let context = Context::new(Arc::new(ManualClock::at(0)));
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| black_box(run(&stream, &spec, &context).expect("an answer")));
}

fn minutes(spec: &mut v1::QuerySpec) {
    let width = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    spec.window = Some(v1::Window {
        kind: Some(v1::window::Kind::Tumbling(v1::TumblingWindow { width })),
    });
}

fn by_entity(spec: &mut v1::QuerySpec) {
    spec.group_by = vec![v1::GroupKey {
        column: "entity".to_owned(),
    }];
}

#[divan::bench(sample_count = 10)]
fn sum_whole(bencher: Bencher<'_, '_>) {
    query(bencher, &[v1::MeasureKind::Sum], |_| {});
}

#[divan::bench(sample_count = 10)]
fn mean_and_max_whole(bencher: Bencher<'_, '_>) {
    query(bencher, &[v1::MeasureKind::Mean, v1::MeasureKind::Max], |_| {});
}

#[divan::bench(sample_count = 10)]
fn mean_by_minute(bencher: Bencher<'_, '_>) {
    query(bencher, &[v1::MeasureKind::Mean], minutes);
}

#[divan::bench(sample_count = 10)]
fn mean_by_entity_and_minute(bencher: Bencher<'_, '_>) {
    query(bencher, &[v1::MeasureKind::Mean], |spec| {
        minutes(spec);
        by_entity(spec);
    });
}

#[divan::bench(sample_count = 10)]
fn mean_and_max_by_entity_and_minute(bencher: Bencher<'_, '_>) {
    query(bencher, &[v1::MeasureKind::Mean, v1::MeasureKind::Max], |spec| {
        minutes(spec);
        by_entity(spec);
    });
}

#[divan::bench(sample_count = 10)]
fn quantile_whole(bencher: Bencher<'_, '_>) {
    query(bencher, &[v1::MeasureKind::Quantile], |_| {});
}

#[divan::bench(sample_count = 10)]
fn quantile_by_entity(bencher: Bencher<'_, '_>) {
    query(bencher, &[v1::MeasureKind::Quantile], by_entity);
}

#[divan::bench(sample_count = 10)]
fn count_above_half(bencher: Bencher<'_, '_>) {
    query(bencher, &[v1::MeasureKind::Count, v1::MeasureKind::Sum], |spec| {
        spec.filter = Some(v1::Filter {
            condition: Some(v1::filter::Condition::Compare(v1::Comparator {
                column: "value".to_owned(),
                operator: v1::ComparisonOperator::Greater as i32,
                value: Some(v1::Value {
                    kind: Some(v1::value::Kind::F64(500.0)),
                }),
            })),
        });
    });
}

#[divan::bench(sample_count = 20, args = [false, true])]
fn sketch_inserts(bencher: Bencher<'_, '_>, negatives: bool) {
    let mut state = 1u64;
    let values: Vec<f64> = (0..1 << 20)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let magnitude = ((state % 1_000_000) as f64 / 100_000.0).exp();
            if negatives && state >> 40 & 1 == 1 {
                -magnitude
            } else {
                magnitude
            }
        })
        .collect();
    bencher.counter(ItemsCount::new(values.len())).bench_local(|| {
        let mut sketch = ExponentialHistogram::default();
        values.chunks(1024).for_each(|block| sketch.insert_all(block));
        black_box(sketch.count())
    });
}
