//! Event time and the clock. Times are signed 64-bit nanoseconds since the Unix epoch, UTC: 1677 to 2262.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the Unix epoch, UTC.
pub type Timestamp = i64;

/// Nanoseconds in a second.
pub const SECOND_NS: i64 = 1_000_000_000;

/// Half-open range of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant outside; `i64::MAX` stands for no end and lets that last nanosecond in.
    pub end: Timestamp,
}

impl TimeRange {
    /// Least and greatest time of what lies in the range, as far as an end that is given.
    pub fn widened(&self, times: Option<(i64, i64)>) -> Option<(i64, i64)> {
        let start = (self.start != i64::MIN).then_some(self.start);
        let last = (self.end != i64::MAX).then(|| self.end.saturating_sub(1));
        match (
            start.or(times.map(|times| times.0)),
            last.or(times.map(|times| times.1)),
        ) {
            (Some(start), Some(last)) if start <= last => Some((start, last)),
            _ => times,
        }
    }

    /// Everything.
    pub const ALL: Self = Self {
        start: i64::MIN,
        end: i64::MAX,
    };

    /// Whether the instant lies inside.
    pub fn contains(&self, time: Timestamp) -> bool {
        time >= self.start && (time < self.end || self.end == i64::MAX)
    }

    /// Whether any instant of `[min, max]`, both inclusive, lies inside.
    pub fn meets(&self, min: Timestamp, max: Timestamp) -> bool {
        max >= self.start && (min < self.end || self.end == i64::MAX)
    }

    /// Whether all instants of `[min, max]`, both inclusive, lie inside.
    pub fn covers(&self, min: Timestamp, max: Timestamp) -> bool {
        self.contains(min) && self.contains(max)
    }
}

/// An instant as people write it: RFC 3339, UTC.
pub fn format_ns(time: Timestamp) -> String {
    let instant = prost_types::Timestamp {
        seconds: time.div_euclid(SECOND_NS),
        nanos: time.rem_euclid(SECOND_NS) as i32,
    };
    instant.to_string()
}

/// The clock, an argument of the core so that tests can hold it.
pub trait Clock: Send + Sync {
    /// Wall time, which may step.
    fn now(&self) -> Timestamp;
    /// Nanoseconds since some instant, which never step back: for deadlines and durations.
    fn monotonic_ns(&self) -> i64;
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
        }
    }

    fn monotonic_ns(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now))
    }

    /// Shows `now` from here on.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now, Ordering::SeqCst);
    }

    /// Moves on by so many nanoseconds.
    pub fn advance(&self, by_ns: i64) {
        self.0.fetch_add(by_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}
