//! Conditions as text, in the syntax of AIP-160 (google.aip.dev/160): `room = hall AND (celsius < 15 OR celsius > 25)`. `docs/queries.md`
//! has the grammar. `OR` binds closer than `AND`, as it says there. A parser by recursive descent, in time linear in the text, makes
//! of it what the typed tree is made of.

mod scanner;
#[cfg(test)]
mod tests;
mod write;

use scanner::{Scanner, Value};
pub(in crate::query) use write::written;

use super::at_most;
use super::filters::{ColumnTest, FilterSpec, MAX_LIST, MAX_SET, Spot, Test};
use super::patterns::Patterns;
use crate::error::{Error, Result};
use crate::scan::pattern::{BadPattern, Pattern};
use crate::wire::v1::ComparisonOperator as Operator;

/// Longest text in bytes.
pub(super) const MAX_BYTES: usize = 65_536;
/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 64;

/// Signs between a column and a value, the longer of those that begin alike first.
const SIGNS: [(&str, Sign); 7] = [
    ("!=", Sign::Compare(Operator::NotEqual)),
    ("<=", Sign::Compare(Operator::LessOrEqual)),
    (">=", Sign::Compare(Operator::GreaterOrEqual)),
    ("=", Sign::Compare(Operator::Equal)),
    ("<", Sign::Compare(Operator::Less)),
    (">", Sign::Compare(Operator::Greater)),
    (":", Sign::Has),
];

#[derive(Clone, Copy, Debug)]
enum Sign {
    Compare(Operator),
    Has,
}

/// The condition that a text stands for; none if it is blank. `field` is its path.
///
/// # Errors
/// BAD_FILTER_TEXT and BAD_PATTERN name the character from which on it cannot be read.
pub(super) fn parse(text: &str, field: &str, patterns: &mut Patterns) -> Result<Option<FilterSpec>> {
    if text.len() > MAX_BYTES {
        let message = format!("a filter's text has at most {MAX_BYTES} bytes, got {}", text.len());
        return Err(Error::invalid("BAD_FILTER_TEXT", field, message));
    }
    let mut parser = Parser {
        scanner: Scanner::new(text, field),
        patterns,
        depth: 0,
    };
    if parser.scanner.peek().is_none() {
        return Ok(None);
    }
    let filter = parser.expression()?;
    match parser.scanner.peek() {
        None => Ok(Some(filter)),
        Some(_) => Err(parser.scanner.expected("AND, OR or another condition")),
    }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    patterns: &'a mut Patterns,
    depth: usize,
}

impl Parser<'_> {
    /// Sequences joined by `AND`; a sequence is conditions side by side, all of which hold as well.
    fn expression(&mut self) -> Result<FilterSpec> {
        let mut parts = vec![self.factor()?];
        loop {
            let goes_on = self.scanner.eat_keyword("AND") || self.starts_condition();
            if !goes_on {
                return self.list(parts, FilterSpec::All);
            }
            parts.push(self.factor()?);
        }
    }

    /// Whether a condition is next, or something that only looks like one.
    fn starts_condition(&mut self) -> bool {
        match self.scanner.peek() {
            None | Some(')' | ',' | '=' | '!' | '<' | '>' | ':') => false,
            Some(_) => true,
        }
    }

    fn factor(&mut self) -> Result<FilterSpec> {
        let mut parts = vec![self.term()?];
        while self.scanner.eat_keyword("OR") {
            parts.push(self.term()?);
        }
        self.list(parts, FilterSpec::Any)
    }

    fn list(&self, mut parts: Vec<FilterSpec>, of: fn(Vec<FilterSpec>) -> FilterSpec) -> Result<FilterSpec> {
        at_most(self.scanner.field(), "conditions side by side", parts.len(), MAX_LIST)?;
        match (parts.len(), parts.pop()) {
            (1, Some(part)) => Ok(part),
            (_, part) => {
                parts.extend(part);
                Ok(of(parts))
            }
        }
    }

    fn term(&mut self) -> Result<FilterSpec> {
        if self.scanner.eat_keyword("NOT") || self.scanner.eat("-") {
            return Ok(not(self.simple()?));
        }
        self.simple()
    }

    fn simple(&mut self) -> Result<FilterSpec> {
        let spot = self.scanner.spot();
        if !self.scanner.eat("(") {
            return self.restriction(spot);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("parentheses are nested at most {MAX_DEPTH} deep");
            return Err(spot.explain(Error::invalid("BAD_FILTER_TEXT", self.scanner.field(), message)));
        }
        let filter = self.expression()?;
        self.close("AND, OR, another condition or \")\"")?;
        self.depth -= 1;
        Ok(filter)
    }

    fn close(&mut self, what: &str) -> Result<()> {
        if self.scanner.eat(")") {
            return Ok(());
        }
        Err(self.scanner.expected(what))
    }

    /// A column, a sign and a value; or a function.
    fn restriction(&mut self, spot: Spot) -> Result<FilterSpec> {
        let word = self.scanner.word();
        let column = self.scanner.value("a condition")?.text();
        if !word.is_empty() && self.scanner.rest().starts_with('(') {
            return self.function(word, spot);
        }
        self.scanner.peek();
        let sign = SIGNS.iter().find(|(text, _)| self.scanner.eat(text));
        let Some(&(_, sign)) = sign else {
            return Err(self.scanner.expected("one of = != < <= > >= :"));
        };
        let at = self.scanner.spot();
        let value = self.scanner.value("a value")?;
        let is_null = value.is_word("null");
        let test = match sign {
            Sign::Compare(Operator::Equal) if is_null => Test::Null(true),
            Sign::Compare(Operator::NotEqual) if is_null => Test::Null(false),
            _ if is_null => return Err(self.wrong(&at, "null goes with = and != alone")),
            Sign::Compare(Operator::Equal) if value.pieces.len() > 1 => Test::Like(self.wildcard(&value, &at)?),
            Sign::Compare(Operator::NotEqual) if value.pieces.len() > 1 => {
                let test = Test::Like(self.wildcard(&value, &at)?);
                return Ok(not(FilterSpec::Column(ColumnTest { spot, column, test })));
            }
            Sign::Compare(operator) => Test::Compare(operator, value.literal()),
            Sign::Has if value.is_word("*") => Test::Null(false),
            Sign::Has => Test::Has(self.sound(Pattern::contains(&value.text()), &at)?, value.literal()),
        };
        Ok(FilterSpec::Column(ColumnTest { spot, column, test }))
    }

    /// What stands for texts with anything in place of stars.
    fn wildcard(&mut self, value: &Value, at: &Spot) -> Result<Pattern> {
        let pattern = match &value.pieces[..] {
            [start, end] if end.is_empty() => Pattern::prefix(start),
            [start, part, end] if start.is_empty() && end.is_empty() => Pattern::contains(part),
            pieces => {
                let escaped: Vec<String> = pieces.iter().map(|piece| regex_syntax::escape(piece)).collect();
                self.patterns.regex(&escaped.join("(?s:.*)"), self.scanner.field())?
            }
        };
        // Where in the pattern is not where in the text.
        self.sound(pattern.map_err(|bad| BadPattern { offset: None, ..bad }), at)
    }

    /// `in(column, a, b)`, or a function of a column and a pattern. The parenthesis is next.
    fn function(&mut self, name: &str, spot: Spot) -> Result<FilterSpec> {
        if !["contains", "in", "matches", "prefix"].contains(&name) {
            let shown: String = name.chars().take(64).collect();
            return Err(self.wrong(
                &spot,
                &format!("functions are contains, in, matches and prefix, got {shown:?}"),
            ));
        }
        self.scanner.eat("(");
        let column = self.scanner.value("a column")?.text();
        self.comma()?;
        let at = self.scanner.spot();
        let test = match name {
            "in" => self.set()?,
            "matches" => {
                let (pattern, start) = self.scanner.raw("a pattern in quotes")?;
                let pattern = self.patterns.regex(pattern, self.scanner.field())?;
                let pattern = pattern.map_err(|bad| {
                    let character = self.scanner.character(start + bad.offset.unwrap_or(0));
                    self.bad(&Spot::Text(self.scanner.field().to_owned(), character), bad.message)
                });
                Test::Like(pattern?)
            }
            "prefix" => Test::Like(self.pattern(Pattern::prefix, &at)?),
            _ => Test::Like(self.pattern(Pattern::contains, &at)?),
        };
        self.close("\")\"")?;
        Ok(FilterSpec::Column(ColumnTest { spot, column, test }))
    }

    fn comma(&mut self) -> Result<()> {
        if self.scanner.eat(",") {
            return Ok(());
        }
        Err(self.scanner.expected("\",\""))
    }

    fn set(&mut self) -> Result<Test> {
        let mut values = Vec::new();
        loop {
            let at = self.scanner.spot();
            let value = self.scanner.value("a value")?;
            if value.is_word("null") {
                return Err(self.wrong(&at, "null goes with = and != alone"));
            }
            values.push(value.literal());
            at_most(self.scanner.field(), "values", values.len(), MAX_SET)?;
            if !self.scanner.eat(",") {
                return Ok(Test::In(values));
            }
        }
    }

    fn pattern(&mut self, of: fn(&str) -> Result<Pattern, BadPattern>, at: &Spot) -> Result<Pattern> {
        let value = self.scanner.value("a text")?;
        self.sound(of(&value.text()), at)
    }

    fn sound(&self, pattern: Result<Pattern, BadPattern>, at: &Spot) -> Result<Pattern> {
        pattern.map_err(|bad| self.bad(at, bad.message))
    }

    fn bad(&self, at: &Spot, message: String) -> Error {
        at.explain(Error::invalid("BAD_PATTERN", self.scanner.field(), message))
    }

    fn wrong(&self, at: &Spot, message: &str) -> Error {
        at.explain(Error::invalid("BAD_FILTER_TEXT", self.scanner.field(), message))
    }
}

fn not(filter: FilterSpec) -> FilterSpec {
    FilterSpec::Not(Box::new(filter))
}
