//! What decoding and validating a write comes to, and what it needs to know for it.

use std::sync::Arc;

use super::faults::{self, Fault, Keep};
use super::tables::KnownTables;
use crate::column::batch::RowBatch;
use crate::column::packed::pack;
use crate::column::{PackedBatch, Reject, RejectCounts, Schema, StreamKind};
use crate::error::Result;
use crate::store::{QuarantinedRow, Stream};
use crate::time::SECOND_NS;
use crate::wire::v1;

/// How far ahead of the clock a row may lie.
pub(super) const MAX_AHEAD_NS: i64 = 600 * SECOND_NS;

/// Where the stream of a write comes from.
pub trait Streams: Sync {
    /// The stream, if it is there.
    fn find(&self) -> Result<Option<Arc<Stream>>>;
    /// The stream, made now if need be.
    fn make(&self, kind: StreamKind) -> Result<Arc<Stream>>;
}

/// What a write is judged by.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Its stream.
    pub streams: &'a dyn Streams,
    /// The clock, Unix nanoseconds.
    pub now: i64,
    /// Refuse everything for one bad row.
    pub atomic: bool,
    /// The namespace's secret for event ids.
    pub secret: [u8; 16],
    /// Series tables seen before.
    pub tables: &'a KnownTables,
}

/// A write, ready for the committer.
#[derive(Debug)]
pub struct Prepared {
    /// Stream it goes to.
    pub stream: Arc<Stream>,
    /// The rows that broke no rule; none if every one did.
    pub batch: Option<PackedBatch>,
    /// Rows sent.
    pub received: u64,
    /// Rows refused, by rule.
    pub rejected: RejectCounts,
    /// Rows kept that lie behind the watermark.
    pub late: u64,
    /// The refused rows.
    pub quarantine: Vec<QuarantinedRow>,
    /// The first of them, for the answer.
    pub errors: Vec<v1::RowError>,
    /// One verdict an event, if events were sent.
    pub results: Vec<v1::EventResult>,
}

impl Prepared {
    /// Of rows and faults.
    pub(super) fn new(
        stream: Arc<Stream>,
        rows: Option<&RowBatch>,
        received: usize,
        faults: &[Fault<'_>],
        quarantine: Vec<QuarantinedRow>,
        now: i64,
    ) -> Result<Self> {
        let late = rows.map_or(0, |rows| count_late(&rows.time, stream.watermark(now)));
        Ok(Self {
            batch: rows.map(|rows| PackedBatch::open(pack(rows))).transpose()?,
            stream,
            received: received as u64,
            rejected: faults::count(faults),
            late,
            quarantine,
            errors: faults::report(faults),
            results: Vec::new(),
        })
    }
}

fn count_late(times: &[i64], watermark: Option<i64>) -> u64 {
    let Some(watermark) = watermark else {
        return 0;
    };
    times.iter().map(|&time| u64::from(time < watermark)).sum()
}

/// Stands for no time, as in numpy and pandas: nobody means that nanosecond of 1677.
const NO_TIME: i64 = i64::MIN;

/// Times a stream takes, both ends inclusive.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeBounds {
    oldest: i64,
    newest: i64,
    now: i64,
}

impl TimeBounds {
    /// By the clock and the stream's settings.
    pub(super) fn new(now: i64, schema: &Schema) -> Self {
        Self {
            oldest: schema
                .settings
                .max_age_ns
                .map_or(NO_TIME, |age| now.saturating_sub(age))
                .max(NO_TIME + 1),
            newest: now.saturating_add(MAX_AHEAD_NS),
            now,
        }
    }

    /// Whether all of them are taken.
    pub(super) fn hold(&self, times: impl Iterator<Item = i64>) -> bool {
        let (min, max) = times.fold((i64::MAX, i64::MIN), |(min, max), time| (min.min(time), max.max(time)));
        min >= self.oldest && max <= self.newest
    }

    /// The rule a time breaks, and what was found.
    pub(super) fn check(&self, time: i64) -> Option<(Reject, String)> {
        let seconds = |from: i64, to: i64| (i128::from(to) - i128::from(from)) as f64 / SECOND_NS as f64;
        if time == NO_TIME {
            Some((
                Reject::TimeMissing,
                "the least 64-bit integer, which stands for no time".into(),
            ))
        } else if time > self.newest {
            Some((
                Reject::TimeInFuture,
                format!("{time}, {} s ahead", seconds(self.now, time)),
            ))
        } else if time < self.oldest {
            Some((Reject::TimeTooOld, format!("{time}, {} s old", seconds(time, self.now))))
        } else {
            None
        }
    }
}

/// The rows to keep, as the builders take them.
pub(super) fn keep(kept: Option<&Vec<u32>>, rows: usize) -> Keep<'_> {
    kept.map_or(Keep::All(rows), |kept| Keep::Some(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::StreamSettings;

    #[test]
    fn times_are_taken_up_to_ten_minutes_ahead_and_max_age_behind() {
        let now = 10_000 * SECOND_NS;
        let settings = StreamSettings {
            max_age_ns: Some(100),
            ..StreamSettings::default()
        };
        let bounds = TimeBounds::new(now, &Schema::new(StreamKind::Metric, settings));
        assert!(bounds.hold([now - 100, now + MAX_AHEAD_NS].into_iter()));
        assert!(!bounds.hold([now - 101].into_iter()));
        assert_eq!(bounds.check(now - 101).unwrap().0, Reject::TimeTooOld);
        assert_eq!(bounds.check(now + MAX_AHEAD_NS + 1).unwrap().0, Reject::TimeInFuture);
        assert_eq!(bounds.check(now), None);
        let any_age = TimeBounds::new(now, &Schema::new(StreamKind::Metric, StreamSettings::default()));
        assert!(any_age.hold([i64::MIN + 1].into_iter()));
        assert!(!any_age.hold([i64::MIN].into_iter()));
        assert_eq!(any_age.check(i64::MIN).unwrap().0, Reject::TimeMissing);
        assert!(any_age.check(i64::MAX).is_some());
    }

    #[test]
    fn a_row_on_the_watermark_is_not_late() {
        assert_eq!(count_late(&[9, 10, 11], Some(10)), 1);
        assert_eq!(count_late(&[9], None), 0);
    }
}
