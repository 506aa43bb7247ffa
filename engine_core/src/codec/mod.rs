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
mod dense;
mod dictionary;
pub(crate) mod dispatch;
pub mod entries;
mod exceptions;
pub(crate) mod fields;
pub mod floats;
mod frame;
pub mod integers;
mod linear;
pub mod page;
mod residual;
mod runs;
mod scaled;
mod stretches;
#[cfg(test)]
mod tests;
pub mod text;
mod whole_bytes;
mod zstandard;

/// What the codec of this number is called, as the file that chooses it lists it.
pub fn name(codec: u8) -> Option<&'static str> {
    Some(match codec {
        0 => "constant",
        1 => "bytes",
        2 => "frame",
        3 => "delta",
        4 => "linear",
        5 => "runs",
        6 => "dictionary",
        7 => "dense frame",
        8 => "dense delta",
        9 => "dense linear",
        16 => "bits",
        17 => "decimals",
        18 => "real doubles",
        32 => "none",
        33 => "all",
        34 => "bits",
        35 => "changes",
        48 => "plain",
        49 => "zstd",
        50 => "dictionary",
        _ => return None,
    })
}

/// Which encodings a block may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codecs {
    /// Those that decode at the speed of memory, or nearly so.
    #[default]
    Hot,
    /// Also those that take more time to encode and to decode, for what is seldom read.
    Cold,
}

/// Values in a whole block.
pub const BLOCK: usize = 1024;
