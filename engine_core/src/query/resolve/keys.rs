//! Columns that are made of others to group by.

use std::sync::Arc;

use super::Columns;
use crate::error::{Error, Result};
use crate::query::spec::{KeySpec, Made};
use crate::scan::derived::Derived;
use crate::scan::strings::Strings;
use crate::scan::{Column, Type};

impl Columns<'_> {
    /// Place of the column that a key is; `field` is where the request has the key.
    pub fn key(&mut self, key: &KeySpec, field: &str) -> Result<usize> {
        let place = self.place(&key.column, &format!("{field}.column"))?;
        let Some(made) = &key.made else {
            return Ok(place);
        };
        let base = &self.columns[place];
        let mismatch = |wants: &str| {
            let message = format!("{} is made of {wants}, column {:?} is neither", made.name(), key.column);
            Error::invalid("TYPE_MISMATCH", format!("{field}.column"), message)
        };
        let column = match (made, base.data_type) {
            (Made::Part(parts), Type::Timestamp) => Column {
                data_type: Type::I64,
                derived: Some(Derived::Part(Arc::clone(parts))),
                ..base.clone()
            },
            (Made::Part(_), _) => return Err(mismatch("time or a timestamp column")),
            (Made::Bins(width), Type::F64 | Type::I64) => Column {
                data_type: Type::F64,
                derived: Some(Derived::Bins(*width)),
                ..base.clone()
            },
            (Made::Bins(_), _) => return Err(mismatch("an f64 or i64 column")),
            (Made::Capture(capture), _) => {
                let texts = base.strings.as_ref();
                let texts = texts.ok_or_else(|| mismatch("a column of texts or a label"))?;
                let strings = Strings::captured(texts, capture.clone(), self.control)?;
                Column {
                    strings: Some(Arc::new(strings)),
                    ..base.clone()
                }
            }
        };
        self.names.push(None);
        self.columns.push(column);
        Ok(self.columns.len() - 1)
    }
}
