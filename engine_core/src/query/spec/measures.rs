//! Measures of a query, checked but for their columns.

use std::sync::Arc;

use super::patterns::Patterns;
use super::{FilterSpec, MAX_MEASURES, at_most, filter_of, unknown_number};
use crate::aggregate::between::Bounds;
use crate::error::{Error, Result};
use crate::query::measures::{Asked, Kind, Measure, Of, Sketch};
use crate::wire::v1;

/// Most bounds of a measure.
const MAX_BOUNDS: usize = 1_024;

/// Measures, and what several of them may be of.
#[derive(Clone, Debug, Default)]
pub(super) struct Measures {
    /// The measures.
    pub(super) specs: Vec<MeasureSpec>,
    /// Rows that some of them alone take, each once.
    pub(super) filters: Vec<FilterSpec>,
    /// Bounds that some of them have, each once.
    pub(super) bounds: Vec<Arc<Bounds>>,
}

/// One measure.
#[derive(Clone, Debug)]
pub struct MeasureSpec {
    /// Its kind.
    pub kind: &'static Kind,
    /// What to compute.
    pub measure: Arc<dyn Measure>,
    /// Of which column; none: of rows, or of other measures.
    pub column: Option<String>,
    /// Of which second column.
    pub second_column: Option<String>,
    /// Of which rows alone, by place of the filter.
    pub filter: Option<usize>,
    /// Name in the answer.
    pub name: String,
}

/// Checks them all.
pub(super) fn of(measures: Vec<v1::Measure>, patterns: &mut Patterns) -> Result<Measures> {
    if measures.is_empty() {
        return Err(Error::invalid(
            "MEASURE_MISSING",
            "spec.measures",
            "a query has 1 to 64 measures, got none",
        ));
    }
    at_most("spec.measures", "measures", measures.len(), MAX_MEASURES)?;
    let mut reading = Reading {
        found: Measures::default(),
        filters: Vec::new(),
        patterns,
    };
    for (at, measure) in measures.into_iter().enumerate() {
        let spec = reading.measure(measure, &format!("spec.measures[{at}]"))?;
        let specs = &mut reading.found.specs;
        if let Some(other) = specs.iter().position(|other| other.name == spec.name) {
            return Err(Error::invalid(
                "DUPLICATE_MEASURE",
                format!("spec.measures[{at}].name"),
                format!(
                    "names of measures are distinct, {:?} is also that of measure {other}",
                    spec.name
                ),
            ));
        }
        specs.push(spec);
    }
    check_reads(&reading.found.specs)?;
    Ok(reading.found)
}

/// Measures read so far.
struct Reading<'a> {
    found: Measures,
    /// Messages of the filters found, by place.
    filters: Vec<(Option<v1::Filter>, String)>,
    patterns: &'a mut Patterns,
}

impl Reading<'_> {
    /// Place of the filter that a measure has; the same for equal ones.
    fn filter(&mut self, tree: Option<v1::Filter>, text: String, field: &str) -> Result<Option<usize>> {
        let message = (tree, text);
        if let Some(place) = self.filters.iter().position(|known| *known == message) {
            return Ok(Some(place));
        }
        let Some(filter) = filter_of(message.0.clone(), &message.1, field, self.patterns)? else {
            return Ok(None);
        };
        self.filters.push(message);
        self.found.filters.push(filter);
        Ok(Some(self.filters.len() - 1))
    }

    /// Place of these bounds; none of none.
    fn bounds(&mut self, bounds: Vec<f64>, field: &str) -> Result<Option<usize>> {
        if bounds.is_empty() {
            return Ok(None);
        }
        let field = format!("{field}.bounds");
        at_most(&field, "bounds", bounds.len(), MAX_BOUNDS)?;
        let bounds = Bounds::new(bounds).ok_or_else(|| {
            let rule = "bounds are finite, each above the one before";
            Error::invalid("BAD_BOUNDS", field, rule)
        })?;
        let known = &mut self.found.bounds;
        Ok(Some(known.iter().position(|known| **known == bounds).unwrap_or_else(
            || {
                known.push(Arc::new(bounds));
                known.len() - 1
            },
        )))
    }
}

impl Reading<'_> {
    fn measure(&mut self, message: v1::Measure, field: &str) -> Result<MeasureSpec> {
        let v1::Measure {
            kind,
            column,
            name,
            quantile,
            second_column,
            threshold,
            count,
            formula,
            filter,
            bounds,
            sketch,
            filter_text,
        } = message;
        let at = |part: &str| format!("{field}.{part}");
        let number = v1::MeasureKind::try_from(kind).map_err(|_| unknown_number(&at("kind"), kind))?;
        if number == v1::MeasureKind::Unspecified {
            return Err(Error::invalid(
                "MEASURE_KIND_MISSING",
                at("kind"),
                "a measure says what to compute",
            ));
        }
        let kind = Kind::find(number).ok_or_else(|| Error::unsupported(at("kind")))?;
        let filter = self.filter(filter, filter_text, field)?;
        if filter.is_some() && kind.of == Of::Measures {
            let message = format!("{} is of other measures, which take rows, and takes none", kind.name);
            return Err(Error::invalid("FILTER_NOT_TAKEN", at("filter"), message));
        }
        let bounds = self.bounds(bounds, field)?;
        let asked = Asked {
            quantile,
            threshold,
            count,
            formula,
            bounds: bounds.map(|place| (place, Arc::clone(&self.found.bounds[place]))),
            sketch: sketch_of(sketch, &at("sketch"))?,
        };
        let measure = kind.measure(&asked, field)?;
        let column_is_wrong = match kind.of {
            Of::RowsOrColumn => None,
            Of::Measures => (!column.is_empty()).then_some(("COLUMN_NOT_TAKEN", "of other measures, not of a column")),
            _ => column.is_empty().then_some(("COLUMN_MISSING", "of a column, got none")),
        };
        if let Some((reason, rule)) = column_is_wrong {
            return Err(Error::invalid(reason, at("column"), format!("{} is {rule}", kind.name)));
        }
        let second_is_wrong = match (kind.of == Of::TwoNumbers, second_column.is_empty()) {
            (true, true) => Some(("COLUMN_MISSING", "of two columns, got no second")),
            (false, false) => Some(("COLUMN_NOT_TAKEN", "not of two columns")),
            _ => None,
        };
        if let Some((reason, rule)) = second_is_wrong {
            return Err(Error::invalid(
                reason,
                at("second_column"),
                format!("{} is {rule}", kind.name),
            ));
        }
        let name = match (name.is_empty(), column.is_empty()) {
            (false, _) => {
                crate::column::schema::check_name(&at("name"), &name)?;
                name
            }
            (true, true) => kind.name.to_owned(),
            (true, false) => format!("{}_{column}", kind.name),
        };
        Ok(MeasureSpec {
            kind,
            measure,
            column: (!column.is_empty()).then_some(column),
            second_column: (!second_column.is_empty()).then_some(second_column),
            filter,
            name,
        })
    }
}

fn sketch_of(number: i32, field: &str) -> Result<Option<Sketch>> {
    match v1::QuantileSketch::try_from(number) {
        Err(_) => Err(unknown_number(field, number)),
        Ok(v1::QuantileSketch::Unspecified) => Ok(None),
        Ok(v1::QuantileSketch::Exponential) => Ok(Some(Sketch::Exponential)),
        Ok(v1::QuantileSketch::Kll) => Ok(Some(Sketch::Kll)),
    }
}

/// A formula is of measures before it, or of any that is none.
fn check_reads(specs: &[MeasureSpec]) -> Result<()> {
    for (at, spec) in specs.iter().enumerate() {
        for name in spec.measure.reads() {
            let other = specs.iter().position(|other| other.name == name);
            let rule = match other {
                None => "is none",
                Some(other) if other >= at && specs[other].kind.of == Of::Measures => "does not come before it",
                Some(_) => continue,
            };
            return Err(Error::invalid(
                "UNKNOWN_MEASURE",
                format!("spec.measures[{at}].{}", spec.kind.name),
                format!("a formula is of the query's other measures, {name:?} {rule}"),
            ));
        }
    }
    Ok(())
}
