//! The worker pool of queries: threads that take one step of a job at a time, so that short queries pass between the lanes
//! of long ones.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};

/// Work in steps. Steps of one job run on several threads at once.
pub trait Job: Send + Sync {
    /// Does one step; false when none is left. Must not panic.
    fn step(&self) -> bool;
}

/// Threads that run jobs, round robin.
#[derive(Debug)]
pub struct Pool {
    sender: Sender<Option<Arc<dyn Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    size: usize,
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Pool {
    /// A pool of so many threads, at least one.
    pub fn new(size: usize) -> Self {
        let size = size.max(1);
        let (sender, receiver) = unbounded();
        let threads = (0..size)
            .filter_map(|number| {
                let (sender, receiver) = (sender.clone(), receiver.clone());
                std::thread::Builder::new()
                    .name(format!("query-worker-{number}"))
                    .spawn(move || work(&sender, &receiver))
                    .ok()
            })
            .collect();
        Self {
            sender,
            threads: Mutex::new(threads),
            size,
        }
    }

    /// Number of threads.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Lets up to `copies` threads work on a job until it has no steps left.
    pub fn start(&self, job: &Arc<dyn Job>, copies: usize) {
        for _ in 0..copies.min(self.size) {
            // The receivers live as long as the threads, and those as long as `self`.
            let _ = self.sender.send(Some(Arc::clone(job)));
        }
    }
}

fn work(sender: &Sender<Option<Arc<dyn Job>>>, receiver: &Receiver<Option<Arc<dyn Job>>>) {
    while let Ok(Some(job)) = receiver.recv() {
        if job.step() && sender.send(Some(job)).is_err() {
            return;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &threads {
            let _ = self.sender.send(None);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}
