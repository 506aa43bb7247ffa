//! Damaged, foreign and locked stores: a named error, never a crash, and nothing is changed.
//!
//! Flips and truncations run in this process: a SIGBUS or SIGSEGV would end it and fail the test.

mod store_support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use marigram_core::column::Reject;
use marigram_core::error::{Error, Kind};
use marigram_core::store::Store;
use store_support::*;

/// A store with something in every table, deletions behind it, and a page of each kind; closed.
fn full_store() -> Bed {
    let bed = Bed::new();
    bed.store.create_namespace("other").unwrap();
    bed.store.open_writer(bed.ns, "w").unwrap();
    let (gone, stream) = (bed.stream("gone"), bed.stream("clicks"));
    let large: Vec<i64> = (0..3_000).map(|row| row * row * 7_919).collect();
    for round in 0..40u64 {
        let mut one = item(&stream, &large[..1 + (round as usize * 331) % 3_000]);
        one.writer = advance("w", 1, round + 1);
        stream.intern_users([format!("user-{round}").as_str()].into_iter());
        if round % 5 == 0 {
            one.rejected.add(Reject::TypeMismatch, 1);
            one.received += 1;
            one.quarantine = vec![quarantined(Reject::TypeMismatch, 100 + 300 * round as usize)];
        }
        commit(&bed.store, one).unwrap();
        commit(&bed.store, item(&gone, &large[..500])).unwrap();
        let id = format!("document-{round}");
        let bytes = vec![round as u8; 10 + 211 * round as usize];
        bed.store.documents().put(bed.ns, "alerts", &id, &bytes, None).unwrap();
    }
    bed.store.delete_stream(bed.ns, "gone").unwrap();
    for round in 0..10 {
        bed.store
            .documents()
            .delete(bed.ns, "alerts", &format!("document-{round}"), None)
            .unwrap();
    }
    bed.write(&stream, &[1, 2, 3]);
    bed.store.close().unwrap();
    bed
}

/// Everything a reader can see of a store.
fn contents(store: &Store) -> String {
    let mut seen = String::new();
    for (name, ns) in store.namespaces() {
        seen += &format!("{name} {ns:?} {}\n", store.namespace_creates_streams(ns));
        for stream in store.streams(ns) {
            let schema = stream.schema();
            seen += &format!("{} {} {:?} {:?}\n", stream.id, stream.name, schema, stream.created_ns);
            seen += &format!("{:?} {:?}\n", *stream.ledger(), *stream.watermark_state());
            seen += &format!("{:?}\n", times(&stream));
            let entities = stream.entities();
            seen += &format!("{:?}\n", entities.dictionary.texts_from(1).collect::<Vec<_>>());
            seen += &format!("{:?}\n", stream.symbols(2).read().texts_from(1).collect::<Vec<_>>());
            seen += &format!("{:?}\n", store.quarantined(&stream, 0, 1_000).unwrap());
        }
        seen += &format!("{:?}\n", store.writer(ns, "w").ok());
        seen += &format!("{:?}\n", store.documents().list(ns, "alerts", "", 1_000).unwrap());
    }
    seen
}

fn open(dir: &Path, bed: &Bed) -> Result<Arc<Store>, Error> {
    Store::open(dir, options(&bed.clock))
}

fn copy(bed: &Bed, bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(bed.path().join("MARIGRAM"), dir.path().join("MARIGRAM")).unwrap();
    fs::write(dir.path().join("hot.mdb"), bytes).unwrap();
    dir
}

/// A generator of numbers from a seed (splitmix64).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }
}

/// Flips one bit and says whether it was noticed; if it was not, everything must read as before.
fn flip(bed: &Bed, bytes: &[u8], at: usize, bit: u8, before: &str) -> bool {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 1 << bit;
    let dir = copy(bed, &flipped);
    let opened = open(dir.path(), bed).and_then(|store| store.verify().map(|_| store));
    match opened {
        Err(error) => {
            assert!(
                matches!(error.kind(), Kind::Corrupt | Kind::FailedPrecondition),
                "byte {at} bit {bit}: {error:?}"
            );
            let left = fs::read(dir.path().join("hot.mdb")).unwrap();
            assert!(left == flipped, "byte {at} bit {bit}: a refused file was changed");
            true
        }
        Ok(store) => {
            assert_eq!(contents(&store), before, "byte {at} bit {bit} changed what is read");
            // What goes unnoticed must be harmless to later writes too.
            let stream = store.stream(bed.ns, "clicks").unwrap();
            commit(&store, item(&stream, &[5])).unwrap();
            store.verify().unwrap();
            false
        }
    }
}

#[test]
fn a_flipped_bit_is_noticed_or_changes_nothing() {
    let bed = full_store();
    let bytes = fs::read(bed.path().join("hot.mdb")).unwrap();
    let store = open(bed.path(), &bed).unwrap();
    let before = contents(&store);
    store.close().unwrap();
    let mut random = Seeded(4774);
    let mut noticed = 0;
    for _ in 0..300 {
        let (at, bit) = (random.next(bytes.len()), random.next(8) as u8);
        noticed += u32::from(flip(&bed, &bytes, at, bit, &before));
    }
    assert!(noticed > 50, "{noticed} of 300 flips hit something");
}

#[test]
fn a_flipped_bit_of_a_meta_page_is_noticed_or_changes_nothing() {
    let bed = full_store();
    let bytes = fs::read(bed.path().join("hot.mdb")).unwrap();
    let store = open(bed.path(), &bed).unwrap();
    let before = contents(&store);
    store.close().unwrap();
    let mut noticed = 0;
    for page in [0, 4_096] {
        for at in page..page + 152 {
            noticed += u32::from(flip(&bed, &bytes, at, (at % 8) as u8, &before));
        }
    }
    assert!(noticed > 100, "{noticed} of 304 flips were noticed");
}

#[test]
fn a_truncated_file_is_refused_and_left_alone() {
    let bed = full_store();
    let bytes = fs::read(bed.path().join("hot.mdb")).unwrap();
    let mut random = Seeded(1);
    let mut sizes = vec![0, 1, 100, 4_095, 4_096, 4_097, 8_191, 8_192, bytes.len() - 4_096];
    sizes.extend((0..40).map(|_| random.next(bytes.len() - 4_096)));
    for size in sizes {
        let dir = copy(&bed, &bytes[..size]);
        if let Err(error) = open(dir.path(), &bed) {
            assert_eq!(error.kind(), Kind::Corrupt, "size {size}: {error:?}");
            assert_eq!(fs::read(dir.path().join("hot.mdb")).unwrap(), bytes[..size]);
        } else {
            // Only free pages were cut off.
            assert!(size > bytes.len() / 2, "size {size} was taken");
        }
    }
}

#[test]
fn garbage_is_refused() {
    let bed = full_store();
    let mut random = Seeded(2);
    for size in [8_192, 100_000] {
        let garbage: Vec<u8> = (0..size).map(|_| random.next(256) as u8).collect();
        let dir = copy(&bed, &garbage);
        assert_eq!(open(dir.path(), &bed).err().unwrap().kind(), Kind::Corrupt);
    }
}

#[test]
fn a_root_that_is_not_the_newest_is_refused() {
    let bed = full_store();
    let mut bytes = fs::read(bed.path().join("hot.mdb")).unwrap();
    let txn = |bytes: &[u8], page: usize| {
        u64::from_le_bytes(bytes[page * 4_096 + 144..page * 4_096 + 152].try_into().unwrap())
    };
    let (older, newest) = if txn(&bytes, 0) > txn(&bytes, 1) {
        (1, 0)
    } else {
        (0, 1)
    };
    // The older root dressed up as the newest: the numbers alone are as they should be.
    let next = txn(&bytes, newest) + 1;
    bytes[older * 4_096 + 144..older * 4_096 + 152].copy_from_slice(&next.to_le_bytes());
    let dir = copy(&bed, &bytes);
    assert_eq!(open(dir.path(), &bed).err().unwrap().kind(), Kind::Corrupt);
}

#[test]
fn a_second_server_on_a_directory_is_refused_by_name() {
    let bed = Bed::new();
    let error = open(bed.path(), &bed).err().unwrap();
    assert_eq!(
        (error.kind(), error.reason()),
        (Kind::FailedPrecondition, "STORE_LOCKED")
    );
    assert!(error.message().contains(&std::process::id().to_string()));
    let stream = bed.stream("clicks");
    bed.write(&stream, &[1]);
    bed.store.close().unwrap();
    open(bed.path(), &bed).unwrap();
}

#[test]
fn a_file_a_newer_format_and_a_missing_data_file_are_refused_by_name() {
    let bed = Bed::new();
    bed.store.close().unwrap();
    let reason = |dir: &Path| open(dir, &bed).err().unwrap().reason();
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(reason(file.path()), "NOT_A_DIRECTORY");
    let marker = bed.path().join("MARIGRAM");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("format 1", "format 2")).unwrap();
    assert_eq!(reason(bed.path()), "FORMAT_TOO_NEW");
    fs::write(&marker, &text).unwrap();
    let hot = bed.path().join("hot.mdb");
    let elsewhere = bed.path().join("elsewhere");
    fs::rename(&hot, &elsewhere).unwrap();
    assert_eq!(reason(bed.path()), "DATA_CORRUPT");
    std::os::unix::fs::symlink(&elsewhere, &hot).unwrap();
    assert_eq!(reason(bed.path()), "NOT_A_FILE");
    fs::remove_file(&hot).unwrap();
    fs::rename(&elsewhere, &hot).unwrap();
    open(bed.path(), &bed).unwrap();
}

#[test]
fn what_a_crash_left_of_a_store_in_the_making_is_made_again() {
    let bed = Bed::new();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("hot.new"), b"half a page").unwrap();
    fs::write(dir.path().join("hot.new-lock"), b"junk").unwrap();
    fs::write(dir.path().join("hot.mdb-lock"), b"junk").unwrap();
    open(dir.path(), &bed).unwrap().close().unwrap();
    // Made whole, and the crash came before the marker.
    fs::remove_file(dir.path().join("MARIGRAM")).unwrap();
    open(dir.path(), &bed).unwrap().close().unwrap();
    assert!(dir.path().join("MARIGRAM").exists());
    assert!(!dir.path().join("hot.new").exists());
}
