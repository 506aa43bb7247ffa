//! Answers with lists and structs, rows of single measures, quantiles by rank, and windows that rows make.

mod query_support;

use std::sync::Arc;

use arrow_schema::DataType;
use marigram_core::column::ColumnType;
use marigram_core::store::Stream;
use marigram_core::wire::v1;
use query_support::{
    Cell, Row, ask, by, compare, measure, push, session, session_within, sliding, spec, stream, table, tumbling,
};
use v1::ComparisonOperator::{Greater, Less};
use v1::MeasureKind::{Box, Count, CumulativeDistribution, Formula, Histogram, Quantile, ShareOfTotal, Sum, TopK};

/// Rows at these times: user, value, text; the value also as an integer, a boolean and a time.
fn rows(rows: &[(i64, &str, f64, &str)]) -> Arc<Stream> {
    let stream = stream(&[
        ("v", ColumnType::F64),
        ("i", ColumnType::I64),
        ("b", ColumnType::Bool),
        ("t", ColumnType::Timestamp),
        ("s", ColumnType::Symbol),
        ("x", ColumnType::Text),
    ]);
    let row = |(time, user, v, s): &(i64, &str, f64, &str)| -> Row {
        let whole = *v as i64;
        let (flag, time_cell) = (Cell::Bool(*v > 2.0), Cell::Time(whole));
        let cells = vec![
            Cell::F64(*v),
            Cell::I64(whole),
            flag,
            time_cell,
            Cell::text(s),
            Cell::text(s),
        ];
        (*time, (*user).to_owned(), cells)
    };
    let rows: Vec<Row> = rows.iter().map(row).collect();
    rows.chunks(5_000).for_each(|rows| push(&stream, rows, false));
    stream
}

fn few() -> Arc<Stream> {
    rows(&[
        (1, "ann", 1.0, "a"),
        (2, "ann", 3.0, "b"),
        (4, "bob", 3.0, "b"),
        (9, "ann", 8.0, "a"),
    ])
}

fn answer(stream: &Arc<Stream>, asked: v1::QuerySpec) -> Vec<Vec<Cell>> {
    table(&ask(stream, asked).unwrap().batch).1
}

fn refusal(asked: v1::QuerySpec) -> (&'static str, String) {
    let error = ask(&few(), asked).unwrap_err();
    (error.reason(), error.field().to_owned())
}

fn counted(kind: v1::MeasureKind, column: &str, count: u32) -> v1::Measure {
    v1::Measure {
        count,
        ..measure(kind, column)
    }
}

fn bounded(kind: v1::MeasureKind, column: &str, bounds: &[f64]) -> v1::Measure {
    v1::Measure {
        bounds: bounds.to_vec(),
        ..measure(kind, column)
    }
}

fn filtered(measure: v1::Measure, filter: v1::Filter, name: &str) -> v1::Measure {
    v1::Measure {
        filter: Some(filter),
        name: name.to_owned(),
        ..measure
    }
}

fn structs(rows: &[&[Cell]]) -> Cell {
    Cell::List(rows.iter().map(|row| Cell::Struct(row.to_vec())).collect())
}

#[test]
fn lists_and_structs_have_the_types_of_the_contract() {
    let columns = ["v", "i", "b", "t", "s", "x", "time", "entity"];
    let mut measures: Vec<v1::Measure> = columns.iter().map(|column| counted(TopK, column, 2)).collect();
    measures.extend([
        measure(Histogram, "i"),
        measure(Box, "v"),
        bounded(CumulativeDistribution, "v", &[1.0]),
    ]);
    let answer = ask(&few(), spec(measures)).unwrap();
    let schema = answer.batch.schema();
    let fields = |at: usize| -> Vec<(String, String)> {
        let data_type = match schema.field(at).data_type() {
            DataType::List(item) => item.data_type().clone(),
            other => other.clone(),
        };
        let DataType::Struct(fields) = data_type else {
            panic!("{data_type}");
        };
        let named = fields
            .iter()
            .map(|field| (field.name().clone(), field.data_type().to_string()));
        named.collect()
    };
    let values = [
        "Float64",
        "Int64",
        "Boolean",
        "Timestamp(ns, \"UTC\")",
        "Utf8",
        "Utf8",
        "Timestamp(ns, \"UTC\")",
        "Utf8",
    ];
    for (at, value) in values.iter().enumerate() {
        let wanted = [("value", *value), ("count", "Int64"), ("error", "Int64")];
        assert_eq!(
            fields(at),
            wanted.map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        );
    }
    let names = |at| {
        fields(at)
            .into_iter()
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(8), ["lower Float64", "upper Float64", "count Int64"]);
    assert_eq!(names(9)[0], "min Float64");
    assert_eq!(names(9)[9], "outliers Int64");
    assert_eq!(names(10), ["bound Float64", "share Float64"]);
    let (_, cells) = table(&answer.batch);
    let two = |value| vec![value, Cell::I64(2), Cell::I64(0)];
    // Of equally frequent texts the least comes first.
    assert_eq!(cells[0][4], structs(&[&two(Cell::text("a")), &two(Cell::text("b"))]));
    assert_eq!(
        cells[0][2],
        structs(&[
            &[Cell::Bool(true), Cell::I64(3), Cell::I64(0)],
            &[Cell::Bool(false), Cell::I64(1), Cell::I64(0)]
        ])
    );
    assert!(answer.provenance.measures.iter().all(|made| made.exact));
}

#[test]
fn no_values_are_empty_buckets_no_shares_and_no_box() {
    let none = compare("v", Less, &Cell::F64(0.0));
    let asked = v1::QuerySpec {
        filter: Some(none),
        ..spec(vec![
            measure(Histogram, "v"),
            v1::Measure {
                name: "by".to_owned(),
                ..bounded(Histogram, "v", &[2.0])
            },
            bounded(CumulativeDistribution, "v", &[2.0]),
            measure(Box, "v"),
            counted(TopK, "v", 3),
        ])
    };
    let bucket = |lower, upper| vec![Cell::F64(lower), Cell::F64(upper), Cell::I64(0)];
    let empty = structs(&[&bucket(f64::NEG_INFINITY, 2.0), &bucket(2.0, f64::INFINITY)]);
    let wanted = vec![Cell::List(vec![]), empty, Cell::Null, Cell::Null, Cell::List(vec![])];
    assert_eq!(answer(&few(), asked), [wanted]);
}

#[test]
fn windows_without_rows_have_null_lists_or_those_before() {
    let asked = |fill: v1::Fill| v1::QuerySpec {
        window: tumbling(3),
        fill: fill as i32,
        ..spec(vec![counted(TopK, "i", 1)])
    };
    let top = |value, count| structs(&[&[Cell::I64(value), Cell::I64(count), Cell::I64(0)]]);
    let lists = |fill| -> Vec<Cell> {
        answer(&few(), asked(fill))
            .into_iter()
            .map(|row| row[1].clone())
            .collect()
    };
    assert_eq!(lists(v1::Fill::Null), [top(1, 1), top(3, 1), Cell::Null, top(8, 1)]);
    assert_eq!(lists(v1::Fill::Zero), lists(v1::Fill::Null));
    assert_eq!(lists(v1::Fill::Previous), [top(1, 1), top(3, 1), top(3, 1), top(8, 1)]);
}

#[test]
fn a_list_or_struct_is_no_single_value() {
    let nested = |kind| v1::Measure {
        name: "n".to_owned(),
        ..measure(kind, "v")
    };
    let order = v1::OrderBy {
        column: "n".to_owned(),
        descending: false,
    };
    let refused = ("NESTED_COLUMN", "spec.order_by[0].column".to_owned());
    let ordered = v1::QuerySpec {
        order_by: vec![order],
        ..spec(vec![nested(Box)])
    };
    assert_eq!(refusal(ordered), refused);
    let having = v1::QuerySpec {
        having: Some(query_support::is_null("n", true)),
        ..spec(vec![nested(Histogram)])
    };
    assert_eq!(refusal(having), ("NESTED_COLUMN", "spec.having.null.column".to_owned()));
    let compared = v1::QuerySpec {
        compare: Some(v1::Comparison { period: 3 }),
        ..spec(vec![nested(Histogram)])
    };
    assert_eq!(refusal(compared), ("NESTED_COLUMN", "spec.compare".to_owned()));
    let formula = v1::Measure {
        formula: "n + 1".to_owned(),
        ..measure(Formula, "")
    };
    let of_nested = spec(vec![nested(Box), formula]);
    assert_eq!(
        refusal(of_nested),
        ("NOT_NUMERIC", "spec.measures[1].formula".to_owned())
    );
}

#[test]
fn parameters_of_lists_keep_their_rules() {
    let one = |measure| refusal(spec(vec![measure]));
    let bounds = |reason| (reason, "spec.measures[0].bounds".to_owned());
    assert_eq!(one(bounded(Histogram, "v", &[1.0, 1.0])), bounds("BAD_BOUNDS"));
    assert_eq!(one(bounded(Histogram, "v", &[f64::INFINITY])), bounds("BAD_BOUNDS"));
    assert_eq!(one(measure(CumulativeDistribution, "v")), bounds("BAD_BOUNDS"));
    assert_eq!(one(bounded(Sum, "v", &[1.0])), bounds("PARAMETER_NOT_TAKEN"));
    let many: Vec<f64> = (0..1_025).map(f64::from).collect();
    assert_eq!(one(bounded(Histogram, "v", &many)), bounds("TOO_MANY"));
    answer(&few(), spec(vec![bounded(Histogram, "v", &many[1..])]));
    for count in [0, 1_001] {
        assert_eq!(
            one(counted(TopK, "v", count)),
            ("BAD_COUNT", "spec.measures[0].count".to_owned())
        );
    }
    assert_eq!(
        one(measure(Box, "s")),
        ("NOT_NUMERIC", "spec.measures[0].column".to_owned())
    );
    let sketch = |kind, sketch| v1::Measure {
        sketch,
        ..measure(kind, "v")
    };
    let field = || "spec.measures[0].sketch".to_owned();
    assert_eq!(one(sketch(Sum, 2)), ("PARAMETER_NOT_TAKEN", field()));
    assert_eq!(one(sketch(Quantile, 3)), ("UNKNOWN_ENUM", field()));
}

#[test]
fn a_histogram_by_bounds_counts_integers_that_doubles_mix_up() {
    let edge = 1i64 << 53;
    let stream = stream(&[("i", ColumnType::I64)]);
    let rows: Vec<Row> = [edge, edge + 1, i64::MAX]
        .map(|i| (i % 97, String::new(), vec![Cell::I64(i)]))
        .to_vec();
    push(&stream, &rows, false);
    let bounds = [edge as f64, 2f64.powi(63)];
    let asked = spec(vec![
        bounded(Histogram, "i", &bounds),
        bounded(CumulativeDistribution, "i", &bounds),
    ]);
    let cells = answer(&stream, asked);
    let counts = |at: usize, field: usize| -> Vec<Cell> {
        let Cell::List(rows) = &cells[0][at] else {
            panic!("{cells:?}")
        };
        let of = |row: &Cell| {
            if let Cell::Struct(fields) = row {
                fields[field].clone()
            } else {
                Cell::Null
            }
        };
        rows.iter().map(of).collect()
    };
    assert_eq!(counts(0, 2), [1, 2, 0].map(Cell::I64));
    assert_eq!(counts(1, 1), [1.0 / 3.0, 1.0].map(Cell::F64));
}

#[test]
fn frequent_values_of_very_many_say_their_error() {
    let texts: Vec<String> = (0..30_000)
        .map(|at| {
            if at % 3 == 0 {
                "often".to_owned()
            } else {
                format!("text {at}")
            }
        })
        .collect();
    let all: Vec<(i64, &str, f64, &str)> = (0..)
        .zip(&texts)
        .map(|(time, text)| (time, "", 0.0, text.as_str()))
        .collect();
    for column in ["s", "x"] {
        let answer = ask(&rows(&all), spec(vec![counted(TopK, column, 1)])).unwrap();
        let made = &answer.provenance.measures[0];
        assert!(!made.exact && made.relative_error == f64::INFINITY);
        let (_, cells) = table(&answer.batch);
        let Cell::List(list) = &cells[0][0] else {
            panic!("{cells:?}")
        };
        let [Cell::Struct(fields)] = &list[..] else {
            panic!("{list:?}")
        };
        let [Cell::Text(value), Cell::I64(count), Cell::I64(error)] = &fields[..] else {
            panic!("{fields:?}")
        };
        assert_eq!(value, "often");
        assert!(*count >= 10_000 && count - error <= 10_000 && *error <= 30_000 / 4_096);
    }
}

#[test]
fn a_quantile_by_rank_says_the_error_of_its_rank() {
    let n = 50_000;
    let all: Vec<(i64, &str, f64, &str)> = (0..n).map(|at| (at, "", (at * 7_919 % n) as f64 * 1e-30, "")).collect();
    let stream = rows(&all);
    let of = |sketch: v1::QuantileSketch, name: &str| v1::Measure {
        quantile: 0.9,
        sketch: sketch as i32,
        name: name.to_owned(),
        ..measure(Quantile, "v")
    };
    let asked = spec(vec![
        of(v1::QuantileSketch::Kll, "kll"),
        of(v1::QuantileSketch::Exponential, "exponential"),
    ]);
    let answer = ask(&stream, asked).unwrap();
    let [kll, exponential] = &answer.provenance.measures[..] else {
        panic!()
    };
    assert!(!kll.exact && kll.rank_error > 0.0 && kll.rank_error <= 0.006 && kll.relative_error == f64::INFINITY);
    assert!(!exponential.exact && exponential.rank_error == 0.0 && exponential.relative_error < 0.00542);
    let (_, cells) = table(&answer.batch);
    let Cell::F64(value) = cells[0][0] else {
        panic!("{cells:?}")
    };
    let rank = value / 1e-30 / n as f64;
    assert!((rank - 0.9).abs() <= kll.rank_error, "{rank}");
}

#[test]
fn a_measure_may_take_rows_of_its_own() {
    let large = || compare("v", Greater, &Cell::F64(2.0));
    let share = v1::Measure {
        formula: "large / count".to_owned(),
        name: "share".to_owned(),
        ..measure(Formula, "")
    };
    let by_text = v1::Measure {
        filter: Some(large()),
        filter_text: "s = b".to_owned(),
        ..measure(Sum, "v")
    };
    let asked = v1::QuerySpec {
        group_by: by(&["entity"]),
        ..spec(vec![
            measure(Count, ""),
            filtered(measure(Count, ""), large(), "large"),
            by_text,
            share,
        ])
    };
    let wanted = [
        vec![
            Cell::text("ann"),
            Cell::I64(3),
            Cell::I64(2),
            Cell::F64(3.0),
            Cell::F64(2.0 / 3.0),
        ],
        vec![
            Cell::text("bob"),
            Cell::I64(1),
            Cell::I64(1),
            Cell::F64(3.0),
            Cell::F64(1.0),
        ],
    ];
    assert_eq!(answer(&few(), asked), wanted);
}

#[test]
fn a_group_whose_rows_no_measure_takes_stays() {
    let none = compare("v", Greater, &Cell::F64(100.0));
    let asked = v1::QuerySpec {
        group_by: by(&["s"]),
        ..spec(vec![
            filtered(measure(Count, ""), none.clone(), "n"),
            filtered(measure(Sum, "v"), none, "sum"),
        ])
    };
    let nothing = |s: &str| vec![Cell::text(s), Cell::I64(0), Cell::Null];
    assert_eq!(answer(&few(), asked), [nothing("a"), nothing("b")]);
}

#[test]
fn filters_of_measures_keep_the_rules_of_filters() {
    let unknown = compare("w", Greater, &Cell::F64(1.0));
    let at = |part: &str| format!("spec.measures[0].{part}");
    let one = |measure| refusal(spec(vec![measure]));
    assert_eq!(
        one(filtered(measure(Count, ""), unknown, "")),
        ("UNKNOWN_COLUMN", at("filter.compare.column"))
    );
    let bad = v1::Measure {
        filter_text: "v >".to_owned(),
        ..measure(Count, "")
    };
    assert_eq!(one(bad), ("BAD_FILTER_TEXT", at("filter_text")));
    let formula = v1::Measure {
        formula: "1".to_owned(),
        ..measure(Formula, "")
    };
    let formula = filtered(formula, compare("v", Greater, &Cell::F64(1.0)), "");
    assert_eq!(one(formula), ("FILTER_NOT_TAKEN", at("filter")));
}

#[test]
fn nan_that_a_filter_leaves_out_are_not_skipped_by_the_measure() {
    let stream = rows(&[(1, "", f64::NAN, "a"), (2, "", f64::NAN, "b"), (3, "", 1.0, "a")]);
    let of_b = filtered(
        measure(Sum, "v"),
        compare("s", v1::ComparisonOperator::Equal, &Cell::text("b")),
        "b",
    );
    let answer = ask(&stream, spec(vec![of_b.clone()])).unwrap();
    assert_eq!(answer.provenance.nan_skipped, 1);
    let answer = ask(&stream, spec(vec![of_b, measure(Sum, "v")])).unwrap();
    assert_eq!(answer.provenance.nan_skipped, 3);
}

#[test]
fn a_session_is_cut_at_the_row_that_would_make_it_too_long() {
    let stream = rows(&[
        (0, "ann", 1.0, ""),
        (4, "ann", 1.0, ""),
        (8, "ann", 1.0, ""),
        (9, "ann", 1.0, ""),
        (13, "ann", 1.0, ""),
    ]);
    let sessions = |window| -> Vec<Vec<Cell>> {
        let asked = v1::QuerySpec {
            window,
            ..spec(vec![measure(Count, "")])
        };
        answer(&stream, asked)
    };
    let row = |start, end, n| vec![Cell::Time(start), Cell::Time(end), Cell::I64(n)];
    assert_eq!(sessions(session(5)), [row(0, 13, 5)]);
    assert_eq!(sessions(session_within(5, Some(8))), [row(0, 8, 3), row(9, 13, 2)]);
    assert_eq!(sessions(session_within(5, Some(7))), [row(0, 4, 2), row(8, 13, 3)]);
    assert_eq!(
        sessions(session_within(3, Some(1))),
        [row(0, 0, 1), row(4, 4, 1), row(8, 9, 2), row(13, 13, 1)]
    );
}

#[test]
fn a_window_slides_to_each_time_of_its_group() {
    let stream = rows(&[
        (0, "ann", 1.0, ""),
        (3, "bob", 2.0, ""),
        (3, "ann", 4.0, ""),
        (5, "ann", 8.0, ""),
        (5, "ann", 16.0, ""),
    ]);
    let asked = v1::QuerySpec {
        window: sliding(5),
        group_by: by(&["entity"]),
        ..spec(vec![measure(Sum, "v")])
    };
    let row = |start, end, user: &str, sum| vec![Cell::Time(start), Cell::Time(end), Cell::text(user), Cell::F64(sum)];
    // A row as far back as the width is not in the window.
    let wanted = [
        row(-5, 0, "ann", 1.0),
        row(-2, 3, "ann", 5.0),
        row(-2, 3, "bob", 2.0),
        row(0, 5, "ann", 28.0),
    ];
    assert_eq!(answer(&stream, asked), wanted);
}

#[test]
fn wide_windows_over_many_rows_slide_exactly() {
    let all: Vec<(i64, &str, f64, &str)> = (0..20_000).map(|at| (at * 3, "", (at % 101) as f64, "")).collect();
    let asked = v1::QuerySpec {
        window: sliding(3 * 5_000),
        order_by: vec![v1::OrderBy {
            column: "end".to_owned(),
            descending: true,
        }],
        limit: 2,
        ..spec(vec![
            measure(Count, ""),
            measure(Sum, "i"),
            measure(v1::MeasureKind::Distinct, "i"),
        ])
    };
    let cells = answer(&rows(&all), asked);
    let sum = |last: i64| (last - 4_999..=last).map(|at| at % 101).sum::<i64>();
    let row = |last: i64| {
        let times = [(last - 5_000) * 3, last * 3].map(Cell::Time);
        [&times[..], &[5_000, sum(last), 101].map(Cell::I64)].concat()
    };
    assert_eq!(cells, [row(19_999), row(19_998)]);
}

#[test]
fn what_windows_that_rows_make_cannot_do_is_refused() {
    let with = |window, change: &dyn Fn(&mut v1::QuerySpec)| {
        let mut asked = v1::QuerySpec {
            window,
            ..spec(vec![measure(Count, "")])
        };
        change(&mut asked);
        refusal(asked)
    };
    let field = |field: &str| field.to_owned();
    let sliding_with = |change: &dyn Fn(&mut v1::QuerySpec)| with(sliding(5), change);
    assert_eq!(sliding_with(&|asked| asked.fill = 2), ("BAD_FILL", field("spec.fill")));
    let compared = |asked: &mut v1::QuerySpec| asked.compare = Some(v1::Comparison { period: 2 });
    assert_eq!(sliding_with(&compared), ("BAD_COMPARISON", field("spec.compare")));
    let top = |asked: &mut v1::QuerySpec| {
        asked.group_by = by(&["s"]);
        asked.top_groups = 1;
        asked.order_by = vec![v1::OrderBy {
            column: field("count"),
            descending: true,
        }];
    };
    assert_eq!(sliding_with(&top), ("NOT_SERVED", field("spec.top_groups")));
    let share = |asked: &mut v1::QuerySpec| asked.measures.push(measure(ShareOfTotal, "v"));
    assert_eq!(
        sliding_with(&share),
        ("WINDOW_NOT_TAKEN", field("spec.measures[1].kind"))
    );
    assert_eq!(
        with(sliding(0), &|_| {}),
        ("BAD_WIDTH", field("spec.window.sliding.width"))
    );
    let longest = with(session_within(5, Some(-1)), &|_| {});
    assert_eq!(longest, ("BAD_WIDTH", field("spec.window.session.max_length")));
    let budget = |asked: &mut v1::QuerySpec| {
        asked.budget = Some(v1::Budget {
            max_groups: 3,
            ..v1::Budget::default()
        });
    };
    assert_eq!(sliding_with(&budget).0, "QUERY_GROUPS_EXCEEDED");
}
