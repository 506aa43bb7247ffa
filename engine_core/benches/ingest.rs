//! Rows a second through decoding, validation and packing, on one core: `cargo bench --bench ingest`.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use marigram_core::column::{Schema, StreamKind, StreamSettings};
use marigram_core::error::Result;
use marigram_core::ingest::prepare::{Streams, Terms};
use marigram_core::ingest::tables::KnownTables;
use marigram_core::ingest::validate;
use marigram_core::store::{NamespaceId, Stream};
use marigram_core::wire::batch::BatchView;
use marigram_core::wire::envelope::Envelope;
use marigram_core::wire::v1::{self, batch_column::Values};
use prost::Message;

const NOW: i64 = 1_700_000_000_000_000_000;
const HOSTS: usize = 4_000;

fn main() {
    divan::main();
}

struct One(Arc<Stream>);

impl Streams for One {
    fn find(&self) -> Result<Option<Arc<Stream>>> {
        Ok(Some(Arc::clone(&self.0)))
    }

    fn make(&self, _: StreamKind) -> Result<Arc<Stream>> {
        Ok(Arc::clone(&self.0))
    }
}

fn metric() -> One {
    let schema = Schema::new(StreamKind::Metric, StreamSettings::default());
    One(Arc::new(Stream::new(
        1,
        NamespaceId(1),
        "cpu",
        0,
        schema,
        Arc::default(),
    )))
}

/// As a collector sends them: every host in turn, a tick of ten seconds a round.
fn batch(rows: usize) -> v1::Batch {
    let time =
        (0..rows).flat_map(|row| (NOW - 1_000_000_000_000 + (row / HOSTS) as i64 * 10_000_000_000).to_le_bytes());
    let values = (0..rows).flat_map(|row| ((row as f64 * 0.37).sin() * 100.0).to_le_bytes());
    v1::Batch {
        rows: rows as u32,
        time: time.collect(),
        columns: vec![v1::BatchColumn {
            name: "value".into(),
            values: Some(Values::F64(values.collect())),
            validity: Vec::new(),
        }],
        ..v1::Batch::default()
    }
}

fn host(at: usize) -> String {
    format!("host-{at}")
}

fn request(batch: v1::Batch) -> Vec<u8> {
    v1::WriteRequest {
        stream: "cpu".into(),
        batch: Some(batch),
        ..v1::WriteRequest::default()
    }
    .encode_to_vec()
}

fn run(bencher: Bencher<'_, '_>, rows: usize, bytes: &[u8]) {
    let (streams, tables) = (metric(), KnownTables::default());
    let terms = Terms {
        streams: &streams,
        now: NOW,
        atomic: false,
        secret: [0; 16],
        tables: &tables,
    };
    bencher.counter(ItemsCount::new(rows)).bench(|| {
        let envelope = Envelope::of_write(divan::black_box(bytes)).expect("an envelope");
        divan::black_box(envelope.hash());
        let view = BatchView::of(&envelope).expect("a batch").expect("one");
        validate::write("cpu", &view, None, &terms).expect("rows")
    });
}

/// Time, series index and one double: 18 bytes a row, ten rows a series and more.
#[divan::bench(args = [1_000, 65_536, 524_288])]
fn narrow_points_by_series_table(bencher: Bencher<'_, '_>, rows: usize) {
    let (mut batch, hosts) = (batch(rows), HOSTS.min(rows / 10));
    let label = |at| v1::Label {
        name: "host".into(),
        value: host(at),
    };
    batch.series = Some(v1::SeriesTable {
        series: (0..hosts)
            .map(|at| v1::Series {
                labels: vec![label(at)],
            })
            .collect(),
        index: (0..rows).flat_map(|row| ((row % hosts) as u16).to_le_bytes()).collect(),
        index_width: 2,
    });
    run(bencher, rows, &request(batch));
}

/// The same with the host as a label column.
#[divan::bench(args = [65_536, 524_288])]
fn narrow_points_by_label_column(bencher: Bencher<'_, '_>, rows: usize) {
    let mut batch = batch(rows);
    batch.columns.push(v1::BatchColumn {
        name: "host".into(),
        values: Some(Values::Label(v1::StringColumn {
            values: (0..HOSTS).map(host).collect(),
            codes: (0..rows).flat_map(|row| ((row % HOSTS) as u16).to_le_bytes()).collect(),
            code_width: 2,
        })),
        validity: Vec::new(),
    });
    run(bencher, rows, &request(batch));
}

/// What the envelope alone costs the thread that submits.
#[divan::bench]
fn envelope(bencher: Bencher<'_, '_>) {
    let bytes = request(batch(65_536));
    bencher.bench(|| Envelope::of_write(divan::black_box(&bytes)).expect("an envelope"));
}
