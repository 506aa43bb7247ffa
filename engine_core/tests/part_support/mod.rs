//! What the tests of parts share: two streams with rows of every type, one sealed and one not, and what both are asked.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::query_support::{Cell, ask, by, compare, measure, spec, table, tumbling};
use super::store_support::{Bed, NOW, store_batch};
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::{Bitmap, ColumnData, ColumnType, RowBatch, StreamKind, TextData};
use marigram_core::store::Stream;
use marigram_core::time::SECOND_NS;
use marigram_core::wire::v1;
use v1::MeasureKind::{Count, Distinct, First, Last, Max, Mean, Min, Quantile, Sum};

pub const COLUMNS: [(&str, ColumnType); 6] = [
    ("f", ColumnType::F64),
    ("i", ColumnType::I64),
    ("b", ColumnType::Bool),
    ("t", ColumnType::Timestamp),
    ("sym", ColumnType::Symbol),
    ("txt", ColumnType::Text),
];

/// Xorshift64*: the same rows in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// Two streams with the same columns: one is going to be sealed, the other stays in the log.
pub fn twins(bed: &Bed) -> [Arc<Stream>; 2] {
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
pub fn batch(stream: &Stream, random: &mut Random, rows: usize, days: u64, as_text: bool) -> RowBatch {
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

/// The same rows to both streams.
pub fn write(bed: &Bed, streams: &[Arc<Stream>; 2], random: &mut Random, rows: usize, days: u64, as_text: bool) {
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
pub fn questions() -> Vec<v1::QuerySpec> {
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
pub fn answers(stream: &Arc<Stream>) -> Vec<String> {
    let answer = |spec: v1::QuerySpec| format!("{:?}", table(&ask(stream, spec).unwrap().batch));
    questions().into_iter().map(answer).collect()
}

pub fn assert_twins_agree(streams: &[Arc<Stream>; 2]) {
    let [sealed, twin] = streams;
    assert_eq!(sealed.rows(), twin.rows());
    for ((sealed, twin), question) in answers(sealed).iter().zip(answers(twin)).zip(questions()) {
        assert_eq!(*sealed, twin, "{question:?}");
    }
}

pub fn part_files(bed: &Bed) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(bed.path().join("parts"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}
