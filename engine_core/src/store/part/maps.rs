//! Files of parts that are mapped, counted while they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many files are mapped, and their bytes.
#[derive(Debug, Default)]
pub(in crate::store) struct Maps {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Maps {
    /// Files and bytes.
    pub(in crate::store) fn mapped(&self) -> (u64, u64) {
        (self.files.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Counts a file of so many bytes until the answer is dropped.
    pub(super) fn count(self: &Arc<Self>, bytes: u64) -> Counted {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Counted {
            maps: Arc::clone(self),
            bytes,
        }
    }
}

/// A file that is counted.
#[derive(Debug)]
pub(super) struct Counted {
    maps: Arc<Maps>,
    bytes: u64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.maps.files.fetch_sub(1, Ordering::Relaxed);
        self.maps.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
