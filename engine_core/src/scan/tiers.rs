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
        self.fits_windows(tier) && self.untold(tier).next().is_none()
    }

    /// Whether the windows of a tier lie whole in those of the query.
    pub fn fits_windows(&self, tier: &Tier) -> bool {
        self.windows.holds(tier.width_ns)
    }

    /// Whether a tier does not part rows of one entity of which the first or last is asked for.
    fn keeps_order(&self, tier: &Tier) -> bool {
        let keeps = |apart: &Vec<ColumnId>| tier.keys().iter().all(|key| apart.contains(key));
        self.apart.as_ref().is_none_or(keeps)
    }

    /// Places of the keys that a tier does not tell apart.
    pub fn untold<'a>(&'a self, tier: &'a Tier) -> impl Iterator<Item = usize> + 'a {
        let tells = |needed: &Needed| {
            let keys = tier.keys();
            match needed {
                Needed::Column(column) => keys.contains(column),
                Needed::Label(column) => keys.contains(&ENTITY) || keys.contains(column),
            }
        };
        (0..)
            .zip(&self.keys)
            .filter(move |(_, needed)| !tells(needed))
            .map(|(at, _)| at)
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

/// What became of the rollup of one part; of several that hold, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Its windows or keys do not fit, or the query takes nothing of rollups.
    Unfit,
    /// It fits, and the rows are to be read all the same.
    RowsPreferred,
    /// It is not far smaller than the rows.
    Large,
    /// By its keys it parts rows of which the first or last is asked for.
    Unordered,
    /// A state is not in it.
    Lacking,
    /// A coarser one stands for all.
    Coarser,
    /// No window of it lies whole in what is left of the range.
    Narrow,
    /// It stands for rows.
    Used,
}

/// Of how many parts in the range a tier met with each fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fates {
    /// The tier.
    pub tier: Tier,
    of_parts: [u64; Fate::Used as usize + 1],
}

impl Fates {
    /// Parts that met with this one.
    pub fn with(&self, fate: Fate) -> u64 {
        self.of_parts[fate as usize]
    }

    /// Parts that have such a rollup.
    pub fn parts(&self) -> u64 {
        self.of_parts.iter().sum()
    }
}

/// What of a range is read where.
#[derive(Debug, Default)]
pub(super) struct Cover {
    pub(super) pieces: Vec<Piece>,
    /// What became of the tiers.
    pub(super) fates: Vec<Fates>,
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
            let (mut tiers, mut fates) = (Vec::new(), Vec::new());
            for &rollup in &part.rollups {
                let mut fate = worth(wanted, &part, rollup);
                if let Some(wanted) = wanted.filter(|_| fate == Fate::Used) {
                    let opened = rollup.open()?;
                    if wanted.is_served_by(&opened) {
                        tiers.push((rollup, opened));
                        fates.push(Fate::Coarser);
                        continue;
                    }
                    fate = Fate::Lacking;
                }
                cover.note(rollup, fate);
            }
            cover.add(&part, range, &tiers, &mut fates)?;
            for ((rollup, _), fate) in tiers.iter().zip(fates) {
                cover.note(rollup, fate);
            }
        }
        Ok(cover)
    }

    fn note(&mut self, rollup: &PartHandle, fate: Fate) {
        let Some(of) = rollup.rollup_of() else { return };
        let known = self.fates.iter().position(|fates| fates.tier == of.tier);
        let at = known.unwrap_or_else(|| {
            self.fates.push(Fates {
                tier: of.tier,
                of_parts: Default::default(),
            });
            self.fates.len() - 1
        });
        self.fates[at].of_parts[fate as usize] += 1;
    }

    /// Covers a range of a part by these rollups, coarsest first, and its rows.
    fn add(
        &mut self,
        part: &Sealed<'_>,
        range: TimeRange,
        tiers: &[(&Arc<PartHandle>, Arc<Part>)],
        fates: &mut [Fate],
    ) -> Result<()> {
        let (least, greatest) = part.times;
        if !range.meets(least, greatest) || range.start >= range.end {
            return Ok(());
        }
        let (Some(((rollup, opened), finer)), Some((fate, fates))) = (tiers.split_first(), fates.split_first_mut())
        else {
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
            *fate = (*fate).max(Fate::Narrow);
            return self.add(part, range, finer, fates);
        }
        *fate = Fate::Used;
        if !starts_before {
            let end = start;
            self.add(part, TimeRange { end, ..range }, finer, fates)?;
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
            self.add(part, TimeRange { start, ..range }, finer, fates)?;
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

/// Whether a rollup fits, and is far smaller than the rows, or these are gone: it may be used, or why not.
fn worth(wanted: Option<&Wanted>, part: &Sealed<'_>, rollup: &PartHandle) -> Fate {
    let tier = rollup.rollup_of().map(|of| of.tier);
    let (Some(wanted), Some(tier)) = (wanted, tier) else {
        return Fate::Unfit;
    };
    if !wanted.fits(&tier) {
        return Fate::Unfit;
    }
    let is_small = rollup.rows().saturating_mul(LEAST_ROWS_A_GROUP) <= part.rows;
    match part.raw {
        None => Fate::Used,
        Some(_) if !wanted.in_place_of_rows => Fate::RowsPreferred,
        Some(_) if !is_small => Fate::Large,
        Some(_) if !wanted.keeps_order(&tier) => Fate::Unordered,
        Some(_) => Fate::Used,
    }
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
