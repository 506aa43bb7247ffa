//! Bucket numbers of the base-2 exponential histogram at scale 6: γ = 2^(1/64), bucket `i` holds (γ^i, γ^(i+1)].

/// Mantissa bits of 2^(k/64), rounded down: a mantissa lies above the edge iff its bits are greater. The edge of k = 0 is
/// exact, the others are irrational, so no double equals one. Checked against big integers below.
const EDGES: [u64; 64] = [
    0x0000000000000,
    0x02c9a3e778060,
    0x059b0d3158574,
    0x0874518759bc8,
    0x0b5586cf9890f,
    0x0e3ec32d3d1a2,
    0x11301d0125b50,
    0x1429aaea92ddf,
    0x172b83c7d517a,
    0x1a35beb6fcb75,
    0x1d4873168b9aa,
    0x2063b88628cd6,
    0x2387a6e756238,
    0x26b4565e27cdd,
    0x29e9df51fdee1,
    0x2d285a6e4030b,
    0x306fe0a31b715,
    0x33c08b26416ff,
    0x371a7373aa9ca,
    0x3a7db34e59ff6,
    0x3dea64c123422,
    0x4160a21f72e29,
    0x44e086061892d,
    0x486a2b5c13cd0,
    0x4bfdad5362a27,
    0x4f9b2769d2ca6,
    0x5342b569d4f81,
    0x56f4736b527da,
    0x5ab07dd485429,
    0x5e76f15ad2148,
    0x6247eb03a5584,
    0x6623882552224,
    0x6a09e667f3bcc,
    0x6dfb23c651a2e,
    0x71f75e8ec5f73,
    0x75feb564267c8,
    0x7a11473eb0186,
    0x7e2f336cf4e62,
    0x82589994cce12,
    0x868d99b4492ec,
    0x8ace5422aa0db,
    0x8f1ae99157736,
    0x93737b0cdc5e4,
    0x97d829fde4e4f,
    0x9c49182a3f090,
    0xa0c667b5de564,
    0xa5503b23e255c,
    0xa9e6b5579fdbf,
    0xae89f995ad3ad,
    0xb33a2b84f15fa,
    0xb7f76f2fb5e46,
    0xbcc1e904bc1d2,
    0xc199bdd85529c,
    0xc67f12e57d14b,
    0xcb720dcef9069,
    0xd072d4a07897b,
    0xd5818dcfba487,
    0xda9e603db3285,
    0xdfc97337b9b5e,
    0xe502ee78b3ff6,
    0xea4afa2a490d9,
    0xefa1bee615a27,
    0xf50765b6e4540,
    0xfa7c1819e90d8,
];

/// For each value of a mantissa's upper seven bits: edges below all such mantissas, and the one edge among them. Edges are
/// 0.0109 apart or more and slots 0.0078 wide, so no slot has two.
struct Slots {
    below: [i32; 128],
    edge: [u64; 128],
}

const SLOTS: Slots = {
    let mut slots = Slots {
        below: [0; 128],
        edge: [u64::MAX; 128],
    };
    let mut slot = 0;
    let mut k = 0;
    while slot < 128 {
        slots.below[slot] = k as i32;
        if k < 64 && (EDGES[k] >> 45) as usize == slot {
            slots.edge[slot] = EDGES[k];
            k += 1;
        }
        slot += 1;
    }
    slots
};

const MANTISSA: u64 = (1 << 52) - 1;

/// Bucket of a normal positive double.
#[inline(always)]
pub fn bucket_of_normal(value: f64) -> i32 {
    let bits = value.to_bits();
    let (exponent, mantissa) = ((bits >> 52) as i32 - 1023, bits & MANTISSA);
    let slot = (mantissa >> 45) as usize;
    exponent * 64 - 1 + SLOTS.below[slot] + i32::from(mantissa > SLOTS.edge[slot])
}

/// Bucket of a positive finite double.
#[inline]
pub fn bucket_of(value: f64) -> i32 {
    debug_assert!(value > 0.0 && value.is_finite());
    if value >= f64::MIN_POSITIVE {
        bucket_of_normal(value)
    } else {
        // Exact, since it only moves the exponent.
        bucket_of_normal(value * f64::from_bits((1023 + 64) << 52)) - 64 * 64
    }
}

/// Value that is at most [`relative_error`] away from every value of a bucket whose neighbours were joined `shift` times,
/// relative to it: 2γ/(γ+1) of its lower edge. Subnormal ones are rounded to the doubles there are.
pub fn midpoint(bucket: i32, shift: u32) -> f64 {
    let gamma = gamma(shift);
    times_edge(2.0 * gamma / (gamma + 1.0), bucket, shift)
}

/// Edges of a bucket whose neighbours were joined `shift` times: it holds values above the lower and up to the upper. Past the
/// greatest double it ends there, subnormal ones are rounded.
pub fn edges(bucket: i32, shift: u32) -> (f64, f64) {
    let edge = |bucket| times_edge(1.0, bucket, shift).min(f64::MAX);
    (edge(bucket), edge(bucket + 1))
}

/// A factor times the lower edge of a bucket.
fn times_edge(factor: f64, bucket: i32, shift: u32) -> f64 {
    let lower = bucket << shift;
    let (octave, step) = (lower.div_euclid(64), lower.rem_euclid(64));
    let mut value = f64::from_bits(1023 << 52 | EDGES[step as usize]) * factor;
    let mut left = octave;
    while left < -1000 {
        value *= f64::from_bits((1023 - 1000) << 52);
        left += 1000;
    }
    while left > 1000 {
        value *= f64::from_bits((1023 + 1000) << 52);
        left -= 1000;
    }
    value * f64::from_bits(((1023 + left) as u64) << 52)
}

/// Ratio of a bucket's edges after joining neighbours `shift` times: 2^(2^shift / 64).
fn gamma(shift: u32) -> f64 {
    match 1usize << shift {
        step @ 0..64 => f64::from_bits(1023 << 52 | EDGES[step]),
        step => 2f64.powi(step as i32 / 64),
    }
}

/// Bound of the relative error of an estimate: (γ−1)/(γ+1).
pub fn relative_error(shift: u32) -> f64 {
    (gamma(shift) - 1.0) / (gamma(shift) + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Product of big integers in 32-bit limbs.
    fn times(a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut out = vec![0u64; a.len() + b.len()];
        for (i, x) in a.iter().enumerate() {
            let mut carry = 0u64;
            for (j, y) in b.iter().enumerate() {
                let sum = out[i + j] + x * y + carry;
                out[i + j] = sum & 0xffff_ffff;
                carry = sum >> 32;
            }
            out[i + b.len()] += carry;
        }
        out
    }

    /// value^64 against 2^exponent.
    fn power_64_is_at_most(value: u64, exponent: usize) -> bool {
        let mut power = vec![value & 0xffff_ffff, value >> 32];
        (0..6).for_each(|_| power = times(&power, &power));
        let bit = |at: usize| power.get(at / 32).is_some_and(|limb| limb >> (at % 32) & 1 == 1);
        let highest = (0..power.len() * 32).rev().find(|&at| bit(at)).unwrap();
        highest < exponent || (highest == exponent && (0..exponent).all(|at| !bit(at)))
    }

    #[test]
    fn edges_are_the_exact_roots_rounded_down() {
        for (k, edge) in EDGES.iter().enumerate() {
            let value = 1 << 52 | edge;
            assert!(power_64_is_at_most(value, 52 * 64 + k));
            assert!(!power_64_is_at_most(value + 1, 52 * 64 + k));
        }
    }

    #[test]
    fn buckets_hold_their_upper_edge() {
        assert_eq!(bucket_of(1.0), -1);
        assert_eq!(bucket_of(1.0f64.next_up()), 0);
        assert_eq!(bucket_of(2.0), 63);
        assert_eq!(bucket_of(2.0f64.next_up()), 64);
        for (k, &edge) in EDGES.iter().enumerate().skip(1) {
            let below = f64::from_bits(1023 << 52 | edge);
            assert_eq!(bucket_of(below), k as i32 - 1);
            assert_eq!(bucket_of(below.next_up()), k as i32);
        }
        assert_eq!(bucket_of(f64::MAX), 1024 * 64 - 1);
        assert_eq!(bucket_of(f64::from_bits(1)), -1074 * 64 - 1);
        assert_eq!(bucket_of(f64::MIN_POSITIVE), -1022 * 64 - 1);
        assert_eq!(bucket_of(f64::MIN_POSITIVE.next_down()), -1022 * 64 - 1);
    }

    proptest! {
        #[test]
        fn the_midpoint_is_near_every_value(exponent in -1000i32..1023, mantissa in 1.0f64..2.0, shift in 0u32..=7) {
            let value = mantissa * 2f64.powi(exponent);
            let middle = midpoint(bucket_of(value) >> shift, shift);
            prop_assert!((middle - value).abs() <= value * relative_error(shift) * (1.0 + 1e-12));
        }

        #[test]
        fn a_value_lies_between_the_edges_of_its_bucket(exponent in -1000i32..1023, mantissa in 1.0f64..2.0, shift in 0u32..=7) {
            let value = mantissa * 2f64.powi(exponent);
            let (lower, upper) = edges(bucket_of(value) >> shift, shift);
            prop_assert!(lower < value && value <= upper, "{} {} {}", lower, value, upper);
        }

        #[test]
        fn buckets_never_fall_as_values_grow(bits in 1u64..0x7fef_ffff_ffff_ffff) {
            let value = f64::from_bits(bits);
            prop_assert!(bucket_of(value) <= bucket_of(value.next_up()));
            let by_logarithm = (value.log2() * 64.0).ceil() - 1.0;
            prop_assert!((f64::from(bucket_of(value)) - by_logarithm).abs() <= 1.0);
        }
    }

    #[test]
    fn the_last_bucket_ends_at_the_greatest_double() {
        assert_eq!(edges(bucket_of(f64::MAX), 0).1, f64::MAX);
        assert_eq!(edges(bucket_of(f64::MAX) >> 7, 7), (2f64.powi(1022), f64::MAX));
    }

    #[test]
    fn the_bound_at_full_scale_is_half_a_percent() {
        assert!((relative_error(0) - 0.005_415).abs() < 1e-6);
    }
}
