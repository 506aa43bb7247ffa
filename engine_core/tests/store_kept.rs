//! A store of the current format that has all that sealing makes is kept, and read for ever: parts with pre-aggregates and filters,
//! one of them in the codecs of cold ones, packed pages of dictionaries with an index, rows in the log. What it holds is told by [`rows`], here and in
//! `tests/inspect/test_kept.py`.
//!
//! As long as no format was released, whoever changes it makes the store anew:
//! `cargo test --locked --profile develop -p marigram-core --test store_kept -- --ignored`

mod query_support;
mod store_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use marigram_core::codec::Codecs;
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::packed::pack;
use marigram_core::column::{Bitmap, ColumnData, ColumnType, PackedBatch, RowBatch, TextData};
use marigram_core::store::{FORMAT_VERSION, Store, Stream};
use marigram_core::time::{ManualClock, SECOND_NS};
use marigram_core::wire::v1;
use query_support::{Cell, ask, by, compare, measure, spec, table, tumbling};
use store_support::{Bed, NOW, commit, item, options};
use v1::MeasureKind::{Count, Distinct, First, Last, Max, Min, Sum};

const COLUMNS: [(&str, ColumnType); 5] = [
    ("f", ColumnType::F64),
    ("i", ColumnType::I64),
    ("b", ColumnType::Bool),
    ("sym", ColumnType::Symbol),
    ("txt", ColumnType::Text),
];
/// Rows of the cold part, of the hot one, and of the log: numbers from, numbers before.
const PIECES: [(i64, i64); 3] = [(0, 1_600), (1_600, 3_200), (3_200, 3_300)];
/// 2¹²⁸ over the golden ratio.
const ODD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
const USERS: [&str; 2] = ["anna", "ben"];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{FORMAT_VERSION}-sealed"))
}

/// A row by its number: one a second, users in turn.
struct Row {
    time: i64,
    user: &'static str,
    f: f64,
    i: Option<i64>,
    b: bool,
    sym: String,
    txt: Option<String>,
}

fn row(n: i64) -> Row {
    Row {
        time: NOW - (3_600 - n) * SECOND_NS,
        user: USERS[n as usize % 2],
        f: ((n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24) as f64,
        i: (n % 13 != 0).then_some(n * n % 1_000 - 500),
        b: n % 3 == 0,
        sym: format!("symbol {} {}", n % 160, "and more ".repeat(12)),
        // As hard to compress as an identifier, so that the filters of its blocks are worth their room.
        txt: (n % 4 == 1).then(|| format!("{:032x}", (n as u128 + 1).wrapping_mul(ODD))),
    }
}

fn rows() -> impl Iterator<Item = Row> {
    (0..PIECES[2].1).map(row)
}

fn batch(stream: &Stream, rows: &[Row]) -> RowBatch {
    let bits = |is_set: fn(&Row) -> bool| {
        let mut bits = Bitmap::default();
        rows.iter().for_each(|row| bits.push(is_set(row)));
        bits
    };
    let mut texts = TextData::default();
    rows.iter()
        .for_each(|row| texts.push(row.txt.as_deref().unwrap_or_default()));
    let id = |name: &str| stream.schema().column(name).unwrap().id;
    let column = |name: &str, data, validity| BatchColumn {
        id: id(name),
        data,
        validity,
    };
    let symbols = stream
        .symbols(id("sym"))
        .intern(rows.iter().map(|row| row.sym.as_str()));
    RowBatch {
        time: rows.iter().map(|row| row.time).collect(),
        entity: stream.intern_users(rows.iter().map(|row| row.user)),
        columns: vec![
            column("f", ColumnData::F64(rows.iter().map(|row| row.f).collect()), None),
            column(
                "i",
                ColumnData::I64(rows.iter().map(|row| row.i.unwrap_or(0)).collect()),
                Some(bits(|row| row.i.is_some())),
            ),
            column("b", ColumnData::Bool(bits(|row| row.b)), None),
            column("sym", ColumnData::Code(symbols), None),
            column("txt", ColumnData::Text(texts), Some(bits(|row| row.txt.is_some()))),
        ],
    }
}

#[test]
#[ignore = "makes the fixture anew"]
fn make_the_fixture() {
    let bed = Bed::new();
    let stream = bed.stream("rows");
    let add = |schema: &mut marigram_core::column::Schema| {
        let mut columns = COLUMNS.iter();
        columns.try_for_each(|(name, kind)| schema.add_column("", name, *kind, "", "").map(|_| ()))
    };
    stream.change_schema(add).unwrap();
    for (at, (first, end)) in PIECES.into_iter().enumerate() {
        // Half at a time, so that the log's pages are few: those of the first serve the second.
        let rows: Vec<Row> = (first..end).map(row).collect();
        for rows in rows.chunks(rows.len().div_ceil(2)) {
            let mut one = item(&stream, &[]);
            one.batch = Some(PackedBatch::open(pack(&batch(&stream, rows))).unwrap());
            one.received = rows.len() as u64;
            commit(&bed.store, one).unwrap();
        }
        if at < 2 {
            assert_eq!(bed.store.seal(&stream).unwrap().parts, 1);
        }
        if at == 0 {
            assert_eq!(bed.store.recode(&stream, None).unwrap().parts, 1);
        }
    }
    bed.store.close().unwrap();
    let _ = fs::remove_dir_all(fixture());
    copy(bed.path(), &fixture());
}

/// Copies a closed store without what is made anew at each start.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("parts")).unwrap();
    for name in ["MARIGRAM", "hot.mdb"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    for entry in fs::read_dir(from.join("parts")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join("parts").join(entry.file_name())).unwrap();
    }
}

fn cells(stream: &Arc<Stream>, spec: v1::QuerySpec) -> Vec<Vec<Cell>> {
    table(&ask(stream, spec).unwrap().batch).1
}

/// What is asked has the answers that the rows have.
fn assert_answers(stream: &Arc<Stream>) {
    let integers: Vec<i64> = rows().filter_map(|row| row.i).collect();
    let all = [
        integers.len() as i64,
        integers.iter().sum(),
        *integers.iter().min().unwrap(),
        *integers.iter().max().unwrap(),
    ];
    let kinds = [Count, Sum, Min, Max].map(|kind| measure(kind, "i"));
    assert_eq!(cells(stream, spec(kinds.to_vec())), [all.map(Cell::I64)]);

    // Whole numbers below 2⁴⁰ are exact, and so are their sums. These windows are what parts keep aggregates of.
    let mut windows: BTreeMap<(i64, &str), (i64, f64, f64)> = BTreeMap::new();
    let width = 600 * SECOND_NS;
    for row in rows() {
        let key = (row.time.div_euclid(width) * width, row.user);
        let window = windows.entry(key).or_insert((0, 0.0, row.f));
        *window = (window.0 + 1, window.1 + row.f, row.f);
    }
    let mut windowed = spec(vec![measure(Count, ""), measure(Sum, "f"), measure(Last, "f")]);
    (windowed.window, windowed.group_by) = (tumbling(width), by(&["entity"]));
    let mut found = cells(stream, windowed);
    found.sort_by_key(|row| format!("{row:?}"));
    let expected = windows.into_iter().map(|((start, user), (count, sum, last))| {
        let numbers = [Cell::I64(count), Cell::F64(sum), Cell::F64(last)];
        [vec![Cell::Time(start), Cell::text(user)], numbers.to_vec()].concat()
    });
    let mut expected: Vec<Vec<Cell>> = expected.collect();
    expected.sort_by_key(|row| format!("{row:?}"));
    assert_eq!(found, expected);

    let ends = [measure(First, "txt"), measure(Last, "txt"), measure(Distinct, "sym")];
    let texts: Vec<String> = rows().filter_map(|row| row.txt).collect();
    let ends_found = cells(stream, spec(ends.to_vec()));
    let [first, last] = [&texts[0], &texts[texts.len() - 1]].map(|text| Cell::text(text));
    assert_eq!(ends_found, [vec![first, last, Cell::I64(160)]]);

    for (column, text, count) in [
        (
            "sym",
            row(7).sym,
            rows().filter(|found| found.sym == row(7).sym).count(),
        ),
        ("txt", row(5).txt.unwrap(), 1),
        ("txt", row(3_201).txt.unwrap(), 1),
        ("txt", "no such text".to_owned(), 0),
    ] {
        let mut filtered = spec(vec![measure(Count, "")]);
        filtered.filter = Some(compare(column, v1::ComparisonOperator::Equal, &Cell::Text(text)));
        assert_eq!(cells(stream, filtered), [[Cell::I64(count as i64)]], "{column}");
    }
}

#[test]
fn a_sealed_store_of_this_format_is_read_and_has_its_known_answers() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture(), dir.path());
    let clock = Arc::new(ManualClock::at(NOW));
    let store = Store::open(dir.path(), options(&clock)).unwrap();
    let stream = store.stream(store.namespace("default").unwrap(), "rows").unwrap();
    assert_eq!((stream.rows(), stream.tail_size().0), (3_300, 100));
    // It has what it is kept for.
    let codecs: Vec<Codecs> = stream.parts().iter().map(|part| part.codecs()).collect();
    assert_eq!(codecs, [Codecs::Cold, Codecs::Hot]);
    for part in stream.parts().iter() {
        let ends = part.open().unwrap().time_ends().unwrap().expect("aggregates");
        assert!(!ends.widths.is_empty(), "a level of aggregates");
        let (part, txt) = (part.open().unwrap(), stream.schema().column("txt").unwrap().id);
        assert!(
            part.column(txt).unwrap().unwrap().sieve(&[0]).unwrap().is_some(),
            "filters"
        );
    }
    store.verify().unwrap();
    assert_answers(&stream);
    // And it is written on.
    assert_eq!(store.seal(&stream).unwrap().rows, 100);
    assert_eq!(store.recode(&stream, None).unwrap().parts, 2);
    assert_answers(&stream);
    store.verify().unwrap();
}
