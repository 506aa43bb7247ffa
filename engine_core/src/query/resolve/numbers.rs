//! Comparisons of numbers as ranges of the column's type, exact also where the value is of the other type.

use crate::scan::filter::Condition;
use crate::wire::v1::ComparisonOperator as Operator;

pub(super) fn compare_i64(place: usize, operator: Operator, value: i64) -> Condition {
    let within = |low, high| Condition::I64Within(place, low, high);
    // Nothing lies in a range whose end comes first.
    let nothing = || within(i64::MAX, i64::MIN);
    match operator {
        Operator::Equal | Operator::Unspecified => within(value, value),
        Operator::NotEqual => Condition::Not(Box::new(within(value, value))),
        Operator::Less => value.checked_sub(1).map_or_else(nothing, |high| within(i64::MIN, high)),
        Operator::LessOrEqual => within(i64::MIN, value),
        Operator::Greater => value.checked_add(1).map_or_else(nothing, |low| within(low, i64::MAX)),
        Operator::GreaterOrEqual => within(value, i64::MAX),
    }
}

/// Exact, also where the double is no integer or out of reach of integers.
pub(super) fn compare_i64_with_double(place: usize, operator: Operator, value: f64) -> Condition {
    let floor = value.floor();
    let limit = 2f64.powi(63);
    if floor < -limit || floor >= limit {
        let holds = match operator {
            Operator::NotEqual => true,
            Operator::Equal | Operator::Unspecified => false,
            Operator::Less | Operator::LessOrEqual => value > 0.0,
            Operator::Greater | Operator::GreaterOrEqual => value < 0.0,
        };
        return if holds {
            Condition::I64Within(place, i64::MIN, i64::MAX)
        } else {
            Condition::I64Within(place, i64::MAX, i64::MIN)
        };
    }
    let whole = floor as i64;
    if floor == value {
        return compare_i64(place, operator, whole);
    }
    match operator {
        Operator::Equal | Operator::Unspecified => Condition::I64Within(place, i64::MAX, i64::MIN),
        Operator::NotEqual => Condition::I64Within(place, i64::MIN, i64::MAX),
        Operator::Less | Operator::LessOrEqual => compare_i64(place, Operator::LessOrEqual, whole),
        Operator::Greater | Operator::GreaterOrEqual => compare_i64(place, Operator::Greater, whole),
    }
}

pub(super) fn compare_f64(place: usize, operator: Operator, value: f64) -> Condition {
    let within = |low, high| Condition::F64Within(place, low, high);
    let (least, greatest) = (f64::NEG_INFINITY, f64::INFINITY);
    match operator {
        Operator::Equal | Operator::Unspecified => within(value, value),
        Operator::NotEqual => Condition::Not(Box::new(within(value, value))),
        Operator::Less if value == least => within(greatest, least),
        Operator::Less => within(least, value.next_down()),
        Operator::LessOrEqual => within(least, value),
        Operator::Greater if value == greatest => within(greatest, least),
        Operator::Greater => within(value.next_up(), greatest),
        Operator::GreaterOrEqual => within(value, greatest),
    }
}

/// Exact, also where the integer is no double.
pub(super) fn compare_f64_with_integer(place: usize, operator: Operator, value: i64) -> Condition {
    let near = value as f64;
    let (rounded, value) = (near as i128, i128::from(value));
    if rounded == value {
        return compare_f64(place, operator, near);
    }
    let up = rounded > value;
    match operator {
        Operator::Equal | Operator::Unspecified => Condition::F64Within(place, f64::INFINITY, f64::NEG_INFINITY),
        Operator::NotEqual => Condition::F64Within(place, f64::NEG_INFINITY, f64::INFINITY),
        Operator::Less | Operator::LessOrEqual if up => compare_f64(place, Operator::Less, near),
        Operator::Less | Operator::LessOrEqual => compare_f64(place, Operator::LessOrEqual, near),
        Operator::Greater | Operator::GreaterOrEqual if up => compare_f64(place, Operator::GreaterOrEqual, near),
        Operator::Greater | Operator::GreaterOrEqual => compare_f64(place, Operator::Greater, near),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPERATORS: [Operator; 6] = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
    ];

    fn holds(condition: &Condition, as_f64: f64, as_i64: i64) -> bool {
        match condition {
            Condition::F64Within(_, low, high) => as_f64 >= *low && as_f64 <= *high,
            Condition::I64Within(_, low, high) => as_i64 >= *low && as_i64 <= *high,
            Condition::Not(part) => !holds(part, as_f64, as_i64),
            _ => panic!("a comparison of numbers"),
        }
    }

    /// Order of an integer and a double, exact.
    fn order(integer: i64, double: f64) -> std::cmp::Ordering {
        if double >= 2f64.powi(63) {
            return std::cmp::Ordering::Less;
        }
        if double < -(2f64.powi(63)) {
            return std::cmp::Ordering::Greater;
        }
        let floor = double.floor();
        i128::from(integer).cmp(&(floor as i128)).then(if double > floor {
            std::cmp::Ordering::Less
        } else {
            std::cmp::Ordering::Equal
        })
    }

    fn expected(operator: Operator, order: std::cmp::Ordering) -> bool {
        match operator {
            Operator::Equal | Operator::Unspecified => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
        }
    }

    proptest! {
        #[test]
        fn integers_and_doubles_compare_exactly(
            integer in prop_oneof![any::<i64>(), -3i64..3, (1i64 << 53)..(1i64 << 53) + 9, Just(i64::MAX), Just(i64::MIN)],
            step in -3i64..=3, half: bool, wild in prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e300), Just(-1e300)],
            choose_wild in 0..4,
        ) {
            let mut double = integer.saturating_add(step) as f64 + if half { 0.5 } else { 0.0 };
            if choose_wild == 0 {
                double = wild;
            }
            for operator in OPERATORS {
                let condition = compare_i64_with_double(0, operator, double);
                prop_assert_eq!(holds(&condition, 0.0, integer), expected(operator, order(integer, double)));
                let condition = compare_f64_with_integer(0, operator, integer);
                prop_assert_eq!(holds(&condition, double, 0), expected(operator, order(integer, double).reverse()));
                let condition = compare_i64(0, operator, integer);
                prop_assert_eq!(holds(&condition, 0.0, step), expected(operator, step.cmp(&integer)));
                let condition = compare_f64(0, operator, double);
                let other = step as f64;
                prop_assert_eq!(holds(&condition, other, 0), expected(operator, other.partial_cmp(&double).unwrap()));
            }
        }
    }
}
