//! Queries over sealed parts answer as rows looked at one by one do, however little of the parts they read.

mod query_support;
mod sealed_support;
mod store_support;

use std::sync::Arc;

use marigram_core::scan::pool::Pool;
use marigram_core::wire::v1;
use marigram_core::wire::v1::MeasureKind::{Count, Last, Max, Mean, Min, Sum};
use query_support::{by, measure, spec, table, tumbling};
use sealed_support::expected::{Expected, Question, is_near};
use sealed_support::questions::{About, named, question, tests};
use sealed_support::rows::{HOUR, Random, Row, Sealed};
use store_support::{Bed, NOW};

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
            query.hints = Some(v1::QueryHints {
                no_footers: true,
                ..v1::QueryHints::default()
            });
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
        bed: Bed::new(),
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
        filters: vec![tests()[0].clone(); kinds.len()],
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
