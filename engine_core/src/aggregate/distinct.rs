//! Distinct values, exact: a bitmap over dictionary codes, a hash set over the bits of anything else.

use hashbrown::HashSet;

use super::Aggregate;

/// Codes up to here, and as many as fill a bitmap by a 32nd, are kept in a set; denser ones in a bitmap.
const SPARSE: usize = 64;

/// Distinct codes of a dictionary.
#[derive(Clone, Debug)]
pub struct DistinctCodes {
    sparse: HashSet<u32>,
    bits: Vec<u64>,
    greatest: u32,
}

impl Default for DistinctCodes {
    fn default() -> Self {
        Self {
            sparse: HashSet::new(),
            bits: Vec::new(),
            greatest: 0,
        }
    }
}

impl DistinctCodes {
    fn densify(&mut self) {
        self.bits = vec![0; self.greatest as usize / 64 + 1];
        for code in std::mem::take(&mut self.sparse) {
            self.bits[code as usize / 64] |= 1 << (code % 64);
        }
    }

    /// The codes, ascending.
    pub fn codes(&self) -> Vec<u32> {
        let mut codes: Vec<u32> = self.sparse.iter().copied().collect();
        codes.sort_unstable();
        for (at, &word) in self.bits.iter().enumerate() {
            codes.extend(
                (0..64)
                    .filter(|bit| word >> bit & 1 == 1)
                    .map(|bit| at as u32 * 64 + bit),
            );
        }
        codes
    }
}

impl Aggregate for DistinctCodes {
    type Input = u32;
    type Output = u64;

    fn insert(&mut self, code: u32) {
        if !self.bits.is_empty() {
            let at = code as usize / 64;
            if at >= self.bits.len() {
                self.bits.resize((at + 1).next_power_of_two(), 0);
            }
            self.bits[at] |= 1 << (code % 64);
            return;
        }
        self.greatest = self.greatest.max(code);
        if self.sparse.insert(code) && self.sparse.len() > SPARSE.max(self.greatest as usize / 32) {
            self.densify();
        }
    }

    fn merge(&mut self, later: &Self) {
        if !self.bits.is_empty() && !later.bits.is_empty() {
            if self.bits.len() < later.bits.len() {
                self.bits.resize(later.bits.len(), 0);
            }
            for (mine, theirs) in self.bits.iter_mut().zip(&later.bits) {
                *mine |= theirs;
            }
        } else {
            later.codes().into_iter().for_each(|code| self.insert(code));
        }
    }

    fn finish(&self) -> u64 {
        let dense: u64 = self.bits.iter().map(|word| u64::from(word.count_ones())).sum();
        dense + self.sparse.len() as u64
    }
}

/// Distinct values by their bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistinctBits(HashSet<u64>);

/// Bits under which equal doubles are one value: −0.0 is 0.0.
pub fn f64_key(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

impl Aggregate for DistinctBits {
    type Input = u64;
    type Output = u64;

    fn insert(&mut self, value: u64) {
        self.0.insert(value);
    }

    fn merge(&mut self, later: &Self) {
        self.0.extend(&later.0);
    }

    fn finish(&self) -> u64 {
        self.0.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::laws::whole_and_split;
    use super::*;

    proptest! {
        #[test]
        fn codes_are_counted_once(
            codes in prop::collection::vec(prop_oneof![0u32..500, 0u32..2_000_000], 0..600),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let oracle: Vec<u32> = codes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            let (whole, split) = whole_and_split::<DistinctCodes>(&codes, &cuts);
            prop_assert_eq!(whole.codes(), &oracle[..]);
            prop_assert_eq!(split.codes(), &oracle[..]);
            prop_assert_eq!(whole.finish(), oracle.len() as u64);
            prop_assert_eq!(split.finish(), oracle.len() as u64);
        }

        #[test]
        fn values_are_counted_once(values in prop::collection::vec(0u64..50, 0..200), cuts in prop::collection::vec(any::<usize>(), 0..6)) {
            let (whole, split) = whole_and_split::<DistinctBits>(&values, &cuts);
            prop_assert_eq!(&whole, &split);
            prop_assert_eq!(whole.finish(), values.iter().collect::<BTreeSet<_>>().len() as u64);
        }
    }

    #[test]
    fn zero_has_one_sign() {
        assert_eq!(f64_key(-0.0), f64_key(0.0));
    }
}
