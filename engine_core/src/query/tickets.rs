//! Queries under way by the number their caller knows them by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::slots::{Done, Queries, QueryHandle, QueryMethod};
use crate::store::NamespaceId;

type Handles = HashMap<u64, Option<QueryHandle>>;

/// Handles of queries that are not answered yet. An answer may come on the caller's own thread, from within the submission
/// or the cancelling of its query, so that no lock is held over either.
#[derive(Clone, Default)]
pub struct Tickets(Arc<Mutex<Handles>>);

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tickets").field("open", &self.open()).finish()
    }
}

impl Tickets {
    fn lock(&self) -> MutexGuard<'_, Handles> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a query under a number that no other query has; see [`Queries::submit`].
    pub fn submit(
        &self,
        queries: &Queries,
        ticket: u64,
        (namespace, method): (NamespaceId, QueryMethod),
        request: Box<dyn AsRef<[u8]> + Send>,
        deadline_ns: Option<i64>,
        done: Done,
    ) {
        // Its place first: an answer takes it away, whether its handle is there yet or not.
        self.lock().insert(ticket, None);
        let open = self.clone();
        let done = Box::new(move |answer| {
            open.lock().remove(&ticket);
            done(answer);
        });
        let handle = queries.submit(namespace, method, request, deadline_ns, done);
        if let Some(place) = self.lock().get_mut(&ticket) {
            *place = Some(handle);
        }
    }

    /// Makes a query end as CANCELLED, if it is not answered yet.
    pub fn cancel(&self, ticket: u64) {
        let handle = self.lock().get_mut(&ticket).and_then(Option::take);
        if let Some(handle) = handle {
            handle.cancel();
        }
    }

    /// Queries that are not answered yet.
    pub fn open(&self) -> usize {
        self.lock().len()
    }
}
