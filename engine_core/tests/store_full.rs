//! A disk that takes no more: rows are refused by name, nothing that was acknowledged is lost, memory and disk agree, and the
//! store goes on by itself once there is room. The limit on file sizes counts for a whole process, so that a child has it.

mod store_support;

use std::process::Command;

use marigram_core::error::Kind;
use store_support::*;

fn run_child(name: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[expect(unsafe_code, reason = "limits of the process have no safe face")]
fn limit_file_size(bytes: Option<u64>) {
    // SAFETY: both calls take plain values and a pointer to one that lives as long as the call.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let limit = libc::rlimit {
            rlim_cur: bytes.unwrap_or(libc::RLIM_INFINITY),
            rlim_max: libc::RLIM_INFINITY,
        };
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
}

#[test]
fn a_file_that_may_not_grow_refuses_rows_until_it_may() {
    run_child("child_whose_file_may_not_grow");
}

#[test]
#[ignore = "a child of the test above"]
fn child_whose_file_may_not_grow() {
    let mut bed = Bed::new();
    bed.store.open_writer(bed.ns, "w").unwrap();
    let stream = bed.stream("clicks");
    let many: Vec<i64> = (0..2_000).map(|row| row * row * 7_919).collect();
    let mut sequence = 0;
    let mut next = |times: &[i64]| {
        let mut one = item(&stream, times);
        one.writer = advance("w", 1, sequence + 1);
        let outcome = commit(&bed.store, one);
        sequence += u64::from(outcome.is_ok());
        outcome.map(|_| sequence)
    };
    let mut stored = next(&many).unwrap();
    limit_file_size(Some(600_000));
    let error = loop {
        match next(&many) {
            Ok(sequence) => stored = sequence,
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.reason()), (Kind::StoreFull, "STORE_FULL"));
    for _ in 0..5 {
        assert_eq!(next(&many).unwrap_err().reason(), "STORE_FULL");
    }
    let rows = stored as usize * many.len();
    assert_eq!(
        times(&stream).len(),
        rows,
        "queries go on, and see what was acknowledged"
    );
    assert_eq!(stream.ledger().stored, rows as u64);
    assert_eq!(bed.store.status().queue_bytes, 0);
    assert_eq!(bed.store.writer_head(bed.ns, "w").unwrap(), (1, stored + 1));
    limit_file_size(None);
    assert_eq!(next(&many).unwrap(), stored + 1, "there is room again");
    bed.store.verify().unwrap();
    drop(stream);
    bed.reopen();
    let stream = bed.store.stream(bed.ns, "clicks").unwrap();
    assert_eq!(times(&stream).len(), rows + many.len());
}

/// A filesystem of its own, gone with the test.
struct Disk(tempfile::TempDir);

impl Disk {
    /// Of so many bytes; none where this process may not mount one.
    fn of(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(dir.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since a failed test may still hold files on it.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_a_stream_can_be_deleted_and_rows_are_taken_again() {
    let Some(disk) = Disk::of(8 << 20) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI runs as root and can mount a tmpfs"
        );
        return;
    };
    let store_dir = disk.0.path().join("data");
    let clock = std::sync::Arc::new(marigram_core::time::ManualClock::at(NOW));
    let mut small = options(&clock);
    small.reserve_bytes = 1 << 20;
    let store = marigram_core::store::Store::open(&store_dir, small).unwrap();
    let ns = store.create_namespace("default").unwrap();
    let kind = marigram_core::column::StreamKind::Event;
    let (first, second) = (
        store.stream_or_new(ns, "first", kind).unwrap(),
        store.stream_or_new(ns, "second", kind).unwrap(),
    );
    let many: Vec<i64> = (0..20_000).map(|row| row * row * 7_919).collect();
    commit(&store, item(&second, &[1])).unwrap();
    let error = loop {
        if let Err(error) = commit(&store, item(&first, &many)) {
            break error;
        }
    };
    assert_eq!(error.reason(), "STORE_FULL");
    // Fill what is left, so that the delete needs the reserve.
    let rest = std::fs::write(disk.0.path().join("rest"), vec![0; 8 << 20]);
    assert!(rest.is_err(), "the disk is full");
    assert!(store_dir.join("reserve").exists());
    store.delete_stream(ns, "first").unwrap();
    commit(&store, item(&second, &many)).unwrap();
    store.verify().unwrap();
    assert_eq!(times(&second).len(), 20_001);
    store.close().unwrap();
}

#[test]
fn a_column_of_a_failed_change_keeps_its_number() {
    run_child("child_whose_change_fails");
}

#[test]
#[ignore = "a child of the test above"]
fn child_whose_change_fails() {
    use marigram_core::column::{ColumnType, Schema, StreamKind, StreamSettings};
    let bed = Bed::new();
    let schema = Schema::new(StreamKind::Event, StreamSettings::default());
    let (stream, _) = bed.store.create_stream(bed.ns, "clicks", schema).unwrap();
    limit_file_size(Some(1));
    let mut seen = None;
    let changed = bed.store.update_stream(bed.ns, "clicks", 0, |schema| {
        schema.settings.strict = true;
        seen = Some(schema.add_column("", "first", ColumnType::F64, "", "")?);
        Ok(())
    });
    assert_eq!(changed.unwrap_err().reason(), "STORE_FULL");
    limit_file_size(None);
    assert!(!stream.schema().settings.strict, "what failed is taken back");
    // Meanwhile rows may have been packed under that number.
    let next = stream.change_schema(|schema| schema.add_column("", "second", ColumnType::Symbol, "", ""));
    assert_ne!(Some(next.unwrap()), seen);
}

/// Bytes of address space that this process has.
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4_096
}

#[expect(unsafe_code, reason = "limits of the process have no safe face")]
fn limit(which: libc::__rlimit_resource_t, most: Option<u64>) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls take a plain value and a pointer to one that lives as long as the call.
    unsafe {
        assert_eq!(libc::getrlimit(which, &mut limit), 0);
        limit.rlim_cur = most.unwrap_or(limit.rlim_max);
        assert_eq!(libc::setrlimit(which, &limit), 0);
    }
}

#[test]
fn a_part_that_finds_no_address_space_or_descriptor_is_not_called_damaged() {
    run_child("child_that_may_take_no_more");
}

#[test]
#[ignore = "a child of the test above"]
fn child_that_may_take_no_more() {
    const SLACK: u64 = 2 << 20;
    let mut bed = Bed::with(|options| options.seals = false);
    let stream = bed.stream("clicks");
    let mut state = 88_172_645_463_325_252u64;
    let mut random = || {
        // Xorshift64: times that no codec makes small.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        NOW - (state >> 14) as i64
    };
    for _ in 0..20 {
        bed.write(&stream, &(0..100_000).map(|_| random()).collect::<Vec<_>>());
    }
    let (rows, commit) = (stream.rows(), stream.last_commit());
    bed.store.seal(&stream).unwrap();
    drop(stream);
    bed.reopen();
    let stream = bed.store.stream(bed.ns, "clicks").unwrap();
    let parts = stream.parts();
    let largest = parts.iter().max_by_key(|part| part.bytes()).unwrap();
    assert!(largest.bytes() > 2 * SLACK, "{} bytes", largest.bytes());
    let refusals = |open: &dyn Fn() -> marigram_core::error::Result<()>| {
        for _ in 0..20 {
            let error = open().unwrap_err();
            assert_eq!((error.kind(), error.reason()), (Kind::LimitExceeded, "PROCESS_LIMIT"));
        }
    };
    limit(libc::RLIMIT_AS, Some(address_space() + SLACK));
    refusals(&|| largest.open().map(drop));
    // Writes go on meanwhile.
    bed.write(&stream, &[NOW]);
    limit(libc::RLIMIT_AS, None);
    limit(libc::RLIMIT_NOFILE, Some(3));
    refusals(&|| largest.open().map(drop));
    limit(libc::RLIMIT_NOFILE, None);
    assert_eq!(largest.open().unwrap().rows() as u64, largest.rows());
    bed.store.verify().unwrap();
    assert_eq!((stream.rows(), stream.last_commit()), (rows + 1, commit + 1));
}
