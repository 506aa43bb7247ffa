//! Rollups answer as the rows that they stand for do: whatever is measured, in whatever windows, of parts that overlap, with late rows,
//! and once the rows are gone.

mod query_support;
mod store_support;

use std::sync::Arc;

use marigram_core::column::batch::BatchColumn;
use marigram_core::column::rollup::RollupSpec;
use marigram_core::column::{Bitmap, ColumnData, ColumnType, RowBatch, StreamKind, TextData};
use marigram_core::query::{Answer, Context, Spec, run};
use marigram_core::store::Stream;
use marigram_core::time::{ManualClock, SECOND_NS};
use marigram_core::wire::v1;
use query_support::{Cell, by, hopping, measure, spec, table, tumbling};
use store_support::{Bed, NOW, Random, store_batch};
use v1::MeasureKind as Kind;

const HOSTS: u64 = 12;
const LEVELS: [&str; 3] = ["info", "warning", "error"];
const MINUTE: i64 = 60 * SECOND_NS;
const HOUR: i64 = 60 * MINUTE;
/// A full hour.
const ZERO: i64 = NOW / HOUR * HOUR;

fn rollup(width_ns: i64, group_by: &[&str], sketches: bool) -> RollupSpec {
    RollupSpec {
        width_ns,
        keep_for_ns: None,
        group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
        sketches,
    }
}

fn set_rollups(stream: &Arc<Stream>, rollups: Vec<RollupSpec>) {
    stream
        .change_schema(|schema| {
            schema.settings.rollups = rollups;
            marigram_core::column::rollup::check(schema)
        })
        .unwrap();
}

/// A metric stream with labels `host` and `region`, a symbol, and a column of each type of numbers.
fn stream(bed: &Bed) -> Arc<Stream> {
    let stream = bed.store.stream_or_new(bed.ns, "rows", StreamKind::Metric).unwrap();
    stream
        .change_schema(|schema| {
            for (name, column_type) in [
                ("host", ColumnType::Label),
                ("region", ColumnType::Label),
                ("level", ColumnType::Symbol),
                ("ok", ColumnType::Bool),
                ("f", ColumnType::F64),
                ("i", ColumnType::I64),
                ("at", ColumnType::Timestamp),
            ] {
                schema.add_column("", name, column_type, "", "")?;
            }
            Ok(())
        })
        .unwrap();
    stream
}

fn bits(values: impl Iterator<Item = bool>) -> Bitmap {
    let mut bits = Bitmap::default();
    values.for_each(|bit| bits.push(bit));
    bits
}

/// Commits rows of so many minutes from `from` on, some values being null or NaN; `has_i`: whether there is a column `i`.
fn write(bed: &Bed, stream: &Arc<Stream>, random: &mut Random, n: usize, (from, to): (i64, i64), has_i: bool) {
    let schema = stream.schema();
    let column = |name: &str| schema.column(name).unwrap().id;
    let texts: Vec<String> = (0..HOSTS)
        .map(|host| format!("{{host=\"host {host}\",region=\"region {}\"}}", host % 3))
        .collect();
    let series = stream.intern_series(texts.iter().map(String::as_str));
    let levels = stream.symbols(column("level")).intern(LEVELS.into_iter());
    let level: Vec<u32> = (0..n)
        .map(|_| [0, levels[0], levels[1], levels[2]][random.below(4) as usize])
        .collect();
    let mut some = |odds: u64| -> Vec<u64> { (0..n).map(|_| random.below(odds)).collect() };
    let (nulls, ok, values, integers, hosts) = (some(9), some(3), some(1_000), some(50), some(HOSTS));
    let times: Vec<i64> = some(((to - from) * 60_000) as u64)
        .into_iter()
        .map(|time| ZERO + from * MINUTE + time as i64 * 1_000_000)
        .collect();
    let valid = |except: u64| Some(bits(nulls.iter().map(|&null| null != except)));
    let has_level = bits(level.iter().map(|&code| code > 0));
    let mut columns = vec![
        BatchColumn {
            id: column("level"),
            data: if has_i {
                ColumnData::Code(level)
            } else {
                // As a column whose dictionary is full lies.
                let mut texts = TextData::default();
                for code in &level {
                    let at = levels.iter().position(|known| known == code);
                    texts.push(at.map_or("", |at| LEVELS[at]));
                }
                ColumnData::Text(texts)
            },
            validity: (!has_i).then_some(has_level),
        },
        BatchColumn {
            id: column("ok"),
            data: ColumnData::Bool(bits(ok.iter().map(|&ok| ok == 1))),
            validity: Some(bits(ok.iter().map(|&ok| ok > 0))),
        },
        BatchColumn {
            id: column("f"),
            data: ColumnData::F64(
                values
                    .iter()
                    .zip(&nulls)
                    .map(|(&value, &null)| if null == 1 { f64::NAN } else { value as f64 / 8.0 - 20.0 })
                    .collect(),
            ),
            validity: valid(0),
        },
    ];
    if has_i {
        columns.push(BatchColumn {
            id: column("i"),
            data: ColumnData::I64(integers.iter().map(|&value| value as i64 - 7).collect()),
            validity: valid(2),
        });
    }
    columns.push(BatchColumn {
        id: column("at"),
        data: ColumnData::I64(
            times
                .iter()
                .zip(&values)
                .map(|(time, value)| time - *value as i64)
                .collect(),
        ),
        validity: valid(3),
    });
    let batch = RowBatch {
        time: times,
        entity: hosts.iter().map(|&host| series[host as usize]).collect(),
        columns,
    };
    store_batch(&bed.store, stream, &batch);
}

/// Three hours of rows in parts that overlap, with late ones, and a tail.
fn fill(bed: &Bed, stream: &Arc<Stream>, random: &mut Random) {
    let pieces = [
        ((-300, -240), 12_000, true),
        ((-200, -110), 12_000, true),
        ((-190, -120), 8_000, false),
        ((-300, -100), 9_000, true),
    ];
    for (minutes, n, has_i) in pieces {
        write(bed, stream, random, n, minutes, has_i);
        bed.store.seal(stream).unwrap();
    }
    write(bed, stream, random, 3_000, (-310, -90), true);
}

fn ask(stream: &Arc<Stream>, asked: &v1::QuerySpec, hints: v1::QueryHints) -> Answer {
    let query = v1::QuerySpec {
        stream: stream.name.clone(),
        hints: Some(hints),
        ..asked.clone()
    };
    run(
        stream,
        &Spec::new(query).unwrap(),
        &Context::new(Arc::new(ManualClock::at(0))),
    )
    .unwrap()
}

const RAW: v1::QueryHints = v1::QueryHints {
    no_footers: true,
    no_rollups: true,
    no_cache: false,
};
const NODES: v1::QueryHints = v1::QueryHints {
    no_footers: false,
    no_rollups: true,
    no_cache: false,
};
const ROLLUPS: v1::QueryHints = v1::QueryHints {
    no_footers: false,
    no_rollups: false,
    no_cache: false,
};

fn calendar(unit: v1::CalendarUnit, zone: &str) -> Option<v1::Window> {
    let kind = v1::window::Kind::Calendar(v1::CalendarWindow {
        unit: unit as i32,
        time_zone: zone.to_owned(),
        ..v1::CalendarWindow::default()
    });
    Some(v1::Window { kind: Some(kind) })
}

/// Measures that rollups have the states of.
fn measures(random: &mut Random, has_sketches: bool) -> Vec<v1::Measure> {
    let all = [
        (Kind::Count, &["", "f", "i", "level", "ok", "at"][..]),
        (Kind::Sum, &["f", "i"]),
        (Kind::Mean, &["f", "i"]),
        (Kind::Min, &["f", "i", "ok", "at"]),
        (Kind::Max, &["f", "i", "ok", "at"]),
        (Kind::Range, &["f", "i"]),
        (Kind::First, &["f", "i", "ok", "at"]),
        (Kind::Last, &["f", "i", "ok", "at"]),
        (Kind::Delta, &["f", "i"]),
        (Kind::Ratio, &["f", "i"]),
        (Kind::ShareOfTotal, &["i"]),
        (Kind::Quantile, &["f", "i"]),
        (Kind::Box, &["f", "i"]),
        (Kind::Histogram, &["f", "i"]),
    ];
    let kinds = if has_sketches { all.len() } else { all.len() - 3 };
    let mut measures = vec![measure(Kind::Count, "")];
    for at in 0..=random.below(4) {
        let (kind, columns) = random.pick(&all[..kinds]);
        let mut measure = measure(kind, random.pick(columns));
        measure.name = format!("m{at}");
        match kind {
            Kind::Ratio => measure.second_column = "i".to_owned(),
            Kind::Quantile => measure.quantile = random.below(101) as f64 / 100.0,
            _ => {}
        }
        measures.push(measure);
    }
    measures
}

/// Equal but for the last bits of sums of doubles, which the order of addition decides.
fn near(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::F64(a), Cell::F64(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6),
        (Cell::List(a), Cell::List(b)) | (Cell::Struct(a), Cell::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b))
        }
        (a, b) => a == b,
    }
}

fn assert_same(got: &Answer, wanted: &Answer, what: &str) {
    let (got_rows, wanted_rows) = (table(&got.batch).1, table(&wanted.batch).1);
    assert_eq!(got_rows.len(), wanted_rows.len(), "{what}");
    for (got, wanted) in got_rows.iter().zip(&wanted_rows) {
        let is_same = got.iter().zip(wanted).all(|(got, wanted)| near(got, wanted));
        assert!(is_same, "{what}\ngot {got:?}\nwanted {wanted:?}");
    }
    let counted = |answer: &Answer| {
        let made = &answer.provenance;
        (made.rows_matched, made.nan_skipped, made.measures.clone())
    };
    assert_eq!(counted(got), counted(wanted), "{what}");
}

fn range(start: i64, end: i64) -> Option<v1::TimeRange> {
    Some(v1::TimeRange {
        start_ns: Some(start),
        end_ns: Some(end),
    })
}

/// A query that rollups by entity, of a minute and of an hour, can answer.
fn question(random: &mut Random, has_sketches: bool) -> v1::QuerySpec {
    let window = match random.below(5) {
        0 => None,
        1 => hopping(random.pick(&[10 * MINUTE, HOUR]), 5 * MINUTE),
        2 => calendar(
            random.pick(&[v1::CalendarUnit::Hour, v1::CalendarUnit::Day]),
            random.pick(&["", "Asia/Kathmandu"]),
        ),
        _ => tumbling(random.pick(&[MINUTE, 7 * MINUTE, HOUR, 3 * HOUR])),
    };
    let start = ZERO - random.below(310) as i64 * MINUTE;
    let end = start + (4 + random.below(300) as i64) * MINUTE;
    let ragged = random.pick(&[0, 0, 1, 90 * SECOND_NS]);
    v1::QuerySpec {
        window,
        group_by: by(random.pick::<&[&str]>(&[&[], &["entity"], &["host"], &["region"]])),
        range: if random.below(2) == 0 {
            None
        } else {
            range(start + ragged, end - ragged)
        },
        filter_text: random
            .pick(&["", "", "region = \"region 1\"", "host != \"host 3\""])
            .to_owned(),
        ..spec(measures(random, has_sketches))
    }
}

/// Asks now and then for what no rollup tells.
fn ask_for_rows(random: &mut Random, asked: &mut v1::QuerySpec) {
    if random.below(12) == 0 {
        asked.measures[0].filter_text = "i > 0".to_owned();
    }
    if random.below(12) == 0 {
        asked.group_by.push(v1::GroupKey {
            column: "time".to_owned(),
            time_part: v1::TimePart::HourOfDay as i32,
            ..Default::default()
        });
    }
}

#[test]
fn rollups_by_entity_answer_as_rows_do() {
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(41));
    set_rollups(&stream, vec![rollup(MINUTE, &[], true), rollup(HOUR, &[], false)]);
    fill(&bed, &stream, &mut random);
    assert_eq!(stream.rollups().len(), stream.parts().len() * 2);
    let mut rolled = 0;
    for round in 0..400 {
        let mut asked = question(&mut random, true);
        ask_for_rows(&mut random, &mut asked);
        let wanted = ask(&stream, &asked, RAW);
        for hints in [NODES, ROLLUPS] {
            let got = ask(&stream, &asked, hints);
            assert_same(&got, &wanted, &format!("round {round}: {asked:?}"));
            rolled += u32::from(got.provenance.tier() == v1::Tier::Rollup);
            assert_eq!(got.provenance.rows_unavailable, 0);
        }
    }
    assert!(rolled > 200, "rollups were read in {rolled} of 400 queries");
}

#[test]
fn rollups_by_labels_symbols_and_booleans_answer_as_rows_do() {
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(43));
    let all = vec![
        rollup(5 * MINUTE, &["region", "level"], true),
        rollup(HOUR, &["level"], false),
        rollup(HOUR, &["ok", "host"], false),
        rollup(HOUR, &["entity", "level"], true),
    ];
    set_rollups(&stream, all);
    fill(&bed, &stream, &mut random);
    let mut rolled = 0;
    for round in 0..300 {
        let keys: &[&str] = random.pick::<&[&str]>(&[
            &[],
            &["level"],
            &["region", "level"],
            &["ok"],
            &["host", "ok"],
            &["entity", "level"],
            &["host", "level"],
        ]);
        let asked = v1::QuerySpec {
            group_by: by(keys),
            filter_text: random
                .pick(&[
                    "",
                    "level = error",
                    "level != info",
                    "level = null",
                    "region = \"region 1\"",
                    "-ok = true",
                ])
                .to_owned(),
            ..question(&mut random, true)
        };
        let wanted = ask(&stream, &asked, RAW);
        let got = ask(&stream, &asked, ROLLUPS);
        assert_same(&got, &wanted, &format!("round {round}: {asked:?}"));
        rolled += u32::from(got.provenance.tier() == v1::Tier::Rollup);
    }
    assert!(rolled > 100, "rollups were read in {rolled} of 300 queries");
}

/// The stream keeps no sealed row from now on.
fn drop_rows(bed: &Bed, stream: &Arc<Stream>) {
    stream
        .change_schema(|schema| {
            schema.settings.keep_for_ns = Some(1);
            Ok(())
        })
        .unwrap();
    assert!(bed.store.apply_retention(stream, false).unwrap().rows > 0);
    assert!(stream.parts().is_empty());
}

#[test]
fn rollups_that_outlive_their_rows_answer_as_these_did() {
    let mut bed = Bed::with(|options| options.seals = false);
    let (mut rows, mut random) = (stream(&bed), Random(47));
    set_rollups(&rows, vec![rollup(MINUTE, &[], true), rollup(HOUR, &[], true)]);
    fill(&bed, &rows, &mut random);
    let mut asked = Vec::new();
    while asked.len() < 100 {
        let question = question(&mut random, true);
        let is_whole = |time: Option<i64>| time.is_none_or(|time| time % MINUTE == 0);
        if question
            .range
            .is_none_or(|range| is_whole(range.start_ns) && is_whole(range.end_ns))
        {
            let wanted = ask(&rows, &question, RAW);
            asked.push((question, wanted));
        }
    }
    let rollups = rows.rollups().len();
    drop_rows(&bed, &rows);
    for is_reopened in [false, true] {
        if is_reopened {
            bed.reopen();
            rows = bed.store.stream(bed.ns, "rows").unwrap();
        }
        assert_eq!(rows.rollups().len(), rollups);
        for (round, (asked, wanted)) in asked.iter().enumerate() {
            let got = ask(&rows, asked, RAW);
            assert_same(&got, wanted, &format!("round {round}: {asked:?}"));
            assert_eq!(got.provenance.rows_unavailable, 0);
        }
    }
    bed.store.verify().unwrap();
}

#[test]
fn rows_that_are_gone_and_that_nothing_stands_for_are_counted() {
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(53));
    set_rollups(&stream, vec![rollup(HOUR, &[], false)]);
    write(&bed, &stream, &mut random, 6_000, (-120, 0), true);
    bed.store.seal(&stream).unwrap();
    write(&bed, &stream, &mut random, 500, (-60, 0), true);
    let count = v1::QuerySpec {
        ..spec(vec![measure(Kind::Count, "")])
    };
    let whole_hour = v1::QuerySpec {
        range: range(ZERO - HOUR, ZERO),
        ..count.clone()
    };
    let of_hour = ask(&stream, &whole_hour, RAW).provenance.rows_matched;
    drop_rows(&bed, &stream);
    let found = |asked: &v1::QuerySpec| {
        let made = ask(&stream, asked, ROLLUPS).provenance;
        (made.rows_matched, made.rows_unavailable)
    };
    assert_eq!(found(&count), (6_500, 0));
    assert_eq!(found(&whole_hour), (of_hour, 0));
    // The hour that the range cuts is counted whole.
    let cut = v1::QuerySpec {
        range: range(ZERO - HOUR - MINUTE, ZERO),
        ..count.clone()
    };
    assert_eq!(found(&cut), (of_hour, 6_500 - of_hour));
    for asked in [
        v1::QuerySpec {
            window: tumbling(MINUTE),
            ..count.clone()
        },
        v1::QuerySpec {
            window: query_support::session(MINUTE),
            ..count.clone()
        },
        v1::QuerySpec {
            group_by: by(&["level"]),
            ..count.clone()
        },
        spec(vec![measure(Kind::Distinct, "f")]),
        v1::QuerySpec {
            filter_text: "f > 3".to_owned(),
            ..count
        },
    ] {
        assert_eq!(
            ask(&stream, &asked, ROLLUPS).provenance.rows_unavailable,
            6_000,
            "{asked:?}"
        );
    }
}

#[test]
fn parts_get_rollups_that_a_stream_comes_to_want_and_lose_those_it_wants_no_more() {
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(59));
    fill(&bed, &stream, &mut random);
    let parts = stream.parts().len();
    let files = || std::fs::read_dir(bed.path().join("parts")).unwrap().count();
    assert_eq!((stream.rollups().len(), files()), (0, parts));
    set_rollups(&stream, vec![rollup(HOUR, &[], false)]);
    assert_eq!(bed.store.roll_up(&stream).unwrap(), parts as u64);
    assert_eq!((stream.rollups().len(), files()), (parts, parts * 2));
    assert_eq!(bed.store.roll_up(&stream).unwrap(), 0);
    // Those with sketches take the place of those without, which also serve where none are wanted any more.
    set_rollups(&stream, vec![rollup(HOUR, &[], true)]);
    assert_eq!(bed.store.roll_up(&stream).unwrap(), parts as u64);
    set_rollups(
        &stream,
        vec![rollup(HOUR, &[], false), rollup(MINUTE, &["level"], false)],
    );
    assert_eq!(bed.store.roll_up(&stream).unwrap(), parts as u64);
    assert_eq!((stream.rollups().len(), files()), (parts * 2, parts * 3));
    let asked = v1::QuerySpec {
        window: tumbling(HOUR),
        ..spec(vec![measure(Kind::Count, ""), measure(Kind::Quantile, "f")])
    };
    let got = ask(&stream, &asked, ROLLUPS);
    assert_eq!(got.provenance.tier(), v1::Tier::Rollup);
    assert_same(&got, &ask(&stream, &asked, RAW), "an hour");
    set_rollups(&stream, vec![rollup(MINUTE, &["level"], false)]);
    bed.store.apply_retention(&stream, false).unwrap();
    assert_eq!((stream.rollups().len(), files()), (parts, parts * 2));
    set_rollups(&stream, Vec::new());
    assert_eq!(bed.store.apply_retention(&stream, true).unwrap().parts, 0);
    assert_eq!(stream.rollups().len(), parts, "a dry run drops nothing");
    bed.store.apply_retention(&stream, false).unwrap();
    assert_eq!(
        (stream.rollups().len(), files(), stream.parts().len()),
        (0, parts, parts)
    );
    bed.store.verify().unwrap();
}

#[test]
fn a_rollup_is_kept_for_as_long_as_it_says() {
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(61));
    let short = RollupSpec {
        keep_for_ns: Some(4 * HOUR),
        ..rollup(MINUTE, &[], false)
    };
    set_rollups(&stream, vec![short, rollup(HOUR, &[], false)]);
    write(&bed, &stream, &mut random, 2_000, (-60, 0), true);
    bed.store.seal(&stream).unwrap();
    drop_rows(&bed, &stream);
    assert_eq!(stream.rollups().len(), 2);
    bed.clock.set(NOW + 5 * HOUR);
    bed.store.apply_retention(&stream, false).unwrap();
    let widths: Vec<i64> = stream
        .rollups()
        .iter()
        .map(|rollup| rollup.rollup_of().unwrap().tier.width_ns)
        .collect();
    assert_eq!(widths, [HOUR]);
    // One that would be too old is not made.
    write(&bed, &stream, &mut random, 2_000, (-60, 0), true);
    bed.store.seal(&stream).unwrap();
    assert_eq!((stream.rollups().len(), stream.parts().len()), (2, 1));
    assert_eq!(bed.store.roll_up(&stream).unwrap(), 0);
}

#[test]
fn a_merged_or_recoded_part_has_rollups_of_its_own() {
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(67));
    set_rollups(&stream, vec![rollup(HOUR, &[], false)]);
    for _ in 0..4 {
        write(&bed, &stream, &mut random, 3_000, (-60, 0), true);
        bed.store.seal(&stream).unwrap();
    }
    let asked = v1::QuerySpec {
        group_by: by(&["host"]),
        ..spec(vec![measure(Kind::Count, ""), measure(Kind::Last, "f")])
    };
    let wanted = ask(&stream, &asked, RAW);
    let parts = stream.parts().len();
    let merged = bed.store.merge(&stream).unwrap();
    assert!(merged > 0 && stream.parts().len() < parts);
    let of: Vec<u64> = stream
        .rollups()
        .iter()
        .map(|rollup| rollup.rollup_of().unwrap().part)
        .collect();
    let numbers: Vec<u64> = stream.parts().iter().map(|part| part.number()).collect();
    assert_eq!(of, numbers);
    bed.store.recode(&stream, None).unwrap();
    let of: Vec<u64> = stream
        .rollups()
        .iter()
        .map(|rollup| rollup.rollup_of().unwrap().part)
        .collect();
    assert!(!numbers.iter().any(|number| of.contains(number)));
    let windowed = v1::QuerySpec {
        window: tumbling(HOUR),
        ..asked.clone()
    };
    assert_eq!(ask(&stream, &windowed, ROLLUPS).provenance.tier(), v1::Tier::Rollup);
    assert_same(&ask(&stream, &asked, ROLLUPS), &wanted, "after a merge");
    bed.store.verify().unwrap();
    let rows = bed.store.delete_stream(bed.ns, "rows").unwrap().0;
    assert_eq!(rows, 12_000);
    assert_eq!(std::fs::read_dir(bed.path().join("parts")).unwrap().count(), 0);
}

#[test]
fn sums_that_doubles_do_not_hold_are_read_from_rows_and_those_of_integers_are_exact() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = stream(&bed);
    set_rollups(&stream, vec![rollup(HOUR, &[], false)]);
    let schema = stream.schema();
    let id = |name: &str| schema.column(name).unwrap().id;
    let series = stream.intern_series(["{host=\"a\",region=\"b\"}"].into_iter())[0];
    let n = 4_000;
    let batch = RowBatch {
        time: (0..n).map(|row| ZERO - HOUR + row * SECOND_NS / 2).collect(),
        entity: vec![series; n as usize],
        columns: vec![
            BatchColumn {
                id: id("f"),
                data: ColumnData::F64(
                    (0..n)
                        .map(|row| if row % 2 == 0 { 1.7e308 } else { -1.7e308 })
                        .collect(),
                ),
                validity: None,
            },
            BatchColumn {
                id: id("i"),
                data: ColumnData::I64((0..n).map(|row| i64::MAX - row).collect()),
                validity: None,
            },
        ],
    };
    store_batch(&bed.store, &stream, &batch);
    bed.store.seal(&stream).unwrap();
    for (measures, tier) in [
        (vec![measure(Kind::Mean, "f")], v1::Tier::Raw),
        (vec![measure(Kind::Max, "f")], v1::Tier::Rollup),
        (
            vec![measure(Kind::Mean, "i"), measure(Kind::Last, "i")],
            v1::Tier::Rollup,
        ),
    ] {
        let asked = spec(measures);
        let got = ask(&stream, &asked, ROLLUPS);
        assert_eq!(got.provenance.tier(), tier, "{asked:?}");
        assert_same(&got, &ask(&stream, &asked, RAW), "large values");
    }
}

#[test]
fn windows_of_a_rollup_over_the_edge_of_the_first_sealed_day_are_not_read_for_it() {
    const DAY: i64 = 24 * HOUR;
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(71));
    set_rollups(&stream, vec![rollup(HOUR, &[], false)]);
    // Days of Kathmandu begin at a quarter past a full hour.
    let midnight = ZERO / DAY * DAY - DAY + 18 * HOUR + 15 * MINUTE;
    let from = (midnight - ZERO) / MINUTE;
    write(&bed, &stream, &mut random, 2_000, (from, from + 40), true);
    bed.store.seal(&stream).unwrap();
    let by_day = v1::QuerySpec {
        window: calendar(v1::CalendarUnit::Day, "Asia/Kathmandu"),
        ..spec(vec![measure(Kind::Count, "")])
    };
    let filled = v1::QuerySpec {
        range: range(midnight - 2 * DAY, midnight + DAY),
        fill: v1::Fill::Null as i32,
        ..by_day.clone()
    };
    for what in ["sealed alone", "after a tail"] {
        for asked in [&by_day, &filled] {
            assert_same(&ask(&stream, asked, ROLLUPS), &ask(&stream, asked, RAW), what);
        }
        write(&bed, &stream, &mut random, 100, (from - 300, from - 200), true);
    }
}

#[test]
fn rows_of_one_entity_and_instant_have_their_order_also_where_rollups_part_them() {
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(73));
    set_rollups(
        &stream,
        vec![
            rollup(MINUTE, &["entity", "level"], false),
            rollup(HOUR, &["ok"], false),
        ],
    );
    let schema = stream.schema();
    let id = |name: &str| schema.column(name).unwrap().id;
    let series = stream.intern_series(["{host=\"a\",region=\"b\"}"].into_iter())[0];
    let levels = stream.symbols(id("level")).intern(LEVELS.into_iter());
    let n = 3_000;
    let batch = RowBatch {
        time: (0..n)
            .map(|_| ZERO + random.below(40) as i64 * 30 * SECOND_NS)
            .collect(),
        entity: vec![series; n],
        columns: vec![
            BatchColumn {
                id: id("level"),
                data: ColumnData::Code((0..n).map(|_| levels[random.below(3) as usize]).collect()),
                validity: None,
            },
            BatchColumn {
                id: id("ok"),
                data: ColumnData::Bool(bits((0..n).map(|_| random.below(2) == 1))),
                validity: None,
            },
            BatchColumn {
                id: id("f"),
                data: ColumnData::F64((0..n).map(|row| row as f64).collect()),
                validity: None,
            },
        ],
    };
    store_batch(&bed.store, &stream, &batch);
    bed.store.seal(&stream).unwrap();
    for kind in [Kind::First, Kind::Last, Kind::Delta] {
        for (keys, tier) in [
            (&["entity"][..], v1::Tier::Raw),
            (&[], v1::Tier::Raw),
            (&["entity", "level"], v1::Tier::Rollup),
        ] {
            let asked = v1::QuerySpec {
                window: tumbling(MINUTE),
                group_by: by(keys),
                ..spec(vec![measure(kind, "f")])
            };
            let got = ask(&stream, &asked, ROLLUPS);
            assert_same(&got, &ask(&stream, &asked, RAW), &format!("{asked:?}"));
            assert_eq!(got.provenance.tier() == v1::Tier::Rollup, tier == v1::Tier::Rollup);
        }
    }
}

#[test]
fn rows_are_kept_until_their_rollups_are_made() {
    let bed = Bed::with(|options| options.seals = false);
    let (stream, mut random) = (stream(&bed), Random(79));
    fill(&bed, &stream, &mut random);
    let asked = v1::QuerySpec {
        window: tumbling(HOUR),
        group_by: by(&["host"]),
        ..spec(vec![measure(Kind::Count, ""), measure(Kind::Mean, "f")])
    };
    let wanted = ask(&stream, &asked, RAW);
    // Both at once, as one update of a stream may say.
    set_rollups(&stream, vec![rollup(HOUR, &[], false)]);
    let parts = stream.parts().len();
    drop_rows(&bed, &stream);
    assert_eq!(stream.rollups().len(), parts);
    let got = ask(&stream, &asked, RAW);
    assert_same(&got, &wanted, "once rows are gone");
    assert_eq!(got.provenance.rows_unavailable, 0);
}
