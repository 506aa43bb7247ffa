//! Windows that slide: for each time that a group has rows at, what its panes of one instant each come to, back to the width.
//!
//! The panes of a group are cut into pieces so that each window is the end of one piece and the beginning of the next, or a beginning
//! alone. All ends and all beginnings are merged pane by pane, so that a pane is merged three times, however wide windows are.

use super::layout::Layout;
use super::merge::Merged;
use super::plan::{Plan, Windows};
use super::regroup::Starts;
use super::state::States;
use crate::error::Result;
use crate::scan::control::Control;

/// Panes of groups in order of time, cut into pieces, and the windows that end with each pane.
struct Pieces {
    /// The longest first.
    pieces: Vec<Vec<u32>>,
    /// The last pane, and the first one if it lies in the piece before.
    windows: Vec<(u32, Option<u32>)>,
}

impl Pieces {
    fn new(layout: &Layout<'_>, width_ns: i64) -> Self {
        let (mut pieces, mut windows) = (Vec::new(), Vec::with_capacity(layout.len()));
        for chain in layout.chains() {
            let reaches = |from: usize, to: usize| {
                let apart = layout.window(chain[to]) - layout.window(chain[from]);
                apart < width_ns as u64
            };
            let (mut first, mut start) = (0, 0);
            for (at, &pane) in chain.iter().enumerate() {
                while !reaches(first, at) {
                    first += 1;
                }
                if first > start {
                    pieces.push(chain[start..at].to_vec());
                    start = at;
                }
                windows.push((pane, (first < start).then(|| chain[first])));
            }
            pieces.push(chain[start..].to_vec());
        }
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        Self { pieces, windows }
    }

    /// The panes that are so many from one end of their pieces, and those next to them nearer to that end.
    fn at(&self, depth: usize, from_end: bool) -> (Vec<u32>, Vec<u32>) {
        let pieces = &self.pieces[..self.pieces.partition_point(|piece| piece.len() > depth)];
        let place = |piece: &Vec<u32>, depth: usize| {
            if from_end {
                piece[piece.len() - 1 - depth]
            } else {
                piece[depth]
            }
        };
        let panes = pieces.iter().map(|piece| place(piece, depth)).collect();
        let next = depth.checked_sub(1);
        let next = next.map_or_else(Vec::new, |next| pieces.iter().map(|piece| place(piece, next)).collect());
        (panes, next)
    }
}

/// Merged states of panes, in the order in which they were made.
struct Run {
    states: States,
    /// By pane.
    places: Vec<u32>,
    len: u32,
}

impl Run {
    fn of(&self, panes: impl Iterator<Item = u32>) -> States {
        let places: Vec<u32> = panes.map(|pane| self.places[pane as usize]).collect();
        self.states.pick(&places)
    }
}

/// Merges states one by one.
struct Merging<'a> {
    plan: &'a Plan,
    slot: usize,
    control: &'a Control,
}

impl Merging<'_> {
    /// Takes later states into as many others.
    fn merge(&self, mine: &mut States, later: States, n: usize) -> Result<()> {
        self.put(mine, later, 0, n)
    }

    /// Takes states as those of so many groups from a first on.
    fn put(&self, mine: &mut States, later: States, first: u32, n: usize) -> Result<()> {
        let groups: Vec<u32> = (first..first + n as u32).collect();
        mine.merge(later, &groups, self.plan.slot_strings(&self.plan.slots[self.slot]))
    }

    /// Of each pane what it and all before it in its piece come to, or all behind it.
    fn run(&self, panes: &States, pieces: &Pieces, from_end: bool) -> Result<Run> {
        let slot = &self.plan.slots[self.slot];
        let mut run = Run {
            states: States::new(slot.keep, self.plan.slot_type(slot))?,
            places: vec![0; pieces.windows.len()],
            len: 0,
        };
        let longest = pieces.pieces.first().map_or(0, Vec::len);
        for depth in 0..longest {
            self.control.check()?;
            let (mine, next) = pieces.at(depth, from_end);
            let alone = panes.pick(&mine);
            let merged = if next.is_empty() {
                alone
            } else {
                let so_far = run.of(next.iter().copied());
                let (mut earlier, later) = if from_end { (alone, so_far) } else { (so_far, alone) };
                self.merge(&mut earlier, later, mine.len())?;
                earlier
            };
            self.put(&mut run.states, merged, run.len, mine.len())?;
            for pane in mine {
                run.places[pane as usize] = run.len;
                run.len += 1;
            }
        }
        Ok(run)
    }

    /// The states of the windows that end with each pane, by pane.
    fn windows(&self, panes: &States, pieces: &Pieces) -> Result<States> {
        let (ends, beginnings) = (self.run(panes, pieces, true)?, self.run(panes, pieces, false)?);
        let (across, within): (Vec<_>, Vec<_>) = pieces.windows.iter().partition(|(_, first)| first.is_some());
        let mut states = ends.of(across.iter().filter_map(|(_, first)| *first));
        self.merge(
            &mut states,
            beginnings.of(across.iter().map(|(pane, _)| *pane)),
            across.len(),
        )?;
        let alone = beginnings.of(within.iter().map(|(pane, _)| *pane));
        self.put(&mut states, alone, across.len() as u32, within.len())?;
        let mut places = vec![0; pieces.windows.len()];
        for (place, (pane, _)) in (0..).zip(across.iter().chain(&within)) {
            places[*pane as usize] = place;
        }
        Ok(states.pick(&places))
    }
}

/// The windows that end with each pane: the groups are the same.
pub(super) fn slide(
    plan: &Plan,
    merged: Merged,
    panes: &Windows,
    width_ns: i64,
    control: &Control,
) -> Result<(Merged, Starts)> {
    let layout = Layout::new(plan, &merged.groups, merged.groups.len());
    let pieces = Pieces::new(&layout, width_ns);
    let windows = merged.states.iter().enumerate().map(|(slot, states)| {
        let merging = Merging { plan, slot, control };
        merging.windows(states, &pieces)
    });
    let states = windows.collect::<Result<_>>()?;
    let bounds = (0..layout.len() as u32).map(|group| {
        let end = panes.first.wrapping_add_unsigned(layout.window(group));
        (end.saturating_sub(width_ns), end)
    });
    let bounds = bounds.collect();
    Ok((Merged { states, ..merged }, Starts::Spans(bounds)))
}
