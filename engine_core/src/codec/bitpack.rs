//! Bit packing of 1,024 unsigned integers at one width, lanes interleaved so that a plain loop over lanes
//! becomes SIMD (the idea of FastLanes: Afroozeh & Boncz 2023, PVLDB 16(9); the bit order here is our own, see FORMAT.md).
//!
//! Values `i` of a block are dealt to `L = 1024 / bits(T)` lanes: value `i` lies in lane `i % L` as its `i / L`-th.
//! Each lane packs its values from the least significant bit on into `width` words; word `j` of lane `l` stands at `j·L + l`.

macro_rules! bitpack {
    ($pack:ident, $unpack:ident, $word:ty, $lanes:expr) => {
        /// Packs the low `width` bits of 1,024 values, appending `128 · width` little-endian bytes.
        pub fn $pack(values: &[$word; 1024], width: u32, out: &mut Vec<u8>) {
            const LANES: usize = $lanes;
            const BITS: u32 = <$word>::BITS;
            if width == 0 {
                return;
            }
            debug_assert!(width <= BITS);
            let mask = <$word>::MAX >> (BITS - width);
            let mut word = [0 as $word; LANES];
            let mut filled = 0u32;
            for row in 0..1024 / LANES {
                let values: &[$word; LANES] = values[row * LANES..][..LANES].try_into().expect("a row of lanes");
                for lane in 0..LANES {
                    word[lane] |= (values[lane] & mask) << filled;
                }
                filled += width;
                if filled >= BITS {
                    for lane in &word {
                        out.extend_from_slice(&lane.to_le_bytes());
                    }
                    filled -= BITS;
                    if filled == 0 {
                        word = [0; LANES];
                    } else {
                        let shift = width - filled;
                        for lane in 0..LANES {
                            word[lane] = (values[lane] & mask) >> shift;
                        }
                    }
                }
            }
            debug_assert_eq!(filled, 0);
        }

        /// Unpacks 1,024 values of `width` bits. False, with `out` unspecified, if `bytes` is not `128 · width` long.
        #[must_use]
        pub fn $unpack(bytes: &[u8], width: u32, out: &mut [$word; 1024]) -> bool {
            const LANES: usize = $lanes;
            const BITS: u32 = <$word>::BITS;
            const BYTES: usize = BITS as usize / 8;
            if width > BITS || bytes.len() != 128 * width as usize {
                return false;
            }
            if width == 0 {
                out.fill(0);
                return true;
            }
            let mask = <$word>::MAX >> (BITS - width);
            let load = |at: usize| -> [$word; LANES] {
                let mut words = [0 as $word; LANES];
                let bytes = &bytes[at * LANES * BYTES..][..LANES * BYTES];
                for (word, le) in words.iter_mut().zip(bytes.chunks_exact(BYTES)) {
                    *word = <$word>::from_le_bytes(le.try_into().expect("a word"));
                }
                words
            };
            let mut word = load(0);
            let (mut next, mut used) = (1usize, 0u32);
            for row in out.chunks_exact_mut(LANES) {
                let row: &mut [$word; LANES] = row.try_into().expect("a row of lanes");
                for lane in 0..LANES {
                    row[lane] = (word[lane] >> used) & mask;
                }
                used += width;
                if used >= BITS {
                    used -= BITS;
                    if next < width as usize {
                        word = load(next);
                        next += 1;
                    }
                    if used > 0 {
                        let shift = width - used;
                        for lane in 0..LANES {
                            row[lane] |= (word[lane] << shift) & mask;
                        }
                    }
                }
            }
            true
        }
    };
}

bitpack!(pack_u64, unpack_u64, u64, 16);
bitpack!(pack_u32, unpack_u32, u32, 32);

/// Bits that the value needs: 0 for 0.
pub fn width_of(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn u64_round_trips_at_every_width(seed: u64, width in 0u32..=64) {
            let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
            let mut state = seed;
            let values: [u64; 1024] = std::array::from_fn(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state ^ (state >> 29)) & mask
            });
            let mut bytes = Vec::new();
            pack_u64(&values, width, &mut bytes);
            prop_assert_eq!(bytes.len(), 128 * width as usize);
            let mut back = [0; 1024];
            prop_assert!(unpack_u64(&bytes, width, &mut back));
            prop_assert_eq!(&values[..], &back[..]);
        }

        #[test]
        fn u32_round_trips_at_every_width(seed: u64, width in 0u32..=32) {
            let mask = if width == 0 { 0 } else { u32::MAX >> (32 - width) };
            let mut state = seed;
            let values: [u32; 1024] = std::array::from_fn(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 32) as u32 & mask
            });
            let mut bytes = Vec::new();
            pack_u32(&values, width, &mut bytes);
            prop_assert_eq!(bytes.len(), 128 * width as usize);
            let mut back = [0; 1024];
            prop_assert!(unpack_u32(&bytes, width, &mut back));
            prop_assert_eq!(&values[..], &back[..]);
        }
    }

    #[test]
    fn a_wrong_length_or_width_is_refused() {
        let mut out = [0u64; 1024];
        assert!(!unpack_u64(&[0; 127], 1, &mut out));
        assert!(!unpack_u64(&[0; 128], 65, &mut out));
        assert!(unpack_u64(&[], 0, &mut out));
    }
}
