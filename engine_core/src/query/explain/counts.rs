//! What became of parts, batches and blocks. Those that were pruned before anything was opened are counted here, after the fact, from
//! what pruned them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::column::BLOCK_ROWS;
use crate::error::Result;
use crate::query::plan::Plan;
use crate::scan::marks::Mark;
use crate::scan::{blocks_of, has_any};
use crate::store::{Part, PartHandle, Rows, Snapshot};
use crate::wire::v1;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) parts: v1::PartCounts,
    pub(super) batches: v1::PartCounts,
    pub(super) blocks: v1::BlockCounts,
    /// Rows of blocks that were decoded.
    pub(super) rows_decoded: u64,
}

/// What a query looks at of one part.
#[derive(Default)]
struct Looked {
    /// By block that is run over what became of it.
    blocks: HashMap<usize, Mark>,
    opened: Option<Arc<Part>>,
    has_rollups: bool,
}

/// Counts what became of what a snapshot has.
pub(super) fn counted(snapshot: &Snapshot, plan: &Plan, executed: bool) -> Result<Counted> {
    let mut counted = Counted::default();
    let (mut of_parts, mut of_batches): (HashMap<u64, Looked>, HashMap<usize, Looked>) = Default::default();
    for (at, (rows, share)) in plan.scan.sources.iter().zip(&plan.scan.shares).enumerate() {
        let looked = match (rows, share.is_rollup) {
            (Rows::Part(_, handle), true) => {
                let part = handle.rollup_of().map_or(0, |of| of.part);
                of_parts.entry(part).or_default().has_rollups = true;
                continue;
            }
            (Rows::Part(opened, handle), false) => {
                let looked = of_parts.entry(handle.number()).or_default();
                looked.opened = Some(Arc::clone(opened));
                looked
            }
            (Rows::Batch(batch), _) => of_batches.entry(Arc::as_ptr(batch) as usize).or_default(),
        };
        let marks = plan.marks.as_ref().map(|marks| marks.blocks(at));
        for block in plan
            .scan
            .runs
            .iter()
            .filter(|run| run.source == at)
            .flat_map(|run| run.blocks.clone())
        {
            let mark = marks.map_or(Mark::Spared, |marks| marks.get(block));
            // Two edges of a range that rollups leave may lie in one block.
            let known = looked.blocks.entry(block).or_insert(mark);
            *known = (*known).max(mark);
        }
    }
    let nothing = Looked::default();
    for part in snapshot.parts() {
        let looked = of_parts.get(&part.number()).unwrap_or(&nothing);
        counted.take_part(part, looked, plan, executed)?;
    }
    for batch in snapshot.batches() {
        let looked = of_batches.get(&(Arc::as_ptr(batch) as usize)).unwrap_or(&nothing);
        counted.batches.total += 1;
        counted.blocks.total += batch.packed.blocks() as u64;
        counted.blocks.pruned_by_time += (batch.packed.blocks() - looked.blocks.len()) as u64;
        if looked.blocks.is_empty() {
            counted.batches.pruned_by_time += 1;
        } else {
            let is_read = counted.take_blocks(looked, batch.packed.rows(), executed);
            *read_or_pruned(&mut counted.batches, is_read) += 1;
        }
    }
    let there: HashSet<u64> = snapshot.parts().iter().map(|part| part.number()).collect();
    let rolled = snapshot.rollups().iter().filter_map(|rollup| rollup.rollup_of());
    let gone = rolled.filter(|of| !there.contains(&of.part) && plan.scan.range.meets(of.times.0, of.times.1));
    counted.parts.gone = gone.map(|of| of.part).collect::<HashSet<u64>>().len() as u64;
    Ok(counted)
}

fn read_or_pruned(counts: &mut v1::PartCounts, is_read: bool) -> &mut u64 {
    if is_read {
        &mut counts.read
    } else {
        &mut counts.pruned_by_filter
    }
}

impl Counted {
    fn take_part(&mut self, part: &PartHandle, looked: &Looked, plan: &Plan, executed: bool) -> Result<()> {
        let blocks = part.rows().div_ceil(BLOCK_ROWS as u64);
        let left_out = blocks - looked.blocks.len() as u64;
        self.parts.total += 1;
        self.blocks.total += blocks;
        let (min, max) = part.times();
        if !plan.scan.range.meets(min, max) {
            self.parts.pruned_by_time += 1;
            self.blocks.pruned_by_time += blocks;
            return Ok(());
        }
        // What of it has no rows of entities that are left.
        let others = match &plan.entities {
            None => 0,
            Some(codes) if !has_any(codes, part.entities()) => blocks,
            Some(_) if looked.has_rollups => 0,
            Some(codes) => {
                let opened = looked
                    .opened
                    .as_ref()
                    .map_or_else(|| part.open(), |opened| Ok(Arc::clone(opened)))?;
                let with: Vec<Range<usize>> = blocks_of(&opened, codes).map_err(|error| part.explain(&error))?;
                blocks - with.iter().map(|blocks| blocks.len() as u64).sum::<u64>()
            }
        };
        if looked.has_rollups {
            self.blocks.replaced += left_out;
        } else {
            self.blocks.pruned_by_entity += others;
            self.blocks.pruned_by_time += left_out - others;
        }
        if !looked.blocks.is_empty() {
            let is_read = self.take_blocks(looked, part.rows() as usize, executed);
            *read_or_pruned(&mut self.parts, is_read) += 1;
        } else if looked.has_rollups {
            self.parts.replaced += 1;
        } else if others == blocks {
            self.parts.pruned_by_entity += 1;
        } else {
            self.parts.pruned_by_time += 1;
        }
        Ok(())
    }

    /// Counts blocks that were run over, of so many rows in all; whether any of them was more than pruned, which nobody knows before.
    fn take_blocks(&mut self, looked: &Looked, rows: usize, executed: bool) -> bool {
        self.blocks.planned += looked.blocks.len() as u64;
        if !executed {
            return true;
        }
        for (&block, mark) in &looked.blocks {
            match mark {
                Mark::Spared => self.blocks.spared += 1,
                Mark::Pruned => self.blocks.pruned_by_filter += 1,
                Mark::Known => self.blocks.known += 1,
                Mark::Decoded => {
                    self.blocks.decoded += 1;
                    self.rows_decoded += (rows - block * BLOCK_ROWS).min(BLOCK_ROWS) as u64;
                }
            }
        }
        looked.blocks.values().any(|&mark| mark != Mark::Pruned)
    }
}
