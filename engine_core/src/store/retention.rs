//! Retention: parts whose last row is older than a stream keeps go whole, and their room goes back to the system.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use super::Store;
use super::manifest::PartHandle;
use super::manifest::PartRecord;
use super::part::Identity;
use super::rollup;
use super::shared::Shared;
use super::stream::Stream;
use crate::error::{Kind, Result};

/// What retention takes, or would take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// Parts.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Rows of this event time or later stay; none: the stream keeps rows of any age.
    pub before_ns: Option<i64>,
}

/// Drops what a stream does not keep, and rollups that it keeps no longer; with `dry_run` nothing is dropped. Rows that are not
/// sealed yet stay until they are, and parts that lack rollups until they have them, but for those in `unreadable`, which never will.
pub(super) fn apply(
    shared: &Arc<Shared>,
    stream: &Arc<Stream>,
    dry_run: bool,
    unreadable: &HashSet<Identity>,
) -> Result<RetentionReport> {
    let now = shared.options.clock.now();
    let keep_for = stream.schema().settings.keep_for_ns;
    let before = keep_for.map(|keep_for| now.saturating_sub(keep_for));
    let _turn = shared.sealer.turn.lock().unwrap_or_else(PoisonError::into_inner);
    let old = |part: &&Arc<PartHandle>| before.is_some_and(|before| part.times().1 < before);
    let mut gone: Vec<Arc<PartHandle>> = stream.parts().iter().filter(old).cloned().collect();
    if !dry_run {
        let due = rollup::all_due(stream, now, |part| !unreadable.contains(&part.identity));
        let due: HashSet<Identity> = due.into_iter().map(|(part, _)| part.identity).collect();
        gone.retain(|part| !due.contains(&part.identity));
    }
    let report = RetentionReport {
        parts: gone.len() as u64,
        rows: gone.iter().map(|part| part.rows()).sum(),
        bytes: gone.iter().map(|part| part.bytes()).sum(),
        before_ns: before,
    };
    // Rollups outlive their parts for as long as their own setting says.
    gone.extend(rollup::undeclared(stream, now));
    if dry_run || gone.is_empty() {
        return Ok(report);
    }
    let target = Arc::clone(stream);
    shared.change(true, move |change| {
        if target.is_deleted() {
            return Ok(());
        }
        let id = (target.namespace, target.id);
        let records: Vec<(Identity, PartRecord)> = gone.iter().map(|part| (part.identity, part.record)).collect();
        change.remove_parts(id, &records)?;
        let manifest = change.manifest(id);
        manifest.dropped_parts += report.parts;
        manifest.dropped_rows += report.rows;
        manifest.dropped_bytes += report.bytes;
        let commit = change.commit_number(target.namespace)?;
        change.manifest(id).dropped_through = commit;
        let (stream, gone) = (Arc::clone(&target), gone.clone());
        change.after(move |shared| {
            stream.remove_parts(&gone, commit);
            shared.unlink(&gone);
        });
        Ok(())
    })?;
    Ok(report)
}

impl Store {
    /// Drops the parts of a stream whose last row is older than it keeps; with `dry_run` it only says what would go. Works on a
    /// full disk. The background does the same every minute. What these parts lack of rollups is made first; one of which it cannot be
    /// made stays.
    pub fn apply_retention(&self, stream: &Arc<Stream>, dry_run: bool) -> Result<RetentionReport> {
        let (now, mut unreadable) = (self.shared.options.clock.now(), HashSet::new());
        let before = stream.schema().settings.keep_for_ns;
        if let Some(before) = before.map(|keep_for| now.saturating_sub(keep_for)).filter(|_| !dry_run) {
            for due in rollup::all_due(stream, now, |part| part.times().1 < before) {
                // What else fails, such as a full disk, may be otherwise later.
                if rollup::catch_up(&self.shared, stream, &due).is_err_and(|error| error.kind() == Kind::Corrupt) {
                    unreadable.insert(due.0.identity);
                }
            }
        }
        apply(&self.shared, stream, dry_run, &unreadable)
    }
}
