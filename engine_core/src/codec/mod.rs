//! Encodings of blocks of up to 1,024 values, a file each. Decoders take any bytes and never panic.

pub mod bitpack;
pub mod checksum;
mod dispatch;
mod fields;

/// Values in a whole block.
pub const BLOCK: usize = 1024;
