//! States of measures, one a group, as columns. Measures that need the same state share it: sum, mean and count of a column.

pub mod own;

use std::sync::Arc;

use own::{Own, OwnStates};

use super::layout::Layout;
use crate::aggregate::between::Bounds;
use crate::aggregate::count::{Count, count_into};
use crate::aggregate::ends::{First, Last, Timed};
use crate::aggregate::extrema::{MaxF64, MaxI64, MinF64, MinI64};
use crate::aggregate::mean::Mean;
use crate::aggregate::sum::{IntegerSum, Sum};
use crate::aggregate::{Aggregate, GroupRun, Groups, scatter};
use crate::column::NULL_CODE;
use crate::error::{Error, Result};
use crate::scan::Type;
use crate::scan::block::Values;
use crate::scan::strings::{Strings, View};

/// What a state keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Number of values.
    Count,
    /// Sum and count.
    Mean,
    /// Least.
    Min,
    /// Greatest.
    Max,
    /// First in time.
    First,
    /// Last in time.
    Last,
    /// What only its measures know.
    Own(Own),
}

impl Keep {
    /// Whether it needs the time and entity of rows.
    pub fn is_timed(self) -> bool {
        match self {
            Self::First | Self::Last => true,
            Self::Own(own) => own.is_timed,
            Self::Count | Self::Mean | Self::Min | Self::Max => false,
        }
    }
}

/// States by group.
#[derive(Clone, Debug)]
pub enum States {
    /// Counts.
    Count(Vec<Count>),
    /// Of doubles.
    MeanF64(Vec<Mean<Sum>>),
    /// Of integers.
    MeanI64(Vec<Mean<IntegerSum>>),
    /// Of doubles.
    MinF64(Vec<MinF64>),
    /// Of doubles.
    MaxF64(Vec<MaxF64>),
    /// Of integers.
    MinI64(Vec<MinI64>),
    /// Of integers.
    MaxI64(Vec<MaxI64>),
    /// Code of the least text; 0: none yet.
    MinText(Vec<u32>),
    /// Code of the greatest text; 0: none yet.
    MaxText(Vec<u32>),
    /// Bits or codes.
    First(Vec<First>),
    /// Bits or codes.
    Last(Vec<Last>),
    /// What only their measures know.
    Own(Box<dyn OwnStates>),
}

/// Values of one column of a block that are neither null nor NaN, and the rows they stand in.
#[derive(Clone, Copy, Debug)]
pub struct Present<'a> {
    /// Values of the column; the first `n` count.
    pub values: &'a Values,
    /// Number of values.
    pub n: usize,
    /// Group of each value.
    pub groups: Groups<'a>,
    /// Time and entity of each value, where a state needs them.
    pub timed: Option<(&'a [i64], &'a [u32])>,
    /// Code space of texts.
    pub strings: Option<&'a Strings>,
    /// Values of the second column, where a state is of two: neither null nor NaN either.
    pub second: Option<&'a Values>,
    /// Bounds of the query, by place.
    pub bounds: &'a [Arc<Bounds>],
    /// Whether the rows are in order of entity and time, and no other rows of the query lie between them in time.
    pub is_ordered: bool,
}

impl<'a> Present<'a> {
    /// Time and entity of each value.
    pub fn timed(&self) -> Result<(&'a [i64], &'a [u32])> {
        self.timed.ok_or_else(|| Error::internal("times that nobody asked for"))
    }
}

/// What is known of the values of a block without looking at each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    /// How many there are.
    Count(u64),
    /// Sum of doubles, as [`Sum::insert_sum`] takes it, and how many there are.
    SumF64(f64, u64),
    /// Sum of integers, and how many there are.
    SumI64(i128, u64),
    /// Least or greatest double.
    F64(f64),
    /// Least or greatest integer.
    I64(i64),
}

macro_rules! each {
    ($states:expr, $vec:ident => $what:expr, $own:ident => $other:expr) => {
        match $states {
            States::Count($vec) => $what,
            States::MeanF64($vec) => $what,
            States::MeanI64($vec) => $what,
            States::MinF64($vec) => $what,
            States::MaxF64($vec) => $what,
            States::MinI64($vec) => $what,
            States::MaxI64($vec) => $what,
            States::MinText($vec) | States::MaxText($vec) => $what,
            States::First($vec) => $what,
            States::Last($vec) => $what,
            States::Own($own) => $other,
        }
    };
}

fn merge_all<A: Aggregate>(mine: &mut Vec<A>, theirs: Vec<A>, groups: &[u32]) {
    merge_with(mine, theirs, groups, |mine, later| mine.merge(&later));
}

/// Groups new here come in ascending order, so their states are moved in as they are.
pub(super) fn merge_with<T: Default + Clone>(
    mine: &mut Vec<T>,
    theirs: Vec<T>,
    groups: &[u32],
    merge: impl Fn(&mut T, T),
) {
    if mine.is_empty() {
        debug_assert!(groups.iter().enumerate().all(|(at, &group)| at == group as usize));
        *mine = theirs;
        return;
    }
    for (later, &group) in theirs.into_iter().zip(groups) {
        match group as usize {
            group if group < mine.len() => merge(&mut mine[group], later),
            group => {
                debug_assert_eq!(group, mine.len());
                mine.push(later);
            }
        }
    }
}

fn better(view: View<'_>, greatest: bool, code: u32, than: u32) -> bool {
    code != than
        && code != NULL_CODE
        && (than == NULL_CODE
            || if greatest {
                view.text(code) > view.text(than)
            } else {
                view.text(code) < view.text(than)
            })
}

/// Calls `take` with each value's place and group.
pub fn each_group(groups: Groups<'_>, n: usize, mut take: impl FnMut(usize, usize)) {
    match groups {
        Groups::One(group) => (0..n).for_each(|row| take(row, group as usize)),
        Groups::Each(groups) => groups[..n]
            .iter()
            .enumerate()
            .for_each(|(row, &group)| take(row, group as usize)),
        Groups::Runs(runs) => {
            GroupRun::ranges(runs).for_each(|(group, rows)| rows.for_each(|row| take(row, group)));
        }
    }
}

fn timed<A: Aggregate<Input = Timed>>(
    states: &mut [A],
    present: &Present<'_>,
    value: impl Fn(usize) -> u64,
) -> Result<()> {
    let (times, entities) = present.timed()?;
    each_group(present.groups, present.n, |row, group| {
        states[group].insert(Timed {
            time: times[row],
            entity: entities[row],
            value: value(row),
        });
    });
    Ok(())
}

impl States {
    /// No groups yet.
    pub fn new(keep: Keep, data_type: Type) -> Result<Self> {
        Ok(match (keep, data_type) {
            (Keep::Count, _) => Self::Count(Vec::new()),
            (Keep::Mean, Type::F64) => Self::MeanF64(Vec::new()),
            (Keep::Mean, Type::I64) => Self::MeanI64(Vec::new()),
            (Keep::Min, Type::F64) => Self::MinF64(Vec::new()),
            (Keep::Max, Type::F64) => Self::MaxF64(Vec::new()),
            (Keep::Min, Type::Text) => Self::MinText(Vec::new()),
            (Keep::Max, Type::Text) => Self::MaxText(Vec::new()),
            (Keep::Min, _) => Self::MinI64(Vec::new()),
            (Keep::Max, _) => Self::MaxI64(Vec::new()),
            (Keep::First, _) => Self::First(Vec::new()),
            (Keep::Last, _) => Self::Last(Vec::new()),
            (Keep::Own(own), _) => Self::Own((own.make)(data_type, own.parameter)),
            (Keep::Mean, _) => return Err(Error::internal("a measure of numbers on another column")),
        })
    }

    /// Makes room for groups.
    pub fn grow(&mut self, groups: usize) {
        each!(self, states => states.resize(groups, Default::default()), own => own.grow(groups));
    }

    /// Those of some of the groups, in this order.
    pub fn pick(&self, groups: &[u32]) -> Self {
        macro_rules! picked {
            ($($kind:ident)*) => {
                match self {
                    $(Self::$kind(states) => Self::$kind(groups.iter().map(|&group| states[group as usize].clone()).collect()),)*
                    Self::Own(own) => Self::Own(own.pick(groups)),
                }
            };
        }
        picked!(Count MeanF64 MeanI64 MinF64 MaxF64 MinI64 MaxI64 MinText MaxText First Last)
    }

    /// Takes those of some of the groups out, in this order.
    pub fn take(&mut self, groups: &[u32]) -> Self {
        macro_rules! taken {
            ($($kind:ident)*) => {
                match self {
                    $(Self::$kind(states) => Self::$kind(groups.iter().map(|&group| std::mem::take(&mut states[group as usize])).collect()),)*
                    Self::Own(own) => Self::Own(own.take(groups)),
                }
            };
        }
        taken!(Count MeanF64 MeanI64 MinF64 MaxF64 MinI64 MaxI64 MinText MaxText First Last)
    }

    /// Appends the states of other groups.
    pub fn append(&mut self, others: Self) -> Result<()> {
        macro_rules! appended {
            ($($kind:ident)*) => {
                match (self, others) {
                    $((Self::$kind(states), Self::$kind(others)) => states.extend(others),)*
                    (Self::Own(own), Self::Own(others)) => own.append(others)?,
                    _ => return Err(Error::internal("states of different kinds")),
                }
            };
        }
        appended!(Count MeanF64 MeanI64 MinF64 MaxF64 MinI64 MaxI64 MinText MaxText First Last);
        Ok(())
    }

    /// Whether they follow entities from row to row, so that windows in a row must know of each other.
    pub(in crate::query) fn is_linked(&self) -> bool {
        matches!(self, Self::Own(own) if own.is_linked())
    }

    /// Tells states of windows in a row of each other, where they want to know.
    pub(in crate::query) fn link(&mut self, layout: &Layout<'_>) {
        if self.is_linked()
            && let Self::Own(own) = self
        {
            own.link(layout.chains());
        }
    }

    /// Takes the values of a block.
    pub fn insert(&mut self, present: &Present<'_>) -> Result<()> {
        let (n, groups) = (present.n, present.groups);
        match (self, present.values) {
            (Self::Own(states), _) => states.insert(present)?,
            (Self::Count(states), _) => count_into(states, groups, n),
            (Self::MeanF64(states), Values::F64(values)) => scatter(states, groups, &values[..n]),
            (Self::MinF64(states), Values::F64(values)) => scatter(states, groups, &values[..n]),
            (Self::MaxF64(states), Values::F64(values)) => scatter(states, groups, &values[..n]),
            (Self::MeanI64(states), Values::I64(values)) => scatter(states, groups, &values[..n]),
            (Self::MinI64(states), Values::I64(values)) => scatter(states, groups, &values[..n]),
            (Self::MaxI64(states), Values::I64(values)) => scatter(states, groups, &values[..n]),
            (Self::First(states), Values::F64(values)) => timed(states, present, |row| values[row].to_bits())?,
            (Self::First(states), Values::I64(values)) => timed(states, present, |row| values[row] as u64)?,
            (Self::First(states), Values::Code(values)) => timed(states, present, |row| values[row].into())?,
            (Self::Last(states), Values::F64(values)) => timed(states, present, |row| values[row].to_bits())?,
            (Self::Last(states), Values::I64(values)) => timed(states, present, |row| values[row] as u64)?,
            (Self::Last(states), Values::Code(values)) => timed(states, present, |row| values[row].into())?,
            (Self::MinText(states), Values::Code(values)) => insert_texts(states, present, &values[..n], false)?,
            (Self::MaxText(states), Values::Code(values)) => insert_texts(states, present, &values[..n], true)?,
            _ => return Err(Error::internal("values of another type than their state")),
        }
        Ok(())
    }

    /// Takes what is known of a block whose rows are all of one group.
    pub fn insert_known(&mut self, group: usize, known: Known) -> Result<()> {
        match (self, known) {
            (Self::Count(states), Known::Count(n)) => count_into(states, Groups::One(group as u32), n as usize),
            (Self::MeanF64(states), Known::SumF64(sum, n)) => {
                states[group].sum.insert_sum(sum);
                states[group].count += n;
            }
            (Self::MeanI64(states), Known::SumI64(sum, n)) => {
                states[group].sum.insert_sum(sum);
                states[group].count += n;
            }
            (Self::MinF64(states), Known::F64(value)) => states[group].insert(value),
            (Self::MaxF64(states), Known::F64(value)) => states[group].insert(value),
            (Self::MinI64(states), Known::I64(value)) => states[group].insert(value),
            (Self::MaxI64(states), Known::I64(value)) => states[group].insert(value),
            _ => return Err(Error::internal("something known of another state")),
        }
        Ok(())
    }

    /// Takes one value of first or last.
    pub fn insert_timed(&mut self, group: usize, value: Timed) -> Result<()> {
        match self {
            Self::First(states) => states[group].insert(value),
            Self::Last(states) => states[group].insert(value),
            _ => return Err(Error::internal("a time for another state")),
        }
        Ok(())
    }

    /// Takes a stored state of a kind of its own.
    pub fn insert_stored(&mut self, group: usize, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Own(own) => own.insert_stored(group, bytes),
            _ => Err(Error::internal("a stored state for another")),
        }
    }

    /// Takes the states of a later lane; `groups` are theirs here.
    pub fn merge(&mut self, later: Self, groups: &[u32], strings: Option<&Strings>) -> Result<()> {
        match (self, later) {
            (Self::Count(mine), Self::Count(theirs)) => merge_all(mine, theirs, groups),
            (Self::MeanF64(mine), Self::MeanF64(theirs)) => merge_all(mine, theirs, groups),
            (Self::MeanI64(mine), Self::MeanI64(theirs)) => merge_all(mine, theirs, groups),
            (Self::MinF64(mine), Self::MinF64(theirs)) => merge_all(mine, theirs, groups),
            (Self::MaxF64(mine), Self::MaxF64(theirs)) => merge_all(mine, theirs, groups),
            (Self::MinI64(mine), Self::MinI64(theirs)) => merge_all(mine, theirs, groups),
            (Self::MaxI64(mine), Self::MaxI64(theirs)) => merge_all(mine, theirs, groups),
            (Self::First(mine), Self::First(theirs)) => merge_all(mine, theirs, groups),
            (Self::Last(mine), Self::Last(theirs)) => merge_all(mine, theirs, groups),
            (Self::Own(mine), Self::Own(theirs)) => mine.merge(theirs, groups)?,
            (Self::MinText(mine), Self::MinText(theirs)) => merge_texts(mine, theirs, groups, strings, false)?,
            (Self::MaxText(mine), Self::MaxText(theirs)) => merge_texts(mine, theirs, groups, strings, true)?,
            _ => return Err(Error::internal("states of different kinds")),
        }
        Ok(())
    }
}

fn insert_texts(states: &mut [u32], present: &Present<'_>, codes: &[u32], greatest: bool) -> Result<()> {
    let strings = present
        .strings
        .ok_or_else(|| Error::internal("texts without strings"))?;
    strings.read(|view| {
        each_group(present.groups, codes.len(), |row, group| {
            if better(view, greatest, codes[row], states[group]) {
                states[group] = codes[row];
            }
        });
    });
    Ok(())
}

fn merge_texts(
    mine: &mut Vec<u32>,
    theirs: Vec<u32>,
    groups: &[u32],
    strings: Option<&Strings>,
    greatest: bool,
) -> Result<()> {
    let strings = strings.ok_or_else(|| Error::internal("texts without strings"))?;
    strings.read(|view| {
        merge_with(mine, theirs, groups, |mine, later| {
            if better(view, greatest, later, *mine) {
                *mine = later;
            }
        });
    });
    Ok(())
}
