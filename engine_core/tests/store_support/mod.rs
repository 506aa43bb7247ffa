//! What the store's tests share: a store in a directory of its own, a clock that stands still, rows with known values.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::path::Path;
use std::sync::{Arc, mpsc};

use marigram_core::column::batch::BatchColumn;
use marigram_core::column::packed::pack;
use marigram_core::column::{BLOCK_ROWS, ColumnData, PackedBatch, RejectCounts, RowBatch, StreamKind};
use marigram_core::error::Result;
use marigram_core::store::{
    CommitItem, Committed, NamespaceId, QuarantinedRow, Store, StoreOptions, Stream, WriterAdvance,
};
use marigram_core::time::{ManualClock, SECOND_NS};

pub const NOW: i64 = 1_700_000_000 * SECOND_NS;

pub struct Bed {
    pub dir: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub store: Arc<Store>,
    pub ns: NamespaceId,
}

/// Options that suit a test: a small map, no reserve, a clock that stands still, nothing in the background.
pub fn options(clock: &Arc<ManualClock>) -> StoreOptions {
    StoreOptions {
        map_size: 1 << 30,
        reserve_bytes: 0,
        min_free_bytes: 0,
        seals: false,
        scrub_bytes_per_second: 0,
        clock: clock.clone(),
        seed: 7,
        ..StoreOptions::default()
    }
}

impl Bed {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut StoreOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let mut options = options(&clock);
        change(&mut options);
        let store = Store::open(dir.path(), options).unwrap();
        let ns = store.create_namespace("default").unwrap();
        Self { dir, clock, store, ns }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Closes the store and opens it again.
    pub fn reopen(&mut self) {
        self.store.close().unwrap();
        self.store = Store::open(self.dir.path(), options(&self.clock)).unwrap();
    }

    pub fn stream(&self, name: &str) -> Arc<Stream> {
        self.store.stream_or_new(self.ns, name, StreamKind::Event).unwrap()
    }

    /// Commits these times to a stream, one row each.
    pub fn write(&self, stream: &Arc<Stream>, times: &[i64]) -> Committed {
        commit(&self.store, item(stream, times)).unwrap()
    }
}

pub fn packed(times: &[i64], entity: u32) -> PackedBatch {
    let batch = RowBatch {
        time: times.to_vec(),
        entity: vec![entity; times.len()],
        columns: vec![BatchColumn {
            id: 2,
            data: ColumnData::Code(vec![1; times.len()]),
            validity: None,
        }],
    };
    PackedBatch::open(pack(&batch)).unwrap()
}

/// An item that stores these times for user `ada`, event `click`.
pub fn item(stream: &Arc<Stream>, times: &[i64]) -> CommitItem {
    let entity = stream.intern_users(["ada"].into_iter())[0];
    stream.symbols(2).intern(["click"].into_iter());
    CommitItem {
        stream: stream.clone(),
        batch: (!times.is_empty()).then(|| packed(times, entity)),
        received: times.len() as u64,
        rejected: RejectCounts::default(),
        late: 0,
        quarantine: Vec::new(),
        writer: None,
        message_bytes: 100,
        done: Box::new(|_| {}),
    }
}

pub fn advance(name: &str, epoch: u64, sequence: u64) -> Option<WriterAdvance> {
    Some(WriterAdvance {
        name: name.to_owned(),
        epoch,
        sequence,
        hash: u128::from(sequence) * 31,
    })
}

pub fn quarantined(reason: marigram_core::column::Reject, bytes: usize) -> QuarantinedRow {
    QuarantinedRow {
        reason,
        row: 3,
        column: "value".to_owned(),
        found: "text".to_owned(),
        values: vec![7; bytes],
    }
}

/// Submits an item; the outcome comes through the receiver.
pub fn submit(store: &Store, mut item: CommitItem) -> mpsc::Receiver<Result<Committed>> {
    let (sender, receiver) = mpsc::channel();
    item.done = Box::new(move |outcome| {
        // A test that has seen enough no longer listens.
        let _ = sender.send(outcome);
    });
    store.submit(item);
    receiver
}

/// Submits an item and waits for it.
pub fn commit(store: &Store, item: CommitItem) -> Result<Committed> {
    submit(store, item).recv().unwrap()
}

/// Commits rows.
pub fn store_batch(store: &Store, stream: &Arc<Stream>, batch: &RowBatch) {
    let rows = batch.rows() as u64;
    let item = CommitItem {
        stream: Arc::clone(stream),
        batch: Some(PackedBatch::open(pack(batch)).unwrap()),
        received: rows,
        rejected: RejectCounts::default(),
        late: 0,
        quarantine: Vec::new(),
        writer: None,
        message_bytes: 0,
        done: Box::new(|_| {}),
    };
    commit(store, item).unwrap();
}

/// Xorshift64*: the same numbers in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * bound) >> 32
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// Every time in the tail of a stream, in order of arrival.
pub fn times(stream: &Stream) -> Vec<i64> {
    let mut times = Vec::new();
    let mut block = [0; BLOCK_ROWS];
    for batch in stream.snapshot().batches() {
        for at in 0..batch.packed.blocks() {
            batch.packed.decode_i64(0, at, &mut block).unwrap();
            times.extend_from_slice(&block[..batch.packed.block_rows(at)]);
        }
    }
    times
}
