//! Filters as text: what a typed tree says, in the syntax of AIP-160.

use marigram_core::wire::v1;
use v1::ComparisonOperator as Operator;
use v1::TextMatchKind as Kind;
use v1::filter::Condition;

/// A text with the meaning of a tree, also where a null or a NaN neither holds nor fails.
pub(crate) fn printed(filter: &v1::Filter) -> String {
    match filter.condition.as_ref().unwrap() {
        Condition::Compare(compare) => {
            let sign = match compare.operator() {
                Operator::NotEqual => "!=",
                Operator::Less => "<",
                Operator::LessOrEqual => "<=",
                Operator::Greater => ">",
                Operator::GreaterOrEqual => ">=",
                Operator::Equal | Operator::Unspecified => "=",
            };
            format!(
                "{} {sign} {}",
                name(&compare.column),
                literal(compare.value.as_ref().unwrap())
            )
        }
        Condition::In(set) if set.values.is_empty() => {
            // Of no values it holds for nothing, and fails only where there is a value.
            let column = name(&set.column);
            let any = "\"1970-01-01T00:00:00Z\"";
            match set.column.as_str() {
                "f" | "i" | "n" => format!("({column} < 0 {column} >= 0)"),
                "b" => format!("({column} < true {column} >= true)"),
                _ => format!("({column} < {any} {column} >= {any})"),
            }
        }
        Condition::In(set) => {
            let values: Vec<String> = set.values.iter().map(literal).collect();
            format!("in({}, {})", name(&set.column), values.join(", "))
        }
        Condition::All(list) if list.filters.is_empty() => "time != null".to_owned(),
        Condition::Any(list) if list.filters.is_empty() => "time = null".to_owned(),
        // Side by side is `AND` as well.
        Condition::All(list) => joined(list, if list.filters.len() % 2 == 0 { " AND " } else { "\n" }),
        Condition::Any(list) => joined(list, " OR "),
        Condition::Not(inner) => match inner.condition.as_ref().unwrap() {
            Condition::Not(_) => format!("NOT ({})", printed(inner)),
            Condition::Null(_) => format!("NOT {}", printed(inner)),
            _ => format!("-{}", printed(inner)),
        },
        Condition::Null(null) => format!("{} {} null", name(&null.column), if null.is_null { "=" } else { "!=" }),
        Condition::Match(like) => {
            let (column, pattern) = (name(&like.column), &like.pattern);
            match like.kind() {
                Kind::Prefix if pattern.len() % 2 == 0 => {
                    let quoted = quoted(pattern);
                    format!("{column} = {}*\"", &quoted[..quoted.len() - 1])
                }
                Kind::Prefix => format!("prefix({column}, {})", quoted(pattern)),
                Kind::Contains if pattern.len() % 2 == 0 => format!("{column}:{}", quoted(pattern)),
                Kind::Contains => format!("contains({column}, {})", quoted(pattern)),
                Kind::Regex | Kind::Unspecified => format!("matches({column}, '{pattern}')"),
            }
        }
    }
}

fn joined(list: &v1::FilterList, between: &str) -> String {
    let parts: Vec<String> = list.filters.iter().map(printed).collect();
    format!("({})", parts.join(between))
}

fn name(column: &str) -> String {
    if column.len() == 1 {
        column.to_owned()
    } else {
        quoted(column)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for found in text.chars() {
        match found {
            '"' | '\\' | '*' => out.extend(['\\', found]),
            '\n' => out.push_str("\\n"),
            _ => out.push(found),
        }
    }
    out + "\""
}

fn literal(value: &v1::Value) -> String {
    use v1::value::Kind;
    match value.kind.as_ref().unwrap() {
        Kind::F64(value) => format!("{value:?}"),
        Kind::I64(value) => value.to_string(),
        Kind::Boolean(value) => value.to_string(),
        Kind::Text(text) => quoted(text),
        Kind::TimestampNs(value) => format!("\"{}\"", jiff::Timestamp::from_nanosecond((*value).into()).unwrap()),
    }
}
