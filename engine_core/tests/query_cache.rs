//! Earlier answers are given again while their rows are the same, and never else.

mod query_support;
mod store_support;

use std::sync::Arc;

use marigram_core::column::rollup::RollupSpec;
use marigram_core::error::Result;
use marigram_core::query::{Answer, CacheFigures, Context, QueryLimits, ResultCache, Spec, run};
use marigram_core::store::Stream;
use marigram_core::time::{Clock, ManualClock, SECOND_NS};
use marigram_core::wire::v1;
use query_support::{by, measure, spec, table, tumbling};
use store_support::{Bed, NOW, Random};
use v1::MeasureKind as Kind;

/// Rows of a query that is kept.
const MANY: usize = 70_000;
const HOUR: i64 = 3_600 * SECOND_NS;

struct Asker {
    bed: Bed,
    stream: Arc<Stream>,
    clock: Arc<ManualClock>,
    cache: Arc<ResultCache>,
}

impl Asker {
    fn new(bytes: usize) -> Self {
        let bed = Bed::with(|options| options.seals = false);
        let stream = bed.stream("rows");
        let asker = Self {
            bed,
            stream,
            clock: Arc::new(ManualClock::at(0)),
            cache: Arc::new(ResultCache::new(bytes)),
        };
        asker.write(MANY, 0);
        asker
    }

    /// Rows of an hour.
    fn write(&self, n: usize, hour: i64) {
        let step = HOUR / n as i64;
        let times: Vec<i64> = (0..n as i64).map(|row| NOW + hour * HOUR + row * step).collect();
        self.bed.write(&self.stream, &times);
    }

    fn try_ask(&self, asked: &v1::QuerySpec) -> Result<Answer> {
        self.ask_within(asked, QueryLimits::default())
    }

    fn ask_within(&self, asked: &v1::QuerySpec, limits: QueryLimits) -> Result<Answer> {
        let query = v1::QuerySpec {
            stream: self.stream.name.clone(),
            ..asked.clone()
        };
        let context = Context {
            cache: Some(Arc::clone(&self.cache)),
            limits,
            ..Context::new(Arc::clone(&self.clock) as Arc<dyn Clock>)
        };
        run(&self.stream, &Spec::new(query).unwrap(), &context)
    }

    /// Asks, and again without the cache: the answers are the same.
    fn ask(&self, asked: &v1::QuerySpec) -> Answer {
        let answer = self.try_ask(asked).unwrap();
        let anew = self.try_ask(&v1::QuerySpec {
            hints: Some(v1::QueryHints {
                no_cache: true,
                ..asked.hints.unwrap_or_default()
            }),
            ..asked.clone()
        });
        let anew = anew.unwrap();
        assert_eq!(table(&answer.batch), table(&anew.batch), "{asked:?}");
        assert_ne!(anew.provenance.tier(), v1::Tier::Cache);
        let (got, wanted) = (&answer.provenance, &anew.provenance);
        assert_eq!((got.commit, got.watermark_ns), (wanted.commit, wanted.watermark_ns));
        assert_eq!((got.complete, &got.measures), (wanted.complete, &wanted.measures));
        assert_eq!(got.rows_matched, wanted.rows_matched);
        answer
    }

    fn is_kept(&self, asked: &v1::QuerySpec) -> bool {
        self.ask(asked).provenance.tier() == v1::Tier::Cache
    }
}

fn by_minute(hours: std::ops::Range<i64>) -> v1::QuerySpec {
    v1::QuerySpec {
        range: Some(v1::TimeRange {
            start_ns: Some(NOW + hours.start * HOUR),
            end_ns: Some(NOW + hours.end * HOUR),
        }),
        window: tumbling(60 * SECOND_NS),
        group_by: by(&["entity"]),
        ..spec(vec![measure(Kind::Count, "")])
    }
}

#[test]
fn an_answer_is_given_again_with_its_age_and_where_it_came_from() {
    let asker = Asker::new(1 << 24);
    let first = asker.ask(&by_minute(0..1));
    assert_eq!(first.provenance.tier(), v1::Tier::Raw);
    assert_eq!((first.provenance.cache_age, first.provenance.cached_tier), (None, 0));
    asker.clock.advance(3 * SECOND_NS + 7);
    let again = asker.ask(&by_minute(0..1)).provenance;
    let age = prost_types::Duration { seconds: 3, nanos: 7 };
    assert_eq!((again.tier(), again.cached_tier()), (v1::Tier::Cache, v1::Tier::Raw));
    assert_eq!((again.cache_age, again.rows_scanned), (Some(age), MANY as u64));
    let figures = asker.cache.figures();
    assert!(figures.bytes > 0 && figures.bytes < 1 << 20);
    let counted = CacheFigures {
        bytes: figures.bytes,
        limit_bytes: 1 << 24,
        answers: 1,
        hits: 1,
        misses: 1,
    };
    assert_eq!(figures, counted);
}

#[test]
fn rows_elsewhere_change_nothing_but_the_commit_and_rows_inside_all() {
    let asker = Asker::new(1 << 24);
    let asked = by_minute(0..1);
    let first = asker.ask(&asked).provenance;
    asker.write(10, 1);
    let after = asker.ask(&asked).provenance;
    assert_eq!(after.tier(), v1::Tier::Cache);
    assert!(after.commit > first.commit);
    asker.write(1, 0);
    assert!(!asker.is_kept(&asked), "a row in the range");
    assert!(asker.is_kept(&asked));
    asker.bed.store.seal(&asker.stream).unwrap();
    assert!(!asker.is_kept(&asked), "rows that lie otherwise");
    assert!(asker.is_kept(&asked));
    asker.write(5, 2);
    asker.bed.store.seal(&asker.stream).unwrap();
    assert!(asker.is_kept(&asked), "a part behind the range");
    // Of all time, each row counts.
    let all = v1::QuerySpec { range: None, ..asked };
    assert!(!asker.is_kept(&all));
    assert!(asker.is_kept(&all));
    asker.write(1, 7);
    assert!(!asker.is_kept(&all));
}

#[test]
fn other_questions_have_other_answers() {
    let asker = Asker::new(1 << 24);
    let asked = by_minute(0..1);
    asker.ask(&asked);
    for other in [
        v1::QuerySpec {
            limit: 3,
            ..asked.clone()
        },
        v1::QuerySpec {
            window: tumbling(61 * SECOND_NS),
            ..asked.clone()
        },
        v1::QuerySpec {
            measures: vec![measure(Kind::First, "time")],
            ..asked.clone()
        },
        v1::QuerySpec {
            filter_text: "time > \"2001-01-01T00:00:00Z\"".to_owned(),
            ..asked.clone()
        },
        v1::QuerySpec {
            as_of: asker.stream.last_commit(),
            ..asked.clone()
        },
    ] {
        assert!(!asker.is_kept(&other), "{other:?}");
        assert!(asker.is_kept(&other), "{other:?}");
    }
    let tight = v1::QuerySpec {
        budget: Some(v1::Budget {
            max_rows: 1,
            ..v1::Budget::default()
        }),
        ..asked.clone()
    };
    for _ in 0..2 {
        assert_eq!(asker.try_ask(&tight).unwrap_err().reason(), "QUERY_ROWS_EXCEEDED");
    }
    assert!(asker.is_kept(&asked));
    // A caller's limits may be others than the message's, as those of the explorer are.
    let limits = QueryLimits {
        max_groups: 3,
        ..QueryLimits::default()
    };
    let refused = asker.ask_within(&asked, limits).unwrap_err();
    assert_eq!(refused.reason(), "QUERY_GROUPS_EXCEEDED");
}

#[test]
fn a_comparison_also_hangs_on_the_rows_before() {
    let asker = Asker::new(1 << 24);
    let asked = v1::QuerySpec {
        compare: Some(v1::Comparison {
            period: v1::ComparisonPeriod::Previous.into(),
        }),
        group_by: Vec::new(),
        ..by_minute(0..1)
    };
    asker.ask(&asked);
    assert!(asker.is_kept(&asked));
    asker.write(1, 4);
    assert!(asker.is_kept(&asked), "rows behind it");
    asker.write(30, -1);
    assert!(!asker.is_kept(&asked));
    assert!(asker.is_kept(&asked));
}

#[test]
fn what_the_definition_changes_is_seen() {
    let asker = Asker::new(1 << 24);
    let asked = by_minute(0..1);
    asker.bed.store.seal(&asker.stream).unwrap();
    asker.ask(&asked);
    assert!(asker.is_kept(&asked));
    let rollup = RollupSpec {
        width_ns: 60 * SECOND_NS,
        keep_for_ns: None,
        group_by: vec!["entity".to_owned()],
        sketches: false,
    };
    let change = |schema: &mut marigram_core::column::Schema| {
        schema.settings.rollups = vec![rollup.clone()];
        schema.settings.keep_for_ns = Some(1);
        marigram_core::column::rollup::check(schema)
    };
    asker.stream.change_schema(change).unwrap();
    asker.bed.store.roll_up(&asker.stream).unwrap();
    let rolled = asker.ask(&asked).provenance;
    assert_eq!(rolled.tier(), v1::Tier::Rollup);
    asker.bed.clock.advance(2 * HOUR);
    asker.bed.store.apply_retention(&asker.stream, false).unwrap();
    let gone = v1::QuerySpec {
        window: tumbling(7 * SECOND_NS),
        ..asked
    };
    assert_eq!(asker.ask(&gone).provenance.rows_unavailable, MANY as u64);
}

#[test]
fn small_and_large_answers_are_not_kept_and_the_budget_holds() {
    let asker = Asker::new(1 << 20);
    asker.write(1_000, 5);
    for asked in [
        by_minute(5..6),
        v1::QuerySpec {
            window: tumbling(100_000_000),
            ..by_minute(0..1)
        },
    ] {
        asker.ask(&asked);
        assert!(!asker.is_kept(&asked), "{asked:?}");
    }
    for second in 1..60 {
        let asked = v1::QuerySpec {
            window: tumbling(second * SECOND_NS),
            ..by_minute(0..1)
        };
        asker.ask(&asked);
        assert!(asker.cache.figures().bytes <= 1 << 20);
    }
    let figures = asker.cache.figures();
    assert!(figures.answers > 3, "{figures:?}");
}

#[test]
fn whatever_is_written_sealed_and_asked_answers_are_those_of_their_commit() {
    let asker = Asker::new(1 << 22);
    let mut random = Random(83);
    let mut kept = 0;
    for _ in 0..400 {
        match random.below(9) {
            0 => asker.write(1 + random.below(300) as usize, random.below(6) as i64 - 1),
            1 => drop(asker.bed.store.seal(&asker.stream).unwrap()),
            _ => {
                let start = random.below(3) as i64 - 2;
                let mut asked = by_minute(start..start + 1 + random.below(4) as i64);
                asked.window = tumbling((1 + random.below(2) as i64) * 600 * SECOND_NS);
                if random.below(4) == 0 {
                    asked.compare = Some(v1::Comparison {
                        period: v1::ComparisonPeriod::Previous.into(),
                    });
                }
                kept += u32::from(asker.is_kept(&asked));
            }
        }
    }
    assert!(kept > 40, "{kept} of 400 from the cache");
}
