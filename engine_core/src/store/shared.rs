//! What the store's face and its committer share.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::catalog::Catalog;
use super::fault::{self, RETRY_MS};
use super::hot::Hot;
use super::lock::Directory;
use super::manifest::{PartHandle, Registry};
use super::options::StoreOptions;
use super::past::{self, PastRoom, Taken};
use super::queue::Queue;
use super::scrub::Scrubber;
use super::sealer::{SealReport, Sealer};
use super::status::{DiskFigures, Meters};
use super::stream::{NamespaceId, Stream};
use super::writers::{Writer, Writers};
use crate::error::{Error, Kind, Result};

/// Called when the committer has panicked.
pub(super) type Hook = Box<dyn Fn() + Send + Sync>;

/// Bytes that a part takes beside its rows, by far.
const PART_BYTES: u64 = 1 << 20;
/// Room in the tail below which it is called full, where the thousandth part of its bound is less.
const SMALL_BATCH_BYTES: u64 = 1 << 10;

/// Of the bytes that tails may take, the part that sealed batches may take beside them.
const PAST_SHARE: u64 = 8;

/// What sealing has come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Seals {
    pub(super) seals: u64,
    pub(super) rows: u64,
    pub(super) failure: Option<Error>,
}

pub(super) struct Shared {
    pub(super) options: StoreOptions,
    pub(super) directory: Directory,
    pub(super) queue: Queue,
    pub(super) sealer: Sealer,
    pub(super) scrubber: Scrubber,
    pub(super) registry: Arc<Registry>,
    /// Known to this store alone.
    pub(super) store_id: u128,
    /// Seals since it was opened, and why the last one that was tried failed.
    seals: Mutex<Seals>,
    /// The open environment; none after the store is closed, or while it is being opened again. Held for reading by whoever
    /// has a transaction, for writing only to close it.
    hot: RwLock<Option<Hot>>,
    catalog: RwLock<Catalog>,
    writers: RwLock<Writers>,
    /// Bytes of tails and queue together.
    held: AtomicU64,
    /// Bytes of the queue.
    queued: AtomicU64,
    /// Bytes of batches that are sealed and kept for a while.
    past: PastRoom,
    /// The disk was full when it was last looked at.
    full: AtomicBool,
    /// It was below the floor then, so that another look tells whether there is room again.
    below_floor: AtomicBool,
    /// The committer has panicked.
    failed: AtomicBool,
    meters: Mutex<Meters>,
    disk: Mutex<DiskFigures>,
    quarantine: (AtomicU64, AtomicU64),
    hook: Mutex<Option<Hook>>,
}

// What these locks guard is sound whenever they are free: a panic under one leaves a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        options: StoreOptions,
        directory: Directory,
        hot: Hot,
        registry: Arc<Registry>,
        store_id: u128,
        loaded: (Catalog, Writers, u64),
    ) -> Self {
        let (catalog, writers, tail_bytes) = loaded;
        Self {
            options,
            directory,
            queue: Queue::default(),
            sealer: Sealer::default(),
            scrubber: Scrubber::default(),
            registry,
            store_id,
            seals: Mutex::default(),
            hot: RwLock::new(Some(hot)),
            catalog: RwLock::new(catalog),
            writers: RwLock::new(writers),
            held: AtomicU64::new(tail_bytes),
            queued: AtomicU64::new(0),
            past: PastRoom::default(),
            full: AtomicBool::new(false),
            below_floor: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            meters: Mutex::default(),
            disk: Mutex::default(),
            quarantine: (AtomicU64::new(0), AtomicU64::new(0)),
            hook: Mutex::default(),
        }
    }

    /// The environment, for a transaction.
    pub(super) fn hot(&self) -> RwLockReadGuard<'_, Option<Hot>> {
        self.hot.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The environment, to close it or to put another in its place.
    pub(super) fn hot_mut(&self) -> RwLockWriteGuard<'_, Option<Hot>> {
        self.hot.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn catalog_mut(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn meters(&self) -> MutexGuard<'_, Meters> {
        lock(&self.meters)
    }

    /// A writer as it is durable.
    pub(super) fn find_writer(&self, namespace: NamespaceId, name: &str) -> Option<Arc<Writer>> {
        let writers = self.writers.read().unwrap_or_else(PoisonError::into_inner);
        writers.get(&namespace)?.get(name).cloned()
    }

    /// Writers of a namespace that are not expired.
    pub(super) fn active_writers(&self, namespace: NamespaceId, now: i64) -> usize {
        let writers = self.writers.read().unwrap_or_else(PoisonError::into_inner);
        let of_namespace = writers.get(&namespace).map(HashMap::values);
        of_namespace.map_or(0, |all| all.filter(|writer| !writer.is_expired(now)).count())
    }

    /// Takes writers as they are durable now.
    pub(super) fn set_writers(&self, changed: BTreeMap<(NamespaceId, String), Writer>) {
        if changed.is_empty() {
            return;
        }
        let mut writers = self.writers.write().unwrap_or_else(PoisonError::into_inner);
        for ((namespace, name), writer) in changed {
            writers.entry(namespace).or_default().insert(name, Arc::new(writer));
        }
    }

    /// Bytes of tails and queue, and of the queue alone.
    pub(super) fn held_bytes(&self) -> (u64, u64) {
        (self.held.load(Ordering::Relaxed), self.queued.load(Ordering::Relaxed))
    }

    /// Takes room for an item, or refuses it.
    pub(super) fn reserve(&self, bytes: u64) -> Result<()> {
        let limit = self.options.tail_limit_bytes;
        let taken = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            let next = held.checked_add(bytes)?;
            (next <= limit).then_some(next)
        });
        match taken {
            Ok(_) => {
                self.queued.fetch_add(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(held) => Err(tail_full(held, limit)),
        }
    }

    /// An item has left the queue; so many of its bytes stay in a tail.
    pub(super) fn settle(&self, bytes: u64, kept: u64) {
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
        self.release(bytes - kept);
    }

    /// Gives room back.
    pub(super) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether there is room for so many bytes.
    pub(super) fn has_tail_room(&self, bytes: u64) -> Result<()> {
        let (held, limit) = (self.held.load(Ordering::Relaxed), self.options.tail_limit_bytes);
        if held.saturating_add(bytes) > limit {
            return Err(tail_full(held, limit));
        }
        Ok(())
    }

    /// Bytes free on the filesystem, and pages in the file that wait to be used again.
    pub(super) fn free_bytes(&self) -> u64 {
        let reusable = self.hot().as_ref().and_then(|hot| hot.reusable_bytes().ok());
        let free = self.directory.free_bytes().unwrap_or(0);
        free.saturating_add(reusable.unwrap_or(0))
    }

    /// Whether the disk is above the floor: a look at the file only if the filesystem alone does not say so.
    pub(super) fn has_room(&self) -> bool {
        let floor = self.options.min_free_bytes;
        self.directory.free_bytes().unwrap_or(0) >= floor || self.free_bytes() >= floor
    }

    /// Bytes of the files and bytes free for them, at most a second old.
    pub(super) fn disk_figures(&self) -> DiskFigures {
        let now = self.options.clock.monotonic_ns();
        lock(&self.disk).at(now, || (self.directory.bytes(), self.free_bytes()))
    }

    pub(super) fn set_full(&self, full: bool) {
        if full {
            self.below_floor.store(!self.has_room(), Ordering::Release);
        }
        self.full.store(full, Ordering::Release);
    }

    /// Whether the disk was full when it was last looked at.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Whether there is room for parts of about so many bytes above the floor and the reserve.
    pub(super) fn has_room_for(&self, bytes: u64) -> Result<()> {
        if self.directory.spare_bytes(self.options.min_free_bytes) < bytes + PART_BYTES {
            return Err(fault::store_full("no room for a part"));
        }
        Ok(())
    }

    /// Rows were sealed.
    pub(super) fn note_seal(&self, report: &SealReport) {
        let mut seals = lock(&self.seals);
        seals.seals += 1;
        seals.rows += report.rows;
        seals.failure = None;
    }

    /// Rows that were due could not be sealed: they stay where they are, and it is tried again.
    pub(super) fn note_seal_failure(&self, error: &Error) {
        lock(&self.seals).failure = Some(error.clone());
    }

    pub(super) fn seals(&self) -> Seals {
        lock(&self.seals).clone()
    }

    /// Removes the files of parts that no record names any more. Who reads them still may.
    pub(super) fn unlink(&self, parts: &[Arc<PartHandle>]) {
        for part in parts {
            self.registry.remove(part);
        }
    }

    /// Room for batches that stay for a while although they are sealed, and the time.
    pub(super) fn keep_past(&self, bytes: u64) -> Option<(Taken, i64)> {
        let taken = self.past.take(bytes, self.options.tail_limit_bytes / PAST_SHARE)?;
        Some((taken, self.options.clock.monotonic_ns()))
    }

    /// Lets go of batches that have been sealed for a while; of all, where memory or the disk is short.
    pub(super) fn forget_past(&self) {
        let (held, limit) = (self.held_bytes().0, self.options.tail_limit_bytes);
        let is_short = held > limit / 2 || self.state().is_err();
        let before_ns = if is_short {
            i64::MAX
        } else {
            self.options.clock.monotonic_ns().saturating_sub(past::KEPT_NS)
        };
        let streams: Vec<Arc<Stream>> = self.catalog().all_streams().cloned().collect();
        for stream in streams {
            stream.forget_past(before_ns);
        }
    }

    pub(super) fn set_failed(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether rows are let in, and else why not. After a full disk they are once there is room by the look of it: the first
    /// group that is committed says whether that was so.
    pub(super) fn accepting(&self) -> Result<()> {
        match self.state() {
            Err(error) if error.kind() == Kind::StoreFull && self.has_room() => Ok(()),
            state => state,
        }
    }

    /// Whether rows are taken, as the last group left it.
    pub(super) fn state(&self) -> Result<()> {
        if self.failed.load(Ordering::Acquire) {
            return Err(Error::internal("the committer has stopped"));
        }
        if !self.queue.is_open() {
            return Err(fault::shutting_down());
        }
        if self.full.load(Ordering::Acquire) {
            return Err(fault::store_full("the last group found no room"));
        }
        Ok(())
    }

    /// Whether rows are taken, for whoever only wants to know: a disk that was below the floor is looked at again, since nobody
    /// may be writing. What free space does not explain (a quota, a failing disk) holds until a group is committed. A tail that
    /// has no room for a small batch counts as full.
    pub(super) fn state_now(&self) -> Result<()> {
        match self.state() {
            Err(error) if !(error.kind() == Kind::StoreFull && self.is_explained() && self.has_room()) => Err(error),
            _ => self.has_tail_room((self.options.tail_limit_bytes >> 10).max(SMALL_BATCH_BYTES)),
        }
    }

    fn is_explained(&self) -> bool {
        self.below_floor.load(Ordering::Acquire)
    }

    pub(super) fn note_quarantine(&self, bytes: u64, overflow: u64) {
        self.quarantine.0.store(bytes, Ordering::Relaxed);
        self.quarantine.1.store(overflow, Ordering::Relaxed);
    }

    /// Bytes of quarantined rows, and rows that found no room.
    pub(super) fn quarantine(&self) -> (u64, u64) {
        (
            self.quarantine.0.load(Ordering::Relaxed),
            self.quarantine.1.load(Ordering::Relaxed),
        )
    }

    pub(super) fn set_hook(&self, hook: Hook) {
        *lock(&self.hook) = Some(hook);
    }

    /// Tells whoever asked for it that the committer has panicked.
    pub(super) fn call_hook(&self) {
        if let Some(hook) = lock(&self.hook).as_ref() {
            hook();
        }
    }
}

fn tail_full(held: u64, limit: u64) -> Error {
    Error::new(
        Kind::Overloaded,
        "TAIL_FULL",
        format!("rows in memory may take {limit} bytes and take {held}; try again later"),
    )
    .retry_after_ms(RETRY_MS)
}
