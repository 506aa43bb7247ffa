//! What stops a scan: its deadline, its caller, its budget of rows, or a fault in another lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Kind, Result};
use crate::time::Clock;

/// Shared by the lanes of one scan.
pub struct Control {
    clock: Arc<dyn Clock>,
    deadline_ns: Option<i64>,
    cancelled: Arc<AtomicBool>,
    stopped: AtomicBool,
    max_rows: u64,
    scanned: AtomicU64,
    rows: u64,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("scanned", &self.scanned)
            .finish_non_exhaustive()
    }
}

impl Control {
    /// For a scan whose rows are not known yet. `deadline_ns` is on the clock's monotonic scale.
    pub fn new(clock: Arc<dyn Clock>, deadline_ns: Option<i64>, cancelled: Arc<AtomicBool>, max_rows: u64) -> Self {
        Self {
            clock,
            deadline_ns,
            cancelled,
            stopped: AtomicBool::new(false),
            max_rows,
            scanned: AtomicU64::new(0),
            rows: 0,
        }
    }

    /// Notes the rows of the scan.
    pub fn set_rows(&mut self, rows: u64) {
        self.rows = rows;
    }

    /// Whether to go on.
    pub fn check(&self) -> Result<()> {
        self.check_flags()?;
        if self
            .deadline_ns
            .is_some_and(|deadline| self.clock.monotonic_ns() >= deadline)
        {
            return Err(Error::new(
                Kind::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
                format!("the deadline passed; {}", self.progress()),
            ));
        }
        Ok(())
    }

    /// The clock's monotonic scale, in nanoseconds.
    pub fn now_ns(&self) -> i64 {
        self.clock.monotonic_ns()
    }

    fn check_flags(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(
                Kind::Cancelled,
                "CANCELLED",
                format!("the caller gave up; {}", self.progress()),
            ));
        }
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Error::new(
                Kind::Cancelled,
                "CANCELLED",
                "another part of the query failed",
            ));
        }
        Ok(())
    }

    fn progress(&self) -> String {
        format!(
            "{} of at most {} rows had been scanned, nothing was changed",
            self.scanned(),
            self.rows
        )
    }

    /// Notes rows in the range that are about to be read.
    pub fn count(&self, rows: u64) -> Result<()> {
        let scanned = self.scanned.fetch_add(rows, Ordering::Relaxed) + rows;
        if scanned > self.max_rows {
            return Err(self.too_many(scanned));
        }
        Ok(())
    }

    /// The error of more rows than the budget has.
    pub fn too_many(&self, rows: u64) -> Error {
        Error::new(
            Kind::LimitExceeded,
            "QUERY_ROWS_EXCEEDED",
            format!(
                "a query may scan at most {} rows, this one has {rows} or more",
                self.max_rows
            ),
        )
        .at("spec.budget.max_rows")
    }

    /// Goes from block to block of a lane.
    pub fn pace(&self) -> Pace<'_> {
        Pace {
            control: self,
            rows: 0,
            blocks: 0,
        }
    }

    /// Rows the budget has.
    pub fn max_rows(&self) -> u64 {
        self.max_rows
    }

    /// Rows scanned so far.
    pub fn scanned(&self) -> u64 {
        self.scanned.load(Ordering::Relaxed)
    }

    /// Makes the other lanes stop at their next block.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Blocks between looks at the clock and at the budget: a block that needs no decoding takes less than they do.
const STRIDE: u32 = 64;

/// Asked at each block of a lane: the flags every time, clock and budget now and then.
#[derive(Debug)]
pub struct Pace<'a> {
    control: &'a Control,
    /// Rows not noted yet.
    rows: u64,
    /// Blocks since the last look at the clock.
    blocks: u32,
}

impl Pace<'_> {
    /// Whether to go on to the next block.
    pub fn step(&mut self) -> Result<()> {
        self.blocks += 1;
        if self.blocks < STRIDE {
            return self.control.check_flags();
        }
        self.blocks = 0;
        self.settle()?;
        self.control.check()
    }

    /// Notes rows in the range that are about to be read.
    pub fn count(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// Holds what was noted against the budget.
    pub fn settle(&mut self) -> Result<()> {
        self.control.count(std::mem::take(&mut self.rows))
    }
}
