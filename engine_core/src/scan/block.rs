//! The columns of one block, decoded when they are first asked for.

use std::cell::Cell;

use super::marks::{Blocks, Mark};
use super::mask::Mask;
use super::{Column, Type};
use crate::column::packed::{Physical, Validity};
use crate::column::{BLOCK_ROWS, NULL_CODE};
use crate::error::{Error, Result};
use crate::store::{ColumnRows, Rows, Sieve};

/// Values of one column of a block. At a null the value is arbitrary.
#[derive(Debug)]
pub enum Values {
    /// Doubles.
    F64(Box<[f64; BLOCK_ROWS]>),
    /// Integers, timestamps, and booleans as 0 and 1.
    I64(Box<[i64; BLOCK_ROWS]>),
    /// Codes of the column's strings.
    Code(Box<[u32; BLOCK_ROWS]>),
}

/// One decoded column of a block.
#[derive(Debug)]
pub struct ColumnBlock {
    /// Values; those past the block's rows are unspecified.
    pub values: Values,
    /// Rows that are not null.
    pub valid: Mask,
    /// Whether the block may hold NaN.
    pub may_be_nan: bool,
    loaded: bool,
    /// Whether only the rows that are kept are there.
    is_kept: bool,
}

impl ColumnBlock {
    fn new(data_type: Type) -> Self {
        Self {
            values: match data_type {
                Type::F64 => Values::F64(Box::new([0.0; BLOCK_ROWS])),
                Type::I64 | Type::Bool | Type::Timestamp => Values::I64(Box::new([0; BLOCK_ROWS])),
                Type::Text => Values::Code(Box::new([0; BLOCK_ROWS])),
            },
            valid: Mask::EMPTY,
            may_be_nan: false,
            loaded: false,
            is_kept: false,
        }
    }

    /// Keeps the given rows, ascending, and moves them to the front.
    pub fn keep(&mut self, rows: &[u16]) {
        fn gather<T: Copy>(values: &mut [T; BLOCK_ROWS], rows: &[u16]) {
            for (to, &from) in rows.iter().enumerate() {
                values[to] = values[usize::from(from) % BLOCK_ROWS];
            }
        }
        match &mut self.values {
            Values::F64(values) => gather(values, rows),
            Values::I64(values) => gather(values, rows),
            Values::Code(values) => gather(values, rows),
        }
        self.valid = Mask::of(rows, |row| self.valid.get(usize::from(row)));
    }
}

/// Texts that a test seeks, of which sealed blocks may know that they have none.
#[derive(Clone, Debug)]
pub struct Sought {
    /// Which of the query's tests it is.
    pub number: usize,
    /// What filters of blocks are told of each.
    pub hashes: Vec<u64>,
}

/// Decodes columns of blocks, keeping buffers between them.
#[derive(Debug)]
pub struct Reader<'a> {
    columns: &'a [Column],
    /// Decoded columns, by their place in the query.
    pub blocks: Vec<ColumnBlock>,
    source: Option<&'a Rows>,
    /// Each column of the source; none where it is null throughout.
    places: Vec<Option<ColumnRows<'a>>>,
    /// Blocks of the source that may have what each test seeks; none: any may.
    sieves: Vec<Option<Sieve>>,
    block: usize,
    rows: usize,
    /// What becomes of blocks; none: nobody asks.
    marks: Option<&'a Blocks>,
    /// Values decoded of blocks that are marked.
    decoded: Cell<u64>,
}

impl<'a> Reader<'a> {
    /// A reader of these columns.
    pub fn new(columns: &'a [Column]) -> Self {
        Self {
            columns,
            blocks: columns
                .iter()
                .map(|column| ColumnBlock::new(column.data_type))
                .collect(),
            source: None,
            places: Vec::new(),
            sieves: Vec::new(),
            block: 0,
            rows: 0,
            marks: None,
            decoded: Cell::new(0),
        }
    }

    /// Marks the blocks of the rows that are turned to next, if somebody asks what becomes of them.
    pub fn mark_in(&mut self, marks: Option<&'a Blocks>) {
        self.marks = marks;
    }

    /// Says what became of a block of the rows.
    pub fn mark(&self, block: usize, mark: Mark) {
        if let Some(marks) = self.marks {
            marks.raise(block, mark);
        }
    }

    /// Says that a column of a block of the rows is decoded.
    pub fn mark_decoded(&self, block: usize) {
        if let (Some(marks), Some(source)) = (self.marks, self.source) {
            marks.raise(block, Mark::Decoded);
            self.decoded.set(self.decoded.get() + source.block_rows(block) as u64);
        }
    }

    /// Values decoded of blocks that are marked.
    pub fn decoded(&self) -> u64 {
        self.decoded.get()
    }

    /// Turns to other rows; says whether they are others than before.
    pub fn turn_to(&mut self, source: &'a Rows) -> Result<bool> {
        let turns = !self.source.is_some_and(|current| std::ptr::eq(current, source));
        if turns {
            self.source = Some(source);
            self.block = usize::MAX;
            self.places.clear();
            self.sieves.clear();
            for column in self.columns {
                self.places.push(source.column(column.stored)?);
            }
        }
        Ok(turns)
    }

    /// Looks up which blocks of the rows may have what is sought in a column.
    pub fn sift(&mut self, column: usize, sought: &Sought) -> Result<()> {
        let Some(place) = &self.places[column] else {
            return Ok(());
        };
        let sieve = place.sieve(&sought.hashes)?;
        if self.sieves.len() <= sought.number {
            self.sieves.resize(sought.number + 1, None);
        }
        self.sieves[sought.number] = sieve;
        Ok(())
    }

    /// Whether the block may have what is sought; if not, it has none of it.
    pub fn may_have(&self, sought: &Sought) -> bool {
        let sieve = self.sieves.get(sought.number).and_then(Option::as_ref);
        sieve.is_none_or(|sieve| sieve.may_have(self.block))
    }

    /// Has the system read a block of every column that is about to be read.
    pub fn will_need(&self, block: usize) {
        self.places.iter().flatten().for_each(|place| place.will_need(block));
    }

    /// Turns to a block of the rows.
    pub fn turn_to_block(&mut self, block: usize) {
        self.block = block;
        self.rows = self.source.map_or(0, |source| source.block_rows(block));
        self.blocks.iter_mut().for_each(|block| block.loaded = false);
    }

    /// Turns to a block unless it is there already, of which nothing was kept alone.
    pub fn stay_or_turn_to(&mut self, block: usize) {
        if self.block != block {
            self.turn_to_block(block);
        }
    }

    /// Rows of the block.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Its place among the blocks of the rows.
    pub fn block(&self) -> usize {
        self.block
    }

    /// A column of the rows and the block in it, for its statistics; none where it is null throughout.
    pub fn place(&self, column: usize) -> Option<(&ColumnRows<'a>, usize)> {
        Some((self.places[column].as_ref()?, self.block))
    }

    /// The query's column.
    pub fn column(&self, column: usize) -> &'a Column {
        &self.columns[column]
    }

    /// Decodes a column of the block if it was not yet.
    pub fn load(&mut self, column: usize) -> Result<&mut ColumnBlock> {
        if self.blocks[column].loaded {
            return Ok(&mut self.blocks[column]);
        }
        let rows = self.rows;
        let all = Mask::first(rows);
        let (found, block) = (self.places[column].as_ref(), self.block);
        if found.is_some() {
            self.mark_decoded(block);
        }
        let spec = &self.columns[column];
        let out = &mut self.blocks[column];
        out.loaded = true;
        out.is_kept = false;
        out.may_be_nan = false;
        let Some(found) = found else {
            out.valid = Mask::EMPTY;
            if let Values::Code(codes) = &mut out.values {
                codes.fill(NULL_CODE);
            }
            return Ok(out);
        };
        let physical = found.physical();
        if let Some(derived) = &spec.derived {
            out.may_be_nan = physical == Physical::F64 && found.stats(block).nans > 0;
            let validity = derived.load(found, block, rows, &mut out.values)?;
            out.valid = mask_of(validity.ok_or_else(|| misplaced(spec, physical))?, rows);
            return Ok(out);
        }
        let validity = match (&mut out.values, physical) {
            (Values::F64(values), Physical::F64) => {
                out.may_be_nan = found.stats(block).nans > 0;
                found.decode_f64(block, values)?
            }
            (Values::I64(values), Physical::I64) => found.decode_i64(block, values)?,
            (Values::I64(values), Physical::Bool) => {
                let mut bools = [false; BLOCK_ROWS];
                let validity = found.decode_bool(block, &mut bools)?;
                for (value, bool) in values.iter_mut().zip(bools) {
                    *value = i64::from(bool);
                }
                validity
            }
            (Values::Code(codes), Physical::Code) => {
                found.decode_codes(block, codes)?;
                if let Some(strings) = &spec.strings {
                    strings.translate(&mut codes[..rows])?;
                }
                let nulls = found.stats(block).nulls > 0 || spec.strings.as_ref().is_some_and(|s| s.is_made());
                out.valid = if nulls {
                    Mask::of(&codes[..rows], |code| code != NULL_CODE)
                } else {
                    all
                };
                return Ok(out);
            }
            (Values::Code(codes), Physical::Text) => {
                let (texts, validity) = found.decode_text(block)?;
                match &spec.strings {
                    Some(strings) => strings.codes_of(&texts, &validity, &mut codes[..rows])?,
                    None => return Err(Error::internal("a string column without strings")),
                }
                validity
            }
            _ => return Err(misplaced(spec, physical)),
        };
        out.valid = mask_of(validity, rows);
        Ok(out)
    }

    /// Decodes a column of the block if it was not yet, and moves the given rows to the front, if not all are kept. Of one block the
    /// same rows are kept of all columns.
    pub fn load_kept(&mut self, column: usize, rows: Option<&[u16]>) -> Result<()> {
        let block = self.load(column)?;
        if let Some(rows) = rows.filter(|_| !block.is_kept) {
            block.keep(rows);
            block.is_kept = true;
        }
        Ok(())
    }
}

/// Rows that are not null, of so many.
pub(super) fn mask_of(validity: Validity, rows: usize) -> Mask {
    match validity {
        Validity::All => Mask::first(rows),
        Validity::None => Mask::EMPTY,
        Validity::Some(words) => Mask::from_words(*words).and(&Mask::first(rows)),
    }
}

fn misplaced(column: &Column, physical: Physical) -> Error {
    let detail = format!("column {} is stored as {physical:?}", column.stored);
    Error::corrupt("a stored batch is damaged", detail)
}
