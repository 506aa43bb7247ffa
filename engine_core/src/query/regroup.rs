//! Windows that overlap, and sessions: made of panes side by side once all lanes are merged, because states can be.

use hashbrown::HashMap;

use super::lane::new_states;
use super::layout::Layout;
use super::merge::Merged;
use super::plan::{After, Plan, Windows};
use super::slide::slide;
use super::spec::Hopping;
use super::state::States;
use crate::aggregate::Aggregate;
use crate::column::BLOCK_ROWS;
use crate::error::{Error, Result};
use crate::group::{Grouper, Shape};
use crate::scan::control::Control;
use crate::window::cut::Cut;

/// Where the windows of an answer begin.
#[derive(Clone, Debug)]
pub(super) enum Starts {
    /// Nowhere: there are none.
    Nowhere,
    /// As they are cut; the first part of a key counts from the first.
    Cut(Windows),
    /// By group, with the time of the last row.
    Spans(Vec<(i64, i64)>),
}

impl Starts {
    /// The windows, where they are cut.
    pub(super) fn windows(&self) -> Option<&Windows> {
        match self {
            Self::Cut(windows) => Some(windows),
            Self::Nowhere | Self::Spans(_) => None,
        }
    }
}

/// Groups and states of the windows asked for.
pub(super) fn regroup(plan: &Plan, mut merged: Merged, control: &Control, most: u64) -> Result<(Merged, Starts)> {
    let groups = if plan.shape == Shape::Single {
        // A query without windows and keys has one row, also over no rows.
        1
    } else {
        merged.groups.len()
    };
    merged.states.iter_mut().for_each(|states| states.grow(groups));
    let layout = Layout::new(plan, &merged.groups, groups);
    for states in &mut merged.states {
        states.link(&layout);
    }
    match (plan.after, &plan.windows) {
        (After::Hop(hopping), Some(windows)) => hop(plan, &merged, windows, hopping, control, most),
        (
            After::Sessions {
                gap_ns,
                longest_ns,
                entity,
                least,
                greatest,
            },
            Some(_),
        ) => {
            let spans = spans(&merged.states[least], &merged.states[greatest])?;
            let sessions = sessions(&merged.groups, &spans, entity + 1, gap_ns, longest_ns);
            of_sessions(plan, &merged, &sessions, entity + 1, most)
        }
        (After::Slide(width_ns), Some(windows)) => slide(plan, merged, windows, width_ns, control),
        (_, Some(windows)) => {
            let starts = Starts::Cut(windows.clone());
            Ok((merged, starts))
        }
        (_, None) => Ok((merged, Starts::Nowhere)),
    }
}

/// Groups that are made of others.
pub(super) struct Making<'a> {
    plan: &'a Plan,
    from: &'a Merged,
    groups: Grouper,
    states: Vec<States>,
}

impl<'a> Making<'a> {
    /// Of none yet.
    pub(super) fn new(plan: &'a Plan, from: &'a Merged, shape: Shape) -> Result<Self> {
        Ok(Self {
            plan,
            from,
            groups: Grouper::new(shape),
            states: new_states(plan)?,
        })
    }

    /// Takes groups, in this order, as those of the keys that `part` tells by group and part.
    pub(super) fn take(&mut self, taken: &[u32], part: impl Fn(u32, usize) -> u64, most: u64) -> Result<()> {
        let mut targets = vec![0; taken.len()];
        for (taken, targets) in taken.chunks(BLOCK_ROWS).zip(targets.chunks_mut(BLOCK_ROWS)) {
            let parts = (0..self.plan.key_parts()).map(|at| taken.iter().map(|&group| part(group, at)).collect());
            let parts: Vec<Vec<u64>> = parts.collect();
            let parts: Vec<&[u64]> = parts.iter().map(Vec::as_slice).collect();
            self.groups.assign(&parts, targets, most)?;
        }
        for ((mine, theirs), slot) in self.states.iter_mut().zip(&self.from.states).zip(&self.plan.slots) {
            mine.grow(self.groups.len());
            mine.merge(theirs.pick(taken), &targets, self.plan.slot_strings(slot))?;
        }
        Ok(())
    }

    /// The same, each as one of a window.
    fn take_windows(&mut self, taken: &[(u32, u64)], most: u64) -> Result<()> {
        let groups: Vec<u32> = taken.iter().map(|(group, _)| *group).collect();
        let windows: HashMap<u32, u64> = taken.iter().copied().collect();
        let from = self.from;
        let part = |group, part| match part {
            0 => windows.get(&group).copied().unwrap_or_default(),
            part => from.groups.part(group as usize, part),
        };
        self.take(&groups, part, most)
    }

    /// Groups and states.
    pub(super) fn done(self) -> Merged {
        Merged {
            groups: self.groups,
            states: self.states,
            counts: self.from.counts.clone(),
        }
    }
}

fn hop(
    plan: &Plan,
    merged: &Merged,
    panes: &Windows,
    hopping: Hopping,
    control: &Control,
    most: u64,
) -> Result<(Merged, Starts)> {
    let (width, step) = (i128::from(hopping.width_panes), i128::from(hopping.step_panes));
    let first_pane = i128::from(panes.first);
    let last_pane = first_pane + i128::from(panes.count) - 1;
    // Windows that begin before the first pane may reach into it.
    let first = (first_pane - width + step).div_euclid(step);
    let count = (last_pane.div_euclid(step) - first + 1) as u64;
    let mut radices = plan.radices();
    radices[0] = Some(count);
    let mut making = Making::new(plan, merged, Shape::of(&radices, merged.groups.len() as u64))?;
    // By which of the panes of a step they lie in.
    let mut by_place: Vec<Vec<(u32, i128)>> = vec![Vec::new(); hopping.step_panes as usize];
    for group in 0..merged.groups.len() as u32 {
        let pane = first_pane + i128::from(merged.groups.part(group as usize, 0));
        by_place[pane.rem_euclid(step) as usize].push((group, pane));
    }
    // The first panes of all windows, then their second ones: of each window in order.
    for place in 0..width {
        control.check()?;
        let taken = by_place[place.rem_euclid(step) as usize]
            .iter()
            .map(|&(group, pane)| (group, ((pane - place).div_euclid(step) - first) as u64));
        let taken: Vec<(u32, u64)> = taken.collect();
        making.take_windows(&taken, most)?;
    }
    let first = first.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    let windows = Windows {
        cut: Cut::Tumbling(hopping.step),
        first,
        count,
    };
    Ok((making.done(), Starts::Cut(windows)))
}

/// Least and greatest time of each group.
fn spans(least: &States, greatest: &States) -> Result<Vec<(i64, i64)>> {
    let (States::MinI64(least), States::MaxI64(greatest)) = (least, greatest) else {
        return Err(Error::internal("times of another kind"));
    };
    let both = least.iter().zip(greatest);
    let both = both.map(|(least, greatest)| least.finish().zip(greatest.finish()));
    both.map(|span| span.ok_or_else(|| Error::internal("a group without a time")))
        .collect()
}

/// The session of each group: its first and last time. Where sessions may only be so long, a group is of one instant.
fn sessions(
    groups: &Grouper,
    spans: &[(i64, i64)],
    entity_part: usize,
    gap_ns: i64,
    longest_ns: Option<i64>,
) -> Vec<(i64, i64)> {
    let apart = |from: i64, to: i64| i128::from(to) - i128::from(from);
    let mut of_entity: HashMap<u64, Vec<u32>> = HashMap::new();
    for group in 0..groups.len() {
        let entity = groups.part(group, entity_part);
        of_entity.entry(entity).or_default().push(group as u32);
    }
    let mut sessions = vec![(0, 0); groups.len()];
    for mut members in of_entity.into_values() {
        members.sort_unstable_by_key(|&group| spans[group as usize]);
        // Rows of one pane are never further apart than the gap: a session ends between two panes or nowhere.
        let mut start = 0;
        let mut last = spans[members[0] as usize].1;
        for at in 1..=members.len() {
            let next = members.get(at).map(|&group| spans[group as usize]);
            let begin = spans[members[start] as usize].0;
            let goes_on = next.is_some_and(|(first, _)| {
                let is_short = longest_ns.is_none_or(|longest| apart(begin, first) <= longest.into());
                apart(last, first) <= gap_ns.into() && is_short
            });
            if goes_on {
                last = last.max(next.map_or(last, |span| span.1));
                continue;
            }
            for &group in &members[start..at] {
                sessions[group as usize] = (begin, last);
            }
            start = at;
            last = next.map_or(last, |span| span.1);
        }
    }
    sessions
}

fn of_sessions(
    plan: &Plan,
    merged: &Merged,
    sessions: &[(i64, i64)],
    entity_part: usize,
    most: u64,
) -> Result<(Merged, Starts)> {
    // Ascending as unsigned.
    let part = |start: i64| start as u64 ^ 1 << 63;
    let mut order: Vec<u32> = (0..sessions.len() as u32).collect();
    order.sort_by_key(|&group| merged.groups.part(group as usize, 0));
    let taken = order.iter().map(|&group| (group, part(sessions[group as usize].0)));
    let taken: Vec<(u32, u64)> = taken.collect();
    let mut making = Making::new(plan, merged, Shape::Hashed(plan.key_parts()))?;
    making.take_windows(&taken, most)?;
    let ends = taken.iter().map(|&(group, start)| {
        let entity = merged.groups.part(group as usize, entity_part);
        ((start, entity), sessions[group as usize])
    });
    let ends: HashMap<(u64, u64), (i64, i64)> = ends.collect();
    let bounds = (0..making.groups.len()).map(|group| {
        let key = (making.groups.part(group, 0), making.groups.part(group, entity_part));
        ends.get(&key).copied().unwrap_or_default()
    });
    let bounds = bounds.collect();
    Ok((making.done(), Starts::Spans(bounds)))
}
