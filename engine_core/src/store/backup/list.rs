//! The list of a backup: the text file `BACKUP`, which says what it holds. FORMAT.md, "Backups".

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{SERVER_FILES, damaged, refused};
use crate::codec::checksum::crc32c;
use crate::error::Result;
use crate::store::fault::OrFault;
use crate::store::lock::{HOT, MARKER, PARTS};

/// Name of the list.
pub(super) const LIST: &str = "BACKUP";
const FORMAT: u32 = 1;
/// More than the list of any store is long.
const MOST_BYTES: u64 = 1 << 30;

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    /// Path in the backup.
    pub(in crate::store) name: String,
    pub(super) bytes: u64,
    /// crc32c of the whole file.
    pub(super) crc: u32,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) store_id: u128,
    pub(super) created_ns: i64,
    /// Number, last commit and name of each namespace.
    pub(super) namespaces: Vec<(u32, u64, String)>,
    /// The hot environment, then parts and files of the server, the marker last.
    pub(super) files: Vec<Entry>,
}

impl List {
    pub(super) fn encode(&self) -> String {
        let mut text = format!("marigram backup\nformat {FORMAT}\nstore {:032x}\n", self.store_id);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "created_ns {}", self.created_ns);
        for (id, commit, name) in &self.namespaces {
            let _ = writeln!(text, "namespace {id} {commit} {name}");
        }
        for file in &self.files {
            let _ = writeln!(text, "file {} {:08x} {}", file.bytes, file.crc, file.name);
        }
        let crc = crc32c(text.as_bytes());
        let _ = writeln!(text, "crc32c {crc:08x}");
        text
    }

    pub(super) fn decode(text: &[u8]) -> Result<Self> {
        let wrong = |what: &str| damaged(LIST, what);
        let text = std::str::from_utf8(text).map_err(|_| wrong("is not text"))?;
        if !text.starts_with("marigram backup\n") {
            return Err(wrong("does not begin as a backup's list does"));
        }
        let (body, end) = text
            .len()
            .checked_sub("crc32c 01234567\n".len())
            .and_then(|at| text.split_at_checked(at))
            .ok_or_else(|| wrong("is too short"))?;
        let crc = end.strip_prefix("crc32c ").and_then(|rest| rest.strip_suffix('\n'));
        if crc != Some(&format!("{:08x}", crc32c(body.as_bytes()))) {
            return Err(wrong("does not have the checksum at its end"));
        }
        let mut lines = body.lines().skip(1);
        let mut field = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.ok_or_else(|| wrong(&format!("has no {name} where it belongs")))
        };
        let format: u32 = field("format")?.parse().map_err(|_| wrong("names no format"))?;
        if format != FORMAT {
            return Err(refused(
                "FORMAT_TOO_NEW",
                format!("the backup has format {format}; this program reads {FORMAT}"),
            ));
        }
        let store_id = u128::from_str_radix(field("store")?, 16).map_err(|_| wrong("names no store"))?;
        let created_ns = field("created_ns")?.parse().map_err(|_| wrong("names no time"))?;
        let mut list = Self {
            store_id,
            created_ns,
            namespaces: Vec::new(),
            files: Vec::new(),
        };
        for line in lines {
            list.line(line).ok_or_else(|| wrong("has a line that is none"))?;
        }
        let count = |name: &str| list.files.iter().filter(|file| file.name == name).count();
        if (count(HOT), count(MARKER)) != (1, 1) || list.files.last().is_none_or(|file| file.name != MARKER) {
            return Err(wrong("names no data file, or no marker at its end"));
        }
        Ok(list)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        if let Some(rest) = line.strip_prefix("namespace ") {
            let mut words = rest.splitn(3, ' ');
            let (id, commit) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            self.namespaces.push((id, commit, words.next()?.to_owned()));
            return Some(());
        }
        let mut words = line.strip_prefix("file ")?.splitn(3, ' ');
        let (bytes, crc) = (
            words.next()?.parse().ok()?,
            u32::from_str_radix(words.next()?, 16).ok()?,
        );
        let name = words.next()?.to_owned();
        is_ours(&name).then(|| self.files.push(Entry { name, bytes, crc }))
    }

    /// Reads the list of the backup in a directory.
    ///
    /// # Errors
    /// FailedPrecondition: NOT_A_BACKUP, FORMAT_TOO_NEW. Corrupt: BACKUP_DAMAGED.
    pub(super) fn read(backup: &Path) -> Result<Self> {
        let path = backup.join(LIST);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() && found.len() <= MOST_BYTES => {}
            _ => {
                return Err(refused(
                    "NOT_A_BACKUP",
                    format!("there is no backup: the directory has no list ({LIST}), which is written last"),
                ));
            }
        }
        Self::decode(&fs::read(path).or_fault()?)
    }

    /// A file by its name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// Whether a backup may hold a file of this name: nothing that lies elsewhere.
fn is_ours(name: &str) -> bool {
    let Some(part) = name.strip_prefix(PARTS).and_then(|rest| rest.strip_prefix('/')) else {
        return name == HOT || name == MARKER || SERVER_FILES.contains(&name);
    };
    let numbers = part.strip_suffix(".mdb").unwrap_or_default().split('-');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.clone().count() == 3 && numbers.into_iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> List {
        let file = |name: &str, crc| Entry {
            name: name.to_owned(),
            bytes: 4_096,
            crc,
        };
        List {
            store_id: 7 << 100,
            created_ns: -5,
            namespaces: vec![(1, 9, "two words".to_owned())],
            files: vec![file(HOT, 1), file("parts/1-2-3.mdb", 0xFFFF_FFFF), file(MARKER, 3)],
        }
    }

    #[test]
    fn a_list_reads_back_whole() {
        let text = list().encode();
        assert!(
            text.contains("namespace 1 9 two words\nfile 4096 00000001 hot.mdb\n"),
            "{text}"
        );
        assert_eq!(List::decode(text.as_bytes()).unwrap(), list());
    }

    #[test]
    fn a_list_with_any_byte_changed_is_refused() {
        let text = list().encode().into_bytes();
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            List::decode(&changed).unwrap_err();
            List::decode(&text[..at]).unwrap_err();
        }
    }

    #[test]
    fn names_of_files_elsewhere_are_none() {
        for name in ["parts/1-2-3.mdb", HOT, MARKER] {
            assert!(is_ours(name), "{name}");
        }
        for name in [
            "",
            "..",
            "/etc/passwd",
            "parts/../x.mdb",
            "parts/1-2.mdb",
            "parts/1-2-x.mdb",
            "parts/1-2-3",
            "lock",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
