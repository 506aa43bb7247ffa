//! Backups: whole as of one commit while everything goes on, cheap after the first, free of what was deleted, and refused by name
//! once anything in them is not what was written.

mod store_support;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};

use marigram_core::column::BLOCK_ROWS;
use marigram_core::error::Kind;
use marigram_core::store::backup::{backup_offline, look_at_backup, restore, rollback_to_previous, verify_backup};
use marigram_core::store::{Store, Stream};
use marigram_core::time::SECOND_NS;
use store_support::*;

/// Every time of a stream, sealed or not, ascending.
fn all_times(stream: &Stream) -> Vec<i64> {
    let mut all = times(stream);
    let mut block = [0; BLOCK_ROWS];
    for part in stream.parts().iter() {
        let part = part.open().unwrap();
        let column = part.column(0).unwrap().unwrap();
        for at in 0..part.blocks() {
            column.decode_i64(at, &mut block).unwrap();
            all.extend_from_slice(&block[..part.block_rows(at)]);
        }
    }
    all.sort_unstable();
    all
}

/// Opens a data directory and reads a stream of namespace `default`.
fn times_in(dir: &Path, bed: &Bed, name: &str) -> Vec<i64> {
    let store = Store::open(dir, options(&bed.clock)).unwrap();
    store.verify().unwrap();
    let stream = store.stream(store.namespace("default").unwrap(), name).unwrap();
    let found = all_times(&stream);
    drop(stream);
    store.close().unwrap();
    found
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

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

/// A store with sealed rows in two streams, rows in the log and a document.
fn filled() -> Bed {
    let bed = Bed::with(|options| options.seals = false);
    for name in ["clicks", "views"] {
        let stream = bed.stream(name);
        bed.write(&stream, &(0..3_000).map(|row| NOW + row * 7_919).collect::<Vec<_>>());
        bed.store.seal(&stream).unwrap();
        bed.write(&stream, &[NOW - 1, NOW - 2]);
    }
    bed.store
        .documents()
        .put(bed.ns, "dashboards", "one", b"content", None)
        .unwrap();
    bed
}

#[test]
fn what_is_restored_is_a_prefix_of_what_was_acknowledged() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = bed.stream("clicks");
    let out = tempfile::tempdir().unwrap();
    let (acknowledged, is_over) = (AtomicI64::new(0), AtomicBool::new(false));
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 0;
            while !is_over.load(SeqCst) && next < 2_000_000 {
                bed.write(&stream, &(next..next + 40).collect::<Vec<_>>());
                next += 40;
                acknowledged.store(next, SeqCst);
                if next % 1_200 == 0 {
                    bed.store.seal(&stream).unwrap();
                }
            }
        });
        for cycle in 0..20 {
            while acknowledged.load(SeqCst) < 200 * (cycle + 1) {
                std::thread::yield_now();
            }
            let (target, base) = (
                out.path().join(format!("{cycle}")),
                out.path().join(format!("{}", cycle - 1)),
            );
            let before = acknowledged.load(SeqCst);
            let report = bed
                .store
                .backup(&target, (cycle > 0).then_some(base.as_path()))
                .unwrap();
            // One more commit may be durable and not yet acknowledged.
            seen.push((target, before, acknowledged.load(SeqCst) + 40, report));
        }
        is_over.store(true, SeqCst);
    });
    let mut shared = 0;
    for (target, before, after, report) in seen {
        let verified = verify_backup(&target).unwrap();
        assert_eq!((verified.files, verified.bytes), (report.files, report.bytes));
        shared += report.shared_parts;
        let restored = target.with_extension("restored");
        restore(&target, &restored).unwrap();
        let found = times_in(&restored, &bed, "clicks");
        let rows = found.len() as i64;
        assert!(before <= rows && rows <= after, "{before} <= {rows} <= {after}");
        assert!(
            found.iter().copied().eq(0..rows),
            "nothing is missing and nothing is there twice"
        );
        fs::remove_dir_all(restored).unwrap();
    }
    assert!(shared > 0, "later backups share parts with earlier ones");
    assert_eq!(all_times(&stream).len() as i64, acknowledged.load(SeqCst));
}

#[test]
fn a_part_is_stored_once_however_many_backups_have_it() {
    let bed = filled();
    let out = tempfile::tempdir().unwrap();
    let (first, second) = (out.path().join("first"), out.path().join("second"));
    let report = bed.store.backup(&first, None).unwrap();
    assert_eq!((report.shared_parts, report.contents.parts), (0, 2));
    let stream = bed.stream("clicks");
    bed.write(&stream, &[5]);
    bed.store.seal(&stream).unwrap();
    let report = bed.store.backup(&second, Some(&first)).unwrap();
    assert!(report.contents.parts > 2);
    assert_eq!(report.shared_parts, 2);
    let shared = files(&second)
        .iter()
        .filter(|path| path.metadata().unwrap().nlink() == 2)
        .count();
    assert_eq!(shared, 2);
    fs::remove_dir_all(&first).unwrap();
    assert_eq!(verify_backup(&second).unwrap().contents.parts, report.contents.parts);
    assert_eq!(report.namespaces, [("default".to_owned(), stream.last_commit())]);

    let foreign = Bed::with(|options| options.seed = 8);
    let error = foreign
        .store
        .backup(&out.path().join("fourth"), Some(&second))
        .unwrap_err();
    assert_eq!(error.reason(), "BACKUP_FOREIGN");
}

#[test]
fn parts_that_go_meanwhile_are_kept_until_the_backup_is_made() {
    let bed = filled();
    let out = tempfile::tempdir().unwrap();
    let mut caught = 0;
    for cycle in 0..6 {
        // Parts are copied by the number of their stream, and these have the greatest: they go while the first are copied.
        let names: Vec<String> = (0..20).map(|number| format!("short_{cycle}_{number}")).collect();
        for name in &names {
            let stream = bed.stream(name);
            bed.write(&stream, &[1, 2, 3]);
            bed.store.seal(&stream).unwrap();
        }
        let target = out.path().join(format!("{cycle}"));
        let unfinished = out.path().join(format!("{cycle}.unfinished/parts"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !fs::read_dir(&unfinished).is_ok_and(|mut found| found.next().is_some()) && !target.exists() {
                    std::thread::yield_now();
                }
                for name in names.iter().rev() {
                    bed.store.delete_stream(bed.ns, name).unwrap();
                    caught += u32::from(!target.exists());
                }
            });
            bed.store.backup(&target, None).unwrap();
        });
        assert_eq!(verify_backup(&target).unwrap().contents.parts, 22);
        let left = files(&bed.path().join("parts")).len();
        assert_eq!(left, 2, "what nobody names is gone once the backup is made");
    }
    assert!(caught > 0, "no part went while a backup was made");
}

#[test]
fn what_was_deleted_is_in_no_byte_of_a_backup() {
    const PLANTED: &str = "PLANTED-person@example.org";
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes())
    };
    let bed = filled();
    for round in 0..3 {
        let stream = bed.stream("people");
        let entity = stream.intern_users([PLANTED, "somebody"].into_iter())[0];
        stream.symbols(2).intern(["click", PLANTED].into_iter());
        let mut one = item(&stream, &[NOW, NOW + 1]);
        one.batch = Some(packed(&[NOW, NOW + 1], entity));
        commit(&bed.store, one).unwrap();
        if round > 0 {
            bed.store.seal(&stream).unwrap();
        }
        let (documents, long) = (bed.store.documents(), PLANTED.repeat(100 * round + 3));
        documents.put(bed.ns, "notes", "person", long.as_bytes(), None).unwrap();
        documents.delete(bed.ns, "notes", "person", None).unwrap();
        bed.store.delete_stream(bed.ns, "people").unwrap();
    }
    // Values of a page, in buffers that have held others: LMDB writes what lies behind them too.
    for round in 0..20 {
        let documents = bed.store.documents();
        let long = PLANTED.repeat(140);
        documents.put(bed.ns, "notes", "person", long.as_bytes(), None).unwrap();
        let short = vec![b'x'; 2_200 + round];
        documents.put(bed.ns, "notes", "person", &short, None).unwrap();
        documents
            .put(bed.ns, "notes", &format!("other {round}"), &short, None)
            .unwrap();
    }
    assert!(
        holds(&bed.path().join("hot.mdb")),
        "the store's own file keeps it until its pages are used again"
    );
    let out = tempfile::tempdir().unwrap();
    bed.store.backup(&out.path().join("made"), None).unwrap();
    for path in files(out.path()) {
        assert!(!holds(&path), "{}", path.display());
    }
}

#[test]
fn a_damaged_backup_is_refused_with_the_file_and_the_rule() {
    let bed = filled();
    let out = tempfile::tempdir().unwrap();
    let sound = out.path().join("sound");
    bed.store.backup(&sound, None).unwrap();
    let before: Vec<(PathBuf, Vec<u8>)> = files(&sound)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    verify_backup(&sound).unwrap();
    let after: Vec<(PathBuf, Vec<u8>)> = files(&sound)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert!(before == after, "a backup is not changed by being verified");

    let refused = |what: &str, damage: &dyn Fn(&Path)| {
        let (damaged, target) = (out.path().join("damaged"), out.path().join("restored"));
        copy_tree(&sound, &damaged);
        damage(&damaged);
        let verified = verify_backup(&damaged).unwrap_err();
        let restored = restore(&damaged, &target).unwrap_err();
        assert_eq!(
            (verified.kind(), verified.reason()),
            (restored.kind(), restored.reason()),
            "{what}"
        );
        assert!(!target.exists(), "{what}");
        assert!(!out.path().join("restored.restoring").exists(), "{what}");
        fs::remove_dir_all(&damaged).unwrap();
        verified
    };
    assert!(before.len() >= 5);
    for (path, content) in &before {
        let name = path.strip_prefix(&sound).unwrap().to_str().unwrap().to_owned();
        let len = content.len() as u64;
        for at in [0, len / 3, len / 2, len - 1] {
            let error = refused(&name, &|dir| {
                let file = fs::OpenOptions::new()
                    .read(true)
                    .write(true)
                    .open(dir.join(&name))
                    .unwrap();
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
            });
            assert_eq!(
                (error.kind(), error.reason()),
                (Kind::Corrupt, "BACKUP_DAMAGED"),
                "{name} {at}"
            );
            assert!(error.message().contains(&name), "{error}");
        }
        for keep in [0, len / 2, len - 1] {
            let error = refused(&name, &|dir| {
                let file = fs::OpenOptions::new().write(true).open(dir.join(&name)).unwrap();
                file.set_len(keep).unwrap();
            });
            assert!(error.message().contains(&name), "{error}");
        }
        let error = refused(&name, &|dir| fs::remove_file(dir.join(&name)).unwrap());
        let reason = if name == "BACKUP" {
            "NOT_A_BACKUP"
        } else {
            "BACKUP_DAMAGED"
        };
        assert_eq!(error.reason(), reason, "{name}");
    }
    for extra in ["hot.new", "parts/9-9-9.mdb"] {
        let error = refused(extra, &|dir| fs::write(dir.join(extra), b"x").unwrap());
        assert!(
            error.message().contains(extra) && error.message().contains("not in its list"),
            "{error}"
        );
    }
    // A list that agrees with files of another backup: sizes and checksums are right, what they hold is not.
    let stream = bed.stream("clicks");
    bed.write(&stream, &[9]);
    let later = out.path().join("later");
    bed.store.backup(&later, None).unwrap();
    let error = refused("hot of another backup", &|dir| {
        let line = |dir: &Path| {
            let list = fs::read_to_string(dir.join("BACKUP")).unwrap();
            list.lines().find(|line| line.ends_with(" hot.mdb")).unwrap().to_owned()
        };
        let list = fs::read_to_string(dir.join("BACKUP"))
            .unwrap()
            .replace(&line(dir), &line(&later));
        let body = list.split("crc32c ").next().unwrap();
        let crc = marigram_core::codec::checksum::crc32c(body.as_bytes());
        fs::write(dir.join("BACKUP"), format!("{body}crc32c {crc:08x}\n")).unwrap();
        fs::copy(later.join("hot.mdb"), dir.join("hot.mdb")).unwrap();
    });
    assert!(error.message().contains("other commits"), "{error}");
}

#[test]
fn a_look_at_a_backup_says_what_its_list_says_and_misses_no_file() {
    let bed = filled();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("backup");
    let made = bed.store.backup(&target, None).unwrap();
    let seen = look_at_backup(&target).unwrap();
    assert_eq!(
        (seen.store_id, seen.created_ns, seen.files, seen.bytes),
        (made.store_id, made.created_ns, made.files, made.bytes)
    );
    assert_eq!(seen.namespaces, made.namespaces);
    let part = files(&target.join("parts")).remove(0);
    fs::File::options()
        .append(true)
        .open(&part)
        .unwrap()
        .set_len(7)
        .unwrap();
    assert_eq!(look_at_backup(&target).unwrap_err().reason(), "BACKUP_DAMAGED");
    fs::remove_file(target.join("BACKUP")).unwrap();
    assert_eq!(look_at_backup(&target).unwrap_err().reason(), "NOT_A_BACKUP");
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_behind() {
    let bed = filled();
    let out = tempfile::tempdir().unwrap();
    let (made, restored) = (out.path().join("made"), out.path().join("restored"));
    // What a killed backup left is in nobody's way.
    fs::create_dir_all(out.path().join("made.unfinished/parts")).unwrap();
    fs::write(out.path().join("made.unfinished/hot.mdb"), b"half").unwrap();
    bed.store.backup(&made, None).unwrap();
    assert_eq!(bed.store.backup(&made, None).unwrap_err().reason(), "TARGET_EXISTS");
    let inside = bed.path().join("backup");
    assert_eq!(bed.store.backup(&inside, None).unwrap_err().reason(), "BAD_PATH");
    let nowhere = out.path().join("no/where");
    assert_eq!(
        bed.store.backup(&nowhere, None).unwrap_err().reason(),
        "NOT_A_DIRECTORY"
    );
    fs::create_dir(&restored).unwrap();
    restore(&made, &restored).unwrap();
    assert_eq!(restore(&made, &restored).unwrap_err().reason(), "TARGET_EXISTS");
    assert_eq!(verify_backup(&restored).unwrap_err().reason(), "NOT_A_BACKUP");
    assert_eq!(times_in(&restored, &bed, "views").len(), 3_002);
    let names: Vec<_> = fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");

    // A restored store goes on: it takes rows, seals and is backed up again.
    let store = Store::open(&restored, options(&bed.clock)).unwrap();
    let stream = store.stream(bed.ns, "views").unwrap();
    commit(&store, item(&stream, &[1, 2])).unwrap();
    store.seal(&stream).unwrap();
    store.backup(&out.path().join("again"), Some(&made)).unwrap();
    assert_eq!(
        verify_backup(&out.path().join("again")).unwrap().contents.part_rows,
        3_000 + 3_004
    );
    drop(stream);
    store.close().unwrap();
    assert_eq!(times_in(&restored, &bed, "views").len(), 3_004);
}

#[test]
fn a_store_that_nobody_holds_is_backed_up_as_it_lies() {
    let bed = filled();
    let out = tempfile::tempdir().unwrap();
    let made = out.path().join("made");
    fs::write(bed.path().join("pepper"), b"00").unwrap();
    fs::write(bed.path().join("admin.key"), b"secret").unwrap();
    let held = backup_offline(bed.path(), options(&bed.clock), &made, None).unwrap_err();
    assert_eq!(held.reason(), "STORE_LOCKED");
    bed.store.close().unwrap();
    let report = backup_offline(bed.path(), options(&bed.clock), &made, None).unwrap();
    assert_eq!((report.contents.rows, report.contents.part_rows), (4, 6_000));
    let nothing = backup_offline(out.path(), options(&bed.clock), &out.path().join("x"), None).unwrap_err();
    assert_eq!(nothing.reason(), "NOT_A_STORE");
    assert_eq!(
        fs::read(made.join("pepper")).unwrap(),
        b"00",
        "keys are of no use without it"
    );
    assert!(!made.join("admin.key").exists());
    assert_eq!(fs::metadata(&made).unwrap().mode() & 0o777, 0o700);
    // A backup is a data directory itself.
    assert_eq!(times_in(&made, &bed, "clicks").len(), 3_002);
}

#[test]
fn a_damaged_part_is_not_taken_into_a_backup() {
    let bed = filled();
    let path = files(&bed.path().join("parts")).remove(0);
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    // Every page's header survives: only the checksum of a block notices.
    let at = bytes.len() as u64 / 2 / 4_096 * 4_096 + 100;
    file.write_all_at(&[!bytes[at as usize]], at).unwrap();
    let out = tempfile::tempdir().unwrap();
    let outcome = bed.store.backup(&out.path().join("made"), None);
    if bed.store.verify().is_err() {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.message().contains("\"clicks\""), "{error}");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    } else {
        panic!("the damage hit nothing");
    }
}

#[test]
fn a_store_goes_back_one_transaction_and_is_kept_as_it_was() {
    let bed = filled();
    let stream = bed.stream("clicks");
    bed.write(&stream, &[NOW + 1, NOW + 2]);
    // Nothing is committed after this but the mark of the stop.
    bed.store.seal(&stream).unwrap();
    let all = all_times(&stream);
    drop(stream);
    bed.store.close().unwrap();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().join("stopped");
    copy_tree(bed.path(), &dir);
    let held = rollback_to_previous(&dir).unwrap();
    assert_eq!(times_in(&dir, &bed, "clicks"), all);
    assert_eq!(times_in(&held.kept, &bed, "clicks"), all);
    let again = rollback_to_previous(&dir).unwrap_err();
    assert!(again.message().contains("cannot be rolled back"), "{again}");
}

#[test]
fn rows_that_the_last_transaction_sealed_are_in_the_log_again() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = bed.stream("clicks");
    bed.write(&stream, &[NOW + 1, NOW + 2]);
    bed.store.seal(&stream).unwrap();
    // Copied while it is open: the seal is the last transaction, as after a crash.
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().join("crashed");
    copy_tree(bed.path(), &dir);
    assert_eq!(files(&dir.join("parts")).len(), 1);
    let report = rollback_to_previous(&dir).unwrap();
    assert_eq!((report.contents.rows, report.contents.parts), (2, 0));
    assert_eq!(times_in(&dir, &bed, "clicks"), [NOW + 1, NOW + 2]);
    assert_eq!(files(&dir.join("parts")).len(), 0);
    assert_eq!(times_in(&report.kept, &bed, "clicks"), [NOW + 1, NOW + 2]);
    fs::remove_dir_all(&report.kept).unwrap();
}

#[test]
fn a_store_does_not_go_back_to_parts_that_are_gone() {
    let bed = filled();
    bed.store.delete_stream(bed.ns, "views").unwrap();
    // Copied while it is open: the deletion is the last transaction, as after a crash.
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().join("crashed");
    copy_tree(bed.path(), &dir);
    let before: Vec<Vec<u8>> = files(&dir).into_iter().map(|path| fs::read(path).unwrap()).collect();
    let error = rollback_to_previous(&dir).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(
        error.message().contains("cannot be rolled back") && error.message().contains("\"views\""),
        "{error}"
    );
    let lock = |path: &PathBuf| !path.ends_with("lock");
    let after = files(&dir).into_iter().filter(lock).count();
    assert_eq!(after, before.len() - 1, "nothing was added or removed");
    assert_eq!(times_in(&dir, &bed, "clicks").len(), 3_002);
}

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
fn a_full_disk_leaves_nothing_of_a_backup() {
    run_child("child_whose_backup_finds_no_room");
}

#[test]
#[ignore = "a child of the test above"]
fn child_whose_backup_finds_no_room() {
    let bed = filled();
    let stream: Arc<Stream> = bed.stream("clicks");
    let many: Vec<i64> = (0..20_000).map(|row| row * row * 7_919).collect();
    bed.write(&stream, &many);
    bed.store.seal(&stream).unwrap();
    let out = tempfile::tempdir().unwrap();
    let (made, restored) = (out.path().join("made"), out.path().join("restored"));
    let mut refusals = 0;
    for limit in [5_000, 20_000, 50_000, 100_000] {
        limit_file_size(Some(limit));
        let outcome = bed.store.backup(&made, None);
        limit_file_size(None);
        if let Err(error) = outcome {
            assert_eq!((error.kind(), error.reason()), (Kind::StoreFull, "TARGET_FULL"));
            assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "{limit}");
            refusals += 1;
        } else {
            fs::remove_dir_all(&made).unwrap();
        }
    }
    assert!(refusals >= 2);
    bed.store.backup(&made, None).unwrap();
    limit_file_size(Some(20_000));
    let outcome = restore(&made, &restored);
    limit_file_size(None);
    assert_eq!(outcome.unwrap_err().reason(), "TARGET_FULL");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    restore(&made, &restored).unwrap();
    bed.write(&stream, &[SECOND_NS]);
    bed.store.verify().unwrap();
}
