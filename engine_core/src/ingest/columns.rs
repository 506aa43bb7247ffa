//! Columns of a batch against the columns of its stream: what each is, what it becomes, and which rows break its rules.

use std::borrow::Cow;

use super::codes::{Codes, check_length};
use super::faults::{Faults, Keep, excerpt};
use crate::column::schema::{MAX_COLUMNS, MAX_SYMBOL_BYTES, MAX_TEXT_BYTES, check_name};
use crate::column::{Bitmap, ColumnId, ColumnType, Reject, Schema, StreamKind};
use crate::error::{Error, Kind, Result};
use crate::wire::batch::{BatchView, ColumnView, Strings, Values};
use crate::wire::events::Scalar;

/// Most distinct strings of a column.
const MAX_VALUES: usize = 1 << 20;
/// Greatest integer up to which an f64 holds every one.
pub(super) const MAX_EXACT: i64 = 1 << 53;

/// Values of a field column, of the right length.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// Packed doubles.
    F64(&'a [[u8; 8]]),
    /// Packed integers.
    I64(&'a [[u8; 8]]),
    /// Bitmap.
    Bool(&'a [u8]),
    /// Packed Unix nanoseconds.
    Timestamp(&'a [[u8; 8]]),
    /// Strings, and a code a row.
    Strings(&'a Strings<'a>, Codes<'a>),
}

/// One field column: neither label nor entity.
#[derive(Debug)]
pub(super) struct FieldColumn<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its field in the request.
    pub path: String,
    /// Type it is stored as: that of the schema, or the one it is sent as for a new column.
    pub target: ColumnType,
    /// Its number; none for a new column until it is declared.
    pub id: Option<ColumnId>,
    /// Values.
    pub source: Source<'a>,
    /// Rows that are not null; none: all.
    pub validity: Option<Bitmap>,
}

/// A string column that is not stored as a field: a label or the users.
#[derive(Debug)]
pub(super) struct LabelColumn<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its strings.
    pub strings: &'a Strings<'a>,
    /// Index into them by row.
    pub codes: Codes<'a>,
    /// Rows that have one; none: all.
    pub validity: Option<Bitmap>,
}

/// The columns of a batch, resolved against a schema.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    /// Field columns in the order they were sent.
    pub fields: Vec<FieldColumn<'a>>,
    /// Label columns.
    pub labels: Vec<LabelColumn<'a>>,
    /// Users of an event stream.
    pub users: Option<LabelColumn<'a>>,
}

impl<'a> Columns<'a> {
    /// Resolves the columns of a batch whose rows and times have been checked.
    pub(super) fn resolve(view: &'a BatchView<'a>, schema: &Schema) -> Result<Self> {
        let rows = view.rows as usize;
        let mut columns = Self::default();
        check_names(&view.columns)?;
        for (at, column) in view.columns.iter().enumerate() {
            columns.add(column, at, rows, schema)?;
        }
        if view.series.is_some() {
            if schema.kind == StreamKind::Event {
                return Err(label_in_event_stream("batch.series"));
            }
            if !columns.labels.is_empty() {
                let message = "a batch has label columns or a series table, got both";
                return Err(Error::invalid("LABELS_AND_SERIES", "batch.series", message));
            }
        }
        let new = columns.fields.iter().filter(|field| field.id.is_none()).count()
            + columns
                .labels
                .iter()
                .filter(|label| schema.column(label.name).is_none())
                .count();
        if schema.columns.len() + new > MAX_COLUMNS {
            let message = format!(
                "a stream has at most {MAX_COLUMNS} columns, got {new} new ones beside {}",
                schema.columns.len()
            );
            return Err(Error::invalid("TOO_MANY_COLUMNS", "batch.columns", message));
        }
        Ok(columns)
    }

    fn add(&mut self, column: &'a ColumnView<'a>, at: usize, rows: usize, schema: &Schema) -> Result<()> {
        let name = column.name;
        let base = format!("batch.columns[{at}]");
        let Some(values) = &column.values else {
            let message = format!("column {name:?} has values of one type, got none");
            return Err(Error::invalid("VALUES_MISSING", base, message));
        };
        let path = format!("{base}.{}", values.field());
        let validity = validity(column, &base, rows)?;
        if schema.kind == StreamKind::Event && name == "user" {
            let (Values::Symbol(strings) | Values::Text(strings)) = values else {
                let message = format!("users are symbols or texts, got {}", values.field());
                return Err(Error::invalid("WRONG_COLUMN_TYPE", path, message));
            };
            let codes = codes(strings, &path, rows, validity.as_ref())?;
            self.users = Some(LabelColumn {
                name,
                strings,
                codes,
                validity,
            });
            return Ok(());
        }
        if name == "time" || schema.is_entity(name) {
            let message = format!("{name:?} names a column every stream has; use another name");
            return Err(Error::invalid("RESERVED_NAME", format!("{base}.name"), message));
        }
        let eight = |bytes: &'a [u8]| {
            check_length(&path, bytes.len(), rows * 8)?;
            Ok::<_, Error>(bytes.as_chunks().0)
        };
        let (sent, source) = match values {
            Values::F64(bytes) => (ColumnType::F64, Source::F64(eight(bytes)?)),
            Values::I64(bytes) => (ColumnType::I64, Source::I64(eight(bytes)?)),
            Values::Timestamp(bytes) => (ColumnType::Timestamp, Source::Timestamp(eight(bytes)?)),
            Values::Boolean(bytes) => {
                check_length(&path, bytes.len(), rows.div_ceil(8))?;
                (ColumnType::Bool, Source::Bool(bytes))
            }
            Values::Symbol(strings) | Values::Text(strings) | Values::Label(strings) => {
                let codes = codes(strings, &path, rows, validity.as_ref())?;
                let sent = match values {
                    Values::Symbol(_) => ColumnType::Symbol,
                    Values::Text(_) => ColumnType::Text,
                    _ => ColumnType::Label,
                };
                (sent, Source::Strings(strings, codes))
            }
            Values::State(_) => return Err(Error::unsupported(path)),
        };
        if sent == ColumnType::Label && schema.kind == StreamKind::Event {
            return Err(label_in_event_stream(&path));
        }
        let declared = schema.column(name);
        match declared {
            None if schema.settings.strict => {
                let message = format!("a strict stream takes declared columns only, got {name:?}");
                return Err(Error::invalid("UNKNOWN_COLUMN", format!("{base}.name"), message));
            }
            Some(column) if !takes(column.column_type, sent) => {
                let message = format!(
                    "values have their column's type: {name:?} is {}, got {}",
                    column.column_type.name(),
                    sent.name()
                );
                return Err(Error::invalid("WRONG_COLUMN_TYPE", path, message));
            }
            _ => {}
        }
        match source {
            Source::Strings(strings, codes) if sent == ColumnType::Label => {
                self.labels.push(LabelColumn {
                    name,
                    strings,
                    codes,
                    validity,
                });
            }
            source => self.fields.push(FieldColumn {
                name,
                path,
                target: declared.map_or(sent, |column| column.column_type),
                id: declared.map(|column| column.id),
                source,
                validity,
            }),
        }
        Ok(())
    }
}

/// Whether a declared column takes values sent as another type; some of its rows may still be refused.
fn takes(declared: ColumnType, sent: ColumnType) -> bool {
    use ColumnType::{F64, I64, Symbol, Text};
    declared == sent
        || matches!(
            (declared, sent),
            (F64, I64) | (I64, F64) | (Symbol, Text) | (Text, Symbol)
        )
}

fn check_names(columns: &[ColumnView<'_>]) -> Result<()> {
    if columns.len() > MAX_COLUMNS {
        let message = format!("a batch has at most {MAX_COLUMNS} columns, got {}", columns.len());
        return Err(Error::invalid("TOO_MANY_COLUMNS", "batch.columns", message));
    }
    let mut names = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        check_name(&format!("batch.columns[{at}].name"), column.name)?;
        names.push((column.name, at));
    }
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(Error::invalid(
            "DUPLICATE_COLUMN",
            format!("batch.columns[{}].name", pair[1].1),
            format!("a batch names each column once, got {:?} twice", pair[1].0),
        )),
        None => Ok(()),
    }
}

fn label_in_event_stream(path: &str) -> Error {
    Error::invalid(
        "LABEL_IN_EVENT_STREAM",
        path,
        "only metric streams have labels and series",
    )
}

/// The error of a write whose kind is not its stream's.
pub(super) fn kind_mismatch(stream: &str, is: StreamKind, asked: StreamKind) -> Error {
    let message = format!("stream {stream:?} has {} rows, got {} ones", is.name(), asked.name());
    Error::new(Kind::FailedPrecondition, "STREAM_KIND_MISMATCH", message).at("kind")
}

fn validity(column: &ColumnView<'_>, base: &str, rows: usize) -> Result<Option<Bitmap>> {
    if column.validity.is_empty() {
        return Ok(None);
    }
    check_length(&format!("{base}.validity"), column.validity.len(), rows.div_ceil(8))?;
    let bits = Bitmap::from_bytes(column.validity, rows);
    Ok((bits.count_ones() < rows).then_some(bits))
}

fn codes<'a>(strings: &'a Strings<'a>, path: &str, rows: usize, validity: Option<&Bitmap>) -> Result<Codes<'a>> {
    let count = strings.values.len();
    if count > MAX_VALUES {
        let message = format!("a column has at most {MAX_VALUES} distinct values, got {count}");
        return Err(Error::invalid("TOO_MANY_VALUES", format!("{path}.values"), message));
    }
    let field = format!("{path}.codes");
    let bytes = Cow::Borrowed(strings.codes);
    let codes = Codes::new(bytes, strings.code_width, rows, &field, &format!("{path}.code_width"))?;
    codes.check_range(count, validity, &field)?;
    Ok(codes)
}

impl<'a> LabelColumn<'a> {
    /// String of a row; none at a null.
    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        let valid = self.validity.as_ref().is_none_or(|bits| bits.get(row));
        valid.then(|| self.strings.values[self.codes.get(row) as usize])
    }

    /// Rejects rows whose string is longer than a symbol may be.
    pub(super) fn check(&self, rows: usize, faults: &mut Faults<'a>) {
        let (strings, codes, validity) = (self.strings, &self.codes, self.validity.as_ref());
        check_lengths(self.name, strings, codes, validity, MAX_SYMBOL_BYTES, rows, faults);
    }
}

fn check_lengths<'a>(
    name: &'a str,
    strings: &Strings<'a>,
    codes: &Codes<'_>,
    validity: Option<&Bitmap>,
    limit: usize,
    rows: usize,
    faults: &mut Faults<'a>,
) {
    if strings.values.iter().all(|value| value.len() <= limit) {
        return;
    }
    let reason = if limit == MAX_TEXT_BYTES {
        Reject::TextTooLong
    } else {
        Reject::SymbolTooLong
    };
    for row in (0..rows).filter(|&row| validity.is_none_or(|bits| bits.get(row))) {
        let length = strings.values[codes.get(row) as usize].len();
        if length > limit {
            faults.add(row, reason, name, || format!("{length} bytes"));
        }
    }
}

impl<'a> FieldColumn<'a> {
    /// Whether a row is not null.
    fn valid(&self, row: usize) -> bool {
        self.validity.as_ref().is_none_or(|bits| bits.get(row))
    }

    /// Value of a row.
    pub(super) fn get(&self, row: usize) -> Scalar<'a> {
        if !self.valid(row) {
            return Scalar::Null;
        }
        match &self.source {
            Source::F64(values) => Scalar::F64(f64::from_le_bytes(values[row])),
            Source::I64(values) => Scalar::I64(i64::from_le_bytes(values[row])),
            Source::Timestamp(values) => Scalar::Timestamp(i64::from_le_bytes(values[row])),
            Source::Bool(bits) => Scalar::Bool(bits[row / 8] >> (row % 8) & 1 == 1),
            Source::Strings(strings, codes) => Scalar::Text(strings.values[codes.get(row) as usize]),
        }
    }

    /// Rejects rows whose value breaks a rule of the column.
    pub(super) fn check(&self, rows: usize, faults: &mut Faults<'a>) {
        match (&self.source, self.target) {
            (Source::Strings(strings, codes), target) => {
                let limit = if target == ColumnType::Text {
                    MAX_TEXT_BYTES
                } else {
                    MAX_SYMBOL_BYTES
                };
                check_lengths(self.name, strings, codes, self.validity.as_ref(), limit, rows, faults);
            }
            (Source::I64(values), ColumnType::F64) => {
                let exact = |le: &[u8; 8]| (-MAX_EXACT..=MAX_EXACT).contains(&i64::from_le_bytes(*le));
                if values.iter().all(exact) {
                    return;
                }
                for row in (0..rows).filter(|&row| !exact(&values[row]) && self.valid(row)) {
                    let found = || i64::from_le_bytes(values[row]).to_string();
                    faults.add(row, Reject::IntegerTooLarge, self.name, found);
                }
            }
            (Source::F64(values), ColumnType::I64) => {
                for row in (0..rows).filter(|&row| self.valid(row)) {
                    let found = || format!("{} in an i64 column", f64::from_le_bytes(values[row]));
                    faults.add(row, Reject::TypeMismatch, self.name, found);
                }
            }
            _ => {}
        }
    }

    /// Bytes that the kept rows' strings take as texts.
    pub(super) fn text_bytes(&self, keep: Keep<'_>) -> usize {
        let mut bytes = 0;
        if let Source::Strings(strings, codes) = &self.source {
            keep.for_each(|row| {
                if self.valid(row) {
                    bytes += strings.values[codes.get(row) as usize].len();
                }
            });
        }
        bytes
    }
}

/// A value for a message.
pub(super) fn show(scalar: Scalar<'_>) -> String {
    match scalar {
        Scalar::Null => "null".into(),
        Scalar::F64(value) => format!("the number {value}"),
        Scalar::I64(value) => format!("the integer {value}"),
        Scalar::Bool(value) => format!("the boolean {value}"),
        Scalar::Text(value) => format!("the string {}", excerpt(value)),
        Scalar::Timestamp(value) => format!("the timestamp {value}"),
    }
}
