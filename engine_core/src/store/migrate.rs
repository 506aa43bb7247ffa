//! From one format of the data directory to the next: a copy is changed and checked beside it, and takes its name in one step. The old
//! one is kept. There is one format as yet; the tests rehearse this with a second one that is made up.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::backup::making::Making;
use super::fault::OrFault;
use super::lock::{Directory, HOT, LOCK, MARKER, PARTS};
use super::sys;
use crate::error::{Error, Kind, Result};

/// What a migration does, and how one tells.
#[derive(Clone, Copy, Debug)]
pub struct Steps<Is, Change, Check> {
    /// Whether a directory has the new format.
    pub is_new: Is,
    /// Changes a copy that nobody else knows; it syncs what it writes.
    pub change: Change,
    /// Reads what has been changed, as an error says it is not whole.
    pub check: Check,
}

/// Brings a data directory that no server holds to a new format; one that has it stays as it is. Killed at any moment it leaves the old
/// directory or the new one under its name, whole; called again, it goes on. Returns where the old one is kept, `DIR.before-migration`.
///
/// # Errors
/// FailedPrecondition: STORE_LOCKED, NOT_A_STORE. AlreadyExists: TARGET_EXISTS, what an earlier migration has kept. StoreFull. What the
/// steps return. Whatever it is, the directory is as it was.
pub fn migrate<Is, Change, Check>(dir: &Path, steps: Steps<Is, Change, Check>) -> Result<PathBuf>
where
    Is: Fn(&Path) -> Result<bool>,
    Change: FnOnce(&Path) -> Result<()>,
    Check: FnOnce(&Path) -> Result<()>,
{
    let refused = |message| Error::new(Kind::FailedPrecondition, "NOT_A_STORE", message);
    if !dir.join(MARKER).is_file() {
        return Err(refused("there is no store: the directory has no marker"));
    }
    let dir = dir.canonicalize().or_fault()?;
    let _held = Directory::take(&dir, 0, false)?;
    let (migrated, kept) = (beside(&dir, ".migrated"), beside(&dir, ".before-migration"));
    if !(steps.is_new)(&dir)? {
        if kept.exists() {
            let message = "what an earlier migration has kept is there; nothing is written over";
            return Err(Error::new(Kind::AlreadyExists, "TARGET_EXISTS", message));
        }
        // A copy that has not taken its place may be older than what was written since.
        match fs::remove_dir_all(&migrated) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).or_fault(),
            _ => {}
        }
        let making = Making::begin(&migrated, ".unfinished", false)?;
        copy(&dir, &making)?;
        (steps.change)(making.path())?;
        (steps.check)(making.path())?;
        making.finish()?;
        sys::exchange(&dir, &migrated).or_fault()?;
        sync_parent(&dir)?;
    }
    if migrated.exists() {
        fs::rename(&migrated, &kept).or_fault()?;
        sync_parent(&dir)?;
    }
    Ok(kept)
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = dir.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn sync_parent(dir: &Path) -> Result<()> {
    let parent = dir.parent().unwrap_or(Path::new("/"));
    fs::File::open(parent).and_then(|folder| folder.sync_all()).or_fault()
}

/// Copies what is of the store and of the server; not what means nothing once it is closed.
fn copy(dir: &Path, making: &Making) -> Result<()> {
    let means_nothing = |name: &str| [LOCK, "reserve", &format!("{HOT}-lock")].contains(&name);
    for folder in ["", PARTS] {
        let from = dir.join(folder);
        if !from.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&from).or_fault()? {
            let entry = entry.or_fault()?;
            let name = Path::new(folder).join(entry.file_name()).to_string_lossy().into_owned();
            if entry.file_type().or_fault()?.is_file() && !means_nothing(&name) {
                making.copy(&entry.path(), &name)?;
            }
        }
    }
    Ok(())
}
