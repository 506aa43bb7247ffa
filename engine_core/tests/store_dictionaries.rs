//! Dictionaries with many texts through a real store: codes are what they were, whether their pages are plain or packed.

mod store_support;

use std::sync::Arc;

use marigram_core::column::batch::BatchColumn;
use marigram_core::column::packed::pack;
use marigram_core::column::{ColumnData, PackedBatch, RowBatch};
use marigram_core::store::{Store, Stream};
use store_support::*;

const BATCH: usize = 2_500;

fn user(at: usize) -> String {
    format!("user-{:07}", at * 7_919 % 1_000_003)
}

/// Commits a row for each user and word from one number to another.
fn write(bed: &Bed, stream: &Arc<Stream>, range: std::ops::Range<usize>) {
    for start in range.clone().step_by(BATCH) {
        let rows = start..range.end.min(start + BATCH);
        let users: Vec<String> = rows.clone().map(user).collect();
        let words: Vec<String> = rows.clone().map(|at| format!("/page/{}", at / 7)).collect();
        let batch = RowBatch {
            time: rows.clone().map(|at| at as i64).collect(),
            entity: stream.intern_users(users.iter().map(String::as_str)),
            columns: vec![BatchColumn {
                id: 2,
                data: ColumnData::Code(stream.symbols(2).intern(words.iter().map(String::as_str))),
                validity: None,
            }],
        };
        let mut one = item(stream, &[]);
        one.received = rows.len() as u64;
        one.batch = Some(PackedBatch::open(pack(&batch)).unwrap());
        commit(&bed.store, one).unwrap();
    }
}

/// Every text has the code it was given, in a stream that had `ada` and `click` before.
fn assert_whole(stream: &Stream, users: usize) {
    let entities = stream.entities();
    assert_eq!(entities.dictionary.len() as usize, users + 2);
    for at in 0..users {
        assert_eq!(entities.dictionary.get(&user(at)), Some(at as u32 + 2));
        assert_eq!(entities.dictionary.text(at as u32 + 2), user(at));
    }
    let symbols = stream.symbols(2);
    let words: Vec<String> = symbols.read().texts_from(2).map(str::to_owned).collect();
    let wanted: Vec<String> = (0..users.div_ceil(7)).map(|at| format!("/page/{at}")).collect();
    assert_eq!(words, wanted);
}

fn stream_of(store: &Store) -> Arc<Stream> {
    store.stream(store.namespace("default").unwrap(), "clicks").unwrap()
}

#[test]
fn two_hundred_thousand_entities_keep_their_codes_through_seals_and_restarts() {
    let mut bed = Bed::new();
    let stream = bed.stream("clicks");
    bed.write(&stream, &[1]);
    write(&bed, &stream, 0..120_000);
    let plain = bed.store.verify().unwrap().records;
    drop(stream);
    bed.reopen();
    let stream = stream_of(&bed.store);
    assert_whole(&stream, 120_000);
    bed.store.seal(&stream).unwrap();
    let packed = bed.store.verify().unwrap().records;
    assert!(packed + 80 < plain, "{packed} records of {plain}");
    // Plain pages behind packed ones, then these with the last of those.
    write(&bed, &stream, 120_000..200_000);
    assert_whole(&stream, 200_000);
    drop(stream);
    bed.reopen();
    let stream = stream_of(&bed.store);
    assert_whole(&stream, 200_000);
    bed.store.seal(&stream).unwrap();
    assert!(bed.store.verify().unwrap().records < packed + 20);
    drop(stream);
    bed.reopen();
    let stream = stream_of(&bed.store);
    assert_whole(&stream, 200_000);
    let texts = 200_000 * "user-0000000".len() as u64;
    let memory = bed.store.status().dictionary_bytes;
    assert!(
        (texts + 12 * 200_000..texts + 24 * 200_000).contains(&memory),
        "{memory} bytes"
    );
    assert_eq!(stream.intern_users(["new"].into_iter()), [200_002]);
    bed.store.delete_stream(bed.ns, "clicks").unwrap();
    bed.store.verify().unwrap();
}

#[test]
fn few_texts_are_left_where_they_are() {
    let bed = Bed::new();
    let stream = bed.stream("clicks");
    write(&bed, &stream, 0..500);
    let before = bed.store.verify().unwrap().records;
    bed.store.seal(&stream).unwrap();
    // A manifest and a part more.
    assert_eq!(bed.store.verify().unwrap().records, before + 2);
}

#[test]
fn many_small_pages_are_packed_however_few_bytes_they_have() {
    let mut bed = Bed::new();
    let stream = bed.stream("clicks");
    bed.write(&stream, &[1]);
    for at in 0..40 {
        write(&bed, &stream, at..at + 1);
    }
    let before = bed.store.verify().unwrap().records;
    bed.store.seal(&stream).unwrap();
    assert_eq!(bed.store.verify().unwrap().records, before + 2 - 40);
    drop(stream);
    bed.reopen();
    assert_whole(&stream_of(&bed.store), 40);
}
