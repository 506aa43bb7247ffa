//! Marigram's core: storage, ingestion and queries over time-stamped rows.

pub mod codec;
pub mod column;
pub mod error;
pub mod ingest;
pub mod store;
pub mod time;
pub mod window;
pub mod wire;

#[cfg(feature = "python")]
mod py;
