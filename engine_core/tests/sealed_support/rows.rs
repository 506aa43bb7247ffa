//! Rows of forty series in a stream that is sealed hour by hour, and the same rows to look at one by one.

use std::sync::Arc;

use crate::store_support::{Bed, NOW, store_batch};
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::{Bitmap, ColumnData, ColumnType, RowBatch, StreamKind};
use marigram_core::query::{Context, Spec, run};
use marigram_core::scan::pool::Pool;
use marigram_core::store::Stream;
use marigram_core::time::{ManualClock, SECOND_NS};
use marigram_core::wire::v1;

pub(crate) const HOUR: i64 = 3_600 * SECOND_NS;
pub(crate) const SERIES: usize = 40;
pub(crate) const COLUMNS: [(&str, ColumnType); 7] = [
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
pub(crate) struct Row {
    pub(crate) time: i64,
    pub(crate) series: usize,
    pub(crate) f: Option<f64>,
    pub(crate) wild: Option<f64>,
    pub(crate) i: Option<i64>,
    pub(crate) far: Option<i64>,
    pub(crate) b: Option<bool>,
}

/// Xorshift64*: the same rows in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Below a bound of at most 2³¹.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// Labels of a series: every third has no zone, and the last has no label at all.
pub(crate) fn labels(series: usize) -> (Option<String>, Option<String>) {
    let host = (series + 1 < SERIES).then(|| format!("h{series}"));
    (
        host.clone(),
        host.filter(|_| !series.is_multiple_of(3))
            .map(|_| format!("z{}", series % 4)),
    )
}

pub(crate) fn text_of(series: usize) -> String {
    match labels(series) {
        (Some(host), Some(zone)) => format!("{{host=\"{host}\",zone=\"{zone}\"}}"),
        (Some(host), None) => format!("{{host=\"{host}\"}}"),
        _ => "{}".to_owned(),
    }
}

/// Rows of the hour from `start` on: of series 0 and 1 many blocks, of the others ever fewer; values by series, so that blocks differ
/// in what is known of them.
pub(crate) fn rows(random: &mut Random, n: usize, start: i64, tame: bool) -> Vec<Row> {
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

pub(crate) fn batch(stream: &Stream, rows: &[Row]) -> RowBatch {
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
pub(crate) struct Sealed {
    pub(crate) bed: Bed,
    pub(crate) stream: Arc<Stream>,
    pub(crate) rows: Vec<Row>,
}

impl Sealed {
    /// A day, two hours of another, late rows of the first, and what stays in the tail.
    pub(crate) fn new() -> Self {
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
    pub(crate) fn of_many_hours() -> Self {
        let hours: Vec<(i64, usize, bool)> = (-50..-42).map(|hour| (hour, 14_000, hour != -45)).collect();
        Self::of(&[&hours[..], &[(-42, 3_000, true)]].concat(), &[7])
    }

    /// Rows of these hours, sealed behind some of them: the hour, its rows, and whether they are tame.
    pub(crate) fn of(hours: &[(i64, usize, bool)], sealed_behind: &[usize]) -> Self {
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
                store_batch(&bed.store, &stream, &batch(&stream, some));
            }
            kept.extend(rows);
            if sealed_behind.contains(&at) {
                bed.store.seal(&stream).unwrap();
            }
        }
        assert_eq!(stream.tail_size().0, 3_000);
        Self {
            bed,
            stream,
            rows: kept,
        }
    }

    /// Seals what is in the tail.
    pub(crate) fn seal(&self) {
        self.bed.store.seal(&self.stream).unwrap();
    }

    pub(crate) fn ask(
        &self,
        query: &v1::QuerySpec,
        pool: Option<Arc<Pool>>,
    ) -> marigram_core::error::Result<marigram_core::query::Answer> {
        let mut context = Context::new(Arc::new(ManualClock::at(0)));
        context.pool = pool;
        run(&self.stream, &Spec::new(query.clone()).unwrap(), &context)
    }
}
