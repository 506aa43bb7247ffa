//! Tests of strings, ready to be asked of each: comparisons, and patterns. Regular expressions run in time linear in the string.

use std::fmt;
use std::sync::Arc;

use memchr::memmem::Finder;
use regex_automata::meta::{Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};

/// Longest pattern in bytes.
pub const MAX_PATTERN_BYTES: usize = 4_096;
/// Most bytes of a regular expression, compiled. `\w`, of all scripts, takes about a 50th.
pub(super) const MAX_COMPILED_BYTES: usize = 2 << 20;
/// Deepest nesting of a regular expression.
const MAX_DEPTH: u32 = 64;

/// A test of strings.
#[derive(Clone, Debug)]
pub enum TextTest {
    /// One of these, ascending.
    In(Vec<String>),
    /// Below this, and equal to it if so said.
    Below(String, bool),
    /// Above this, and equal to it if so said.
    Above(String, bool),
    /// As a pattern says.
    Like(Pattern),
}

impl TextTest {
    /// Whether a text passes. Texts compare by their UTF-8 bytes.
    pub fn passes(&self, text: &str) -> bool {
        match self {
            Self::In(texts) => texts.binary_search_by(|probe| probe.as_str().cmp(text)).is_ok(),
            Self::Below(bound, equal) => text < bound.as_str() || (*equal && text == bound),
            Self::Above(bound, equal) => text > bound.as_str() || (*equal && text == bound),
            Self::Like(pattern) => pattern.matches(text),
        }
    }
}

/// What a string is matched with.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// It begins with this.
    Prefix(String),
    /// It has this somewhere.
    Contains(Arc<Finder<'static>>),
    /// It is this regular expression, whole; as it was written.
    Regex(Regex, Arc<str>),
}

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern {
    /// The rule that it breaks.
    pub message: String,
    /// Where in the pattern, by bytes, if at one place.
    pub offset: Option<usize>,
}

impl BadPattern {
    fn at(offset: usize, kind: &impl fmt::Display) -> Self {
        Self {
            message: kind.to_string(),
            offset: Some(offset),
        }
    }

    /// Of a regular expression that takes too much memory.
    pub(super) fn too_large() -> Self {
        Self {
            message: format!(
                "a regular expression takes at most {MAX_COMPILED_BYTES} bytes compiled, this one takes more"
            ),
            offset: None,
        }
    }
}

impl Pattern {
    /// Strings that begin with this.
    pub fn prefix(text: &str) -> Result<Self, BadPattern> {
        check_length(text)?;
        Ok(Self::Prefix(text.to_owned()))
    }

    /// Strings that have this somewhere.
    pub fn contains(text: &str) -> Result<Self, BadPattern> {
        check_length(text)?;
        Ok(Self::Contains(Arc::new(Finder::new(text).into_owned())))
    }

    /// Strings that are this regular expression, whole.
    pub fn regex(pattern: &str) -> Result<Self, BadPattern> {
        let parsed = parsed(pattern)?;
        // Around what was parsed, not around its text, which may close a group or end in a comment.
        let whole = Hir::concat(vec![Hir::look(Look::Start), parsed, Hir::look(Look::End)]);
        let config = Config::new()
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(MAX_COMPILED_BYTES))
            .hybrid_cache_capacity(MAX_COMPILED_BYTES);
        let regex = Regex::builder().configure(config).build_from_hir(&whole);
        regex
            .map(|regex| Self::Regex(regex, pattern.into()))
            .map_err(|_| BadPattern::too_large())
    }

    /// Whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Contains(part) => part.find(text.as_bytes()).is_some(),
            Self::Regex(regex, _) => regex.is_match(text),
        }
    }
}

/// A regular expression as it is written.
pub(super) fn parsed(pattern: &str) -> Result<Hir, BadPattern> {
    check_length(pattern)?;
    let parsed = ParserBuilder::new().nest_limit(MAX_DEPTH).build().parse(pattern);
    parsed.map_err(|error| match error {
        regex_syntax::Error::Parse(error) => BadPattern::at(error.span().start.offset, error.kind()),
        regex_syntax::Error::Translate(error) => BadPattern::at(error.span().start.offset, error.kind()),
        other => BadPattern {
            message: other.to_string(),
            offset: None,
        },
    })
}

fn check_length(pattern: &str) -> Result<(), BadPattern> {
    if pattern.len() > MAX_PATTERN_BYTES {
        let message = format!("a pattern has at most {MAX_PATTERN_BYTES} bytes, got {}", pattern.len());
        return Err(BadPattern { message, offset: None });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    fn is(pattern: &str, text: &str) -> bool {
        Pattern::regex(pattern).unwrap().matches(text)
    }

    fn wrong(pattern: &str) -> (String, Option<usize>) {
        let bad = Pattern::regex(pattern).unwrap_err();
        (bad.message, bad.offset)
    }

    #[test]
    fn a_regular_expression_is_the_whole_text() {
        assert!(is("web-[0-9]+", "web-12"));
        assert!(!is("web-[0-9]+", "web-12.example"));
        assert!(!is("web-[0-9]+", "my web-12"));
        // The first alternative alone would end too early.
        assert!(is("a|ab", "ab"));
        assert!(!is("a|b", "ab"));
        assert!(is("", ""));
        assert!(!is("", "a"));
        assert!(!is("a$", "a\n"));
        assert!(is("(?m)a$\n^b", "a\nb"));
    }

    #[test]
    fn what_is_put_around_it_cannot_be_closed_or_commented_away() {
        assert_eq!(wrong("a)|(b"), ("unopened group".to_owned(), Some(1)));
        assert!(is("(?x) a # a comment", "a"));
        assert!(!is("(?x) a # a comment", "ab"));
    }

    #[test]
    fn letters_are_those_of_unicode() {
        assert!(is(r"\w+", "Größe"));
        assert!(is("(?i)ÉTÉ", "été"));
        assert!(is(r"\p{Greek}\p{Lu}", "αΩ"));
        assert!(is(".", "é"));
        assert!(is(r"a\b.*", "a é"));
        assert!(!is(".", "\n"));
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        assert_eq!(wrong("ab(c"), ("unclosed group".to_owned(), Some(2)));
        assert_eq!(wrong("a**(").1, Some(3));
        assert_eq!(wrong(r"\p{Nothing}").1, Some(0));
        assert!(wrong(&"(".repeat(200)).1.is_some());
        assert!(
            wrong(&format!("{}a{}", "(".repeat(200), ")".repeat(200)))
                .0
                .contains("nest")
        );
    }

    #[test]
    fn large_ones_are_refused() {
        assert!(wrong(&"a".repeat(4_097)).0.contains("at most 4096 bytes"));
        assert!(Pattern::prefix(&"a".repeat(4_097)).is_err());
        assert!(Pattern::contains(&"a".repeat(4_097)).is_err());
        for large in [
            r"\w{1000}",
            "((a{100}){100}){100}",
            r"(\pL{100}|x){0,100}",
            "(?:){4000000000}{4000000000}x{900000}",
        ] {
            assert!(wrong(large).0.contains("compiled"), "{large}");
        }
        for common in [
            r"\w{30}",
            r"[\w.+-]{1,30}@[\w-]+\.\w{2,10}",
            "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            r"\pL+|\d{1,20}",
        ] {
            assert!(Pattern::regex(common).is_ok(), "{common}");
        }
    }

    #[test]
    fn time_is_linear_in_the_text() {
        let text = "a".repeat(1 << 16);
        let started = Instant::now();
        assert!(!is("(a*)*b", &text));
        assert!(!is("(a|a)*b|(.*.*.*.*)x", &text));
        // Backtracking would take longer than the world has been there.
        assert!(started.elapsed().as_secs() < 60);
    }

    #[test]
    fn prefixes_and_parts() {
        assert!(Pattern::prefix("ab").unwrap().matches("abc"));
        assert!(!Pattern::prefix("bc").unwrap().matches("abc"));
        assert!(Pattern::contains("bc").unwrap().matches("abc"));
        assert!(!Pattern::contains("ac").unwrap().matches("abc"));
        assert!(Pattern::contains("").unwrap().matches(""));
        assert!(Pattern::prefix("").unwrap().matches("é"));
    }

    proptest! {
        #[test]
        fn fuzz_any_text_is_a_regular_expression_or_none(
            pattern in r"[ab.*+?|()\[\]{}0-9,^$\\pLwdbié#\n<>:=!-]{0,40}", text in "[abé\n]{0,8}",
        ) {
            match Pattern::regex(&pattern) {
                Ok(regex) => { regex.matches(&text); }
                Err(bad) => prop_assert!(bad.offset.is_none_or(|offset| pattern.is_char_boundary(offset))),
            }
        }

        #[test]
        fn parts_are_found_as_the_standard_library_finds_them(text in "[abé]{0,12}", part in "[abé]{0,3}") {
            prop_assert_eq!(Pattern::contains(&part).unwrap().matches(&text), text.contains(&part));
            prop_assert_eq!(Pattern::prefix(&part).unwrap().matches(&text), text.starts_with(&part));
            prop_assert_eq!(is(&format!(".*{part}.*"), &text), text.contains(&part));
            prop_assert_eq!(is(&format!("{part}.*"), &text), text.starts_with(&part));
        }
    }
}
