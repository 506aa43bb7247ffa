//! Zstandard frames (RFC 8878) of blocks, by contexts that each thread keeps.

use std::cell::RefCell;

use zstd_safe::{CCtx, DCtx};

thread_local! {
    // A context takes 8 µs to make, in which another decodes a block of short texts.
    static COMPRESSOR: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// A frame of at most so many bytes, which names its content size and has no checksum.
pub(super) fn compress(bytes: &[u8], most: usize, level: i32) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(most);
    let len = COMPRESSOR.with_borrow_mut(|context| context.compress(&mut frame, bytes, level));
    len.ok().filter(|&len| len <= most)?;
    Some(frame)
}

/// Whether the bytes are one frame, as far as its headers tell, and nothing behind it.
pub(super) fn is_one(frame: &[u8]) -> bool {
    zstd_safe::find_frame_compressed_size(frame) == Ok(frame.len())
}

/// Bytes of the content of a frame, which is not written past `out`. None if the bytes are no frame, or one of more.
pub(super) fn decompress<B: zstd_safe::WriteBuf + ?Sized>(frame: &[u8], out: &mut B) -> Option<usize> {
    DECOMPRESSOR
        .with_borrow_mut(|context| context.decompress(out, frame))
        .ok()
}
