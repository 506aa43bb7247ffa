//! Which rollups stand for which rows of a range: of each part the coarsest that fits, the ragged edges by finer ones, what is left by
//! its rows; also of parts whose rows are gone.

use std::collections::HashMap;
use std::sync::Arc;

use crate::column::BLOCK_ROWS;
use crate::column::ColumnId;
use crate::column::rollup::Tier;
use crate::column::schema::{ENTITY, TIME};
use crate::error::{Error, Result};
use crate::store::rollup::{ROWS, State};
use crate::store::{Part, PartHandle, Rows, Snapshot};
use crate::time::TimeRange;
use crate::window::tumbling::Tumbling;

/// A rollup is read in place of rows if it has at most one group for so many of them.
const LEAST_ROWS_A_GROUP: u64 = 4;

/// What a query takes of rollups.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Columns that its groups and conditions are of.
    pub keys: Vec<Needed>,
    /// States of columns.
    pub states: Vec<(ColumnId, State)>,
    /// Its windows.
    pub windows: Fit,
    /// Whether rollups stand in for rows that are there, too.
    pub in_place_of_rows: bool,
    /// Where first or last values are asked for: the only keys that rollups may have. By others they part rows of one entity and
    /// instant, of which they do not know any more which came first.
    pub apart: Option<Vec<ColumnId>>,
}

/// A column that a rollup must tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// One with a place of its own, or the entity.
    Column(ColumnId),
    /// A label, which the entity tells as well.
    Label(ColumnId),
}

/// Which windows of rollups lie whole in one of a query's.
#[derive(Clone, Debug)]
pub enum Fit {
    /// All.
    Any,
    /// Those that divide this length.
    In(i64),
    /// Those that divide these instants.
    Between(Vec<i64>),
}

impl Fit {
    fn holds(&self, width: i64) -> bool {
        match self {
            Self::Any => true,
            Self::In(whole) => whole % width == 0,
            Self::Between(edges) => edges.iter().all(|edge| edge % width == 0),
        }
    }
}

impl Wanted {
    fn fits(&self, tier: &Tier) -> bool {
        let tells = |needed: &Needed| {
            let keys = tier.keys();
            match needed {
                Needed::Column(column) => keys.contains(column),
                Needed::Label(column) => keys.contains(&ENTITY) || keys.contains(column),
            }
        };
        self.windows.holds(tier.width_ns) && self.keys.iter().all(tells)
    }

    /// Whether an opened rollup has all states; of a column that its part did not have there is nothing to be had.
    fn is_served_by(&self, rollup: &Part) -> bool {
        self.states.iter().all(|&(column, state)| {
            let has = |state: State| rollup.physical(state.of(column)).is_some();
            has(state) || !has(State::Count)
        })
    }
}

/// Rows to read of one part, in a range of their own; or in their place groups of a rollup, by starts of their windows.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) rows: Rows,
    pub(super) range: TimeRange,
    /// Rows that the groups stand for, if all of them are taken; none: these are rows themselves.
    pub(super) rolled: Option<u64>,
    /// Least and greatest time that the rows may have, of rollups.
    pub(super) times: (i64, i64),
}

/// A part, which may be gone, and its rollups.
struct Sealed<'a> {
    raw: Option<&'a Arc<PartHandle>>,
    rollups: Vec<&'a Arc<PartHandle>>,
    /// Least and greatest time of its rows.
    times: (i64, i64),
    rows: u64,
    /// What orders parts.
    order: (u64, i64, u64),
}

impl Sealed<'_> {
    fn of<'a>(snapshot: &'a Snapshot) -> Vec<Sealed<'a>> {
        let mut all: HashMap<u64, Sealed<'a>> = HashMap::new();
        for part in snapshot.parts() {
            all.insert(
                part.number(),
                Sealed {
                    raw: Some(part),
                    rollups: Vec::new(),
                    times: part.times(),
                    rows: part.rows(),
                    order: part.arrival(),
                },
            );
        }
        for rollup in snapshot.rollups() {
            let Some(of) = rollup.rollup_of() else { continue };
            let part = all.entry(of.part).or_insert_with(|| Sealed {
                raw: None,
                rollups: Vec::new(),
                times: of.times,
                rows: of.rows,
                order: (rollup.arrival().0, rollup.arrival().1, of.part),
            });
            part.rollups.push(rollup);
        }
        let mut all: Vec<Sealed<'a>> = all.into_values().collect();
        for part in &mut all {
            let width =
                |rollup: &&Arc<PartHandle>| rollup.rollup_of().map(|of| (of.tier.width_ns, of.tier.keys().len()));
            part.rollups.sort_by_key(|rollup| std::cmp::Reverse(width(rollup)));
        }
        all.sort_unstable_by_key(|part| part.order);
        all
    }
}

/// What of a range is read where.
#[derive(Debug, Default)]
pub(super) struct Cover {
    pub(super) pieces: Vec<Piece>,
    /// Rows that are gone and that nothing stands for.
    pub(super) unavailable: u64,
}

impl Cover {
    /// Of the parts of a snapshot that a range touches, in order of arrival.
    pub(super) fn of(snapshot: &Snapshot, range: TimeRange, wanted: Option<&Wanted>) -> Result<Self> {
        let mut cover = Self::default();
        for part in Sealed::of(snapshot) {
            if !range.meets(part.times.0, part.times.1) {
                continue;
            }
            let mut tiers = Vec::new();
            for &rollup in &part.rollups {
                if let Some(wanted) = wanted.filter(|wanted| is_worth_it(wanted, &part, rollup)) {
                    let opened = rollup.open()?;
                    if wanted.is_served_by(&opened) {
                        tiers.push((rollup, opened));
                    }
                }
            }
            cover.add(&part, range, &tiers)?;
        }
        Ok(cover)
    }

    /// Covers a range of a part by these rollups, coarsest first, and its rows.
    fn add(&mut self, part: &Sealed<'_>, range: TimeRange, tiers: &[(&Arc<PartHandle>, Arc<Part>)]) -> Result<()> {
        let (least, greatest) = part.times;
        if !range.meets(least, greatest) || range.start >= range.end {
            return Ok(());
        }
        let Some(((rollup, opened), finer)) = tiers.split_first() else {
            return self.add_rows(part, range);
        };
        let width = rollup.rollup_of().map_or(1, |of| of.tier.width_ns);
        let windows = Tumbling::new(width).ok_or_else(|| Error::internal("a rollup without a width"))?;
        let starts_before = range.start <= least;
        let ends_after = range.end == i64::MAX || range.end > greatest;
        let start = if starts_before {
            range.start
        } else {
            first_at_or_after(windows, range.start)
        };
        let end = if ends_after {
            range.end
        } else {
            windows.start(windows.index(range.end))
        };
        if start >= end || !(TimeRange { start, end }).meets(least, greatest) {
            return self.add(part, range, finer);
        }
        if !starts_before {
            let end = start;
            self.add(part, TimeRange { end, ..range }, finer)?;
        }
        let (from, to) = (
            if starts_before { i64::MIN } else { start },
            if ends_after { i64::MAX } else { end },
        );
        self.pieces.push(Piece {
            rows: Rows::Part(Arc::clone(opened), Arc::clone(rollup)),
            range: TimeRange { start: from, end: to },
            rolled: Some(part.rows),
            times: (
                if starts_before { least } else { start },
                if ends_after { greatest } else { end - 1 },
            ),
        });
        if !ends_after {
            let start = end;
            self.add(part, TimeRange { start, ..range }, finer)?;
        }
        Ok(())
    }

    fn add_rows(&mut self, part: &Sealed<'_>, range: TimeRange) -> Result<()> {
        if let Some(raw) = part.raw {
            let opened = raw.open()?;
            self.pieces.push(Piece {
                rows: Rows::Part(opened, Arc::clone(raw)),
                range,
                rolled: None,
                times: part.times,
            });
            return Ok(());
        }
        self.unavailable += if range.covers(part.times.0, part.times.1) {
            part.rows
        } else {
            // The finest knows best.
            let finest = part.rollups.last().copied();
            finest.map_or(Ok(part.rows), |rollup| {
                rows_of_windows(rollup, range).map_err(|error| rollup.explain(&error))
            })?
        };
        Ok(())
    }
}

/// Whether a rollup fits, and is far smaller than the rows, or these are gone.
fn is_worth_it(wanted: &Wanted, part: &Sealed<'_>, rollup: &PartHandle) -> bool {
    let Some(tier) = rollup.rollup_of().map(|of| of.tier).filter(|tier| wanted.fits(tier)) else {
        return false;
    };
    let is_small = rollup.rows().saturating_mul(LEAST_ROWS_A_GROUP) <= part.rows;
    let keeps_order = |apart: &Vec<ColumnId>| tier.keys().iter().all(|key| apart.contains(key));
    let is_as_exact = wanted.apart.as_ref().is_none_or(keeps_order);
    part.raw.is_none() || (wanted.in_place_of_rows && is_small && is_as_exact)
}

/// Start of the first window that begins at an instant or behind it.
fn first_at_or_after(windows: Tumbling, time: i64) -> i64 {
    let index = windows.index(time);
    let start = windows.start(index);
    if start == time {
        start
    } else {
        windows.start(index.saturating_add(1))
    }
}

/// Rows of those windows of a rollup that have instants in a range.
fn rows_of_windows(rollup: &PartHandle, range: TimeRange) -> Result<u64> {
    let part = rollup.open()?;
    let width = rollup.rollup_of().map_or(1, |of| of.tier.width_ns);
    let (Some(starts), Some(rows)) = (part.column(TIME)?, part.column(ROWS)?) else {
        return Ok(0);
    };
    let (mut times, mut counts) = ([0; BLOCK_ROWS], [0; BLOCK_ROWS]);
    let mut all = 0;
    for block in 0..part.blocks() {
        starts.decode_i64(block, &mut times)?;
        rows.decode_i64(block, &mut counts)?;
        for (&start, &count) in times.iter().zip(&counts).take(part.block_rows(block)) {
            if range.meets(start, start.saturating_add(width - 1)) {
                all += count.max(0) as u64;
            }
        }
    }
    Ok(all)
}
