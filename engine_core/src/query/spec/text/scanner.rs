//! What a filter's text is made of: signs, words, and texts in quotes.

use crate::error::{Error, Result};
use crate::query::spec::filters::{Literal, Spot};

/// Words that are neither names nor values unless in quotes.
pub(super) const KEYWORDS: [&str; 3] = ["AND", "OR", "NOT"];

/// A word or a text in quotes.
#[derive(Debug)]
pub(super) struct Value {
    /// What stands between its stars, of which there is one less.
    pub(super) pieces: Vec<String>,
    is_quoted: bool,
}

impl Value {
    /// What it says, where a star is a star.
    pub(super) fn text(&self) -> String {
        self.pieces.join("*")
    }

    /// As a value to compare with.
    pub(super) fn literal(&self) -> Literal {
        if self.is_quoted {
            Literal::Quoted(self.text())
        } else {
            Literal::Word(self.text())
        }
    }

    /// Whether it is this word, without quotes.
    pub(super) fn is_word(&self, word: &str) -> bool {
        !self.is_quoted && self.text() == word
    }
}

/// Reads a text from its start to its end, each character once.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// Path of the text.
    field: &'a str,
    at: usize,
    /// Bytes that were counted, and the characters in them.
    counted: (usize, usize),
}

impl<'a> Scanner<'a> {
    /// At the start of a text, which is at this path.
    pub(super) fn new(text: &'a str, field: &'a str) -> Self {
        Self {
            text,
            field,
            at: 0,
            counted: (0, 0),
        }
    }

    /// Path of the text.
    pub(super) fn field(&self) -> &'a str {
        self.field
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that is not blank.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    /// Goes past a sign if it is next.
    pub(super) fn eat(&mut self, sign: &str) -> bool {
        self.peek();
        let is_next = self.rest().starts_with(sign);
        if is_next {
            self.at += sign.len();
        }
        is_next
    }

    /// Goes past a keyword if it is next.
    pub(super) fn eat_keyword(&mut self, keyword: &str) -> bool {
        self.peek();
        let is_next = self.word() == keyword;
        if is_next {
            self.at += keyword.len();
        }
        is_next
    }

    /// The word that is next; empty if none is.
    pub(super) fn word(&self) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find(|found| !is_in_word(found)).unwrap_or(rest.len())]
    }

    /// The character that is next, by its number.
    pub(super) fn spot(&mut self) -> Spot {
        self.peek();
        Spot::Text(self.field.to_owned(), self.character(self.at))
    }

    /// The number of the character at this byte, which is not before one that was asked for.
    pub(super) fn character(&mut self, at: usize) -> usize {
        let (bytes, characters) = self.counted;
        self.counted = (at, characters + self.text[bytes..at].chars().count());
        self.counted.1 + 1
    }

    /// The error of anything but this, which is next.
    pub(super) fn expected(&mut self, what: &str) -> Error {
        let found = match self.peek() {
            Some(found) => format!("{found:?}"),
            None => "the end".to_owned(),
        };
        self.wrong(self.at, &format!("expected {what}, got {found}"))
    }

    fn wrong(&mut self, at: usize, message: &str) -> Error {
        let message = format!("character {}: {message}", self.character(at));
        Error::invalid("BAD_FILTER_TEXT", self.field, message)
    }

    /// A word or a text in quotes; `what` is said where there is none.
    pub(super) fn value(&mut self, what: &str) -> Result<Value> {
        if matches!(self.peek(), Some('"' | '\'')) {
            let start = self.at + 1;
            let raw = self.quoted(what)?;
            return Ok(Value {
                pieces: self.pieces(raw, start)?,
                is_quoted: true,
            });
        }
        let word = self.word();
        if word.is_empty() || KEYWORDS.contains(&word) {
            return Err(self.expected(what));
        }
        self.at += word.len();
        Ok(Value {
            pieces: word.split('*').map(str::to_owned).collect(),
            is_quoted: false,
        })
    }

    /// A text in quotes as it stands between them, and the byte at which it starts; `what` is said where there is none.
    pub(super) fn raw(&mut self, what: &str) -> Result<(&'a str, usize)> {
        self.peek();
        let start = self.at + 1;
        Ok((self.quoted(what)?, start))
    }

    fn quoted(&mut self, what: &str) -> Result<&'a str> {
        let rest = self.rest();
        let Some(quote @ ('"' | '\'')) = rest.chars().next() else {
            return Err(self.expected(what));
        };
        let mut is_escaped = false;
        let end = rest[1..].find(|found| {
            let ends = found == quote && !is_escaped;
            is_escaped = found == '\\' && !is_escaped;
            ends
        });
        let end = end.ok_or_else(|| self.wrong(self.at, &format!("expected {what} and the quote that ends it")))?;
        self.at += end + 2;
        Ok(&rest[1..=end])
    }

    /// What stands between the stars of a quoted text, escapes undone; `start` is the byte at which it starts.
    fn pieces(&mut self, raw: &str, start: usize) -> Result<Vec<String>> {
        let mut pieces = vec![String::new()];
        let mut characters = raw.char_indices();
        while let Some((at, found)) = characters.next() {
            let found = match found {
                '*' => {
                    pieces.push(String::new());
                    continue;
                }
                '\\' => match characters.next().map(|(_, escaped)| escaped) {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(escaped @ ('"' | '\'' | '\\' | '*')) => escaped,
                    _ => return Err(self.wrong(start + at, "expected one of \\\" \\' \\\\ \\* \\n \\r \\t")),
                },
                other => other,
            };
            pieces.last_mut().expect("there is one from the start").push(found);
        }
        Ok(pieces)
    }
}

pub(super) fn is_in_word(found: char) -> bool {
    !found.is_whitespace() && !matches!(found, '(' | ')' | ',' | '"' | '\'' | '=' | '!' | '<' | '>' | ':')
}
