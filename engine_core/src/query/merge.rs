//! Merges lanes in their order, whichever is done first. Where groups are many, by partitions of their keys: the states of one fit a
//! cache, and several threads merge at once, each another partition.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::lane::{Counts, new_states};
use super::plan::Plan;
use super::state::States;
use crate::error::{Error, Result};
use crate::group::{Grouper, Keys, Shape, too_many};

/// Slots or rows from which on groups are merged by partitions.
const MANY: u64 = 1 << 16;
/// Partitions of many groups; a power of two.
const PARTITIONS: usize = 64;

/// Keys and states of a lane.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) keys: Keys,
    pub(super) states: Vec<States>,
    pub(super) counts: Counts,
}

/// All lanes merged.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) groups: Grouper,
    pub(crate) states: Vec<States>,
    pub(crate) counts: Counts,
}

/// How many partitions there are of groups of a shape, over so many rows. It depends on the plan alone, as an answer's bits do.
pub(super) fn partitions(shape: &Shape, rows: u64) -> usize {
    let is_many = match shape {
        Shape::Single => false,
        Shape::Dense(_) => shape.slots() >= MANY,
        Shape::Hashed(_) => rows >= MANY,
    };
    if is_many { PARTITIONS } else { 1 }
}

/// Lanes being merged.
#[derive(Debug)]
pub(super) struct Merging {
    partitions: Vec<Mutex<Partition>>,
    counts: Mutex<Counts>,
    groups: AtomicU64,
    max_groups: u64,
}

#[derive(Debug)]
struct Partition {
    /// Lanes that are done before an earlier one is.
    waiting: BTreeMap<usize, (Keys, Vec<States>)>,
    next: usize,
    groups: Grouper,
    states: Vec<States>,
}

impl Partition {
    /// Takes what a lane has of it, and what waited for that.
    fn take(&mut self, plan: &Plan, lane: usize, keys: Keys, states: Vec<States>, max_groups: u64) -> Result<()> {
        self.waiting.insert(lane, (keys, states));
        while let Some((keys, states)) = self.waiting.remove(&self.next) {
            let groups = self.groups.adopt(&keys, max_groups)?;
            for ((mine, theirs), slot) in self.states.iter_mut().zip(states).zip(&plan.slots) {
                mine.merge(theirs, &groups, plan.slot_strings(slot))?;
            }
            self.next += 1;
        }
        Ok(())
    }
}

impl Merging {
    /// Of no lanes yet.
    pub(super) fn new(plan: &Plan, max_groups: u64) -> Result<Self> {
        let partition = |at| {
            Ok(Mutex::new(Partition {
                waiting: BTreeMap::new(),
                next: 0,
                groups: Grouper::of_partition(plan.shape.clone(), at, plan.partitions),
                states: new_states(plan)?,
            }))
        };
        Ok(Self {
            partitions: (0..plan.partitions).map(partition).collect::<Result<_>>()?,
            counts: Mutex::new(Counts::new(plan)),
            groups: AtomicU64::new(0),
            max_groups,
        })
    }

    /// Takes a lane. Once all lanes were taken, all are merged.
    pub(super) fn take(&self, plan: &Plan, lane: usize, partial: Partial) -> Result<()> {
        let Partial {
            keys,
            mut states,
            counts,
        } = partial;
        lock(&self.counts).add(&counts);
        let n = self.partitions.len();
        if n == 1 {
            return lock(&self.partitions[0]).take(plan, lane, keys, states, self.max_groups);
        }
        let of_partition = keys.partitions(&plan.shape, n);
        // Not all threads begin with the same one.
        for at in (0..n).map(|at| (at + lane * 7) % n) {
            let taken = &of_partition[at];
            let states = states.iter_mut().map(|states| states.take(taken)).collect();
            let mut partition = lock(&self.partitions[at]);
            let before = partition.groups.len();
            partition.take(plan, lane, keys.pick(taken), states, self.max_groups)?;
            let more = (partition.groups.len() - before) as u64;
            drop(partition);
            if self.groups.fetch_add(more, Ordering::Relaxed) + more > self.max_groups {
                return Err(too_many(self.max_groups));
            }
        }
        Ok(())
    }

    /// What all lanes came to; called once.
    pub(super) fn finish(&self, plan: &Plan) -> Result<Merged> {
        let mut states = new_states(plan)?;
        let mut groups = Vec::with_capacity(self.partitions.len());
        for partition in &self.partitions {
            let partition = &mut *lock(partition);
            let empty = Grouper::joined(plan.shape.clone(), []);
            groups.push(std::mem::replace(&mut partition.groups, empty));
            let taken = std::mem::take(&mut partition.states);
            if taken.len() != states.len() {
                return Err(Error::internal("a query finished twice"));
            }
            for (states, taken) in states.iter_mut().zip(taken) {
                states.append(taken)?;
            }
        }
        Ok(Merged {
            groups: Grouper::joined(plan.shape.clone(), groups),
            states,
            counts: std::mem::take(&mut *lock(&self.counts)),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
