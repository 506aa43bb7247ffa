//! What the store tells of itself: latencies of the last commits, rates of the last seconds, sizes.

use std::collections::HashMap;

use super::stream::{Ledger, NamespaceId};
use crate::error::{Error, Result};
use crate::time::SECOND_NS;

/// Commits whose latency is remembered.
const LATENCIES: usize = 1_024;
/// Seconds over which rates are taken.
const RATE_SECONDS: usize = 10;
/// Sums that are kept: those seconds and the one that is under way.
const SUMS: usize = RATE_SECONDS + 1;
/// How long a look at the files holds.
const DISK_NS: i64 = SECOND_NS;

/// The store now.
#[derive(Clone, Debug)]
pub struct StoreStatus {
    /// Transactions committed since it was opened.
    pub commits: u64,
    /// Median time of the last 1,024 transactions, nanoseconds.
    pub commit_p50_ns: u64,
    /// 99th percentile of the same.
    pub commit_p99_ns: u64,
    /// Bytes that wait for the committer.
    pub queue_bytes: u64,
    /// Rows in all tails.
    pub tail_rows: u64,
    /// Bytes in all tails.
    pub tail_bytes: u64,
    /// Most bytes of tails and queue together.
    pub tail_limit_bytes: u64,
    /// Bytes of memory that the dictionaries of all streams take.
    pub dictionary_bytes: u64,
    /// Files that are mapped.
    pub maps: MapStatus,
    /// Bytes of the files of the data directory, at most a second old.
    pub disk_bytes: u64,
    /// Bytes free for it: of the filesystem, and pages in the file that wait to be used again; at most a second old.
    pub free_bytes: u64,
    /// Whether it takes rows, and else why not.
    pub accepting: Result<()>,
    /// Rows stored a second, over 10 s.
    pub rows_per_second: f64,
    /// Bytes of messages a second, over 10 s.
    pub bytes_per_second: f64,
    /// Counters of all streams together.
    pub ledger: Ledger,
    /// Bytes of quarantined rows.
    pub quarantine_bytes: u64,
    /// Quarantined rows that were counted and not kept.
    pub quarantine_overflow: u64,
    /// Rows stored a second by stream, over 10 s; silent streams are left out.
    pub streams: Vec<StreamRate>,
    /// What is sealed, and what waits to be.
    pub sealing: SealingStatus,
}

/// Files that are mapped: they take address space, and memory as the system sees fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapStatus {
    /// Bytes of address space set aside for the hot environment.
    pub hot_limit_bytes: u64,
    /// Bytes of its file up to its last page.
    pub hot_bytes: u64,
    /// Parts that are open.
    pub parts: u64,
    /// Bytes of their files.
    pub part_bytes: u64,
}

/// What is sealed, and what waits to be.
#[derive(Clone, Debug, Default)]
pub struct SealingStatus {
    /// Rows that are not sealed.
    pub lag_rows: u64,
    /// Bytes of these.
    pub lag_bytes: u64,
    /// Since when the oldest of these has been there, nanoseconds.
    pub lag_ns: i64,
    /// Parts.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Seals since the store was opened.
    pub seals: u64,
    /// Rows sealed since then.
    pub rows_sealed: u64,
    /// Bytes of memory that footers of parts take.
    pub footer_bytes: u64,
    /// Parts that the scrubber found damaged, that are still their stream's.
    pub damaged_parts: u64,
    /// Why the last seal that was due failed; none if it did not.
    pub failure: Option<Error>,
}

/// Rate of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamRate {
    /// Its namespace.
    pub namespace: NamespaceId,
    /// Its number.
    pub stream: u32,
    /// Rows stored a second, over 10 s.
    pub rows_per_second: f64,
}

/// Figures that cost a look at the filesystem.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DiskFigures {
    taken_ns: Option<i64>,
    /// Bytes of the files.
    pub(super) disk_bytes: u64,
    /// Bytes free for them.
    pub(super) free_bytes: u64,
}

impl DiskFigures {
    /// What `look` tells of bytes and free bytes, or told less than a second ago.
    pub(super) fn at(&mut self, now_ns: i64, look: impl FnOnce() -> (u64, u64)) -> Self {
        if self
            .taken_ns
            .is_none_or(|taken| now_ns.saturating_sub(taken) >= DISK_NS)
        {
            (self.disk_bytes, self.free_bytes) = look();
            self.taken_ns = Some(now_ns);
        }
        *self
    }
}

/// Sums by second.
#[derive(Clone, Debug, Default)]
struct Meter {
    sums: [(u64, u64); SUMS],
    newest: i64,
}

impl Meter {
    /// Moves on to the second of `now_ns`.
    fn turn(&mut self, now_ns: i64) -> usize {
        let second = now_ns.div_euclid(SECOND_NS);
        if second > self.newest {
            let stale = (second - self.newest).min(SUMS as i64);
            for back in 0..stale {
                self.sums[(second - back).rem_euclid(SUMS as i64) as usize] = (0, 0);
            }
            self.newest = second;
        }
        self.newest.rem_euclid(SUMS as i64) as usize
    }

    fn add(&mut self, now_ns: i64, rows: u64, bytes: u64) {
        let at = self.turn(now_ns);
        self.sums[at].0 += rows;
        self.sums[at].1 += bytes;
    }

    /// Of the second that began ten seconds ago only the part counts that is not older than that: a steady load has a steady
    /// rate, whenever it is asked for.
    fn rates(&mut self, now_ns: i64) -> (f64, f64) {
        let oldest = (self.turn(now_ns) + 1) % SUMS;
        let gone = now_ns.rem_euclid(SECOND_NS) as f64 / SECOND_NS as f64;
        let (rows, bytes) = self.sums.iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        let rate = |sum: u64, of_oldest: u64| (sum as f64 - gone * of_oldest as f64) / RATE_SECONDS as f64;
        (rate(rows, self.sums[oldest].0), rate(bytes, self.sums[oldest].1))
    }
}

/// What the committer notes, once a group.
#[derive(Debug, Default)]
pub(super) struct Meters {
    commits: u64,
    latencies: Vec<u64>,
    all: Meter,
    streams: HashMap<(NamespaceId, u32), Meter>,
}

/// Commits, p50 and p99 latency, rows and bytes a second, rows a second by stream.
pub(super) type Readings = (u64, u64, u64, f64, f64, Vec<StreamRate>);

impl Meters {
    /// A transaction took so long.
    pub(super) fn commit(&mut self, took_ns: u64) {
        if self.latencies.len() < LATENCIES {
            self.latencies.push(took_ns);
        } else {
            self.latencies[self.commits as usize % LATENCIES] = took_ns;
        }
        self.commits += 1;
    }

    /// A stream took so much.
    pub(super) fn stored(&mut self, now_ns: i64, stream: (NamespaceId, u32), rows: u64, bytes: u64) {
        self.all.add(now_ns, rows, bytes);
        self.streams.entry(stream).or_default().add(now_ns, rows, bytes);
    }

    /// A stream is gone.
    pub(super) fn forget(&mut self, stream: (NamespaceId, u32)) {
        self.streams.remove(&stream);
    }

    pub(super) fn read(&mut self, now_ns: i64) -> Readings {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let quantile = |permille: usize| sorted.get((sorted.len() * permille / 1_000).min(sorted.len().max(1) - 1));
        let (p50, p99) = (quantile(500).copied().unwrap_or(0), quantile(990).copied().unwrap_or(0));
        let (rows, bytes) = self.all.rates(now_ns);
        let mut streams = Vec::new();
        for (&(namespace, stream), meter) in &mut self.streams {
            let (rows_per_second, _) = meter.rates(now_ns);
            if rows_per_second > 0.0 {
                streams.push(StreamRate {
                    namespace,
                    stream,
                    rows_per_second,
                });
            }
        }
        streams.sort_by_key(|rate| (rate.namespace, rate.stream));
        (self.commits, p50, p99, rows, bytes, streams)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_last_1024_commits() {
        let mut meters = Meters::default();
        for took in 0..10_000 {
            meters.commit(took);
        }
        let (commits, p50, p99, ..) = meters.read(0);
        assert_eq!(commits, 10_000);
        assert_eq!(p50, 10_000 - 512);
        assert_eq!(p99, 10_000 - 1_024 + 1_013);
    }

    #[test]
    fn rates_forget_what_is_older_than_ten_seconds() {
        let mut meters = Meters::default();
        let stream = (NamespaceId(1), 2);
        meters.stored(100 * SECOND_NS, stream, 50, 500);
        meters.stored(105 * SECOND_NS, stream, 50, 500);
        let (.., rows, bytes, streams) = meters.read(105 * SECOND_NS);
        assert_eq!((rows, bytes), (10.0, 100.0));
        assert_eq!(streams.len(), 1);
        assert_eq!(meters.read(112 * SECOND_NS).3, 5.0);
        assert!(meters.read(200 * SECOND_NS).5.is_empty());
    }

    #[test]
    fn a_steady_load_has_the_same_rate_at_every_moment() {
        let (mut meter, tenth) = (Meter::default(), SECOND_NS / 10);
        for tick in 0..200 {
            meter.add(tick * tenth, 7, 70);
            if tick >= 110 {
                let (rows, bytes) = meter.rates((tick + 1) * tenth - 1);
                assert!(
                    (rows - 70.0).abs() < 1e-6 && (bytes - 700.0).abs() < 1e-5,
                    "tick {tick}: {rows}"
                );
            }
        }
    }

    #[test]
    fn the_filesystem_is_looked_at_once_a_second() {
        let mut figures = DiskFigures::default();
        let mut looks = 0;
        for tenth in 0..25 {
            figures.at(tenth * SECOND_NS / 10, || {
                looks += 1;
                (1, 2)
            });
        }
        assert_eq!(looks, 3);
    }
}
