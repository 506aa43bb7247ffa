//! Reading a store back: every record is checked, every count compared, and what is read becomes the state in memory. The same
//! pass without keeping anything is `verify`.

mod dictionaries;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use heed::{RoTxn, WithTls};

use super::blob;
use super::catalog::{Catalog, Space};
use super::change::Base;
use super::fault::OrFault;
use super::frame::damaged;
use super::hot::Hot;
use super::keys;
use super::manifest::{Manifest, PartHandle, PartRecord, Registry};
use super::part::Identity;
use super::records::{self, NamespaceCounters, NamespaceRecord, StreamCounters, StreamRecord};
use super::stream::{CommitCounter, NamespaceId, Stream};
use super::tables::Table;
use super::tail::TailBatch;
use super::writers::{Writer, Writers};
use super::{documents, quarantine};
use crate::column::{ColumnId, PackedBatch};
use crate::error::{Error, Result};
use crate::time::Timestamp;
use crate::window::watermark::Watermark;

/// What a verification has seen, all of it sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Records besides L0 values.
    pub records: u64,
    /// L0 values.
    pub l0_values: u64,
    /// Batches in them.
    pub batches: u64,
    /// Blocks in those, each with its checksum.
    pub blocks: u64,
    /// Rows in those.
    pub rows: u64,
    /// Bytes of L0 values.
    pub l0_bytes: u64,
    /// Parts.
    pub parts: u64,
    /// Blocks in those.
    pub part_blocks: u64,
    /// Rows in those.
    pub part_rows: u64,
    /// Bytes of their files.
    pub part_bytes: u64,
}

/// State in memory as the disk has it.
pub(super) struct Loaded {
    pub(super) base: Base,
    pub(super) catalog: Catalog,
    pub(super) writers: Writers,
    pub(super) tail_bytes: u64,
    /// Parts that records name.
    pub(super) parts: HashSet<Identity>,
    /// What is wrong with sealed indexes of dictionaries: a store opens without them.
    pub(super) unsound_indexes: Vec<Error>,
    pub(super) report: VerifyReport,
}

struct Reader<'a> {
    hot: &'a Hot,
    txn: RoTxn<'a, WithTls>,
    /// Whether texts and rows are kept, with where parts lie and what the clock shows; else they are only checked.
    keep: Option<(&'a Arc<Registry>, Timestamp)>,
    loaded: Loaded,
}

/// Reads the store back. Without `keep` nothing but counters is held in memory.
pub(super) fn read_back(hot: &Hot, keep: Option<(&Arc<Registry>, Timestamp)>) -> Result<Loaded> {
    let txn = hot.read()?;
    let stamp = hot.stamp(&txn)?;
    let mut reader = Reader {
        hot,
        txn,
        keep,
        loaded: Loaded {
            base: Base {
                stamp,
                ..Base::default()
            },
            catalog: Catalog {
                next_stream: stamp.next_stream,
                ..Catalog::default()
            },
            writers: Writers::new(),
            tail_bytes: 0,
            parts: HashSet::new(),
            unsound_indexes: Vec::new(),
            report: VerifyReport::default(),
        },
    };
    reader.counters()?;
    reader.namespaces()?;
    reader.streams()?;
    reader.dictionaries()?;
    reader.manifests()?;
    reader.parts()?;
    reader.l0()?;
    reader.writers()?;
    reader.documents()?;
    reader.quarantine()?;
    Ok(reader.loaded)
}

/// Reads the store back to tell whether all of it is what was written, that too which it opens without.
pub(super) fn verify(hot: &Hot) -> Result<Loaded> {
    let mut loaded = read_back(hot, None)?;
    loaded.unsound_indexes.pop().map_or(Ok(loaded), Err)
}

impl Reader<'_> {
    /// Every record of a table in order of key. Returns how many there were.
    fn each(&mut self, table: Table, mut take: impl FnMut(&mut Loaded, &[u8], &[u8]) -> Result<()>) -> Result<u64> {
        let mut seen = 0;
        for found in self.hot.table(table).iter(&self.txn).or_fault()? {
            let (key, value) = found.or_fault()?;
            take(&mut self.loaded, key, value)?;
            seen += 1;
        }
        self.loaded.report.records += seen;
        Ok(seen)
    }

    fn counters(&mut self) -> Result<()> {
        self.each(Table::Counters, |loaded, key, value| {
            let base = &mut loaded.base;
            match key.len() {
                4 => {
                    let namespace = NamespaceId(u32::from_be_bytes([key[0], key[1], key[2], key[3]]));
                    base.namespaces
                        .insert(namespace, NamespaceCounters::decode(key, value)?);
                }
                8 | 10 => {
                    let id = keys::parse_stream(&key[..8]).ok_or_else(|| damaged(Table::Counters, key, "key"))?;
                    if let Ok(column) = <[u8; 2]>::try_from(&key[8..]) {
                        let len = records::decode_dictionary_len(key, value)?;
                        let column = ColumnId::from_be_bytes(column);
                        base.dictionaries.entry(id).or_default().insert(column, len);
                    } else {
                        let counters = StreamCounters::decode(key, value)?;
                        if !counters.ledger.balances() || counters.l0_first > counters.l0_next {
                            return Err(damaged(Table::Counters, key, "the ledger does not balance"));
                        }
                        base.streams.insert(id, counters);
                    }
                }
                _ => return Err(damaged(Table::Counters, key, "key")),
            }
            Ok(())
        })?;
        Ok(())
    }

    fn namespaces(&mut self) -> Result<()> {
        let seen = self.each(Table::Namespaces, |loaded, key, value| {
            let record = NamespaceRecord::decode(key, value)?;
            let id: [u8; 4] = key.try_into().map_err(|_| damaged(Table::Namespaces, key, "key"))?;
            let id = NamespaceId(u32::from_be_bytes(id));
            let counters = loaded.base.namespaces.get(&id);
            let counters =
                counters.ok_or_else(|| damaged(Table::Counters, key, "counters of a namespace are missing"))?;
            if id.0 >= loaded.base.stamp.next_namespace {
                return Err(damaged(Table::Namespaces, key, "a number that was never given out"));
            }
            loaded.catalog.by_name.insert(record.name.clone(), id);
            let space = Space {
                record,
                commits: Arc::new(CommitCounter::at(counters.commit)),
                streams: BTreeMap::new(),
            };
            loaded.catalog.spaces.insert(id, space);
            Ok(())
        })?;
        if seen != u64::from(self.loaded.base.stamp.namespaces) {
            return Err(damaged(Table::Namespaces, &[], "a namespace is missing"));
        }
        Ok(())
    }

    fn streams(&mut self) -> Result<()> {
        let mut by_namespace: HashMap<NamespaceId, u32> = HashMap::new();
        let seen = self.each(Table::Streams, |loaded, key, value| {
            let id = keys::parse_stream(key).ok_or_else(|| damaged(Table::Streams, key, "key"))?;
            let record = StreamRecord::decode(key, value)?;
            let counters = loaded.base.streams.get(&id);
            let counters = counters.ok_or_else(|| damaged(Table::Counters, key, "counters of a stream are missing"))?;
            if counters.schema_version != record.schema.version || id.1 >= loaded.base.stamp.next_stream {
                return Err(damaged(
                    Table::Streams,
                    key,
                    "schema of another version, or number never given out",
                ));
            }
            let space = loaded.catalog.space_mut(id.0)?;
            let commits = Arc::clone(&space.commits);
            let stream = Stream::new(id.1, id.0, &record.name, record.created_ns, record.schema, commits);
            *stream.watermark_state() =
                Watermark::restore(counters.max_time, counters.last_arrival, counters.watermark);
            *stream.ledger() = counters.ledger;
            stream.mark_durable();
            if space.streams.insert(record.name, Arc::new(stream)).is_some() {
                return Err(damaged(Table::Streams, key, "a name is there twice"));
            }
            *by_namespace.entry(id.0).or_default() += 1;
            Ok(())
        })?;
        let base = &self.loaded.base;
        for (id, counters) in &base.namespaces {
            if by_namespace.get(id).copied().unwrap_or(0) != counters.streams {
                return Err(damaged(Table::Streams, &keys::namespace(*id), "a stream is missing"));
            }
        }
        if seen != base.streams.len() as u64 {
            return Err(damaged(Table::Streams, &[], "counters without a stream"));
        }
        Ok(())
    }

    /// A stream by its number. Built once: names are what the catalogue is ordered by.
    fn by_id(&self) -> HashMap<(NamespaceId, u32), Arc<Stream>> {
        let streams = self.loaded.catalog.all_streams();
        streams
            .map(|stream| ((stream.namespace, stream.id), Arc::clone(stream)))
            .collect()
    }

    fn l0(&mut self) -> Result<()> {
        let (streams, keep) = (self.by_id(), self.keep);
        let mut next: HashMap<(NamespaceId, u32), (u64, u64)> = HashMap::new();
        let values = self.each(Table::L0, |loaded, key, value| {
            let wrong = |what| damaged(Table::L0, key, what);
            let (group, namespace, stream) = keys::parse_l0(key).ok_or_else(|| wrong("key"))?;
            let id = (namespace, stream);
            let (header, batches) = blob::open(key, value)?;
            let stream = streams.get(&id).ok_or_else(|| wrong("rows without a stream"))?;
            let first = loaded.base.streams.get(&id).map_or(0, |counters| counters.l0_first);
            let (number, rows) = next.entry(id).or_insert((first, 0));
            if header.number != *number {
                return Err(wrong("a value is missing"));
            }
            if group > loaded.base.stamp.group || header.commit > stream.commits.published() {
                return Err(wrong("a commit that never was"));
            }
            *number += 1;
            let report = &mut loaded.report;
            report.batches += batches.len() as u64;
            report.l0_bytes += value.len() as u64;
            for bytes in batches {
                let packed = PackedBatch::open(bytes.to_vec())?;
                packed.verify()?;
                *rows += packed.rows() as u64;
                report.rows += packed.rows() as u64;
                report.blocks += (packed.blocks() * packed.columns()) as u64;
                if let Some((_, now)) = keep {
                    loaded.tail_bytes += packed.bytes().len() as u64;
                    stream.push_batch(TailBatch {
                        commit: header.commit,
                        l0: (header.number, group),
                        arrived_ns: now,
                        packed,
                    });
                }
            }
            Ok(())
        })?;
        self.loaded.report.records -= values;
        self.loaded.report.l0_values = values;
        for (id, counters) in &self.loaded.base.streams {
            let (number, rows) = next.get(id).copied().unwrap_or((counters.l0_first, 0));
            if (number, rows) != (counters.l0_next, counters.l0_rows) {
                return Err(damaged(
                    Table::L0,
                    &keys::stream(id.0, id.1),
                    "the last values are missing",
                ));
            }
        }
        Ok(())
    }

    fn manifests(&mut self) -> Result<()> {
        let streams = self.by_id();
        self.each(Table::Manifests, |loaded, key, value| {
            let wrong = |what| damaged(Table::Manifests, key, what);
            let id = keys::parse_stream(key).ok_or_else(|| wrong("key"))?;
            if !streams.contains_key(&id) {
                return Err(wrong("a manifest without a stream"));
            }
            loaded.base.manifests.insert(id, Manifest::decode(key, value)?);
            Ok(())
        })?;
        for (id, counters) in &self.loaded.base.streams {
            let manifest = self.loaded.base.manifests.get(id).copied().unwrap_or_default();
            let accounted = counters.l0_rows + manifest.rows + manifest.dropped_rows;
            if counters.ledger.stored != accounted || (manifest.generation == 0 && counters.l0_first != 0) {
                let key = keys::stream(id.0, id.1);
                return Err(damaged(Table::Manifests, &key, "rows are stored and nowhere"));
            }
        }
        Ok(())
    }

    fn parts(&mut self) -> Result<()> {
        let (streams, keep) = (self.by_id(), self.keep);
        let mut parts: HashMap<(NamespaceId, u32), Vec<(Identity, PartRecord)>> = HashMap::new();
        self.each(Table::Parts, |loaded, key, value| {
            let wrong = |what| damaged(Table::Parts, key, what);
            let identity: Identity = key.try_into().map_err(|_| wrong("key"))?;
            let (namespace, stream, number) = keys::split_part(&identity);
            let manifest = loaded.base.manifests.get(&(namespace, stream));
            if manifest.is_none_or(|manifest| number >= manifest.next_part) {
                return Err(wrong("a part without a manifest, or a number never given out"));
            }
            loaded.parts.insert(identity);
            let record = PartRecord::decode(key, value)?;
            parts.entry((namespace, stream)).or_default().push((identity, record));
            Ok(())
        })?;
        for (id, manifest) in &self.loaded.base.manifests {
            let found = parts.remove(id).unwrap_or_default();
            let (rollups, mut found): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|(_, record)| record.rollup.is_some());
            let rollup_bytes: u64 = rollups.iter().map(|(_, record)| record.bytes).sum();
            if (rollups.len() as u64, rollup_bytes) != (manifest.rollups.into(), manifest.rollup_bytes) {
                return Err(damaged(Table::Parts, &keys::stream(id.0, id.1), "a rollup is missing"));
            }
            let rows: u64 = found.iter().map(|(_, record)| record.rows).sum();
            let bytes: u64 = found.iter().map(|(_, record)| record.bytes).sum();
            if (found.len() as u64, rows, bytes) != (manifest.parts.into(), manifest.rows, manifest.bytes) {
                return Err(damaged(Table::Parts, &keys::stream(id.0, id.1), "a part is missing"));
            }
            if let Some((registry, _)) = keep
                && let Some(stream) = streams.get(id)
            {
                found.sort_by_key(|(identity, record)| (record.l0.0, record.tile, keys::split_part(identity).2));
                let handle = |(identity, record)| Arc::new(PartHandle::new(identity, record, &stream.name, registry));
                let parts = found.into_iter().map(handle).collect();
                let rollups = rollups.into_iter().map(handle).collect();
                stream.restore_parts(parts, rollups, (manifest.next_part, manifest.dropped_through));
            }
        }
        Ok(())
    }

    fn writers(&mut self) -> Result<()> {
        self.each(Table::Writers, |loaded, key, value| {
            let writer = Writer::decode(key, value)?;
            let (id, name) = split_namespace(Table::Writers, key)?;
            let name = std::str::from_utf8(name).map_err(|_| damaged(Table::Writers, key, "name"))?;
            loaded
                .writers
                .entry(id)
                .or_default()
                .insert(name.to_owned(), Arc::new(writer));
            Ok(())
        })?;
        for (id, counters) in &self.loaded.base.namespaces {
            if self.loaded.writers.get(id).map_or(0, HashMap::len) != counters.writers as usize {
                return Err(damaged(Table::Writers, &keys::namespace(*id), "a writer is missing"));
            }
        }
        Ok(())
    }

    fn documents(&mut self) -> Result<()> {
        let mut counts: HashMap<NamespaceId, u64> = HashMap::new();
        self.each(Table::Documents, |_, key, value| {
            documents::decode(key, value)?;
            *counts.entry(split_namespace(Table::Documents, key)?.0).or_default() += 1;
            Ok(())
        })?;
        for (id, counters) in &self.loaded.base.namespaces {
            if counts.get(id).copied().unwrap_or(0) != counters.documents {
                return Err(damaged(
                    Table::Documents,
                    &keys::namespace(*id),
                    "a document is missing",
                ));
            }
        }
        Ok(())
    }

    fn quarantine(&mut self) -> Result<()> {
        let mut next: HashMap<(NamespaceId, u32), u64> = HashMap::new();
        self.each(Table::Quarantine, |_, key, value| {
            let wrong = |what| damaged(Table::Quarantine, key, what);
            quarantine::decode(key, value)?;
            let id = key.get(..8).and_then(keys::parse_stream).ok_or_else(|| wrong("key"))?;
            let number = next.entry(id).or_default();
            if key != keys::quarantine(id.0, id.1, *number) {
                return Err(wrong("rows are missing"));
            }
            *number += 1;
            Ok(())
        })?;
        for (id, counters) in &self.loaded.base.streams {
            if next.get(id).copied().unwrap_or(0) != counters.quarantine_next {
                return Err(damaged(
                    Table::Quarantine,
                    &keys::stream(id.0, id.1),
                    "the last rows are missing",
                ));
            }
        }
        Ok(())
    }
}

fn split_namespace(table: Table, key: &[u8]) -> Result<(NamespaceId, &[u8])> {
    let (namespace, rest) = key.split_first_chunk::<4>().ok_or_else(|| damaged(table, key, "key"))?;
    Ok((NamespaceId(u32::from_be_bytes(*namespace)), rest))
}
