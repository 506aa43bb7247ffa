//! Questions of everything that shortcuts of queries look at.

use std::sync::Arc;

use super::expected::Question;
use super::rows::{HOUR, Random, Row, SERIES, labels, text_of};
use crate::query_support::{Cell, by, compare, filter, is_null, like, measure, spec, tumbling, value};
use crate::store_support::NOW;
use marigram_core::time::SECOND_NS;
use marigram_core::wire::v1;
use marigram_core::wire::v1::MeasureKind::{Count, First, Last, Max, Mean, Min, Sum};

/// A condition and what it means.
pub(crate) type Test = (Option<v1::Filter>, Arc<dyn Fn(&Row) -> bool>);

pub(crate) fn tests() -> Vec<Test> {
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
            Some(is_null("zone", true)),
            Arc::new(|row: &Row| labels(row.series).1.is_none()),
        ),
        (
            all(&[is_null("zone", false), is_null("f", false)]),
            Arc::new(|row: &Row| labels(row.series).1.is_some() && row.f.is_some()),
        ),
        (not(is_null("i", false)), Arc::new(|row: &Row| row.i.is_none())),
        (
            Some(is_null("host", true)),
            Arc::new(|row: &Row| row.series + 1 == SERIES),
        ),
        (
            Some(like("host", v1::TextMatchKind::Regex, "h[0-9]")),
            Arc::new(|row: &Row| row.series < 10),
        ),
        (
            Some(like("entity", v1::TextMatchKind::Contains, "zone=\"z1\"")),
            Arc::new(in_zone),
        ),
        (
            not(like("host", v1::TextMatchKind::Prefix, "h1")),
            Arc::new(|row: &Row| labels(row.series).0.is_some_and(|host| !host.starts_with("h1"))),
        ),
        (
            any(&[like("zone", v1::TextMatchKind::Prefix, "z1"), is_null("host", true)]),
            Arc::new(move |row: &Row| in_zone(row) || row.series + 1 == SERIES),
        ),
        (
            Some(compare("time", v1::ComparisonOperator::Greater, &Cell::Time(i64::MIN))),
            Arc::new(|_: &Row| true),
        ),
    ]
}

pub(crate) fn named(mut measures: Vec<v1::Measure>) -> Vec<v1::Measure> {
    measures
        .iter_mut()
        .enumerate()
        .for_each(|(at, measure)| measure.name = format!("m{at}"));
    measures
}

pub(crate) fn measures_of(column: &str) -> Vec<v1::MeasureKind> {
    match column {
        "" => vec![Count],
        "f" | "wild" | "i" => vec![Count, Sum, Mean, Min, Max, First, Last],
        "far" => vec![Count, Mean, Min, Max, First, Last],
        _ => vec![Count, Min, Max, First, Last],
    }
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Anything,
    /// First and last by entity.
    Ends,
    /// What aggregates tell.
    Nodes,
}

/// A question of everything that shortcuts look at.
pub(crate) fn question(random: &mut Random, about: About) -> Question {
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
    // Of what aggregates tell, measures of some rows alone are rare, since these want the rows.
    let odds = if about == About::Anything { 3 } else { 12 };
    let mut filters = vec![tests()[0].clone(); measures.len()];
    for (measure, filter) in measures.iter_mut().zip(&mut filters) {
        if random.below(odds) == 0 {
            *filter = random.pick(&tests());
            measure.filter.clone_from(&filter.0);
        }
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
        ..v1::QueryHints::default()
    });
    Question {
        query,
        range,
        width,
        test,
        filters,
    }
}
