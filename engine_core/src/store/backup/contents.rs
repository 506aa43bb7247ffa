//! What a data directory that nobody writes holds, read whole and checked.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::store::fault::OrFault;
use crate::store::hot::Hot;
use crate::store::keys;
use crate::store::lock::{HOT, PARTS};
use crate::store::manifest::{PartHandle, PartRecord, Registry, file_name};
use crate::store::part::Identity;
use crate::store::part::cache::Cache;
use crate::store::replay::{self, VerifyReport};
use crate::store::tables::Table;

/// Bytes for footers while parts are checked one by one.
const CACHE_BYTES: usize = 16 << 20;

/// What a hot environment says, all of it checked, and which parts it names.
pub(super) struct Contents {
    pub(super) store_id: u128,
    pub(super) namespaces: Vec<(u32, u64, String)>,
    pub(super) parts: Vec<Arc<PartHandle>>,
    pub(super) report: VerifyReport,
    registry: Arc<Registry>,
}

impl Contents {
    /// Reads the hot environment of a directory, as it is or as it was before its last transaction; its parts are still to be checked.
    pub(super) fn read(directory: &Path, before_the_last: bool) -> Result<Self> {
        let hot = Hot::open_for_reading(&directory.join(HOT), before_the_last)?;
        Self::of(&hot, directory)
    }

    /// The same of an environment that is open.
    pub(super) fn of(hot: &Hot, directory: &Path) -> Result<Self> {
        let loaded = replay::verify(hot)?;
        let registry = Arc::new(Registry::new(directory.join(PARTS), Cache::new(CACHE_BYTES)));
        let names: HashMap<_, _> = loaded
            .catalog
            .all_streams()
            .map(|stream| ((stream.namespace, stream.id), stream.name.clone()))
            .collect();
        let txn = hot.read()?;
        let mut parts = Vec::new();
        for found in hot.table(Table::Parts).iter(&txn).or_fault()? {
            let (key, value) = found.or_fault()?;
            let identity: Identity = key
                .try_into()
                .map_err(|_| Error::corrupt("a record of a part is damaged", "table parts, key"))?;
            let (namespace, stream, _) = keys::split_part(&identity);
            let name = names.get(&(namespace, stream)).map_or("", String::as_str);
            let record = PartRecord::decode(key, value)?;
            parts.push(Arc::new(PartHandle::new(identity, record, name, &registry)));
        }
        let base = &loaded.base;
        let spaces = loaded.catalog.spaces.iter();
        let namespaces = spaces.map(|(id, space)| {
            let commit = base.namespaces.get(id).map_or(0, |counters| counters.commit);
            (id.0, commit, space.record.name.clone())
        });
        Ok(Self {
            store_id: hot.format(&txn)?.store_id,
            namespaces: namespaces.collect(),
            parts,
            report: loaded.report,
            registry,
        })
    }

    /// Reads a part whole and checks it.
    ///
    /// # Errors
    /// Corrupt: it is missing or not what was written, with the stream and the range of its rows.
    pub(super) fn check(&mut self, part: &PartHandle) -> Result<()> {
        let opened = part.open()?;
        if opened.root().store_id != self.store_id {
            return Err(part.explain(&Error::corrupt("", "the part is of another store")));
        }
        let blocks = opened.verify(&mut |_| Ok(())).map_err(|error| part.explain(&error))?;
        self.report.parts += 1;
        self.report.part_blocks += blocks;
        self.report.part_rows += part.rows();
        self.report.part_bytes += part.bytes();
        drop(opened);
        self.registry.forget(part);
        Ok(())
    }

    /// The same of every part that the records name.
    pub(super) fn check_parts(&mut self) -> Result<()> {
        for part in self.parts.clone() {
            self.check(&part)?;
        }
        Ok(())
    }
}

/// Path of a part in its directory.
pub(super) fn name_of(part: &PartHandle) -> String {
    format!("{PARTS}/{}", file_name(&part.identity, false))
}
