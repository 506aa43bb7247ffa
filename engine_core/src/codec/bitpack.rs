//! Bit packing of 1,024 unsigned integers at one width, lanes interleaved so that a plain loop over lanes
//! becomes SIMD (the idea of FastLanes: Afroozeh & Boncz 2023, PVLDB 16(9); the bit order here is our own, see FORMAT.md).
//!
//! Values `i` of a block are dealt to `L = 1024 / bits(T)` lanes: value `i` lies in lane `i % L` as its `i / L`-th.
//! Each lane packs its values from the least significant bit on into `width` words; word `j` of lane `l` stands at `j·L + l`.
//! A short block ends with the last `j` at which a lane holds a value, the words of all lanes standing there: there are
//! ⌈⌈values / L⌉ · width / bits(T)⌉ words a lane.
//!
//! A row of lanes is read as two loads, shifts and a mask, whatever its place: no branch and nothing carried from row to row.

use super::BLOCK;
use super::dispatch::dispatched;

/// Bytes of one word of every lane.
pub(super) const LINE: usize = 128;

macro_rules! bitpack {
    ($pack:ident, $unpack:ident, $rows:ident, $word:ty, $lanes:expr) => {
        dispatched! {
            /// Packs the low `width` bits of 1,024 values, appending `128 · width` little-endian bytes.
            pub fn $pack(values: &[$word; BLOCK], width: u32, out: &mut Vec<u8>) {
                const LANES: usize = $lanes;
                const BITS: u32 = <$word>::BITS;
                const BYTES: usize = BITS as usize / 8;
                if width == 0 {
                    return;
                }
                debug_assert!(width <= BITS);
                let mask = <$word>::MAX >> (BITS - width);
                let start = out.len();
                out.resize(start + LINE * width as usize, 0);
                let mut lines = out[start..].chunks_exact_mut(LINE);
                let mut word = [0 as $word; LANES];
                let mut filled = 0u32;
                for row in values.chunks_exact(LANES) {
                    let row: &[$word; LANES] = row.try_into().expect("a row of lanes");
                    for lane in 0..LANES {
                        word[lane] |= (row[lane] & mask) << filled;
                    }
                    filled += width;
                    if filled >= BITS {
                        let line = lines.next().expect("`width` lines");
                        for (bytes, word) in line.chunks_exact_mut(BYTES).zip(&word) {
                            bytes.copy_from_slice(&word.to_le_bytes());
                        }
                        filled -= BITS;
                        // What is left over of this row; nothing is, if it ended with the word.
                        for lane in 0..LANES {
                            word[lane] = ((row[lane] & mask) >> 1) >> (width - filled - 1);
                        }
                    }
                }
                debug_assert_eq!(filled, 0);
            }
        }

        /// Calls with the number and values of each row of lanes. `bytes` are `128 · width`, `width` is 1 to the word's.
        #[inline(always)]
        fn $rows(bytes: &[u8], width: u32, mut each: impl FnMut(usize, &[$word; $lanes])) {
            const LANES: usize = $lanes;
            const BITS: u32 = <$word>::BITS;
            let load = |line: usize| -> [$word; LANES] {
                let mut words = [0 as $word; LANES];
                let bytes = bytes[line * LINE..][..LINE].chunks_exact(BITS as usize / 8);
                for (word, le) in words.iter_mut().zip(bytes) {
                    *word = <$word>::from_le_bytes(le.try_into().expect("a word"));
                }
                words
            };
            let mask = <$word>::MAX >> (BITS - width);
            let last = width as usize - 1;
            for row in 0..BITS {
                let (line, shift) = ((row * width / BITS) as usize, row * width % BITS);
                // Where a value ends with its word, the mask takes away all of what is not its own.
                let (low, high) = (load(line), load((line + 1).min(last)));
                let mut values = [0 as $word; LANES];
                for lane in 0..LANES {
                    values[lane] = (low[lane] >> shift | (high[lane] << (BITS - 1 - shift)) << 1) & mask;
                }
                each(row as usize, &values);
            }
        }

        dispatched! {
            /// Unpacks 1,024 values of `width` bits. False, with `out` unspecified, if `bytes` is not `128 · width` long.
            #[must_use]
            pub fn $unpack(bytes: &[u8], width: u32, out: &mut [$word; BLOCK]) -> bool {
                if width > <$word>::BITS || bytes.len() != LINE * width as usize {
                    return false;
                }
                if width == 0 {
                    out.fill(0);
                    return true;
                }
                $rows(bytes, width, |row, values| {
                    out[row * $lanes..][..$lanes].copy_from_slice(values);
                });
                true
            }
        }
    };
}

bitpack!(pack_u64, unpack_u64, rows_u64, u64, 16);
bitpack!(pack_u32, unpack_u32, rows_u32, u32, 32);

/// Bits that the value needs: 0 for 0.
pub fn width_of(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Bits of the words that values of a width are packed in by [`pack`].
fn word_bits(width: u32) -> usize {
    if width <= 32 { 32 } else { 64 }
}

/// Bytes that [`pack`] appends for so many values.
pub(super) fn packed_len(values: usize, width: u32) -> usize {
    let bits = word_bits(width);
    (values.div_ceil(BLOCK / bits) * width as usize).div_ceil(bits) * LINE
}

/// Packs the low `width` bits of a block that may be short, in words of 32 bits up to a width of 32 and of 64 above.
/// `codes` from `values` on are 0, and words that hold nothing else are left off.
pub(super) fn pack(codes: &[u64; BLOCK], values: usize, width: u32, out: &mut Vec<u8>) {
    let start = out.len();
    if width <= 32 {
        let mut narrow = [0u32; BLOCK];
        for (narrow, &code) in narrow.iter_mut().zip(codes) {
            *narrow = code as u32;
        }
        pack_u32(&narrow, width, out);
    } else {
        pack_u64(codes, width, out);
    }
    out.truncate(start + packed_len(values, width));
}

/// What [`pack`] wrote: the words of a whole block, checked for width and length.
#[derive(Clone, Debug)]
pub(super) struct Packed<'a> {
    words: std::borrow::Cow<'a, [u8]>,
    width: u32,
}

impl<'a> Packed<'a> {
    /// None if the width is beyond 64 or the bytes are not as long as so many values need.
    pub(super) fn new(bytes: &'a [u8], values: usize, width: u32) -> Option<Self> {
        if width > 64 || values > BLOCK || bytes.len() != packed_len(values, width) {
            return None;
        }
        let mut words = std::borrow::Cow::Borrowed(bytes);
        if bytes.len() < LINE * width as usize {
            words.to_mut().resize(LINE * width as usize, 0);
        }
        Some(Self { words, width })
    }

    /// `offset + scale · code` of every value, wrapping.
    pub(super) fn affine(&self, offset: i64, scale: u64, out: &mut [i64; BLOCK]) {
        match self.width {
            0 => out.fill(offset),
            1..=32 if scale == 1 => offset_32(&self.words, self.width, offset, out),
            1..=32 => affine_32(&self.words, self.width, offset, scale, out),
            _ if scale == 1 => offset_64(&self.words, self.width, offset, out),
            _ => affine_64(&self.words, self.width, offset, scale, out),
        }
    }

    /// `offset + code` of every value, wrapping in 32 bits.
    pub(super) fn narrow(&self, offset: u32, out: &mut [u32; BLOCK]) {
        match self.width {
            0 => out.fill(offset),
            1..=32 => narrow_32(&self.words, self.width, offset, out),
            _ => narrow_64(&self.words, self.width, offset, out),
        }
    }

    /// One of the block's codes.
    pub(super) fn code(&self, row: usize) -> u64 {
        if self.width == 0 {
            return 0;
        }
        let bits = word_bits(self.width);
        let lanes = BLOCK / bits;
        let (lane, from) = (row % lanes, row / lanes * self.width as usize);
        let word = |line: usize| -> u64 {
            let bytes = &self.words[line * LINE + lane * (bits / 8)..][..bits / 8];
            let mut le = [0; 8];
            le[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(le)
        };
        let (line, shift) = (from / bits, (from % bits) as u32);
        let mut code = u128::from(word(line)) >> shift;
        if shift + self.width > bits as u32 {
            code |= u128::from(word(line + 1)) << (bits as u32 - shift);
        }
        code as u64 & self.greatest()
    }

    /// Greatest code of the width.
    pub(super) fn greatest(&self) -> u64 {
        u64::MAX.checked_shr(64 - self.width).unwrap_or(0)
    }

    /// Sum of the codes.
    pub(super) fn sum(&self) -> u128 {
        match self.width {
            0 => 0,
            1..=27 => sum_27(&self.words, self.width).into(),
            28..=32 => sum_32(&self.words, self.width).into(),
            _ => {
                let (low, high) = sum_64(&self.words, self.width);
                u128::from(low) + (u128::from(high) << 32)
            }
        }
    }
}

dispatched! {
    fn offset_32(words: &[u8], width: u32, offset: i64, out: &mut [i64; BLOCK]) {
        rows_u32(words, width, |row, codes| {
            for (out, &code) in out[row * 32..][..32].iter_mut().zip(codes) {
                *out = offset.wrapping_add(code.into());
            }
        });
    }
}

dispatched! {
    fn affine_32(words: &[u8], width: u32, offset: i64, scale: u64, out: &mut [i64; BLOCK]) {
        rows_u32(words, width, |row, codes| {
            for (out, &code) in out[row * 32..][..32].iter_mut().zip(codes) {
                *out = offset.wrapping_add(u64::from(code).wrapping_mul(scale) as i64);
            }
        });
    }
}

dispatched! {
    fn offset_64(words: &[u8], width: u32, offset: i64, out: &mut [i64; BLOCK]) {
        rows_u64(words, width, |row, codes| {
            for (out, &code) in out[row * 16..][..16].iter_mut().zip(codes) {
                *out = offset.wrapping_add(code as i64);
            }
        });
    }
}

dispatched! {
    fn affine_64(words: &[u8], width: u32, offset: i64, scale: u64, out: &mut [i64; BLOCK]) {
        rows_u64(words, width, |row, codes| {
            for (out, &code) in out[row * 16..][..16].iter_mut().zip(codes) {
                *out = offset.wrapping_add(code.wrapping_mul(scale) as i64);
            }
        });
    }
}

dispatched! {
    fn narrow_32(words: &[u8], width: u32, offset: u32, out: &mut [u32; BLOCK]) {
        rows_u32(words, width, |row, codes| {
            for (out, &code) in out[row * 32..][..32].iter_mut().zip(codes) {
                *out = offset.wrapping_add(code);
            }
        });
    }
}

dispatched! {
    fn narrow_64(words: &[u8], width: u32, offset: u32, out: &mut [u32; BLOCK]) {
        rows_u64(words, width, |row, codes| {
            for (out, &code) in out[row * 16..][..16].iter_mut().zip(codes) {
                *out = offset.wrapping_add(code as u32);
            }
        });
    }
}

dispatched! {
    /// Sums of a lane's 32 codes of at most 27 bits stay below 2³².
    fn sum_27(words: &[u8], width: u32) -> u64 {
        let mut sums = [0u32; 32];
        rows_u32(words, width, |_, codes| {
            for (sum, &code) in sums.iter_mut().zip(codes) {
                *sum = sum.wrapping_add(code);
            }
        });
        sums.iter().map(|&sum| u64::from(sum)).sum()
    }
}

dispatched! {
    fn sum_32(words: &[u8], width: u32) -> u64 {
        let mut sums = [0u64; 32];
        rows_u32(words, width, |_, codes| {
            for (sum, &code) in sums.iter_mut().zip(codes) {
                *sum = sum.wrapping_add(code.into());
            }
        });
        sums.iter().sum()
    }
}

dispatched! {
    /// Sums of the lower and of the upper halves of the codes.
    fn sum_64(words: &[u8], width: u32) -> (u64, u64) {
        let (mut lows, mut highs) = ([0u64; 16], [0u64; 16]);
        rows_u64(words, width, |_, codes| {
            for lane in 0..16 {
                lows[lane] = lows[lane].wrapping_add(codes[lane] & 0xFFFF_FFFF);
                highs[lane] = highs[lane].wrapping_add(codes[lane] >> 32);
            }
        });
        (lows.iter().sum(), highs.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Codes of a width without a pattern.
    fn codes(seed: u64, width: u32) -> [u64; BLOCK] {
        let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
        let mut state = seed;
        std::array::from_fn(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state ^ (state >> 29)) & mask
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn u64_round_trips_at_every_width(seed: u64, width in 0u32..=64) {
            let values = codes(seed, width);
            let mut bytes = Vec::new();
            pack_u64(&values, width, &mut bytes);
            prop_assert_eq!(bytes.len(), 128 * width as usize);
            let mut back = [0; 1024];
            prop_assert!(unpack_u64(&bytes, width, &mut back));
            prop_assert_eq!(&values[..], &back[..]);
        }

        #[test]
        fn u32_round_trips_at_every_width(seed: u64, width in 0u32..=32) {
            let values = codes(seed, width).map(|code| code as u32);
            let mut bytes = Vec::new();
            pack_u32(&values, width, &mut bytes);
            prop_assert_eq!(bytes.len(), 128 * width as usize);
            let mut back = [0; 1024];
            prop_assert!(unpack_u32(&bytes, width, &mut back));
            prop_assert_eq!(&values[..], &back[..]);
        }

        #[test]
        fn blocks_of_any_length_are_mapped_and_summed_as_they_were(seed: u64, width in 0u32..=64, n in 1usize..=1024) {
            let mut values = codes(seed, width);
            values[n..].fill(0);
            let mut bytes = Vec::new();
            pack(&values, n, width, &mut bytes);
            prop_assert_eq!(bytes.len(), packed_len(n, width));
            let packed = Packed::new(&bytes, n, width).unwrap();
            let mut back = [0i64; BLOCK];
            packed.affine(-7, 3, &mut back);
            for (back, value) in back.iter().zip(&values[..n]) {
                prop_assert_eq!(*back, value.wrapping_mul(3).wrapping_sub(7) as i64);
            }
            let mut narrow = [0u32; BLOCK];
            packed.narrow(5, &mut narrow);
            for (back, value) in narrow.iter().zip(&values[..n]) {
                prop_assert_eq!(*back, (*value as u32).wrapping_add(5));
            }
            for (row, &value) in values[..n].iter().enumerate() {
                prop_assert_eq!(packed.code(row), value);
            }
            prop_assert_eq!(packed.sum(), values.iter().map(|&value| u128::from(value)).sum::<u128>());
        }
    }

    #[test]
    fn words_stand_where_the_format_says() {
        let mut values = [0u64; BLOCK];
        (values[0], values[1], values[16]) = (0b101, 0b110, 0b011);
        let mut bytes = Vec::new();
        pack_u64(&values, 3, &mut bytes);
        assert_eq!(
            &bytes[..16],
            [0b011_101, 0, 0, 0, 0, 0, 0, 0, 0b110, 0, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn a_wrong_length_or_width_is_refused() {
        let mut out = [0u64; 1024];
        assert!(!unpack_u64(&[0; 127], 1, &mut out));
        assert!(!unpack_u64(&[0; 128], 65, &mut out));
        assert!(unpack_u64(&[], 0, &mut out));
        assert!(Packed::new(&[0; 128], 1024, 65).is_none());
        assert!(Packed::new(&[0; 128], 1024, 2).is_none());
        assert!(Packed::new(&[0; 128], 33, 1).is_some());
    }
}
