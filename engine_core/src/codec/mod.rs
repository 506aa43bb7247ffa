//! Encodings of blocks of up to 1,024 values, a file each. Decoders take any bytes and never panic.

pub mod bitpack;
pub mod checksum;
