//! What has been answered and waits for the event loop, and the one descriptor that wakes it.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// Answer to a ticket: messages, or why there are none.
pub(super) type Answer = Result<Vec<Vec<u8>>>;

/// A mailbox. Any thread posts; the event loop watches the descriptor and takes everything at once, so that a group of
/// commits wakes it once. A pipe that holds at most one byte stands in for an eventfd: it needs no unsafe code.
pub(super) struct Completions {
    waiting: Mutex<Vec<(u64, Answer)>>,
    reader: PipeReader,
    writer: PipeWriter,
}

impl Completions {
    pub(super) fn new() -> Result<Self> {
        let (reader, writer) = pipe().map_err(|error| Error::internal(format!("pipe: {error}")))?;
        Ok(Self {
            waiting: Mutex::default(),
            reader,
            writer,
        })
    }

    /// Readable exactly while completions wait.
    pub(super) fn descriptor(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Leaves an answer and wakes the event loop if nothing was waiting.
    pub(super) fn post(&self, ticket: u64, answer: Answer) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push((ticket, answer));
        if waiting.len() == 1 {
            // Under the lock, so that the byte is there when the answers are taken. Both ends live as long as this.
            (&self.writer).write_all(&[1]).expect("the pipe is open");
        }
    }

    /// Takes everything that waits.
    pub(super) fn take(&self) -> Vec<(u64, Answer)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.is_empty() {
            (&self.reader).read_exact(&mut [0]).expect("the pipe is open");
        }
        std::mem::take(&mut waiting)
    }
}
