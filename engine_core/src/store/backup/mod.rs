//! Backups: a data directory made from one that is in use, whole as of one commit, with a list that proves it.
//!
//! Neither ingest nor sealing waits for one. The hot environment is copied by a read transaction; parts are never changed, and
//! those that are removed meanwhile keep their files until the backup is made.

mod contents;
mod list;
pub(super) mod making;
mod rollback;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub use rollback::{RollbackReport, rollback_to_previous};

use self::contents::{Contents, name_of};
use self::list::{LIST, List};
use self::making::{Making, at_target, checksum};
use super::fault::{self, OrFault};
use super::lock::{HOT, LOCK, MARKER, PARTS, check_marker, marker};
use super::manifest::PartHandle;
use super::part::Part;
use super::part::cache::Cache;
use super::replay::VerifyReport;
use super::{Store, StoreOptions};
use crate::error::{Error, Kind, Result};

/// Files of the server beside the store that a restored one does not start without: what its keys are hashed with.
const SERVER_FILES: [&str; 1] = ["pepper"];

/// What a backup holds, all of it checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Id of the store, which a restored one keeps.
    pub store_id: u128,
    /// When it was begun.
    pub created_ns: i64,
    /// Name and last commit of each namespace.
    pub namespaces: Vec<(String, u64)>,
    /// Files, the list apart.
    pub files: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Parts that it has in common with the backup it was based on, and takes no room for.
    pub shared_parts: u64,
    /// Bytes of those.
    pub shared_bytes: u64,
    /// What was read and checked.
    pub contents: VerifyReport,
}

impl BackupReport {
    fn new(list: &List, contents: VerifyReport) -> Self {
        let namespaces = list.namespaces.iter();
        Self {
            store_id: list.store_id,
            created_ns: list.created_ns,
            namespaces: namespaces.map(|(_, commit, name)| (name.clone(), *commit)).collect(),
            files: list.files.len() as u64,
            bytes: list.files.iter().map(|file| file.bytes).sum(),
            shared_parts: 0,
            shared_bytes: 0,
            contents,
        }
    }
}

fn refused(reason: &'static str, message: impl Into<String>) -> Error {
    Error::new(Kind::FailedPrecondition, reason, message)
}

/// A file of a backup breaks a rule.
fn damaged(file: &str, what: &str) -> Error {
    Error::new(
        Kind::Corrupt,
        "BACKUP_DAMAGED",
        format!("the backup is damaged: {file} {what}"),
    )
}

/// An error of reading a file of a backup: it is the backup that is damaged.
fn in_backup(file: &str, error: Error) -> Error {
    match error.kind() {
        Kind::Corrupt => damaged(file, &format!("is not what was written: {error}")).with_detail(error.detail()),
        _ => error,
    }
}

/// An earlier backup of the same store, whose parts need not be copied again.
struct Base<'a> {
    path: &'a Path,
    list: List,
}

impl<'a> Base<'a> {
    fn open(path: &'a Path, store_id: u128) -> Result<Self> {
        let list = List::read(path)?;
        if list.store_id != store_id {
            return Err(refused(
                "BACKUP_FOREIGN",
                "the backup to build upon is one of another store",
            ));
        }
        Ok(Self { path, list })
    }

    /// What it says of a part, if it has the same: name, size, and the root that the record names.
    fn same(&self, part: &PartHandle) -> Option<&list::Entry> {
        let entry = self.list.find(&name_of(part))?;
        let (bytes, root) = (part.bytes(), part.record.root_crc);
        let path = self.path.join(&entry.name);
        let opens = || Part::open(&path, part.identity, bytes, root, Cache::new(0).into()).is_ok();
        (entry.bytes == bytes && opens()).then_some(entry)
    }
}

impl Store {
    /// Makes a backup at `target`, which must not be there, while everything goes on: all that was committed when it was begun
    /// and nothing after one later commit. Parts that `base`, an earlier backup on the same filesystem, has as well are shared
    /// with it. It is there whole or not at all.
    ///
    /// # Errors
    /// AlreadyExists: TARGET_EXISTS. StoreFull: TARGET_FULL. FailedPrecondition: NOT_A_DIRECTORY, NOT_A_BACKUP, BACKUP_FOREIGN.
    /// InvalidArgument: BAD_PATH. Corrupt: the store is damaged, or the list of `base` is. Overloaded: SHUTTING_DOWN.
    pub fn backup(&self, target: &Path, base: Option<&Path>) -> Result<BackupReport> {
        let shared = &self.shared;
        let created_ns = shared.options.clock.now();
        let base = base.map(|path| Base::open(path, shared.store_id)).transpose()?;
        let making = Making::begin(target, ".unfinished", false)?;
        let home = shared.directory.file("");
        if making.target().starts_with(&home) {
            return Err(Error::invalid(
                "BAD_PATH",
                "target",
                "a backup does not lie in the data directory",
            ));
        }
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).or_fault();
        let mut kept = 0;
        if device(making.path())? == device(&home)? {
            kept = shared
                .options
                .min_free_bytes
                .saturating_add(shared.options.reserve_bytes);
        }
        // From here on no file of a part goes, so that those the copy names are there.
        let pin = shared.registry.pin();
        making.needs(shared.read(|hot| Ok(hot.used_bytes()))?, kept)?;
        let hot = making.path().join(HOT);
        shared.read(|live| live.copy_compact(&hot)).map_err(at_target)?;
        let mut contents = Contents::read(making.path(), false)?;
        let mut files = vec![making.entry(HOT)?];
        let (mut shared_parts, mut shared_bytes) = (0, 0);
        for part in contents.parts.clone() {
            if !shared.queue.is_open() {
                return Err(fault::shutting_down());
            }
            let name = name_of(&part);
            if let Some(base) = &base
                && let Some(entry) = base.same(&part)
                && fs::hard_link(base.path.join(&name), making.path().join(&name)).is_ok()
            {
                files.push(entry.clone());
                shared_parts += 1;
                shared_bytes += part.bytes();
                contents.report.parts += 1;
                contents.report.part_rows += part.rows();
                contents.report.part_bytes += part.bytes();
                continue;
            }
            making.needs(part.bytes(), kept)?;
            files.push(making.copy(&shared.registry.path(&part.identity, false), &name)?);
            contents.check(&part)?;
        }
        drop(pin);
        for name in SERVER_FILES {
            let path = shared.directory.file(name);
            if path.is_file() {
                files.push(making.copy(&path, name)?);
            }
        }
        let text = marker();
        let entry = |name: &str, bytes: &[u8]| list::Entry {
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            crc: crate::codec::checksum::crc32c(bytes),
        };
        files.push(entry(MARKER, text.as_bytes()));
        let list = List {
            store_id: contents.store_id,
            created_ns,
            namespaces: contents.namespaces,
            files,
        };
        making.write(LIST, list.encode().as_bytes())?;
        making.write(MARKER, text.as_bytes())?;
        making.finish()?;
        Ok(BackupReport {
            shared_parts,
            shared_bytes,
            ..BackupReport::new(&list, contents.report)
        })
    }
}

/// Makes a backup of a data directory that no server holds. Arguments and errors as [`Store::backup`] and [`Store::open`].
///
/// # Errors
/// FailedPrecondition: NOT_A_STORE.
pub fn backup_offline(dir: &Path, options: StoreOptions, target: &Path, base: Option<&Path>) -> Result<BackupReport> {
    if !dir.join(MARKER).is_file() {
        return Err(refused("NOT_A_STORE", "there is no store: the directory has no marker"));
    }
    let options = StoreOptions {
        seals: false,
        reserve_bytes: 0,
        ..options
    };
    let store = Store::open(dir, options)?;
    let made = store.backup(target, base);
    store.close()?;
    made
}

/// Compares the files of a backup with its list: names and sizes.
fn compare_files(backup: &Path, list: &List) -> Result<()> {
    for file in &list.files {
        match fs::symlink_metadata(backup.join(&file.name)) {
            Ok(found) if !found.is_file() => return Err(damaged(&file.name, "is not a file")),
            Ok(found) if found.len() != file.bytes => {
                let what = format!("has {} bytes, its list says {}", found.len(), file.bytes);
                return Err(damaged(&file.name, &what));
            }
            Ok(_) => {}
            Err(_) => return Err(damaged(&file.name, "is missing")),
        }
    }
    let listed: HashSet<&str> = list.files.iter().map(|file| file.name.as_str()).collect();
    if listed.len() != list.files.len() {
        return Err(damaged(LIST, "names a file twice"));
    }
    for folder in ["", PARTS] {
        for entry in fs::read_dir(backup.join(folder)).or_fault()? {
            let name = entry.or_fault()?.file_name();
            let name = Path::new(folder).join(name).to_string_lossy().into_owned();
            // The lock is of whoever made the backup, or opened it as a store.
            if !listed.contains(name.as_str()) && ![LIST, LOCK, PARTS].contains(&name.as_str()) {
                return Err(damaged(&name, "is not in its list"));
            }
        }
    }
    Ok(())
}

/// Reads the store in a directory and compares it with the list of its backup.
fn compare_contents(directory: &Path, list: &List) -> Result<BackupReport> {
    let text = fs::read(directory.join(MARKER)).or_fault()?;
    check_marker(&String::from_utf8_lossy(&text))?;
    let mut contents = Contents::read(directory, false).map_err(|error| in_backup(HOT, error))?;
    if (contents.store_id, &contents.namespaces) != (list.store_id, &list.namespaces) {
        return Err(damaged(HOT, "has another store, or other commits, than its list"));
    }
    let named: HashSet<String> = contents.parts.iter().map(|part| name_of(part)).collect();
    let prefix = format!("{PARTS}/");
    for file in list.files.iter().filter(|file| file.name.starts_with(&prefix)) {
        if !named.contains(&file.name) {
            return Err(damaged(&file.name, "is a part that no record names"));
        }
    }
    for part in contents.parts.clone() {
        let name = name_of(&part);
        if list.find(&name).is_none() {
            return Err(damaged(&name, "is a part that its list does not name"));
        }
        contents.check(&part).map_err(|error| in_backup(&name, error))?;
    }
    Ok(BackupReport::new(list, contents.report))
}

/// What the list of a backup says, after comparing names and sizes of its files with it; none of them is read, so that `contents` is
/// empty.
///
/// # Errors
/// As [`verify_backup`].
pub fn look_at_backup(backup: &Path) -> Result<BackupReport> {
    let list = List::read(backup)?;
    compare_files(backup, &list)?;
    Ok(BackupReport::new(&list, VerifyReport::default()))
}

/// Reads everything in a backup and checks it: that it has the files of its list and no others, their sizes and checksums, then the
/// store they are. Nothing is changed.
///
/// # Errors
/// FailedPrecondition: NOT_A_BACKUP, FORMAT_TOO_NEW. Corrupt: BACKUP_DAMAGED, with the file and the rule that it breaks.
pub fn verify_backup(backup: &Path) -> Result<BackupReport> {
    let list = List::read(backup)?;
    compare_files(backup, &list)?;
    for file in &list.files {
        if checksum(&backup.join(&file.name))? != (file.bytes, file.crc) {
            return Err(damaged(&file.name, "does not have the checksum of its list"));
        }
    }
    compare_contents(backup, &list)
}

/// Makes a data directory at `target`, which must be absent or empty, from a backup. It is made beside it, checked there as
/// [`verify_backup`] does, and then renamed: it is there whole or not at all.
///
/// # Errors
/// AlreadyExists: TARGET_EXISTS. StoreFull: TARGET_FULL. Others as [`verify_backup`].
pub fn restore(backup: &Path, target: &Path) -> Result<BackupReport> {
    let list = List::read(backup)?;
    compare_files(backup, &list)?;
    let making = Making::begin(target, ".restoring", true)?;
    making.needs(list.files.iter().map(|file| file.bytes).sum(), 0)?;
    // The marker is the last of the list.
    for file in &list.files {
        if making.copy(&backup.join(&file.name), &file.name)? != *file {
            return Err(damaged(&file.name, "does not have the checksum of its list"));
        }
    }
    let report = compare_contents(making.path(), &list)?;
    making.finish()?;
    Ok(report)
}
