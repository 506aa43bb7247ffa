//! Sealed rows: they answer what they answered before, survive whatever the log survives, and damage to them is told.

mod query_support;
mod store_support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use marigram_core::codec::Codecs;
use marigram_core::codec::checksum::crc32c;
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::packed::pack;
use marigram_core::column::{
    Bitmap, ColumnData, ColumnType, PackedBatch, RejectCounts, RowBatch, StreamKind, TextData,
};
use marigram_core::error::Kind;
use marigram_core::store::{CommitItem, RecodeReport, Store, Stream};
use marigram_core::time::{ManualClock, SECOND_NS};
use marigram_core::wire::v1;
use query_support::{Cell, ask, by, compare, measure, spec, table, tumbling};
use store_support::{Bed, NOW, commit, options};
use v1::MeasureKind::{Count, Distinct, First, Last, Max, Mean, Min, Quantile, Sum};

const COLUMNS: [(&str, ColumnType); 6] = [
    ("f", ColumnType::F64),
    ("i", ColumnType::I64),
    ("b", ColumnType::Bool),
    ("t", ColumnType::Timestamp),
    ("sym", ColumnType::Symbol),
    ("txt", ColumnType::Text),
];

/// Xorshift64*: the same rows in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// Two streams with the same columns: one is going to be sealed, the other stays in the log.
fn twins(bed: &Bed) -> [Arc<Stream>; 2] {
    ["rows", "twin"].map(|name| {
        let stream = bed.store.stream_or_new(bed.ns, name, StreamKind::Event).unwrap();
        stream
            .change_schema(|schema| {
                COLUMNS
                    .iter()
                    .try_for_each(|(name, kind)| schema.add_column("", name, *kind, "", "").map(|_| ()))
            })
            .unwrap();
        stream
    })
}

/// Rows with nulls, NaN and ties, out of order, over `days`. Values of doubles are whole, so that sums are exact.
fn batch(stream: &Stream, random: &mut Random, rows: usize, days: u64, as_text: bool) -> RowBatch {
    let schema = stream.schema();
    let start = NOW - days as i64 * 86_400 * SECOND_NS;
    let mut columns = Vec::new();
    for (name, kind) in COLUMNS {
        let id = schema.column(name).unwrap().id;
        let mut valid = Bitmap::default();
        (0..rows).for_each(|_| valid.push(random.below(8) > 0));
        let text = |random: &mut Random| format!("text {}", random.below(30));
        let data = match kind {
            ColumnType::F64 => ColumnData::F64(
                (0..rows)
                    .map(|_| match random.below(50) {
                        0 => f64::NAN,
                        1 => -0.0,
                        _ => random.below(1_000) as f64 - 500.0,
                    })
                    .collect(),
            ),
            ColumnType::I64 => ColumnData::I64((0..rows).map(|_| random.below(1 << 40) as i64 - (1 << 39)).collect()),
            ColumnType::Timestamp => ColumnData::I64((0..rows).map(|_| NOW - random.below(1 << 40) as i64).collect()),
            ColumnType::Bool => {
                let mut bits = Bitmap::default();
                (0..rows).for_each(|_| bits.push(random.below(2) == 0));
                ColumnData::Bool(bits)
            }
            ColumnType::Symbol if !as_text => {
                let texts: Vec<Option<String>> = (0..rows).map(|row| valid.get(row).then(|| text(random))).collect();
                let known = stream.symbols(id).intern(texts.iter().flatten().map(String::as_str));
                let mut known = known.into_iter();
                ColumnData::Code(
                    texts
                        .iter()
                        .map(|text| text.as_ref().map_or(0, |_| known.next().unwrap()))
                        .collect(),
                )
            }
            _ => {
                let mut texts = TextData::default();
                (0..rows)
                    .for_each(|row| texts.push(if valid.get(row) { text(random) } else { String::new() }.as_str()));
                ColumnData::Text(texts)
            }
        };
        let validity = (!matches!(data, ColumnData::Code(_))).then_some(valid);
        columns.push(BatchColumn { id, data, validity });
    }
    let users: Vec<String> = (0..rows).map(|_| format!("user {}", random.below(20))).collect();
    let mut entity = stream.intern_users(users.iter().map(String::as_str));
    entity
        .iter_mut()
        .for_each(|code| *code = if random.below(30) == 0 { 0 } else { *code });
    RowBatch {
        time: (0..rows)
            .map(|_| start + random.below(days * 86_400 * 20) as i64 * (SECOND_NS / 20))
            .collect(),
        entity,
        columns,
    }
}

fn store_batch(store: &Store, stream: &Arc<Stream>, batch: &RowBatch) {
    let rows = batch.rows() as u64;
    let item = CommitItem {
        stream: Arc::clone(stream),
        batch: Some(PackedBatch::open(pack(batch)).unwrap()),
        received: rows,
        rejected: RejectCounts::default(),
        late: 0,
        quarantine: Vec::new(),
        writer: None,
        message_bytes: 0,
        done: Box::new(|_| {}),
    };
    commit(store, item).unwrap();
}

/// The same rows to both streams.
fn write(bed: &Bed, streams: &[Arc<Stream>; 2], random: &mut Random, rows: usize, days: u64, as_text: bool) {
    let seed = random.below(1 << 30) + 1;
    for stream in streams {
        store_batch(
            &bed.store,
            stream,
            &batch(stream, &mut Random(seed), rows, days, as_text),
        );
    }
}

/// Queries of every measure, with windows, groups, filters and ranges.
fn questions() -> Vec<v1::QuerySpec> {
    let numbers = |column: &str| {
        let kinds = [Count, Sum, Mean, Min, Max, First, Last, Distinct];
        kinds.map(|kind| measure(kind, column)).to_vec()
    };
    let others = |column: &str| {
        [Count, Min, Max, First, Last, Distinct]
            .map(|kind| measure(kind, column))
            .to_vec()
    };
    let mut questions = vec![spec(vec![measure(Count, "")])];
    for (name, kind) in COLUMNS {
        let measures = match kind {
            ColumnType::F64 | ColumnType::I64 => numbers(name),
            _ => others(name),
        };
        questions.push(spec(measures.clone()));
        let mut grouped = spec(measures.clone());
        grouped.group_by = by(&["entity"]);
        questions.push(grouped);
        let mut windowed = spec(measures.clone());
        windowed.window = tumbling(6 * 3_600 * SECOND_NS);
        windowed.group_by = by(&["sym"]);
        questions.push(windowed);
        let mut ranged = spec(measures);
        ranged.range = Some(v1::TimeRange {
            start_ns: Some(NOW - 30 * 3_600 * SECOND_NS),
            end_ns: Some(NOW - 3_600 * SECOND_NS),
        });
        questions.push(ranged);
    }
    let conditions = [
        compare("f", v1::ComparisonOperator::Greater, &Cell::F64(100.0)),
        compare("i", v1::ComparisonOperator::Less, &Cell::I64(0)),
        compare("entity", v1::ComparisonOperator::Equal, &Cell::text("user 3")),
        compare("entity", v1::ComparisonOperator::Greater, &Cell::text("user 3")),
        compare("sym", v1::ComparisonOperator::NotEqual, &Cell::text("text 3")),
        compare("txt", v1::ComparisonOperator::Less, &Cell::text("text 2")),
        compare("b", v1::ComparisonOperator::Equal, &Cell::Bool(true)),
        compare("sym", v1::ComparisonOperator::Equal, &Cell::text("nowhere")),
    ];
    for condition in conditions {
        let mut filtered = spec(vec![
            measure(Count, ""),
            measure(Sum, "f"),
            measure(Last, "txt"),
            measure(Quantile, "f"),
        ]);
        filtered.measures[3].quantile = 0.5;
        filtered.filter = Some(condition.clone());
        questions.push(filtered.clone());
        filtered.group_by = by(&["entity", "b"]);
        filtered.window = tumbling(86_400 * SECOND_NS);
        questions.push(filtered);
    }
    questions
}

/// What a stream answers, NaN made comparable.
fn answers(stream: &Arc<Stream>) -> Vec<String> {
    let answer = |spec: v1::QuerySpec| format!("{:?}", table(&ask(stream, spec).unwrap().batch));
    questions().into_iter().map(answer).collect()
}

fn assert_twins_agree(streams: &[Arc<Stream>; 2]) {
    let [sealed, twin] = streams;
    assert_eq!(sealed.rows(), twin.rows());
    for ((sealed, twin), question) in answers(sealed).iter().zip(answers(twin)).zip(questions()) {
        assert_eq!(*sealed, twin, "{question:?}");
    }
}

fn part_files(bed: &Bed) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(bed.path().join("parts"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

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
    assert_eq!(part_files(&bed).len(), streams[0].parts().len());
    assert_twins_agree(&streams);
    assert_eq!(snapshot.parts().len(), before.0);
    bed.store.verify().unwrap();
    drop((streams, snapshot));
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
    assert_eq!(part_files(&bed).len(), streams[0].parts().len());
    assert_twins_agree(&streams);
    assert_eq!(snapshot.parts().len(), before.0);
    bed.store.verify().unwrap();
    drop((streams, snapshot));
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

/// Twins for a reader that is not ours (`tests/inspect`): merged, sealed and in the log; symbols as codes and as texts.
#[test]
#[ignore = "makes a fixture"]
fn make_the_twins() {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/inspect/twins");
    assert!(!target.exists(), "a fixture is never made again");
    let bed = Bed::new();
    let streams = twins(&bed);
    let mut random = Random(33);
    for round in 0..5 {
        write(&bed, &streams, &mut random, 300, 1, round % 3 == 2);
        bed.store.seal(&streams[0]).unwrap();
    }
    assert!(bed.store.merge(&streams[0]).unwrap() > 0);
    write(&bed, &streams, &mut random, 1_100, 3, false);
    bed.store.seal(&streams[0]).unwrap();
    write(&bed, &streams, &mut random, 90, 1, true);
    assert_eq!(streams[0].rows(), 2_690);
    bed.store.close().unwrap();
    fs::create_dir_all(target.join("parts")).unwrap();
    for name in ["MARIGRAM", "hot.mdb"] {
        fs::copy(bed.path().join(name), target.join(name)).unwrap();
    }
    for path in part_files(&bed) {
        fs::copy(&path, target.join("parts").join(path.file_name().unwrap())).unwrap();
    }
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

/// A store of format 1 with sealed rows of every type, and the checksum of what it answers.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1-parts")
}

fn checksum_of(stream: &Arc<Stream>) -> String {
    format!("{:08x}\n", crc32c(answers(stream).join("\n").as_bytes()))
}

fn copy_of_fixture(to: &Path) {
    fs::create_dir(to.join("parts")).unwrap();
    for folder in ["", "parts"] {
        for entry in fs::read_dir(fixture().join(folder)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
}

#[test]
#[ignore = "makes a fixture, once a format version"]
fn make_the_fixture() {
    assert!(!fixture().exists(), "a fixture is never made again");
    let bed = Bed::new();
    let streams = twins(&bed);
    let mut random = Random(31);
    write(&bed, &streams, &mut random, 2_500, 3, false);
    bed.store.seal(&streams[0]).unwrap();
    write(&bed, &streams, &mut random, 700, 1, true);
    bed.store.seal(&streams[0]).unwrap();
    write(&bed, &streams, &mut random, 40, 1, false);
    let checksum = checksum_of(&streams[0]);
    bed.store.delete_stream(bed.ns, "twin").unwrap();
    bed.store.close().unwrap();
    fs::create_dir_all(fixture().join("parts")).unwrap();
    fs::write(fixture().join("answers"), checksum).unwrap();
    for name in ["MARIGRAM", "hot.mdb"] {
        fs::copy(bed.path().join(name), fixture().join(name)).unwrap();
    }
    for path in part_files(&bed) {
        fs::copy(&path, fixture().join("parts").join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn parts_of_format_1_are_read() {
    let dir = tempfile::tempdir().unwrap();
    copy_of_fixture(dir.path());
    let clock = Arc::new(ManualClock::at(NOW));
    let store = Store::open(dir.path(), options(&clock)).unwrap();
    let stream = store.stream(store.namespace("default").unwrap(), "rows").unwrap();
    assert_eq!((stream.rows(), stream.tail_size().0), (3_240, 40));
    assert_eq!(
        checksum_of(&stream),
        fs::read_to_string(fixture().join("answers")).unwrap()
    );
    store.verify().unwrap();
    // And it is written on.
    assert_eq!(store.seal(&stream).unwrap().rows, 40);
    assert_eq!(
        checksum_of(&stream),
        fs::read_to_string(fixture().join("answers")).unwrap()
    );
    store.verify().unwrap();
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
