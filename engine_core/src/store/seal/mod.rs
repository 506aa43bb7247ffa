//! Sealing: rows in order of arrival become parts, ordered by entity, time, then arrival, each column in the codecs that fit it
//! best. Pure work on memory; `sealer` says when, and publishes. Merging parts is the same with parts as the source.

pub(super) mod making;
mod order;
pub(super) mod read;
pub(super) mod whole;

pub(super) use making::Sealed;

use making::Part;

use super::part::build::Description;
use super::rows::Rows;
use super::stream::Stream;
use super::team::Team;
use super::tiles::{Tile, Tiles};
use crate::column::ColumnId;
use crate::column::packed::Physical;
use crate::column::schema::{ENTITY, TIME};
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
    /// Does the work.
    pub(super) team: Team<'a>,
}

/// Builds the parts of the rows, one a tile. They are the same however many threads do it.
pub(super) fn seal(input: Input<'_>) -> Result<Vec<Sealed>> {
    let Input {
        stream,
        sources,
        mut tiles,
        width,
        describe,
        mut team,
    } = input;
    let team = &mut team;
    let times = read::integers(sources, TIME, team)?.values;
    let entities = read::codes(sources, ENTITY, team)?;
    let mut ordered = Vec::new();
    team.each(
        by_tile(&times, &mut tiles, width),
        |(tile, rows)| Ok((tile, order::by_entity(rows, &entities))),
        |found| {
            ordered.push(found);
            Ok(())
        },
    )?;
    drop(entities);
    let mut parts: Vec<Part> = Vec::new();
    for (tile, (mut order, runs)) in ordered {
        let bounds = order::by_time(&mut order, &runs, &times, team)?;
        let about = describe(tile, order.len() as u64);
        parts.push(Part::new(tile, order, runs, bounds, about));
    }
    parts.iter_mut().try_for_each(|part| part.times(&times, team))?;
    drop(times);
    parts.iter_mut().try_for_each(|part| part.entities(team))?;
    for (column, physical) in columns(sources)? {
        write_column(stream, sources, column, physical, &mut parts, team)?;
    }
    Ok(parts.into_iter().map(Part::finish).collect())
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

fn write_column(
    stream: &Stream,
    sources: &[Rows],
    column: ColumnId,
    physical: Physical,
    parts: &mut [Part],
    team: &mut Team<'_>,
) -> Result<()> {
    parts.iter_mut().for_each(|part| part.begin(column, physical));
    let mut parts = parts.iter_mut();
    match physical {
        Physical::F64 => {
            let whole = read::doubles(sources, column, team)?;
            parts.try_for_each(|part| part.doubles(&whole, team))
        }
        Physical::I64 => {
            let whole = read::integers(sources, column, team)?;
            parts.try_for_each(|part| part.integers(&whole, team))
        }
        Physical::Bool => {
            let whole = read::booleans(sources, column, team)?;
            parts.try_for_each(|part| part.booleans(&whole, team))
        }
        Physical::Code => {
            let whole = read::codes(sources, column, team)?;
            parts.try_for_each(|part| part.symbols(&whole, team))
        }
        Physical::Text => {
            let whole = read::texts(stream, sources, column, team)?;
            parts.try_for_each(|part| part.texts(&whole, team))
        }
    }
}
