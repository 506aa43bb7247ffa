//! One write transaction: what it changes lies beside the durable state until the commit has succeeded, so that a failed one
//! leaves no trace in memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use heed::types::DecodeIgnore;
use heed::{PutFlags, RwTxn};

use super::blob::{self, L0Header};
use super::catalog::namespace_not_found;
use super::fault::{OrFault, classify, needs_reopening};
use super::hot::Hot;
use super::keys;
use super::manifest::{Manifest, PartRecord};
use super::pages;
use super::part::Identity;
use super::records::{self, NamespaceCounters, STAMP_KEY, Stamp, StreamCounters, StreamRecord};
use super::shared::Shared;
use super::stream::{NamespaceId, Stream};
use super::tables::Table;
use super::writers::Writer;
use crate::column::schema::ENTITY;
use crate::column::{ColumnId, PackedBatch};
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// What the last commit left on the disk, counters alone. The committer's own.
#[derive(Default)]
pub(super) struct Base {
    pub(super) stamp: Stamp,
    pub(super) namespaces: HashMap<NamespaceId, NamespaceCounters>,
    pub(super) streams: HashMap<(NamespaceId, u32), StreamCounters>,
    /// Length of each dictionary with a text.
    pub(super) dictionaries: HashMap<(NamespaceId, u32), BTreeMap<ColumnId, u32>>,
    /// What is sealed, of streams of which anything ever was.
    pub(super) manifests: HashMap<(NamespaceId, u32), Manifest>,
}

/// Done once the transaction is durable.
type After = Box<dyn FnOnce(&Shared) + Send>;

/// What a transaction changes.
#[derive(Default)]
pub(super) struct Pending {
    stamp: Stamp,
    namespaces: BTreeMap<NamespaceId, NamespaceCounters>,
    streams: BTreeMap<(NamespaceId, u32), StreamCounters>,
    deleted: BTreeSet<(NamespaceId, u32)>,
    dictionaries: BTreeMap<(NamespaceId, u32, ColumnId), u32>,
    manifests: BTreeMap<(NamespaceId, u32), Manifest>,
    writers: BTreeMap<(NamespaceId, String), Writer>,
    advanced: BTreeSet<NamespaceId>,
    after: Vec<After>,
}

/// A transaction that failed.
pub(super) struct Failure {
    pub(super) error: Error,
    /// The environment has to be closed and opened again.
    pub(super) reopen: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, reopen: false }
    }
}

impl From<heed::Error> for Failure {
    fn from(error: heed::Error) -> Self {
        let reopen = needs_reopening(&error);
        Self {
            error: classify(error),
            reopen,
        }
    }
}

/// One write transaction.
pub(super) struct Change<'a> {
    shared: &'a Shared,
    hot: &'a Hot,
    base: &'a Base,
    txn: RwTxn<'a>,
    now: Timestamp,
    /// Something has been put or deleted.
    is_dirty: bool,
    pending: Pending,
}

impl<'a> Change<'a> {
    /// Begins a transaction.
    pub(super) fn begin(shared: &'a Shared, hot: &'a Hot, base: &'a Base) -> Result<Self, Failure> {
        let txn = hot.write()?;
        let stamp = Stamp {
            txn: txn.id() as u64,
            group: base.stamp.group + 1,
            clean: false,
            ..base.stamp
        };
        Ok(Self {
            shared,
            hot,
            base,
            txn,
            now: shared.options.clock.now(),
            is_dirty: false,
            pending: Pending {
                stamp,
                ..Pending::default()
            },
        })
    }

    /// The clock when the transaction began.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// What the transaction belongs to.
    pub(super) fn shared(&self) -> &'a Shared {
        self.shared
    }

    /// The store's numbers.
    pub(super) fn stamp(&mut self) -> &mut Stamp {
        &mut self.pending.stamp
    }

    /// Counters of a namespace, to read and to change.
    pub(super) fn namespace(&mut self, namespace: NamespaceId) -> Result<&mut NamespaceCounters> {
        match self.pending.namespaces.entry(namespace) {
            std::collections::btree_map::Entry::Occupied(found) => Ok(found.into_mut()),
            std::collections::btree_map::Entry::Vacant(room) => match self.base.namespaces.get(&namespace) {
                Some(counters) => Ok(room.insert(*counters)),
                None if namespace == NamespaceId::SYSTEM => Ok(room.insert(NamespaceCounters::default())),
                None => Err(namespace_not_found()),
            },
        }
    }

    /// Adds a namespace.
    pub(super) fn add_namespace(&mut self, namespace: NamespaceId) {
        self.pending.namespaces.insert(namespace, NamespaceCounters::default());
    }

    /// Number of the namespace's commit that this transaction is: one higher than its last.
    pub(super) fn commit_number(&mut self, namespace: NamespaceId) -> Result<u64> {
        let first = self.pending.advanced.insert(namespace);
        let counters = self.namespace(namespace)?;
        counters.commit += u64::from(first);
        Ok(counters.commit)
    }

    /// Counters of a stream, to read and to change.
    pub(super) fn stream(&mut self, key: (NamespaceId, u32)) -> &mut StreamCounters {
        let base = self.base;
        self.pending
            .streams
            .entry(key)
            .or_insert_with(|| base.streams.get(&key).copied().unwrap_or_default())
    }

    /// A writer as this transaction sees it; none: it was never opened.
    pub(super) fn writer(&self, namespace: NamespaceId, name: &str) -> Option<Cow<'_, Writer>> {
        match self.pending.writers.get(&(namespace, name.to_owned())) {
            Some(writer) => Some(Cow::Borrowed(writer)),
            None => self
                .shared
                .find_writer(namespace, name)
                .map(|writer| Cow::Owned(Writer::clone(&writer))),
        }
    }

    /// Replaces a writer.
    pub(super) fn set_writer(&mut self, namespace: NamespaceId, name: &str, writer: Writer) {
        self.pending.writers.insert((namespace, name.to_owned()), writer);
    }

    /// Does something once the transaction is durable.
    pub(super) fn after(&mut self, action: impl FnOnce(&Shared) + Send + 'static) {
        self.pending.after.push(Box::new(action));
    }

    /// The value under a key.
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>> {
        self.hot.table(table).get(&self.txn, key).or_fault()
    }

    /// Puts a record.
    pub(super) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
        self.is_dirty = true;
        self.hot.table(table).put(&mut self.txn, key, value).or_fault()
    }

    /// Deletes a record that must be there.
    pub(super) fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
        self.is_dirty = true;
        if self.hot.table(table).delete(&mut self.txn, key).or_fault()? {
            Ok(())
        } else {
            Err(super::frame::damaged(table, key, "a record is missing"))
        }
    }

    /// Writes what of a stream is not durable yet: dictionaries from their durable length on, then the schema.
    pub(super) fn flush_stream(&mut self, stream: &Arc<Stream>) -> Result<()> {
        let id = (stream.namespace, stream.id);
        let is_new = !self.base.streams.contains_key(&id) && !self.pending.streams.contains_key(&id);
        if is_new {
            self.namespace(stream.namespace)?.streams += 1;
            let next = &mut self.pending.stamp.next_stream;
            *next = (*next).max(stream.id + 1);
            self.stream(id);
            let stream = Arc::clone(stream);
            self.after(move |_| stream.mark_durable());
        }
        // Dictionaries are read first: the labels of an entity were columns of the schema before it was interned.
        self.flush_dictionary(id, ENTITY, |durable| {
            let entities = stream.entities();
            let len = entities.dictionary.len();
            let texts = (len > durable).then(|| entities.dictionary.texts_from(durable));
            (len, texts.map(|texts| pages::plain(id.0, id.1, ENTITY, durable, texts)))
        })?;
        for (column, symbols) in stream.all_symbols() {
            self.flush_dictionary(id, column, |durable| {
                let dictionary = symbols.read();
                let len = dictionary.len();
                let texts = (len > durable).then(|| dictionary.texts_from(durable));
                (len, texts.map(|texts| pages::plain(id.0, id.1, column, durable, texts)))
            })?;
        }
        let schema = stream.schema();
        if self.stream(id).schema_version != schema.version {
            let key = keys::stream(id.0, id.1);
            let record = StreamRecord::encode(&stream.name, stream.created_ns, &schema, &key);
            self.put(Table::Streams, &key, &record)?;
            self.stream(id).schema_version = schema.version;
        }
        Ok(())
    }

    fn flush_dictionary(
        &mut self,
        id: (NamespaceId, u32),
        column: ColumnId,
        read: impl FnOnce(u32) -> (u32, Option<Vec<([u8; 14], Vec<u8>)>>),
    ) -> Result<()> {
        let durable = self.dictionary_len(id, column);
        let (len, Some(pages)) = read(durable.max(1)) else {
            return Ok(());
        };
        for (key, page) in &pages {
            self.put(Table::Dictionaries, key, page)?;
        }
        if durable == 0 {
            self.stream(id).dictionaries += 1;
        }
        let key = keys::dictionary(id.0, id.1, column);
        self.put(Table::Counters, &key, &records::encode_dictionary_len(len, &key))?;
        self.pending.dictionaries.insert((id.0, id.1, column), len);
        Ok(())
    }

    /// Durable length of a dictionary; 0: nothing of it is.
    fn dictionary_len(&self, id: (NamespaceId, u32), column: ColumnId) -> u32 {
        let pending = self.pending.dictionaries.get(&(id.0, id.1, column));
        let base = || self.base.dictionaries.get(&id)?.get(&column);
        pending.or_else(base).copied().unwrap_or(0)
    }

    /// Appends the rows of a stream: one value, numbered after its last. Returns its number and its group.
    pub(super) fn append_l0(
        &mut self,
        id: (NamespaceId, u32),
        commit: u64,
        batches: &[&PackedBatch],
    ) -> Result<(u64, u64)> {
        let total =
            blob::len(batches.iter().copied()).ok_or_else(|| Error::internal("an L0 value of more than 4 GiB"))?;
        let counters = self.stream(id);
        let header = L0Header {
            batches: batches.len() as u32,
            total,
            commit,
            number: counters.l0_next,
        };
        counters.l0_next += 1;
        counters.l0_rows += batches.iter().map(|batch| batch.rows() as u64).sum::<u64>();
        self.is_dirty = true;
        let key = keys::l0(self.pending.stamp.group, id.0, id.1);
        let existing = self
            .hot
            .table(Table::L0)
            .get_or_put_reserved_with_flags(&mut self.txn, PutFlags::APPEND, &key, total as usize, |space| {
                blob::write(&header, &key, batches, space)
            })
            .or_fault()?;
        match existing {
            None => Ok((header.number, self.pending.stamp.group)),
            Some(_) => Err(super::frame::damaged(Table::L0, &key, "a later key is there already")),
        }
    }

    /// What of a stream is sealed, to read and to change.
    pub(super) fn manifest(&mut self, id: (NamespaceId, u32)) -> &mut Manifest {
        let base = self.base;
        let stored = || base.manifests.get(&id).copied().unwrap_or_default();
        self.pending.manifests.entry(id).or_insert_with(stored)
    }

    /// Adds parts.
    pub(super) fn add_parts(&mut self, id: (NamespaceId, u32), parts: &[(Identity, PartRecord)]) -> Result<()> {
        for (key, record) in parts {
            self.put(Table::Parts, key, &record.encode(key))?;
        }
        let manifest = self.manifest(id);
        for (key, record) in parts {
            manifest.next_part = manifest.next_part.max(keys::split_part(key).2 + 1);
            if record.rollup.is_some() {
                manifest.rollups += 1;
                manifest.rollup_bytes += record.bytes;
                continue;
            }
            manifest.parts += 1;
            manifest.rows += record.rows;
            manifest.bytes += record.bytes;
            manifest.sealed_through = manifest.sealed_through.max(record.commit);
        }
        Ok(())
    }

    /// Takes parts out of the manifest.
    pub(super) fn remove_parts(&mut self, id: (NamespaceId, u32), parts: &[(Identity, PartRecord)]) -> Result<()> {
        for (key, record) in parts {
            self.delete(Table::Parts, key)?;
            let manifest = self.manifest(id);
            if record.rollup.is_some() {
                manifest.rollups -= 1;
                manifest.rollup_bytes -= record.bytes;
                continue;
            }
            manifest.parts -= 1;
            manifest.rows -= record.rows;
            manifest.bytes -= record.bytes;
        }
        Ok(())
    }

    /// Removes L0 values whose rows are in parts now: the first of the stream, each by the group that wrote it.
    pub(super) fn remove_l0(&mut self, id: (NamespaceId, u32), groups: &[u64], rows: u64) -> Result<()> {
        for &group in groups {
            self.delete(Table::L0, &keys::l0(group, id.0, id.1))?;
        }
        let counters = self.stream(id);
        counters.l0_first += groups.len() as u64;
        counters.l0_rows -= rows;
        Ok(())
    }

    /// Deletes all that is stored of a stream; returns its counters as they were, and how many rows it had.
    pub(super) fn delete_stream(&mut self, id: (NamespaceId, u32)) -> Result<(StreamCounters, u64)> {
        let sealed_rows = self.manifest(id).rows;
        let counters = *self.stream(id);
        let key = keys::stream(id.0, id.1);
        self.delete(Table::Streams, &key)?;
        for table in [
            Table::Counters,
            Table::Dictionaries,
            Table::Quarantine,
            Table::Manifests,
            Table::Parts,
        ] {
            let mut prefix = Vec::new();
            for found in self.hot.table(table).prefix_iter(&self.txn, &key).or_fault()? {
                prefix.push(found.or_fault()?.0.to_vec());
            }
            for key in prefix {
                self.delete(table, &key)?;
            }
        }
        let l0 = self.hot.table(Table::L0);
        let mut values = Vec::new();
        for found in l0.remap_data_type::<DecodeIgnore>().iter(&self.txn).or_fault()? {
            let (found, ()) = found.or_fault()?;
            if found.len() == 16 && found[8..] == key {
                values.push(found.to_vec());
            }
        }
        if values.len() as u64 != counters.l0_next - counters.l0_first {
            return Err(super::frame::damaged(Table::L0, &key, "values of a stream are missing"));
        }
        for key in values {
            self.delete(Table::L0, &key)?;
        }
        let namespace = self.namespace(id.0)?;
        namespace.streams -= 1;
        namespace.quarantine_bytes -= counters.quarantine_bytes;
        self.pending.streams.remove(&id);
        self.pending.manifests.remove(&id);
        self.pending.deleted.insert(id);
        Ok((counters, counters.l0_rows + sealed_rows))
    }

    /// Commits even if nothing but the stamp has changed.
    pub(super) fn touch(&mut self) {
        self.is_dirty = true;
    }

    /// Marks the stop as clean: the last transaction of all.
    pub(super) fn mark_clean(&mut self) {
        self.pending.stamp.clean = true;
    }

    /// Writes counters, writers and the stamp, and commits. What it returns is to be applied. A transaction that changed
    /// nothing, since every item was refused, leaves the disk alone.
    pub(super) fn commit(mut self) -> Result<Pending, Failure> {
        let mut pending = std::mem::take(&mut self.pending);
        for (&namespace, counters) in &pending.namespaces {
            if self.base.namespaces.get(&namespace) != Some(counters) {
                let key = keys::namespace(namespace);
                self.put(Table::Counters, &key, &counters.encode(&key))?;
            }
        }
        for (&(namespace, stream), counters) in &pending.streams {
            if !counters.ledger.balances() {
                return Err(Error::internal(format!("ledger of stream {stream}: {:?}", counters.ledger)).into());
            }
            if self.base.streams.get(&(namespace, stream)) != Some(counters) {
                let key = keys::stream(namespace, stream);
                self.put(Table::Counters, &key, &counters.encode(&key))?;
            }
        }
        for (&(namespace, stream), manifest) in &mut pending.manifests {
            if self.base.manifests.get(&(namespace, stream)) != Some(manifest) && *manifest != Manifest::default() {
                manifest.generation += 1;
                let key = keys::stream(namespace, stream);
                self.put(Table::Manifests, &key, &manifest.encode(&key))?;
            }
        }
        for ((namespace, name), writer) in &pending.writers {
            let key = keys::writer(*namespace, name);
            self.put(Table::Writers, &key, &writer.encode(&key))?;
        }
        if !self.is_dirty && !pending.stamp.clean {
            pending.stamp = self.base.stamp;
            return Ok(pending);
        }
        self.put(Table::Meta, STAMP_KEY, &pending.stamp.encode())?;
        self.txn.commit()?;
        Ok(pending)
    }
}

impl Pending {
    /// Takes what is durable now into memory. `tails` runs before any commit is published.
    pub(super) fn apply(self, base: &mut Base, shared: &Shared, tails: impl FnOnce()) {
        base.stamp = self.stamp;
        base.namespaces
            .extend(self.namespaces.iter().map(|(&id, &counters)| (id, counters)));
        base.streams.extend(self.streams);
        for ((namespace, stream, column), len) in self.dictionaries {
            base.dictionaries
                .entry((namespace, stream))
                .or_default()
                .insert(column, len);
        }
        base.manifests.extend(self.manifests);
        for id in &self.deleted {
            base.manifests.remove(id);
            base.streams.remove(id);
            base.dictionaries.remove(id);
        }
        shared.set_writers(self.writers);
        for action in self.after {
            action(shared);
        }
        tails();
        let (mut bytes, mut overflow) = (0, 0);
        for counters in base.namespaces.values() {
            bytes += counters.quarantine_bytes;
            overflow += counters.quarantine_overflow;
        }
        shared.note_quarantine(bytes, overflow);
        let catalog = shared.catalog();
        for namespace in self.advanced {
            if let (Ok(space), Some(counters)) = (catalog.space(namespace), self.namespaces.get(&namespace)) {
                space.commits.publish(counters.commit);
            }
        }
    }
}
