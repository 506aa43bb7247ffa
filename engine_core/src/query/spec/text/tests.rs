//! What texts mean, and what is said of those that mean nothing.

use proptest::prelude::*;

use super::super::filters::Literal;
use super::*;

/// A filter as its tree.
fn shown(filter: &FilterSpec) -> String {
    let list = |name: &str, parts: &[FilterSpec]| {
        let parts: Vec<String> = parts.iter().map(shown).collect();
        format!("{name}({})", parts.join(" "))
    };
    match filter {
        FilterSpec::All(parts) => list("all", parts),
        FilterSpec::Any(parts) => list("any", parts),
        FilterSpec::Not(part) => format!("not({})", shown(part)),
        FilterSpec::Column(ColumnTest { column, test, .. }) => match test {
            Test::Compare(operator, value) => format!("{column} {operator:?} {}", literal(value)),
            Test::In(values) => format!(
                "{column} in {}",
                values.iter().map(literal).collect::<Vec<_>>().join(",")
            ),
            Test::Null(is_null) => format!("{column} null {is_null}"),
            Test::Like(pattern) => format!("{column} like {}", pattern_shown(pattern)),
            Test::Has(_, value) => format!("{column} has {}", literal(value)),
        },
    }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::Quoted(text) => format!("{text:?}"),
        Literal::Word(word) => word.clone(),
        typed => panic!("{typed:?} is of no text"),
    }
}

fn pattern_shown(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Prefix(text) => format!("{text}…"),
        Pattern::Contains(part) => format!("…{}…", String::from_utf8_lossy(part.needle())),
        Pattern::Regex(..) => "regex".to_owned(),
    }
}

fn parsed(text: &str) -> Result<Option<FilterSpec>> {
    parse(text, "spec.filter_text", &mut Patterns::default())
}

fn tree(text: &str) -> String {
    shown(&parsed(text).unwrap().unwrap())
}

/// The pattern of a text that is one test of a column.
fn pattern(text: &str) -> Pattern {
    match parsed(text).unwrap().unwrap() {
        FilterSpec::Column(ColumnTest {
            test: Test::Like(pattern),
            ..
        }) => pattern,
        other => panic!("{other:?} is no pattern"),
    }
}

fn refusal(text: &str) -> (&'static str, String) {
    let error = parsed(text).unwrap_err();
    assert_eq!(error.field(), "spec.filter_text");
    (error.reason(), error.message().to_owned())
}

fn wrong(text: &str) -> String {
    let (reason, message) = refusal(text);
    assert_eq!(reason, "BAD_FILTER_TEXT", "{message}");
    message
}

#[test]
fn or_binds_closer_than_sequences_and_and() {
    assert_eq!(
        tree("a = 1 AND b = 2 OR c = 3"),
        "all(a Equal 1 any(b Equal 2 c Equal 3))"
    );
    assert_eq!(
        tree("a = 1 OR b = 2 AND c = 3"),
        "all(any(a Equal 1 b Equal 2) c Equal 3)"
    );
    assert_eq!(tree("a = 1 b = 2 OR c = 3"), "all(a Equal 1 any(b Equal 2 c Equal 3))");
    assert_eq!(tree("a=1 b=2 AND c=3"), "all(a Equal 1 b Equal 2 c Equal 3)");
    assert_eq!(
        tree("(a = 1 AND b = 2) OR c = 3"),
        "any(all(a Equal 1 b Equal 2) c Equal 3)"
    );
    assert_eq!(tree("((a = 1))"), "a Equal 1");
}

#[test]
fn not_is_a_word_or_a_minus() {
    assert_eq!(tree("NOT a = 1"), "not(a Equal 1)");
    assert_eq!(tree("-a = 1 OR NOT(b = 2)"), "any(not(a Equal 1) not(b Equal 2))");
    assert_eq!(tree("-(a = -1 b = 2)"), "not(all(a Equal -1 b Equal 2))");
    assert_eq!(wrong("NOT NOT a = 1"), "character 5: expected a condition, got 'N'");
    assert_eq!(tree("NOTE = 1 ORDER = 2"), "all(NOTE Equal 1 ORDER Equal 2)");
}

#[test]
fn signs_compare() {
    for (sign, name) in [
        ("=", "Equal"),
        ("!=", "NotEqual"),
        ("<", "Less"),
        ("<=", "LessOrEqual"),
        (">", "Greater"),
        (">=", "GreaterOrEqual"),
        (":", "has"),
    ] {
        for text in [format!("a{sign}-2.5e+3"), format!(" a \n{sign}\t-2.5e+3 ")] {
            assert_eq!(tree(&text), format!("a {name} -2.5e+3"));
        }
    }
}

#[test]
fn names_and_values_stand_in_quotes_or_are_words() {
    assert_eq!(tree("http.status-code = ok"), "http.status-code Equal ok");
    assert_eq!(tree("\"a b\" = 'c \"d\"'"), "a b Equal \"c \\\"d\\\"\"");
    assert_eq!(tree("'NOT' = \"OR\""), "NOT Equal \"OR\"");
    assert_eq!(tree(r#"a = "\"\\\n\t\r\'""#), r#"a Equal "\"\\\n\t\r'""#);
    assert_eq!(tree("größe = Ünn"), "größe Equal Ünn");
    assert_eq!(tree("a = \"\""), "a Equal \"\"");
}

#[test]
fn null_is_tested_for() {
    assert_eq!(tree("a = null"), "a null true");
    assert_eq!(tree("a != null"), "a null false");
    assert_eq!(tree("a:*"), "a null false");
    assert_eq!(tree("a = \"null\""), "a Equal \"null\"");
    assert_eq!(wrong("a < null"), "character 5: null goes with = and != alone");
    assert_eq!(wrong("a:null"), "character 3: null goes with = and != alone");
    assert_eq!(wrong("in(a, 1, null)"), "character 10: null goes with = and != alone");
}

#[test]
fn stars_stand_for_anything_after_equal_and_not_equal() {
    assert_eq!(tree("a = \"b*\""), "a like b…");
    assert_eq!(tree("a = b*"), "a like b…");
    assert_eq!(tree("a != \"*b*\""), "not(a like …b…)");
    assert_eq!(tree("a = *"), "a like …");
    assert_eq!(tree("a = \"*b\""), "a like regex");
    assert_eq!(tree(r#"a = "b\*""#), "a Equal \"b*\"");
    assert_eq!(tree("a < \"b*\""), "a Less \"b*\"");
    assert_eq!(tree("a:\"*\""), "a has \"*\"");
    let pattern = pattern(r#"a = "b.*c\*""#);
    assert!(pattern.matches("b.\nc*"));
    assert!(!pattern.matches("bxc*"));
    assert!(!pattern.matches("b.cc"));
}

#[test]
fn functions_are_of_a_column() {
    assert_eq!(tree("in(a, 1, \"2\", x)"), "a in 1,\"2\",x");
    assert_eq!(tree("prefix( \"a b\" , x )"), "a b like x…");
    assert_eq!(
        tree("NOT contains(a, \"*\") OR b = 1"),
        "any(not(a like …*…) b Equal 1)"
    );
    assert_eq!(tree("prefix = 1 in = 2"), "all(prefix Equal 1 in Equal 2)");
    // A regular expression's escapes are its own.
    assert!(pattern(r#"matches(a, "w\d+\"\.")"#).matches("w12\"."));
    assert!(pattern(r"matches(a, '\\')").matches("\\"));
}

#[test]
fn a_blank_text_is_no_filter() {
    assert!(parsed("").unwrap().is_none());
    assert!(parsed(" \n\t").unwrap().is_none());
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for (text, message) in [
        ("a", "character 2: expected one of = != < <= > >= :, got the end"),
        ("ä b", "character 3: expected one of = != < <= > >= :, got 'b'"),
        ("a =", "character 4: expected a value, got the end"),
        ("a = AND", "character 5: expected a value, got 'A'"),
        ("a == 1", "character 4: expected a value, got '='"),
        (
            "a = 1 = 2",
            "character 7: expected AND, OR or another condition, got '='",
        ),
        ("a = 1)", "character 6: expected AND, OR or another condition, got ')'"),
        (
            "(a = 1",
            "character 7: expected AND, OR, another condition or \")\", got the end",
        ),
        ("()", "character 2: expected a condition, got ')'"),
        ("a = 1 AND", "character 10: expected a condition, got the end"),
        ("a = 1 OR OR b = 2", "character 10: expected a condition, got 'O'"),
        ("a = (1 OR 2)", "character 5: expected a value, got '('"),
        ("ä = 'x", "character 5: expected a value and the quote that ends it"),
        (
            r#"ä = "é\d""#,
            "character 7: expected one of \\\" \\' \\\\ \\* \\n \\r \\t",
        ),
        (
            "like(a, b)",
            "character 1: functions are contains, in, matches and prefix, got \"like\"",
        ),
        ("in(a)", "character 5: expected \",\", got ')'"),
        ("in(a, 1", "character 8: expected \")\", got the end"),
        ("matches(a, b)", "character 12: expected a pattern in quotes, got 'b'"),
    ] {
        assert_eq!(wrong(text), message, "{text}");
    }
    let bad = |text: &str| {
        let (reason, message) = refusal(text);
        assert_eq!(reason, "BAD_PATTERN");
        message
    };
    assert_eq!(bad("ä = 1 matches(é, \"ö(\")"), "character 20: unclosed group");
    let long = "x".repeat(4_097);
    assert!(bad(&format!("contains(a, {long})")).starts_with("character 13: a pattern has at most 4096 bytes"));
    assert!(bad(&format!("a = *{long}")).starts_with("character 5: a pattern has at most"));
}

#[test]
fn texts_have_bounds() {
    let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(tree(&nested(64)), "a Equal 1");
    assert_eq!(
        wrong(&nested(65)),
        "character 65: parentheses are nested at most 64 deep"
    );
    assert!(wrong(&"-(".repeat(30_000)).contains("deep"));
    assert!(wrong(&"a".repeat(65_537)).contains("at most 65536 bytes"));
    assert_eq!(refusal(&"a=1 ".repeat(257)).0, "TOO_MANY");
    assert_eq!(refusal(&format!("a=1{}", " OR a=1".repeat(256))).0, "TOO_MANY");
    assert_eq!(refusal(&format!("in(a{})", ",1".repeat(10_001))).0, "TOO_MANY");
    assert_eq!(refusal(&"matches(a,'b') ".repeat(33)).0, "TOO_MANY");
    tree(&"matches(a,'b') ".repeat(32));
}

proptest! {
    #[test]
    fn fuzz_any_text_is_a_filter_or_points_at_what_is_wrong(
        parts in prop::collection::vec(
            prop_oneof![
                3 => prop::sample::select(vec![
                    "a", "b*", "AND", "OR", "NOT", "-", "(", ")", "=", "!=", "<", ">=", ":", ",", "null", "*", "1.5", "\"x\"", "'é'", "\\",
                    "\"", "'", "in(", "matches(", "prefix(a,", "contains(", "true", "!", "a=1", "\n",
                ]).prop_map(str::to_owned),
                1 => "\\PC{0,4}",
            ],
            0..24,
        ),
        blank: bool,
    ) {
        let text = parts.join(if blank { " " } else { "" });
        if let Err(error) = parsed(&text) {
            let character = error.message().strip_prefix("character ").and_then(|rest| rest.split(':').next());
            let character: usize = character.unwrap().parse().unwrap();
            prop_assert!((1..=text.chars().count() + 1).contains(&character), "{}", error);
        }
    }
}

#[test]
fn what_is_written_reads_back_as_the_same() {
    for (text, again) in [
        ("a=1", "a = 1"),
        ("a = 1 AND b = 2 OR c = 3", "a = 1 AND (b = 2 OR c = 3)"),
        ("(a = 1 AND b = 2) OR c = 3", "(a = 1 AND b = 2) OR c = 3"),
        ("-a = 1 b < 2", "(NOT a = 1) AND b < 2"),
        ("NOT (a >= -1.5 OR b != x)", "NOT (a >= -1.5 OR b != x)"),
        ("a = null AND b != null AND c:*", "a = null AND b != null AND c != null"),
        ("in(a, 1, 'x', y)", "in(a, 1, \"x\", y)"),
        ("prefix(a, 'b*')", "prefix(a, \"b\\*\")"),
        ("a = 'b*' c = '*b*'", "prefix(a, \"b\") AND contains(c, \"b\")"),
        (r#"matches(a, 'say "(x|\"y)')"#, r#"matches(a, "say \"(x|\"y)")"#),
        (
            "'a b' = 'AND' OR 'NOT' : 'q\"'",
            "\"a b\" = \"AND\" OR \"NOT\" : \"q\\\"\"",
        ),
        ("a < 'x*'", "a < \"x\\*\""),
    ] {
        let filter = parsed(text).unwrap().unwrap();
        assert_eq!(written(&filter), again, "{text}");
        assert_eq!(tree(again), shown(&filter), "{text}");
        assert_eq!(written(&parsed(again).unwrap().unwrap()), again, "{text}");
    }
}
