//! The scrubber: reads every part at a bounded rate and remembers which are damaged, before somebody needs them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::fault;
use super::manifest::PartHandle;
use super::shared::Shared;
use super::stream::Stream;
use crate::error::{Error, Result};

/// How often all parts are read.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How long after its opening a store is read for the first time: it has better things to do then.
const FIRST: Duration = Duration::from_secs(600);
/// Bytes read between two rests.
const STRIDE_BYTES: u64 = 256 << 10;

/// A part that is not what was written.
#[derive(Clone, Debug)]
pub struct DamagedPart {
    /// Name of its stream.
    pub stream: String,
    /// Its number.
    pub part: u64,
    /// Least and greatest event time of its rows.
    pub times: (i64, i64),
    /// Its rows.
    pub rows: u64,
    /// What was found.
    pub error: Error,
}

/// What the scrubber has seen.
#[derive(Clone, Debug, Default)]
pub struct ScrubStatus {
    /// Passes over all parts since the store was opened.
    pub passes: u64,
    /// When the last one ended, Unix nanoseconds; none: none has.
    pub last_pass_ns: Option<i64>,
    /// Parts read in the pass under way.
    pub parts: u64,
    /// Blocks read since the store was opened.
    pub blocks: u64,
    /// Parts found damaged, that are still their stream's.
    pub damaged: Vec<DamagedPart>,
}

/// Shared by the scrubber and who asks for it.
#[derive(Debug, Default)]
pub(super) struct Scrubber(Mutex<ScrubStatus>);

impl Scrubber {
    fn lock(&self) -> MutexGuard<'_, ScrubStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> ScrubStatus {
        self.lock().clone()
    }
}

/// Runs until the sealer is stopped, with which it shares its end.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut wait = FIRST;
    loop {
        shared.sealer.sleep(wait);
        if shared.sealer.is_stopped() || pass(shared, shared.options.scrub_bytes_per_second).is_err() {
            return;
        }
        wait = EVERY;
    }
}

/// Reads every part once, at most so many bytes a second; 0: as fast as it can. An error: the store is being closed.
pub(super) fn pass(shared: &Arc<Shared>, bytes_per_second: u64) -> Result<()> {
    let streams: Vec<Arc<Stream>> = shared.catalog().all_streams().cloned().collect();
    let mut pace = Pace {
        shared,
        bytes_per_second,
        began: Instant::now(),
        bytes: 0,
        rested: 0,
    };
    let mut damaged = Vec::new();
    shared.scrubber.lock().parts = 0;
    for stream in streams {
        for part in &stream.files() {
            let read = part
                .open()
                .and_then(|opened| opened.verify(&mut |bytes| pace.read(bytes)));
            shared.accepts_scrub()?;
            let mut status = shared.scrubber.lock();
            status.parts += 1;
            match read {
                Ok(blocks) => status.blocks += blocks,
                Err(error) => damaged.push((Arc::clone(&stream), Arc::clone(part), error)),
            }
        }
    }
    let mut status = shared.scrubber.lock();
    status.passes += 1;
    status.last_pass_ns = Some(shared.options.clock.now());
    status.damaged = damaged
        .iter()
        .filter_map(|(stream, part, error)| still_there(stream, part, error))
        .collect();
    Ok(())
}

/// A part that was merged or dropped meanwhile may be gone, which is no damage.
fn still_there(stream: &Arc<Stream>, part: &Arc<PartHandle>, error: &Error) -> Option<DamagedPart> {
    let is_there = stream.files().iter().any(|other| Arc::ptr_eq(other, part));
    is_there.then(|| DamagedPart {
        stream: stream.name.clone(),
        part: part.number(),
        times: part.times(),
        rows: part.rows(),
        error: part.explain(error),
    })
}

struct Pace<'a> {
    shared: &'a Shared,
    bytes_per_second: u64,
    began: Instant,
    bytes: u64,
    rested: u64,
}

impl Pace<'_> {
    fn read(&mut self, bytes: u64) -> Result<()> {
        self.bytes += bytes;
        if self.bytes - self.rested < STRIDE_BYTES {
            return Ok(());
        }
        self.rested = self.bytes;
        self.shared.accepts_scrub()?;
        if self.bytes_per_second > 0 {
            let due = Duration::from_secs_f64(self.bytes as f64 / self.bytes_per_second as f64);
            self.shared.sealer.sleep(due.saturating_sub(self.began.elapsed()));
        }
        Ok(())
    }
}

impl Shared {
    fn accepts_scrub(&self) -> Result<()> {
        if self.sealer.is_stopped() {
            return Err(fault::shutting_down());
        }
        Ok(())
    }
}
