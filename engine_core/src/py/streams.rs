//! Streams as dicts; `_core.pyi` lists the keys.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping};

use crate::column::rollup::{RollupSpec, check as check_rollups};
use crate::column::{ColumnType, RejectCounts, Schema, StreamKind, StreamSettings};
use crate::error::{Error, Result};
use crate::store::{Ledger, Stream};

/// A stream with its schema, settings and counters at `now`.
pub(super) fn to_dict<'py>(py: Python<'py>, stream: &Stream, now: i64) -> PyResult<Bound<'py, PyDict>> {
    let schema = stream.schema();
    let columns = PyList::empty(py);
    for column in &schema.columns {
        let item = PyDict::new(py);
        item.set_item("id", column.id)?;
        item.set_item("name", &column.name)?;
        item.set_item("type", column.column_type as u8)?;
        item.set_item("description", &column.description)?;
        item.set_item("unit", &column.unit)?;
        columns.append(item)?;
    }
    let ledger = *stream.ledger();
    let stats = ledger_dict(py, &ledger)?;
    stats.set_item("entities", stream.entities().dictionary.len() - 1)?;
    let watermark = stream.watermark(now);
    stats.set_item("max_time_ns", stream.watermark_state().max_time)?;
    stats.set_item("watermark_ns", watermark)?;
    let (parts, sealed_rows, sealed_bytes) = stream.sealed_size();
    stats.set_item("log_bytes", stream.tail_size().1)?;
    stats.set_item("sealed_rows", sealed_rows)?;
    stats.set_item("sealed_bytes", sealed_bytes)?;
    stats.set_item("parts", parts)?;
    stats.set_item("commit", stream.last_commit())?;
    let (parts, sealed_rows, sealed_bytes) = stream.sealed_size();
    stats.set_item("sealed_rows", sealed_rows)?;
    stats.set_item("sealed_bytes", sealed_bytes)?;
    stats.set_item("parts", parts)?;
    let dict = PyDict::new(py);
    dict.set_item("name", &stream.name)?;
    dict.set_item("kind", schema.kind as u8)?;
    dict.set_item("columns", columns)?;
    dict.set_item("strict", schema.settings.strict)?;
    dict.set_item("out_of_orderness_ns", schema.settings.out_of_orderness_ns)?;
    dict.set_item("allowed_lateness_ns", schema.settings.allowed_lateness_ns)?;
    dict.set_item("idle_after_ns", schema.settings.idle_after_ns)?;
    dict.set_item("max_age_ns", schema.settings.max_age_ns)?;
    dict.set_item("keep_for_ns", schema.settings.keep_for_ns)?;
    dict.set_item("cold_after_ns", schema.settings.cold_after_ns)?;
    let rollups = PyList::empty(py);
    for rollup in &schema.settings.rollups {
        let item = PyDict::new(py);
        item.set_item("width_ns", rollup.width_ns)?;
        item.set_item("keep_for_ns", rollup.keep_for_ns)?;
        item.set_item("group_by", &rollup.group_by)?;
        item.set_item("sketches", rollup.sketches)?;
        rollups.append(item)?;
    }
    dict.set_item("rollups", rollups)?;
    dict.set_item("description", &schema.settings.description)?;
    dict.set_item("created_ns", stream.created_ns)?;
    dict.set_item("version", schema.version)?;
    dict.set_item("stats", stats)?;
    Ok(dict)
}

/// A ledger's counters.
pub(super) fn ledger_dict<'py>(py: Python<'py>, ledger: &Ledger) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("received", ledger.received)?;
    dict.set_item("stored", ledger.stored)?;
    dict.set_item("rejected", rejected(&ledger.rejected))?;
    dict.set_item("duplicate", ledger.duplicate)?;
    dict.set_item("late", ledger.late)?;
    Ok(dict)
}

fn rejected(counts: &RejectCounts) -> Vec<(&'static str, u64)> {
    counts.iter().map(|(reason, rows)| (reason.name(), rows)).collect()
}

/// A column of a spec or a change.
pub(super) struct ColumnChange {
    name: String,
    column_type: ColumnType,
    description: String,
    unit: String,
}

/// What a spec or a change says of a stream; none: not said.
#[derive(Default)]
pub(super) struct Changes {
    columns: Vec<ColumnChange>,
    strict: Option<bool>,
    out_of_orderness_ns: Option<i64>,
    allowed_lateness_ns: Option<i64>,
    idle_after_ns: Option<i64>,
    max_age_ns: Option<Option<i64>>,
    keep_for_ns: Option<Option<i64>>,
    cold_after_ns: Option<Option<i64>>,
    rollups: Option<Vec<RollupSpec>>,
    description: Option<String>,
}

fn item<'py, T>(mapping: &Bound<'py, PyMapping>, key: &str) -> PyResult<Option<T>>
where
    T: FromPyObjectOwned<'py>,
{
    if !mapping.contains(key)? {
        return Ok(None);
    }
    mapping.get_item(key)?.extract().map(Some).map_err(Into::into)
}

/// Name and kind of a spec.
pub(super) fn name_and_kind(spec: &Bound<'_, PyMapping>) -> PyResult<(String, StreamKind)> {
    let name = item(spec, "name")?.unwrap_or_default();
    let number: u8 = item(spec, "kind")?.unwrap_or_default();
    let kind = StreamKind::from_number(number).ok_or_else(|| {
        Error::invalid(
            "KIND_MISSING",
            "stream.kind",
            format!("a stream is event (1) or metric (2), got {number}"),
        )
    })?;
    Ok((name, kind))
}

fn rollup(found: &Bound<'_, PyAny>) -> PyResult<RollupSpec> {
    let found = found
        .cast::<PyMapping>()
        .map_err(|_| PyTypeError::new_err("rollups holds mappings"))?;
    Ok(RollupSpec {
        width_ns: item(found, "width_ns")?.unwrap_or_default(),
        keep_for_ns: item(found, "keep_for_ns")?.flatten(),
        group_by: item(found, "group_by")?.unwrap_or_default(),
        sketches: item(found, "sketches")?.unwrap_or_default(),
    })
}

impl Changes {
    pub(super) fn from_mapping(mapping: &Bound<'_, PyMapping>) -> PyResult<Self> {
        let mut columns = Vec::new();
        if let Some(items) = item::<Vec<Bound<'_, PyAny>>>(mapping, "columns")? {
            for (i, column) in items.iter().enumerate() {
                let column = column
                    .cast::<PyMapping>()
                    .map_err(|_| PyTypeError::new_err("columns holds mappings"))?;
                let number: u8 = item(column, "type")?.unwrap_or_default();
                columns.push(ColumnChange {
                    name: item(column, "name")?.unwrap_or_default(),
                    column_type: ColumnType::from_number(number).ok_or_else(|| {
                        Error::invalid(
                            "COLUMN_TYPE_MISSING",
                            format!("stream.columns[{i}].type"),
                            format!("a column has a type, got {number}"),
                        )
                    })?,
                    description: item(column, "description")?.unwrap_or_default(),
                    unit: item(column, "unit")?.unwrap_or_default(),
                });
            }
        }
        let rollups = item::<Vec<Bound<'_, PyAny>>>(mapping, "rollups")?;
        Ok(Self {
            rollups: rollups
                .map(|rollups| rollups.iter().map(rollup).collect())
                .transpose()?,
            columns,
            strict: item(mapping, "strict")?,
            out_of_orderness_ns: item(mapping, "out_of_orderness_ns")?,
            allowed_lateness_ns: item(mapping, "allowed_lateness_ns")?,
            idle_after_ns: item(mapping, "idle_after_ns")?,
            max_age_ns: item(mapping, "max_age_ns")?,
            keep_for_ns: item(mapping, "keep_for_ns")?,
            cold_after_ns: item(mapping, "cold_after_ns")?,
            description: item(mapping, "description")?,
        })
    }

    /// A new schema as the spec says; what it does not say is as by default.
    pub(super) fn into_schema(self, kind: StreamKind) -> Result<Schema> {
        let mut schema = Schema::new(kind, StreamSettings::default());
        self.apply(&mut schema)?;
        Ok(schema)
    }

    /// Changes settings, adds columns, and redescribes those that are there with the same type.
    pub(super) fn apply(self, schema: &mut Schema) -> Result<()> {
        for (i, column) in self.columns.into_iter().enumerate() {
            let field = format!("stream.columns[{i}]");
            match schema.columns.iter_mut().find(|known| known.name == column.name) {
                Some(known) if known.column_type == column.column_type => {
                    known.description = column.description;
                    known.unit = column.unit;
                }
                Some(known) => {
                    return Err(Error::invalid(
                        "COLUMN_TYPE_CHANGED",
                        format!("{field}.type"),
                        format!(
                            "the type of a column never changes: {:?} is {}, got {}",
                            known.name,
                            known.column_type.name(),
                            column.column_type.name()
                        ),
                    ));
                }
                None => {
                    let (name, unit) = (&column.name, &column.unit);
                    schema.add_column(&field, name, column.column_type, &column.description, unit)?;
                }
            }
        }
        let settings = &mut schema.settings;
        settings.strict = self.strict.unwrap_or(settings.strict);
        settings.out_of_orderness_ns = self.out_of_orderness_ns.unwrap_or(settings.out_of_orderness_ns);
        settings.allowed_lateness_ns = self.allowed_lateness_ns.unwrap_or(settings.allowed_lateness_ns);
        settings.idle_after_ns = self.idle_after_ns.unwrap_or(settings.idle_after_ns);
        settings.max_age_ns = self.max_age_ns.unwrap_or(settings.max_age_ns);
        settings.keep_for_ns = self.keep_for_ns.unwrap_or(settings.keep_for_ns);
        settings.cold_after_ns = self.cold_after_ns.unwrap_or(settings.cold_after_ns);
        settings.rollups = self.rollups.unwrap_or_else(|| std::mem::take(&mut settings.rollups));
        if let Some(description) = self.description {
            settings.description = description;
        }
        check_rollups(schema)
    }
}
