//! Damage to parts is told to whoever needs them, and found by those who look for it.

mod part_support;
mod query_support;
mod store_support;

use std::fs;
use std::os::unix::fs::FileExt;

use marigram_core::error::Kind;
use marigram_core::store::Store;
use marigram_core::time::SECOND_NS;
use marigram_core::wire::v1;
use marigram_core::wire::v1::MeasureKind::{Count, Last, Sum};
use part_support::{COLUMNS, Random, answers, batch, part_files, twins, write};
use query_support::{Cell, ask, measure, spec, table};
use store_support::{Bed, NOW, options, store_batch};

#[test]
fn a_damaged_part_fails_the_queries_that_need_it_and_no_others() {
    let bed = Bed::new();
    let streams = twins(&bed);
    let day = 86_400 * SECOND_NS;
    // Two tiles of one day, for so many rows.
    let mut rows = batch(&streams[0], &mut Random(6), 3_000, 1, false);
    rows.time
        .iter_mut()
        .for_each(|time| *time = NOW - 1_500 * day + *time % 1_000);
    store_batch(&bed.store, &streams[0], &rows);
    bed.store.seal(&streams[0]).unwrap();
    rows.time.iter_mut().for_each(|time| *time += 1_400 * day);
    store_batch(&bed.store, &streams[0], &rows);
    let first_tile = streams[0].parts()[0].times();
    bed.store.seal(&streams[0]).unwrap();
    let parts = streams[0].parts();
    let damaged = parts.iter().find(|part| part.times() == first_tile).unwrap();
    let path = bed
        .path()
        .join("parts")
        .join(format!("1-{}-{}.mdb", streams[0].id, damaged.number()));
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let everything = || ask(&streams[0], spec(COLUMNS.map(|(name, _)| measure(Last, name)).to_vec()));
    let before = format!("{:?}", table(&everything().unwrap().batch));
    let mut noticed = 0;
    for at in (0..bytes.len()).step_by(397) {
        file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
        match everything() {
            Ok(answer) => assert_eq!(format!("{:?}", table(&answer.batch)), before, "byte {at}"),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Corrupt);
                assert!(
                    error.message().contains("\"rows\"") && error.message().contains("backup"),
                    "{error}"
                );
                assert!(bed.store.verify().is_err(), "byte {at}");
                noticed += 1;
            }
        }
        let mut later = spec(vec![measure(Count, "")]);
        later.range = Some(v1::TimeRange {
            start_ns: Some(first_tile.1 + 1),
            end_ns: None,
        });
        assert_eq!(table(&ask(&streams[0], later).unwrap().batch).1, [[Cell::I64(3_000)]]);
        file.write_all_at(&[bytes[at]], at as u64).unwrap();
    }
    assert!(noticed > bytes.len() / 397 / 2, "{noticed} of {}", bytes.len() / 397);
    assert_eq!(format!("{:?}", table(&everything().unwrap().batch)), before);
}

#[test]
fn every_flipped_bit_of_a_part_is_found_by_verify_or_changes_nothing() {
    let mut bed = Bed::new();
    let streams = twins(&bed);
    write(&bed, &streams, &mut Random(8), 40, 1, false);
    bed.store.seal(&streams[0]).unwrap();
    let before = answers(&streams[0]);
    let path = part_files(&bed)[0].clone();
    let whole = fs::read(&path).unwrap();
    drop(streams);
    let mut random = Random(9);
    let mut found = 0;
    for _ in 0..300 {
        let bit = random.below(whole.len() as u64 * 8);
        let mut bytes = whole.clone();
        bytes[bit as usize / 8] ^= 1 << (bit % 8);
        bed.store.close().unwrap();
        fs::write(&path, &bytes).unwrap();
        bed.store = Store::open(bed.path(), options(&bed.clock)).unwrap();
        let stream = bed.store.stream(bed.ns, "rows").unwrap();
        if bed.store.verify().is_err() {
            found += 1;
        } else {
            assert_eq!(answers(&stream), before, "bit {bit}");
        }
    }
    assert!(found > 30, "{found} of 300");
    bed.store.close().unwrap();
    fs::write(&path, &whole).unwrap();
}

#[test]
fn a_part_that_is_missing_cut_or_another_is_told_when_it_is_needed() {
    let mut bed = Bed::new();
    let streams = twins(&bed);
    for seed in 1..3 {
        write(&bed, &streams, &mut Random(seed), 1_200, 1, false);
        bed.store.seal(&streams[0]).unwrap();
    }
    let files = part_files(&bed);
    let contents: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    drop(streams);
    let faults: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&files[0]).unwrap(),
        &|| fs::write(&files[0], &contents[0][..contents[0].len() / 2]).unwrap(),
        &|| fs::write(&files[0], &contents[1]).unwrap(),
        &|| fs::write(&files[0], b"").unwrap(),
    ];
    for fault in faults {
        bed.store.close().unwrap();
        fault();
        bed.store = Store::open(bed.path(), options(&bed.clock)).unwrap();
        let stream = bed.store.stream(bed.ns, "rows").unwrap();
        let error = ask(&stream, spec(vec![measure(Sum, "f")])).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(bed.store.verify().is_err());
        let twin = bed.store.stream(bed.ns, "twin").unwrap();
        ask(&twin, spec(vec![measure(Sum, "f")])).unwrap();
        fs::write(&files[0], &contents[0]).unwrap();
        bed.store.verify().unwrap();
    }
}

#[test]
fn the_scrubber_names_every_damaged_part_and_no_other() {
    let bed = Bed::new();
    let streams = twins(&bed);
    for seed in 1..7 {
        write(&bed, &streams, &mut Random(seed), 2_000, 1, false);
        bed.store.seal(&streams[0]).unwrap();
    }
    assert!(bed.store.scrub().unwrap().damaged.is_empty());
    let parts = streams[0].parts();
    let numbers: Vec<u64> = parts.iter().map(|part| part.number()).collect();
    let mut broken: Vec<u64> = numbers.iter().copied().step_by(2).collect();
    for number in &broken {
        let path = bed
            .path()
            .join("parts")
            .join(format!("1-{}-{number}.mdb", streams[0].id));
        let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        // Within the first blob, behind its header.
        let mut byte = [0];
        file.read_exact_at(&mut byte, 3 * 4_096 + 100).unwrap();
        file.write_all_at(&[byte[0] ^ 4], 3 * 4_096 + 100).unwrap();
    }
    let status = bed.store.scrub().unwrap();
    let mut found: Vec<u64> = status.damaged.iter().map(|damaged| damaged.part).collect();
    found.sort_unstable();
    broken.sort_unstable();
    assert_eq!(
        (found, status.parts as usize, status.passes),
        (broken, numbers.len(), 2)
    );
    assert!(
        status
            .damaged
            .iter()
            .all(|damaged| damaged.stream == "rows" && damaged.error.kind() == Kind::Corrupt)
    );
}

#[test]
fn verify_reads_the_file_and_not_what_is_kept_of_it() {
    let bed = Bed::new();
    let streams = twins(&bed);
    write(&bed, &streams, &mut Random(41), 3_000, 1, false);
    bed.store.seal(&streams[0]).unwrap();
    // Every footer is in memory now.
    answers(&streams[0]);
    let part = streams[0].parts()[0].clone();
    let path = bed
        .path()
        .join("parts")
        .join(format!("1-{}-{}.mdb", streams[0].id, part.number()));
    let whole = fs::read(&path).unwrap();
    // A footer begins with column, physical type, flags and blocks: this is the one of `b`.
    let column = streams[0].schema().column("b").unwrap().id.to_le_bytes();
    let blocks = (part.open().unwrap().blocks() as u32).to_le_bytes();
    let footer = [&column[..], &[3, 0], &blocks].concat();
    let at = whole.windows(footer.len()).position(|bytes| bytes == footer).unwrap() as u64;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[1], at + 3).unwrap();
    assert_eq!(bed.store.verify().unwrap_err().kind(), Kind::Corrupt);
    assert_eq!(bed.store.scrub().unwrap().damaged.len(), 1);
    file.write_all_at(&[0], at + 3).unwrap();
    bed.store.verify().unwrap();
}
