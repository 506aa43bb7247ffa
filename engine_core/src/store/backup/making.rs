//! A directory in the making: under another name beside its own, renamed when it is whole and synced, removed if it is not.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::list::Entry;
use super::refused;
use crate::codec::checksum::Running;
use crate::error::{Error, Kind, Result};
use crate::store::fault::{OrFault, of_io};
use crate::store::lock::{Directory, LOCK, PARTS};
use crate::store::sys;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

#[derive(Debug)]
pub(in crate::store) struct Making {
    directory: Directory,
    path: PathBuf,
    target: PathBuf,
    is_whole: bool,
}

impl Making {
    /// Begins a directory that will be `target`, which must be absent, or empty if that is allowed. What an earlier try left
    /// behind is removed.
    pub(in crate::store) fn begin(target: &Path, suffix: &str, may_be_empty: bool) -> Result<Self> {
        let name = target
            .file_name()
            .ok_or_else(|| Error::invalid("BAD_PATH", "target", "the target names no directory"))?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let parent = parent.canonicalize().map_err(|_| {
            refused(
                "NOT_A_DIRECTORY",
                "the directory in which the target is to be made is missing",
            )
        })?;
        let target = parent.join(name);
        match fs::symlink_metadata(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).or_fault(),
            Ok(found) => {
                let is_empty = found.is_dir() && fs::read_dir(&target).or_fault()?.next().is_none();
                if !is_empty || !may_be_empty {
                    return Err(Error::new(
                        Kind::AlreadyExists,
                        "TARGET_EXISTS",
                        "the target is there already; nothing is written over",
                    ));
                }
            }
        }
        let mut unfinished = name.to_owned();
        unfinished.push(suffix);
        let path = parent.join(unfinished);
        // Held so that nobody else makes the same at once; that it may lie on a network is not of importance here.
        let directory = Directory::take(&path, 0, true)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).or_fault()?;
        for entry in fs::read_dir(&path).or_fault()? {
            let entry = entry.or_fault()?;
            match entry.file_type().or_fault()? {
                kind if kind.is_dir() => fs::remove_dir_all(entry.path()).or_fault()?,
                _ if entry.file_name() == LOCK => {}
                _ => fs::remove_file(entry.path()).or_fault()?,
            }
        }
        let making = Self {
            directory,
            path,
            target,
            is_whole: false,
        };
        fs::create_dir(making.path.join(PARTS)).or_fault()?;
        Ok(making)
    }

    /// Where it is while it is made.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it will be.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Refuses to begin what there is no room for, with so many bytes to be left free.
    pub(super) fn needs(&self, bytes: u64, kept: u64) -> Result<()> {
        let free = sys::free_bytes(&self.path).or_fault()?;
        if free < bytes.saturating_add(kept) {
            return Err(full(&format!(
                "{bytes} bytes are needed, {free} are free and {kept} of them are kept"
            )));
        }
        Ok(())
    }

    /// Copies a file to its place, synced. Returns what the list says of it.
    pub(in crate::store) fn copy(&self, from: &Path, name: &str) -> Result<Entry> {
        let from = File::open(from).or_fault()?;
        let mut permissions = from.metadata().or_fault()?.permissions();
        permissions.set_mode(permissions.mode() | 0o600);
        let to = File::create_new(self.path.join(name)).map_err(|error| of_target(&error))?;
        to.set_permissions(permissions).map_err(|error| of_target(&error))?;
        let (bytes, crc) = pump(from, Some(&to)).map_err(|error| of_target(&error))?;
        to.sync_all().map_err(|error| of_target(&error))?;
        Ok(Entry {
            name: name.to_owned(),
            bytes,
            crc,
        })
    }

    /// Writes a file in its place, synced. Returns what the list says of it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<Entry> {
        let mut file = File::create_new(self.path.join(name)).map_err(|error| of_target(&error))?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(|error| of_target(&error))?;
        let (bytes, crc) = (content.len() as u64, crate::codec::checksum::crc32c(content));
        let name = name.to_owned();
        Ok(Entry { name, bytes, crc })
    }

    /// What the list says of a file that is in its place.
    pub(super) fn entry(&self, name: &str) -> Result<Entry> {
        let (bytes, crc) = checksum(&self.path.join(name))?;
        let name = name.to_owned();
        Ok(Entry { name, bytes, crc })
    }

    /// Gives it its name: from here on it is there, after a crash too.
    pub(in crate::store) fn finish(mut self) -> Result<()> {
        let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all()).or_fault();
        sync(&self.path.join(PARTS))?;
        sync(&self.path)?;
        fs::rename(&self.path, &self.target).or_fault()?;
        self.is_whole = true;
        // The lock of its making means nothing any more; it may stay if it must.
        let _ = fs::remove_file(self.target.join(LOCK));
        sync(&self.target)?;
        sync(self.target.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.is_whole {
            // What cannot be removed now goes at the next try.
            let _ = fs::remove_dir_all(&self.path);
        }
        self.directory.release();
    }
}

/// Reads to the end, writing to `to` what is read. Returns the number of bytes and their crc32c.
fn pump(mut from: File, to: Option<&File>) -> io::Result<(u64, u32)> {
    let mut chunk = vec![0; CHUNK];
    let (mut bytes, mut crc) = (0, Running::default());
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok((bytes, crc.finish())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if let Some(mut to) = to {
            to.write_all(&chunk[..read])?;
        }
        crc.update(&chunk[..read]);
        bytes += read as u64;
    }
}

/// Size and crc32c of a file.
pub(super) fn checksum(path: &Path) -> Result<(u64, u32)> {
    File::open(path).and_then(|file| pump(file, None)).or_fault()
}

/// There is no room for it.
pub(super) fn full(detail: &str) -> Error {
    Error::new(
        Kind::StoreFull,
        "TARGET_FULL",
        "there is no room where it is to be written, or the disk fails; nothing of it is left",
    )
    .with_detail(detail)
}

fn of_target(error: &io::Error) -> Error {
    match of_io(error) {
        found if found.kind() == Kind::StoreFull => full(found.detail()),
        found => found,
    }
}

/// The same error, if it is of a full disk, as one of the target.
pub(super) fn at_target(error: Error) -> Error {
    match error.kind() {
        Kind::StoreFull => full(error.detail()),
        _ => error,
    }
}
