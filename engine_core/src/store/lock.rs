//! The data directory: who holds it, where it lies, what it says it is, and the reserve to fall back on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::fault::OrFault;
use super::sys;
use super::tables::FORMAT_VERSION;
use crate::error::{Error, Kind, Result};

/// The hot environment.
pub(super) const HOT: &str = "hot.mdb";
/// The hot environment while it is being made: renamed once it is whole.
pub(super) const HOT_NEW: &str = "hot.new";
/// The folder of sealed parts.
pub(super) const PARTS: &str = "parts";
pub(super) const LOCK: &str = "lock";
const RESERVE: &str = "reserve";
pub(super) const MARKER: &str = "MARIGRAM";

/// Filesystems that more than one machine may write, or that a process of its own serves: LMDB's map and locks are not to
/// be trusted there. Numbers from statfs(2).
const NETWORK_FILESYSTEMS: [(i64, &str); 8] = [
    (0x6969, "nfs"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x517B, "smb"),
    (0x6573_5546, "fuse"),
    (0x0102_1997, "9p"),
    (0x5346_414F, "afs"),
    (0x00C3_6400, "ceph"),
];

fn refused(reason: &'static str, message: impl Into<String>) -> Error {
    Error::new(Kind::FailedPrecondition, reason, message)
}

/// A data directory that this process holds.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Held for as long as it is open.
    lock: Mutex<Option<File>>,
    reserve_bytes: u64,
}

impl Directory {
    /// Makes the directory if it is missing, and takes it: another server on it is an error that names it.
    pub(super) fn take(path: &Path, reserve_bytes: u64, allow_network: bool) -> Result<Self> {
        if fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
            return Err(refused(
                "NOT_A_DIRECTORY",
                "the data directory is a file; name a directory",
            ));
        }
        fs::create_dir_all(path).or_fault()?;
        let path = path.canonicalize().or_fault()?;
        refuse_network(sys::filesystem_magic(&path).or_fault()?, allow_network)?;
        let lock = take_lock(&path.join(LOCK))?;
        Ok(Self {
            path,
            lock: Mutex::new(Some(lock)),
            reserve_bytes,
        })
    }

    /// Lets another server have it. Everything in it is closed by now.
    pub(super) fn release(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Bytes free on its filesystem.
    pub(super) fn free_bytes(&self) -> Result<u64> {
        sys::free_bytes(&self.path).or_fault()
    }

    /// Bytes of its files; of one that cannot be looked at, none.
    pub(super) fn bytes(&self) -> u64 {
        file_bytes(&self.path)
    }

    /// Bytes free beyond the floor and the reserve, whether that is made or not.
    pub(super) fn spare_bytes(&self, min_free_bytes: u64) -> u64 {
        let kept = self.reserve_bytes.saturating_add(min_free_bytes);
        self.free_bytes().unwrap_or(0).saturating_sub(kept)
    }

    /// Makes everything done to its entries durable.
    pub(super) fn sync(&self) -> Result<()> {
        File::open(&self.path).and_then(|dir| dir.sync_all()).or_fault()
    }

    /// Whether the marker is there. A store of a newer format or another machine is refused.
    pub(super) fn is_marked(&self) -> Result<bool> {
        match fs::read(self.file(MARKER)) {
            Ok(text) => check_marker(&String::from_utf8_lossy(&text)).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).or_fault(),
        }
    }

    /// Says what the directory is, once the store in it is whole.
    pub(super) fn mark(&self) -> Result<()> {
        let new = self.file("MARIGRAM.new");
        let mut file = File::create(&new).or_fault()?;
        file.write_all(marker().as_bytes()).or_fault()?;
        file.sync_all().or_fault()?;
        fs::rename(new, self.file(MARKER)).or_fault()?;
        self.sync()
    }

    /// Whether the data file is there: a regular file, for what a link points to may be anything.
    pub(super) fn has_data(&self) -> Result<bool> {
        match fs::symlink_metadata(self.file(HOT)) {
            Ok(found) if found.is_file() => Ok(true),
            Ok(_) => Err(refused("NOT_A_FILE", "the store's data file is a link or a directory")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).or_fault(),
        }
    }

    /// Whether the reserve has its full size.
    pub(super) fn has_reserve(&self) -> bool {
        fs::metadata(self.file(RESERVE)).is_ok_and(|found| found.len() == self.reserve_bytes)
    }

    /// Sets room aside for the deletes that make room. A disk too full for it is no error.
    pub(super) fn make_reserve(&self, min_free_bytes: u64) {
        if self.has_reserve() || self.reserve_bytes == 0 {
            return;
        }
        if self.free_bytes().unwrap_or(0) < self.reserve_bytes.saturating_add(min_free_bytes) {
            return;
        }
        let path = self.file(RESERVE);
        let made = File::create(&path).and_then(|file| sys::allocate(&file, self.reserve_bytes));
        if made.is_err() {
            self.release_reserve();
        }
    }

    /// Gives the reserve back to the filesystem.
    pub(super) fn release_reserve(&self) {
        // A reserve that is not there, or cannot be removed, leaves things as they were.
        let _ = fs::remove_file(self.file(RESERVE));
    }
}

fn file_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| entry.metadata().ok().map(|found| (entry.path(), found)));
    sizes
        .map(|(path, found)| if found.is_dir() { file_bytes(&path) } else { found.len() })
        .sum()
}

fn refuse_network(magic: i64, allow: bool) -> Result<()> {
    // f_type is 32 bits wide in the kernel and may come sign-extended.
    let magic = magic & 0xFFFF_FFFF;
    match NETWORK_FILESYSTEMS.iter().find(|(number, _)| *number == magic) {
        Some((_, name)) if !allow => Err(refused(
            "NETWORK_FILESYSTEM",
            format!(
                "the data directory lies on a network filesystem ({name}), where data is not safe; use a local disk"
            ),
        )),
        _ => Ok(()),
    }
}

fn take_lock(path: &Path) -> Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .or_fault()?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() || holder.len() > 20 {
                "unknown"
            } else {
                holder
            };
            return Err(refused(
                "STORE_LOCKED",
                format!("another server (process {holder}) holds the data directory; one server at a time"),
            ));
        }
        Err(TryLockError::Error(error)) => return Err(error).or_fault(),
    }
    // The number only helps whoever is refused; a full disk must not keep the store from opening.
    let _ = file.set_len(0);
    let _ = file.rewind();
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

pub(super) fn marker() -> String {
    format!("marigram store\nformat {FORMAT_VERSION}\nbyte-order little\npointer-bits 64\n")
}

pub(super) fn check_marker(text: &str) -> Result<()> {
    let mut lines = text.lines();
    if lines.next() != Some("marigram store") {
        return Err(refused(
            "STORE_FOREIGN",
            "the data directory's marker is not Marigram's",
        ));
    }
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let version: u32 = field("format")
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| refused("STORE_FOREIGN", "the data directory's marker names no format"))?;
    if version > FORMAT_VERSION {
        return Err(refused(
            "FORMAT_TOO_NEW",
            format!("the data directory has format {version}; this server reads up to {FORMAT_VERSION}"),
        ));
    }
    if version == 0 || field("byte-order") != Some("little") || field("pointer-bits") != Some("64") {
        return Err(refused(
            "STORE_FOREIGN",
            "the data directory was written by another kind of machine; a store is read where numbers are 64-bit and little-endian",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_filesystem_is_refused_unless_allowed() {
        for (magic, name) in NETWORK_FILESYSTEMS {
            let error = refuse_network(magic, false).unwrap_err();
            assert_eq!(error.reason(), "NETWORK_FILESYSTEM");
            assert!(error.message().contains(name));
            refuse_network(magic, true).unwrap();
        }
        refuse_network(0xEF53, false).unwrap();
        refuse_network(i64::from(0xFF53_4D42_u32 as i32), false).unwrap_err();
    }

    #[test]
    fn markers_of_newer_or_foreign_stores_are_told_apart() {
        check_marker(&marker()).unwrap();
        let reason = |text: &str| check_marker(text).unwrap_err().reason();
        assert_eq!(reason(&marker().replace("format 1", "format 2")), "FORMAT_TOO_NEW");
        assert_eq!(reason(&marker().replace("little", "big")), "STORE_FOREIGN");
        assert_eq!(reason(&marker().replace("64", "32")), "STORE_FOREIGN");
        assert_eq!(reason("something else"), "STORE_FOREIGN");
        assert_eq!(reason(""), "STORE_FOREIGN");
    }

    #[test]
    fn the_reserve_takes_its_room_and_gives_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::take(dir.path(), 1 << 20, false).unwrap();
        directory.make_reserve(0);
        assert!(directory.has_reserve());
        directory.release_reserve();
        assert!(!directory.has_reserve());
        directory.make_reserve(u64::MAX);
        assert!(
            !directory.has_reserve(),
            "below the floor there is nothing to set aside"
        );
    }
}
