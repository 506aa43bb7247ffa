//! Packed codes of a column or of a series index: 1, 2 or 4 little-endian bytes a row.

use std::borrow::Cow;

use super::faults::Keep;
use crate::column::Bitmap;
use crate::column::NULL_CODE;
use crate::error::{Error, Result};

/// One code a row.
#[derive(Clone, Debug)]
pub(super) struct Codes<'a> {
    bytes: Cow<'a, [u8]>,
    width: usize,
}

/// Runs a block with `codes` bound to an iterator of u32 over all rows, compiled once a width.
macro_rules! with_codes {
    ($self:ident, $codes:ident => $body:expr) => {
        match $self.width {
            1 => {
                let $codes = $self.bytes.iter().map(|&code| u32::from(code));
                $body
            }
            2 => {
                let $codes = $self
                    .bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&le| u32::from(u16::from_le_bytes(le)));
                $body
            }
            _ => {
                let $codes = $self.bytes.as_chunks().0.iter().map(|&le| u32::from_le_bytes(le));
                $body
            }
        }
    };
}

impl<'a> Codes<'a> {
    /// Codes as sent: `width` 0 stands for 4, and there are exactly `rows`. `path` and `width_field` name them in errors.
    pub(super) fn new(bytes: Cow<'a, [u8]>, width: u32, rows: usize, path: &str, width_field: &str) -> Result<Self> {
        let width = match width {
            0 | 4 => 4,
            1 => 1,
            2 => 2,
            other => {
                let message = format!("a code is 1, 2 or 4 bytes wide, got {other}");
                return Err(Error::invalid("BAD_CODE_WIDTH", width_field, message));
            }
        };
        check_length(path, bytes.len(), rows * width)?;
        Ok(Self { bytes, width })
    }

    /// Code of a row.
    pub(super) fn get(&self, row: usize) -> u32 {
        let mut le = [0; 4];
        le[..self.width].copy_from_slice(&self.bytes[row * self.width..][..self.width]);
        u32::from_le_bytes(le)
    }

    /// Refuses a code of a row that is not null and lies past the `len` values; `path` names the codes.
    pub(super) fn check_range(&self, len: usize, validity: Option<&Bitmap>, path: &str) -> Result<()> {
        let max = with_codes!(self, codes => codes.fold(0, u32::max));
        if (max as usize) < len {
            return Ok(());
        }
        let found = with_codes!(self, codes => codes
            .enumerate()
            .find(|&(row, code)| code as usize >= len && validity.is_none_or(|bits| bits.get(row))));
        match found {
            Some((row, code)) => Err(Error::invalid(
                "CODE_OUT_OF_RANGE",
                path,
                format!("a code is an index into the {len} values, got {code} in row {row}"),
            )),
            None => Ok(()),
        }
    }

    /// Which of `len` values the kept rows that are not null use.
    pub(super) fn used(&self, len: usize, validity: Option<&Bitmap>, keep: Keep<'_>) -> Vec<bool> {
        let mut used = vec![false; len];
        match (keep, validity) {
            (Keep::All(_), None) => with_codes!(self, codes => codes.for_each(|code| used[code as usize] = true)),
            _ => keep.for_each(|row| {
                if validity.is_none_or(|bits| bits.get(row)) {
                    used[self.get(row) as usize] = true;
                }
            }),
        }
        used
    }

    /// The kept rows' codes looked up in a table; null where a row is.
    pub(super) fn map(&self, table: &[u32], validity: Option<&Bitmap>, keep: Keep<'_>) -> Vec<u32> {
        match (keep, validity) {
            (Keep::All(_), None) => with_codes!(self, codes => codes.map(|code| table[code as usize]).collect()),
            _ => keep.collect(|row| match validity {
                Some(bits) if !bits.get(row) => NULL_CODE,
                _ => table[self.get(row) as usize],
            }),
        }
    }
}

/// Refuses a field that has another length than the rows ask for.
pub(super) fn check_length(path: &str, found: usize, wanted: usize) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::invalid(
        "UNEQUAL_LENGTHS",
        path,
        format!("every column has as many values as the batch has rows: {wanted} bytes, got {found}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(bytes: &[u8], width: u32, rows: usize) -> Result<Codes<'_>> {
        Codes::new(Cow::Borrowed(bytes), width, rows, "codes", "code_width")
    }

    #[test]
    fn every_width_reads_the_same_codes() {
        let narrow = codes(&[2, 0, 1], 1, 3).unwrap();
        let middle = codes(&[2, 0, 0, 0, 1, 0], 2, 3).unwrap();
        let wide = codes(&[2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], 0, 3).unwrap();
        for codes in [narrow, middle, wide] {
            assert_eq!(codes.map(&[7, 8, 9], None, Keep::All(3)), [9, 7, 8]);
            assert_eq!(codes.map(&[7, 8, 9], None, Keep::Some(&[0, 2])), [9, 8]);
            assert_eq!(codes.used(3, None, Keep::Some(&[1])), [true, false, false]);
        }
    }

    #[test]
    fn a_code_past_the_values_is_refused_unless_its_row_is_null() {
        let codes = codes(&[0, 5], 1, 2).unwrap();
        let null = Bitmap::from_bytes(&[0b01], 2);
        assert_eq!(
            codes.check_range(2, None, "c").unwrap_err().reason(),
            "CODE_OUT_OF_RANGE"
        );
        codes.check_range(2, Some(&null), "c").unwrap();
        assert_eq!(codes.map(&[7, 8], Some(&null), Keep::All(2)), [7, NULL_CODE]);
    }

    #[test]
    fn lengths_and_widths_are_checked() {
        assert_eq!(codes(&[0; 6], 3, 2).unwrap_err().reason(), "BAD_CODE_WIDTH");
        assert_eq!(codes(&[0; 5], 2, 2).unwrap_err().field(), "codes");
    }
}
