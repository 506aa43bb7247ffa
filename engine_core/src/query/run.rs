//! Runs a plan: lanes accumulated in order by whichever thread takes them, merged in order, then finished into columns.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::answer::{self, Answer};
use super::plan::Plan;
use super::spec::Spec;
use super::state::{Present, States};
use crate::aggregate::Groups;
use crate::column::BLOCK_ROWS;
use crate::error::{Error, Kind, Result};
use crate::group::{Grouper, Keys};
use crate::scan::Scan;
use crate::scan::block::{Reader, Values};
use crate::scan::control::Control;
use crate::scan::mask::Mask;
use crate::scan::pool::{Job, Pool};
use crate::store::Stream;
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
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            max_rows: 1 << 40,
            max_groups: 10_000_000,
            max_result_bytes: 1 << 30,
            unary_bytes: 3 << 20,
            frame_bytes: 1 << 20,
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
    /// When the request came in, on the clock's monotonic scale; none: now.
    pub started_ns: Option<i64>,
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
            started_ns: None,
        }
    }
}

/// Answers a query over the stream's rows as they are now.
pub fn run(stream: &Arc<Stream>, spec: &Spec, context: &Context) -> Result<Answer> {
    let started_ns = context.started_ns.unwrap_or_else(|| context.clock.monotonic_ns());
    let limits = context.limits.within(&spec.budget);
    // Rows first, then schema and dictionaries: these know everything the rows name.
    let snapshot = stream.snapshot();
    let watermark_ns = stream.watermark(context.clock.now());
    let schema = stream.schema();
    let scan = Scan::new(&snapshot, spec.range);
    let control = Control::new(
        Arc::clone(&context.clock),
        context.deadline_ns,
        Arc::clone(&context.cancelled),
        limits.max_rows,
        scan.rows,
    );
    control.check()?;
    if scan.rows_inside > limits.max_rows && spec.filter.is_none() {
        return Err(control.too_many(scan.rows_inside));
    }
    let plan = Plan::new(stream, &schema, spec, scan)?;
    let work = Arc::new(Work::new(plan, control, limits.max_groups)?);
    let merged = work.finish(context.pool.as_deref())?;
    let facts = answer::Facts {
        commit: snapshot.commit,
        watermark_ns,
        schema_version: schema.version,
        range: spec.range,
        rows_scanned: work.control.scanned(),
    };
    let mut answer = answer::build(&work.plan, &merged, spec.limit, limits.max_result_bytes, &facts)?;
    let elapsed_ns = context.clock.monotonic_ns().saturating_sub(started_ns).max(0);
    answer.provenance.elapsed = Some(prost_types::Duration {
        seconds: elapsed_ns / crate::time::SECOND_NS,
        nanos: (elapsed_ns % crate::time::SECOND_NS) as i32,
    });
    Ok(answer)
}

/// Keys and states of a lane.
#[derive(Debug)]
struct Partial {
    keys: Keys,
    states: Vec<States>,
    counts: Counts,
}

/// What provenance counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Rows that passed the filter.
    pub(crate) matched: u64,
    /// NaN among them, by column.
    pub(crate) nans: Vec<u64>,
}

/// All lanes merged.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) groups: Grouper,
    pub(crate) states: Vec<States>,
    pub(crate) counts: Counts,
}

struct Merging {
    /// Lanes that are done before an earlier one is.
    waiting: BTreeMap<usize, Partial>,
    next: usize,
    merged: Option<Merged>,
    failed: Option<Error>,
}

struct Work {
    plan: Plan,
    control: Control,
    max_groups: u64,
    next_lane: AtomicUsize,
    /// Group tables that lanes are done with.
    spare: Mutex<Vec<Grouper>>,
    merging: Mutex<Merging>,
    done: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new_states(plan: &Plan) -> Result<Vec<States>> {
    plan.slots
        .iter()
        .map(|slot| States::new(slot.keep, plan.slot_type(slot)))
        .collect()
}

impl Work {
    fn new(plan: Plan, control: Control, max_groups: u64) -> Result<Self> {
        let merged = Merged {
            groups: Grouper::new(plan.shape.clone()),
            states: new_states(&plan)?,
            counts: Counts {
                matched: 0,
                nans: vec![0; plan.columns.len()],
            },
        };
        Ok(Self {
            plan,
            control,
            max_groups,
            next_lane: AtomicUsize::new(0),
            spare: Mutex::default(),
            merging: Mutex::new(Merging {
                waiting: BTreeMap::new(),
                next: 0,
                merged: Some(merged),
                failed: None,
            }),
            done: Condvar::new(),
        })
    }

    /// Runs all lanes and waits for the last.
    fn finish(self: &Arc<Self>, pool: Option<&Pool>) -> Result<Merged> {
        let lanes = self.plan.lanes.len();
        match pool {
            Some(pool) if lanes > 0 => {
                let job: Arc<dyn Job> = Arc::<Self>::clone(self);
                pool.start(&job, lanes);
            }
            _ => while self.step() {},
        }
        let mut merging = lock(&self.merging);
        while merging.failed.is_none() && merging.next < lanes {
            merging = self.done.wait(merging).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(error) = merging.failed.take() {
            return Err(error);
        }
        merging
            .merged
            .take()
            .ok_or_else(|| Error::internal("a query finished twice"))
    }

    fn run_lane(&self, lane: usize) -> Result<()> {
        let spare = lock(&self.spare).pop();
        let mut groups = spare.unwrap_or_else(|| Grouper::new(self.plan.shape.clone()));
        let (states, counts) = Lane::new(&self.plan)?.run(self, lane, &mut groups)?;
        let partial = Partial {
            keys: groups.take_keys(),
            states,
            counts,
        };
        lock(&self.spare).push(groups);
        let merging = &mut *lock(&self.merging);
        merging.waiting.insert(lane, partial);
        while let Some(partial) = merging.waiting.remove(&merging.next) {
            if let Some(merged) = &mut merging.merged {
                self.merge(merged, partial)?;
            }
            merging.next += 1;
        }
        Ok(())
    }

    fn merge(&self, merged: &mut Merged, lane: Partial) -> Result<()> {
        merged.counts.matched += lane.counts.matched;
        for (nans, more) in merged.counts.nans.iter_mut().zip(lane.counts.nans) {
            *nans += more;
        }
        let groups = merged.groups.adopt(&lane.keys, self.max_groups)?;
        for ((mine, theirs), slot) in merged.states.iter_mut().zip(lane.states).zip(&self.plan.slots) {
            let strings = slot
                .column
                .and_then(|column| self.plan.columns[column].strings.as_deref());
            mine.merge(theirs, &groups, strings)?;
        }
        Ok(())
    }

    fn fail(&self, error: Error) {
        self.control.stop();
        let merging = &mut *lock(&self.merging);
        // Lanes stopped by another's failure say nothing new.
        merging.failed.get_or_insert(error);
    }
}

impl Job for Work {
    fn step(&self) -> bool {
        let lane = self.next_lane.fetch_add(1, Ordering::Relaxed);
        if lane >= self.plan.lanes.len() {
            return false;
        }
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

/// Place of time in every batch.
const TIME_PLACE: usize = 0;

/// Buffers of one lane.
struct Lane<'a> {
    plan: &'a Plan,
    reader: Reader<'a>,
    states: Vec<States>,
    counts: Counts,
    parts: Vec<Box<[u64; BLOCK_ROWS]>>,
    offsets: Box<[u32; BLOCK_ROWS]>,
    groups: Box<[u32; BLOCK_ROWS]>,
    kept: Box<[u16; BLOCK_ROWS]>,
    present: Box<[u16; BLOCK_ROWS]>,
    present_groups: Box<[u32; BLOCK_ROWS]>,
    times: Box<[i64; BLOCK_ROWS]>,
    entities: Box<[u32; BLOCK_ROWS]>,
    /// Values for states that take none.
    nothing: Values,
    /// Columns that keys and states need.
    needed: Vec<usize>,
    /// Columns of states, each with its slots.
    by_column: Vec<(Option<usize>, Vec<usize>)>,
}

impl<'a> Lane<'a> {
    fn new(plan: &'a Plan) -> Result<Self> {
        let mut by_column: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
        for (at, slot) in plan.slots.iter().enumerate() {
            match by_column.iter_mut().find(|(column, _)| *column == slot.column) {
                Some((_, slots)) => slots.push(at),
                None => by_column.push((slot.column, vec![at])),
            }
        }
        let mut needed: Vec<usize> = plan.keys.iter().map(|key| key.column).collect();
        needed.extend(by_column.iter().filter_map(|(column, _)| *column));
        needed.extend(plan.timed.into_iter().flat_map(|(time, entity)| [time, entity]));
        needed.sort_unstable();
        needed.dedup();
        let parts = usize::from(plan.windows.is_some()) + plan.keys.len() + usize::from(plan.null_word);
        Ok(Self {
            plan,
            reader: Reader::new(&plan.columns),
            states: new_states(plan)?,
            counts: Counts {
                matched: 0,
                nans: vec![0; plan.columns.len()],
            },
            parts: (0..parts).map(|_| Box::new([0; BLOCK_ROWS])).collect(),
            offsets: Box::new([0; BLOCK_ROWS]),
            groups: Box::new([0; BLOCK_ROWS]),
            kept: Box::new([0; BLOCK_ROWS]),
            present: Box::new([0; BLOCK_ROWS]),
            present_groups: Box::new([0; BLOCK_ROWS]),
            times: Box::new([0; BLOCK_ROWS]),
            entities: Box::new([0; BLOCK_ROWS]),
            nothing: Values::I64(Box::new([0; BLOCK_ROWS])),
            needed,
            by_column,
        })
    }

    fn run(mut self, work: &Work, lane: usize, groups: &mut Grouper) -> Result<(Vec<States>, Counts)> {
        let scan = &self.plan.scan;
        for at in self.plan.lanes[lane].clone() {
            work.control.check()?;
            let block = scan.blocks[at];
            let packed = &scan.batches[block.batch as usize].packed;
            self.reader.turn_to(packed, block.block as usize);
            let bounds = packed.time_bounds(block.block as usize);
            self.block(work, packed, block.block as usize, bounds, groups)?;
        }
        Ok((self.states, self.counts))
    }

    fn block(
        &mut self,
        work: &Work,
        packed: &crate::column::PackedBatch,
        block: usize,
        bounds: (i64, i64),
        groups: &mut Grouper,
    ) -> Result<()> {
        let rows = self.reader.rows();
        let range = self.plan.scan.range;
        let inside = range.covers(bounds.0, bounds.1);
        let windows_apart = self
            .plan
            .windows
            .is_some_and(|windows| windows.tumbling.index(bounds.0) != windows.tumbling.index(bounds.1));
        let mut have_times = false;
        let mut selection = None;
        if !inside {
            packed.decode_i64(TIME_PLACE, block, &mut self.times)?;
            have_times = true;
            let within = Mask::of(&self.times[..rows], |time| range.contains(time));
            if within.is_empty() {
                return Ok(());
            }
            work.control.count(within.count() as u64)?;
            selection = Some(within);
        }
        if let Some(condition) = &self.plan.condition {
            let outlook = condition.outlook(&self.reader);
            if inside {
                if !outlook.may_hold {
                    return Ok(());
                }
                work.control.count(rows as u64)?;
            }
            if !outlook.may_hold {
                return Ok(());
            }
            if !outlook.always_holds() {
                let (holds, _) = condition.evaluate(&mut self.reader)?;
                selection = Some(selection.map_or(holds, |within| within.and(&holds)));
            }
        } else if inside {
            work.control.count(rows as u64)?;
        }
        let mut n = rows;
        let selection = selection.filter(|selection| selection.count() < rows);
        if let Some(selection) = &selection {
            n = selection.rows(&mut self.kept);
            if n == 0 {
                return Ok(());
            }
        }
        self.counts.matched += n as u64;
        for &column in &self.needed {
            self.reader.load(column)?;
        }
        if windows_apart && !have_times {
            packed.decode_i64(TIME_PLACE, block, &mut self.times)?;
        }
        if selection.is_some() {
            let kept = &self.kept[..n];
            self.reader.keep_loaded(kept);
            for (to, &from) in kept.iter().enumerate() {
                self.times[to] = self.times[usize::from(from)];
            }
        }
        let many = self.assign(groups, n, bounds, work.max_groups)?;
        self.states.iter_mut().for_each(|states| states.grow(groups.len()));
        self.accumulate(n, many)
    }

    /// Groups of the block's rows; false if all rows are in group 0 of a query without keys, or in `groups[0]`.
    fn assign(&mut self, groups: &mut Grouper, n: usize, bounds: (i64, i64), most: u64) -> Result<bool> {
        if self.parts.is_empty() {
            self.groups[0] = groups.single();
            return Ok(false);
        }
        let mut part = 0;
        let mut one_window = true;
        if let Some(windows) = self.plan.windows {
            let low = bounds.0.max(self.plan.scan.range.start);
            let high = bounds.1.min(match self.plan.scan.range.end {
                i64::MAX => i64::MAX,
                end => end - 1,
            });
            one_window = windows.tumbling.index(low) == windows.tumbling.index(high);
            if one_window {
                self.parts[0][..n].fill(windows.tumbling.index(low).abs_diff(windows.first));
            } else if windows.count <= u64::from(u32::MAX) {
                windows
                    .tumbling
                    .offsets(&self.times[..n], low, high, windows.first, &mut self.offsets[..]);
                for (part, &offset) in self.parts[0].iter_mut().zip(&self.offsets[..n]) {
                    *part = offset.into();
                }
            } else {
                for (part, &time) in self.parts[0].iter_mut().zip(&self.times[..n]) {
                    *part = windows.tumbling.index(time).abs_diff(windows.first);
                }
            }
            part = 1;
        }
        if self.plan.null_word {
            self.parts.last_mut().into_iter().for_each(|word| word[..n].fill(0));
        }
        for key in &self.plan.keys {
            let (head, tail) = self.parts.split_at_mut(part + 1);
            let out = &mut head[part][..n];
            let column = &self.reader.blocks[key.column];
            match &column.values {
                Values::Code(codes) => {
                    for (out, &code) in out.iter_mut().zip(&codes[..]) {
                        *out = code.into();
                    }
                }
                Values::F64(values) => {
                    for (out, &value) in out.iter_mut().zip(&values[..]) {
                        // One group of all NaN, one of both zeros.
                        *out = if value.is_nan() {
                            f64::NAN.to_bits()
                        } else {
                            (value + 0.0).to_bits()
                        };
                    }
                }
                Values::I64(values) => {
                    for (out, &value) in out.iter_mut().zip(&values[..]) {
                        *out = value as u64;
                    }
                }
            }
            if !matches!(column.values, Values::Code(_)) && column.valid != Mask::first(n) {
                for row in (0..n).filter(|&row| !column.valid.get(row)) {
                    match (key.null_bit, tail.last_mut()) {
                        (Some(bit), Some(word)) => {
                            out[row] = 0;
                            word[row] |= 1 << bit;
                        }
                        _ => out[row] = 2,
                    }
                }
            }
            part += 1;
        }
        if one_window && self.plan.keys.is_empty() {
            groups.assign(&[&self.parts[0][..1]], &mut self.groups[..1], most)?;
            return Ok(false);
        }
        let parts: Vec<&[u64]> = self.parts.iter().map(|part| &part[..]).collect();
        groups.assign(&parts, &mut self.groups[..n], most)?;
        Ok(true)
    }

    fn accumulate(&mut self, n: usize, many: bool) -> Result<()> {
        let all = Mask::first(n);
        for (column, slots) in &self.by_column {
            let groups = if many {
                Groups::Each(&self.groups[..n])
            } else {
                Groups::One(self.groups[0])
            };
            let Some(column) = *column else {
                let present = Present {
                    values: &self.nothing,
                    n,
                    groups,
                    timed: None,
                    strings: None,
                };
                for &slot in slots {
                    self.states[slot].insert(&present)?;
                }
                continue;
            };
            let block = &mut self.reader.blocks[column];
            let mut keep = block.valid.and(&all);
            if block.may_be_nan
                && let Values::F64(values) = &block.values
            {
                let nans = Mask::of(&values[..n], f64::is_nan).and(&keep);
                self.counts.nans[column] += nans.count() as u64;
                keep = keep.and_not(&nans);
            }
            let is_all = keep == all;
            let count = if is_all { n } else { keep.rows(&mut self.present) };
            if count == 0 {
                continue;
            }
            let timed = slots.iter().any(|&slot| self.plan.slots[slot].keep.is_timed());
            let timed = self.plan.timed.filter(|_| timed);
            if let Some((time, entity)) = timed {
                let (Values::I64(times), Values::Code(entities)) =
                    (&self.reader.blocks[time].values, &self.reader.blocks[entity].values)
                else {
                    return Err(Error::internal("time and entity of other types"));
                };
                if is_all {
                    self.times[..n].copy_from_slice(&times[..n]);
                    self.entities[..n].copy_from_slice(&entities[..n]);
                } else {
                    for (to, &from) in self.present[..count].iter().enumerate() {
                        self.times[to] = times[usize::from(from)];
                        self.entities[to] = entities[usize::from(from)];
                    }
                }
            }
            let mut groups = groups;
            let mut compact = None;
            if !is_all {
                if many {
                    for (to, &from) in self.present[..count].iter().enumerate() {
                        self.present_groups[to] = self.groups[usize::from(from)];
                    }
                    groups = Groups::Each(&self.present_groups[..count]);
                }
                compact = Some(gather(&self.reader.blocks[column].values, &self.present[..count]));
            }
            let present = Present {
                values: compact.as_ref().unwrap_or(&self.reader.blocks[column].values),
                n: count,
                groups,
                timed: timed.map(|_| (&self.times[..count], &self.entities[..count])),
                strings: self.plan.columns[column].strings.as_deref(),
            };
            for &slot in slots {
                self.states[slot].insert(&present)?;
            }
        }
        Ok(())
    }
}

/// A copy of the values at these rows.
fn gather(values: &Values, rows: &[u16]) -> Values {
    fn pick<T: Copy + Default>(values: &[T; BLOCK_ROWS], rows: &[u16]) -> Box<[T; BLOCK_ROWS]> {
        let mut out = Box::new([T::default(); BLOCK_ROWS]);
        for (to, &from) in rows.iter().enumerate() {
            out[to] = values[usize::from(from) % BLOCK_ROWS];
        }
        out
    }
    match values {
        Values::F64(values) => Values::F64(pick(values, rows)),
        Values::I64(values) => Values::I64(pick(values, rows)),
        Values::Code(values) => Values::Code(pick(values, rows)),
    }
}
