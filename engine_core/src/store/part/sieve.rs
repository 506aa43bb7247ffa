//! Filters of an opened part's columns of texts, read when a text is looked for, and compared with the texts when a part is verified.

use super::bloom::{Bits, CELL_BYTES, cell_of, text_hash};
use super::damaged;
use super::filters::Layout;
use super::header::Kind;
use super::open::PartColumn;
use crate::column::packed::Validity;
use crate::error::Result;

/// Which blocks of a column may have one of some texts.
#[derive(Clone, Debug)]
pub struct Sieve(Vec<bool>);

impl Sieve {
    /// Whether a block may; if not, it has none of them.
    pub fn may_have(&self, block: usize) -> bool {
        self.0[block]
    }
}

/// Values of a column's filters, each checked when it is first asked for.
struct Values<'a> {
    column: &'a PartColumn<'a>,
    layout: Layout,
    opened: Vec<Option<&'a [u8]>>,
}

impl<'a> Values<'a> {
    fn of(column: &'a PartColumn<'a>) -> Option<Self> {
        let layout = column.footer.filter_layout()?;
        Some(Self {
            column,
            layout,
            opened: vec![None; layout.values()],
        })
    }

    fn value(&mut self, number: usize) -> Result<&'a [u8]> {
        if let Some(value) = self.opened[number] {
            return Ok(value);
        }
        let (part, footer) = (self.column.part, &self.column.footer);
        let value = part.payload(Kind::Filters, footer.column, number as u32, footer.filters[number])?;
        if value.len() != self.layout.value_bytes(number) {
            return Err(damaged(&part.identity, &format!("column {}: filters", footer.column)));
        }
        self.opened[number] = Some(value);
        Ok(value)
    }

    /// The cells of a hash, one a block.
    fn band(&mut self, hash: u64) -> Result<&'a [[u8; CELL_BYTES]]> {
        let (value, band) = self.layout.place(cell_of(hash, self.layout.cells));
        Ok(self.value(value)?[band].as_chunks().0)
    }
}

/// Values of filters that were checked; of a column without filters none.
pub(super) struct Checked<'a>(Option<Values<'a>>);

impl<'a> PartColumn<'a> {
    /// Which blocks may have a text with one of these hashes, without decoding any. None: the column has no filters.
    ///
    /// # Errors
    /// Corrupt: filters are damaged.
    pub fn sieve(&self, hashes: &[u64]) -> Result<Option<Sieve>> {
        let Some(mut values) = Values::of(self) else {
            return Ok(None);
        };
        let mut sieve = Sieve(vec![false; values.layout.blocks]);
        for &hash in hashes {
            let bits = Bits::of(hash);
            for (may_have, cell) in sieve.0.iter_mut().zip(values.band(hash)?) {
                *may_have |= bits.are_in(cell);
            }
        }
        Ok(Some(sieve))
    }

    /// Rows of a block of texts that are not null; the texts are not decoded.
    pub fn validity(&self, block: usize) -> Result<Validity> {
        if self.footer.blocks[block].nulls == 0 {
            return Ok(Validity::All);
        }
        self.open(block).map(|(validity, _)| validity)
    }

    /// All of its filters, checked. `read` is told the bytes of each value.
    pub(super) fn check_filters(&self, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<Checked<'_>> {
        let mut values = Values::of(self);
        if let Some(values) = &mut values {
            for number in 0..values.opened.len() {
                read(values.value(number)?.len() as u64)?;
            }
        }
        Ok(Checked(values))
    }

    /// Decodes a block of texts, and finds each of them in the block's filter.
    pub(super) fn verify_texts(&self, block: usize, filters: &mut Checked<'_>) -> Result<()> {
        let (texts, validity) = self.decode_text(block)?;
        let (Some(texts), Some(filters)) = (texts, &mut filters.0) else {
            return Ok(());
        };
        for row in (0..texts.rows()).filter(|&row| validity.get(row)) {
            let hash = text_hash(texts.get(row));
            if !Bits::of(hash).are_in(&filters.band(hash)?[block]) {
                let what = format!(
                    "column {}, block {block}: a text is not in its filter",
                    self.footer.column
                );
                return Err(damaged(&self.part.identity, &what));
            }
        }
        Ok(())
    }
}
