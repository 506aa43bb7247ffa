//! Rows as columns of equal length, decoded and validated, before they are packed.

use super::ColumnId;

/// One bit a row, least significant first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// `len` equal bits.
    pub fn filled(len: usize, value: bool) -> Self {
        let mut bitmap = Self {
            words: vec![if value { u64::MAX } else { 0 }; len.div_ceil(64)],
            len,
        };
        bitmap.clear_padding();
        bitmap
    }

    /// From bytes, least significant bit first; missing bytes count as zero, bits past `len` are ignored.
    pub fn from_bytes(bytes: &[u8], len: usize) -> Self {
        let mut words = vec![0u64; len.div_ceil(64)];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut le = [0u8; 8];
            le[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(le);
        }
        let mut bitmap = Self { words, len };
        bitmap.clear_padding();
        bitmap
    }

    fn clear_padding(&mut self) {
        let tail = self.len % 64;
        if tail != 0 {
            *self.words.last_mut().expect("a tail has a word") &= (1 << tail) - 1;
        }
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit at `row`.
    pub fn get(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    /// Sets the bit at `row`.
    pub fn set(&mut self, row: usize, value: bool) {
        let (word, bit) = (&mut self.words[row / 64], 1u64 << (row % 64));
        if value {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }

    /// Adds a bit.
    pub fn push(&mut self, value: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.len += 1;
        self.set(self.len - 1, value);
    }

    /// Number of ones.
    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Number of ones among `[start, end)`.
    pub fn count_ones_in(&self, start: usize, end: usize) -> usize {
        (start..end).filter(|&row| self.get(row)).count()
    }

    /// Bits of the block `[start, start + n)` as bytes, least significant first; `start` is a multiple of 64.
    pub fn block_bytes(&self, start: usize, n: usize) -> Vec<u8> {
        debug_assert!(start.is_multiple_of(64));
        let mut bytes: Vec<u8> = self.words[start / 64..(start + n).div_ceil(64)]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        bytes.truncate(n.div_ceil(8));
        if !n.is_multiple_of(8) {
            *bytes.last_mut().expect("n > 0") &= (1 << (n % 8)) - 1;
        }
        bytes
    }
}

/// Texts of rows: `ends[i]` is where text `i` ends in `bytes`. All UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextData {
    /// Ends, ascending.
    pub ends: Vec<u32>,
    /// The texts end to end.
    pub bytes: Vec<u8>,
}

impl TextData {
    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len() as u32);
    }

    /// Text of a row.
    pub fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        std::str::from_utf8(&self.bytes[start..self.ends[row] as usize]).unwrap_or_default()
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Values of one column, one a row. At a null the value is arbitrary, but a code is 0.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnData {
    /// Doubles.
    F64(Vec<f64>),
    /// Integers and timestamps.
    I64(Vec<i64>),
    /// Booleans.
    Bool(Bitmap),
    /// Codes of the column's dictionary; 0 is null, so there is no validity beside it.
    Code(Vec<u32>),
    /// Texts.
    Text(TextData),
}

impl ColumnData {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Code(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One column of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchColumn {
    /// Its number in the stream.
    pub id: ColumnId,
    /// Its values.
    pub data: ColumnData,
    /// Rows that are not null; none: all are. Never set for codes.
    pub validity: Option<Bitmap>,
}

/// Rows as columns of equal length, valid under the stream's schema: at least one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowBatch {
    /// Event time of each row, Unix nanoseconds, in order of arrival.
    pub time: Vec<i64>,
    /// Entity code of each row; 0 is null.
    pub entity: Vec<u32>,
    /// The other columns, in ascending order of id; absent ones are null throughout.
    pub columns: Vec<BatchColumn>,
}

impl RowBatch {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.time.len()
    }
}
