//! What needs `unsafe`: opening a map, and asking the system about a filesystem and memory. Nothing else in `store` does.
#![expect(unsafe_code, reason = "memory maps and system calls, each with its contract")]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, WithoutTls};

/// Flags of the environment: the file has no directory of its own. Neither NOSYNC, NOMETASYNC nor WRITEMAP, ever: an
/// acknowledged commit is on the disk, and a stray write or a full disk cannot reach the file or kill the process.
pub(super) const FLAGS: EnvFlags = EnvFlags::NO_SUB_DIR;
/// Least map worth trying.
const LEAST_MAP: usize = 64 << 20;
/// Reader slots: one a thread that reads.
const MAX_READERS: u32 = 512;

/// Opens an environment that `check` has found sound and whose directory this process has locked. A map larger than the
/// address space allows is halved until it fits.
pub(super) fn open_environment(file: &Path, map_size: usize, max_tables: u32) -> heed::Result<Env> {
    let page = 64 << 10;
    let mut size = map_size.next_multiple_of(page);
    loop {
        let mut options = EnvOpenOptions::new();
        options.map_size(size).max_dbs(max_tables).max_readers(MAX_READERS);
        // SAFETY: the flags are only NO_SUB_DIR, which weakens nothing. The file is changed by this environment alone:
        // the directory's lock keeps other servers out, and LMDB refuses to open a path twice in a process.
        let opened = unsafe { options.flags(FLAGS).open(file) };
        match opened {
            Err(heed::Error::Io(error)) if error.raw_os_error() == Some(libc::ENOMEM) && size / 2 >= LEAST_MAP => {
                size = (size / 2).next_multiple_of(page);
            }
            other => return other,
        }
    }
}

/// Opens an environment that nobody writes and `check` has found sound, as it is or as it was before its last transaction. The
/// file is not changed, and no lock file is made.
pub(super) fn open_for_reading(file: &Path, bytes: usize, max_tables: u32, before_the_last: bool) -> heed::Result<Env> {
    let mut flags = EnvFlags::NO_SUB_DIR | EnvFlags::NO_LOCK | EnvFlags::READ_ONLY;
    if before_the_last {
        flags |= EnvFlags::PREV_SNAPSHOT;
    }
    let mut options = EnvOpenOptions::new();
    options.map_size(bytes.next_multiple_of(64 << 10)).max_dbs(max_tables);
    // SAFETY: nobody writes the file, so that readers need no lock, and every page that can be reached was found inside it.
    unsafe { options.flags(flags).open(file) }
}

/// Opens an environment for the one transaction that writes a part. Nobody else knows the file yet, so that it needs no lock.
pub(super) fn open_part_for_writing(file: &Path, map_size: usize) -> heed::Result<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(map_size);
    // SAFETY: NO_LOCK weakens nothing where one thread of one process writes, and the file is no one else's until it is
    // renamed. Neither NOSYNC, NOMETASYNC nor WRITEMAP.
    unsafe { options.flags(EnvFlags::NO_SUB_DIR | EnvFlags::NO_LOCK).open(file) }
}

/// The values of a part's file, mapped: keys ascending, each with its bytes.
pub(super) struct Mapped {
    /// Borrowed from the map, which lives as long as `_txn`: they never leave but with the lifetime of a borrow of `self`.
    values: Vec<(&'static [u8], &'static [u8])>,
    _txn: RoTxn<'static, WithoutTls>,
}

// SAFETY: nothing touches the transaction between its making and its end; the map is read alone, and so by any thread.
unsafe impl Sync for Mapped {}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapped")
            .field("values", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl Mapped {
    /// Maps a part's file of so many bytes, which `check` has found sound and which nobody changes any more.
    pub(super) fn open(file: &Path, bytes: usize) -> heed::Result<Self> {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(bytes);
        // SAFETY: a published part is immutable, so that neither a lock nor a writer is needed, and every page that can be
        // reached was found inside the file.
        let env = unsafe {
            options
                .flags(EnvFlags::NO_SUB_DIR | EnvFlags::NO_LOCK | EnvFlags::READ_ONLY)
                .open(file)?
        };
        let table = env.open_databases_and_commit(env.read_txn()?, |opener, txn| {
            let table: Option<Database<'_, Bytes, Bytes>> = opener.open_database(txn, None)?;
            Ok::<_, heed::Error>(match table {
                Some(table) => CommitOrAbort::Commit(table),
                None => CommitOrAbort::Abort(()),
            })
        })?;
        let txn = env.static_read_txn()?;
        let mut values = Vec::new();
        if let CommitOrAbort::Commit(table) = table {
            for found in table.iter(&txn)? {
                let (key, value) = found?;
                // SAFETY: the bytes lie in the map, which is neither moved, changed nor closed before `_txn`, the last owner of
                // the environment, is dropped; `values` goes with it.
                let forever = |bytes: &[u8]| unsafe { std::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) };
                values.push((forever(key), forever(value)));
            }
        }
        Ok(Self { values, _txn: txn })
    }

    /// Place of a key.
    pub(super) fn find(&self, key: &[u8]) -> Option<usize> {
        self.values.binary_search_by(|(found, _)| (*found).cmp(key)).ok()
    }

    /// The key at a place.
    pub(super) fn key(&self, at: usize) -> Option<&[u8]> {
        self.values.get(at).map(|(key, _)| *key)
    }

    /// The value at a place.
    ///
    /// # Panics
    /// If there is none.
    pub(super) fn value(&self, at: usize) -> &[u8] {
        self.values[at].1
    }

    /// Has the system read a value that is about to be read, if it is not in memory: reading goes on meanwhile.
    pub(super) fn will_need(&self, at: usize) {
        if let Some((_, value)) = self.values.get(at) {
            will_need(value);
        }
    }
}

/// Has the system read mapped bytes that are about to be read, if they are not in memory: reading goes on meanwhile. Of others than
/// mapped ones it changes nothing.
pub(super) fn will_need(bytes: &[u8]) {
    const PAGE: usize = 4_096;
    let start = bytes.as_ptr() as usize / PAGE * PAGE;
    let length = bytes.as_ptr() as usize + bytes.len() - start;
    let mut is_there = 0u8;
    // SAFETY: both calls are told pages with bytes that are borrowed, and change none of them; the first writes one byte, for the first
    // page.
    unsafe {
        let asked = libc::mincore(start as *mut libc::c_void, 1, &raw mut is_there);
        if asked == 0 && is_there & 1 == 0 {
            libc::madvise(start as *mut libc::c_void, length, libc::MADV_WILLNEED);
        }
    }
}

/// Has the system read both ends of a file of so many bytes: reading goes on meanwhile. A failure is none: it is read when it is needed.
pub(super) fn read_ends_ahead(path: &Path, bytes: u64, front: u64, back: u64) {
    use std::os::fd::AsRawFd;
    let Ok(file) = std::fs::File::open(path) else { return };
    let back = back.min(bytes);
    for (start, bytes) in [(0, front.min(bytes)), (bytes - back, back)] {
        let (Ok(start), Ok(bytes)) = (libc::off_t::try_from(start), libc::off_t::try_from(bytes)) else {
            return;
        };
        // SAFETY: the descriptor is open for as long as `file` is; the call is told numbers and changes no memory.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), start, bytes, libc::POSIX_FADV_WILLNEED) };
    }
}

/// Tells the allocator to keep what is freed: buffers of a megabyte come and go with every message, and giving each back to
/// the system means to clear its pages again for the next. Bounded by what was in use at once.
pub(super) fn keep_freed_memory() {
    const MMAP_FROM: libc::c_int = 32 << 20;
    const TRIM_FROM: libc::c_int = 256 << 20;
    // SAFETY: glibc's mallopt takes plain numbers and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_FROM);
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_FROM);
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Magic number of the filesystem that holds a path.
pub(super) fn filesystem_magic(path: &Path) -> io::Result<i64> {
    let path = c_path(path)?;
    let mut stat = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path is a NUL-terminated string and `stat` has room for what is written.
    if unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so that it was filled.
    Ok(unsafe { stat.assume_init() }.f_type)
}

/// Bytes free to this process on the filesystem that holds a path.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = c_path(path)?;
    let mut stat = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a NUL-terminated string and `stat` has room for what is written.
    if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so that it was filled.
    let stat = unsafe { stat.assume_init() };
    Ok(stat.f_bavail * stat.f_frsize)
}

/// Gives two paths of one filesystem each other's name, in one step: at no time, after a crash either, is one of them missing.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let (one, other) = (c_path(one)?, c_path(other)?);
    let here = libc::AT_FDCWD;
    // SAFETY: both paths are NUL-terminated strings that live as long as the call.
    match unsafe { libc::renameat2(here, one.as_ptr(), here, other.as_ptr(), libc::RENAME_EXCHANGE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Bytes of memory this process may use: the machine's, or its control group's if that is less.
pub(super) fn memory_bytes() -> u64 {
    // SAFETY: both calls only read system constants.
    let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    let machine = u64::try_from(pages).unwrap_or(0) * u64::try_from(page).unwrap_or(0);
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    group.map_or(machine, |group| group.min(machine))
}

/// Gives a file its room on the disk at once, so that it can be given back.
pub(super) fn allocate(file: &std::fs::File, bytes: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let len = libc::off_t::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, len) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledged_commit_is_synced_and_the_map_is_never_written() {
        let forbidden =
            EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC | EnvFlags::WRITE_MAP | EnvFlags::MAP_ASYNC | EnvFlags::NO_LOCK;
        assert!(!FLAGS.intersects(forbidden));
        let dir = tempfile::tempdir().unwrap();
        let env = open_environment(&dir.path().join("hot.mdb"), 1 << 20, 1).unwrap();
        assert!(!env.flags().unwrap().unwrap().intersects(forbidden));
    }

    #[test]
    fn the_system_tells_what_is_free() {
        assert!(memory_bytes() > 1 << 20);
        assert!(free_bytes(Path::new("/")).unwrap() > 0);
        assert!(filesystem_magic(Path::new("/")).unwrap() != 0);
    }
}
