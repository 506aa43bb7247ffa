//! Conditions as the text that reads back as them. Lists of nothing and sets of nothing, which no text can say, are TRUE and FALSE.

use super::scanner::{KEYWORDS, is_in_word};
use crate::query::spec::filters::{ColumnTest, FilterSpec, Literal, Test};
use crate::scan::pattern::Pattern;
use crate::wire::v1::ComparisonOperator as Operator;

/// The text of a condition.
pub(in crate::query) fn written(filter: &FilterSpec) -> String {
    match filter {
        FilterSpec::Column(ColumnTest { column, test, .. }) => written_test(&name(column), test),
        FilterSpec::All(parts) => list(parts, " AND ", "TRUE"),
        FilterSpec::Any(parts) => list(parts, " OR ", "FALSE"),
        FilterSpec::Not(part) => format!("NOT {}", inside(part)),
    }
}

/// A list in a list is in parentheses, also where `OR` would bind closer: few know that it does.
fn list(parts: &[FilterSpec], between: &str, empty: &str) -> String {
    match parts {
        [] => empty.to_owned(),
        [part] => written(part),
        parts => parts.iter().map(inside).collect::<Vec<_>>().join(between),
    }
}

fn inside(part: &FilterSpec) -> String {
    match part {
        FilterSpec::All(parts) | FilterSpec::Any(parts) if parts.len() == 1 => inside(&parts[0]),
        FilterSpec::All(parts) | FilterSpec::Any(parts) if parts.is_empty() => written(part),
        FilterSpec::Column(_) => written(part),
        _ => format!("({})", written(part)),
    }
}

fn written_test(column: &str, test: &Test) -> String {
    match test {
        Test::Compare(operator, value) => {
            let sign = match operator {
                Operator::Unspecified | Operator::Equal => "=",
                Operator::NotEqual => "!=",
                Operator::Less => "<",
                Operator::LessOrEqual => "<=",
                Operator::Greater => ">",
                Operator::GreaterOrEqual => ">=",
            };
            format!("{column} {sign} {}", literal(value))
        }
        Test::In(values) if values.is_empty() => "FALSE".to_owned(),
        Test::In(values) => {
            let values: Vec<String> = values.iter().map(literal).collect();
            format!("in({column}, {})", values.join(", "))
        }
        Test::Null(true) => format!("{column} = null"),
        Test::Null(false) => format!("{column} != null"),
        Test::Has(_, value) => format!("{column} : {}", literal(value)),
        Test::Like(Pattern::Prefix(text)) => format!("prefix({column}, {})", quoted(text)),
        Test::Like(Pattern::Contains(part)) => {
            format!(
                "contains({column}, {})",
                quoted(&String::from_utf8_lossy(part.needle()))
            )
        }
        Test::Like(Pattern::Regex(_, text)) => format!("matches({column}, {})", raw(text)),
    }
}

fn name(column: &str) -> String {
    let is_word = column.chars().all(is_in_word) && !column.contains('*') && !column.starts_with('-');
    if is_word && !column.is_empty() && !KEYWORDS.contains(&column) {
        column.to_owned()
    } else {
        quoted(column)
    }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::F64(value) => format!("{value:?}"),
        Literal::I64(value) => value.to_string(),
        Literal::Bool(value) => value.to_string(),
        Literal::Text(text) | Literal::Quoted(text) => quoted(text),
        Literal::Timestamp(ns) => quoted(
            &jiff::Timestamp::from_nanosecond((*ns).into())
                .map_or_else(|_| ns.to_string(), |instant| instant.to_string()),
        ),
        Literal::Word(word) if word.contains('*') => quoted(word),
        Literal::Word(word) => word.clone(),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' | '*' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out + "\""
}

/// A regular expression between quotes: escapes in it are its own, and an escaped quote is a quote to it.
fn raw(pattern: &str) -> String {
    let (mut out, mut is_escaped) = (String::from("\""), false);
    for character in pattern.chars() {
        if character == '"' && !is_escaped {
            out.push('\\');
        }
        is_escaped = character == '\\' && !is_escaped;
        out.push(character);
    }
    out + "\""
}
