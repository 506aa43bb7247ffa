//! Durable storage over LMDB: the only module that names heed. `FORMAT.md` describes every byte it writes.
//!
//! Rows come in by [`Store::submit`], are durable once `done` is told so, and lie in the tail of their stream from then on.
//! One thread, the committer, opens write transactions; everything else that changes is handed to it.

mod ahead;
pub mod backup;
mod blank;
mod blob;
mod catalog;
mod change;
mod check;
mod commit;
mod documents;
mod fault;
mod frame;
mod hot;
mod index;
mod item;
mod keys;
mod lock;
mod manifest;
mod merge;
pub mod migrate;
mod options;
mod pages;
mod part;
mod past;
mod publish;
mod quarantine;
mod queue;
mod recode;
mod records;
mod replay;
mod retention;
pub mod rollup;
mod rows;
mod scrub;
mod seal;
mod sealer;
mod shared;
mod space;
pub mod status;
mod storage;
pub mod stream;
mod sys;
mod tables;
pub mod tail;
mod team;
mod tiles;
mod unclean;
mod writers;

use std::collections::HashSet;
use std::hash::Hasher;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

pub use documents::Documents;
pub use item::{CommitItem, Committed, ItemDone};
pub use manifest::PartHandle;
pub use options::StoreOptions;
pub use part::{Ends, Level, Nodes, Part, PartColumn, Runs, Sieve, TimeEnds, text_hash};
pub use quarantine::{QuarantinedBatch, QuarantinedRow};
pub use recode::RecodeReport;
pub use records::Quota;
pub use replay::VerifyReport;
pub use retention::RetentionReport;
pub use rows::{ColumnRows, Rows, Texts};
pub use scrub::{DamagedPart, ScrubStatus};
pub use sealer::{QueryGuard, SealReport};
pub use space::Usage;
pub use status::{MapStatus, SealingStatus, StoreStatus, StreamRate};
pub use storage::{CodecStorage, ColumnStorage, Storage};
pub use stream::{CommitCounter, Entities, Ledger, NamespaceId, Stream, Symbols};
pub use tables::FORMAT_VERSION;
pub use tail::{Snapshot, Tail, TailBatch};
pub use unclean::{check_after_crash, stopped_uncleanly};
pub use writers::{Outcome, WriterAdvance, WriterState};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::error::{Error, Kind, Result};
use crate::time::Clock;
use hot::Hot;
use item::Queued;
use lock::Directory;
use manifest::Registry;
use part::cache::Cache;
use queue::Work;
use shared::Shared;

/// A store: one data directory, held by one process.
pub struct Store {
    shared: Arc<Shared>,
    committer: Mutex<Option<JoinHandle<()>>>,
    /// The sealer's and the scrubber's threads.
    background: Mutex<Vec<JoinHandle<()>>>,
    unsound_indexes: Vec<Error>,
}

/// How full the tails are, for throttling writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// 0 below 80 % of the tail bound, then rising to 100.
    pub throttle_percent: u32,
    /// Bytes a writer should have in flight at most.
    pub advised_window_bytes: u64,
}

/// Bytes in flight that are advised when there is room.
const WINDOW_BYTES: u64 = 8 << 20;
/// Bytes in flight that are advised at the last.
const LEAST_WINDOW_BYTES: u64 = 64 << 10;

impl Store {
    /// Opens the store in a directory, making both if they are missing. The file is checked before it is mapped, and every
    /// record and row is read back and checked before the store takes anything.
    ///
    /// # Errors
    /// FailedPrecondition: STORE_LOCKED, NETWORK_FILESYSTEM, NOT_A_DIRECTORY, NOT_A_FILE, STORE_FOREIGN, FORMAT_TOO_NEW.
    /// Corrupt: the stored bytes are not what was written; nothing has been changed.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Arc<Self>> {
        sys::keep_freed_memory();
        let directory = Directory::take(dir, options.reserve_bytes, options.allow_network_filesystem)?;
        let is_marked = directory.is_marked()?;
        if !directory.has_data()? {
            if is_marked {
                return Err(Error::corrupt("the store's data file is missing", "hot.mdb"));
            }
            Hot::create(&directory, options.map_size, options.clock.now(), options.seed)?;
        }
        let hot = Hot::open(&directory, options.map_size)?;
        if !is_marked {
            directory.mark()?;
        }
        let registry = Arc::new(Registry::new(
            directory.file(lock::PARTS),
            Cache::new(options.footer_bytes),
        ));
        let loaded = replay::read_back(&hot, Some((&registry, options.clock.now())))?;
        let store_id = {
            let txn = hot.read()?;
            hot.format(&txn)?.store_id
        };
        registry.prepare(&loaded.parts, store_id)?;
        directory.make_reserve(options.min_free_bytes);
        let shared = Arc::new(Shared::new(
            options,
            directory,
            hot,
            registry,
            store_id,
            (loaded.catalog, loaded.writers, loaded.tail_bytes),
        ));
        let committer = {
            let (shared, base) = (Arc::clone(&shared), loaded.base);
            thread::Builder::new()
                .name("committer".to_owned())
                .spawn(move || commit::run(&shared, base))
                .map_err(|error| Error::internal(format!("committer thread: {error}")))?
        };
        let store = Arc::new(Self {
            committer: Mutex::new(Some(committer)),
            background: Mutex::default(),
            unsound_indexes: loaded.unsound_indexes,
            shared,
        });
        if store.shared.options.seals {
            store.start("sealer", sealer::run)?;
        }
        if store.shared.options.scrub_bytes_per_second > 0 {
            store.start("scrubber", scrub::run)?;
        }
        Ok(store)
    }

    /// Starts a thread that runs until the sealer is stopped.
    fn start(&self, name: &str, run: fn(&Arc<Shared>)) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&shared))
            .map_err(|error| Error::internal(format!("thread of the {name}: {error}")))?;
        self.background
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thread);
        Ok(())
    }

    /// Takes nothing more, commits what is queued, marks the stop as clean and closes the files. Again: nothing.
    pub fn close(&self) -> Result<()> {
        // The sealer first: what it publishes goes through the committer.
        self.shared.sealer.stop();
        let background = std::mem::take(&mut *self.background.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in background
            .into_iter()
            .filter(|thread| thread.thread().id() != thread::current().id())
        {
            // One that panicked has published nothing by halves.
            let _ = thread.join();
        }
        self.shared.queue.close();
        self.shared.registry.close();
        let committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match committer {
            // The last owner may let go within a callback of the committer, which ends by itself.
            Some(committer) if committer.thread().id() != thread::current().id() => committer
                .join()
                .map_err(|_| Error::internal("the committer panicked while it closed the store")),
            _ => Ok(()),
        }
    }

    /// The clock it was opened with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.options.clock
    }

    /// What it was opened with.
    pub fn options(&self) -> &StoreOptions {
        &self.shared.options
    }

    /// A key that is the namespace's own and lasts as long as the store: SipHash-1-3-128 of its number under the store's id.
    pub fn namespace_secret(&self, namespace: NamespaceId) -> [u8; 16] {
        let mut hasher = SipHasher13::new_with_key(&self.shared.store_id.to_le_bytes());
        hasher.write(b"namespace secret");
        hasher.write(&namespace.0.to_le_bytes());
        hasher.finish128().as_bytes()
    }

    /// Queues a batch. Never waits: `done` is told on the committer's thread, or at once if the item is refused.
    pub fn submit(&self, item: CommitItem) {
        let item = Queued::new(item, self.shared.options.clock.now());
        if let Err(error) = self.shared.accepting() {
            return item.tell(Err(error));
        }
        if let Err(error) = self.shared.reserve(item.bytes) {
            return item.tell(Err(error));
        }
        let bytes = item.bytes;
        if let Err(Work::Rows(item)) = self.shared.queue.push(Work::Rows(Box::new(item))) {
            self.shared.settle(bytes, 0);
            item.tell(Err(fault::shutting_down()));
        }
    }

    /// Whether a batch of so many bytes would be taken now; worth asking before it is decoded.
    ///
    /// # Errors
    /// Overloaded: TAIL_FULL, SHUTTING_DOWN. StoreFull: STORE_FULL. LimitExceeded: NAMESPACE_QUOTA.
    pub fn admits(&self, namespace: NamespaceId, bytes: usize) -> Result<()> {
        self.shared.accepting()?;
        self.within_quota(namespace)?;
        self.shared.has_tail_room(bytes as u64)
    }

    /// How full the tails are.
    pub fn pressure(&self) -> Pressure {
        let limit = self.shared.options.tail_limit_bytes.max(1);
        let held = self.shared.held_bytes().0.min(limit);
        let percent = (u128::from(held) * 100 / u128::from(limit)) as u32;
        Pressure {
            throttle_percent: percent.saturating_sub(80) * 5,
            advised_window_bytes: ((limit - held) / 16).clamp(LEAST_WINDOW_BYTES, WINDOW_BYTES),
        }
    }

    /// Counts rows of a batch recognised as sent before; durable with the stream's next commit.
    pub fn count_duplicate(&self, stream: &Stream, rows: u64) {
        let mut ledger = stream.ledger();
        ledger.received += rows;
        ledger.duplicate += rows;
    }

    /// Seals all rows of a stream that are committed by now, and returns when that is durable.
    ///
    /// # Errors
    /// StoreFull: there is no room for parts. NotFound: the stream was deleted. Corrupt: rows are damaged; nothing was changed.
    pub fn seal(&self, stream: &Arc<Stream>) -> Result<SealReport> {
        sealer::seal_all(&self.shared, stream)
    }

    /// Merges the parts of a stream that are due to be; how many there are less. The background does the same.
    ///
    /// # Errors
    /// As [`Store::seal`].
    pub fn merge(&self, stream: &Arc<Stream>) -> Result<u64> {
        let before = stream.parts().len();
        while let Some(parts) = merge::due(&stream.parts(), &HashSet::new()) {
            merge::merge(&self.shared, stream, &parts)?;
        }
        Ok((before - stream.parts().len()) as u64)
    }

    /// Counts a query until it is dropped: while there is one, sealing takes no more than half a core.
    pub fn query_guard(&self) -> QueryGuard {
        QueryGuard::new(&self.shared)
    }

    /// Documents of features.
    pub fn documents(&self) -> Documents<'_> {
        Documents::new(self)
    }

    /// How it does.
    pub fn status(&self) -> StoreStatus {
        let shared = &self.shared;
        let (commits, commit_p50_ns, commit_p99_ns, rows_per_second, bytes_per_second, streams) =
            shared.meters().read(shared.options.clock.monotonic_ns());
        let (mut tail_rows, mut tail_bytes, mut ledger) = (0, 0, Ledger::default());
        let mut dictionary_bytes = 0;
        for stream in shared.catalog().all_streams() {
            let (rows, bytes) = stream.tail_size();
            tail_rows += rows;
            tail_bytes += bytes;
            dictionary_bytes += stream.dictionary_bytes();
            ledger.merge(&stream.ledger());
        }
        let (quarantine_bytes, quarantine_overflow) = shared.quarantine();
        let sealing = self.sealing_status();
        let disk = shared.disk_figures();
        StoreStatus {
            commits,
            commit_p50_ns,
            commit_p99_ns,
            queue_bytes: shared.held_bytes().1,
            tail_rows,
            tail_bytes,
            tail_limit_bytes: shared.options.tail_limit_bytes,
            dictionary_bytes,
            maps: self.map_status(),
            disk_bytes: disk.disk_bytes,
            free_bytes: disk.free_bytes,
            accepting: shared.state_now(),
            rows_per_second,
            bytes_per_second,
            ledger,
            quarantine_bytes,
            quarantine_overflow,
            streams,
            sealing,
        }
    }

    fn map_status(&self) -> MapStatus {
        let (parts, part_bytes) = self.shared.registry.cache.maps.mapped();
        // None while it is being opened again.
        let hot = self.shared.hot();
        let (hot_limit_bytes, hot_bytes) = hot.as_ref().map_or((0, 0), |hot| (hot.map_bytes(), hot.used_bytes()));
        MapStatus {
            hot_limit_bytes,
            hot_bytes,
            parts,
            part_bytes,
        }
    }

    fn sealing_status(&self) -> SealingStatus {
        let shared = &self.shared;
        let now = shared.options.clock.now();
        let seals = shared.seals();
        let mut status = SealingStatus {
            seals: seals.seals,
            rows_sealed: seals.rows,
            failure: seals.failure,
            footer_bytes: shared.registry.cache.bytes() as u64,
            damaged_parts: self.scrub_status().damaged.len() as u64,
            ..SealingStatus::default()
        };
        for stream in shared.catalog().all_streams() {
            let ((lag_rows, lag_bytes), (parts, rows, bytes)) = (stream.tail_size(), stream.sealed_size());
            status.lag_rows += lag_rows;
            status.lag_bytes += lag_bytes;
            status.parts += parts;
            status.rows += rows;
            status.bytes += bytes;
            let lag = stream
                .oldest_arrival()
                .map_or(0, |arrived| now.saturating_sub(arrived).max(0));
            status.lag_ns = status.lag_ns.max(lag);
        }
        status
    }

    /// What the sealed rows of a stream take, by column and codec. Footers and a byte of each block are read, of texts their
    /// lengths: long work on a large store.
    ///
    /// # Errors
    /// Corrupt: a part is damaged.
    pub fn storage(&self, stream: &Stream) -> Result<Storage> {
        storage::of(stream, self.shared.options.clock.now())
    }

    /// Opens the store in a directory that no server holds, reads everything that is stored, checks it, and closes it.
    ///
    /// # Errors
    /// FailedPrecondition: STORE_MISSING, and as [`Store::open`]. Corrupt: as [`Store::verify`].
    pub fn verify_directory(dir: &Path, options: StoreOptions) -> Result<VerifyReport> {
        if ![lock::HOT, lock::MARKER].iter().any(|name| dir.join(name).exists()) {
            let message = "there is no store in the directory";
            return Err(Error::new(Kind::FailedPrecondition, "STORE_MISSING", message));
        }
        let store = Self::open(
            dir,
            StoreOptions {
                seals: false,
                ..options
            },
        )?;
        let report = store.verify()?;
        store.close()?;
        Ok(report)
    }

    /// Reads everything that is stored and checks it: headers, blocks, counts. Writes go on meanwhile; a close ends it.
    ///
    /// # Errors
    /// Corrupt: the first thing that is not what was written; its table and key are in the detail. Overloaded: SHUTTING_DOWN.
    pub fn verify(&self) -> Result<VerifyReport> {
        let mut report = self.shared.read(|hot| Ok(replay::verify(hot)?.report))?;
        let streams: Vec<Arc<Stream>> = self.shared.catalog().all_streams().cloned().collect();
        for stream in streams {
            for part in &stream.files() {
                if !self.shared.queue.is_open() {
                    return Err(fault::shutting_down());
                }
                let verified = part
                    .open()
                    .and_then(|opened| opened.verify(&mut |_| Ok(())).map_err(|error| part.explain(&error)));
                match verified {
                    Ok(blocks) => {
                        report.parts += 1;
                        report.part_blocks += blocks;
                        report.part_rows += part.rows();
                        report.part_bytes += part.bytes();
                    }
                    // One that is none of the stream's any more may be gone.
                    Err(_) if !stream.files().iter().any(|other| Arc::ptr_eq(other, part)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(report)
    }

    /// What was wrong with sealed indexes of dictionaries when the store was opened. It goes without them: texts were hashed instead, and
    /// the next seal of their stream writes the indexes anew.
    pub fn unsound_indexes(&self) -> &[Error] {
        &self.unsound_indexes
    }

    /// What the scrubber has seen.
    pub fn scrub_status(&self) -> ScrubStatus {
        self.shared.scrubber.status()
    }

    /// Reads every part now, as fast as it can, and says which are damaged. Writes and queries go on meanwhile.
    ///
    /// # Errors
    /// Overloaded: the store is being closed.
    pub fn scrub(&self) -> Result<ScrubStatus> {
        scrub::pass(&self.shared, 0)?;
        Ok(self.scrub_status())
    }

    /// Called once the committer has panicked, on its thread: the process is to end with a code of its own.
    pub fn set_committer_panic_hook(&self, hook: Box<dyn Fn() + Send + Sync>) {
        self.shared.set_hook(hook);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What could not be closed is as after a crash: sound.
        let _ = self.close();
    }
}
