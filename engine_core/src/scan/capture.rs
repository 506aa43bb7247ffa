//! What a group of a regular expression takes out of texts: worked out once for each text of a dictionary, never for each row.

use std::sync::{PoisonError, RwLock};

use regex_automata::meta::Regex;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, PatternID};

use super::control::Control;
use super::pattern::{BadPattern, MAX_COMPILED_BYTES, parsed};
use super::strings::Strings;
use crate::column::{Dictionary, NULL_CODE};
use crate::error::Result;

/// Texts looked at under one hold of the locks.
const STRETCH: u32 = 1 << 12;

/// The first group of a regular expression, which is found anywhere in a text.
#[derive(Clone, Debug)]
pub struct Capture(Regex);

impl Capture {
    /// Of a pattern.
    pub fn new(pattern: &str) -> std::result::Result<Self, BadPattern> {
        let parsed = parsed(pattern)?;
        let config = Regex::config()
            .nfa_size_limit(Some(MAX_COMPILED_BYTES))
            .hybrid_cache_capacity(MAX_COMPILED_BYTES);
        let regex = Regex::builder().configure(config).build_from_hir(&parsed);
        let regex = regex.map_err(|_| BadPattern::too_large())?;
        if regex.group_info().group_len(PatternID::ZERO) < 2 {
            return Err(BadPattern {
                message: "a regular expression that takes something out of texts has a group, this one has none"
                    .to_owned(),
                offset: None,
            });
        }
        Ok(Self(regex))
    }

    /// What the group takes of the first match; none: there is none, or the group has no part in it.
    pub fn of<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut slots: [Option<NonMaxUsize>; 4] = [None; 4];
        self.0.search_slots(&Input::new(text), &mut slots)?;
        Some(&text[slots[2]?.get()..slots[3]?.get()])
    }
}

/// The texts that a capture takes out of those of a column, by code of these.
#[derive(Debug)]
pub(super) struct Captures {
    capture: Capture,
    by_code: RwLock<Vec<u32>>,
}

impl Captures {
    /// Of all texts of the column's dictionary; those taken out go to `met`.
    pub(super) fn new(capture: Capture, base: &Strings, met: &RwLock<Dictionary>, control: &Control) -> Result<Self> {
        let captures = Self {
            capture,
            by_code: RwLock::new(vec![NULL_CODE]),
        };
        let mut end = 1;
        while end < base.known() {
            control.check()?;
            end = base.known().min(end + STRETCH);
            captures.reach(end, base, met);
        }
        Ok(captures)
    }

    /// Works out all codes below an end.
    fn reach(&self, end: u32, base: &Strings, met: &RwLock<Dictionary>) {
        let mut by_code = self.by_code.write().unwrap_or_else(PoisonError::into_inner);
        let mut met = met.write().unwrap_or_else(PoisonError::into_inner);
        base.read(|view| {
            for code in by_code.len() as u32..end {
                let taken = self.capture.of(view.text(code));
                by_code.push(taken.map_or(NULL_CODE, |taken| met.intern(taken)));
            }
        });
    }

    /// Turns codes of the column into those of what is taken out.
    pub(super) fn translate(&self, codes: &mut [u32], base: &Strings, met: &RwLock<Dictionary>) {
        let greatest = codes.iter().fold(0, |greatest, &code| greatest.max(code));
        let known = self.by_code.read().unwrap_or_else(PoisonError::into_inner).len() as u32;
        if greatest >= known {
            self.reach(greatest + 1, base, met);
        }
        let by_code = self.by_code.read().unwrap_or_else(PoisonError::into_inner);
        codes.iter_mut().for_each(|code| *code = by_code[*code as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_of_the_first_match_is_taken() {
        let path = Capture::new("^/([^/]+)/").unwrap();
        assert_eq!(path.of("/api/v1/users"), Some("api"));
        assert_eq!(path.of("api"), None);
        let either = Capture::new("a(b)?|c").unwrap();
        assert_eq!(either.of("xabc"), Some("b"));
        assert_eq!(either.of("xcab"), None);
        assert_eq!(Capture::new("(x*)").unwrap().of("abc"), Some(""));
        assert_eq!(Capture::new("(?<name>é+)").unwrap().of("caféé"), Some("éé"));
    }

    #[test]
    fn what_takes_nothing_out_is_refused() {
        assert!(Capture::new("a(?:b)").unwrap_err().message.contains("group"));
        assert_eq!(Capture::new("(a").unwrap_err().offset, Some(0));
        assert!(Capture::new(r"(\w{1000})").unwrap_err().message.contains("compiled"));
    }
}
