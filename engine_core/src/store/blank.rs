//! Zeros where the pages of a compacting copy hold nothing. LMDB copies a page's free space with whatever was in its buffers and a
//! large value's last page with whatever was behind the value: bytes of what was deleted long ago.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::check::{
    F_BIGDATA, NODE_HEADER, P_BRANCH, P_LEAF, P_OVERFLOW, PAGE_HEADER, damaged, u16_at, u32_at, u64_at,
};
use super::fault::OrFault;
use crate::error::Result;

/// Place of the page size in the first meta page.
const PAGE_SIZE_AT: u64 = 40;

/// Overwrites what means nothing in a file that `check` has found sound and in which every page is in use.
pub(super) fn blank(path: &Path) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path).or_fault()?;
    let mut size = [0; 4];
    file.read_exact_at(&mut size, PAGE_SIZE_AT).or_fault()?;
    let page = u32::from_le_bytes(size) as usize;
    let pages = file.metadata().or_fault()?.len() / page as u64;
    let mut bytes = vec![0; page];
    // The meta pages come first; every page but those behind the first of a large value says what it is.
    let mut at = 2;
    while at < pages {
        file.read_exact_at(&mut bytes, at * page as u64).or_fault()?;
        let flags = u16_at(&bytes, 10);
        if flags & P_OVERFLOW != 0 {
            at += u64::from(u32_at(&bytes, 12)).max(1);
            continue;
        }
        let (lower, upper) = (usize::from(u16_at(&bytes, 12)), usize::from(u16_at(&bytes, 14)));
        if flags & (P_LEAF | P_BRANCH) == 0 || lower < PAGE_HEADER || lower > upper || upper > page {
            return Err(damaged(format!("page {at} is neither leaf nor branch")));
        }
        if bytes[lower..upper].iter().any(|&byte| byte != 0) {
            clear(&file, at * page as u64 + lower as u64, upper - lower)?;
        }
        if flags & P_LEAF != 0 {
            for slot in bytes[PAGE_HEADER..lower].chunks_exact(2) {
                let node = bytes.get(usize::from(u16_at(slot, 0))..).unwrap_or_default();
                behind_value(&file, page, node)?;
            }
        }
        at += 1;
    }
    Ok(())
}

/// Clears what lies behind a node's value, if that has pages of its own.
fn behind_value(file: &File, page: usize, node: &[u8]) -> Result<()> {
    let outside = || damaged("a node lies outside its page");
    let header = node.get(..NODE_HEADER).ok_or_else(outside)?;
    if u16_at(header, 4) != F_BIGDATA {
        return Ok(());
    }
    let key = usize::from(u16_at(header, 6));
    let place = node.get(NODE_HEADER + key..NODE_HEADER + key + 8).ok_or_else(outside)?;
    let (first, len) = (u64_at(place, 0) * page as u64, u32_at(header, 0) as usize);
    let mut overflow = [0; PAGE_HEADER];
    file.read_exact_at(&mut overflow, first).or_fault()?;
    let (used, all) = (PAGE_HEADER + len, u32_at(&overflow, 12) as usize * page);
    if u16_at(&overflow, 10) & P_OVERFLOW == 0 || used > all {
        return Err(damaged("a value is not in its pages"));
    }
    clear(file, first + used as u64, all - used)
}

fn clear(file: &File, at: u64, bytes: usize) -> Result<()> {
    file.write_all_at(&vec![0; bytes], at).or_fault()
}

#[cfg(test)]
mod tests {
    use heed::types::Bytes;
    use heed::{CommitOrAbort, CompactionOption, PutFlags};

    use super::*;
    use crate::store::check::{Content, check_file};
    use crate::store::sys::open_environment;

    #[test]
    fn nothing_of_what_was_deleted_stays_in_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let env = open_environment(&dir.path().join("from"), 1 << 24, 1).unwrap();
        let txn = env.write_txn().unwrap();
        let table = env.create_databases_and_commit(txn, |opener, txn| {
            let table = opener.create_database::<Bytes, Bytes>(txn, Some("table"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(table))
        });
        let table = table.unwrap().unwrap_commit();
        // Values within a page, of a page, and of several, then shorter ones in their place, in one transaction and in several.
        for round in 0..3 {
            let mut txn = env.write_txn().unwrap();
            for (key, len) in (0..90u32).zip([20usize, 900, 3_000, 4_000, 9_000].iter().cycle()) {
                let key = key.to_be_bytes();
                table.put(&mut txn, &key, &b"PLANTED".repeat(len / 7)).unwrap();
                if round != 1 {
                    table.put(&mut txn, &key, &vec![b'x'; len * 2 / 3]).unwrap();
                }
            }
            txn.commit().unwrap();
        }
        let mut txn = env.write_txn().unwrap();
        table.delete(&mut txn, &7u32.to_be_bytes()).unwrap();
        table
            .put_with_flags(&mut txn, PutFlags::APPEND, &[255; 4], b"end")
            .unwrap();
        txn.commit().unwrap();
        let path = dir.path().join("to");
        let mut copy = File::create_new(&path).unwrap();
        env.copy_to_file(&mut copy, CompactionOption::Enabled).unwrap();
        blank(&path).unwrap();
        check_file(&path, Content::Tables).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"PLANTED"));
        assert!(bytes.windows(3).any(|window| window == b"end"));
    }
}
