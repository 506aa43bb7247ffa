//! Parts are merged, written in heavier codecs and dropped, and no answer changes but by what is dropped.

mod part_support;
mod query_support;
mod store_support;

use marigram_core::codec::Codecs;
use marigram_core::store::{RecodeReport, Store, Stream};
use marigram_core::time::SECOND_NS;
use part_support::{Random, assert_twins_agree, batch, part_files, twins, write};
use store_support::{Bed, NOW, options, store_batch};

#[test]
fn parts_of_like_size_become_one_and_no_answer_changes() {
    let mut bed = Bed::new();
    let streams = twins(&bed);
    let mut random = Random(21);
    for round in 0..9 {
        write(&bed, &streams, &mut random, 400, 1, round % 3 == 2);
        bed.store.seal(&streams[0]).unwrap();
    }
    write(&bed, &streams, &mut random, 90, 1, false);
    let before = (streams[0].parts().len(), streams[0].rows(), streams[0].last_commit());
    // What the seals replaced is kept for a minute.
    bed.clock.advance(61 * SECOND_NS);
    let snapshot = streams[0].snapshot();
    let less = bed.store.merge(&streams[0]).unwrap();
    assert!(less >= 3, "{less} of {}", before.0);
    assert_eq!(bed.store.merge(&streams[0]).unwrap(), 0);
    assert_eq!(
        (
            streams[0].parts().len() as u64,
            streams[0].rows(),
            streams[0].last_commit()
        ),
        (before.0 as u64 - less, before.1, before.2)
    );
    assert_twins_agree(&streams);
    assert_eq!(snapshot.parts().len(), before.0);
    for part in snapshot.parts() {
        part.open().unwrap();
    }
    drop(snapshot);
    assert_eq!(part_files(&bed).len(), streams[0].parts().len());
    bed.store.verify().unwrap();
    drop(streams);
    bed.reopen();
    let streams = ["rows", "twin"].map(|name| bed.store.stream(bed.ns, name).unwrap());
    assert_twins_agree(&streams);
}

#[test]
fn cold_parts_take_less_room_and_no_answer_changes() {
    let mut bed = Bed::new();
    let streams = twins(&bed);
    let mut random = Random(22);
    for round in 0..3 {
        write(&bed, &streams, &mut random, 2_500, 1, round == 2);
        bed.store.seal(&streams[0]).unwrap();
    }
    write(&bed, &streams, &mut random, 90, 1, false);
    let codecs = |stream: &Stream| stream.parts().iter().map(|part| part.codecs()).collect::<Vec<_>>();
    let before = (streams[0].parts().len(), streams[0].rows(), streams[0].last_commit());
    let column_bytes = || {
        let found = bed.store.storage(&streams[0]).unwrap();
        found.columns.iter().map(|column| column.bytes).sum::<u64>()
    };
    let (hot_bytes, hot_columns) = (streams[0].sealed_size().2, column_bytes());
    // What the seals replaced is kept for a minute.
    bed.clock.advance(61 * SECOND_NS);
    let snapshot = streams[0].snapshot();
    let oldest = streams[0].parts().iter().map(|part| part.times().1).min().unwrap();
    let none = bed.store.recode(&streams[0], Some(oldest)).unwrap();
    assert_eq!(
        none,
        RecodeReport::default(),
        "a part whose last row is as old as that stays"
    );
    let report = bed.store.recode(&streams[0], None).unwrap();
    assert_eq!((report.parts as usize, report.bytes_before), (before.0, hot_bytes));
    assert_eq!(report.bytes_after, streams[0].sealed_size().2);
    // Files are whole pages, and these are small.
    assert!(report.bytes_after <= report.bytes_before, "{report:?}");
    assert!(column_bytes() < hot_columns);
    assert_eq!(
        (streams[0].parts().len(), streams[0].rows(), streams[0].last_commit()),
        before
    );
    assert!(codecs(&streams[0]).iter().all(|codecs| *codecs == Codecs::Cold));
    assert_eq!(
        bed.store.recode(&streams[0], None).unwrap(),
        RecodeReport::default(),
        "once is enough"
    );
    assert_twins_agree(&streams);
    assert_eq!(snapshot.parts().len(), before.0);
    for part in snapshot.parts() {
        part.open().unwrap();
    }
    drop(snapshot);
    assert_eq!(part_files(&bed).len(), streams[0].parts().len());
    bed.store.verify().unwrap();
    drop(streams);
    bed.reopen();
    let streams = ["rows", "twin"].map(|name| bed.store.stream(bed.ns, name).unwrap());
    assert!(codecs(&streams[0]).iter().all(|codecs| *codecs == Codecs::Cold));
    assert_twins_agree(&streams);
}

#[test]
fn parts_that_are_all_cold_are_merged_into_a_cold_one() {
    let bed = Bed::new();
    let streams = ["cold", "mixed"].map(|name| bed.stream(name));
    for stream in &streams {
        for round in 0..4 {
            bed.write(stream, &[NOW - 3, NOW - 2]);
            bed.store.seal(stream).unwrap();
            if round < 3 || stream.name == "cold" {
                bed.store.recode(stream, None).unwrap();
            }
        }
        assert_eq!(bed.store.merge(stream).unwrap(), 3);
    }
    let codecs = streams.map(|stream| stream.parts()[0].codecs());
    assert_eq!(codecs, [Codecs::Cold, Codecs::Hot]);
}

#[test]
fn parts_older_than_a_stream_says_become_cold_in_the_background() {
    let bed = Bed::new();
    let day = 86_400 * SECOND_NS;
    let stream = bed.stream("rows");
    for age in [9_000 * day, 1] {
        bed.write(&stream, &[NOW - age]);
        bed.store.seal(&stream).unwrap();
    }
    stream
        .change_schema(|schema| {
            schema.settings.cold_after_ns = Some(day);
            Ok(())
        })
        .unwrap();
    bed.write(&stream, &[NOW]);
    bed.store.close().unwrap();
    let mut sealing = options(&bed.clock);
    sealing.seals = true;
    let store = Store::open(bed.path(), sealing).unwrap();
    let stream = store.stream(bed.ns, "rows").unwrap();
    assert_eq!(stream.schema().settings.cold_after_ns, Some(day));
    let codecs = || stream.parts().iter().map(|part| part.codecs()).collect::<Vec<_>>();
    let mut looks = 0;
    while codecs() != [Codecs::Cold, Codecs::Hot] {
        std::thread::sleep(std::time::Duration::from_millis(100));
        looks += 1;
        assert!(looks < 300, "what is old is not cold yet: {:?}", codecs());
    }
    store.verify().unwrap();
}

#[test]
fn retention_drops_whole_parts_counts_them_and_gives_their_room_back() {
    let mut bed = Bed::new();
    let streams = twins(&bed);
    let day = 86_400 * SECOND_NS;
    let mut rows = batch(&streams[0], &mut Random(6), 1_000, 1, false);
    for years in 0..4 {
        let mut older = rows.clone();
        older.time.iter_mut().for_each(|time| *time -= years * 11 * 364 * day);
        store_batch(&bed.store, &streams[0], &older);
        bed.store.seal(&streams[0]).unwrap();
    }
    rows.time.iter_mut().for_each(|time| *time -= 40 * 364 * day);
    store_batch(&bed.store, &streams[0], &rows);
    let keep = |years: i64| {
        let change = |schema: &mut marigram_core::column::Schema| {
            schema.settings.keep_for_ns = Some(years * 364 * day);
            Ok(())
        };
        streams[0].change_schema(change).unwrap();
    };
    assert_eq!(
        bed.store.apply_retention(&streams[0], false).unwrap(),
        Default::default()
    );
    keep(20);
    let would = bed.store.apply_retention(&streams[0], true).unwrap();
    assert_eq!((would.rows, would.before_ns), (2_000, Some(NOW - 20 * 364 * day)));
    assert_eq!(streams[0].rows(), 5_000);
    let (commit, files) = (streams[0].commits.published(), part_files(&bed).len());
    assert_eq!(bed.store.apply_retention(&streams[0], false).unwrap(), would);
    assert_eq!(streams[0].rows(), 3_000);
    assert_eq!(part_files(&bed).len() as u64, files as u64 - would.parts);
    assert_eq!(streams[0].commits.published(), commit + 1);
    assert_eq!(bed.store.apply_retention(&streams[0], false).unwrap().rows, 0);
    assert_eq!(bed.store.seal(&streams[0]).unwrap().rows, 1_000);
    assert_eq!(bed.store.apply_retention(&streams[0], false).unwrap().rows, 1_000);
    bed.store.verify().unwrap();
    let ledger = *streams[0].ledger();
    drop(streams);
    bed.reopen();
    let stream = bed.store.stream(bed.ns, "rows").unwrap();
    assert_eq!((stream.rows(), *stream.ledger()), (2_000, ledger));
}

#[test]
fn retention_goes_on_where_there_is_no_room_to_merge() {
    let bed = Bed::new();
    let day = 86_400 * SECOND_NS;
    let (crowded, old) = (bed.stream("crowded"), bed.stream("old"));
    for _ in 0..4 {
        bed.write(&crowded, &[NOW - 3, NOW - 2]);
        bed.store.seal(&crowded).unwrap();
    }
    bed.write(&old, &[NOW - 9_000 * day]);
    bed.store.seal(&old).unwrap();
    old.change_schema(|schema| {
        schema.settings.keep_for_ns = Some(day);
        Ok(())
    })
    .unwrap();
    bed.write(&old, &[NOW]);
    bed.store.close().unwrap();
    let mut full = options(&bed.clock);
    (full.seals, full.min_free_bytes) = (true, u64::MAX);
    let store = Store::open(bed.path(), full).unwrap();
    let stream = |name| store.stream(bed.ns, name).unwrap();
    let mut looks = 0;
    while stream("old").rows() > 1 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        looks += 1;
        assert!(looks < 300, "what is too old is still there");
    }
    assert_eq!(stream("crowded").parts().len(), 4);
    store.verify().unwrap();
}
