//! The assembly: a store with ingest and queries over it.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::ingest::Ingest;
use crate::query::{Queries, QueryLimits};
use crate::store::{Store, StoreOptions};

/// How an engine is opened.
#[derive(Default)]
pub struct EngineOptions {
    /// Of the store.
    pub store: StoreOptions,
    /// Threads that decode and pack; 0: one a core.
    pub ingest_threads: usize,
    /// Threads that scan; 0: one a core.
    pub query_workers: usize,
    /// What a query may cost.
    pub limits: QueryLimits,
}

/// One data directory, opened.
pub struct Engine {
    /// What is stored.
    pub store: Arc<Store>,
    /// Rows in.
    pub ingest: Ingest,
    /// Answers out.
    pub queries: Queries,
}

impl Engine {
    /// Opens or makes the directory; see [`Store::open`] for what is refused.
    pub fn open(dir: &Path, options: EngineOptions) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let or_cores = |threads: usize| if threads == 0 { cores } else { threads };
        let store = Store::open(dir, options.store)?;
        Ok(Self {
            ingest: Ingest::new(Arc::clone(&store), or_cores(options.ingest_threads)),
            queries: Queries::new(store.clone(), or_cores(options.query_workers), options.limits),
            store,
        })
    }

    /// Stops taking work, finishes what is queued, commits it and closes the store. A second call does nothing.
    pub fn close(&self) -> Result<()> {
        self.queries.shutdown();
        self.ingest.shutdown();
        self.store.close()
    }
}
