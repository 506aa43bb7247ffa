//! What became of each block of a scan, kept only for who asks how a query was answered. Lanes share it: a block that several come to
//! is what the one that did most to it made of it.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use super::Scan;
use crate::store::Rows;

/// What became of a block, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nobody came to it.
    Spared,
    /// Statistics or filters of texts say that no row passes.
    Pruned,
    /// All that was wanted of it was told without decoding anything.
    Known,
    /// At least one column was decoded.
    Decoded,
}

/// Blocks of one source.
#[derive(Debug, Default)]
pub struct Blocks(Vec<AtomicU8>);

impl Blocks {
    /// Marks a block that was not marked with more.
    pub fn raise(&self, block: usize, mark: Mark) {
        self.0[block].fetch_max(mark as u8, Ordering::Relaxed);
    }

    /// What became of a block.
    pub fn get(&self, block: usize) -> Mark {
        match self.0[block].load(Ordering::Relaxed) {
            0 => Mark::Spared,
            1 => Mark::Pruned,
            2 => Mark::Known,
            _ => Mark::Decoded,
        }
    }
}

/// What lanes leave behind.
#[derive(Debug)]
pub struct Marks {
    /// By source of the scan.
    sources: Vec<Source>,
    scan_ns: AtomicI64,
    merge_ns: AtomicI64,
}

#[derive(Debug, Default)]
struct Source {
    blocks: Blocks,
    /// Of a rollup groups that were taken, and rows that they stand for.
    groups: AtomicU64,
    rows: AtomicU64,
}

impl Marks {
    /// Of a scan that nobody has run yet.
    pub fn new(scan: &Scan) -> Self {
        let source = |rows: &Rows| Source {
            blocks: Blocks((0..rows.blocks()).map(|_| AtomicU8::new(0)).collect()),
            ..Source::default()
        };
        Self {
            sources: scan.sources.iter().map(source).collect(),
            scan_ns: AtomicI64::new(0),
            merge_ns: AtomicI64::new(0),
        }
    }

    /// Blocks of a source.
    pub fn blocks(&self, source: usize) -> &Blocks {
        &self.sources[source].blocks
    }

    /// Notes groups of a rollup, and rows that they stand for.
    pub fn take_groups(&self, source: usize, groups: u64, rows: u64) {
        self.sources[source].groups.fetch_add(groups, Ordering::Relaxed);
        self.sources[source].rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Groups taken of a rollup, and rows that they stand for.
    pub fn groups(&self, source: usize) -> (u64, u64) {
        let source = &self.sources[source];
        (
            source.groups.load(Ordering::Relaxed),
            source.rows.load(Ordering::Relaxed),
        )
    }

    /// Notes how long a lane took, and merging it, in nanoseconds.
    pub fn take_time(&self, scan_ns: i64, merge_ns: i64) {
        self.scan_ns.fetch_add(scan_ns, Ordering::Relaxed);
        self.merge_ns.fetch_add(merge_ns, Ordering::Relaxed);
    }

    /// How long all lanes took together, and merging them, in nanoseconds.
    pub fn times(&self) -> (i64, i64) {
        (
            self.scan_ns.load(Ordering::Relaxed),
            self.merge_ns.load(Ordering::Relaxed),
        )
    }
}
