//! What is told of how a query is answered is what happened: nothing is counted twice or left out, and the answer is that of the query.

mod query_support;
mod sealed_support;
mod store_support;

use std::sync::Arc;

use marigram_core::column::StreamKind;
use marigram_core::column::rollup::RollupSpec;
use marigram_core::query::explain::Explaining;
use marigram_core::query::{Context, Spec, run};
use marigram_core::scan::pool::Pool;
use marigram_core::store::Stream;
use marigram_core::time::{ManualClock, SECOND_NS, SystemClock};
use marigram_core::wire::v1;
use marigram_core::wire::v1::MeasureKind::{Count, Increase, Last, Max, Mean, Quantile, Sum};
use marigram_core::wire::v1::{GroupLayout, QueryStepKind, RollupReason};
use query_support::{by, hopping, measure, spec, tumbling};
use sealed_support::questions::{About, named, question};
use sealed_support::rows::{COLUMNS, HOUR, Random, Sealed, batch, rows};
use store_support::{Bed, NOW, store_batch};

const MINUTE: i64 = 60 * SECOND_NS;
/// A full hour.
const ZERO: i64 = NOW / HOUR * HOUR;

fn context() -> Context {
    Context::new(Arc::new(ManualClock::at(0)))
}

fn explained(
    stream: &Arc<Stream>,
    asked: &v1::QuerySpec,
    plan_only: bool,
    context: &Context,
) -> v1::ExplainQueryResponse {
    let asked = v1::QuerySpec {
        stream: stream.name.clone(),
        ..asked.clone()
    };
    let explaining = Explaining {
        window: asked.window.clone(),
        spec: Spec::new(asked).unwrap(),
        plan_only,
    };
    explaining.explain(stream, context).unwrap()
}

/// The plan of a query that was run, and its only look.
fn ran(stream: &Arc<Stream>, asked: &v1::QuerySpec) -> (v1::QueryPlan, v1::QueryLook) {
    let plan = explained(stream, asked, false, &context()).plan.unwrap();
    let looks = plan.looks.clone();
    assert_eq!(looks.len(), 1);
    (plan, looks.into_iter().next().unwrap())
}

fn all_of_parts(parts: &v1::PartCounts) -> u64 {
    parts.pruned_by_time + parts.pruned_by_entity + parts.pruned_by_filter + parts.replaced + parts.read
}

/// Checks that what was counted comes to all there is, and to what the query says itself.
fn check(stream: &Arc<Stream>, asked: &v1::QuerySpec, context: &Context) -> v1::ExplainQueryResponse {
    let what = format!("{asked:?}");
    let told = explained(stream, asked, false, context);
    let query = v1::QuerySpec {
        stream: stream.name.clone(),
        ..asked.clone()
    };
    let answer = run(stream, &Spec::new(query).unwrap(), context).unwrap();
    let wanted = v1::Provenance {
        elapsed: told.provenance.as_ref().unwrap().elapsed,
        ..answer.provenance
    };
    assert_eq!(told.provenance.as_ref(), Some(&wanted), "{what}");
    let plan = told.plan.as_ref().unwrap();
    assert!(plan.executed && plan.answer_bytes > 0);
    assert_eq!(plan.answer_rows, answer.batch.num_rows() as u64, "{what}");
    let sum = |of: fn(&v1::QueryLook) -> u64| plan.looks.iter().map(of).sum::<u64>();
    assert_eq!(sum(|look| look.rows_scanned), wanted.rows_scanned, "{what}");
    assert_eq!(sum(|look| look.rows_matched), wanted.rows_matched, "{what}");
    assert_eq!(sum(|look| look.rows_unavailable), wanted.rows_unavailable, "{what}");
    let tier = if sum(|look| look.rollups.iter().map(|rollup| rollup.groups_read).sum()) > 0 {
        v1::Tier::Rollup
    } else if sum(|look| look.aggregates_read) > 0 {
        v1::Tier::Preaggregate
    } else {
        v1::Tier::Raw
    };
    assert_eq!(wanted.tier(), tier, "{what}");
    let planned = explained(stream, asked, true, context);
    assert_eq!(planned.provenance, None);
    let planned = planned.plan.unwrap();
    assert!(!planned.executed && (planned.answer_rows, planned.answer_bytes) == (0, 0));
    assert_eq!(planned.looks.len(), plan.looks.len());
    for (look, planned) in plan.looks.iter().zip(&planned.looks) {
        check_look(stream, look, planned, &what);
    }
    told
}

fn check_look(stream: &Arc<Stream>, look: &v1::QueryLook, planned: &v1::QueryLook, what: &str) {
    let (parts, batches) = (look.parts.unwrap(), look.batches.unwrap());
    let blocks = look.blocks.unwrap();
    assert_eq!(parts.total, stream.parts().len() as u64, "{what}");
    assert_eq!(parts.total, all_of_parts(&parts), "{what}");
    assert_eq!(batches.total, all_of_parts(&batches), "{what}");
    let ran_over = blocks.pruned_by_filter + blocks.spared + blocks.known + blocks.decoded;
    let left_out = blocks.pruned_by_time + blocks.pruned_by_entity + blocks.replaced;
    assert_eq!(blocks.planned, ran_over, "{what} {blocks:?}");
    assert_eq!(blocks.total, left_out + ran_over, "{what} {blocks:?}");
    assert!(look.rows_decoded <= blocks.decoded * 1_024);
    assert_eq!(look.rows_decoded > 0, blocks.decoded > 0, "{what}");
    assert!(look.values_decoded >= look.rows_decoded, "{what}");
    assert_eq!(
        (parts.read + batches.read) > 0,
        ran_over > blocks.pruned_by_filter,
        "{what}"
    );
    // What pruned before anything was run is the same, and nothing is known of the rest.
    let before = planned.blocks.unwrap();
    let unknown = v1::BlockCounts {
        pruned_by_filter: 0,
        spared: 0,
        known: 0,
        decoded: 0,
        ..blocks
    };
    assert_eq!(before, unknown, "{what}");
    assert_eq!((planned.rows_scanned, planned.rows_matched, planned.groups), (0, 0, 0));
    assert_eq!(
        (planned.rows_decoded, planned.values_decoded, planned.aggregates_read),
        (0, 0, 0)
    );
    assert_eq!(
        (&planned.filter, planned.windows, planned.lanes),
        (&look.filter, look.windows, look.lanes)
    );
    assert!(planned.rollups.iter().all(|rollup| rollup.groups_read == 0));
    for (rollup, planned) in look.rollups.iter().zip(&planned.rollups) {
        assert_eq!(rollup.parts_used, planned.parts_used);
        let by_part: u64 = rollup.refusals.iter().map(|refusal| refusal.parts).sum();
        let is_refused_at_all = rollup.refusals.iter().any(|refusal| refusal.parts == 0);
        assert!(
            is_refused_at_all || rollup.parts_used + by_part == rollup.parts_with,
            "{what} {rollup:?}"
        );
        assert!(!is_refused_at_all || rollup.parts_used == 0, "{what} {rollup:?}");
        assert!(rollup.rows_replaced >= rollup.groups_read);
        assert!(rollup.groups_read == 0 || rollup.parts_used > 0);
    }
}

#[test]
fn whatever_is_asked_nothing_is_counted_twice_or_left_out() {
    let pool = Arc::new(Pool::new(2));
    let mut random = Random(61);
    let (mut known, mut spared, mut decoded, mut pruned) = (0, 0, 0, 0);
    for sealed in [Sealed::new(), Sealed::of_many_hours()] {
        for round in 0..150 {
            let about = random.pick(&[About::Anything, About::Nodes, About::Ends]);
            let asked = question(&mut random, about).query;
            let context = Context {
                pool: (round % 2 == 0).then(|| Arc::clone(&pool)),
                ..context()
            };
            let told = check(&sealed.stream, &asked, &context);
            for look in &told.plan.unwrap().looks {
                let blocks = look.blocks.unwrap();
                known += blocks.known;
                spared += blocks.spared;
                decoded += blocks.decoded;
                pruned += blocks.pruned_by_filter + blocks.pruned_by_entity + blocks.pruned_by_time;
            }
        }
    }
    assert!(known > 100 && spared > 100 && decoded > 100 && pruned > 100);
}

fn count() -> v1::QuerySpec {
    spec(vec![measure(Count, "")])
}

fn range(start: i64, end: i64) -> Option<v1::TimeRange> {
    Some(v1::TimeRange {
        start_ns: Some(start),
        end_ns: Some(end),
    })
}

#[test]
fn parts_and_batches_outside_of_the_range_are_pruned_by_time() {
    let sealed = Sealed::new();
    let (_, all) = ran(&sealed.stream, &count());
    let (parts, batches) = (all.parts.unwrap(), all.batches.unwrap());
    assert_eq!((parts.pruned_by_time, batches.pruned_by_time), (0, 0));
    assert_eq!((batches.total, batches.read), (1, 1));
    let (_, first) = ran(
        &sealed.stream,
        &v1::QuerySpec {
            range: range(NOW - 51 * HOUR, NOW - 40 * HOUR),
            ..count()
        },
    );
    let (left, batches) = (first.parts.unwrap(), first.batches.unwrap());
    assert!(left.pruned_by_time > 0 && left.read > 0 && left.pruned_by_time + left.read == left.total);
    assert_eq!((batches.pruned_by_time, batches.read), (1, 0));
    let range = first.range.unwrap();
    assert_eq!(
        (range.start_ns, range.end_ns),
        (Some(NOW - 51 * HOUR), Some(NOW - 40 * HOUR))
    );
    let (_, nothing) = ran(
        &sealed.stream,
        &v1::QuerySpec {
            range: self::range(NOW + HOUR, NOW + 2 * HOUR),
            ..count()
        },
    );
    assert_eq!(nothing.parts.unwrap().pruned_by_time, parts.total);
    assert_eq!(nothing.blocks.unwrap().pruned_by_time, nothing.blocks.unwrap().total);
    assert_eq!(nothing.lanes, 0);
}

#[test]
fn counting_whole_blocks_decodes_nothing() {
    let sealed = Sealed::new();
    let (_, look) = ran(&sealed.stream, &count());
    let blocks = look.blocks.unwrap();
    assert_eq!((look.rows_decoded, look.values_decoded, blocks.decoded), (0, 0, 0));
    assert_eq!(look.rows_scanned, sealed.rows.len() as u64);
    let rows = v1::QuerySpec {
        hints: Some(v1::QueryHints {
            no_footers: true,
            no_rollups: true,
            no_cache: false,
        }),
        ..spec(vec![measure(Max, "i")])
    };
    let (_, look) = ran(&sealed.stream, &rows);
    let blocks = look.blocks.unwrap();
    assert_eq!(
        (blocks.decoded, look.rows_decoded),
        (blocks.total, sealed.rows.len() as u64)
    );
    assert_eq!(look.values_decoded, sealed.rows.len() as u64);
}

#[test]
fn filters_prune_by_entity_and_by_statistics() {
    let sealed = Sealed::new();
    let by_entity = v1::QuerySpec {
        filter_text: "host = h7".to_owned(),
        ..count()
    };
    let (_, look) = ran(&sealed.stream, &by_entity);
    assert_eq!((look.entities, look.filter.as_str()), (Some(1), "host = h7"));
    let blocks = look.blocks.unwrap();
    assert!(blocks.pruned_by_entity > blocks.total / 2, "{blocks:?}");
    let nobody = v1::QuerySpec {
        filter_text: "host = nobody".to_owned(),
        ..count()
    };
    let (_, look) = ran(&sealed.stream, &nobody);
    let parts = look.parts.unwrap();
    assert_eq!((look.entities, parts.pruned_by_entity), (Some(0), parts.total));
    let by_value = v1::QuerySpec {
        filter_text: "i > 9000000000000".to_owned(),
        ..count()
    };
    let (_, look) = ran(&sealed.stream, &by_value);
    let (parts, blocks) = (look.parts.unwrap(), look.blocks.unwrap());
    assert_eq!((look.entities, parts.pruned_by_filter), (None, parts.total));
    assert_eq!((blocks.pruned_by_filter, blocks.decoded), (blocks.total, 0));
    assert_eq!((look.rows_scanned, look.rows_matched), (0, 0));
}

#[test]
fn how_groups_are_kept_and_what_measures_are_read_from_is_told() {
    let sealed = Sealed::new();
    let (plan, look) = ran(
        &sealed.stream,
        &spec(named(vec![measure(Mean, "f"), measure(Count, "f")])),
    );
    assert_eq!(look.layout(), GroupLayout::Single);
    assert_eq!((look.windows, look.partitions, look.groups), (1, 1, 1));
    let keeps: Vec<&str> = plan.measures.iter().map(|one| one.states[0].keeps.as_str()).collect();
    assert_eq!(keeps, ["sum", "sum"], "a count is read from the sum beside it");
    assert_eq!(plan.measures[0].states[0].column, "f");
    let mut asked = spec(vec![measure(Count, "")]);
    asked.group_by = by(&["host"]);
    asked.window = tumbling(HOUR);
    let (plan, look) = ran(&sealed.stream, &asked);
    assert_eq!(
        (look.layout(), plan.keys[0].column.as_str()),
        (GroupLayout::Dense, "host")
    );
    assert_eq!((plan.window, look.pane), (asked.window.clone(), None));
    assert!(look.places >= look.windows * 40);
    asked.group_by = by(&["i"]);
    let (_, look) = ran(&sealed.stream, &asked);
    assert_eq!((look.layout(), look.partitions), (GroupLayout::Hashed, 64));
    asked.group_by.clear();
    asked.window = hopping(HOUR, 10 * MINUTE);
    let (_, look) = ran(&sealed.stream, &asked);
    assert_eq!(look.pane.unwrap().seconds, 600);
}

#[test]
fn a_comparison_has_two_looks() {
    let sealed = Sealed::new();
    let asked = v1::QuerySpec {
        range: range(NOW - 30 * HOUR, NOW),
        compare: Some(v1::Comparison {
            period: v1::ComparisonPeriod::Previous as i32,
        }),
        ..spec(vec![measure(Sum, "i")])
    };
    let told = check(&sealed.stream, &asked, &context());
    let looks = told.plan.unwrap().looks;
    let ranges = looks.iter().map(|look| look.range.unwrap().start_ns);
    assert_eq!(
        ranges.collect::<Vec<_>>(),
        [Some(NOW - 30 * HOUR), Some(NOW - 60 * HOUR)]
    );
    assert!(looks.iter().all(|look| look.rows_matched > 0));
}

#[test]
fn steps_are_told_in_order_and_come_to_no_more_than_the_whole() {
    let sealed = Sealed::new();
    let context = Context {
        pool: Some(Arc::new(Pool::new(2))),
        ..Context::new(Arc::new(SystemClock::default()))
    };
    let told = explained(&sealed.stream, &spec(vec![measure(Quantile, "f")]), false, &context);
    let steps = told.plan.unwrap().steps;
    let kinds: Vec<i32> = steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds, (1..=10).collect::<Vec<i32>>());
    let ns =
        |time: Option<prost_types::Duration>| time.map_or(0, |time| time.seconds * SECOND_NS + i64::from(time.nanos));
    let encode = steps.len() - 1;
    let sum: i64 = steps[..encode].iter().map(|step| ns(step.elapsed)).sum();
    assert!(sum > 0 && sum <= ns(told.provenance.unwrap().elapsed));
    let scan = &steps[4];
    assert_eq!(scan.kind(), QueryStepKind::Scan);
    assert!(ns(scan.busy) > 0 && steps[3].busy.is_none());
    let planned = explained(&sealed.stream, &count(), true, &context).plan.unwrap();
    assert_eq!(planned.steps.last().unwrap().kind(), QueryStepKind::Plan);
}

/// Three hours that are rolled up by minutes and hours of each entity and by hours of each zone, and a tail.
fn rolled(bed: &Bed) -> Arc<Stream> {
    let stream = bed.store.stream_or_new(bed.ns, "rows", StreamKind::Metric).unwrap();
    let rollup = |width_ns, group_by: &[&str]| RollupSpec {
        width_ns,
        keep_for_ns: None,
        group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
        sketches: false,
    };
    stream
        .change_schema(|schema| {
            for (name, kind) in COLUMNS {
                schema.add_column("", name, kind, "", "")?;
            }
            schema.settings.rollups = vec![rollup(MINUTE, &[]), rollup(HOUR, &[]), rollup(HOUR, &["zone"])];
            Ok(())
        })
        .unwrap();
    let mut random = Random(5);
    for hour in [-9, -8, -7] {
        let rows = rows(&mut random, 40_000, ZERO + hour * HOUR, true);
        store_batch(&bed.store, &stream, &batch(&stream, &rows));
        bed.store.seal(&stream).unwrap();
    }
    store_batch(
        &bed.store,
        &stream,
        &batch(&stream, &rows(&mut random, 2_000, ZERO - 6 * HOUR, true)),
    );
    stream
}

fn reasons(rollup: &v1::PlannedRollup) -> Vec<(RollupReason, &str)> {
    let told = rollup.refusals.iter();
    told.map(|refusal| (refusal.reason(), refusal.subject.as_str()))
        .collect()
}

/// By width in seconds and keys.
fn find(look: &v1::QueryLook, seconds: i64, keys: &[&str]) -> v1::PlannedRollup {
    let is_it = |rollup: &&v1::PlannedRollup| rollup.width.unwrap().seconds == seconds && rollup.group_by == keys;
    look.rollups.iter().find(is_it).unwrap().clone()
}

#[test]
fn rollups_are_told_with_what_they_stand_for_or_why_not() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = rolled(&bed);
    let told = |asked: &v1::QuerySpec| {
        let told = check(&stream, asked, &context());
        told.plan.unwrap().looks.into_iter().next().unwrap()
    };
    let base = v1::QuerySpec {
        window: tumbling(HOUR),
        group_by: by(&["host"]),
        ..spec(vec![measure(Mean, "f")])
    };
    let look = told(&base);
    let hours = find(&look, 3_600, &["entity"]);
    assert_eq!(
        (hours.parts_with, hours.parts_used, hours.rows_replaced),
        (3, 3, 120_000)
    );
    assert!(hours.refusals.is_empty() && hours.groups_read > 0);
    assert_eq!(reasons(&find(&look, 60, &["entity"])), [(RollupReason::Coarser, "")]);
    assert_eq!(reasons(&find(&look, 3_600, &["zone"])), [(RollupReason::Key, "host")]);
    let (parts, blocks) = (look.parts.unwrap(), look.blocks.unwrap());
    assert_eq!((parts.replaced, parts.read), (3, 0));
    assert!(blocks.replaced > 0 && blocks.planned == 2);

    let minutes = told(&v1::QuerySpec {
        window: tumbling(7 * MINUTE),
        ..base.clone()
    });
    assert_eq!(find(&minutes, 60, &["entity"]).parts_used, 3);
    let hours = find(&minutes, 3_600, &["entity"]);
    assert_eq!(reasons(&hours), [(RollupReason::WindowWidth, "")]);
    assert_eq!(hours.refusals[0].message, "windows of 7 min are no multiple of 1 h");

    // The edges are read by minutes, and what is left of these by rows.
    let ragged = told(&v1::QuerySpec {
        range: range(ZERO - 9 * HOUR + 90 * SECOND_NS, ZERO - 7 * HOUR + 30 * MINUTE),
        ..base.clone()
    });
    assert!(find(&ragged, 60, &["entity"]).parts_used > 0 && find(&ragged, 3_600, &["entity"]).parts_used > 0);
    assert!(ragged.parts.unwrap().read > 0 && ragged.blocks.unwrap().decoded > 0);

    let short = told(&v1::QuerySpec {
        range: range(ZERO - 9 * HOUR + MINUTE, ZERO - 9 * HOUR + 20 * MINUTE),
        window: None,
        ..base.clone()
    });
    assert_eq!(reasons(&find(&short, 3_600, &["entity"])), [(RollupReason::Range, "")]);

    for (change, reason, subject) in [
        (
            (|asked| asked.measures[0].filter_text = "i > 0".to_owned()) as fn(&mut v1::QuerySpec),
            RollupReason::MeasureFilter,
            "mean_f",
        ),
        (
            |asked| asked.filter_text = "i > 0".to_owned(),
            RollupReason::Filter,
            "i",
        ),
        (
            |asked| asked.measures.push(measure(Increase, "f")),
            RollupReason::State,
            "increase_f",
        ),
        (|asked| asked.group_by = by(&["i"]), RollupReason::Key, "i"),
        (
            |asked| {
                asked.group_by.push(v1::GroupKey {
                    column: "time".to_owned(),
                    time_part: v1::TimePart::HourOfDay as i32,
                    ..v1::GroupKey::default()
                });
            },
            RollupReason::MadeKey,
            "hour_of_day",
        ),
        (
            |asked| {
                let kind = v1::window::Kind::Session(v1::SessionWindow {
                    gap: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
                    max_length: None,
                });
                asked.window = Some(v1::Window { kind: Some(kind) });
            },
            RollupReason::WindowKind,
            "",
        ),
        (
            |asked| {
                asked.hints = Some(v1::QueryHints {
                    no_footers: false,
                    no_rollups: true,
                    no_cache: false,
                });
            },
            RollupReason::Hint,
            "",
        ),
        (
            |asked| {
                asked.window = None;
                asked.measures = vec![measure(Last, "f")];
            },
            RollupReason::Ends,
            "",
        ),
    ] {
        let mut asked = base.clone();
        change(&mut asked);
        let look = told(&asked);
        assert!(look.rollups.iter().all(|rollup| rollup.parts_used == 0), "{reason:?}");
        assert_eq!(reasons(&find(&look, 60, &["entity"])), [(reason, subject)]);
        assert_eq!(look.parts.unwrap().replaced, 0);
    }
    let tail = told(&v1::QuerySpec {
        range: range(ZERO - 6 * HOUR, ZERO),
        ..base
    });
    assert_eq!(reasons(&find(&tail, 60, &["entity"])), [(RollupReason::NotThere, "")]);
}

#[test]
fn whatever_rollups_stand_for_nothing_is_counted_twice_or_left_out() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = rolled(&bed);
    let pool = Arc::new(Pool::new(2));
    let mut random = Random(67);
    let (mut used, mut edges) = (0, 0);
    for round in 0..150 {
        let mut asked = question(&mut random, random_about(round)).query;
        let start = ZERO - 9 * HOUR + random.below(200) as i64 * MINUTE;
        asked.range = random.pick(&[
            None,
            range(start, start + 90 * MINUTE),
            range(start + 7, ZERO - 5 * HOUR - 7),
        ]);
        asked.hints = None;
        let context = Context {
            pool: (round % 2 == 0).then(|| Arc::clone(&pool)),
            ..context()
        };
        for look in check(&stream, &asked, &context).plan.unwrap().looks {
            let parts = look.rollups.iter().map(|rollup| rollup.parts_used).sum::<u64>();
            used += u64::from(parts > 0);
            edges += u64::from(parts > 0 && look.parts.unwrap().read > 0);
        }
    }
    assert!(used > 20 && edges > 5, "{used} of 150 by rollups, {edges} with edges");
}

fn random_about(round: u64) -> About {
    if round.is_multiple_of(3) {
        About::Anything
    } else {
        About::Nodes
    }
}

#[test]
fn rows_that_are_gone_are_told() {
    let bed = Bed::with(|options| options.seals = false);
    let stream = rolled(&bed);
    stream
        .change_schema(|schema| {
            schema.settings.keep_for_ns = Some(1);
            Ok(())
        })
        .unwrap();
    assert!(bed.store.apply_retention(&stream, false).unwrap().rows > 0);
    let told = check(&stream, &spec(vec![measure(Sum, "i")]), &context());
    let look = &told.plan.unwrap().looks[0];
    let parts = look.parts.unwrap();
    assert_eq!((parts.total, parts.gone), (0, 3));
    assert_eq!(look.rollups.iter().map(|rollup| rollup.parts_used).sum::<u64>(), 3);
    let told = check(&stream, &spec(vec![measure(Increase, "i")]), &context());
    assert_eq!(told.plan.unwrap().looks[0].rows_unavailable, 120_000);
}

#[test]
fn errors_are_those_of_the_query() {
    let sealed = Sealed::new();
    for (asked, reason) in [
        (spec(vec![measure(Sum, "nothing")]), "UNKNOWN_COLUMN"),
        (
            v1::QuerySpec {
                budget: Some(v1::Budget {
                    max_rows: 10,
                    ..v1::Budget::default()
                }),
                ..count()
            },
            "QUERY_ROWS_EXCEEDED",
        ),
    ] {
        for plan_only in [false, true] {
            let asked = v1::QuerySpec {
                stream: sealed.stream.name.clone(),
                ..asked.clone()
            };
            let explaining = Explaining {
                window: None,
                spec: Spec::new(asked.clone()).unwrap(),
                plan_only,
            };
            let error = explaining.explain(&sealed.stream, &context()).unwrap_err();
            let wanted = run(&sealed.stream, &Spec::new(asked).unwrap(), &context()).unwrap_err();
            assert_eq!((error.reason(), error.message()), (wanted.reason(), wanted.message()));
            assert_eq!(error.reason(), reason);
        }
    }
}
