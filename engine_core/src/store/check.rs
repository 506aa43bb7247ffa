//! What must hold of an LMDB file before it is mapped: a page that lies outside the file is a SIGBUS once mapped, and one
//! whose bounds lie outside itself a SIGSEGV. Read with plain reads, nothing is changed. The layout is that of data format 1
//! (`mdb.c` of the LMDB that heed bundles), 64-bit, little-endian.
//!
//! Leaves and branches are read whole, values only by the header of their first page, if at all: a store of 1 GiB is checked in a
//! few hundredths of a second.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::fault::OrFault;
use crate::error::{Error, Kind, Result};

const MAGIC: u32 = 0xBEEF_C0DE;
const DATA_VERSION: u32 = 1;
pub(super) const PAGE_HEADER: usize = 16;
const META_BYTES: usize = PAGE_HEADER + 136;
pub(super) const NODE_HEADER: usize = 8;
const DB_BYTES: usize = 48;
const NO_PAGE: u64 = u64::MAX;
const MAX_DEPTH: u16 = 32;
const MAX_KEY: usize = 511;

pub(super) const P_BRANCH: u16 = 0x01;
pub(super) const P_LEAF: u16 = 0x02;
pub(super) const P_OVERFLOW: u16 = 0x04;
const P_META: u16 = 0x08;
pub(super) const F_BIGDATA: u16 = 0x01;
const F_SUBDATA: u16 = 0x02;
/// Flags of the free list: keys are numbers. The environment's own (no sub-directory) stand beside it.
const INTEGER_KEY: u16 = 0x08;
const NO_SUB_DIR: u16 = 0x4000;

/// What a sound file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileReport {
    /// Number of the last transaction.
    pub(super) txn: u64,
    /// Bytes of a page.
    pub(super) page_bytes: usize,
    /// Pages that hold something.
    pub(super) used_pages: u64,
    /// Pages that wait to be used again.
    pub(super) free_pages: u64,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Tables with names: the hot environment.
    Tables,
    /// Records without one: a part. Of large values nothing is read, that a map needs only to lie inside the file: a part is opened
    /// by few reads.
    Records,
    /// The same, and the headers of their pages.
    WholeRecords,
}

pub(super) fn damaged(what: impl Into<String>) -> Error {
    Error::corrupt("a file of the store is damaged", what)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Root of a tree and what it counts.
#[derive(Clone, Copy, Debug)]
struct Db {
    pad: u32,
    flags: u16,
    depth: u16,
    branch_pages: u64,
    leaf_pages: u64,
    overflow_pages: u64,
    entries: u64,
    root: u64,
}

impl Db {
    fn read(bytes: &[u8]) -> Self {
        Self {
            pad: u32_at(bytes, 0),
            flags: u16_at(bytes, 4),
            depth: u16_at(bytes, 6),
            branch_pages: u64_at(bytes, 8),
            leaf_pages: u64_at(bytes, 16),
            overflow_pages: u64_at(bytes, 24),
            entries: u64_at(bytes, 32),
            root: u64_at(bytes, 40),
        }
    }
}

struct Meta {
    free: Db,
    main: Db,
    last_page: u64,
    txn: u64,
}

fn read_meta(file: &File, index: u64, offset: u64) -> Result<Meta> {
    let mut bytes = [0; META_BYTES];
    file.read_exact_at(&mut bytes, offset)
        .map_err(|_| damaged("shorter than its meta pages"))?;
    if u32_at(&bytes, 16) == MAGIC.swap_bytes() {
        return Err(foreign("of another byte order"));
    }
    if u64_at(&bytes, 0) != index || u16_at(&bytes, 10) != P_META || u32_at(&bytes, 16) != MAGIC {
        return Err(damaged(format!("page {index} is not a meta page")));
    }
    if u32_at(&bytes, 20) != DATA_VERSION {
        return Err(damaged(format!("data version {}", u32_at(&bytes, 20))));
    }
    Ok(Meta {
        free: Db::read(&bytes[40..88]),
        main: Db::read(&bytes[88..136]),
        last_page: u64_at(&bytes, 136),
        txn: u64_at(&bytes, 144),
    })
}

fn foreign(what: &str) -> Error {
    Error::new(
        Kind::FailedPrecondition,
        "STORE_FOREIGN",
        format!(
            "the data directory was written by a machine {what}; a store is read where numbers are 64-bit and little-endian"
        ),
    )
}

/// Checks the file; an error leaves it as it was.
pub(super) fn check_file(path: &Path, content: Content) -> Result<FileReport> {
    check(path, content, false)
}

/// Checks the file as it was before its last transaction, whose pages are in it still.
pub(super) fn check_before_the_last(path: &Path, content: Content) -> Result<FileReport> {
    check(path, content, true)
}

fn check(path: &Path, content: Content, before_the_last: bool) -> Result<FileReport> {
    check_pages(path, content, before_the_last).map_err(|error| match (error.kind(), error.detail()) {
        (Kind::Corrupt, detail) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Error::corrupt(error.message(), format!("{name}: {detail}"))
        }
        _ => error,
    })
}

/// Size of a page, and both meta pages, which must follow each other.
fn metas(file: &File) -> Result<(usize, Meta, Meta)> {
    let first = read_meta(file, 0, 0)?;
    let page = first.free.pad as usize;
    if !page.is_power_of_two() || !(512..=32_768).contains(&page) {
        return Err(damaged(format!("page size {page}")));
    }
    let second = read_meta(file, 1, page as u64)?;
    if second.free.pad != first.free.pad {
        return Err(damaged("meta pages of different page size"));
    }
    if first.txn % 2 != 0 || (second.txn % 2 == 0 && second.txn != 0) {
        return Err(damaged("a meta page holds the other's transaction"));
    }
    if first.txn.abs_diff(second.txn) != 1 && (first.txn, second.txn) != (0, 0) {
        return Err(damaged(format!(
            "meta pages of transactions {} and {}, which do not follow each other",
            first.txn, second.txn
        )));
    }
    Ok((page, first, second))
}

fn check_pages(path: &Path, content: Content, before_the_last: bool) -> Result<FileReport> {
    let file = File::open(path).or_fault()?;
    let size = file.metadata().or_fault()?.len();
    let (page, first, second) = metas(&file)?;
    let meta = if (first.txn > second.txn) == before_the_last {
        second
    } else {
        first
    };
    let pages_in_file = size / page as u64;
    // The file may be shorter than the last page says if the pages at its end were never written: only what is reachable
    // must lie inside. One bit a page says which have been seen, so a count far beyond the file is refused first.
    if meta.last_page < 1 || meta.last_page / 1024 > pages_in_file.max(1 << 20) {
        return Err(damaged("the last page lies far outside the file"));
    }
    let mut walk = Walk {
        file: &file,
        page,
        pages_in_file,
        last_page: meta.last_page,
        txn: meta.txn,
        seen: vec![0; (meta.last_page as usize + 1).div_ceil(64)],
        used: 0,
        free: 0,
        reads_values: content != Content::Records,
    };
    if meta.free.flags & !NO_SUB_DIR != INTEGER_KEY || meta.main.flags != 0 {
        return Err(damaged("flags of the two inner tables"));
    }
    let mut tables = Vec::new();
    let kinds = match content {
        Content::Tables => Kinds::Main,
        Content::Records | Content::WholeRecords => Kinds::Table,
    };
    walk.tree(&meta.main, kinds, &mut tables)?;
    for table in &tables {
        if table.flags != 0 || table.pad != 0 {
            return Err(damaged("flags of a table"));
        }
        walk.tree(table, Kinds::Table, &mut Vec::new())?;
    }
    walk.tree(&meta.free, Kinds::Free, &mut Vec::new())?;
    if walk.used + walk.free + 2 != meta.last_page + 1 {
        return Err(damaged(format!(
            "{} pages are in use and {} free, of {}",
            walk.used + 2,
            walk.free,
            meta.last_page + 1
        )));
    }
    Ok(FileReport {
        txn: meta.txn,
        page_bytes: page,
        used_pages: walk.used + 2,
        free_pages: walk.free,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kinds {
    /// Table names → roots.
    Main,
    /// Keys → values.
    Table,
    /// Transactions → pages they freed.
    Free,
}

struct Walk<'a> {
    file: &'a File,
    page: usize,
    pages_in_file: u64,
    last_page: u64,
    txn: u64,
    seen: Vec<u64>,
    used: u64,
    free: u64,
    reads_values: bool,
}

/// A subtree to visit, whose keys lie in `[low, high)`.
struct Visit {
    page: u64,
    depth: u16,
    low: Option<Vec<u8>>,
    high: Option<Vec<u8>>,
}

#[derive(Default)]
struct Counted {
    branch: u64,
    leaf: u64,
    overflow: u64,
    entries: u64,
}

impl Walk<'_> {
    fn tree(&mut self, db: &Db, kinds: Kinds, tables: &mut Vec<Db>) -> Result<()> {
        let mut counted = Counted::default();
        if db.root == NO_PAGE {
            if db.depth != 0 {
                return Err(damaged("an empty tree has a depth"));
            }
        } else {
            if db.depth == 0 || db.depth > MAX_DEPTH {
                return Err(damaged(format!("a tree of depth {}", db.depth)));
            }
            let mut open = vec![Visit {
                page: db.root,
                depth: 1,
                low: None,
                high: None,
            }];
            let mut bytes = vec![0; self.page];
            while let Some(visit) = open.pop() {
                self.mark(visit.page, 1)?;
                self.read(visit.page, &mut bytes)?;
                let keys = node_count(&bytes, visit.page)?;
                if visit.depth == db.depth {
                    counted.leaf += 1;
                    self.leaf(&bytes, &visit, keys, kinds, &mut counted, tables)?;
                } else {
                    counted.branch += 1;
                    branch(&bytes, visit, keys, kinds, &mut open)?;
                }
            }
        }
        let agrees = counted.branch == db.branch_pages
            && counted.leaf == db.leaf_pages
            && counted.overflow == db.overflow_pages
            && counted.entries == db.entries;
        if agrees {
            Ok(())
        } else {
            Err(damaged("a tree's counts differ from what it holds"))
        }
    }

    /// Marks pages as reached; each is reached once.
    fn mark(&mut self, first: u64, count: u64) -> Result<()> {
        let end = first.saturating_add(count);
        if first < 2 || end > self.last_page + 1 || end > self.pages_in_file {
            return Err(damaged(format!("page {first} lies outside the file")));
        }
        for page in first..end {
            self.mark_one(page)?;
        }
        self.used += count;
        Ok(())
    }

    fn mark_one(&mut self, page: u64) -> Result<()> {
        let (word, bit) = (&mut self.seen[page as usize / 64], 1u64 << (page % 64));
        if *word & bit != 0 {
            return Err(damaged(format!("page {page} is reached twice")));
        }
        *word |= bit;
        Ok(())
    }

    fn read(&self, page: u64, out: &mut [u8]) -> Result<()> {
        self.file
            .read_exact_at(out, page * self.page as u64)
            .map_err(|_| damaged(format!("page {page} cannot be read")))?;
        if u64_at(out, 0) != page {
            return Err(damaged(format!("page {page} says it is {}", u64_at(out, 0))));
        }
        Ok(())
    }

    fn leaf(
        &mut self,
        bytes: &[u8],
        visit: &Visit,
        keys: usize,
        kinds: Kinds,
        counted: &mut Counted,
        tables: &mut Vec<Db>,
    ) -> Result<()> {
        let page = visit.page;
        if u16_at(bytes, 10) != P_LEAF || keys == 0 {
            return Err(damaged(format!("page {page} is not a leaf")));
        }
        counted.entries += keys as u64;
        let mut extents = Vec::with_capacity(keys);
        let mut low = visit.low.as_deref();
        for index in 0..keys {
            let (at, node) = node(bytes, index, page)?;
            let (len, flags, key_len) = (u32_at(node, 0) as usize, u16_at(node, 4), usize::from(u16_at(node, 6)));
            let key = key(node, key_len, page)?;
            check_order(kinds, low, key, visit.high.as_deref(), index > 0, page)?;
            low = Some(key);
            let data = &node[NODE_HEADER + key_len..];
            let expected = if kinds == Kinds::Main { F_SUBDATA } else { 0 };
            let inline = if flags == F_BIGDATA { 8 } else { len };
            if flags != expected && !(flags == F_BIGDATA && kinds != Kinds::Main) || data.len() < inline {
                return Err(damaged(format!("page {page}: a node's flags or length")));
            }
            extents.push((at, NODE_HEADER + key_len + inline));
            let data = &data[..inline];
            let value = if flags == F_BIGDATA {
                let first = u64_at(data, 0);
                counted.overflow += self.overflow(first, len)?;
                Value::Pages(first, len)
            } else {
                Value::Here(data)
            };
            match kinds {
                Kinds::Main if len != DB_BYTES => return Err(damaged("root of a table")),
                Kinds::Main => tables.push(Db::read(data)),
                Kinds::Free => self.free_list(key, value)?,
                Kinds::Table => {}
            }
        }
        check_extents(bytes, &mut extents, page)
    }

    /// Marks the pages of a large value, of which only the first has a header; returns their number.
    fn overflow(&mut self, first: u64, len: usize) -> Result<u64> {
        let needed = ((PAGE_HEADER - 1 + len) / self.page + 1) as u64;
        if !self.reads_values {
            self.mark(first, needed)?;
            return Ok(needed);
        }
        let mut header = [0; PAGE_HEADER];
        if first < 2 || first > self.last_page || first >= self.pages_in_file {
            return Err(damaged(format!("page {first} lies outside the file")));
        }
        self.read(first, &mut header)?;
        let pages = u64::from(u32_at(&header, 12));
        if u16_at(&header, 10) != P_OVERFLOW || pages < needed {
            return Err(damaged(format!("page {first} does not hold its value")));
        }
        self.mark(first, pages)?;
        Ok(pages)
    }

    fn free_list(&mut self, key: &[u8], value: Value<'_>) -> Result<()> {
        if key.len() != 8 || u64_at(key, 0) > self.txn {
            return Err(damaged("a transaction of the free list"));
        }
        let held;
        let list = match value {
            Value::Here(bytes) => bytes,
            Value::Pages(first, len) => {
                let mut bytes = vec![0; len];
                self.file
                    .read_exact_at(&mut bytes, first * self.page as u64 + PAGE_HEADER as u64)
                    .map_err(|_| damaged("the free list cannot be read"))?;
                held = bytes;
                &held
            }
        };
        let count = if list.len() < 8 { u64::MAX } else { u64_at(list, 0) };
        if count > (list.len() as u64 / 8).saturating_sub(1) {
            return Err(damaged("length of the free list"));
        }
        let mut before = u64::MAX;
        for index in 1..=count as usize {
            let page = u64_at(list, index * 8);
            if page < 2 || page > self.last_page || page >= before {
                return Err(damaged(format!("free page {page} is none")));
            }
            before = page;
            self.mark_one(page)?;
            self.free += 1;
        }
        Ok(())
    }
}

/// Number of the last transaction, and what it holds in a table under a key, both short. Read with plain reads, four pages in all.
///
/// # Errors
/// Corrupt: what is on the way is not sound, or there is no such value.
pub(super) fn newest_value(path: &Path, table: &[u8], key: &[u8]) -> Result<(u64, Vec<u8>)> {
    let file = File::open(path).or_fault()?;
    let (page, first, second) = metas(&file)?;
    let newest = if first.txn > second.txn { first } else { second };
    let root = short_value(&file, page, &newest.main, table)?;
    if root.len() != DB_BYTES {
        return Err(damaged("root of a table"));
    }
    Ok((newest.txn, short_value(&file, page, &Db::read(&root), key)?))
}

/// A value that stands in the leaf of a tree that has no other page, as the tables' own and `meta` have none.
fn short_value(file: &File, page_bytes: usize, db: &Db, wanted: &[u8]) -> Result<Vec<u8>> {
    let page = db.root;
    let cannot = || damaged(format!("page {page} cannot be read"));
    let mut bytes = vec![0; page_bytes];
    let at = page.checked_mul(page_bytes as u64).ok_or_else(cannot)?;
    file.read_exact_at(&mut bytes, at).map_err(|_| cannot())?;
    if db.depth != 1 || u64_at(&bytes, 0) != page || u16_at(&bytes, 10) != P_LEAF {
        return Err(damaged(format!("page {page} is not the only leaf")));
    }
    for index in 0..node_count(&bytes, page)? {
        let (_, node) = node(&bytes, index, page)?;
        let (len, flags, key_len) = (u32_at(node, 0) as usize, u16_at(node, 4), usize::from(u16_at(node, 6)));
        if key(node, key_len, page)? == wanted && flags != F_BIGDATA {
            let value = node.get(NODE_HEADER + key_len..).and_then(|data| data.get(..len));
            return Ok(value.ok_or_else(|| damaged("a value's length"))?.to_vec());
        }
    }
    Err(damaged("a record is missing"))
}

/// Checks a branch and adds its children to what is to be visited.
fn branch(bytes: &[u8], visit: Visit, keys: usize, kinds: Kinds, open: &mut Vec<Visit>) -> Result<()> {
    if u16_at(bytes, 10) != P_BRANCH || keys == 0 {
        return Err(damaged(format!("page {} is not a branch", visit.page)));
    }
    let mut extents = Vec::with_capacity(keys);
    // The first key of a branch is never compared: it stands for everything below the second.
    let mut low = visit.low;
    let mut pending: Option<u64> = None;
    for index in 0..keys {
        let (at, node) = node(bytes, index, visit.page)?;
        let (key_len, child) = (
            usize::from(u16_at(node, 6)),
            u64::from(u32_at(node, 0)) | u64::from(u16_at(node, 4)) << 32,
        );
        let key = key(node, key_len, visit.page)?;
        extents.push((at, NODE_HEADER + key_len));
        if let Some(child) = pending {
            let key = key.to_vec();
            check_order(
                kinds,
                low.as_deref(),
                &key,
                visit.high.as_deref(),
                low.is_some(),
                visit.page,
            )?;
            open.push(Visit {
                page: child,
                depth: visit.depth + 1,
                low: low.replace(key.clone()),
                high: Some(key),
            });
        }
        pending = Some(child);
    }
    if let Some(child) = pending {
        open.push(Visit {
            page: child,
            depth: visit.depth + 1,
            low,
            high: visit.high,
        });
    }
    check_extents(bytes, &mut extents, visit.page)
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Here(&'a [u8]),
    Pages(u64, usize),
}

/// Number of nodes of a page, after checking the bounds of its free space.
fn node_count(bytes: &[u8], page: u64) -> Result<usize> {
    let (lower, upper) = (usize::from(u16_at(bytes, 12)), usize::from(u16_at(bytes, 14)));
    if lower < PAGE_HEADER || lower % 2 != 0 || lower > upper || upper > bytes.len() {
        return Err(damaged(format!("page {page}: bounds of its free space")));
    }
    Ok((lower - PAGE_HEADER) / 2)
}

/// Place of a node and the bytes from there to the page's end.
fn node(bytes: &[u8], index: usize, page: u64) -> Result<(usize, &[u8])> {
    let at = usize::from(u16_at(bytes, PAGE_HEADER + 2 * index));
    let upper = usize::from(u16_at(bytes, 14));
    if at < upper || at % 2 != 0 || at + NODE_HEADER > bytes.len() {
        return Err(damaged(format!("page {page}: a node lies outside")));
    }
    Ok((at, &bytes[at..]))
}

fn key(node: &[u8], len: usize, page: u64) -> Result<&[u8]> {
    if len > MAX_KEY || NODE_HEADER + len > node.len() {
        return Err(damaged(format!("page {page}: a key lies outside")));
    }
    Ok(&node[NODE_HEADER..NODE_HEADER + len])
}

/// Keys ascend, and lie between those of the branches above.
fn check_order(
    kinds: Kinds,
    low: Option<&[u8]>,
    key: &[u8],
    high: Option<&[u8]>,
    strictly: bool,
    page: u64,
) -> Result<()> {
    use std::cmp::Ordering;
    let compare = |a: &[u8], b: &[u8]| {
        if kinds == Kinds::Free && a.len() == 8 && b.len() == 8 {
            u64_at(a, 0).cmp(&u64_at(b, 0))
        } else {
            a.cmp(b)
        }
    };
    let above = low.is_none_or(|low| match compare(low, key) {
        Ordering::Less => true,
        Ordering::Equal => !strictly,
        Ordering::Greater => false,
    });
    if key.is_empty() || !above || high.is_some_and(|high| compare(key, high) != Ordering::Less) {
        return Err(damaged(format!("page {page}: a key is out of order")));
    }
    Ok(())
}

/// Nodes fill the page from its upper bound to its end, without overlap or gap.
fn check_extents(bytes: &[u8], extents: &mut [(usize, usize)], page: u64) -> Result<()> {
    extents.sort_unstable();
    let mut at = usize::from(u16_at(bytes, 14));
    for &mut (start, len) in extents {
        if start != at {
            return Err(damaged(format!("page {page}: nodes overlap or leave a gap")));
        }
        at += len.next_multiple_of(2);
    }
    if at != bytes.len() {
        return Err(damaged(format!("page {page}: nodes do not fill it")));
    }
    Ok(())
}
