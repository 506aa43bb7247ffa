//! Approximate mergeable states, each with a stated error bound and versioned bytes.

pub mod buckets;
pub mod exponential;
pub mod kll;
pub mod spacesaving;
pub mod ultraloglog;

use crate::error::Result;

/// An approximate state over doubles. NaN is the caller's to drop.
pub trait Sketch: Clone + Default {
    /// Takes one value.
    fn insert(&mut self, value: f64);

    /// Takes values; the same as inserting each, and faster.
    fn insert_all(&mut self, values: &[f64]);

    /// Takes the values of another state; any order and tree of merges makes the same bytes.
    fn merge(&mut self, other: &Self);

    /// Estimate of the quantile `q` in [0, 1]; none of no values.
    fn estimate(&self, q: f64) -> Option<f64>;

    /// Versioned little-endian bytes, equal for equal states.
    fn to_bytes(&self) -> Vec<u8>;

    /// From its bytes; never panics.
    fn from_bytes(bytes: &[u8]) -> Result<Self>;
}
