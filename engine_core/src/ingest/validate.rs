//! A columnar batch against its stream: shape, columns, rows; then codes, and the columns as they are stored.

use std::sync::Arc;

use super::codes::check_length;
use super::columns::{Columns, FieldColumn, LabelColumn, Source, kind_mismatch};
use super::faults::{self, Fault, Faults, Keep};
use super::prepare::{Prepared, Terms, TimeBounds, keep};
use super::quarantine::{self, EventBytes};
use super::series::SeriesRows;
use super::tables::KnownTables;
use super::{build, intern};
use crate::column::batch::{BatchColumn, RowBatch};
use crate::column::packed::MAX_ROWS;
use crate::column::{ColumnType, NULL_CODE, Schema, StreamKind, StreamSettings};
use crate::error::{Error, Result};
use crate::store::Stream;
use crate::wire::batch::BatchView;
use crate::wire::events::Scalar;

/// Most bytes that the strings of a batch's text columns take when each row has its own.
const MAX_TEXT_TOTAL: usize = 256 << 20;

/// A batch resolved against one version of the schema.
struct Resolved<'a> {
    view: &'a BatchView<'a>,
    schema: Arc<Schema>,
    columns: Columns<'a>,
    series: Option<SeriesRows<'a>>,
}

/// Decodes and validates a batch. `kind` is what the request says the stream's is.
pub fn write(name: &str, view: &BatchView<'_>, kind: Option<StreamKind>, terms: &Terms<'_>) -> Result<Prepared> {
    check_shape(view)?;
    let mut found = terms.streams.find()?;
    loop {
        // Another writer may change the schema, or make the stream, meanwhile; then all is judged again by what it is now.
        if let Some(prepared) = attempt(name, view, kind, terms, &mut found)? {
            return Ok(prepared);
        }
    }
}

fn attempt(
    name: &str,
    view: &BatchView<'_>,
    kind: Option<StreamKind>,
    terms: &Terms<'_>,
    found: &mut Option<Arc<Stream>>,
) -> Result<Option<Prepared>> {
    let schema = match found {
        Some(stream) => stream.schema(),
        None => {
            let kind = kind.unwrap_or(StreamKind::Metric);
            Arc::new(Schema::new(kind, StreamSettings::default()))
        }
    };
    if let Some(asked) = kind.filter(|&asked| asked != schema.kind) {
        return Err(kind_mismatch(name, schema.kind, asked));
    }
    let mut resolved = Resolved::new(view, schema, found.as_deref(), terms.tables)?;
    let (faults, kept) = resolved.check(terms);
    if terms.atomic {
        faults::refuse_any(&faults, resolved.rows())?;
    }
    let keep = keep(kept.as_ref(), resolved.rows());
    resolved.check_text_bytes(keep)?;
    let stream = match found {
        Some(stream) => Arc::clone(stream),
        None => {
            let stream = terms.streams.make(resolved.schema.kind)?;
            *found = Some(Arc::clone(&stream));
            if *stream.schema() != *resolved.schema {
                return Ok(None);
            }
            stream
        }
    };
    let rows = if keep.len() == 0 {
        None
    } else if resolved.declare(&stream, keep)? {
        Some(resolved.build(&stream, keep, terms.tables)?)
    } else {
        return Ok(None);
    };
    let quarantine = quarantine::rows(&faults, |row, out| resolved.encode(row, out));
    Prepared::new(stream, rows.as_ref(), resolved.rows(), &faults, quarantine, terms.now).map(Some)
}

fn check_shape(view: &BatchView<'_>) -> Result<()> {
    if !view.arrow.is_empty() {
        return Err(Error::unsupported("batch.arrow"));
    }
    let rows = view.rows as usize;
    if rows == 0 || rows > MAX_ROWS {
        let message = format!("a batch has 1 to {MAX_ROWS} rows, got {rows}");
        return Err(Error::invalid("ROWS_OUT_OF_RANGE", "batch.rows", message));
    }
    if view.time.is_empty() {
        return Err(Error::invalid(
            "TIME_MISSING",
            "batch.time",
            "every row has an event time, got none",
        ));
    }
    check_length("batch.time", view.time.len(), rows * 8)
}

impl<'a> Resolved<'a> {
    fn new(view: &'a BatchView<'a>, schema: Arc<Schema>, stream: Option<&Stream>, known: &KnownTables) -> Result<Self> {
        let columns = Columns::resolve(view, &schema)?;
        let rows = view.rows as usize;
        let series = match (schema.kind, &view.series) {
            (StreamKind::Event, _) => None,
            (StreamKind::Metric, Some(table)) => Some(SeriesRows::of_table(
                table,
                rows,
                stream.map(|stream| stream.id),
                known,
            )?),
            (StreamKind::Metric, None) => Some(SeriesRows::of_columns(&columns.labels, rows)?),
        };
        Ok(Self {
            view,
            schema,
            columns,
            series,
        })
    }

    fn rows(&self) -> usize {
        self.view.rows as usize
    }

    fn times(&self) -> &'a [[u8; 8]] {
        self.view.time.as_chunks().0
    }

    fn time(&self, row: usize) -> i64 {
        i64::from_le_bytes(self.times()[row])
    }

    /// Judges every row; the faults, and the rows that are left.
    fn check(&self, terms: &Terms<'_>) -> (Vec<Fault<'a>>, Option<Vec<u32>>) {
        let rows = self.rows();
        let mut faults = Faults::new(rows);
        let bounds = TimeBounds::new(terms.now, &self.schema);
        if !bounds.hold(self.times().iter().map(|le| i64::from_le_bytes(*le))) {
            for row in 0..rows {
                if let Some((reason, found)) = bounds.check(self.time(row)) {
                    faults.add(row, reason, "", || found);
                }
            }
        }
        if let Some(users) = &self.columns.users {
            users.check(rows, &mut faults);
        }
        if let Some(series) = &self.series {
            let fields: Vec<&str> = self.columns.fields.iter().map(|field| field.name).collect();
            let new = self.columns.fields.iter().filter(|field| field.id.is_none()).count();
            series.check(&self.schema, &fields, new, rows, &mut faults);
        }
        for field in &self.columns.fields {
            field.check(rows, &mut faults);
        }
        faults.finish()
    }

    fn check_text_bytes(&self, keep: Keep<'_>) -> Result<()> {
        let mut total = 0;
        for field in self
            .columns
            .fields
            .iter()
            .filter(|field| field.target == ColumnType::Text)
        {
            total += field.text_bytes(keep);
            if total > MAX_TEXT_TOTAL {
                let message =
                    format!("the texts of a batch take at most {MAX_TEXT_TOTAL} bytes, one a row, got {total}");
                return Err(Error::invalid("BATCH_TOO_LARGE", field.path.clone(), message));
            }
        }
        Ok(())
    }

    /// Adds the columns that are new; false, and nothing added, if the schema is no longer the one judged by.
    fn declare(&mut self, stream: &Stream, keep: Keep<'_>) -> Result<bool> {
        let labels = self
            .series
            .as_ref()
            .map_or_else(Vec::new, |series| series.new_labels(&self.schema, keep));
        let version = self.schema.version;
        let fields = &mut self.columns.fields;
        if labels.is_empty() && fields.iter().all(|field| field.id.is_some()) {
            return Ok(true);
        }
        stream.change_schema(|schema| {
            if schema.version != version {
                return Ok(false);
            }
            for field in fields.iter_mut().filter(|field| field.id.is_none()) {
                field.id = Some(schema.add_column(&field.path, field.name, field.target, "", "")?);
            }
            for label in labels {
                schema.add_column("batch.series", label, ColumnType::Label, "", "")?;
            }
            Ok(true)
        })
    }

    fn build(&self, stream: &Stream, keep: Keep<'_>, known: &KnownTables) -> Result<RowBatch> {
        let entity = match (&self.series, &self.columns.users) {
            (Some(series), _) => series.entities(keep, stream, known)?,
            (None, Some(users)) => entity_of_users(users, stream, keep),
            (None, None) => vec![NULL_CODE; keep.len()],
        };
        let mut columns = Vec::with_capacity(self.columns.fields.len());
        for field in &self.columns.fields {
            columns.push(build_field(field, stream, keep)?);
        }
        columns.sort_unstable_by_key(|column| column.id);
        Ok(RowBatch {
            time: build::i64s(self.times(), keep),
            entity,
            columns,
        })
    }

    fn encode(&self, row: usize, out: &mut EventBytes) {
        out.time(self.time(row));
        if let Some(user) = self.columns.users.as_ref().and_then(|users| users.get(row)) {
            out.text(3, user);
        }
        for (name, value) in self.series.iter().flat_map(|series| series.labels(row)) {
            out.property(name, Scalar::Text(value));
        }
        for field in &self.columns.fields {
            match (field.name, field.get(row)) {
                ("event", Scalar::Text(text)) if self.series.is_none() => out.text(1, text),
                ("session", Scalar::Text(text)) if self.series.is_none() => out.text(4, text),
                ("service", Scalar::Text(text)) if self.series.is_none() => out.text(5, text),
                (name, value) => out.property(name, value),
            }
        }
    }
}

fn entity_of_users(users: &LabelColumn<'_>, stream: &Stream, keep: Keep<'_>) -> Vec<u32> {
    let values = &users.strings.values;
    let mut used = users.codes.used(values.len(), users.validity.as_ref(), keep);
    // Nobody is no user.
    used.iter_mut()
        .zip(values)
        .for_each(|(used, value)| *used &= !value.is_empty());
    let mut codes = stream.intern_users(picked(values, &used)).into_iter();
    let table = spread(&used, &mut codes);
    users.codes.map(&table, users.validity.as_ref(), keep)
}

fn picked<'a>(values: &'a [&'a str], used: &'a [bool]) -> impl Iterator<Item = &'a str> {
    values
        .iter()
        .zip(used)
        .filter(|(_, used)| **used)
        .map(|(value, _)| *value)
}

fn spread(used: &[bool], codes: &mut impl Iterator<Item = u32>) -> Vec<u32> {
    let of = |&used: &bool| {
        if used {
            codes.next().unwrap_or(NULL_CODE)
        } else {
            NULL_CODE
        }
    };
    used.iter().map(of).collect()
}

fn build_field(field: &FieldColumn<'_>, stream: &Stream, keep: Keep<'_>) -> Result<BatchColumn> {
    let id = field
        .id
        .ok_or_else(|| Error::internal("a field column was not declared"))?;
    if let (Source::Strings(strings, codes), ColumnType::Symbol) = (&field.source, field.target) {
        let used = codes.used(strings.values.len(), field.validity.as_ref(), keep);
        let texts: Vec<&str> = picked(&strings.values, &used).collect();
        if let Some(symbols) = intern::symbols(stream, id, &texts) {
            let table = spread(&used, &mut symbols.into_iter());
            let codes = codes.map(&table, field.validity.as_ref(), keep);
            return Ok(build::codes(id, codes));
        }
        intern::turn_to_text(stream, id)?;
    }
    Ok(build::field(id, field, keep))
}

#[cfg(test)]
mod tests;
