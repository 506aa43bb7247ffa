//! Rows as they were before the last seals: parts are not cut by commit, so that an answer as of an earlier one needs what they were
//! made of.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::tail::Snapshot;
use crate::error::{Error, Kind};
use crate::time::SECOND_NS;

/// How long sealed batches are kept.
pub(super) const KEPT_NS: i64 = 60 * SECOND_NS;

/// Bytes of batches that are kept although they are sealed, over all streams.
#[derive(Clone, Debug, Default)]
pub(super) struct PastRoom(Arc<AtomicU64>);

impl PastRoom {
    /// Takes room for so many bytes, if that leaves at most `limit` taken. It is given back when what is returned is dropped.
    pub(super) fn take(&self, bytes: u64, limit: u64) -> Option<Taken> {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            let next = taken.checked_add(bytes)?;
            (next <= limit).then_some(next)
        });
        taken.ok().map(|_| Taken(Arc::clone(&self.0), bytes))
    }
}

/// Room that is taken.
#[derive(Debug)]
pub(super) struct Taken(Arc<AtomicU64>, u64);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// The rows of a stream before some of them were sealed.
#[derive(Debug)]
pub(super) struct Past {
    /// Parts and tail as they were.
    pub(super) view: Snapshot,
    /// Commits that it answers for.
    pub(super) commits: Range<u64>,
    /// When the rows were sealed, on the clock's monotonic scale.
    pub(super) sealed_ns: i64,
    /// What its batches take.
    pub(super) _room: Taken,
}

/// The error of a commit that nothing is kept of; `served`: the commits that can be served, ascending.
pub(super) fn not_kept(commit: u64, served: impl Iterator<Item = Range<u64>> + Clone) -> Error {
    let before = served
        .clone()
        .filter(|range| range.end <= commit)
        .map(|range| range.end - 1);
    let after = served.map(|range| range.start).find(|&start| start > commit);
    let nearest: Vec<String> = [before.last(), after]
        .into_iter()
        .flatten()
        .map(|commit| commit.to_string())
        .collect();
    let message = format!(
        "rows of later commits have been sealed with those of commit {commit}, or some of its rows are gone; the nearest that can be \
         served: {}",
        nearest.join(" and ")
    );
    Error::new(Kind::OutOfRange, "COMMIT_NOT_KEPT", message).at("spec.as_of")
}

/// The error of a commit that is not there yet.
pub(super) fn not_there(commit: u64, newest: u64) -> Error {
    let message = format!("there is no commit {commit} yet, the newest of the namespace is {newest}");
    Error::new(Kind::OutOfRange, "COMMIT_NOT_REACHED", message).at("spec.as_of")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        let room = PastRoom::default();
        let first = room.take(6, 10).expect("there is room");
        assert!(room.take(5, 10).is_none());
        let second = room.take(4, 10).expect("there is just enough");
        drop(first);
        assert!(room.take(7, 10).is_none());
        drop(second);
        assert!(room.take(10, 10).is_some());
    }

    #[test]
    fn the_nearest_commits_are_named() {
        let served = [3..5, 9..u64::MAX];
        let message = |commit| not_kept(commit, served.iter().cloned()).message().to_owned();
        assert!(message(7).ends_with("served: 4 and 9"), "{}", message(7));
        assert!(message(5).ends_with("served: 4 and 9"), "{}", message(5));
        assert!(message(1).ends_with("served: 3"), "{}", message(1));
    }
}
