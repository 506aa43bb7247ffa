//! Indexes that are missing, damaged or not true: codes are what they were, and the damage is told.

use std::sync::Arc;

use super::*;
use crate::codec::entries;
use crate::column::StreamKind;
use crate::column::schema::ENTITY;
use crate::error::Kind;
use crate::store::frame::Encoder;
use crate::store::{Store, StoreOptions, pages};

const TEXTS: u32 = 30_000;

fn text(code: u32) -> String {
    format!("user-{}", u64::from(code) * 7_919 % 1_000_003)
}

fn options() -> StoreOptions {
    StoreOptions {
        seals: false,
        reserve_bytes: 0,
        ..StoreOptions::default()
    }
}

struct Bed {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    stream: Arc<Stream>,
}

impl Bed {
    /// A store with texts whose pages are packed and indexed.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), options()).unwrap();
        let namespace = store.create_namespace("default").unwrap();
        let stream = store.stream_or_new(namespace, "s", StreamKind::Event).unwrap();
        let bed = Self { dir, store, stream };
        bed.add(1..TEXTS + 1);
        bed
    }

    /// Interns texts, makes them durable, and packs them.
    fn add(&self, codes: std::ops::Range<u32>) {
        let texts: Vec<String> = codes.clone().map(text).collect();
        let given = self.stream.intern_users(texts.iter().map(String::as_str));
        assert_eq!(given, codes.collect::<Vec<_>>());
        let stream = Arc::clone(&self.stream);
        let flushed = self
            .store
            .shared
            .change(false, move |change| change.flush_stream(&stream));
        flushed.unwrap();
        pages::pack(&self.store.shared, &self.stream).unwrap();
    }

    fn stem(&self) -> [u8; 10] {
        keys::dictionary(self.stream.namespace, self.stream.id, ENTITY)
    }

    /// Runs that are stored, with how many records each has.
    fn runs(&self) -> Vec<(Run, usize)> {
        let mut runs: Vec<(Run, usize)> = Vec::new();
        let read = self.store.shared.read(|hot| {
            let txn = hot.read()?;
            let table = hot.table(Table::Dictionaries);
            for found in table
                .prefix_iter(&txn, &keys::dictionary_index(&self.stem()))
                .or_fault()?
            {
                let (run, number) = keys::parse_index_record(found.or_fault()?.0).unwrap();
                if number == 0 {
                    runs.push((run, 0));
                }
                runs.last_mut().unwrap().1 += 1;
            }
            Ok(())
        });
        read.unwrap();
        runs
    }

    /// Writes a record of an index, with a checksum that is right.
    fn put(&self, run: Run, entries: &[Entry]) {
        let key = keys::index_record(&self.stem(), run, 0);
        let mut record = Encoder::new(Table::Dictionaries);
        record.rest(&entries::encode(entries));
        let record = record.seal(&key);
        let put = self
            .store
            .shared
            .change(false, move |change| change.put(Table::Dictionaries, &key, &record));
        put.unwrap();
    }

    fn reopen(self) -> Self {
        let (namespace, name) = (self.stream.namespace, self.stream.name.clone());
        self.store.close().unwrap();
        let store = Store::open(self.dir.path(), options()).unwrap();
        let stream = store.stream(namespace, &name).unwrap();
        Self { store, stream, ..self }
    }

    fn assert_whole(&self, texts: u32) {
        let entities = self.stream.entities();
        assert_eq!(entities.dictionary.len(), texts + 1);
        for code in 1..=texts {
            assert_eq!(entities.dictionary.get(&text(code)), Some(code));
        }
        assert_eq!(entities.dictionary.get("none"), None);
    }

    /// The store opens and is whole, says what is wrong, fails a verification, and is sound again once more texts are packed.
    fn assert_healed(self, what: &str) {
        let bed = self.reopen();
        bed.assert_whole(TEXTS);
        let told = bed.store.unsound_indexes();
        assert_eq!(told.len(), 1);
        assert!(told[0].detail().contains(what), "{told:?}");
        let error = bed.store.verify().unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.detail().contains(what), "{error:?}");
        bed.add(TEXTS + 1..TEXTS + 5_001);
        bed.store.verify().unwrap();
        let bed = bed.reopen();
        assert!(bed.store.unsound_indexes().is_empty());
        bed.assert_whole(TEXTS + 5_000);
        assert!(bed.stream.sealed_index(ENTITY) > TEXTS);
    }
}

fn entries_of(codes: std::ops::Range<u32>, hash: impl Fn(&str) -> u32) -> Vec<Entry> {
    let entry = |code| Entry {
        hash: hash(&text(code)),
        code,
    };
    let mut entries: Vec<Entry> = codes.map(entry).collect();
    entries.sort_unstable();
    entries
}

const WHOLE: Run = Run {
    first: 1,
    end: TEXTS + 1,
};

#[test]
fn a_sound_index_finds_every_text() {
    let bed = Bed::new();
    assert_eq!(bed.runs(), [(WHOLE, 1)]);
    let before = bed.store.status().dictionary_bytes;
    let bed = bed.reopen();
    assert!(bed.store.unsound_indexes().is_empty());
    assert_eq!(bed.stream.sealed_index(ENTITY), TEXTS + 1);
    bed.assert_whole(TEXTS);
    let after = bed.store.status().dictionary_bytes;
    assert!(
        after > 0 && after <= before + before / 8,
        "{after} bytes, {before} before"
    );
    bed.store.verify().unwrap();
}

#[test]
fn runs_double_and_few_are_written_again() {
    let mut bed = Bed::new();
    let (mut end, mut written) = (TEXTS + 1, 0);
    for round in 0..40 {
        bed.add(end..end + 5_000);
        end += 5_000;
        let runs = bed.runs();
        let sizes: Vec<u32> = runs.iter().map(|(run, _)| run.end - run.first).collect();
        assert!(sizes.windows(2).all(|pair| pair[0] >= 2 * pair[1]), "{sizes:?}");
        assert_eq!(runs.last().unwrap().0.end, end);
        written += sizes.last().unwrap();
        if round % 13 == 0 {
            bed = bed.reopen();
            bed.assert_whole(end - 1);
        }
    }
    // 200,000 of them, each about as often as 5,000 doubles to that.
    assert!(written < 7 * 200_000, "{written} entries");
    bed.store.verify().unwrap();
}

#[test]
fn a_few_texts_more_make_no_run() {
    let bed = Bed::new();
    // Sixteen small pages are packed all the same.
    for round in 0..16 {
        bed.add(TEXTS + 1 + round * 7..TEXTS + 8 + round * 7);
    }
    assert_eq!(bed.runs(), [(WHOLE, 1)]);
    let bed = bed.reopen();
    bed.assert_whole(TEXTS + 112);
    bed.add(TEXTS + 113..TEXTS + 3_001);
    let later = Run {
        first: WHOLE.end,
        end: TEXTS + 3_001,
    };
    assert_eq!(bed.runs(), [(WHOLE, 1), (later, 1)]);
    bed.assert_whole(TEXTS + 3_000);
    bed.reopen().assert_whole(TEXTS + 3_000);
}

#[test]
fn a_store_without_an_index_gets_one() {
    let bed = Bed::new();
    let key = keys::index_record(&bed.stem(), WHOLE, 0);
    let deleted = bed
        .store
        .shared
        .change(false, move |change| change.delete(Table::Dictionaries, &key));
    deleted.unwrap();
    bed.store.verify().unwrap();
    let bed = bed.reopen();
    assert!(bed.store.unsound_indexes().is_empty());
    bed.assert_whole(TEXTS);
    bed.add(TEXTS + 1..TEXTS + 10);
    // All but the last page, which may still be filled.
    assert!(bed.stream.sealed_index(ENTITY) > TEXTS);
    bed.reopen().assert_whole(TEXTS + 9);
}

#[test]
fn hashes_that_are_others_are_not_trusted() {
    let bed = Bed::new();
    bed.put(WHOLE, &entries_of(1..TEXTS + 1, |text| hash_of(text) ^ 1));
    bed.assert_healed("another hash");
}

#[test]
fn one_hash_that_is_another_is_found_by_a_verification() {
    let bed = Bed::new();
    let mut entries = entries_of(1..TEXTS + 1, hash_of);
    // Of an entry that opening does not look at, still between its neighbours.
    let at = (1..)
        .find(|&at| at % STRIDE != 0 && entries[at].hash + 1 < entries[at + 1].hash)
        .unwrap();
    entries[at].hash += 1;
    bed.put(WHOLE, &entries);
    let error = bed.store.verify().unwrap_err();
    assert!(error.detail().contains("another hash"), "{error:?}");
}

#[test]
fn a_code_too_often_is_refused() {
    let bed = Bed::new();
    let mut entries = entries_of(1..TEXTS + 1, hash_of);
    entries[9].code = entries[8].code;
    bed.put(WHOLE, &entries);
    bed.assert_healed("a code twice");
}

#[test]
fn a_run_that_is_not_where_the_last_one_ends_is_refused() {
    let bed = Bed::new();
    let run = Run {
        first: TEXTS - 10,
        end: TEXTS,
    };
    bed.put(run, &entries_of(run.first..run.end, hash_of));
    let bed = bed.reopen();
    // What lies before it is of use.
    assert_eq!(bed.stream.sealed_index(ENTITY), TEXTS + 1);
    bed.assert_healed("not where the last one ends");
}

#[test]
fn codes_that_no_page_has_are_refused() {
    let bed = Bed::new();
    let run = Run {
        first: TEXTS + 1,
        end: TEXTS + 9,
    };
    bed.put(run, &entries_of(run.first..run.end, hash_of));
    bed.assert_healed("codes that no page has");
}
