//! Parts: immutable files of sealed rows. FORMAT.md, "Parts". This folder knows their bytes; `manifest` knows which there are and
//! `seal` makes them.

mod aggregates;
mod array;
mod beside;
pub(in crate::store) mod block;
mod bloom;
pub(in crate::store) mod build;
pub(in crate::store) mod cache;
pub(in crate::store) mod file;
mod filters;
mod footer;
#[cfg(test)]
mod fuzz;
mod header;
pub(in crate::store) mod maps;
mod open;
mod root;
mod runs;
mod sieve;

pub use aggregates::{Ends, Level, Nodes, TimeEnds};
pub use bloom::text_hash;
pub(in crate::store) use header::Identity;
pub(in crate::store) use open::store_of;
pub use open::{Part, PartColumn};
pub use runs::Runs;
pub use sieve::Sieve;

use crate::error::Error;

/// The error of a part that is not what was written. Whoever reads it for somebody adds stream, range and remedy.
fn damaged(identity: &Identity, what: &str) -> Error {
    let number = |at: usize, bytes: usize| {
        identity[at..at + bytes]
            .iter()
            .fold(0u64, |all, &byte| all << 8 | u64::from(byte))
    };
    Error::corrupt(
        "a sealed part is damaged",
        format!(
            "part {} of stream {} in namespace {}: {what}",
            number(8, 8),
            number(4, 4),
            number(0, 4)
        ),
    )
}
