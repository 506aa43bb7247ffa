//! Namespaces, writers and documents of a real store.

mod store_support;

use marigram_core::column::Reject;
use marigram_core::error::Kind;
use marigram_core::store::{CommitItem, NamespaceId, Quota, Store};
use marigram_core::time::SECOND_NS;
use store_support::*;

const DAY_NS: i64 = 86_400 * SECOND_NS;

#[test]
fn namespaces_have_unique_names_and_ids_of_their_own() {
    let mut bed = Bed::new();
    let other = bed.store.create_namespace("other").unwrap();
    assert_ne!(other, bed.ns);
    assert_ne!(other, NamespaceId::SYSTEM);
    let error = bed.store.create_namespace("other").unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (Kind::AlreadyExists, "NAMESPACE_EXISTS")
    );
    assert_eq!(bed.store.create_namespace("").unwrap_err().reason(), "BAD_NAME");
    bed.reopen();
    assert_eq!(bed.store.namespace("other"), Some(other));
    assert_eq!(bed.store.namespace("nope"), None);
    assert_eq!(bed.store.namespaces().len(), 2);
}

#[test]
fn one_namespace_does_not_see_what_is_in_another() {
    let bed = Bed::new();
    let other = bed.store.create_namespace("other").unwrap();
    let stream = bed.stream("clicks");
    bed.write(&stream, &[1]);
    assert_eq!(
        bed.store.stream(other, "clicks").unwrap_err().reason(),
        "STREAM_NOT_FOUND"
    );
    assert_eq!(
        bed.store.stream(NamespaceId(99), "clicks").unwrap_err().reason(),
        "NAMESPACE_NOT_FOUND"
    );
    assert_eq!(bed.store.writer(other, "w").unwrap_err().reason(), "WRITER_NOT_OPEN");
    bed.store.documents().put(bed.ns, "alerts", "a", b"x", None).unwrap();
    assert_eq!(bed.store.documents().get(other, "alerts", "a").unwrap(), None);
    let theirs = bed
        .store
        .stream_or_new(other, "clicks", marigram_core::column::StreamKind::Event)
        .unwrap();
    assert_eq!(
        commit(&bed.store, item(&theirs, &[2])).unwrap().commit,
        1,
        "commits are numbered by namespace"
    );
    assert_eq!(times(&stream), [1]);
}

fn from_writer(bed: &Bed, epoch: u64, sequence: u64) -> CommitItem {
    let stream = bed.stream("clicks");
    CommitItem {
        writer: advance("w", epoch, sequence),
        ..item(&stream, &[sequence as i64])
    }
}

#[test]
fn a_writers_batches_are_taken_in_sequence_and_once() {
    let mut bed = Bed::new();
    assert_eq!(bed.store.open_writer(bed.ns, "w").unwrap(), (1, 1));
    commit(&bed.store, from_writer(&bed, 1, 1)).unwrap();
    for sequence in [1, 3] {
        let error = commit(&bed.store, from_writer(&bed, 1, sequence)).unwrap_err();
        assert_eq!(error.kind(), Kind::OutOfRange);
    }
    commit(&bed.store, from_writer(&bed, 1, 2)).unwrap();
    bed.reopen();
    let writer = bed.store.writer(bed.ns, "w").unwrap();
    assert_eq!((writer.epoch, writer.next_sequence), (1, 3));
    assert_eq!(writer.outcomes.len(), 2);
    assert_eq!(writer.outcomes[1].hash, 62);
    assert_eq!(writer.outcomes[1].stored, 1);
    assert_eq!(times(&bed.store.stream(bed.ns, "clicks").unwrap()), [1, 2]);
}

#[test]
fn a_gap_refuses_what_follows_it_and_nothing_else() {
    let bed = Bed::new();
    bed.store.open_writer(bed.ns, "w").unwrap();
    let stream = bed.stream("clicks");
    let outcomes: Vec<_> = [
        from_writer(&bed, 1, 1),
        from_writer(&bed, 1, 3),
        from_writer(&bed, 1, 4),
        item(&stream, &[100]),
        from_writer(&bed, 1, 2),
    ]
    .into_iter()
    .map(|one| submit(&bed.store, one))
    .collect();
    let outcomes: Vec<bool> = outcomes
        .into_iter()
        .map(|outcome| outcome.recv().unwrap().is_ok())
        .collect();
    assert_eq!(outcomes, [true, false, false, true, true]);
    assert_eq!(times(&stream), [1, 100, 2]);
    assert_eq!(bed.store.writer_head(bed.ns, "w").unwrap(), (1, 3));
}

#[test]
fn opening_a_writer_again_fences_the_one_before() {
    let mut bed = Bed::new();
    bed.store.open_writer(bed.ns, "w").unwrap();
    commit(&bed.store, from_writer(&bed, 1, 1)).unwrap();
    assert_eq!(bed.store.open_writer(bed.ns, "w").unwrap(), (2, 2));
    let error = commit(&bed.store, from_writer(&bed, 1, 2)).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Fenced, "WRITER_FENCED"));
    bed.reopen();
    commit(&bed.store, from_writer(&bed, 2, 2)).unwrap();
}

#[test]
fn the_last_64_outcomes_are_kept_with_their_reasons() {
    let mut bed = Bed::new();
    bed.store.open_writer(bed.ns, "w").unwrap();
    for sequence in 1..=70 {
        let mut one = from_writer(&bed, 1, sequence);
        one.received += sequence;
        one.rejected.add(Reject::TextTooLong, sequence);
        commit(&bed.store, one).unwrap();
    }
    bed.reopen();
    assert_eq!(bed.store.writer_outcome(bed.ns, "w", 6).unwrap(), None);
    let oldest = bed.store.writer_outcome(bed.ns, "w", 7).unwrap().unwrap();
    assert_eq!((oldest.sequence, oldest.rejected.total(), oldest.commit), (7, 7, 7));
    assert_eq!(bed.store.writer(bed.ns, "w").unwrap().outcomes.len(), 64);
}

#[test]
fn a_batch_whose_every_row_was_rejected_consumes_its_sequence() {
    let bed = Bed::new();
    bed.store.open_writer(bed.ns, "w").unwrap();
    let mut one = from_writer(&bed, 1, 1);
    one.batch = None;
    one.rejected.add(Reject::TypeMismatch, 1);
    commit(&bed.store, one).unwrap();
    assert_eq!(bed.store.writer_head(bed.ns, "w").unwrap(), (1, 2));
}

#[test]
fn a_writer_idle_for_thirty_days_is_refused_by_name_until_it_is_opened_again() {
    let bed = Bed::new();
    bed.store.open_writer(bed.ns, "w").unwrap();
    bed.clock.advance(30 * DAY_NS);
    commit(&bed.store, from_writer(&bed, 1, 1)).unwrap();
    bed.clock.advance(30 * DAY_NS + 1);
    let error = bed.store.writer(bed.ns, "w").unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (Kind::FailedPrecondition, "WRITER_EXPIRED")
    );
    assert!(error.message().contains("\"w\""));
    let error = commit(&bed.store, from_writer(&bed, 1, 2)).unwrap_err();
    assert_eq!(error.reason(), "WRITER_EXPIRED");
    assert_eq!(bed.store.open_writer(bed.ns, "w").unwrap(), (2, 2));
    commit(&bed.store, from_writer(&bed, 2, 2)).unwrap();
}

#[test]
fn a_namespace_has_a_bound_of_writers_and_idle_ones_make_room() {
    let bed = Bed::with(|options| options.max_writers = 2);
    bed.store.open_writer(bed.ns, "a").unwrap();
    bed.store.open_writer(bed.ns, "b").unwrap();
    let error = bed.store.open_writer(bed.ns, "c").unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (Kind::LimitExceeded, "TOO_MANY_WRITERS")
    );
    bed.store.open_writer(bed.ns, "a").unwrap();
    bed.clock.advance(31 * DAY_NS);
    bed.store.open_writer(bed.ns, "c").unwrap();
    bed.store.verify().unwrap();
}

fn reasons<T>(outcome: marigram_core::error::Result<T>) -> (Kind, &'static str) {
    let error = outcome.err().unwrap();
    (error.kind(), error.reason())
}

#[test]
fn documents_change_by_compare_and_set() {
    let mut bed = Bed::new();
    let ns = bed.ns;
    let put = |store: &Store, bytes: &[u8], expected| store.documents().put(ns, "alerts", "a", bytes, expected);
    let first = put(&bed.store, b"one", Some(0)).unwrap();
    assert_eq!(
        reasons(put(&bed.store, b"two", Some(0))),
        (Kind::AlreadyExists, "DOCUMENT_EXISTS")
    );
    assert_eq!(
        reasons(put(&bed.store, b"two", Some(first + 9))),
        (Kind::VersionConflict, "VERSION_CONFLICT")
    );
    let second = put(&bed.store, b"two", Some(first)).unwrap();
    assert!(second > first);
    bed.reopen();
    let documents = bed.store.documents();
    assert_eq!(
        documents.get(ns, "alerts", "a").unwrap(),
        Some((b"two".to_vec(), second))
    );
    assert_eq!(documents.get(ns, "alert", "a").unwrap(), None);
    assert_eq!(
        reasons(documents.delete(ns, "alerts", "a", Some(first))),
        (Kind::VersionConflict, "VERSION_CONFLICT")
    );
    documents.delete(ns, "alerts", "a", Some(second)).unwrap();
    assert_eq!(
        reasons(documents.delete(ns, "alerts", "a", None)),
        (Kind::NotFound, "DOCUMENT_NOT_FOUND")
    );
    let third = put(&bed.store, b"three", Some(0)).unwrap();
    assert!(third > second, "a document made anew has a version of its own");
    bed.store.verify().unwrap();
}

#[test]
fn documents_of_a_room_are_listed_in_order_and_by_page() {
    let bed = Bed::new();
    let documents = bed.store.documents();
    for (room, id) in [
        ("alerts", "b"),
        ("alerts", "a"),
        ("alerts2", "x"),
        ("alerts", "c"),
        ("aler", "y"),
    ] {
        documents.put(bed.ns, room, id, id.as_bytes(), None).unwrap();
    }
    documents.put(NamespaceId::SYSTEM, "alerts", "z", b"", None).unwrap();
    let ids = |after: &str, limit| -> Vec<String> {
        let page = documents.list(bed.ns, "alerts", after, limit).unwrap();
        page.into_iter().map(|(id, ..)| id).collect()
    };
    assert_eq!(ids("", 10), ["a", "b", "c"]);
    assert_eq!(ids("", 2), ["a", "b"]);
    assert_eq!(ids("b", 2), ["c"]);
    assert_eq!(ids("zz", 2), [""; 0]);
    assert_eq!(documents.list(NamespaceId::SYSTEM, "alerts", "", 9).unwrap().len(), 1);
}

#[test]
fn names_that_fit_no_key_are_refused() {
    let bed = Bed::new();
    let documents = bed.store.documents();
    assert_eq!(
        reasons(documents.put(bed.ns, "a\0b", "x", b"", None)),
        (Kind::InvalidArgument, "BAD_ROOM")
    );
    assert_eq!(
        reasons(documents.put(bed.ns, "a", &"x".repeat(401), b"", None)),
        (Kind::InvalidArgument, "BAD_DOCUMENT_ID")
    );
    documents
        .put(bed.ns, &"r".repeat(64), &"x".repeat(400), b"", None)
        .unwrap();
    assert_eq!(
        reasons(documents.put(NamespaceId(9), "a", "x", b"", None)),
        (Kind::NotFound, "NAMESPACE_NOT_FOUND")
    );
    let name = "w".repeat(255);
    bed.store.open_writer(bed.ns, &name).unwrap();
    assert_eq!(bed.store.writer_head(bed.ns, &name).unwrap(), (1, 1));
}

#[test]
fn a_namespace_at_its_quota_takes_no_more_and_keeps_what_it_has() {
    let mut bed = Bed::new();
    let stream = bed.stream("clicks");
    bed.write(&stream, &[NOW, NOW + 1, NOW + 2]);
    let usage = bed.store.namespace_usage(bed.ns).unwrap().1;
    assert_eq!(usage.rows, 3);
    let namespace = bed.ns;
    let set = |store: &Store, max_rows, max_bytes| {
        store
            .set_namespace_quota(namespace, Quota { max_rows, max_bytes })
            .unwrap();
    };
    set(&bed.store, 4, usage.bytes + 1);
    bed.store.admits(bed.ns, 100).unwrap();
    bed.write(&stream, &[NOW]);
    let error = bed.store.admits(bed.ns, 100).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::LimitExceeded, "NAMESPACE_QUOTA"));
    assert!(error.message().contains("4 rows"), "{error}");
    set(&bed.store, 0, usage.bytes);
    assert!(bed.store.admits(bed.ns, 1).unwrap_err().message().contains("bytes"));
    drop(stream);
    bed.reopen();
    assert_eq!(bed.store.namespace_usage(bed.ns).unwrap().0.max_bytes, usage.bytes);
    bed.store.set_namespace_quota(bed.ns, Quota::default()).unwrap();
    bed.store.admits(bed.ns, 1).unwrap();
    let other = bed.store.create_namespace("other").unwrap();
    bed.store.admits(other, 1).unwrap();
}
