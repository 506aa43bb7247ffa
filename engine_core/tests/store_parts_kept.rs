//! Parts written by every format version so far are read for ever.

mod part_support;
mod query_support;
mod store_support;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use marigram_core::codec::checksum::crc32c;
use marigram_core::store::{Store, Stream};
use marigram_core::time::ManualClock;
use part_support::{Random, answers, part_files, twins, write};
use store_support::{Bed, NOW, options};

/// Twins for a reader that is not ours (`tests/inspect`): merged, sealed and in the log; symbols as codes and as texts.
#[test]
#[ignore = "makes a fixture"]
fn make_the_twins() {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/inspect/twins");
    assert!(!target.exists(), "a fixture is never made again");
    let bed = Bed::new();
    let streams = twins(&bed);
    let mut random = Random(33);
    for round in 0..5 {
        write(&bed, &streams, &mut random, 300, 1, round % 3 == 2);
        bed.store.seal(&streams[0]).unwrap();
    }
    assert!(bed.store.merge(&streams[0]).unwrap() > 0);
    write(&bed, &streams, &mut random, 1_100, 3, false);
    bed.store.seal(&streams[0]).unwrap();
    write(&bed, &streams, &mut random, 90, 1, true);
    assert_eq!(streams[0].rows(), 2_690);
    bed.store.close().unwrap();
    fs::create_dir_all(target.join("parts")).unwrap();
    for name in ["MARIGRAM", "hot.mdb"] {
        fs::copy(bed.path().join(name), target.join(name)).unwrap();
    }
    for path in part_files(&bed) {
        fs::copy(&path, target.join("parts").join(path.file_name().unwrap())).unwrap();
    }
}

/// A store of format 1 with sealed rows of every type, and the checksum of what it answers.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1-parts")
}

fn checksum_of(stream: &Arc<Stream>) -> String {
    format!("{:08x}\n", crc32c(answers(stream).join("\n").as_bytes()))
}

fn copy_of_fixture(to: &Path) {
    fs::create_dir(to.join("parts")).unwrap();
    for folder in ["", "parts"] {
        for entry in fs::read_dir(fixture().join(folder)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
}

#[test]
#[ignore = "makes a fixture, once a format version"]
fn make_the_fixture() {
    assert!(!fixture().exists(), "a fixture is never made again");
    let bed = Bed::new();
    let streams = twins(&bed);
    let mut random = Random(31);
    write(&bed, &streams, &mut random, 2_500, 3, false);
    bed.store.seal(&streams[0]).unwrap();
    write(&bed, &streams, &mut random, 700, 1, true);
    bed.store.seal(&streams[0]).unwrap();
    write(&bed, &streams, &mut random, 40, 1, false);
    let checksum = checksum_of(&streams[0]);
    bed.store.delete_stream(bed.ns, "twin").unwrap();
    bed.store.close().unwrap();
    fs::create_dir_all(fixture().join("parts")).unwrap();
    fs::write(fixture().join("answers"), checksum).unwrap();
    for name in ["MARIGRAM", "hot.mdb"] {
        fs::copy(bed.path().join(name), fixture().join(name)).unwrap();
    }
    for path in part_files(&bed) {
        fs::copy(&path, fixture().join("parts").join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn parts_of_format_1_are_read() {
    let dir = tempfile::tempdir().unwrap();
    copy_of_fixture(dir.path());
    let clock = Arc::new(ManualClock::at(NOW));
    let store = Store::open(dir.path(), options(&clock)).unwrap();
    let stream = store.stream(store.namespace("default").unwrap(), "rows").unwrap();
    assert_eq!((stream.rows(), stream.tail_size().0), (3_240, 40));
    assert_eq!(
        checksum_of(&stream),
        fs::read_to_string(fixture().join("answers")).unwrap()
    );
    store.verify().unwrap();
    // And it is written on.
    assert_eq!(store.seal(&stream).unwrap().rows, 40);
    assert_eq!(
        checksum_of(&stream),
        fs::read_to_string(fixture().join("answers")).unwrap()
    );
    store.verify().unwrap();
}
