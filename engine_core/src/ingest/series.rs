//! The series of a metric batch: from its series table, from its label columns, or the one without labels.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashTable;

use super::codes::Codes;
use super::columns::LabelColumn;
use super::faults::{Faults, Keep, excerpt};
use super::tables::KnownTables;
use crate::column::schema::{MAX_COLUMNS, MAX_SYMBOL_BYTES, check_name};
use crate::column::series::canonical;
use crate::column::{ColumnType, NULL_CODE, Reject, Schema};
use crate::error::{Error, Result};
use crate::store::Stream;
use crate::wire::batch::{LabelSets, SeriesView};

/// Most series of a table.
const MAX_SERIES: usize = 1 << 20;
/// Code of a label that a row lacks; that of the null, so that it comes from the validity as well.
const ABSENT: u32 = NULL_CODE;
/// Pairs of tuple and code up to which each has a place of its own.
const DENSE_PLACES: usize = 1 << 18;

/// Series of a batch and the one of each row.
#[derive(Debug)]
pub(super) struct SeriesRows<'a> {
    source: Source<'a>,
    index: Codes<'a>,
}

/// Where a batch's series come from.
#[derive(Debug)]
enum Source<'a> {
    /// A table that the stream has taken before, and the entity code of each of its series.
    Known(&'a SeriesView<'a>, Arc<[u32]>),
    /// A table that is new.
    Table(&'a SeriesView<'a>, LabelSets<'a>),
    /// Label columns.
    Columns(LabelSets<'a>),
}

/// Why a series is refused.
struct Verdict<'a> {
    reason: Reject,
    label: &'a str,
    found: String,
}

impl<'a> SeriesRows<'a> {
    /// Series as the batch's table says; `known` has those of the stream.
    pub(super) fn of_table(
        view: &'a SeriesView<'a>,
        rows: usize,
        stream: Option<u32>,
        known: &KnownTables,
    ) -> Result<Self> {
        const INDEX: &str = "batch.series.index";
        if view.len() > MAX_SERIES {
            let message = format!("a batch has at most {MAX_SERIES} series, got {}", view.len());
            return Err(Error::invalid("TOO_MANY_VALUES", "batch.series.series", message));
        }
        let bytes = Cow::Borrowed(view.index);
        let index = Codes::new(bytes, view.index_width, rows, INDEX, "batch.series.index_width")?;
        index.check_range(view.len(), None, INDEX)?;
        let codes = stream
            .zip(view.encoded())
            .and_then(|(id, table)| known.find(id, &table));
        let source = match codes {
            Some(codes) => Source::Known(view, codes),
            None => Source::Table(view, view.label_sets()?),
        };
        Ok(Self { source, index })
    }

    /// Series by the distinct tuples of the label columns' values; without columns, the one without labels.
    pub(super) fn of_columns(columns: &[LabelColumn<'a>], rows: usize) -> Result<Self> {
        let mut tuples = Tuples::new(rows);
        for column in columns {
            tuples.extend(column);
        }
        let mut sets = LabelSets::default();
        let mut codes = vec![0; columns.len()];
        for tuple in 0..tuples.count {
            tuples.read(tuple as u32, &mut codes);
            for (&code, column) in codes.iter().zip(columns) {
                if code != ABSENT {
                    sets.push_label(column.name, column.strings.values[code as usize - 1]);
                }
            }
            sets.push_series();
        }
        let mut index = vec![0; rows * 4];
        for (le, at) in index.as_chunks_mut().0.iter_mut().zip(&tuples.index) {
            *le = at.to_le_bytes();
        }
        Ok(Self {
            source: Source::Columns(sets),
            index: Codes::new(Cow::Owned(index), 4, rows, "", "")?,
        })
    }

    /// Labels of a row's series.
    pub(super) fn labels(&self, row: usize) -> Vec<(&'a str, &'a str)> {
        let at = self.index.get(row) as usize;
        match &self.source {
            Source::Known(view, _) => {
                let mut labels = Vec::new();
                // A known table has been read once without an error.
                let _ = view.read(at, |name, value| labels.push((name, value)));
                labels
            }
            Source::Table(_, sets) | Source::Columns(sets) => sets.labels(at).to_vec(),
        }
    }

    /// Labels that are still to be judged; none of a table that is known.
    fn unjudged(&self) -> Option<&LabelSets<'a>> {
        match &self.source {
            Source::Known(..) => None,
            Source::Table(_, sets) | Source::Columns(sets) => Some(sets),
        }
    }

    /// Rejects the rows of series that break a rule. `fields` are the batch's columns that are no labels, `new` of them new.
    pub(super) fn check(&self, schema: &Schema, fields: &[&str], new: usize, rows: usize, faults: &mut Faults<'a>) {
        let Some(sets) = self.unjudged() else { return };
        let used = self.index.used(sets.len(), None, Keep::All(rows));
        let mut names = Names {
            schema,
            fields,
            seen: Vec::new(),
            room: MAX_COLUMNS.saturating_sub(schema.columns.len() + new),
        };
        let mut refused: Vec<Option<Verdict<'a>>> = Vec::new();
        for series in (0..used.len()).filter(|&series| used[series]) {
            if let Some(verdict) = names.check_series(sets.labels(series)) {
                refused.resize_with(used.len(), || None);
                refused[series] = Some(verdict);
            }
        }
        if refused.is_empty() {
            return;
        }
        for row in 0..rows {
            if let Some(verdict) = &refused[self.index.get(row) as usize] {
                faults.add(row, verdict.reason, verdict.label, || verdict.found.clone());
            }
        }
    }

    /// Names of labels that the kept rows' series carry and the schema lacks, in order of first sight.
    pub(super) fn new_labels(&self, schema: &Schema, keep: Keep<'_>) -> Vec<&'a str> {
        let Some(sets) = self.unjudged() else {
            return Vec::new();
        };
        let used = self.index.used(sets.len(), None, keep);
        let mut seen: Vec<&str> = Vec::new();
        let mut new = Vec::new();
        for series in (0..used.len()).filter(|&series| used[series]) {
            for (at, &(name, value)) in sets.labels(series).iter().enumerate() {
                if value.is_empty() || seen.get(at) == Some(&name) || seen.contains(&name) {
                    continue;
                }
                seen.push(name);
                if schema.column(name).is_none() {
                    new.push(name);
                }
            }
        }
        new
    }

    /// Entity codes of the kept rows in `stream`. A table whose series are all used, none of them refused, is known from
    /// then on.
    pub(super) fn entities(&self, keep: Keep<'_>, stream: &Stream, known: &KnownTables) -> Result<Vec<u32>> {
        let sets = match &self.source {
            Source::Known(_, codes) => return Ok(self.index.map(codes, None, keep)),
            Source::Table(_, sets) | Source::Columns(sets) => sets,
        };
        let used = self.index.used(sets.len(), None, keep);
        let mut texts = Vec::new();
        let mut labels = Vec::new();
        for series in (0..used.len()).filter(|&series| used[series]) {
            labels.clear();
            labels.extend_from_slice(sets.labels(series));
            texts.push(canonical(&mut labels).ok_or_else(|| Error::internal("a checked series names a label twice"))?);
        }
        let mut codes = stream.intern_series(texts.iter().map(String::as_str)).into_iter();
        let table: Vec<u32> = used
            .iter()
            .map(|&used| if used { codes.next().unwrap_or_default() } else { 0 })
            .collect();
        if let (Source::Table(view, _), Keep::All(_)) = (&self.source, keep)
            && let Some(encoded) = view.encoded()
            && texts.len() == used.len()
        {
            known.remember(stream.id, &encoded, &table);
        }
        Ok(self.index.map(&table, None, keep))
    }
}

/// Distinct tuples of codes, built column by column: a tuple is one of the columns before it and a code.
struct Tuples {
    /// Tuple of each row.
    index: Vec<u32>,
    /// Number of distinct tuples.
    count: usize,
    /// Of each column, the tuples by what they extend and by which code.
    levels: Vec<Vec<(u32, u32)>>,
}

impl Tuples {
    /// The empty tuple in every row.
    fn new(rows: usize) -> Self {
        Self {
            index: vec![0; rows],
            count: 1,
            levels: Vec::new(),
        }
    }

    /// Extends every row's tuple by its code, one past its value's index.
    fn extend(&mut self, column: &LabelColumn<'_>) {
        let values = &column.strings.values;
        let present = |(at, value): (usize, &&str)| if value.is_empty() { ABSENT } else { at as u32 + 1 };
        let table: Vec<u32> = values.iter().enumerate().map(present).collect();
        let codes = column
            .codes
            .map(&table, column.validity.as_ref(), Keep::All(self.index.len()));
        let width = values.len() + 1;
        let mut level = Vec::new();
        let places = self.count.saturating_mul(width);
        if places <= DENSE_PLACES.max(2 * codes.len()) {
            let mut seen = vec![u32::MAX; places];
            for (at, code) in self.index.iter_mut().zip(codes) {
                let place = &mut seen[*at as usize * width + code as usize];
                if *place == u32::MAX {
                    *place = level.len() as u32;
                    level.push((*at, code));
                }
                *at = *place;
            }
        } else {
            let mut seen = HashTable::<u32>::new();
            for (at, code) in self.index.iter_mut().zip(codes) {
                let pair = (*at, code);
                let found = seen.find(hash_pair(pair), |&tuple| level[tuple as usize] == pair);
                *at = match found {
                    Some(&tuple) => tuple,
                    None => {
                        let tuple = level.len() as u32;
                        level.push(pair);
                        seen.insert_unique(hash_pair(pair), tuple, |&other| hash_pair(level[other as usize]));
                        tuple
                    }
                };
            }
        }
        self.count = level.len();
        self.levels.push(level);
    }

    /// Codes of a tuple, one a column.
    fn read(&self, mut tuple: u32, codes: &mut [u32]) {
        for (level, code) in self.levels.iter().zip(codes).rev() {
            (tuple, *code) = level[tuple as usize];
        }
    }
}

fn hash_pair((tuple, code): (u32, u32)) -> u64 {
    let hash = (u64::from(tuple) << 32 | u64::from(code)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The table takes its tag from the upper bits and the place from the lower, where a product has little of its factors.
    hash ^ (hash >> 32)
}

/// What has been found out about label names, which series after series repeats.
struct Names<'s, 'a> {
    schema: &'s Schema,
    fields: &'s [&'s str],
    seen: Vec<(&'a str, Option<(Reject, String)>)>,
    /// Columns that may still be added.
    room: usize,
}

impl<'a> Names<'_, 'a> {
    fn check_series(&mut self, labels: &[(&'a str, &'a str)]) -> Option<Verdict<'a>> {
        let mut at_once: Vec<&str> = Vec::with_capacity(labels.len());
        for (at, &(name, value)) in labels.iter().enumerate().filter(|(_, (_, value))| !value.is_empty()) {
            if let Some((reason, found)) = self.check_label(at, name) {
                return Some(Verdict {
                    reason: *reason,
                    label: name,
                    found: found.clone(),
                });
            }
            if value.len() > MAX_SYMBOL_BYTES {
                return Some(Verdict {
                    reason: Reject::SymbolTooLong,
                    label: name,
                    found: format!("{} bytes", value.len()),
                });
            }
            at_once.push(name);
        }
        at_once.sort_unstable();
        let twice = at_once.windows(2).find(|pair| pair[0] == pair[1])?[0];
        let label = labels.iter().find(|(name, _)| *name == twice)?.0;
        Some(Verdict {
            reason: Reject::BadLabels,
            label,
            found: format!("{label:?} twice"),
        })
    }

    fn check_label(&mut self, guess: usize, name: &'a str) -> Option<&(Reject, String)> {
        let at = match self.seen.get(guess) {
            Some((seen, _)) if *seen == name => guess,
            _ => match self.seen.iter().position(|(seen, _)| *seen == name) {
                Some(at) => at,
                None => {
                    let verdict = self.judge(name);
                    self.seen.push((name, verdict));
                    self.seen.len() - 1
                }
            },
        };
        self.seen[at].1.as_ref()
    }

    fn judge(&mut self, name: &str) -> Option<(Reject, String)> {
        if check_name("", name).is_err() {
            return Some((Reject::BadName, excerpt(name)));
        }
        if name == "time" || self.schema.is_entity(name) {
            return Some((Reject::ReservedName, excerpt(name)));
        }
        if self.fields.contains(&name) {
            return Some((Reject::BadLabels, format!("label {name:?}, a column of the batch")));
        }
        match self.schema.column(name) {
            Some(column) if column.column_type == ColumnType::Label => None,
            Some(column) => Some((
                Reject::BadLabels,
                format!("label {name:?}, a {} column", column.column_type.name()),
            )),
            None if self.schema.settings.strict => Some((Reject::UnknownColumn, format!("label {name:?}"))),
            None if self.room == 0 => Some((Reject::TooManyColumns, format!("label {name:?}, one more"))),
            None => {
                self.room -= 1;
                None
            }
        }
    }
}
