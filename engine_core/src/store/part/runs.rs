//! The rows of each entity of a part: since rows are ordered by entity, these lie together.

use std::ops::Range;

use super::array;
use crate::codec::fields::{Fields, put_varint};

/// Entities and where their rows begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Codes, ascending.
    pub(super) codes: Vec<u32>,
    /// First row of each, and behind them the number of rows.
    pub(super) starts: Vec<u32>,
}

impl Runs {
    /// Of a column of codes, ascending.
    pub(in crate::store) fn of(codes: impl Iterator<Item = u32>) -> Self {
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

    /// Of codes, ascending, and how many rows each has; one that has none is left out.
    pub(in crate::store) fn counted(counts: impl Iterator<Item = (u32, u32)>) -> Self {
        let (mut runs, mut rows) = (Self::default(), 0u32);
        for (code, count) in counts.filter(|(_, count)| *count > 0) {
            runs.codes.push(code);
            runs.starts.push(rows);
            rows += count;
        }
        runs.starts.push(rows);
        runs
    }

    /// Number of entities.
    pub(in crate::store) fn len(&self) -> usize {
        self.codes.len()
    }

    /// Least and greatest code; 0 without one.
    pub(in crate::store) fn bounds(&self) -> (u32, u32) {
        let code = |code: Option<&u32>| code.copied().unwrap_or(0);
        (code(self.codes.first()), code(self.codes.last()))
    }

    /// Rows of the entity at a place.
    pub fn rows_at(&self, place: usize) -> Range<u32> {
        self.starts[place]..self.starts[place + 1]
    }

    /// Rows of an entity; none of one that has none.
    pub fn rows(&self, code: u32) -> Option<Range<u32>> {
        self.codes.binary_search(&code).ok().map(|place| self.rows_at(place))
    }

    /// Place of the entity of a row.
    pub fn place_of(&self, row: u32) -> usize {
        self.starts.partition_point(|&start| start <= row).saturating_sub(1)
    }

    /// Place of the entity of a row at or behind that of an earlier one, which is probably near.
    pub fn place_from(&self, earlier: usize, row: u32) -> usize {
        let (mut place, mut step) = (earlier, 1);
        while self.starts.get(place + step).is_some_and(|&start| start <= row) {
            place += step;
            step *= 2;
        }
        let behind = self.starts.len().min(place + step);
        place + self.starts[place..behind].partition_point(|&start| start <= row) - 1
    }

    /// Entities of these rows and, of the rows, those of each, in order.
    pub fn within(&self, rows: Range<u32>) -> impl Iterator<Item = (u32, Range<u32>)> {
        self.within_from(self.place_of(rows.start), rows)
    }

    /// As [`Self::within`], where the place of the first row's entity is known.
    pub fn within_from(&self, place: usize, rows: Range<u32>) -> impl Iterator<Item = (u32, Range<u32>)> {
        let runs = self.codes[place..].iter().zip(self.starts[place..].windows(2));
        let cut = move |(&code, run): (&u32, &[u32])| (code, run[0].max(rows.start)..run[1].min(rows.end));
        runs.map(cut).take_while(|(_, rows)| !rows.is_empty())
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
        let runs = Self {
            codes: codes.into_iter().map(|code| code as u32).collect(),
            starts: array::starts(&mut fields, n, rows)?,
        };
        let is_sound = fields.is_empty() && runs.codes.is_sorted_by(|left, right| left < right);
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
            for rows in [0..codes.len(), 7.min(codes.len())..codes.len() / 2, codes.len() - 1..codes.len()] {
                let within = runs.within(rows.start as u32..rows.end as u32);
                let mut seen = rows.start;
                for (code, run) in within {
                    prop_assert!(run.start as usize == seen && run.end > run.start);
                    prop_assert!(codes[run.start as usize..run.end as usize].iter().all(|&found| found == code));
                    seen = run.end as usize;
                }
                prop_assert_eq!(seen, rows.end.max(rows.start));
            }
            for (earlier, row) in [(0, 0), (0, codes.len() - 1), (codes.len() / 3, codes.len() / 2)] {
                let place = runs.place_from(runs.place_of(earlier as u32), row as u32);
                prop_assert_eq!(place, runs.place_of(row as u32));
            }
        }
    }
}
