//! Room ahead of the data file's last page, written before it is needed.
//!
//! A sync that finds the file grown waits for its metadata too, an inode or a journal, after the data: a quarter of a small
//! commit's sync. Zeros written behind the last page in steps move that wait to one commit in twenty. LMDB knows its last page
//! from its meta pages and never looks at what lies behind, so that neither a lost nor a half-written step is of any
//! consequence.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::sys;

/// Bytes of a step.
pub(super) const STEP: u64 = 256 << 10;
/// Bytes ahead at which the next step is written. A commit that is larger grows the file itself: it would only be
/// written twice.
const LEAST: u64 = 64 << 10;
/// Filesystems that write again to where a block lies, after statfs(2): ext4 and xfs. Elsewhere there is nothing to gain.
const IN_PLACE: [i64; 2] = [0xEF53, 0x5846_5342];

static ZEROS: [u8; STEP as usize] = [0; STEP as usize];

/// Keeps room ahead of one file, for its only writer.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// None where room ahead is of no use, or cannot be had.
    file: Option<File>,
    /// Bytes up to the last page when it was last looked at.
    used: u64,
}

impl Ahead {
    /// For the data file at a path that is there.
    pub(super) fn of(path: &Path) -> Self {
        let in_place = sys::filesystem_magic(path).is_ok_and(|magic| IN_PLACE.contains(&(magic & 0xFFFF_FFFF)));
        let file = in_place.then(|| OpenOptions::new().write(true).open(path));
        Self {
            file: file.and_then(std::io::Result::ok),
            used: 0,
        }
    }

    /// After a commit: `used` bytes of the file hold pages, and so many are free on the disk beyond what is kept free. Writes
    /// a step if little is left and the commit was small. A step that fails is none: the file then grows as it is written.
    pub(super) fn keep(&mut self, used: u64, spare: impl FnOnce() -> u64) {
        let grown = used.saturating_sub(self.used);
        self.used = used;
        let Some(file) = &self.file else { return };
        let end = file.metadata().map_or(0, |found| found.len());
        if grown <= LEAST && end >= used && end - used < LEAST && spare() >= STEP {
            let _ = file.write_all_at(&ZEROS, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(bytes: u64) -> (tempfile::NamedTempFile, Ahead) {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(bytes).unwrap();
        let ahead = Ahead {
            file: Some(OpenOptions::new().write(true).open(file.path()).unwrap()),
            used: bytes,
        };
        (file, ahead)
    }

    fn len(file: &tempfile::NamedTempFile) -> u64 {
        file.as_file().metadata().unwrap().len()
    }

    #[test]
    fn small_commits_find_room_ahead_of_them() {
        let (file, mut ahead) = ahead(8_192);
        let mut used = 8_192;
        for _ in 0..100 {
            ahead.keep(used, || u64::MAX);
            used += 16_384;
            assert!(len(&file) >= used, "the next commit fits");
            assert!(len(&file) <= used + LEAST + STEP);
        }
    }

    #[test]
    fn a_large_commit_is_not_written_twice() {
        let (file, mut ahead) = ahead(8_192);
        file.as_file().set_len(8_192 + (1 << 20)).unwrap();
        ahead.keep(8_192 + (1 << 20), || u64::MAX);
        assert_eq!(len(&file), 8_192 + (1 << 20));
    }

    #[test]
    fn the_last_bytes_of_a_disk_are_left_alone() {
        let (file, mut ahead) = ahead(8_192);
        ahead.keep(8_192, || STEP - 1);
        assert_eq!(len(&file), 8_192);
    }

    #[test]
    fn a_step_that_fails_is_no_error() {
        let (file, mut ahead) = ahead(8_192);
        ahead.file = Some(File::open(file.path()).unwrap());
        ahead.keep(8_192, || u64::MAX);
        assert_eq!(len(&file), 8_192);
    }
}
