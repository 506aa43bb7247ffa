//! Sealed rows answer what they answered before and survive whatever the log survives.

mod part_support;
mod query_support;
mod store_support;

use std::fs;

use part_support::{Random, answers, assert_twins_agree, part_files, twins, write};
use store_support::{Bed, NOW};

#[test]
fn sealing_changes_no_answer() {
    let mut bed = Bed::new();
    let streams = twins(&bed);
    let mut random = Random(11);
    for round in 0..6u64 {
        let rows = [1, 700, 1_024, 3_000, 5_000, 20][round as usize];
        write(&bed, &streams, &mut random, rows, 1 + round, round == 3);
        let report = bed.store.seal(&streams[0]).unwrap();
        assert_eq!(report.rows, rows as u64);
        assert!(report.parts >= 1 && report.bytes > 0);
        assert_eq!(streams[0].tail_size(), (0, 0));
        assert_twins_agree(&streams);
        write(&bed, &streams, &mut random, 300, 2, round > 3);
        assert_twins_agree(&streams);
        assert_eq!(bed.store.seal(&streams[0]).unwrap().rows, 300);
    }
    let before = (streams[0].sealed_size(), streams[0].last_commit(), *streams[0].ledger());
    let report = bed.store.verify().unwrap();
    assert_eq!((report.parts, report.part_rows), (before.0.0, before.0.1));
    assert!(report.part_blocks > 50 && report.part_bytes == before.0.2);
    drop(streams);
    bed.reopen();
    let streams = ["rows", "twin"].map(|name| bed.store.stream(bed.ns, name).unwrap());
    assert_eq!(
        (streams[0].sealed_size(), streams[0].last_commit(), *streams[0].ledger()),
        before
    );
    assert_twins_agree(&streams);
    bed.store.verify().unwrap();
}

#[test]
fn a_snapshot_stays_what_it_was_while_rows_are_sealed_and_the_stream_is_deleted() {
    let bed = Bed::new();
    let streams = twins(&bed);
    write(&bed, &streams, &mut Random(3), 2_000, 1, false);
    bed.store.seal(&streams[0]).unwrap();
    write(&bed, &streams, &mut Random(4), 50, 1, false);
    let snapshot = streams[0].snapshot();
    let parts: Vec<_> = snapshot.parts().iter().map(|part| part.open().unwrap()).collect();
    bed.store.seal(&streams[0]).unwrap();
    assert_eq!(snapshot.batches().count(), 1);
    assert_eq!(part_files(&bed).len(), streams[0].parts().len());
    let (rows, _) = bed.store.delete_stream(bed.ns, "rows").unwrap();
    assert_eq!(rows, 2_050);
    assert_eq!(part_files(&bed).len(), snapshot.parts().len());
    for part in snapshot.parts() {
        part.open().unwrap();
    }
    drop(snapshot);
    assert!(part_files(&bed).is_empty());
    let mut out = [0; 1024];
    for part in parts {
        part.column(0).unwrap().unwrap().decode_i64(0, &mut out).unwrap();
    }
}

#[test]
fn what_a_crash_left_behind_is_removed_and_what_was_published_stays() {
    let mut bed = Bed::new();
    let streams = twins(&bed);
    write(&bed, &streams, &mut Random(5), 1_500, 1, false);
    bed.store.seal(&streams[0]).unwrap();
    let published = part_files(&bed);
    for name in ["1-1-99.mdb", "1-1-7.new", "9-9-9.mdb"] {
        fs::write(bed.path().join("parts").join(name), b"half a part").unwrap();
    }
    fs::write(bed.path().join("parts/README"), b"not ours").unwrap();
    let twins_before = answers(&streams[1]);
    drop(streams);
    bed.reopen();
    let mut left = part_files(&bed);
    left.retain(|path| !path.ends_with("README"));
    assert_eq!(left, published);
    assert_eq!(answers(&bed.store.stream(bed.ns, "rows").unwrap()), twins_before);
}

#[test]
fn what_is_mapped_is_counted_while_it_is() {
    let bed = Bed::new();
    let streams = twins(&bed);
    let maps = || bed.store.status().maps;
    assert_eq!(
        (maps().parts, maps().part_bytes, maps().hot_limit_bytes),
        (0, 0, 1 << 30)
    );
    assert!((1..=bed.store.status().disk_bytes).contains(&maps().hot_bytes));
    write(&bed, &streams, &mut Random(8), 2_000, 1, false);
    let report = bed.store.seal(&streams[0]).unwrap();
    answers(&streams[0]);
    assert_eq!((maps().parts, maps().part_bytes), (report.parts, report.bytes));
    let held = streams[0].parts()[0].open().unwrap();
    drop(streams);
    bed.store.delete_stream(bed.ns, "rows").unwrap();
    // Who reads it still may.
    assert_eq!(maps().parts, 1);
    drop(held);
    assert_eq!((maps().parts, maps().part_bytes), (0, 0));
}

#[test]
fn full_tails_are_sealed_in_the_background() {
    let bed = Bed::with(|options| {
        options.seals = true;
        options.tail_limit_bytes = 400_000;
    });
    let stream = bed.stream("clicks");
    let times: Vec<i64> = (0..20_000).map(|row| NOW - row * 1_000_003).collect();
    for _ in 0..20 {
        bed.write(&stream, &times);
        while bed.store.pressure().throttle_percent > 0 {
            std::thread::yield_now();
        }
    }
    assert_eq!(stream.rows(), 400_000);
    let status = bed.store.status();
    assert!(status.sealing.parts > 0 && status.sealing.failure.is_none());
    assert_eq!(status.sealing.rows + status.sealing.lag_rows, 400_000);
    bed.store.verify().unwrap();
}
