//! A seal that another thread helps with makes the parts that one thread makes, and loses nothing where it fails.

mod part_support;
mod query_support;
mod store_support;

use std::fs;

use marigram_core::time::SECOND_NS;
use part_support::{Random, answers, assert_twins_agree, batch, part_files, twins, write};
use store_support::{Bed, store_batch};

const YEAR: i64 = 364 * 86_400 * SECOND_NS;

/// The files of what a store sealed on so many threads, with the rows of each part.
fn sealed_on(threads: usize) -> Vec<(String, Vec<u8>)> {
    let bed = Bed::with(|options| options.seal_threads = threads);
    let streams = twins(&bed);
    let mut random = Random(71);
    // More than several pieces of any kind of work, in several tiles.
    for (rows, years, as_text) in [(90_000, 0, false), (40_000, 11, true), (1_025, 44, false)] {
        let seed = random.below(1 << 30) + 1;
        for stream in &streams {
            let mut rows = batch(stream, &mut Random(seed), rows, 1, as_text);
            rows.time.iter_mut().for_each(|time| *time -= years * YEAR);
            store_batch(&bed.store, stream, &rows);
        }
    }
    let report = bed.store.seal(&streams[0]).unwrap();
    assert!((report.rows, report.parts) == (131_025, 3), "{report:?}");
    if threads == 2 {
        assert_twins_agree(&streams);
    }
    let files = part_files(&bed).into_iter().map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read(path).unwrap())
    });
    files.collect()
}

#[test]
fn parts_are_the_same_bytes_whether_one_thread_seals_or_two() {
    let (one, two) = (sealed_on(1), sealed_on(2));
    assert_eq!(one.len(), two.len());
    for ((name, left), (other, right)) in one.iter().zip(&two) {
        assert_eq!((name, left.len()), (other, right.len()));
        assert!(left == right, "{name} is another file");
    }
}

#[test]
fn a_seal_that_a_closing_store_ends_loses_nothing() {
    let mut bed = Bed::with(|options| options.seal_threads = 2);
    let streams = twins(&bed);
    write(&bed, &streams, &mut Random(72), 90_000, 1, false);
    let before = answers(&streams[0]);
    bed.store.close().unwrap();
    assert_eq!(bed.store.seal(&streams[0]).unwrap_err().reason(), "SHUTTING_DOWN");
    drop(streams);
    bed.reopen();
    assert!(part_files(&bed).is_empty());
    let stream = bed.store.stream(bed.ns, "rows").unwrap();
    assert_eq!(answers(&stream), before);
    assert_eq!(bed.store.seal(&stream).unwrap().rows, 90_000);
    assert_eq!(answers(&stream), before);
}
