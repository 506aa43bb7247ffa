//! The second rung of recovery: the store as it was before its last transaction.

use std::fs;
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::making::{Making, at_target};
use super::refused;
use crate::error::{Error, Kind, Result};
use crate::store::check::{Content, check_before_the_last};
use crate::store::fault::OrFault;
use crate::store::hot::Hot;
use crate::store::lock::{Directory, HOT, MARKER, PARTS};
use crate::store::replay::VerifyReport;

/// The hot environment of the earlier snapshot until it takes its place.
const HOT_BEFORE: &str = "hot.before";

/// What a store was rolled back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackReport {
    /// LMDB's number of the transaction that is the last now.
    pub transaction: u64,
    /// Where the store is kept as it was.
    pub kept: PathBuf,
    /// What was read and checked.
    pub contents: VerifyReport,
}

/// Rolls a store that no server holds back to before its last transaction, whose pages LMDB has not used again. The snapshot is copied,
/// every record, row and part that it names is read and checked, and only then does it take the place of what is there, which is
/// kept in `DIR.before-rollback`, its files linked. One step back is all there is: again, it is refused.
///
/// # Errors
/// FailedPrecondition: STORE_LOCKED, NOT_A_STORE. AlreadyExists: TARGET_EXISTS, what an earlier rollback has kept. Corrupt: the earlier
/// snapshot is damaged too, or parts that it names are gone; nothing was changed.
pub fn rollback_to_previous(dir: &Path) -> Result<RollbackReport> {
    if !dir.join(MARKER).is_file() {
        return Err(refused("NOT_A_STORE", "there is no store: the directory has no marker"));
    }
    let dir = dir.canonicalize().or_fault()?;
    let directory = Directory::take(&dir, 0, false)?;
    let (hot, before) = (directory.file(HOT), directory.file(HOT_BEFORE));
    let cannot = |error: Error| match error.kind() {
        Kind::Corrupt => Error::corrupt(
            format!("the store cannot be rolled back: {error}; nothing was changed. Restore a backup"),
            error.detail(),
        ),
        _ => error,
    };
    let transaction = check_before_the_last(&hot, Content::Tables).map_err(cannot)?.txn;
    remove(&before)?;
    let copied = (|| {
        {
            let snapshot = Hot::open_for_reading(&hot, true)?;
            snapshot.copy_compact(&before).map_err(at_target)?;
        }
        let copy = Hot::open_for_reading(&before, false)?;
        let mut contents = Contents::of(&copy, &dir)?;
        contents.check_parts()?;
        keep(&dir)?;
        Ok(contents.report)
    })();
    let contents = match copied {
        Ok(contents) => contents,
        Err(error) => {
            let _ = remove(&before);
            return Err(cannot(error));
        }
    };
    let kept = kept_at(&dir);
    fs::rename(&before, &hot).or_fault()?;
    directory.sync()?;
    Ok(RollbackReport {
        transaction,
        kept,
        contents,
    })
}

fn kept_at(dir: &Path) -> PathBuf {
    let mut kept = dir.as_os_str().to_owned();
    kept.push(".before-rollback");
    kept.into()
}

/// Keeps a store as it is in a directory beside it, by links to its files: parts that only the later snapshot names among them.
fn keep(dir: &Path) -> Result<()> {
    let making = Making::begin(&kept_at(dir), ".unfinished", false)?;
    let link = |name: &Path| fs::hard_link(dir.join(name), making.path().join(name)).or_fault();
    if dir.join(PARTS).is_dir() {
        for entry in fs::read_dir(dir.join(PARTS)).or_fault()? {
            link(&Path::new(PARTS).join(entry.or_fault()?.file_name()))?;
        }
    }
    link(Path::new(HOT))?;
    link(Path::new(MARKER))?;
    making.finish()
}

fn remove(path: &Path) -> Result<()> {
    crate::store::part::file::remove(path)
}
