//! What a part keeps of its rows beside them (FORMAT.md, "Parts"): the ends of each entity's rows, and **nodes**: of an entity's rows
//! in a window of a fixed width, what states take. Windows of several widths nest (BTrDB, Andersen & Culler, FAST 2016), so that any
//! longer stretch of an entity's rows is whole nodes but for its two edges.

mod grid;
mod making;
mod state;

use std::ops::Range;

pub(super) use making::{Aggregator, Encoded};

use super::array;
use crate::codec::fields::{Fields, put_varint};
use crate::column::packed::Physical;

/// Widths of windows, nanoseconds, each a multiple of the one before.
const WIDTHS: [i64; 12] = [
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    60_000_000_000,
    600_000_000_000,
    3_600_000_000_000,
    21_600_000_000_000,
    86_400_000_000_000,
    864_000_000_000_000,
    8_640_000_000_000_000,
];
/// Rows of a node, or of an entity whose ends are kept, at least, on average: below that blocks' footers serve as well.
const NODE_ROWS: usize = 256;

const SUMS: u8 = 1;
const NULLS: u8 = 2;
const NANS: u8 = 4;

/// Times of the ends of each entity's rows, in order of the runs, and the widths of the windows there are nodes of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeEnds {
    /// Nanoseconds, descending.
    pub widths: Vec<i64>,
    /// Time of each entity's first row.
    pub first: Vec<i64>,
    /// Time of its last.
    pub last: Vec<i64>,
}

/// Windows of one width that have rows, entity by entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Nanoseconds.
    pub width: i64,
    /// First row of each node, and behind them the number of rows.
    pub starts: Vec<u32>,
    /// Number of each node's window, counted from the epoch.
    pub windows: Vec<i64>,
}

impl Level {
    /// Rows of a node.
    pub fn rows(&self, node: usize) -> Range<u32> {
        self.starts[node]..self.starts[node + 1]
    }
}

/// What is known of a column's values that are neither null nor NaN at the ends of each entity's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Rows of each entity before the first that has a value; all of them: none has one.
    pub before: Vec<u32>,
    /// First value, as bits of the physical type.
    pub first: Vec<u64>,
    /// Rows behind the last that has a value.
    pub behind: Vec<u32>,
    /// Last value.
    pub last: Vec<u64>,
}

/// What is known of a column in each node of a level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// Rows that are null; empty: none is.
    pub nulls: Vec<u32>,
    /// Doubles that are NaN; empty: none is.
    pub nans: Vec<u32>,
    /// Least value that is neither, as bits of the physical type; unspecified where there is none.
    pub least: Vec<u64>,
    /// Greatest such value.
    pub greatest: Vec<u64>,
    /// Sum of such values, as `aggregate/sum.rs` rounds it; none where one would not fit.
    pub sums: Option<Vec<u64>>,
}

fn take_counts(fields: &mut Fields<'_>, n: usize, most: usize) -> Option<Vec<u32>> {
    let counts = array::numbers(fields, n, most as u64)?;
    Some(counts.into_iter().map(|count| count as u32).collect())
}

impl TimeEnds {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(self.widths.len() as u64, out);
        for &width in &self.widths {
            put_varint(width as u64, out);
        }
        array::put_integers(&self.first, out);
        array::put_integers(&self.last, out);
    }

    /// Reads those of so many entities; none if the bytes are none.
    pub(super) fn decode(bytes: &[u8], entities: usize) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let mut widths = Vec::new();
        for _ in 0..fields.number(WIDTHS.len())? {
            widths.push(i64::try_from(fields.varint()?).ok().filter(|&width| width > 0)?);
        }
        let ends = Self {
            widths,
            first: array::integers(&mut fields, entities)?,
            last: array::integers(&mut fields, entities)?,
        };
        fields.is_empty().then_some(ends)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + (self.widths.capacity() + self.first.capacity() + self.last.capacity()) * 8
    }
}

impl Level {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(self.width as u64, out);
        put_varint(self.windows.len() as u64, out);
        array::put_numbers(self.starts.windows(2).map(|pair| pair[1] - pair[0]), out);
        array::put_integers(&self.windows, out);
    }

    /// Reads one of so many rows; none if the bytes are none.
    pub(super) fn decode(bytes: &[u8], rows: usize) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let width = i64::try_from(fields.varint()?).ok().filter(|&width| width > 0)?;
        let n = fields.number(rows)?;
        let level = Self {
            width,
            starts: array::starts(&mut fields, n, rows)?,
            windows: array::integers(&mut fields, n)?,
        };
        fields.is_empty().then_some(level)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.starts.capacity() * 4 + self.windows.capacity() * 8
    }
}

impl Ends {
    fn encode(&self, physical: Physical, out: &mut Vec<u8>) {
        array::put_numbers(self.before.iter().copied(), out);
        array::put_values(self.first.iter().copied(), physical, out);
        array::put_numbers(self.behind.iter().copied(), out);
        array::put_values(self.last.iter().copied(), physical, out);
    }

    /// Reads those of a column of so many entities and rows; none if the bytes are none.
    pub(super) fn decode(bytes: &[u8], physical: Physical, entities: usize, rows: usize) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let ends = Self {
            before: take_counts(&mut fields, entities, rows)?,
            first: array::values(&mut fields, physical, entities)?,
            behind: take_counts(&mut fields, entities, rows)?,
            last: array::values(&mut fields, physical, entities)?,
        };
        fields.is_empty().then_some(ends)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let counts = self.before.capacity() + self.behind.capacity();
        size_of::<Self>() + counts * 4 + (self.first.capacity() + self.last.capacity()) * 8
    }
}

/// What the sum of so many integers would be if they lay evenly between the least and the greatest, in 64 wrapping bits.
fn even_sum(present: u64, least: u64, greatest: u64) -> u64 {
    ((i128::from(least as i64) + i128::from(greatest as i64)) * i128::from(present) / 2) as u64
}

impl Nodes {
    /// How many values of a node are neither null nor NaN.
    fn present(&self, level: &Level, node: usize) -> u64 {
        u64::from(level.starts[node + 1] - level.starts[node]) - self.absent(node)
    }

    fn encode(&self, physical: Physical, level: &Level, out: &mut Vec<u8>) {
        let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
        out.push(
            flag(self.sums.is_some(), SUMS) | flag(!self.nulls.is_empty(), NULLS) | flag(!self.nans.is_empty(), NANS),
        );
        for counts in [&self.nulls, &self.nans] {
            if !counts.is_empty() {
                array::put_numbers(counts.iter().copied(), out);
            }
        }
        array::put_values(self.least.iter().copied(), physical, out);
        let (mut greatest, mut sums) = (self.greatest.clone(), self.sums.clone());
        if physical != Physical::F64 {
            for node in 0..level.windows.len() {
                if let Some(sums) = &mut sums {
                    let even = even_sum(self.present(level, node), self.least[node], self.greatest[node]);
                    sums[node] = sums[node].wrapping_sub(even);
                }
                greatest[node] = greatest[node].wrapping_sub(self.least[node]);
            }
        }
        array::put_values(greatest.iter().copied(), physical, out);
        if let Some(sums) = &sums {
            array::put_values(sums.iter().copied(), physical, out);
        }
    }

    /// Reads what is known of a column in the nodes of a level; none if the bytes are nothing of that kind.
    pub(super) fn decode(bytes: &[u8], physical: Physical, level: &Level) -> Option<Self> {
        let (mut fields, n) = (Fields::new(bytes), level.windows.len());
        let flags = fields.byte().filter(|flags| flags & !(SUMS | NULLS | NANS) == 0)?;
        let mut counts = |flag: u8| {
            if flags & flag == 0 {
                return Some(Vec::new());
            }
            take_counts(&mut fields, n, u32::MAX as usize)
        };
        let mut nodes = Self {
            nulls: counts(NULLS)?,
            nans: counts(NANS)?,
            ..Self::default()
        };
        nodes.least = array::values(&mut fields, physical, n)?;
        nodes.greatest = array::values(&mut fields, physical, n)?;
        if flags & SUMS != 0 {
            nodes.sums = Some(array::values(&mut fields, physical, n)?);
        }
        let is_sound = |node: usize| nodes.absent(node) <= u64::from(level.starts[node + 1] - level.starts[node]);
        if !fields.is_empty() || !(0..n).all(is_sound) {
            return None;
        }
        if physical != Physical::F64 {
            for node in 0..n {
                nodes.greatest[node] = nodes.greatest[node].wrapping_add(nodes.least[node]);
                let even = even_sum(nodes.present(level, node), nodes.least[node], nodes.greatest[node]);
                if let Some(sums) = &mut nodes.sums {
                    sums[node] = sums[node].wrapping_add(even);
                }
            }
        }
        Some(nodes)
    }

    /// NaN of a node.
    pub fn nans(&self, node: usize) -> u64 {
        self.nans.get(node).copied().unwrap_or(0).into()
    }

    /// Rows of a node that are null or NaN.
    pub fn absent(&self, node: usize) -> u64 {
        self.nans(node) + u64::from(self.nulls.get(node).copied().unwrap_or(0))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let counts = self.nulls.capacity() + self.nans.capacity();
        let sums = self.sums.as_ref().map_or(0, Vec::capacity);
        size_of::<Self>() + counts * 4 + (self.least.capacity() + self.greatest.capacity() + sums) * 8
    }
}
