//! Whether a store was stopped cleanly is told by plain reads, and one that was not is read without a change to it.

mod store_support;

use std::fs;
use std::path::Path;

use marigram_core::error::Kind;
use marigram_core::store::{check_after_crash, stopped_uncleanly};
use store_support::{Bed, NOW};

/// The data directory as a crash would leave it now; parts apart.
fn crashed(bed: &Bed) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["hot.mdb", "MARIGRAM"] {
        fs::copy(bed.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

fn content(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("hot.mdb")).unwrap()
}

#[test]
fn only_a_clean_stop_marks_one() {
    let mut bed = Bed::new();
    let stream = bed.stream("visits");
    bed.write(&stream, &[NOW, NOW + 1]);
    drop(stream);
    assert!(!stopped_uncleanly(bed.path()), "it is held");
    let copy = crashed(&bed);
    assert!(stopped_uncleanly(copy.path()));
    let before = content(copy.path());
    check_after_crash(copy.path(), false).unwrap();
    assert!(before == content(copy.path()));
    assert!(stopped_uncleanly(copy.path()));
    bed.reopen();
    let untouched = crashed(&bed);
    assert!(
        !stopped_uncleanly(untouched.path()),
        "nothing was written since the clean stop"
    );
    bed.store.close().unwrap();
    assert!(!stopped_uncleanly(bed.path()));
}

#[test]
fn a_directory_without_a_store_is_left_to_the_opening() {
    let empty = tempfile::tempdir().unwrap();
    assert!(!stopped_uncleanly(empty.path()));
    assert!(!stopped_uncleanly(&empty.path().join("none")));
}

#[test]
fn one_bit_anywhere_is_found_or_changes_nothing_that_is_told() {
    let bed = Bed::new();
    let stream = bed.stream("visits");
    bed.write(&stream, &[NOW]);
    drop(stream);
    bed.store.close().unwrap();
    let copy = crashed(&bed);
    let sound = content(copy.path());
    let mut found = 0;
    for at in (0..sound.len()).step_by(37) {
        let mut changed = sound.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(copy.path().join("hot.mdb"), changed).unwrap();
        // Whatever it says, it neither panics nor reads outside; a mark that is told is that of the last transaction.
        let is_unclean = stopped_uncleanly(copy.path());
        match check_after_crash(copy.path(), false) {
            Err(error) => {
                assert_eq!(error.kind(), Kind::Corrupt, "{error}");
                found += 1;
            }
            Ok(()) => assert!(!is_unclean, "byte {at}"),
        }
    }
    assert!(found > 20, "{found}");
}
