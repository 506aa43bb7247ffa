//! Values of a condition as values of a column's type.

use std::borrow::Cow;

use crate::query::spec::Literal;
use crate::scan::Type;

/// The value as the column has it, if it fits; of what a typed tree says, what it says.
pub(super) fn fitted(literal: &Literal, data_type: Type) -> Option<Cow<'_, Literal>> {
    let made = match (literal, data_type) {
        (Literal::Quoted(text) | Literal::Word(text), Type::Text) => Literal::Text(text.clone()),
        (Literal::Quoted(text), Type::Timestamp) => Literal::Timestamp(timestamp(text)?),
        (Literal::Word(word), Type::F64 | Type::I64) => number(word)?,
        (Literal::Word(word), Type::Bool) => Literal::Bool(word.parse().ok()?),
        (Literal::Quoted(_) | Literal::Word(_), _) => return None,
        _ => return Some(Cow::Borrowed(literal)),
    };
    Some(Cow::Owned(made))
}

fn number(word: &str) -> Option<Literal> {
    if let Ok(integer) = word.parse() {
        return Some(Literal::I64(integer));
    }
    let double: f64 = word.parse().ok()?;
    (!double.is_nan()).then_some(Literal::F64(double))
}

/// Unix nanoseconds of a timestamp of RFC 3339.
fn timestamp(text: &str) -> Option<i64> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(timestamp.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(word: &str, data_type: Type) -> Option<Literal> {
        fitted(&Literal::Word(word.to_owned()), data_type).map(Cow::into_owned)
    }

    fn quoted(text: &str, data_type: Type) -> Option<Literal> {
        fitted(&Literal::Quoted(text.to_owned()), data_type).map(Cow::into_owned)
    }

    #[test]
    fn words_are_of_the_type_of_the_column() {
        assert_eq!(word("12", Type::I64), Some(Literal::I64(12)));
        assert_eq!(word("12", Type::F64), Some(Literal::I64(12)));
        assert_eq!(word("-2.5e3", Type::I64), Some(Literal::F64(-2500.0)));
        assert_eq!(word("-inf", Type::F64), Some(Literal::F64(f64::NEG_INFINITY)));
        assert_eq!(
            word("9223372036854775808", Type::I64),
            Some(Literal::F64(2f64.powi(63)))
        );
        assert_eq!(word("12", Type::Text), Some(Literal::Text("12".to_owned())));
        assert_eq!(word("true", Type::Bool), Some(Literal::Bool(true)));
        assert_eq!(word("true", Type::Text), Some(Literal::Text("true".to_owned())));
        for (text, data_type) in [
            ("nan", Type::F64),
            ("1x", Type::I64),
            ("TRUE", Type::Bool),
            ("1", Type::Bool),
            ("1", Type::Timestamp),
        ] {
            assert_eq!(word(text, data_type), None, "{text}");
        }
    }

    #[test]
    fn quoted_texts_are_texts_or_timestamps() {
        assert_eq!(quoted("12", Type::Text), Some(Literal::Text("12".to_owned())));
        for data_type in [Type::I64, Type::F64, Type::Bool] {
            assert_eq!(quoted("1", data_type), None);
        }
        let timestamp = |text: &str| quoted(text, Type::Timestamp);
        assert_eq!(
            timestamp("1970-01-01T00:00:01Z"),
            Some(Literal::Timestamp(1_000_000_000))
        );
        assert_eq!(
            timestamp("1970-01-01T02:00:00.000000005+02:00"),
            Some(Literal::Timestamp(5))
        );
        assert_eq!(
            timestamp("1677-09-21T00:12:43.145224192Z"),
            Some(Literal::Timestamp(i64::MIN))
        );
        assert_eq!(timestamp("1600-01-01T00:00:00Z"), None);
        assert_eq!(timestamp("2026-01-01"), None);
        assert_eq!(timestamp("2026-13-01T00:00:00Z"), None);
    }
}
