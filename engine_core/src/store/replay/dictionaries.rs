//! Reading dictionaries back: texts from their pages, and what finds them from the sealed index. Where that is not sound the texts are
//! hashed as those are that it does not have yet: the store opens without it, and the damage is told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::fault::OrFault;
use super::super::frame::damaged;
use super::super::index;
use super::super::keys::{self, Run};
use super::super::pages::Page;
use super::super::stream::{NamespaceId, Stream};
use super::super::tables::Table;
use super::Reader;
use crate::codec::entries::Entry;
use crate::column::dictionary::hash_of;
use crate::column::{ColumnId, Dictionary};
use crate::error::{Error, Result};

#[cfg(test)]
mod tests;

/// Of so many entries one has its hash compared when a store is opened. A verification compares all.
const STRIDE: usize = 1 << 10;

/// Key and value of a record.
type Record<'t> = (&'t [u8], &'t [u8]);

/// The dictionary of a column while it is read: first the records of its index, which lie before its pages, then these.
struct Column<'t> {
    stem: [u8; 10],
    column: ColumnId,
    stream: Arc<Stream>,
    /// Whether texts are kept; else they are only checked.
    keeps: bool,
    /// The code that follows those that were read.
    next: u32,
    /// Runs of the index, each where the one before ends.
    runs: Vec<(Run, Vec<Record<'t>>)>,
    /// Of those that are not kept, the one whose texts are being read: its place and, by code, its hashes.
    compared: (usize, Vec<u32>),
    /// The first thing that is wrong with the index: what lies before it is of use.
    unsound: Option<Error>,
}

impl Reader<'_> {
    pub(super) fn dictionaries(&mut self) -> Result<()> {
        let (streams, keeps) = (self.by_id(), self.keep.is_some());
        let mut lengths: HashMap<(NamespaceId, u32), BTreeMap<ColumnId, u32>> = HashMap::new();
        let mut finish = |column: Column<'_>, unsound: &mut Vec<Error>| {
            let id = (column.stream.namespace, column.stream.id);
            if column.next > 1 {
                lengths.entry(id).or_default().insert(column.column, column.next);
            }
            unsound.extend(column.finish()?);
            Ok::<_, Error>(())
        };
        let mut open: Option<Column<'_>> = None;
        for found in self.hot.table(Table::Dictionaries).iter(&self.txn).or_fault()? {
            let (key, value) = found.or_fault()?;
            let wrong = |what| damaged(Table::Dictionaries, key, what);
            let stem = key.first_chunk::<10>().ok_or_else(|| wrong("key"))?;
            let column = match open.take() {
                Some(column) if column.stem == *stem => column,
                done => {
                    if let Some(done) = done {
                        finish(done, &mut self.loaded.unsound_indexes)?;
                    }
                    let id = keys::parse_stream(&stem[..8]).ok_or_else(|| wrong("key"))?;
                    let stream = streams.get(&id).ok_or_else(|| wrong("a dictionary without a stream"))?;
                    Column::new(*stem, Arc::clone(stream), keeps)
                }
            };
            open.insert(column).take(key, value)?;
            self.loaded.report.records += 1;
        }
        if let Some(done) = open {
            finish(done, &mut self.loaded.unsound_indexes)?;
        }
        if lengths != self.loaded.base.dictionaries {
            return Err(damaged(Table::Dictionaries, &[], "a page is missing at an end"));
        }
        for (id, counters) in &self.loaded.base.streams {
            if lengths.get(id).map_or(0, BTreeMap::len) != counters.dictionaries as usize {
                return Err(damaged(
                    Table::Dictionaries,
                    &keys::stream(id.0, id.1),
                    "a dictionary is missing",
                ));
            }
        }
        Ok(())
    }
}

impl<'t> Column<'t> {
    fn new(stem: [u8; 10], stream: Arc<Stream>, keeps: bool) -> Self {
        Self {
            stem,
            column: ColumnId::from_be_bytes([stem[8], stem[9]]),
            stream,
            keeps,
            next: 1,
            runs: Vec::new(),
            compared: (0, Vec::new()),
            unsound: None,
        }
    }

    fn take(&mut self, key: &'t [u8], value: &'t [u8]) -> Result<()> {
        let wrong = |what| damaged(Table::Dictionaries, key, what);
        if let Some((run, _)) = keys::parse_index_record(key) {
            self.add_record(run, (key, value));
            return Ok(());
        }
        let first = key
            .get(10..)
            .and_then(|first| Some(u32::from_be_bytes(first.try_into().ok()?)));
        if first.ok_or_else(|| wrong("key"))? != self.next {
            return Err(wrong("a page is missing"));
        }
        let page = Page::open(key, value)?;
        let texts = page.texts();
        if self.keeps {
            self.stream.restore_texts(self.column, &texts);
            self.next += texts.len() as u32;
        } else {
            for text in texts {
                self.compare(text);
                self.next += 1;
            }
        }
        Ok(())
    }

    /// Takes a record of the index, unless one before it was not sound.
    fn add_record(&mut self, run: Run, record: Record<'t>) {
        let end = self.runs.last().map_or(1, |(run, _)| run.end);
        match self.runs.last_mut() {
            _ if self.unsound.is_some() => {}
            Some((last, records)) if *last == run => records.push(record),
            _ if run.first == end => self.runs.push((run, vec![record])),
            _ => {
                let error = damaged(
                    Table::Dictionaries,
                    record.0,
                    "a run of an index is not where the last one ends",
                );
                self.unsound = Some(error);
            }
        }
    }

    /// Takes note that the index is of no use from a run on.
    fn is_unsound(&mut self, error: Error, run: Run) {
        self.unsound = Some(error);
        self.runs.retain(|(other, _)| other.first < run.first);
    }

    /// Compares the hash of the next text with the one that the index has, if it has one.
    fn compare(&mut self, text: &str) {
        let (at, hashes) = &mut self.compared;
        let Some((run, records)) = self.runs.get(*at) else {
            return;
        };
        let run = *run;
        if self.next == run.first {
            match index::open(run, records) {
                Ok(entries) => {
                    hashes.clear();
                    hashes.resize(entries.len(), 0);
                    for Entry { hash, code } in entries {
                        hashes[(code - run.first) as usize] = hash;
                    }
                }
                Err(error) => return self.is_unsound(error, run),
            }
        }
        if hashes[(self.next - run.first) as usize] != hash_of(text) {
            let error = self.wrong_hash(run);
            self.is_unsound(error, run);
        } else if self.next + 1 == run.end {
            *at += 1;
        }
    }

    fn wrong_hash(&self, run: Run) -> Error {
        let key = keys::index_record(&self.stem, run, 0);
        damaged(Table::Dictionaries, &key, "an index has another hash than a text")
    }

    /// All pages have been read. Indexes the texts that are kept; returns what is wrong with the sealed index. An error: a text is
    /// there twice.
    fn finish(mut self) -> Result<Option<Error>> {
        if let Some(&(run, _)) = self.runs.iter().find(|(run, _)| run.end > self.next) {
            let key = keys::index_record(&self.stem, run, 0);
            let error = damaged(Table::Dictionaries, &key, "an index has codes that no page has");
            self.is_unsound(error, run);
        }
        if self.keeps {
            let stream = Arc::clone(&self.stream);
            let is_whole = stream.change_dictionary(self.column, |dictionary| {
                dictionary.make_room(dictionary.len() as usize - 1);
                let end = self.fill(dictionary);
                stream.set_sealed_index(self.column, end);
                dictionary.hash_from(end)
            });
            if !is_whole {
                return Err(damaged(Table::Dictionaries, &self.stem, "a text has two codes"));
            }
        }
        Ok(self.unsound)
    }

    /// Takes entries from the index; returns the code up to which there were sound ones.
    fn fill(&mut self, dictionary: &mut Dictionary) -> u32 {
        let mut end = 1;
        for (run, records) in std::mem::take(&mut self.runs) {
            let is_hash = |entry: &Entry| entry.hash == hash_of(dictionary.text(entry.code));
            match index::open(run, &records) {
                Ok(entries) if entries.iter().step_by(STRIDE).all(is_hash) => {
                    dictionary.add_entries(&entries);
                    end = run.end;
                }
                Ok(_) => {
                    self.unsound = Some(self.wrong_hash(run));
                    break;
                }
                Err(error) => {
                    self.unsound = Some(error);
                    break;
                }
            }
        }
        end
    }
}
