//! Rollups: what the rows of a part come to in windows, by some of their columns. FORMAT.md, "Rollups". A rollup belongs to one part and
//! is a file of the same form beside it, a row of which is a group of rows; rows that come later are in parts with rollups of their
//! own, so that states are merged when they are read, and nothing that is written is ever revised.

mod grouping;
mod making;
mod numbers;
mod upkeep;

use making::make;
pub(super) use upkeep::{all_due, catch_up, due, roll_up, undeclared};

use super::frame::{Decoder, Encoder};
use crate::column::ColumnId;
use crate::column::rollup::{MAX_KEYS, Tier};
use crate::column::schema::{ENTITY, TIME};
use crate::error::Result;

/// What of a column a rollup has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Values that are neither null nor NaN; of the column of times: rows.
    Count = 0,
    /// Values that are NaN; where it is missing none is.
    Nans = 1,
    /// Sum; of integers its lower 64 bits.
    Sum = 2,
    /// The upper 64 bits of a sum of integers; where it is missing they are copies of the highest of the lower.
    SumHigh = 3,
    /// Least value.
    Least = 4,
    /// Greatest value.
    Greatest = 5,
    /// How long after the start of its window the first value stood.
    FirstAfter = 6,
    /// Entity of the first value; where it is missing that of the group.
    FirstEntity = 7,
    /// First value.
    First = 8,
    /// How long after the start of its window the last value stood.
    LastAfter = 9,
    /// Entity of the last value; where it is missing that of the group.
    LastEntity = 10,
    /// Last value.
    Last = 11,
    /// Exponential histogram, each byte as the character of this number.
    Sketch = 12,
}

impl State {
    /// Number of the column of a rollup that has this of a column of rows.
    pub fn of(self, column: ColumnId) -> ColumnId {
        1 << 15 | column << 4 | self as ColumnId
    }
}

/// Number of the column with the rows of each group.
pub const ROWS: ColumnId = 1 << 15 | TIME << 4;

/// What a rollup is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolled {
    /// Its windows and keys.
    pub tier: Tier,
    /// Number of the part, which may be gone.
    pub part: u64,
    /// Rows of the part.
    pub rows: u64,
    /// Least and greatest of their times.
    pub times: (i64, i64),
}

impl Rolled {
    pub(super) fn encode(&self, record: &mut Encoder) {
        record.u64(self.part);
        record.u64(self.rows);
        record.i64(self.times.0);
        record.i64(self.times.1);
        record.i64(self.tier.width_ns);
        record.u8(self.tier.sketches.into());
        record.varint(self.tier.keys().len() as u64);
        self.tier.keys().iter().for_each(|&key| record.varint(key.into()));
    }

    pub(super) fn decode(record: &mut Decoder<'_>) -> Result<Self> {
        let (part, rows, times) = (record.u64()?, record.u64()?, (record.i64()?, record.i64()?));
        let (width, sketches, n) = (record.i64()?, record.u8()? == 1, record.varint()?);
        let mut keys = Vec::new();
        for _ in 0..n.min(MAX_KEYS as u64 + 1) {
            keys.push(ColumnId::try_from(record.varint()?).unwrap_or(TIME));
        }
        let is_whole = keys.is_sorted_by(|left, right| left < right);
        let tier = Tier::new(width, keys, sketches).filter(|_| is_whole);
        Ok(Self {
            tier: tier.ok_or_else(|| record.wrong("windows and keys of a rollup"))?,
            part,
            rows,
            times,
        })
    }
}

/// Whether who knows a group knows an entity that its rows are of, all of them if `ENTITY` is a key.
fn has_entities(tier: &Tier, is_label: impl Fn(ColumnId) -> bool) -> bool {
    tier.keys().iter().any(|&key| key == ENTITY || is_label(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tables::Table;

    #[test]
    fn what_a_rollup_is_of_reads_back_whole_and_is_refused_where_it_makes_no_sense() {
        let rolled = Rolled {
            tier: Tier::new(60, vec![7, 1], true).unwrap(),
            part: 1,
            rows: 2,
            times: (-3, 4),
        };
        let mut record = Encoder::new(Table::Parts);
        rolled.encode(&mut record);
        let bytes = record.seal(b"key");
        let mut record = Decoder::open(Table::Parts, b"key", &bytes).unwrap();
        assert_eq!(Rolled::decode(&mut record).unwrap(), rolled);
        record.end().unwrap();
        for keys in [vec![], vec![0], vec![2, 2], vec![3, 2], (1..=9).collect::<Vec<u64>>()] {
            let mut record = Encoder::new(Table::Parts);
            [1, 2, 3, 4, 60].into_iter().for_each(|value| record.u64(value));
            record.u8(0);
            record.varint(keys.len() as u64);
            keys.into_iter().for_each(|key| record.varint(key));
            let bytes = record.seal(b"key");
            assert!(Rolled::decode(&mut Decoder::open(Table::Parts, b"key", &bytes).unwrap()).is_err());
        }
    }

    #[test]
    fn columns_of_states_have_numbers_of_their_own() {
        let last = crate::column::schema::FIRST_DECLARED + crate::column::schema::MAX_COLUMNS as ColumnId - 1;
        assert!(last < 1 << 11 && ROWS == State::Count.of(TIME));
        assert!(State::Sketch.of(2) < State::Count.of(3) && State::Sketch.of(last) > State::Last.of(last));
    }
}
