//! Distinct values: exact up to 1,024, then UltraLogLog (Ertl 2023, "UltraLogLog: A Practical and More Space-Efficient Alternative to
//! HyperLogLog for Approximate Distinct Counting", arXiv 2308.16862) with 2¹⁴ registers and the maximum-likelihood estimate.

use hashbrown::HashSet;

use crate::error::{Error, Result};

/// Bits of a hash that choose a register.
const PRECISION: u32 = 14;
const REGISTERS: usize = 1 << PRECISION;
/// Hashes that are kept as they are.
const MOST_EXACT: usize = 1_024;
/// Relative standard error of the estimate, √(0.5789 / registers) (Ertl 2023, of the maximum-likelihood estimator).
pub const STANDARD_ERROR: f64 = 0.005_944;

const VERSION: u8 = 1;
const EXACT: u8 = 0;
const DENSE: u8 = 1;

/// Distinct values by their 64-bit hashes, which must be uniform. A function of the set of hashes alone: any split and tree of merges
/// makes the same state and the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct UltraLogLog(State);

#[derive(Clone, Debug, PartialEq)]
enum State {
    Exact(HashSet<u64>),
    /// One byte a register: of the update values that came to it the greatest, counted from [`PRECISION`] + 1 on, times four, and two bits
    /// whether the two values below it came as well. 0: none came.
    Dense(Box<[u8; REGISTERS]>),
}

impl Default for UltraLogLog {
    fn default() -> Self {
        Self(State::Exact(HashSet::new()))
    }
}

/// Register and update value, from 1 on, of a hash: value k has the probability 2⁻ᵏ, the last twice that.
fn place(hash: u64) -> (usize, u32) {
    let rest = hash << PRECISION;
    let value = (rest.leading_zeros() + 1).min(LAST);
    ((hash >> (64 - PRECISION)) as usize, value)
}

/// Greatest update value: no bit of the rest is set.
const LAST: u32 = 64 - PRECISION + 1;

/// The values a register has seen, bit k for value k, as far as it knows.
fn unpack(register: u8) -> u64 {
    let greatest = u32::from(register >> 2);
    if greatest == 0 {
        return 0;
    }
    let below = u64::from(register & 3);
    // Bits greatest − 1 and greatest − 2; there is no value 0.
    (4 | below) << greatest >> 2 & !1
}

fn pack(seen: u64) -> u8 {
    if seen == 0 {
        return 0;
    }
    let greatest = 63 - seen.leading_zeros();
    let below = if greatest >= 2 {
        seen >> (greatest - 2) & 3
    } else {
        (seen << (2 - greatest)) & 3
    };
    (greatest << 2) as u8 | below as u8
}

fn put(registers: &mut [u8; REGISTERS], hash: u64) {
    let (at, value) = place(hash);
    let register = registers[at];
    // Most hashes of a full sketch say nothing new.
    if u32::from(register >> 2) >= value + 3 {
        return;
    }
    registers[at] = pack(unpack(register) | 1 << value);
}

impl UltraLogLog {
    /// Takes the hash of a value.
    pub fn insert(&mut self, hash: u64) {
        match &mut self.0 {
            State::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > MOST_EXACT {
                    self.promote();
                }
            }
            State::Dense(registers) => put(registers, hash),
        }
    }

    fn promote(&mut self) {
        if let State::Exact(hashes) = &self.0 {
            let mut registers = Box::new([0; REGISTERS]);
            hashes.iter().for_each(|&hash| put(&mut registers, hash));
            self.0 = State::Dense(registers);
        }
    }

    /// Takes the values of another.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, State::Exact(theirs)) => theirs.iter().for_each(|&hash| self.insert(hash)),
            (State::Exact(_), State::Dense(theirs)) => {
                let State::Exact(mine) = std::mem::replace(&mut self.0, State::Dense(theirs.clone())) else {
                    return;
                };
                mine.into_iter().for_each(|hash| self.insert(hash));
            }
            (State::Dense(mine), State::Dense(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(theirs.iter()) {
                    if mine != theirs {
                        *mine = pack(unpack(*mine) | unpack(*theirs));
                    }
                }
            }
        }
    }

    /// Whether [`Self::estimate`] is the number itself.
    pub fn is_exact(&self) -> bool {
        matches!(self.0, State::Exact(_))
    }

    /// How many distinct values.
    pub fn estimate(&self) -> u64 {
        match &self.0 {
            State::Exact(hashes) => hashes.len() as u64,
            State::Dense(registers) => estimate(registers).round() as u64,
        }
    }

    /// Versioned little-endian bytes, equal for equal states: version, precision, kind, then ascending hashes or registers.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, PRECISION as u8];
        match &self.0 {
            State::Exact(hashes) => {
                bytes.push(EXACT);
                let mut hashes: Vec<u64> = hashes.iter().copied().collect();
                hashes.sort_unstable();
                hashes.iter().for_each(|hash| bytes.extend(hash.to_le_bytes()));
            }
            State::Dense(registers) => {
                bytes.push(DENSE);
                bytes.extend_from_slice(&registers[..]);
            }
        }
        bytes
    }

    /// From its bytes; never panics.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let state = match bytes {
            [VERSION, precision, EXACT, hashes @ ..] if u32::from(*precision) == PRECISION => exact(hashes),
            [VERSION, precision, DENSE, registers @ ..] if u32::from(*precision) == PRECISION => dense(registers),
            _ => None,
        };
        state.map(Self).ok_or_else(|| {
            Error::corrupt(
                "a stored count of distinct values is not readable",
                "bytes of an UltraLogLog",
            )
        })
    }
}

fn exact(bytes: &[u8]) -> Option<State> {
    let (hashes, rest) = bytes.as_chunks::<8>();
    let hashes: Vec<u64> = hashes.iter().map(|hash| u64::from_le_bytes(*hash)).collect();
    let is_sound = rest.is_empty() && hashes.len() <= MOST_EXACT && hashes.is_sorted_by(|a, b| a < b);
    is_sound.then(|| State::Exact(hashes.into_iter().collect()))
}

fn dense(bytes: &[u8]) -> Option<State> {
    let registers: Box<[u8; REGISTERS]> = bytes.to_vec().into_boxed_slice().try_into().ok()?;
    // What no hashes make, and fewer values than are kept exact.
    let is_register = |&register: &u8| pack(unpack(register)) == register && u32::from(register >> 2) <= LAST;
    registers.iter().all(is_register).then_some(State::Dense(registers))
}

/// Probability that a hash brings an update value to a given register, times the registers.
fn probability(value: u32) -> f64 {
    0.5f64.powi(value.min(LAST - 1) as i32)
}

/// The number of values under which the registers are likeliest, if values come as a Poisson process: then every update value of every
/// register is seen or not by itself, seen with the probability 1 − exp(−x·p), where x is the number of values a register. With `unseen`
/// the probabilities of all that is known not to have come, and `seen` how often each value is known to have come, the likelihood has
/// its maximum where Σ seen·p / (exp(x·p) − 1) = unseen; the left side falls as x grows.
fn estimate(registers: &[u8; REGISTERS]) -> f64 {
    let (mut seen, mut unseen) = ([0u64; LAST as usize + 1], 0.0);
    for &register in registers {
        let greatest = u32::from(register >> 2);
        let known = unpack(register);
        // All above the greatest, which come to as much as the greatest itself, but for the last.
        unseen += match greatest {
            0 => 1.0,
            LAST => 0.0,
            greatest => probability(greatest),
        };
        for value in greatest.saturating_sub(2).max(1)..=greatest {
            if known >> value & 1 == 1 {
                seen[value as usize] += 1;
            } else {
                unseen += probability(value);
            }
        }
    }
    let surplus = |x: f64| -> f64 {
        let terms = (1..=LAST).filter(|&value| seen[value as usize] > 0).map(|value| {
            let p = probability(value);
            seen[value as usize] as f64 * p / (x * p).exp_m1()
        });
        terms.sum::<f64>() - unseen
    };
    if unseen == 0.0 {
        return f64::MAX;
    }
    // From an upper bound that doubles on, halved to the last bit that matters.
    let mut high = 1e-4;
    while surplus(high) > 0.0 {
        high *= 2.0;
    }
    let mut low = high / 2.0;
    while (high - low) / high > 1e-9 {
        let middle = f64::midpoint(low, high);
        if surplus(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high * REGISTERS as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn of(hashes: impl Iterator<Item = u64>) -> UltraLogLog {
        let mut sketch = UltraLogLog::default();
        hashes.for_each(|hash| sketch.insert(hash));
        sketch
    }

    fn hash(value: u64) -> u64 {
        xxh3_64(&value.to_le_bytes())
    }

    #[test]
    fn few_values_are_counted_exactly() {
        let sketch = of((0..3_000).map(|value| hash(value % 1_024)));
        assert!(sketch.is_exact());
        assert_eq!(sketch.estimate(), 1_024);
    }

    #[test]
    fn estimates_stay_within_four_standard_errors() {
        let mut squares = 0.0;
        let mut count = 0.0;
        for seed in 0..20u64 {
            let mut sketch = UltraLogLog::default();
            let mut next = 2_000u64;
            for value in 0..500_000u64 {
                sketch.insert(hash(value | seed << 40));
                if value + 1 == next {
                    let error = sketch.estimate() as f64 / next as f64 - 1.0;
                    assert!(error.abs() < 4.0 * STANDARD_ERROR, "{next}: {error}");
                    squares += error * error;
                    count += 1.0;
                    next = next * 3 / 2;
                }
            }
        }
        let spread = f64::sqrt(squares / count);
        assert!(spread < 1.05 * STANDARD_ERROR, "{spread}");
    }

    #[test]
    fn a_register_remembers_three_values() {
        assert_eq!(unpack(0), 0);
        for seen in [0b10u64, 0b100, 0b110, 0b1000, 0b1010, 0b1100, 0b1110, 1 << LAST] {
            assert_eq!(unpack(pack(seen)), seen, "{seen:b}");
        }
        assert_eq!(unpack(pack(0b11110)), 0b11100);
        assert_eq!(place(u64::MAX), (REGISTERS - 1, 1));
        assert_eq!(place(0), (0, LAST));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_split_and_order_make_the_same_bytes(
            n in prop_oneof![0u64..50, 1_000u64..1_100, 2_000u64..6_000],
            cuts in prop::collection::vec(any::<u16>(), 0..6),
            seed in any::<u64>(),
        ) {
            let hashes: Vec<u64> = (0..n).map(|value| hash(value ^ seed)).collect();
            let whole = of(hashes.iter().copied());
            let mut parts = vec![UltraLogLog::default(); cuts.len() + 1];
            for (at, &hash) in hashes.iter().enumerate() {
                let part = cuts.iter().position(|&cut| (at * 7_919) as u16 > cut).unwrap_or(cuts.len());
                parts[part].insert(hash);
                parts[(at * 31) % (cuts.len() + 1)].insert(hash);
            }
            let mut merged = parts.pop().unwrap();
            while let Some(part) = parts.pop() {
                if parts.len() % 2 == 0 {
                    merged.merge(&part);
                } else {
                    let mut other = part;
                    other.merge(&merged);
                    merged = other;
                }
            }
            prop_assert_eq!(merged.to_bytes(), whole.to_bytes());
            let read = UltraLogLog::from_bytes(&whole.to_bytes()).unwrap();
            prop_assert_eq!(read, whole);
        }

        #[test]
        fn damaged_bytes_are_refused_or_sound(n in 0u64..3_000, at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = of((0..n).map(hash)).to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(sketch) = UltraLogLog::from_bytes(&bytes) {
                let _ = sketch.estimate();
                prop_assert_eq!(sketch.to_bytes(), bytes.clone());
            }
            bytes.truncate(at);
            let _ = UltraLogLog::from_bytes(&bytes);
        }
    }
}
