//! What a stream takes on the disk adds up; a directory is verified without a server.

mod store_support;

use marigram_core::column::packed::Physical;
use marigram_core::error::Kind;
use marigram_core::store::{Store, StoreOptions};
use store_support::*;

#[test]
fn the_storage_of_a_stream_adds_up() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = bed.stream("clicks");
    let times: Vec<i64> = (0..2_500).map(|row| NOW - 1_000_000 * row).collect();
    bed.write(&stream, &times);
    bed.write(&stream, &times[..100]);
    bed.clock.advance(5);
    let before = bed.store.storage(&stream).unwrap();
    assert_eq!(
        (before.parts, before.rows, before.bytes, before.lag_rows),
        (0, 0, 0, 2_600)
    );
    assert_eq!(before.lag_ns, 5);
    assert!(before.columns.is_empty() && before.lag_bytes > 0);
    let sealed = bed.store.seal(&stream).unwrap();
    bed.write(&stream, &times[..7]);
    let found = bed.store.storage(&stream).unwrap();
    assert_eq!(
        (found.parts, found.rows, found.bytes),
        (sealed.parts, 2_600, sealed.bytes)
    );
    assert_eq!(found.lag_rows, 7);
    let columns: Vec<_> = found.columns.iter().map(|one| (one.id, one.physical)).collect();
    assert_eq!(columns, [(0, Physical::I64), (1, Physical::Code), (2, Physical::Code)]);
    for column in &found.columns {
        assert_eq!((column.rows, column.nulls), (2_600, 0));
        let codecs = column.codecs.iter();
        assert_eq!(codecs.clone().map(|one| one.blocks).sum::<u64>(), column.blocks);
        assert_eq!(codecs.map(|one| one.bytes).sum::<u64>(), column.bytes);
    }
    assert_eq!(found.columns[0].plain_bytes, 8 * 2_600);
    assert_eq!(found.columns[2].plain_bytes, 4 * 2_600);
    assert_eq!(found.columns[2].codecs[0].codec, "constant");
    assert!(found.columns.iter().map(|one| one.bytes).sum::<u64>() < found.bytes);
}

#[test]
fn a_directory_is_verified_without_a_server_and_nothing_is_made_where_there_is_none() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = bed.stream("clicks");
    bed.write(&stream, &[1, 2, 3, 4]);
    bed.store.seal(&stream).unwrap();
    bed.write(&stream, &[1, 2, 3]);
    bed.store.verify().unwrap();
    let options = || StoreOptions {
        seals: true,
        ..options(&bed.clock)
    };
    let held = Store::verify_directory(bed.path(), options()).unwrap_err();
    assert_eq!(held.reason(), "STORE_LOCKED");
    bed.store.close().unwrap();
    // It is closed and still there: what it had open it has let go.
    let found = Store::verify_directory(bed.path(), options()).unwrap();
    assert_eq!((found.rows, found.part_rows), (3, 4));
    let empty = tempfile::tempdir().unwrap();
    let missing = Store::verify_directory(empty.path(), options()).unwrap_err();
    assert_eq!(
        (missing.kind(), missing.reason()),
        (Kind::FailedPrecondition, "STORE_MISSING")
    );
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}
