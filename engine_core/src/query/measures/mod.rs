//! What a query can measure. A kind is one file here and its one line below.

use std::fmt::Debug;
use std::sync::Arc;

use super::layout::Layout;
use super::output::Output;
use super::state::{Keep, States};
use crate::aggregate::between::Bounds;
use crate::error::{Error, Result};
use crate::scan::Type;
use crate::scan::strings::Strings;
use crate::wire::v1;

mod shared;

macro_rules! kinds {
    ($($file:ident)*) => {
        $(mod $file;)*
        /// All there are.
        const KINDS: &[Kind] = &[$($file::KIND),*];
    };
}

kinds! {
    count
    sum
    mean
    min
    max
    first
    last
    quantile
    distinct
    distinct_sketch
    range
    variance
    standard_deviation
    rate
    increase
    delta
    derivative
    time_weighted_mean
    weighted_mean
    ratio
    rank
    share_below
    histogram
    r#box
    cumulative_distribution
    top_k
    mode
    share_of_total
    cumulative
    moving
    formula
}

/// A kind of measure.
pub struct Kind {
    number: v1::MeasureKind,
    /// Lower-case name.
    pub name: &'static str,
    /// What it is of.
    pub of: Of,
    /// The parameters it takes.
    parameters: &'static [Parameter],
    /// One of this kind; `field` is the path of its message.
    make: fn(asked: &Asked, field: &str) -> Result<Arc<dyn Measure>>,
}

/// What a measure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Rows, or values of a column of any type.
    RowsOrColumn,
    /// A column of any type.
    Column,
    /// An f64 or i64 column.
    Number,
    /// Two f64 or i64 columns.
    TwoNumbers,
    /// An f64 or i64 column, over windows.
    NumberOverWindows,
    /// Other measures.
    Measures,
}

/// A field of the message that some kinds take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Quantile,
    Threshold,
    Count,
    Formula,
    Bounds,
    Sketch,
}

impl Parameter {
    const ALL: [Self; 6] = [
        Self::Quantile,
        Self::Threshold,
        Self::Count,
        Self::Formula,
        Self::Bounds,
        Self::Sketch,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Quantile => "quantile",
            Self::Threshold => "threshold",
            Self::Count => "count",
            Self::Formula => "formula",
            Self::Bounds => "bounds",
            Self::Sketch => "sketch",
        }
    }
}

/// The parameters of a message.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub quantile: f64,
    pub threshold: f64,
    pub count: u32,
    pub formula: String,
    /// With their place among those of the query.
    pub bounds: Option<(usize, Arc<Bounds>)>,
    pub sketch: Option<Sketch>,
}

/// What a quantile of many values is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sketch {
    Exponential,
    Kll,
}

impl Asked {
    fn has(&self, parameter: Parameter) -> bool {
        match parameter {
            Parameter::Quantile => self.quantile != 0.0,
            Parameter::Threshold => self.threshold != 0.0,
            Parameter::Count => self.count != 0,
            Parameter::Formula => !self.formula.is_empty(),
            Parameter::Bounds => self.bounds.is_some(),
            Parameter::Sketch => self.sketch.is_some(),
        }
    }
}

/// A state that a measure is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    pub keep: Keep,
    pub from: From,
}

/// What a state is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The measure's column, or rows without one.
    Column,
    /// Its second column.
    Second,
    /// Both.
    Both,
}

impl Want {
    /// A state of the measure's column.
    pub(super) fn of_column(keep: Keep) -> Self {
        Self {
            keep,
            from: From::Column,
        }
    }
}

/// One measure of a query.
pub trait Measure: Debug + Send + Sync {
    /// The states it is read from.
    fn wants(&self) -> Vec<Want>;

    /// Names of the measures that it is of.
    fn reads(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Its values by group, from those states.
    fn finish(&self, found: &Found<'_>) -> Result<Output>;

    /// Whether its values are lists or structs.
    fn is_nested(&self) -> bool {
        false
    }

    /// Whether it is of all groups of a window, not of its own alone.
    fn is_among_groups(&self) -> bool {
        false
    }

    /// Bound of the error of a rank, as a share of the number of values; 0: none.
    fn rank_error(&self, _found: &Found<'_>) -> Result<f64> {
        Ok(0.0)
    }

    /// Bound of the relative error of its values; 0: exact.
    fn relative_error(&self, _found: &Found<'_>) -> Result<f64> {
        Ok(0.0)
    }
}

/// What a measure is finished from.
pub struct Found<'a> {
    /// Name in the answer.
    pub name: &'a str,
    /// Its states, as it wants them.
    pub states: Vec<Read<'a>>,
    /// How groups lie to each other.
    pub layout: &'a Layout<'a>,
    /// Measures that are finished.
    pub others: &'a [Output],
}

/// Merged states, and what they are of.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    pub states: &'a States,
    pub data_type: Type,
    pub strings: Option<&'a Strings>,
}

impl Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Kind {
    /// The kind of this number.
    pub fn find(number: v1::MeasureKind) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.number == number)
    }

    /// A measure of this kind; `field` is the path of its message.
    pub fn measure(&self, asked: &Asked, field: &str) -> Result<Arc<dyn Measure>> {
        let other = Parameter::ALL
            .into_iter()
            .find(|&parameter| asked.has(parameter) && !self.parameters.contains(&parameter));
        if let Some(other) = other {
            let takers = KINDS.iter().filter(|kind| kind.parameters.contains(&other));
            let takers: Vec<&str> = takers.map(|kind| kind.name).collect();
            let name = other.name();
            return Err(Error::invalid(
                "PARAMETER_NOT_TAKEN",
                format!("{field}.{name}"),
                format!("{name} is taken by {}, not by {}", takers.join(", "), self.name),
            ));
        }
        (self.make)(asked, field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_the_name_and_number_of_the_contract() {
        for (at, kind) in KINDS.iter().enumerate() {
            let name = format!("MEASURE_KIND_{}", kind.name.to_uppercase());
            assert_eq!(kind.number.as_str_name(), name);
            assert!(KINDS[..at].iter().all(|other| other.number != kind.number));
        }
    }
}
