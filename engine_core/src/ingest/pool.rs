//! The ingest pool: a few threads, and a bound on the bytes that wait for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::error::{Error, Kind, Result};

/// When a refused request makes sense again.
const RETRY_MS: u32 = 100;

/// Work for one thread of the pool.
pub(super) trait Run: Send + 'static {
    /// Does it.
    fn run(self);
}

/// Threads that run jobs in order of arrival.
#[derive(Debug)]
pub(super) struct Pool<J: Run> {
    jobs: Mutex<Option<Sender<J>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    in_flight: Arc<AtomicUsize>,
    limit_bytes: usize,
}

/// Room in the pool for a request's bytes; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    in_flight: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl<J: Run> Pool<J> {
    /// A pool of so many threads, at least one, that takes requests of `limit_bytes` in all.
    pub(super) fn new(threads: usize, limit_bytes: usize) -> Self {
        let (sender, receiver) = unbounded::<J>();
        let threads = (0..threads.max(1))
            .filter_map(|at| {
                let receiver = receiver.clone();
                let builder = thread::Builder::new().name(format!("ingest-{at}"));
                builder.spawn(move || run(&receiver)).ok()
            })
            .collect();
        Self {
            jobs: Mutex::new(Some(sender)),
            threads: Mutex::new(threads),
            in_flight: Arc::default(),
            limit_bytes,
        }
    }

    /// Room for a request, or a refusal worth a retry.
    pub(super) fn admit(&self, bytes: usize) -> Result<Permit> {
        let before = self.in_flight.fetch_add(bytes, Ordering::AcqRel);
        // Made at once, so that a refusal gives back what it took.
        let permit = Permit {
            in_flight: Arc::clone(&self.in_flight),
            bytes,
        };
        if before > 0 && before.saturating_add(bytes) > self.limit_bytes {
            return Err(Error::new(
                Kind::Overloaded,
                "INGEST_QUEUE_FULL",
                format!(
                    "requests that wait to be decoded have at most {} bytes, and {before} wait",
                    self.limit_bytes
                ),
            )
            .retry_after_ms(RETRY_MS));
        }
        Ok(permit)
    }

    /// Queues a job; hands it back if the pool has been shut down.
    pub(super) fn spawn(&self, job: J) -> Result<(), J> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match &*jobs {
            Some(sender) => sender.send(job).map_err(|refused| refused.0),
            None => Err(job),
        }
    }

    /// Takes no more jobs, and returns when those queued are done.
    pub(super) fn shutdown(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A job's panic is caught; one of the thread itself leaves nothing to be done here.
            let _ = thread.join();
        }
    }
}

impl<J: Run> Drop for Pool<J> {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn run<J: Run>(jobs: &Receiver<J>) {
    for job in jobs {
        // Jobs answer for their own panics; this keeps the thread for the next one whatever happens.
        let _ = catch_unwind(AssertUnwindSafe(|| job.run()));
    }
}

/// The refusal of a core that is being closed.
pub(super) fn shutting_down() -> Error {
    Error::new(Kind::Overloaded, "SHUTTING_DOWN", "the server is shutting down").retry_after_ms(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Work = Box<dyn FnOnce() + Send>;

    impl Run for Work {
        fn run(self) {
            self();
        }
    }

    #[test]
    fn a_panic_costs_one_job_and_no_thread() {
        let pool = Pool::<Work>::new(1, 1);
        let (sender, receiver) = unbounded();
        assert!(pool.spawn(Box::new(|| panic!("on purpose"))).is_ok());
        assert!(pool.spawn(Box::new(move || sender.send(7).unwrap())).is_ok());
        assert_eq!(receiver.recv(), Ok(7));
    }

    #[test]
    fn bytes_in_flight_are_bounded_but_one_request_always_fits() {
        let pool = Pool::<Work>::new(1, 10);
        let large = pool.admit(100).unwrap();
        assert_eq!(pool.admit(1).unwrap_err().reason(), "INGEST_QUEUE_FULL");
        drop(large);
        let _some = pool.admit(6).unwrap();
        assert_eq!(pool.admit(5).unwrap_err().retry_delay_ms(), Some(RETRY_MS));
        pool.admit(4).unwrap();
    }

    #[test]
    fn a_pool_that_shuts_down_finishes_what_is_queued() {
        let pool = Pool::<Work>::new(2, 1);
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let done = Arc::clone(&done);
            assert!(
                pool.spawn(Box::new(move || {
                    done.fetch_add(1, Ordering::SeqCst);
                }))
                .is_ok()
            );
        }
        pool.shutdown();
        assert_eq!(done.load(Ordering::SeqCst), 100);
        assert!(pool.spawn(Box::new(|| ())).is_err());
    }
}
