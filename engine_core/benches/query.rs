//! Rows per second of the query kernels and of whole queries, over a tail in arrival order and over sealed parts, on one thread.

use std::hint::black_box;
use std::sync::{Arc, Mutex, OnceLock};

use divan::Bencher;
use divan::counter::ItemsCount;
use marigram_core::column::batch::{BatchColumn, TextData};
use marigram_core::column::{
    ColumnData, ColumnType, PackedBatch, RejectCounts, RowBatch, Schema, StreamKind, StreamSettings, packed,
};
use marigram_core::query::{Context, Spec, run};
use marigram_core::sketch::Sketch;
use marigram_core::sketch::exponential::ExponentialHistogram;
use marigram_core::store::{CommitCounter, CommitItem, NamespaceId, Store, StoreOptions, Stream, TailBatch};
use marigram_core::time::{ManualClock, SECOND_NS};
use marigram_core::wire::v1;

fn main() {
    divan::main();
    // Statics are not dropped: the stores' folders would stay.
    STORES.lock().expect("benches do not panic").clear();
}

const ROWS: usize = 8 << 20;
const SERIES: usize = 1000;
const POINTS: usize = 10_000;
const HOSTS: usize = 4000;
const TICKS: usize = 1080;
const REQUESTS: usize = 4_000_000;
const ADDRESSES: u64 = 100_000;

static STORES: Mutex<Vec<(Arc<Store>, tempfile::TempDir)>> = Mutex::new(Vec::new());

/// Xorshift64: the same rows in every run.
fn random() -> impl FnMut() -> u64 {
    let mut state = 1u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// A stream of these columns in a store of its own, every row sealed. `rows` gives time, entity number and columns of a batch.
fn sealed(
    columns: &[(&str, ColumnType)],
    entities: usize,
    batches: usize,
    rows: impl FnMut(usize) -> (Vec<i64>, Vec<u32>, Vec<ColumnData>),
) -> Arc<Stream> {
    sealed_with(columns, entities, batches, &[], rows)
}

/// The same, with these symbols in each column of symbols.
fn sealed_with(
    columns: &[(&str, ColumnType)],
    entities: usize,
    batches: usize,
    symbols: &[String],
    mut rows: impl FnMut(usize) -> (Vec<i64>, Vec<u32>, Vec<ColumnData>),
) -> Arc<Stream> {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions {
        map_size: 4 << 30,
        reserve_bytes: 0,
        seals: false,
        clock: Arc::new(ManualClock::at(0)),
        ..StoreOptions::default()
    };
    let store = Store::open(folder.path(), options).expect("a store");
    let namespace = store.create_namespace("default").expect("a namespace");
    let stream = store
        .stream_or_new(namespace, "rows", StreamKind::Event)
        .expect("a stream");
    let mut ids = Vec::new();
    for (name, kind) in columns {
        stream
            .change_schema(|schema| schema.add_column("", name, *kind, "", "").map(|id| ids.push(id)))
            .expect("a column");
    }
    for ((_, kind), &id) in columns.iter().zip(&ids) {
        if *kind == ColumnType::Symbol {
            stream.symbols(id).intern(symbols.iter().map(String::as_str));
        }
    }
    let names: Vec<String> = (0..entities).map(|entity| format!("host-{entity}")).collect();
    stream.intern_users(names.iter().map(String::as_str));
    for batch in 0..batches {
        let (time, entity, data) = rows(batch);
        let received = time.len() as u64;
        let column = |(&id, data)| BatchColumn {
            id,
            data,
            validity: None,
        };
        let batch = RowBatch {
            time,
            entity,
            columns: ids.iter().zip(data).map(column).collect(),
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        store.submit(CommitItem {
            stream: Arc::clone(&stream),
            batch: Some(PackedBatch::open(packed::pack(&batch)).expect("sound")),
            received,
            rejected: RejectCounts::default(),
            late: 0,
            quarantine: Vec::new(),
            writer: None,
            message_bytes: 0,
            done: Box::new(move |outcome| sender.send(outcome.is_ok()).expect("somebody waits")),
        });
        assert!(receiver.recv().expect("an outcome"));
    }
    store.seal(&stream).expect("parts");
    STORES.lock().expect("benches do not panic").push((store, folder));
    stream
}

/// 1,000 series of 10,000 values with two decimals, each second with a jitter of 3 ms.
fn narrow() -> Arc<Stream> {
    static STREAM: OnceLock<Arc<Stream>> = OnceLock::new();
    let mut random = random();
    let make = |batch: usize| {
        let rows = batch * 100 * SERIES..(batch + 1) * 100 * SERIES;
        let time = rows.clone().map(|row| {
            let jitter = (random() % 6_000_000) as i64;
            (row / SERIES) as i64 * SECOND_NS + jitter - POINTS as i64 * SECOND_NS
        });
        let time = time.collect();
        let values = rows.clone().map(|_| (random() % 10_000) as f64 / 100.0).collect();
        let entity = rows.map(|row| (row % SERIES) as u32 + 1).collect();
        (time, entity, vec![ColumnData::F64(values)])
    };
    Arc::clone(STREAM.get_or_init(|| sealed(&[("value", ColumnType::F64)], SERIES, POINTS / 100, make)))
}

/// 4,000 hosts of 1,080 ticks of ten seconds, ten walks of whole numbers from 0 to 100 each.
fn hosts() -> Arc<Stream> {
    static STREAM: OnceLock<Arc<Stream>> = OnceLock::new();
    let mut random = random();
    let mut walks = vec![50i64; HOSTS * 10];
    let make = |batch: usize| {
        let rows = batch * 30 * HOSTS..(batch + 1) * 30 * HOSTS;
        let mut columns = vec![Vec::new(); 10];
        for row in rows.clone() {
            for (at, column) in columns.iter_mut().enumerate() {
                let walk = &mut walks[row % HOSTS * 10 + at];
                *walk = (*walk + (random() >> 20) as i64 % 3 - 1).clamp(0, 100);
                column.push(*walk);
            }
        }
        let time = rows
            .clone()
            .map(|row| ((row / HOSTS) as i64 - TICKS as i64) * 10 * SECOND_NS)
            .collect();
        let entity = rows.map(|row| (row % HOSTS) as u32 + 1).collect();
        (time, entity, columns.into_iter().map(ColumnData::I64).collect())
    };
    let columns = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"].map(|name| (name, ColumnType::I64));
    Arc::clone(STREAM.get_or_init(|| sealed(&columns, HOSTS, TICKS / 30, make)))
}

/// 1,000 users in turn, each row with a text of its own like a UUID.
fn requests() -> Arc<Stream> {
    static STREAM: OnceLock<Arc<Stream>> = OnceLock::new();
    let mut random = random();
    let make = |batch: usize| {
        let rows = batch * 100 * SERIES..(batch + 1) * 100 * SERIES;
        let time = rows
            .clone()
            .map(|row| (row as i64 - REQUESTS as i64) * SECOND_NS / 1000);
        let mut ids = TextData::default();
        rows.clone().for_each(|_| ids.push(&uuid(random(), random())));
        let entity = rows.clone().map(|row| (row % SERIES) as u32 + 1).collect();
        (time.collect(), entity, vec![ColumnData::Text(ids)])
    };
    Arc::clone(STREAM.get_or_init(|| sealed(&[("request", ColumnType::Text)], SERIES, REQUESTS / 100 / SERIES, make)))
}

/// 1,000 users in turn, each row with one of 100,000 addresses as a symbol and another as a text.
fn visits() -> Arc<Stream> {
    static STREAM: OnceLock<Arc<Stream>> = OnceLock::new();
    let mut random = random();
    let address = |number: u64| {
        format!(
            "https://example.com/shop/item-{}/page-{number}",
            number.wrapping_mul(7_919) % 10_007
        )
    };
    let make = |batch: usize| {
        let rows = batch * 100 * SERIES..(batch + 1) * 100 * SERIES;
        let time = rows
            .clone()
            .map(|row| (row as i64 - REQUESTS as i64) * SECOND_NS / 1000);
        let codes = rows.clone().map(|_| 1 + (random() % ADDRESSES) as u32).collect();
        let mut texts = TextData::default();
        rows.clone().for_each(|_| texts.push(&address(random() % ADDRESSES)));
        let entity = rows.clone().map(|row| (row % SERIES) as u32 + 1).collect();
        (
            time.collect(),
            entity,
            vec![ColumnData::Code(codes), ColumnData::Text(texts)],
        )
    };
    let columns = [("address", ColumnType::Symbol), ("text", ColumnType::Text)];
    let stream = STREAM.get_or_init(|| {
        let addresses: Vec<String> = (0..ADDRESSES).map(address).collect();
        sealed_with(&columns, SERIES, REQUESTS / 100 / SERIES, &addresses, make)
    });
    Arc::clone(stream)
}

/// Rows of which a column matches.
fn like(spec: &mut v1::QuerySpec, column: &str, kind: v1::TextMatchKind, pattern: &str) {
    spec.filter = Some(v1::Filter {
        condition: Some(v1::filter::Condition::Match(v1::TextMatch {
            column: column.to_owned(),
            kind: kind as i32,
            pattern: pattern.to_owned(),
        })),
    });
}

fn uuid(high: u64, low: u64) -> String {
    let (a, b, c) = (high >> 32, high >> 16 & 0xFFFF, high & 0xFFFF);
    format!(
        "{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}",
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    )
}

/// Rows whose request is this.
fn one_request(spec: &mut v1::QuerySpec, operator: v1::ComparisonOperator, text: &str) {
    spec.filter = Some(v1::Filter {
        condition: Some(v1::filter::Condition::Compare(v1::Comparator {
            column: "request".to_owned(),
            operator: operator as i32,
            value: Some(v1::Value {
                kind: Some(v1::value::Kind::Text(text.to_owned())),
            }),
        })),
    });
}

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
        let mut random = random();
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
    let measures: Vec<_> = kinds.iter().map(|&kind| (kind, "value")).collect();
    query_of(bencher, &stream(), &measures, change);
}

fn query_of(
    bencher: Bencher<'_, '_>,
    stream: &Arc<Stream>,
    measures: &[(v1::MeasureKind, &str)],
    change: impl Fn(&mut v1::QuerySpec),
) {
    let mut spec = v1::QuerySpec {
        stream: "rows".to_owned(),
        measures: measures
            .iter()
            .map(|&(kind, column)| v1::Measure {
                kind: kind as i32,
                column: if kind == v1::MeasureKind::Count { "" } else { column }.to_owned(),
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
        .counter(ItemsCount::new(stream.rows()))
        .bench_local(|| black_box(run(stream, &spec, &context).expect("an answer")));
}

fn no_footers(spec: &mut v1::QuerySpec) {
    spec.hints = Some(v1::QueryHints {
        no_footers: true,
        ..v1::QueryHints::default()
    });
}

/// One host, and of time what is given in seconds before the end.
fn entity_between(spec: &mut v1::QuerySpec, start: i64, end: i64) {
    spec.filter = Some(v1::Filter {
        condition: Some(v1::filter::Condition::Compare(v1::Comparator {
            column: "entity".to_owned(),
            operator: v1::ComparisonOperator::Equal as i32,
            value: Some(v1::Value {
                kind: Some(v1::value::Kind::Text("host-777".to_owned())),
            }),
        })),
    });
    spec.range = Some(v1::TimeRange {
        start_ns: Some(-start * SECOND_NS),
        end_ns: Some(-end * SECOND_NS),
    });
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
        ..Default::default()
    }];
}

fn hours(spec: &mut v1::QuerySpec) {
    let width = Some(prost_types::Duration {
        seconds: 3_600,
        nanos: 0,
    });
    spec.window = Some(v1::Window {
        kind: Some(v1::window::Kind::Tumbling(v1::TumblingWindow { width })),
    });
}

#[divan::bench_group(sample_count = 10)]
mod sealed_rows {
    use divan::Bencher;
    use v1::MeasureKind::{Count, Last, Max, Mean, Min, Sum};

    use super::*;

    #[divan::bench]
    fn count(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Count, "")], |_| {});
    }

    #[divan::bench]
    fn sum(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Sum, "value")], |_| {});
    }

    #[divan::bench]
    fn sum_no_footers(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Sum, "value")], no_footers);
    }

    #[divan::bench]
    fn sum_of_integers_no_footers(bencher: Bencher<'_, '_>) {
        query_of(bencher, &hosts(), &[(Sum, "c0")], no_footers);
    }

    #[divan::bench]
    fn min_and_max(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Min, "value"), (Max, "value")], |_| {});
    }

    #[divan::bench]
    fn sum_by_entity(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Sum, "value")], by_entity);
    }

    #[divan::bench]
    fn one_hour_of_an_entity(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Mean, "value"), (Max, "value")], |spec| {
            entity_between(spec, 5_000, 1_400);
            minutes(spec);
        });
    }

    #[divan::bench]
    fn last_by_entity(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Last, "value")], by_entity);
    }

    #[divan::bench]
    fn last_of_ten_by_entity(bencher: Bencher<'_, '_>) {
        let columns = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];
        query_of(bencher, &hosts(), &columns.map(|column| (Last, column)), by_entity);
    }

    #[divan::bench]
    fn mean_and_max_by_minute(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Mean, "value"), (Max, "value")], minutes);
    }

    #[divan::bench]
    fn mean_and_max_by_entity_and_minute(bencher: Bencher<'_, '_>) {
        query_of(bencher, &narrow(), &[(Mean, "value"), (Max, "value")], |spec| {
            minutes(spec);
            by_entity(spec);
        });
    }

    #[divan::bench]
    fn count_of_a_text(bencher: Bencher<'_, '_>) {
        // The very first row's: the same in every run.
        let mut random = random();
        let first = uuid(random(), random());
        query_of(bencher, &requests(), &[(Count, "")], |spec| {
            one_request(spec, v1::ComparisonOperator::Equal, &first);
        });
    }

    #[divan::bench]
    fn count_of_a_text_that_is_not_there(bencher: Bencher<'_, '_>) {
        query_of(bencher, &requests(), &[(Count, "")], |spec| {
            one_request(
                spec,
                v1::ComparisonOperator::Equal,
                "00000000-0000-0000-0000-000000000000",
            );
        });
    }

    #[divan::bench]
    fn count_of_other_texts(bencher: Bencher<'_, '_>) {
        query_of(bencher, &requests(), &[(Count, "")], |spec| {
            one_request(
                spec,
                v1::ComparisonOperator::NotEqual,
                "00000000-0000-0000-0000-000000000000",
            );
        });
    }

    #[divan::bench(args = ["address", "text"])]
    fn count_of_a_part(bencher: Bencher<'_, '_>, column: &str) {
        query_of(bencher, &visits(), &[(Count, "")], |spec| {
            like(spec, column, v1::TextMatchKind::Contains, "item-77");
        });
    }

    #[divan::bench(args = ["address", "text"])]
    fn count_of_a_regular_expression(bencher: Bencher<'_, '_>, column: &str) {
        query_of(bencher, &visits(), &[(Count, "")], |spec| {
            like(spec, column, v1::TextMatchKind::Regex, r".*/item-\d+7/page-[0-4]\w*");
        });
    }

    #[divan::bench]
    fn mean_by_entity_and_hour(bencher: Bencher<'_, '_>) {
        query_of(bencher, &hosts(), &[(Mean, "c0")], |spec| {
            hours(spec);
            by_entity(spec);
        });
    }
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
    let mut random = random();
    let values: Vec<f64> = (0..1 << 20)
        .map(|_| {
            let state = random();
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
