//! Who may query when: two slots for scans, two for look-ups, a bounded queue before them, round robin by namespace.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use super::cache::{CacheFigures, ResultCache};
use super::call::Call;
use super::run::{Context, QueryLimits, panicked};
use crate::error::{Error, Kind, Result};
use crate::scan::pool::Pool;
use crate::store::{NamespaceId, QueryGuard, Store, Stream};
use crate::time::Clock;

/// Largest request in bytes.
pub const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Most queries that wait for a slot.
pub const MAX_WAITING: usize = 100;
/// Slots of each kind.
pub const SLOTS: u32 = 2;
/// A query of at most so many rows in its range is a look-up.
pub const LOOK_UP_ROWS: u64 = 1 << 20;
/// When to try again after a full queue, in milliseconds.
const RETRY_AFTER_MS: u32 = 200;

/// Where queries find streams.
pub trait Streams: Send + Sync {
    /// A stream of a namespace by name; NotFound otherwise.
    fn stream(&self, namespace: NamespaceId, name: &str) -> Result<Arc<Stream>>;
    /// A stream of a namespace by number, if it has one.
    fn numbered(&self, namespace: NamespaceId, number: u32) -> Option<Arc<Stream>>;
    /// The key that ids of events and tokens of pages of a namespace are made under.
    fn secret(&self, namespace: NamespaceId) -> [u8; 16];
    /// The clock.
    fn clock(&self) -> Arc<dyn Clock>;
    /// Held while a query runs; none where nothing gives way to queries.
    fn guard(&self) -> Option<QueryGuard> {
        None
    }
}

impl Streams for Store {
    fn guard(&self) -> Option<QueryGuard> {
        Some(self.query_guard())
    }

    fn stream(&self, namespace: NamespaceId, name: &str) -> Result<Arc<Stream>> {
        Self::stream(self, namespace, name)
    }

    fn numbered(&self, namespace: NamespaceId, number: u32) -> Option<Arc<Stream>> {
        self.streams(namespace).into_iter().find(|stream| stream.id == number)
    }

    fn secret(&self, namespace: NamespaceId) -> [u8; 16] {
        self.namespace_secret(namespace)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(Self::clock(self))
    }
}

/// Which call a request is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryMethod {
    /// One message out.
    Query,
    /// How one message would be made.
    ExplainQuery,
    /// Frames out.
    StreamQuery,
    /// A page of rows.
    ListEvents,
    /// The row with an id.
    GetEvent,
    /// The values of a column, or the columns.
    ExploreDimension,
}

/// Takes the encoded messages of an answer.
pub type Done = Box<dyn FnOnce(Result<Vec<Vec<u8>>>) + Send>;

/// The query side of the engine.
pub struct Queries {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A query that was submitted.
pub struct QueryHandle {
    id: u64,
    cancelled: Arc<AtomicBool>,
    shared: Weak<Shared>,
}

impl std::fmt::Debug for Queries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queries")
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for QueryHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl QueryHandle {
    /// Makes the query end as CANCELLED: at once if it waits, within a block if it runs.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let waiting = shared.lock().remove(self.id);
        if let Some(task) = waiting {
            task.answer(Err(Error::new(
                Kind::Cancelled,
                "CANCELLED",
                "the caller gave up before the query began",
            )));
        }
    }
}

struct Shared {
    streams: Arc<dyn Streams>,
    limits: QueryLimits,
    pool: Arc<Pool>,
    cache: Option<Arc<ResultCache>>,
    state: Mutex<State>,
    changed: Condvar,
    next_id: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Not looked at yet.
    arrived: Queue,
    scans: Queue,
    look_ups: Queue,
    running_scans: u32,
    running_look_ups: u32,
    /// Looked at just now.
    planning: u32,
    stopping: bool,
}

impl State {
    fn waiting(&self) -> usize {
        self.arrived.len + self.scans.len + self.look_ups.len + self.planning as usize
    }

    fn remove(&mut self, id: u64) -> Option<Task> {
        [&mut self.arrived, &mut self.scans, &mut self.look_ups]
            .into_iter()
            .find_map(|queue| queue.remove(id))
    }
}

/// Tasks by namespace; the namespace served last goes to the back.
#[derive(Default)]
struct Queue {
    lanes: VecDeque<(NamespaceId, VecDeque<Task>)>,
    len: usize,
}

impl Queue {
    fn push(&mut self, task: Task) {
        self.len += 1;
        match self
            .lanes
            .iter_mut()
            .find(|(namespace, _)| *namespace == task.namespace)
        {
            Some((_, tasks)) => tasks.push_back(task),
            None => self.lanes.push_back((task.namespace, VecDeque::from([task]))),
        }
    }

    fn pop(&mut self) -> Option<Task> {
        let (namespace, mut tasks) = self.lanes.pop_front()?;
        let task = tasks.pop_front();
        if !tasks.is_empty() {
            self.lanes.push_back((namespace, tasks));
        }
        self.len -= usize::from(task.is_some());
        task
    }

    fn remove(&mut self, id: u64) -> Option<Task> {
        let found = self
            .lanes
            .iter()
            .enumerate()
            .find_map(|(lane, (_, tasks))| tasks.iter().position(|task| task.id == id).map(|at| (lane, at)));
        let (lane, at) = found?;
        let task = self.lanes[lane].1.remove(at);
        if self.lanes[lane].1.is_empty() {
            self.lanes.remove(lane);
        }
        self.len -= usize::from(task.is_some());
        task
    }
}

struct Task {
    id: u64,
    namespace: NamespaceId,
    method: QueryMethod,
    request: Request,
    deadline_ns: Option<i64>,
    started_ns: i64,
    cancelled: Arc<AtomicBool>,
    done: Done,
}

enum Request {
    Raw(Box<dyn AsRef<[u8]> + Send>),
    Planned(Box<Call>),
}

impl Task {
    fn answer(self, result: Result<Vec<Vec<u8>>>) {
        let done = self.done;
        // Whoever waits for the answer must not take a slot down with it.
        let _ = catch_unwind(AssertUnwindSafe(move || done(result)));
    }
}

fn shutting_down() -> Error {
    Error::new(Kind::Overloaded, "SHUTTING_DOWN", "the server is shutting down").retry_after_ms(RETRY_AFTER_MS)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads requests and sends them to the slots of their kind.
    fn plan_loop(&self) {
        loop {
            let mut task = {
                let mut state = self.lock();
                loop {
                    if let Some(task) = state.arrived.pop() {
                        state.planning += 1;
                        break task;
                    }
                    if state.stopping {
                        return;
                    }
                    state = self.wait(state);
                }
            };
            let planned =
                catch_unwind(AssertUnwindSafe(|| self.plan(&task))).unwrap_or_else(|panic| Err(panicked(&*panic)));
            let mut state = self.lock();
            state.planning -= 1;
            match planned {
                Err(error) => {
                    drop(state);
                    task.answer(Err(error));
                }
                Ok(_) if state.stopping => {
                    drop(state);
                    task.answer(Err(shutting_down()));
                }
                Ok((call, is_look_up)) => {
                    task.request = Request::Planned(Box::new(call));
                    let queue = if is_look_up {
                        &mut state.look_ups
                    } else {
                        &mut state.scans
                    };
                    queue.push(task);
                    self.changed.notify_all();
                }
            }
        }
    }

    fn plan(&self, task: &Task) -> Result<(Call, bool)> {
        if task.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(
                Kind::Cancelled,
                "CANCELLED",
                "the caller gave up before the query began",
            ));
        }
        let Request::Raw(bytes) = &task.request else {
            return Err(Error::internal("a query planned twice"));
        };
        let call = Call::read(&*self.streams, task.namespace, task.method, (**bytes).as_ref())?;
        let is_look_up = call.is_look_up();
        Ok((call, is_look_up))
    }

    fn slot_loop(&self, look_ups: bool) {
        loop {
            let task = {
                let mut state = self.lock();
                loop {
                    let queue = if look_ups {
                        &mut state.look_ups
                    } else {
                        &mut state.scans
                    };
                    if let Some(task) = queue.pop() {
                        if look_ups {
                            state.running_look_ups += 1;
                        } else {
                            state.running_scans += 1;
                        }
                        break task;
                    }
                    if state.stopping {
                        return;
                    }
                    state = self.wait(state);
                }
            };
            let answer =
                catch_unwind(AssertUnwindSafe(|| self.run(&task))).unwrap_or_else(|panic| Err(panicked(&*panic)));
            {
                let mut state = self.lock();
                if look_ups {
                    state.running_look_ups -= 1;
                } else {
                    state.running_scans -= 1;
                }
            }
            task.answer(answer);
        }
    }

    fn run(&self, task: &Task) -> Result<Vec<Vec<u8>>> {
        let _guard = self.streams.guard();
        let Request::Planned(call) = &task.request else {
            return Err(Error::internal("a query without a plan"));
        };
        let context = Context {
            clock: self.streams.clock(),
            deadline_ns: task.deadline_ns,
            cancelled: Arc::clone(&task.cancelled),
            limits: self.limits,
            pool: Some(Arc::clone(&self.pool)),
            snapshot: None,
            started_ns: Some(task.started_ns),
            watch: None,
            cache: self.cache.clone(),
        };
        call.answer(&context)
    }
}

impl Queries {
    /// Slots over a worker pool of `workers` threads.
    pub fn new(streams: Arc<dyn Streams>, workers: usize, limits: QueryLimits) -> Self {
        let shared = Arc::new(Shared {
            streams,
            limits,
            pool: Arc::new(Pool::new(workers)),
            cache: (limits.cache_bytes > 0).then(|| Arc::new(ResultCache::new(limits.cache_bytes))),
            state: Mutex::default(),
            changed: Condvar::new(),
            next_id: AtomicU64::new(1),
        });
        let mut threads = Vec::new();
        let mut spawn = |name: String, body: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            threads.extend(std::thread::Builder::new().name(name).spawn(move || body(&shared)));
        };
        spawn("query-plan".to_owned(), Shared::plan_loop);
        for slot in 0..SLOTS {
            spawn(format!("query-scan-{slot}"), |shared| shared.slot_loop(false));
            spawn(format!("query-look-up-{slot}"), |shared| shared.slot_loop(true));
        }
        Self {
            shared,
            threads: Mutex::new(threads),
        }
    }

    /// Queues an encoded request; constant time. `deadline_ns` is on the clock's monotonic scale. `done` runs on a thread of
    /// the queries, or at once when the request is refused.
    pub fn submit(
        &self,
        namespace: NamespaceId,
        method: QueryMethod,
        request: Box<dyn AsRef<[u8]> + Send>,
        deadline_ns: Option<i64>,
        done: Done,
    ) -> QueryHandle {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let cancelled = Arc::<AtomicBool>::default();
        let handle = QueryHandle {
            id,
            cancelled: Arc::clone(&cancelled),
            shared: Arc::downgrade(&self.shared),
        };
        let bytes = (*request).as_ref().len();
        let task = Task {
            id,
            namespace,
            method,
            request: Request::Raw(request),
            deadline_ns,
            started_ns: self.shared.streams.clock().monotonic_ns(),
            cancelled,
            done,
        };
        if bytes > MAX_REQUEST_BYTES {
            let message = format!("a request has at most {MAX_REQUEST_BYTES} bytes, this one has {bytes}");
            task.answer(Err(Error::invalid("MESSAGE_TOO_LARGE", "", message)));
            return handle;
        }
        let refusal = {
            let mut state = self.shared.lock();
            if state.stopping {
                Some((task, shutting_down()))
            } else if state.waiting() >= MAX_WAITING {
                let message = format!("at most {MAX_WAITING} queries wait for a slot, all places are taken");
                let error = Error::new(Kind::Overloaded, "QUERY_QUEUE_FULL", message);
                Some((task, error.retry_after_ms(RETRY_AFTER_MS)))
            } else {
                state.arrived.push(task);
                self.shared.changed.notify_all();
                None
            }
        };
        if let Some((task, error)) = refusal {
            task.answer(Err(error));
        }
        handle
    }

    /// Scans and look-ups that run now.
    pub fn running(&self) -> (u32, u32) {
        let state = self.shared.lock();
        (state.running_scans, state.running_look_ups)
    }

    /// Queries that wait for a slot now.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting()
    }

    /// What is kept of earlier answers.
    pub fn cache_figures(&self) -> CacheFigures {
        self.shared
            .cache
            .as_ref()
            .map(|cache| cache.figures())
            .unwrap_or_default()
    }

    /// Refuses what comes and what waits, and returns when what runs has been answered.
    pub fn shutdown(&self) {
        let mut waiting = Vec::new();
        {
            let mut state = self.shared.lock();
            state.stopping = true;
            let State {
                arrived,
                scans,
                look_ups,
                ..
            } = &mut *state;
            for queue in [arrived, scans, look_ups] {
                waiting.extend(std::iter::from_fn(|| queue.pop()));
            }
            self.shared.changed.notify_all();
        }
        for task in waiting {
            task.answer(Err(shutting_down()));
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        self.shutdown();
    }
}
