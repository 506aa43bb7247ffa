//! Sets of rows of one block.

/// Rows of a block.
pub const BITS: usize = 1024;
const WORDS: usize = BITS / 64;

/// A set of rows of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask([u64; WORDS]);

impl Mask {
    /// No row.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// The first `n` rows.
    pub fn first(n: usize) -> Self {
        let mut words = [0; WORDS];
        words[..n / 64].fill(u64::MAX);
        if !n.is_multiple_of(64) {
            words[n / 64] = (1 << (n % 64)) - 1;
        }
        Self(words)
    }

    /// From words, least significant bit first.
    pub fn from_words(words: [u64; WORDS]) -> Self {
        Self(words)
    }

    /// Rows among the values for which the test holds.
    #[inline(always)]
    pub fn of<T: Copy>(values: &[T], test: impl Fn(T) -> bool) -> Self {
        let mut words = [0; WORDS];
        for (word, values) in words.iter_mut().zip(values.chunks(64)) {
            for (bit, &value) in values.iter().enumerate() {
                *word |= u64::from(test(value)) << bit;
            }
        }
        Self(words)
    }

    /// Whether the row is in it.
    pub fn get(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }

    /// Adds a row.
    pub fn set(&mut self, row: usize) {
        self.0[row / 64] |= 1 << (row % 64);
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no row is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// Rows in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// Rows in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// Rows in this one and not in the other.
    #[must_use]
    pub fn and_not(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & !other.0[i]))
    }

    /// Writes the rows in ascending order; returns how many.
    pub fn rows(&self, out: &mut [u16; BITS]) -> usize {
        let mut n = 0;
        for (at, &word) in self.0.iter().enumerate() {
            let mut word = word;
            while word != 0 {
                out[n] = (at * 64) as u16 + word.trailing_zeros() as u16;
                n += 1;
                word &= word - 1;
            }
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_rows() {
        let some = Mask::of(&(0..1024).collect::<Vec<i32>>(), |row| row % 100 == 3);
        let mut rows = [0; BITS];
        assert_eq!(some.rows(&mut rows), 11);
        assert_eq!(&rows[..3], [3, 103, 203]);
        assert_eq!(Mask::first(70).count(), 70);
        assert_eq!(Mask::first(1024).count(), 1024);
        assert_eq!(Mask::first(4).and(&some), Mask::first(4).and_not(&Mask::first(3)));
        assert_eq!(Mask::first(3).or(&some).count(), 14);
        assert!(some.get(103) && !some.get(104));
        assert!(Mask::EMPTY.is_empty());
    }
}
