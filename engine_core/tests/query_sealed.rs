//! Queries over sealed parts answer as rows looked at one by one do, however little of the parts they read.

mod query_support;
mod store_support;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use marigram_core::column::batch::BatchColumn;
use marigram_core::column::packed::pack;
use marigram_core::column::{Bitmap, ColumnData, ColumnType, PackedBatch, RejectCounts, RowBatch, StreamKind};
use marigram_core::query::{Context, Spec, run};
use marigram_core::scan::pool::Pool;
use marigram_core::store::{CommitItem, Stream};
use marigram_core::time::{ManualClock, SECOND_NS};
use marigram_core::wire::v1;
use query_support::{Cell, by, compare, filter, measure, spec, table, tumbling, value};
use store_support::{Bed, NOW, commit};
use v1::MeasureKind::{Count, First, Last, Max, Mean, Min, Sum};

const HOUR: i64 = 3_600 * SECOND_NS;
const SERIES: usize = 40;
const COLUMNS: [(&str, ColumnType); 7] = [
    ("host", ColumnType::Label),
    ("zone", ColumnType::Label),
    ("f", ColumnType::F64),
    ("wild", ColumnType::F64),
    ("i", ColumnType::I64),
    ("far", ColumnType::I64),
    ("b", ColumnType::Bool),
];

/// A row; series and labels follow from its number.
#[derive(Clone, Debug)]
struct Row {
    time: i64,
    series: usize,
    f: Option<f64>,
    wild: Option<f64>,
    i: Option<i64>,
    far: Option<i64>,
    b: Option<bool>,
}

/// Xorshift64*: the same rows in every run.
struct Random(u64);

impl Random {
    /// Below a bound of at most 2³¹.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// Labels of a series: every third has no zone, and the last has no label at all.
fn labels(series: usize) -> (Option<String>, Option<String>) {
    let host = (series + 1 < SERIES).then(|| format!("h{series}"));
    (
        host.clone(),
        host.filter(|_| !series.is_multiple_of(3))
            .map(|_| format!("z{}", series % 4)),
    )
}

fn text_of(series: usize) -> String {
    match labels(series) {
        (Some(host), Some(zone)) => format!("{{host=\"{host}\",zone=\"{zone}\"}}"),
        (Some(host), None) => format!("{{host=\"{host}\"}}"),
        _ => "{}".to_owned(),
    }
}

/// Rows of the hour from `start` on: of series 0 and 1 many blocks, of the others ever fewer; values by series, so that blocks differ
/// in what is known of them.
fn rows(random: &mut Random, n: usize, start: i64, tame: bool) -> Vec<Row> {
    (0..n)
        .map(|at| {
            let series = match random.below(10) {
                0..4 => 0,
                4..6 => 1,
                _ => random.below(SERIES as u64) as usize,
            };
            let decimal = (random.below(20_000) as f64 - 10_000.0) / 100.0;
            let (is_null, is_odd) = (random.below(9) == 0, random.below(40) == 0);
            let odd = random.pick(&[f64::NAN, -0.0, 0.0, -f64::NAN]);
            let wild = random.pick(&[1e200, -1e200, 1.0, 0.1, -0.0, f64::NAN, f64::MIN_POSITIVE]);
            let infinite = random.pick(&[f64::INFINITY, f64::NEG_INFINITY]);
            Row {
                // Ties, and ticks in order within the batch.
                time: start + (at as i64 * HOUR / n as i64) / 7_000_000 * 7_000_000,
                series,
                f: match series {
                    2 => None,
                    3 => Some(f64::NAN),
                    // Whole blocks of nothing but NaN, as of nothing but nulls in `far`.
                    1 if !tame => Some(f64::NAN),
                    4 => Some(-0.0),
                    0 if tame => Some(decimal),
                    _ if is_null => None,
                    1 if is_odd => Some(odd),
                    _ => Some(decimal),
                },
                wild: match series {
                    5 if !tame => Some(infinite),
                    0 => Some(decimal * std::f64::consts::PI),
                    _ if is_null => None,
                    _ => Some(wild),
                },
                i: (series == 0 || !is_null).then(|| (random.below(1 << 30) as i64 - (1 << 29)) << 11),
                far: match series {
                    1 => None,
                    _ if is_null => None,
                    _ => Some(random.pick(&[i64::MIN, i64::MAX, 0, -1])),
                },
                b: (!is_null).then(|| series < 4 || random.below(2) == 0),
            }
        })
        .collect()
}

fn batch(stream: &Stream, rows: &[Row]) -> RowBatch {
    let schema = stream.schema();
    let column = |name: &str, data, valid: Vec<bool>| {
        let mut validity = Bitmap::default();
        valid.into_iter().for_each(|bit| validity.push(bit));
        BatchColumn {
            id: schema.column(name).unwrap().id,
            data,
            validity: Some(validity),
        }
    };
    let f64s = |name, of: fn(&Row) -> Option<f64>| {
        let values = rows.iter().map(|row| of(row).unwrap_or(7.0)).collect();
        column(
            name,
            ColumnData::F64(values),
            rows.iter().map(|row| of(row).is_some()).collect(),
        )
    };
    let i64s = |name, of: fn(&Row) -> Option<i64>| {
        let values = rows.iter().map(|row| of(row).unwrap_or(7)).collect();
        column(
            name,
            ColumnData::I64(values),
            rows.iter().map(|row| of(row).is_some()).collect(),
        )
    };
    let mut bits = Bitmap::default();
    rows.iter().for_each(|row| bits.push(row.b == Some(true)));
    let b = column(
        "b",
        ColumnData::Bool(bits),
        rows.iter().map(|row| row.b.is_some()).collect(),
    );
    let texts: Vec<String> = rows.iter().map(|row| text_of(row.series)).collect();
    RowBatch {
        time: rows.iter().map(|row| row.time).collect(),
        entity: stream.intern_series(texts.iter().map(String::as_str)),
        columns: vec![
            f64s("f", |row| row.f),
            f64s("wild", |row| row.wild),
            i64s("i", |row| row.i),
            i64s("far", |row| row.far),
            b,
        ],
    }
}

/// A stream whose rows lie in several tiles, several parts of a tile, and the tail; and the rows in order of arrival.
struct Sealed {
    _bed: Bed,
    stream: Arc<Stream>,
    rows: Vec<Row>,
}

impl Sealed {
    /// A day, two hours of another, late rows of the first, and what stays in the tail.
    fn new() -> Self {
        let hours = [
            (-50, 20_000, true),
            (-20, 9_000, false),
            (-19, 30_000, true),
            (-50, 5_000, true),
            (-19, 3_000, true),
        ];
        let sealed = Self::of(&hours, &[0, 1, 2, 3]);
        assert!(sealed.stream.parts().len() >= 4);
        sealed
    }

    /// Hour after hour, so that there are nodes of several widths, and what stays in the tail.
    fn of_many_hours() -> Self {
        let hours: Vec<(i64, usize, bool)> = (-50..-42).map(|hour| (hour, 14_000, hour != -45)).collect();
        Self::of(&[&hours[..], &[(-42, 3_000, true)]].concat(), &[7])
    }

    /// Rows of these hours, sealed behind some of them: the hour, its rows, and whether they are tame.
    fn of(hours: &[(i64, usize, bool)], sealed_behind: &[usize]) -> Self {
        let bed = Bed::with(|options| options.seals = false);
        let stream = bed.store.stream_or_new(bed.ns, "rows", StreamKind::Metric).unwrap();
        let add = |schema: &mut marigram_core::column::Schema| {
            let mut columns = COLUMNS.iter();
            columns.try_for_each(|(name, kind)| schema.add_column("", name, *kind, "", "").map(|_| ()))
        };
        stream.change_schema(add).unwrap();
        let all: Vec<String> = (0..SERIES).map(text_of).collect();
        stream.intern_series(all.iter().map(String::as_str));
        let (mut random, mut kept) = (Random(17), Vec::new());
        for (at, &(hour, n, tame)) in hours.iter().enumerate() {
            let rows = rows(&mut random, n, NOW + hour * HOUR, tame);
            for some in rows.chunks(7_000) {
                let item = CommitItem {
                    stream: Arc::clone(&stream),
                    batch: Some(PackedBatch::open(pack(&batch(&stream, some))).unwrap()),
                    received: some.len() as u64,
                    rejected: RejectCounts::default(),
                    late: 0,
                    quarantine: Vec::new(),
                    writer: None,
                    message_bytes: 0,
                    done: Box::new(|_| {}),
                };
                commit(&bed.store, item).unwrap();
            }
            kept.extend(rows);
            if sealed_behind.contains(&at) {
                bed.store.seal(&stream).unwrap();
            }
        }
        assert_eq!(stream.tail_size().0, 3_000);
        Self {
            _bed: bed,
            stream,
            rows: kept,
        }
    }

    fn ask(
        &self,
        query: &v1::QuerySpec,
        pool: Option<Arc<Pool>>,
    ) -> marigram_core::error::Result<marigram_core::query::Answer> {
        let mut context = Context::new(Arc::new(ManualClock::at(0)));
        context.pool = pool;
        run(&self.stream, &Spec::new(query.clone()).unwrap(), &context)
    }
}

fn text_cell(text: Option<String>) -> Cell {
    text.map_or(Cell::Null, Cell::Text)
}

fn cell_of(row: &Row, column: &str) -> Cell {
    match column {
        "entity" => Cell::Text(text_of(row.series)),
        "host" => text_cell(labels(row.series).0),
        "zone" => text_cell(labels(row.series).1),
        "f" => row.f.map_or(Cell::Null, Cell::F64),
        "wild" => row.wild.map_or(Cell::Null, Cell::F64),
        "i" => row.i.map_or(Cell::Null, Cell::I64),
        "far" => row.far.map_or(Cell::Null, Cell::I64),
        "b" => row.b.map_or(Cell::Null, Cell::Bool),
        "time" => Cell::Time(row.time),
        other => panic!("{other}"),
    }
}

/// A condition and what it means.
type Test = (Option<v1::Filter>, Arc<dyn Fn(&Row) -> bool>);

fn tests() -> Vec<Test> {
    let equals = |column: &str, text: &str| compare(column, v1::ComparisonOperator::Equal, &Cell::text(text));
    let among = |column: &str, texts: &[String]| {
        filter(v1::filter::Condition::In(v1::InSet {
            column: column.to_owned(),
            values: texts.iter().map(|text| value(&Cell::text(text)).unwrap()).collect(),
        }))
    };
    let list = |filters: &[v1::Filter]| v1::FilterList {
        filters: filters.to_vec(),
    };
    let all = |filters: &[v1::Filter]| Some(filter(v1::filter::Condition::All(list(filters))));
    let any = |filters: &[v1::Filter]| Some(filter(v1::filter::Condition::Any(list(filters))));
    let not = |inner: v1::Filter| Some(filter(v1::filter::Condition::Not(Box::new(inner))));
    let above = compare("i", v1::ComparisonOperator::Greater, &Cell::I64(0));
    let some = [text_of(0), text_of(7), text_of(39), "nowhere".to_owned()];
    let in_some = |row: &Row| [0, 7, 39].contains(&row.series);
    let in_zone = |row: &Row| labels(row.series).1.as_deref() == Some("z1");
    vec![
        (None, Arc::new(|_: &Row| true)),
        (
            Some(equals("entity", &text_of(1))),
            Arc::new(|row: &Row| row.series == 1),
        ),
        (
            Some(equals("entity", &text_of(SERIES - 1))),
            Arc::new(|row: &Row| row.series + 1 == SERIES),
        ),
        (Some(equals("host", "h11")), Arc::new(|row: &Row| row.series == 11)),
        (Some(equals("zone", "z1")), Arc::new(in_zone)),
        (Some(equals("zone", "nowhere")), Arc::new(|_: &Row| false)),
        (Some(among("entity", &some)), Arc::new(in_some)),
        (
            all(&[among("entity", &some), above.clone()]),
            Arc::new(move |row: &Row| in_some(row) && row.i.is_some_and(|i| i > 0)),
        ),
        (
            all(&[equals("zone", "z1"), equals("host", "h1")]),
            Arc::new(|row: &Row| row.series == 1),
        ),
        (
            any(&[equals("zone", "z1"), equals("host", "h2")]),
            Arc::new(move |row: &Row| in_zone(row) || row.series == 2),
        ),
        (
            any(&[equals("host", "h2"), above.clone()]),
            Arc::new(|row: &Row| row.series == 2 || row.i.is_some_and(|i| i > 0)),
        ),
        (
            not(equals("host", "h0")),
            Arc::new(|row: &Row| row.series != 0 && row.series + 1 < SERIES),
        ),
        (
            Some(compare("time", v1::ComparisonOperator::Greater, &Cell::Time(i64::MIN))),
            Arc::new(|_: &Row| true),
        ),
    ]
}

/// A measured number may differ by so much from the true one.
#[derive(Clone, Debug)]
struct Expected(Cell, f64);

fn plain(cell: Cell) -> Cell {
    match cell {
        Cell::F64(value) => Cell::F64(value + 0.0),
        other => other,
    }
}

/// Sum as two doubles, and of magnitudes.
fn sum_of(values: &[f64]) -> (f64, f64) {
    let (mut high, mut low, mut magnitude) = (0.0f64, 0.0, 0.0);
    for &value in values {
        let sum = high + value;
        let of_value = sum - high;
        low += (high - (sum - of_value)) + (value - of_value);
        high = sum;
        magnitude += value.abs();
    }
    if high.is_finite() {
        (high + low, magnitude)
    } else {
        (values.iter().filter(|value| value.is_infinite()).sum(), 0.0)
    }
}

/// What values of one type are ordered by.
fn order(cell: &Cell) -> (f64, i64, &str) {
    match cell {
        Cell::F64(value) => (*value + 0.0, 0, ""),
        Cell::I64(value) | Cell::Time(value) => (0.0, *value, ""),
        Cell::Bool(value) => (0.0, i64::from(*value), ""),
        Cell::Text(text) => (0.0, 0, text),
        Cell::Null => panic!("a null has no order"),
    }
}

fn compute(measure: &v1::Measure, rows: &[&Row]) -> Expected {
    let exact = |cell| Expected(plain(cell), 0.0);
    if measure.column.is_empty() {
        return exact(Cell::I64(rows.len() as i64));
    }
    let cells = rows.iter().map(|row| (*row, cell_of(row, &measure.column)));
    let present: Vec<(&Row, Cell)> = cells
        .filter(|(_, cell)| *cell != Cell::Null && !matches!(cell, Cell::F64(value) if value.is_nan()))
        .collect();
    let f64s = || -> Vec<f64> {
        let values = present.iter().map(|(_, cell)| match cell {
            Cell::F64(value) => *value,
            Cell::I64(value) => *value as f64,
            other => panic!("{other:?}"),
        });
        values.collect()
    };
    let exact_sum = || -> i128 {
        let values = present.iter().map(|(_, cell)| {
            if let Cell::I64(value) = cell {
                i128::from(*value)
            } else {
                0
            }
        });
        values.sum()
    };
    let better = |left: &&Cell, right: &&Cell| order(left).partial_cmp(&order(right)).unwrap();
    let in_time = |(row, _): &&(&Row, Cell)| (row.time, row.series);
    let n = present.len() as f64;
    match measure.kind() {
        Count => exact(Cell::I64(present.len() as i64)),
        _ if present.is_empty() => exact(Cell::Null),
        Sum if measure.column == "i" => exact(Cell::I64(exact_sum() as i64)),
        Sum => {
            let (sum, magnitude) = sum_of(&f64s());
            Expected(Cell::F64(sum), magnitude * 2f64.powi(-50))
        }
        Mean if measure.column == "i" || measure.column == "far" => exact(Cell::F64(exact_sum() as f64 / n)),
        Mean => {
            let (sum, magnitude) = sum_of(&f64s());
            Expected(Cell::F64(sum / n), magnitude / n * 2f64.powi(-49))
        }
        Min => exact(present.iter().map(|(_, cell)| cell).min_by(better).unwrap().clone()),
        Max => exact(present.iter().map(|(_, cell)| cell).max_by(better).unwrap().clone()),
        First => Expected(present.iter().min_by_key(in_time).unwrap().1.clone(), 0.0),
        Last => Expected(present.iter().max_by_key(in_time).unwrap().1.clone(), 0.0),
        other => panic!("{other:?}"),
    }
}

fn is_near(got: &Cell, Expected(wanted, bound): &Expected) -> bool {
    match (got, wanted) {
        (Cell::F64(got), Cell::F64(wanted)) => {
            got == wanted || got.is_nan() && wanted.is_nan() || (got - wanted).abs() <= *bound
        }
        _ => got == wanted,
    }
}

struct Question {
    query: v1::QuerySpec,
    range: Range<i64>,
    width: Option<i64>,
    test: Test,
}

impl Question {
    /// Compares, and says from what the answer was made.
    fn check(&self, sealed: &Sealed, pool: Option<Arc<Pool>>) -> v1::Tier {
        let query = &self.query;
        let in_range: Vec<&Row> = sealed
            .rows
            .iter()
            .filter(|row| self.range.contains(&row.time))
            .collect();
        let taken: Vec<&Row> = in_range.iter().copied().filter(|row| (self.test.1)(row)).collect();
        let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for row in &taken {
            let start = self.width.map(|width| Cell::Time(row.time.div_euclid(width) * width));
            let keys = query.group_by.iter().map(|key| cell_of(row, &key.column));
            let key: Vec<Cell> = start.into_iter().chain(keys).collect();
            groups.entry(format!("{key:?}")).or_default().push(row);
        }
        if self.width.is_none() && query.group_by.is_empty() {
            groups.entry("[]".to_owned()).or_default();
        }
        let answer = sealed
            .ask(query, pool)
            .unwrap_or_else(|error| panic!("{error} of {query:?}"));
        let (names, found) = table(&answer.batch);
        let keys = names.len() - query.measures.len();
        assert_eq!(found.len(), groups.len(), "{query:?}");
        for line in found {
            let rows = groups
                .remove(&format!("{:?}", &line[..keys]))
                .unwrap_or_else(|| panic!("{line:?} of {query:?}"));
            for (got, measure) in line[keys..].iter().zip(&query.measures) {
                let wanted = compute(measure, &rows);
                assert!(
                    is_near(got, &wanted),
                    "{got:?} for {wanted:?}: {measure:?} of {line:?} of {query:?}"
                );
            }
        }
        let provenance = &answer.provenance;
        assert_eq!(provenance.rows_matched, taken.len() as u64, "{query:?}");
        assert!(provenance.rows_scanned >= taken.len() as u64 && provenance.rows_scanned <= in_range.len() as u64);
        if query.filter.is_none() {
            assert_eq!(provenance.rows_scanned, in_range.len() as u64, "{query:?}");
        }
        let nans = |measure: &v1::Measure| {
            let is_nan = |row: &&&Row| matches!(cell_of(row, &measure.column), Cell::F64(value) if value.is_nan());
            if measure.column.is_empty() {
                0
            } else {
                taken.iter().filter(is_nan).count() as u64
            }
        };
        assert_eq!(
            provenance.nan_skipped,
            query.measures.iter().map(nans).sum::<u64>(),
            "{query:?}"
        );
        provenance.tier()
    }
}

fn named(mut measures: Vec<v1::Measure>) -> Vec<v1::Measure> {
    measures
        .iter_mut()
        .enumerate()
        .for_each(|(at, measure)| measure.name = format!("m{at}"));
    measures
}

fn measures_of(column: &str) -> Vec<v1::MeasureKind> {
    match column {
        "" => vec![Count],
        "f" | "wild" | "i" => vec![Count, Sum, Mean, Min, Max, First, Last],
        "far" => vec![Count, Mean, Min, Max, First, Last],
        _ => vec![Count, Min, Max, First, Last],
    }
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Anything,
    /// First and last by entity.
    Ends,
    /// What aggregates tell.
    Nodes,
}

/// A question of everything that shortcuts look at.
fn question(random: &mut Random, about: About) -> Question {
    let ends = about == About::Ends;
    let columns = ["f", "wild", "i", "far", "b", "time", "zone"];
    let mut measures = Vec::new();
    for _ in 0..=random.below(5) {
        let column = match about {
            About::Ends => random.pick(&columns),
            About::Nodes => random.pick(&["", "f", "i", "far", "b"]),
            About::Anything => random.pick(&["", "f", "wild", "i", "far", "b", "time", "zone", "entity"]),
        };
        let mut kinds = measures_of(column);
        if ends {
            kinds = vec![Last, Last, First];
        } else if about == About::Nodes {
            kinds.retain(|kind| ![First, Last].contains(kind));
        }
        measures.push(measure(random.pick(&kinds), column));
    }
    let mut query = spec(named(measures));
    let groupings: [&[&str]; 8] = [
        &[],
        &[],
        &["entity"],
        &["entity"],
        &["host"],
        &["zone"],
        &["zone", "entity"],
        &["entity", "b"],
    ];
    let by_entity: [&[&str]; 3] = [&["entity"], &["host"], &["zone"]];
    let keys = if ends {
        random.pick(&by_entity)
    } else {
        random.pick(&groupings)
    };
    query.group_by = by(keys);
    let width = random.pick(&[
        None,
        None,
        Some(60 * SECOND_NS),
        Some(HOUR),
        Some(24 * HOUR),
        Some(18 * HOUR),
        Some(SECOND_NS),
    ]);
    let width = width.filter(|_| !ends);
    query.window = width.and_then(tumbling);
    let instants = [-50, -49, -20, -19, -18].map(|hour| NOW + hour * HOUR);
    let mut ends_of_time = [i64::MIN, i64::MAX];
    if random.below(2) == 0 {
        ends_of_time[0] = random.pick(&instants) + random.below(3_600_000) as i64 * 1_000_003 - HOUR / 2;
    }
    if random.below(2) == 0 {
        let start = ends_of_time[0].max(NOW - 50 * HOUR);
        ends_of_time[1] =
            (start + random.below(40) as i64 * HOUR / 2 + random.below(3_600_000) as i64 * 1_000_003).max(start);
    }
    let range = ends_of_time[0]..ends_of_time[1];
    query.range = Some(v1::TimeRange {
        start_ns: (range.start > i64::MIN).then_some(range.start),
        end_ns: (range.end < i64::MAX).then_some(range.end),
    });
    let test = if ends {
        tests()[0].clone()
    } else {
        random.pick(&tests())
    };
    query.filter.clone_from(&test.0);
    query.hints = Some(v1::QueryHints {
        no_footers: random.below(3) == 0,
    });
    Question {
        query,
        range,
        width,
        test,
    }
}

#[test]
fn sealed_rows_answer_as_rows_looked_at_one_by_one() {
    let sealed = Sealed::new();
    let pool = Arc::new(Pool::new(2));
    let mut random = Random(23);
    for round in 0..400 {
        let about = if round % 4 == 3 { About::Ends } else { About::Anything };
        question(&mut random, about).check(&sealed, (round % 2 == 0).then(|| Arc::clone(&pool)));
    }
}

#[test]
fn aggregates_answer_as_rows_looked_at_one_by_one() {
    let sealed = Sealed::of_many_hours();
    let pool = Arc::new(Pool::new(2));
    let (mut random, mut by_aggregates) = (Random(29), 0);
    for round in 0..200 {
        let about = match round % 8 {
            6 => About::Anything,
            7 => About::Ends,
            _ => About::Nodes,
        };
        let question = question(&mut random, about);
        let tier = question.check(&sealed, (round % 2 == 0).then(|| Arc::clone(&pool)));
        let may = question.query.hints.is_none_or(|hints| !hints.no_footers);
        assert!(tier == v1::Tier::Raw || tier == v1::Tier::Preaggregate && may);
        by_aggregates += u32::from(tier == v1::Tier::Preaggregate);
    }
    assert!(by_aggregates > 20, "{by_aggregates} of 200 by aggregates");
}

#[test]
fn nodes_that_lanes_are_cut_in_are_taken_once() {
    let mut hours: Vec<(i64, usize, bool)> = (-50..-30).map(|hour| (hour, 120_000, true)).collect();
    hours.push((-30, 3_000, true));
    let sealed = Sealed::of(&hours, &[19]);
    let pool = Arc::new(Pool::new(2));
    let widths = [None, Some(HOUR), Some(6 * HOUR), Some(5 * HOUR)];
    let (cut, inside) = (NOW - 47 * HOUR + 1_234_567, NOW - 31 * HOUR - 7);
    for (width, keys) in widths
        .iter()
        .flat_map(|width| [(width, &["entity"][..]), (width, &["zone"]), (width, &[])])
    {
        for range in [None, Some((cut, inside))] {
            let mut query = spec(named(vec![
                measure(Count, ""),
                measure(Sum, "i"),
                measure(Min, "f"),
                measure(Max, "f"),
                measure(Mean, "f"),
            ]));
            query.group_by = by(keys);
            query.window = width.and_then(tumbling);
            query.range = range.map(|(start, end)| v1::TimeRange {
                start_ns: Some(start),
                end_ns: Some(end),
            });
            let ours = sealed.ask(&query, Some(Arc::clone(&pool))).unwrap();
            query.hints = Some(v1::QueryHints { no_footers: true });
            let rows = sealed.ask(&query, None).unwrap();
            assert_eq!(rows.provenance.tier(), v1::Tier::Raw);
            assert_eq!(ours.provenance.rows_matched, rows.provenance.rows_matched, "{query:?}");
            if width.is_some() || !keys.is_empty() {
                assert_eq!(ours.provenance.tier(), v1::Tier::Preaggregate, "{query:?}");
            }
            let ((names, ours), (_, rows)) = (table(&ours.batch), table(&rows.batch));
            assert_eq!(ours.len(), rows.len());
            for (ours, rows) in ours.iter().zip(&rows) {
                let (mean, others) = (names.len() - 1, 0..names.len() - 1);
                assert_eq!(ours[others.clone()], rows[others], "{query:?}");
                assert!(is_near(&ours[mean], &Expected(rows[mean].clone(), 1e-9)), "{query:?}");
            }
        }
    }
}

/// One value, its series and its hour.
fn shifted(sealed: &Sealed, change: impl Fn(&mut Row)) -> Sealed {
    let mut rows = sealed.rows.clone();
    change(&mut rows[12_345]);
    Sealed {
        _bed: Bed::new(),
        stream: Arc::clone(&sealed.stream),
        rows,
    }
}

#[test]
fn one_row_that_is_another_is_noticed() {
    let sealed = Sealed::new();
    let everything = |kinds: &[v1::MeasureKind], column: &str| Question {
        query: spec(named(kinds.iter().map(|&kind| measure(kind, column)).collect())),
        range: i64::MIN..i64::MAX,
        width: None,
        test: tests()[0].clone(),
    };
    let fails = |question: &Question, sealed: &Sealed| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| question.check(sealed, None))).is_err()
    };
    let sums = everything(&[Sum], "i");
    let counts = everything(&[Count], "f");
    let mut lasts = everything(&[Last], "time");
    lasts.query.group_by = by(&["entity"]);
    assert!(!fails(&sums, &sealed) && !fails(&counts, &sealed) && !fails(&lasts, &sealed));
    assert!(fails(
        &sums,
        &shifted(&sealed, |row| row.i = Some(row.i.unwrap_or(0) ^ 1))
    ));
    assert!(fails(&counts, &shifted(&sealed, |row| row.f = row.f.xor(Some(1.0)))));
    assert!(fails(&lasts, &shifted(&sealed, |row| row.time = NOW + HOUR)));
}
