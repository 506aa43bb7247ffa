//! Encodings of blocks of up to 1,024 values, a file each. Decoders take any bytes and never panic.
//!
//! `integers`, `floats`, `bitmap` and `text` choose among the encodings; their docs and those of the files they name describe every byte.
//! Numbers are little-endian. A block does not hold its number of rows, nulls (which go to a bitmap of their own, the values at
//! them filled by [`bitmap::fill_nulls`]) or a checksum: a chunk's directory has these. A short block is coded as a whole one
//! whose missing codes are 0; words that hold nothing else are left off (`bitpack`).

mod alp;
mod alp_rd;
pub mod bitmap;
pub mod bitpack;
pub mod checksum;
mod delta;
mod dictionary;
pub(crate) mod dispatch;
mod exceptions;
pub(crate) mod fields;
pub mod floats;
mod frame;
pub mod integers;
mod linear;
mod residual;
mod runs;
mod scaled;
#[cfg(test)]
mod tests;
pub mod text;
mod whole_bytes;

/// Values in a whole block.
pub const BLOCK: usize = 1024;
