//! Integers less their least, divided by what divides all of these: what frames, deltas and lines are made from. A clock
//! that ticks in milliseconds, prices in steps of five cents and counters of whole pages all shrink so.

use super::BLOCK;
use super::dispatch::dispatched;

/// `value = origin + scale · quotient`, wrapping, with quotients as the bits of naturals.
pub(super) struct Scaled {
    pub(super) origin: i64,
    pub(super) scale: u64,
    pub(super) quotients: [i64; BLOCK],
    pub(super) rows: usize,
}

impl Scaled {
    /// Of values whose least is `origin`; not all are equal.
    pub(super) fn new(values: &[i64], origin: i64) -> Self {
        let rows = values.len();
        let mut scaled = Self {
            origin,
            scale: 1,
            quotients: [0; BLOCK],
            rows,
        };
        let difference = |&value: &i64| value.wrapping_sub(origin) as u64;
        // Most blocks have no common divisor, and a few values tell: some far apart, and neighbours for the sake of clocks.
        let neighbours = values.iter().take(8);
        let sample = neighbours
            .chain(values.iter().step_by((rows / 8).max(1)))
            .map(difference);
        let guess = sample.fold(0, divisor);
        if guess > 1 && !divide(values, origin, guess, &mut scaled.quotients) {
            scaled.scale = values.iter().map(difference).fold(guess, divisor);
            divide(values, origin, scaled.scale, &mut scaled.quotients);
        } else if guess > 1 {
            scaled.scale = guess;
        } else {
            // All of a sample may be the least value itself; what is lost then is a rare block's divisor.
            subtract(values, origin, &mut scaled.quotients);
        }
        scaled
    }

    /// The quotients of the block's rows.
    pub(super) fn quotients(&self) -> &[i64] {
        &self.quotients[..self.rows]
    }

    /// The value of a quotient.
    pub(super) fn value(&self, quotient: i64) -> i64 {
        self.origin.wrapping_add(quotient.wrapping_mul(self.scale as i64))
    }
}

/// Greatest common divisor; of 0 and another, the other.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

dispatched! {
    fn subtract(values: &[i64], origin: i64, out: &mut [i64; BLOCK]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = value.wrapping_sub(origin);
        }
    }
}

/// Divides all differences to the origin; false, with `out` unspecified, if one of them is no multiple.
fn divide(values: &[i64], origin: i64, by: u64, out: &mut [i64; BLOCK]) -> bool {
    // An exact division is a multiplication by the odd part's inverse modulo 2⁶⁴ and a rotation; of what is no multiple it
    // makes a number too great for a quotient (Warren, Hacker's Delight, 2nd edition, 10-17).
    let twos = by.trailing_zeros();
    let odd = by >> twos;
    let mut inverse = odd;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    divide_exactly(values, origin, inverse, twos, u64::MAX / by, out)
}

dispatched! {
    fn divide_exactly(values: &[i64], origin: i64, inverse: u64, twos: u32, most: u64, out: &mut [i64; BLOCK]) -> bool {
        let mut exact = true;
        for (out, &value) in out.iter_mut().zip(values) {
            let quotient = (value.wrapping_sub(origin) as u64).wrapping_mul(inverse).rotate_right(twos);
            exact &= quotient <= most;
            *out = quotient as i64;
        }
        exact
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_divisor_is_found_and_exact() {
        let values: Vec<i64> = (0..100).map(|row| i64::MIN + row * row * 6_000_000).collect();
        let scaled = Scaled::new(&values, i64::MIN);
        assert_eq!(scaled.scale, 6_000_000);
        assert!(
            scaled
                .quotients()
                .iter()
                .zip(0..100)
                .all(|(&quotient, row)| quotient == row * row)
        );
        assert!(
            scaled
                .quotients()
                .iter()
                .zip(&values)
                .all(|(&quotient, &value)| scaled.value(quotient) == value)
        );
    }

    #[test]
    fn a_value_that_the_sample_missed_lowers_the_divisor() {
        let mut values: Vec<i64> = (0..1024).map(|row| row * 1_000).collect();
        values[11] += 50;
        let scaled = Scaled::new(&values, 0);
        assert_eq!(
            (scaled.scale, scaled.quotients[11], scaled.quotients[12]),
            (50, 221, 240)
        );
        values[11] += 1;
        assert_eq!(Scaled::new(&values, 0).scale, 1);
    }

    #[test]
    fn divisors_of_all_64_bits_work() {
        assert_eq!(Scaled::new(&[i64::MIN, -1], i64::MIN).scale, i64::MAX as u64);
        assert_eq!(Scaled::new(&[i64::MIN, i64::MAX], i64::MIN).scale, u64::MAX);
        assert_eq!(Scaled::new(&[i64::MIN, 0], i64::MIN).scale, 1 << 63);
    }
}
