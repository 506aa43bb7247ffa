//! Events given row by row: a verdict and an id for each.

use std::sync::Arc;

use super::build;
use super::columns::{MAX_EXACT, kind_mismatch, show};
use super::event_id::{Logical, RowHasher};
use super::faults::{self, Fault, Faults, Keep, excerpt};
use super::intern::{self, Distinct};
use super::prepare::{Prepared, Terms, TimeBounds, keep};
use super::quarantine::{self, EventBytes};
use crate::column::batch::{BatchColumn, Bitmap, ColumnData, RowBatch, TextData};
use crate::column::schema::{MAX_COLUMNS, MAX_SYMBOL_BYTES, MAX_TEXT_BYTES, check_name};
use crate::column::{ColumnId, ColumnType, Reject, Schema, StreamKind, StreamSettings};
use crate::error::{Error, Result};
use crate::store::Stream;
use crate::wire::events::{EventsView, Property, Scalar};
use crate::wire::v1;

/// Most events of a request.
pub(super) const MAX_EVENTS: usize = 100_000;

/// The columns every event stream begins with; each is a field of an event, not a property.
const OWN: [&str; 3] = ["event", "session", "service"];

/// A property and the column it goes to.
struct Target {
    /// Index among the properties.
    at: usize,
    /// Type of its column; none while every value of it is null.
    column_type: Option<ColumnType>,
    /// Its number; none for a new column until it is declared.
    id: Option<ColumnId>,
}

struct Resolved<'a> {
    view: &'a EventsView<'a>,
    times: Vec<i64>,
    schema: Arc<Schema>,
    targets: Vec<Target>,
}

/// Validates events. `name` is the stream's.
pub(super) fn track(name: &str, view: &EventsView<'_>, terms: &Terms<'_>) -> Result<Prepared> {
    if view.is_empty() || view.len() > MAX_EVENTS {
        let message = format!("a request has 1 to {MAX_EVENTS} events, got {}", view.len());
        return Err(Error::invalid("ROWS_OUT_OF_RANGE", "events", message));
    }
    let mut found = terms.streams.find()?;
    loop {
        // Another writer may change the schema, or make the stream, meanwhile; then all is judged again by what it is now.
        if let Some(prepared) = attempt(name, view, terms, &mut found)? {
            return Ok(prepared);
        }
    }
}

fn attempt(
    name: &str,
    view: &EventsView<'_>,
    terms: &Terms<'_>,
    found: &mut Option<Arc<Stream>>,
) -> Result<Option<Prepared>> {
    let schema = match found {
        Some(stream) => stream.schema(),
        None => Arc::new(Schema::new(StreamKind::Event, StreamSettings::default())),
    };
    if schema.kind != StreamKind::Event {
        return Err(kind_mismatch(name, schema.kind, StreamKind::Event).at("stream"));
    }
    let (mut resolved, mut faults) = Resolved::check(view, schema, terms.now);
    resolved.resolve(&mut faults);
    let (faults, kept) = faults.finish();
    if terms.atomic {
        faults::refuse_any(&faults, view.len())?;
    }
    let stream = match found {
        Some(stream) => Arc::clone(stream),
        None => {
            let stream = terms.streams.make(StreamKind::Event)?;
            *found = Some(Arc::clone(&stream));
            if *stream.schema() != *resolved.schema {
                return Ok(None);
            }
            stream
        }
    };
    let keep = keep(kept.as_ref(), view.len());
    let rows = if keep.len() == 0 {
        None
    } else if resolved.declare(&stream, keep)? {
        Some(resolved.build(&stream, keep)?)
    } else {
        return Ok(None);
    };
    let quarantine = quarantine::rows(&faults, |row, out| resolved.encode(row, out));
    let results = resolved.verdicts(&stream, rows.as_ref(), keep, &faults, &terms.secret);
    let mut prepared = Prepared::new(stream, rows.as_ref(), view.len(), &faults, quarantine, terms.now)?;
    prepared.results = results;
    Ok(Some(prepared))
}

impl<'a> Resolved<'a> {
    /// Judges what needs no column: types, times, lengths, names.
    fn check(view: &'a EventsView<'a>, schema: Arc<Schema>, now: i64) -> (Self, Faults<'a>) {
        let mut faults = Faults::new(view.len());
        let bounds = TimeBounds::new(now, &schema);
        let times: Vec<i64> = view.time.iter().map(|time| time.unwrap_or(now)).collect();
        for (row, &time) in times.iter().enumerate() {
            if view.event[row].is_empty() {
                faults.add(row, Reject::EventMissing, "event", || "none".into());
            }
            if let Some((reason, found)) = bounds.check(time) {
                faults.add(row, reason, "", || found);
            }
        }
        for (name, texts) in [
            ("event", &view.event),
            ("user", &view.user),
            ("session", &view.session),
            ("service", &view.service),
        ] {
            for (row, text) in texts
                .iter()
                .enumerate()
                .filter(|(_, text)| text.len() > MAX_SYMBOL_BYTES)
            {
                faults.add(row, Reject::SymbolTooLong, name, || format!("{} bytes", text.len()));
            }
        }
        let resolved = Self {
            view,
            times,
            schema,
            targets: Vec::new(),
        };
        (resolved, faults)
    }

    /// Finds each property its column and judges its values: declared columns first, so that no type is inferred from a
    /// row that is refused for another reason.
    fn resolve(&mut self, faults: &mut Faults<'a>) {
        let mut unknown = Vec::new();
        for (at, property) in self.view.properties.iter().enumerate() {
            if let Some((reason, found)) = refused_name(property.name, &self.schema) {
                reject_all(property, reason, &found, faults);
            } else if let Some(column) = self.schema.column(property.name) {
                let (column_type, id) = (Some(column.column_type), Some(column.id));
                self.targets.push(Target { at, column_type, id });
                check_values(property, column.column_type, faults);
            } else if self.schema.settings.strict {
                reject_all(property, Reject::UnknownColumn, &excerpt(property.name), faults);
            } else {
                unknown.push(at);
            }
        }
        let mut room = MAX_COLUMNS.saturating_sub(self.schema.columns.len());
        for at in unknown {
            let property = &self.view.properties[at];
            let column_type = infer(property, faults);
            if let Some(column_type) = column_type {
                if room == 0 {
                    let found = format!("{}, one more", excerpt(property.name));
                    reject_all(property, Reject::TooManyColumns, &found, faults);
                    continue;
                }
                room -= 1;
                check_values(property, column_type, faults);
            }
            self.targets.push(Target {
                at,
                column_type,
                id: None,
            });
        }
    }

    /// Adds the columns that are new and have a value in a kept row; false, and nothing added, if the schema is no longer
    /// the one judged by.
    fn declare(&mut self, stream: &Stream, keep: Keep<'_>) -> Result<bool> {
        let (version, properties) = (self.schema.version, &self.view.properties);
        let mut stored = Bitmap::filled(self.view.len(), false);
        keep.for_each(|row| stored.set(row, true));
        let is_used = |target: &Target| {
            let property = &properties[target.at];
            let mut values = property.rows.iter().zip(&property.values);
            values.any(|(&row, &value)| value != Scalar::Null && stored.get(row as usize))
        };
        self.targets
            .retain(|target| target.column_type.is_some() && is_used(target));
        if self.targets.iter().all(|target| target.id.is_some()) {
            return Ok(true);
        }
        let targets = &mut self.targets;
        stream.change_schema(|schema| {
            if schema.version != version {
                return Ok(false);
            }
            for target in targets.iter_mut().filter(|target| target.id.is_none()) {
                if let Some(column_type) = target.column_type {
                    let name = properties[target.at].name;
                    target.id = Some(schema.add_column("events.properties", name, column_type, "", "")?);
                }
            }
            Ok(true)
        })
    }

    fn build(&self, stream: &Stream, keep: Keep<'_>) -> Result<RowBatch> {
        let some = |texts: &[&'a str]| Distinct::of(keep.collect(|row| filled(texts[row])).into_iter());
        let users = some(&self.view.user);
        let entity = users.codes(&stream.intern_users(users.texts.iter().copied()));
        let mut columns = Vec::with_capacity(self.targets.len() + OWN.len());
        for (name, texts) in OWN
            .into_iter()
            .zip([&self.view.event, &self.view.session, &self.view.service])
        {
            let column = self
                .schema
                .column(name)
                .ok_or_else(|| Error::internal("an event stream lacks its columns"))?;
            let texts = keep.collect(|row| filled(texts[row]));
            if texts.iter().any(Option::is_some) {
                columns.push(build_strings(column.id, column.column_type, &texts, stream)?);
            }
        }
        for target in &self.targets {
            if let (Some(id), Some(column_type)) = (target.id, target.column_type) {
                let property = &self.view.properties[target.at];
                columns.push(build_property(id, column_type, property, stream, keep)?);
            }
        }
        columns.sort_unstable_by_key(|column| column.id);
        Ok(RowBatch {
            time: keep.collect(|row| self.times[row]),
            entity,
            columns,
        })
    }

    fn encode(&self, row: usize, out: &mut EventBytes) {
        let view = self.view;
        out.text(1, view.event[row]);
        out.time(self.times[row]);
        out.text(3, view.user[row]);
        out.text(4, view.session[row]);
        out.text(5, view.service[row]);
        for property in &view.properties {
            if let Ok(at) = property.rows.binary_search(&(row as u32)) {
                out.property(property.name, property.values[at]);
            }
        }
    }

    /// One verdict an event, in order.
    fn verdicts(
        &self,
        stream: &Stream,
        rows: Option<&RowBatch>,
        keep: Keep<'_>,
        faults: &[Fault<'_>],
        secret: &[u8; 16],
    ) -> Vec<v1::EventResult> {
        let mut results = vec![v1::EventResult::default(); self.view.len()];
        for fault in faults {
            let result = &mut results[fault.row as usize];
            result.reason = fault.reason.name().to_owned();
            result.message = match fault.column {
                "" => fault.message(),
                column => format!("{}: {}", excerpt(column), fault.message()),
            };
        }
        let Some(rows) = rows else {
            return results;
        };
        let mut columns: Vec<(&str, Option<&Target>)> = OWN.into_iter().map(|name| (name, None)).collect();
        let name_of = |target: &Target| self.view.properties[target.at].name;
        columns.extend(self.targets.iter().map(|target| (name_of(target), Some(target))));
        columns.sort_unstable_by_key(|(name, _)| *name);
        // Where each column's next value is: rows ascend, so do the rows of a property.
        let mut next = vec![0; columns.len()];
        let mut stored = 0;
        keep.for_each(|row| {
            let mut hasher = RowHasher::new(secret);
            for ((name, target), next) in columns.iter().zip(&mut next) {
                let value = match target {
                    None => own(self.view, name, row).map(Logical::Text),
                    Some(target) => logical(&self.view.properties[target.at], target.column_type, row, next),
                };
                if let Some(value) = value {
                    hasher.add(name, value);
                }
            }
            results[row].stored = true;
            results[row].id = hasher
                .finish(stream.id, rows.entity[stored], rows.time[stored])
                .to_vec();
            stored += 1;
        });
        results
    }
}

fn own<'a>(view: &EventsView<'a>, name: &str, row: usize) -> Option<&'a str> {
    filled(match name {
        "event" => view.event[row],
        "session" => view.session[row],
        _ => view.service[row],
    })
}

/// An empty text of these fields means none.
fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A row's value as it is stored.
fn logical<'a>(
    property: &Property<'a>,
    column_type: Option<ColumnType>,
    row: usize,
    next: &mut usize,
) -> Option<Logical<'a>> {
    while property.rows.get(*next).is_some_and(|&at| (at as usize) < row) {
        *next += 1;
    }
    if property.rows.get(*next).copied() != Some(row as u32) {
        return None;
    }
    match property.values[*next] {
        Scalar::Null => None,
        Scalar::F64(value) => Some(Logical::F64(value)),
        Scalar::I64(value) if column_type == Some(ColumnType::F64) => Some(Logical::F64(value as f64)),
        Scalar::I64(value) => Some(Logical::I64(value)),
        Scalar::Bool(value) => Some(Logical::Bool(value)),
        Scalar::Text(value) => Some(Logical::Text(value)),
        Scalar::Timestamp(value) => Some(Logical::Timestamp(value)),
    }
}

/// Why no property may have this name.
fn refused_name(name: &str, schema: &Schema) -> Option<(Reject, String)> {
    if check_name("", name).is_err() {
        Some((Reject::BadName, excerpt(name)))
    } else if name == "time" || schema.is_entity(name) {
        Some((Reject::ReservedName, excerpt(name)))
    } else if OWN.contains(&name) {
        Some((Reject::DuplicateColumn, format!("{name:?} as a property too")))
    } else {
        None
    }
}

fn reject_all<'a>(property: &Property<'a>, reason: Reject, found: &str, faults: &mut Faults<'a>) {
    for &row in &property.rows {
        faults.add(row as usize, reason, property.name, || found.to_owned());
    }
}

/// Type of a new column: that of the first value that is not null in a row without fault.
fn infer(property: &Property<'_>, faults: &Faults<'_>) -> Option<ColumnType> {
    let mut values = property.rows.iter().zip(&property.values);
    let (_, value) = values.find(|&(&row, &value)| value != Scalar::Null && !faults.has(row as usize))?;
    match value {
        Scalar::Null => None,
        Scalar::F64(_) | Scalar::I64(_) => Some(ColumnType::F64),
        Scalar::Bool(_) => Some(ColumnType::Bool),
        Scalar::Text(_) => Some(ColumnType::Symbol),
        Scalar::Timestamp(_) => Some(ColumnType::Timestamp),
    }
}

fn check_values<'a>(property: &Property<'a>, column_type: ColumnType, faults: &mut Faults<'a>) {
    use ColumnType::{Bool, F64, I64, Symbol, Text, Timestamp};
    for (&row, &value) in property.rows.iter().zip(&property.values) {
        let reason = match (column_type, value) {
            (_, Scalar::Null)
            | (F64, Scalar::F64(_))
            | (I64, Scalar::I64(_))
            | (Bool, Scalar::Bool(_))
            | (Timestamp, Scalar::Timestamp(_)) => continue,
            (F64, Scalar::I64(value)) if (-MAX_EXACT..=MAX_EXACT).contains(&value) => continue,
            (F64, Scalar::I64(_)) => Reject::IntegerTooLarge,
            (Symbol, Scalar::Text(text)) if text.len() <= MAX_SYMBOL_BYTES => continue,
            (Symbol, Scalar::Text(_)) => Reject::SymbolTooLong,
            (Text, Scalar::Text(text)) if text.len() <= MAX_TEXT_BYTES => continue,
            (Text, Scalar::Text(_)) => Reject::TextTooLong,
            _ => Reject::TypeMismatch,
        };
        faults.add(row as usize, reason, property.name, || match (reason, value) {
            (Reject::SymbolTooLong | Reject::TextTooLong, Scalar::Text(text)) => format!("{} bytes", text.len()),
            _ => format!("{} in a {} column", show(value), column_type.name()),
        });
    }
}

fn build_property(
    id: ColumnId,
    column_type: ColumnType,
    property: &Property<'_>,
    stream: &Stream,
    keep: Keep<'_>,
) -> Result<BatchColumn> {
    let mut next = 0;
    let values = keep.collect(|row| {
        while property.rows.get(next).is_some_and(|&at| (at as usize) < row) {
            next += 1;
        }
        match property.rows.get(next) {
            Some(&at) if at as usize == row => property.values[next],
            _ => Scalar::Null,
        }
    });
    if column_type.is_string() {
        let texts: Vec<Option<&str>> = values
            .iter()
            .map(|value| match value {
                Scalar::Text(text) => Some(*text),
                _ => None,
            })
            .collect();
        return build_strings(id, column_type, &texts, stream);
    }
    let data = match column_type {
        ColumnType::F64 => ColumnData::F64(values.iter().map(|value| as_f64(*value)).collect()),
        ColumnType::Bool => {
            let mut bits = Bitmap::default();
            values.iter().for_each(|value| bits.push(*value == Scalar::Bool(true)));
            ColumnData::Bool(bits)
        }
        _ => ColumnData::I64(values.iter().map(|value| as_i64(*value)).collect()),
    };
    let validity = validity(values.iter().map(|value| *value != Scalar::Null));
    Ok(BatchColumn { id, data, validity })
}

fn as_f64(value: Scalar<'_>) -> f64 {
    match value {
        Scalar::F64(value) => value,
        Scalar::I64(value) => value as f64,
        _ => 0.0,
    }
}

fn as_i64(value: Scalar<'_>) -> i64 {
    match value {
        Scalar::I64(value) | Scalar::Timestamp(value) => value,
        _ => 0,
    }
}

fn validity(valid: impl Iterator<Item = bool>) -> Option<Bitmap> {
    let mut bits = Bitmap::default();
    valid.for_each(|valid| bits.push(valid));
    (bits.count_ones() < bits.len()).then_some(bits)
}

fn build_strings(
    id: ColumnId,
    column_type: ColumnType,
    texts: &[Option<&str>],
    stream: &Stream,
) -> Result<BatchColumn> {
    if column_type == ColumnType::Symbol {
        let distinct = Distinct::of(texts.iter().copied());
        if let Some(codes) = intern::symbols(stream, id, &distinct.texts) {
            return Ok(build::codes(id, distinct.codes(&codes)));
        }
        intern::turn_to_text(stream, id)?;
    }
    let mut data = TextData::default();
    texts.iter().for_each(|text| data.push(text.unwrap_or_default()));
    Ok(BatchColumn {
        id,
        data: ColumnData::Text(data),
        validity: validity(texts.iter().map(Option::is_some)),
    })
}

#[cfg(test)]
mod tests;
