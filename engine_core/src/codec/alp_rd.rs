//! Doubles with all their digits: the upper bits, of which there are few kinds, as places in a dictionary, and the rest as it
//! is (ALP for real doubles: Afroozeh, Kuffo & Boncz 2023, PACMMOD 1(4), §3.4).
//!
//! bits of the lower parts (one byte, 48 to 63), upper parts in the dictionary (one byte, 1 to 8), these as u16 each;
//! exceptions (`exceptions`) with their upper parts; places in the dictionary, packed in the bits of the last; lower parts,
//! packed.

use super::BLOCK;
use super::bitpack::{Packed, pack, packed_len, width_of};
use super::dispatch::dispatched;
use super::exceptions::{self, Exceptions};
use super::fields::Fields;

const LEAST_LOWER: u32 = 48;
const MOST_UPPER: usize = 8;
const SAMPLE: usize = 96;
/// Bits that an exception takes, about.
const EXCEPTION_BITS: usize = 24;

/// Where to cut, and the upper parts that are frequent.
struct Cut {
    lower: u32,
    upper: Vec<u64>,
    cost: usize,
}

/// The cut for which a sample, ascending, takes least.
fn choose(sample: &[u64]) -> Cut {
    let mut best = Cut {
        lower: 0,
        upper: Vec::new(),
        cost: usize::MAX,
    };
    for lower in LEAST_LOWER..64 {
        let kind = |bits: &u64| bits >> lower;
        let changes = sample.windows(2).filter(|two| kind(&two[0]) != kind(&two[1])).count();
        if lower < 63 && changes * 2 > sample.len() {
            continue;
        }
        let mut kinds: Vec<(usize, u64)> = sample
            .chunk_by(|left, right| left >> lower == right >> lower)
            .map(|kind| (kind.len(), kind[0] >> lower))
            .collect();
        kinds.sort_unstable_by(|left, right| right.cmp(left));
        kinds.truncate(MOST_UPPER);
        let held: usize = kinds.iter().map(|kind| kind.0).sum();
        let width = (lower + width_of(kinds.len() as u64 - 1)) as usize;
        let cost = sample.len() * width + (sample.len() - held) * EXCEPTION_BITS;
        if cost < best.cost {
            let upper = kinds.iter().map(|kind| kind.1).collect();
            best = Cut { lower, upper, cost };
        }
    }
    best
}

dispatched! {
    /// Places of the upper parts, [`MOST_UPPER`] for exceptions, and lower parts.
    fn split(values: &[f64], lower: u32, upper: &[u64], places: &mut [u64; BLOCK], lows: &mut [u64; BLOCK]) {
        let mask = (1u64 << lower) - 1;
        for ((&value, place), low) in values.iter().zip(places).zip(lows) {
            let bits = value.to_bits();
            *low = bits & mask;
            *place = MOST_UPPER as u64;
            for (at, &kind) in (0u64..).zip(upper) {
                *place = if bits >> lower == kind { at } else { *place };
            }
        }
    }
}

dispatched! {
    fn join(places: &[u32; BLOCK], upper: &[u64; MOST_UPPER], lows: &[i64; BLOCK], out: &mut [f64; BLOCK]) {
        for ((out, &place), &low) in out.iter_mut().zip(places).zip(lows) {
            *out = f64::from_bits(upper[place as usize % MOST_UPPER] | low as u64);
        }
    }
}

/// Appends the block.
pub(super) fn write(values: &[f64], out: &mut Vec<u8>) {
    let rows = values.len();
    let sampled = rows.min(SAMPLE);
    let mut sample: Vec<u64> = (0..sampled).map(|at| values[at * rows / sampled].to_bits()).collect();
    sample.sort_unstable();
    let cut = choose(&sample);
    let (mut places, mut lows) = ([0; BLOCK], [0; BLOCK]);
    split(values, cut.lower, &cut.upper, &mut places, &mut lows);
    out.extend_from_slice(&[cut.lower as u8, cut.upper.len() as u8]);
    for &upper in &cut.upper {
        out.extend_from_slice(&(upper as u16).to_le_bytes());
    }
    let (mut rows_apart, mut upper_apart) = (Vec::new(), Vec::new());
    for (row, place) in places[..rows].iter_mut().enumerate() {
        if *place == MOST_UPPER as u64 {
            *place = 0;
            rows_apart.push(row as i64);
            upper_apart.push((values[row].to_bits() >> cut.lower) as i64);
        }
    }
    exceptions::write(&rows_apart, &upper_apart, out);
    pack(&places, rows, width_of(cut.upper.len() as u64 - 1), out);
    pack(&lows, rows, cut.lower, out);
}

pub(super) fn decode(mut fields: Fields<'_>, rows: usize, out: &mut [f64; BLOCK]) -> Option<()> {
    let lower = u32::from(fields.byte()?);
    let count = usize::from(fields.byte()?);
    if !(LEAST_LOWER..64).contains(&lower) || !(1..=MOST_UPPER).contains(&count) {
        return None;
    }
    let mut upper = [0u64; MOST_UPPER];
    for (upper, le) in upper.iter_mut().zip(fields.take(2 * count)?.chunks_exact(2)) {
        *upper = u64::from(u16::from_le_bytes([le[0], le[1]])) << lower;
    }
    let exceptions = Exceptions::read(&mut fields, rows)?;
    let width = width_of(count as u64 - 1);
    let packed = Packed::new(fields.take(packed_len(rows, width))?, rows, width)?;
    let (mut places, mut lows) = ([0; BLOCK], [0; BLOCK]);
    packed.narrow(0, &mut places);
    Packed::new(fields.rest(), rows, lower)?.affine(0, 1, &mut lows);
    join(&places, &upper, &lows, out);
    exceptions.each(rows, |row, part| {
        out[row] = f64::from_bits((part as u64) << lower | lows[row] as u64);
    })
}
