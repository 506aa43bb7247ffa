//! Rows that broke a rule, and those that are left.

use crate::column::{Bitmap, Reject, RejectCounts};
use crate::error::{Error, Result};
use crate::wire::v1;

/// Most rows an answer reports one by one.
const MAX_REPORTED: usize = 100;
/// Longest excerpt of a value in a message, in characters.
const EXCERPT_CHARS: usize = 48;

/// One row that broke a rule; the first rule it broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault<'a> {
    /// Its row in the batch.
    pub row: u32,
    /// The rule.
    pub reason: Reject,
    /// Column it concerns; empty for the row as a whole.
    pub column: &'a str,
    /// What was found.
    pub found: String,
}

impl Fault<'_> {
    /// The rule in words and what was found.
    pub(super) fn message(&self) -> String {
        format!("{}, got {}", self.reason.rule(), self.found)
    }
}

/// Every row that broke a rule.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    list: Vec<Fault<'a>>,
    bad: Option<Bitmap>,
    rows: usize,
}

impl<'a> Faults<'a> {
    /// No fault among so many rows.
    pub(super) fn new(rows: usize) -> Self {
        Self {
            list: Vec::new(),
            bad: None,
            rows,
        }
    }

    /// Notes that a row broke a rule, unless it broke one before.
    pub(super) fn add(&mut self, row: usize, reason: Reject, column: &'a str, found: impl FnOnce() -> String) {
        let bad = self.bad.get_or_insert_with(|| Bitmap::filled(self.rows, false));
        if !bad.get(row) {
            bad.set(row, true);
            self.list.push(Fault {
                row: row as u32,
                reason,
                column,
                found: found(),
            });
        }
    }

    /// Whether the row broke a rule.
    pub(super) fn has(&self, row: usize) -> bool {
        self.bad.as_ref().is_some_and(|bad| bad.get(row))
    }

    /// The faults by row, and the rows that are left: none stands for all.
    pub(super) fn finish(mut self) -> (Vec<Fault<'a>>, Option<Vec<u32>>) {
        self.list.sort_unstable_by_key(|fault| fault.row);
        let kept = self
            .bad
            .map(|bad| (0..self.rows as u32).filter(|&row| !bad.get(row as usize)).collect());
        (self.list, kept)
    }
}

/// Refuses a batch that is to be stored whole or not at all.
pub(super) fn refuse_any(faults: &[Fault<'_>], rows: usize) -> Result<()> {
    let Some(first) = faults.first() else {
        return Ok(());
    };
    let column = match first.column {
        "" => String::new(),
        column => format!(" column {column:?}:"),
    };
    Err(Error::invalid(
        "ROWS_REJECTED",
        "atomic",
        format!(
            "an atomic batch is stored whole or not at all, and {} of {rows} rows broke a rule; row {}:{column} {}: {}",
            faults.len(),
            first.row,
            first.reason.name(),
            first.message()
        ),
    ))
}

/// Faults counted by rule.
pub(super) fn count(faults: &[Fault<'_>]) -> RejectCounts {
    let mut counts = RejectCounts::default();
    for fault in faults {
        counts.add(fault.reason, 1);
    }
    counts
}

/// The first faults, as an answer reports them.
pub(super) fn report(faults: &[Fault<'_>]) -> Vec<v1::RowError> {
    faults
        .iter()
        .take(MAX_REPORTED)
        .map(|fault| v1::RowError {
            row: fault.row,
            reason: fault.reason.name().to_owned(),
            column: fault.column.to_owned(),
            message: fault.message(),
        })
        .collect()
}

/// The beginning of a text, quoted, with its length if it is cut.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}… of {} bytes", &text[..end], text.len()),
    }
}

/// Rows to take from a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep<'a> {
    /// All of so many.
    All(usize),
    /// These, ascending.
    Some(&'a [u32]),
}

impl Keep<'_> {
    /// Number of rows taken.
    pub(super) fn len(self) -> usize {
        match self {
            Self::All(rows) => rows,
            Self::Some(rows) => rows.len(),
        }
    }

    /// Calls `each` with every row taken.
    pub(super) fn for_each(self, mut each: impl FnMut(usize)) {
        match self {
            Self::All(rows) => (0..rows).for_each(each),
            Self::Some(rows) => rows.iter().for_each(|&row| each(row as usize)),
        }
    }

    /// One value a row taken.
    pub(super) fn collect<T>(self, mut value: impl FnMut(usize) -> T) -> Vec<T> {
        let mut out = Vec::with_capacity(self.len());
        self.for_each(|row| out.push(value(row)));
        out
    }

    /// The bits of the rows taken.
    pub(super) fn bits(self, bits: &Bitmap) -> Bitmap {
        match self {
            Self::All(_) => bits.clone(),
            Self::Some(_) => {
                let mut out = Bitmap::default();
                self.for_each(|row| out.push(bits.get(row)));
                out
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_for_the_first_rule_it_broke() {
        let mut faults = Faults::new(3);
        faults.add(2, Reject::TimeTooOld, "", || "1".into());
        faults.add(0, Reject::TypeMismatch, "a", || "2".into());
        faults.add(2, Reject::TypeMismatch, "a", || unreachable!());
        assert!(faults.has(2) && !faults.has(1));
        let (list, kept) = faults.finish();
        assert_eq!(list.iter().map(|fault| fault.row).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(kept, Some(vec![1]));
        assert_eq!(count(&list).total(), 2);
        let error = refuse_any(&list, 3).unwrap_err();
        assert_eq!(error.reason(), "ROWS_REJECTED");
        assert!(
            error
                .message()
                .contains("2 of 3 rows broke a rule; row 0: column \"a\": TYPE_MISMATCH")
        );
    }

    #[test]
    fn without_a_fault_all_rows_are_left() {
        let (list, kept) = Faults::new(3).finish();
        assert_eq!((list.len(), kept), (0, None));
        refuse_any(&[], 3).unwrap();
    }

    #[test]
    fn excerpts_are_cut_between_characters() {
        assert_eq!(excerpt("a\"b"), "\"a\\\"b\"");
        assert_eq!(
            excerpt(&"é".repeat(100)),
            format!("\"{}\"… of 200 bytes", "é".repeat(48))
        );
    }
}
