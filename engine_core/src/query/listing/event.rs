//! Rows as events: their ids, and the values that are asked for.

use std::sync::Arc;

use super::look::{ENTITY_PLACE, Source};
use super::order::Place;
use crate::column::schema::ENTITY;
use crate::column::{BLOCK_ROWS, ColumnType, Schema};
use crate::error::{Error, Result};
use crate::ingest::event_id::{Logical, RowHasher};
use crate::query::resolve::Columns;
use crate::scan::block::{Reader, Values};
use crate::scan::control::Control;
use crate::scan::{Column, Type};
use crate::store::Stream;
use crate::wire::v1;
use crate::wire::v1::value::Kind;

/// The columns of events of a stream.
pub(super) struct Fields {
    columns: Vec<Column>,
    /// Those that ids are made of, in order of name: name and place.
    hashed: Vec<(String, usize)>,
    /// Those that are asked for, by place.
    asked: Vec<usize>,
    /// Their names.
    pub(super) names: Vec<String>,
    stream: u32,
    secret: [u8; 16],
}

impl Fields {
    /// Of these names; of none: all of the stream. The snapshot must have been taken before.
    pub(super) fn new(
        stream: &Arc<Stream>,
        schema: &Schema,
        asked: &[String],
        secret: [u8; 16],
        control: &Control,
    ) -> Result<Self> {
        let mut columns = Columns::of_any(stream, schema, control);
        columns.place("entity", "")?;
        let mut hashed = Vec::new();
        let is_in_rows = |column_type| !matches!(column_type, ColumnType::Label | ColumnType::State);
        for column in schema.columns.iter().filter(|column| is_in_rows(column.column_type)) {
            hashed.push((column.name.clone(), columns.place(&column.name, "")?));
        }
        hashed.sort_unstable();
        let names = if asked.is_empty() {
            let all = schema
                .columns
                .iter()
                .filter(|column| column.column_type != ColumnType::State);
            all.map(|column| column.name.clone()).collect()
        } else {
            asked.to_vec()
        };
        let place = |(at, name): (usize, &String)| columns.place(name, &format!("columns[{at}]"));
        let asked = names.iter().enumerate().map(place).collect::<Result<_>>()?;
        Ok(Self {
            columns: columns.columns,
            hashed,
            asked,
            names,
            stream: stream.id,
            secret,
        })
    }

    /// The rows at these places, in their order.
    pub(super) fn read(&self, sources: &[Source], places: &[Place]) -> Result<Vec<v1::StoredEvent>> {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_unstable_by_key(|&at| (places[at].source, places[at].row));
        let mut events = vec![v1::StoredEvent::default(); places.len()];
        let mut reader = Reader::new(&self.columns);
        for at in order {
            let place = &places[at];
            let rows = sources[place.source as usize].rows()?;
            let event = self.read_row(&mut reader, rows, place);
            events[at] = event.map_err(|error| rows.explain(error))?;
        }
        Ok(events)
    }

    fn read_row<'a>(
        &'a self,
        reader: &mut Reader<'a>,
        rows: &'a crate::store::Rows,
        place: &Place,
    ) -> Result<v1::StoredEvent> {
        let (block, row) = (place.row as usize / BLOCK_ROWS, place.row as usize % BLOCK_ROWS);
        if reader.turn_to(rows)? {
            reader.turn_to_block(block);
        } else {
            reader.stay_or_turn_to(block);
        }
        let mut cells = Vec::with_capacity(self.columns.len());
        for (at, column) in self.columns.iter().enumerate() {
            cells.push(cell(reader, at, column, row)?);
        }
        let mut hasher = RowHasher::new(&self.secret);
        for (name, at) in &self.hashed {
            if let Some(value) = &cells[*at] {
                hasher.add(name, logical(value));
            }
        }
        let entity = match &cells[ENTITY_PLACE] {
            Some(Kind::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let value = |&at: &usize| v1::Value {
            kind: cells[at].clone(),
        };
        Ok(v1::StoredEvent {
            id: hasher.finish(self.stream, place.entity, place.time).to_vec(),
            time_ns: place.time,
            entity,
            values: self.asked.iter().map(value).collect(),
        })
    }
}

/// The value of a row of the reader's block; none: null.
fn cell(reader: &mut Reader<'_>, at: usize, column: &Column, row: usize) -> Result<Option<Kind>> {
    let block = reader.load(at)?;
    if !block.valid.get(row) {
        return Ok(None);
    }
    Ok(Some(match (&block.values, column.data_type) {
        (Values::F64(values), _) => Kind::F64(values[row]),
        (Values::I64(values), Type::Bool) => Kind::Boolean(values[row] == 1),
        (Values::I64(values), Type::Timestamp) => Kind::TimestampNs(values[row]),
        (Values::I64(values), _) => Kind::I64(values[row]),
        (Values::Code(codes), _) => {
            let strings = column.strings.as_ref();
            let strings = strings.ok_or_else(|| Error::internal("texts without strings"))?;
            let code = codes[row];
            debug_assert!(code != 0 || column.stored != ENTITY, "null is no value");
            Kind::Text(strings.read(|view| view.text(code).to_owned()))
        }
    }))
}

fn logical(value: &Kind) -> Logical<'_> {
    match value {
        Kind::F64(value) => Logical::F64(*value),
        Kind::I64(value) => Logical::I64(*value),
        Kind::Boolean(value) => Logical::Bool(*value),
        Kind::TimestampNs(value) => Logical::Timestamp(*value),
        Kind::Text(text) => Logical::Text(text),
    }
}
