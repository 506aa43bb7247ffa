//! The rows of each entity of a part: since rows are ordered by entity, these lie together.

use super::array;
use crate::codec::fields::{Fields, put_varint};

/// Entities and where their rows begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Runs {
    /// Codes, ascending.
    pub(super) codes: Vec<u32>,
    /// First row of each, and behind them the number of rows.
    pub(super) starts: Vec<u32>,
}

impl Runs {
    /// Of a column of codes, ascending.
    pub(super) fn of(codes: impl Iterator<Item = u32>) -> Self {
        let (mut runs, mut rows) = (Self::default(), 0u32);
        for code in codes {
            if runs.codes.last() != Some(&code) {
                runs.codes.push(code);
                runs.starts.push(rows);
            }
            rows += 1;
        }
        runs.starts.push(rows);
        runs
    }

    /// Rows of an entity; none of one that has none.
    pub(super) fn rows(&self, code: u32) -> Option<std::ops::Range<u32>> {
        let at = self.codes.binary_search(&code).ok()?;
        Some(self.starts[at]..self.starts[at + 1])
    }

    /// Bytes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + (self.codes.capacity() + self.starts.capacity()) * 4
    }

    /// Appends them as they lie in the file.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(self.codes.len() as u64, out);
        array::put_numbers(self.codes.iter().copied(), out);
        array::put_numbers(self.starts.windows(2).map(|pair| pair[1] - pair[0]), out);
    }

    /// Reads the runs of so many rows; none if the bytes are no such runs.
    pub(super) fn decode(bytes: &[u8], rows: usize) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let n = fields.number(rows)?;
        let codes = array::numbers(&mut fields, n, u32::MAX.into())?;
        let lengths = array::numbers(&mut fields, n, rows as u64)?;
        let mut runs = Self {
            codes: codes.into_iter().map(|code| code as u32).collect(),
            starts: Vec::with_capacity(n + 1),
        };
        let mut start = 0u64;
        for length in lengths {
            runs.starts.push(u32::try_from(start).ok()?);
            start += length;
            if length == 0 {
                return None;
            }
        }
        runs.starts.push(u32::try_from(start).ok()?);
        let is_sound = fields.is_empty() && start == rows as u64 && runs.codes.is_sorted_by(|left, right| left < right);
        is_sound.then_some(runs)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_read_back_and_find_their_rows(mut codes in prop::collection::vec(0u32..50, 1..3_000)) {
            codes.sort_unstable();
            let runs = Runs::of(codes.iter().copied());
            let mut bytes = Vec::new();
            runs.encode(&mut bytes);
            prop_assert_eq!(Runs::decode(&bytes, codes.len()), Some(runs.clone()));
            prop_assert_eq!(Runs::decode(&bytes, codes.len() + 1), None);
            for code in 0..50 {
                let rows = codes.iter().position(|&found| found == code).map(|start| {
                    start as u32..(start + codes.iter().filter(|&&found| found == code).count()) as u32
                });
                prop_assert_eq!(runs.rows(code), rows);
            }
        }
    }
}
