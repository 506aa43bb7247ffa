//! What columns a stream has, and how it behaves.

use super::rollup::RollupSpec;
use crate::error::{Error, Result};
use crate::time::SECOND_NS;

/// Number of a column within its stream; never used again for another.
pub type ColumnId = u16;

/// Event time.
pub const TIME: ColumnId = 0;
/// The entity: user of an event stream, series of a metric stream.
pub const ENTITY: ColumnId = 1;
/// First number of a declared column.
pub const FIRST_DECLARED: ColumnId = 2;

/// Most columns of a stream, besides time and entity.
pub const MAX_COLUMNS: usize = 1024;
/// Longest column, label or writer name in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// Longest symbol, label value, event type or user in bytes.
pub const MAX_SYMBOL_BYTES: usize = 4096;
/// Longest text in bytes.
pub const MAX_TEXT_BYTES: usize = 65_536;
/// Most texts of a symbol dictionary; the entity dictionary has no such bound.
pub const MAX_SYMBOLS: usize = 1_000_000;

/// What the rows of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StreamKind {
    /// Something a user did; the entity is the user.
    Event = 1,
    /// A sample of a series; the entity is the sorted set of its labels.
    Metric = 2,
}

impl StreamKind {
    /// From the number in the contract and on disk.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Event),
            2 => Some(Self::Metric),
            _ => None,
        }
    }

    /// `event` or `metric`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Metric => "metric",
        }
    }
}

/// Type of a column. Numbers are those of the contract and of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ColumnType {
    /// IEEE 754 double.
    F64 = 1,
    /// Signed 64-bit integer.
    I64 = 2,
    /// True or false.
    Bool = 3,
    /// Unix nanoseconds.
    Timestamp = 4,
    /// Dictionary-coded string.
    Symbol = 5,
    /// Free text.
    Text = 6,
    /// Part of the series of a metric stream: not stored in rows.
    Label = 7,
    /// Mergeable state: declared, not served.
    State = 8,
}

impl ColumnType {
    /// From the number in the contract and on disk.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::F64,
            2 => Self::I64,
            3 => Self::Bool,
            4 => Self::Timestamp,
            5 => Self::Symbol,
            6 => Self::Text,
            7 => Self::Label,
            8 => Self::State,
            _ => return None,
        })
    }

    /// Lower-case name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::Bool => "bool",
            Self::Timestamp => "timestamp",
            Self::Symbol => "symbol",
            Self::Text => "text",
            Self::Label => "label",
            Self::State => "state",
        }
    }

    /// Whether values are strings.
    pub fn is_string(self) -> bool {
        matches!(self, Self::Symbol | Self::Text | Self::Label)
    }
}

/// One declared column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its number.
    pub id: ColumnId,
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// For people.
    pub description: String,
    /// UCUM unit.
    pub unit: String,
}

/// How a stream behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Refuse undeclared columns instead of adding them.
    pub strict: bool,
    /// Watermark delay in nanoseconds.
    pub out_of_orderness_ns: i64,
    /// How long late rows revise windows, in nanoseconds.
    pub allowed_lateness_ns: i64,
    /// Silence after which the watermark follows the clock, in nanoseconds.
    pub idle_after_ns: i64,
    /// Oldest age of a row in nanoseconds; none: any.
    pub max_age_ns: Option<i64>,
    /// Sealed rows older than this go, by event time, whole parts at a time; none: rows of any age are kept.
    pub keep_for_ns: Option<i64>,
    /// Parts whose last row is older than this by event time get the heavier codecs; none: no part does by itself.
    pub cold_after_ns: Option<i64>,
    /// What sealed rows are rolled up to; none: nothing.
    pub rollups: Vec<RollupSpec>,
    /// For people.
    pub description: String,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            strict: false,
            out_of_orderness_ns: 10 * SECOND_NS,
            allowed_lateness_ns: 3_600 * SECOND_NS,
            idle_after_ns: 30 * SECOND_NS,
            max_age_ns: None,
            keep_for_ns: None,
            cold_after_ns: None,
            rollups: Vec::new(),
            description: String::new(),
        }
    }
}

/// Kind, columns and settings of a stream. Changed only by replacement; `version` grows each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Event or metric.
    pub kind: StreamKind,
    /// Declared columns in ascending order of id, which start at [`FIRST_DECLARED`] and have no gaps.
    pub columns: Vec<ColumnSpec>,
    /// How it behaves.
    pub settings: StreamSettings,
    /// 1 at first.
    pub version: u64,
}

impl Schema {
    /// A new stream's schema. Event streams begin with `event`, `session` and `service`.
    pub fn new(kind: StreamKind, settings: StreamSettings) -> Self {
        let mut schema = Self {
            kind,
            columns: Vec::new(),
            settings,
            version: 1,
        };
        if kind == StreamKind::Event {
            for name in ["event", "session", "service"] {
                schema.push(name, ColumnType::Symbol, "", "");
            }
        }
        schema
    }

    /// The declared column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The declared column of this number.
    pub fn column_by_id(&self, id: ColumnId) -> Option<&ColumnSpec> {
        self.columns
            .get(usize::from(id).checked_sub(usize::from(FIRST_DECLARED))?)
    }

    /// The name of a column of this number, `time` and `entity` among them; empty of none.
    pub fn name_of(&self, id: ColumnId) -> &str {
        match id {
            TIME => "time",
            ENTITY => "entity",
            declared => self.column_by_id(declared).map_or("", |column| &column.name),
        }
    }

    /// Whether the name stands for the entity column: `entity`, and `user` in an event stream.
    pub fn is_entity(&self, name: &str) -> bool {
        name == "entity" || (self.kind == StreamKind::Event && name == "user")
    }

    /// Adds a column after checking its name and the bound; `field` is where the request named it.
    pub fn add_column(
        &mut self,
        field: &str,
        name: &str,
        column_type: ColumnType,
        description: &str,
        unit: &str,
    ) -> Result<ColumnId> {
        check_name(field, name)?;
        if name == "time" || self.is_entity(name) {
            return Err(Error::invalid(
                "RESERVED_NAME",
                field,
                format!("{name:?} names a column every stream has; use another name"),
            ));
        }
        if column_type == ColumnType::State {
            return Err(Error::unsupported(field));
        }
        if column_type == ColumnType::Label && self.kind != StreamKind::Metric {
            return Err(Error::invalid(
                "LABEL_IN_EVENT_STREAM",
                field,
                format!("label {name:?}: only metric streams have labels"),
            ));
        }
        if self.column(name).is_some() {
            return Err(Error::invalid(
                "DUPLICATE_COLUMN",
                field,
                format!("column {name:?} is there already"),
            ));
        }
        if self.columns.len() >= MAX_COLUMNS {
            return Err(Error::invalid(
                "TOO_MANY_COLUMNS",
                field,
                format!("a stream has at most {MAX_COLUMNS} columns; {name:?} would be one more"),
            ));
        }
        Ok(self.push(name, column_type, description, unit))
    }

    fn push(&mut self, name: &str, column_type: ColumnType, description: &str, unit: &str) -> ColumnId {
        let id = FIRST_DECLARED + self.columns.len() as ColumnId;
        self.columns.push(ColumnSpec {
            id,
            name: name.to_owned(),
            column_type,
            description: description.to_owned(),
            unit: unit.to_owned(),
        });
        id
    }
}

/// Checks a column, label or writer name: 1 to 255 bytes, no control characters.
pub fn check_name(field: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(Error::invalid(
            "BAD_NAME",
            field,
            format!("a name has 1 to {MAX_NAME_BYTES} bytes, got {}", name.len()),
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "BAD_NAME",
            field,
            format!("a name has no control characters, got {name:?}"),
        ));
    }
    Ok(())
}

/// Checks a stream id: `[A-Za-z_][A-Za-z0-9_.-]{0,127}`.
pub fn check_stream_id(field: &str, id: &str) -> Result<()> {
    let mut bytes = id.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || id.len() > 128 || !bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        let shown: String = id.chars().take(64).collect();
        return Err(Error::invalid(
            "BAD_STREAM_ID",
            field,
            format!("a stream id matches [A-Za-z_][A-Za-z0-9_.-]{{0,127}}, got {shown:?}"),
        ));
    }
    Ok(())
}
