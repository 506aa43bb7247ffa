//! Names of a query looked up in a stream's schema: columns, and in `conditions` what is asked of them.

mod conditions;
mod keys;
mod literals;
mod numbers;

use std::sync::Arc;

use crate::column::schema::{ENTITY, TIME};
use crate::column::{ColumnType, Schema};
use crate::error::{Error, Result};
use crate::scan::control::Control;
use crate::scan::strings::{Strings, Texts};
use crate::scan::{Column, Scan, Type};
use crate::store::Stream;

/// The columns a query reads, each once.
#[derive(Debug)]
pub struct Columns<'a> {
    stream: &'a Arc<Stream>,
    schema: &'a Schema,
    /// What is read; none: it is not known yet.
    scan: Option<&'a Scan>,
    control: &'a Control,
    /// Their names; none of those that are made of others.
    names: Vec<Option<String>>,
    /// Tests that seek texts in rows, so far.
    seeking: usize,
    /// The columns, by place.
    pub columns: Vec<Column>,
}

impl<'a> Columns<'a> {
    /// None yet. The scan must have been taken before, so that dictionaries hold every code in it.
    pub fn new(stream: &'a Arc<Stream>, schema: &'a Schema, scan: &'a Scan, control: &'a Control) -> Self {
        Self {
            scan: Some(scan),
            ..Self::of_any(stream, schema, control)
        }
    }

    /// None yet, of rows that may hold anything. The snapshot must have been taken before, likewise.
    pub fn of_any(stream: &'a Arc<Stream>, schema: &'a Schema, control: &'a Control) -> Self {
        Self {
            stream,
            schema,
            scan: None,
            control,
            names: Vec::new(),
            seeking: 0,
            columns: Vec::new(),
        }
    }

    /// Place of the column of this name; `field` is where the request names it.
    pub fn place(&mut self, name: &str, field: &str) -> Result<usize> {
        let name = if self.schema.is_entity(name) { "entity" } else { name };
        if let Some(place) = self.names.iter().position(|known| known.as_deref() == Some(name)) {
            return Ok(place);
        }
        let column = self.find(name, field)?;
        self.names.push(Some(name.to_owned()));
        self.columns.push(column);
        Ok(self.columns.len() - 1)
    }

    fn find(&self, name: &str, field: &str) -> Result<Column> {
        let plain = |stored, data_type| Column {
            stored,
            data_type,
            strings: None,
            derived: None,
        };
        let text = |stored, texts, may_meet| Column {
            stored,
            data_type: Type::Text,
            strings: Some(Arc::new(Strings::new(self.stream, texts, may_meet))),
            derived: None,
        };
        if name == "time" {
            return Ok(plain(TIME, Type::Timestamp));
        }
        if name == "entity" {
            return Ok(text(ENTITY, Texts::Entity, false));
        }
        let spec = self.schema.column(name).ok_or_else(|| self.unknown(name, field))?;
        Ok(match spec.column_type {
            ColumnType::F64 => plain(spec.id, Type::F64),
            ColumnType::I64 => plain(spec.id, Type::I64),
            ColumnType::Bool => plain(spec.id, Type::Bool),
            ColumnType::Timestamp => plain(spec.id, Type::Timestamp),
            ColumnType::Label => text(ENTITY, Texts::Label(spec.id), false),
            ColumnType::State => return Err(Error::unsupported(field)),
            // A symbol column past its bound holds texts, and a text column may hold codes from before it was one.
            ColumnType::Symbol | ColumnType::Text => {
                let known = self.stream.all_symbols().into_iter().find(|(id, _)| *id == spec.id);
                let texts = known.map_or(Texts::Rows, |(_, symbols)| Texts::Symbol(symbols));
                text(spec.id, texts, self.scan.is_none_or(|scan| scan.has_texts(spec.id)))
            }
        })
    }

    fn unknown(&self, name: &str, field: &str) -> Error {
        let known = ["time", "entity"]
            .into_iter()
            .chain(self.schema.columns.iter().map(|column| column.name.as_str()));
        let near = known
            .map(|known| (distance(known, name), known))
            .filter(|&(distance, known)| distance <= 1 + known.chars().count() / 4)
            .min();
        let hint = near.map_or(String::new(), |(_, known)| format!("; did you mean {known:?}?"));
        let shown: String = name.chars().take(64).collect();
        Error::invalid(
            "UNKNOWN_COLUMN",
            field,
            format!("the stream has no column {shown:?}{hint}"),
        )
    }
}

/// Edits between two names (Levenshtein), for suggestions. Names have at most 255 bytes; longer ones are cut.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(255).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(255).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance("value", "valeu"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
