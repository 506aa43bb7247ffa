//! Runs a plan: lanes accumulated in order by whichever thread takes them, merged in order, then finished into columns.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::answer::{self, Answer};
use super::cache::{Key, ResultCache, RowsSeen};
use super::compare::Shift;
use super::ends::Newest;
use super::entities::entities;
use super::explain::{Step, Watch};
use super::lane::Lane;
use super::merge::{Merged, Merging, Partial};
use super::plan::Plan;
use super::regroup::{Starts, regroup};
use super::rollups;
use super::spec::Spec;
use super::top;
use crate::column::Schema;
use crate::error::{Error, Kind, Result};
use crate::group::Grouper;
use crate::scan::Scan;
use crate::scan::control::Control;
use crate::scan::pool::{Job, Pool};
use crate::store::{Snapshot, Stream};
use crate::time::Clock;

/// What queries may cost at most; a query's own budget may ask for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// Rows to scan.
    pub max_rows: u64,
    /// Groups over all windows.
    pub max_groups: u64,
    /// Bytes of an answer.
    pub max_result_bytes: u64,
    /// Bytes of an answer in one message.
    pub unary_bytes: usize,
    /// Bytes of a frame of a streamed answer.
    pub frame_bytes: usize,
    /// Bytes of earlier answers that are kept over all queries; 0: none are.
    pub cache_bytes: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            max_rows: 1 << 40,
            max_groups: 10_000_000,
            max_result_bytes: 1 << 30,
            unary_bytes: 3 << 20,
            frame_bytes: 1 << 20,
            cache_bytes: 64 << 20,
        }
    }
}

impl QueryLimits {
    /// The lesser of these limits and a query's own.
    fn within(&self, budget: &crate::wire::v1::Budget) -> Self {
        let least = |limit: u64, asked: u64| if asked == 0 { limit } else { limit.min(asked) };
        Self {
            max_rows: least(self.max_rows, budget.max_rows),
            max_groups: least(self.max_groups, budget.max_groups),
            max_result_bytes: least(self.max_result_bytes, budget.max_bytes),
            ..*self
        }
    }
}

/// What a query runs with.
#[derive(Clone)]
pub struct Context {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// When to give up, on the clock's monotonic scale.
    pub deadline_ns: Option<i64>,
    /// Set when the caller gave up.
    pub cancelled: Arc<AtomicBool>,
    /// The server's limits.
    pub limits: QueryLimits,
    /// Threads to run on; none: the caller's alone.
    pub pool: Option<Arc<Pool>>,
    /// Rows to answer of; none: those of now.
    pub snapshot: Option<Snapshot>,
    /// When the request came in, on the clock's monotonic scale; none: now.
    pub started_ns: Option<i64>,
    /// Told how the query is answered; none: nobody asks.
    pub watch: Option<Arc<Watch>>,
    /// Earlier answers; none: each is computed.
    pub cache: Option<Arc<ResultCache>>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// On the caller's thread, without a deadline.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            deadline_ns: None,
            cancelled: Arc::default(),
            limits: QueryLimits::default(),
            pool: None,
            snapshot: None,
            started_ns: None,
            watch: None,
            cache: None,
        }
    }

    /// Says that a step is done, to who asks.
    pub(super) fn lap(&self, step: Step) {
        if let Some(watch) = &self.watch {
            watch.lap(step);
        }
    }
}

/// Answers a query over the stream's rows as they are now.
pub fn run(stream: &Arc<Stream>, spec: &Spec, context: &Context) -> Result<Answer> {
    let started_ns = context.started_ns.unwrap_or_else(|| context.clock.monotonic_ns());
    context.lap(Step::Wait);
    // The watermark first: rows that moved it are in the snapshot, so that what it calls complete is there. Then rows, then
    // schema and dictionaries: these know everything the rows name.
    let mut watermark_ns = stream.watermark(context.clock.now());
    let snapshot = match (&context.snapshot, spec.as_of) {
        (Some(snapshot), _) => snapshot.clone(),
        (None, None) => stream.snapshot(),
        (None, Some(commit)) => {
            let snapshot = stream.as_of(commit)?;
            watermark_ns = stream.watermark_of(&snapshot, context.clock.now());
            snapshot
        }
    };
    if stream.is_deleted() {
        // Its tail may have been empty already, at a commit at which it had rows.
        return Err(stream_deleted(&stream.name));
    }
    let schema = stream.schema();
    let limits = context.limits.within(&spec.budget);
    let view = View {
        stream,
        snapshot: &snapshot,
        schema: &schema,
        context,
        limits: &limits,
    };
    let mut answer = view.earlier_or_new(spec)?;
    let elapsed_ns = context.clock.monotonic_ns().saturating_sub(started_ns);
    let made = &mut answer.provenance;
    made.commit = snapshot.commit;
    made.watermark_ns = watermark_ns;
    made.complete = spec.range.end != i64::MAX && watermark_ns.is_some_and(|mark| mark >= spec.range.end);
    made.elapsed = Some(answer::duration(elapsed_ns));
    Ok(answer)
}

/// What a query looks at: the same for all its parts.
struct View<'a> {
    stream: &'a Arc<Stream>,
    snapshot: &'a Snapshot,
    schema: &'a Schema,
    context: &'a Context,
    limits: &'a QueryLimits,
}

impl View<'_> {
    /// An answer that is kept, if it is of the same rows, or else one that is computed, and kept.
    fn earlier_or_new(&self, spec: &Spec) -> Result<Answer> {
        let Some(cache) = self.context.cache.as_ref().filter(|_| !spec.hints.no_cache) else {
            return self.answer(spec);
        };
        let rows = || RowsSeen::of(self.snapshot, self.schema.version, spec);
        let (key, now_ns) = (
            Key::of(self.stream, spec, self.limits),
            self.context.clock.monotonic_ns(),
        );
        if let Some(kept) = cache.find(&key, rows) {
            return Ok(kept.again(now_ns));
        }
        let answer = self.answer(spec)?;
        cache.keep(key, &answer, rows, now_ns);
        Ok(answer)
    }

    /// Computes an answer.
    fn answer(&self, spec: &Spec) -> Result<Answer> {
        let now = self.look(spec, self.limits.max_rows)?;
        let shift = spec
            .compare
            .map(|period| Shift::new(period, spec.range, spec.window.as_ref()));
        let before = shift.transpose()?.map(|shift| {
            // Both together are within the budget.
            let left = self.limits.max_rows.saturating_sub(now.rows_scanned());
            let earlier = shift.spec(spec, now.starts.windows(), &now.work.control, self.limits.max_groups)?;
            self.look(&earlier, left)
        });
        let before = before.transpose()?;
        answer::build(
            &now,
            before.as_ref(),
            spec,
            self.limits,
            self.schema.version,
            self.context,
        )
    }

    /// Groups and states of one range, of so many rows at most.
    fn look(&self, spec: &Spec, max_rows: u64) -> Result<Seen> {
        let mut control = Control::new(
            Arc::clone(&self.context.clock),
            self.context.deadline_ns,
            Arc::clone(&self.context.cancelled),
            max_rows,
        );
        let entities = match &spec.filter {
            Some(filter) => entities(self.stream, self.schema, filter, &control)?,
            None => None,
        };
        self.context.lap(Step::Entities);
        let codes = entities.as_ref().map(|entities| &entities.codes[..]);
        let wanted = rollups::wanted(spec, self.schema, self.snapshot);
        let scan = Scan::new(self.snapshot, spec.range, codes, wanted.as_ref())?;
        control.set_rows(scan.rows);
        control.check()?;
        if scan.rows_inside > max_rows && spec.filter.is_none() {
            return Err(control.too_many(scan.rows_inside));
        }
        self.context.lap(Step::Prune);
        let mut plan = Plan::new(self.stream, self.schema, spec, scan, entities, &control)?;
        if let Some(watch) = &self.context.watch {
            watch.planned(&mut plan);
        }
        let most = self.limits.max_groups;
        let work = Arc::new(Work::new(plan, control, most)?);
        self.context.lap(Step::Plan);
        work.scan(self.context.pool.as_deref())?;
        self.context.lap(Step::Scan);
        let merged = work.merging.finish(&work.plan)?;
        self.context.lap(Step::Merge);
        let (merged, starts) = regroup(&work.plan, merged, &work.control, most)?;
        let merged = top::keep(&work.plan, merged, &starts, most)?;
        self.context.lap(Step::Regroup);
        let seen = Seen { work, merged, starts };
        if let Some(watch) = &self.context.watch {
            watch.ran(spec, self.schema, self.snapshot, &seen)?;
        }
        Ok(seen)
    }
}

/// What came of a look at one range.
pub(crate) struct Seen {
    work: Arc<Work>,
    pub(super) merged: Merged,
    pub(super) starts: Starts,
}

impl Seen {
    pub(super) fn plan(&self) -> &Plan {
        &self.work.plan
    }

    /// Groups over all windows.
    pub(super) fn groups(&self) -> usize {
        self.merged.groups.len()
    }

    pub(super) fn rows_scanned(&self) -> u64 {
        self.work.control.scanned()
    }
}

pub(super) fn stream_deleted(name: &str) -> Error {
    let message = format!("there is no stream {name:?} in this namespace");
    Error::new(Kind::NotFound, "STREAM_NOT_FOUND", message)
}

/// How far a query is.
#[derive(Default)]
struct Progress {
    lanes: usize,
    failed: Option<Error>,
}

struct Work {
    plan: Plan,
    newest: Newest,
    control: Control,
    max_groups: u64,
    next_lane: AtomicUsize,
    /// Group tables that lanes are done with.
    spare: Mutex<Vec<Grouper>>,
    merging: Merging,
    progress: Mutex<Progress>,
    done: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Work {
    fn new(plan: Plan, control: Control, max_groups: u64) -> Result<Self> {
        Ok(Self {
            newest: Newest::new(&plan),
            merging: Merging::new(&plan, max_groups)?,
            plan,
            control,
            max_groups,
            next_lane: AtomicUsize::new(0),
            spare: Mutex::default(),
            progress: Mutex::default(),
            done: Condvar::new(),
        })
    }

    /// Runs all lanes and waits for the last.
    fn scan(self: &Arc<Self>, pool: Option<&Pool>) -> Result<()> {
        let lanes = self.plan.lanes.len();
        match pool {
            Some(pool) if lanes > 0 => {
                let job: Arc<dyn Job> = Arc::<Self>::clone(self);
                pool.start(&job, lanes);
            }
            _ => while self.step() {},
        }
        let mut progress = lock(&self.progress);
        while progress.failed.is_none() && progress.lanes < lanes {
            progress = self.done.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(error) = progress.failed.take() {
            return Err(error);
        }
        Ok(())
    }

    /// The time, where somebody asks.
    fn time_ns(&self) -> i64 {
        self.plan.marks.as_ref().map_or(0, |_| self.control.now_ns())
    }

    fn run_lane(&self, lane: usize) -> Result<()> {
        let started = self.time_ns();
        let spare = lock(&self.spare).pop();
        let mut groups = spare.unwrap_or_else(|| Grouper::new(self.plan.shape.clone()));
        let (states, counts) =
            Lane::new(&self.plan, &self.newest)?.run(&self.control, lane, &mut groups, self.max_groups)?;
        let partial = Partial {
            keys: groups.take_keys(),
            states,
            counts,
        };
        lock(&self.spare).push(groups);
        let scanned = self.time_ns();
        self.merging.take(&self.plan, lane, partial)?;
        if let Some(marks) = &self.plan.marks {
            marks.take_time(scanned - started, self.time_ns() - scanned);
        }
        lock(&self.progress).lanes += 1;
        Ok(())
    }

    fn fail(&self, error: Error) {
        // First the reason, then the stop: lanes stopped by another's failure say nothing new.
        lock(&self.progress).failed.get_or_insert(error);
        self.control.stop();
    }
}

impl Job for Work {
    fn step(&self) -> bool {
        let (taken, lanes) = (self.next_lane.fetch_add(1, Ordering::Relaxed), self.plan.lanes.len());
        if taken >= lanes {
            return false;
        }
        // Which lane is run when changes no answer.
        let lane = if self.newest.is_kept() {
            lanes - 1 - taken
        } else {
            taken
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_lane(lane)));
        let ok = match outcome {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                self.fail(error);
                false
            }
            Err(panic) => {
                self.fail(panicked(&*panic));
                false
            }
        };
        self.done.notify_all();
        ok
    }
}

/// The error of a panic, its message for the log.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::new(Kind::Internal, "INTERNAL", "an internal error").with_detail(format!("a query panicked: {text}"))
}
