//! One code space for the strings of a column, whether rows hold codes of its dictionary or texts.

use std::sync::{Arc, PoisonError, RwLock};

use super::capture::{Capture, Captures};
use super::control::Control;
use super::mask::Mask;
use crate::column::packed::Validity;
use crate::column::{BLOCK_ROWS, ColumnId, Dictionary, NULL_CODE};
use crate::error::{Error, Result};
use crate::store::{Stream, Symbols, Texts as BlockTexts};

/// Texts of a dictionary that a test is asked under one hold of its lock.
const STRETCH: u32 = 1 << 12;

/// Where the texts of a column are.
#[derive(Clone, Debug)]
pub enum Texts {
    /// The stream's entities.
    Entity,
    /// Values of a label of the stream's series.
    Label(ColumnId),
    /// The dictionary of a symbol column.
    Symbol(Arc<Symbols>),
    /// In the rows alone.
    Rows,
    /// Taken out of those of another column.
    Captured(Arc<Strings>),
}

/// Codes of the strings of one column for the length of one query: those of its dictionary as it was when the query began, and
/// above them codes given out as texts are met in rows. Lanes share it, so codes of lanes mean the same; which new text gets
/// which code depends on threads, so nothing that shows may depend on codes from `known` on.
#[derive(Debug)]
pub struct Strings {
    stream: Arc<Stream>,
    texts: Texts,
    /// Codes of the dictionary are below.
    known: u32,
    /// For a label: its code by series.
    by_series: Vec<u32>,
    /// For texts taken out of others: which of them.
    captures: Option<Captures>,
    met: RwLock<Dictionary>,
    may_meet: bool,
}

/// Texts by code, under the locks of the dictionaries.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    dictionary: Option<&'a Dictionary>,
    met: &'a Dictionary,
    known: u32,
}

impl<'a> View<'a> {
    /// Text of a code; empty for null.
    pub fn text(&self, code: u32) -> &'a str {
        if code >= self.known {
            self.met.text(code - self.known + 1)
        } else {
            self.dictionary.map_or("", |dictionary| dictionary.text(code))
        }
    }

    /// Code of a text in the dictionary.
    pub fn code(&self, text: &str) -> Option<u32> {
        self.dictionary?.get(text).filter(|&code| code < self.known)
    }
}

impl Strings {
    /// The code space now, after the snapshot was taken: every code in the snapshot is known. `may_meet`: rows may hold texts.
    pub fn new(stream: &Arc<Stream>, texts: Texts, may_meet: bool) -> Self {
        let mut by_series = Vec::new();
        let known = match &texts {
            Texts::Entity => stream.entities().dictionary.len(),
            Texts::Label(column) => {
                let entities = stream.entities();
                entities.series.label(*column).map_or(1, |label| {
                    by_series = (0..entities.dictionary.len())
                        .map(|series| label.code(series))
                        .collect();
                    label.values.len()
                })
            }
            Texts::Symbol(symbols) => symbols.dictionary.read().unwrap_or_else(PoisonError::into_inner).len(),
            Texts::Rows | Texts::Captured(_) => 1,
        };
        Self {
            stream: Arc::clone(stream),
            texts,
            known,
            by_series,
            captures: None,
            met: RwLock::default(),
            may_meet,
        }
    }

    /// What is taken out of the texts of a column: of those of its dictionary now, of those in rows as they are met.
    ///
    /// # Errors
    /// What the control says meanwhile.
    pub fn captured(base: &Arc<Self>, capture: Capture, control: &Control) -> Result<Self> {
        let mut strings = Self::new(&base.stream, Texts::Captured(Arc::clone(base)), base.may_meet);
        strings.captures = Some(Captures::new(capture, base, &strings.met, control)?);
        Ok(strings)
    }

    /// Codes are below this, unless rows hold texts.
    pub fn bound(&self) -> Option<u32> {
        let known = match &self.texts {
            Texts::Captured(_) => self.met.read().unwrap_or_else(PoisonError::into_inner).len(),
            _ => self.known,
        };
        (!self.may_meet).then_some(known)
    }

    /// Codes of the dictionary are below this.
    pub fn known(&self) -> u32 {
        self.known
    }

    /// Whether codes in rows are those of others, so that statistics of blocks tell neither texts nor nulls.
    pub fn is_made(&self) -> bool {
        self.is_label() || self.captures.is_some()
    }

    /// The label that they are values of, if they are.
    pub fn label(&self) -> Option<ColumnId> {
        match self.texts {
            Texts::Label(column) => Some(column),
            _ => None,
        }
    }

    /// Whether codes in rows are those of series, to be turned into a label's.
    pub fn is_label(&self) -> bool {
        matches!(self.texts, Texts::Label(_))
    }

    /// Looks texts up, under the locks: for short.
    pub fn read<T>(&self, look: impl FnOnce(View<'_>) -> T) -> T {
        let met = self.met.read().unwrap_or_else(PoisonError::into_inner);
        let view = |dictionary| View {
            dictionary,
            met: &met,
            known: self.known,
        };
        match &self.texts {
            Texts::Entity => look(view(Some(&self.stream.entities().dictionary))),
            Texts::Label(column) => look(view(
                self.stream.entities().series.label(*column).map(|label| &label.values),
            )),
            Texts::Symbol(symbols) => look(view(Some(
                &symbols.dictionary.read().unwrap_or_else(PoisonError::into_inner),
            ))),
            Texts::Rows | Texts::Captured(_) => look(view(None)),
        }
    }

    /// What a test says of each code of the dictionary, each text asked once; null passes none. The locks are held for short.
    ///
    /// # Errors
    /// What the control says between stretches: a large dictionary and a slow test take their time.
    pub fn answers(&self, passes: impl Fn(&str) -> bool, control: &Control) -> Result<Vec<bool>> {
        let mut answers = Vec::with_capacity(self.known as usize);
        answers.push(false);
        while answers.len() < self.known as usize {
            control.check()?;
            let start = answers.len() as u32;
            let end = self.known.min(start + STRETCH);
            self.read(|view| answers.extend((start..end).map(|code| passes(view.text(code)))));
        }
        Ok(answers)
    }

    /// Codes of the strings by series, for a label.
    pub fn by_series(&self) -> &[u32] {
        &self.by_series
    }

    /// Turns codes as stored into codes of this space.
    pub fn translate(&self, codes: &mut [u32]) -> Result<()> {
        if let (Texts::Captured(base), Some(captures)) = (&self.texts, &self.captures) {
            base.translate(codes)?;
            captures.translate(codes, base, &self.met);
        } else if self.is_label() {
            for code in codes {
                *code = self.by_series.get(*code as usize).copied().unwrap_or(NULL_CODE);
            }
        } else if codes.iter().fold(0, |greatest, &code| greatest.max(code)) >= self.known {
            return Err(Error::corrupt(
                "a stored batch names an unknown code",
                "code past its dictionary",
            ));
        }
        Ok(())
    }

    /// Codes of the texts of a block, given out now if they had none.
    pub fn codes_of(&self, texts: &BlockTexts<'_>, validity: &Validity, out: &mut [u32]) -> Result<()> {
        debug_assert!(out.len() <= BLOCK_ROWS);
        if let (Texts::Captured(base), Some(captures)) = (&self.texts, &self.captures) {
            base.codes_of(texts, validity, out)?;
            captures.translate(out, base, &self.met);
            return Ok(());
        }
        let mut unknown = Mask::EMPTY;
        self.read(|view| {
            for (row, out) in out.iter_mut().enumerate() {
                *out = NULL_CODE;
                if validity.get(row) {
                    let text = texts.get(row);
                    let met = || view.met.get(text).map(|code| self.known - 1 + code);
                    match view.code(text).or_else(met) {
                        Some(code) => *out = code,
                        None => unknown.set(row),
                    }
                }
            }
        });
        if !unknown.is_empty() {
            let mut met = self.met.write().unwrap_or_else(PoisonError::into_inner);
            for (row, out) in out.iter_mut().enumerate().filter(|(row, _)| unknown.get(*row)) {
                *out = self.known - 1 + met.intern(texts.get(row));
            }
        }
        Ok(())
    }
}
