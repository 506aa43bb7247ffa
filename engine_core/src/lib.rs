//! Marigram's core: storage, ingestion and queries over time-stamped rows.

pub mod aggregate;
pub mod codec;
pub mod column;
pub mod engine;
pub mod error;
pub mod group;
pub mod ingest;
pub mod lru;
pub mod query;
pub mod scan;
pub mod sketch;
pub mod store;
pub mod time;
pub mod window;
pub mod wire;

#[cfg(feature = "python")]
mod py;
