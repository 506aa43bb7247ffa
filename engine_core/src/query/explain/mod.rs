//! How a query is answered: it is run with a watch that is told of its steps, and what became of parts, rollups and blocks is counted
//! afterwards. A query without a watch reads no clock for it and marks no block.

mod counts;
mod looks;
mod refusals;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::answer::duration;
use super::plan::Plan;
use super::run::{Context, Seen, run};
use super::spec::{Spec, written};
use crate::column::Schema;
use crate::error::Result;
use crate::scan::marks::Marks;
use crate::store::{Snapshot, Stream};
use crate::time::Clock;
use crate::wire::v1;
use crate::wire::v1::QueryStepKind as Kind;

/// A step of a query, as the contract numbers them from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    Entities,
    Prune,
    Plan,
    Scan,
    Merge,
    Regroup,
    Finish,
    Order,
    Encode,
}

impl Step {
    const ALL: [(Self, Kind); 10] = [
        (Self::Wait, Kind::Wait),
        (Self::Entities, Kind::Entities),
        (Self::Prune, Kind::Prune),
        (Self::Plan, Kind::Plan),
        (Self::Scan, Kind::Scan),
        (Self::Merge, Kind::Merge),
        (Self::Regroup, Kind::Regroup),
        (Self::Finish, Kind::Finish),
        (Self::Order, Kind::Order),
        (Self::Encode, Kind::Encode),
    ];
}

/// What a query tells of itself while it runs.
pub struct Watch {
    clock: Arc<dyn Clock>,
    plan_only: bool,
    state: Mutex<State>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("plan_only", &self.plan_only)
            .finish_non_exhaustive()
    }
}

struct State {
    /// When the last step ended.
    last_ns: i64,
    /// By step, how long it took in nanoseconds.
    elapsed: [i64; Step::ALL.len()],
    scan_busy: i64,
    merge_busy: i64,
    /// Lanes of the look that is being planned or run.
    lanes: usize,
    measures: Vec<v1::PlannedMeasure>,
    looks: Vec<v1::QueryLook>,
}

impl Watch {
    fn new(clock: Arc<dyn Clock>, plan_only: bool, started_ns: i64) -> Self {
        Self {
            clock,
            plan_only,
            state: Mutex::new(State {
                last_ns: started_ns,
                elapsed: [0; Step::ALL.len()],
                scan_busy: 0,
                merge_busy: 0,
                lanes: 0,
                measures: Vec::new(),
                looks: Vec::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step is done: what passed since the last one was of it.
    pub(super) fn lap(&self, step: Step) {
        let now_ns = self.clock.monotonic_ns();
        let mut state = self.lock();
        state.elapsed[step as usize] += now_ns - state.last_ns;
        state.last_ns = now_ns;
    }

    /// A look is planned: its blocks are marked from here on, or it has none to run over.
    pub(super) fn planned(&self, plan: &mut Plan) {
        plan.marks = Some(Marks::new(&plan.scan));
        self.lock().lanes = plan.lanes.len();
        if self.plan_only {
            plan.lanes.clear();
        }
    }

    /// A look is done. The time that counting takes is of no step.
    pub(super) fn ran(&self, spec: &Spec, schema: &Schema, snapshot: &Snapshot, seen: &Seen) -> Result<()> {
        let look = looks::look(spec, schema, snapshot, seen, !self.plan_only)?;
        let mut state = self.lock();
        if state.looks.is_empty() {
            state.measures = looks::measures(spec, schema, seen.plan());
        }
        if let Some(marks) = &seen.plan().marks {
            let (scan_ns, merge_ns) = marks.times();
            state.scan_busy += scan_ns;
            state.merge_busy += merge_ns;
        }
        let lanes = state.lanes as u32;
        state.looks.push(v1::QueryLook { lanes, ..look });
        state.last_ns = self.clock.monotonic_ns();
        Ok(())
    }

    fn steps(&self) -> Vec<v1::QueryStep> {
        let state = self.lock();
        let step = |&(step, kind): &(Step, Kind)| {
            let elapsed = state.elapsed[step as usize];
            let busy = match step {
                Step::Scan => Some(state.scan_busy),
                // The end of it is one thread's.
                Step::Merge => Some(state.merge_busy + elapsed),
                _ => None,
            };
            v1::QueryStep {
                kind: kind.into(),
                elapsed: Some(duration(elapsed)),
                busy: busy.map(duration),
            }
        };
        let known = if self.plan_only { Step::Plan } else { Step::Encode };
        Step::ALL[..=known as usize].iter().map(step).collect()
    }
}

/// A query that is to be explained.
#[derive(Debug)]
pub struct Explaining {
    /// The query.
    pub spec: Spec,
    /// Its windows as asked for.
    pub window: Option<v1::Window>,
    /// Whether it is planned and not run.
    pub plan_only: bool,
}

impl Explaining {
    /// How the query is answered over the stream's rows as they are now.
    ///
    /// # Errors
    /// Those of the query, but that its answer may be larger than a message.
    pub fn explain(&self, stream: &Arc<Stream>, context: &Context) -> Result<v1::ExplainQueryResponse> {
        let started_ns = context.started_ns.unwrap_or_else(|| context.clock.monotonic_ns());
        let watch = Arc::new(Watch::new(Arc::clone(&context.clock), self.plan_only, started_ns));
        let watched = Context {
            watch: Some(Arc::clone(&watch)),
            cache: None,
            ..context.clone()
        };
        let answer = run(stream, &self.spec, &watched)?;
        let mut plan = v1::QueryPlan {
            stream: self.spec.stream.clone(),
            commit: answer.provenance.commit,
            executed: !self.plan_only,
            window: self.window.clone(),
            keys: self.spec.group_by.iter().map(looks::key).collect(),
            workers: context.pool.as_ref().map_or(1, |pool| pool.size() as u32),
            ..v1::QueryPlan::default()
        };
        if !self.plan_only {
            plan.answer_rows = answer.batch.num_rows() as u64;
            plan.answer_bytes = answer.to_arrow(context.limits.unary_bytes)?.len() as u64;
            watch.lap(Step::Encode);
        }
        plan.steps = watch.steps();
        let mut state = watch.lock();
        plan.measures = std::mem::take(&mut state.measures);
        plan.looks = std::mem::take(&mut state.looks);
        drop(state);
        Ok(v1::ExplainQueryResponse {
            plan: Some(plan),
            provenance: (!self.plan_only).then_some(answer.provenance),
        })
    }
}

/// The text of a filter; empty of none.
fn text_of(filter: Option<&super::spec::FilterSpec>) -> String {
    filter.map(written).unwrap_or_default()
}
