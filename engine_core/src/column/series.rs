//! Series: sorted labels as one canonical text, and the label values of each series by code.

use super::{ColumnId, Dictionary, NULL_CODE};

/// Canonical text of labels: `{host="a",name="cpu"}`, ascending by name, `\`, `"` and newline escaped by a backslash.
/// Labels with an empty value are left out; without any it is `{}`. None if a name stands twice.
pub fn canonical(labels: &mut Vec<(&str, &str)>) -> Option<String> {
    labels.retain(|(_, value)| !value.is_empty());
    labels.sort_unstable();
    if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let mut text = String::with_capacity(bytes + 2);
    text.push('{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        escape(name, &mut text);
        text.push_str("=\"");
        escape(value, &mut text);
        text.push('"');
    }
    text.push('}');
    Some(text)
}

fn escape(part: &str, out: &mut String) {
    for c in part.chars() {
        match c {
            '\\' | '"' | '=' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
}

/// Labels of a canonical text, ascending by name; none if it is not one.
pub fn parse(text: &str) -> Option<Vec<(String, String)>> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?.chars();
    let mut labels: Vec<(String, String)> = Vec::new();
    if rest.as_str().is_empty() {
        return Some(labels);
    }
    loop {
        let name = unescape_until(&mut rest, '=')?;
        if rest.next()? != '"' {
            return None;
        }
        let value = unescape_until(&mut rest, '"')?;
        if labels.last().is_some_and(|(last, _)| *last >= name) {
            return None;
        }
        labels.push((name, value));
        match rest.next() {
            None => return Some(labels),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

fn unescape_until(rest: &mut std::str::Chars<'_>, end: char) -> Option<String> {
    let mut part = String::new();
    loop {
        match rest.next()? {
            c if c == end => return Some(part),
            '\\' => match rest.next()? {
                'n' => part.push('\n'),
                c => part.push(c),
            },
            c => part.push(c),
        }
    }
}

/// Values of one label by series.
#[derive(Clone, Debug, Default)]
pub struct LabelIndex {
    /// Distinct values; code 0 is the absent label.
    pub values: Dictionary,
    /// Value code of each series, by series code; series past the end lack the label.
    codes: Vec<u32>,
}

impl LabelIndex {
    /// Value code of a series.
    pub fn code(&self, series: u32) -> u32 {
        self.codes.get(series as usize).copied().unwrap_or(NULL_CODE)
    }
}

/// Label values of every series of a stream. Derived from the entity dictionary, held in memory only.
#[derive(Clone, Debug, Default)]
pub struct SeriesIndex {
    labels: Vec<(ColumnId, LabelIndex)>,
}

impl SeriesIndex {
    /// The index of a label column; none if no series has it.
    pub fn label(&self, column: ColumnId) -> Option<&LabelIndex> {
        self.labels.iter().find(|(id, _)| *id == column).map(|(_, index)| index)
    }

    /// Notes one label of a series.
    pub fn add(&mut self, series: u32, column: ColumnId, value: &str) {
        let at = self.labels.iter().position(|(id, _)| *id == column).unwrap_or_else(|| {
            self.labels.push((column, LabelIndex::default()));
            self.labels.len() - 1
        });
        let index = &mut self.labels[at].1;
        let code = index.values.intern(value);
        let series = series as usize;
        if index.codes.len() <= series {
            index.codes.resize(series + 1, NULL_CODE);
        }
        index.codes[series] = code;
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.labels
            .iter()
            .map(|(_, index)| index.values.memory_bytes() + index.codes.capacity() * 4)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_sorted_and_empty_ones_left_out() {
        let mut labels = vec![("name", "cpu"), ("zone", ""), ("host", "a\"b\n")];
        assert_eq!(canonical(&mut labels).unwrap(), "{host=\"a\\\"b\\n\",name=\"cpu\"}");
        assert_eq!(canonical(&mut vec![]).unwrap(), "{}");
        assert_eq!(canonical(&mut vec![("a", "1"), ("a", "2")]), None);
    }

    #[test]
    fn values_of_series_are_found_by_code() {
        let mut index = SeriesIndex::default();
        index.add(1, 5, "a");
        index.add(3, 5, "b");
        index.add(4, 5, "a");
        let label = index.label(5).unwrap();
        let texts: Vec<_> = (0..6).map(|series| label.values.text(label.code(series))).collect();
        assert_eq!(texts, ["", "a", "", "b", "a", ""]);
        assert!(index.label(6).is_none());
    }

    proptest! {
        #[test]
        fn canonical_text_parses_back(labels in prop::collection::btree_map("[a-z=,{}\"\\\\\n]{1,4}", "[a-z=,{}\"\\\\\né]{1,4}", 0..5)) {
            let mut pairs: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).rev().collect();
            let text = canonical(&mut pairs).unwrap();
            prop_assert_eq!(parse(&text).unwrap(), labels.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_text_parses_or_not(text in "[{}=\",\\\\a]{0,12}") {
            let _ = parse(&text);
        }
    }
}
