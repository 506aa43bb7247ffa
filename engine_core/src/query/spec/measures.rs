//! Measures of a query, checked but for their columns.

use std::sync::Arc;

use super::{MAX_MEASURES, at_most, unknown_number};
use crate::error::{Error, Result};
use crate::query::measures::{Asked, Kind, Measure, Of};
use crate::wire::v1;

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
    /// Name in the answer.
    pub name: String,
}

/// Checks them all.
pub(super) fn of(measures: Vec<v1::Measure>) -> Result<Vec<MeasureSpec>> {
    if measures.is_empty() {
        return Err(Error::invalid(
            "MEASURE_MISSING",
            "spec.measures",
            "a query has 1 to 64 measures, got none",
        ));
    }
    at_most("spec.measures", "measures", measures.len(), MAX_MEASURES)?;
    let mut specs: Vec<MeasureSpec> = Vec::with_capacity(measures.len());
    for (at, measure) in measures.into_iter().enumerate() {
        let spec = measure_of(measure, &format!("spec.measures[{at}]"))?;
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
    check_reads(&specs)?;
    Ok(specs)
}

fn measure_of(message: v1::Measure, field: &str) -> Result<MeasureSpec> {
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
    if filter.is_some() {
        return Err(Error::unsupported(at("filter")));
    }
    let asked = Asked {
        quantile,
        threshold,
        count,
        formula,
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
        name,
    })
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
