//! Few distinct values, wherever they lie: their number (varint, 2 to 256), the values ascending as a nested block behind its
//! length (varint), and each row's place among them, packed in as many bits as the last place needs.

use super::BLOCK;
use super::bitpack::{Packed, pack, packed_len, width_of};
use super::dispatch::dispatched;
use super::fields::{Fields, put_varint};
use super::integers;

/// Most distinct values.
const MOST: usize = 256;
const SLOTS: usize = 4 * MOST;

/// A block as distinct values and places among them.
pub(super) struct Dictionary {
    values: Vec<i64>,
    codes: [u64; BLOCK],
    width: u32,
}

impl Dictionary {
    /// Of up to so many distinct values; none if there are more.
    pub(super) fn of(rows: &[i64], most: usize) -> Option<Self> {
        let most = most.min(MOST);
        // Open addressing: a slot holds one more than the place of a value in order of appearance.
        let mut slots = [0u16; SLOTS];
        let mut values: Vec<i64> = Vec::new();
        let mut codes = [0; BLOCK];
        for (code, &value) in codes.iter_mut().zip(rows) {
            let mut slot = ((value as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as usize;
            *code = loop {
                let found = usize::from(slots[slot]);
                if found == 0 {
                    if values.len() == most {
                        return None;
                    }
                    values.push(value);
                    slots[slot] = values.len() as u16;
                    break values.len() as u64 - 1;
                }
                if values[found - 1] == value {
                    break found as u64 - 1;
                }
                slot = (slot + 1) % SLOTS;
            };
        }
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_unstable_by_key(|&place| values[place]);
        let mut places = [0u64; MOST];
        for (place, &appeared) in (0..).zip(&order) {
            places[appeared] = place;
        }
        for code in &mut codes[..rows.len()] {
            *code = places[*code as usize];
        }
        Some(Self {
            width: width_of(values.len() as u64 - 1),
            values: order.iter().map(|&place| values[place]).collect(),
            codes,
        })
    }

    /// Bytes that it will take at least.
    pub(super) fn bytes(&self, rows: usize) -> usize {
        3 + self.values.len() + packed_len(rows, self.width)
    }

    pub(super) fn write(&self, rows: usize, out: &mut Vec<u8>) {
        put_varint(self.values.len() as u64, out);
        integers::encode_nested(&self.values, out);
        pack(&self.codes, rows, self.width, out);
    }
}

pub(super) fn decode(mut fields: Fields<'_>, rows: usize, out: &mut [i64; BLOCK]) -> Option<()> {
    let count = fields.number(MOST)?;
    let width = width_of((count as u64).checked_sub(1)?);
    let (mut nested, mut values) = ([0; BLOCK], [0; MOST]);
    integers::decode_leaf(fields.nested()?, count, &mut nested)?;
    values[..count].copy_from_slice(&nested[..count]);
    let mut codes = [0u32; BLOCK];
    Packed::new(fields.rest(), rows, width)?.narrow(0, &mut codes);
    (look_up(&codes[..rows], &values, out) < count as u32).then_some(())
}

dispatched! {
    /// Answers the greatest code.
    fn look_up(codes: &[u32], values: &[i64; MOST], out: &mut [i64; BLOCK]) -> u32 {
        let mut greatest = 0;
        for (out, &code) in out.iter_mut().zip(codes) {
            greatest = greatest.max(code);
            *out = values[code as usize % MOST];
        }
        greatest
    }
}
