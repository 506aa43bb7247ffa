//! Events given row by row: a verdict and an id for each.

use std::sync::Arc;

use super::columns::kind_mismatch;
use super::event_id::{Logical, RowHasher};
use super::faults::{self, Fault, Faults, Keep, excerpt};
use super::intern::Distinct;
use super::prepare::{Prepared, Terms, TimeBounds, keep};
use super::properties::{OWN, build_property, build_strings, check_values, infer, logical, refused_name, reject_all};
use super::quarantine::{self, EventBytes};
use crate::column::batch::{Bitmap, RowBatch};
use crate::column::schema::{MAX_COLUMNS, MAX_SYMBOL_BYTES};
use crate::column::{ColumnId, ColumnType, Reject, Schema, StreamKind, StreamSettings};
use crate::error::{Error, Result};
use crate::store::Stream;
use crate::wire::events::{EventsView, Scalar};
use crate::wire::v1;

/// Most events of a request.
pub(super) const MAX_EVENTS: usize = 100_000;

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

#[cfg(test)]
mod tests;
