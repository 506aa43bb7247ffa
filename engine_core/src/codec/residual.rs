//! Numbers that lie close together: bit-packed codes above a low end, and the few that do not fit aside (the idea of
//! patched frames of reference: Zukowski, Héman, Nes & Boncz 2006, ICDE). Codecs of integers end in these bytes, or in those of
//! `dense`:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | width of a code in bits, 0 to 64 |
//! | varint | exceptions |
//! | 1 | if there are any: bytes of an exception, 1 to 8 |
//! | 2 each | their places, ascending |
//! | so many each | their codes as zig-zag numbers |
//! | rest | the codes, packed as `bitpack` says in words of 32 bits (widths up to 32) or 64; an exception's is 0 |
//!
//! A code is the value less the low end modulo 2⁶⁴, so that nothing overflows whatever the values are.

use super::BLOCK;
use super::bitpack::{Packed, pack, packed_len, width_of};
use super::dispatch::dispatched;
use super::fields::{Fields, put_varint, unzigzag, zigzag};
use super::stretches::{Total, stretches, total};

/// Where to cut: what lies in `[low, low + 2^width)` is packed, the rest is an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) low: i64,
    pub(super) width: u32,
    /// Bytes that it will take, about.
    pub(super) bytes: usize,
}

/// Greatest share of exceptions, since each is moved by itself.
const MOST_EXCEPTIONS: usize = 8;

/// What lies within `2^bits` of the middle on either side.
#[derive(Clone, Copy)]
struct Within {
    /// Least and greatest offset from the middle.
    least: i64,
    greatest: i64,
    /// Values beyond, on either side.
    below: usize,
    above: usize,
}

dispatched! {
    fn within(values: &[i64], middle: i64, bits: u32) -> Within {
        let bound = (1i64 << (bits - 1) << 1).wrapping_sub(1) & i64::MAX;
        let (mut least, mut greatest, mut below, mut above) = (0i64, 0i64, 0u64, 0u64);
        for &value in values {
            let offset = value.wrapping_sub(middle);
            let (low, high) = (offset < !bound, offset > bound);
            below += u64::from(low);
            above += u64::from(high);
            least = least.min(if low { 0 } else { offset });
            greatest = greatest.max(if high { 0 } else { offset });
        }
        Within {
            least,
            greatest,
            below: below as usize,
            above: above as usize,
        }
    }
}

/// The cheapest cut, among those at a power of two's distance from the middle of a sample. There must be a value.
pub(super) fn fit(values: &[i64]) -> Fit {
    let n = values.len();
    let mut sample = [0i64; 32];
    let sampled = n.min(sample.len());
    for (at, sample) in sample[..sampled].iter_mut().enumerate() {
        *sample = values[at * n / sampled];
    }
    sample[..sampled].sort_unstable();
    let middle = sample[sampled / 2];
    // From all values inwards, while those beyond are few.
    let mut cuts = [within(values, middle, 63); 64];
    let mut found = 1;
    let whole = cuts[0];
    while found < cuts.len() {
        let last = cuts[found - 1];
        let below = if last.least < 0 { !last.least } else { 0 };
        let bits = width_of(below.max(last.greatest) as u64);
        if bits < 2 {
            break;
        }
        cuts[found] = within(values, middle, bits - 1);
        if (cuts[found].below.min(cuts[found].above)) * MOST_EXCEPTIONS > n {
            break;
        }
        found += 1;
    }
    let span = |low: &Within, high: &Within| high.greatest.wrapping_sub(low.least) as u64;
    let exception_bytes = 2 + (width_of(span(&whole, &whole)) as usize + 1).div_ceil(8).min(8);
    let mut best = Fit {
        low: middle,
        width: 64,
        bytes: usize::MAX,
    };
    for low in &cuts[..found] {
        for high in &cuts[..found] {
            let exceptions = low.below + high.above;
            if exceptions * MOST_EXCEPTIONS > n {
                continue;
            }
            let width = width_of(span(low, high));
            let aside = if exceptions > 0 {
                1 + exceptions * exception_bytes
            } else {
                0
            };
            let bytes = 2 + packed_len(n, width) + aside;
            if bytes < best.bytes {
                best = Fit {
                    low: middle.wrapping_add(low.least),
                    width,
                    bytes,
                };
            }
        }
    }
    best
}

dispatched! {
    /// Codes of the values, 0 for exceptions; answers the bits of all exceptions' codes or-ed, 0 for none.
    fn codes_of(values: &[i64], low: i64, mask: u64, codes: &mut [u64; BLOCK]) -> u64 {
        let mut beyond = 0;
        for (code, &value) in codes.iter_mut().zip(values) {
            let whole = value.wrapping_sub(low) as u64;
            let fits = whole <= mask;
            *code = if fits { whole } else { 0 };
            beyond |= if fits { 0 } else { whole };
        }
        beyond
    }
}

/// How codes above a low end are written.
pub(super) trait Layout {
    /// The low end.
    fn low(&self) -> i64;

    /// Appends the values.
    fn write(&self, values: &[i64], out: &mut Vec<u8>);
}

/// What a [`Layout`] wrote.
pub(super) trait Codes<'a>: Sized {
    /// Reads all that is left; none if that is not what so many values look like.
    fn read(fields: Fields<'a>, rows: usize) -> Option<Self>;

    /// `offset + scale · code` of every value, wrapping.
    fn affine(&self, offset: i64, scale: u64, out: &mut [i64; BLOCK]);
}

impl Layout for Fit {
    fn low(&self) -> i64 {
        self.low
    }

    fn write(&self, values: &[i64], out: &mut Vec<u8>) {
        let mask = u64::MAX.checked_shr(64 - self.width).unwrap_or(0);
        let mut codes = [0u64; BLOCK];
        let beyond = codes_of(values, self.low, mask, &mut codes);
        let mut apart = Vec::new();
        if beyond != 0 {
            let all = values.iter().map(|value| value.wrapping_sub(self.low));
            apart.extend(all.enumerate().filter(|&(_, code)| code as u64 > mask));
        }
        out.push(self.width as u8);
        put_apart(&apart, out);
        pack(&codes, values.len(), self.width, out);
    }
}

/// Appends rows and codes of exceptions.
pub(super) fn put_apart(apart: &[(usize, i64)], out: &mut Vec<u8>) {
    put_varint(apart.len() as u64, out);
    if apart.is_empty() {
        return;
    }
    let widest = apart.iter().fold(0, |all, &(_, code)| all | zigzag(code));
    let size = width_of(widest).div_ceil(8) as usize;
    out.push(size as u8);
    for &(row, _) in apart {
        out.extend_from_slice(&(row as u16).to_le_bytes());
    }
    for &(_, code) in apart {
        out.extend_from_slice(&zigzag(code).to_le_bytes()[..size]);
    }
}

/// What [`put_apart`] wrote, its bounds checked.
#[derive(Debug)]
pub(super) struct Apart<'a> {
    places: &'a [u8],
    codes: &'a [u8],
    size: usize,
}

impl<'a> Apart<'a> {
    pub(super) fn read(fields: &mut Fields<'a>, rows: usize) -> Option<Self> {
        let count = fields.number(rows)?;
        let size = if count == 0 { 1 } else { usize::from(fields.byte()?) };
        if !(1..=8).contains(&size) {
            return None;
        }
        let places = fields.take(count * 2)?;
        let codes = fields.take(count * size)?;
        let place = |bytes: &[u8]| usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        let ascending = places.chunks_exact(2).zip(places.chunks_exact(2).skip(1));
        if ascending.into_iter().any(|(left, right)| place(left) >= place(right))
            || places
                .chunks_exact(2)
                .next_back()
                .is_some_and(|last| place(last) >= rows)
        {
            return None;
        }
        Some(Self { places, codes, size })
    }

    fn len(&self) -> usize {
        self.places.len() / 2
    }

    /// Rows and codes.
    fn each(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        let codes = self.codes.chunks_exact(self.size);
        self.places.chunks_exact(2).zip(codes).map(|(place, code)| {
            let mut le = [0; 8];
            le[..code.len()].copy_from_slice(code);
            let place = u16::from_le_bytes([place[0], place[1]]);
            (usize::from(place), unzigzag(u64::from_le_bytes(le)))
        })
    }

    /// Puts `offset + scale · code` at its row, wrapping.
    pub(super) fn put(&self, offset: i64, scale: u64, out: &mut [i64; BLOCK]) {
        for (place, code) in self.each() {
            out[place] = offset.wrapping_add(code.wrapping_mul(scale as i64));
        }
    }
}

/// What [`Fit`] wrote, its bounds checked.
#[derive(Debug)]
pub(super) struct Residuals<'a> {
    packed: Packed<'a>,
    apart: Apart<'a>,
}

impl<'a> Codes<'a> for Residuals<'a> {
    fn read(mut fields: Fields<'a>, rows: usize) -> Option<Self> {
        let width = u32::from(fields.byte()?);
        let apart = Apart::read(&mut fields, rows)?;
        Some(Self {
            packed: Packed::new(fields.rest(), rows, width)?,
            apart,
        })
    }

    fn affine(&self, offset: i64, scale: u64, out: &mut [i64; BLOCK]) {
        self.packed.affine(offset, scale, out);
        self.apart.put(offset, scale, out);
    }
}

impl Residuals<'_> {
    /// Whether there are no exceptions.
    pub(super) fn is_whole(&self) -> bool {
        self.apart.len() == 0
    }

    /// The code of a row that is no exception.
    pub(super) fn code(&self, row: usize) -> u64 {
        self.packed.code(row)
    }

    /// `offset + code` of every value, wrapping in 32 bits.
    pub(super) fn narrow(&self, offset: u32, out: &mut [u32; BLOCK]) {
        self.packed.narrow(offset, out);
        for (place, code) in self.apart.each() {
            out[place] = offset.wrapping_add(code as u32);
        }
    }

    /// What the codes of rows from `first` on come to in each stretch, exceptions left out, into `totals`; answers the greatest magnitude
    /// of a code, exceptions among them. None if codes take more than 32 bits.
    pub(super) fn totals(&self, first: usize, ends: &[u32], totals: &mut [Total]) -> Option<u64> {
        let greatest = self.packed.greatest();
        if greatest > u32::MAX.into() {
            return None;
        }
        let mut codes = [0; BLOCK];
        self.packed.narrow(0, &mut codes);
        codes[..first].fill(0);
        self.apart.each().for_each(|(place, _)| codes[place] = 0);
        total(&codes, greatest, ends, totals);
        let apart = self.apart.each().map(|(_, code)| code.unsigned_abs());
        Some(apart.fold(greatest, u64::max))
    }

    /// Rows and codes of exceptions, ascending.
    pub(super) fn exceptions(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        self.apart.each()
    }

    /// Sum over so many rows of `offset + scale · code`; none if one of these might be beyond 64 bits and wrap.
    pub(super) fn sum(&self, rows: usize, offset: i64, scale: u64) -> Option<i128> {
        let line = Line::new(&self.packed, offset, scale)?;
        let apart: i128 = self.apart.each().map(|(_, code)| line.wrapped(code)).sum();
        Some(line.sum(self.packed.sum(), rows - self.apart.len()) + apart)
    }

    /// [`Self::sum`] of each stretch; none if codes take more than 32 bits, too.
    pub(super) fn stretch_sums(&self, ends: &[u32], offset: i64, scale: u64, sums: &mut Vec<i128>) -> Option<()> {
        let line = Line::new(&self.packed, offset, scale)?;
        let mut totals = vec![Total::default(); ends.len()];
        self.totals(0, ends, &mut totals)?;
        let mut exceptions = self.apart.each().peekable();
        for (stretch, total) in stretches(ends).zip(totals) {
            let (mut apart, mut rows) = (0, stretch.len());
            while let Some((_, code)) = exceptions.next_if(|&(row, _)| row < stretch.end) {
                apart += line.wrapped(code);
                rows -= 1;
            }
            sums.push(line.sum(total.sum.into(), rows) + apart);
        }
        Some(())
    }
}

/// `offset + scale · code`, of packed codes within 64 bits.
#[derive(Clone, Copy)]
struct Line {
    offset: i64,
    scale: u64,
}

impl Line {
    fn new(packed: &Packed<'_>, offset: i64, scale: u64) -> Option<Self> {
        let farthest = i128::from(scale)
            .checked_mul(packed.greatest().into())?
            .checked_add(offset.into())?;
        (farthest <= i64::MAX.into()).then_some(Self { offset, scale })
    }

    /// That of an exception, which may be anywhere.
    fn wrapped(self, code: i64) -> i128 {
        self.offset.wrapping_add(code.wrapping_mul(self.scale as i64)).into()
    }

    /// Sum over so many rows, of the sum of their codes.
    fn sum(self, codes: u128, rows: usize) -> i128 {
        codes as i128 * i128::from(self.scale) + rows as i128 * i128::from(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[i64]) -> usize {
        let fit = fit(values);
        let mut bytes = Vec::new();
        fit.write(values, &mut bytes);
        let residuals = Residuals::read(Fields::new(&bytes), values.len()).expect("sound");
        let mut out = [0i64; BLOCK];
        residuals.affine(fit.low, 1, &mut out);
        assert_eq!(&out[..values.len()], values);
        bytes.len()
    }

    #[test]
    fn a_few_far_values_do_not_widen_the_rest() {
        let mut values: Vec<i64> = (0..1024).map(|row| 5_000 + row * 7 % 16).collect();
        (values[3], values[500], values[1023]) = (i64::MIN, i64::MAX, 90_000);
        assert!(round_trip(&values) <= 3 + 3 * 10 + 1024 / 2 + 128);
    }

    #[test]
    fn values_at_both_ends_of_the_range_round_trip() {
        round_trip(&[i64::MIN, i64::MAX]);
        round_trip(&[i64::MAX, i64::MIN, 0, -1, 1]);
        round_trip(&[i64::MIN; 1024]);
        round_trip(&[7]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_values_round_trip(values in prop::collection::vec(any::<i64>(), 1..=1024), shift in 0u32..64) {
            let narrow: Vec<i64> = values.iter().map(|value| value >> shift).collect();
            round_trip(&narrow);
        }
    }
}
