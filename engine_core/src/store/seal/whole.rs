//! A column whole, in order of arrival.

use crate::column::packed::Validity;

/// Values of a column.
#[derive(Debug)]
pub(in crate::store) struct Whole<T> {
    pub(in crate::store) values: Vec<T>,
    /// One bit a row, 1 for not null; none: no row is null.
    pub(in crate::store) valid: Option<Vec<u64>>,
}

impl<T: Copy + Default> Whole<T> {
    /// Of values, none being null.
    pub(in crate::store) fn of(values: impl Iterator<Item = Option<T>>) -> Self {
        let (mut all, mut is_there): (Vec<T>, Vec<bool>) = (Vec::new(), Vec::new());
        for value in values {
            all.push(value.unwrap_or_default());
            is_there.push(value.is_some());
        }
        let mut whole = Self {
            values: all,
            valid: None,
        };
        if is_there.contains(&false) {
            whole.note(0, |row| is_there[row]);
        }
        whole
    }

    pub(in crate::store) fn with_room(rows: usize) -> Self {
        Self {
            values: Vec::with_capacity(rows),
            valid: None,
        }
    }

    /// Adds the rows of a block.
    pub(in crate::store) fn push(&mut self, values: &[T], validity: &Validity) {
        let start = self.values.len();
        self.values.extend_from_slice(values);
        if *validity != Validity::All || self.valid.is_some() {
            self.note(start, |row| validity.get(row));
        }
    }

    /// Adds rows that are null.
    pub(in crate::store) fn push_nulls(&mut self, rows: usize) {
        let start = self.values.len();
        self.values.resize(start + rows, T::default());
        self.note(start, |_| false);
    }

    /// Adds rows that were read apart.
    pub(in crate::store) fn append(&mut self, later: &Self) {
        let start = self.values.len();
        self.values.extend_from_slice(&later.values);
        match &later.valid {
            Some(valid) => self.note(start, |row| is_set(valid, row)),
            None if self.valid.is_some() => self.note(start, |_| true),
            None => {}
        }
    }

    /// The value of a row; none: it is null.
    pub(in crate::store) fn at(&self, row: usize) -> Option<T> {
        let is_there = self.valid.as_deref().is_none_or(|valid| is_set(valid, row));
        is_there.then(|| self.values[row])
    }

    /// Notes which of the rows from `start` on are not null.
    fn note(&mut self, start: usize, is_there: impl Fn(usize) -> bool) {
        let rows = self.values.len() - start;
        let valid = self.valid.get_or_insert_with(|| ones(start));
        valid.resize((start + rows).div_ceil(64), 0);
        for row in (0..rows).filter(|&row| is_there(row)) {
            valid[(start + row) / 64] |= 1 << ((start + row) % 64);
        }
    }
}

fn is_set(bits: &[u64], row: usize) -> bool {
    bits[row / 64] >> (row % 64) & 1 == 1
}

/// So many ones.
fn ones(rows: usize) -> Vec<u64> {
    let mut words = vec![u64::MAX; rows.div_ceil(64)];
    if !rows.is_multiple_of(64) {
        words[rows / 64] = (1 << (rows % 64)) - 1;
    }
    words
}

/// Texts of a column.
#[derive(Debug, Default)]
pub(in crate::store) struct WholeTexts {
    bytes: String,
    ends: Vec<u64>,
    /// Rows that are not null, one bit each.
    pub(in crate::store) valid: Vec<u64>,
}

impl WholeTexts {
    pub(in crate::store) fn push(&mut self, text: Option<&str>) {
        let row = self.ends.len();
        if row.is_multiple_of(64) {
            self.valid.push(0);
        }
        if let Some(text) = text {
            self.bytes.push_str(text);
            self.valid[row / 64] |= 1 << (row % 64);
        }
        self.ends.push(self.bytes.len() as u64);
    }

    /// Adds rows that were read apart.
    pub(in crate::store) fn append(&mut self, later: &Self) {
        let (start, bytes) = (self.ends.len(), self.bytes.len() as u64);
        self.bytes.push_str(&later.bytes);
        self.ends.extend(later.ends.iter().map(|end| bytes + end));
        self.valid.resize(self.ends.len().div_ceil(64), 0);
        for row in (0..later.ends.len()).filter(|&row| is_set(&later.valid, row)) {
            self.valid[(start + row) / 64] |= 1 << ((start + row) % 64);
        }
    }

    pub(in crate::store) fn get(&self, row: u32) -> &str {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start as usize..self.ends[row] as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_read_apart_are_the_whole(pieces in prop::collection::vec(prop::collection::vec(any::<Option<u8>>(), 0..100), 0..9)) {
            let (mut numbers, mut texts) = (Whole::with_room(0), WholeTexts::default());
            for piece in &pieces {
                let (mut some, mut words) = (Whole::with_room(0), WholeTexts::default());
                for value in piece {
                    match value {
                        Some(value) => some.push(&[*value], &Validity::All),
                        None => some.push_nulls(1),
                    }
                    words.push(value.map(|value| "x".repeat(usize::from(value))).as_deref());
                }
                numbers.append(&some);
                texts.append(&words);
            }
            let all: Vec<Option<u8>> = pieces.concat();
            prop_assert_eq!(numbers.values.len(), all.len());
            prop_assert_eq!(numbers.valid.is_some(), all.contains(&None));
            for (row, value) in all.iter().enumerate() {
                let is_there = numbers.valid.as_deref().is_none_or(|valid| is_set(valid, row));
                prop_assert_eq!(is_there.then_some(numbers.values[row]), *value);
                prop_assert_eq!(is_set(&texts.valid, row), value.is_some());
                prop_assert_eq!(texts.get(row as u32).len(), usize::from(value.unwrap_or(0)));
            }
        }
    }
}
