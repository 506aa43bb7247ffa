//! Answers as of a commit: what was said then is said again, or refused by name, whatever was sealed, merged and dropped meanwhile.

mod part_support;
mod query_support;
mod store_support;

use std::sync::Arc;

use marigram_core::error::Kind;
use marigram_core::store::{Store, Stream};
use marigram_core::time::SECOND_NS;
use marigram_core::wire::v1;
use part_support::{Random, twins, write};
use query_support::{ask, by, measure, spec, table, tumbling};
use store_support::{Bed, NOW, options};

const DAY: i64 = 86_400 * SECOND_NS;

/// What an answer says: its rows, how many it read, and its watermark and commit.
type Said = (Vec<Vec<query_support::Cell>>, u64, Option<i64>, u64);

fn said(stream: &Arc<Stream>, as_of: u64) -> Result<Said, (String, String)> {
    let measures = vec![
        measure(v1::MeasureKind::Count, ""),
        measure(v1::MeasureKind::Mode, "event"),
    ];
    let asked = v1::QuerySpec {
        group_by: by(&["entity"]),
        window: tumbling(DAY),
        as_of,
        ..spec(measures)
    };
    match ask(stream, asked) {
        Ok(answer) => {
            let made = &answer.provenance;
            let (rows, seen) = (table(&answer.batch).1, made.rows_scanned);
            Ok((rows, seen, made.watermark_ns, made.commit))
        }
        Err(error) => {
            assert_eq!((error.kind(), error.field()), (Kind::OutOfRange, "spec.as_of"));
            Err((error.reason().to_owned(), error.message().to_owned()))
        }
    }
}

fn refused(stream: &Arc<Stream>, commit: u64) -> (String, String) {
    said(stream, commit).expect_err("the commit is not served")
}

#[test]
fn an_earlier_commit_is_answered_as_it_was_then() {
    let bed = Bed::new();
    let streams = twins(&bed);
    let stream = &streams[0];
    let mut random = Random(31);
    let mut known = Vec::new();
    let mut note = |stream: &Arc<Stream>| {
        let commit = stream.commits.published();
        // The watermark of now has moved with the clock, that of then has not.
        known.push((commit, said(stream, commit).unwrap()));
    };
    for round in 0..6 {
        write(&bed, &streams, &mut random, 300, 2, round % 3 == 2);
        note(stream);
        if round % 2 == 1 {
            bed.store.seal(stream).unwrap();
        }
    }
    write(&bed, &streams, &mut random, 50, 1, false);
    note(stream);
    let same_rows = |all: &[(u64, Said)]| {
        for (commit, (rows, seen, _, _)) in all {
            let now = said(stream, *commit).unwrap();
            assert_eq!((&now.0, now.1, now.3), (rows, *seen, *commit));
        }
    };
    same_rows(&known);
    bed.store.merge(stream).unwrap();
    same_rows(&known);
    let newest = stream.commits.published();
    let (reason, message) = refused(stream, newest + 1);
    assert_eq!(reason, "COMMIT_NOT_REACHED");
    assert!(
        message.contains(&format!("the newest of the namespace is {newest}")),
        "{message}"
    );
}

#[test]
fn the_watermark_of_then_is_told() {
    let bed = Bed::new();
    let stream = bed.stream("rows");
    let first = bed.write(&stream, &[NOW - 100 * SECOND_NS]).commit;
    bed.write(&stream, &[NOW - 20 * SECOND_NS]);
    let told = |as_of| {
        ask(
            &stream,
            v1::QuerySpec {
                as_of,
                ..spec(vec![measure(v1::MeasureKind::Count, "")])
            },
        )
        .unwrap()
    };
    assert_eq!(told(first).provenance.watermark_ns, Some(NOW - 110 * SECOND_NS));
    assert_eq!(told(0).provenance.watermark_ns, Some(NOW - 30 * SECOND_NS));
}

#[test]
fn what_was_sealed_a_minute_ago_is_gone_and_the_nearest_are_named() {
    let bed = Bed::new();
    let stream = bed.stream("rows");
    let commits: Vec<u64> = (0..3).map(|at| bed.write(&stream, &[NOW - at]).commit).collect();
    bed.store.seal(&stream).unwrap();
    let later = bed.write(&stream, &[NOW]).commit;
    assert_eq!(said(&stream, commits[0]).unwrap().1, 1);
    bed.clock.advance(61 * SECOND_NS);
    bed.store.seal(&stream).unwrap();
    let (reason, message) = refused(&stream, commits[0]);
    assert_eq!(reason, "COMMIT_NOT_KEPT");
    assert!(message.ends_with(&format!("served: {}", commits[2])), "{message}");
    assert_eq!(said(&stream, commits[2]).unwrap().1, 3);
    assert_eq!(said(&stream, later).unwrap().1, 4);
}

#[test]
fn commits_before_rows_were_dropped_are_refused_also_after_a_restart() {
    let bed = Bed::new();
    let stream = bed.stream("rows");
    bed.write(&stream, &[NOW - 400 * DAY]);
    bed.store.seal(&stream).unwrap();
    let before = bed.write(&stream, &[NOW]).commit;
    let keep = |schema: &mut marigram_core::column::Schema| {
        schema.settings.keep_for_ns = Some(DAY);
        Ok(())
    };
    stream.change_schema(keep).unwrap();
    assert_eq!(bed.store.apply_retention(&stream, false).unwrap().rows, 1);
    let dropped = stream.commits.published();
    assert!(dropped > before);
    assert_eq!(refused(&stream, before).0, "COMMIT_NOT_KEPT");
    assert_eq!(said(&stream, dropped).unwrap().1, 1);
    bed.store.close().unwrap();
    let store = Store::open(bed.path(), options(&bed.clock)).unwrap();
    let stream = store.stream(bed.ns, "rows").unwrap();
    assert_eq!(refused(&stream, before).0, "COMMIT_NOT_KEPT");
    assert_eq!(said(&stream, dropped).unwrap().1, 1);
}

#[test]
fn little_memory_keeps_nothing_that_is_sealed() {
    let bed = Bed::with(|options| options.tail_limit_bytes = 64 << 10);
    let stream = bed.stream("rows");
    let mut commits = Vec::new();
    for at in 0..30 {
        let times: Vec<i64> = (0..400).map(|row| NOW - at * 400 - row).collect();
        commits.push(bed.write(&stream, &times).commit);
        if at % 3 == 2 {
            bed.store.seal(&stream).unwrap();
        }
    }
    let served = commits.iter().filter(|&&commit| said(&stream, commit).is_ok()).count();
    assert!((1..commits.len()).contains(&served), "{served} of {}", commits.len());
}
