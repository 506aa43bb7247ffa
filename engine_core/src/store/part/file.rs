//! The file of a part: written whole under another name, synced, renamed, and never changed again.

use std::fs;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, PutFlags};

use super::build::Built;
use crate::error::Result;
use crate::store::fault::{self, OrFault};
use crate::store::sys::open_part_for_writing;

/// Bytes of LMDB's own in a part beside its values: meta pages, root, branches and leaves, by far.
const OVERHEAD_BYTES: usize = 1 << 20;

/// Writes a part to `new` and renames it to `path` once it is durable. The directory is the caller's to sync. Returns the bytes
/// of the file. A failure leaves nothing, or a file that the next opening of the store removes.
pub(in crate::store) fn write(built: &Built, new: &Path, path: &Path) -> Result<u64> {
    remove(new)?;
    let written = write_new(built, new).and_then(|bytes| fs::rename(new, path).or_fault().map(|()| bytes));
    if written.is_err() {
        let _ = remove(new);
    }
    written
}

fn write_new(built: &Built, new: &Path) -> Result<u64> {
    let values: usize = built
        .values
        .iter()
        .map(|(_, value)| value.len().next_multiple_of(4_096) + 4_096)
        .sum();
    let map_size = (OVERHEAD_BYTES + values + values / 8).next_multiple_of(64 << 10);
    let env = open_part_for_writing(new, map_size).or_fault()?;
    let txn = env.write_txn().or_fault()?;
    let made = env.create_databases_and_commit(txn, |opener, txn| {
        let table = opener.create_database::<Bytes, Bytes>(txn, None)?;
        for (key, value) in &built.values {
            table.put_with_flags(txn, PutFlags::APPEND, key, value)?;
        }
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(table))
    });
    made.map_err(fault::classify)?.unwrap_commit();
    drop(env);
    // LMDB has synced what it wrote; the size of the file is metadata.
    let file = fs::File::open(new).or_fault()?;
    file.sync_all().or_fault()?;
    Ok(file.metadata().or_fault()?.len())
}

/// Removes a file that may not be there.
pub(in crate::store) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).or_fault(),
        _ => Ok(()),
    }
}
