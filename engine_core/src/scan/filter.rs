//! Conditions on rows in three-valued logic: a comparison with a null, or of a NaN, is neither true nor false, and stays so
//! under `not`. Rows are taken only where the condition is true.

use super::block::{Reader, Sought, Values};
use super::mask::Mask;
use crate::column::NULL_CODE;
use crate::column::packed::{Physical, Validity};
use crate::error::{Error, Result};

/// A test of strings.
#[derive(Clone, Debug, PartialEq)]
pub enum TextTest {
    /// One of these, ascending.
    In(Vec<String>),
    /// Below this, and equal to it if so said.
    Below(String, bool),
    /// Above this, and equal to it if so said.
    Above(String, bool),
}

impl TextTest {
    /// Whether a text passes. Texts compare by their UTF-8 bytes.
    pub fn passes(&self, text: &str) -> bool {
        match self {
            Self::In(texts) => texts.binary_search_by(|probe| probe.as_str().cmp(text)).is_ok(),
            Self::Below(bound, equal) => text < bound.as_str() || (*equal && text == bound),
            Self::Above(bound, equal) => text > bound.as_str() || (*equal && text == bound),
        }
    }
}

/// A condition on the columns of a query, by their places.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A double in `[low, high]`.
    F64Within(usize, f64, f64),
    /// An integer, timestamp or boolean in `[low, high]`.
    I64Within(usize, i64, i64),
    /// One of these doubles, ascending.
    F64In(usize, Vec<f64>),
    /// One of these integers, ascending.
    I64In(usize, Vec<i64>),
    /// A string that passes; the answers for the codes of its dictionary come with it, as do the least and greatest that pass, and
    /// what filters of texts are asked.
    Text(usize, TextTest, CodeTest, Option<Sought>),
    /// All hold; true of none.
    All(Vec<Self>),
    /// One holds; false of none.
    Any(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
}

/// What a test says of the codes of a dictionary.
#[derive(Clone, Debug)]
pub struct CodeTest {
    answers: Vec<bool>,
    bounds: Option<(u32, u32)>,
    /// Whether codes are those of rows, so that statistics of blocks speak of them.
    stored: bool,
}

impl CodeTest {
    /// From the answer for each code from 0 on.
    pub fn new(answers: Vec<bool>, stored: bool) -> Self {
        let code = |at: usize| at as u32;
        let bounds = answers
            .iter()
            .position(|&answer| answer)
            .zip(answers.iter().rposition(|&answer| answer))
            .map(|(low, high)| (code(low), code(high)));
        Self {
            answers,
            bounds,
            stored,
        }
    }
}

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
    /// Looks up what filters of the rows that the reader has turned to say: [`Self::outlook`] takes it in.
    ///
    /// # Errors
    /// Corrupt: filters are damaged.
    pub fn sift(&self, reader: &mut Reader<'_>) -> Result<()> {
        match self {
            Self::Text(column, _, _, Some(sought)) => reader.sift(*column, sought),
            Self::All(parts) | Self::Any(parts) => parts.iter().try_for_each(|part| part.sift(reader)),
            Self::Not(part) => part.sift(reader),
            _ => Ok(()),
        }
    }

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
                if found.physical() == Physical::Text {
                    let nulls = found.stats(block).nulls as usize;
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
                let stats = found.stats(block);
                Outlook {
                    may_hold: codes
                        .bounds
                        .is_some_and(|(low, high)| u64::from(low) <= stats.max && u64::from(high) >= stats.min),
                    ..Outlook::ANYTHING
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

    /// Rows of the block for which it holds, and those for which it fails.
    pub fn evaluate(&self, reader: &mut Reader<'_>) -> Result<(Mask, Mask)> {
        let n = reader.rows();
        match self {
            Self::F64Within(column, low, high) => f64s(reader, *column, n, |value| value >= *low && value <= *high),
            Self::F64In(column, set) => f64s(reader, *column, n, |value| {
                set.binary_search_by(|probe| probe.partial_cmp(&value).unwrap_or(std::cmp::Ordering::Less))
                    .is_ok()
            }),
            Self::I64Within(column, low, high) => i64s(reader, *column, n, |value| value >= *low && value <= *high),
            Self::I64In(column, set) => i64s(reader, *column, n, |value| set.binary_search(&value).is_ok()),
            Self::Text(column, test, codes, sought) => match without(reader, *column, n, sought.as_ref())? {
                Some(masks) => Ok(masks),
                None => texts(reader, *column, n, test, codes),
            },
            Self::All(parts) => {
                let (mut holds, mut fails) = (Mask::first(n), Mask::EMPTY);
                for part in parts {
                    let (part_holds, part_fails) = part.evaluate(reader)?;
                    (holds, fails) = (holds.and(&part_holds), fails.or(&part_fails));
                }
                Ok((holds, fails))
            }
            Self::Any(parts) => {
                let (mut holds, mut fails) = (Mask::EMPTY, Mask::first(n));
                for part in parts {
                    let (part_holds, part_fails) = part.evaluate(reader)?;
                    (holds, fails) = (holds.or(&part_holds), fails.and(&part_fails));
                }
                Ok((holds, fails))
            }
            Self::Not(part) => part.evaluate(reader).map(|(holds, fails)| (fails, holds)),
        }
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

fn f64s(reader: &mut Reader<'_>, column: usize, n: usize, test: impl Fn(f64) -> bool) -> Result<(Mask, Mask)> {
    let block = reader.load(column)?;
    let Values::F64(values) = &block.values else {
        return Err(Error::internal("a test of doubles on another column"));
    };
    let mut known = block.valid;
    if block.may_be_nan {
        known = known.and_not(&Mask::of(&values[..n], f64::is_nan));
    }
    let holds = Mask::of(&values[..n], test).and(&known);
    Ok((holds, known.and_not(&holds)))
}

fn i64s(reader: &mut Reader<'_>, column: usize, n: usize, test: impl Fn(i64) -> bool) -> Result<(Mask, Mask)> {
    let block = reader.load(column)?;
    let Values::I64(values) = &block.values else {
        return Err(Error::internal("a test of integers on another column"));
    };
    let holds = Mask::of(&values[..n], test).and(&block.valid);
    Ok((holds, block.valid.and_not(&holds)))
}

/// What a test comes to in a block of texts that has none of those it seeks; none: it may have some.
fn without(reader: &Reader<'_>, column: usize, n: usize, sought: Option<&Sought>) -> Result<Option<(Mask, Mask)>> {
    let (Some(sought), Some((found, block))) = (sought, reader.place(column)) else {
        return Ok(None);
    };
    if reader.may_have(sought) {
        return Ok(None);
    }
    Ok(Some((Mask::EMPTY, mask_of(found.text_validity(block)?, n))))
}

/// Rows that are not null, of so many.
fn mask_of(validity: Validity, n: usize) -> Mask {
    match validity {
        Validity::All => Mask::first(n),
        Validity::None => Mask::EMPTY,
        Validity::Some(words) => Mask::from_words(*words).and(&Mask::first(n)),
    }
}

fn texts(reader: &mut Reader<'_>, column: usize, n: usize, test: &TextTest, codes: &CodeTest) -> Result<(Mask, Mask)> {
    if let Some((found, block)) = reader.place(column)
        && found.physical() == Physical::Text
    {
        // Straight on the texts: a filter gives out no codes.
        let (texts, validity) = found.decode_text(block)?;
        let known = mask_of(validity, n);
        let holds = Mask::of(&texts.test(n, |text| test.passes(text)), |passes| passes).and(&known);
        return Ok((holds, known.and_not(&holds)));
    }
    let block = reader.load(column)?;
    let Values::Code(values) = &block.values else {
        return Err(Error::internal("a test of strings on another column"));
    };
    let holds = match codes.bounds {
        None => Mask::EMPTY,
        Some((low, high)) if low == high => Mask::of(&values[..n], |code| code == low),
        Some(_) => Mask::of(&values[..n], |code| {
            codes.answers.get(code as usize).copied().unwrap_or(false)
        }),
    };
    debug_assert!(!codes.answers.first().copied().unwrap_or(false), "null passes no test");
    let known = block.valid.and_not(&Mask::of(&values[..n], |code| code == NULL_CODE));
    let holds = holds.and(&known);
    Ok((holds, known.and_not(&holds)))
}
