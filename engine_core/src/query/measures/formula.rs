//! Arithmetic on measures of the same group: `+ - * /`, numbers, parentheses, and names, in double quotes where they are not made of
//! letters, digits and underscores alone. Null where an operand is, and where something is divided by zero.

use std::fmt::Write;
use std::sync::Arc;

use super::{Found, Kind, Measure, Of, Parameter, Want};
use crate::error::{Error, Result};
use crate::query::output::{Output, OutputValues};
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Formula,
    name: "formula",
    of: Of::Measures,
    parameters: &[Parameter::Formula],
    make: |asked, field| {
        let field = format!("{field}.formula");
        let term = parse(&asked.formula).map_err(|message| Error::invalid("BAD_FORMULA", field.as_str(), message))?;
        Ok(Arc::new(Formula { term, field }))
    },
};

/// Longest in bytes.
const MOST_BYTES: usize = 1_024;
/// Deepest nesting.
const MOST_DEPTH: usize = 64;

#[derive(Debug)]
struct Formula {
    term: Term,
    field: String,
}

#[derive(Debug, PartialEq)]
enum Term {
    Number(f64),
    Name(String),
    Minus(Box<Term>),
    Both(Operator, Box<Term>, Box<Term>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Term {
    fn names<'a>(&'a self, into: &mut Vec<&'a str>) {
        match self {
            Self::Number(_) => {}
            Self::Name(name) => into.push(name),
            Self::Minus(term) => term.names(into),
            Self::Both(_, left, right) => {
                left.names(into);
                right.names(into);
            }
        }
    }

    fn value(&self, of: &impl Fn(&str) -> Option<f64>) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(name) => of(name),
            Self::Minus(term) => term.value(of).map(|value| -value),
            Self::Both(operator, left, right) => {
                let (left, right) = (left.value(of)?, right.value(of)?);
                match operator {
                    Operator::Add => Some(left + right),
                    Operator::Subtract => Some(left - right),
                    Operator::Multiply => Some(left * right),
                    Operator::Divide => (right != 0.0).then(|| left / right),
                }
            }
        }
    }
}

impl Measure for Formula {
    fn wants(&self) -> Vec<Want> {
        Vec::new()
    }

    fn reads(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.term.names(&mut names);
        names
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let mut operands: Vec<(&str, &Output)> = Vec::new();
        for name in self.reads() {
            let other = found.others.iter().find(|other| other.name == name);
            let other = other.ok_or_else(|| Error::internal("a formula of a measure that is not there"))?;
            if !matches!(other.values, OutputValues::F64(_) | OutputValues::I64(_)) {
                let message = format!("a formula is of numbers, {name:?} is none");
                return Err(Error::invalid("NOT_NUMERIC", self.field.as_str(), message));
            }
            operands.push((name, other));
        }
        let values = (0..found.layout.len()).map(|group| {
            let operand = |name: &str| {
                let (_, output) = operands.iter().find(|(known, _)| *known == name)?;
                output.number(group)
            };
            self.term.value(&operand)
        });
        Ok(Output::f64s(found.name, values))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// The term that a text stands for, or what is wrong with it.
fn parse(text: &str) -> Result<Term, String> {
    if text.len() > MOST_BYTES {
        return Err(format!("a formula has at most {MOST_BYTES} bytes, got {}", text.len()));
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let term = parser.sum()?;
    match parser.peek() {
        None => Ok(term),
        Some(_) => Err(parser.expected("an operator or the end")),
    }
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// The next character that is not blank.
    fn peek(&mut self) -> Option<char> {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    fn expected(&self, what: &str) -> String {
        let mut message = format!("character {}: ", self.text[..self.at].chars().count() + 1);
        let found = self.rest().chars().next();
        let _ = match found {
            Some(found) => write!(message, "expected {what}, got {found:?}"),
            None => write!(message, "expected {what}, got the end"),
        };
        message
    }

    fn operator(&mut self, of: [(char, Operator); 2]) -> Option<Operator> {
        let next = self.peek()?;
        let (_, operator) = of.into_iter().find(|(sign, _)| *sign == next)?;
        self.at += 1;
        Some(operator)
    }

    fn sum(&mut self) -> Result<Term, String> {
        let mut left = self.product()?;
        while let Some(operator) = self.operator([('+', Operator::Add), ('-', Operator::Subtract)]) {
            left = Term::Both(operator, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Term, String> {
        let mut left = self.single()?;
        while let Some(operator) = self.operator([('*', Operator::Multiply), ('/', Operator::Divide)]) {
            left = Term::Both(operator, Box::new(left), Box::new(self.single()?));
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(format!("a formula is nested at most {MOST_DEPTH} deep"));
        }
        let term = match self.peek() {
            Some('-') => {
                self.at += 1;
                Term::Minus(Box::new(self.single()?))
            }
            Some('(') => {
                self.at += 1;
                let term = self.sum()?;
                if self.peek() != Some(')') {
                    return Err(self.expected("\")\""));
                }
                self.at += 1;
                term
            }
            Some('"') => {
                let end = self.rest()[1..].find('"');
                let end = end.ok_or_else(|| self.expected("a name and the quote that ends it"))?;
                let name = self.rest()[1..=end].to_owned();
                self.at += end + 2;
                Term::Name(name)
            }
            Some(first) if first.is_ascii_digit() || first == '.' => self.number()?,
            Some(first) if first.is_alphabetic() || first == '_' => {
                let is_in_name = |found: char| found.is_alphanumeric() || found == '_';
                let end = self
                    .rest()
                    .find(|found| !is_in_name(found))
                    .unwrap_or(self.rest().len());
                let name = self.rest()[..end].to_owned();
                self.at += end;
                Term::Name(name)
            }
            _ => return Err(self.expected("a number, a measure or \"(\"")),
        };
        self.depth -= 1;
        Ok(term)
    }

    fn number(&mut self) -> Result<Term, String> {
        let bytes = self.rest().as_bytes();
        let is_exponent = |at: usize| at > 0 && matches!(bytes[at - 1], b'e' | b'E');
        let is_in_number = |at: usize| match bytes[at] {
            b'0'..=b'9' | b'.' | b'e' | b'E' => true,
            b'+' | b'-' => is_exponent(at),
            _ => false,
        };
        let end = (0..bytes.len()).find(|&at| !is_in_number(at)).unwrap_or(bytes.len());
        let number: f64 = self.rest()[..end].parse().map_err(|_| self.expected("a number"))?;
        self.at += end;
        Ok(Term::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Option<f64> {
        let of = |name: &str| match name {
            "a" => Some(6.0),
            "b_1" => Some(3.0),
            "p 99" => Some(0.5),
            _ => None,
        };
        parse(text).unwrap().value(&of)
    }

    #[test]
    fn it_is_arithmetic() {
        assert_eq!(value("a + b_1 * 2"), Some(12.0));
        assert_eq!(value("(a + b_1) * -2"), Some(-18.0));
        assert_eq!(value("a - b_1 - 1"), Some(2.0));
        assert_eq!(value("a / b_1 / 2"), Some(1.0));
        assert_eq!(value("100*\"p 99\"-1.5e+1"), Some(35.0));
        assert_eq!(value("a / (b_1 - 3)"), None);
        assert_eq!(value("a + c"), None);
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert_eq!(
            wrong("a +"),
            "character 4: expected a number, a measure or \"(\", got the end"
        );
        assert_eq!(wrong("ä b"), "character 3: expected an operator or the end, got 'b'");
        assert_eq!(wrong("(a"), "character 3: expected \")\", got the end");
        assert_eq!(wrong("1.2.3"), "character 1: expected a number, got '1'");
        assert_eq!(
            wrong("\"a"),
            "character 1: expected a name and the quote that ends it, got '\"'"
        );
        assert!(wrong(&"(".repeat(100)).contains("deep"));
        assert!(wrong(&"1".repeat(2_000)).contains("bytes"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_formula_or_none(text in "[-+*/() \"a1.eä]{0,40}") {
            let _ = parse(&text);
        }
    }
}
