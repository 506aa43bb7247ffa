//! Columns read whole from wherever their rows lie.

use std::ops::Range;

use super::super::rows::{ColumnRows, Rows};
use super::super::stream::Stream;
use super::super::team::Team;
use super::whole::{Whole, WholeTexts};
use crate::column::packed::Physical;
use crate::column::{BLOCK_ROWS, ColumnId, NULL_CODE};
use crate::error::{Error, Result};

/// Blocks that a thread reads at a time.
const PIECE_BLOCKS: usize = 64;

/// Blocks of some sources, one after the other.
type Piece<'a> = Vec<(&'a Rows, Range<usize>)>;

fn pieces(sources: &[Rows]) -> Vec<Piece<'_>> {
    let (mut pieces, mut open, mut blocks) = (Vec::new(), Piece::new(), 0);
    for source in sources {
        let mut start = 0;
        while start < source.blocks() {
            let end = source.blocks().min(start + PIECE_BLOCKS - blocks);
            open.push((source, start..end));
            blocks += end - start;
            start = end;
            if blocks == PIECE_BLOCKS {
                pieces.push(std::mem::take(&mut open));
                blocks = 0;
            }
        }
    }
    pieces.push(open);
    pieces
}

fn row_count(sources: &[Rows]) -> usize {
    sources.iter().map(Rows::rows).sum()
}

/// Calls `take` with each block of a column, or with the number of rows of a block whose source has none of it.
fn each_block(
    piece: &Piece<'_>,
    column: ColumnId,
    mut take: impl FnMut(Option<(&ColumnRows<'_>, usize)>, usize) -> Result<()>,
) -> Result<()> {
    for (source, blocks) in piece {
        let found = source.column(column).map_err(|error| source.explain(error))?;
        for block in blocks.clone() {
            let place = found.as_ref().map(|found| (found, block));
            take(place, source.block_rows(block)).map_err(|error| source.explain(error))?;
        }
    }
    Ok(())
}

macro_rules! read_whole {
    ($name:ident, $type:ty, $decode:ident) => {
        pub(in crate::store) fn $name(sources: &[Rows], column: ColumnId, team: &mut Team<'_>) -> Result<Whole<$type>> {
            let mut whole = Whole::with_room(row_count(sources));
            let read = |piece| {
                let mut some = Whole::with_room(PIECE_BLOCKS * BLOCK_ROWS);
                let mut values = [<$type>::default(); BLOCK_ROWS];
                each_block(&piece, column, |block, rows| {
                    match block {
                        None => some.push_nulls(rows),
                        Some((found, block)) => {
                            let validity = found.$decode(block, &mut values)?;
                            some.push(&values[..rows], &validity);
                        }
                    }
                    Ok(())
                })?;
                Ok(some)
            };
            team.each(pieces(sources), read, |some| {
                whole.append(&some);
                Ok(())
            })?;
            Ok(whole)
        }
    };
}

read_whole!(integers, i64, decode_i64);
read_whole!(doubles, f64, decode_f64);
read_whole!(booleans, bool, decode_bool);

pub(in crate::store) fn codes(sources: &[Rows], column: ColumnId, team: &mut Team<'_>) -> Result<Vec<u32>> {
    let mut codes = Vec::with_capacity(row_count(sources));
    let read = |piece| {
        let (mut some, mut values) = (Vec::with_capacity(PIECE_BLOCKS * BLOCK_ROWS), [0; BLOCK_ROWS]);
        each_block(&piece, column, |block, rows| {
            match block {
                None => some.resize(some.len() + rows, NULL_CODE),
                Some((found, block)) => {
                    found.decode_codes(block, &mut values)?;
                    some.extend_from_slice(&values[..rows]);
                }
            }
            Ok(())
        })?;
        Ok(some)
    };
    team.each(pieces(sources), read, |some| {
        codes.extend_from_slice(&some);
        Ok(())
    })?;
    Ok(codes)
}

pub(in crate::store) fn texts(
    stream: &Stream,
    sources: &[Rows],
    column: ColumnId,
    team: &mut Team<'_>,
) -> Result<WholeTexts> {
    let mut whole = WholeTexts::default();
    let symbols = stream.symbols(column);
    let read = |piece| {
        let (mut some, mut codes) = (WholeTexts::default(), [0; BLOCK_ROWS]);
        each_block(&piece, column, |block, rows| {
            let Some((found, block)) = block else {
                (0..rows).for_each(|_| some.push(None));
                return Ok(());
            };
            if found.physical() == Physical::Code {
                // From before the column turned to text.
                found.decode_codes(block, &mut codes)?;
                let dictionary = symbols.read();
                for &code in &codes[..rows] {
                    if code >= dictionary.len() {
                        return Err(Error::corrupt(
                            "a stored batch names an unknown code",
                            "code past its dictionary",
                        ));
                    }
                    some.push((code != NULL_CODE).then(|| dictionary.text(code)));
                }
                return Ok(());
            }
            let (texts, validity) = found.decode_text(block)?;
            (0..rows).for_each(|row| some.push(validity.get(row).then(|| texts.get(row))));
            Ok(())
        })?;
        Ok(some)
    };
    team.each(pieces(sources), read, |some| {
        whole.append(&some);
        Ok(())
    })?;
    Ok(whole)
}
