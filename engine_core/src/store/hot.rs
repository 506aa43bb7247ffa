//! The hot environment: making it whole or not at all, and opening it only once it has been found sound.

use std::fs;
use std::path::Path;

use heed::{CompactionOption, Env, RoTxn, RwTxn, WithTls};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::blank::blank;
use super::check::{Content, FileReport, check_before_the_last, check_file};
use super::fault::OrFault;
use super::lock::{Directory, HOT, HOT_NEW};
use super::records::{FORMAT_KEY, FormatRecord, STAMP_KEY, Stamp};
use super::sys::{open_environment, open_for_reading};
use super::tables::{FORMAT_VERSION, Handle, Table, Tables};
use crate::error::{Error, Kind, Result};
use crate::time::Timestamp;

/// Room that the one transaction of [`restamp`] takes, by far.
const RESTAMP_BYTES: usize = 1 << 20;

/// The environment and its tables.
pub(super) struct Hot {
    env: Env,
    tables: Tables,
}

impl Hot {
    /// Makes an empty store under another name and renames it once it is whole and durable, so that what a crash leaves
    /// behind is either nothing or a store.
    pub(super) fn create(directory: &Directory, map_size: usize, now: Timestamp, seed: u64) -> Result<()> {
        let new = directory.file(HOT_NEW);
        remove(&new)?;
        remove(&lock_file(&new))?;
        {
            let hot = Self::open_at(&new, map_size)?;
            let format = FormatRecord {
                version: FORMAT_VERSION,
                created_ns: now,
                store_id: xxh3_128_with_seed(&now.to_le_bytes(), seed),
                made_by: env!("CARGO_PKG_VERSION").to_owned(),
            };
            let mut txn = hot.env.write_txn().or_fault()?;
            let stamp = Stamp {
                txn: txn.id() as u64,
                clean: true,
                next_namespace: 1,
                next_stream: 1,
                ..Stamp::default()
            };
            let meta = hot.table(Table::Meta);
            meta.put(&mut txn, FORMAT_KEY, &format.encode()).or_fault()?;
            meta.put(&mut txn, STAMP_KEY, &stamp.encode()).or_fault()?;
            txn.commit().or_fault()?;
        }
        remove(&lock_file(&new))?;
        fs::File::open(&new).and_then(|file| file.sync_all()).or_fault()?;
        fs::rename(&new, directory.file(HOT)).or_fault()?;
        directory.sync()
    }

    /// Opens a store after checking its file; what is not sound is neither mapped nor changed.
    pub(super) fn open(directory: &Directory, map_size: usize) -> Result<Self> {
        let file = directory.file(HOT);
        let report = check_file(&file, Content::Tables)?;
        // Nobody else holds the directory, so that readers in a lock file left behind are gone.
        remove(&lock_file(&file))?;
        let hot = Self::open_at(&file, map_size)?;
        hot.env.clear_stale_readers().or_fault()?;
        hot.agrees(&report)?;
        Ok(hot)
    }

    /// Opens a file that nobody writes, after checking it, as it is or as it was before its last transaction. It is not changed.
    pub(super) fn open_for_reading(file: &Path, before_the_last: bool) -> Result<Self> {
        let check = if before_the_last {
            check_before_the_last
        } else {
            check_file
        };
        let report = check(file, Content::Tables)?;
        let bytes = fs::metadata(file).or_fault()?.len() as usize;
        let env = open_for_reading(file, bytes, Table::ALL.len() as u32, before_the_last).or_fault()?;
        let tables = Tables::open_for_reading(&env)?;
        let tables = tables.ok_or_else(|| Error::corrupt("a table of the store is missing", "hot environment"))?;
        let hot = Self { env, tables };
        hot.agrees(&report)?;
        Ok(hot)
    }

    /// Copies all that is live to a new file, as it is now, whatever is written meanwhile. What was deleted is not in it. The
    /// transactions of the copy begin anew, and its last is stamped as such.
    pub(super) fn copy_compact(&self, path: &Path) -> Result<()> {
        let mut file = fs::File::create_new(path).or_fault()?;
        self.env.copy_to_file(&mut file, CompactionOption::Enabled).or_fault()?;
        drop(file);
        check_file(path, Content::Tables)?;
        blank(path)?;
        restamp(path)?;
        check_file(path, Content::Tables)?;
        fs::File::open(path).and_then(|file| file.sync_all()).or_fault()
    }

    /// Whether the last record of the file is that of its last transaction, and this program reads its format.
    fn agrees(&self, report: &FileReport) -> Result<()> {
        let txn = self.read()?;
        let format = self.format(&txn)?;
        if format.version > FORMAT_VERSION {
            return Err(Error::new(
                Kind::FailedPrecondition,
                "FORMAT_TOO_NEW",
                format!(
                    "the store has format {}; this server reads up to {FORMAT_VERSION}",
                    format.version
                ),
            ));
        }
        let stamp = self.stamp(&txn)?;
        if stamp.txn != report.txn {
            return Err(Error::corrupt(
                "the store's last transaction is not the one it was",
                format!("stamp of transaction {}, root of {}", stamp.txn, report.txn),
            ));
        }
        Ok(())
    }

    fn open_at(file: &Path, map_size: usize) -> Result<Self> {
        let env = open_environment(file, map_size, Table::ALL.len() as u32).or_fault()?;
        let tables = Tables::open(&env)?;
        Ok(Self { env, tables })
    }

    /// A table.
    pub(super) fn table(&self, table: Table) -> &Handle {
        self.tables.get(table)
    }

    /// A read transaction: short, and one a thread.
    pub(super) fn read(&self) -> Result<RoTxn<'_, WithTls>> {
        self.env.read_txn().or_fault()
    }

    /// The write transaction: the committer's alone.
    pub(super) fn write(&self) -> heed::Result<RwTxn<'_>> {
        self.env.write_txn()
    }

    /// What the store is.
    pub(super) fn format(&self, txn: &RoTxn<'_>) -> Result<FormatRecord> {
        let format = self.table(Table::Meta).get(txn, FORMAT_KEY).or_fault()?;
        FormatRecord::decode(format.ok_or_else(|| missing("format"))?)
    }

    /// What the last transaction said of itself.
    pub(super) fn stamp(&self, txn: &RoTxn<'_>) -> Result<Stamp> {
        let stamp = self.table(Table::Meta).get(txn, STAMP_KEY).or_fault()?;
        Stamp::decode(stamp.ok_or_else(|| missing("stamp"))?)
    }

    /// Bytes of address space that are set aside for it.
    pub(super) fn map_bytes(&self) -> u64 {
        self.env.info().map_size as u64
    }

    /// Bytes of the file.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.env.real_disk_size().unwrap_or(0)
    }

    /// Bytes of the file up to its last page. More may lie behind it: see `ahead`.
    pub(super) fn used_bytes(&self) -> u64 {
        let page = u64::from(self.env.unnamed_database_stat().page_size);
        (self.env.info().last_page_number as u64 + 1) * page
    }

    /// Bytes in the file that wait to be used: those of free pages, where the free list's own count as such, and those behind
    /// the last page.
    pub(super) fn reusable_bytes(&self) -> Result<u64> {
        let txn = self.read()?;
        let main = self.env.unnamed_database_stat();
        let mut used = 2 + main.branch_pages + main.leaf_pages + main.overflow_pages;
        for table in Table::ALL {
            let stat = self.table(table).stat(&txn).or_fault()?;
            used += stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
        }
        let used = used as u64 * u64::from(main.page_size);
        Ok(self.used_bytes().max(self.disk_bytes()).saturating_sub(used))
    }
}

/// Stamps a copy that nobody else knows with the number of a transaction of its own.
fn restamp(path: &Path) -> Result<()> {
    let bytes = fs::metadata(path).or_fault()?.len() as usize;
    {
        let hot = Hot::open_at(path, bytes + RESTAMP_BYTES)?;
        let mut txn = hot.write().or_fault()?;
        let mut stamp = hot.stamp(&txn)?;
        stamp.txn = txn.id() as u64;
        stamp.clean = true;
        let meta = hot.table(Table::Meta);
        meta.put(&mut txn, STAMP_KEY, &stamp.encode()).or_fault()?;
        txn.commit().or_fault()?;
    }
    remove(&lock_file(path))
}

fn missing(what: &str) -> Error {
    Error::corrupt("a stored record is missing", format!("table meta, key {what}"))
}

/// LMDB's lock file of a data file.
fn lock_file(file: &Path) -> std::path::PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).or_fault(),
        _ => Ok(()),
    }
}
