//! What is made of the values of a column as they are decoded: parts of times, and bins of numbers.

use std::sync::Arc;

use super::block::Values;
use crate::column::BLOCK_ROWS;
use crate::column::packed::{BlockStats, Physical, Validity};
use crate::error::Result;
use crate::store::ColumnRows;
use crate::window::parts::Parts;

/// What is made of a column.
#[derive(Clone, Debug)]
pub enum Derived {
    /// A part of its instants, an integer.
    Part(Arc<Parts>),
    /// The lower bounds of bins of this width, doubles.
    Bins(f64),
}

impl Derived {
    /// Decodes a block and makes it of it; none: it is no block of what this is made of.
    pub(super) fn load(
        &self,
        found: &ColumnRows<'_>,
        block: usize,
        rows: usize,
        out: &mut Values,
    ) -> Result<Option<Validity>> {
        Ok(Some(match (self, found.physical(), out) {
            (Self::Part(parts), Physical::I64, Values::I64(values)) => {
                let validity = found.decode_i64(block, values)?;
                parts.apply(&mut values[..rows]);
                validity
            }
            (Self::Bins(width), Physical::F64, Values::F64(values)) => {
                let validity = found.decode_f64(block, values)?;
                values[..rows].iter_mut().for_each(|value| *value = bin(*value, *width));
                validity
            }
            (Self::Bins(width), Physical::I64, Values::F64(values)) => {
                let mut integers = [0; BLOCK_ROWS];
                let validity = found.decode_i64(block, &mut integers)?;
                for (value, &integer) in values[..rows].iter_mut().zip(&integers) {
                    *value = bin(integer as f64, *width);
                }
                validity
            }
            _ => return Ok(None),
        }))
    }

    /// Bits of what all values of a block come to, if statistics say that it is one thing; there are neither nulls nor NaN among them.
    pub fn constant(&self, stats: &BlockStats, physical: Physical) -> Option<u64> {
        match (self, physical) {
            (Self::Part(parts), Physical::I64) => {
                let part = parts.of_all(stats.min as i64, stats.max as i64);
                part.map(|part| part as u64)
            }
            // A bin's bound never falls as values rise.
            (Self::Bins(width), Physical::F64) => same(f64::from_bits(stats.min), f64::from_bits(stats.max), *width),
            (Self::Bins(width), Physical::I64) => same(stats.min as i64 as f64, stats.max as i64 as f64, *width),
            _ => None,
        }
    }
}

/// Lower bound of the bin of a number. NaN stays NaN, infinity infinite.
fn bin(value: f64, width: f64) -> f64 {
    (value / width).floor() * width
}

fn same(least: f64, greatest: f64, width: f64) -> Option<u64> {
    let (least, greatest) = (bin(least, width) + 0.0, bin(greatest, width) + 0.0);
    (least == greatest).then_some(least.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_lower_bounds() {
        for (value, width, bound) in [
            (0.0, 10.0, 0.0),
            (9.9, 10.0, 0.0),
            (10.0, 10.0, 10.0),
            (-0.1, 10.0, -10.0),
            (-10.0, 10.0, -10.0),
            (0.3, 0.25, 0.25),
            (f64::INFINITY, 2.0, f64::INFINITY),
            (f64::NEG_INFINITY, 2.0, f64::NEG_INFINITY),
        ] {
            assert_eq!(bin(value, width), bound, "{value} by {width}");
        }
        assert!(bin(f64::NAN, 1.0).is_nan());
    }

    #[test]
    fn statistics_tell_a_bin_only_where_it_is_one() {
        assert_eq!(same(1.0, 9.0, 10.0), Some(0.0f64.to_bits()));
        assert_eq!(same(-0.0, 9.0, 10.0), Some(0.0f64.to_bits()));
        assert_eq!(same(9.0, 10.0, 10.0), None);
    }
}
