//! What a query needs of a rollup that is to be read in place of rows.

use crate::column::schema::ENTITY;
use crate::column::{ColumnId, ColumnType, Schema};
use crate::query::measures::From;

use crate::query::spec::{FilterSpec, KeySpec, Spec, WindowSpec};
use crate::query::state::{Keep, own::Own};
use crate::scan::Type;
use crate::scan::tiers::{Fit, Needed, Wanted};
use crate::store::Snapshot;
use crate::store::rollup::State;

/// Why no rollup has what a query needs, and the measure, key or column that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::query) enum Refused {
    /// A measure has a filter of its own: rows that one measure alone takes are told apart by no rollup.
    MeasureFilter(String),
    /// Windows are where rows are.
    WindowKind,
    /// A key is made of values.
    MadeKey(String),
    /// A key is of a column that no rollup can have as one.
    Key(String),
    /// A filter is of such a column.
    Filter(String),
    /// A measure is read from a state that rollups have not.
    State(String),
}

/// What a query needs; none where rollups do not have it. What cannot be asked at all is said when the query is planned.
pub(in crate::query) fn wanted(spec: &Spec, schema: &Schema, snapshot: &Snapshot) -> Option<Wanted> {
    if snapshot.rollups().is_empty() {
        return None;
    }
    asked(spec, schema, snapshot).ok().map(|(wanted, _)| wanted)
}

/// What a query needs, with the name of each key, those of groups first.
///
/// # Errors
/// All there is that no rollup has.
pub(in crate::query) fn asked(
    spec: &Spec,
    schema: &Schema,
    snapshot: &Snapshot,
) -> Result<(Wanted, Vec<String>), Vec<Refused>> {
    let mut refused = Vec::new();
    let filtered = spec.measures.iter().filter(|measure| measure.filter.is_some());
    refused.extend(filtered.map(|measure| Refused::MeasureFilter(measure.name.clone())));
    let windows = fit(spec, snapshot).unwrap_or_else(|| {
        refused.push(Refused::WindowKind);
        Fit::Any
    });
    let mut wanted = Wanted {
        keys: Vec::new(),
        states: Vec::new(),
        windows,
        in_place_of_rows: !spec.hints.no_rollups && !reads_ends(spec, schema),
        apart: None,
    };
    let mut names = Vec::new();
    for key in &spec.group_by {
        match needed(schema, &key.column) {
            _ if key.made.is_some() => refused.push(Refused::MadeKey(key.name.clone())),
            Some(needed) => {
                wanted.keys.push(needed);
                names.push(key.name.clone());
            }
            None => refused.push(Refused::Key(key.name.clone())),
        }
    }
    let mut columns = Vec::new();
    if let Some(filter) = &spec.filter {
        add_columns(filter, &mut columns);
    }
    for column in columns {
        match needed(schema, column) {
            Some(needed) => {
                wanted.keys.push(needed);
                names.push(column.to_owned());
            }
            None => refused.push(Refused::Filter(column.to_owned())),
        }
    }
    for measure in &spec.measures {
        let has_all = measure.measure.wants().into_iter().all(|want| {
            let column = match want.from {
                From::Column => measure.column.as_deref(),
                From::Second => measure.second_column.as_deref(),
                From::Both => return false,
            };
            add_states(schema, want.keep, column, &mut wanted.states).is_some()
        });
        if !has_all {
            refused.push(Refused::State(measure.name.clone()));
        }
    }
    let is_end = |(_, state): &(ColumnId, State)| matches!(state, State::First | State::Last);
    if wanted.states.iter().any(is_end) {
        wanted.apart = Some(apart(spec, schema));
    }
    if refused.is_empty() {
        Ok((wanted, names))
    } else {
        Err(refused)
    }
}

/// Keys by which rollups do not part rows that a group of the query has of one entity: those of its groups, and labels.
fn apart(spec: &Spec, schema: &Schema) -> Vec<ColumnId> {
    let labels = schema.columns.iter();
    let labels = labels.filter(|column| column.column_type == ColumnType::Label);
    let keys = spec.group_by.iter().filter_map(|key| schema.column(&key.column));
    labels.chain(keys).map(|column| column.id).chain([ENTITY]).collect()
}

/// Whether the rows' ends alone are read, where they are there, which is less.
fn reads_ends(spec: &Spec, schema: &Schema) -> bool {
    let is_end = |keep: Keep| matches!(keep, Keep::First | Keep::Last);
    let mut wants = spec.measures.iter().flat_map(|measure| measure.measure.wants());
    let is_series = |key: &KeySpec| {
        schema.is_entity(&key.column)
            || schema
                .column(&key.column)
                .is_some_and(|column| column.column_type == ColumnType::Label)
    };
    spec.filter.is_none()
        && spec.window.is_none()
        && matches!(&spec.group_by[..], [key] if is_series(key))
        && wants.all(|want| is_end(want.keep))
}

fn fit(spec: &Spec, snapshot: &Snapshot) -> Option<Fit> {
    Some(match &spec.window {
        None => Fit::Any,
        Some(WindowSpec::Tumbling(windows)) => Fit::In(windows.width_ns()),
        Some(WindowSpec::Hopping(hopping)) => Fit::In(hopping.pane.width_ns()),
        Some(WindowSpec::Calendar(calendar)) => {
            let rolled = snapshot.rollups().iter().filter_map(|rollup| rollup.rollup_of());
            let sealed = snapshot.parts().iter().map(|part| part.times());
            let times = rolled.map(|of| of.times).chain(sealed);
            let (first, last) = times.fold((i64::MAX, i64::MIN), |(first, last), times| {
                (first.min(times.0), last.max(times.1))
            });
            let (first, last) = (first.max(spec.range.start), last.min(spec.range.end));
            if first > last {
                return Some(Fit::Any);
            }
            // Rows that are not sealed, or windows that are filled, may lie before the first of these.
            let mut edges = calendar.edges(first, last);
            edges.pop();
            edges.retain(|&edge| edge != i64::MIN);
            Fit::Between(edges)
        }
        Some(WindowSpec::Edges(edges)) => Fit::Between(inner(edges)),
        Some(WindowSpec::Session(_) | WindowSpec::Sliding(_)) => return None,
    })
}

/// Those between two windows: what lies before the first belongs to it, what lies behind the last to that.
fn inner(edges: &[i64]) -> Vec<i64> {
    edges.get(1..edges.len().saturating_sub(1)).unwrap_or_default().to_vec()
}

fn needed(schema: &Schema, name: &str) -> Option<Needed> {
    if schema.is_entity(name) {
        return Some(Needed::Column(ENTITY));
    }
    let column = schema.column(name)?;
    match column.column_type {
        ColumnType::Label => Some(Needed::Label(column.id)),
        ColumnType::Symbol | ColumnType::Bool => Some(Needed::Column(column.id)),
        _ => None,
    }
}

/// Columns of a filter, each once.
fn add_columns<'a>(filter: &'a FilterSpec, columns: &mut Vec<&'a str>) {
    match filter {
        FilterSpec::Column(test) if columns.contains(&test.column.as_str()) => (),
        FilterSpec::Column(test) => columns.push(&test.column),
        FilterSpec::All(parts) | FilterSpec::Any(parts) => parts.iter().for_each(|part| add_columns(part, columns)),
        FilterSpec::Not(filter) => add_columns(filter, columns),
    }
}

fn add_states(schema: &Schema, keep: Keep, column: Option<&str>, states: &mut Vec<(ColumnId, State)>) -> Option<()> {
    let Some(column) = column else {
        return (keep == Keep::Count).then_some(());
    };
    if schema.is_entity(column) {
        return None;
    }
    let column = schema.column(column)?;
    let is_string = column.column_type.is_string();
    let is_number = matches!(column.column_type, ColumnType::F64 | ColumnType::I64);
    let state = match keep {
        Keep::Count if column.column_type != ColumnType::Label => State::Count,
        Keep::Mean if is_number => State::Sum,
        Keep::Min if !is_string => State::Least,
        Keep::Max if !is_string => State::Greatest,
        Keep::First if !is_string => State::First,
        Keep::Last if !is_string => State::Last,
        Keep::Own(own) if is_number => stored(own, column.column_type)?,
        _ => return None,
    };
    states.push((column.id, state));
    Some(())
}

/// Where rollups have the states of a kind of its own.
fn stored(own: Own, of: ColumnType) -> Option<State> {
    let data_type = if of == ColumnType::F64 { Type::F64 } else { Type::I64 };
    (own.make)(data_type, own.parameter).stored()
}
