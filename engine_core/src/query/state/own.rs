//! States that parts keep nothing of and that only their measures know: behind a trait, so that a measure brings its own.

use std::any::Any;
use std::fmt::Debug;

use super::{Present, merge_with};
use crate::aggregate::{Aggregate, scatter};
use crate::column::BLOCK_ROWS;
use crate::error::{Error, Result};
use crate::scan::Type;
use crate::scan::block::Values;
use crate::store::rollup::State as Stored;

/// Which states these are. Two are the same if their names and parameters are.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// Name.
    pub name: &'static str,
    /// Bits of what they depend on besides their column.
    pub parameter: u64,
    /// Whether they need the time and entity of rows.
    pub is_timed: bool,
    /// No groups yet, of a column of this type.
    pub make: fn(Type, u64) -> Box<dyn OwnStates>,
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.parameter) == (other.name, other.parameter)
    }
}

impl Eq for Own {}

/// States by group.
pub trait OwnStates: Debug + Send + Sync {
    /// Makes room for groups.
    fn grow(&mut self, groups: usize);

    /// Takes the values of a block.
    fn insert(&mut self, present: &Present<'_>) -> Result<()>;

    /// Takes the states of a later lane; `groups` are theirs here.
    fn merge(&mut self, later: Box<dyn OwnStates>, groups: &[u32]) -> Result<()>;

    /// The state of rollups that these are read from as well; none: rollups have none.
    fn stored(&self) -> Option<Stored>;

    /// Takes a stored state of rows that arrived after those taken before.
    fn insert_stored(&mut self, group: usize, bytes: &[u8]) -> Result<()>;

    /// Whether windows in a row must know of each other.
    fn is_linked(&self) -> bool;

    /// Tells states of windows in a row of each other. Comes after all lanes are merged.
    fn link(&mut self, chains: &[Vec<u32>]);

    /// Those of some of the groups, in this order.
    fn pick(&self, groups: &[u32]) -> Box<dyn OwnStates>;

    /// Takes those of some of the groups out, in this order.
    fn take(&mut self, groups: &[u32]) -> Box<dyn OwnStates>;

    /// Appends the states of other groups.
    fn append(&mut self, others: Box<dyn OwnStates>) -> Result<()>;

    /// A copy.
    fn copy(&self) -> Box<dyn OwnStates>;

    /// For who knows what they are.
    fn as_any(&self) -> &dyn Any;

    /// For who knows what they are.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl Clone for Box<dyn OwnStates> {
    fn clone(&self) -> Self {
        self.copy()
    }
}

/// One state. What holds of [`Aggregate`] holds of it: no split and no tree of merges that keeps the order changes what it comes to.
pub trait OwnState: Clone + Debug + Default + Send + Sync + 'static {
    /// Takes the values of a block into the states of their groups.
    fn insert(states: &mut [Self], present: &Present<'_>, parameter: u64) -> Result<()>;

    /// Takes the values of a state that arrived after this one's.
    fn merge(&mut self, later: Self);

    /// The state of rollups that it is read from as well.
    const STORED: Option<Stored> = None;

    /// Reads a stored state.
    fn from_stored(_bytes: &[u8]) -> Result<Self> {
        Err(Error::internal("a state that no rollup has"))
    }

    /// Whether windows in a row must know of each other.
    const IS_LINKED: bool = false;

    /// Tells states of windows in a row, ascending, of each other.
    fn link(_states: &mut [Self], _chain: &[u32]) {}
}

/// States of one kind by group.
#[derive(Clone, Debug)]
pub struct Grouped<S> {
    states: Vec<S>,
    parameter: u64,
}

impl<S: OwnState> Grouped<S> {
    /// No groups yet.
    pub fn boxed(parameter: u64) -> Box<dyn OwnStates> {
        Box::new(Self {
            states: Vec::new(),
            parameter,
        })
    }

    /// States that must be of this kind.
    fn same(others: Box<dyn OwnStates>) -> Result<Box<Self>> {
        let others = others.into_any().downcast::<Self>();
        others.map_err(|_| Error::internal("states of different kinds"))
    }
}

impl<S: OwnState> OwnStates for Grouped<S> {
    fn grow(&mut self, groups: usize) {
        self.states.resize_with(groups, S::default);
    }

    fn insert(&mut self, present: &Present<'_>) -> Result<()> {
        S::insert(&mut self.states, present, self.parameter)
    }

    fn merge(&mut self, later: Box<dyn OwnStates>, groups: &[u32]) -> Result<()> {
        merge_with(&mut self.states, Self::same(later)?.states, groups, S::merge);
        Ok(())
    }

    fn stored(&self) -> Option<Stored> {
        S::STORED
    }

    fn insert_stored(&mut self, group: usize, bytes: &[u8]) -> Result<()> {
        self.states[group].merge(S::from_stored(bytes)?);
        Ok(())
    }

    fn is_linked(&self) -> bool {
        S::IS_LINKED
    }

    fn link(&mut self, chains: &[Vec<u32>]) {
        chains.iter().for_each(|chain| S::link(&mut self.states, chain));
    }

    fn pick(&self, groups: &[u32]) -> Box<dyn OwnStates> {
        Box::new(Self {
            states: groups
                .iter()
                .map(|&group| self.states[group as usize].clone())
                .collect(),
            parameter: self.parameter,
        })
    }

    fn take(&mut self, groups: &[u32]) -> Box<dyn OwnStates> {
        let states = groups
            .iter()
            .map(|&group| std::mem::take(&mut self.states[group as usize]));
        Box::new(Self {
            states: states.collect(),
            parameter: self.parameter,
        })
    }

    fn append(&mut self, others: Box<dyn OwnStates>) -> Result<()> {
        self.states.extend(Self::same(others)?.states);
        Ok(())
    }

    fn copy(&self) -> Box<dyn OwnStates> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The states, if they are of this kind.
pub fn states_of<S: OwnState>(states: &super::States) -> Result<&[S]> {
    let super::States::Own(own) = states else {
        return Err(Error::internal("states of another kind"));
    };
    let own = own.as_any().downcast_ref::<Grouped<S>>();
    own.map(|own| &own.states[..])
        .ok_or_else(|| Error::internal("states of another kind"))
}

/// Calls `take` with numbers as doubles.
pub fn with_doubles<T>(values: &Values, n: usize, take: impl FnOnce(&[f64]) -> T) -> Result<T> {
    match values {
        Values::F64(values) => Ok(take(&values[..n])),
        Values::I64(values) => {
            let mut doubles = [0.0; BLOCK_ROWS];
            for (double, &value) in doubles.iter_mut().zip(&values[..n]) {
                *double = value as f64;
            }
            Ok(take(&doubles[..n]))
        }
        Values::Code(_) => Err(Error::internal("a measure of numbers on texts")),
    }
}

/// Takes numbers as doubles into an aggregate of them.
pub fn scatter_doubles<A: Aggregate<Input = f64>>(states: &mut [A], present: &Present<'_>) -> Result<()> {
    with_doubles(present.values, present.n, |values| {
        scatter(states, present.groups, values);
    })
}
