//! Strings to codes, after validation and only those that stored rows use.

use std::sync::PoisonError;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::column::schema::MAX_SYMBOLS;
use crate::column::{ColumnId, ColumnType, NULL_CODE};
use crate::error::Result;
use crate::store::{Stream, Symbols};

/// Codes of symbols; none, and nothing interned, if the dictionary would pass its bound.
pub(super) fn symbols(stream: &Stream, column: ColumnId, texts: &[&str]) -> Option<Vec<u32>> {
    bounded(&stream.symbols(column), texts, MAX_SYMBOLS)
}

fn bounded(symbols: &Symbols, texts: &[&str], bound: usize) -> Option<Vec<u32>> {
    let dictionary = symbols.dictionary.read().unwrap_or_else(PoisonError::into_inner);
    let mut codes: Vec<u32> = texts
        .iter()
        .map(|text| dictionary.get(text).unwrap_or(NULL_CODE))
        .collect();
    drop(dictionary);
    let new = codes.iter().filter(|code| **code == NULL_CODE).count();
    if new == 0 {
        return Some(codes);
    }
    let mut dictionary = symbols.dictionary.write().unwrap_or_else(PoisonError::into_inner);
    if dictionary.len() as usize - 1 + new > bound {
        // Others may have added some of them since they were looked up, and a text may stand there twice.
        let mut missing: Vec<&str> = texts
            .iter()
            .copied()
            .filter(|text| dictionary.get(text).is_none())
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if dictionary.len() as usize - 1 + missing.len() > bound {
            return None;
        }
    }
    for (code, text) in codes.iter_mut().zip(texts).filter(|(code, _)| **code == NULL_CODE) {
        *code = dictionary.intern(text);
    }
    Some(codes)
}

/// Makes a symbol column whose dictionary is full a text column.
pub(super) fn turn_to_text(stream: &Stream, column: ColumnId) -> Result<()> {
    stream.change_schema(|schema| {
        if let Some(spec) = schema.columns.iter_mut().find(|spec| spec.id == column)
            && spec.column_type == ColumnType::Symbol
        {
            spec.column_type = ColumnType::Text;
        }
        Ok(())
    })
}

/// Distinct texts in order of first sight, and the index of each row's; none is null.
#[derive(Debug, Default)]
pub(super) struct Distinct<'a> {
    /// Distinct texts.
    pub texts: Vec<&'a str>,
    /// One past the index of each row's text; 0 for none.
    pub rows: Vec<u32>,
}

impl<'a> Distinct<'a> {
    /// Of one text, or none, a row.
    pub(super) fn of(texts: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut distinct = Self::default();
        let mut table = HashTable::<u32>::new();
        for text in texts {
            let Some(text) = text else {
                distinct.rows.push(0);
                continue;
            };
            let (hash, known) = (xxh3_64(text.as_bytes()), &mut distinct.texts);
            let at = match table.find(hash, |&at| known[at as usize] == text) {
                Some(&at) => at,
                None => {
                    let at = known.len() as u32;
                    known.push(text);
                    table.insert_unique(hash, at, |&other| xxh3_64(known[other as usize].as_bytes()));
                    at
                }
            };
            distinct.rows.push(at + 1);
        }
        distinct
    }

    /// One code a row, given the codes of the texts.
    pub(super) fn codes(&self, codes: &[u32]) -> Vec<u32> {
        let of = |&at: &u32| if at == 0 { NULL_CODE } else { codes[at as usize - 1] };
        self.rows.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_never_passes_its_bound() {
        let symbols = Symbols::default();
        assert_eq!(bounded(&symbols, &["a", "b"], 3), Some(vec![1, 2]));
        assert_eq!(bounded(&symbols, &["c", "d"], 3), None);
        assert_eq!(bounded(&symbols, &["b", "c", "c"], 3), Some(vec![2, 3, 3]));
        assert_eq!(bounded(&symbols, &["a", "c"], 3), Some(vec![1, 3]));
        assert_eq!(bounded(&symbols, &["e"], 3), None);
    }

    #[test]
    fn distinct_texts_keep_their_order() {
        let distinct = Distinct::of([Some("b"), None, Some("a"), Some("b")].into_iter());
        assert_eq!(distinct.texts, ["b", "a"]);
        assert_eq!(distinct.codes(&[7, 9]), [7, NULL_CODE, 9, 7]);
    }
}
