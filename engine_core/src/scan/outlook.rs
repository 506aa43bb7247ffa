//! What statistics of a block say of a condition, before anything of the block is decoded.

use super::block::Reader;
use super::filter::Condition;
use crate::column::packed::Physical;

/// What a condition can be over the rows of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// For some row it may hold.
    pub may_hold: bool,
    /// For some row it may fail.
    pub may_fail: bool,
    /// For some row it may do neither.
    pub may_be_unknown: bool,
}

impl Outlook {
    const ANYTHING: Self = Self {
        may_hold: true,
        may_fail: true,
        may_be_unknown: true,
    };
    const UNKNOWN: Self = Self {
        may_hold: false,
        may_fail: false,
        may_be_unknown: true,
    };

    /// Whether it holds for every row.
    pub fn always_holds(self) -> bool {
        self.may_hold && !self.may_fail && !self.may_be_unknown
    }
}

impl Condition {
    /// What statistics of the block say, without decoding anything.
    pub fn outlook(&self, reader: &Reader<'_>) -> Outlook {
        match self {
            Self::F64Within(column, low, high) => numbers(reader, *column, |min, max| {
                let (min, max) = (f64::from_bits(min), f64::from_bits(max));
                (max >= *low && min <= *high, min < *low || max > *high)
            }),
            Self::I64Within(column, low, high) => numbers(reader, *column, |min, max| {
                let (min, max) = (min as i64, max as i64);
                (max >= *low && min <= *high, min < *low || max > *high)
            }),
            Self::F64In(column, set) => numbers(reader, *column, |min, max| {
                let (min, max) = (f64::from_bits(min), f64::from_bits(max));
                (set.iter().any(|&value| value >= min && value <= max), true)
            }),
            Self::I64In(column, set) => numbers(reader, *column, |min, max| {
                let (min, max) = (min as i64, max as i64);
                (set.iter().any(|&value| value >= min && value <= max), true)
            }),
            Self::Text(column, _, codes, sought) => {
                let Some((found, block)) = reader.place(*column) else {
                    return Outlook::UNKNOWN;
                };
                let stats = found.stats(block);
                let nulls = stats.nulls as usize;
                if found.physical() == Physical::Text {
                    let has_texts = nulls < reader.rows();
                    return Outlook {
                        may_hold: has_texts && sought.as_ref().is_none_or(|sought| reader.may_have(sought)),
                        may_fail: has_texts,
                        may_be_unknown: nulls > 0,
                    };
                }
                if found.physical() != Physical::Code || !codes.stored {
                    return Outlook::ANYTHING;
                }
                if nulls >= reader.rows() {
                    return Outlook::UNKNOWN;
                }
                let (may_hold, may_fail) = codes.between(stats.min, stats.max);
                Outlook {
                    may_hold,
                    may_fail,
                    may_be_unknown: nulls > 0,
                }
            }
            Self::Null(column, is_null) => {
                let nulls = nulls(reader, *column);
                let (null, other) = (nulls != Nulls::None, nulls != Nulls::All);
                Outlook {
                    may_hold: if *is_null { null } else { other },
                    may_fail: if *is_null { other } else { null },
                    may_be_unknown: false,
                }
            }
            Self::All(parts) => parts.iter().map(|part| part.outlook(reader)).fold(
                Outlook {
                    may_hold: true,
                    may_fail: false,
                    may_be_unknown: false,
                },
                |all, part| Outlook {
                    may_hold: all.may_hold && part.may_hold,
                    may_fail: all.may_fail || part.may_fail,
                    may_be_unknown: all.may_be_unknown || part.may_be_unknown,
                },
            ),
            Self::Any(parts) => parts.iter().map(|part| part.outlook(reader)).fold(
                Outlook {
                    may_hold: false,
                    may_fail: true,
                    may_be_unknown: false,
                },
                |any, part| Outlook {
                    may_hold: any.may_hold || part.may_hold,
                    may_fail: any.may_fail && part.may_fail,
                    may_be_unknown: any.may_be_unknown || part.may_be_unknown,
                },
            ),
            Self::Not(part) => {
                let part = part.outlook(reader);
                Outlook {
                    may_hold: part.may_fail,
                    may_fail: part.may_hold,
                    ..part
                }
            }
        }
    }
}

/// How many rows of a block are null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// None is.
    None,
    /// Some may be, and others may not.
    Some,
    /// All are.
    All,
}

/// What statistics say of the nulls of a column in the reader's block.
pub(super) fn nulls(reader: &Reader<'_>, column: usize) -> Nulls {
    let Some((found, block)) = reader.place(column) else {
        return Nulls::All;
    };
    let nulls = found.stats(block).nulls as usize;
    let strings = reader.column(column).strings.as_ref();
    if nulls >= reader.rows() {
        Nulls::All
    } else if nulls > 0 || strings.is_some_and(|strings| strings.is_label()) {
        // Statistics are of the series, which may lack the label.
        Nulls::Some
    } else {
        Nulls::None
    }
}

/// Outlook of a test on numbers from the least and the greatest of them.
fn numbers(reader: &Reader<'_>, column: usize, test: impl Fn(u64, u64) -> (bool, bool)) -> Outlook {
    let Some((found, block)) = reader.place(column) else {
        return Outlook::UNKNOWN;
    };
    let stats = found.stats(block);
    if (stats.nulls + stats.nans) as usize >= reader.rows() {
        return Outlook::UNKNOWN;
    }
    let (may_hold, may_fail) = test(stats.min, stats.max);
    Outlook {
        may_hold,
        may_fail,
        may_be_unknown: stats.nulls + stats.nans > 0,
    }
}
