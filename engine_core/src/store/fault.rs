//! What a failure of LMDB or of the disk means to a caller.

use std::io;

use heed::MdbError;

use crate::error::{Error, Kind, Result};

/// How long a client waits before it tries a full tail or a closing store again.
pub(super) const RETRY_MS: u32 = 1_000;

/// The error a caller sees. A short write at a full disk comes out of LMDB as EIO, so that it counts as full too.
pub(super) fn classify(error: heed::Error) -> Error {
    match error {
        heed::Error::Io(error) => of_io(&error),
        heed::Error::Mdb(MdbError::MapFull) => store_full("the map is full"),
        heed::Error::Mdb(
            error @ (MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Invalid
            | MdbError::VersionMismatch
            | MdbError::Incompatible),
        ) => Error::corrupt("the hot environment is damaged", format!("LMDB: {error}")),
        other => Error::internal(format!("LMDB: {other}")),
    }
}

/// The error of a system call on the data directory.
pub(super) fn of_io(error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EIO | libc::ENOSPC | libc::EFBIG | libc::EDQUOT) => store_full(&error.to_string()),
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE) => exhausted(&error.to_string()),
        _ => Error::internal(format!("data directory: {error}")),
    }
}

/// Ingest is refused until there is room again; queries go on.
pub(super) fn store_full(detail: &str) -> Error {
    Error::new(
        Kind::StoreFull,
        "STORE_FULL",
        "the store could not be written: its disk is full or failing; writes are refused until there is room again, queries go on",
    )
    .with_detail(detail)
}

/// The process may map no more memory or open no more files: nothing is wrong with what was to be read.
fn exhausted(detail: &str) -> Error {
    Error::new(
        Kind::LimitExceeded,
        "PROCESS_LIMIT",
        "the server's process may take no more memory or open no more files; ask for less at once, or raise its limits",
    )
    .with_detail(detail)
}

/// Reason of [`gives_way`].
pub(super) const GIVES_WAY: &str = "SEALING_FIRST";

/// Ends work that can wait, so that rows can be sealed.
pub(super) fn gives_way() -> Error {
    Error::new(Kind::Overloaded, GIVES_WAY, "rows that wait to be sealed go first").retry_after_ms(RETRY_MS)
}

/// The store takes nothing any more.
pub(super) fn shutting_down() -> Error {
    Error::new(
        Kind::Overloaded,
        "SHUTTING_DOWN",
        "the server is shutting down and takes no more writes",
    )
    .retry_after_ms(RETRY_MS)
}

/// Whether the environment has to be closed and opened again before it can be written.
pub(super) fn needs_reopening(error: &heed::Error) -> bool {
    match error {
        heed::Error::Mdb(MdbError::Panic) => true,
        heed::Error::Io(error) => !matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EFBIG | libc::EDQUOT)),
        _ => false,
    }
}

/// Turns errors of LMDB and of the system into ours.
pub(super) trait OrFault<T> {
    /// The value, or the error a caller sees.
    fn or_fault(self) -> Result<T>;
}

impl<T> OrFault<T> for Result<T, heed::Error> {
    fn or_fault(self) -> Result<T> {
        self.map_err(classify)
    }
}

impl<T> OrFault<T> for io::Result<T> {
    fn or_fault(self) -> Result<T> {
        self.map_err(|error| of_io(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_a_disk_fills_up_is_a_full_store() {
        for code in [libc::EIO, libc::ENOSPC, libc::EFBIG, libc::EDQUOT] {
            let error = classify(heed::Error::Io(io::Error::from_raw_os_error(code)));
            assert_eq!((error.kind(), error.reason()), (Kind::StoreFull, "STORE_FULL"));
        }
        assert_eq!(classify(heed::Error::Mdb(MdbError::MapFull)).kind(), Kind::StoreFull);
    }

    #[test]
    fn what_the_process_may_not_have_is_no_damage() {
        for code in [libc::ENOMEM, libc::EMFILE, libc::ENFILE] {
            let error = classify(heed::Error::Io(io::Error::from_raw_os_error(code)));
            assert_eq!((error.kind(), error.reason()), (Kind::LimitExceeded, "PROCESS_LIMIT"));
        }
    }

    #[test]
    fn a_failed_meta_page_asks_for_reopening() {
        assert!(needs_reopening(&heed::Error::Mdb(MdbError::Panic)));
        assert!(needs_reopening(&heed::Error::Io(io::Error::from_raw_os_error(
            libc::EIO
        ))));
        assert!(!needs_reopening(&heed::Error::Io(io::Error::from_raw_os_error(
            libc::ENOSPC
        ))));
    }
}
