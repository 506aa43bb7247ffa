//! What a store is opened with.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::thread;

use super::sys;
use crate::time::{Clock, SystemClock};

/// What a store is opened with. Sizes are in bytes.
#[derive(Clone)]
pub struct StoreOptions {
    /// Address space for the hot environment; halved until it fits.
    pub map_size: usize,
    /// Most bytes of tails and queue together.
    pub tail_limit_bytes: u64,
    /// Most bytes of quarantined rows in a namespace.
    pub quarantine_limit_bytes: u64,
    /// Most bytes of batches in a transaction, unless one batch is larger.
    pub group_bytes: usize,
    /// Bytes set aside for the deletes that make room on a full disk; 0: none.
    pub reserve_bytes: u64,
    /// Free bytes below which rows are refused.
    pub min_free_bytes: u64,
    /// Seals rows in the background; else only when it is asked to.
    pub seals: bool,
    /// Threads that work on a seal that is urgent, while no query runs: 1 or 2.
    pub seal_threads: usize,
    /// Bytes of parts that are read a second in the background to find damage; 0: none are.
    pub scrub_bytes_per_second: u64,
    /// Bytes of memory for footers of parts and the like.
    pub footer_bytes: usize,
    /// Most writers of a namespace that are not expired.
    pub max_writers: usize,
    /// Takes a data directory on a network filesystem, at the operator's risk.
    pub allow_network_filesystem: bool,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Seed of what is random: the id of a new store, the root of its namespaces' secrets. By default from the system's
    /// entropy, through the keys it gives a hash map.
    pub seed: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            map_size: 64 << 30,
            tail_limit_bytes: (sys::memory_bytes() / 4).min(2 << 30),
            quarantine_limit_bytes: 64 << 20,
            group_bytes: 8 << 20,
            reserve_bytes: 16 << 20,
            min_free_bytes: 64 << 20,
            seals: true,
            seal_threads: thread::available_parallelism().map_or(1, |cores| cores.get().min(2)),
            scrub_bytes_per_second: 8 << 20,
            footer_bytes: (sys::memory_bytes() / 16).min(256 << 20) as usize,
            max_writers: 10_000,
            allow_network_filesystem: false,
            clock: Arc::new(SystemClock::default()),
            seed: RandomState::new().build_hasher().finish(),
        }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("map_size", &self.map_size)
            .field("tail_limit_bytes", &self.tail_limit_bytes)
            .field("quarantine_limit_bytes", &self.quarantine_limit_bytes)
            .field("group_bytes", &self.group_bytes)
            .field("reserve_bytes", &self.reserve_bytes)
            .field("min_free_bytes", &self.min_free_bytes)
            .field("max_writers", &self.max_writers)
            .finish_non_exhaustive()
    }
}
