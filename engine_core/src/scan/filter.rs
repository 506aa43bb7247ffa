//! Conditions on rows in three-valued logic: a comparison with a null, or of a NaN, is neither true nor false, and stays so
//! under `not`; a test for nulls is always one of both. Rows are taken only where the condition is true.

use super::block::{Reader, Sought, Values, mask_of};
use super::mask::Mask;
use super::outlook::{Nulls, nulls};
use super::pattern::TextTest;
use crate::column::NULL_CODE;
use crate::column::packed::Physical;
use crate::error::{Error, Result};

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
    /// A null or, if so said, anything else; NaN is not null.
    Null(usize, bool),
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
    /// By code, how many below it pass; one more than there are answers.
    passing_below: Vec<u32>,
    /// The only code that passes.
    single: Option<u32>,
    /// Whether codes are those of rows, so that statistics of blocks speak of them.
    pub(super) stored: bool,
}

impl CodeTest {
    /// From the answer for each code from 0 on.
    pub fn new(answers: Vec<bool>, stored: bool) -> Self {
        let mut passing_below = Vec::with_capacity(answers.len() + 1);
        let mut passing = 0;
        passing_below.push(passing);
        for &answer in &answers {
            passing += u32::from(answer);
            passing_below.push(passing);
        }
        let single = if passing == 1 {
            answers.iter().position(|&answer| answer).map(|code| code as u32)
        } else {
            None
        };
        Self {
            answers,
            passing_below,
            single,
            stored,
        }
    }

    /// Whether any code from the least to the greatest passes, and whether any fails.
    pub(super) fn between(&self, least: u64, greatest: u64) -> (bool, bool) {
        let known = self.answers.len();
        let below = |code: u64| self.passing_below[usize::try_from(code).unwrap_or(known).min(known)];
        let passing = below(greatest.saturating_add(1)).saturating_sub(below(least));
        let codes = greatest.saturating_sub(least).saturating_add(1);
        (passing > 0, u64::from(passing) < codes)
    }

    fn passes(&self, code: u32) -> bool {
        self.answers.get(code as usize).copied().unwrap_or(false)
    }

    fn is_empty(&self) -> bool {
        self.passing_below.last() == Some(&0)
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
            Self::Null(column, is_null) => {
                let known = not_null(reader, *column, n)?;
                let null = Mask::first(n).and_not(&known);
                Ok(if *is_null { (null, known) } else { (known, null) })
            }
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

/// Rows of the block that are not null; values are decoded only where some are null and some are not.
fn not_null(reader: &mut Reader<'_>, column: usize, n: usize) -> Result<Mask> {
    match (nulls(reader, column), reader.place(column)) {
        (Nulls::None, _) => Ok(Mask::first(n)),
        (Nulls::All, _) => Ok(Mask::EMPTY),
        (Nulls::Some, Some((found, block))) if found.physical() == Physical::Text => {
            Ok(mask_of(found.text_validity(block)?, n))
        }
        (Nulls::Some, _) => Ok(reader.load(column)?.valid),
    }
}

fn texts(reader: &mut Reader<'_>, column: usize, n: usize, test: &TextTest, codes: &CodeTest) -> Result<(Mask, Mask)> {
    if let Some((found, block)) = reader.place(column)
        && found.physical() == Physical::Text
    {
        // Straight on the texts: a filter gives out no codes.
        reader.mark_decoded(block);
        let (texts, validity) = found.decode_text(block)?;
        let known = mask_of(validity, n);
        let holds = Mask::of(&texts.test(n, |text| test.passes(text)), |passes| passes).and(&known);
        return Ok((holds, known.and_not(&holds)));
    }
    let block = reader.load(column)?;
    let Values::Code(values) = &block.values else {
        return Err(Error::internal("a test of strings on another column"));
    };
    let holds = match codes.single {
        _ if codes.is_empty() => Mask::EMPTY,
        Some(single) => Mask::of(&values[..n], |code| code == single),
        None => Mask::of(&values[..n], |code| codes.passes(code)),
    };
    debug_assert!(!codes.answers.first().copied().unwrap_or(false), "null passes no test");
    let known = block.valid.and_not(&Mask::of(&values[..n], |code| code == NULL_CODE));
    let holds = holds.and(&known);
    Ok((holds, known.and_not(&holds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_held_against_the_codes_that_pass() {
        let test = CodeTest::new(vec![false, true, false, true, true], true);
        assert_eq!(test.between(1, 1), (true, false));
        assert_eq!(test.between(2, 2), (false, true));
        assert_eq!(test.between(1, 3), (true, true));
        assert_eq!(test.between(3, 4), (true, false));
        // Codes past the answers pass no test.
        assert_eq!(test.between(4, 5), (true, true));
        assert_eq!(test.between(5, u64::MAX), (false, true));
        assert_eq!(CodeTest::new(Vec::new(), true).between(0, 9), (false, true));
        // What damage would have to say.
        assert_eq!(test.between(3, 1), (false, true));
    }
}
