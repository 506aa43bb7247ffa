//! The committer's queue: what arrives while it commits forms its next group.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::change::Change;
use super::item::Queued;
use crate::error::Result;

/// Makes a change within a transaction.
pub(super) type Run = Box<dyn FnMut(&mut Change<'_>) -> Result<()> + Send>;

/// A change of something other than rows, run by the committer in a transaction of its own.
pub(super) struct Control {
    /// Makes the change; run again if a full disk had to give its reserve back.
    pub(super) run: Run,
    /// Told the outcome.
    pub(super) answer: Box<dyn FnOnce(Result<()>) + Send>,
    /// Whether it frees room, and may use the reserve to do so.
    pub(super) makes_room: bool,
}

pub(super) enum Work {
    Rows(Box<Queued>),
    Control(Control),
    Stop,
}

/// What the committer does next.
pub(super) enum Next {
    /// One transaction of rows.
    Group(Vec<Queued>),
    /// One change.
    Control(Control),
    /// The last of all.
    Stop,
}

#[derive(Default)]
struct Inner {
    work: VecDeque<Work>,
    closed: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    ready: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work, or hands it back if the queue takes none any more.
    pub(super) fn push(&self, work: Work) -> Result<(), Work> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(work);
        }
        inner.work.push_back(work);
        drop(inner);
        self.ready.notify_one();
        Ok(())
    }

    /// Takes nothing any more, and stops once what it holds is done.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        if !inner.closed {
            inner.closed = true;
            inner.work.push_back(Work::Stop);
        }
        drop(inner);
        self.ready.notify_one();
    }

    /// Takes nothing any more and gives back what it holds: nobody will do it.
    pub(super) fn abandon(&self) -> Vec<Work> {
        let mut inner = self.lock();
        inner.closed = true;
        inner.work.drain(..).collect()
    }

    /// Whether it takes work.
    pub(super) fn is_open(&self) -> bool {
        !self.lock().closed
    }

    /// Waits for work; rows that lie next to each other come as one group of at most `group_bytes`, or of one larger item.
    pub(super) fn take(&self, group_bytes: u64) -> Next {
        let mut inner = self.lock();
        let first = loop {
            match inner.work.pop_front() {
                Some(Work::Rows(rows)) => break rows,
                Some(Work::Control(control)) => return Next::Control(control),
                Some(Work::Stop) => return Next::Stop,
                None => inner = self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner),
            }
        };
        let mut bytes = first.bytes;
        let mut group = vec![*first];
        while let Some(Work::Rows(next)) = inner.work.front() {
            bytes += next.bytes;
            if bytes > group_bytes {
                break;
            }
            if let Some(Work::Rows(next)) = inner.work.pop_front() {
                group.push(*next);
            }
        }
        Next::Group(group)
    }
}
