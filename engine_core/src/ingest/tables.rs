//! Series tables that have been seen: most writers send the same one with every batch, and reading a thousand series takes
//! longer than all the rest of a thousand rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::wire::batch::EncodedSeries;

/// Bytes of tables that are remembered; past them all are forgotten, and those in use are soon back.
const MAX_BYTES: usize = 16 << 20;
/// Bytes that a table takes beside its own and its codes: two allocations, and its place in the map while that has room to
/// grow. Writers of one series a batch would else be let keep several times the bound.
const OVERHEAD_BYTES: usize = 192;

/// Entity codes by table. Codes are for ever and so is the verdict on a table without a fault: a label stays a label.
#[derive(Debug, Default)]
pub struct KnownTables(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    by_hash: HashMap<(u32, u64), Known>,
    bytes: usize,
}

#[derive(Debug)]
struct Known {
    first: usize,
    bytes: Box<[u8]>,
    codes: Arc<[u32]>,
}

fn hash(table: &EncodedSeries<'_>) -> u64 {
    xxh3_64_with_seed(table.bytes, table.first as u64)
}

impl KnownTables {
    /// Entity code of each series of a table that the stream has taken before.
    pub(super) fn find(&self, stream: u32, table: &EncodedSeries<'_>) -> Option<Arc<[u32]>> {
        let hash = hash(table);
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tables.by_hash.get(&(stream, hash))?;
        (known.first == table.first && *known.bytes == *table.bytes).then(|| Arc::clone(&known.codes))
    }

    /// Remembers a table every series of which is in use and breaks no rule.
    pub(super) fn remember(&self, stream: u32, table: &EncodedSeries<'_>, codes: &[u32]) {
        let cost = |known: &Known| OVERHEAD_BYTES + known.bytes.len() + known.codes.len() * 4;
        let known = Known {
            first: table.first,
            bytes: table.bytes.into(),
            codes: codes.into(),
        };
        let hash = hash(table);
        if cost(&known) > MAX_BYTES {
            return;
        }
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.bytes + cost(&known) > MAX_BYTES {
            *tables = Tables::default();
        }
        tables.bytes += cost(&known);
        if let Some(before) = tables.by_hash.insert((stream, hash), known) {
            tables.bytes -= cost(&before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_its_bytes_where_they_part_and_its_stream() {
        let tables = KnownTables::default();
        let table = |first, bytes| EncodedSeries { first, bytes };
        tables.remember(1, &table(2, b"abcd"), &[7, 9]);
        assert_eq!(tables.find(1, &table(2, b"abcd")).as_deref(), Some(&[7, 9][..]));
        assert_eq!(tables.find(1, &table(1, b"abcd")), None);
        assert_eq!(tables.find(1, &table(2, b"abce")), None);
        assert_eq!(tables.find(2, &table(2, b"abcd")), None);
    }

    #[test]
    fn small_tables_and_huge_ones_keep_to_the_bound_too() {
        let tables = KnownTables::default();
        for first in 0..200_000usize {
            let bytes = first.to_le_bytes();
            tables.remember(1, &EncodedSeries { first, bytes: &bytes }, &[1]);
        }
        let kept = tables.0.lock().unwrap().by_hash.len();
        assert!(kept <= MAX_BYTES / 128, "{kept} tables take more than their bytes");
        let bytes = vec![1; MAX_BYTES + 1];
        tables.remember(
            1,
            &EncodedSeries {
                first: 0,
                bytes: &bytes,
            },
            &[],
        );
        assert!(tables.0.lock().unwrap().bytes <= MAX_BYTES);
    }

    #[test]
    fn memory_is_bounded() {
        let tables = KnownTables::default();
        let bytes = vec![1; 1 << 20];
        for first in 0..40 {
            tables.remember(1, &EncodedSeries { first, bytes: &bytes }, &[]);
            assert!(tables.0.lock().unwrap().bytes <= MAX_BYTES);
        }
        assert!(
            tables
                .find(
                    1,
                    &EncodedSeries {
                        first: 39,
                        bytes: &bytes
                    }
                )
                .is_some()
        );
    }
}
