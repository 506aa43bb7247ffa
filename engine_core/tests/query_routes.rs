//! Sealed rows answer as the same rows in a tail do, whatever is measured: parts in order, parts that overlap, and late rows.

mod query_support;
mod store_support;

use std::sync::Arc;

use marigram_core::column::batch::BatchColumn;
use marigram_core::column::{Bitmap, ColumnData, ColumnType, RowBatch, StreamKind};
use marigram_core::query::{Context, Spec, run};
use marigram_core::scan::pool::Pool;
use marigram_core::store::Stream;
use marigram_core::time::{ManualClock, SECOND_NS};
use marigram_core::wire::v1;
use query_support::{Cell, by, hopping, measure, session, session_within, sliding, spec, table, tumbling};
use store_support::{Bed, NOW, Random, store_batch};
use v1::MeasureKind as Kind;

const USERS: u64 = 40;
const MINUTE: i64 = 60 * SECOND_NS;

/// Time, user, counter or null, weight or null.
type Row = (i64, u64, Option<f64>, Option<i64>);

/// Rows between two minutes, counters that rise and are reset now and then.
fn rows(random: &mut Random, n: usize, from: i64, to: i64) -> Vec<Row> {
    let mut counters = [0.0; USERS as usize];
    let mut times: Vec<i64> = (0..n)
        .map(|_| NOW + from * MINUTE + random.below(((to - from) * 60_000) as u64) as i64 * 1_000_000)
        .collect();
    if random.below(2) == 0 {
        times.sort_unstable();
    }
    times
        .into_iter()
        .map(|time| {
            let user = random.below(USERS);
            let counter = &mut counters[user as usize];
            *counter = if random.below(50) == 0 {
                0.0
            } else {
                *counter + random.below(9) as f64 / 4.0
            };
            let f = match random.below(20) {
                0 => None,
                1 => Some(f64::NAN),
                _ => Some(*counter),
            };
            (time, user, f, (random.below(10) > 0).then(|| random.below(7) as i64))
        })
        .collect()
}

fn write(bed: &Bed, stream: &Arc<Stream>, rows: &[Row]) {
    let users: Vec<String> = rows.iter().map(|row| format!("user {}", row.1)).collect();
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
    let batch = RowBatch {
        time: rows.iter().map(|row| row.0).collect(),
        entity: stream.intern_users(users.iter().map(String::as_str)),
        columns: vec![
            column(
                "f",
                ColumnData::F64(rows.iter().map(|row| row.2.unwrap_or(5.0)).collect()),
                rows.iter().map(|row| row.2.is_some()).collect(),
            ),
            column(
                "i",
                ColumnData::I64(rows.iter().map(|row| row.3.unwrap_or(5)).collect()),
                rows.iter().map(|row| row.3.is_some()).collect(),
            ),
        ],
    };
    store_batch(&bed.store, stream, &batch);
}

fn stream(bed: &Bed, name: &str) -> Arc<Stream> {
    let stream = bed.store.stream_or_new(bed.ns, name, StreamKind::Event).unwrap();
    stream
        .change_schema(|schema| {
            schema.add_column("", "f", ColumnType::F64, "", "")?;
            schema.add_column("", "i", ColumnType::I64, "", "").map(|_| ())
        })
        .unwrap();
    stream
}

fn calendar(unit: v1::CalendarUnit, zone: &str) -> Option<v1::Window> {
    let kind = v1::window::Kind::Calendar(v1::CalendarWindow {
        unit: unit as i32,
        time_zone: zone.to_owned(),
        ..v1::CalendarWindow::default()
    });
    Some(v1::Window { kind: Some(kind) })
}

/// The answer over a stream.
fn answer(stream: &Arc<Stream>, asked: &v1::QuerySpec, pool: Option<Arc<Pool>>) -> Vec<Vec<Cell>> {
    let mut context = Context::new(Arc::new(ManualClock::at(0)));
    context.pool = pool;
    let query = v1::QuerySpec {
        stream: stream.name.clone(),
        ..asked.clone()
    };
    table(&run(stream, &Spec::new(query).unwrap(), &context).unwrap().batch).1
}

fn any_measures(random: &mut Random, has_windows: bool) -> Vec<v1::Measure> {
    let kinds = [
        Kind::Count,
        Kind::Sum,
        Kind::Mean,
        Kind::Min,
        Kind::Max,
        Kind::First,
        Kind::Last,
        Kind::Quantile,
        Kind::Distinct,
        Kind::DistinctSketch,
        Kind::Range,
        Kind::Variance,
        Kind::StandardDeviation,
        Kind::Rate,
        Kind::Increase,
        Kind::Delta,
        Kind::Derivative,
        Kind::TimeWeightedMean,
        Kind::WeightedMean,
        Kind::Ratio,
        Kind::Rank,
        Kind::ShareBelow,
        Kind::Mode,
        Kind::ShareOfTotal,
        Kind::Cumulative,
        Kind::Moving,
        Kind::Histogram,
        Kind::CumulativeDistribution,
        Kind::Box,
        Kind::TopK,
    ];
    let mut measures = Vec::new();
    for at in 0..=random.below(4) {
        let kind = random.pick(&kinds);
        if matches!(kind, Kind::Cumulative | Kind::Moving) && !has_windows {
            continue;
        }
        let (column, other) = random.pick(&[("f", "i"), ("i", "f")]);
        let mut measure = measure(kind, column);
        measure.name = format!("m{at}");
        match kind {
            Kind::Quantile => measure.quantile = random.below(101) as f64 / 100.0,
            Kind::Rank | Kind::ShareBelow => measure.threshold = random.below(40) as f64 / 4.0,
            Kind::WeightedMean | Kind::Ratio => measure.second_column = other.to_owned(),
            Kind::Moving | Kind::TopK => measure.count = 1 + random.below(5) as u32,
            Kind::CumulativeDistribution => measure.bounds = vec![-1.0, 2.5, 3.0, 40.0],
            Kind::Histogram if random.below(2) == 0 => measure.bounds = vec![0.0, 5.0],
            _ => {}
        }
        if random.below(3) == 0 {
            let filter = random.pick(&[
                "i > 2",
                "i != null",
                "f < 3 user:\"user 1\"",
                "user = \"user 7\"",
                "time > \"2000-01-01T00:00:00Z\"",
            ]);
            measure.filter_text = filter.to_owned();
        }
        measures.push(measure);
    }
    measures.push(v1::Measure {
        name: "rows".to_owned(),
        ..measure(Kind::Count, "")
    });
    measures
}

/// Equal but for the last bits of doubles, which the order of addition decides.
fn near(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::F64(a), Cell::F64(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6),
        (a, b) => a == b,
    }
}

#[test]
fn sealed_rows_answer_as_rows_of_the_tail_do() {
    let bed = Bed::with(|options| options.seals = false);
    let (sealed, tail) = (stream(&bed, "sealed"), stream(&bed, "tail"));
    let mut random = Random(41);
    // Hours apart, the same hours again, few late rows among many, and what stays in the tail between them.
    let pieces = [
        (-300, -240, 20_000, true),
        (-180, -120, 20_000, true),
        (-170, -110, 4_000, true),
        (-60, -30, 20_000, true),
        (-300, -20, 2_000, false),
        (-20, -1, 6_000, false),
    ];
    for (from, to, n, is_sealed) in pieces {
        let rows = rows(&mut random, n, from, to);
        for some in rows.chunks(3_000) {
            write(&bed, &sealed, some);
            write(&bed, &tail, some);
        }
        if is_sealed {
            bed.store.seal(&sealed).unwrap();
        }
    }
    assert!(sealed.parts().len() >= 4 && tail.parts().is_empty());
    let pool = Arc::new(Pool::new(2));
    for round in 0..300 {
        let width = random.pick(&[0, MINUTE / 4, MINUTE, 7 * MINUTE, 90 * MINUTE]);
        let window = match random.below(8) {
            6 => sliding(random.pick(&[2 * SECOND_NS, 10 * SECOND_NS])),
            7 => session_within(10 * SECOND_NS, Some(random.pick(&[SECOND_NS, MINUTE]))),
            0 => hopping(width + MINUTE, random.pick(&[MINUTE / 2, MINUTE])),
            1 => session(random.pick(&[2 * SECOND_NS, 10 * SECOND_NS, MINUTE])),
            2 => calendar(
                random.pick(&[v1::CalendarUnit::Hour, v1::CalendarUnit::Day]),
                "Asia/Kathmandu",
            ),
            _ => (width > 0).then(|| tumbling(width)).flatten(),
        };
        use v1::window::Kind::{Calendar, Sliding, Tumbling};
        let is_side_by_side = window
            .as_ref()
            .is_some_and(|window| matches!(window.kind, Some(Tumbling(_) | Calendar(_))));
        let is_sliding = window
            .as_ref()
            .is_some_and(|window| matches!(window.kind, Some(Sliding(_))));
        let mut measures = any_measures(&mut random, is_side_by_side);
        measures.retain(|measure| !(is_sliding && measure.kind() == Kind::ShareOfTotal));
        let start = NOW - random.below(310) as i64 * MINUTE;
        let end = start + random.below(300) as i64 * MINUTE;
        let asked = v1::QuerySpec {
            window,
            group_by: by(random.pick::<&[&str]>(&[&[], &["entity"], &["i"]])),
            range: random.pick(&[
                None,
                Some(v1::TimeRange {
                    start_ns: Some(start),
                    end_ns: Some(end),
                }),
            ]),
            ..spec(measures)
        };
        let pool = (round % 2 == 0).then(|| Arc::clone(&pool));
        let (got, wanted) = (answer(&sealed, &asked, pool.clone()), answer(&tail, &asked, pool));
        assert_eq!(got.len(), wanted.len(), "round {round}: {asked:?}");
        for (got, wanted) in got.iter().zip(&wanted) {
            let is_same = got.iter().zip(wanted).all(|(got, wanted)| near(got, wanted));
            assert!(is_same, "round {round}: {asked:?}\ngot {got:?}\nwanted {wanted:?}");
        }
    }
}

#[test]
fn sessions_end_where_an_entity_was_silent_for_longer_than_the_gap() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = stream(&bed, "rows");
    let mut random = Random(43);
    let mut all: Vec<Row> = Vec::new();
    for (from, to, n, is_sealed) in [(-60, -30, 900, true), (-40, -10, 500, true), (-60, -1, 400, false)] {
        let rows = rows(&mut random, n, from, to);
        write(&bed, &stream, &rows);
        all.extend(rows);
        if is_sealed {
            bed.store.seal(&stream).unwrap();
        }
    }
    for gap in [SECOND_NS, 20 * SECOND_NS, MINUTE, 10 * MINUTE] {
        let asked = v1::QuerySpec {
            window: session(gap),
            group_by: by(&["entity"]),
            ..spec(vec![measure(Kind::Count, ""), measure(Kind::Sum, "i")])
        };
        let mut wanted: Vec<Vec<Cell>> = Vec::new();
        for user in 0..USERS {
            let mut rows: Vec<&Row> = all.iter().filter(|row| row.1 == user).collect();
            rows.sort_by_key(|row| row.0);
            for session in rows.chunk_by(|earlier, later| later.0 - earlier.0 <= gap) {
                let values: Vec<i64> = session.iter().filter_map(|row| row.3).collect();
                let sum = (!values.is_empty()).then(|| Cell::I64(values.iter().sum()));
                wanted.push(vec![
                    Cell::Time(session[0].0),
                    Cell::Time(session[session.len() - 1].0),
                    Cell::text(&format!("user {user}")),
                    Cell::I64(session.len() as i64),
                    sum.unwrap_or(Cell::Null),
                ]);
            }
        }
        let order = |row: &Vec<Cell>| format!("{row:?}");
        wanted.sort_by_key(order);
        let mut got = answer(&stream, &asked, None);
        got.sort_by_key(order);
        assert_eq!(got, wanted);
    }
}

#[test]
fn sessions_are_of_all_rows_of_an_entity_whatever_else_is_grouped_by() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = stream(&bed, "rows");
    let row = |second: i64, user, i| (NOW - MINUTE + second * SECOND_NS, user, Some(1.0), Some(i));
    write(
        &bed,
        &stream,
        &[row(0, 1, 7), row(8, 1, 8), row(16, 1, 7), row(40, 1, 7), row(9, 2, 7)],
    );
    let asked = v1::QuerySpec {
        window: session(10 * SECOND_NS),
        group_by: by(&["i"]),
        ..spec(vec![measure(Kind::Count, "")])
    };
    let second = |second: i64| Cell::Time(NOW - MINUTE + second * SECOND_NS);
    let wanted = [
        vec![second(0), second(16), Cell::I64(7), Cell::I64(2)],
        vec![second(0), second(16), Cell::I64(8), Cell::I64(1)],
        vec![second(9), second(9), Cell::I64(7), Cell::I64(1)],
        vec![second(40), second(40), Cell::I64(7), Cell::I64(1)],
    ];
    assert_eq!(answer(&stream, &asked, None), wanted);
}

#[test]
fn days_of_a_zone_have_the_rows_that_fall_on_their_dates() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = stream(&bed, "rows");
    // Kathmandu is 5 h 45 min ahead: midnight there is 18:15.
    let day = 24 * 60 * MINUTE;
    let midnight = NOW.div_euclid(day) * day - day + (18 * 60 + 15) * MINUTE;
    let row = |time: i64| (time, 1, Some(1.0), None);
    write(
        &bed,
        &stream,
        &[row(midnight - 1), row(midnight), row(midnight + day - 1)],
    );
    for is_sealed in [false, true] {
        if is_sealed {
            bed.store.seal(&stream).unwrap();
        }
        let asked = v1::QuerySpec {
            window: calendar(v1::CalendarUnit::Day, "Asia/Kathmandu"),
            ..spec(vec![measure(Kind::Count, "")])
        };
        let wanted = [
            vec![Cell::Time(midnight - day), Cell::I64(1)],
            vec![Cell::Time(midnight), Cell::I64(2)],
        ];
        assert_eq!(answer(&stream, &asked, None), wanted);
    }
}
