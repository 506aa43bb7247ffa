//! Encodings of blocks of up to 1,024 values, a file each. Decoders take any bytes and never panic.

mod alp;
mod alp_rd;
pub mod bitmap;
pub mod bitpack;
pub mod checksum;
mod delta;
mod dictionary;
mod dispatch;
mod fields;
pub mod floats;
mod frame;
pub mod integers;
mod linear;
mod residual;
mod runs;
mod scaled;
#[cfg(test)]
mod tests;
mod whole_bytes;

/// Values in a whole block.
pub const BLOCK: usize = 1024;
