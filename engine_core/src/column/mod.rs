//! Columns: types, schema, dictionaries, and rows as columns of equal length.

pub mod batch;
pub mod dictionary;
mod index;
pub mod packed;
pub mod reject;
pub mod rollup;
pub mod schema;
pub mod series;

pub use batch::{Bitmap, ColumnData, RowBatch, TextData};
pub use dictionary::Dictionary;
pub use packed::PackedBatch;
pub use reject::{Reject, RejectCounts};
pub use schema::{ColumnId, ColumnSpec, ColumnType, Schema, StreamKind, StreamSettings};

/// Rows in one block: what is packed, checked and decoded at a time.
pub const BLOCK_ROWS: usize = 1024;

/// Code of null in every dictionary-coded column; texts have codes from 1.
pub const NULL_CODE: u32 = 0;
