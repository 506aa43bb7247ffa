//! A store that was not stopped cleanly: told by plain reads, and read whole before anybody serves it. Meant for a process of its
//! own, since what is wrong with mapped bytes may end the process that reads them.

use std::fs::File;
use std::path::Path;

use super::check::newest_value;
use super::hot::Hot;
use super::lock::{Directory, HOT, LOCK, MARKER, PARTS};
use super::manifest::Registry;
use super::part::cache::Cache;
use super::records::{STAMP_KEY, Stamp};
use super::replay;
use super::tables::Table;
use crate::error::Result;

/// Whether the store in a directory should be read by [`check_after_crash`] before it is opened: it is there, nobody holds it,
/// and its last transaction is not the mark of a clean stop, or cannot be read. A few pages are read; nothing is mapped or changed.
pub fn stopped_uncleanly(dir: &Path) -> bool {
    let is_held = || File::open(dir.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err());
    if !dir.join(MARKER).is_file() || !dir.join(HOT).is_file() || is_held() {
        return false;
    }
    let newest = newest_value(&dir.join(HOT), Table::Meta.name().as_bytes(), STAMP_KEY);
    let stamp = newest.and_then(|(txn, value)| Ok((txn, Stamp::decode(&value)?)));
    !stamp.is_ok_and(|(txn, stamp)| stamp.clean && stamp.txn == txn)
}

/// Reads what opening a store reads, and changes nothing: the structure of the log, every record and row in it, and of parts that
/// no record names whose they are. Sealed parts are left to queries and to the scrubber, as opening leaves them.
///
/// # Errors
/// Corrupt: something is not what was written. FailedPrecondition: as [`super::Store::open`].
pub fn check_after_crash(dir: &Path, allow_network_filesystem: bool) -> Result<()> {
    // Held meanwhile: what somebody writes would look like damage.
    let directory = Directory::take(dir, 0, allow_network_filesystem)?;
    directory.is_marked()?;
    let hot = Hot::open_for_reading(&directory.file(HOT), false)?;
    let loaded = replay::read_back(&hot, None)?;
    let store_id = {
        let txn = hot.read()?;
        hot.format(&txn)?.store_id
    };
    let folder = directory.file(PARTS);
    if folder.is_dir() {
        Registry::new(folder, Cache::new(0)).left_behind(&loaded.parts, store_id)?;
    }
    Ok(())
}
