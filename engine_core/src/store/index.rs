//! The sealed index of a dictionary: entries of its texts, sorted by hash, so that a store that is opened hashes none of them. It lies in
//! runs, each of the codes from one to another; a new run takes in those before it that are not much larger, so that an entry is written
//! as often as sizes double, and a large run never again. Whatever of it is missing or damaged, the pages have all texts. FORMAT.md, "Records".

use heed::types::DecodeIgnore;

use super::change::Change;
use super::fault::OrFault;
use super::frame::{Decoder, Encoder, damaged};
use super::hot::Hot;
use super::keys::{self, Run};
use super::stream::Stream;
use super::tables::Table;
use crate::codec::entries::{self, Entry};
use crate::column::ColumnId;
use crate::column::dictionary::hash_of;
use crate::error::Result;

/// Codes that are worth a run: fewer texts are hashed as soon as their record is read.
const WORTH: u32 = 128;
/// Most codes of a run that takes in others.
const MOST: u32 = 2 << 20;
/// Most codes that are added at once.
const AT_ONCE: u32 = 1 << 20;
/// Entries of a record.
const RECORD: usize = 64 << 10;
/// Texts that are hashed while a dictionary is held.
const HELD: u32 = 4 << 10;

/// Key of a record of a run.
type Key = [u8; 26];

/// What a dictionary's index becomes.
#[derive(Default)]
pub(super) struct Growth {
    gone: Vec<Key>,
    new: Vec<(Key, Vec<u8>)>,
    /// Codes below this are in it.
    pub(super) end: u32,
}

impl Growth {
    /// Bytes of what is written.
    pub(super) fn bytes(&self) -> usize {
        self.new.iter().map(|(_, record)| record.len()).sum()
    }

    /// Puts it in the place of what there was.
    pub(super) fn apply(&self, change: &mut Change<'_>) -> Result<()> {
        for key in &self.gone {
            change.delete(Table::Dictionaries, key)?;
        }
        for (key, record) in &self.new {
            change.put(Table::Dictionaries, key, record)?;
        }
        Ok(())
    }
}

/// The index of a column with the codes below `to`, whose texts are durable; none if that is not worth a run. Whoever calls holds the
/// sealer's turn, so that nobody else changes it.
pub(super) fn grown(hot: &Hot, stream: &Stream, column: ColumnId, to: u32) -> Result<Option<Growth>> {
    let sealed = stream.sealed_index(column);
    if to < sealed.saturating_add(WORTH) {
        return Ok(None);
    }
    let mut run = Run {
        first: sealed,
        end: to.min(sealed.saturating_add(AT_ONCE)),
    };
    let stem = keys::dictionary(stream.namespace, stream.id, column);
    let (mut runs, mut gone) = sound(stored(hot, &stem)?, sealed);
    while let Some((last, records)) = runs.pop() {
        let (size, last_size) = (run.end - run.first, last.end - last.first);
        if last_size / 2 >= size || last_size.saturating_add(size) > MOST {
            break;
        }
        run.first = last.first;
        gone.extend(records);
    }
    Ok(Some(Growth {
        gone,
        new: records(&stem, run, &entries_of(stream, column, run)),
        end: run.end,
    }))
}

/// Of the records of an index, those of the runs that have the codes below `sealed`; and all others, which are to go.
fn sound(keys: Vec<Key>, sealed: u32) -> (Vec<(Run, Vec<Key>)>, Vec<Key>) {
    let (mut runs, mut others): (Vec<(Run, Vec<Key>)>, _) = (Vec::new(), Vec::new());
    for key in keys {
        let end = runs.last().map_or(1, |(run, _)| run.end);
        match (keys::parse_index_record(&key), runs.last_mut()) {
            (Some((run, _)), Some((last, records))) if *last == run => records.push(key),
            (Some((run, _)), _) if run.first == end && run.end <= sealed => runs.push((run, vec![key])),
            _ => others.push(key),
        }
    }
    (runs, others)
}

/// Keys of the records of an index, ascending.
fn stored(hot: &Hot, stem: &[u8; 10]) -> Result<Vec<Key>> {
    let txn = hot.read()?;
    let table = hot.table(Table::Dictionaries).remap_data_type::<DecodeIgnore>();
    let mut keys = Vec::new();
    for found in table.prefix_iter(&txn, &keys::dictionary_index(stem)).or_fault()? {
        let (key, ()) = found.or_fault()?;
        keys.push(
            key.try_into()
                .map_err(|_| damaged(Table::Dictionaries, key, "key of a record of an index"))?,
        );
    }
    Ok(keys)
}

/// Entries of the codes of a run, ascending. The dictionary is held for few of them at a time.
fn entries_of(stream: &Stream, column: ColumnId, run: Run) -> Vec<Entry> {
    let mut entries = Vec::with_capacity((run.end - run.first) as usize);
    for first in (run.first..run.end).step_by(HELD as usize) {
        let codes = first..run.end.min(first.saturating_add(HELD));
        stream.with_dictionary(column, |dictionary| {
            entries.extend(codes.map(|code| Entry {
                hash: hash_of(dictionary.text(code)),
                code,
            }));
        });
    }
    entries.sort_unstable();
    entries
}

/// The records of a run.
fn records(stem: &[u8; 10], run: Run, entries: &[Entry]) -> Vec<(Key, Vec<u8>)> {
    let record = |(number, entries)| {
        let key = keys::index_record(stem, run, number);
        let mut record = Encoder::new(Table::Dictionaries);
        record.rest(&entries::encode(entries));
        (key, record.seal(&key))
    };
    (0..).zip(entries.chunks(RECORD)).map(record).collect()
}

/// The entries of a run, once they are known to ascend and to have each of its codes once. Hashes are the caller's to compare.
pub(super) fn open(run: Run, records: &[(&[u8], &[u8])]) -> Result<Vec<Entry>> {
    let wrong = |what| {
        let key = records.first().map_or(&[][..], |(key, _)| key);
        damaged(Table::Dictionaries, key, what)
    };
    let size = (run.end - run.first) as usize;
    let mut entries = Vec::new();
    for (number, (key, value)) in (0..).zip(records) {
        if keys::parse_index_record(key) != Some((run, number)) {
            return Err(damaged(Table::Dictionaries, key, "a record of an index is missing"));
        }
        let mut record = Decoder::open(Table::Dictionaries, key, value)?;
        if entries::decode(record.rest(), RECORD, &mut entries).is_none() {
            return Err(damaged(Table::Dictionaries, key, "a record of an index"));
        }
    }
    if entries.len() != size {
        return Err(wrong("an index has not as many entries as codes"));
    }
    // As many as there are codes, and none twice: each is there.
    let mut seen = vec![0u64; size.div_ceil(64)];
    for entry in &entries {
        let at = entry.code.wrapping_sub(run.first) as usize;
        let (word, bit) = (at / 64, 1u64 << (at % 64));
        if at >= size || seen[word] & bit != 0 {
            return Err(wrong("an index has a code twice, or one that is not its own"));
        }
        seen[word] |= bit;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::stream::NamespaceId;

    const RUN: Run = Run { first: 10, end: 70_010 };

    fn stem() -> [u8; 10] {
        keys::dictionary(NamespaceId(1), 2, 3)
    }

    fn entries() -> Vec<Entry> {
        let entry = |code: u32| Entry {
            hash: code.wrapping_mul(0x9e37_79b1),
            code,
        };
        let mut entries: Vec<Entry> = (RUN.first..RUN.end).map(entry).collect();
        entries.sort_unstable();
        entries
    }

    fn opened(records: &[(Key, Vec<u8>)]) -> Result<Vec<Entry>> {
        let records: Vec<(&[u8], &[u8])> = records.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        open(RUN, &records)
    }

    #[test]
    fn a_run_reads_back_from_its_records() {
        let stored = records(&stem(), RUN, &entries());
        assert_eq!(stored.len(), 2);
        assert_eq!(opened(&stored).unwrap(), entries());
        assert!(opened(&stored[..1]).is_err());
        assert!(opened(&stored[1..]).is_err());
        let again = [stored[0].clone(), stored[0].clone()];
        assert!(opened(&again).is_err());
    }

    #[test]
    fn a_code_that_is_there_twice_or_not_its_own_is_refused() {
        for code in [RUN.first, RUN.end, 0, u32::MAX] {
            let mut changed = entries();
            let at = changed.iter().position(|entry| entry.code == RUN.first + 7).unwrap();
            changed[at].code = code;
            let error = opened(&records(&stem(), RUN, &changed)).unwrap_err();
            assert!(error.detail().contains("a code twice"), "{error:?}");
        }
        assert!(opened(&records(&stem(), RUN, &entries()[1..])).is_err());
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let run = Run { first: 1, end: 60 };
        let entries: Vec<Entry> = (1..60).map(|code| Entry { hash: code * 9, code }).collect();
        let (key, value) = records(&stem(), run, &entries).remove(0);
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(run, &[(&key, &flipped)]).is_err(), "bit {bit}");
        }
    }
}
