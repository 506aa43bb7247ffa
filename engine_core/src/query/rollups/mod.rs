//! Rollups in place of rows: `wanted` says what a query needs of them, the scan which of them are read, `taking` reads these.

mod taking;
mod wanted;

pub(super) use wanted::{Refused, asked, wanted};
