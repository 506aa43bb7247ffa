//! The rehearsal of an upgrade, with a second format that is made up: killed again and again, there is the old store or the new one.

mod store_support;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use marigram_core::error::{Error, Result};
use marigram_core::store::Store;
use marigram_core::store::migrate::{Steps, migrate};
use store_support::*;

const KILLS: u32 = 50;

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

fn is_new(dir: &Path) -> Result<bool> {
    Ok(fs::read_to_string(dir.join("MARIGRAM")).unwrap().contains("format 2\n"))
}

/// The made-up format: every byte of the data file is turned around, and the marker says 2.
fn change(dir: &Path) -> Result<()> {
    let old = fs::read(dir.join("hot.mdb")).unwrap();
    let turned: Vec<u8> = old.iter().map(|byte| !byte).collect();
    fs::write(dir.join("hot.two"), turned).unwrap();
    fs::remove_file(dir.join("hot.mdb")).unwrap();
    let marker = fs::read_to_string(dir.join("MARIGRAM")).unwrap();
    fs::write(dir.join("MARIGRAM"), marker.replace("format 1", "format 2")).unwrap();
    Ok(())
}

/// Whether a directory of the new format is whole: turned around again it is one of the old.
fn check_new(dir: &Path) -> Result<()> {
    let turned = fs::read(dir.join("hot.two")).map_err(|error| Error::corrupt("the data file", error.to_string()))?;
    assert_eq!(turned.first(), Some(&0xFF));
    assert!(!dir.join("hot.mdb").exists() && is_new(dir)?);
    Ok(())
}

fn run(dir: &Path) -> Result<PathBuf> {
    let (is_new, change, check) = (is_new, change, check_new);
    migrate(dir, Steps { is_new, change, check })
}

/// Rows that a directory of either format has, on a copy.
fn rows_in(dir: &Path, bed: &Bed) -> u64 {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(dir, copy.path());
    if is_new(dir).unwrap() {
        check_new(dir).unwrap();
        let old: Vec<u8> = fs::read(dir.join("hot.two"))
            .unwrap()
            .iter()
            .map(|byte| !byte)
            .collect();
        fs::write(copy.path().join("hot.mdb"), old).unwrap();
        let marker = fs::read_to_string(dir.join("MARIGRAM")).unwrap();
        fs::write(copy.path().join("MARIGRAM"), marker.replace("format 2", "format 1")).unwrap();
    }
    let store = Store::open(copy.path(), options(&bed.clock)).unwrap();
    store.verify().unwrap();
    let rows = store.stream(bed.ns, "clicks").unwrap().rows();
    store.close().unwrap();
    rows
}

/// A store that is closed, with 20,003 rows, most of them sealed.
fn closed() -> Bed {
    let bed = Bed::with(|options| options.seals = false);
    let stream = bed.stream("clicks");
    bed.write(&stream, &(0..20_000).map(|row| row * row * 7_919).collect::<Vec<_>>());
    bed.store.seal(&stream).unwrap();
    bed.write(&stream, &[1, 2, 3]);
    drop(stream);
    bed.store.close().unwrap();
    bed
}

#[test]
fn killed_at_any_moment_there_is_the_old_store_or_the_new_one() {
    let bed = closed();
    let out = tempfile::tempdir().unwrap();
    let child = |dir: &Path| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_migrates", "--ignored", "--test-threads=1"])
            .env("MIGRATED", dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let whole = out.path().join("whole");
    copy_tree(bed.path(), &whole);
    let began = Instant::now();
    assert!(child(&whole).wait().unwrap().success());
    let mut took = began.elapsed();
    let (mut killed, mut old, mut new) = (0, 0, 0);
    for round in 0..KILLS {
        let home = out.path().join(format!("{round}"));
        let dir = home.join("data");
        copy_tree(bed.path(), &dir);
        let mut process = child(&dir);
        let (began, moment) = (Instant::now(), took * round / KILLS);
        while began.elapsed() < moment {
            if process.try_wait().unwrap().is_some() {
                // Faster than the first, which may have had a busy machine: moments are of its time from here on.
                took = began.elapsed();
                break;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        // One that has ended cannot be killed any more.
        let _ = process.kill();
        killed += u32::from(!process.wait().unwrap().success());
        match is_new(&dir).unwrap() {
            true => new += 1,
            false => old += 1,
        }
        assert_eq!(rows_in(&dir, &bed), 20_003, "round {round}");
        let kept = run(&dir).unwrap();
        assert!(is_new(&dir).unwrap() && !is_new(&kept).unwrap());
        assert_eq!((rows_in(&dir, &bed), rows_in(&kept, &bed)), (20_003, 20_003));
        assert_eq!(
            fs::read_dir(&home).unwrap().count(),
            2,
            "the store and what it was, nothing else"
        );
        fs::remove_dir_all(home).unwrap();
    }
    eprintln!("{killed} of {KILLS} killed while it ran: {old} times the old store, {new} times the new one");
    assert!(killed >= KILLS / 2, "{killed} were killed");
}

#[test]
#[ignore = "a child of the test above"]
fn child_that_migrates() {
    run(Path::new(&std::env::var("MIGRATED").unwrap())).unwrap();
}

#[test]
fn a_change_that_fails_or_is_not_whole_leaves_the_store_as_it_was() {
    let bed = closed();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().join("data");
    copy_tree(bed.path(), &dir);
    let fails = |_: &Path| Err(Error::corrupt("it fails", ""));
    let outcome = migrate(
        &dir,
        Steps {
            is_new,
            change: fails,
            check: check_new,
        },
    );
    assert_eq!(outcome.unwrap_err().message(), "it fails");
    let outcome = migrate(
        &dir,
        Steps {
            is_new,
            change,
            check: fails,
        },
    );
    assert_eq!(outcome.unwrap_err().message(), "it fails");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    assert_eq!(rows_in(&dir, &bed), 20_003);
    assert!(!is_new(&dir).unwrap());
}

#[test]
fn a_store_of_the_new_format_stays_as_it_is() {
    let bed = closed();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().join("data");
    copy_tree(bed.path(), &dir);
    let changes = Cell::new(0);
    for _ in 0..3 {
        let counted = |dir: &Path| {
            changes.set(changes.get() + 1);
            change(dir)
        };
        migrate(
            &dir,
            Steps {
                is_new,
                change: counted,
                check: check_new,
            },
        )
        .unwrap();
    }
    assert_eq!(changes.get(), 1);
    let held = Store::open(out.path().join("data.before-migration").as_path(), options(&bed.clock)).unwrap();
    let error = run(&out.path().join("data.before-migration")).unwrap_err();
    assert_eq!(error.reason(), "STORE_LOCKED");
    held.close().unwrap();
    assert_eq!(run(out.path()).unwrap_err().reason(), "NOT_A_STORE");
    let refused = Store::open(&dir, options(&bed.clock)).map(|_| ()).unwrap_err();
    assert_eq!(
        refused.reason(),
        "FORMAT_TOO_NEW",
        "the program of the old format refuses the new one by name"
    );
}
