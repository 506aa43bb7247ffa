//! Rows through a real store: what was acknowledged is there, before and after it is opened again.

mod store_support;

use std::sync::Arc;

use marigram_core::column::{ColumnType, Reject, Schema, StreamKind, StreamSettings};
use marigram_core::error::Kind;
use marigram_core::store::Store;
use store_support::*;

#[test]
fn rows_are_there_at_once_and_after_a_restart() {
    let mut bed = Bed::new();
    let stream = bed.stream("clicks");
    assert_eq!(bed.write(&stream, &[NOW, NOW + 1]).commit, 1);
    assert_eq!(bed.write(&stream, &[NOW - 5]).commit, 2);
    assert_eq!(times(&stream), [NOW, NOW + 1, NOW - 5]);
    drop(stream);
    bed.reopen();
    let stream = bed.store.stream(bed.ns, "clicks").unwrap();
    assert_eq!(times(&stream), [NOW, NOW + 1, NOW - 5]);
    assert_eq!(stream.commits.published(), 2);
    assert_eq!(stream.entities().dictionary.get("ada"), Some(1));
    assert_eq!(stream.symbols(2).read().get("click"), Some(1));
    assert_eq!(stream.ledger().stored, 3);
    assert_eq!(stream.watermark(NOW), Some(NOW - 10_000_000_000));
    assert_eq!(bed.write(&stream, &[1]).commit, 3);
}

#[test]
fn a_crash_without_a_clean_stop_loses_nothing() {
    let bed = Bed::new();
    let stream = bed.stream("clicks");
    bed.write(&stream, &[1, 2, 3]);
    let copy = tempfile::tempdir().unwrap();
    for name in ["hot.mdb", "MARIGRAM"] {
        std::fs::copy(bed.path().join(name), copy.path().join(name)).unwrap();
    }
    let store = Store::open(copy.path(), options(&bed.clock)).unwrap();
    assert_eq!(times(&store.stream(bed.ns, "clicks").unwrap()), [1, 2, 3]);
}

#[test]
fn schema_labels_and_settings_come_back() {
    let mut bed = Bed::new();
    let mut schema = Schema::new(StreamKind::Metric, StreamSettings::default());
    schema.add_column("", "host", ColumnType::Label, "", "").unwrap();
    schema.add_column("", "value", ColumnType::F64, "", "By").unwrap();
    let (stream, commit) = bed.store.create_stream(bed.ns, "cpu", schema.clone()).unwrap();
    assert_eq!(commit, 1);
    let code = stream.intern_series([r#"{host="a"}"#].into_iter())[0];
    let mut one = item(&stream, &[]);
    one.batch = Some(packed(&[5], code));
    one.received = 1;
    commit_ok(&bed, one);
    bed.reopen();
    let stream = bed.store.stream(bed.ns, "cpu").unwrap();
    assert_eq!(*stream.schema(), schema);
    let entities = stream.entities();
    assert_eq!(entities.dictionary.text(code), r#"{host="a"}"#);
    assert!(entities.series.label(2).is_some(), "labels are indexed again");
}

fn commit_ok(bed: &Bed, item: marigram_core::store::CommitItem) -> u64 {
    commit(&bed.store, item).unwrap().commit
}

#[test]
fn a_stream_a_write_made_is_hidden_until_its_first_commit_and_forgotten_without_one() {
    let mut bed = Bed::new();
    let stream = bed.stream("clicks");
    assert_eq!(
        bed.store.stream(bed.ns, "clicks").unwrap_err().reason(),
        "STREAM_NOT_FOUND"
    );
    assert!(bed.store.streams(bed.ns).is_empty());
    bed.write(&stream, &[1]);
    bed.stream("never");
    assert_eq!(bed.store.streams(bed.ns).len(), 1);
    bed.reopen();
    assert_eq!(bed.store.streams(bed.ns).len(), 1);
    assert!(bed.store.stream(bed.ns, "never").is_err());
}

#[test]
fn a_namespace_may_forbid_writes_to_make_streams() {
    let mut bed = Bed::new();
    bed.store.set_namespace_creates_streams(bed.ns, false).unwrap();
    bed.reopen();
    assert!(!bed.store.namespace_creates_streams(bed.ns));
    let error = bed
        .store
        .stream_or_new(bed.ns, "clicks", StreamKind::Event)
        .unwrap_err();
    assert_eq!(error.reason(), "STREAM_CREATION_FORBIDDEN");
}

#[test]
fn an_item_that_does_not_add_up_is_refused_and_the_others_of_its_group_are_not() {
    let bed = Bed::new();
    let stream = bed.stream("clicks");
    let mut wrong = item(&stream, &[1, 2]);
    wrong.received = 3;
    let outcomes = [
        submit(&bed.store, item(&stream, &[1])),
        submit(&bed.store, wrong),
        submit(&bed.store, item(&stream, &[2])),
    ];
    let outcomes = outcomes.map(|outcome| outcome.recv().unwrap());
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1].as_ref().unwrap_err().kind(), Kind::Internal);
    assert_eq!(times(&stream), [1, 2]);
    assert!(stream.ledger().balances());
    assert_eq!(stream.ledger().received, 2);
}

#[test]
fn the_ledger_counts_every_row_and_survives_a_restart() {
    let mut bed = Bed::new();
    let stream = bed.stream("clicks");
    let mut one = item(&stream, &[1, 2, 3]);
    one.received = 5;
    one.late = 1;
    one.rejected.add(Reject::TypeMismatch, 2);
    one.quarantine = vec![
        quarantined(Reject::TypeMismatch, 10),
        quarantined(Reject::TypeMismatch, 20),
    ];
    commit_ok(&bed, one);
    bed.store.count_duplicate(&stream, 4);
    let before = *stream.ledger();
    assert_eq!(
        (before.received, before.stored, before.duplicate, before.late),
        (9, 3, 4, 1)
    );
    assert!(before.balances());
    bed.reopen();
    let stream = bed.store.stream(bed.ns, "clicks").unwrap();
    assert_eq!(*stream.ledger(), before, "a clean stop keeps duplicates too");
    let kept = bed.store.quarantined(&stream, 0, 10).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].1.rows.len(), 2);
    assert_eq!(kept[0].1.at_ns, NOW);
}

#[test]
fn quarantine_over_its_bound_is_counted_and_the_rows_of_the_batch_are_stored() {
    let bed = Bed::with(|options| options.quarantine_limit_bytes = 1_000);
    let stream = bed.stream("clicks");
    for _ in 0..4 {
        let mut one = item(&stream, &[1]);
        one.received = 2;
        one.rejected.add(Reject::TextTooLong, 1);
        one.quarantine = vec![quarantined(Reject::TextTooLong, 400)];
        commit_ok(&bed, one);
    }
    let status = bed.store.status();
    assert_eq!(status.quarantine_overflow, 2);
    assert!(status.quarantine_bytes <= 1_000);
    assert_eq!(times(&stream).len(), 4);
    bed.store.delete_stream(bed.ns, "clicks").unwrap();
    assert_eq!(bed.store.status().quarantine_bytes, 0);
}

#[test]
fn a_deleted_stream_leaves_nothing_and_its_name_may_be_used_again() {
    let mut bed = Bed::new();
    let old = bed.stream("clicks");
    let other = bed.stream("other");
    bed.write(&old, &[1, 2]);
    bed.write(&other, &[7]);
    bed.write(&old, &[3]);
    assert_eq!(bed.store.delete_stream(bed.ns, "clicks").unwrap(), (3, 4));
    assert!(old.is_deleted());
    let error = commit(&bed.store, item(&old, &[4])).unwrap_err();
    assert_eq!(error.reason(), "STREAM_NOT_FOUND");
    assert_eq!(
        bed.store.delete_stream(bed.ns, "clicks").unwrap_err().reason(),
        "STREAM_NOT_FOUND"
    );
    let new = bed.stream("clicks");
    assert_ne!(new.id, old.id);
    bed.write(&new, &[9]);
    bed.reopen();
    let new = bed.store.stream(bed.ns, "clicks").unwrap();
    assert_eq!(times(&new), [9]);
    assert_eq!(times(&bed.store.stream(bed.ns, "other").unwrap()), [7]);
    bed.store.delete_stream(bed.ns, "clicks").unwrap();
    bed.reopen();
    let third = bed.stream("clicks");
    assert!(third.id > new.id, "a number is never given out twice");
}

#[test]
fn an_explicit_stream_takes_the_place_of_one_that_was_never_committed() {
    let bed = Bed::new();
    let pending = bed.stream("clicks");
    let schema = Schema::new(StreamKind::Event, StreamSettings::default());
    let (made, _) = bed.store.create_stream(bed.ns, "clicks", schema.clone()).unwrap();
    assert!(Arc::ptr_eq(&made, &bed.store.stream(bed.ns, "clicks").unwrap()));
    let error = commit(&bed.store, item(&pending, &[1])).unwrap_err();
    assert_eq!(error.reason(), "STREAM_REPLACED");
    let error = bed.store.create_stream(bed.ns, "clicks", schema).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::AlreadyExists, "STREAM_EXISTS"));
}

#[test]
fn a_schema_changes_by_version_and_is_durable_at_return() {
    let mut bed = Bed::new();
    let schema = Schema::new(StreamKind::Event, StreamSettings::default());
    bed.store.create_stream(bed.ns, "clicks", schema).unwrap();
    let strict = |schema: &mut Schema| {
        schema.settings.strict = true;
        Ok(())
    };
    let error = bed.store.update_stream(bed.ns, "clicks", 7, strict).unwrap_err();
    assert_eq!(error.kind(), Kind::VersionConflict);
    let (stream, commit) = bed.store.update_stream(bed.ns, "clicks", 1, strict).unwrap();
    assert_eq!((stream.schema().version, commit), (2, 2));
    let (_, commit) = bed.store.update_stream(bed.ns, "clicks", 0, strict).unwrap();
    assert_eq!(commit, 2, "a change that changes nothing makes no commit");
    bed.reopen();
    let schema = bed.store.stream(bed.ns, "clicks").unwrap().schema();
    assert!(schema.settings.strict);
    assert_eq!(schema.version, 2);
}

#[test]
fn a_full_tail_refuses_rows_until_there_is_room() {
    let bed = Bed::with(|options| options.tail_limit_bytes = 40_000);
    let stream = bed.stream("clicks");
    let many: Vec<i64> = (0..1_000).map(|row| row * row).collect();
    let error = loop {
        match commit(&bed.store, item(&stream, &many)) {
            Ok(_) => assert!(bed.store.status().tail_bytes <= 40_000),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.reason()), (Kind::Overloaded, "TAIL_FULL"));
    assert!(error.retry_delay_ms().is_some());
    assert!(bed.store.pressure().throttle_percent > 0);
    assert_eq!(bed.store.admits(bed.ns, 10_000).unwrap_err().reason(), "TAIL_FULL");
    assert_eq!(bed.store.status().queue_bytes, 0);
    bed.store.delete_stream(bed.ns, "clicks").unwrap();
    assert_eq!(bed.store.status().tail_bytes, 0);
    assert_eq!(bed.store.pressure().throttle_percent, 0);
    bed.store.admits(bed.ns, 10_000).unwrap();
}

#[test]
fn below_the_floor_of_free_bytes_rows_are_refused_and_deletes_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let bed = Bed::new();
    drop(dir);
    let stream = bed.stream("clicks");
    bed.write(&stream, &[1]);
    bed.store.close().unwrap();
    let mut floor = options(&bed.clock);
    floor.min_free_bytes = u64::MAX;
    let store = Store::open(bed.path(), floor).unwrap();
    let stream = store.stream(bed.ns, "clicks").unwrap();
    let error = commit(&store, item(&stream, &[2])).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::StoreFull, "STORE_FULL"));
    assert_eq!(store.admits(bed.ns, 1).unwrap_err().reason(), "STORE_FULL");
    assert_eq!(store.status().accepting.unwrap_err().reason(), "STORE_FULL");
    assert_eq!(times(&stream), [1], "queries go on");
    store.delete_stream(bed.ns, "clicks").unwrap();
}

#[test]
fn a_closed_store_takes_nothing_and_closing_again_does_nothing() {
    let bed = Bed::new();
    let stream = bed.stream("clicks");
    let last = submit(&bed.store, item(&stream, &[1]));
    bed.store.close().unwrap();
    assert!(last.recv().unwrap().is_ok(), "what was queued is committed");
    bed.store.close().unwrap();
    assert_eq!(
        commit(&bed.store, item(&stream, &[2])).unwrap_err().reason(),
        "SHUTTING_DOWN"
    );
    assert_eq!(bed.store.create_namespace("x").unwrap_err().reason(), "SHUTTING_DOWN");
}

#[test]
fn a_panic_of_the_committer_calls_the_hook_and_stops_the_store() {
    let bed = Bed::new();
    let stream = bed.stream("clicks");
    let (sender, called) = std::sync::mpsc::channel();
    bed.store
        .set_committer_panic_hook(Box::new(move || sender.send(()).unwrap()));
    let mut one = item(&stream, &[1]);
    one.done = Box::new(|_| panic!("a fault of ours"));
    bed.store.submit(one);
    called.recv().unwrap();
    assert_eq!(
        commit(&bed.store, item(&stream, &[2])).unwrap_err().kind(),
        Kind::Internal
    );
}

#[test]
fn many_threads_and_streams_lose_nothing() {
    let mut bed = Bed::new();
    std::thread::scope(|scope| {
        for thread in 0..4i64 {
            let bed = &bed;
            scope.spawn(move || {
                let stream = bed.stream(&format!("s{}", thread % 2));
                let outcomes: Vec<_> = (0..200)
                    .map(|row| submit(&bed.store, item(&stream, &[thread * 1_000 + row])))
                    .collect();
                for outcome in outcomes {
                    outcome.recv().unwrap().unwrap();
                }
            });
        }
    });
    let commits = bed.store.status().commits;
    assert!(commits < 800, "groups form while the committer is busy: {commits}");
    bed.store.verify().unwrap();
    bed.reopen();
    for (name, threads) in [("s0", [0, 2]), ("s1", [1, 3])] {
        let all = times(&bed.store.stream(bed.ns, name).unwrap());
        for thread in threads {
            let own: Vec<i64> = all.iter().copied().filter(|time| time / 1_000 == thread).collect();
            let expected: Vec<i64> = (0..200).map(|row| thread * 1_000 + row).collect();
            assert_eq!(own, expected, "in the order they were sent");
        }
    }
}
