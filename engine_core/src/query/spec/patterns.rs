//! Regular expressions of a query, counted: each takes memory of every thread that runs it.

use crate::error::{Error, Result};
use crate::scan::pattern::{BadPattern, Pattern};

/// Most regular expressions of a query.
const MAX_REGEXES: usize = 32;

/// How many a query has so far.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    regexes: usize,
}

impl Patterns {
    /// One more, or why it is none.
    ///
    /// # Errors
    /// The query has too many, this one at `field`.
    pub(super) fn regex(&mut self, pattern: &str, field: &str) -> Result<Result<Pattern, BadPattern>> {
        self.counted(field, || Pattern::regex(pattern))
    }

    /// One more that is made so.
    ///
    /// # Errors
    /// As of [`Self::regex`].
    pub(super) fn counted<T>(&mut self, field: &str, made: impl FnOnce() -> T) -> Result<T> {
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            let message = format!("a query has at most {MAX_REGEXES} regular expressions, got more");
            return Err(Error::invalid("TOO_MANY", field, message));
        }
        Ok(made())
    }
}
