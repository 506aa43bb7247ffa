//! Sealing: rows in order of arrival become parts, ordered by entity, time, then arrival, each column in the codecs that fit it
//! best. Pure work on memory; `sealer` says when, and publishes. Merging parts is the same with parts as the source.

use super::part::block::{Valid, Values};
use super::part::build::{Builder, Built, Description};
use super::rows::{ColumnRows, Rows};
use super::stream::Stream;
use super::tiles::{Tile, Tiles};
use crate::codec::Codecs;
use crate::column::packed::{Physical, Validity};
use crate::column::schema::{ENTITY, TIME};
use crate::column::{BLOCK_ROWS, ColumnId, NULL_CODE};
use crate::error::{Error, Result};

/// Rows to seal and what is known of them.
pub(super) struct Input<'a> {
    pub(super) stream: &'a Stream,
    /// In order of arrival.
    pub(super) sources: &'a [Rows],
    /// Tiles that hold parts already.
    pub(super) tiles: Tiles,
    /// Width of new tiles.
    pub(super) width: i64,
    /// Says of a part to come, of so many rows in this tile, what it is; called in ascending order of tile.
    pub(super) describe: &'a mut dyn FnMut(Tile, u64) -> Description,
    /// Called between pieces of work of a few milliseconds: it may wait, or end the work by an error.
    pub(super) rest: &'a mut dyn FnMut() -> Result<()>,
}

/// A part that was built, with the least and greatest entity code.
pub(super) struct Sealed {
    pub(super) built: Built,
    pub(super) tile: Tile,
    pub(super) entities: (u32, u32),
    pub(super) codecs: Codecs,
}

/// Builds the parts of the rows, one a tile.
pub(super) fn seal(input: Input<'_>) -> Result<Vec<Sealed>> {
    let Input {
        stream,
        sources,
        mut tiles,
        width,
        describe,
        rest,
    } = input;
    let times = read_i64(sources, TIME, rest)?.values;
    let entities = read_codes(sources, ENTITY, rest)?;
    let mut parts: Vec<Part> = Vec::new();
    for (tile, rows) in by_tile(&times, &mut tiles, width) {
        let bounds = rows.iter().map(|&row| times[row as usize]);
        let bounds = bounds.fold((i64::MAX, i64::MIN), |(least, greatest), time| {
            (least.min(time), greatest.max(time))
        });
        let order = order(rows, &entities, &times);
        rest()?;
        let about = describe(tile, order.len() as u64);
        let mut builder = Builder::new(about);
        builder.runs(order.iter().map(|&row| entities[row as usize]), bounds);
        parts.push(Part {
            tile,
            order,
            builder,
            codecs: about.codecs,
        });
    }
    for part in &mut parts {
        part.builder.column(TIME, Physical::I64);
        part.integers(&times, None, rest)?;
    }
    drop(times);
    for part in &mut parts {
        part.builder.column(ENTITY, Physical::Code);
        part.codes(&entities, rest)?;
    }
    for (column, physical) in columns(sources)? {
        write_column(stream, sources, column, physical, &mut parts, rest)?;
    }
    let ends = |part: &Part| {
        let code = |row: Option<&u32>| row.map_or(0, |&row| entities[row as usize]);
        (code(part.order.first()), code(part.order.last()))
    };
    Ok(parts
        .into_iter()
        .map(|part| Sealed {
            tile: part.tile,
            entities: ends(&part),
            codecs: part.codecs,
            built: part.builder.finish(),
        })
        .collect())
}

/// Columns besides time and entity, ascending, and how each will lie. What is text in one source is text in all.
fn columns(sources: &[Rows]) -> Result<Vec<(ColumnId, Physical)>> {
    let mut columns: std::collections::BTreeMap<ColumnId, Physical> = std::collections::BTreeMap::new();
    for (column, physical) in sources.iter().flat_map(Rows::columns) {
        let found = *columns.entry(column).or_insert(physical);
        if found == physical || (found, physical) == (Physical::Text, Physical::Code) {
            continue;
        }
        if (found, physical) != (Physical::Code, Physical::Text) {
            return Err(Error::internal(format!(
                "column {column} lies as {found:?} and as {physical:?}"
            )));
        }
        columns.insert(column, physical);
    }
    columns.remove(&TIME);
    columns.remove(&ENTITY);
    Ok(columns.into_iter().collect())
}

/// Rows of each tile in order of arrival, tiles ascending.
fn by_tile(times: &[i64], tiles: &mut Tiles, width: i64) -> Vec<(Tile, Vec<u32>)> {
    let mut found: Vec<(Tile, Vec<u32>)> = Vec::new();
    let mut last = 0;
    for (row, &time) in (0..).zip(times) {
        if !found
            .get(last)
            .is_some_and(|(tile, _)| super::tiles::holds(*tile, time))
        {
            let tile = tiles.tile(time, width);
            last = found.iter().position(|(other, _)| *other == tile).unwrap_or_else(|| {
                found.push((tile, Vec::new()));
                found.len() - 1
            });
        }
        found[last].1.push(row);
    }
    found.sort_by_key(|(tile, _)| *tile);
    found
}

/// Orders rows by entity, then time, then arrival.
fn order(mut rows: Vec<u32>, entities: &[u32], times: &[i64]) -> Vec<u32> {
    let entity = |row: u32| entities[row as usize];
    let greatest = rows.iter().map(|&row| entity(row)).max().unwrap_or(0) as usize;
    if greatest <= rows.len() * 4 + (1 << 16) {
        // A counting sort keeps the order of arrival.
        let mut next = vec![0u32; greatest + 2];
        for &row in &rows {
            next[entity(row) as usize + 1] += 1;
        }
        for code in 1..next.len() {
            next[code] += next[code - 1];
        }
        let mut ordered = vec![0; rows.len()];
        for &row in &rows {
            let place = &mut next[entity(row) as usize];
            ordered[*place as usize] = row;
            *place += 1;
        }
        rows = ordered;
    } else {
        rows.sort_by_key(|&row| entity(row));
    }
    for run in rows.chunk_by_mut(|&left, &right| entity(left) == entity(right)) {
        if !run.is_sorted_by_key(|&row| times[row as usize]) {
            run.sort_by_key(|&row| times[row as usize]);
        }
    }
    rows
}

/// Values of a column in order of arrival.
struct Whole<T> {
    values: Vec<T>,
    /// One bit a row, 1 for not null; none: no row is null.
    valid: Option<Vec<u64>>,
}

impl<T: Copy + Default> Whole<T> {
    fn with_room(rows: usize) -> Self {
        Self {
            values: Vec::with_capacity(rows),
            valid: None,
        }
    }

    /// Adds the rows of a block.
    fn push(&mut self, values: &[T], validity: &Validity) {
        let start = self.values.len();
        self.values.extend_from_slice(values);
        self.note(start, values.len(), validity);
    }

    /// Adds rows that are null.
    fn push_nulls(&mut self, rows: usize) {
        let start = self.values.len();
        self.values.resize(start + rows, T::default());
        self.note(start, rows, &Validity::None);
    }

    fn note(&mut self, start: usize, rows: usize, validity: &Validity) {
        if *validity == Validity::All && self.valid.is_none() {
            return;
        }
        let valid = self.valid.get_or_insert_with(|| bits(start));
        valid.resize((start + rows).div_ceil(64), 0);
        for row in (0..rows).filter(|&row| validity.get(row)) {
            valid[(start + row) / 64] |= 1 << ((start + row) % 64);
        }
    }
}

/// So many ones.
fn bits(rows: usize) -> Vec<u64> {
    let mut words = vec![u64::MAX; rows.div_ceil(64)];
    if !rows.is_multiple_of(64) {
        words[rows / 64] = (1 << (rows % 64)) - 1;
    }
    words
}

type Rest<'a> = &'a mut dyn FnMut() -> Result<()>;

/// Blocks read between two rests.
const REST_BLOCKS: usize = 256;

/// Calls `take` with each block of a column, or with the number of rows of a source that has none of it.
fn each_block(
    sources: &[Rows],
    column: ColumnId,
    rest: Rest<'_>,
    mut take: impl FnMut(Option<(&ColumnRows<'_>, usize)>, usize) -> Result<()>,
) -> Result<()> {
    let mut blocks = 0;
    for source in sources {
        match source.column(column).map_err(|error| source.explain(error))? {
            None => take(None, source.rows())?,
            Some(found) => {
                for block in 0..source.blocks() {
                    take(Some((&found, block)), source.block_rows(block)).map_err(|error| source.explain(error))?;
                    blocks += 1;
                    if blocks % REST_BLOCKS == 0 {
                        rest()?;
                    }
                }
            }
        }
    }
    rest()
}

fn row_count(sources: &[Rows]) -> usize {
    sources.iter().map(Rows::rows).sum()
}

macro_rules! read_whole {
    ($name:ident, $type:ty, $decode:ident) => {
        fn $name(sources: &[Rows], column: ColumnId, rest: Rest<'_>) -> Result<Whole<$type>> {
            let mut whole = Whole::with_room(row_count(sources));
            let mut block_values = [<$type>::default(); BLOCK_ROWS];
            each_block(sources, column, rest, |block, rows| {
                match block {
                    None => whole.push_nulls(rows),
                    Some((found, block)) => {
                        let validity = found.$decode(block, &mut block_values)?;
                        whole.push(&block_values[..rows], &validity);
                    }
                }
                Ok(())
            })?;
            Ok(whole)
        }
    };
}

read_whole!(read_i64, i64, decode_i64);
read_whole!(read_f64, f64, decode_f64);
read_whole!(read_bool, bool, decode_bool);

fn read_codes(sources: &[Rows], column: ColumnId, rest: Rest<'_>) -> Result<Vec<u32>> {
    let mut codes = Vec::with_capacity(row_count(sources));
    let mut values = [0; BLOCK_ROWS];
    each_block(sources, column, rest, |block, rows| {
        match block {
            None => codes.resize(codes.len() + rows, NULL_CODE),
            Some((found, block)) => {
                found.decode_codes(block, &mut values)?;
                codes.extend_from_slice(&values[..rows]);
            }
        }
        Ok(())
    })?;
    Ok(codes)
}

/// Texts of a column in order of arrival.
#[derive(Default)]
struct WholeTexts {
    bytes: String,
    ends: Vec<u64>,
    /// Rows that are not null, one bit each.
    valid: Vec<u64>,
}

impl WholeTexts {
    fn push(&mut self, text: Option<&str>) {
        let row = self.ends.len();
        if row.is_multiple_of(64) {
            self.valid.push(0);
        }
        if let Some(text) = text {
            self.bytes.push_str(text);
            self.valid[row / 64] |= 1 << (row % 64);
        }
        self.ends.push(self.bytes.len() as u64);
    }

    fn get(&self, row: u32) -> &str {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start as usize..self.ends[row] as usize]
    }
}

fn read_texts(stream: &Stream, sources: &[Rows], column: ColumnId, rest: Rest<'_>) -> Result<WholeTexts> {
    let mut whole = WholeTexts::default();
    let mut codes = [0; BLOCK_ROWS];
    let symbols = stream.symbols(column);
    each_block(sources, column, rest, |block, rows| {
        let Some((found, block)) = block else {
            (0..rows).for_each(|_| whole.push(None));
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
                whole.push((code != NULL_CODE).then(|| dictionary.text(code)));
            }
            return Ok(());
        }
        let (texts, validity) = found.decode_text(block)?;
        (0..rows).for_each(|row| whole.push(validity.get(row).then(|| texts.get(row))));
        Ok(())
    })?;
    Ok(whole)
}

fn write_column(
    stream: &Stream,
    sources: &[Rows],
    column: ColumnId,
    physical: Physical,
    parts: &mut [Part],
    rest: Rest<'_>,
) -> Result<()> {
    for part in &mut *parts {
        part.builder.column(column, physical);
    }
    match physical {
        Physical::F64 => {
            let whole = read_f64(sources, column, rest)?;
            parts
                .iter_mut()
                .try_for_each(|part| part.doubles(&whole.values, whole.valid.as_deref(), rest))
        }
        Physical::I64 => {
            let whole = read_i64(sources, column, rest)?;
            parts
                .iter_mut()
                .try_for_each(|part| part.integers(&whole.values, whole.valid.as_deref(), rest))
        }
        Physical::Bool => {
            let whole = read_bool(sources, column, rest)?;
            parts
                .iter_mut()
                .try_for_each(|part| part.booleans(&whole.values, whole.valid.as_deref(), rest))
        }
        Physical::Code => {
            let whole = read_codes(sources, column, rest)?;
            parts.iter_mut().try_for_each(|part| part.symbols(&whole, rest))
        }
        Physical::Text => {
            let whole = read_texts(stream, sources, column, rest)?;
            parts.iter_mut().try_for_each(|part| part.texts(&whole, rest))
        }
    }
}

/// A part in the making.
struct Part {
    tile: Tile,
    /// Rows in the part's order, by their place in order of arrival.
    order: Vec<u32>,
    builder: Builder,
    codecs: Codecs,
}

/// Validity of the given rows; none: no row is null.
fn gather_valid(valid: Option<&[u64]>, rows: &[u32]) -> Option<Valid> {
    let valid = valid?;
    let mut gathered = [0; BLOCK_ROWS / 64];
    for (place, &row) in rows.iter().enumerate() {
        let bit = valid[row as usize / 64] >> (row % 64) & 1;
        gathered[place / 64] |= bit << (place % 64);
    }
    Some(gathered)
}

/// Values of the given rows.
fn gather<T: Copy>(values: &[T], rows: &[u32], out: &mut [T; BLOCK_ROWS]) {
    for (out, &row) in out.iter_mut().zip(rows) {
        *out = values[row as usize];
    }
}

impl Part {
    /// Calls `write` with the rows of each block.
    fn each_block(&mut self, rest: Rest<'_>, mut write: impl FnMut(&mut Builder, &[u32])) -> Result<()> {
        for blocks in self.order.chunks(BLOCK_ROWS * REST_BLOCKS) {
            for rows in blocks.chunks(BLOCK_ROWS) {
                write(&mut self.builder, rows);
            }
            rest()?;
        }
        Ok(())
    }

    fn integers(&mut self, values: &[i64], valid: Option<&[u64]>, rest: Rest<'_>) -> Result<()> {
        let mut block = [0; BLOCK_ROWS];
        self.each_block(rest, |builder, rows| {
            gather(values, rows, &mut block);
            builder.block(
                Values::I64(&mut block[..rows.len()]),
                gather_valid(valid, rows).as_ref(),
            );
        })
    }

    fn doubles(&mut self, values: &[f64], valid: Option<&[u64]>, rest: Rest<'_>) -> Result<()> {
        let mut block = [0.0; BLOCK_ROWS];
        self.each_block(rest, |builder, rows| {
            gather(values, rows, &mut block);
            builder.block(
                Values::F64(&mut block[..rows.len()]),
                gather_valid(valid, rows).as_ref(),
            );
        })
    }

    fn booleans(&mut self, values: &[bool], valid: Option<&[u64]>, rest: Rest<'_>) -> Result<()> {
        self.each_block(rest, |builder, rows| {
            let mut bits = [0u64; BLOCK_ROWS / 64];
            for (place, &row) in rows.iter().enumerate() {
                bits[place / 64] |= u64::from(values[row as usize]) << (place % 64);
            }
            builder.block(Values::Bool(bits, rows.len()), gather_valid(valid, rows).as_ref());
        })
    }

    fn codes(&mut self, values: &[u32], rest: Rest<'_>) -> Result<()> {
        let mut block = [0; BLOCK_ROWS];
        self.each_block(rest, |builder, rows| {
            gather(values, rows, &mut block);
            builder.block(Values::Code(&block[..rows.len()]), None);
        })
    }

    /// Codes of a dictionary, of which the part has its own list if that makes them narrower.
    fn symbols(&mut self, values: &[u32], rest: Rest<'_>) -> Result<()> {
        let greatest = self.order.iter().map(|&row| values[row as usize]).max().unwrap_or(0);
        let mut occurs = vec![false; greatest as usize + 1];
        occurs[NULL_CODE as usize] = true;
        for &row in &self.order {
            occurs[values[row as usize] as usize] = true;
        }
        let codes: Vec<u32> = (0..=greatest).filter(|&code| occurs[code as usize]).collect();
        let width = |codes: usize| usize::BITS - (codes - 1).leading_zeros();
        if width(codes.len()) == width(occurs.len()) {
            return self.codes(values, rest);
        }
        let mut places = vec![0; occurs.len()];
        for (place, &code) in (0..).zip(&codes) {
            places[code as usize] = place;
        }
        self.builder.local_codes(codes);
        let mut block = [0; BLOCK_ROWS];
        self.each_block(rest, |builder, rows| {
            for (out, &row) in block.iter_mut().zip(rows) {
                *out = places[values[row as usize] as usize];
            }
            builder.block(Values::Code(&block[..rows.len()]), None);
        })
    }

    fn texts(&mut self, whole: &WholeTexts, rest: Rest<'_>) -> Result<()> {
        self.each_block(rest, |builder, rows| {
            let texts: Vec<&str> = rows.iter().map(|&row| whole.get(row)).collect();
            builder.block(Values::Text(&texts), gather_valid(Some(&whole.valid), rows).as_ref());
        })
    }
}
